# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Internal filters of the role health: format the result of health_info as text or HTML (plugin_utils/reports)."""

from __future__ import annotations

from typing import Any, Callable, Mapping

from ansible.errors import AnsibleFilterError

from ..module_utils._diagnosis.finding import SEVERITIES
from ..plugin_utils.reports import health_page
from ..plugin_utils.reports import health_text as report

WRONG = "This is not what slipway.kube.health_info returns: %r"


def health_text(health: Mapping[str, Any], name: str = "") -> list[str]:
    """Write the report for a terminal, as lines.

    :raises AnsibleFilterError: the input is not what the module health_info returns.
    """
    try:
        return report.health_text(health, name)
    except (AttributeError, KeyError, TypeError) as error:
        raise AnsibleFilterError(WRONG % error) from error


def health_html(health: Mapping[str, Any], name: str = "") -> str:
    """Write the report as one page of HTML.

    :raises AnsibleFilterError: the input is not what the module health_info returns.
    """
    try:
        return health_page.health_page(health, name)
    except (AttributeError, KeyError, TypeError) as error:
        raise AnsibleFilterError(WRONG % error) from error


def health_at_least(health: Mapping[str, Any], severity: str) -> list[dict[str, Any]]:
    """Keep the findings that are at least so severe; none for V(never).

    :raises AnsibleFilterError: there is no such severity, or the input is not what the module health_info returns.
    """
    if severity == "never":
        return []
    if severity not in SEVERITIES:
        raise AnsibleFilterError(f"There is no severity {severity!r}; there are: {', '.join(SEVERITIES)}, never.")
    try:
        wanted = SEVERITIES[: SEVERITIES.index(severity) + 1]
        return [finding for finding in health["findings"] if finding["severity"] in wanted]
    except (KeyError, TypeError) as error:
        raise AnsibleFilterError(WRONG % error) from error


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"health_text": health_text, "health_html": health_html, "health_at_least": health_at_least}
