# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of a run: what Ansible reported becomes phases, hosts and messages. Every event says when it happened; no clock is read here."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal

Outcome = Literal["ok", "changed", "skipped", "failed", "ignored", "rescued", "unreachable"]
LOST = ("failed", "unreachable")
PROBLEMS = (*LOST, "rescued", "warning")
HOLD = 1.0  # seconds during which the same message of other hosts joins a message
PAUSE = 0.2  # seconds between two tasks of a host that do not count as waiting


@dataclass
class Host:
    """What a host does in the current phase. *step* is empty before its first task; *since* is when that began or ended."""

    step: str = ""
    since: float = 0.0
    working: bool = False
    task: str = ""  # its key
    note: str = ""
    says: tuple[str, ...] = ()  # what the module of its task does or waits for
    lost: str = ""  # failed or unreachable


@dataclass
class Change:
    """A task that changed a host, or would change it; with *unknown* one that check mode cannot foretell, and why."""

    task: str
    changes: tuple[str, ...] = ()
    diff: str = ""
    phase: str = ""
    at: float = 0.0
    unknown: str = ""


@dataclass
class Message:
    """What must be read: a problem, a warning, a diff, or a text that a task shows on purpose, with all hosts that have it."""

    kind: Literal["failed", "ignored", "rescued", "unreachable", "warning", "diff", "shown"]
    task: str
    text: str
    at: float
    hosts: list[str] = field(default_factory=list)


@dataclass
class Phase:
    """A play. *key* is the same for all batches of a serial play; *name* is its raw name until it starts."""

    key: str
    name: str
    started: float | None = None
    ended: float | None = None
    hosts: dict[str, int] = field(default_factory=dict)  # to the number of changes
    lost: dict[str, str] = field(default_factory=dict)  # to failed or unreachable
    work: dict[str, list[tuple[float, float]]] = field(default_factory=dict)  # when each host was at work
    estimate: float | None = None  # seconds

    def worked(self, host: str, since: float, until: float) -> None:
        """A task of the host took that long. Tasks that follow each other are one span."""
        spans = self.work.setdefault(host, [])
        if spans and since - spans[-1][1] < PAUSE:
            since, until = spans[-1][0], max(until, spans.pop()[1])
        spans.append((since, until))

    @property
    def seconds(self) -> float:
        """The duration of a phase that has ended."""
        return (self.ended or 0.0) - (self.started or 0.0)


@dataclass
class Step:
    """How long the slowest host of a task took."""

    name: str
    host: str
    seconds: float


