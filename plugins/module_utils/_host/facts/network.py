# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a host is connected: addresses, default route, resolver, listening ports. It only looks."""

from __future__ import annotations

import fcntl
import ipaddress
import json
import os
import re
import socket
import struct
import subprocess
from typing import Any

from .system import Files

# Files in the form of resolv.conf(5) that name the real servers where /etc/resolv.conf points at a local stub.
RESOLVER_PATHS = ("/etc/resolv.conf", "/run/systemd/resolve/resolv.conf", "/run/NetworkManager/no-stub-resolv.conf")

SIOCGIFADDR = 0x8915
SIOCGIFNETMASK = 0x891B


def parse_ip_addresses(text: str) -> list[dict[str, Any]]:
    """Addresses in the output of ``ip -json address``, loopback and link-local ones left out."""
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
    """(interface, gateway) of the default route with the lowest metric in /proc/net/route; empty where there is none."""
    best: tuple[int, str, str] | None = None
    for line in text.splitlines()[1:]:
        words = line.split()
        if len(words) < 8 or words[1] != "00000000" or words[7] != "00000000" or not int(words[3], 16) & 1:
            continue
        gateway = socket.inet_ntoa(struct.pack("<L", int(words[2], 16)))
        candidate = (int(words[6]), words[0], "" if gateway == "0.0.0.0" else gateway)
        best = min(best, candidate) if best else candidate
    return (best[1], best[2]) if best else ("", "")


def parse_route_ipv6(text: str) -> tuple[str, str]:
    """(interface, gateway) of the default route with the lowest metric in /proc/net/ipv6_route; loopback ones left out."""
    best: tuple[int, str, str] | None = None
    for line in text.splitlines():
        words = line.split()
        if len(words) < 10 or words[0] != "0" * 32 or words[1] != "00" or words[9] == "lo":
            continue
        gateway = str(ipaddress.IPv6Address(int(words[4], 16)))
        candidate = (int(words[5], 16), words[9], "" if gateway == "::" else gateway)
        best = min(best, candidate) if best else candidate
    return (best[1], best[2]) if best else ("", "")


def parse_resolver(text: str) -> list[str]:
    """Name servers of a resolv.conf(5), in order."""
    return re.findall(r"^\s*nameserver[ \t]+(\S+)", text, re.M)


def is_loopback(server: str) -> bool:
    """Whether a name server's address is this host itself; a zone (``%eth0``) is ignored."""
    try:
        address = ipaddress.ip_address(server.split("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def describe_resolver(texts: dict[str, str]) -> dict[str, Any]:
    """What pods would resolve with, and a file that is safe for them.

    A pod does not see the host's loopback: CoreDNS that forwards to it asks itself (its ``loop`` plugin then stops it).

    :param texts: text by path, of RESOLVER_PATHS; "" where a file is not there.
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
    """Inode of the socket by port, for listening ones in /proc/net/tcp or tcp6."""
    ports = {}
    for line in text.splitlines()[1:]:
        words = line.split()
        if len(words) > 9 and words[3] == "0A":
            ports[int(words[1].rsplit(":", 1)[1], 16)] = words[9]
    return ports


def owners_of(inodes: set[str]) -> dict[str, str]:
    """``process(pid)`` by socket inode; processes that went away meanwhile are skipped."""
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


def look_at_ports(files: Files, asked: list[int]) -> dict[str, str]:
    """Who listens, by port (text), among the asked TCP ports; "?" where the process cannot be seen."""
    listening = {}
    for path in ("/proc/net/tcp", "/proc/net/tcp6"):
        listening.update(parse_listening(files.read(path)))
    inodes = {port: inode for port, inode in listening.items() if port in asked}
    owners = owners_of(set(inodes.values())) if inodes else {}
    return {str(port): owners.get(inode, "?") for port, inode in sorted(inodes.items())}


def addresses_without_ip(files: Files) -> list[dict[str, Any]]:
    """Primary IPv4 address of each interface by ioctl, for hosts that have no ``ip`` program."""
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
    """The first address of a family on an interface; "" where there is none."""
    matching = [a["address"] for a in addresses if a["interface"] == interface and a["family"] == family]
    return matching[0] if matching else ""


def look_at_network(files: Files) -> dict[str, Any]:
    """Key ``network`` of the module host_info; the default route decides ``default_address``, IPv4 before IPv6."""
    try:
        shown = subprocess.run(["ip", "-json", "address"], capture_output=True, timeout=5, check=False)
        addresses = parse_ip_addresses(shown.stdout.decode("utf-8", "replace"))
    except (OSError, subprocess.SubprocessError):
        addresses = addresses_without_ip(files)
    interface, gateway = parse_route_ipv4(files.read("/proc/net/route"))
    address = choose_default(addresses, interface, "ipv4")
    if not address:
        interface, gateway = parse_route_ipv6(files.read("/proc/net/ipv6_route"))
        address = choose_default(addresses, interface, "ipv6")
    if not address and addresses:
        address, interface = addresses[0]["address"], addresses[0]["interface"]
    return {
        "default_address": address,
        "default_interface": interface,
        "gateway": gateway,
        "addresses": addresses,
        "resolver": describe_resolver({path: files.read(path) for path in RESOLVER_PATHS}),
    }
