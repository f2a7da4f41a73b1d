# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Network of a host: addresses, default route, resolver and listening ports."""

from __future__ import annotations

import fcntl
import ipaddress
import json
import os
import re
import socket
import struct
from typing import Any, Sequence

from ..tables import table_names
from .files import Files, run
from .neighbors import answering

RESOLVER_PATHS = ("/etc/resolv.conf", "/run/systemd/resolve/resolv.conf", "/run/NetworkManager/no-stub-resolv.conf")
"""Files in the form of resolv.conf(5); the others name the real servers where /etc/resolv.conf points to a local stub."""

SIOCGIFADDR = 0x8915
SIOCGIFNETMASK = 0x891B


def parse_ip_addresses(text: str) -> list[dict[str, Any]]:
    """Return the addresses in the output of ``ip -json address``, without loopback and link-local ones."""
    try:
        links = json.loads(text or "[]")
    except ValueError:
        return []
    addresses = []
    for link in links:
        if "LOOPBACK" in link.get("flags", []):
            continue
        for entry in link.get("addr_info", []):
            if entry.get("scope") != "global" or not entry.get("local"):
                continue
            addresses.append(
                {
                    "interface": link["ifname"],
                    "address": entry["local"],
                    "prefix": entry["prefixlen"],
                    "family": "ipv6" if entry["family"] == "inet6" else "ipv4",
                    "mac": link.get("address", ""),
                    "mtu": link.get("mtu", 0),
                }
            )
    return addresses


def parse_route_ipv4(text: str) -> tuple[str, str]:
    """Return (interface, gateway) of the default route with the lowest metric in /proc/net/route; empty texts without one."""
    routes = []
    for line in text.splitlines()[1:]:
        words = line.split()
        if len(words) < 8 or words[1] != "00000000" or words[7] != "00000000" or not int(words[3], 16) & 1:
            continue
        gateway = socket.inet_ntoa(struct.pack("<L", int(words[2], 16)))
        routes.append((int(words[6]), words[0], "" if gateway == "0.0.0.0" else gateway))
    return min(routes, default=(0, "", ""))[1:]


def parse_route_ipv6(text: str) -> tuple[str, str]:
    """Return (interface, gateway) of the default route with the lowest metric in /proc/net/ipv6_route; empty texts without one."""
    routes = []
    for line in text.splitlines():
        words = line.split()
        if len(words) < 10 or words[0] != "0" * 32 or words[1] != "00" or words[9] == "lo":
            continue
        gateway = str(ipaddress.IPv6Address(int(words[4], 16)))
        routes.append((int(words[5], 16), words[9], "" if gateway == "::" else gateway))
    return min(routes, default=(0, "", ""))[1:]


def parse_resolver(text: str) -> list[str]:
    """Return the name servers of a resolv.conf(5), in order."""
    return re.findall(r"^\s*nameserver[ \t]+(\S+)", text, re.M)


