# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines that stay: messages, phases that have ended, the summary of a run, and in check mode the plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .state import LOST, Message, Phase, Run
from .summary import groups_of, steps_of
from .text import Line, clip, count, duration, names, plain, wrap

TITLES = {"failed": "FAILED", "unreachable": "UNREACHABLE", "rescued": "failed, rescued", "warning": "warning"}
STYLES = {"failed": "problem", "unreachable": "problem", "rescued": "warning", "warning": "warning"}
SLOW = 3  # the slowest tasks that the summary names
LONG = 120  # columns after which the name of a task is cut where lines are not wrapped
SLOW_SECONDS = 1.0  # quicker tasks are not named


def start_lines(run: Run, expected: float | None) -> list[Line]:
    """Return the first line of a run; *expected* are the seconds that earlier runs took."""
    told = f", {duration(expected)} in earlier runs" if expected else ""
    mode = " (check mode: nothing is changed)" if run.check else ""
    return [Line(f"{run.name}: {count(len(run.phases), 'phase')}{told}{mode}", "title")]


def item_lines(run: Run, item: Message | Phase, columns: int | None) -> list[Line]:
    """Return the lines of what a run says while it runs. A dry run says nothing about its phases.

    :param columns: of the terminal; None where lines are not wrapped.
    """
    if isinstance(item, Phase):
        return [] if run.check else phase_lines(item)
    return message_lines(item, columns)


def message_lines(message: Message, columns: int | None) -> list[Line]:
    """Return a message below a line that says which hosts and which task have it."""
    if message.kind == "shown" and "\n" not in message.text.strip():
        return [Line(text) for text in wrap(f"{names(message.hosts)}: {plain(message.text).strip()}", columns)]
    where = ": ".join(part for part in (names(message.hosts), plain(message.task)) if part)
    if message.kind in TITLES:
        where = f"{TITLES[message.kind]} {where}".rstrip()
    style = STYLES.get(message.kind, "")
    lines = [Line(text, style or "minor") for text in wrap(where, columns)] if where else []
    return lines + [Line(text, style) for text in wrap(message.text, columns, "  ")]


def phase_lines(phase: Phase) -> list[Line]:
    """Return a line about a phase that has ended, and one per group of its hosts if there are several groups."""
    name = plain(phase.name)
    if not phase.hosts:
        return [Line(f"{name}: no hosts" if phase.seconds < 1 else f"{name}: {duration(phase.seconds)}", "minor")]
    groups: dict[str, list[str]] = {}
    for host, changes in phase.hosts.items():
        groups.setdefault(phase.lost.get(host) or ("changed" if changes else "ok"), []).append(host)
    styles = {"failed": "problem", "unreachable": "problem", "changed": "changed"}
    title = f"{name}: {duration(phase.seconds)}"
    if len(groups) == 1:
        what, hosts = next(iter(groups.items()))
        return [Line(f"{title}, {what}: {names(hosts)}", styles.get(what, ""))]
    order = [what for what in ("ok", "changed", *LOST) if what in groups]
    return [Line(title)] + [Line(f"  {what}: {names(groups[what])}", styles.get(what, "")) for what in order]


def summary_lines(run: Run, paths: Mapping[str, str], columns: int | None) -> list[Line]:
    """Return what changed on which hosts, how long the run took and where, and the paths of its record and log, by their titles."""
    lines = [*(_plan(run, columns) if run.check else _changed(run, columns)), Line("")]
    lines += _verdict(run, columns)
    if run.lost and (left := [plain(phase.name) for phase in run.phases if phase.started is None]):
        lines += [Line(text) for text in wrap(f"Not started: {names(left)}", columns)]
    if not run.check:
        lines += _slowest(run, columns)
    return [*lines, *path_lines(paths)]


def path_lines(paths: Mapping[str, str]) -> list[Line]:
    """Return the paths of a run's record and log, by their titles."""
    return [Line(f"{title}: {path}", "minor") for title, path in paths.items()]


def stopped_lines(run: Run, at: float, columns: int | None) -> list[Line]:
    """Return where a run was that did not end by itself."""
    phase = f' in phase "{plain(run.current.name)}"' if run.current else ""
    stopped = wrap(f"Stopped after {duration(at - run.started)}{phase}.", columns)
    return [Line(text, "problem") for text in stopped]


