# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Selection of the interfaces, routes, packet filter rules, tables, ipsets and IPVS services that belong to a cluster.

Selected is only what has the names that kube-proxy, the kubelet, the CNI plugins, Flannel, Calico and Cilium use. What other software created, or
what existed before the host was marked, is not changed.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from typing import Any, Collection, NamedTuple

from .._host.netlink import Table

CLUSTER_LINKS = re.compile(
    r"cni0|flannel\.\d+|flannel-v6\.\d+|flannel-wg(-v6)?|cali[0-9a-f]{11}|calico_tmp_[AB]|vxlan(-v6)?\.calico"
    r"|wireguard\.cali|wg-v6\.cali|bpf(in|out)\.cali|cilium_\w+|lxc[0-9a-f]{12}|lxc_health|kube-ipvs0|kube-bridge|nodelocaldns"
)
"""Interfaces of the CNI plugin bridge (as Flannel configures it), Flannel, Calico, Cilium, kube-proxy and NodeLocal DNSCache."""

LEFTOVER_VETH = re.compile(r"veth[0-9a-f]{8}")
"""The host's end of a pod's veth pair, as the CNI plugin bridge names it (Docker's names have seven digits)."""

TUNNEL = "tunl0"
CLUSTER_TABLES = re.compile(
    r"kube-proxy|kube-network-policies|flannel-ipv[46]|calico(-arp)?|cni_hostport|cni_plugins_masquerade|kubernetes-nft-.*"
)
IPTABLES_TABLES = ("filter", "nat", "mangle", "raw", "security")
CLUSTER_CHAINS = re.compile(r"(KUBE|CNI|FLANNEL)-|cali-|(OLD_)?CILIUM_")
SHARED_CHAINS = re.compile(r"CNI-(HOSTPORT-.*|FORWARD|ADMIN)")
"""Chains that the CNI plugins portmap and firewall share between all networks."""

OUR_COMMENT = re.compile(r'--comment "?(cali|NodeLocal DNS Cache):')
"""Rules of Calico and of NodeLocal DNSCache in chains of the system."""

NETWORK_COMMENT = re.compile(r'name: \\?"([^"\\]+)')
"""The network in a comment of the CNI plugins: ``name: "cbr0" id: "..."``, with its quotes escaped by iptables-save."""

CLUSTER_IPSETS = re.compile(r"KUBE-|cali[46]0|cali[46]t|cilium_node_set_v")
PROXY_TABLES = ("2004", "2005")
"""Routing tables of Cilium: packets to and from its proxy (pkg/datapath/linux/linux_defaults)."""

LOCAL_RULE = 100
"""Priority to which Cilium moves the rule of the local table, whose own is 0, so that those of its tables precede it."""

JUMP = re.compile(r"(?:^| )(?:-j|-g) (\S+)")


def choose_links(links: list[dict[str, Any]], before: Collection[str]) -> list[str]:
    """Return the interfaces to delete, those of pods before the bridges that they are attached to.

    :param links: output of ``ip -json -details link``.
    :param before: names of the interfaces before the cluster.
    """
    pods: list[str] = []
    others: list[str] = []
    for link in links:
        name = link.get("ifname", "")
        if not name or name in before:
            continue
        kind = link.get("linkinfo", {}).get("info_kind", "")
        if kind == "veth" and (
            link.get("master") == "cni0" or (LEFTOVER_VETH.fullmatch(name) and not link.get("master"))
        ):
            pods.append(name)
        elif CLUSTER_LINKS.fullmatch(name):
            (pods if kind == "veth" else others).append(name)
    return sorted(pods) + sorted(others)


def tunnel_in_use(addresses: list[dict[str, Any]], before: Collection[str]) -> bool:
    """Return whether Calico left its address on tunl0, which the kernel creates and which cannot be deleted."""
    tunnel = next((one for one in addresses if one.get("ifname") == TUNNEL), None)
    if tunnel is None or TUNNEL in before:
        return False
    return bool(tunnel.get("addr_info")) or "UP" in tunnel.get("flags", [])


def choose_routes(
    routes: list[dict[str, Any]], pod_subnets: list[str], removed_links: Collection[str]
) -> list[list[str]]:
    """Return the arguments of ``ip route delete`` for routes to pods on other nodes that are not removed with an interface.

    These are the routes of Flannel's host-gw backend, and Calico's BGP and block routes: routes within a pod subnet that the kernel
    did not create by itself.

    :param routes: output of ``ip -json route``, for IPv4 and IPv6.
    """
    subnets = [ipaddress.ip_network(subnet, strict=False) for subnet in pod_subnets]
    chosen = []
    for route in routes:
        try:
            target = ipaddress.ip_network(route.get("dst", ""), strict=False)
        except ValueError:  # "default"
            continue
        if route.get("protocol") == "kernel" or route.get("dev") in removed_links:
            continue
        if not any(target.version == subnet.version and target.subnet_of(subnet) for subnet in subnets):  # type: ignore[arg-type]
            continue
        kind = [route["type"]] if route.get("type", "unicast") != "unicast" else []
        via = ["via", route["gateway"]] if "gateway" in route else []
        device = ["dev", route["dev"]] if "dev" in route else []
        chosen.append(kind + [route["dst"]] + via + device)
    return chosen


