#!/usr/bin/python
# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: node
short_description: Drain, uncordon or remove a node of a cluster
version_added: 0.1.0
description:
  - Runs on a control plane that stays. Cordons a node and evicts its pods, uncordons it, or deletes the Node of a host that
    has been reset.
  - Pods of DaemonSets and static pods are not evicted. PodDisruptionBudgets are respected. The pods of a node that is not Ready are evicted
    without waiting until they have terminated, since only its kubelet could report that.
  - A Node under whose name another machine is running is never deleted.
author:
  - slipway.kube authors (@slipway)
extends_documentation_fragment:
  - slipway.kube.admin
options:
  name:
    description: Name of the node. The module changes nothing if there is none.
    type: str
    required: true
  state:
    description:
      - V(drained) cordons the node and evicts its pods.
      - V(uncordoned) uncordons the node, so that pods can be scheduled on it again.
      - V(absent) deletes the Node.
    type: str
    choices: [drained, uncordoned, absent]
    required: true
  machine_id:
    description: Content of C(/etc/machine-id) on the node's host, by which its Node is recognized.
    type: str
    default: ""
  ca_cert_hash:
    description: Hash of the public key of the CA of the node's cluster. The module fails if this control plane has another CA. Empty for any.
    type: str
    default: ""
  ca_file:
    description: Path of the CA certificate of the cluster.
    type: path
    default: /etc/kubernetes/pki/ca.crt
  timeout:
    description: Seconds to wait until the pods have ended, or until the node is ready.
    type: int
    default: 300
  force:
    description: Whether pods without a controller, which nothing starts again, are evicted. Without it, such pods prevent the drain.
    type: bool
    default: false
  reason:
    description:
      - With V(drained), recorded on a Node that was not cordoned before, in the annotation C(slipway.kube/cordoned-by).
      - With V(uncordoned), only a Node that was cordoned for this reason is changed. A node that an administrator cordoned stays cordoned.
    type: str
    default: ""
  etcd_member:
    description: With V(absent), whether the member of etcd that has the name of the node is removed as well, before the Node.
    type: bool
    default: false
  addresses:
    description: With O(etcd_member), addresses of the host. A member that was added and never started has no name, and is found by its peer URL.
    type: list
    elements: str
    default: []
  version:
    description: With V(uncordoned), wait at most O(timeout) seconds until the node is Ready and its kubelet runs this version. Empty not to wait.
    type: str
    default: ""
  previous:
    description:
      - Version that the kubelet had before O(version). If both are of one minor version, the static pods of a control plane run on, and only have to be
        ready; otherwise they must have been ready for some seconds, since the kubelet starts them anew.
    type: str
    default: ""
  boot_id:
    description:
      - Content of C(/proc/sys/kernel/random/boot_id) on the node's host. With V(uncordoned), wait at most O(timeout) seconds until the node is Ready and
        was seen since this boot. Empty not to wait.
    type: str
    default: ""
attributes:
  check_mode:
    description: Predicts the changes. Whether a PodDisruptionBudget prevents an eviction is not predicted.
    support: full
  diff_mode:
    description: Shows the changes.
    support: full
"""

EXAMPLES = r"""
- name: Drain a worker
  slipway.kube.node:
    name: w2
    state: drained

- name: Uncordon the node
  slipway.kube.node:
    name: w2
    state: uncordoned

- name: Remove its Node
  slipway.kube.node:
    name: w2
    state: absent
"""

RETURN = r"""
changes:
  description: The changes that were made, or in check mode would be made, as sentences.
  returned: success
  type: list
  elements: str
  sample: [node w2 cordoned, pod shop/web-7d9c evicted from node w2]
notes:
  description:
    - With O(state=drained), the pods of DaemonSets, which stay, the pods that lose local data, and the pods that are not started again.
  returned: success
  type: list
  elements: str
  sample: ["pods kube-system/kube-proxy-x2x7s stay on node w2, they belong to DaemonSets"]
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._kubeadm.module import ADMIN_OPTIONS, run_module
from ..module_utils._kubeadm.removal import converge


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec=dict(
            ADMIN_OPTIONS,
            name=dict(type="str", required=True),
            state=dict(type="str", choices=["drained", "uncordoned", "absent"], required=True),
            machine_id=dict(type="str", default=""),
            ca_cert_hash=dict(type="str", default=""),
            ca_file=dict(type="path", default="/etc/kubernetes/pki/ca.crt"),
            timeout=dict(type="int", default=300),
            force=dict(type="bool", default=False),
            reason=dict(type="str", default=""),
            version=dict(type="str", default=""),
            previous=dict(type="str", default=""),
            boot_id=dict(type="str", default=""),
            etcd_member=dict(type="bool", default=False),
            addresses=dict(type="list", elements="str", default=[]),
        ),
        supports_check_mode=True,
    )
    run_module(module, converge)


if __name__ == "__main__":
    main()
