# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Internal filters of role scale: this run of Ansible by a name that no other run has, and whether a run on this control node has ended."""

from __future__ import annotations

import multiprocessing
import os

from ..module_utils._release.lock import has_exited, process


def run_identity(prefix: str = "") -> str:
    """Return the control node and the process of this run. Tasks are templated in a process that Ansible forks for each of them.

    :param prefix: of the name.
    """
    parent = multiprocessing.parent_process()
    return prefix + process(parent.pid or os.getpid() if parent else os.getpid())


class FilterModule:
    """Filters of this file."""

    def filters(self):
        """Return the filters by name."""
        return {"run_identity": run_identity, "run_has_ended": has_exited}
