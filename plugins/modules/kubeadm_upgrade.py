#!/usr/bin/python
# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm_upgrade
short_description: Upgrade a node with kubeadm
version_added: 0.1.0
description:
  - Runs C(kubeadm upgrade apply) on the first control plane of a cluster, and C(kubeadm upgrade node) on the others and on workers. The kubelet
    and its packages are not changed. kubeadm must be installed in the version to upgrade to.
  - A control plane that runs the version already is not changed. Before kubeadm runs on a control plane, every member of etcd must be healthy;
    afterwards the module waits until the API server of this host and etcd are healthy again.
  - If the host's record shows an interrupted C(kubeadm upgrade), the same command runs again.
author:
  - slipway.kube authors (@slipway)
extends_documentation_fragment:
  - slipway.kube.kubeadm
  - slipway.kube.admin
options:
  version:
    description: Version of Kubernetes to upgrade to.
    type: str
    required: true
  ignore_preflight_errors:
    description: Preflight checks of kubeadm that are ignored.
    type: list
    elements: str
    default: []
  health_timeout:
    description: Seconds to wait until etcd and the API server of a control plane are healthy.
    type: int
    default: 180
"""

EXAMPLES = r"""
- name: Upgrade a node
  slipway.kube.kubeadm_upgrade:
    cluster: kubernetes
    node_name: cp1
    version: 1.37.2
"""

RETURN = r"""
changes:
  description: What was done, or in check mode would be done, as sentences.
  returned: success
  type: list
  elements: str
  sample: ["kubeadm upgrade apply upgrades 'cp1' to 1.37.2."]
seconds:
  description: How long kubeadm ran.
  returned: success
  type: float
  sample: 61.2
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._kubeadm.module import ADMIN_OPTIONS, KUBEADM_OPTIONS, run_locked
from ..module_utils._kubeadm.upgrade import converge


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec=dict(
            KUBEADM_OPTIONS,
            **ADMIN_OPTIONS,
            version=dict(type="str", required=True),
            ignore_preflight_errors=dict(type="list", elements="str", default=[]),
            health_timeout=dict(type="int", default=180),
        ),
        supports_check_mode=True,
    )
    run_locked(module, converge)


if __name__ == "__main__":
    main()
