# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Internal filter of role kubernetes: what the kubelet keeps of a host for the system."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..plugin_utils.cluster.reservation import kube_reserved


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"kube_reserved": lambda host: kube_reserved(int(host["cpus"]), int(host["memory_mb"]))}
