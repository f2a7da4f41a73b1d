#!/usr/bin/python
# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: scale_plan
short_description: Decide which stand-by hosts join and leave a cluster
version_added: 0.1.0
description:
  - Runs on a control plane. Reads the pods that no node has room for, and decides on which of the hosts they would fit, by their requests, node
    selector, affinity, tolerations, volumes and host ports. As few hosts as possible join.
  - A node of the pool is idle if each of its pods is one of a DaemonSet, static, or may be evicted and fits on another node. Since when is recorded
    in its annotation C(slipway.kube/idle-since). A pod may not be evicted if it has no controller, if its PodDisruptionBudget permits no disruption,
    if it has an C(emptyDir) or C(hostPath) volume, or if it has the annotation C(cluster-autoscaler.kubernetes.io/safe-to-evict=false);
    C(safe-to-evict=true) permits the loss of the volume.
  - Changes only these annotations, and uncordons a node whose removal was begun and which is needed.
  - With O(run), one run decides at a time, from whatever control node. It holds the Lease C(kube-system/slipway-scale) until it is released, or until
    nothing is to be done.
author:
  - slipway.kube authors (@slipway)
extends_documentation_fragment:
  - slipway.kube.admin
options:
  state:
    description: V(released) only lets other runs begin.
    type: str
    choices: [decided, released]
    default: decided
  run:
    description: This run, as the filter C(run_identity) names it. By default, other runs are not kept from deciding.
    type: str
    default: ""
  ended:
    description: Another run that is known to have ended, so that this one takes its place.
    type: str
    default: ""
  hosts:
    description: The hosts of the pool. Other nodes neither join nor leave.
    type: list
    elements: dict
    default: []
    suboptions:
      host:
        description: Name in the inventory.
        type: str
        required: true
      node:
        description: Name of the node that it is or would become.
        type: str
        required: true
      problem:
        description: Why nothing can be done with the host now. Empty if it can be used.
        type: str
        default: ""
      state:
        description:
          - What the host is. An interrupted run leaves one that is V(prepared), V(joining) or V(resetting). Empty if O(hosts[].problem) is that it is
            not known.
        type: str
        choices: ["", free, prepared, joining, node, resetting]
        default: ""
      labels:
        description: Labels of the node.
        type: dict
        default: {}
      taints:
        description: Taints of the node.
        type: list
        elements: dict
        default: []
      allocatable:
        description: What the node would offer to pods, such as C(cpu), C(memory) and C(pods).
        type: dict
        default: {}
  minimum:
    description: Number of hosts of the pool that are always nodes.
    type: int
    default: 0
  maximum:
    description: Number of hosts of the pool that are nodes at most. Negative for all.
    type: int
    default: -1
  pending_after:
    description: Seconds for which a pod must have been unschedulable.
    type: int
    default: 30
  idle_after:
    description: Seconds for which a node must have been idle.
    type: int
    default: 600
attributes:
  check_mode:
    description: Decides in the same way, and records nothing.
    support: full
  diff_mode:
    description: Shows the changes of nodes.
    support: full
"""

EXAMPLES = r"""
- name: Decide about two stand-by hosts
  slipway.kube.scale_plan:
    hosts:
      - {host: s1, node: s1, state: free, allocatable: {cpu: 3900m, memory: 7000Mi}}
      - {host: s2, node: s2, state: node}
    maximum: 2
"""

RETURN = r"""
active:
  description: The run that is active, so that nothing was decided. Empty if there is none.
  returned: O(state=decided)
  type: str
joins:
  description: Hosts that become nodes.
  returned: success
  type: list
  elements: str
leaves:
  description: Hosts that leave the cluster.
  returned: success
  type: list
  elements: str
plan:
  description: What happens to each host, and why, as sentences.
  returned: success
  type: list
  elements: str
  sample: ["s1 joins: 2 pods (shop/web-1, shop/web-2) fit there, and on no other node"]
notes:
  description: Pods that are not helped, and hosts that are left out, with the reasons.
  returned: success
  type: list
  elements: str
changes:
  description: The changes that were made, or in check mode would be made, as sentences.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._kubeadm.module import ADMIN_OPTIONS, run_module
from ..module_utils._scale.run import converge


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec=dict(
            ADMIN_OPTIONS,
            state=dict(type="str", choices=["decided", "released"], default="decided"),
            run=dict(type="str", default=""),
            ended=dict(type="str", default=""),
            hosts=dict(
                type="list",
                elements="dict",
                default=[],
                options=dict(
                    host=dict(type="str", required=True),
                    node=dict(type="str", required=True),
                    problem=dict(type="str", default=""),
                    state=dict(
                        type="str", choices=["", "free", "prepared", "joining", "node", "resetting"], default=""
                    ),
                    labels=dict(type="dict", default={}),
                    taints=dict(type="list", elements="dict", default=[]),
                    allocatable=dict(type="dict", default={}),
                ),
            ),
            minimum=dict(type="int", default=0),
            maximum=dict(type="int", default=-1),
            pending_after=dict(type="int", default=30),
            idle_after=dict(type="int", default=600),
        ),
        supports_check_mode=True,
    )
    run_module(module, converge)


if __name__ == "__main__":
    main()
