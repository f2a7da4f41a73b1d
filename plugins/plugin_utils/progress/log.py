# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The log of a run: the whole output, as Ansible's default callback prints it, in a file that only its owner reads."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

from .text import plain

NAME = re.compile(r"\d{8}T\d{6}-.*-\d+\.log")


class RunLog:
    """A new file. Lines are written at once: what was said is there after a kill, too."""

    def __init__(self, path: Path) -> None:
        """Create the file.

        :raises OSError: it cannot be written.
        """
        self.path = path
        self.complete = True
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        self._descriptor = os.open(path, flags, 0o600)

    def write(self, text: str) -> None:
        """Append *text* without control codes. A full disk does not end a run."""
        data = plain(text).encode(errors="backslashreplace")
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
        except OSError:
            self.complete = False


def log_in(folder: Path, playbook: str, keep: int) -> RunLog:
    """Create a log in a folder of logs, and remove its oldest ones beyond *keep*.

    :raises OSError: the folder or the file cannot be written.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    stem = re.sub(r"[^\w.-]", "_", Path(playbook).stem)[:60]
    log = RunLog(folder / f"{time.strftime('%Y%m%dT%H%M%S')}-{stem}-{os.getpid()}.log")
    prune(folder, keep, log.path)
    return log


def prune(folder: Path, keep: int, new: Path) -> None:
    """Remove the oldest logs, so that with the *new* one *keep* are left. Other files of the folder are not touched."""
    old = sorted(path for path in folder.iterdir() if NAME.fullmatch(path.name) and path != new)
    for path in old[: max(len(old) + 1 - max(keep, 1), 0)]:
        try:
            path.unlink()
        except OSError:  # of another user, or another run was quicker
            pass
