#!/usr/bin/python
# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: host_reset
short_description: Return a host to what it was before it became a node
version_added: 0.1.0
description:
  - Ends what a cluster runs on a host and returns the host to what its record says it was, in one call.
  - It runs C(kubeadm reset), stops the kubelet, ends all processes of pods, unmounts their volumes, deletes the interfaces, network namespaces,
    routes, nftables tables, iptables chains, ipsets and IPVS services of kube-proxy, the CNI plugins, Flannel and Calico, removes their folders, and
    restores files, units, sysctls, kernel modules, swap, firewall rules and holds of packages.
  - Only what carries a cluster's names goes, and nothing that was there before; foreign rules are never flushed.
  - Only a host that carries the mark of O(cluster_name) is touched. A host without a mark is left alone, and refused where it is a node of another cluster.
  - The record goes last, so that an interrupted reset is finished by the next. Programs that a half installed host lacks (kubeadm, nft, ipset) are not needed.
options:
  cluster_name:
    description: The name of the cluster that the host is to leave.
    type: str
    required: true
  record_dir:
    description: Folder of the host's record.
    type: path
    default: /var/lib/slipway
  cluster_remains:
    description:
      - Whether other control planes of the cluster go on. The etcd member of a control plane is taken out of its cluster first then, and nothing is
        reset where that does not succeed.
    type: bool
    default: false
  packages:
    description:
      - Whether packages that were not there before the cluster are removed too, with the dependencies that came with them and that nothing else needs.
    type: bool
    default: false
  pod_subnets:
    description: The cluster's pod networks (CIDR); routes to parts of them are removed.
    type: list
    elements: str
    default: []
  cri_socket:
    description: Socket of the container runtime, for kubeadm.
    type: str
    default: unix:///run/containerd/containerd.sock
attributes:
  check_mode:
    description: Lists exactly what would be done.
    support: full
  diff_mode:
    description: One entry for each thing that changes. Contents of files are never shown, because they may be secret.
    support: full
notes:
  - The programs of the host that it uses are C(systemctl), C(ip), C(umount) and C(timeout), and where they are there C(kubeadm), C(iptables), C(ctr) and
    the package manager.
seealso:
  - module: slipway.kube.host_layer
  - name: kubeadm reset
    description: What kubeadm itself removes, and what it leaves.
    link: https://kubernetes.io/docs/reference/setup-tools/kubeadm/kubeadm-reset/
author:
  - slipway.kube authors (@slipway)
"""

EXAMPLES = r"""
- name: Return a worker to what it was
  slipway.kube.host_reset:
    cluster_name: kubernetes
    pod_subnets: [10.244.0.0/16]

- name: Take one control plane of several out of the cluster, its packages included
  slipway.kube.host_reset:
    cluster_name: kubernetes
    cluster_remains: true
    packages: true
"""

RETURN = r"""
changes:
  description: What was done, or in check mode would be done, a sentence each, in that order.
  type: list
  elements: str
  returned: success
  sample:
    - kubeadm reset run
    - interface flannel.1 deleted
    - /etc/kubernetes removed
    - the record of what this host was removed
node:
  description: Whether the host was a node of the cluster, or an interrupted reset left it half of one.
  type: bool
  returned: success
notes:
  description: What could not go back to what it was, and why; each is also a warning.
  type: list
  elements: str
  returned: success
  sample: ["Kernel module br_netfilter stays loaded until the next boot: something else uses it."]
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._host.system import HostError, System, host_lock
from ..module_utils._reset.run import Options, reset

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
    wanted = {key: value for key, value in module.params.items() if key != "record_dir"}
    try:
        with host_lock():
            outcome = reset(System(), module.params["record_dir"], Options(**wanted), module.check_mode)
    except HostError as error:
        module.fail_json(msg=f"Reset: {error}")
    for note in outcome.notes:
        module.warn(note)
    result = dict(changed=bool(outcome.changes), changes=outcome.changes, node=outcome.node, notes=outcome.notes)
    if module._diff:
        result["diff"] = outcome.diff
    module.exit_json(**result)


if __name__ == "__main__":
    main()