def choose_routing_rules(rules: list[dict[str, Any]]) -> list[list[str]]:
    """Return the arguments of ``ip rule`` that return the routing rules of one IP version to what they were before Cilium.

    :param rules: output of ``ip -json rule``.
    """
    chosen = [
        ["delete", "priority", str(rule["priority"]), "table", str(rule["table"])]
        for rule in rules
        if str(rule.get("table")) in PROXY_TABLES and "fwmark" in rule
    ]
    local = [rule.get("priority") for rule in rules if rule.get("table") == "local"]
    if local == [LOCAL_RULE]:
        chosen += [
            ["add", "priority", "0", "table", "local"],
            ["delete", "priority", str(LOCAL_RULE), "table", "local"],
        ]
    return chosen


def choose_tables(tables: list[Table], before: Collection[str], emptied: Collection[str] = ()) -> list[Table]:
    """Return the nftables tables to delete: those of the cluster, and tables of iptables that did not exist before and are empty.

    :param before: tables before the cluster, as "FAMILY NAME".
    :param emptied: tables that are empty once the cluster's iptables rules are removed.
    """
    return [
        table
        for table in tables
        if CLUSTER_TABLES.fullmatch(table.name)
        or (
            (table.empty or f"{table.family} {table.name}" in emptied)
            and table.family in ("ip", "ip6")
            and table.name in IPTABLES_TABLES
            and f"{table.family} {table.name}" not in before
        )
    ]


def choose_ipsets(ipsets: list[str], before: Collection[str]) -> list[str]:
    """Return the ipsets to destroy, sets of sets first."""
    chosen = [name for name in ipsets if CLUSTER_IPSETS.match(name) and name not in before]
    return sorted(chosen, key=lambda name: ("list" not in name.lower(), name))


class RulesRemoval(NamedTuple):
    """What is removed from one iptables table."""

    table: str
    chains: list[str]
    rules: list[str]
    emptied: bool
    """Whether the table is empty then: no other chain or rule, and no policy but ACCEPT."""

    @property
    def script(self) -> str:
        """Return the input of ``iptables-restore --noflush``: it deletes jumps into the chains, then their rules, then the chains."""
        lines = [f"*{self.table}"]
        lines += ["-D" + rule[2:] for rule in self.rules]
        lines += [f"-F {chain}" for chain in self.chains]
        lines += [f"-X {chain}" for chain in self.chains]
        return "\n".join([*lines, "COMMIT", ""])


def chains_of(saved: str, networks: Collection[str]) -> set[str]:
    """Return the chains that the CNI plugins created for some networks, and those that they share with others; none if they are not in use.

    :param saved: output of ``iptables-save`` or ``ip6tables-save``.
    """
    used = set()
    for line in saved.splitlines():
        network, jump = NETWORK_COMMENT.search(line), JUMP.search(line)
        if network and jump and network.group(1) in networks:
            used.add(jump.group(1))
    shared = {line[1:].split(" ")[0] for line in saved.splitlines() if line.startswith(":")}
    return used | {name for name in shared if used and SHARED_CHAINS.fullmatch(name)}


def choose_rules(saved: str, foreign: Collection[str] = ()) -> list[RulesRemoval]:
    """Return what to remove from each table.

    Selected are the chains with the prefixes of kube-proxy and the kubelet (KUBE-), the CNI plugins (CNI-), Flannel (FLANNEL-),
    Calico (cali-) and Cilium (CILIUM_), rules in other chains that jump to them, and rules with Calico's comment.

    :param saved: output of ``iptables-save`` or ``ip6tables-save``.
    :param foreign: CNI networks of container engines, whose chains are kept.
    """
    kept = chains_of(saved, foreign)

    def ours(chain: str) -> bool:
        return bool(CLUSTER_CHAINS.match(chain)) and chain not in kept

    chosen: list[RulesRemoval] = []
    chains: list[str] = []
    rules: list[str] = []
    table, emptied = "", True
    for line in saved.splitlines():
        if line.startswith("*"):
            table, chains, rules, emptied = line[1:].strip(), [], [], True
        elif line.startswith(":"):
            name, policy = line[1:].split(" ")[:2]
            if ours(name):
                chains.append(name)
            else:
                emptied = emptied and policy == "ACCEPT"
        elif line.startswith("-A "):
            chain = line.split(" ", 2)[1]
            jump = JUMP.search(line)
            if ours(chain):
                continue
            if (jump and ours(jump.group(1))) or OUR_COMMENT.search(line):
                rules.append(line)
            else:
                emptied = False
        elif line == "COMMIT" and (chains or rules):
            chosen.append(RulesRemoval(table, chains, rules, emptied))
    return chosen


def parse_ipvs(text: str) -> list[tuple[str, str]]:
    """Return the virtual services in /proc/net/ip_vs as options of ipvsadm: (``-t`` or ``-u``, "ADDRESS:PORT")."""
    options = {"TCP": "-t", "UDP": "-u", "SCTP": "--sctp-service"}
    services = []
    for line in text.splitlines():
        words = line.split()
        if len(words) < 2 or words[0] not in options:
            continue
        address, _colon, port = words[1].rpartition(":")
        if not address.startswith("["):
            address = socket.inet_ntoa(bytes.fromhex(address))
        services.append((options[words[0]], f"{address}:{int(port, 16)}"))
    return services
