# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of a run, and the list of all runs, as HTML pages without scripts: pure functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

from ..reports.page import items, page
from .learned import at_a_glance
from .summary import Group, Step, groups_of, masked
from .text import count, duration, names

COLORS = {"done": "ok", "planned": "info", "failed": "error", "stopped": "warning", "unfinished": "warning"}
OUTCOMES = ("ok", "changed", "skipped", "failed", "unreachable", "rescued", "ignored")
# The files of a record that are linked, and what they are called.
LINKS = {
    "changes.html": "Changes",
    "plan.html": "Plan",
    "timeline.svg": "Timeline",
    "log.txt": "Log",
    "summary.json": "Data",
}
STYLE = """
nav{display:flex;flex-wrap:wrap;gap:4px 16px;margin:12px 0}ol,ul{padding-left:22px;margin:6px 0}li{overflow-wrap:anywhere}
.card{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:12px 16px;margin:0 0 12px}
h3{font-size:15px;margin:16px 0 6px;overflow-wrap:anywhere}.card h3{margin-top:0}
.wide{overflow-x:auto}.wide img{display:block;width:100%;min-width:720px;border:1px solid var(--line);border-radius:8px}
.glance{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,250px),1fr));gap:12px;margin:12px 0}
.glance .card{margin:0}.glance p{margin:0 0 6px;overflow-wrap:anywhere}.glance ul{list-style:none;padding:0;max-height:220px;overflow-y:auto}
.add{color:var(--ok)}.del{color:var(--error)}.unknown{color:var(--warning)}
.runs{list-style:none;padding:0}.runs li{display:grid;grid-template-columns:110px 1fr 190px;gap:2px 16px;align-items:baseline}
.runs nav{margin:0;grid-column:2/-1}.runs .name{font-weight:600}.runs .when{text-align:right}
@media(max-width:640px){main{padding:16px 12px}.runs li{grid-template-columns:1fr}.runs nav{grid-column:1}.runs .when{text-align:left}th,td{padding:6px 8px}}
"""


def index_html(runs: Sequence[Mapping[str, Any]]) -> str:
    """Return the page that lists the runs.

    :param runs: Their summaries with ``folder`` and ``files``, the newest first.
    """
    where = next((names(run["inventory"]) for run in runs if run.get("inventory")), "")
    body = [
        "<h1>Cluster and runs</h1>",
        f'<p class="soft">{escape(where)}</p>',
        *_glance(at_a_glance(runs)),
        "<h2>Runs</h2>",
        f'<ul class="runs">{"".join(map(_listed, runs))}</ul>',
    ]
    return page("Cluster and runs", body, STYLE)


def _glance(found: Mapping[str, tuple[Any, Mapping[str, Any]]]) -> Iterator[str]:
    """Yield the cluster at a glance: what the newest runs said about it, each with the time and the page of that run."""
    cards = [_card(title, tell(found[key][0]), found[key][1]) for key, (title, tell) in CARDS.items() if key in found]
    if cards:
        yield "<h2>The cluster, as runs have seen it</h2>"
        yield f'<div class="glance">{"".join(cards)}</div>'


def _card(title: str, content: str, run: Mapping[str, Any]) -> str:
    page_of = next((file for file in ("changes.html", "plan.html", "log.txt") if file in run["files"]), "")
    told = f"{_when(run)}, {run.get('name', '')}"
    source = f'<a href="{escape(run["folder"] + "/" + page_of)}">{escape(told)}</a>' if page_of else escape(told)
    return f'<section class="card"><h3>{title}</h3>{content}<p class="soft">{source}</p></section>'


def _health(health: Mapping[str, Any]) -> str:
    color = "error" if health["error"] else "warning" if health["warning"] else "ok"
    return f'<p><b class="{color}">{escape(masked(health["text"]))}</b></p>'


def _certificates(first: Mapping[str, Any]) -> str:
    color = "error" if first["days"] < 0 else "warning" if first["days"] < SOON else "ok"
    end = escape(first["end"].replace("T", " ")[:16])
    return (
        f'<p>The first one ends on <b class="{color}">{end}</b>: {escape(first["name"])} on {escape(first["host"])}</p>'
    )


