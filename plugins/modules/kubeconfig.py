#!/usr/bin/python
# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeconfig
short_description: Give people the administrator's kubeconfig
version_added: 0.1.0
description:
  - Runs on a control plane. Gives users of that host C(~/.kube/config), mode 0600, and, in the same call, writes a kubeconfig
    on the control node.
  - A file that holds the way to another cluster, as the CA in it tells, is refused and left as it is.
author:
  - slipway.kube authors (@slipway)
extends_documentation_fragment:
  - slipway.kube.admin
options:
  users:
    description: Users of this host who get it. They have to exist.
    type: list
    elements: str
    default: [root]
  namespace:
    description: Namespace of its context.
    type: str
    default: default
  control_node_path:
    description:
      - File on the control node, mode 0600, owned by who runs Ansible; empty for none. A relative path starts at the working directory.
      - The kubeconfig comes back over the connection and is in no result and no log.
    type: str
    default: ""
  control_node_server:
    description: URL of the API server in the file on the control node, where that is another than the cluster's endpoint.
    type: str
    default: ""
  record_dir:
    description: Folder of the host's record, in which what was there is written down first.
    type: path
    default: /var/lib/slipway
attributes:
  check_mode:
    description: Predicts; where there is no cluster yet, that all is written.
    support: full
  diff_mode:
    description: Shows servers, hashes of CAs and namespaces, no credentials.
    support: full
"""

EXAMPLES = r"""
- name: Give root, ops and the control node the kubeconfig
  slipway.kube.kubeconfig:
    users: [root, ops]
    control_node_path: ./kubeconfig
"""

RETURN = r"""
paths:
  description: Files on this host.
  returned: success
  type: list
  elements: str
changes:
  description: What was done, or in check mode would be done, in sentences.
  returned: success
  type: list
  elements: str
control_node_path:
  description: File on the control node.
  returned: when O(control_node_path) is given
  type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._kubeadm.module import finish
from ..module_utils._kubeadm.user_kubeconfigs import converge


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec=dict(
            kubeconfig=dict(type="path", default="/etc/kubernetes/admin.conf"),
            server=dict(type="str", default=""),
            users=dict(type="list", elements="str", default=["root"]),
            namespace=dict(type="str", default="default"),
            control_node_path=dict(type="str", default=""),
            control_node_server=dict(type="str", default=""),
            record_dir=dict(type="path", default="/var/lib/slipway"),
        ),
        supports_check_mode=True,
    )
    finish(module, lambda params, check_mode: converge(params, check_mode, bool(params["control_node_path"])))


if __name__ == "__main__":
    main()
