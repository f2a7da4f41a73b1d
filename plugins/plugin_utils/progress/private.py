# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that only their owner reads."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def make_folder(path: Path) -> None:
    """Create a folder, unless it exists.

    :raises OSError: it cannot be created, or is somebody else's, who could read or replace what is written there.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if {path.lstat().st_uid, path.stat().st_uid} != {os.geteuid()}:  # another user's link leads elsewhere
        raise PermissionError(f"{path} belongs to another user")


def write(path: Path, text: str) -> None:
    """Replace a file as a whole.

    :raises OSError: it cannot be written.
    """
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with suppress(FileNotFoundError):
            new.unlink()
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
        new.replace(path)
    except OSError:
        with suppress(OSError):
            new.unlink()
        raise
