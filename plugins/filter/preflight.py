# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Internal filter of the role preflight: the URLs that every host must be able to reach."""

from __future__ import annotations

from typing import Any

from ..plugin_utils.preflight.sources import requests_for


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Return the filters by name."""
        return {"preflight_urls": requests_for}
