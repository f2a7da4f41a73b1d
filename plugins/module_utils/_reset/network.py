# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which interfaces, routes and packet rules of a host are a cluster's: pure functions over what the programs print.

Only what carries the names that kube-proxy, the kubelet, the CNI plugins, Flannel and Calico give is ever chosen;
what other software made, or what was there before the host was marked, is left alone.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from typing import Any, Collection, NamedTuple

from .._host.netlink import Table

OUR_LINKS = re.compile(
    r"cni0|flannel\.\d+|flannel-v6\.\d+|flannel-wg(-v6)?|cali[0-9a-f]{11}|calico_tmp_[AB]|vxlan(-v6)?\.calico"
    r"|wireguard\.cali|wg-v6\.cali|bpf(in|out)\.cali|kube-ipvs0|kube-bridge"
)
"""Interfaces of the bridge plugin (as Flannel configures it), Flannel, Calico and kube-proxy."""

LEFTOVER_VETH = re.compile(r"veth[0-9a-f]{8}")
"""The host's end of a pod's pair, as the bridge plugin names it (Docker's have seven digits)."""

TUNNEL = "tunl0"
OUR_TABLES = re.compile(r"kube-proxy|flannel-ipv[46]|calico|cni_hostport|cni_plugins_masquerade|kubernetes-nft-.*")
COMPATIBLE_TABLES = ("filter", "nat", "mangle", "raw", "security")
OUR_CHAINS = re.compile(r"(KUBE|CNI|FLANNEL)-|cali-")
OUR_COMMENT = re.compile(r'--comment "?cali:')
OUR_IPSETS = re.compile(r"KUBE-|cali[46]0|cali[46]t")
JUMP = re.compile(r"(?:^| )(?:-j|-g) (\S+)")


