# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at a bundle, and make it what is wanted: the one place where plan, work and index meet."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from . import index as indexes
from .errors import BundleError
from .executors import Workshop
from .files import prune
from .index import Index
from .staleness import Finished, Have, Plan, Step, plan


@dataclass
class Look:
    """What is there and what is left to do."""

    steps: list[Step]
    index: Index
    broken: dict[str, str]
    plan: Plan
    unfinished: bool  # an earlier run was ended


@dataclass
class Report:
    """What a run did."""

    changed: bool
    index: Index
    done: list[tuple[str, float]] = field(default_factory=list)  # titles and seconds


def look(steps: list[Step], index: Index, shop: Workshop) -> Look:
    """Compare a bundle with what is wanted. Reads every file, changes nothing."""
    broken = indexes.check(shop.root, index.files)
    shop.learn(steps, index)
    have = Have(index.steps, broken, indexes.listing(shop.root), shop.ready())
    return Look(steps, index, broken, plan(steps, have), (shop.root / indexes.UNFINISHED).is_file())


def make(
    seen: Look,
    shop: Workshop,
    about: Index,
    start: Callable[[int, int, Step], None],
    done: Callable[[Step, float], None],
) -> Report:
    """Do what is left. Every finished step is written down, so that a run that is ended is gone on from.

    :param about: an index that says what the new bundle is as a whole.
    :param start: told the number of a step, how many there are, and the step.
    :param done: told the step and its seconds.
    :raises BundleError: a step fails; what was done stays.
    """
    index = seen.index
    left = {step.key for step in seen.plan.steps}
    index.keep_only({step.key for step in seen.steps} - left, seen.broken)
    index.describe(about)
    report = Report(seen.plan.changes, index)
    if not seen.plan.changes:
        report.changed = indexes.save(shop.root, index, finished=True)
        return report
    shop.root.mkdir(parents=True, exist_ok=True)
    shop.clean(everything=False)
    for number, step in enumerate(seen.plan.steps, 1):
        start(number, len(seen.plan.steps), step)
        began = time.monotonic()
        made = shop.do(step)
        if step.kept:
            index.note(step.key, Finished(shop.prints[step.key], tuple(sorted(made.files))), made.items, made.files)
            indexes.save(shop.root, index, finished=False)
        seconds = time.monotonic() - began
        report.done.append((step.title, round(seconds, 1)))
        done(step, seconds)
    indexes.save(shop.root, index, finished=True)
    prune(shop.root, sorted(indexes.listing(shop.root) - set(index.files)))
    shop.clean(everything=True)
    return report


def verify(root: Path) -> tuple[Index, list[str]]:
    """The index of a finished bundle, and a sentence for every file that is not as recorded.

    :raises BundleError: there is no finished bundle.
    """
    if not (root / indexes.NAME).is_file():
        unfinished = (root / indexes.UNFINISHED).is_file()
        raise BundleError(
            f"{root} holds no {'finished ' if unfinished else ''}bundle: {indexes.NAME} is not there. "
            + (
                "A run that made it was ended: start it again, it goes on."
                if unfinished
                else "Make it with slipway.kube.bundle, or unpack one there."
            )
        )
    index = Index.from_text((root / indexes.NAME).read_text(encoding="utf-8"), str(root / indexes.NAME))
    return index, indexes.name_broken(indexes.check(root, index.files), index)


def remove(root: Path, only_look: bool) -> bool:
    """Remove a bundle; what else lies in its folder stays. Returns whether there was one."""
    parts = [
        root / name
        for name in (indexes.NAME, indexes.UNFINISHED, "vars.yml", *indexes.FOLDERS)
        if (root / name).exists()
    ]
    if parts and not any((root / name).exists() for name in (indexes.NAME, indexes.UNFINISHED)):
        raise BundleError(
            f"{root} is not removed: it has no {indexes.NAME}, so it may not be a bundle. Remove it by hand if it is."
        )
    for part in parts if not only_look else []:
        if part.is_dir():
            shutil.rmtree(part)
        else:
            part.unlink()
    if not only_look and root.is_dir() and not any(root.iterdir()):
        root.rmdir()
    return bool(parts)


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """One run at a time.

    :raises BundleError: another process makes this bundle.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with open(lock, "a+", encoding="ascii") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            held.seek(0)
            raise BundleError(
                f"Another run (process {held.read().strip() or 'unknown'}) works on this bundle, it holds {lock}: wait for its end."
            ) from error
        held.seek(0)
        held.truncate()
        held.write(str(os.getpid()))
        held.flush()
        yield
