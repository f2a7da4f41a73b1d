# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An action on one Deployment, StatefulSet or DaemonSet: look, plan, change, wait, explain."""

from __future__ import annotations

import difflib
import time
from dataclasses import dataclass, field
from typing import Any, Sequence

from .._diagnosis.explain import explain_faults
from .._diagnosis.finding import Finding
from .._diagnosis.waiting import Outlook, Watch
from .._kube.api import ApiError, Client
from .._kube.objects import Object, Reference, Resource, content_of, difference
from .._kube.readiness import readiness, selector_query
from .._release.manifest import explain as explain_refusal
from .._release.stateful_set import free, in_the_way, waits_in_order
from .changes import LOOKING, Change, RolloutError, Wanted, cautions, paused, plan
from .history import KINDS, Revision, current, find, images_of, revisions_of
from .owning import MANAGER, give_back, manager

# Seconds between two looks: short at first, longer with time, so that a long wait costs the server little.
POLLS = (0.3, 2.0)
# Seconds for which what is suspicious, such as a registry that does not answer, is waited for.
GRACE = 60
# How often a change is planned again because somebody else changed the object in between.
ATTEMPTS = 6
# Actions after which a pod of another revision can hold a StatefulSet up.
FREEING = ("undo", "set_image", "restart")
# Seconds in which a controller usually sees a change of its object.
SEEN = 5


class RolloutFailed(Exception):
    """A rollout does not finish; the message is the story for a person.

    :ivar findings: what was found, as data.
    """

    def __init__(self, message: str, findings: Sequence[Finding] = ()) -> None:
        super().__init__(message)
        self.findings = list(findings)


@dataclass
class Answer:
    """What became of an action; C(workload) is None where a dry run found none."""

    changed: bool = False
    what: str = ""
    diff: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    workload: Object | None = None
    revisions: list[Revision] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    ready: bool = False
    why: str = ""


