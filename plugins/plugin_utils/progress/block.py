# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The block that is redrawn in place on a terminal: the current phase, its hosts, what is waited for, and what is left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .state import Host, Phase, Run
from .text import Line, clip, count, duration, names, pad, plain

SINGLE = 8  # hosts that have a line each; more are grouped by their step
GROUPS = 6
BAR = 20


@dataclass(frozen=True)
class Glyphs:
    """The characters of the bar, and those that mark the phase."""

    full: str = "#"
    empty: str = "-"
    mark: str = ">"


ASCII = Glyphs()
UNICODE = Glyphs("\u2588", "\u2591", "\u25b6")


def block_lines(run: Run, now: float, columns: int, rows: int, glyphs: Glyphs = ASCII) -> list[Line]:
    """Return the block, at most *columns* - 1 wide and *rows* - 1 high; nothing between phases.

    :param now: in the clock of the events.
    """
    phase = run.current
    if phase is None or phase.started is None:
        return []
    head = [Line(_title(run, phase, now, glyphs), "title")]
    tail = [Line(text) for text in (_waiting(run), _left(run, phase, now)) if text]
    room = max(rows - 1 - len(head) - len(tail), 0)
    hosts = _single(run, now) if len(run.hosts) <= min(SINGLE, room) else _grouped(run, now)
    body = list(hosts)[: min(room, max(SINGLE, GROUPS))]
    return [Line(clip(text, columns - 1), style) for text, style in [*head, *body, *tail][: max(rows - 1, 1)]]


def _title(run: Run, phase: Phase, now: float, glyphs: Glyphs) -> str:
    number = f"{run.phases.index(phase) + 1}/{len(run.phases)}"
    spent = now - (phase.started or now)
    title = f"{glyphs.mark} {number} {clip(plain(phase.name), 40)}  {duration(spent)}"
    if not phase.estimate:
        return title
    if spent > phase.estimate:
        return f"{title}  ({duration(phase.estimate)} in earlier runs)"
    full = round(BAR * spent / phase.estimate)
    return f"{title}  {glyphs.full * full}{glyphs.empty * (BAR - full)}  of {duration(phase.estimate)}"


def _step(host: Host) -> str:
    """Return the step without the name of its role, which the documentation of a role has."""
    step = plain(host.step).rpartition(" : ")[2]
    return f"{step}, {plain(host.note)}" if host.note else step


def _single(run: Run, now: float) -> Iterator[Line]:
    """Yield a line per host."""
    margin = min(max((len(name) for name in run.hosts), default=0), 24)
    for name, host in run.hosts.items():
        if host.lost:
            yield Line(f"  {pad(name, margin)}  {host.lost}: {_step(host)}", "problem")
        elif host.working:
            yield Line(f"  {pad(name, margin)}  {_step(host)}  {duration(now - host.since)}")
        else:
            yield Line(f"  {pad(name, margin)}  done: {_step(host)}", "minor")


def _grouped(run: Run, now: float) -> Iterator[Line]:
    """Yield a line per step, with the number of its hosts and the one that has been in it for longest."""
    working: dict[str, list[str]] = {}
    for name, host in run.hosts.items():
        if host.working:
            working.setdefault(_step(host), []).append(name)
    for step, hosts in sorted(working.items(), key=lambda item: -len(item[1]))[:GROUPS]:
        slowest = min(hosts, key=lambda name: run.hosts[name].since)
        seconds = duration(now - run.hosts[slowest].since)
        longest = f"slowest {slowest} {seconds}" if len(hosts) > 1 else f"{slowest} {seconds}"
        yield Line(f"  {count(len(hosts), 'host')}: {clip(step, 50)}; {longest}")
    for lost in ("failed", "unreachable"):
        if hosts := [name for name, host in run.hosts.items() if host.lost == lost]:
            yield Line(f"  {count(len(hosts), 'host')} {lost}: {names(hosts, 4)}", "problem")
    if done := sum(not host.working and not host.lost for host in run.hosts.values()):
        yield Line(f"  {count(done, 'host')} done with the step", "minor")


def _waiting(run: Run) -> str:
    """Return for which hosts the others wait."""
    working = [name for name, host in run.hosts.items() if host.working]
    done = [name for name, host in run.hosts.items() if not host.working and not host.lost]
    return f"  Waiting for {names(working, 4)}" if working and done else ""


def _left(run: Run, phase: Phase, now: float) -> str:
    """Return the phases that follow, and the seconds that are left where earlier runs tell them."""
    coming = run.phases[run.phases.index(phase) + 1 :]
    text = f"  Next: {names([plain(one.name) for one in coming], 3)}" if coming else ""
    if (seconds := remaining(run, now)) is None:
        return text
    return f"  About {duration(seconds)} left.{text}"


def remaining(run: Run, now: float) -> float | None:
    """Return the seconds that are left by earlier runs; None where these know nothing of a phase that is to come."""
    left = 0.0
    for phase in run.phases:
        if phase.ended is not None:
            continue
        if phase.estimate is None:
            return None
        spent = now - phase.started if phase.started is not None else 0.0
        left += max(phase.estimate - spent, 0.0)
    return left
