# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter slipway.kube.cluster_nodes."""

from __future__ import annotations

DOCUMENTATION = r"""
name: cluster_nodes
short_description: The cluster as the inventory has it
version_added: 0.1.0
description:
  - Lists the nodes of the inventory, control planes first, each with what the roles need to know of it.
options:
  _input:
    description: The variable hostvars.
    type: dict
    required: true
  control_planes:
    description: Inventory names of the control planes, in order.
    type: list
    elements: str
    required: true
  workers:
    description: Inventory names of the workers.
    type: list
    elements: str
    default: []
author:
  - slipway.kube authors (@slipway)
"""

EXAMPLES = r"""
nodes: "{{ hostvars | slipway.kube.cluster_nodes(groups.kube_control_plane, groups.kube_worker) }}"
"""

RETURN = r"""
_value:
  description:
    - For each node C(host) (inventory name), C(control_plane), C(address), C(etcd) (URL), C(member) (in the cluster, wholly), C(look) (what
      M(slipway.kube.host_info) saw, or an empty dictionary), C(identity) (for M(slipway.kube.kubeadm_credentials)) and C(wanted) (for
      M(slipway.kube.nodes)).
  type: list
  elements: dict
"""

from ..plugin_utils.cluster.choose_control_plane import cluster_nodes


class FilterModule:
    """The filter."""

    def filters(self):
        """Filters of this file by name."""
        return {"cluster_nodes": cluster_nodes}
