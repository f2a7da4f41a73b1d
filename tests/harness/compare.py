# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hold a dry run against the run that followed it, task by task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from harness.playbook import Event

Key = tuple[str, str, str, str, int]


def by_task(events: Iterable[Event]) -> dict[Key, Event]:
    """Key each event by host, play, place and name of its task, and how often that task ran there before."""
    seen: Counter[tuple[str, str, str, str]] = Counter()
    keyed = {}
    for event in events:
        task = (event.host, event.play, event.path, event.task)
        keyed[(*task, seen[task])] = event
        seen[task] += 1
    return keyed


def differences(predicted: Iterable[Event], actual: Iterable[Event]) -> list[str]:
    """Return a sentence for each task of which the dry run said something else than the run then did.

    A task counts as changing a host or not: skipped, absent and ok are one thing.
    """
    said, done = by_task(predicted), by_task(actual)
    found = []
    for key in {**said, **done}:
        host, play, path, task = key[:4]
        statuses = [side[key].status if key in side else "absent" for side in (said, done)]
        if (
            (statuses[0] == "changed") != (statuses[1] == "changed")
            or "failed" in statuses
            or "unreachable" in statuses
        ):
            found.append(f"{host}: {task} ({path}, in {play!r}): dry run {statuses[0]}, run {statuses[1]}")
    return found


def announced(events: Iterable[Event]) -> list[str]:
    """Return a sentence for each task that a silent dry run should not have: one that changes or shows a difference."""
    return [
        f"{event.host}: {event.task} ({event.path}): {event.status}"
        for event in events
        if event.status == "changed" or event.diff
    ]
