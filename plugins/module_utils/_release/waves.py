# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waves: objects of a later wave are applied when those of the earlier ones are ready."""

from __future__ import annotations

from typing import Any, Iterable, Mapping, Sequence

from .._kube.objects import FIRST, mapping, reference
from .planned import PlannedObject
from .wait_rules import matches

WAVE = "slipway.kube/wave"


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
    numbers = [one.wave for one in planned]
    first = min([0, *(number for number in numbers if number is not None)])
    waves: dict[int, list[PlannedObject]] = {}
    for one, number in zip(planned, numbers):
        waves.setdefault((first if one.name.kind in FIRST else 0) if number is None else number, []).append(one)
    return [waves[number] for number in sorted(waves)]


def _annotated(content: Mapping[str, Any]) -> Any:
    return mapping(mapping(content.get("metadata")).get("annotations")).get(WAVE)


def _number(content: Mapping[str, Any]) -> int | None:
    try:
        return int(str(_annotated(content)))
    except ValueError:
        return None
