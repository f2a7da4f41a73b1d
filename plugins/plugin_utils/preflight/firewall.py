# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of the firewalls on hosts: firewalld, which the role kubernetes configures, and ufw, which the user configures."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from typing import Any

from ...module_utils._host.firewall import missing
from .fleet import node_interface
from .hosts import node_ports
from .kernel import needed_features
from .problem import Checks, Cluster, Finding, Host
from .syntax import Network, parse_networks

CHECKS = Checks()

Port = tuple[int, str]


def firewall_rules(host: Host) -> tuple[list[str], list[str]]:
    """Return (ports, names of one IP protocol) that the other nodes and users must reach on the host."""
    ports = [f"{port}/tcp" for port in node_ports(host)] + ["30000-32767/tcp", "30000-32767/udp"]
    features = needed_features(host)
    if "vxlan" in features:
        ports.append("8472/udp" if host.variables.get("kube_network_plugin") == "flannel" else "4789/udp")
    if "wireguard" in features:
        ports.append("51820-51821/udp")
    return ports, ["4", "ipencap"] if "ipip" in features else []


def closed_in_zone(host: Host) -> str:
    """Return what firewalld does not allow on the interface with the node's address, a text; "" if nothing is missing."""
    interface, zones = node_interface(host).get("interface", ""), host.facts["firewall"]["zones"]
    zone = next((zone for zone in zones if interface in zone["interfaces"]), None)
    if zone is None:
        return "firewalld is active"
    ports, protocol = firewall_rules(host)
    lacking = []
    if zone["target"] != "ACCEPT":
        open_ports = " ".join(zone["ports"])
        lacking = [port for port, _where in missing(ports, open_ports, open_ports)]
        lacking += [f"IP protocol {protocol[0]}"] if protocol and not {*protocol} & {*zone["protocols"]} else []
    trusted = {source for zone in zones if zone["target"] == "ACCEPT" for source in zone["sources"]}
    networks = parse_networks(host.variables.get("kube_pod_subnet"))[0]
    lacking += [f"{network} in the zone trusted" for network in networks if str(network) not in trusted]
    return f"zone {zone['zone']} of {interface} lacks {', '.join(lacking)}" if lacking else ""


@CHECKS.host("firewall", settled=False)
def check_firewall(host: Host) -> Iterator[Finding]:
    """firewalld allows the cluster's traffic: the role kubernetes opens its ports unless kubernetes_firewalld is false."""
    if not host.facts["firewall"]["firewalld"] or host.variables.get("kubernetes_firewalld"):
        return
    evidence = closed_in_zone(host)
    if evidence:
        yield (
            "A firewall is active. It must allow the traffic between nodes, pods and Services.",
            evidence,
            f"Open TCP ports {', '.join(map(str, node_ports(host)))} and the NodePorts 30000-32767, and allow the pod network.",
            "warning",
        )


def peer_ports(host: Host, peer: Host) -> list[Port]:
    """Return the ports of a node that another node needs ("Ports and Protocols", and the pod network's requirements)."""
    ports = [(host.api_port, "tcp")] if host.control_plane else []
    if peer.control_plane:
        ports += [(2379, "tcp"), (2380, "tcp")] if host.control_plane else []
        ports.append((10250, "tcp"))
    plugin = host.variables.get("kube_network_plugin")
    if plugin == "flannel" and str(host.variables.get("kube_network_flannel_backend") or "vxlan") == "vxlan":
        ports.append((8472, "udp"))
    if plugin == "calico":
        overlay = str(host.variables.get("kube_network_calico_encapsulation")).startswith("VXLAN")
        ports.append((4789, "udp") if overlay else (179, "tcp"))
        ports += [(51820, "udp")] if host.variables.get("kube_network_calico_wireguard") else []
    return ports


def pod_ports(host: Host) -> list[Port]:
    """Return the ports of a node that pods need: the API server and the kubelet (metrics-server)."""
    return [*([(host.api_port, "tcp")] if host.control_plane else []), (10250, "tcp")]


def port_list(ports: list[Port]) -> str:
    """Return ports for a message: ``6443/tcp, 4789/udp``."""
    return ", ".join(f"{port}/{protocol}" for port, protocol in ports)


def includes(network: str, wanted: Network) -> bool:
    """Return whether a network in a rule includes the wanted one."""
    try:
        whole = ip_network(network, strict=False)
    except ValueError:
        return False
    return whole.version == wanted.version and wanted.subnet_of(whole)  # type: ignore[arg-type]


def has_port(ports: str, wanted: int) -> bool:
    """Return whether the ports of a rule ("any", "80,443", "2379:2380") include the wanted one."""
    for part in ports.split(","):
        low, _colon, high = part.partition(":")
        if part == "any" or low.isdigit() and int(low) <= wanted <= int(high or low):
            return True
    return False


def blocked_ports(rules: list[dict[str, Any]], ports: list[Port], source: Network) -> list[Port]:
    """Return the ports that no rule opens for a source."""
    entering = [rule for rule in rules if not rule["route"] and includes(rule["source"], source)]
    return [
        (port, protocol)
        for port, protocol in ports
        if not any(rule["protocol"] in ("any", protocol) and has_port(rule["ports"], port) for rule in entering)
    ]


def allows_all(rules: list[dict[str, Any]], route: bool, source: Network, destination: Network) -> bool:
    """Return whether a rule allows everything from one network to another."""
    return any(
        rule["route"] is route
        and (rule["protocol"], rule["ports"]) == ("any", "any")
        and includes(rule["source"], source)
        and includes(rule["destination"], destination)
        for rule in rules
    )


def missing_rules(cluster: Cluster, host: Host) -> Iterator[tuple[str, str]]:
    """Yield (blocked traffic, command of ufw that allows it) for a host on which ufw is active."""
    rules = host.facts["firewall"]["ufw_rules"]
    for peer in cluster.hosts.values():
        for address in peer.node_addresses if peer is not host else ():
            try:
                source = ip_network(ip_address(address))
            except ValueError:  # the name of a host that could not be inspected
                continue
            blocked = blocked_ports(rules, peer_ports(host, peer), source)
            if blocked:
                yield f"{port_list(blocked)} from {peer.name} ({address})", f"ufw allow from {address}"
    for subnet in parse_networks(host.variables.get("kube_pod_subnet"))[0]:
        everywhere = ip_network("0.0.0.0/0" if subnet.version == 4 else "::/0")
        blocked = blocked_ports(rules, pod_ports(host), subnet)
        if blocked:
            yield f"{port_list(blocked)} from pods ({subnet})", f"ufw allow from {subnet}"
        for word, source, destination in (("from", subnet, everywhere), ("to", everywhere, subnet)):
            if not allows_all(rules, True, source, destination):
                yield f"forwarded traffic {word} pods ({subnet})", f"ufw route allow {word} {subnet}"


@CHECKS.cluster("firewall")
def check_ufw(cluster: Cluster) -> Iterator[Finding]:
    """ufw, which drops what no rule allows, allows the traffic between nodes and of pods."""
    for host in cluster.inspected:
        lacking = list(missing_rules(cluster, host)) if host.facts["firewall"]["ufw"] and not host.settled else []
        if lacking:
            api = f" Also open port {host.api_port}/tcp to those who use the API." if host.control_plane else ""
            yield (
                host.name,
                "The firewall ufw is active and blocks traffic of the cluster.",
                f"blocked: {'; '.join(blocked for blocked, _command in lacking)}",
                f"Run on the host: {', '.join(f'`{command}`' for _blocked, command in lacking)}.{api}",
            )
