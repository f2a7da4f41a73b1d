#!/usr/bin/python
# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: node_plan
short_description: Find nodes by name, and check whether they may leave the cluster or be rebooted
version_added: 0.1.0
description:
  - Runs on a control plane that stays, and changes nothing.
  - A removal is refused if no control plane would be left, if etcd has no quorum or would lose it, if a PodDisruptionBudget permits no disruption
    of a pod on the nodes, and if nothing would start a pod again. A name that neither the inventory nor the cluster has is always refused.
  - A reboot is refused for the same reasons of pods, and if etcd would have no quorum while one control plane is down because another one is not healthy.
author:
  - slipway.kube authors (@slipway)
extends_documentation_fragment:
  - slipway.kube.admin
options:
  names:
    description: Names of hosts of the inventory or of nodes, or the address or the peer URL of a member of etcd that was added and never started.
    type: list
    elements: str
    required: true
  hosts:
    description: Hosts of the inventory, with the name of the node of each.
    type: dict
    default: {}
  addresses:
    description: Addresses of the hosts of the inventory, by which a member of etcd that was added and never started is found.
    type: dict
    default: {}
  purpose:
    description: What is checked besides the names. V(drain) checks nothing more.
    type: str
    choices: [drain, remove, reboot]
    default: drain
  force:
    description: Whether pods without a controller may be evicted.
    type: bool
    default: false
attributes:
  check_mode:
    description: Changes nothing in any mode.
    support: full
  diff_mode:
    description: There is no difference to show.
    support: none
"""

EXAMPLES = r"""
- name: Check whether a node may leave the cluster
  slipway.kube.node_plan:
    names: [w2]
    purpose: remove
"""

RETURN = r"""
nodes:
  description: The nodes that are meant.
  returned: success
  type: list
  elements: dict
  contains:
    name: {description: Name of the node., type: str}
    host: {description: Name in the inventory or empty., type: str}
    control_plane: {description: Whether it is a control plane., type: bool}
    registered: {description: Whether the cluster has this node., type: bool}
    ready: {description: Whether it is Ready., type: bool}
    unstarted: {description: Addresses of its member of etcd if that was added and never started., type: list, elements: str}
refused:
  description: Every reason why it is refused, each with evidence and remedy.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._kubeadm.leaving import converge
from ..module_utils._kubeadm.module import ADMIN_OPTIONS, run_module


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec=dict(
            ADMIN_OPTIONS,
            names=dict(type="list", elements="str", required=True),
            hosts=dict(type="dict", default={}),
            addresses=dict(type="dict", default={}),
            purpose=dict(type="str", choices=["drain", "remove", "reboot"], default="drain"),
            force=dict(type="bool", default=False),
        ),
        supports_check_mode=True,
    )
    run_module(module, converge)


if __name__ == "__main__":
    main()
