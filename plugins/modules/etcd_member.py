#!/usr/bin/python
# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: etcd_member
short_description: Run a member of an external etcd on a host
version_added: 0.1.0
description:
  - Makes a host a member of an etcd outside of the control planes, as a static pod of its kubelet, with kubeadm.
    Role P(slipway.kube.etcd#role) calls it on the hosts in their order.
  - The first members start together. A later one is added as a learner, which votes as soon as it has all data. A member that has lost its data is
    removed and added again, if etcd keeps its quorum.
  - An interrupted run is repeated and resumes where it stopped. A member is not changed.
  - U(https://kubernetes.io/docs/setup/production-environment/tools/kubeadm/setup-ha-etcd-with-kubeadm/).
author:
  - slipway.kube authors (@slipway)
extends_documentation_fragment:
  - slipway.kube.kubeadm
  - slipway.kube.admin
options:
  state:
    description:
      - V(authority) returns the authority of etcd, which is made if this host has none and O(config) is given.
      - V(present) makes the host a member and waits until it is healthy.
      - V(client) gives a control plane a client certificate. The key of the authority is only kept in memory there.
      - V(healthy) waits until the members at O(endpoints) have been healthy for a while, before and after the host of one is rebooted, and changes nothing.
      - V(stopped) stops the member of a host and deletes its data, because a backup replaces them.
      - V(used) lets the API server of a control plane, and kubeadm, use O(endpoints) after a member was added or removed. For one at a time.
    type: str
    choices: [authority, present, client, healthy, stopped, used]
    default: present
  config:
    description: Documents of kubeadm's configuration, of which the filter C(kubeadm_config) makes those of C(etcd).
    type: list
    elements: dict
    default: []
  authority:
    description:
      - The authority of etcd, C(certificate) and C(key) in PEM, as RV(authority) of another host has it.
      - Never shown in output, logs or diffs.
    type: dict
  members:
    description: Addresses of all members that begin together, by the names of their hosts.
    type: dict
    default: {}
  endpoints:
    description: URLs of the members that run. Without one, the etcd is new. With O(state=used), of all members, and with
      O(state=healthy), of those that are waited for.
    type: list
    elements: str
    default: []
  version:
    description: Version of etcd to which a member is upgraded, with the installed kubeadm. Every member must be healthy. A member is left as it is without it.
    type: str
    default: ""
  snapshot:
    description:
      - With O(state=present), path of a snapshot of etcd on this host. It becomes the first member of an etcd with this state, to which the others are
        added. Members that run are stopped before, with O(state=stopped) on their hosts. In check mode the file need not exist.
    type: path
    default: ""
  backup:
    description:
      - Digest of the backup that the snapshot is of. A member that was restored from it already, or added to an etcd that was, is left as it is.
      - With O(state=used), the components of the control plane are restarted once, because etcd was restored from it.
    type: str
    default: ""
  again:
    description: With O(state=used) and O(backup), whether the components are restarted also if they were for this backup before.
    type: bool
    default: false
  days:
    description: A client certificate that expires within this number of days is issued again.
    type: int
    default: 0
"""

EXAMPLES = r"""
- name: Make the first members of etcd
  slipway.kube.etcd_member:
    cluster: kubernetes
    node_name: etcd1
    node_addresses: [192.0.2.31]
    config:
      - apiVersion: kubeadm.k8s.io/v1beta4
        kind: InitConfiguration
        nodeRegistration: {name: etcd1}
        localAPIEndpoint: {advertiseAddress: 192.0.2.31}
      - apiVersion: kubeadm.k8s.io/v1beta4
        kind: ClusterConfiguration
        kubernetesVersion: v1.37.2
        etcd: {local: {dataDir: /var/lib/etcd}}
    authority: "{{ made.authority }}"
    members: {etcd1: 192.0.2.31, etcd2: 192.0.2.32, etcd3: 192.0.2.33}
"""

RETURN = r"""
changes:
  description: The changes that were made, or in check mode would be made, as sentences.
  returned: success
  type: list
  elements: str
authority:
  description: The authority of etcd, C(certificate) and C(key) in PEM. Use C(no_log) for the task. Empty in check mode if it would be made.
  returned: with O(state=authority)
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._kubeadm.etcd_member import converge
from ..module_utils._kubeadm.module import ADMIN_OPTIONS, KUBEADM_OPTIONS, run_locked


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec=dict(
            {**KUBEADM_OPTIONS, **ADMIN_OPTIONS},
            state=dict(
                type="str", choices=["authority", "present", "client", "healthy", "stopped", "used"], default="present"
            ),
            config=dict(type="list", elements="dict", default=[]),
            authority=dict(type="dict", no_log=True),
            members=dict(type="dict", default={}),
            endpoints=dict(type="list", elements="str", default=[]),
            version=dict(type="str", default=""),
            snapshot=dict(type="path", default=""),
            backup=dict(type="str", default=""),
            again=dict(type="bool", default=False),
            days=dict(type="int", default=0),
        ),
        supports_check_mode=True,
    )
    run_locked(module, converge)


if __name__ == "__main__":
    main()
