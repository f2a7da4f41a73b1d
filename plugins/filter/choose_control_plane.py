# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Internal filter of the role control_plane: the reference control plane, through which the other hosts join.

It returns C(host) (inventory name), C(state) (C(healthy), C(unhealthy), C(interrupted) or C(none)) and C(problem): why no control plane can be
used or created and how to resolve that, empty if one can.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..plugin_utils.cluster.choose_control_plane import choose


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"choose_control_plane": choose}
