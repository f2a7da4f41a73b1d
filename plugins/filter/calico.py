# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Internal filter of the role network: configure Calico's manifest (plugin_utils/network/calico.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ansible.errors import AnsibleFilterError

from ..plugin_utils.network.calico import Calico, configure
from ..plugin_utils.network.settings import NetworkError


def calico(objects: Iterable[Any], pod_subnet: str, **settings: Any) -> list[dict[str, Any]]:
    """Apply the settings to the objects of Calico's manifest.

    :raises AnsibleFilterError: The settings are not valid, or the manifest does not have the structure of Calico's.
    """
    try:
        return configure(objects, Calico(pod_subnet=str(pod_subnet), **settings))
    except (NetworkError, TypeError) as error:
        raise AnsibleFilterError(f"Calico: {error}") from error


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"calico": calico}
