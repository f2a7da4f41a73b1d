# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The owner of etcd's data: the system user that distributions' packages of etcd have too, without a shell and without a password.

kubeadm runs etcd as root, which can write there all the same. The folder has mode 0700, so nobody else reads it.
"""

from __future__ import annotations

import os
import pwd
import shutil

from .._host.record import Record
from .._host.system import HostError, System

USER = "etcd"


def exists() -> bool:
    """Return whether the host has the user."""
    try:
        pwd.getpwnam(USER)
    except KeyError:
        return False
    return True


def own_data(folder: str, record: Record, system: System) -> None:
    """Create etcd's folder with its owner before kubeadm does, and the user where the host has none, which a reset removes.

    :raises HostError: the user cannot be created.
    """
    if not exists():
        record.remember("users", USER, False)
        record.save()
        options = ["--system", "--no-create-home", "--home-dir", folder, "--shell", "/usr/sbin/nologin"]
        system.must("useradd", *options, "--user-group", USER)
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        shutil.chown(folder, USER, pwd.getpwnam(USER).pw_gid)
    except (OSError, KeyError, LookupError) as error:
        raise HostError(
            f"{folder}, the data of etcd, cannot be given to user {USER}: {error}. [slipway:file_not_written]"
        ) from error
