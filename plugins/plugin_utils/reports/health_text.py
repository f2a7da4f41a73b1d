# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an examination found, as text for a terminal. Pure functions over what the module health_info returned."""

from __future__ import annotations

from typing import Any, Mapping

from ...module_utils._diagnosis.finding import SEVERITIES, finding_text
from ...module_utils._verify.summary import table

# A terminal shows so many nodes; the page shows all.
MOST_NODES = 20


def health_text(health: Mapping[str, Any], name: str = "") -> list[str]:
    """Write the report: what there is in numbers, the nodes, the findings, and what could not be looked at.

    :param health: what the module health_info returned.
    :param name: name of the cluster.
    """
    findings = list(health.get("findings") or [])
    summary = health.get("summary") or {}
    lines = [f"{'Cluster ' + name if name else 'Cluster'}: {verdict_text(findings, summary)}", ""]
    lines += _nodes(list(health.get("nodes") or []))
    for finding in findings:
        lines += [*finding_text(finding), ""]
    dark = health.get("not_looked_at") or {}
    if dark:
        lines.append("Not looked at:")
        lines += ["  {}: {}".format(*pair) for pair in sorted(dark.items())]
    lines.append(f"Asked {health.get('server')} in {health.get('seconds')} s with {health.get('requests')} requests.")
    return lines


def verdict_text(findings: list[Mapping[str, Any]], summary: Mapping[str, Any]) -> str:
    """Say in one sentence how it is."""
    counts = {severity: sum(finding["severity"] == severity for finding in findings) for severity in SEVERITIES}
    pods = f"{summary.get('pods_well', 0)} of {summary.get('pods', 0)} pods are well"
    if not any(counts.values()):
        return f"nothing is wrong; {pods}"
    said = [f"{count} {word}{'' if count == 1 else 's'}" for word, count in counts.items() if count]
    return f"{', '.join(said)}; {pods}"


def _nodes(nodes: list[Mapping[str, Any]]) -> list[str]:
    if not nodes:
        return []
    ready = sum(bool(node["ready"]) for node in nodes)
    lines = ["%d of %d nodes are Ready." % (ready, len(nodes))]
    shown = nodes if len(nodes) <= MOST_NODES else [node for node in nodes if not node["ready"]][:MOST_NODES]
    if shown:
        rows = [["NODE", "ROLE", "VERSION", "STATUS", "PODS", "CPU", "MEMORY"]]
        for node in shown:
            rows.append(
                [
                    node["name"],
                    ", ".join(node["roles"]) or "worker",
                    node["version"],
                    node_state(node),
                    str(node.get("pods", 0)),
                    f"{node.get('cpu_requested_percent', 0)}%",
                    f"{node.get('memory_requested_percent', 0)}%",
                ]
            )
        lines += table(rows)
    return [*lines, ""]


def node_state(node: Mapping[str, Any]) -> str:
    """Say how a node is in a word or two."""
    return ("Ready" if node["ready"] else "NotReady") + ("" if node["schedulable"] else ", cordoned")
