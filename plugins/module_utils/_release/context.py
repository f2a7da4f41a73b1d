# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the steps of one run share: the cluster, the options, the clock, and what is told of it."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Callable, Iterator, Mapping, Sequence

from .._diagnosis.explain import explain_faults
from .._diagnosis.waiting import Outlook, Watch
from .._kube.api import ApiError, Client, Unreachable
from .._kube.objects import Object, Reference
from .._kube.readiness import is_waited_for
from .._kube.redaction import Redactor
from .errors import Failed, Pause, ReleaseError
from .lock import Lock
from .settings import Settings
from .store import Store

GRACE = 60.0  # seconds for which a suspicious state may last
SHORT_LOOK = 0.25  # seconds between the first looks
LONG_LOOK = 2.0  # and between later ones
SECOND_THOUGHT = 2.0  # seconds for which a StatefulSet must look hopeless
TELL = 3.0  # seconds between lines about the same


@dataclass
class Work:
    """One call of the module.

    :ivar path: gives the path of an object.
    :ivar progress: lines for the person who waits.
    :ivar seconds: time spent, by phase.
    """

    client: Client
    settings: Settings
    store: Store
    lock: Lock
    path: Callable[[Reference], str]
    scrub: Redactor
    began: float = field(default_factory=time.monotonic)
    progress: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    _told: tuple[str, float] = ("", 0.0)

    @property
    def deadline(self) -> float:
        """When the whole run must be ready, as time.monotonic() counts; it began with the first call of the run."""
        return time.monotonic() + (self.lock.started + self.settings.timeout - time.time())

    def say(self, line: str) -> None:
        """Tell a line; the same again only after a while."""
        before, when = self._told
        if line != before or time.monotonic() - when > 10 * TELL:
            self._told = (line, time.monotonic())
            self.progress.append(self.scrub.text(line))

    def see_time(self) -> None:
        """End this call where it has taken as long as it may.

        :raises Pause: the next call goes on.
        """
        if self.settings.pause_after and time.monotonic() - self.began >= self.settings.pause_after:
            raise Pause()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Count the time of a phase."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = round(self.seconds.get(name, 0.0) + time.monotonic() - started, 3)

    def take_lock(self) -> None:
        """Wait until no other run works on this release. The whole time is waited in one call: between two, nobody keeps our place.

        :raises ReleaseError: another one still does when the time for that is over.
        """
        until = time.monotonic() + self.settings.lock_timeout
        while True:
            holder = self.lock.take()
            if not holder:
                return
            if time.monotonic() >= until:
                raise ReleaseError(
                    "Release %s in namespace %s is being worked on by %s. Nothing was changed by this run. "
                    "Run it again when that one has finished, or give it more time with lock_timeout (now %d s)."
                    % (self.settings.name, self.settings.namespace, holder, self.settings.lock_timeout)
                )
            self.say(f"Waiting for {holder}.")
            time.sleep(0.5)

    @contextmanager
    def open_when_refused(self) -> Iterator[None]:
        """Let the next run begin at once where this one is refused after it had the lock."""
        try:
            yield
        except ReleaseError:
            self.lock.release_it()
            raise

    def ready_now(self, names: Sequence[Reference]) -> bool:
        """Whether objects are ready, at one look."""
        return not names or not Watch(self.client, names, self.path, GRACE).look().waiting

    def wait_for(
        self,
        names: Sequence[Reference],
        deadline: float,
        nudge: Callable[[bool], bool] | None = None,
        memory: dict[str, Any] | None = None,
    ) -> None:
        """Wait until objects are ready, with one look at all of them at a time.

        :param deadline: time.monotonic() until which it may take.
        :param nudge: called after each look while something is not ready, with whether that looks hopeless; says whether it helped.
        :param memory: keeps since when something is suspicious, from one call to the next.
        :raises Failed: the time is over, or waiting is of no use; with the diagnosis. :raises Pause: this call's time is over.
        """
        if not names:
            return
        watch = Watch(self.client, names, self.path, GRACE)
        recall(watch, memory)
        pause, doomed = SHORT_LOOK, 0.0
        while True:
            self.lock.check()
            outlook = watch.look()
            if not outlook.waiting:
                return
            self.say(state_of(outlook))
            now = time.monotonic()
            helped = nudge is not None and nudge(outlook.hopeless)
            doomed = (doomed or now) if outlook.hopeless and not helped else 0.0
            # What a controller has not seen yet, or what was helped just now, may still look as bad as before.
            lost = bool(doomed) and (nudge is None or now - doomed >= SECOND_THOUGHT)
            if lost or now >= deadline:
                raise self.diagnosed(outlook, names, now >= deadline)
            try:
                self.see_time()
            except Pause:
                remember(watch, memory)
                raise
            time.sleep(min(pause, max(0.05, deadline - time.monotonic())))
            pause = min(pause * 1.4, LONG_LOOK)

    def diagnosed(self, outlook: Outlook, names: Sequence[Reference], over: bool) -> Failed:
        """Make a failure of what was seen, with the logs that prove it. They are read now: the way back ends their pods."""
        late = [name for name, _why in outlook.waiting]
        try:
            findings = explain_faults(self.client, late, self.scrub.values)
        except (ApiError, Unreachable):
            findings = []
        findings = [one for one in findings if one.severity == "error"] or outlook.findings
        begin = "It is not ready in time" if over and not outlook.hopeless else "Waiting longer is of no use"
        lines = [f"{begin}: {'; '.join('{}: {}'.format(*pair) for pair in outlook.waiting[:5])}"]
        if len(outlook.waiting) > 5:
            lines[0] += f"; and {len(outlook.waiting) - 5} more"
        lines[0] += "."
        for finding in findings:
            lines += finding.text()
        return Failed("\n".join(lines), [finding.as_dict() for finding in findings])


