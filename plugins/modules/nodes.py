#!/usr/bin/python
# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: nodes
short_description: Labels, taints and serving certificates of all nodes, in one call
version_added: 0.1.0
description:
  - Runs on a control plane. Waits until each node has registered, gives it the labels and taints of the inventory, and approves
    its kubelet's serving certificate.
  - Labels and taints that an earlier run set and the inventory no longer has are removed; those that others set are left
    alone. What was set is noted in annotations C(slipway.kube/managed-labels) and C(slipway.kube/managed-taints) of the node.
  - A certificate is approved only where the node itself asks, for no name and address but those the inventory gives it.
    Whether a kubelet has one is seen by connecting to it, so that an unchanged cluster costs no approval and no wait.
author:
  - slipway.kube authors (@slipway)
extends_documentation_fragment:
  - slipway.kube.admin
options:
  nodes:
    description: Nodes of the cluster. Others that there may be are left alone.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name in Kubernetes.
        type: str
        required: true
      addresses:
        description: Addresses that its certificate may name; the first is where its kubelet is asked.
        type: list
        elements: str
        default: []
      host_names:
        description: Names, besides its own, that its certificate may have.
        type: list
        elements: str
        default: []
      labels:
        description: Labels it has.
        type: dict
        default: {}
      taints:
        description: Taints it has.
        type: list
        elements: dict
        default: []
        suboptions:
          key:
            description: Key of the taint.
            type: str
            required: true
          value:
            description: Value of the taint.
            type: str
            default: ""
          effect:
            description: What it does.
            type: str
            choices: [NoSchedule, PreferNoSchedule, NoExecute]
            required: true
      control_plane:
        description: Whether it is a control plane.
        type: bool
        default: false
  schedulable:
    description: Whether control planes take ordinary pods, and so have no taint C(node-role.kubernetes.io/control-plane).
    type: bool
    default: false
  serving_certificates:
    description: Whether kubelets ask the cluster for their serving certificates, which are then approved.
    type: bool
    default: true
  end_joining:
    description: Whether the tokens and certificates by which hosts joined, made by M(slipway.kube.kubeadm_credentials), are removed first.
    type: bool
    default: false
  ca_file:
    description: The cluster's CA.
    type: path
    default: /etc/kubernetes/pki/ca.crt
  timeout:
    description: Seconds to wait for nodes to register and kubelets to serve. A kubelet asks within seconds of its start.
    type: int
    default: 120
attributes:
  check_mode:
    description: Predicts; a node that is not there yet is expected to need all of it.
    support: full
  diff_mode:
    description: Shows what changes on each node.
    support: full
"""

EXAMPLES = r"""
- name: Label the nodes and approve their certificates
  slipway.kube.nodes:
    nodes:
      - {name: cp1, addresses: [192.0.2.11], control_plane: true}
      - name: w1
        addresses: [192.0.2.21]
        labels: {disktype: ssd}
        taints: [{key: dedicated, value: gpu, effect: NoSchedule}]
"""

RETURN = r"""
nodes:
  description:
    - "Each node of the cluster by name, those outside the inventory too: C(ready), C(version), C(roles), C(addresses), C(unschedulable), C(taints)."
  returned: success
  type: dict
approved:
  description: Nodes whose certificate was approved.
  returned: success
  type: list
  elements: str
refused:
  description: Requests for certificates that were left undecided, and why.
  returned: success
  type: list
  elements: str
unknown:
  description: Nodes that the inventory does not have.
  returned: success
  type: list
  elements: str
changes:
  description: What was done, or in check mode would be done, in sentences.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._kubeadm.module import finish
from ..module_utils._kubeadm.nodes import converge


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec=dict(
            kubeconfig=dict(type="path", default="/etc/kubernetes/admin.conf"),
            server=dict(type="str", default=""),
            nodes=dict(
                type="list",
                elements="dict",
                required=True,
                options=dict(
                    name=dict(type="str", required=True),
                    addresses=dict(type="list", elements="str", default=[]),
                    host_names=dict(type="list", elements="str", default=[]),
                    labels=dict(type="dict", default={}),
                    taints=dict(
                        type="list",
                        elements="dict",
                        default=[],
                        options=dict(
                            key=dict(type="str", required=True, no_log=False),
                            value=dict(type="str", default=""),
                            effect=dict(
                                type="str", choices=["NoSchedule", "PreferNoSchedule", "NoExecute"], required=True
                            ),
                        ),
                    ),
                    control_plane=dict(type="bool", default=False),
                ),
            ),
            schedulable=dict(type="bool", default=False),
            serving_certificates=dict(type="bool", default=True),
            end_joining=dict(type="bool", default=False),
            ca_file=dict(type="path", default="/etc/kubernetes/pki/ca.crt"),
            timeout=dict(type="int", default=120),
        ),
        supports_check_mode=True,
    )
    finish(module, converge)


if __name__ == "__main__":
    main()
