# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Internal filter of the role reset.

It returns C(problems), for which no host may be reset, C(summary), what the reset destroys, and C(keeper), the control plane that removes the
nodes from the rest of the cluster (C(host), C(server)).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..plugin_utils.cluster.reset_plan import plan


def reset_plan(hostvars: Mapping[str, Any], hosts: Iterable[str], name: str) -> dict[str, Any]:
    """Return the plan from what the role registered as ``__reset_examined`` and ``__reset_kept``."""
    hosts = list(hosts)

    def registered(host: str, variable: str) -> Mapping[str, Any]:
        result = hostvars[host].get(variable) or {}
        return {} if result.get("unreachable") or result.get("skipped") else result

    examined = {host: registered(host, "__reset_examined") for host in hosts}
    answers = (hostvars[host].get("__reset_kept") or {} for host in hosts)
    kept: list[Any] = next((answer["results"] for answer in answers if not answer.get("skipped", not answer)), [])
    return plan(examined, {result["item"]: result for result in kept}, name)


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"reset_plan": reset_plan}
