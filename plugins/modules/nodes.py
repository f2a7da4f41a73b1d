#!/usr/bin/python
# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: nodes
short_description: Reconcile labels, taints and serving certificates of all nodes
version_added: 0.1.0
description:
  - Runs on a control plane. Waits until each node has registered, sets the labels and taints of the inventory, and approves the serving
    certificate of its kubelet.
  - The names and addresses of the nodes are recorded in the ConfigMap C(slipway-nodes) of kube-system. A timer on the control planes approves
    renewed serving certificates by it.
  - Labels and taints that an earlier run set are removed if they are no longer in the inventory. Those set by other tools are not changed. The
    annotations C(slipway.kube/managed-labels) and C(slipway.kube/managed-taints) of a Node list what was set.
  - A certificate signing request is approved only if the node itself created it, and only for names and addresses that the inventory gives the
    node. The module connects to each kubelet to check its certificate, so an unchanged cluster needs no approval and no waiting.
author:
  - slipway.kube authors (@slipway)
extends_documentation_fragment:
  - slipway.kube.admin
options:
  nodes:
    description: Nodes of the cluster. Other nodes are not changed.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the node.
        type: str
        required: true
      addresses:
        description: Addresses allowed in its certificate. The module connects to the kubelet at the first one.
        type: list
        elements: str
        default: []
      host_names:
        description: Names allowed in its certificate, in addition to the name of the node.
        type: list
        elements: str
        default: []
      labels:
        description: Labels of the node.
        type: dict
        default: {}
      taints:
        description: Taints of the node.
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
            description: Effect of the taint.
            type: str
            choices: [NoSchedule, PreferNoSchedule, NoExecute]
            required: true
      control_plane:
        description: Whether the node is a control plane.
        type: bool
        default: false
  schedulable:
    description: Whether ordinary pods can be scheduled on control planes, which then do not have the taint C(node-role.kubernetes.io/control-plane).
    type: bool
    default: false
  serving_certificates:
    description: Whether kubelets request their serving certificates from the cluster. The requests are then approved.
    type: bool
    default: true
  end_joining:
    description: Whether to first revoke the join credentials that M(slipway.kube.kubeadm_credentials) issued.
    type: bool
    default: false
  ca_file:
    description: Path of the CA certificate of the cluster.
    type: path
    default: /etc/kubernetes/pki/ca.crt
  timeout:
    description: Seconds to wait for nodes to register and for kubelets to serve with their certificates.
    type: int
    default: 120
attributes:
  check_mode:
    description: Predicts the changes. A node that has not registered yet is predicted to need all of them.
    support: full
  diff_mode:
    description: Shows the changes of each node.
    support: full
"""

EXAMPLES = r"""
- name: Set labels and taints and approve serving certificates
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
    - Each node of the cluster by name, including nodes outside the inventory, with C(ready), C(version), C(roles), C(addresses),
      C(unschedulable) and C(taints).
  returned: success
  type: dict
approved:
  description: Nodes whose serving certificate was approved.
  returned: success
  type: list
  elements: str
refused:
  description: Certificate signing requests that were not approved, with the reasons.
  returned: success
  type: list
  elements: str
dns_managed:
  description: Whether the module M(slipway.kube.coredns) has set anything in the cluster's DNS.
  returned: success
  type: bool
unknown:
  description: Nodes of the cluster that are not in the inventory.
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
from ..module_utils._kubeadm.nodes import converge


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec=dict(
            ADMIN_OPTIONS,
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
    run_module(module, converge)


if __name__ == "__main__":
    main()
