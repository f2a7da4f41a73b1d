# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Syntax of what an inventory holds: names, versions, networks, endpoints. Each ``explain_*`` says what is wrong, or ""."""

from __future__ import annotations

import difflib
import ipaddress
import re
from typing import Any

from .problem import Host

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

LABEL = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
QUALIFIED = re.compile(r"^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$")
# Interfaces that a cluster makes itself: their networks are the cluster's own.
OWN_INTERFACES = (
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
# Set while a play runs, not by people.
RUNTIME_VARIABLES = ("kube_host", "kube_reference_control_plane")
# Likeness (0 to 1) from which on a name counts as misspelt.
LIKENESS = 0.85


def duplicates(values: dict[str, str]) -> dict[str, list[str]]:
    """Names that share a value, by that value; empty values are left out."""
    owners: dict[str, list[str]] = {}
    for name, value in values.items():
        owners.setdefault(value, []).append(name)
    return {value: names for value, names in owners.items() if value and len(names) > 1}


def explain_name(name: str) -> str:
    """What keeps a name from being a DNS subdomain (RFC 1123)."""
    if not name:
        return "is empty"
    if len(name) > 253:
        return "has more than 253 characters"
    for label in name.split("."):
        if len(label) > 63:
            return "has a label of more than 63 characters"
        if not LABEL.match(label):
            return "may hold only lower case letters, digits and '-' between them"
    return ""


def explain_qualified_name(key: str) -> str:
    """What keeps a text from being the key of a label or taint: [PREFIX/]NAME."""
    prefix, slash, name = key.rpartition("/")
    if slash and explain_name(prefix):
        return "the prefix of the key " + explain_name(prefix)
    if not QUALIFIED.match(name) or len(name) > 63:
        return "the key is no name"
    return ""


def explain_label_value(value: Any) -> str:
    """What keeps a value from being a label's: text of at most 63 characters."""
    if isinstance(value, (bool, dict, list)) or value is None:
        return "the value is no text; put it in quotes"
    text = str(value)
    return "" if not text or (QUALIFIED.match(text) and len(text) <= 63) else "the value is not allowed"


def parse_networks(value: Any) -> tuple[list[Network], list[str]]:
    """Networks of a comma-separated list, and for each that is none why."""
    networks: list[Network] = []
    errors = []
    for text in str(value or "").split(","):
        if text.strip():
            try:
                networks.append(ipaddress.ip_network(text.strip()))
            except ValueError as error:
                errors.append(str(error))
    return networks, errors


def split_endpoint(endpoint: str) -> tuple[str, int, str]:
    """(host, port or 0, what is wrong or "") of HOST, HOST:PORT, [IPv6] or [IPv6]:PORT."""
    if "//" in endpoint or "/" in endpoint:
        return "", 0, "it is no URL"
    match = re.match(r"^\[([^\]]+)\](?::(.*))?$", endpoint) or re.match(r"^([^:]*)(?::([^:]*))?$", endpoint)
    if match:
        name, port = match.group(1), match.group(2)
    else:
        name, port = endpoint, None  # more than one colon: a bare IPv6 address
    if port is not None and not (port.isdigit() and 0 < int(port) < 65536):
        return name, 0, f"'{port}' is no port"
    try:
        ipaddress.ip_address(name)
    except ValueError:
        # All digits and dots means an address that was mistyped.
        reason = "it is no address" if re.match(r"^[\d.]*$", name) or ":" in name else explain_name(name)
        if reason:
            return name, 0, f"the host '{name}' {reason}"
    return name, int(port or 0), ""


def node_networks(host: Host) -> list[tuple[Network, str, str]]:
    """(network, where it comes from, severity) of a host: addresses that the inventory names and, after the look, its interfaces.

    An overlap with the node's own network breaks the cluster; one with another interface only hides what is behind that.
    """
    found: list[tuple[Network, str, str]] = []
    node_address = ""
    for source, text in (("kube_node_ip", host.want.get("kube_node_ip")), ("ansible_host", host.address)):
        for part in str(text or "").split(","):
            try:
                address = ipaddress.ip_address(part.strip())
            except ValueError:
                continue
            if not address.is_loopback:
                found.append((ipaddress.ip_network(part.strip()), source, "error"))
    node_address = host.node_address
    for entry in host.look.get("network", {}).get("addresses", []):
        if entry["interface"].startswith(OWN_INTERFACES):
            continue
        network = ipaddress.ip_network(f"{entry['address']}/{entry['prefix']}", strict=False)
        severity = "error" if entry["address"] == node_address else "warning"
        found.append((network, f"the network of {entry['interface']}", severity))
    return found


def suggest_variable(name: str, known: dict[str, str]) -> str | None:
    """Judges the name of a variable.

    :param known: names of the roles' variables, and the role of each.
    :returns: None where it is none of the collection's concern, the name that was probably meant, or "" where it starts with
        ``kube_`` and is like none.
    """
    if name in known or name in RUNTIME_VARIABLES or name.startswith("_"):
        return None
    roles = {role for role in known.values() if role}
    prefixed = any(name.startswith(role + "_") for role in roles)
    if not prefixed and not name.startswith("kube_"):
        return None
    # Forgotten or wrong first word: network_mtu, kubernetes_version.
    for guess in ("kube_" + name, "kube_" + name.split("_", 1)[1]):
        if guess in known:
            return guess
    near = difflib.get_close_matches(name, known, n=1, cutoff=LIKENESS)
    if near:
        return near[0]
    return "" if name.startswith("kube_") else None
