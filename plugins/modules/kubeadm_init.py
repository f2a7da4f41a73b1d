#!/usr/bin/python
# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm_init
short_description: Make a host the first control plane of a cluster with kubeadm
version_added: 0.1.0
description:
  - Runs C(kubeadm init) with a given configuration on a host that is in no cluster.
  - An init that an earlier run began and did not finish, as the host's record says, is cleared away and done again.
  - On a host that is a control plane already it changes nothing, and waits until its API server answers.
  - A failure is explained with what kubeadm, the kubelet and the static pods wrote.
author:
  - slipway.kube authors (@slipway)
extends_documentation_fragment:
  - slipway.kube.kubeadm
options:
  config:
    description:
      - Documents of kubeadm's configuration, C(InitConfiguration) and C(ClusterConfiguration) and those of the components.
      - The bootstrap token that kubeadm wants is added here; it is random, and removed again when the init has ended.
    type: list
    elements: dict
    required: true
  server:
    description: URL of this host's own API server, to which it listens after the init; empty for the cluster's endpoint.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Make the first control plane
  slipway.kube.kubeadm_init:
    cluster: kubernetes
    node_name: cp1
    config:
      - apiVersion: kubeadm.k8s.io/v1beta4
        kind: InitConfiguration
        localAPIEndpoint: {advertiseAddress: 192.0.2.11, bindPort: 6443}
      - apiVersion: kubeadm.k8s.io/v1beta4
        kind: ClusterConfiguration
        kubernetesVersion: v1.36.3
        controlPlaneEndpoint: 192.0.2.11:6443
        networking: {podSubnet: 192.168.0.0/16}
"""

RETURN = r"""
ca_cert_hash:
  description: Hash of the public key of the cluster's CA, as hosts that join pin it. Empty in check mode where there is no cluster.
  returned: success
  type: str
  sample: sha256:1f2e3d4c5b6a79880f1e2d3c4b5a69788f0e1d2c3b4a5968770f1e2d3c4b5a69
endpoint:
  description: Host and port by which the cluster's API is reached.
  returned: success
  type: str
  sample: 192.0.2.11:6443
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
from ..module_utils._kubeadm.init import converge
from ..module_utils._kubeadm.module import finish_alone


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec=dict(
            COMMON,
            config=dict(type="list", elements="dict", required=True),
            server=dict(type="str", default=""),
        ),
        supports_check_mode=True,
    )
    finish_alone(module, converge)


if __name__ == "__main__":
    main()
