# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hooks: Jobs that run before or after a release, marked by an annotation; their order."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

from ..module_utils._release.settings import PHASES
from .errors import InputError

HOOK = "slipway.kube/hook"
AFTER = "slipway.kube/hook-after"
WHEN = PHASES
JOB = "Job"
T = TypeVar("T")


def name_of(content: Mapping[str, Any]) -> str:
    """Return the name of an object."""
    return str((content.get("metadata") or {}).get("name") or "")


def annotations_of(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the annotations of an object."""
    return (content.get("metadata") or {}).get("annotations") or {}


def predecessors(content: Mapping[str, Any]) -> list[str]:
    """Return the names of the hooks that must complete before this one."""
    return [name for part in str(annotations_of(content).get(AFTER) or "").split(",") if (name := part.strip())]


def sort(hooks: Sequence[T], name: Callable[[T], str], after: Callable[[T], Collection[str]]) -> list[T]:
    """Sort hooks so that each follows its predecessors and otherwise keeps its place.

    :param name: returns the name of a hook.
    :param after: returns the names of a hook's predecessors, all of them names of *hooks*.
    :raises InputError: hooks wait for each other; the only problem is the cycle (C(a -> b -> a)).
    """
    pending, done, ordered = list(hooks), set[str](), list[T]()
    while pending:
        ready = next((hook for hook in pending if done.issuperset(after(hook))), None)
        if ready is None:
            waiting = {name(hook): after(hook) for hook in pending}
            path = [next(iter(waiting))]
            while path[-1] not in path[:-1]:
                path.append(next(other for other in waiting[path[-1]] if other in waiting))
            raise InputError(" -> ".join(path[path.index(path[-1]) :]))
        pending.remove(ready)
        ordered.append(ready)
        # Several objects may have one name (a Job and its ServiceAccount): all of them come before what waits for the name.
        if all(name(hook) != name(ready) for hook in pending):
            done.add(name(ready))
    return ordered


def in_order(hooks: Sequence[Mapping[str, Any]], when: str) -> list[Mapping[str, Any]]:
    """Sort the Jobs of a release by their annotations.

    :param when: one of C(WHEN), for messages.
    :raises InputError: a hook waits for an unknown one, or hooks wait for each other.
    """
    names = {name_of(hook) for hook in hooks}
    problems = [
        f"Hook {name_of(hook)} ({when}): {AFTER} names the unknown hook {other!r} (available: {', '.join(sorted(names))})."
        for hook in hooks
        for other in predecessors(hook)
        if other not in names
    ]
    if problems:
        raise InputError(*problems)
    try:
        return sort(hooks, name_of, predecessors)
    except InputError as cycle:
        raise InputError(f"Hooks ({when}) wait for each other: {cycle}. Remove one of them from {AFTER}.") from None
