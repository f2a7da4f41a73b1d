# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Applying what has to be created, changed or replaced: stage by stage, several objects of a stage in parallel."""

from __future__ import annotations

import time
from typing import Any, Callable, Container, Mapping, Sequence

from .._kube.api import ApiError, Client
from .._kube.objects import Kinds, Object, Reference, defined_kinds, indirect_kinds, is_custom, reference, stages
from .._kube.readiness import readiness
from . import field_migration
from .api_errors import conflicts, explain_refusal
from .claims import grow_claims
from .deletion import wait_until_gone
from .errors import OperationFailed
from .excuses import WEBHOOK_FAILED, may_learn, services, webhook_service
from .fingerprint import digest, live_digest
from .jobs import without_ttl
from .live_state import uid
from .ownership import MANAGER, identity, key
from .planned import Digests, PlannedObject

RETRY_FOR = 60  # seconds for which a transient refusal is retried; until the deadline where a webhook of the same release refuses
RETRY_EVERY = 0.5


class Sender:
    """Applies planned objects to the cluster."""

    def __init__(
        self,
        client: Client,
        path: Callable[[Reference], str],
        deadline: float,
        take_over: Sequence[str] = (),
        check: Callable[[], None] = lambda: None,
        manager: str = MANAGER,
        in_release: bool = True,
        early: Container[tuple[str, str]] = (),
        keep_jobs: bool = False,
        grow: bool = False,
    ) -> None:
        """Initialize.

        :param path: returns the URL path of an object.
        :param deadline: time.monotonic() by which everything must be accepted.
        :param take_over: field managers whose fields are taken over.
        :param check: called before each stage; raises when this run must not write any more.
        :param manager: the field manager that owns the applied fields.
        :param early: the kinds of custom resources that are sent before workloads; those of which a webhook does not respond, as its
            pods may come with this release, follow after the workloads.
        :param keep_jobs: apply Jobs without their TTL, because their end is awaited.
        :param grow: let the claims of a StatefulSet that is created again grow to the size of its templates; C(notes) says which do.
        :param in_release: whether remedies are options of a release or of the module manifest.
        """
        self.client = client
        self.path = path
        self.deadline = deadline
        self.take_over = list(take_over)
        self.check = check
        self.manager = manager
        self.in_release = in_release
        self.early = early
        self.keep_jobs = keep_jobs
        self.grow = grow
        self.notes: list[str] = []
        self.forced: list[str] = []
        self.own_webhooks = False
        self.own_services: set[tuple[str, str]] = set()
        self.changing: Kinds = {}
        self.makers: dict[tuple[str, str], Reference] = {}

    def send(
        self,
        planned: Sequence[PlannedObject],
        insist: bool = False,
        complete: bool = True,
        release: Sequence[PlannedObject] = (),
    ) -> Digests:
        """Apply everything. CustomResourceDefinitions are established before objects of their kinds are sent.

        :param insist: resolve conflicts by force and note them in C(forced) (for a rollback).
        :param complete: send everything; otherwise what a webhook refuses for the moment is left to another call.
        :param release: everything of which this is a part: what other parts define or check may not be there at once.
        :returns: for each object, the digests of its desired and its live content.
        :raises OperationFailed: some were refused; the rest of their stage was sent, later stages were not.
        """
        pending = {
            identity(one.name): one for one in planned if one.action not in ("none", "delete", "run") or one.takes_over
        }
        release = release or planned
        self.own_webhooks = any(one.name.kind.endswith("WebhookConfiguration") for one in release)
        self.own_services = services([one.content for one in release])
        self.changing = defined_kinds(one.content for one in release if one.action != "none")
        self.makers = {pair: one.name for one in release for pair in indirect_kinds([one.content])}
        digests: Digests = {}
        late: list[Object] = []
        for stage in stages([one.content for one in pending.values()], self.early):
            late += self._send_stage(
                [pending[identity(reference(content))] for content in stage], insist, True, digests
            )
        if late and complete:
            self._send_stage([pending[identity(reference(content))] for content in late], insist, False, digests)
        return digests

    def _send_stage(
        self, some: Sequence[PlannedObject], insist: bool, postpone: bool, digests: Digests
    ) -> list[Object]:
        """Apply the objects of a stage and add their digests.

        :param postpone: do not wait for webhooks that check the kinds in C(early), or whose Service is part of the release.
        :returns: the objects that were postponed.
        """
        self.check()
        results = self.client.each(lambda one: self._attempt(one, insist, postpone), some)
        problems = [str(result) for result in results if isinstance(result, OperationFailed)]
        if problems:
            raise OperationFailed("\n".join(problems))
        for one, answer in zip(some, results):
            if answer:
                digests[key(one.name)] = [one.digest or digest(one.content), live_digest(answer)]
        self._await_definitions([one.content for one in some])
        return [one.content for one, answer in zip(some, results) if not answer]

    def _is_early(self, one: PlannedObject) -> bool:
        return is_custom(one.content) and (one.name.api_version, one.name.kind) in self.early

    def remove(self, name: Reference, until: float, propagation: str = "Background") -> None:
        """Delete an object and wait until it is gone, so that it can be created again.

        :param propagation: C(Orphan) keeps its dependents.
        :raises OperationFailed: it still exists at the deadline; the message names its finalizers.
        """
        path = self.path(name)
        live = self.client.find(path)
        if live:
            if not live["metadata"].get("deletionTimestamp"):
                self.client.delete(path, uid(live), propagation)
            wait_until_gone(self.client, lambda _name: path, [live], until)

    def _attempt(self, one: PlannedObject, insist: bool, postpone: bool) -> Any:
        try:
            return self._send_one(one, insist, postpone)
        except OperationFailed as error:
            return error

    def _send_one(self, one: PlannedObject, insist: bool, postpone: bool) -> Object:
        """Apply an object.

        :returns: the live object, empty if it was postponed.
        """
        path, until, force = self.path(one.name), min(self.deadline, time.monotonic() + RETRY_FOR), one.force
        if one.action == "replace":
            self.remove(one.name, until, "Orphan" if one.keeps_pods else "Background")
        elif one.takes_over:
            self._take_over_fields(path)
        content = without_ttl(one.content) if self.keep_jobs else one.content
        if self.grow and one.makes_set:
            self.notes += grow_claims(self.client, content, one.action == "replace")
        while True:
            try:
                return self.client.apply(path, content, self.manager, force, dry_run=False)
            except ApiError as error:
                owners = conflicts(error)
                if owners and insist and not force:
                    force = True
                    fields = sorted(field for some in owners.values() for field in some)
                    self.forced.append(f"{one.name}: {', '.join(fields)}")
                    continue
                webhook = WEBHOOK_FAILED in error.message
                own = webhook and webhook_service(error.message) in self.own_services
                if postpone and webhook and (own or self._is_early(one)):
                    return {}
                maker = self.makers.get((one.name.api_version, one.name.kind)) if error.status == 404 else None
                if own or maker or (webhook and self.own_webhooks):
                    until = self.deadline
                passing = is_transient(error) or may_learn(error, one.content, self.changing)
                if owners or not passing or time.monotonic() >= until:
                    if maker and passing:
                        raise OperationFailed(_not_made(one.name, maker)) from error
                    text = explain_refusal(error, one.name, None, one.content, in_release=self.in_release)
                    raise OperationFailed(text) from error
            time.sleep(RETRY_EVERY)

    def _take_over_fields(self, path: str) -> None:
        """Transfer what other managers own to this one; an outdated version is refused and read again."""
        for _attempt in range(5):
            patch = field_migration.migration(self.client.find(path) or {}, self.take_over)
            if not patch:
                return
            try:
                self.client.patch(path, patch, "json")
                return
            except ApiError as error:
                if error.status != 409:
                    raise OperationFailed(f"{path}: {error}") from error

    def _await_definitions(self, stage: Sequence[Object]) -> None:
        names = [reference(content) for content in stage if content["kind"] == "CustomResourceDefinition"]
        while names:
            lives = self.client.each(lambda name: self.client.find(self.path(name)), names)
            late = [(name, live) for name, live in zip(names, lives) if live is None or not readiness(live)[0]]
            if late and time.monotonic() > self.deadline:
                raise OperationFailed("\n".join(_not_established(name, live) for name, live in late))
            names = [name for name, _live in late]
            if names:
                time.sleep(0.2)


