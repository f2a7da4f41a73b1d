#!/usr/bin/python
# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_info
short_description: Verify an archive of a backup
version_added: 0.1.0
description:
  - Decrypts an archive that M(slipway.kube.backup) has written, verifies every file in it by its SHA-256, and returns its manifest.
  - The file names and digests are returned, the content of the files is not.
author:
  - slipway.kube authors (@slipway)
requirements:
  - age, for an encrypted archive
options:
  path:
    description: Path of the archive.
    type: path
    required: true
  identity:
    description: File with the private key, of age or SSH. Not needed for an archive that is not encrypted.
    type: path
    default: ""
  plain:
    description: Path to which the archive is written decrypted, with mode 0600. It then holds every secret of the cluster. If empty, it is not written.
    type: path
    default: ""
  snapshot:
    description: Path to which only the snapshot of etcd is written, with mode 0600. If empty, it is not written. Not together with O(plain).
    type: path
    default: ""
attributes:
  check_mode:
    description: Verifies the archive. O(plain) and O(snapshot) are not written.
    support: full
  diff_mode:
    description: Changes nothing.
    support: none
"""

EXAMPLES = r"""
- name: Verify a backup
  slipway.kube.backup_info:
    path: backups/kubernetes-20260102T030000Z.tar.age
    identity: ~/.config/age/key.txt
  delegate_to: localhost
"""

RETURN = r"""
manifest:
  description:
    - C(cluster), C(ca_hash), C(kubernetes) and C(etcd) (versions), C(node), C(time), C(revision), C(keys), C(service_subnet), C(pod_subnet),
      C(encryption) (whether Secrets are encrypted at rest), C(digest), which identifies the backup, and C(files) (SHA-256 by name).
  returned: success
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._kubeadm.module import run_module
from ..module_utils._kubeadm.open_archive import open_archive


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec=dict(
            path=dict(type="path", required=True),
            identity=dict(type="path", default=""),
            plain=dict(type="path", default=""),
            snapshot=dict(type="path", default=""),
        ),
        supports_check_mode=True,
    )

    def converge(params, check_mode):
        written = ("", "") if check_mode else (params["plain"], params["snapshot"])
        manifest = open_archive(params["path"], params["identity"], *written)
        return {"changed": False, "manifest": manifest}

    run_module(module, converge)


if __name__ == "__main__":
    main()
