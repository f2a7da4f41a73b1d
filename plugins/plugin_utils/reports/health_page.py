# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an examination found, as one page of HTML that needs nothing else: no script, no font, no picture from elsewhere. Pure functions."""

from __future__ import annotations

from html import escape
from typing import Any, Iterable, Mapping

from ...module_utils._diagnosis.finding import SEVERITIES
from .health_text import node_state, verdict_text

STYLE = """
:root{--page:#f6f7f9;--card:#fff;--ink:#1c2330;--soft:#5d6778;--line:#dfe3ea;--error:#c62828;--warning:#b26a00;--info:#2463a8;--well:#2e7d32;--code:#f0f2f5}
@media(prefers-color-scheme:dark){:root{--page:#14181f;--card:#1d232d;--ink:#e8ecf2;--soft:#9aa5b5;--line:#323b49;--error:#ef6b6b;--warning:#e5a93c;--info:#6ea8e8;--well:#67bb6b;--code:#161b22}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:1200px;margin:0 auto;padding:24px}
h1{font-size:24px;margin:0 0 4px}h2{font-size:17px;margin:28px 0 10px}
.soft{color:var(--soft)}.verdict{font-size:17px;margin:0 0 18px}
.tiles{display:flex;flex-wrap:wrap;gap:10px}
.tile{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:10px 14px;min-width:110px}
.tile b{display:block;font-size:22px;line-height:1.2}
.nodes{display:grid;grid-template-columns:repeat(auto-fill,minmax(190px,1fr));gap:8px}
.nodes.many{grid-template-columns:repeat(auto-fill,minmax(22px,1fr));gap:3px}
.node{background:var(--card);border:1px solid var(--line);border-left:4px solid var(--well);border-radius:6px;padding:8px 10px;font-size:13px;overflow:hidden}
.node.bad{border-left-color:var(--error)}.node.off{border-left-color:var(--warning)}
.nodes.many .node{padding:0;height:22px;border:0;border-radius:4px;background:var(--well)}
.nodes.many .node.bad{background:var(--error)}.nodes.many .node.off{background:var(--warning)}
.bar{height:5px;background:var(--line);border-radius:3px;margin:3px 0 5px;overflow:hidden}.bar i{display:block;height:100%;background:var(--info)}
.bar i.full{background:var(--warning)}
table{border-collapse:collapse;width:100%;background:var(--card);border:1px solid var(--line);border-radius:8px}
th,td{text-align:left;padding:6px 12px;border-bottom:1px solid var(--line);font-size:14px}td.n,th.n{text-align:right}
.finding{background:var(--card);border:1px solid var(--line);border-left:5px solid var(--info);border-radius:8px;margin:0 0 12px;padding:12px 16px}
.finding.error{border-left-color:var(--error)}.finding.warning{border-left-color:var(--warning)}
.finding h3{font-size:15px;margin:0 0 2px;overflow-wrap:anywhere}
.mark{display:inline-block;font-size:12px;font-weight:600;text-transform:uppercase;letter-spacing:.04em;margin-right:8px}
.error .mark,b.error{color:var(--error)}.warning .mark,b.warning{color:var(--warning)}.info .mark,b.info{color:var(--info)}b.well{color:var(--well)}
.object{font-weight:600;overflow-wrap:anywhere}code,pre{font:13px/1.45 ui-monospace,Consolas,monospace;background:var(--code);border-radius:5px}
code{padding:1px 5px}pre{padding:8px 10px;overflow-x:auto;white-space:pre-wrap;overflow-wrap:anywhere;margin:6px 0}
ol.chain{margin:8px 0;padding:0;list-style:none}ol.chain li{padding-left:22px;position:relative;overflow-wrap:anywhere}
ol.chain li+li:before{content:"\\2190";position:absolute;left:2px;color:var(--soft)}ol.chain li:last-child{font-weight:600}
.advice{margin:8px 0 0}.advice:before{content:"\\2192 ";color:var(--well);font-weight:700}
ul.evidence{margin:6px 0;padding-left:20px;overflow-wrap:anywhere}details{margin:6px 0}summary{cursor:pointer;color:var(--soft)}
"""
# Above so many, nodes are shown as coloured squares with their names as hints.
MANY = 60


def health_page(health: Mapping[str, Any], name: str = "") -> str:
    """Write the page: the cluster at a glance, then every finding.

    :param health: what the module health_info returned.
    :param name: name of the cluster.
    """
    findings = list(health.get("findings") or [])
    summary = health.get("summary") or {}
    title = f"Health of cluster {name}" if name else "Health of the cluster"
    body = [
        f"<h1>{escape(title)}</h1>",
        '<p class="soft">{}, read {} in {} s with {} requests</p>'.format(
            *tuple(
                escape(str(text))
                for text in (health.get("server"), summary.get("read"), health.get("seconds"), health.get("requests"))
            )
        ),
        f'<p class="verdict"><b class="{_worst(findings)}">{escape(verdict_text(findings, summary).capitalize())}</b></p>',
        _tiles(summary),
        _nodes(list(health.get("nodes") or [])),
        _namespaces(list(summary.get("namespaces") or [])),
        "<h2>Findings</h2>",
        "".join(map(_finding, findings)) or '<p class="soft">None.</p>',
        _dark(health.get("not_looked_at") or {}),
    ]
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>%s</title><style>%s</style>'
    return '<!doctype html>\n<html lang="en"><head>{}</head>\n<body><main>\n{}\n</main></body></html>\n'.format(
        head % (escape(title), STYLE.replace("\n", "")),
        "\n".join(filter(None, body)),
    )


