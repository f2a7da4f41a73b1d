#!/usr/bin/python
# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm_join
short_description: Join a host to a cluster with kubeadm, as a worker or a control plane
version_added: 0.1.0
description:
  - Runs C(kubeadm join) with the CA of the cluster pinned, on a host that is in no cluster.
  - A join that an earlier run began and did not finish, as the host's record says, is cleared away and done again.
    A control plane that was joining leaves etcd while it still runs, so that the others keep their majority.
  - A host that is in the cluster is left alone; one that is in another cluster is refused.
  - Secrets go to kubeadm in a file of mode 0600 on a memory file system, never as arguments of a process.
author:
  - slipway.kube authors (@slipway)
extends_documentation_fragment:
  - slipway.kube.kubeadm
options:
  state:
    description:
      - V(joined) joins the host.
      - V(ready_to_join) only waits for an earlier run's kubeadm that is still at work, and clears away what an unfinished operation left.
        Do this first on all hosts with such an operation, then make credentials, which remove those hosts' traces from the cluster, then join.
    type: str
    choices: [joined, ready_to_join]
    default: joined
  config:
    description:
      - The C(JoinConfiguration), without token, CA hashes and certificate key. It is a control plane if it has C(controlPlane).
      - Required when O(state=joined).
    type: dict
  token:
    description: Bootstrap token. Required when O(state=joined).
    type: str
  ca_cert_hashes:
    description:
      - Hashes of the public keys of CAs, one of which the cluster must have.
      - Required when O(state=joined), but in check mode, where the cluster may not be there yet.
    type: list
    elements: str
    default: []
  certificate_key:
    description: Key of the certificates that were uploaded for control planes to fetch.
    type: str
    default: ""
  etcd_endpoints:
    description: URLs of the other control planes' etcd, by which a half-joined control plane leaves it.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Join a worker
  slipway.kube.kubeadm_join:
    cluster: kubernetes
    node_name: w1
    config:
      apiVersion: kubeadm.k8s.io/v1beta4
      kind: JoinConfiguration
      nodeRegistration: {name: w1}
      discovery: {bootstrapToken: {apiServerEndpoint: 192.0.2.11:6443}}
    token: "{{ token }}"
    ca_cert_hashes: ["{{ credentials.ca_cert_hash }}"]
"""

RETURN = r"""
joined:
  description: Whether the host is a whole member of the cluster at the end (in check mode, whether it is one now).
  returned: success
  type: bool
changes:
  description: What was done, or in check mode would be done, in sentences.
  returned: success
  type: list
  elements: str
seconds:
  description: How long kubeadm ran.
  returned: when it ran
  type: float
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._kubeadm.arguments import COMMON
from ..module_utils._kubeadm.join import converge
from ..module_utils._kubeadm.module import finish_alone


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec=dict(
            COMMON,
            state=dict(type="str", choices=["joined", "ready_to_join"], default="joined"),
            config=dict(type="dict"),
            token=dict(type="str", no_log=True),
            ca_cert_hashes=dict(type="list", elements="str", default=[]),
            certificate_key=dict(type="str", default="", no_log=True),
            etcd_endpoints=dict(type="list", elements="str", default=[]),
        ),
        required_if=[("state", "joined", ["config", "token"])],
        supports_check_mode=True,
    )
    finish_alone(module, converge)


if __name__ == "__main__":
    main()
