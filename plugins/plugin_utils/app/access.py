# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The identity of pods towards the API server and registries: ServiceAccount, RBAC and pull secrets."""

from __future__ import annotations

import base64
import json
from typing import Any

from ...module_utils._kube.objects import Object
from .configuration import Configuration
from .objects import manifest
from .spec import Spec


def account_name(spec: Spec) -> str:
    """Return the name of the pods' ServiceAccount."""
    return (spec["service_account"] or {}).get("name") or spec["name"]


def account_of(spec: Spec, configuration: Configuration) -> Object:
    """Return the fields of a pod for its ServiceAccount and pull secrets; by default the token is mounted only with RBAC rules."""
    token = (spec["service_account"] or {}).get("token")
    result: Object = {
        "serviceAccountName": account_name(spec),
        "automountServiceAccountToken": bool(spec["rbac"]) if token is None else token,
    }
    names = _pull_secrets(spec, configuration)
    if names:
        result["imagePullSecrets"] = [{"name": name} for name in names]
    return result


def objects(spec: Spec) -> list[Object]:
    """Return the ServiceAccount, its roles and their bindings."""
    found: list[Object] = []
    account = spec["service_account"] or {"name": None, "create": None, "annotations": {}}
    if account["create"] or (account["create"] is None and not account["name"]):
        # Each pod decides about the token itself.
        result = manifest(spec, "ServiceAccount", account_name(spec), automountServiceAccountToken=False)
        if account["annotations"]:
            result["metadata"]["annotations"] = {**spec["annotations"], **account["annotations"]}
        found.append(result)
    rbac = spec["rbac"]
    if not rbac:
        return found
    name = spec["name"]
    # Cluster-scoped names contain the namespace, so that applications with the same name do not share them.
    cluster_name = f"{spec['namespace']}-{name}"
    if rbac["rules"]:
        found += [_role(spec, "Role", name, rbac["rules"]), _binding(spec, "RoleBinding", name, "Role", name)]
    if rbac["cluster_rules"]:
        found += [
            _role(spec, "ClusterRole", cluster_name, rbac["cluster_rules"]),
            _binding(spec, "ClusterRoleBinding", cluster_name, "ClusterRole", cluster_name),
        ]
    found += [_binding(spec, "RoleBinding", f"{name}-{role}", "Role", role) for role in rbac["roles"]]
    for role in rbac["cluster_roles"]:
        found.append(_binding(spec, "RoleBinding", f"{name}-cluster-{role}", "ClusterRole", role))
    return found


def _role(spec: Spec, kind: str, name: str, rules: list[dict[str, Any]]) -> Object:
    return manifest(spec, kind, name, rules=[_rule(rule) for rule in rules])


def _rule(rule: dict[str, Any]) -> Object:
    result: Object = {}
    if rule["resources"]:
        result.update(apiGroups=rule["api_groups"], resources=rule["resources"])
    if rule["resource_names"]:
        result["resourceNames"] = rule["resource_names"]
    if rule["non_resource_urls"]:
        result["nonResourceURLs"] = rule["non_resource_urls"]
    return {**result, "verbs": rule["verbs"]}


def _binding(spec: Spec, kind: str, name: str, role_kind: str, role: str) -> Object:
    return manifest(
        spec,
        kind,
        name,
        roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": role_kind, "name": role},
        subjects=[{"kind": "ServiceAccount", "name": account_name(spec), "namespace": spec["namespace"]}],
    )


def _pull_secrets(spec: Spec, configuration: Configuration) -> list[str]:
    """Return the names of the pull secrets, and add one Secret for all literal credentials."""
    names = [pull["name"] for pull in spec["pull_secrets"] if pull["name"]]
    logins = {pull["registry"]: _login(pull) for pull in spec["pull_secrets"] if pull["registry"]}
    if logins:
        data = {".dockerconfigjson": json.dumps({"auths": logins}, sort_keys=True).encode()}
        kind = "kubernetes.io/dockerconfigjson"
        names.append(configuration.add("Secret", spec["name"] + "-pull", data, "pull_secrets", kind))
    return names


def _login(pull: dict[str, Any]) -> dict[str, str]:
    username, password = pull["username"], pull["password"]
    auth = base64.b64encode(f"{username}:{password}".encode()).decode()
    return {"username": username, "password": password, "auth": auth}
