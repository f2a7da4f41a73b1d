# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Internal filter of role scale: the stand-by hosts of the inventory, as M(slipway.kube.scale_plan) expects them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..plugin_utils.cluster.standby import standby_hosts


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"standby_hosts": standby_hosts}
