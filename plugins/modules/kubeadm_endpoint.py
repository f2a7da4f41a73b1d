#!/usr/bin/python
# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm_endpoint
short_description: Move a running cluster to another endpoint
version_added: 0.1.0
description:
  - Does one step of the move on one host. The API servers remain available, and the old endpoint stays in their certificates.
  - On every control plane, O(state=accepted). Then, once, on one of them, O(state=announced), when the endpoint reaches the control planes. Then
    O(state=used) on every node.
  - Each step recognizes what was done already, so that a run that was interrupted is repeated.
author:
  - slipway.kube authors (@slipway)
extends_documentation_fragment:
  - slipway.kube.admin
options:
  state:
    description:
      - With V(accepted), the certificate of this host's API server has the name of the endpoint and O(names). kubeadm issues it again if it does not,
        and the API server reads it again without a restart.
      - With V(announced), kubeadm's configuration, the ConfigMap with which hosts join and kube-proxy have the endpoint. The pods of kube-proxy are
        replaced one after another.
      - With V(used), the kubeconfigs of the kubelet and of the administrators in C(/etc/kubernetes) have the endpoint. The kubelet is restarted, pods
        keep running. The kubelet of a control plane that uses the API server of its own host continues to do so.
    type: str
    choices: [accepted, announced, used]
    required: true
  endpoint:
    description: Name or address, optionally with a port.
    type: str
    required: true
  api_port:
    description: Port of an endpoint that names none.
    type: int
    default: 6443
  names:
    description: More names and addresses for the certificate of the API server.
    type: list
    elements: str
    default: []
  node_name:
    description: Name of this node. Required with O(state=accepted).
    type: str
  timeout:
    description: Seconds for kubeadm, and for each thing that is waited for.
    type: int
    default: 300
  log:
    description: File on the host, with mode 0600, to which the output of kubeadm is appended.
    type: path
    default: /var/log/slipway-kubeadm.log
attributes:
  check_mode:
    description: Predicts the changes. Whether the endpoint reaches the cluster is not known in advance.
    support: full
  diff_mode:
    description: The changes are listed as sentences.
    support: none
"""

EXAMPLES = r"""
- name: Let the API server of this control plane accept the new endpoint
  slipway.kube.kubeadm_endpoint:
    state: accepted
    endpoint: kube.example.com
    node_name: cp1
"""

RETURN = r"""
changes:
  description: The changes that were made, or in check mode would be made, as sentences.
  returned: success
  type: list
  elements: str
  sample: ["The certificate of the API server gets the names kube.example.com."]
endpoint:
  description: The endpoint with its port.
  returned: success
  type: str
  sample: kube.example.com:6443
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._kubeadm.endpoint import converge
from ..module_utils._kubeadm.module import ADMIN_OPTIONS, run_locked


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec=dict(
            ADMIN_OPTIONS,
            state=dict(type="str", choices=["accepted", "announced", "used"], required=True),
            endpoint=dict(type="str", required=True),
            api_port=dict(type="int", default=6443),
            names=dict(type="list", elements="str", default=[]),
            node_name=dict(type="str"),
            timeout=dict(type="int", default=300),
            log=dict(type="path", default="/var/log/slipway-kubeadm.log"),
        ),
        required_if=[("state", "accepted", ["node_name"])],
        supports_check_mode=True,
    )
    run_locked(module, converge)


if __name__ == "__main__":
    main()
