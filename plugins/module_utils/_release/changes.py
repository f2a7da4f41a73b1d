# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan as a person reads it: a line with numbers, and one for each object with the fields that change. Pure functions."""

from __future__ import annotations

from typing import Any, Iterator, Mapping, Sequence

from .._kube.objects import MASK, mapping, showable
from .drift import pairs
from .planned import PlannedObject

ORDER = ("create", "change", "replace", "run", "delete")
SHOWN = 6  # fields of an object, of which the others are counted
# Fields whose texts are no secrets and say more than that they change.
TOLD = ("image", "type", "schedule", "storage", "cpu", "memory", "version", "host", "path")
LONGEST = 120


def sentences(planned: Sequence[PlannedObject], drift: Sequence[Mapping[str, Any]] = (), since: int = 0) -> list[str]:
    """Return what becomes of some objects; empty if nothing does.

    :param drift: what somebody has changed in the cluster since a revision (see C(drift.py)).
    :param since: the number of that revision.
    """
    moved = [one for one in planned if one.action != "none" or one.takes_over]
    lines = [_numbers(planned)] if moved else []
    lines += [_sentence(one) for one in moved]
    return lines + [_drifted(one, since) for one in drift]


def _numbers(planned: Sequence[PlannedObject]) -> str:
    actions = [one.action for one in planned]
    parts = [f"{action} {actions.count(action)}" for action in ORDER if action in actions]
    parts += [f"unchanged {actions.count('none')}"] if "none" in actions else []
    return ", ".join(parts)


def _sentence(one: PlannedObject) -> str:
    what = f"{one.name}: {one.action if one.action != 'none' else 'take over fields of other managers'}"
    what += f" in wave {one.wave}" if one.wave else ""
    if one.action == "replace":
        return f"{what}, {one.way}"
    if one.action == "change":
        return what + _some(list(_fields(*showable(one.before, one.after), "")))
    return what


def _drifted(one: Mapping[str, Any], since: int) -> str:
    space = f"{one['namespace']}/" if one["namespace"] else ""
    fields = [
        field["field"].strip("/").replace("/", ".") + (f" by {field['manager']}" if field["manager"] else "")
        for field in one["fields"]
    ]
    return f"{one['kind']} {space}{one['name']}: {one['change']} in the cluster since revision {since}{_some(fields)}"


def _some(fields: Sequence[str]) -> str:
    """Return the first fields in parentheses, with a leading space; empty if there are none."""
    more = [f"and {len(fields) - SHOWN} more fields"] if len(fields) > SHOWN else []
    return f" ({', '.join([*fields[:SHOWN], *more])})" if fields else ""


def _fields(before: Any, after: Any, path: str) -> Iterator[str]:
    """Return the fields in which two structures differ, with their values where these are short and no secrets."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in dict.fromkeys([*before, *after]):
            # Annotations and labels have dots in their names.
            below = f"{path}[{key}]" if "." in str(key) else f"{path}.{key}".lstrip(".")
            yield from _change(before, after, key, below)
        return
    paired = pairs(before, after) if isinstance(before, list) and isinstance(after, list) else None
    if paired is not None:
        for old, new in paired:
            item = before[old] if old is not None else after[new]
            label = mapping(item).get("name", old if old is not None else new)
            one = {} if old is None else {"": before[old]}
            other = {} if new is None else {"": after[new]}
            yield from _change(one, other, "", f"{path}[{label}]")
    elif before != after:
        yield path + _values(path, before, after)


def _change(before: Mapping[Any, Any], after: Mapping[Any, Any], key: Any, path: str) -> Iterator[str]:
    if key not in before:
        yield f"{path} added"
    elif key not in after:
        yield f"{path} removed"
    else:
        yield from _fields(before[key], after[key], path)


def _values(path: str, before: Any, after: Any) -> str:
    name = path.rpartition(".")[2]
    if path.startswith(("data.", "binaryData.")):
        return ""  # of a ConfigMap, whose keys mean anything
    if all(isinstance(one, (int, float)) for one in (before, after)) or name in TOLD:
        text = f" {_shown(before)} -> {_shown(after)}"
        return text if len(text) <= LONGEST and "\n" not in text and MASK not in text else ""
    return ""


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
