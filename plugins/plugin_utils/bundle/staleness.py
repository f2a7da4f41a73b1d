# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide which build steps are pending, by comparing the requested steps with the existing bundle. Pure functions.

The fingerprint of a step is the digest of everything that determines its result, including the steps it depends on. A
step is pending when its recorded fingerprint differs, when a file of its result is missing or corrupt, or when a step
it depends on is pending.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class BuildStep:
    """One unit of work with its own result."""

    key: str
    kind: str
    title: str
    inputs: Mapping[str, Any] = field(default_factory=dict)  # what determines the result; plain JSON
    after: tuple[str, ...] = ()  # keys of the steps that it depends on
    kept: bool = True  # the result is part of the bundle; otherwise it only serves later steps
    hints: Mapping[str, Any] = field(default_factory=dict)  # what the work needs but the result does not depend on


@dataclass(frozen=True)
class StepResult:
    """What the index records of a completed step."""

    fingerprint: str
    files: tuple[str, ...]


@dataclass
class BundleState:
    """The existing bundle and work folder."""

    finished: Mapping[str, StepResult] = field(default_factory=dict)
    broken: Mapping[str, str] = field(default_factory=dict)  # path -> what is wrong with it
    files: frozenset[str] = frozenset()  # all files of the bundle except the index
    ready: frozenset[str] = frozenset()  # fingerprints of intermediate results in the work folder


@dataclass
class PendingWork:
    """Pending steps in order of execution, the reason for each, and obsolete files."""

    steps: list[BuildStep] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)
    remove: list[str] = field(default_factory=list)

    @property
    def changes(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.steps or self.remove)

    def reason(self, step: BuildStep) -> str:
        """Return why *step* is pending."""
        return self.reasons.get(step.key, "required by a later step")


def digest_of(value: Any) -> str:
    """Return the sha256 digest (hexadecimal) of a plain value; equal values have equal digests."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def fingerprints(steps: Sequence[BuildStep]) -> dict[str, str]:
    """Return the fingerprint of every step by its key.

    :param steps: steps in dependency order.
    :raises KeyError: a step precedes one that it depends on.
    """
    prints: dict[str, str] = {}
    for step in steps:
        prints[step.key] = digest_of([step.kind, step.inputs, [prints[key] for key in step.after]])
    return prints


def pending_work(steps: Sequence[BuildStep], state: BundleState) -> PendingWork:
    """Return the work that turns the existing bundle into the requested one.

    :param steps: all steps of the requested bundle, in dependency order.
    """
    prints = fingerprints(steps)
    by_key = {step.key: step for step in steps}
    reasons: dict[str, str] = {}
    for step in steps:
        if step.kept and (reason := _why_pending(step, prints[step.key], state, reasons)):
            reasons[step.key] = reason
    needed = set(reasons)
    for step in reversed(steps):
        if step.key in needed:
            needed.update(key for key in step.after if not by_key[key].kept and prints[key] not in state.ready)
    owned = {path for step in steps if step.key in state.finished for path in state.finished[step.key].files}
    return PendingWork([step for step in steps if step.key in needed], reasons, sorted(state.files - owned))


def _why_pending(step: BuildStep, fingerprint: str, state: BundleState, reasons: Mapping[str, str]) -> str:
    """Return why a step whose result is part of the bundle is pending; empty when it is complete."""
    finished = state.finished.get(step.key)
    if finished is None:
        return "does not exist yet"
    for path in finished.files:
        if path in state.broken:
            return f"{path} {state.broken[path]}"
    if finished.fingerprint != fingerprint:
        return "its inputs have changed"
    return next((f"{key} is rebuilt" for key in step.after if key in reasons), "")
