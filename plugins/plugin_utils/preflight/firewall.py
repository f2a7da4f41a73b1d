# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of the firewalls on hosts: firewalld, which the role kubernetes configures, and ufw, which the user configures."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from typing import Any

from ...module_utils._host.firewall import missing
from ..network.ports import CONTROL_PLANE, ETCD, NODE, POD, Port
from .fleet import node_interface
from .hosts import node_of
from .problem import Checks, Cluster, Finding, Host
from .syntax import Network, parse_networks

CHECKS = Checks()

IP_PROTOCOLS = {"ipencap": "4", "vrrp": "112"}


def closed_in_zone(host: Host) -> str:
    """Return what firewalld does not allow on the interface with the node's address, a text; "" if nothing is missing."""
    interface, zones = node_interface(host).get("interface", ""), host.facts["firewall"]["zones"]
    zone = next((zone for zone in zones if interface in zone["interfaces"]), None)
    if zone is None:
        return "firewalld is active"
    node, lacking = node_of(host), []
    if zone["target"] != "ACCEPT":
        open_ports = " ".join(zone["ports"])
        lacking = [port for port, _where in missing(node.open, open_ports, open_ports)]
        allowed = {IP_PROTOCOLS.get(name, name) for name in zone["protocols"]}
        lacking += [f"IP protocol {number}" for number in node.protocols if number not in allowed]
    trusted = {source for zone in zones if zone["target"] == "ACCEPT" for source in zone["sources"]}
    networks = parse_networks(host.variables.get("kube_pod_subnet"))[0] if not host.etcd else ()
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
            f"Open {', '.join(node_of(host).open)}, and allow the pod network.",
            "warning",
        )


def ports_for(host: Host, *sources: str) -> list[Port]:
    """Return the ports of a host that one of these sources connects to, each number by itself."""
    return [
        Port(number, number, port.protocol, port.sources)
        for port in node_of(host).ports
        if {*sources} & {*port.sources}
        for number in range(port.first, port.last + 1)
    ]


def port_list(ports: list[Port]) -> str:
    """Return ports for a message: ``6443/tcp, 4789/udp``."""
    return ", ".join(map(str, ports))


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
        port
        for port in ports
        if not any(
            rule["protocol"] in ("any", port.protocol) and has_port(rule["ports"], port.first) for rule in entering
        )
    ]


def blocks_vrrp(rules: list[dict[str, Any]], source: Network) -> bool:
    """Return whether no rule allows the messages with which control planes agree on the holder of the virtual IP address (IP protocol 112)."""
    return not any(
        not rule["route"]
        and includes(rule["source"], source)
        and rule["protocol"] in ("any", "vrrp")
        and rule["ports"] == "any"
        for rule in rules
    )


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
            sources = (NODE, CONTROL_PLANE) if peer.control_plane else (ETCD,) if peer.etcd else (NODE,)
            ports = blocked_ports(rules, ports_for(host, *sources), source)
            blocked = [port_list(ports)] if ports else []
            if peer.control_plane and "112" in node_of(host).protocols and blocks_vrrp(rules, source):
                blocked.append("VRRP")
            if blocked:
                yield f"{', '.join(blocked)} from {peer.name} ({address})", f"ufw allow from {address}"
    for subnet in parse_networks(host.variables.get("kube_pod_subnet"))[0] if not host.etcd else ():
        everywhere = ip_network("0.0.0.0/0" if subnet.version == 4 else "::/0")
        ports = blocked_ports(rules, ports_for(host, POD), subnet)
        if ports:
            yield f"{port_list(ports)} from pods ({subnet})", f"ufw allow from {subnet}"
        for word, source, destination in (("from", subnet, everywhere), ("to", everywhere, subnet)):
            if not allows_all(rules, True, source, destination):
                yield f"forwarded traffic {word} pods ({subnet})", f"ufw route allow {word} {subnet}"


def lacks_api(host: Host, commands: list[str]) -> bool:
    """Return whether ufw, which needs these commands, drops what enters the host and has no rule about the port of the API server."""
    entering = [rule for rule in host.facts["firewall"]["ufw_rules"] if not rule["route"] and rule["ports"] != "any"]
    drops = any(command.startswith("ufw allow") for command in commands)
    return drops and not any(has_port(rule["ports"], host.api_port) for rule in entering)


@CHECKS.cluster("firewall")
def check_ufw(cluster: Cluster) -> Iterator[Finding]:
    """ufw, which drops what no rule allows, allows the traffic between nodes and of pods."""
    for host in cluster.inspected:
        lacking = list(missing_rules(cluster, host)) if host.facts["firewall"]["ufw"] and not host.settled else []
        if lacking:
            api = ""
            if host.control_plane and lacks_api(host, [command for _blocked, command in lacking]):
                api = f" Also allow users of the API and its load balancer: `ufw allow {host.api_port}/tcp`."
            yield (
                host.name,
                "The firewall ufw is active and blocks traffic of the cluster.",
                f"blocked: {'; '.join(blocked for blocked, _command in lacking)}",
                f"Run on the host: {', '.join(f'`{command}`' for _blocked, command in lacking)}.{api}",
            )
