#!/usr/bin/python
# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm_credentials
short_description: Issue and revoke the credentials for joining a cluster
version_added: 0.1.0
description:
  - Runs on a control plane. Creates the given bootstrap token, which is valid for some minutes, uploads the certificates of the control plane
    encrypted with the given key, if control planes join, and returns the hash of the cluster's CA.
  - Joining hosts do not belong to a cluster. A stale Node or etcd member with the name of a joining host is deleted. The module fails if another
    machine is running under that name.
  - The caller generates the token and the key, so they are never part of a result. If control planes join, the result has the files that their
    API servers read, of which one is the key of encryption at rest; set C(no_log) on the task.
author:
  - slipway.kube authors (@slipway)
extends_documentation_fragment:
  - slipway.kube.admin
options:
  state:
    description:
      - V(present) issues the credentials.
      - V(absent) deletes all tokens that this module created and the certificates that it uploaded.
    type: str
    choices: [present, absent]
    default: present
  token:
    description: Bootstrap token, six characters, a dot and sixteen characters. Required when O(state=present).
    type: str
  certificate_key:
    description: Key of 64 hexadecimal digits. Leave it empty if no control plane joins.
    type: str
    default: ""
  minutes:
    description: Minutes for which the token is valid, unless it is deleted earlier with O(state=absent).
    type: int
    default: 15
  joining:
    description: Hosts that join with these credentials.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the node.
        type: str
        required: true
      addresses:
        description: Addresses of the node.
        type: list
        elements: str
        default: []
      machine_id:
        description: Content of C(/etc/machine-id) on the host.
        type: str
        default: ""
      seen:
        description: When the host was found not to belong to a cluster, in seconds since the epoch. A newer Node was created by another run and is not deleted.
        type: float
        default: 0.0
      control_plane:
        description: Whether the host joins as a control plane. Its stale etcd member is then deleted too.
        type: bool
        default: false
attributes:
  check_mode:
    description: Predicts the changes. If the cluster does not exist yet, all credentials are predicted to be created.
    support: full
  diff_mode:
    description: Credentials are temporary and are not shown.
    support: none
"""

EXAMPLES = r"""
- name: Issue credentials for a worker
  slipway.kube.kubeadm_credentials:
    token: "{{ token }}"
    joining:
      - {name: w3, addresses: [192.0.2.23]}
  register: credentials

- name: Revoke the credentials
  slipway.kube.kubeadm_credentials:
    state: absent
"""

RETURN = r"""
ca_cert_hash:
  description: Hash of the public key of the cluster's CA.
  returned: success
  type: str
  sample: sha256:1f2e3d4c5b6a79880f1e2d3c4b5a69788f0e1d2c3b4a5968770f1e2d3c4b5a69
endpoint:
  description: Host and port of the cluster's API endpoint. Empty in check mode if the cluster does not exist yet.
  returned: success
  type: str
  sample: 192.0.2.11:6443
cluster_id:
  description:
    - UID of the cluster's namespace C(kube-system). Empty with O(state=absent), and in check mode if the cluster does not exist yet.
  returned: success
  type: str
  sample: 5d2c1b7e-8f8a-4b57-9f0d-6a1f0a1f2b3c
files:
  description:
    - What the API server of this control plane reads, for the option O(slipway.kube.kubeadm_join#module:files). It contains a secret.
    - Empty without O(certificate_key), and for a cluster without such files.
  returned: success
  type: list
  elements: dict
  contains:
    path: {description: Path of the file., type: str}
    content: {description: Text of the file., type: str}
  sample: []
changes:
  description: The changes that were made, or in check mode would be made, as sentences.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._kubeadm import credentials
from ..module_utils._kubeadm.issue_credentials import converge
from ..module_utils._kubeadm.module import ADMIN_OPTIONS, run_module


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec=dict(
            ADMIN_OPTIONS,
            state=dict(type="str", choices=["present", "absent"], default="present"),
            token=dict(type="str", no_log=True),
            certificate_key=dict(type="str", default="", no_log=True),
            minutes=dict(type="int", default=15),
            joining=dict(
                type="list",
                elements="dict",
                default=[],
                options=dict(
                    name=dict(type="str", required=True),
                    addresses=dict(type="list", elements="str", default=[]),
                    machine_id=dict(type="str", default=""),
                    seen=dict(type="float", default=0.0),
                    control_plane=dict(type="bool", default=False),
                ),
            ),
        ),
        required_if=[("state", "present", ["token"])],
        supports_check_mode=True,
    )
    params = module.params
    if params["state"] == "present" and not credentials.token_id(params["token"]):
        module.fail_json(
            msg="'token' is not a valid bootstrap token (expected six characters, a dot and sixteen characters, all of a-z and 0-9)."
            " [slipway:module_options]"
        )
    if params["certificate_key"] and not credentials.KEY.match(params["certificate_key"]):
        module.fail_json(
            msg="'certificate_key' is not a valid key (expected 64 hexadecimal digits). [slipway:module_options]"
        )
    run_module(module, converge)


if __name__ == "__main__":
    main()
