# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sending what is to be created, changed or replaced: stage by stage, several at once inside a stage."""

from __future__ import annotations

import time
from typing import Any, Callable, Mapping, Sequence

from .._kube.api import ApiError, Client
from .._kube.objects import Object, Reference, reference, stages
from . import field_migration
from .api_errors import conflicts, told
from .errors import Failed
from .fingerprint import digest, have
from .live_state import uid
from .ownership import MANAGER, identity, key
from .plan import Digests, Want

PATIENCE = 60  # seconds for which a refusal that may pass is met with another try
BREATH = 0.5


class Sender:
    """Sends objects to the cluster."""

    def __init__(
        self,
        client: Client,
        path: Callable[[Reference], str],
        managers: Sequence[str],
        deadline: float,
        check: Callable[[], None],
    ) -> None:
        """Prepare.

        :param path: gives the path of an object.
        :param managers: field managers whose fields are taken over.
        :param deadline: time.monotonic() until which everything must be accepted.
        :param check: called before each stage; raises when this run must not write any more.
        """
        self.client = client
        self.path = path
        self.managers = list(managers)
        self.deadline = deadline
        self.check = check
        self.forced: list[str] = []

    def send(self, wants: Sequence[Want], insist: bool = False) -> Digests:
        """Send all of it. Definitions are served before what uses them comes.

        :param insist: take over, and remember in C(forced), what others have set meanwhile (for the way back).
        :returns: for each object, what was wanted and what the server has of it now.
        :raises Failed: some were refused; the rest of their stage was sent, later stages were not.
        """
        todo = {
            identity(want.name): want for want in wants if want.action not in ("none", "delete", "run") or want.quiet
        }
        digests: Digests = {}
        for stage in stages([want.content for want in todo.values()]):
            self.check()
            some = [todo[identity(reference(content))] for content in stage]
            results = self.client.each(lambda want: self._attempt(want, insist), some)
            problems = [str(result) for result in results if isinstance(result, Failed)]
            if problems:
                raise Failed("\n".join(problems))
            for want, answer in zip(some, results):
                digests[key(want.name)] = [want.wanted or digest(want.content), have(answer)]
            self._await_definitions(stage)
        return digests

    def _attempt(self, want: Want, insist: bool) -> Any:
        try:
            return self._one(want, insist)
        except Failed as error:
            return error

    def _one(self, want: Want, insist: bool) -> Object:
        path, until, force = self.path(want.name), min(self.deadline, time.monotonic() + PATIENCE), want.force
        if want.action == "replace":
            self.remove(want.name, until)
        elif want.quiet:
            self._take_over(path)
        while True:
            try:
                return self.client.apply(path, want.content, MANAGER, force, dry_run=False)
            except ApiError as error:
                owners = conflicts(error)
                if owners and insist and not force:
                    force = True
                    fields = sorted(field for some in owners.values() for field in some)
                    self.forced.append(f"{want.name}: {', '.join(fields)}")
                    continue
                if owners or not may_pass(error) or time.monotonic() >= until:
                    raise Failed(told(error, want.name, None, want.content, "never")) from error
            time.sleep(BREATH)

    def remove(self, name: Reference, until: float, path: str = "") -> None:
        """Delete an object and wait until it is gone, so that it can be made anew.

        :raises Failed: it is still there in the end; its finalizers are named.
        """
        path = path or self.path(name)
        live = self.client.find(path)
        old = uid(live) if live else ""
        if live and not live["metadata"].get("deletionTimestamp"):
            self.client.delete(path, old)
        while live and uid(live) == old:
            if time.monotonic() >= until:
                raise Failed(lingering(live))
            time.sleep(0.2)
            live = self.client.find(path)

    def _take_over(self, path: str) -> None:
        """Make what other managers own ours. A version that is not the newest any more is refused, and asked for again."""
        for _attempt in range(5):
            live = self.client.find(path)
            patch = field_migration.migration(live or {}, self.managers)
            if not patch:
                return
            try:
                self.client.patch(path, patch, "json")
                return
            except ApiError as error:
                if error.status != 409:
                    raise Failed(f"{path}: {error}") from error

    def _await_definitions(self, stage: Sequence[Object]) -> None:
        names = [reference(content) for content in stage if content["kind"] == "CustomResourceDefinition"]
        while names:
            lives = self.client.each(lambda name: self.client.find(self.path(name)), names)
            late = [(name, live) for name, live in zip(names, lives) if not _established(live)]
            if late and time.monotonic() > self.deadline:
                raise Failed("\n".join(_not_served(name, live) for name, live in late))
            names = [name for name, _live in late]
            if names:
                time.sleep(0.2)


def may_pass(error: ApiError) -> bool:
    """Whether a refusal is one of those that end by themselves a moment after what they miss was made.

    A webhook whose pods start, a kind that was defined just now, the default account of a new namespace, a quota that is being
    counted.
    """
    if error.transient or error.status == 404:
        return 'namespaces "' not in error.message
    if error.status == 409:
        return error.reason == "Conflict" and not error.causes
    if error.status == 403:
        return (
            "error looking up service account" in error.message
            or "no API token found for service account" in error.message
        )
    return error.status == 500 and (
        "failed calling webhook" in error.message or "no endpoints available" in error.message
    )


def lingering(live: Mapping[str, Any]) -> str:
    """Say why an object is still there."""
    name = reference(live)
    finalizers = (live.get("metadata") or {}).get("finalizers") or (live.get("spec") or {}).get("finalizers")
    if finalizers:
        return f"{name} is still there: it waits for finalizers: {', '.join(finalizers)}. What handles them must run."
    return f"{name} is still there, though its deletion was asked for. Give it more time with 'timeout'."


def _established(definition: Mapping[str, Any] | None) -> bool:
    conditions = ((definition or {}).get("status") or {}).get("conditions") or []
    return any(one.get("type") == "Established" and one.get("status") == "True" for one in conditions)


def _not_served(name: Reference, live: Mapping[str, Any] | None) -> str:
    conditions = ((live or {}).get("status") or {}).get("conditions") or []
    why = "; ".join(f"{one.get('type')}: {one.get('message')}" for one in conditions if one.get("status") == "False")
    return "{} is not served: {}. See its names and its schema.".format(
        name,
        why or "the server has said nothing about it yet",
    )
