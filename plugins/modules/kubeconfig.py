#!/usr/bin/python
# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeconfig
short_description: Write the administrator's kubeconfig for users
version_added: 0.1.0
description:
  - Runs on a control plane. Writes C(~/.kube/config) with mode 0600 for users of the host and, in the same task, a kubeconfig on the control
    node.
  - A kubeconfig for another cluster, according to the CA in it, is never overwritten. The module fails instead.
author:
  - slipway.kube authors (@slipway)
extends_documentation_fragment:
  - slipway.kube.admin
options:
  users:
    description: Users of the host who get the kubeconfig. They must exist.
    type: list
    elements: str
    default: [root]
  namespace:
    description: Namespace of the context in the kubeconfig.
    type: str
    default: default
  control_node_path:
    description:
      - Path of the kubeconfig on the control node, written with mode 0600. If empty, none is written. A relative path starts in the working
        directory.
      - The kubeconfig is transferred over the connection. It is not part of the result or of a log.
    type: str
    default: ""
  control_node_server:
    description: URL of the API server in the kubeconfig on the control node, if it differs from the cluster's endpoint.
    type: str
    default: ""
  record_dir:
    description: Directory of the host's record, in which the previous files are saved first.
    type: path
    default: /var/lib/slipway
attributes:
  check_mode:
    description: Predicts the changes. If the cluster does not exist yet, all files are predicted to be written.
    support: full
  diff_mode:
    description: Shows servers, CA hashes and namespaces, but no credentials.
    support: full
"""

EXAMPLES = r"""
- name: Write the kubeconfigs of root, ops and the control node
  slipway.kube.kubeconfig:
    users: [root, ops]
    control_node_path: ./kubeconfig
"""

RETURN = r"""
paths:
  description: Paths of the kubeconfigs on the host.
  returned: success
  type: list
  elements: str
changes:
  description: The changes that were made, or in check mode would be made, as sentences.
  returned: success
  type: list
  elements: str
control_node_path:
  description: Path of the kubeconfig on the control node.
  returned: when O(control_node_path) is given
  type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._kubeadm.module import ADMIN_OPTIONS, run_module
from ..module_utils._kubeadm.user_kubeconfigs import converge


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec=dict(
            ADMIN_OPTIONS,
            users=dict(type="list", elements="str", default=["root"]),
            namespace=dict(type="str", default="default"),
            control_node_path=dict(type="str", default=""),
            control_node_server=dict(type="str", default=""),
            record_dir=dict(type="path", default="/var/lib/slipway"),
        ),
        supports_check_mode=True,
    )
    run_module(module, lambda params, check_mode: converge(params, check_mode, bool(params["control_node_path"])))


if __name__ == "__main__":
    main()
