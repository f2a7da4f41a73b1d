# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The result of a verification as text for a terminal. Pure functions."""

from __future__ import annotations

from typing import Any, Mapping, Sequence


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows of text aligned in columns."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip() for row in rows]


def node_state(node: Mapping[str, Any]) -> str:
    """Return the status of a node in a word or two."""
    return ("Ready" if node["ready"] else "NotReady") + ("" if node["schedulable"] else ", cordoned")


def results_text(results: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return every result as text; further lines of its evidence are indented."""
    lines = []
    for result in results:
        first, *more = str(result["evidence"]).split("\n")
        lines.append(f"{'ok' if result['ok'] else 'FAILED'} {result['test']}: {first}")
        lines += ["  " + line for line in more]
    return lines


def network_text(network: Mapping[str, Any], pod_subnet: str) -> str:
    """Return the name of the pod network and whether it enforces NetworkPolicy."""
    name = network.get("name") or "unknown pod network"
    enforced = network.get("network_policy")
    policy = "may or may not be" if enforced is None else "is" if enforced else "is NOT"
    return f"{name}{f', pods in {pod_subnet}' if pod_subnet else ''}; NetworkPolicy {policy} enforced"


def cluster_text(
    verified: Mapping[str, Any], name: str = "", pod_subnet: str = "", kubeconfig: str = "", admin_kubeconfig: str = ""
) -> str:
    """Return a summary of the cluster: nodes, endpoint, pod network, kubeconfig and the next command.

    :param verified: the result of the module cluster_verify.
    :param kubeconfig: path of a kubeconfig on the control node, empty if there is none.
    :param admin_kubeconfig: path of the administrator's kubeconfig on a control plane.
    """
    nodes = verified.get("nodes") or []
    if not nodes:
        return verified.get("msg") or "The cluster does not exist yet."
    rows = [["NODE", "ROLE", "VERSION", "ADDRESS", "STATUS"]]
    for node in nodes:
        roles = ", ".join(node["roles"]) or "worker"
        rows.append([node["name"], roles, node["version"], node["address"], node_state(node)])
    control_plane = next((node["name"] for node in nodes if node["roles"]), "a control plane")
    command = f"kubectl --kubeconfig {kubeconfig or admin_kubeconfig} get nodes"
    facts = [
        ("Endpoint", verified.get("endpoint") or ""),
        ("Network", network_text(verified.get("network") or {}, pod_subnet)),
        ("Kubeconfig", kubeconfig or f"{admin_kubeconfig} on {control_plane}"),
        ("Verified", verified.get("msg") or ""),
        ("Next", command),
    ]
    heading = f"Cluster {name}, Kubernetes {versions(nodes)}" if name else f"Kubernetes {versions(nodes)}"
    lines = [f"{key + ':':11} {value}" for key, value in facts if value]
    return "\n".join([heading, "", *table(rows), "", *lines])


def versions(nodes: Sequence[Mapping[str, Any]]) -> str:
    """Return the versions of the nodes, each once."""
    return ", ".join(sorted({node["version"] for node in nodes}))
