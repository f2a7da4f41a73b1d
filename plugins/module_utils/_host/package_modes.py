# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Permissions of files that a package owns, after it is installed. Its update brings its own permissions back, so they are set again."""

from __future__ import annotations

import os
import stat
from functools import partial
from typing import Iterable

from .packages import WantedPackage
from .step import Step
from .system import System


def mode_of(path: str) -> str:
    """Return the permissions of a file as an octal string, "" where there is none."""
    try:
        return f"{stat.S_IMODE(os.stat(path).st_mode):04o}"
    except OSError:
        return ""


def plan_modes(system: System, wanted: Iterable[WantedPackage], installing: bool) -> list[Step]:
    """Return the steps that set the permissions of files of packages.

    :param installing: whether packages are planned and not installed yet; a file that is missing is then expected.
    """
    steps = []
    for package in wanted:
        for path, mode in package.modes.items():
            have = mode_of(system.path(path))
            if have == mode or not have and not installing:
                continue
            apply = partial(os.chmod, system.path(path), int(mode, 8))
            sentence = f"file {path} of package {package.name} has mode {mode}"
            remember = [("modes", path, {"mode": have, "package": package.name})] if have else []
            steps.append(Step(f"mode {path}", sentence, apply, have and f"mode {have}", f"mode {mode}", remember))
    return steps
