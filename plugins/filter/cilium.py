# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Internal filter of the role network: render Cilium's chart on the control node (plugin_utils/network/cilium.py)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ..plugin_utils.network.cilium import Cilium, objects
from ..plugin_utils.network.settings import NetworkError


def cilium(chart: str, pod_subnet: str, **settings: Any) -> list[dict[str, Any]]:
    """Return the objects of Cilium's chart with the settings.

    :raises AnsibleFilterError: The settings are not valid, or the chart cannot be had or rendered.
    """
    try:
        plain = json.loads(json.dumps(settings))  # without Ansible's data tags
        return objects(str(chart), Cilium(pod_subnet=str(pod_subnet), **plain))
    except (NetworkError, TypeError) as error:
        raise AnsibleFilterError(f"Cilium: {error}") from error


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"cilium": cilium}
