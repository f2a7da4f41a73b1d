# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deleting objects in reverse apply order, and waiting until they are gone. What can never go is told early."""

from __future__ import annotations

import time
from typing import Any, Callable, Mapping, Sequence

from .._kube.api import ApiError, Client
from .._kube.objects import WORKLOADS, Object, Reference, is_custom, mapping, reference, stages
from .api_errors import explain
from .errors import OperationFailed
from .live_state import uid

Path = Callable[[Reference], str]
# For this many seconds, the claim of a volume may still be deleted by a controller.
PROTECTED = 5.0


def delete_in_order(
    client: Client,
    path: Path,
    lives: Sequence[Object],
    deadline: float,
    after_stage: Callable[[list[Object]], None] | None = None,
    on_poll: Callable[[Sequence[Object]], None] | None = None,
    propagation: str = "Background",
) -> list[Reference]:
    """Delete objects in reverse apply order, each only if it still has the UID that was read.

    Custom resources with finalizers are gone before what finalizes them is deleted: their operator, its permissions, their definitions.

    :param path: returns the URL path of an object.
    :param lives: the live objects, including those that are already being deleted.
    :param deadline: time.monotonic() at which to give up waiting for finalizers.
    :param on_poll: called while custom resources still exist, with these.
    :param propagation: how the dependents of workloads are deleted.
    :param after_stage: called with the objects of each stage after their deletion was requested.
    :returns: the objects that were deleted.
    :raises OperationFailed: the server refused some deletions, or finalizers remain at the deadline; the message lists all of them.
    """

    def delete(live: Object) -> Any:
        name = reference(live)
        try:
            return client.delete(path(name), uid(live), propagation if name.kind in WORKLOADS else "Background")
        except ApiError as error:
            return OperationFailed(explain(error, name))

    deleted: list[Reference] = []
    for stage in reversed(stages(lives)):
        results = client.each(delete, stage)
        problems = [str(result) for result in results if isinstance(result, OperationFailed)]
        if problems:
            raise OperationFailed("\n".join(problems))
        held = [live for live in stage if is_custom(live) and live["metadata"].get("finalizers")]
        wait_until_gone(client, path, held, deadline, on_poll)
        deleted += [reference(live) for live, result in zip(stage, results) if result]
        if after_stage is not None:
            after_stage(stage)
    return deleted


def delete_in_waves(
    client: Client,
    path: Path,
    waves: Sequence[list[Object]],
    deadline: float,
    on_poll: Callable[[Sequence[Object]], None] | None = None,
    wait: bool = True,
) -> list[Reference]:
    """Delete the objects of several waves, the last wave first.

    :param on_poll: called while objects still exist, with all that do.
    :param wait: wait until workloads with their pods and custom resources of a wave are gone, before those of the wave before it are deleted.
    :returns: the objects that were deleted.
    :raises OperationFailed: as :func:`delete_in_order`.
    """
    deleted: list[Reference] = []
    for number in range(len(waves) - 1, -1, -1):
        wave, rest = waves[number], [live for before in waves[:number] for live in before]

        def report(left: Sequence[Object], rest: Sequence[Object] = rest) -> None:
            if on_poll is not None:
                on_poll([*left, *rest])

        waits = wait and bool(rest)
        way = "Foreground" if waits else "Background"
        deleted += delete_in_order(client, path, wave, deadline, on_poll=report, propagation=way)
        if waits:
            serving = [live for live in wave if live.get("kind") in WORKLOADS or is_custom(live)]
            wait_until_gone(client, path, serving, deadline, report)
    return deleted


def wait_until_gone(
    client: Client,
    path: Path,
    lives: Sequence[Object],
    deadline: float,
    on_poll: Callable[[Sequence[Object]], None] | None = None,
) -> None:
    """Wait until no object with the UID of one of these exists.

    :param deadline: time.monotonic() at which to give up.
    :param on_poll: called after each poll with the objects that still exist.
    :raises OperationFailed: some objects still exist at the deadline, or will exist however long one waits; the message says why.
    """
    left = list(lives)
    pause = 0.1
    certain = min(time.monotonic() + PROTECTED, deadline)
    while True:
        found = client.each(lambda live: client.find(path(reference(live))), left)
        left = [new for old, new in zip(left, found) if new is not None and uid(new) == uid(old)]
        if not left:
            return
        if time.monotonic() >= certain:
            protected = [text for text in (protected_by_claim(client, live) for live in left) if text]
            if protected:
                raise OperationFailed("\n".join(protected))
        if time.monotonic() >= deadline:
            raise OperationFailed("\n".join(why_still_there(live) for live in left))
        if on_poll is not None:
            on_poll(left)
        time.sleep(pause)
        pause = min(pause * 1.5, 0.5)


def protected_by_claim(client: Client, live: Mapping[str, Any]) -> str:
    """Return why a PersistentVolume stays: a claim is bound to it that nobody is deleting; empty if that is not so.

    A StatefulSet leaves its claims behind, which hold a volume of the same release
    (https://kubernetes.io/docs/concepts/storage/persistent-volumes/#storage-object-in-use-protection).
    """
    claim = mapping(mapping(live.get("spec")).get("claimRef"))
    namespace, name = claim.get("namespace"), claim.get("name")
    if live.get("kind") != "PersistentVolume" or not name or not mapping(live.get("metadata")).get("deletionTimestamp"):
        return ""
    try:
        found = client.find(f"/api/v1/namespaces/{namespace}/persistentvolumeclaims/{name}")
    except ApiError:
        return ""
    metadata = mapping(mapping(found).get("metadata"))
    # What an object owns is deleted with it.
    if not metadata or metadata.get("deletionTimestamp") or metadata.get("ownerReferences"):
        return ""
    return (
        f"{reference(live)} still exists, and will as long as PersistentVolumeClaim {namespace}/{name} is bound to it, which is not deleted with "
        f"the release. If its data is no longer needed, delete the claim (kubectl delete pvc {name} --namespace {namespace}); then the volume "
        "goes as well. Then run this again. [slipway:deletion_blocked]"
    )


def why_still_there(live: Mapping[str, Any]) -> str:
    """Explain why an object still exists although its deletion was requested."""
    finalizers = (live.get("metadata") or {}).get("finalizers") or (live.get("spec") or {}).get("finalizers")
    if finalizers == ["foregroundDeletion"]:
        return (
            f"{reference(live)} still exists: its pods have not ended. Increase the timeout. [slipway:deletion_timeout]"
        )
    if finalizers:
        return (
            f"{reference(live)} still exists: it has the finalizers {', '.join(finalizers)}. "
            "Make sure that the controllers that remove them are running. [slipway:deletion_timeout]"
        )
    return f"{reference(live)} still exists although its deletion was requested. Increase the timeout. [slipway:deletion_timeout]"
