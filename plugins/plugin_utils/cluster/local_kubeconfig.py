# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kubeconfig on the control node."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from ...module_utils._host.system import HostError, write_atomic
from ...module_utils._kubeadm import kubeconfig


def resolve(path: str) -> Path:
    """Return the absolute path; a relative one starts in the working directory."""
    return Path(path).expanduser().absolute()


def read_local(path: str) -> dict[str, Any] | None:
    """Return the content of a kubeconfig on the control node, None if it does not exist or is empty.

    :raises HostError: the file is not a kubeconfig. It is never overwritten.
    """
    place = resolve(path)
    try:
        text = place.read_text() if place.exists() else ""
        config = yaml.safe_load(text)
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise HostError(
            f"{place} on the control node cannot be read: {error}. Move it away and run again. [slipway:file_not_read]"
        ) from error
    if not text.strip():
        return None
    if not isinstance(config, dict) or config.get("kind") != "Config":
        raise HostError(
            f"{place} on the control node is not a kubeconfig. Set control_plane_kubeconfig_local to another path."
            " [slipway:user_kubeconfig]"
        )
    return config


def converge_local(
    path: str, admin: Mapping[str, Any] | None, namespace: str, server: str, check_mode: bool
) -> tuple[bool, dict[str, str]]:
    """Write the kubeconfig on the control node, and return whether it changed and the diff.

    :param admin: the kubeconfig from the host, None in check mode if the cluster does not exist yet.
    :raises HostError: the file is a kubeconfig for another cluster, or cannot be written.
    """
    place = resolve(path)
    live = read_local(path)
    if admin is None:
        refused = kubeconfig.refusal(str(place), live, set())
        if refused:
            raise kubeconfig.KubeconfigRefused(refused)
        after = "kubeconfig of a cluster that does not exist yet\n"
        return True, {"before": "", "after": after, "after_header": str(place)}
    desired = kubeconfig.user_kubeconfig(admin, namespace, server)
    differs = kubeconfig.needs_write(live, desired, str(place))
    wrong_mode = place.exists() and place.stat().st_mode & 0o7777 != kubeconfig.MODE
    if differs and not check_mode:
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise HostError(
                f"{place.parent} on the control node cannot be created: {error.strerror}. [slipway:file_not_written]"
            ) from error
        owner = place.parent.stat()
        content = yaml.safe_dump(desired, sort_keys=False).encode()
        write_atomic(str(place), content, kubeconfig.MODE, owner.st_uid, owner.st_gid)
    elif wrong_mode and not check_mode:
        place.chmod(kubeconfig.MODE)
    return differs or wrong_mode, kubeconfig.diff(str(place), live, desired)
