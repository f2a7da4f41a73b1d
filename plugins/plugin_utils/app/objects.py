# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all objects of an application share: names of fields, API versions, labels and metadata."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...module_utils._kube.objects import Object
from .spec import Spec

NAME_LABEL = "app.kubernetes.io/name"
MANAGER_LABEL = "app.kubernetes.io/managed-by"
PART_LABEL = "slipway.kube/part"
VERSION_LABEL = "slipway.kube/version"
CANARY_LABEL = "slipway.kube/canary"
API_VERSIONS = {
    **dict.fromkeys(("Deployment", "StatefulSet", "DaemonSet"), "apps/v1"),
    **dict.fromkeys(("Job", "CronJob"), "batch/v1"),
    **dict.fromkeys(("Ingress", "NetworkPolicy"), "networking.k8s.io/v1"),
    **dict.fromkeys(("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"), "rbac.authorization.k8s.io/v1"),
    "HTTPRoute": "gateway.networking.k8s.io/v1",
    "HorizontalPodAutoscaler": "autoscaling/v2",
    "PodDisruptionBudget": "policy/v1",
}


def camel_case(name: str) -> str:
    """Convert the name of a field: C(min_ready_seconds) becomes C(minReadySeconds)."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def api_fields(source: Mapping[str, Any] | None = None, *names: str, **fields: Any) -> dict[str, Any]:
    """Return fields with the names that the Kubernetes API gives them, without those that are None.

    :param source: a mapping; all its fields are returned, or those of *names*.
    :param fields: further fields, by their names in snake case.
    """
    chosen = {name: source.get(name) for name in names or source} if source is not None else {}
    return {camel_case(name): value for name, value in {**chosen, **fields}.items() if value is not None}


def labels(spec: Spec) -> dict[str, str]:
    """Return the labels of every object of an application."""
    return {**spec["labels"], NAME_LABEL: spec["name"], MANAGER_LABEL: "slipway.kube"}


def selector(spec: Spec) -> dict[str, str]:
    """Return the labels that select the application's own pods, without those of its hooks. They never change."""
    return {NAME_LABEL: spec["name"], PART_LABEL: "app"}


def metadata(spec: Spec, name: str = "") -> Object:
    """Return the metadata of an object of an application, named after it where no name is given."""
    result: Object = {"name": name or spec["name"], "namespace": spec["namespace"], "labels": labels(spec)}
    if spec["annotations"]:
        result["annotations"] = dict(spec["annotations"])
    return result


def manifest(spec: Spec, kind: str, name: str = "", /, **content: Any) -> Object:
    """Return an object of an application.

    :param content: its parts beside the metadata, for most kinds C(spec).
    """
    about = metadata(spec, name)
    if kind.startswith("Cluster"):
        del about["namespace"]
    return {"apiVersion": API_VERSIONS.get(kind, "v1"), "kind": kind, "metadata": about, **content}
