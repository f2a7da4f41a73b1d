# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who the pods are for the API and for registries: account, roles and pull secrets."""

from __future__ import annotations

import base64
import json
from typing import Any

from ...module_utils._kube.objects import Object
from .configuration import Configuration
from .pod import metadata
from .spec import Spec

RBAC = "rbac.authorization.k8s.io"


def account_name(spec: Spec) -> str:
    """Name the ServiceAccount of the pods."""
    return (spec["service_account"] or {}).get("name") or spec["name"]


def makes_account(spec: Spec) -> bool:
    """Whether the application has an account of its own: unless another one is named."""
    account = spec["service_account"] or {}
    return bool(account["create"]) if account.get("create") is not None else not account.get("name")


def account_of(spec: Spec, configuration: Configuration) -> Object:
    """Give a pod's account and pull secrets; the account's token is mounted only where there is something to do with it."""
    account = spec["service_account"] or {}
    token = account.get("token")
    if token is None:
        token = bool(spec["rbac"])
    made: Object = {"serviceAccountName": account_name(spec), "automountServiceAccountToken": token}
    names = pull_secrets(spec, configuration)
    if names:
        made["imagePullSecrets"] = [{"name": name} for name in names]
    return made


def objects(spec: Spec) -> list[Object]:
    """Make the account, its roles and their bindings."""
    found: list[Object] = []
    if makes_account(spec):
        account: Object = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata(spec, account_name(spec))}
        extra = (spec["service_account"] or {}).get("annotations")
        if extra:
            account["metadata"]["annotations"] = dict(spec["annotations"], **extra)
        account["automountServiceAccountToken"] = False  # each pod says for itself
        found.append(account)
    rbac = spec["rbac"]
    if not rbac:
        return found
    name, namespace = spec["name"], spec["namespace"]
    # Objects of the whole cluster have the namespace in their name, so that two applications of one name do not share them.
    wide = f"{namespace}-{name}"
    if rbac["rules"]:
        found += [_role(spec, "Role", name, rbac["rules"]), _binding(spec, "RoleBinding", name, "Role", name)]
    if rbac["cluster_rules"]:
        found += [
            _role(spec, "ClusterRole", wide, rbac["cluster_rules"]),
            _binding(spec, "ClusterRoleBinding", wide, "ClusterRole", wide),
        ]
    for role in rbac["roles"]:
        found.append(_binding(spec, "RoleBinding", f"{name}-{role}", "Role", role))
    for role in rbac["cluster_roles"]:
        found.append(_binding(spec, "RoleBinding", f"{name}-cluster-{role}", "ClusterRole", role))
    return found


def _metadata(spec: Spec, kind: str, name: str) -> Object:
    made = metadata(spec, name)
    if kind.startswith("Cluster"):
        del made["namespace"]
    return made


def _role(spec: Spec, kind: str, name: str, rules: list[dict[str, Any]]) -> Object:
    return {
        "apiVersion": RBAC + "/v1",
        "kind": kind,
        "metadata": _metadata(spec, kind, name),
        "rules": [_rule(rule) for rule in rules],
    }


def _rule(rule: dict[str, Any]) -> Object:
    made: Object = {}
    if rule["resources"]:
        made.update(apiGroups=rule["api_groups"], resources=rule["resources"])
    if rule["resource_names"]:
        made["resourceNames"] = rule["resource_names"]
    if rule["non_resource_urls"]:
        made["nonResourceURLs"] = rule["non_resource_urls"]
    made["verbs"] = rule["verbs"]
    return made


def _binding(spec: Spec, kind: str, name: str, role_kind: str, role: str) -> Object:
    return {
        "apiVersion": RBAC + "/v1",
        "kind": kind,
        "metadata": _metadata(spec, kind, name),
        "roleRef": {"apiGroup": RBAC, "kind": role_kind, "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": account_name(spec), "namespace": spec["namespace"]}],
    }


def pull_secrets(spec: Spec, configuration: Configuration) -> list[str]:
    """Name the Secrets with which images are pulled, and make one of all credentials that are given literally."""
    names = [pull["name"] for pull in spec["pull_secrets"] if pull["name"]]
    logins = {pull["registry"]: pull for pull in spec["pull_secrets"] if pull["registry"]}
    if logins:
        content = {"auths": {registry: _login(pull) for registry, pull in logins.items()}}
        data = {".dockerconfigjson": json.dumps(content, sort_keys=True).encode()}
        kind = "kubernetes.io/dockerconfigjson"
        names.append(configuration.add("Secret", spec["name"] + "-pull", data, "pull_secrets", kind))
    return names


def _login(pull: dict[str, Any]) -> dict[str, str]:
    both = f"{pull['username']}:{pull['password']}"
    return {
        "username": pull["username"],
        "password": pull["password"],
        "auth": base64.b64encode(both.encode()).decode(),
    }
