# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An action on one Deployment, StatefulSet or DaemonSet: read, plan, change, wait, explain."""

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
from .._kube.progress import tell
from .._kube.readiness import readiness, selector_query
from .._kube.redaction import Redactor
from .._release.stateful_set import blocks, delete_blocking_pods, find_blocking_pods
from .._release.waiting import lines_of, tolerated, wait_until_ready
from .changes import (
    READ_ONLY,
    Change,
    Request,
    RolloutError,
    is_paused,
    list_images,
    manager,
    plan_change,
    return_fields,
    warnings_for,
)
from .history import KINDS, WorkloadRevision, current, find, revisions_of

ATTEMPTS = 6  # how often a change is planned because somebody else changed the object in the meantime
# Actions after which a pod of another revision can block a StatefulSet.
UNBLOCKING = ("undo", "set_image", "restart")
OBSERVED = 5  # seconds in which a controller usually observes a change of its object
POLL = 0.3


class RolloutFailed(Exception):
    """A rollout does not finish; the message explains why.

    :ivar findings: the findings of the diagnosis.
    """

    def __init__(self, message: str, findings: Sequence[Finding] = ()) -> None:
        super().__init__(message)
        self.findings = list(findings)


@dataclass
class Outcome:
    """The outcome of an action; C(workload) is None if a dry run found none."""

    changed: bool = False
    what: str = ""
    diff: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    workload: Object | None = None
    revisions: list[WorkloadRevision] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    ready: bool = False
    why: str = ""