def _backup(backup: Mapping[str, Any]) -> str:
    where = f"{backup['archive']} on {backup['host']}" if backup["archive"] else f"of {backup['host']}"
    text = escape(f"{where}, Kubernetes {backup['kubernetes']}")
    return f"<p><b>{escape(backup['time'].replace('T', ' ')[:16])} UTC</b></p><p>{text}</p>"


def _nodes(nodes: Sequence[Mapping[str, Any]]) -> str:
    versions: dict[str, list[str]] = {}
    for node in nodes:
        versions.setdefault(node["version"], []).append(node["name"])
    late = [node["name"] for node in nodes if not node["ready"]]
    state = (
        f"{len(late)} of {count(len(nodes), 'node')} not Ready: {names(late)}"
        if late
        else f"{count(len(nodes), 'node')} Ready"
    )
    listed = items(f"{version}: {names(there)}" for version, there in versions.items())
    return f'<p><b class="{"error" if late else "ok"}">{escape(state)}</b></p><ul>{listed}</ul>'


def _releases(releases: Sequence[tuple[str, Mapping[str, Any], Any]]) -> str:
    listed = "".join(
        f"<li>{escape(name)}: revision {int(one['revision'])}, "
        f'<span class="{"add" if one["status"] == "deployed" else "del"}">{escape(one["status"])}</span></li>'
        for name, one, _run in releases
    )
    return f'<ul tabindex="0" aria-label="Releases">{listed}</ul>'


SOON = 30  # days before its end in which a certificate should be renewed
CARDS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "health": ("Health", _health),
    "certificates": ("Certificates", _certificates),
    "backup": ("Last backup", _backup),
    "nodes": ("Nodes", _nodes),
    "releases": ("Releases", _releases),
}


def _listed(run: Mapping[str, Any]) -> str:
    name = str(run.get("name", ""))
    whole = run.get("log_complete", True)
    links = _links(run["files"], f"{run['folder']}/", f" of {name}, {run.get('started', '')}", whole)
    return (
        f'<li class="card"><span>{_verdict(run)}</span><span class="name">{escape(name)}</span>'
        f'<span class="soft when">{escape(_when(run))}</span><nav>{links}<span class="soft">{escape(_extent(run))}</span></nav></li>'
    )


def _links(files: Iterable[str], folder: str = "", told: str = "", whole: bool = True) -> str:
    there = set(files)
    titles = {**LINKS, **({} if whole else {"log.txt": "Log, not complete"})}
    return "".join(
        f'<a href="{escape(folder + file)}" aria-label="{escape(title + told)}">{title}</a>'
        for file, title in titles.items()
        if file in there
    )


def _verdict(run: Mapping[str, Any]) -> str:
    result = str(run.get("result", ""))
    return f'<b class="{COLORS.get(result, "info")}">{escape(result)}</b>'


def _when(run: Mapping[str, Any]) -> str:
    return str(run.get("started", "")).replace("T", " ")[:16]


def _extent(run: Mapping[str, Any]) -> str:
    hosts = run.get("hosts") or {}
    # As at the end of a run, the control node counts only where something happened to it.
    if not any((hosts.get("localhost") or {}).get(one) for one in ("changed", "failed", "unreachable")):
        hosts = {host: counts for host, counts in hosts.items() if host != "localhost"} or hosts
    if run.get("result") == "unfinished":
        return "still running, or killed"
    changed = sum(bool(counts.get("changed")) for counts in hosts.values())
    lost = sum(bool(counts.get("failed") or counts.get("unreachable")) for counts in hosts.values())
    told = [duration(run.get("seconds") or 0), count(len(hosts), "host")]
    if changed:
        told.append(f"{changed} {'would change' if run.get('check') else 'changed'}")
    return ", ".join([*told, *([f"{lost} failed"] if lost else [])])


