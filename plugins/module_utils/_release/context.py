# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the steps of one run share: the client, the options, the clock, and the progress that is reported."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Callable, Iterator, Mapping, Sequence

from .._diagnosis.waiting import GRACE, Outlook, Watch
from .._kube.api import Client
from .._kube.objects import Object, Reference, reference
from .._kube.progress import tell
from .._kube.readiness import is_waited_for
from .._kube.redaction import Redactor
from .errors import Pause, ReleaseError
from .jobs import has_ttl
from .lock import Lock
from .settings import Settings
from .store import Store
from .wait_rules import WaitRules
from .waiting import lines_of, not_ready, tolerate, tolerated, wait_until_ready

CONFIRM = 2.0  # seconds for which a StatefulSet must look hopeless
REPEAT_AFTER = 30.0  # seconds after which an unchanged progress line is reported again
# Kinds that are ready as soon as they exist.
ALWAYS_READY = (
    "ConfigMap",
    "Secret",
    "ServiceAccount",
    "Role",
    "RoleBinding",
    "ClusterRole",
    "ClusterRoleBinding",
    "NetworkPolicy",
)


@dataclass
class Context:
    """One call of the module.

    :ivar path: returns the URL path of an object.
    :ivar progress: lines for the person who waits.
    :ivar seconds: time spent, by phase.
    """

    client: Client
    settings: Settings
    path: Callable[[Reference], str]
    scrub: Redactor
    began: float = field(default_factory=time.monotonic)
    progress: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    _last_line: tuple[str, float] = ("", 0.0)
    _vanish: set[Reference] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.store = Store(self.client, self.settings.name, self.settings.namespace)
        self.rules = WaitRules(self.settings.wait_conditions, self.settings.wait_except, self.settings.waves)
        self.lock = Lock(self.client, self.settings.name, self.settings.namespace, self.settings.run_id)

    def expect(self, contents: Sequence[Object]) -> None:
        """Expect that Jobs with a TTL among some objects are deleted after their end."""
        self._vanish = {reference(content) for content in contents if has_ttl(content)}

    @property
    def deadline(self) -> float:
        """When the whole run must be finished, in terms of time.monotonic(); it began with the first call of the run."""
        return time.monotonic() + (self.lock.started + self.settings.timeout - time.time())

    def log(self, line: str) -> None:
        """Report a line of progress; an unchanged line only after a while."""
        before, when = self._last_line
        if line != before or time.monotonic() - when > REPEAT_AFTER:
            self._last_line = (line, time.monotonic())
            self.progress.append(self.scrub.text(line))

    def pause_if_due(self) -> None:
        """End this call if its time slice is used up.

        :raises Pause: the next call resumes the work.
        """
        if self.settings.pause_after and time.monotonic() - self.began >= self.settings.pause_after:
            raise Pause()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Measure the time of a phase."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = round(self.seconds.get(name, 0.0) + time.monotonic() - started, 3)

    def acquire_lock(self) -> None:
        """Wait until no other run works on this release. This happens within one call, as nothing keeps the place in the queue between two.

        :raises ReleaseError: another run still holds the lock after C(lock_timeout).
        """
        until = time.monotonic() + self.settings.lock_timeout
        while True:
            holder = self.lock.acquire()
            if not holder:
                return
            if time.monotonic() >= until:
                raise ReleaseError(
                    f"Release {self.settings.name} in namespace {self.settings.namespace} is locked by {holder}. This run changed nothing. "
                    f"Run it again when that run has finished, or increase lock_timeout (currently {self.settings.lock_timeout} s). [slipway:release_locked]"
                )
            self.log(f"Waiting for {holder}.")
            time.sleep(0.5)

    @contextmanager
    def unlocked_on_refusal(self) -> Iterator[None]:
        """Release the lock immediately if this run is refused after it has acquired it, and mask the reason."""
        try:
            yield
        except ReleaseError as error:
            self.lock.release()
            error.args = (self.scrub.text(str(error)),)
            raise

    def waited_for(self, contents: Sequence[Object]) -> list[Reference]:
        """Name the objects that may exist without being ready; for unknown kinds the cluster decides."""
        return [
            reference(content)
            for content in contents
            if (content.get("kind") not in ALWAYS_READY or self.rules.has_condition(content))
            and not self.rules.excepts(content)
        ]

    def workloads(self, contents: Sequence[Object]) -> list[str]:
        """Name the workloads among some objects."""
        awaited = [one for one in contents if is_waited_for(one) or self.rules.has_condition(one)]
        return [str(reference(content)) for content in awaited if not self.rules.excepts(content)]

    def ready_now(self, names: Sequence[Reference]) -> bool:
        """Return whether objects are ready, by polling them once; DaemonSets that lack no more pods than they may are a warning."""
        if not names:
            return True
        outlook = tolerate(self.watch(names).look())
        if not outlook.waiting:
            self.warnings += tolerated(outlook)
        return not outlook.waiting

    def watch(self, names: Sequence[Reference]) -> Watch:
        """Watch objects by the rules of this run."""
        grace = self.settings.grace
        watch = Watch(self.client, names, self.path, *((GRACE,) if grace is None else (grace, grace)))
        watch.vanish = self._vanish
        watch.judge = self.rules.judge
        return watch

    def wait_for(
        self,
        names: Sequence[Reference],
        deadline: float,
        unblock: Callable[[bool], bool] | None = None,
        memory: dict[str, Any] | None = None,
        ended: bool = False,
    ) -> None:
        """Wait until objects are ready.

        :param deadline: time.monotonic() at which to give up.
        :param unblock: called after each poll while something is not ready, with whether it looks hopeless; returns whether it helped.
        :param memory: keeps since when something is suspicious, from one call to the next.
        :param ended: wait for the end of Pods instead.
        :raises OperationFailed: the deadline has passed, or the objects cannot become ready; with the diagnosis.
        :raises Pause: the time slice of this call is used up.
        """
        if not names:
            return
        watch = self.watch(names)
        if ended:
            watch.judge = lambda live: has_ended(live) if live.get("kind") == "Pod" else self.rules.judge(live)
        recall(watch, memory)
        self.lock.check()

        def report(outlook: Outlook) -> bool:
            self.log(describe(outlook))
            tell(*map(self.scrub.text, lines_of(outlook)))
            return unblock is not None and unblock(outlook.hopeless)

        def sleep(seconds: float) -> None:
            try:
                self.pause_if_due()
            except Pause:
                remember(watch, memory)
                raise
            time.sleep(seconds)
            self.lock.check()

        # What a controller has not observed yet, or what was unblocked just now, may still look hopeless.
        confirm, waited = 0.0 if unblock is None else CONFIRM, time.time() - self.lock.started
        outlook = wait_until_ready(watch, deadline, report, confirm, sleep, waited)
        self.warnings += tolerated(outlook)
        if outlook.waiting:
            raise not_ready(watch, outlook, self.scrub.values, in_release=True)


