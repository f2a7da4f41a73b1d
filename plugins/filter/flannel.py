# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Internal filter of the role network: build Flannel's objects (plugin_utils/network/flannel.py)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ..plugin_utils.network.flannel import Flannel, objects
from ..plugin_utils.network.settings import NetworkError


def flannel(pod_subnet: str, version: str, **settings: Any) -> list[dict[str, Any]]:
    """Build the objects of a Flannel pod network.

    :raises AnsibleFilterError: The settings are not valid.
    """
    try:
        return objects(Flannel(pod_subnet=str(pod_subnet), version=str(version), **settings))
    except (NetworkError, TypeError) as error:
        raise AnsibleFilterError(f"Flannel: {error}") from error


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"flannel": flannel}
