# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a verification says, as a person wants to read it: pure functions."""

from __future__ import annotations

from typing import Any, Mapping, Sequence


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Align rows of text in columns; the first row is the heading."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip() for row in rows]


def node_state(node: Mapping[str, Any]) -> str:
    """Return the status of a node in a word or two."""
    return ("Ready" if node["ready"] else "NotReady") + ("" if node["schedulable"] else ", cordoned")


def results_text(results: Sequence[Mapping[str, Any]]) -> list[str]:
    """Tell every result; further lines of its evidence are indented."""
    lines = []
    for result in results:
        first, *more = str(result["evidence"]).split("\n")
        lines.append(f"{'ok' if result['ok'] else 'FAILED'} {result['test']}: {first}")
        lines += ["  " + line for line in more]
    return lines


def network_text(network: Mapping[str, Any], pod_subnet: str) -> str:
    """Tell which pod network there is and whether it enforces NetworkPolicy."""
    name = network.get("name") or "unknown plugin"
    enforced = network.get("network_policy")
    said = f"NetworkPolicy is {'' if enforced else 'NOT '}enforced"
    if enforced is None:
        said = "whether it enforces NetworkPolicy is not known"
    return f"{name}{', pods in ' + pod_subnet if pod_subnet else ''}; {said}"


def cluster_text(
    verified: Mapping[str, Any], name: str = "", pod_subnet: str = "", kubeconfig: str = "", admin_kubeconfig: str = ""
) -> str:
    """Write the summary of a cluster: its nodes, its endpoint, its network, and what to type next.

    :param verified: what the module cluster_verify returned.
    :param kubeconfig: path of a kubeconfig on the control node, empty where there is none.
    :param admin_kubeconfig: path of the administrator's kubeconfig on a control plane.
    """
    nodes = verified.get("nodes") or []
    if not nodes:
        return verified.get("msg") or "There is no cluster yet."
    rows = [["NODE", "ROLE", "VERSION", "ADDRESS", "STATUS"]]
    for node in nodes:
        roles = ", ".join(node["roles"]) or "worker"
        rows.append([node["name"], roles, node["version"], node["address"], node_state(node)])
    where = kubeconfig or "{} on {}".format(
        admin_kubeconfig,
        next((node["name"] for node in nodes if node["roles"]), "a control plane"),
    )
    command = f"kubectl --kubeconfig {kubeconfig or admin_kubeconfig} get nodes"
    facts = [
        ("Endpoint", verified.get("endpoint") or ""),
        ("Network", network_text(verified.get("network") or {}, pod_subnet)),
        ("Kubeconfig", where),
        ("Verified", verified.get("msg") or ""),
        ("Next", command),
    ]
    heading = f"Cluster {name}, Kubernetes {versions(nodes)}" if name else f"Kubernetes {versions(nodes)}"
    return "\n".join(
        [heading, ""] + table(rows) + [""] + ["%-11s %s" % (key + ":", value) for key, value in facts if value]
    )


def versions(nodes: Sequence[Mapping[str, Any]]) -> str:
    """List the versions of some nodes, each once."""
    return ", ".join(sorted({node["version"] for node in nodes}))
