# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The result of the module health_info as one self-contained HTML page without scripts: pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from ...module_utils._diagnosis.finding import SEVERITIES
from ...module_utils._verify.summary import node_state
from .page import items, page

STYLE = """
.tiles{display:flex;flex-wrap:wrap;gap:10px}
.tile{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:10px 14px;min-width:110px}
.tile b{display:block;font-size:22px;line-height:1.2}
.nodes{display:grid;grid-template-columns:repeat(auto-fill,minmax(190px,1fr));gap:8px}
.nodes.many{grid-template-columns:repeat(auto-fill,minmax(22px,1fr));gap:3px}
.node{background:var(--card);border:1px solid var(--line);border-left:4px solid var(--ok);border-radius:6px;padding:8px 10px;font-size:13px;overflow:hidden}
.node.bad{border-left-color:var(--error)}.node.off{border-left-color:var(--warning)}
.nodes.many .node{padding:0;height:22px;border:0;border-radius:4px;background:var(--ok)}
.nodes.many .node.bad{background:var(--error)}.nodes.many .node.off{background:var(--warning)}
.bar{height:5px;background:var(--line);border-radius:3px;margin:3px 0 5px;overflow:hidden}.bar i{display:block;height:100%;background:var(--info)}
.bar i.full{background:var(--warning)}
.object{font-weight:600;overflow-wrap:anywhere}
ol.chain{margin:8px 0;padding:0;list-style:none}ol.chain li{padding-left:22px;position:relative;overflow-wrap:anywhere}
ol.chain li+li:before{content:"\\2190";position:absolute;left:2px;color:var(--soft)}ol.chain li:last-child{font-weight:600}
.advice{margin:8px 0 0}.advice:before{content:"\\2192 ";color:var(--ok);font-weight:700}
ul.evidence{margin:6px 0;padding-left:20px;overflow-wrap:anywhere}
"""
# More nodes are shown as coloured squares, their details as tooltips; more namespaces are folded.
MANY_NODES, MANY_NAMESPACES = 60, 30
# Labels of the tiles, and the keys of the summary whose numbers they show.
TILES = (
    ("errors", "error"),
    ("warnings", "warning"),
    ("infos", "info"),
    ("healthy pods", "pods_healthy"),
    ("pods", "pods"),
    ("nodes", "nodes"),
    ("Deployments", "deployments"),
    ("StatefulSets", "statefulsets"),
    ("DaemonSets", "daemonsets"),
    ("Services", "services"),
    ("Ingresses", "ingresses"),
    ("PersistentVolumeClaims", "persistentvolumeclaims"),
)


def health_html(health: Mapping[str, Any], name: str = "") -> str:
    """Return the page: the cluster at a glance, then every finding.

    :param health: The result of the module health_info.
    :param name: Name of the cluster.
    """
    findings, summary = health["findings"], health.get("summary") or {}
    title = escape(f"Health of cluster {name}" if name else "Health of the cluster")
    severities = {finding["severity"] for finding in findings}
    worst = next((severity for severity in SEVERITIES if severity in severities), "ok")
    queried = (
        f"{health.get('server')}, read {summary.get('read')} in {health.get('seconds')} s "
        f"with {health.get('requests')} requests"
    )
    body = [
        f"<h1>{title}</h1>",
        f'<p class="soft">{escape(queried)}</p>',
        f'<p class="verdict"><b class="{worst}">{escape(health["msg"])}</b></p>',
        _tiles(summary),
        _nodes(health.get("nodes") or []),
        _namespaces(summary.get("namespaces") or []),
        "<h2>Findings</h2>",
        "".join(map(_finding, findings)) or '<p class="soft">None.</p>',
        _unchecked(health.get("unchecked") or {}),
    ]
    return page(title, body, STYLE)


def _tiles(summary: Mapping[str, Any]) -> str:
    tiles = []
    for label, key in TILES:
        number = int(summary.get(key) or 0)
        colour = (key if number else "ok") if key in SEVERITIES else ""
        tiles.append(f'<div class="tile"><b class="{colour}">{number}</b>{label}</div>')
    return f'<div class="tiles">{"".join(tiles)}</div>'


