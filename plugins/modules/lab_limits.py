#!/usr/bin/python
# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_limits
short_description: Raise kernel limits of the machine that runs a lab
version_added: 0.1.0
author:
  - slipway.kube authors (@slipway)
description:
  - Raises C(fs.inotify.max_user_instances), which all lab hosts on a machine share, if it is too low for them.
  - Every systemd and kubelet uses several instances; if none is left, hosts stop booting without an error message. The kernel default is
    128.
  - Only the running kernel is changed. The original value is recorded, and V(absent) restores it.
options:
  state:
    description: Whether the limit should be high enough (V(present)) or have its original value (V(absent)).
    type: str
    choices: [present, absent]
    default: present
  inotify_instances:
    description: Minimum value.
    type: int
    default: 0
  record:
    description: File in which the original value is recorded. It should be in a folder that is cleared on reboot, as the value is.
    type: path
    default: /run/slipway-lab-limits.json
attributes:
  check_mode:
    description: Returns what would be raised or restored.
    support: full
  diff_mode:
    description: Shows the values.
    support: full
"""

EXAMPLES = r"""
- name: Raise the limit for 30 hosts
  slipway.kube.lab_limits:
    inotify_instances: 2048
"""

RETURN = r"""
before:
  description: The value before the run.
  returned: always
  type: int
after:
  description: The value after the run.
  returned: always
  type: int
"""

import json
import os

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._lab.engine import read_text

LIMIT = "/proc/sys/fs/inotify/max_user_instances"


def main() -> None:
    """Raise or restore the limit."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "inotify_instances": {"type": "int", "default": 0},
            "record": {"type": "path", "default": "/run/slipway-lab-limits.json"},
        },
        supports_check_mode=True,
    )
    record = module.params["record"]
    present = module.params["state"] == "present"
    before = int(read_text(LIMIT) or 0)
    recorded = json.loads(read_text(record) or "{}").get(LIMIT)
    after = max(before, module.params["inotify_instances"]) if present else recorded or before
    changed = after != before or (not present and recorded is not None)
    if changed and not module.check_mode:
        try:
            if present and recorded is None:
                with open(record, "w", encoding="utf-8") as stream:
                    json.dump({LIMIT: before}, stream)
            with open(LIMIT, "w", encoding="utf-8") as stream:
                stream.write(str(after))
            if not present:
                os.unlink(record)
        except OSError as error:
            module.fail_json(
                msg=f"{LIMIT} is {before} on this machine and cannot be changed to {after}: {error}. "
                f"Set it as root: sysctl -w fs.inotify.max_user_instances={after}"
                " [slipway:lab_limits]"
            )
    values = {"before": f"{LIMIT}: {before}\n", "after": f"{LIMIT}: {after}\n"}
    module.exit_json(changed=changed, before=before, after=after, diff=values)


if __name__ == "__main__":
    main()
