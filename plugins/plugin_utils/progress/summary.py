# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run as data: its summary, and the steps that changed something or, in check mode, would. What looks like a secret is masked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...module_utils._kube.redaction import Redactor
from .masking import without_blocks
from .state import Change, Run
from .text import plain

PROBLEMS = 200  # problems and warnings that are kept
Step = dict[str, Any]

# Characters of a line, and lines of a text, that a record keeps; the log has everything.
LONGEST = 1000
MOST = 2000


@dataclass
class Group:
    """Hosts with the same steps in a phase."""

    phase: str
    hosts: list[str]
    steps: list[Step]


def result_of(run: Run) -> str:
    """Return how a run came out."""
    if run.ended is None:
        return "unfinished"
    return "failed" if run.lost else "planned" if run.check else "done"


def summary_of(run: Run, about: Mapping[str, Any], result: str = "") -> dict[str, Any]:
    """Return the summary of a run.

    :param about: what the run itself does not know, such as the versions.
    :param result: how it came out, if the run itself does not know it.
    """
    return {
        **about,
        "result": result or result_of(run),
        "check": run.check,
        "seconds": round((run.ended or run.started) - run.started, 1),
        "phases": [
            {
                "name": plain(phase.name),
                "seconds": round(phase.seconds, 1) if phase.started is not None else None,
                "hosts": len(phase.hosts),
                "changes": sum(phase.hosts.values()),
                "lost": phase.lost,
            }
            for phase in run.phases
        ],
        "hosts": {host: dict(run.counts.get(host, {})) for host in run.seen},
        "cluster": run.learned,
        "problems": [
            {"kind": one.kind, "hosts": one.hosts, "task": masked(one.task), "text": masked(one.text)}
            for one in run.problems[:PROBLEMS]
        ],
    }


def steps_of(run: Run) -> list[Step]:
    """Return the steps in their order. Those with a reason in ``unknown`` are the ones that check mode cannot foretell."""
    found = [
        (change.at, host, change)
        for changes in (run.changes, run.unknown)
        for host, made in changes.items()
        for change in made
    ]
    return [_step(run, host, change) for _at, host, change in sorted(found, key=lambda one: one[0])]


def _step(run: Run, host: str, change: Change) -> Step:
    return {
        "at": round(change.at - run.started, 1),
        "phase": plain(change.phase),
        "host": host,
        "task": masked(change.task),
        "changes": [masked(text) for text in change.changes],
        "diff": masked(change.diff, diff=True),
        "unknown": change.unknown,
    }


def groups_of(steps: Iterable[Step], order: Iterable[str]) -> Iterator[Group]:
    """Yield the hosts with the same steps in a phase together, phase by phase as they ran; *order* is that of the hosts."""
    places = {host: place for place, host in enumerate(order)}
    phases: dict[str, dict[str, list[Step]]] = {}
    for step in steps:
        phases.setdefault(step["phase"], {}).setdefault(step["host"], []).append(step)
    for phase, hosts in phases.items():
        groups: dict[str, Group] = {}
        for host in sorted(hosts, key=lambda host: places.get(host, len(places))):
            made = hosts[host]
            key = repr([(one["task"], one["changes"], one["diff"], one["unknown"]) for one in made])
            groups.setdefault(key, Group(phase, [], made)).hosts.append(host)
        yield from groups.values()


def masked(text: str, diff: bool = False) -> str:
    """Return a text without control codes and without what looks like a secret. What is much too long is cut.

    :param diff: Whether it is a unified diff.
    """
    if not text:
        return ""
    lines = plain(text).split("\n")
    more = [f"... and {len(lines) - MOST} more lines"] if len(lines) > MOST else []
    # The patterns take quadratic time in the length of a line.
    kept = [line if len(line) <= LONGEST else line[:LONGEST] + ".." for line in lines[:MOST]]
    return "\n".join([*Redactor().log_lines(without_blocks(kept, diff)), *more])