def run_html(summary: Mapping[str, Any], steps: Sequence[Step]) -> str:
    """Return the page of a run: problems, what changed or would change where and in which order, and the timeline."""
    check = summary["check"]
    title = escape(f"{'Plan of' if check else 'Run of'} {summary['name']}")
    versions = ", ".join(f"{name} {version}" for name, version in summary["versions"].items())
    about = [
        _when(summary),
        _extent(summary),
        *([names(summary["inventory"])] if summary["inventory"] else []),
        versions,
    ]
    known = [step for step in steps if not step["unknown"]]
    files = ("timeline.svg", "log.txt", "summary.json")
    body = [
        f"<h1>{title}</h1>",
        f'<p class="soft">{escape("; ".join(about))}</p>',
        f'<p class="verdict">{_verdict(summary)}{" (check mode: nothing was changed)" if check else ""}</p>',
        f'<nav><a href="../index.html">All runs</a>{_links(files, whole=summary.get("log_complete", True))}</nav>',
        *_problems(summary["problems"]),
        f"<h2>{'What would change' if check else 'Changes'}</h2>",
        *(
            _tree(groups_of(known, summary["hosts"]))
            if known
            else [f"<p>Nothing {'would change' if check else 'changed'}.</p>"]
        ),
        *_unknown(groups_of((step for step in steps if step["unknown"]), summary["hosts"])),
        "<h2>Timeline</h2>",
        '<div class="wide" role="region" aria-label="Timeline" tabindex="0">'
        '<img src="timeline.svg" alt="When each host was at work; the table below has the phases."></div>',
        _phases(summary["phases"]),
        _hosts(summary["hosts"]),
    ]
    return page(title, body, STYLE)


def _problems(problems: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if problems:
        yield "<h2>Problems and warnings</h2>"
    for one in problems:
        colour = "error" if one["kind"] in ("failed", "unreachable") else "warning"
        where = escape(": ".join(part for part in (names(one["hosts"]), one["task"]) if part))
        yield (
            f'<section class="finding {colour}"><h3><span class="mark">{escape(one["kind"])}</span>{where}</h3>'
            f"<pre>{escape(one['text'])}</pre></section>"
        )


def _tree(groups: Iterable[Group]) -> Iterator[str]:
    phase = None
    for group in groups:
        if group.phase != phase:
            phase = group.phase
            yield f"<h3>{escape(phase)}</h3>"
        listed = "".join(map(_item, group.steps))
        yield f'<section class="card"><h3>{escape(names(group.hosts))}</h3><ol>{listed}</ol></section>'


def _item(step: Step) -> str:
    changes = f"<ul>{items(step['changes'])}</ul>" if step["changes"] else ""
    diff = f"<details><summary>Diff</summary><pre>{_diff(step['diff'])}</pre></details>" if step["diff"] else ""
    return f"<li>{escape(step['task'])}{changes}{diff}</li>"


def _diff(text: str) -> str:
    classes = {"+": "add", "-": "del"}
    return "\n".join(
        f'<span class="{classes[line[0]]}">{escape(line)}</span>' if line[:1] in classes else escape(line)
        for line in text.rstrip().split("\n")
    )


def _unknown(groups: Iterable[Group]) -> Iterator[str]:
    for number, group in enumerate(groups):
        if number == 0:
            yield "<h2>Known only in a real run</h2>"
        listed = items(f"{step['task']}: {step['unknown']}" for step in group.steps)
        yield f'<section class="card"><h3>{escape(group.phase)}: {escape(names(group.hosts))}</h3><ul>{listed}</ul></section>'


def _table(label: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table whose first column is text and whose others are numbers."""
    head = "".join(
        f'<th{" class=n" if number else ""} scope="col">{escape(one)}</th>' for number, one in enumerate(heads)
    )
    lines = (
        "".join(f"<td{' class=n' if number else ''}>{escape(cell)}</td>" for number, cell in enumerate(row))
        for row in rows
    )
    text = "".join(f"<tr>{line}</tr>" for line in lines)
    return (
        f'<h2>{label}</h2><div class="wide" role="region" aria-label="{label}" tabindex="0">'
        f"<table><tr>{head}</tr>{text}</table></div>"
    )


def _phases(phases: Sequence[Mapping[str, Any]]) -> str:
    rows = (
        (
            f"{number}. {one['name']}",
            "not started" if one["seconds"] is None else duration(one["seconds"]),
            str(one["hosts"]),
            str(one["changes"]),
            str(len(one["lost"]) or ""),
        )
        for number, one in enumerate(phases, 1)
    )
    return _table("Phases", ("Phase", "Duration", "Hosts", "Changes", "Failed"), rows)


def _hosts(hosts: Mapping[str, Mapping[str, int]]) -> str:
    seen = [one for one in OUTCOMES if any(counts.get(one) for counts in hosts.values())]
    rows = ((host, *(str(counts.get(one) or "") for one in seen)) for host, counts in hosts.items())
    return _table("Tasks by host", ("Host", *seen), rows) if hosts else ""
