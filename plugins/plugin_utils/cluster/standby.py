# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-by hosts of the inventory as the module scale_plan expects them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ...module_utils._kube.quantities import BINARY, amount
from .reservation import kube_reserved

GROUP = "kube_standby"
LABEL = "slipway.kube/standby"
EVICTION = {"memory.available": "100Mi", "nodefs.available": "10%"}  # the kubelet's defaults
PODS = 110  # the kubelet's default of maxPods


def standby_hosts(
    hostvars: Mapping[str, Any], names: Iterable[str], cluster: str, refused: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """Return ``host``, ``node``, ``state``, ``problem``, ``labels``, ``taints`` and ``allocatable`` of each stand-by host.

    :param names: of the hosts in the inventory, in its order.
    :param cluster: name of the cluster; variables of hosts do not include defaults of roles.
    :param refused: why hosts cannot become nodes, as preflight has found.
    """
    found = []
    for name in names:
        variables = hostvars[name]
        facts = variables.get("kube_host") or {}
        problem = problem_of(facts, cluster)
        if not problem and name in (refused or {}):
            problem = f"it cannot become a node: {(refused or {})[name]}"
        labels = {
            **{"kubernetes.io/arch": facts.get("architecture", ""), "kubernetes.io/os": "linux", LABEL: "true"},
            **{key: text(value) for key, value in (variables.get("kube_node_labels") or {}).items()},
        }
        found.append(
            {
                "host": name,
                "node": str(variables.get("kube_node_name") or name),
                "state": state_of(facts),
                "problem": problem,
                "labels": labels,
                "taints": [dict(taint) for taint in variables.get("kube_node_taints") or []],
                "allocatable": {} if "os" not in facts else allocatable(facts, variables),
            }
        )
    return found


def text(value: Any) -> str:
    """Return the value of a label."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def problem_of(facts: Mapping[str, Any], cluster: str) -> str:
    """Return why nothing can be done with a host now, "" if it can be used."""
    if "os" not in facts:
        reason = str(facts.get("module_stderr") or facts.get("msg") or "").strip().splitlines()
        return f"it could not be inspected{': ' + reason[0] if reason else ''}"
    record = facts["record"]
    if facts["cluster"]["member"] and not record["marked"]:
        return f"it is a node of a cluster that this collection did not create ({facts['cluster']['endpoint'] or 'unknown'})"
    if record["marked"] and record["cluster"] != cluster:
        return f"it was prepared for cluster '{record['cluster']}'"
    return ""


def state_of(facts: Mapping[str, Any]) -> str:
    """Return the state of a host: one of ``_scale.plan.STATES``; "" if it is not known."""
    if "os" not in facts:
        return ""
    record = facts["record"]
    if record["operation"]:
        return "resetting" if record["operation"] == "reset" else "joining"
    return "node" if facts["cluster"]["member"] else "prepared" if record["marked"] else "free"


def reserves(variables: Mapping[str, Any]) -> bool:
    """Return whether the role kubernetes reserves something by itself."""
    return text(variables.get("kubernetes_reserve", True)).lower() not in ("false", "no", "off", "0")


def allocatable(facts: Mapping[str, Any], variables: Mapping[str, Any]) -> dict[str, str]:
    """Return what a host would offer to pods as a node (https://kubernetes.io/docs/tasks/administer-cluster/reserve-compute-resources/)."""
    config = variables.get("kubernetes_kubelet_config") or {}

    def settings(field: str, name: str) -> dict[str, Any]:
        return {**(variables.get(name) or {}), **(config.get(field) or {})}

    kubernetes = kube_reserved(facts["cpus"], facts["memory_mb"]) if reserves(variables) else {}
    kubernetes.update(settings("kubeReserved", "kubernetes_kube_reserved"))
    system = settings("systemReserved", "kubernetes_system_reserved")
    eviction = {**EVICTION, **settings("evictionHard", "kubernetes_eviction_hard")}

    def left(resource: str, total: float, kept: float = 0.0) -> float:
        return max(total - amount(kubernetes.get(resource)) - amount(system.get(resource)) - kept, 0)

    memory = facts["memory_mb"] * BINARY["Mi"]
    disk = facts["disks"][0]["total_mb"] * BINARY["Mi"]  # of /var/lib/kubelet
    memory = left("memory", memory, threshold(eviction["memory.available"], memory))
    disk = left("ephemeral-storage", disk, threshold(eviction["nodefs.available"], disk))
    return {
        "cpu": f"{round(1000 * left('cpu', facts['cpus']))}m",
        "memory": f"{int(memory / BINARY['Mi'])}Mi",
        "ephemeral-storage": f"{int(disk / BINARY['Mi'])}Mi",
        "pods": str(config.get("maxPods") or PODS),
    }


def threshold(value: Any, total: float) -> float:
    """Return a threshold of eviction, which may be a percentage."""
    text = str(value)
    return total * amount(text[:-1]) / 100 if text.endswith("%") else amount(text)
