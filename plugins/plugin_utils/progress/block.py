# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The block that is redrawn in place on a terminal: the current phase, its hosts, what is waited for, and what is left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .state import Host, Phase, Run
from .text import Line, clip, count, duration, names, pad, plain, width

SINGLE = 8  # hosts that have a line each; more are grouped by their step
GROUPS = 6
DETAILS = 8  # lines of what modules say
FEW = 4  # hosts that are named because others wait for them
BAR = 20
CLOCK = 5  # columns of the time that a host has spent in its step


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
    head = [Line(_title(run, phase, now, columns - 1, glyphs), "title")]
    tail = [Line(text) for text in (_waiting(run), _left(run, phase, now)) if text]
    room = max(rows - 1 - len(head) - len(tail), 0)
    hosts = _single(run, now, room) if len(run.hosts) <= min(SINGLE, room) else _grouped(run, now, columns - 1)
    body = list(hosts)[:room]
    return [Line(clip(text, columns - 1), style) for text, style in [*head, *body, *tail][: max(rows - 1, 1)]]


def _title(run: Run, phase: Phase, now: float, columns: int, glyphs: Glyphs) -> str:
    spent = now - phase.started if phase.started is not None else 0.0
    clock = f"  {duration(spent)}"
    if phase.estimate and spent > phase.estimate:
        clock += f"  ({duration(phase.estimate)} in earlier runs)"
    elif phase.estimate:
        full = round(BAR * spent / phase.estimate)
        clock += f"  {glyphs.full * full}{glyphs.empty * (BAR - full)}  of {duration(phase.estimate)}"
    name = f"{glyphs.mark} {run.phases.index(phase) + 1}/{len(run.phases)} {plain(phase.name)}"
    return clip(name, max(columns - width(clock), 10)) + clock


def _step(host: Host) -> str:
    step = plain(host.step)
    return f"{step}, {plain(host.note)}" if host.note else step


def _single(run: Run, now: float, room: int) -> Iterator[Line]:
    """Yield a line per host, and below it what its module says, as far as there is room."""
    spare = min(room - len(run.hosts), DETAILS)
    margin = min(max((len(name) for name in run.hosts), default=0), 24)
    for name, host in run.hosts.items():
        if host.lost:
            yield Line(f"  {pad(name, margin)}  {pad('', CLOCK)}  {host.lost}: {_step(host)}", "problem")
        elif host.working:
            yield Line(f"  {pad(name, margin)}  {duration(now - host.since):>{CLOCK}}  {_step(host)}")
            told = host.says[:spare]
            spare -= len(told)
            for said in told:
                yield Line(f"  {pad('', margin)}  {pad('', CLOCK)}    {plain(said)}", "minor")
        else:
            yield Line(f"  {pad(name, margin)}  {pad('', CLOCK)}  done: {_step(host)}", "minor")


def _grouped(run: Run, now: float, columns: int) -> Iterator[Line]:
    """Yield a line per step, with the number of its hosts and the one that has been in it for longest."""
    working: dict[str, list[str]] = {}
    for name, host in run.hosts.items():
        if host.working:
            working.setdefault(_step(host), []).append(name)
    for step, hosts in sorted(working.items(), key=lambda item: -len(item[1]))[:GROUPS]:
        slowest = min(hosts, key=lambda name: run.hosts[name].since)
        longest = f"; {'slowest ' if len(hosts) > 1 else ''}{slowest} {duration(now - run.hosts[slowest].since)}"
        number = f"  {count(len(hosts), 'host')}: "
        yield Line(number + clip(step, max(columns - len(number) - width(longest), 10)) + longest)
    for lost in ("failed", "unreachable"):
        if hosts := [name for name, host in run.hosts.items() if host.lost == lost]:
            yield Line(f"  {count(len(hosts), 'host')} {lost}: {names(hosts, 4)}", "problem")
    idle = [host.task == run.task for host in run.hosts.values() if not host.working and not host.lost]
    told = [f"{idle.count(done)} {what}" for done, what in ((True, "done"), (False, "to come")) if done in idle]
    if told:
        yield Line(f"  Other hosts: {', '.join(told)}", "minor")


def _waiting(run: Run) -> str:
    """Return for which hosts the others wait."""
    working = [name for name, host in run.hosts.items() if host.working]
    idle = any(not host.working and not host.lost for host in run.hosts.values())
    return f"  Waiting for {names(working)}" if idle and 0 < len(working) <= FEW else ""


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