def choose_links(links: list[dict[str, Any]], before: Collection[str]) -> list[str]:
    """Return the interfaces to delete, those of pods before the bridges that hold them.

    ``links`` is what ``ip -json -details link`` prints, ``before`` the names from the time before the cluster.
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
        elif OUR_LINKS.fullmatch(name):
            (pods if kind == "veth" else others).append(name)
    return sorted(pods) + sorted(others)


def tunnel_in_use(addresses: list[dict[str, Any]], before: Collection[str]) -> bool:
    """Tell whether Calico left its address on tunl0, which the kernel itself makes and which cannot be deleted."""
    tunnel = next((one for one in addresses if one.get("ifname") == TUNNEL), None)
    if tunnel is None or TUNNEL in before:
        return False
    return bool(tunnel.get("addr_info")) or "UP" in tunnel.get("flags", [])


def choose_routes(
    routes: list[dict[str, Any]], pod_subnets: list[str], doomed_links: Collection[str]
) -> list[list[str]]:
    """Return ``ip route delete`` arguments for the routes to other nodes' pods that stay when the interfaces are gone.

    These are Flannel's host-gw routes and Calico's BGP routes and block routes: parts of a pod subnet that the kernel did
    not make itself. ``routes`` is what ``ip -json route`` prints (IPv4 and IPv6 in one list).
    """
    subnets = [ipaddress.ip_network(subnet, strict=False) for subnet in pod_subnets]
    chosen = []
    for route in routes:
        try:
            target = ipaddress.ip_network(route.get("dst", ""), strict=False)
        except ValueError:  # "default"
            continue
        if route.get("protocol") == "kernel" or route.get("dev") in doomed_links:
            continue
        if not any(target.version == subnet.version and target.subnet_of(subnet) for subnet in subnets):  # type: ignore[arg-type]
            continue
        kind = [route["type"]] if route.get("type", "unicast") != "unicast" else []
        via = ["via", route["gateway"]] if "gateway" in route else []
        device = ["dev", route["dev"]] if "dev" in route else []
        chosen.append(kind + [route["dst"]] + via + device)
    return chosen


def choose_tables(tables: list[Table], before: Collection[str], emptied: Collection[str] = ()) -> list[Table]:
    """Return the nftables tables to delete: the cluster's, and iptables' own that were not there and are empty.

    ``emptied`` are tables ("ip nat") that the removal of the cluster's iptables rules leaves empty.
    """
    return [
        table
        for table in tables
        if OUR_TABLES.fullmatch(table.name)
        or (
            (table.empty or f"{table.family} {table.name}" in emptied)
            and table.family in ("ip", "ip6")
            and table.name in COMPATIBLE_TABLES
            and f"{table.family} {table.name}" not in before
        )
    ]


def choose_ipsets(ipsets: list[str], before: Collection[str]) -> list[str]:
    """Return the ipsets to destroy, sets of sets first."""
    ours = [name for name in ipsets if OUR_IPSETS.match(name) and name not in before]
    return sorted(ours, key=lambda name: ("list" not in name.lower(), name))


class RulesRemoval(NamedTuple):
    """What goes from one iptables table."""

    table: str
    chains: list[str]
    rules: list[str]
    emptied: bool
    """Whether nothing else is in the table: no other chain or rule, no policy but ACCEPT."""

    @property
    def script(self) -> str:
        """Input for ``iptables-restore --noflush``: jumps into the chains, then their contents, then the chains."""
        lines = [f"*{self.table}"]
        lines += ["-D" + rule[2:] for rule in self.rules]
        lines += [f"-F {chain}" for chain in self.chains]
        lines += [f"-X {chain}" for chain in self.chains]
        return "\n".join([*lines, "COMMIT", ""])


def choose_rules(saved: str) -> list[RulesRemoval]:
    """Return what to remove, by table, from what ``iptables-save`` or ``ip6tables-save`` prints.

    Chosen are the chains with the prefixes of kube-proxy and the kubelet (KUBE-), the CNI plugins (CNI-), Flannel (FLANNEL-) and
    Calico (cali-), the rules elsewhere that jump into them, and the rules that Calico signs in their comment.
    """
    chosen: list[RulesRemoval] = []
    chains: list[str] = []
    rules: list[str] = []
    table, emptied = "", True
    for line in saved.splitlines():
        if line.startswith("*"):
            table, chains, rules, emptied = line[1:].strip(), [], [], True
        elif line.startswith(":"):
            name, policy = line[1:].split(" ")[:2]
            if OUR_CHAINS.match(name):
                chains.append(name)
            else:
                emptied = emptied and policy == "ACCEPT"
        elif line.startswith("-A "):
            chain = line.split(" ", 2)[1]
            jump = JUMP.search(line)
            if OUR_CHAINS.match(chain):
                continue
            if (jump and OUR_CHAINS.match(jump.group(1))) or OUR_COMMENT.search(line):
                rules.append(line)
            else:
                emptied = False
        elif line == "COMMIT" and (chains or rules):
            chosen.append(RulesRemoval(table, chains, rules, emptied))
    return chosen


def parse_ipvs(text: str) -> list[tuple[str, str]]:
    """Return the virtual services in /proc/net/ip_vs as the options ``-t|-u`` and "address:port" of ipvsadm."""
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


def parse_mounts(mountinfo: str) -> list[str]:
    """Return the mount points in /proc/self/mountinfo, the last mounted first."""
    points = [line.split()[4] for line in mountinfo.splitlines() if len(line.split()) > 5]
    return [unescape(point) for point in reversed(points)]


def parse_fstab(text: str) -> list[str]:
    """Return the mount points that /etc/fstab names."""
    lines = (line.split() for line in text.splitlines() if not line.lstrip().startswith("#"))
    return [unescape(words[1]) for words in lines if len(words) >= 3 and words[1].startswith("/")]


def unescape(point: str) -> str:
    """Return a path with the kernel's octal escapes (blank, tab, newline, backslash) undone."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8)), point)


def within(path: str, folders: Collection[str]) -> bool:
    """Tell whether *path* lies below one of *folders*."""
    return any(path.startswith(folder.rstrip("/") + "/") for folder in folders)


def choose_mounts(
    mounts: list[str], folders: Collection[str], own: Collection[str], points: Collection[str] = ()
) -> list[str]:
    """Return the mount points to unmount, inner ones first: those below *folders*, the pods' network namespaces, and *points*.

    ``own`` are the host's own mounts (fstab): such a mount stays and is only emptied.
    """
    chosen = [
        point
        for point in mounts
        if point not in own and (point in points or within(point, folders) or is_pod_namespace(point))
    ]
    return sorted(chosen, key=lambda point: -point.count("/"))


def is_pod_namespace(path: str) -> bool:
    """Tell whether *path* is a network namespace that containerd made for a pod."""
    return re.fullmatch(r"(/var)?/run/netns/cni-[^/]+", path) is not None
