# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Internal filter of the roles kubernetes and preflight: the ports of a node (plugin_utils/network/ports.py).

It returns C(open) (C(6443/tcp), for a firewall), C(protocols) (numbers of IP protocols) and C(listening) (ports that must be free).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..plugin_utils.network.ports import Node


def node_ports(plugin: str, **settings: Any) -> dict[str, Any]:
    """Return the ports of a node with this pod network."""
    node = Node(plugin, **settings)
    return {"open": node.open, "protocols": node.protocols, "listening": node.listening}


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"node_ports": node_ports}
