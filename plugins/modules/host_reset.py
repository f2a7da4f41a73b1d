#!/usr/bin/python
# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_reset
short_description: Return a host to its state before it became a node
version_added: 0.1.0
description:
  - Stops what a cluster runs on a host and restores the host to the state in its record, in one call.
  - It runs C(kubeadm reset), stops the kubelet, ends all processes of pods, unmounts their volumes, deletes the interfaces, network namespaces,
    routes, nftables tables, iptables chains, ipsets and IPVS services of kube-proxy, the CNI plugins, Flannel, Calico and Cilium, removes their folders, and
    restores files, units, sysctls, kernel modules, swap, firewall rules and holds of packages.
  - Only what has the names that a cluster uses is removed, and nothing that existed before. Rules of other software are never flushed.
  - Only a host that is marked for O(cluster_name) is changed. A host without a mark is not changed; the module fails if it is a node of another
    cluster, by name or by the hash of its CA.
  - The record is removed last, so that the next run resumes an interrupted reset. Programs that are missing on a partly installed host (kubeadm, nft,
    ipset) are not required.
options:
  cluster_name:
    description: Name of the cluster that the host belongs to.
    type: str
    required: true
  record_dir:
    description: Folder of the host's record.
    type: path
    default: /var/lib/slipway
  cluster_remains:
    description:
      - Whether control planes of the cluster are kept. The member of etcd on this host, a control plane or one of an external etcd, is then removed
        first, and nothing is reset if that fails.
    type: bool
    default: false
  packages:
    description:
      - Whether packages that were installed with the cluster are removed too, with their dependencies that nothing else needs.
    type: bool
    default: false
  pod_subnets:
    description: Pod networks of the cluster (CIDRs). Routes within them are removed.
    type: list
    elements: str
    default: []
  cri_socket:
    description: Socket of the container runtime, for kubeadm.
    type: str
    default: unix:///run/containerd/containerd.sock
attributes:
  check_mode:
    description: Lists the changes without making them.
    support: full
  diff_mode:
    description: Returns one entry for each change. The content of files is never shown, since it may be secret.
    support: full
notes:
  - It uses the programs C(systemctl), C(ip), C(umount) and C(timeout) of the host and, where they are installed, C(kubeadm), C(iptables), C(ctr) and
    the package manager.
seealso:
  - module: slipway.kube.host_layer
  - name: kubeadm reset
    description: What kubeadm itself removes, and what it does not remove.
    link: https://kubernetes.io/docs/reference/setup-tools/kubeadm/kubeadm-reset/
author:
  - slipway.kube authors (@slipway)
"""

EXAMPLES = r"""
- name: Reset a worker
  slipway.kube.host_reset:
    cluster_name: kubernetes
    pod_subnets: [10.244.0.0/16]

- name: Reset one of several control planes and remove its packages
  slipway.kube.host_reset:
    cluster_name: kubernetes
    cluster_remains: true
    packages: true
"""

RETURN = r"""
changes:
  description: Changes that were made, or in check mode would be made, one sentence each, in order.
  type: list
  elements: str
  returned: success
  sample:
    - kubeadm reset run
    - interface flannel.1 deleted
    - /etc/kubernetes removed
    - the record of this host's original state removed
node:
  description: Whether the host was a node of the cluster before this reset, or before an interrupted one that this reset resumed.
  type: bool
  returned: success
cluster:
  description: The cluster that the host belongs to; empty for a host without a cluster.
  type: dict
  returned: success
  contains:
    name:
      description: Its name.
      type: str
    ca_hash:
      description: Hash of the public key of its CA, as kubeadm's C(discovery-token-ca-cert-hash).
      type: str
    id:
      description: UID of its namespace C(kube-system). Empty if it is unknown.
      type: str
  sample: {name: kubernetes, ca_hash: "sha256:1f2e3d4c5b6a7988", id: 5d2c1b7e-8f8a-4b57-9f0d-6a1f0a1f2b3c}
api_server:
  description: URL of the API server of this host. Empty where it is not a control plane.
  type: str
  returned: success
  sample: https://10.0.0.11:6443
contents:
  description:
    - What the cluster contains, in check mode on a control plane whose API server answers; otherwise empty. C(id), C(nodes) (names), and the
      numbers of C(pods) and C(claims) (PersistentVolumeClaims).
  type: dict
  returned: success
api_error:
  description: Why the API server of this control plane does not answer, in check mode; otherwise empty.
  type: str
  returned: success
machine_id:
  description: Content of C(/etc/machine-id), by which the Node of this host is recognized.
  type: str
  returned: success
notes:
  description: What could not be restored, and why. Each note is also a warning.
  type: list
  elements: str
  returned: success
  sample: ["Kernel module br_netfilter stays loaded until the next boot because it is in use."]
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._host.system import HostError, System, host_lock
from ..module_utils._reset.run import ResetOptions, reset

ARGUMENTS = dict(
    cluster_name=dict(type="str", required=True),
    record_dir=dict(type="path", default="/var/lib/slipway"),
    cluster_remains=dict(type="bool", default=False),
    packages=dict(type="bool", default=False),
    pod_subnets=dict(type="list", elements="str", default=[]),
    cri_socket=dict(type="str", default="unix:///run/containerd/containerd.sock"),
)


def main():
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    options = {key: value for key, value in module.params.items() if key != "record_dir"}
    try:
        with host_lock():
            result = reset(System(), module.params["record_dir"], ResetOptions(**options), module.check_mode)
    except HostError as error:
        module.fail_json(msg=f"Reset: {error}")
    for note in result.notes:
        module.warn(note)
    returned = dict(
        changed=bool(result.changes),
        changes=result.changes,
        node=result.node,
        cluster=result.cluster,
        api_server=result.api_server,
        contents=result.contents,
        api_error=result.api_error,
        machine_id=(System().read("/etc/machine-id") or "").strip(),
        notes=result.notes,
    )
    if module._diff:
        returned["diff"] = result.diff
    module.exit_json(**returned)


if __name__ == "__main__":
    main()
