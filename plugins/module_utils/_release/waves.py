# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waves: objects of a later wave are applied when those of the earlier ones are ready, and are deleted before them."""

from __future__ import annotations

from typing import Any, Iterable, List, Mapping, Sequence, TypeVar

from .._kube.objects import FIRST, Object, mapping, reference
from .planned import PlannedObject
from .wait_rules import matches

WAVE = "slipway.kube/wave"
Entries = List[Mapping[str, Any]]
T = TypeVar("T")


def problems(contents: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return a sentence for each object whose annotation is no number."""
    return [
        f"{reference(content)}: the annotation {WAVE} is {_annotated(content)!r}. Set an integer in quotes, such as '1'."
        for content in contents
        if _annotated(content) and _number(content) is None
    ]


def wave_of(content: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]) -> int | None:
    """Return the wave of an object; None if none is given.

    :param entries: of the option C(waves), of which the first that is about the object counts. The annotation precedes them.
    """
    number = _number(content)
    if number is not None:
        return number
    name = reference(content)
    return next((int(entry["wave"]) for entry in entries if matches(entry, name)), None)


def split(planned: Sequence[PlannedObject]) -> list[list[PlannedObject]]:
    """Sort objects into their waves; without a number it is wave 0, but namespaces and definitions belong to the first one."""
    return _split([(one, one.name.kind, one.wave) for one in planned])


def split_live(lives: Sequence[Object], entries: Sequence[Mapping[str, Any]]) -> list[list[Object]]:
    """Sort live objects into their waves.

    :param entries: those with which they were applied.
    """
    return _split([(live, str(live.get("kind")), wave_of(live, entries)) for live in lives])


def recorded(state: Mapping[str, Any]) -> Entries:
    """Return the entries of the option with which the objects of a revision were applied, and then those of what it inherits.

    :param state: of the revision.
    """
    return [*(state.get("waves") or []), *(state.get("waves_before") or [])]


def records(entries: Sequence[Mapping[str, Any]], before: Mapping[str, Any]) -> dict[str, Entries]:
    """Return what the state of a revision keeps of the option.

    :param before: the state so far, or that of the revision before.
    """
    return {
        "waves": [dict(entry) for entry in entries],
        "waves_before": [entry for entry in recorded(before) if entry not in entries],
    }


def _split(items: Sequence[tuple[T, str, int | None]]) -> list[list[T]]:
    first = min([0, *(number for _item, _kind, number in items if number is not None)])
    waves: dict[int, list[T]] = {}
    for item, kind, number in items:
        waves.setdefault((first if kind in FIRST else 0) if number is None else number, []).append(item)
    return [waves[number] for number in sorted(waves)]


def _annotated(content: Mapping[str, Any]) -> Any:
    return mapping(mapping(content.get("metadata")).get("annotations")).get(WAVE)


def _number(content: Mapping[str, Any]) -> int | None:
    try:
        return int(str(_annotated(content)))
    except ValueError:
        return None
