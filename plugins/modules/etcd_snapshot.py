#!/usr/bin/python
# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: etcd_snapshot
short_description: Save a snapshot of etcd on a control plane
version_added: 0.1.0
description:
  - Runs on a control plane with a stacked etcd member, whose snapshot it writes to a file with mode C(0600). It needs no C(etcdctl).
  - The snapshot is verified by the digest that etcd appends to it. C(etcdutl snapshot restore) restores it.
  - It contains all Secrets of the cluster. It does not contain the certificates of the cluster, which a restore needs as well.
author:
  - slipway.kube authors (@slipway)
options:
  directory:
    description: Folder for snapshots, with mode C(0700).
    type: path
    required: true
  label:
    description: Part of the name of the file, after its time.
    type: str
    required: true
  keep:
    description: Number of snapshots that are kept in O(directory), the newest ones.
    type: int
    default: 3
  timeout:
    description: Seconds to wait for another module of this collection that changes the host.
    type: int
    default: 600
attributes:
  check_mode:
    description: Predicts that a snapshot is made.
    support: full
  diff_mode:
    description: There is no difference to show.
    support: none
"""

EXAMPLES = r"""
- name: Save a snapshot of etcd
  slipway.kube.etcd_snapshot:
    directory: /var/lib/slipway/snapshots
    label: before-1.37.2
"""

RETURN = r"""
changes:
  description: Snapshots that were made and deleted, as sentences.
  returned: success
  type: list
  elements: str
path:
  description: Path of the snapshot, empty in check mode.
  returned: success
  type: str
  sample: /var/lib/slipway/snapshots/etcd-20260101T120000Z-before-1.37.2.db
size:
  description: Its size in bytes.
  returned: success
  type: int
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._kubeadm.module import run_locked
from ..module_utils._kubeadm.snapshot import converge


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec=dict(
            directory=dict(type="path", required=True),
            label=dict(type="str", required=True),
            keep=dict(type="int", default=3),
            timeout=dict(type="int", default=600),
        ),
        supports_check_mode=True,
    )
    run_locked(module, converge)


if __name__ == "__main__":
    main()
