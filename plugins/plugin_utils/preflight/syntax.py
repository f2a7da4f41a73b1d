# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Syntax of the values in an inventory: names, networks and endpoints. Each ``*_error`` returns what is wrong, or an empty string."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from typing import Any

from .problem import Host

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

LABEL = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
QUALIFIED = re.compile(r"^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$")
# Prefixes of the interfaces that belong to a cluster's own networks.
CLUSTER_INTERFACES = (
    "cni",
    "flannel",
    "cali",
    "vxlan",
    "tunl",
    "kube-",
    "nodelocaldns",
    "wireguard",
    "cilium",
    "lxc",
    "veth",
)


def duplicates(values: dict[str, str]) -> dict[str, list[str]]:
    """Return the names that share a value, by value; empty values are left out."""
    owners: dict[str, list[str]] = {}
    for name, value in values.items():
        owners.setdefault(value, []).append(name)
    return {value: names for value, names in owners.items() if value and len(names) > 1}


def shared_values(values: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Yield (name, value) for each name whose value another name has too."""
    for value, names in duplicates(values).items():
        yield from ((name, value) for name in names)


def dns_name_error(name: str) -> str:
    """Return why a name is not a valid DNS subdomain (RFC 1123)."""
    if not name:
        return "is empty"
    if len(name) > 253:
        return "has more than 253 characters"
    for label in name.split("."):
        if len(label) > 63:
            return "has a label of more than 63 characters"
        if not LABEL.match(label):
            return "may contain only lowercase letters and digits, with '-' between them"
    return ""


def qualified_name_error(key: str) -> str:
    """Return why a text is not a valid key of a label or taint: [PREFIX/]NAME."""
    prefix, slash, name = key.rpartition("/")
    if slash and (reason := dns_name_error(prefix)):
        return f"the prefix of the key {reason}"
    if not QUALIFIED.match(name) or len(name) > 63:
        return "the key is not a valid name"
    return ""


def label_value_error(value: Any) -> str:
    """Return why a value is not a valid value of a label: a string of at most 63 characters."""
    if isinstance(value, (bool, dict, list)) or value is None:
        return "the value is not a string; enclose it in quotes"
    text = str(value)
    return "" if not text or (QUALIFIED.match(text) and len(text) <= 63) else "the value is not valid"


def parse_networks(value: Any) -> tuple[list[Network], list[str]]:
    """Return the networks of a comma-separated list, and an error for each entry that is not a valid network."""
    networks: list[Network] = []
    errors = []
    for text in str(value or "").split(","):
        if text.strip():
            try:
                networks.append(ipaddress.ip_network(text.strip()))
            except ValueError as error:
                errors.append(str(error))
    return networks, errors


def families(texts: Iterable[Any]) -> list[str]:
    """Return the address families ("IPv4", "IPv6") of addresses or networks, in their order."""
    return ["IPv6" if ":" in str(text) else "IPv4" for text in texts]


def split_endpoint(endpoint: str) -> tuple[str, int, str]:
    """Split HOST, HOST:PORT, [IPv6] or [IPv6]:PORT.

    :returns: the host, the port (0 if there is none), and what is wrong (empty if the endpoint is valid).
    """
    if "/" in endpoint:
        return "", 0, "a URL is not allowed"
    match = re.match(r"^\[([^\]]+)\](?::(.*))?$", endpoint) or re.match(r"^([^:]*)(?::([^:]*))?$", endpoint)
    if match:
        name, port = match.group(1), match.group(2)
    else:
        name, port = endpoint, None  # more than one colon: a bare IPv6 address
    if port is not None and not (port.isdigit() and 0 < int(port) < 65536):
        return name, 0, f"'{port}' is not a valid port"
    try:
        ipaddress.ip_address(name)
    except ValueError:
        # Only digits and dots: an IP address with a typo.
        reason = "is not a valid IP address" if re.match(r"^[\d.]*$", name) or ":" in name else dns_name_error(name)
        if reason:
            return name, 0, f"the host '{name}' {reason}"
    return name, int(port or 0), ""


def node_networks(host: Host) -> list[tuple[Network, str, str]]:
    """Return (network, source, severity) of a host: its addresses in the inventory and the networks of its interfaces.

    An overlap with the network of the node's address breaks the cluster; an overlap with that of another interface only makes this
    network unreachable from pods.
    """
    found: list[tuple[Network, str, str]] = []
    for source, text in (("kube_node_ip", host.variables.get("kube_node_ip")), ("ansible_host", host.address)):
        for part in str(text or "").split(","):
            try:
                address = ipaddress.ip_address(part.strip())
            except ValueError:
                continue
            if not address.is_loopback:
                found.append((ipaddress.ip_network(part.strip()), source, "error"))
    for entry in host.facts.get("network", {}).get("addresses", []):
        if entry["interface"].startswith(CLUSTER_INTERFACES):
            continue
        network = ipaddress.ip_network(f"{entry['address']}/{entry['prefix']}", strict=False)
        severity = "error" if entry["address"] == host.node_address else "warning"
        found.append((network, f"the network of {entry['interface']}", severity))
    return found
