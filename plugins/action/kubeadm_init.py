# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the module of the task, and show what it says about itself while it works. The links to this file do the same for other modules."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action.normal import ActionModule as Normal

from ..plugin_utils.progress.feed import watched


class ActionModule(Normal):
    """Adds nothing to what Ansible does but that the progress is shown."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the module."""
        with watched(self, task_vars):
            result: dict[str, Any] = super().run(tmp, task_vars)
        return result
