# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a host: files below one root folder, and the output of programs. Nothing here fails or changes the host."""

from __future__ import annotations

import os
import subprocess

PART = 1 << 16
"""Bytes that are read at once."""


class Root:
    """A folder that stands for ``/``; a test passes a temporary one."""

    def __init__(self, root: str = "/") -> None:
        self.root = root

    def path(self, path: str) -> str:
        """Return the real path of an absolute path of the host."""
        return path if self.root == "/" else os.path.join(self.root, path.lstrip("/"))

    def exists(self, path: str) -> bool:
        """Return whether a path exists; links are followed."""
        return os.path.exists(self.path(path))

    def names(self, path: str) -> list[str]:
        """Return the sorted names in a folder; none where it does not exist."""
        try:
            return sorted(os.listdir(self.path(path)))
        except OSError:
            return []


class Files(Root):
    """Files that may be missing or not readable: they read as empty."""

    def read(self, path: str, limit: int = 16 * 1024 * 1024) -> str:
        """Return the text of a file, at most ``limit`` bytes; bytes that cannot be decoded are replaced."""
        return self.read_bytes(path, limit).decode("utf-8", "replace")

    def read_bytes(self, path: str, limit: int = 16 * 1024 * 1024) -> bytes:
        """Return the content of a file, at most ``limit`` bytes.

        It is read in parts: the kernel refuses to read a sysctl with a buffer of 4 MiB (proc_sys_call_handler in fs/proc/proc_sysctl.c).
        """
        content = b""
        try:
            with open(self.path(path), "rb") as handle:
                while part := handle.read(min(PART, limit - len(content))):
                    content += part
        except OSError:
            return b""
        return content


def run(command: list[str], timeout: float = 60) -> str:
    """Return the output of a program; "" where it does not exist or does not end in time.

    :param timeout: in seconds.
    """
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=timeout, check=False)  # pylint: disable=ansible-bad-function
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode("utf-8", "replace")
