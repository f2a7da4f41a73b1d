# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of the virtual IP address of the control planes."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_interface

from .fleet import node_interface
from .problem import Checks, Cluster, Finding, Host
from .syntax import parse_networks, split_endpoint

CHECKS = Checks()
UNIT = "keepalived.service"


def vip_of(cluster: Cluster) -> IPv4Address | IPv6Address | None:
    """Return the virtual IP address; None if there is none, or if it is not an address."""
    try:
        return ip_address(str(cluster.variables.get("kube_control_plane_vip") or ""))
    except ValueError:
        return None


@CHECKS.cluster("vip")
def check_address(cluster: Cluster) -> Iterator[Finding]:
    """The virtual IP address is one, has the address family of the nodes, and belongs to no node, pod or Service."""
    text, vip = str(cluster.variables.get("kube_control_plane_vip") or ""), vip_of(cluster)
    shown = f"kube_control_plane_vip is {text}"
    if text and vip is None:
        remedy = "Use one address without a prefix or a port, for example 10.0.0.100."
        yield (
            "",
            "The virtual IP address of the control planes is not an IP address.",
            f"kube_control_plane_vip is '{text}'",
            remedy,
        )
    if vip is None:
        return
    for host in cluster.hosts.values():
        if str(vip) in (host.address, *host.configured_addresses):
            yield (
                host.name,
                "The virtual IP address of the control planes is the address of a node.",
                f"{shown}, which the inventory gives to this host",
                "Use an address of the nodes' network that no machine has.",
            )
    for variable in ("kube_pod_subnet", "kube_service_subnet"):
        for network in parse_networks(cluster.variables.get(variable))[0]:
            if vip in network:
                remedy = "Use an address of the nodes' network."
                yield "", f"The virtual IP address is in {variable}.", f"{shown}; {variable} is {network}", remedy


@CHECKS.cluster("vip")
def check_endpoint(cluster: Cluster) -> Iterator[Finding]:
    """The endpoint leads to the virtual IP address: it is this address, or a name, with the port of the API server."""
    vip = vip_of(cluster)
    name, port, error = split_endpoint(str(cluster.variables.get("kube_control_plane_endpoint") or ""))
    if vip is None or error or not name:
        return
    first, *_others = cluster.hosts.values()
    api_port = first.api_port
    try:
        other = ip_address(name) != vip
    except ValueError:  # a name, which may resolve to it
        other = False
    if other or port not in (0, api_port):
        yield (
            "",
            "The endpoint and the virtual IP address of the control planes contradict each other.",
            f"kube_control_plane_endpoint is {cluster.variables['kube_control_plane_endpoint']}; kube_control_plane_vip is {vip}, where the API servers "
            f"answer on port {api_port} (kube_api_port)",
            "Remove kube_control_plane_endpoint, or set it to a DNS name of the virtual IP address. With a load balancer of your own, remove "
            "kube_control_plane_vip.",
        )


@CHECKS.cluster("vip")
def check_network(cluster: Cluster) -> Iterator[Finding]:
    """The virtual IP address is a free one in the network of each control plane's address."""
    vip = vip_of(cluster)
    if vip is None:
        return
    for host in cluster.control_planes:
        interface = node_interface(host) if host.facts else {}
        if not interface:
            continue
        network = ip_interface(f"{interface['address']}/{interface['prefix']}").network
        if vip not in network or vip in _reserved(network):
            yield (
                host.name,
                "The virtual IP address of the control planes is not an address of the nodes' network.",
                f"kube_control_plane_vip is {vip}; the network of {interface['interface']} is {network}",
                "Use a free address of the network that all control planes are in. Without such a network, use a load balancer: "
                "kube_control_plane_endpoint.",
            )


def _reserved(network) -> tuple:
    """Return the addresses of an IPv4 network that no machine can have; small networks and IPv6 have none."""
    usual = network.version == 4 and network.prefixlen < 31
    return (network.network_address, network.broadcast_address) if usual else ()


@CHECKS.cluster("vip")
def check_free(cluster: Cluster) -> Iterator[Finding]:
    """No machine but a control plane of this cluster answers on the virtual IP address."""
    vip, planes = str(vip_of(cluster) or ""), cluster.control_planes
    own = {entry["mac"] for host in cluster.inspected for entry in host.facts["network"]["addresses"]}
    holders = [host for host in cluster.inspected if _has(host, vip)]
    for host in holders:
        if not (host.control_plane and host.prepared):
            yield (
                host.name,
                "The virtual IP address of the control planes is the address of a host.",
                f"kube_control_plane_vip is {vip}, which is assigned to an interface of this host",
                "Use an address of the nodes' network that no machine has.",
            )
    # A control plane that is not part of this run may hold it.
    if not vip or holders or not all(host.facts for host in planes):
        return
    for host in planes:
        mac = host.facts["network"].get("answering", {}).get(vip, "")
        if mac and mac not in own:
            yield (
                host.name,
                "A machine that is not a control plane of this cluster answers on the virtual IP address.",
                f"kube_control_plane_vip is {vip}; the machine's MAC address is {mac}",
                "Use an address that no machine has, or take it from that machine. Keep it out of the range of DHCP.",
            )


def _has(host: Host, address: str) -> bool:
    return any(entry["address"] == address for entry in host.facts["network"]["addresses"])


@CHECKS.host("vip")
def check_keepalived(host: Host) -> Iterator[Finding]:
    """keepalived, whose configuration the role writes, does not hold other addresses on this host already."""
    if not host.control_plane or not host.variables.get("kube_control_plane_vip") or host.prepared:
        return
    if host.facts["units"].get(UNIT, {}).get("active"):
        yield (
            "keepalived already runs on the host, with another configuration.",
            f"{UNIT} is active",
            "Stop and remove it, or let it hold the address of the API servers as well: remove kube_control_plane_vip and set "
            "kube_control_plane_endpoint.",
        )
