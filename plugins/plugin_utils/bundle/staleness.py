# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what is wanted and what is there to the steps that are left. Pure functions.

A step's fingerprint is the digest of everything that decides its result, its forerunners' included. A step is left to do
when its recorded fingerprint differs, when a file of its result is missing or corrupt, or when it builds on such a step.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Step:
    """One unit of work with a result of its own."""

    key: str
    kind: str
    title: str
    inputs: Mapping[str, Any] = field(default_factory=dict)  # what decides the result; plain JSON
    after: tuple[str, ...] = ()
    kept: bool = True  # the result is part of the bundle; otherwise it only serves later steps
    hints: Mapping[str, Any] = field(default_factory=dict)  # what the work needs but the result does not depend on


@dataclass(frozen=True)
class Finished:
    """What the index says of a step that was done."""

    fingerprint: str
    files: tuple[str, ...]


@dataclass
class Have:
    """What was found: finished steps, files that are not as recorded, all files, and results in the work folder."""

    finished: Mapping[str, Finished] = field(default_factory=dict)
    broken: Mapping[str, str] = field(default_factory=dict)  # path -> what is wrong with it
    files: frozenset[str] = frozenset()  # what lies in the bundle, index left out
    ready: frozenset[str] = frozenset()  # fingerprints of results that are not part of the bundle


@dataclass
class Plan:
    """Steps in the order in which they are to be done, why, and files that nothing wants any more."""

    steps: list[Step] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)
    remove: list[str] = field(default_factory=list)

    @property
    def changes(self) -> bool:
        return bool(self.steps or self.remove)


def digest_of(value: Any) -> str:
    """sha256 (hexadecimal) of a plain value, the same for equal values."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def fingerprints(steps: Sequence[Step]) -> dict[str, str]:
    """Fingerprint of every step; forerunners come before their followers in *steps*.

    :raises KeyError: a step names a forerunner that does not come before it.
    """
    prints: dict[str, str] = {}
    for step in steps:
        prints[step.key] = digest_of([step.kind, step.inputs, [prints[key] for key in step.after]])
    return prints


def plan(steps: Sequence[Step], have: Have) -> Plan:
    """What is left to do.

    :param steps: everything wanted, forerunners first.
    :param have: what was found.
    """
    prints = fingerprints(steps)
    by_key = {step.key: step for step in steps}
    reasons: dict[str, str] = {}
    for step in steps:
        if step.kept:
            reason = _why(step, prints[step.key], have, reasons)
            if reason:
                reasons[step.key] = reason
    needed = set(reasons)
    for step in reversed(steps):
        if step.key in needed:
            needed.update(key for key in step.after if not by_key[key].kept and prints[key] not in have.ready)
    owned = {path for step in steps if step.key in have.finished for path in have.finished[step.key].files}
    return Plan(
        steps=[step for step in steps if step.key in needed],
        reasons=reasons,
        remove=sorted(have.files - owned),
    )


def _why(step: Step, fingerprint: str, have: Have, reasons: Mapping[str, str]) -> str:
    """Why a step that leaves something in the bundle is to be done; empty when it is done already."""
    finished = have.finished.get(step.key)
    if finished is None:
        return "not there yet"
    for path in finished.files:
        if path in have.broken:
            return f"{path} {have.broken[path]}"
    if finished.fingerprint != fingerprint:
        return "made from something else"
    for key in step.after:
        if key in reasons:
            return f"{key} is made again"
    return ""