class Run:
    """A playbook as it runs."""

    def __init__(self, name: str, plays: list[tuple[str, str]], at: float, check: bool = False) -> None:
        """Expect the plays (key and name) in their order."""
        self.name = name
        self.check = check
        self.started = at
        self.ended: float | None = None
        self.phases = [Phase(key, title) for key, title in plays]
        self.current: Phase | None = None
        self.hosts: dict[str, Host] = {}  # of the current phase
        self.changes: dict[str, list[Change]] = {}
        self.unknown: dict[str, list[Change]] = {}  # by host, in check mode
        self.problems: list[Message] = []
        self.counts: dict[str, Counter[Outcome]] = {}
        self.lost: dict[str, str] = {}
        self.seen: dict[str, None] = {}  # every host, in the order of appearance
        self.learned: dict[str, Any] = {}  # about the cluster
        self.ignored = 0
        self.rescued = 0
        self.steps: dict[str, Step] = {}
        self.tasks: dict[str, str] = {}
        self.task = ""  # the key of the latest task
        self._diffs: dict[tuple[str, str], str] = {}
        self._waiting: dict[tuple[str, str, str], Message] = {}
        self._ready: list[Message | Phase] = []

    def play_started(self, key: str, name: str, at: float) -> None:
        """A play, or another batch of a serial one, begins."""
        if self.current and self.current.key == key:
            self.hosts = {}
            return
        self.end_phase(at)
        phase = next((one for one in self.phases if one.key == key), None)
        if phase is None:
            phase = Phase(key, name)
            self.phases.append(phase)
        phase.name, phase.started, phase.ended = name or phase.name, at, None
        self.current, self.hosts = phase, {}

    def leave_out(self, key: str, name: str, at: float) -> None:
        """A play for nobody is over at once, without a word."""
        self.play_started(key, name, at)
        if self.current:
            self.current.ended = at
        self.current = None

    def task_started(self, key: str, name: str) -> None:
        """A task begins; messages of the task before it are complete."""
        self._release()
        self.tasks[key] = name
        self.task = key

    def host_started(self, host: str, key: str, name: str, at: float) -> None:
        """A host begins a task. *name* counts where the task was not announced, as with strategy free."""
        self._join(host)
        self.hosts[host] = Host(self.tasks.get(key) or name, at, True, key)

    def host_waits(self, host: str, note: str) -> None:
        """A host tries again or waits for an asynchronous job."""
        self._join(host).note = note

    def host_says(self, host: str, key: str, lines: list[str]) -> None:
        """The module of a task says what it does; it may have ended since."""
        state = self.hosts.get(host)
        if state and state.working and state.task == key:
            state.says = tuple(lines)

    def host_ended(
        self,
        host: str,
        key: str,
        name: str,
        outcome: Outcome,
        at: float,
        changes: tuple[str, ...] = (),
        unknown: str = "",
        for_all: bool = False,
    ) -> None:
        """A task has ended on a host. *for_all* is whether it ran there once for all hosts, which then fail together."""
        state = self._join(host)
        name = self.tasks.get(key) or name
        phase = self.current.name if self.current else ""
        self.counts.setdefault(host, Counter())[outcome] += 1
        if state.working:
            if self.current:
                self.current.worked(host, state.since, at)
            seconds = at - state.since
            if key not in self.steps or seconds > self.steps[key].seconds:
                self.steps[key] = Step(name, host, seconds)
        state.step, state.since, state.working, state.task, state.note, state.says = name, at, False, key, "", ()
        diff = self._diffs.pop((host, key), "")
        if outcome == "changed" or (changes and outcome not in ("ok", "skipped")):
            self.changes.setdefault(host, []).append(Change(name, changes, diff, phase, at))
            if self.current:
                self.current.hosts[host] += 1
        if outcome == "ignored":
            self.ignored += 1
        elif outcome == "rescued":
            self.rescued += 1
        elif outcome in LOST:
            others = self.current.hosts if for_all and self.current else ()
            for one in [host, *(one for one in others if one not in self.lost and one != host)]:
                self.hosts.setdefault(one, Host()).lost = self.lost[one] = outcome
                if self.current:
                    self.current.lost[one] = outcome
        if self.check and unknown:
            self.unknown.setdefault(host, []).append(Change(name, phase=phase, at=at, unknown=unknown))

    def diff(self, host: str, key: str, name: str, text: str, at: float) -> None:
        """A task has a diff, which belongs to its change, and is shown at once unless a plan is shown at the end."""
        self._diffs[host, key] = text
        if not self.check:
            self.message("diff", host, self.tasks.get(key) or name, text, at)

    def message(self, kind: str, host: str, task: str, text: str, at: float) -> None:
        """Something must be read. The same of several hosts becomes one message."""
        message = self._waiting.get((kind, task, text))
        if message is None:
            message = self._waiting[kind, task, text] = Message(kind, task, text, at)  # type: ignore[arg-type]
            if kind in PROBLEMS:
                self.problems.append(message)
        if host and host not in message.hosts:
            message.hosts.append(host)

    def finish(self, at: float) -> None:
        """The run has ended, be it that it was interrupted."""
        for name, host in self.hosts.items():
            if host.working and self.current:
                self.current.worked(name, host.since, at)
        self.end_phase(at)
        self.ended = at

    def end_phase(self, at: float) -> None:
        """The current play has ended, if there is one: another one begins, no host matches it, or the run is over."""
        self._release()
        if self.current:
            self.current.ended = at
            self._ready.append(self.current)
        self.current, self.hosts = None, {}

    def take(self, at: float) -> list[Message | Phase]:
        """Return, once, the messages and phases that are complete, in their order."""
        if any(at - message.at >= HOLD for message in self._waiting.values()):
            self._release()
        ready, self._ready = self._ready, []
        return ready

    def _join(self, host: str) -> Host:
        self.seen.setdefault(host)
        if self.current:
            self.current.hosts.setdefault(host, 0)
        return self.hosts.setdefault(host, Host())

    def _release(self) -> None:
        self._ready += self._waiting.values()
        self._waiting = {}
