# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ports of nodes that pods use (C(hostPort), C(hostNetwork)), and who uses them already."""

from __future__ import annotations

from typing import Sequence

from .finding import Network, shortened
from .view import Object, View, is_finished, named, node_name, spec_of


def host_ports(pod: Object) -> set[int]:
    """Return the ports of the node that a pod uses, as far as it declares them."""
    spec = spec_of(pod)
    ports = [port for one in (spec.get("containers") or []) for port in one.get("ports") or []]
    ports += [port for one in (spec.get("initContainers") or []) for port in one.get("ports") or []]
    field = "containerPort" if spec.get("hostNetwork") else "hostPort"
    return {port.get("hostPort") or port.get(field) for port in ports if port.get("hostPort") or port.get(field)}


def users(view: View, ports: set[int], node: str, besides: Object) -> list[Object]:
    """Return the pods that use one of these ports of a node.

    :param besides: a pod that does not count.
    """
    others = [pod for pod in view.all("Pod") if node_name(pod) == node and not is_finished(pod)]
    return [pod for pod in others if named(pod) != named(besides) and host_ports(pod) & ports]


def network_of(view: View, pod: Object) -> Network:
    """Return what a pod has to do with the network of its node, and how it resolves names."""
    spec = spec_of(pod)
    servers = (spec.get("dnsConfig") or {}).get("nameservers") or []
    # Those of dnsConfig are used in addition to the policy's, which are none with None.
    text = shortened(servers, 3) if servers else ""
    if not spec.get("hostNetwork"):
        return Network(nameservers=text)
    rivals = users(view, host_ports(pod), node_name(pod), pod)
    return Network(node_name(pod), _names(rivals), text)


def _names(pods: Sequence[Object]) -> str:
    return shortened([f"pod {named(pod)}" for pod in pods], 3)
