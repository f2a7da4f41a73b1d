# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is reported about nodes, system pods, the pod network and the API servers when a cluster is verified: pure functions."""

from __future__ import annotations

import time
from typing import Any, Callable, Iterable, Mapping, Sequence

from .._kube.objects import reference
from .._kube.pod_networks import find_pod_network
from .._kube.readiness import condition, readiness
from .finding import Finding, one_line
from .nodes import readiness_advice
from .pods import pod_findings
from .ranking import grouped
from .view import View, controller, is_finished, is_true, labels_of, name_of, spec_of, status_of
from .workloads import is_hopeless, workload_findings

Object = Mapping[str, Any]

ROLE = "node-role.kubernetes.io/"
CONTROL_PLANE = ROLE + "control-plane"
# More reasons for one workload are only counted.
MOST_REASONS = 5
# Lines of a container's log that are quoted, its last ones.
LOG_LINES = 5


def node_summary(node: Object) -> dict[str, Any]:
    """Return name, readiness, roles, versions and address of a node."""
    status, labels = status_of(node), labels_of(node)
    addresses = {address["type"]: address["address"] for address in reversed(status.get("addresses") or [])}
    info = status.get("nodeInfo") or {}
    return {
        "name": name_of(node),
        "ready": is_true(node, "Ready"),
        "roles": sorted(label[len(ROLE) :] for label in labels if label.startswith(ROLE)),
        "version": (info.get("kubeletVersion") or "").lstrip("v"),
        "address": addresses.get("InternalIP", ""),
        "os": info.get("osImage", ""),
        "kernel": info.get("kernelVersion", ""),
        "runtime": info.get("containerRuntimeVersion", ""),
        "schedulable": not spec_of(node).get("unschedulable", False),
    }


def node_problems(nodes: Sequence[Object], expected: Sequence[str]) -> list[str]:
    """Return which nodes are missing or not Ready, why, and what to do.

    :param expected: Names of the nodes that must be in the cluster.
    """
    names = {name_of(node) for node in nodes}
    found = [
        f"node {name} is not in the cluster: its kubelet has not registered it. Run journalctl -u kubelet on that host."
        for name in expected
        if name not in names
    ]
    for node in nodes:
        ready, why = readiness(dict(node, kind="Node"))
        if not ready:
            advice = readiness_advice(why, condition(node, "Ready").get("status") or "Unknown")
            found.append(f"node {node['metadata']['name']} is not Ready: {one_line(why).rstrip('.')}. {advice}")
    return found


def system_problems(
    workloads: Sequence[Object],
    pods: Sequence[Object],
    events: Sequence[Object],
    add_logs: Callable[[list[Finding]], None] = lambda found: None,
) -> tuple[list[str], bool]:
    """Return which workloads and pods are not ready and why, those that cannot recover first, and whether there are such.

    :param workloads: Deployments, DaemonSets and StatefulSets of some namespaces.
    :param pods: All pods there; one that failed and that its controller has replaced does not count.
    :param add_logs: adds log lines to findings.
    """
    lists: dict[str, list[Object]] = {
        "Pod": list(pods),
        "Event": [event for event in events if event.get("type") != "Normal"],
        "Killing": [dict(event, kind="Killing") for event in events if event.get("reason") == "Killing"],
    }
    for workload in workloads:
        lists.setdefault(workload.get("kind") or "", []).append(workload)
    view = View(lists, time.time())
    problems: list[tuple[bool, str]] = []
    explained = set()
    for workload in workloads:
        ready, why = readiness(workload)
        if not ready:
            found = [finding for finding in workload_findings(view, workload) if finding.fault != "not_ready"]
            together = grouped(found)
            add_logs(together)
            lines = [f"{reference(workload)}: {why}.", *reasons(together)]
            # Only pods decide: a rollout that is late, or pods that are rejected, recover when the cluster does.
            of_pods = [finding for finding in found if finding.pods]
            problems.append((is_hopeless(view, workload, of_pods), "\n".join(lines)))
            explained.add(reference(workload))
    for pod in pods:
        replaced = is_finished(pod) and controller(pod) is not None
        if view.made_by(pod) not in explained and not replaced:
            of_pod = list(pod_findings(view, pod))
            add_logs(of_pod)
            for finding in of_pod:
                lines = [f"{reference(pod)}: not ready", *reasons([finding])]
                problems.append((finding.hopeless, "\n".join(lines)))
    problems.sort(key=lambda problem: not problem[0])
    return [text for _hopeless, text in problems], any(hopeless for hopeless, _text in problems)


def reasons(findings: Sequence[Finding]) -> list[str]:
    """Return findings as indented lines, those that waiting does not resolve first, each with the number of its pods."""
    lines = []
    for finding in sorted(findings, key=lambda finding: not finding.hopeless)[:MOST_REASONS]:
        pods = f" ({len(finding.pods)} pods)" if len(finding.pods) > 1 else ""
        lines.append(f"  {one_line(finding.title).rstrip('.')}{pods}.")
        lines += ["    " + one_line(text) for text in [*finding.evidence[:2], finding.advice] if text]
        lines += ["    log: " + one_line(text) for text in finding.logs[-LOG_LINES:]]
    more = len(findings) - MOST_REASONS
    return lines + ([f"  and {more} more reasons"] if more > 0 else [])


def network_of(workloads: Sequence[Object]) -> dict[str, Any]:
    """Return name and NetworkPolicy support of the pod network; the name is empty if it is not a known one."""
    names = [reference(workload).name for workload in workloads if workload.get("kind") == "DaemonSet"]
    network = find_pod_network(names)
    return network._asdict() if network else {"name": "", "network_policy": None}


def api_addresses(slices: Iterable[Object]) -> list[str]:
    """Return the addresses of the API servers, from the EndpointSlices of the Service kubernetes."""
    found = set()
    for part in slices:
        for endpoint in part.get("endpoints") or []:
            for address in endpoint.get("addresses") or []:
                for port in part.get("ports") or []:
                    found.add(f"[{address}]:{port['port']}" if ":" in address else f"{address}:{port['port']}")
    return sorted(found)