# Kinds that are ready when they are there.
SETTLED = (
    "ConfigMap",
    "Secret",
    "ServiceAccount",
    "Role",
    "RoleBinding",
    "ClusterRole",
    "ClusterRoleBinding",
    "NetworkPolicy",
)


def waited_for(contents: Sequence[Object]) -> list[Object]:
    """Give the objects that may be there and not ready; of unknown kinds the cluster tells."""
    return [content for content in contents if content.get("kind") not in SETTLED]


def shown(contents: Sequence[Mapping[str, Any]]) -> list[str]:
    """Name the workloads among some objects."""
    return [
        "{} {}".format(
            content["kind"], "/".join(filter(None, (content["metadata"].get("namespace"), content["metadata"]["name"])))
        )
        for content in contents
        if is_waited_for(dict(content))
    ]


def state_of(outlook: Outlook) -> str:
    """Say in one line how far it is."""
    total = len(outlook.ready) + len(outlook.waiting)
    first = "; ".join("{}: {}".format(*pair) for pair in outlook.waiting[:3])
    more = f"; and {len(outlook.waiting) - 3} more" if len(outlook.waiting) > 3 else ""
    why = f" ({outlook.findings[0].title})" if outlook.findings else ""
    return "%d of %d ready; %s%s%s" % (len(outlook.ready), total, first, more, why)


def remember(watch: Watch, memory: dict[str, Any] | None) -> None:
    """Note since when something is suspicious, as times that the next call understands."""
    if memory is not None:
        offset = time.time() - time.monotonic()
        memory["suspicious"] = [
            [fault, name.as_dict(), container, since + offset]
            for (fault, name, container), since in watch.since.items()
        ]


def recall(watch: Watch, memory: Mapping[str, Any] | None) -> None:
    """Read what :func:`remember` noted."""
    offset = time.time() - time.monotonic()
    for fault, name, container, since in (memory or {}).get("suspicious") or []:
        watch.since[(fault, Reference(**name), container)] = since - offset
