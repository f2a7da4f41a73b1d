#!/usr/bin/python
# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: certificates
short_description: Show and renew the certificates of a node
version_added: 0.1.0
description:
  - Returns the certificates on the disk of a node with their end, those that kubeadm issued, those of the kubelet, and the authorities.
  - With O(renew), renews on a control plane those that end soon with C(kubeadm certs renew), and restarts each component whose process is older than
    one of its certificates. It waits until the component works again, before it continues with the next one.
  - Kubelets renew their certificates themselves, as long as these are valid; see O(bootstrap_token). Authorities are not renewed.
  - Run it on one control plane at a time.
author:
  - slipway.kube authors (@slipway)
options:
  renew:
    description: Whether to renew certificates.
    type: bool
    default: false
  days:
    description: Number of days before its expiry from which a certificate is renewed. With V(-1), only those that have expired.
    type: int
    default: 30
  restart:
    description: Whether to restart what uses a renewed certificate. Without it, a later call does.
    type: bool
    default: true
  node_name:
    description:
      - Name of the node of a control plane. With it and O(renew), the kubelet of a control plane that has the key of the authority gets a new client
        certificate if its own has expired, and is restarted.
    type: str
    default: ""
  bootstrap_token:
    description:
      - Bootstrap token with which the kubelet of this node asks for a new client certificate if its own has expired, see
        M(slipway.kube.kubeadm_credentials). Its node and pods stay.
    type: str
    default: ""
  server:
    description: URL of the API server of this host. If empty, the server in the administrator's kubeconfig is used.
    type: str
    default: ""
  timeout:
    description: Seconds that kubeadm, and the restart of one component, may take.
    type: int
    default: 300
  log:
    description: File on the host, with mode 0600, to which the output of kubeadm is appended.
    type: path
    default: /var/log/slipway-kubeadm.log
attributes:
  check_mode:
    description: Predicts which certificates would be renewed and which components restarted.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
"""

EXAMPLES = r"""
- name: Renew what expires within 60 days
  slipway.kube.certificates:
    renew: true
    days: 60
  become: true
"""

RETURN = r"""
certificates:
  description: The certificates, those that end first at the beginning.
  returned: success
  type: list
  elements: dict
  contains:
    name: {description: Name of the certificate. kubeadm's name where it renews it., type: str, sample: apiserver}
    path: {description: Its file., type: str, sample: /etc/kubernetes/pki/apiserver.crt}
    end: {description: When it expires., type: str, sample: "2027-01-02T03:04:05Z"}
    days: {description: Full days that are left. Negative if it has expired., type: int, sample: 364}
    renewed_by: {description: Who renews it. One of kubeadm and kubelet or empty for an authority., type: str, sample: kubeadm}
changes:
  description: The changes that were made, or in check mode would be made, as sentences.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._kubeadm.certificates import converge
from ..module_utils._kubeadm.module import run_locked


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec=dict(
            renew=dict(type="bool", default=False),
            days=dict(type="int", default=30),
            restart=dict(type="bool", default=True),
            node_name=dict(type="str", default=""),
            bootstrap_token=dict(type="str", default="", no_log=True),
            server=dict(type="str", default=""),
            timeout=dict(type="int", default=300),
            log=dict(type="path", default="/var/log/slipway-kubeadm.log"),
        ),
        supports_check_mode=True,
    )
    run_locked(module, converge)


if __name__ == "__main__":
    main()
