#!/usr/bin/python
# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_limits
short_description: Limits of the machine that many hosts on it would exceed
version_added: 0.1.0
author:
  - slipway.kube authors (@slipway)
description:
  - Raises C(fs.inotify.max_user_instances), which all lab hosts on a machine share, where it is lower than they need.
  - Each systemd and each kubelet takes some; where none is left a host's boot stops without a word (the kernel's default is 128).
  - The value is changed live only, is remembered, and is put back by V(absent).
options:
  state:
    description: Whether the limit is high enough (V(present)) or what it was before (V(absent)).
    type: str
    choices: [present, absent]
    default: present
  inotify_instances:
    description: Value that is needed at least.
    type: int
    default: 0
  record:
    description: File that remembers the value from before. In a folder that does not outlast a reboot, as the value does not.
    type: path
    default: /run/slipway-lab-limits.json
attributes:
  check_mode:
    description: Says what would be raised or put back.
    support: full
  diff_mode:
    description: Shows the values.
    support: full
"""

EXAMPLES = r"""
- name: Have room for 30 hosts
  slipway.kube.lab_limits:
    inotify_instances: 2048
"""

RETURN = r"""
before:
  description: The value that was found.
  returned: always
  type: int
after:
  description: The value afterwards.
  returned: always
  type: int
"""

import json
import os

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._lab.engine import read_text

LIMIT = "/proc/sys/fs/inotify/max_user_instances"


def main() -> None:
    """Raise the limit, or put it back."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "inotify_instances": {"type": "int", "default": 0},
            "record": {"type": "path", "default": "/run/slipway-lab-limits.json"},
        },
        supports_check_mode=True,
    )
    record = module.params["record"]
    wanted = module.params["state"] == "present"
    before = int(read_text(LIMIT) or 0)
    remembered = json.loads(read_text(record) or "{}").get(LIMIT)
    after = max(before, module.params["inotify_instances"]) if wanted else remembered or before
    changed = after != before or (not wanted and remembered is not None)
    if changed and not module.check_mode:
        try:
            if wanted and remembered is None:
                with open(record, "w", encoding="utf-8") as stream:
                    json.dump({LIMIT: before}, stream)
            with open(LIMIT, "w", encoding="utf-8") as stream:
                stream.write(str(after))
            if not wanted:
                os.unlink(record)
        except OSError as error:
            module.fail_json(
                msg="%s is %d on this machine and must be %d: %s. Set it as root: sysctl -w fs.inotify.max_user_instances=%d"
                % (LIMIT, before, after, error, after)
            )
    values = {"before": "%s: %d\n" % (LIMIT, before), "after": "%s: %d\n" % (LIMIT, after)}
    module.exit_json(changed=changed, before=before, after=after, diff=values)


if __name__ == "__main__":
    main()
