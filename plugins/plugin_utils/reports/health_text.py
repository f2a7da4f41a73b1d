# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The result of the module health_info as text for a terminal: pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...module_utils._diagnosis.finding import finding_text
from ...module_utils._verify.summary import node_state, table

# Of more nodes, the text only lists those that are not Ready. The HTML page shows all of them.
MOST_NODES = 20


def health_text(health: Mapping[str, Any], name: str = "") -> list[str]:
    """Return the lines of the report: verdict, nodes, findings, and what could not be checked.

    :param health: The result of the module health_info.
    :param name: Name of the cluster.
    """
    lines = [f"{'Cluster ' + name if name else 'Cluster'}: {health['msg']}", ""]
    lines += _nodes(health.get("nodes") or [])
    for finding in health["findings"]:
        lines += [*finding_text(finding), ""]
    unchecked = health.get("unchecked") or {}
    if unchecked:
        lines += ["Not checked:", *(f"  {what}: {why}" for what, why in sorted(unchecked.items()))]
    lines.append(f"Queried {health.get('server')} in {health.get('seconds')} s with {health.get('requests')} requests.")
    return lines


def _nodes(nodes: list[Mapping[str, Any]]) -> list[str]:
    if not nodes:
        return []
    late = [node for node in nodes if not node["ready"]]
    lines = [f"{len(nodes) - len(late)} of {len(nodes)} nodes are Ready."]
    rows = [
        [
            node["name"],
            ", ".join(node["roles"]) or "worker",
            node["version"],
            node_state(node),
            str(node.get("pods", 0)),
            f"{node.get('cpu_requested_percent', 0)}%",
            f"{node.get('memory_requested_percent', 0)}%",
        ]
        for node in (nodes if len(nodes) <= MOST_NODES else late[:MOST_NODES])
    ]
    if rows:
        lines += table([["NODE", "ROLE", "VERSION", "STATUS", "PODS", "CPU", "MEMORY"], *rows])
    return [*lines, ""]
