# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inspect, build, verify and remove a bundle, or another folder with an index."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from . import index as index_file
from .executors import StepExecutor
from .files import prune
from .index import BUNDLE, Index, Kind
from .names import BundleError
from .staleness import BuildStep, BundleState, PendingWork, StepResult, pending_work


@dataclass
class Inspection:
    """The existing bundle compared with the requested one."""

    steps: list[BuildStep]
    index: Index
    broken: dict[str, str]
    pending: PendingWork
    interrupted: bool  # an earlier run did not finish


@dataclass
class BuildResult:
    """What a run did."""

    changed: bool
    index: Index
    done: list[tuple[str, float]] = field(default_factory=list)  # titles and seconds


def inspect(steps: list[BuildStep], index: Index, executor: StepExecutor) -> Inspection:
    """Compare the existing bundle with the requested steps. Reads every file and changes nothing."""
    broken = index_file.check(executor.root, index.files)
    executor.prepare(steps, index)
    state = BundleState(index.steps, broken, index_file.listing(executor.root, executor.kind), executor.ready())
    interrupted = (executor.root / executor.kind.unfinished).is_file()
    return Inspection(steps, index, broken, pending_work(steps, state), interrupted)


def build(
    found: Inspection,
    executor: StepExecutor,
    about: Index,
    start: Callable[[int, int, BuildStep], None],
    done: Callable[[BuildStep, float], None],
) -> BuildResult:
    """Execute the pending steps. Every completed step is recorded, so an interrupted run resumes.

    :param about: an index that describes the new bundle as a whole.
    :param start: called before each step with its number, the number of steps, and the step.
    :param done: called after each step with the step and its duration in seconds.
    :raises BundleError: a step fails; the results of completed steps are kept.
    """
    index, pending = found.index, found.pending
    index.keep_only({step.key for step in found.steps} - {step.key for step in pending.steps}, found.broken)
    index.describe(about)
    result = BuildResult(pending.changes, index)
    if not pending.changes:
        result.changed = index_file.save(executor.root, index, True, executor.kind)
        return result
    executor.root.mkdir(parents=True, exist_ok=True)
    executor.clean(everything=False)
    for number, step in enumerate(pending.steps, 1):
        start(number, len(pending.steps), step)
        began = time.monotonic()
        output = executor.execute(step)
        if step.kept:
            finished = StepResult(executor.prints[step.key], tuple(sorted(output.files)))
            index.note(step.key, finished, output.items, output.files)
            index_file.save(executor.root, index, False, executor.kind)
        seconds = time.monotonic() - began
        result.done.append((step.title, round(seconds, 1)))
        done(step, seconds)
    index_file.save(executor.root, index, True, executor.kind)
    prune(executor.root, sorted(index_file.listing(executor.root, executor.kind) - set(index.files)))
    executor.clean(everything=True)
    return result


def verify(root: Path, kind: Kind = BUNDLE) -> tuple[Index, list[str]]:
    """Return the index of a finished bundle, and a sentence for every file that differs from it.

    :raises BundleError: there is no finished bundle.
    """
    path = root / kind.index
    if not path.is_file():
        if (root / kind.unfinished).is_file():
            raise BundleError(
                f"{root} contains no finished {kind.name}: {kind.index} does not exist. The run that builds it was interrupted. "
                f"Run {kind.command} again to resume it. [slipway:bundle_missing]"
            )
        raise BundleError(
            f"{root} contains no {kind.name}: {kind.index} does not exist. Build one with {kind.command}. [slipway:bundle_missing]"
        )
    index = Index.from_text(path.read_text(encoding="utf-8"), str(path))
    return index, index_file.describe_broken(index_file.check(root, index.files), index)


def remove(root: Path, dry_run: bool) -> bool:
    """Remove a bundle; other files in its folder are kept.

    :returns: whether there was a bundle.
    :raises BundleError: the folder has a bundle's folders but no index.
    """
    indexes = (BUNDLE.index, BUNDLE.unfinished)
    parts = [root / name for name in (*indexes, "vars.yml", *BUNDLE.folders) if (root / name).exists()]
    if parts and not any((root / name).exists() for name in indexes):
        raise BundleError(
            f"{root} was not removed: it contains no {BUNDLE.index}, so it may not be a bundle. If it is one, remove it manually. [slipway:bundle_folder]"
        )
    if not dry_run:
        for part in parts:
            if part.is_dir():
                shutil.rmtree(part)
            else:
                part.unlink()
        if root.is_dir() and not any(root.iterdir()):
            root.rmdir()
    return bool(parts)


@contextmanager
def exclusive(lock: Path) -> Iterator[None]:
    """Hold a lock file, so that only one run at a time changes the bundle.

    :raises BundleError: another process holds it.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with open(lock, "a+", encoding="ascii") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            held.seek(0)
            raise BundleError(
                f"Another run (process {held.read().strip() or 'unknown'}) holds {lock}. Wait until it has finished. [slipway:bundle_locked]"
            ) from error
        held.seek(0)
        held.truncate()
        held.write(str(os.getpid()))
        held.flush()
        yield
