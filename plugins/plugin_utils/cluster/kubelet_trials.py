# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nodes whose kubelets get their settings before those of all others. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from ansible.errors import AnsibleError
from jinja2 import UndefinedError

PREFIX = "kubernetes_"


def settings_of(variables: Mapping[str, Any]) -> dict[str, str | None]:
    """Return the variables of role kubernetes that the inventory sets for a host, None for one that cannot be templated outside of the role."""
    found: dict[str, str | None] = {}
    for name in filter(lambda name: name.startswith(PREFIX), variables):
        try:
            found[name] = json.dumps(variables[name], default=str)
        except (AnsibleError, UndefinedError):
            found[name] = None  # it is made of a variable that has only a role's default, which hostvars do not have
    return found


def kubelet_trials(hostvars: Mapping[str, Any], hosts: Iterable[str]) -> list[str]:
    """Return the first node, and the first one whose settings differ from those of that node, such as a worker's.

    :param hosts: of the run. Those that are not nodes yet have no kubelet that settings could stop.
    """
    nodes = [name for name in hosts if ((hostvars[name].get("kube_host") or {}).get("cluster") or {}).get("member")]
    first = settings_of(hostvars[nodes[0]]) if nodes else {}
    return nodes[:1] + [name for name in nodes[1:] if settings_of(hostvars[name]) != first][:1]