class Rollout:
    """One action on one workload."""

    def __init__(self, client: Client, request: Request, dry_run: bool) -> None:
        """Initialize; no request is sent yet.

        :param dry_run: send the change as a dry run, and change nothing.
        """
        self.client = client
        self.request = request
        self.dry_run = dry_run
        self.kind = KINDS[request.name.kind]
        self.outcome = Outcome()

    def act(self) -> Outcome:
        """Perform the action, without waiting for its effects.

        :raises RolloutError: the action is not possible. :raises ApiError: the server refuses it.
        """
        name, action = self.request.name, self.request.action
        for attempt in range(ATTEMPTS):
            workload = self._read()
            if workload is None:
                self.outcome.changed = action not in READ_ONLY
                self.outcome.what = "does not exist yet"
                self.outcome.warnings.append(
                    f"{name} does not exist yet: a dry run cannot predict the effect of action {action}."
                )
                return self.outcome
            now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            change = plan_change(self.request, workload, self.outcome.revisions, now)
            if change is None:
                self.outcome.what = "was inspected" if action in READ_ONLY else "is unchanged"
                if action not in READ_ONLY:
                    self.outcome.warnings += warnings_for(self.request, workload, [])
                return self.outcome
            try:
                self._send(change, workload)
                return self.outcome
            except ApiError as error:
                if error.status != 409 or attempt + 1 == ATTEMPTS:
                    raise
                time.sleep(0.2 * (attempt + 1))
        raise AssertionError("unreachable")

    def wait(self, deadline: float) -> None:
        """Wait until the workload is up to date and ready.

        :param deadline: time.monotonic() at which to give up.
        :raises RolloutFailed: the deadline has passed, or the workload cannot become ready; the findings explain why.
        """
        started = time.monotonic()
        if self.outcome.workload is not None and is_paused(self.outcome.workload):
            self._read()
            if not self.outcome.ready:
                raise RolloutFailed(
                    f"{self.request.name} is paused ({self.outcome.why}), so its rollout never finishes. "
                    "Continue it with action resume. [slipway:rollout_paused]"
                )
        watch = Watch(self.client, [self.request.name], self._path)
        # A pod that blocks a StatefulSet is deleted before the rollout counts as failed.
        outlook = wait_until_ready(watch, deadline, self._poll)
        self._read()
        if outlook.waiting:
            self._fail(outlook, time.monotonic() - started)
        self.outcome.findings = outlook.findings
        self.outcome.warnings += tolerated(outlook)
        self.outcome.ready, self.outcome.why = True, ""

    def _poll(self, outlook: Outlook) -> bool:
        tell(*Redactor().log_lines(lines_of(outlook)))
        return bool(self._unblock())

    def settle(self) -> None:
        """Read the result of a change without waiting for the rollout, and unblock a StatefulSet."""
        if not self.outcome.changed:
            return
        live = self._read() or {}
        if self.request.name.kind != "StatefulSet" or self.request.action not in UNBLOCKING:
            return
        deadline = time.monotonic() + OBSERVED
        while (live.get("status") or {}).get("observedGeneration") != (live.get("metadata") or {}).get("generation"):
            if time.monotonic() >= deadline:
                break
            time.sleep(POLL)
            live = self._read() or {}
        self._unblock()

    def diagnose(self) -> None:
        """Find the faults of a workload that is not ready, if the module neither waits for it nor has just changed it."""
        if self.request.action == "status" and self.outcome.workload is not None and not self.outcome.ready:
            self.outcome.findings = explain_faults(self.client, [self.request.name])

    def template(self) -> Object:
        """Return the pod template of the requested revision.

        :raises RolloutError: there is no such revision.
        """
        found = find(self.outcome.revisions, self.request.revision, self.outcome.workload or {})
        if found is None:
            existing = ", ".join(str(one.number) for one in self.outcome.revisions) or "none"
            raise RolloutError(
                f"{self.request.name} has no revision {self.request.revision}; it has {existing}. [slipway:revision_missing]"
            )
        return found.template

    def _path(self, name: Reference) -> str:
        return Resource(self.kind.plural, True).path(name)

    def _collection(self, plural: str) -> str:
        return Resource(plural, True).collection(self.request.name.api_version, self.request.name.namespace)

    def _read(self) -> Object | None:
        """Read the workload and its revisions.

        :returns: the workload, None if a dry run finds none.
        """
        name = self.request.name
        workload = self.client.find(self._path(name))
        if workload is None:
            if self.dry_run:
                return None
            raise RolloutError(self._missing())
        selector = selector_query(workload)
        kept = self.client.items(self._collection(self.kind.keeper), {"labelSelector": selector} if selector else None)
        self.outcome.workload = dict(workload, apiVersion=name.api_version, kind=name.kind)
        self.outcome.revisions = revisions_of(workload, kept)
        self.outcome.ready, self.outcome.why = readiness(self.outcome.workload)
        return self.outcome.workload

    def _send(self, change: Change, workload: Object) -> None:
        name, path = self.request.name, self._path(self.request.name)
        after = self.client.patch(path, change.content, change.patch, manager(self.request.action), self.dry_run)
        if not self.dry_run:
            self._return_fields(workload, after)
        after = dict(after, apiVersion=name.api_version, kind=name.kind)
        before_content, after_content = content_of(workload), content_of(after)
        self.outcome.changed = before_content != after_content
        self.outcome.what = change.what
        self.outcome.diff = [difference(name, before_content, after_content)]
        self.outcome.warnings += warnings_for(self.request, workload, self._autoscalers())
        self.outcome.workload = after
        self.outcome.ready = False

    def _return_fields(self, before: Object, after: Object) -> None:
        """Return fields to the manager that applies manifests; if that fails, its next apply reports the conflict."""
        path = self._path(self.request.name)
        for _attempt in range(ATTEMPTS):
            content = return_fields(self.request.action, before, after)
            if not content:
                return
            try:
                self.client.patch(path, content, "json", manager(self.request.action), False)
                return
            except ApiError as error:
                if error.status != 409:
                    return
            after = self.client.find(path) or {}

    def _autoscalers(self) -> list[Object]:
        """Return the autoscalers of the namespace; none if the user may not list them, as they only lead to a warning."""
        if self.request.action != "scale":
            return []
        try:
            scalers = Resource("horizontalpodautoscalers", True)
            return self.client.items(scalers.collection("autoscaling/v2", self.request.name.namespace))
        except ApiError:
            return []

    def _unblock(self) -> list[str]:
        """Delete pods of another revision that permanently block a StatefulSet.

        :returns: their names.
        """
        if self.request.name.kind != "StatefulSet" or self.request.action not in UNBLOCKING:
            return []
        back = self.request.action == "undo"
        if not self.request.delete_blocking_pods:
            for namespace, pod in find_blocking_pods(self.client, [self.request.name], self._path, back):
                line = blocks(f"{namespace}/{pod['metadata']['name']}")
                self.outcome.warnings += [] if line in self.outcome.warnings else [line]
            return []
        deleted = delete_blocking_pods(self.client, [self.request.name], self._path, back)
        self.outcome.replaced += deleted
        self.outcome.changed = self.outcome.changed or bool(deleted)
        return deleted

    def _blocking(self) -> list[str]:
        """Name the pods of another revision that block a StatefulSet."""
        if self.request.name.kind != "StatefulSet":
            return []
        found = find_blocking_pods(self.client, [self.request.name], self._path, back=False)
        return [pod["metadata"]["name"] for _namespace, pod in found]

    def _fail(self, outlook: Outlook, seconds: float) -> None:
        name = self.request.name
        findings = explain_faults(self.client, [name]) or outlook.findings
        why = "; ".join(text for _name, text in outlook.waiting) or self.outcome.why
        now = current(self.outcome.revisions)
        subject = f"revision {now.number}" if now else "its rollout"
        verdict = "cannot become ready, detected" if outlook.hopeless else "is not ready"
        lines = [f"{name}: {subject} {verdict} after {int(seconds)} s: {why.rstrip('.')}."]
        lines[0] += " [slipway:wait_hopeless]" if outlook.hopeless else " [slipway:wait_timeout]"
        lines += [line for finding in findings for line in finding.text()]
        before = [one for one in self.outcome.revisions if not one.current]
        for pod in self._blocking():
            lines.append(f"Pod {pod} belongs to an older revision and blocks the StatefulSet until it is deleted.")
            before = []
        if before and self.request.action != "undo":
            lines.append(
                f"To roll back, use action undo (revision {before[-1].number}: {list_images(before[-1].template)})."
            )
        raise RolloutFailed("\n".join(lines), findings)

    def _missing(self) -> str:
        name = self.request.name
        try:
            existing = [one["metadata"]["name"] for one in self.client.items(self._collection(self.kind.plural))]
        except ApiError:
            existing = []
        near = difflib.get_close_matches(name.name, existing, 1)
        has = ", ".join(sorted(existing)[:20]) or f"no {name.kind}"
        hint = f"Did you mean {near[0]}?" if near else "Correct the kind, name or namespace, or deploy it first."
        return f"{name} does not exist. Namespace {name.namespace} has {has}. {hint} [slipway:workload_missing]"