def _worst(findings: Iterable[Mapping[str, Any]]) -> str:
    there = {finding["severity"] for finding in findings}
    return next((severity for severity in SEVERITIES if severity in there), "well")


def _tiles(summary: Mapping[str, Any]) -> str:
    shown: list[tuple[str, Any, str]] = [
        (label, summary.get(key, 0), key if summary.get(key) else "well")
        for label, key in (("errors", "error"), ("warnings", "warning"), ("infos", "info"))
    ]
    shown += [(f"of {summary.get('pods', 0)} pods well", summary.get("pods_well", 0), "")]
    for label, key in (
        ("nodes", "nodes"),
        ("Deployments", "deployments"),
        ("StatefulSets", "statefulsets"),
        ("DaemonSets", "daemonsets"),
        ("Services", "services"),
        ("Ingresses", "ingresses"),
        ("claims", "persistentvolumeclaims"),
    ):
        shown.append((label, summary.get(key, 0), ""))
    tiles = [
        f'<div class="tile"><b class="{kind}">{escape(str(number))}</b>{escape(label)}</div>'
        for label, number, kind in shown
    ]
    return f'<div class="tiles">{"".join(tiles)}</div>'


def _nodes(nodes: list[Mapping[str, Any]]) -> str:
    if not nodes:
        return ""
    many = len(nodes) > MANY
    parts = []
    for node in nodes:
        kind = "node" + ("" if node["ready"] else " bad") + ("" if node["schedulable"] else " off")
        hint = f"{node['name']}: {node_state(node)}, {node.get('pods', 0)} pods, {node['version']}"
        if many:
            parts.append(f'<div class="{kind}" title="{escape(hint, quote=True)}"></div>')
            continue
        bars = "".join(
            '%s %s%%<div class="bar"><i class="%s" style="width:%d%%"></i></div>'
            % (label, percent, "full" if percent > 90 else "", min(percent, 100))
            for label, percent in (
                ("CPU requested", int(node.get("cpu_requested_percent") or 0)),
                ("memory requested", int(node.get("memory_requested_percent") or 0)),
            )
        )
        parts.append(
            '<div class="{}"><b>{}</b> <span class="soft">{}</span><br>{}, {} pods, {}{}</div>'.format(
                kind,
                escape(node["name"]),
                escape(", ".join(node["roles"]) or "worker"),
                escape(node_state(node)),
                escape(str(node.get("pods", 0))),
                escape(node["version"]),
                "<br>" + bars,
            )
        )
    return f'<h2>Nodes</h2><div class="nodes{" many" if many else ""}">{"".join(parts)}</div>'


def _namespaces(namespaces: list[Mapping[str, Any]]) -> str:
    if not namespaces:
        return ""
    order = sorted(namespaces, key=lambda one: (-one["error"], -one["warning"], one["name"]))
    rows = [
        '<tr><td>%s</td><td class="n">%d of %d</td>%s</tr>'
        % (
            escape(one["name"]),
            one["pods_well"],
            one["pods"],
            "".join(
                '<td class="n">%s</td>' % ('<b class="%s">%d</b>' % (severity, one[severity]) if one[severity] else "")
                for severity in SEVERITIES
            ),
        )
        for one in order
    ]
    head = '<tr><th>Namespace</th><th class="n">Pods well</th><th class="n">Errors</th><th class="n">Warnings</th><th class="n">Infos</th></tr>'
    text = f"<table>{head}{''.join(rows)}</table>"
    if len(rows) > 30:
        text = f"<details><summary>{len(rows)} namespaces</summary>{text}</details>"
    return "<h2>Namespaces</h2>" + text


def _finding(finding: Mapping[str, Any]) -> str:
    name = finding["object"]
    where = f"{name['kind']} {'/'.join(filter(None, (name['namespace'], name['name'])))}"
    parts = [
        '<h3><span class="mark">{}</span><span class="object">{}</span>: {}</h3><code>{}</code>'.format(
            finding["severity"], escape(where), escape(finding["title"]), escape(finding["fault"])
        )
    ]
    if finding["evidence"]:
        parts.append(
            '<ul class="evidence">{}</ul>'.format("".join(f"<li>{escape(text)}</li>" for text in finding["evidence"]))
        )
    if len(finding["causes"]) > 1:
        parts.append(
            '<ol class="chain">{}</ol>'.format("".join(f"<li>{escape(text)}</li>" for text in finding["causes"]))
        )
    if finding["logs"]:
        parts.append("<pre>{}</pre>".format(escape("\n".join(finding["logs"]))))
    if finding["others"]:
        others = "".join(f"<li>{escape(text)}</li>" for text in finding["others"])
        parts.append(f"<details><summary>{len(finding['others'])} more objects</summary><ul>{others}</ul></details>")
    if finding["advice"]:
        parts.append(f'<p class="advice">{escape(finding["advice"])}</p>')
    return f'<section class="finding {finding["severity"]}">{"".join(parts)}</section>\n'


def _dark(unseen: Mapping[str, str]) -> str:
    if not unseen:
        return ""
    items = "".join(f"<li>{escape(what)}: {escape(str(why))}</li>" for what, why in sorted(unseen.items()))
    return f'<h2>Not looked at</h2><ul class="soft">{items}</ul>'
