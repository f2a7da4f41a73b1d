# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kubeconfigs of the users of a control plane: the core of the module kubeconfig."""

from __future__ import annotations

import json
import os
import pwd
from pathlib import Path
from typing import Any, Mapping

from .._host.record import Record, describe_file
from .._host.system import HostError, write_atomic
from .._kube.api import view_kubeconfig
from .admin import has_kubeconfig
from .kubeconfig import MODE, diff, needs_write, user_kubeconfig


def find_user(name: str) -> pwd.struct_passwd:
    """Return the entry of a user in the password database.

    :raises HostError: the user does not exist.
    """
    try:
        return pwd.getpwnam(name)
    except KeyError:
        raise HostError(
            f"This host has no user '{name}'. Create the user first, or remove the name from control_plane_kubeconfig_users."
            " [slipway:user_missing]"
        ) from None


def kubeconfig_path(user: pwd.struct_passwd) -> Path:
    """Return the path of a user's kubeconfig."""
    return Path(user.pw_dir) / ".kube" / "config"


def read_kubeconfig(path: Path) -> dict[str, Any] | None:
    """Return the content of a kubeconfig, None if it does not exist or is empty.

    :raises KubeconfigError: it cannot be read.
    """
    return view_kubeconfig("kubectl", str(path)) if path.exists() and path.stat().st_size else None


def write_user_kubeconfig(user: pwd.struct_passwd, desired: dict[str, Any] | None, record: Record | None) -> None:
    """Write a user's kubeconfig, mode 0600, or only correct its mode and owner.

    :param desired: its new content, None if the content does not change.
    :param record: record of the host, in which the previous state is saved for a reset.
    """
    path = kubeconfig_path(user)
    if record and record.exists:
        for place in (path,) if path.parent.exists() else (path.parent, path):
            record.remember("files", str(place), describe_file(str(place)))
        record.save()
    if not path.parent.exists():
        path.parent.mkdir(mode=0o700, parents=True)
        os.chown(path.parent, user.pw_uid, user.pw_gid)
    if desired is not None:
        write_atomic(str(path), (json.dumps(desired, indent=2) + "\n").encode(), MODE, user.pw_uid, user.pw_gid)
    else:
        path.chmod(MODE)
        os.chown(path, user.pw_uid, user.pw_gid)


def converge(params: Mapping[str, Any], check_mode: bool, fetch: bool) -> dict[str, Any]:
    """Write the kubeconfigs of all users and return the result of the module.

    :param fetch: return the kubeconfig itself, as ``fetched``.
    :raises HostError: a user does not exist, or a file is a kubeconfig for another cluster.
    """
    users = [find_user(name) for name in dict.fromkeys(params["users"])]
    desired = None
    if has_kubeconfig(params["kubeconfig"], check_mode):
        desired = user_kubeconfig(view_kubeconfig("kubectl", params["kubeconfig"]), params["namespace"])
    record = Record.load(params["record_dir"]) if params.get("record_dir") else None
    result: dict[str, Any] = {"changed": False, "paths": [], "changes": [], "diff": []}
    pending = []
    for user in users:  # all files are checked before one is written
        path = kubeconfig_path(user)
        live = read_kubeconfig(path)
        differs = live is None if desired is None else needs_write(live, desired, str(path))
        info = path.stat() if path.exists() else None
        misplaced = info is not None and (info.st_mode & 0o7777 != MODE or info.st_uid != user.pw_uid)
        result["paths"].append(str(path))
        if differs or misplaced:
            pending.append((user, desired if differs else None))
            result["changes"].append(f"{path} written for {user.pw_name}.")
            result["diff"].append(diff(str(path), live, desired))
    result["changed"] = bool(pending)
    if not check_mode:
        for user, content in pending:
            write_user_kubeconfig(user, content, record)
    if fetch:
        result["fetched"] = desired
    return result
