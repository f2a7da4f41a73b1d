# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kubeconfigs of a host's users: what the module kubeconfig does on a control plane."""

from __future__ import annotations

import json
import os
import pwd
from pathlib import Path
from typing import Any, Mapping

from .._host.record import Record, describe_file
from .._host.system import HostError, write_atomic
from .._kube.api import view_kubeconfig
from . import kubeconfig as core
from .admin import has_kubeconfig

MODE = 0o600


def find_home(user: str) -> pwd.struct_passwd:
    """Entry of a user in the host's list.

    Raises HostError where there is no such user.
    """
    try:
        return pwd.getpwnam(user)
    except KeyError:
        raise HostError(
            f"This host has no user '{user}' to give the kubeconfig to. Make the user first, or take it out of control_plane_kubeconfig_users."
        ) from None


def read_config(path: Path) -> dict[str, Any] | None:
    """A kubeconfig, or None where there is none."""
    return view_kubeconfig("kubectl", str(path)) if path.exists() and path.stat().st_size else None


def give(
    entry: pwd.struct_passwd, want: dict[str, Any] | None, check_mode: bool, record: Record | None = None
) -> tuple[str, dict[str, Any] | None, bool]:
    """Give one user the kubeconfig: (path, what was there, whether it changed).

    Raises KubeconfigRefused where the file is another cluster's.
    """
    path = Path(entry.pw_dir) / ".kube" / "config"
    have = read_config(path)
    differs = have is None if want is None else core.check(have, want, str(path))
    info = path.stat() if path.exists() else None
    wrong = info is not None and (info.st_mode & 0o7777 != MODE or info.st_uid != entry.pw_uid)
    if (differs or wrong) and not check_mode:
        if record and record.exists:  # so that a reset puts back what was there
            for place in (path.parent, path) if not path.parent.exists() else (path,):
                record.remember("files", str(place), describe_file(str(place)))
            record.save()
        if not path.parent.exists():
            path.parent.mkdir(mode=0o700, parents=True)
            os.chown(path.parent, entry.pw_uid, entry.pw_gid)
        if differs:
            write_atomic(str(path), (json.dumps(want, indent=2) + "\n").encode(), MODE, entry.pw_uid, entry.pw_gid)
        else:
            path.chmod(MODE)
            os.chown(path, entry.pw_uid, entry.pw_gid)
    return str(path), have, differs or wrong


def converge(params: Mapping[str, Any], check_mode: bool, fetch: bool) -> dict[str, Any]:
    """Give every user the kubeconfig; the module's result, with the kubeconfig itself where it is fetched."""
    entries = [find_home(user) for user in dict.fromkeys(params["users"])]
    want = None
    if has_kubeconfig(params["kubeconfig"], check_mode):
        want = core.make_kubeconfig(view_kubeconfig("kubectl", params["kubeconfig"]), params["namespace"])
    result: dict[str, Any] = {"changed": False, "paths": [], "changes": [], "diff": []}
    if want is not None:
        for entry in entries:  # all are looked at before one is written
            theirs = Path(entry.pw_dir) / ".kube" / "config"
            core.check(read_config(theirs), want, str(theirs))
    record = Record.load(params["record_dir"]) if params.get("record_dir") else None
    for entry in entries:
        path, have, changed = give(entry, want, check_mode, record)
        result["paths"].append(path)
        if changed:
            result["changed"] = True
            result["changes"].append(f"{path} written for {entry.pw_name}.")
            result["diff"].append(
                {
                    "before_header": path,
                    "after_header": path,
                    "before": core.describe(have),
                    "after": core.describe(want),
                }
            )
    if fetch:
        result["fetched"] = want
    return result