def has_ended(pod: Mapping[str, Any]) -> tuple[bool, str]:
    """Return whether a Pod has succeeded, and what it does instead; a reason beside success would be told as a warning."""
    phase = (pod.get("status") or {}).get("phase") or "Pending"
    return (True, "") if phase == "Succeeded" else (False, f"its phase is {phase} instead of Succeeded")


def describe(outlook: Outlook) -> str:
    """Describe in one line how many objects are ready and what the others wait for."""
    total = len(outlook.ready) + len(outlook.waiting)
    first = "; ".join(f"{name}: {why}" for name, why in outlook.waiting[:3])
    more = f"; and {len(outlook.waiting) - 3} more" if len(outlook.waiting) > 3 else ""
    why = f" ({outlook.findings[0].title})" if outlook.findings else ""
    return f"{len(outlook.ready)} of {total} ready; {first}{more}{why}"


def remember(watch: Watch, memory: dict[str, Any] | None) -> None:
    """Save since when something is suspicious, as wall clock times that the next call understands."""
    if memory is not None:
        offset = time.time() - time.monotonic()
        memory["suspicious"] = [
            [fault, name.as_dict(), container, since + offset]
            for (fault, name, container), since in watch.since.items()
        ]


def recall(watch: Watch, memory: Mapping[str, Any] | None) -> None:
    """Restore what :func:`remember` saved."""
    offset = time.time() - time.monotonic()
    for fault, name, container, since in (memory or {}).get("suspicious") or []:
        watch.since[(fault, Reference(**name), container)] = since - offset
