#!/usr/bin/python
# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kubeadm_authorities
short_description: Rotate the certificate authorities of a running cluster
version_added: 0.1.0
description:
  - Does one step of the rotation on one host. Role P(slipway.kube.certificates#role) does them in their order.
  - Hosts of an external etcd (group C(kube_etcd)) take part in the rotation of V(etcd-ca), whose key only they have.
  - Each step recognizes what was done already, so that a rotation that was interrupted is repeated. The phase is read from the files of the host.
  - U(https://kubernetes.io/docs/tasks/tls/manual-rotation-of-ca-certificates/).
author:
  - slipway.kube authors (@slipway)
extends_documentation_fragment:
  - slipway.kube.admin
options:
  state:
    description:
      - With V(planned), which authorities are rotated is returned, and a control plane that lacks their keys is refused. Nothing is changed.
      - With V(prepared), a control plane, or a host of an external etcd, keeps the old and the new authorities in C(/etc/kubernetes/pki/rotation). Without
        O(keys), kubeadm makes them, if all nodes are in O(nodes) and Ready, and etcd is healthy.
      - With V(trusted), the host trusts the old and the new authorities. Its static pods are restarted one after the other, and the kubelet.
      - With V(refreshed), all pods of the host use the new CA. The kubelet refreshes their volumes about every minute, and clients of Kubernetes 1.36 and
        later read it again every five minutes, which is waited for, unless the pods were started with it.
      - With V(workloads), the pods that have the CA of the cluster are replaced, by an annotation of their Deployment, StatefulSet or DaemonSet.
      - With V(issued), the certificates of a control plane are issued by the new authorities, and tokens are signed by the new key.
      - With V(tokens), the tokens in Secrets are signed again.
      - With V(used), the kubelet of the host has a client certificate that the new CA has issued, requests such a serving certificate, and is restarted.
      - With V(renewed), all pods of the host use tokens that the new key has signed. Clients read them again every minute, which is waited for.
      - With V(finished), the host does not trust the old authorities any more.
      - V(workloads) and V(tokens) are for one control plane, for the whole cluster. V(trusted), V(issued) and V(finished) are done on one control
        plane, and on one host of an external etcd, at a time.
    type: str
    choices: [planned, prepared, trusted, workloads, refreshed, issued, tokens, used, renewed, finished]
    required: true
  rotate:
    description: Names of the authorities that are rotated with O(state=planned), if no rotation is unfinished.
    type: list
    elements: str
    choices: [all, ca, etcd-ca, front-proxy-ca, sa]
    default: []
  authorities:
    description:
      - The authorities that are rotated, by their name. Each has C(old) and C(new) in PEM, as RV(authorities) of O(state=prepared) returns them.
    type: dict
    default: {}
  keys:
    description: The new private keys by the name of the authority, as RV(keys) of O(state=prepared) on another control plane returns them.
    type: dict
  config:
    description:
      - Documents of kubeadm's configuration on a host of an external etcd, with which its new authority is made with O(state=prepared), if all members are
        healthy. Of a control plane, the settings of the cluster are used.
    type: list
    elements: dict
    default: []
  nodes:
    description: Names of all nodes whose hosts take part.
    type: list
    elements: str
    default: []
  node_name:
    description: Name of this node.
    type: str
    default: ""
  bootstrap_token:
    description: Bootstrap token with which the kubelet of a worker asks for its new certificate, see M(slipway.kube.kubeadm_credentials).
    type: str
    default: ""
  timeout:
    description: Seconds for kubeadm, and for each thing that is waited for.
    type: int
    default: 300
  log:
    description: File on the host, with mode 0600, to which the output of kubeadm is appended.
    type: path
    default: /var/log/slipway-kubeadm.log
  record_dir:
    description: Folder of the record of this host.
    type: path
    default: /var/lib/slipway
attributes:
  check_mode:
    description: Predicts the changes of each step.
    support: full
  diff_mode:
    description: The changes are listed as sentences.
    support: none
"""

EXAMPLES = r"""
- name: See whether the authorities can be rotated
  slipway.kube.kubeadm_authorities:
    state: planned
    rotate: [ca, sa]
"""

RETURN = r"""
changes:
  description: The changes that were made, or in check mode would be made, as sentences.
  returned: success
  type: list
  elements: str
  sample: ["The new ca is trusted with the old one.", "kube-apiserver restarted."]
rotating:
  description: The authorities whose rotation this control plane has not finished, before the call.
  returned: success
  type: list
  elements: str
  sample: [ca]
rotate:
  description: The authorities that will be rotated.
  returned: O(state=planned)
  type: list
  elements: str
  sample: [ca, etcd-ca, front-proxy-ca, sa]
authorities:
  description: Old and new certificates, or public keys, by the name of the authority.
  returned: O(state=prepared)
  type: dict
keys:
  description: The new private keys by the name of the authority. Keep them secret.
  returned: O(state=prepared)
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._kubeadm.module import ADMIN_OPTIONS, run_locked
from ..module_utils._kubeadm.rotation import converge


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec=dict(
            ADMIN_OPTIONS,
            state=dict(
                type="str",
                required=True,
                choices=[
                    "planned",
                    "prepared",
                    "trusted",
                    "workloads",
                    "refreshed",
                    "issued",
                    "tokens",
                    "used",
                    "renewed",
                    "finished",
                ],
            ),
            rotate=dict(
                type="list", elements="str", choices=["all", "ca", "etcd-ca", "front-proxy-ca", "sa"], default=[]
            ),
            authorities=dict(type="dict", default={}),
            keys=dict(type="dict", no_log=True),
            config=dict(type="list", elements="dict", default=[]),
            nodes=dict(type="list", elements="str", default=[]),
            node_name=dict(type="str", default=""),
            bootstrap_token=dict(type="str", default="", no_log=True),
            timeout=dict(type="int", default=300),
            log=dict(type="path", default="/var/log/slipway-kubeadm.log"),
            record_dir=dict(type="path", default="/var/lib/slipway"),
        ),
        supports_check_mode=True,
    )
    run_locked(module, converge)


if __name__ == "__main__":
    main()