def _nodes(nodes: list[Mapping[str, Any]]) -> str:
    if not nodes:
        return ""
    many = len(nodes) > MANY_NODES
    parts = []
    for node in nodes:
        kind = "node" + ("" if node["ready"] else " bad") + ("" if node["schedulable"] else " off")
        state = f"{node_state(node)}, {node.get('pods', 0)} pods, {node['version']}"
        if many:
            tooltip = escape(f"{node['name']}: {state}", quote=True)
            parts.append(f'<div class="{kind}" title="{tooltip}"></div>')
            continue
        roles = escape(", ".join(node["roles"]) or "worker")
        bars = _bar("CPU requests", node.get("cpu_requested_percent")) + _bar(
            "memory requests", node.get("memory_requested_percent")
        )
        parts.append(
            f'<div class="{kind}"><b>{escape(node["name"])}</b> <span class="soft">{roles}</span><br>{escape(state)}<br>{bars}</div>'
        )
    return f'<h2>Nodes</h2><div class="nodes{" many" if many else ""}">{"".join(parts)}</div>'


def _bar(label: str, percent: Any) -> str:
    number = int(percent or 0)
    colour = "full" if number > 90 else ""
    return f'{label} {number}%<div class="bar"><i class="{colour}" style="width:{min(number, 100)}%"></i></div>'


def _namespaces(namespaces: list[Mapping[str, Any]]) -> str:
    if not namespaces:
        return ""
    heads = "".join(f'<th class="n">{head}</th>' for head in ("Healthy pods", "Errors", "Warnings", "Infos"))
    rows = []
    for one in sorted(namespaces, key=lambda one: (-one["error"], -one["warning"], one["name"])):
        counts = [f'<b class="{severity}">{one[severity]}</b>' if one[severity] else "" for severity in SEVERITIES]
        cells = "".join(f'<td class="n">{cell}</td>' for cell in (f"{one['pods_healthy']} of {one['pods']}", *counts))
        rows.append(f"<tr><td>{escape(one['name'])}</td>{cells}</tr>")
    text = f"<table><tr><th>Namespace</th>{heads}</tr>{''.join(rows)}</table>"
    if len(rows) > MANY_NAMESPACES:
        text = f"<details><summary>{len(rows)} namespaces</summary>{text}</details>"
    return "<h2>Namespaces</h2>" + text


def _finding(finding: Mapping[str, Any]) -> str:
    name, severity = finding["object"], finding["severity"]
    where = escape(f"{name['kind']} {'/'.join(filter(None, (name['namespace'], name['name'])))}")
    parts = [
        f'<h3><span class="mark">{severity}</span><span class="object">{where}</span>: {escape(finding["title"])}</h3>'
        f"<code>{escape(finding['fault'])}</code>"
    ]
    if finding["evidence"]:
        parts.append(f'<ul class="evidence">{items(finding["evidence"])}</ul>')
    if len(finding["causes"]) > 1:
        parts.append(f'<ol class="chain">{items(finding["causes"])}</ol>')
    if finding["logs"]:
        parts.append(f"<pre>{escape(chr(10).join(finding['logs']))}</pre>")
    if finding["others"]:
        others = finding["others"]
        summary = f"{len(others)} more affected object{'' if len(others) == 1 else 's'}"
        parts.append(f"<details><summary>{summary}</summary><ul>{items(others)}</ul></details>")
    if finding["advice"]:
        parts.append(f'<p class="advice">{escape(finding["advice"])}</p>')
    return f'<section class="finding {severity}">{"".join(parts)}</section>\n'


def _unchecked(unchecked: Mapping[str, str]) -> str:
    listed = items(f"{what}: {why}" for what, why in sorted(unchecked.items()))
    return f'<h2>Not checked</h2><ul class="soft">{listed}</ul>' if listed else ""
