# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The local database of packages, whatever its package manager: what is installed, and its lock."""

from __future__ import annotations

import fcntl
import os
import time
from dataclasses import dataclass

from .system import HostError

LOCK_SECONDS = 600


@dataclass
class Installed:
    """An installed package; ``whole`` is False where its installation was interrupted."""

    version: str
    held: bool
    whole: bool


def wait_for_lock(path: str, seconds: float = LOCK_SECONDS) -> None:
    """Wait for other package managers; neither dpkg nor ``apt-get update`` does that by itself.

    :raises HostError: the lock is still held after ``seconds``.
    """
    if not os.path.exists(path):
        return
    end = time.monotonic() + seconds
    with open(path, "r+b") as handle:
        while True:
            try:
                fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except OSError:
                if time.monotonic() > end:
                    raise HostError(
                        f"Another package manager has been active on this host for {seconds:.0f} seconds. Evidence: {path} is locked."
                        " Wait for it (automatic upgrades, for example) or stop it, then run the playbook again."
                        " [slipway:package_manager_busy]"
                    ) from None
                time.sleep(1)
