# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether nodes and the system's own workloads are well, from what the API server lists: pure functions."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from .._kube.objects import reference
from .._kube.pod_networks import find_pod_network
from .._kube.readiness import condition, readiness
from .wait import explain_pods, explain_workload, tell

Object = Mapping[str, Any]

CONTROL_PLANE = "node-role.kubernetes.io/control-plane"
ROLE = "node-role.kubernetes.io/"


def node_summary(node: Object) -> dict[str, Any]:
    """Give what people ask first about a node."""
    status, labels = node.get("status") or {}, node["metadata"].get("labels") or {}
    addresses = {address["type"]: address["address"] for address in reversed(status.get("addresses") or [])}
    info = status.get("nodeInfo") or {}
    return {
        "name": node["metadata"]["name"],
        "ready": condition(node, "Ready").get("status") == "True",
        "roles": sorted(label[len(ROLE) :] for label in labels if label.startswith(ROLE)),
        "version": (info.get("kubeletVersion") or "").lstrip("v"),
        "address": addresses.get("InternalIP", ""),
        "os": info.get("osImage", ""),
        "kernel": info.get("kernelVersion", ""),
        "runtime": info.get("containerRuntimeVersion", ""),
        "schedulable": not (node.get("spec") or {}).get("unschedulable", False),
    }


def node_problems(nodes: Sequence[Object], expected: Sequence[str]) -> list[str]:
    """Say which nodes are missing or not Ready, and why."""
    names = {node["metadata"]["name"] for node in nodes}
    found = [
        f"node {name} is not in the cluster: its kubelet has not registered it; see journalctl -u kubelet there"
        for name in expected
        if name not in names
    ]
    for node in nodes:
        ready, why = readiness(dict(node, kind="Node"))
        if not ready:
            remedy = ""
            if "cni" in why.lower() or "NetworkPluginNotReady" in why:
                remedy = " There is no pod network on it yet: see the network's pods."
            elif "stopped posting" in why:
                remedy = " Its kubelet is silent: see that the host is up and systemctl status kubelet."
            found.append(f"node {node['metadata']['name']} is not Ready: {' '.join(why.split())}{remedy}")
    return found


def system_problems(
    workloads: Sequence[Object], pods: Sequence[Object], events: Sequence[Object]
) -> tuple[list[str], bool]:
    """Say which workloads and pods are not ready and why, and whether one will never be.

    :param workloads: Deployments, DaemonSets and StatefulSets of the system's namespaces.
    :param pods: all pods there; one that failed and has been replaced by its controller does not count.
    """
    found: list[tuple[bool, str]] = []
    told: set[str] = set()
    for workload in workloads:
        ready, why = readiness(workload)
        if not ready:
            mine = [pod for pod in pods if _selects(workload, pod)]
            lines, hopeless = explain_workload(workload, why, mine, events)
            found.append((hopeless, "\n".join(lines)))
            told.update(pod["metadata"]["name"] for pod in mine)
    for pod in pods:
        owned = any(owner.get("controller") for owner in pod["metadata"].get("ownerReferences") or [])
        replaced = (pod.get("status") or {}).get("phase") == "Failed" and owned
        if pod["metadata"]["name"] not in told and not replaced:
            for finding in explain_pods([pod], events):
                found.append((finding.hopeless, "\n".join([f"{reference(pod)}: not ready", *tell([finding])])))
    found.sort(key=lambda each: not each[0])
    return [text for _hopeless, text in found], any(hopeless for hopeless, _text in found)


def network_of(workloads: Sequence[Object]) -> dict[str, Any]:
    """Return name and NetworkPolicy support of the pod network; the name is empty if it is not a known one."""
    names = [reference(workload).name for workload in workloads if workload.get("kind") == "DaemonSet"]
    network = find_pod_network(names)
    return network._asdict() if network else {"name": "", "network_policy": None}


def api_addresses(slices: Sequence[Object]) -> list[str]:
    """List where the API servers themselves answer, from the EndpointSlices of the Service kubernetes."""
    found = set()
    for part in slices:
        for endpoint in part.get("endpoints") or []:
            for address in endpoint.get("addresses") or []:
                for port in part.get("ports") or []:
                    found.add("%s:%d" % (f"[{address}]" if ":" in address else address, port["port"]))
    return sorted(found)


def _selects(workload: Object, pod: Object) -> bool:
    wanted = ((workload.get("spec") or {}).get("selector") or {}).get("matchLabels") or {}
    labels = pod["metadata"].get("labels") or {}
    same = workload["metadata"].get("namespace") == pod["metadata"].get("namespace")
    return bool(wanted) and same and all(labels.get(key) == value for key, value in wanted.items())
