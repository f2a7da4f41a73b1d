# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Internal filters: C(preflight_urls), the URLs that every host must be able to reach, C(usable_entries), the entries of a host's apt
that can provide the components of a repository, and C(versions_between), the versions that an upgrade goes through.
"""

from __future__ import annotations

from typing import Any

from ..module_utils._kube.versions import versions_between
from ..plugin_utils.preflight.repositories import usable_entries
from ..plugin_utils.preflight.sources import requests_for


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Return the filters by name."""
        return {"preflight_urls": requests_for, "usable_entries": usable_entries, "versions_between": versions_between}
