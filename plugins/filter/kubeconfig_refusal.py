# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Internal filter of the role control_plane: why a kubeconfig on the control node must not be overwritten."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..module_utils._host.system import HostError
from ..module_utils._kubeadm.kubeconfig import refusal
from ..plugin_utils.cluster.local_kubeconfig import read_local


def kubeconfig_refusal(path: str, ca_hash: str) -> str:
    """Return why the kubeconfig at *path* must not be overwritten, empty if it can be.

    :param ca_hash: Hash of the cluster's CA, empty for a cluster that does not exist yet.
    """
    try:
        return refusal(path, read_local(path), {ca_hash} if ca_hash else set())
    except HostError as error:
        return str(error)


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"kubeconfig_refusal": kubeconfig_refusal}
