# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies of backups off the host, with rclone: to S3 and what is like it, over SSH, to WebDAV, or to a folder that is mounted.

Every archive of the host that the remote does not have is copied, so that one that failed is made up for by the next.
"""

from __future__ import annotations

from typing import Any, Callable, Iterable, Mapping

from .etcd_tools import EtcdToolError, run

CONFIG = "/etc/slipway-rclone.conf"
# rclone's own limits are hours; a server that does not answer must not keep the next backup waiting.
LIMITS = ("--contimeout=15s", "--timeout=60s", "--retries=2", "--low-level-retries=3")


class OffsiteError(ValueError):
    """An archive could not be copied. It is on the host."""


def join(remote: str, name: str) -> str:
    """Return the path of a file in a remote."""
    return f"{remote}{'' if remote.endswith((':', '/')) else '/'}{name}"


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
    remote = config["remote"]

    def rclone(*arguments: str) -> str:
        return program("rclone", f"--config={CONFIG}", *LIMITS, *arguments)

    try:
        # A remote can be slow to list what it has just got, so the copy itself is what counts; rclone compares sizes and hashes.
        rclone(
            "copy",
            config["dir"],
            remote,
            f"--include=/{config['cluster']}-*.tar",
            f"--include=/{config['cluster']}-*.tar.age",
        )
        names = rclone("lsf", remote, "--files-only").split()
    except EtcdToolError as error:
        raise OffsiteError(
            f"The archives of this host are kept in {config['dir']}, but could not be copied to {remote}. Evidence: {error} Check backup_remote,"
            " backup_rclone_config and the way to the server."
        ) from error
    removed = []
    for name in expired(names):
        try:
            rclone("deletefile", join(remote, name))
        except EtcdToolError:
            continue
        removed.append(name)
    return removed