def _verdict(run: Run, columns: int | None) -> list[Line]:
    seconds = (run.ended or run.started) - run.started
    failed = [host for host, why in run.lost.items() if why == "failed"]
    unreachable = [host for host, why in run.lost.items() if why == "unreachable"]
    parts = [f"failed: {names(failed)}"] * bool(failed) + [f"unreachable: {names(unreachable)}"] * bool(unreachable)
    # Plays on the control node prepare a run; it is one of the hosts only where something happened to it.
    hosts = [host for host in run.seen if host != "localhost" or host in {**run.changes, **run.lost}] or list(run.seen)
    changed = f"{len(run.changes)} of {count(len(hosts), 'host')} {'would change' if run.check else 'changed'}"
    parts.append(changed if run.changes else "nothing would change" if run.check else "nothing changed")
    if more := [host for host in run.unknown if host not in run.changes]:
        parts.append(f"known only in a real run: {names(more)}")
    if run.rescued:
        parts.append(count(run.rescued, "failure rescued", "failures rescued"))
    if run.ignored:
        parts.append(count(run.ignored, "failure ignored", "failures ignored"))
    if not run.seen:
        parts = ["no host took part"]
    how = "Failed" if run.lost else "Planned" if run.check else "Done"
    style = "problem" if run.lost else "changed" if run.changes else "title"
    return [Line(text, style) for text in wrap(f"{how} in {duration(seconds)}; {'; '.join(parts)}", columns)]


def _changed(run: Run, columns: int | None) -> Iterable[Line]:
    """Return the number of changes and the names of their tasks, for each group of hosts with the same tasks."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for host in run.seen:
        if host in run.changes:
            groups.setdefault(tuple(plain(one.task) for one in run.changes[host]), []).append(host)
    if groups:
        yield Line("")
    for tasks, hosts in groups.items():
        each = f"{', each' if len(hosts) > 1 else ''}"
        yield Line(f"{names(hosts)}{each}: {count(len(tasks), 'change')}", "changed")
        for text in wrap("; ".join(dict.fromkeys(tasks)), columns, "  "):
            yield Line(text)


def _plan(run: Run, columns: int | None) -> Iterable[Line]:
    """Return the plan as a tree of phases, hosts and tasks: sentences and diffs of the modules, or else the name of the task."""
    steps = steps_of(run)
    phase = None
    for group in groups_of((step for step in steps if not step["unknown"]), run.seen):
        if group.phase != phase:
            phase = group.phase
            yield from (Line(""), Line(phase, "title"))
        each = " each" if len(group.hosts) > 1 else ""
        yield Line(f"  {names(group.hosts)} would{each} change:", "changed")
        for step in group.steps:
            yield Line(f"    {step['task']}")
            items = [f"- {text}" for one in step["changes"] for text in one.split("\n")]
            yield from (Line(text) for item in items for text in wrap(item, columns, "      "))
            for text in step["diff"].rstrip().split("\n") if step["diff"] else []:
                yield Line(f"      {text}", {"+": "changed", "-": "problem"}.get(text[:1], "minor"))
    if unknown := list(groups_of((step for step in steps if step["unknown"]), run.seen)):
        yield from (Line(""), Line("Known only in a real run:", "warning"))
        for group in unknown:
            told = "; ".join(dict.fromkeys(step["task"] for step in group.steps))
            yield from (Line(text) for text in wrap(f"- {group.phase}: {names(group.hosts)}: {told}", columns, "  "))
    known = {**run.changes, **run.unknown, **run.lost, "localhost": None}
    same = [host for host in run.seen if host not in known]
    if same and run.changes:
        yield Line("")
        yield Line(f"No change: {names(same)}", "minor")


def _slowest(run: Run, columns: int | None) -> list[Line]:
    steps = [step for step in run.steps.values() if step.seconds >= SLOW_SECONDS]
    steps = sorted(steps, key=lambda step: -step.seconds)[:SLOW]
    told = [f"{duration(step.seconds)} {step.host}: {plain(step.name)}" for step in steps]
    titled = [("Slowest: " if not number else "         ") + text for number, text in enumerate(told)]
    return [Line(clip(text, columns or LONG), "minor") for text in titled]