def is_loopback(server: str) -> bool:
    """Return whether the address of a name server is the host itself; a zone (``%eth0``) is ignored."""
    try:
        address = ipaddress.ip_address(server.split("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def describe_resolver(texts: dict[str, str]) -> dict[str, Any]:
    """Return the resolver of the host, and a file that pods can use.

    A pod cannot reach the loopback address of the host: CoreDNS would forward queries to itself, and its ``loop`` plugin stops it.

    :param texts: text by path, of RESOLVER_PATHS; "" where a file does not exist.
    """
    servers = {path: parse_resolver(text) for path, text in texts.items()}
    usable = [path for path, names in servers.items() if names and not any(is_loopback(name) for name in names)]
    path = RESOLVER_PATHS[0]
    return {
        "path": path,
        "nameservers": servers.get(path, []),
        "loopback": any(is_loopback(name) for name in servers.get(path, [])),
        "usable_path": usable[0] if usable else "",
    }


def parse_listening(text: str) -> dict[int, str]:
    """Return the inodes of listening sockets by port, from /proc/net/tcp or tcp6."""
    ports = {}
    for line in text.splitlines()[1:]:
        words = line.split()
        if len(words) > 9 and words[3] == "0A":
            ports[int(words[1].rsplit(":", 1)[1], 16)] = words[9]
    return ports


def owners_of(inodes: set[str]) -> dict[str, str]:
    """Return ``process(pid)`` by inode of the socket; processes that have ended meanwhile are skipped."""
    owners: dict[str, str] = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            for descriptor in os.listdir("/proc/" + pid + "/fd"):
                link = os.readlink("/proc/" + pid + "/fd/" + descriptor)
                if link.startswith("socket:[") and link[8:-1] in inodes:
                    with open("/proc/" + pid + "/comm", encoding="utf-8") as handle:
                        owners[link[8:-1]] = handle.read().strip() + "(" + pid + ")"
        except OSError:
            continue
        if len(owners) == len(inodes):
            break
    return owners


def gather_ports(files: Files, wanted: list[int]) -> dict[str, str]:
    """Return the listening process by port (text), for the given TCP ports; "?" where the process cannot be determined."""
    listening = {}
    for path in ("/proc/net/tcp", "/proc/net/tcp6"):
        listening.update(parse_listening(files.read(path)))
    inodes = {port: inode for port, inode in listening.items() if port in wanted}
    owners = owners_of(set(inodes.values())) if inodes else {}
    return {str(port): owners.get(inode, "?") for port, inode in sorted(inodes.items())}


def addresses_without_ip(files: Files) -> list[dict[str, Any]]:
    """Return the primary IPv4 address of each interface from ioctls, for hosts without the program ``ip``."""
    addresses = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        for _index, name in socket.if_nameindex():
            request = struct.pack("256s", name.encode()[:15])
            try:
                address = socket.inet_ntoa(fcntl.ioctl(handle.fileno(), SIOCGIFADDR, request)[20:24])
                mask = socket.inet_ntoa(fcntl.ioctl(handle.fileno(), SIOCGIFNETMASK, request)[20:24])
            except OSError:
                continue
            if name == "lo":
                continue
            mtu = files.read("/sys/class/net/" + name + "/mtu").strip()
            addresses.append(
                {
                    "interface": name,
                    "address": address,
                    "prefix": ipaddress.ip_network("0.0.0.0/" + mask).prefixlen,
                    "family": "ipv4",
                    "mac": files.read("/sys/class/net/" + name + "/address").strip(),
                    "mtu": int(mtu) if mtu.isdigit() else 0,
                }
            )
    return addresses


def choose_default(addresses: list[dict[str, Any]], interface: str, family: str) -> str:
    """Return the first address of a family on an interface, or "".

    One that is a network by itself (/32 or /128) is taken only if there is no other: it may be a virtual IP address, which can leave this host.
    """
    matching = [a for a in addresses if a["interface"] == interface and a["family"] == family]
    alone = 32 if family == "ipv4" else 128
    return next((a["address"] for a in sorted(matching, key=lambda a: a["prefix"] == alone)), "")


def gather_network(files: Files, asked: Sequence[str] = ()) -> dict[str, Any]:
    """Return the key ``network`` of host_info; ``default_address`` is on the default route, of IPv4 before IPv6.

    :param asked: addresses on which other machines may answer.
    """
    shown = run(["ip", "-json", "address"], timeout=5)
    addresses = parse_ip_addresses(shown) if shown else addresses_without_ip(files)
    interface, gateway = parse_route_ipv4(files.read("/proc/net/route"))
    address = choose_default(addresses, interface, "ipv4")
    if not address:
        interface, gateway = parse_route_ipv6(files.read("/proc/net/ipv6_route"))
        address = choose_default(addresses, interface, "ipv6")
    if not address and addresses:
        address, interface = addresses[0]["address"], addresses[0]["interface"]
    return {
        "ipv6": files.read("/proc/sys/net/ipv6/conf/all/disable_ipv6").strip() == "0",
        "default_address": address,
        "default_interface": interface,
        "gateway": gateway,
        "addresses": addresses,
        "answering": {one: answering(one) for one in asked},
        "resolver": describe_resolver({path: files.read(path) for path in RESOLVER_PATHS}),
        "tables": table_names(),
    }
