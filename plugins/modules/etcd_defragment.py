#!/usr/bin/python
# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: etcd_defragment
short_description: Defragment etcd and clear its space alarm
version_added: 0.1.0
description:
  - Runs on a control plane with a stacked etcd member. It needs no C(etcdctl).
  - Defragments every member whose database has much free space, one after another and the leader last. The others remain available; a single
    member does not respond for about a second per 100 MiB.
  - A member that does not respond prevents it, since etcd could lose its quorum.
  - If etcd has raised the alarm C(NOSPACE), with which it refuses all writes, its history is compacted, all members are defragmented, and the
    alarm is ended.
author:
  - slipway.kube authors (@slipway)
options:
  free_percent:
    description: Share of its database that must be free for a member to be defragmented.
    type: int
    default: 50
  minimum_size:
    description: Size of a database in MiB below which its member is not defragmented.
    type: int
    default: 100
  member_timeout:
    description: Seconds to wait for a member.
    type: int
    default: 300
  timeout:
    description: Seconds to wait for another module of this collection that changes the host.
    type: int
    default: 600
attributes:
  check_mode:
    description: Predicts which members are defragmented.
    support: full
  diff_mode:
    description: There is no difference to show.
    support: none
"""

EXAMPLES = r"""
- name: Defragment the members of etcd that have much free space
  slipway.kube.etcd_defragment:
"""

RETURN = r"""
changes:
  description: What was done, as sentences.
  returned: success
  type: list
  elements: str
  sample: ["etcd member cp1 defragmented: 412.0 MiB before, 61.3 MiB after"]
members:
  description: All members of etcd as they are now.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the member, which is that of its node.
      type: str
    size:
      description: Size of its database in bytes.
      type: int
    used:
      description: Bytes of it that are in use.
      type: int
"""

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._kubeadm.defragment import converge
from ..module_utils._kubeadm.module import run_locked


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec=dict(
            free_percent=dict(type="int", default=50),
            minimum_size=dict(type="int", default=100),
            member_timeout=dict(type="int", default=300),
            timeout=dict(type="int", default=600),
        ),
        supports_check_mode=True,
    )
    run_locked(module, converge)


if __name__ == "__main__":
    main()