class Rollout:
    """One action on one workload."""

    def __init__(self, client: Client, wanted: Wanted, dry_run: bool) -> None:
        """Prepare; nothing is asked yet.

        :param dry_run: ask the server what would be, and change nothing.
        """
        self.client = client
        self.wanted = wanted
        self.dry_run = dry_run
        self.kind = KINDS[wanted.name.kind]
        self.answer = Answer()

    def act(self) -> Answer:
        """Do the action, without waiting for what follows from it.

        :raises RolloutError: it cannot be done. :raises ApiError: the server refuses.
        """
        for attempt in range(ATTEMPTS):
            workload = self._look()
            if workload is None:
                self.answer.changed = self.wanted.action not in LOOKING
                self.answer.what = "is not there yet"
                self.answer.warnings.append(
                    f"{self.wanted.name} is not there yet: a dry run cannot know what action {self.wanted.action} would do with it."
                )
                return self.answer
            change = plan(
                self.wanted, workload, self.answer.revisions, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            )
            if change is None:
                return self._judge(workload)
            try:
                self._send(change, workload)
                return self.answer
            except ApiError as error:
                if error.status != 409 or attempt + 1 == ATTEMPTS:
                    raise
                time.sleep(0.2 * (attempt + 1))
        raise AssertionError("unreachable")

    def wait(self, deadline: float) -> None:
        """Wait until the workload is as wanted and ready.

        :param deadline: time.monotonic() at which the time is over.
        :raises RolloutFailed: the time is over, or waiting is of no use; the findings say why.
        """
        started = time.monotonic()
        if self.answer.workload is not None and paused(self.answer.workload) and not self._is_ready():
            raise RolloutFailed(
                f"{self.wanted.name} is paused ({self.answer.why}), so its rollout never finishes. Let it go on with action resume."
            )
        watch = Watch(self.client, [self.wanted.name], self._path, GRACE)
        pause = POLLS[0]
        while True:
            outlook = watch.look()
            over = time.monotonic() >= deadline
            # A pod that holds a StatefulSet up is no reason to give up before it is out of the way.
            freed = self._free() if outlook.waiting else []
            if outlook.waiting and not freed and (outlook.hopeless or over):
                self._look()
                self._fail(outlook, time.monotonic() - started)
            if not outlook.waiting:
                self.answer.findings = outlook.findings
                self._look()
                self.answer.ready, self.answer.why = True, ""
                return
            time.sleep(pause)
            pause = min(pause * 1.2, POLLS[1])

    def settle(self) -> None:
        """See what became of a change where nobody waits, and free a StatefulSet from pods that hold it up."""
        if not self.answer.changed:
            return
        live = self._look() or {}
        if self.wanted.name.kind != "StatefulSet" or self.wanted.action not in FREEING:
            return
        deadline = time.monotonic() + SEEN
        while (live.get("status") or {}).get("observedGeneration") != (live.get("metadata") or {}).get("generation"):
            if time.monotonic() >= deadline:
                break
            time.sleep(POLLS[0])
            live = self._look() or {}
        self._free()

    def look_for_faults(self) -> None:
        """Find what is wrong with a workload that is not ready, where nobody waits and nothing was changed just now."""
        if self.wanted.action == "status" and self.answer.workload is not None and not self.answer.ready:
            self.answer.findings = explain_faults(self.client, [self.wanted.name])

    def template(self) -> Object:
        """Give the pod template of the revision that was asked for.

        :raises RolloutError: there is no such revision.
        """
        found = find(self.answer.revisions, self.wanted.revision, self.answer.workload or {})
        if found is None:
            there = ", ".join(str(one.number) for one in self.answer.revisions) or "none"
            raise RolloutError(f"{self.wanted.name} has no revision {self.wanted.revision}; it has {there}.")
        return found.template

    def _path(self, name: Reference) -> str:
        return Resource(self.kind.plural, True).path(name)

    def _collection(self, plural: str) -> str:
        return Resource(plural, True).collection(self.wanted.name.api_version, self.wanted.name.namespace)

    def _look(self) -> Object | None:
        """Read the workload and its revisions.

        :returns: the workload, None where a dry run finds none.
        """
        name = self.wanted.name
        workload = self.client.find(self._path(name))
        if workload is None:
            if self.dry_run:
                return None
            raise RolloutError(self._missing())
        selector = selector_query(workload)
        kept = self.client.items(self._collection(self.kind.keeper), {"labelSelector": selector} if selector else None)
        self.answer.workload = dict(workload, apiVersion=name.api_version, kind=name.kind)
        self.answer.revisions = revisions_of(workload, kept)
        self.answer.ready, self.answer.why = readiness(self.answer.workload)
        return self.answer.workload

    def _judge(self, workload: Object) -> Answer:
        self.answer.what = "is looked at" if self.wanted.action in LOOKING else "is as wanted"
        if self.wanted.action not in LOOKING:
            self.answer.warnings += cautions(self.wanted, workload, [])
        return self.answer

    def _send(self, change: Change, workload: Object) -> None:
        name, path = self.wanted.name, self._path(self.wanted.name)
        after = self.client.patch(path, change.content, change.patch, manager(self.wanted.action), self.dry_run)
        if not self.dry_run:
            self._give_back(workload, after)
        after = dict(after, apiVersion=name.api_version, kind=name.kind)
        before_content, after_content = content_of(workload), content_of(after)
        self.answer.changed = before_content != after_content
        self.answer.what = change.what
        self.answer.diff = [difference(name, before_content, after_content)]
        self.answer.warnings += cautions(self.wanted, workload, self._autoscalers())
        self.answer.workload = after
        self.answer.ready = False

    def _give_back(self, before: Object, after: Object) -> None:
        """Return fields to the manager that applies manifests; where that cannot be, its next apply says who has them."""
        path = self._path(self.wanted.name)
        for _attempt in range(ATTEMPTS):
            content = give_back(self.wanted.action, before, after)
            if not content:
                return
            try:
                self.client.patch(path, content, "json", manager(self.wanted.action), False)
                return
            except ApiError as error:
                if error.status != 409:
                    return
            after = self.client.find(path) or {}

    def _autoscalers(self) -> list[Object]:
        """Autoscalers of the namespace; none where the user may not see them, for this is only a caution."""
        if self.wanted.action != "scale":
            return []
        try:
            scalers = Resource("horizontalpodautoscalers", True)
            return self.client.items(scalers.collection("autoscaling/v2", self.wanted.name.namespace))
        except ApiError:
            return []

    def _is_ready(self) -> bool:
        self._look()
        return self.answer.ready

    def _free(self) -> list[str]:
        """Delete pods of another revision that hold a StatefulSet up for good.

        :returns: their names.
        """
        if self.wanted.name.kind != "StatefulSet" or self.wanted.action not in FREEING:
            return []
        freed = free(self.client, [self.wanted.name], self._path, back=self.wanted.action == "undo")
        self.answer.replaced += freed
        self.answer.changed = self.answer.changed or bool(freed)
        return freed

    def _blocking(self) -> list[str]:
        """Name the pods of another revision that hold a StatefulSet up."""
        live = self.answer.workload or {}
        selector = selector_query(live)
        if self.wanted.name.kind != "StatefulSet" or not selector or not waits_in_order(live):
            return []
        place = Resource("pods", True).collection("v1", self.wanted.name.namespace)
        pods = self.client.items(place, {"labelSelector": selector})
        return [pod["metadata"]["name"] for pod in in_the_way(live, pods, back=False)]

    def _fail(self, outlook: Outlook, seconds: float) -> None:
        name = self.wanted.name
        findings = explain_faults(self.client, [name]) or outlook.findings
        why = "; ".join(text for _name, text in outlook.waiting) or self.answer.why
        now = current(self.answer.revisions)
        head = "%s: %s %s after %d s: %s." % (
            name,
            f"revision {now.number}" if now else "its rollout",
            "will not become ready, seen" if outlook.hopeless else "is not ready",
            seconds,
            why.rstrip("."),
        )
        lines = [head] + [line for finding in findings for line in finding.text()]
        before = [one for one in self.answer.revisions if not one.current]
        blocking = self._blocking()
        if blocking:
            lines.append(
                "{} of a revision that is no longer wanted and holds the StatefulSet up until somebody deletes it.".format(
                    " and ".join(f"Pod {one} is" for one in blocking)
                )
            )
        elif before and self.wanted.action != "undo":
            lines.append(
                f"To go back: action undo (revision {before[-1].number}: {', '.join(images_of(before[-1].template).values())})."
            )
        raise RolloutFailed("\n".join(lines), findings)

    def _missing(self) -> str:
        name = self.wanted.name
        try:
            there = [one["metadata"]["name"] for one in self.client.items(self._collection(self.kind.plural))]
        except ApiError:
            there = []
        near = difflib.get_close_matches(name.name, there, 1)
        return "{} is not there. Namespace {} has {}.{}".format(
            name,
            name.namespace,
            f"no {name.kind}" if not there else f"{', '.join(sorted(there)[:20])}",
            f" Did you mean {near[0]}?" if near else " Correct kind, name or namespace, or deploy it first.",
        )


def explained(error: ApiError, name: Reference) -> str:
    """Say why the server refused a request about a workload."""
    return explain_refusal(error, name, MANAGER)
