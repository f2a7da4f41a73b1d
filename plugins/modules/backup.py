#!/usr/bin/python
# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: backup
short_description: Back up a cluster on a control plane
version_added: 0.1.0
description:
  - Takes a snapshot of etcd from the member of this host, verifies it, and writes it with the PKI and the configuration of encryption at rest
    into one archive, which is encrypted with age. Older archives are then removed by count and age.
  - Only the control plane whose etcd member leads takes a backup. On the others, the module does nothing.
  - The settings are those of the timer, which P(slipway.kube.backup#role) configures.
author:
  - slipway.kube authors (@slipway)
options:
  config:
    description: File with the settings.
    type: path
    default: /etc/slipway-backup.json
attributes:
  check_mode:
    description: Does nothing, and reports that a backup would be taken.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
"""

EXAMPLES = r"""
- name: Take a backup
  slipway.kube.backup:
  become: true
"""

RETURN = r"""
taken:
  description: Whether this host took the backup.
  returned: success
  type: bool
archive:
  description: Path of the archive.
  returned: when a backup was taken
  type: str
  sample: /var/backups/slipway/kubernetes-20260102T030000Z.tar.age
manifest:
  description:
    - What the archive contains, with C(cluster), C(ca_hash), C(kubernetes) and C(etcd) (versions), C(time), C(revision), C(keys) and
      C(files) (SHA-256 by name).
  returned: when a backup was taken
  type: dict
offsite_error:
  description: Why the archives of this host could not be copied to C(backup_remote). They are on the host.
  returned: when they could not be copied
  type: str
removed:
  description: Older archives that were removed.
  returned: when a backup was taken
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._kubeadm.backup import read_config, take_and_publish
from ..module_utils._kubeadm.module import run_module


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec=dict(config=dict(type="path", default="/etc/slipway-backup.json")), supports_check_mode=True
    )

    def converge(params, check_mode):
        if check_mode:
            return {"changed": True, "taken": False}
        result = take_and_publish(read_config(params["config"]), module.warn)
        return {"changed": result["taken"], **result}

    run_module(module, converge)


if __name__ == "__main__":
    main()
