#!/usr/bin/python
# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: upgrade_plan
short_description: Plan the upgrade of a cluster
version_added: 0.1.0
description:
  - Runs on a control plane and changes nothing. Returns what moves on each node from which version to which, in which order, and every
    reason not to begin.
  - The control plane goes through a version of each minor version in between, O(through) or that of O(table), and kubeadm of that version migrates
    the files of all nodes. Kubelets and everything else follow once, in the end.
  - Refused are downgrades, minor versions of which no version is known, kubelets that the new API server would not support, nodes that are not in
    the inventory, hosts that are no nodes, nodes that are not Ready, unhealthy API servers and members of etcd, expired certificates, APIs in use
    that the new version does not serve, webhooks that must answer and have no pod, PodDisruptionBudgets that permit no disruption, pods that
    nothing would start again, and too little free disk.
author:
  - slipway.kube authors (@slipway)
extends_documentation_fragment:
  - slipway.kube.admin
options:
  version:
    description: Version of Kubernetes to upgrade to.
    type: str
    required: true
  cluster:
    description: Name of the cluster, for the text.
    type: str
    default: kubernetes
  components:
    description: Versions of C(etcd) and C(coredns) that belong to O(version).
    type: dict
    default: {}
  table:
    description: Variable C(kube_versions) of the roles. C(kubernetes) and C(etcd) are read of the minor versions between the running and the new one.
    type: dict
    default: {}
  through:
    description: Versions to go through, instead of those of O(table).
    type: list
    elements: str
    default: []
  batch:
    description: Number of workers that are upgraded at the same time, for the text.
    type: int
    default: 1
  force:
    description: Whether pods without a controller are evicted. Without it, they are a reason not to begin.
    type: bool
    default: false
  snapshot_dir:
    description: Folder of the snapshot of etcd, for the text.
    type: str
    default: ""
  hosts:
    description: Hosts of the inventory.
    type: list
    elements: dict
    required: true
    suboptions:
      host:
        description: Name in the inventory.
        type: str
        required: true
      name:
        description: Name of its node.
        type: str
        required: true
      address:
        description: Address of the node.
        type: str
        default: ""
      api_port:
        description: Port of its API server.
        type: int
        default: 6443
      control_plane:
        description: Whether it is a control plane.
        type: bool
        default: false
      in_run:
        description: Whether this run upgrades it.
        type: bool
        default: true
      kubeadm:
        description: Installed version of kubeadm.
        type: str
        default: ""
      kubelet:
        description: Installed version of the kubelet.
        type: str
        default: ""
      components:
        description: Versions of its static pods.
        type: dict
        default: {}
      containerd:
        description: Installed version of containerd.
        type: str
        default: ""
      containerd_wanted:
        description: Desired version of containerd.
        type: str
        default: ""
      interrupted:
        description: Arguments of a C(kubeadm upgrade) that has not ended.
        type: str
        default: ""
      disks:
        description: Free space below data directories.
        type: list
        elements: dict
        default: []
        suboptions:
          path:
            description: Directory.
            type: str
            required: true
          available_mb:
            description: Available space in MiB.
            type: int
            required: true
attributes:
  check_mode:
    description: Changes nothing. In check mode, RV(ignore:changed) says whether the upgrade would change anything.
    support: full
  diff_mode:
    description: RV(text) shows the plan.
    support: none
"""

EXAMPLES = r"""
- name: Plan the upgrade of a cluster with one node
  slipway.kube.upgrade_plan:
    version: 1.37.2
    hosts:
      - {host: cp1, name: cp1, address: 192.0.2.11, control_plane: true, kubeadm: 1.36.3, components: {kube-apiserver: 1.36.3}}
"""

RETURN = r"""
text:
  description: The plan for a person, as lines.
  returned: success
  type: list
  elements: str
changes:
  description: What the upgrade would do, one sentence per step, in this order.
  returned: success
  type: list
  elements: str
  sample: ["snapshot of etcd saved", "node cp1: kubeadm, kubelet 1.36.3 -> 1.37.2", "add-on CoreDNS: v1.13.1 -> v1.14.3"]
needed:
  description: Whether anything is to be done.
  returned: success
  type: bool
refused:
  description: Every reason not to begin, each with evidence and remedy.
  returned: success
  type: list
  elements: str
snapshot:
  description: Whether a snapshot of etcd is due. It is not once an interrupted run has upgraded a control plane.
  returned: success
  type: bool
cluster_version:
  description: Version of the control plane according to kubeadm.
  returned: success
  type: str
  sample: 1.36.3
version:
  description: Version to upgrade to.
  returned: success
  type: str
  sample: 1.37.2
through:
  description: What happens before on the way through other minor versions, in this order. No node is drained, and kubelets keep their version.
  returned: success
  type: list
  elements: dict
  contains:
    version: {description: Version that the upgrade goes through., type: str, sample: 1.36.3}
    nodes: {description: Nodes on which something is to be done., type: list, elements: dict}
nodes:
  description: The nodes in their order.
  returned: success
  type: list
  elements: dict
  contains:
    name: {description: Name of the node., type: str}
    host: {description: Name in the inventory., type: str}
    control_plane: {description: Whether it is a control plane., type: bool}
    needed: {description: Whether anything is to be done on it., type: bool}
    moves: {description: What changes with its versions C(from) and C(to)., type: list, elements: dict}
    pods: {description: Pods that move when the node is drained., type: list, elements: str}
    resumes: {description: Whether an earlier run began to upgrade it., type: bool}
    stays_cordoned: {description: Whether an administrator cordoned it. It then stays cordoned., type: bool}
addons:
  description: Add-ons that kubeadm upgrades with the last control plane, with their versions C(from) and C(to).
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._kubeadm.module import ADMIN_OPTIONS, run_module
from ..module_utils._upgrade.plan import converge

DISK = {"path": {"type": "str", "required": True}, "available_mb": {"type": "int", "required": True}}
HOST = {
    "host": {"type": "str", "required": True},
    "name": {"type": "str", "required": True},
    "address": {"type": "str", "default": ""},
    "api_port": {"type": "int", "default": 6443},
    "control_plane": {"type": "bool", "default": False},
    "in_run": {"type": "bool", "default": True},
    "kubeadm": {"type": "str", "default": ""},
    "kubelet": {"type": "str", "default": ""},
    "components": {"type": "dict", "default": {}},
    "containerd": {"type": "str", "default": ""},
    "containerd_wanted": {"type": "str", "default": ""},
    "interrupted": {"type": "str", "default": ""},
    "disks": {"type": "list", "elements": "dict", "default": [], "options": DISK},
}


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec=dict(
            ADMIN_OPTIONS,
            version=dict(type="str", required=True),
            cluster=dict(type="str", default="kubernetes"),
            components=dict(type="dict", default={}),
            table=dict(type="dict", default={}),
            through=dict(type="list", elements="str", default=[]),
            batch=dict(type="int", default=1),
            force=dict(type="bool", default=False),
            snapshot_dir=dict(type="str", default=""),
            hosts=dict(type="list", elements="dict", required=True, options=HOST),
        ),
        supports_check_mode=True,
    )
    run_module(module, converge)


if __name__ == "__main__":
    main()
