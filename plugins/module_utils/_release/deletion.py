# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deleting objects in reverse apply order, and waiting until they are gone."""

from __future__ import annotations

import time
from typing import Any, Callable, Mapping, Sequence

from .._kube.api import ApiError, Client
from .._kube.objects import Object, Reference, is_custom, reference, stages
from .api_errors import explain
from .errors import OperationFailed
from .live_state import uid

Path = Callable[[Reference], str]


def delete_in_order(
    client: Client,
    path: Path,
    lives: Sequence[Object],
    deadline: float,
    after_stage: Callable[[list[Object]], None] | None = None,
    on_poll: Callable[[Sequence[Object]], None] | None = None,
) -> list[Reference]:
    """Delete objects in reverse apply order, each only if it still has the UID that was read.

    Custom resources with finalizers are gone before what finalizes them is deleted: their operator, its permissions, their definitions.

    :param path: returns the URL path of an object.
    :param lives: the live objects, including those that are already being deleted.
    :param deadline: time.monotonic() at which to give up waiting for finalizers.
    :param on_poll: called while custom resources still exist, with these.
    :param after_stage: called with the objects of each stage after their deletion was requested.
    :returns: the objects that were deleted.
    :raises OperationFailed: the server refused some deletions, or finalizers remain at the deadline; the message lists all of them.
    """

    def delete(live: Object) -> Any:
        name = reference(live)
        try:
            return client.delete(path(name), uid(live))
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
    :raises OperationFailed: some objects still exist at the deadline; the message names their finalizers.
    """
    left = list(lives)
    pause = 0.1
    while True:
        found = client.each(lambda live: client.find(path(reference(live))), left)
        left = [new for old, new in zip(left, found) if new is not None and uid(new) == uid(old)]
        if not left:
            return
        if time.monotonic() >= deadline:
            raise OperationFailed("\n".join(why_still_there(live) for live in left))
        if on_poll is not None:
            on_poll(left)
        time.sleep(pause)
        pause = min(pause * 1.5, 0.5)


def why_still_there(live: Mapping[str, Any]) -> str:
    """Explain why an object still exists although its deletion was requested."""
    finalizers = (live.get("metadata") or {}).get("finalizers") or (live.get("spec") or {}).get("finalizers")
    if finalizers:
        return (
            f"{reference(live)} still exists: it has the finalizers {', '.join(finalizers)}. "
            "Make sure that the controllers that remove them are running. [slipway:deletion_timeout]"
        )
    return f"{reference(live)} still exists although its deletion was requested. Increase the timeout. [slipway:deletion_timeout]"
