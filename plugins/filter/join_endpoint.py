# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Internal filter of several roles: C(ADDRESS:PORT), with brackets around an IPv6 address, as a URL needs it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..module_utils._kubeadm.config import join_endpoint


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"join_endpoint": join_endpoint}
