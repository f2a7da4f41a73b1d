#!/usr/bin/python
# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm_init
short_description: Create the first control plane of a cluster with kubeadm
version_added: 0.1.0
description:
  - Runs C(kubeadm init) with the given configuration on a host that does not belong to a cluster.
  - If the host's record shows an interrupted C(kubeadm init), the host is cleaned up and C(kubeadm init) runs again.
  - A host that already is a control plane is not changed. The module waits until its API server is ready.
  - The error message of a failure contains its cause, the relevant log lines of kubeadm, the kubelet and the static pods, and a remedy.
author:
  - slipway.kube authors (@slipway)
extends_documentation_fragment:
  - slipway.kube.kubeadm
options:
  config:
    description:
      - Documents of kubeadm's configuration, C(InitConfiguration), C(ClusterConfiguration) and those of the components.
      - The module adds the bootstrap token that kubeadm requires. It is random, and deleted after C(kubeadm init).
    type: list
    elements: dict
    required: true
  files:
    description:
      - What the API server reads, such as the policy of its audit log. Written with mode 0600 before kubeadm runs.
      - If the configuration has the API server read C(/etc/kubernetes/apiserver/encryption.yaml), and it does not exist, the module writes it
        with a random key.
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
  server:
    description: URL of the API server of this host, to which the module connects after C(kubeadm init). If empty, it uses the cluster's endpoint.
    type: str
    default: ""
  restore:
    description:
      - Path of an archive on this host, decrypted, that M(slipway.kube.backup) has written. The PKI and the data of etcd are restored from it
        before C(kubeadm init) runs. An existing control plane on this host is replaced, unless it was restored from this archive already.
      - In check mode the archive need not exist.
    type: path
    default: ""
"""

EXAMPLES = r"""
- name: Create the first control plane
  slipway.kube.kubeadm_init:
    cluster: kubernetes
    node_name: cp1
    config:
      - apiVersion: kubeadm.k8s.io/v1beta4
        kind: InitConfiguration
        localAPIEndpoint: {advertiseAddress: 192.0.2.11, bindPort: 6443}
      - apiVersion: kubeadm.k8s.io/v1beta4
        kind: ClusterConfiguration
        kubernetesVersion: v1.37.2
        controlPlaneEndpoint: 192.0.2.11:6443
        networking: {podSubnet: 192.168.0.0/16}
"""

RETURN = r"""
ca_cert_hash:
  description: Hash of the public key of the cluster's CA, which joining hosts pin. Empty in check mode if the cluster does not exist.
  returned: success
  type: str
  sample: sha256:1f2e3d4c5b6a79880f1e2d3c4b5a69788f0e1d2c3b4a5968770f1e2d3c4b5a69
endpoint:
  description: Host and port of the cluster's API endpoint.
  returned: success
  type: str
  sample: 192.0.2.11:6443
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

from ..module_utils._kubeadm.init import converge
from ..module_utils._kubeadm.module import KUBEADM_OPTIONS, run_locked


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec=dict(
            KUBEADM_OPTIONS,
            config=dict(type="list", elements="dict", required=True),
            files=dict(
                type="list",
                elements="dict",
                default=[],
                options=dict(path=dict(type="path", required=True), content=dict(type="str", required=True)),
            ),
            server=dict(type="str", default=""),
            restore=dict(type="path", default=""),
        ),
        supports_check_mode=True,
    )
    run_locked(module, converge)


if __name__ == "__main__":
    main()
