# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Say what a module is doing right now, for those who watch the run. Without somebody who watches, nothing happens."""

from __future__ import annotations

import atexit
import os
import time

VARIABLE = (
    "SLIPWAY_KUBE_PROGRESS_FILE"  # names the file, whose name nobody can guess; the action plugin sets and reads it
)
PREFIX = ".slipway-"  # of its name
OLD = 86400.0  # seconds after which the file of a module that was killed is removed
LIMIT = 4000  # bytes
LINES = 12
END = b"\0"  # a shorter text may be followed by the rest of a longer one

_descriptors: dict[str, int] = {}  # by the path of the file


def is_watched() -> bool:
    """Return whether it is worth while to find out what can be said."""
    return bool(os.environ.get(VARIABLE))


def tell(*lines: str) -> None:
    """Replace what was said before. It must not contain secrets: every user of the host can read it.

    :param lines: the first one says most; the others are shown where there is room.
    """
    path = os.environ.get(VARIABLE)
    if not path:
        return
    data = "\n".join(" ".join(line.split()) for line in lines[:LINES]).encode("utf-8", "replace")[:LIMIT] + END
    try:
        if path not in _descriptors:
            _remove_old(os.path.dirname(path))
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            _descriptors[path] = descriptor = os.open(path, flags, 0o644)
            os.fchmod(descriptor, 0o644)  # the umask does not count: another user than that of the module may read it
            atexit.register(_remove, path)
        os.pwrite(_descriptors[path], data, 0)
    except OSError:
        os.environ.pop(VARIABLE)  # a full disk must not stop the module


def _remove_old(folder: str) -> None:
    for entry in os.scandir(folder):
        if entry.name.startswith(PREFIX) and time.time() - entry.stat(follow_symlinks=False).st_mtime > OLD:
            _remove(entry.path)


def text_of(data: bytes) -> str:
    """Return what a file says, "" before it says something complete."""
    text, end, _rest = data.partition(END)
    return text.decode("utf-8", "replace") if end else ""


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass
