# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kubeconfig on the control node, where YAML can be read. Not for managed hosts."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Mapping

from ...module_utils._host.system import HostError, write_atomic
from ...module_utils._kubeadm import kubeconfig as core

yaml: Any
try:
    import yaml
except ImportError:  # on managed hosts, which do not come here
    yaml = None

MODE = 0o600


def resolve(path: str) -> Path:
    """The file that a path means."""
    return Path(path).expanduser().absolute()


def read_local(path: str) -> dict[str, Any] | None:
    """A kubeconfig of the control node, or None where there is none.

    Raises HostError where the file is something else: it is not overwritten.
    """
    place = resolve(path)
    try:
        text = place.read_text() if place.exists() else ""
        config = yaml.safe_load(text)
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise HostError(f"{place} on the control node cannot be read: {error}. Move it away and run again.") from error
    if not text.strip():
        return None
    if not isinstance(config, dict) or config.get("kind") != "Config":
        raise HostError(
            f"{place} on the control node is no kubeconfig. Set control_plane_kubeconfig_local to another path."
        )
    return config


def converge_local(
    path: str, admin: Mapping[str, Any] | None, namespace: str, server: str, check_mode: bool
) -> tuple[bool, dict[str, str]]:
    """Write the file on the control node; whether it changed, and the diff.

    :param admin: the kubeconfig from the host; None in check mode where there is no cluster yet.

    Raises HostError where the file is another cluster's, or cannot be written.
    """
    place = resolve(path)
    have = read_local(path)
    if admin is None:
        refused = core.find_refusal(str(place), have, "")
        if refused:
            raise core.KubeconfigRefused(refused)
        return True, {
            "before": "",
            "after": "kubeconfig of a cluster that is yet to be made\n",
            "after_header": str(place),
        }
    want = core.make_kubeconfig(admin, namespace, server)
    differs = core.check(have, want, str(place))
    wrong = place.exists() and place.stat().st_mode & 0o7777 != MODE
    if differs and not check_mode:
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise HostError(f"{place.parent} on the control node cannot be made: {error.strerror}.") from error
        owner = place.parent.stat()
        write_atomic(str(place), yaml.safe_dump(want, sort_keys=False).encode(), MODE, owner.st_uid, owner.st_gid)
    elif wrong and not check_mode:
        place.chmod(MODE)
    return differs or wrong, {
        "before_header": str(place),
        "after_header": str(place),
        "before": core.describe(have),
        "after": core.describe(want),
    }
