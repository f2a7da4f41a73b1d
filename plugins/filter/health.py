# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Internal filters of the role health: format the result of health_info as text or HTML (plugin_utils/reports)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ..module_utils._diagnosis.finding import SEVERITIES
from ..plugin_utils.reports import health_html, health_text


def _apply(report: Callable[..., Any], health: Mapping[str, Any], *arguments: Any) -> Any:
    try:
        return report(health, *arguments)
    except (AttributeError, KeyError, TypeError) as error:
        raise AnsibleFilterError(f"The input is not a result of slipway.kube.health_info: {error!r}") from error


def text(health: Mapping[str, Any], name: str = "") -> list[str]:
    """Return the report for a terminal, as lines.

    :param name: Name of the cluster.
    :raises AnsibleFilterError: The input is not a result of the module health_info.
    """
    return _apply(health_text.health_text, health, name)


def html(health: Mapping[str, Any], name: str = "") -> str:
    """Return the report as one HTML page.

    :param name: Name of the cluster.
    :raises AnsibleFilterError: The input is not a result of the module health_info.
    """
    return _apply(health_html.health_html, health, name)


def at_least(health: Mapping[str, Any], severity: str) -> list[dict[str, Any]]:
    """Return the findings of at least a severity, none for C(never).

    :raises AnsibleFilterError: The severity is not valid, or the input is not a result of the module health_info.
    """
    levels = ("never", *SEVERITIES)
    if severity not in levels:
        raise AnsibleFilterError(f"{severity!r} is not a valid severity (expected one of: {', '.join(levels)})")
    wanted = levels[1 : levels.index(severity) + 1]
    return _apply(lambda found: [finding for finding in found["findings"] if finding["severity"] in wanted], health)


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"health_text": text, "health_html": html, "health_at_least": at_least}
