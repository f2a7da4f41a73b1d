#!/usr/bin/python
# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm_join
short_description: Join a host to a cluster with kubeadm as a worker or control plane
version_added: 0.1.0
description:
  - Runs C(kubeadm join) with the CA of the cluster pinned, on a host that does not belong to a cluster.
  - If the host's record shows an interrupted C(kubeadm join), the host is cleaned up and C(kubeadm join) runs again.
    A control plane that was joining is removed from etcd while it still runs, so that etcd keeps its quorum.
  - A member of the cluster is not changed. The module fails on a member of another cluster.
  - kubeadm gets secrets in a file with mode 0600 on a memory file system, never as arguments of a process.
author:
  - slipway.kube authors (@slipway)
extends_documentation_fragment:
  - slipway.kube.kubeadm
options:
  state:
    description:
      - V(joined) joins the host.
      - V(ready_to_join) only waits for the kubeadm of an earlier run that is still running, and cleans up after an interrupted operation.
        Use it first on all hosts with an interrupted operation, then issue credentials with M(slipway.kube.kubeadm_credentials), which deletes the
        stale nodes of these hosts, then join.
    type: str
    choices: [joined, ready_to_join]
    default: joined
  config:
    description:
      - The C(JoinConfiguration), without token, CA hashes and certificate key. The host joins as a control plane if it contains C(controlPlane).
      - Required when O(state=joined).
    type: dict
  token:
    description: Bootstrap token. Required when O(state=joined).
    type: str
  ca_cert_hashes:
    description:
      - Hashes of public keys of CAs. The CA of the cluster must be one of them.
      - Required when O(state=joined), except in check mode, because the cluster may not exist yet.
    type: list
    elements: str
    default: []
  cluster_id:
    description: UID of the cluster's namespace C(kube-system), for the host's record. M(slipway.kube.kubeadm_credentials) returns it.
    type: str
    default: ""
  certificate_key:
    description: Key of the uploaded certificates, which joining control planes download.
    type: str
    default: ""
  files:
    description:
      - What the API server of a control plane reads, which M(slipway.kube.kubeadm_credentials) returns. Written with mode 0600 before kubeadm runs.
      - Never shown in output, logs or diffs, because one of them is the key of encryption at rest.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Path of the file.
        type: path
        required: true
      content:
        description: Text of the file.
        type: str
        required: true
  etcd_endpoints:
    description: URLs of the etcd members of other control planes, through which a partially joined control plane is removed from etcd.
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
  description: Whether the host is a complete member of the cluster at the end of the task. In check mode, whether it is one now.
  returned: success
  type: bool
changes:
  description: The changes that were made, or in check mode would be made, as sentences.
  returned: success
  type: list
  elements: str
seconds:
  description: Seconds that kubeadm took.
  returned: when kubeadm ran
  type: float
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._kubeadm.join import converge
from ..module_utils._kubeadm.module import KUBEADM_OPTIONS, run_locked


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec=dict(
            KUBEADM_OPTIONS,
            state=dict(type="str", choices=["joined", "ready_to_join"], default="joined"),
            config=dict(type="dict"),
            token=dict(type="str", no_log=True),
            ca_cert_hashes=dict(type="list", elements="str", default=[]),
            cluster_id=dict(type="str", default=""),
            certificate_key=dict(type="str", default="", no_log=True),
            files=dict(
                type="list",
                elements="dict",
                default=[],
                options=dict(
                    path=dict(type="path", required=True), content=dict(type="str", required=True, no_log=True)
                ),
            ),
            etcd_endpoints=dict(type="list", elements="str", default=[]),
        ),
        required_if=[("state", "joined", ["config", "token"])],
        supports_check_mode=True,
    )
    run_locked(module, converge)


if __name__ == "__main__":
    main()
