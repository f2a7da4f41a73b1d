# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The networks of a lab: address families, a second network that holds the default route, a proxy as the only way out. Pure functions.

The engine's networks always have IPv4. Hosts of a lab without it remove their IPv4 addresses when they boot (roles/lab/files/host/host-entry).
"""

from __future__ import annotations

import ipaddress

FAMILIES = ("ipv4", "ipv6")
PROXY_PORT = 3128
NODES = ("control_plane", "worker")
SECOND_DISTANCE = 1 << 16
# Networks of pods and Services by address family.
POD_SUBNETS = {"ipv4": "10.244.0.0/16", "ipv6": "fd00:10:244::/56"}
SERVICE_SUBNETS = {"ipv4": "10.96.0.0/12", "ipv6": "fd00:10:96::/112"}


def ipv6_subnet(subnet: str) -> str:
    """Return the IPv6 network beside an IPv4 one, whose address is part of it: unique local addresses (RFC 4193)."""
    number = int(ipaddress.IPv4Network(subnet).network_address)
    return f"fd00:{number >> 16:x}:{number & 0xFFFF:x}::/64"


def second_subnet(subnet: str) -> str:
    """Return the network of the second interfaces, so far from *subnet* that the networks of neighbouring labs are free."""
    network = ipaddress.IPv4Network(subnet)
    distance = max(SECOND_DISTANCE, network.num_addresses)
    return f"{network.network_address + distance}/{network.prefixlen}"


def gateway(subnet: str) -> str:
    """Return the address of the Docker Engine in a network."""
    return str(ipaddress.ip_network(subnet)[1])


def main_gateway(want: dict) -> str:
    """Return the address of the Docker Engine in the first network of a lab, of the first address family."""
    return gateway(want["subnet"] if want["ip_families"][0] == "ipv4" else ipv6_subnet(want["subnet"]))


def url_host(address: str) -> str:
    """Return an address as part of a URL."""
    return f"[{address}]" if ":" in address else address


def wanted_subnets(want: dict) -> dict[str, list[str]]:
    """Return the subnets of each network of a lab, by what comes after the lab's name in the name of the network.

    :param want: subnet, ip_families and second_network.
    """
    first = [want["subnet"]] + ([ipv6_subnet(want["subnet"])] if "ipv6" in want["ip_families"] else [])
    return {"": first, **({"-second": [second_subnet(want["subnet"])]} if want["second_network"] else {})}


def networks(want: dict, name: str, sources: str) -> list[dict]:
    """Return the networks as options of community.docker.docker_network.

    :param name: name of the first network.
    :param sources: what the hosts use (upstream, origin, none). Without a source of software, or with a proxy, nothing is routed out.
    """
    return [
        {
            "name": name + suffix,
            "enable_ipv6": len(subnets) > 1,
            "internal": sources == "none" or want["proxy"],
            "ipam_config": [{"subnet": subnet, "gateway": gateway(subnet)} for subnet in subnets],
            # Hosts do not reach each other in the second network.
            "driver_options": {"com.docker.network.bridge.enable_icc": "false"} if suffix else {},
        }
        for suffix, subnets in wanted_subnets(want).items()
    ]


def place(hosts: list[dict], want: dict, name: str, sources: dict) -> list[dict]:
    """Return the hosts with what depends on the networks.

    :param hosts: as :func:`layout.hosts` returns them, with their IPv4 address.
    :param sources: used (upstream, origin, none) and names (of the servers that the origin stands in for).
    :returns: for each host also addresses (one of each family of the lab, the first is its address), networks and etc_hosts (as options of
        community.docker.docker_container), environment, and variables (of the inventory).
    """
    placed = []
    for host in hosts:
        position = int(ipaddress.ip_address(host["address"])) - int(
            ipaddress.ip_network(want["subnet"]).network_address
        )
        of_family = {"ipv4": host["address"], "ipv6": str(ipaddress.ip_network(ipv6_subnet(want["subnet"]))[position])}
        first = {"name": name, "ipv4_address": host["address"], "aliases": [host["name"]]}
        if "ipv6" in want["ip_families"]:
            first["ipv6_address"] = of_family["ipv6"]
        attached = [first]
        node = host["role"] in NODES
        if node and want["second_network"]:
            second = ipaddress.ip_network(second_subnet(want["subnet"]))
            attached.append({"name": name + "-second", "ipv4_address": str(second[position])})
        if host["role"] == "services" and want["proxy"] and sources["used"] == "upstream":
            attached.append({"name": "bridge"})
        addresses = [of_family[family] for family in want["ip_families"]]
        placed.append(
            dict(
                host,
                address=addresses[0],
                addresses=addresses,
                networks=attached,
                environment=_environment(want) if node else {},
                variables=_variables(want, addresses) if node else {},
            )
        )
    services = [host["address"] for host in placed if host["role"] == "services"]
    for host in placed:
        known = "127.0.0.1" if want["proxy"] else services[0]
        names = sources["names"] if host["role"] == "services" or not want["proxy"] else []
        host["etc_hosts"] = dict.fromkeys(names, known)
    return placed


def _environment(want: dict) -> dict[str, str]:
    """Return what the entry point of a node configures: the address families that the host keeps, and its default routes."""
    environment = {}
    if "ipv4" not in want["ip_families"]:
        environment["LAB_WITHOUT_IPV4"] = "true"
    if want["second_network"] or want["proxy"]:
        # An internal network of the engine has no default route; one that leads nowhere is what hosts behind a proxy have.
        subnets = wanted_subnets(want)
        ipv4 = subnets.get("-second", subnets[""])[0]
        ways = {"ipv4": ipv4, "ipv6": ipv6_subnet(want["subnet"])}
        environment["LAB_GATEWAYS"] = " ".join(gateway(ways[family]) for family in want["ip_families"])
    return environment


def _variables(want: dict, addresses: list[str]) -> dict[str, str]:
    """Return the inventory variables of a node: its addresses, where the default route does not tell them."""
    return {"kube_node_ip": ",".join(addresses)} if len(addresses) > 1 or want["second_network"] else {}


def cluster_variables(want: dict, hosts: list[dict]) -> dict[str, str]:
    """Return the inventory variables of the cluster that the networks require, as a user would set them."""
    variables = {}
    if list(want["ip_families"]) != ["ipv4"]:
        variables["kube_pod_subnet"] = ",".join(POD_SUBNETS[family] for family in want["ip_families"])
        variables["kube_service_subnet"] = ",".join(SERVICE_SUBNETS[family] for family in want["ip_families"])
    if want["proxy"]:
        services = next((host["address"] for host in hosts if host["role"] == "services"), "")
        url = f"http://{url_host(services)}:{PROXY_PORT}"
        variables.update(kube_http_proxy=url, kube_https_proxy=url)
    return variables


def problems(want: dict, have: dict) -> list[str]:
    """Return what is wrong with the requested networks.

    :param want: kind, ip_families, second_network, proxy, mirror.
    :param have: ipv6 (whether this machine's kernel has it) and sources (what the hosts use).
    """
    found = []
    families = list(want["ip_families"])
    if not families or sorted(set(families)) != sorted(families) or families == ["ipv6", "ipv4"]:
        found.append(
            f"lab_ip_families is {families}: use [ipv4], [ipv4, ipv6] or [ipv6]; the first family is that of the hosts' main addresses."
        )
    shapes = {
        "lab_ip_families": families != ["ipv4"],
        "lab_second_network": want["second_network"],
        "lab_proxy": want["proxy"],
    }
    used = [name for name, differs in shapes.items() if differs]
    if want["kind"] == "vm" and used:
        found.append(
            f"{', '.join(used)}: virtual machines have one interface with an IPv4 address. Use lab_kind: container."
        )
    if "ipv6" in families and not have["ipv6"]:
        found.append(
            "lab_ip_families has ipv6, but the kernel of this machine has no IPv6 (/proc/net/if_inet6 does not exist). Enable it, or use [ipv4]."
        )
    if "ipv4" not in families and want["second_network"]:
        found.append(
            "lab_second_network requires IPv4, because the Docker Engine separates hosts only in IPv4. Add ipv4 to lab_ip_families."
        )
    if "ipv4" not in families and want["mirror"]:
        found.append("lab_mirror requires IPv4, on which the mirror listens. Add ipv4 to lab_ip_families.")
    if "ipv4" not in families and have["sources"] == "upstream" and not want["proxy"]:
        found.append(
            "Hosts that only have IPv6 do not reach the upstream servers, because the Docker Engine does not translate their local addresses. "
            "Set lab_proxy: true, or lab_sources: origin."
        )
    if want["proxy"] and (want["mirror"] or have["sources"] == "none"):
        cause = "the hosts have no source of software (lab_sources: none)"
        cause = "the hosts use a mirror (lab_mirror)" if want["mirror"] else cause
        found.append(f"lab_proxy would have no use, because {cause}. Set lab_proxy: false.")
    return found
