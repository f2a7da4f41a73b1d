# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies of backups off the host, with rclone: to S3 and what is like it, over SSH, to WebDAV, or to a folder that is mounted.

Every archive of the host that the remote does not have is copied, on each control plane, also on one that takes no backup itself: one that failed
is made up for.
"""

from __future__ import annotations

import os
from typing import Any, Callable, Iterable, Mapping

from .archive import NAME
from .etcd_tools import EtcdToolError, run

CONFIG = "/etc/slipway-rclone.conf"
# rclone's own limits are hours; a server that does not answer must not keep the next backup waiting.
SECONDS = 3000  # the unit allows an hour for all
LIMITS = ("--contimeout=15s", "--timeout=60s", "--retries=2", "--low-level-retries=3")


class OffsiteError(ValueError):
    """An archive could not be copied. It is on the host."""


def join(remote: str, name: str) -> str:
    """Return the path of a file in a remote."""
    return f"{remote}{'' if remote.endswith((':', '/')) else '/'}{name}"


def check_folder(remote: str, folder: str) -> None:
    """Fail if a folder on the host, to which archives are copied, is not mounted: they would stay on the same disk.

    :param folder: of the archives.
    :raises OffsiteError: it does not exist, or is on the same file system.
    """
    if not os.path.isdir(remote) or os.stat(remote).st_dev == os.stat(folder).st_dev:
        raise OffsiteError(
            f"The archives of this host are kept in {folder}, but were not copied to {remote}. Evidence: it is not mounted (it does not exist, or is on"
            f" the file system of {folder}). Mount it, or set another backup_remote."
            " [slipway:backup_not_copied]"
        )


def copy(
    config: Mapping[str, Any],
    expired: Callable[[Iterable[str]], list[str]],
    program: Callable[..., str] = run,
) -> list[str]:
    """Copy the archives of this host to the remote, and remove old ones there.

    :param config: settings of the backup: ``cluster``, ``dir`` and ``remote``.
    :param expired: gives the names of archives that are too old.
    :returns: names that were removed. One that cannot be removed stays: a remote may keep what it has.
    :raises OffsiteError: an archive could not be copied.
    """
    remote, folder = config["remote"], config["dir"]
    if remote.startswith("/"):
        check_folder(remote, folder)

    def rclone(*arguments: str) -> str:
        return program("rclone", f"--config={CONFIG}", *LIMITS, *arguments, seconds=SECONDS)

    try:
        there = rclone("lsf", remote, "--files-only").split()
    except EtcdToolError:
        there = []  # the folder is made by the first copy; what else is wrong, the copy tells
    # Together with those of other hosts: what is too old there would be copied and removed again and again.
    own = [match for match in map(NAME.match, os.listdir(folder)) if match]
    here = [match.group() for match in own if match.group("cluster") == config["cluster"]]
    old = expired({*there, *here})
    wanted = sorted(set(here) - set(old))
    try:
        if wanted:
            # Those that are there already, too: rclone compares sizes and times, and completes one that was interrupted.
            rclone("copy", folder, remote, *(f"--include=/{name}" for name in wanted))
    except EtcdToolError as error:
        reason = str(error).partition(" [slipway:")[0].rstrip(".")
        raise OffsiteError(
            f"The archives of this host are kept in {folder}, but could not be copied to {remote}: {reason}. Check backup_remote,"
            " backup_rclone_config and the way to the server."
            " [slipway:backup_not_copied]"
        ) from error
    removed = []
    for name in set(old) & set(there):
        try:
            rclone("deletefile", join(remote, name))
        except EtcdToolError:
            continue
        removed.append(name)
    return sorted(removed)
