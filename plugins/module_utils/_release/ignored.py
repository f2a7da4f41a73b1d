# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fields of objects that are set when an object is created and keep the value that the cluster has afterwards.

Others own them (an injected caBundle, replicas), or a chart makes them anew with each rendering (passwords, certificates). They are
named by JSON pointers (RFC 6901), in which C(*) stands for every key of a mapping and every item of a list.
"""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from typing import Any, Container, Iterator, Mapping, Sequence

from .._kube.objects import Object, reference

POINTER = re.compile(r"(/([^~/]|~[01])*)+")
# An object is found by these.
IDENTITY = ("apiVersion", "kind", "metadata/name", "metadata/namespace")


@dataclass(frozen=True)
class Ignored:
    """Some fields of some objects; an empty name or namespace stands for any.

    :ivar fields: JSON pointers.
    """

    kind: str
    fields: tuple[str, ...]
    name: str = ""
    namespace: str = ""

    def matches(self, content: Mapping[str, Any]) -> bool:
        """Return whether the fields are those of an object."""
        found = reference(content)
        return (
            found.kind == self.kind
            and self.name in ("", found.name)
            # Before an object is placed, it has no namespace.
            and self.namespace in ("", found.namespace)
        )


def problems(entries: Sequence[Mapping[str, Any]], option: str) -> list[str]:
    """Explain which fields of an option are no JSON pointers, or identify an object."""
    found = []
    for number, entry in enumerate(entries, 1):
        for pointer in entry.get("fields") or []:
            where = f"{option}[{number}].fields: {pointer!r}"
            if not POINTER.fullmatch(pointer):
                found.append(
                    f"{where} is not a JSON pointer. Begin it with '/', and write '~1' for a '/' in a key, as in "
                    "/metadata/annotations/example.com~1owner."
                )
            elif any(part == pointer[1:] or part.startswith(pointer[1:] + "/") for part in IDENTITY):
                found.append(f"{where} identifies the object. Name a field below spec, data or metadata.")
    return found


def read(entries: Sequence[Mapping[str, Any]]) -> list[Ignored]:
    """Read the entries of an option, which have C(kind), C(fields), and may have C(name) and C(namespace)."""
    return [
        Ignored(
            entry["kind"],
            tuple(_stored(entry["kind"], one) for one in entry["fields"]),
            entry.get("name") or "",
            entry.get("namespace") or "",
        )
        for entry in entries
    ]


def _stored(kind: str, pointer: str) -> str:
    """Return where the server stores a field: C(stringData) of a Secret becomes C(data)."""
    return re.sub("^/stringData(?=/|$)", "/data", pointer) if kind == "Secret" else pointer


def with_live(content: Object, live: Mapping[str, Any] | None, ignored: Sequence[Ignored]) -> Object:
    """Return an object in which ignored fields have the value of the live object, where both have the field."""
    some = [pointer for one in ignored if one.matches(content) for pointer in one.fields] if live else []
    if not some:
        return content
    made, pinned = copy.deepcopy(content), [_parts(pointer) for pointer in some]
    for pointer in some:
        for holder, other, key, theirs in _places(made, live, _parts(pointer), pinned):
            holder[key] = copy.deepcopy(other[theirs])
    return made


def without(content: Object, ignored: Sequence[Ignored]) -> Object:
    """Return an object without its ignored fields, to compare what is intended."""
    some = [pointer for one in ignored if one.matches(content) for pointer in one.fields]
    if not some:
        return content
    made = copy.deepcopy(content)
    for pointer in some:
        for holder, _other, key, _theirs in _places(made, made, _parts(pointer)):
            holder[key] = None
    return made


def _parts(pointer: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def _places(
    mine: Any, theirs: Any, parts: Sequence[str], pinned: Sequence[Sequence[str]] = ()
) -> Iterator[tuple[Any, Any, Any, Any]]:
    """Return where two structures have a field: both holders, each with its key.

    :param pinned: all pointers into these structures.
    """
    pinned = [one for one in pinned if one]
    for key, other in list(_keys(mine, theirs, parts[0], {one[0] for one in pinned})):
        if parts[1:]:
            below = [one[1:] for one in pinned if one[0] == parts[0]]
            yield from _places(mine[key], theirs[other], parts[1:], below)
        else:
            yield mine, theirs, key, other


def _keys(mine: Any, theirs: Any, part: str, pinned: Container[str]) -> Iterator[tuple[Any, Any]]:
    """Return the keys that a part of a pointer stands for in two mappings or lists.

    Items with a name are found by it. Others are found by their position if the items to which nothing points are the same, as the
    position would be that of another item otherwise.
    """
    if isinstance(mine, dict) and isinstance(theirs, Mapping):
        yield from ((key, key) for key in (mine if part == "*" else [part]) if key in mine and key in theirs)
    elif isinstance(mine, list) and isinstance(theirs, list):
        chosen = range(len(mine)) if part == "*" else [int(part)] if part.isdigit() and int(part) < len(mine) else []
        aligned = part == "*" or (
            len(mine) == len(theirs)
            and all(str(at) in pinned or _within(*pair) for at, pair in enumerate(zip(mine, theirs)))
        )
        for number in chosen:
            name = mine[number].get("name") if isinstance(mine[number], dict) else None
            named = [at for at, item in enumerate(theirs) if isinstance(item, Mapping) and item.get("name") == name]
            if name is not None:
                yield from ((number, at) for at in named[:1])
            elif aligned and number < len(theirs):
                yield number, number


def _within(mine: Any, theirs: Any) -> bool:
    """Return whether two values are the same apart from what the server has added."""
    if isinstance(mine, Mapping) and isinstance(theirs, Mapping):
        return all(key in theirs and _within(value, theirs[key]) for key, value in mine.items())
    if isinstance(mine, list) and isinstance(theirs, list):
        return len(mine) == len(theirs) and all(map(_within, mine, theirs))
    return bool(mine == theirs)
