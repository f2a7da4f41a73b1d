#!/usr/bin/python
# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm_credentials
short_description: Let hosts join for some minutes, and end that again
version_added: 0.1.0
description:
  - Runs on a control plane. Makes a given bootstrap token valid for some minutes, uploads the control planes' certificates
    under a given key where control planes are to join, and tells the hash of the cluster's CA.
  - Hosts that are to join are in no cluster. A node or etcd member that bears their name is left over from an earlier life
    of theirs and is removed; if another machine is alive under that name, that is refused.
  - Token and key are made by the caller, so that they never are in a result.
author:
  - slipway.kube authors (@slipway)
extends_documentation_fragment:
  - slipway.kube.admin
options:
  state:
    description:
      - V(present) lets hosts join.
      - V(absent) removes every token that this module made, and the certificates that it uploaded.
    type: str
    choices: [present, absent]
    default: present
  token:
    description: Bootstrap token, six characters, a dot and sixteen characters. Required when O(state=present).
    type: str
  certificate_key:
    description: Key of 64 hexadecimal digits. Empty where no control plane is to join.
    type: str
    default: ""
  minutes:
    description: How long the token is valid, in minutes. It is removed before, when all have joined.
    type: int
    default: 15
  joining:
    description: Hosts that are to join.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name in Kubernetes.
        type: str
        required: true
      addresses:
        description: Addresses of the node.
        type: list
        elements: str
        default: []
      machine_id:
        description: Its /etc/machine-id.
        type: str
        default: ""
      seen:
        description: When it was seen to be in no cluster, in seconds since the epoch. A Node that is younger is another run's and is not removed.
        type: float
        default: 0.0
      control_plane:
        description: Whether it joins as a control plane, and may have left a member in etcd.
        type: bool
        default: false
attributes:
  check_mode:
    description: Predicts; where there is no cluster yet, that all is made.
    support: full
  diff_mode:
    description: Nothing that lasts is changed.
    support: none
"""

EXAMPLES = r"""
- name: Let a worker join
  slipway.kube.kubeadm_credentials:
    token: "{{ token }}"
    joining:
      - {name: w3, addresses: [192.0.2.23]}
  register: credentials

- name: End it
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
  description: Host and port by which the cluster's API is reached; empty in check mode where there is no cluster yet.
  returned: success
  type: str
  sample: 192.0.2.11:6443
changes:
  description: What was done, or in check mode would be done, in sentences.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._kubeadm import credentials
from ..module_utils._kubeadm.issue_credentials import converge
from ..module_utils._kubeadm.module import finish


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec=dict(
            kubeconfig=dict(type="path", default="/etc/kubernetes/admin.conf"),
            server=dict(type="str", default=""),
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
            msg="'token' is no bootstrap token: six characters, a dot and sixteen characters, all of a-z and 0-9."
        )
    if params["certificate_key"] and not credentials.KEY.match(params["certificate_key"]):
        module.fail_json(msg="'certificate_key' is no key: 64 hexadecimal digits.")
    finish(module, converge)


if __name__ == "__main__":
    main()
