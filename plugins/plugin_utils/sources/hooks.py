# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hooks: Jobs that run before or after a release, told by an annotation; their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .errors import SourceError

HOOK = "slipway.kube/hook"
AFTER = "slipway.kube/hook-after"
WHEN = ("pre", "post")
JOB = "Job"


def name_of(content: Mapping[str, Any]) -> str:
    """Give the name of an object."""
    return str((content.get("metadata") or {}).get("name") or "")


def annotations_of(content: Mapping[str, Any]) -> dict[str, Any]:
    """Give the annotations of an object."""
    return (content.get("metadata") or {}).get("annotations") or {}


def awaited(content: Mapping[str, Any]) -> list[str]:
    """Give the names of the hooks that must have ended before this one."""
    return [
        name for name in (part.strip() for part in str(annotations_of(content).get(AFTER) or "").split(",")) if name
    ]


def in_order(hooks: Sequence[Mapping[str, Any]], when: str) -> list[Mapping[str, Any]]:
    """Sort hooks so that each comes after those that it waits for, and otherwise stays where it is.

    :param when: C(pre) or C(post), for messages.
    :raises SourceError: one waits for a hook that there is not, or some wait for each other.
    """
    names = {name_of(hook) for hook in hooks}
    problems = [
        "Hook {} ({}) waits for {!r} in {}: there is no such hook; there are: {}.".format(
            name_of(hook), when, other, AFTER, ", ".join(sorted(names))
        )
        for hook in hooks
        for other in awaited(hook)
        if other not in names
    ]
    if problems:
        raise SourceError(problems)
    left, done, ordered = list(hooks), set[str](), list[Mapping[str, Any]]()
    while left:
        ready = next((hook for hook in left if done.issuperset(awaited(hook))), None)
        if ready is None:
            raise SourceError([f"Hooks ({when}) wait for each other: {_cycle(left)}. Leave one out of {AFTER}."])
        left.remove(ready)
        ordered.append(ready)
        # Objects of one name and another kind (a Job's account) do not end the wait for the Job.
        if all(name_of(hook) != name_of(ready) for hook in left):
            done.add(name_of(ready))
    return ordered


def _cycle(stuck: Sequence[Mapping[str, Any]]) -> str:
    """Follow who waits for whom until a name comes again."""
    names = {name_of(hook): hook for hook in stuck}
    path = [next(iter(names))]
    while path[-1] not in path[:-1]:
        path.append(next(name for name in awaited(names[path[-1]]) if name in names))
    return " -> ".join(path[path.index(path[-1]) :])
