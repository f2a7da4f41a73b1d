# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ports that a node needs, and who connects to them: read by preflight and, for firewalld, by the role kubernetes.

https://kubernetes.io/docs/reference/networking/ports-and-protocols/,
https://docs.tigera.io/calico/latest/getting-started/kubernetes/requirements#network-requirements,
https://github.com/flannel-io/flannel/blob/master/Documentation/backends.md and
https://docs.cilium.io/en/stable/operations/system_requirements/#firewall-rules
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

CONTROL_PLANE, ETCD, NODE, POD, USER = "control_plane", "etcd", "node", "pod", "user"


class Port(NamedTuple):
    """One port or range of ports.

    :ivar first: lowest port of the range.
    :ivar last: highest port of the range.
    :ivar protocol: ``tcp`` or ``udp``.
    :ivar sources: who connects to it: control planes, members of etcd, nodes (control planes included), pods, users. Empty for the host itself only.
    """

    first: int
    last: int
    protocol: str
    sources: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"{self.first}-{self.last}/{self.protocol}" if self.last > self.first else f"{self.first}/{self.protocol}"
        )


@dataclass(frozen=True)
class Node:
    """What decides the ports of a node.

    :ivar plugin: pod network (kube_network_plugin).
    :ivar encapsulation: encapsulation of Calico, "" for its default.
    :ivar bgp: whether Calico uses BGP, as it does without VXLAN.
    :ivar wireguard: whether Calico uses WireGuard.
    :ivar flannel_backend: backend of Flannel, "" for its default.
    :ivar cilium_encapsulation: tunnel of Cilium, "" for its default.
    :ivar vip: whether the control planes hold a virtual IP address.
    :ivar etcd: whether it runs a member of an external etcd only.
    :ivar external_etcd: whether etcd runs on other hosts than the control planes.
    """

    plugin: str
    control_plane: bool = False
    api_port: int = 6443
    encapsulation: str = ""
    bgp: bool = False
    wireguard: bool = False
    flannel_backend: str = ""
    cilium_encapsulation: str = ""
    vip: bool = False
    etcd: bool = False
    external_etcd: bool = False

    @property
    def components(self) -> list[Port]:
        """Return the ports on which the components of Kubernetes listen."""
        members = [Port(2379, 2380, "tcp", (CONTROL_PLANE, ETCD))]
        if self.etcd:
            return [*members, Port(10250, 10250, "tcp", ())]
        ports = [Port(10250, 10250, "tcp", (CONTROL_PLANE, POD)), Port(10256, 10256, "tcp", (USER,))]
        if self.control_plane:
            ports = [
                Port(self.api_port, self.api_port, "tcp", (NODE, POD, USER)),
                *([] if self.external_etcd else members),
                *ports,
                Port(10257, 10257, "tcp", ()),
                Port(10259, 10259, "tcp", ()),
            ]
        return ports

    @property
    def network(self) -> list[Port]:
        """Return the ports of the pod network."""
        if self.etcd:
            return []
        if self.plugin == "flannel":
            return [Port(8472, 8472, "udp", (NODE,))] if self.flannel_backend in ("", "vxlan") else []
        if self.plugin == "cilium":
            tunnel = {"": 8472, "vxlan": 8472, "geneve": 6081}.get(self.cilium_encapsulation)
            # The second is that of the agents' health checks.
            return [*([Port(tunnel, tunnel, "udp", (NODE,))] if tunnel else []), Port(4240, 4240, "tcp", (NODE,))]
        if self.plugin != "calico":
            return []
        vxlan = not self.encapsulation or self.encapsulation.startswith("VXLAN")
        return [
            *([Port(179, 179, "tcp", (NODE,))] if self.bgp or not vxlan else []),
            *([Port(4789, 4789, "udp", (NODE,))] if vxlan else []),
            *([Port(51820, 51821, "udp", (NODE,))] if self.wireguard else []),
        ]

    @property
    def ports(self) -> list[Port]:
        """Return all ports of the node, those of Services included."""
        services = [Port(30000, 32767, protocol, (USER,)) for protocol in ("tcp", "udp") if not self.etcd]
        return [*self.components, *services, *self.network]

    @property
    def open(self) -> list[str]:
        """Return the ports that a firewall must open: ``6443/tcp``, ``30000-32767/udp``."""
        return [str(port) for port in self.ports if port.sources]

    @property
    def listening(self) -> list[int]:
        """Return the TCP ports that must be free for the components."""
        return [number for port in self.components for number in range(port.first, port.last + 1)]

    @property
    def protocols(self) -> list[str]:
        """Return the numbers of the IP protocols that a firewall must allow: 4 is IP in IP, 112 is VRRP."""
        tunnel = ["4"] if not self.etcd and self.plugin == "calico" and self.encapsulation.startswith("IPIP") else []
        return tunnel + (["112"] if self.vip and self.control_plane else [])