def is_transient(error: ApiError) -> bool:
    """Return whether a refusal ends by itself shortly after what it misses was created.

    Examples are a webhook whose pods are starting, a kind that was just defined, the default service account of a new
    namespace, and a quota that is being calculated.
    """
    if error.transient or error.status == 404:
        return 'namespaces "' not in error.message
    if error.status == 409:
        return error.reason == "Conflict" and not error.causes
    if error.status == 403:
        missing = ("error looking up service account", "no API token found for service account")
        return any(text in error.message for text in missing)
    waiting = (WEBHOOK_FAILED, "no endpoints available")
    return error.status == 500 and any(text in error.message for text in waiting)


def _not_made(name: Reference, maker: Reference) -> str:
    return (
        f"{name}: the API server does not serve its kind, which a controller defines for {maker}. "
        "See the status of that object, and check that its controller runs. [slipway:kind_not_served]"
    )


def _not_established(name: Reference, live: Mapping[str, Any] | None) -> str:
    conditions = ((live or {}).get("status") or {}).get("conditions") or []
    why = "; ".join(f"{one.get('type')}: {one.get('message')}" for one in conditions if one.get("status") == "False")
    why = why or "the server has not reported a condition yet"
    return f"{name} is not established: {why}. Check its names and its schema. [slipway:definition_not_established]"
