# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Ansible's tasks and results say about themselves, in each of its versions."""

from __future__ import annotations

from typing import Any

from ansible.playbook.block import Block
from ansible.plugins.loader import action_loader


def parts(result: Any) -> tuple[str, Any, dict[str, Any]]:
    """Return host, task and data of a result, by the names before and since ansible-core 2.19."""
    if hasattr(result, "task"):
        return result.host.get_name(), result.task, result.result
    return result._host.get_name(), result._task, result._result


def name_of(task: Any) -> str:
    """Return the name of a task without that of its role."""
    name = str(task.get_name()).strip()
    return name.partition(" : ")[2] or name if getattr(task, "_role", None) else name


def is_for_all(task: Any) -> bool:
    """Return whether a task runs once for all hosts, so that all of them fail with it."""
    if getattr(task, "run_once", False):
        return True
    found = action_loader.get(str(task.action), class_only=True)
    return bool(getattr(found, "BYPASS_HOST_LOOP", False))


def is_rescued(task: Any) -> bool:
    """Return whether a block around the task has a rescue for it."""
    parent = task
    inner = {task._uuid}
    while parent := getattr(parent, "_parent", None):
        if isinstance(parent, Block) and parent.rescue:
            outside = {one._uuid for one in [*parent.rescue, *parent.always]}
            if not inner & outside:
                return True
        inner.add(parent._uuid)
    return False
