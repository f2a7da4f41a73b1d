# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Internal filter of the role upgrade: what M(slipway.kube.upgrade_plan) needs of each host of the inventory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..plugin_utils.cluster.upgrade_hosts import upgrade_hosts


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"upgrade_hosts": upgrade_hosts}
