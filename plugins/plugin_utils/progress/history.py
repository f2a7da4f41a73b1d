# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the phases of earlier runs took. The file holds digests and seconds only: no name, path or variable."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from .private import write
from .state import Run

Known = dict[str, dict[str, list[float]]]  # seconds by phase by kind of run, the oldest first
KINDS = 50  # kinds of runs that are kept
RUNS = 5  # durations of a phase that are kept


def digest(*parts: str) -> str:
    """Return a short name for texts that must not be read from the file."""
    return hashlib.sha256("\0".join(parts).encode(errors="surrogateescape")).hexdigest()[:16]


def phase_names(names: Iterable[str]) -> list[str]:
    """Return a digest per phase: phases of one name are told apart by their order."""
    seen: dict[str, int] = {}
    digests = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        digests.append(digest(name, str(seen[name])))
    return digests


def estimates(known: Mapping[str, Mapping[str, list[float]]], kind: str, phases: Iterable[str]) -> list[float | None]:
    """Return the median duration of each phase in earlier runs of that kind."""
    runs = known.get(kind, {})
    return [sorted(runs[phase])[len(runs[phase]) // 2] if runs.get(phase) else None for phase in phases]


def expected(run: Run) -> float | None:
    """Return the seconds that the whole run takes by earlier runs, None where they do not know all of its phases."""
    seconds = [phase.estimate for phase in run.phases if phase.estimate is not None]
    return sum(seconds) if len(seconds) == len(run.phases) and seconds else None


def remembered(known: Known, kind: str, phases: Iterable[str], run: Run) -> Known:
    """Return what is known after a run; of the kinds of runs, those that ran last are kept."""
    runs = dict(known.get(kind, {}))
    there = {}
    for name, phase in zip(phases, run.phases, strict=False):
        if phase.started is not None:
            there[name] = [*runs.get(name, []), round(phase.seconds, 1)][-RUNS:]
    others = [(key, value) for key, value in known.items() if key != kind]
    return dict([*others, (kind, there)][-KINDS:])


def load(path: Path) -> Known:
    """Read the file; one that is missing or damaged is empty."""
    try:
        found = json.loads(path.read_text())
        return {
            str(kind): {str(name): [float(one) for one in seconds] for name, seconds in phases.items()}
            for kind, phases in found.items()
        }
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def save(path: Path, known: Known) -> None:
    """Replace the file. It is a cache: where it cannot be written, nothing is kept."""
    with suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write(path, json.dumps(known))
