# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Internal filter of the roles control_plane, network, verify and worker: the nodes of the cluster as the inventory describes them.

For each node, control planes first: C(host) (inventory name), C(control_plane), C(address), C(etcd) (URL), C(member) (a complete member of the
cluster), C(facts) (what M(slipway.kube.host_info) returned, or an empty dictionary), C(identity) (for M(slipway.kube.kubeadm_credentials)) and
C(desired) (for M(slipway.kube.nodes)).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..plugin_utils.cluster.choose_control_plane import cluster_nodes


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"cluster_nodes": cluster_nodes}
