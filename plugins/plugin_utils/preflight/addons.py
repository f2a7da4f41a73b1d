# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of the selected add-ons: that they exist, their settings, and the addresses that they use."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

from ..addons.registry import Addon, load
from ..addons.selection import Selected, names_of, select
from ..errors import InputError
from .problem import Checks, Cluster, Finding
from .syntax import node_networks, parse_networks, split_endpoint

CHECKS = Checks()  # of the inventory, and again with the facts of the hosts

Range = tuple[Any, Any]  # the first and the last address
NODE_NETWORK = "node_network_addresses"  # the key `check` of a setting


def selection_of(cluster: Cluster) -> tuple[dict[str, Addon], list[Selected]]:
    """Return the registry and the selected add-ons.

    :raises InputError: the selection is not valid.
    """
    variables = cluster.variables
    registry = load(variables.get("kube_addons_paths") or [])
    settings = variables.get("kube_addons_settings") or {}
    chosen = str(variables.get("kube_addons_set") or "auto")
    names = names_of(registry, variables.get("kube_addons") or [], chosen, len(cluster.hosts), settings)
    return registry, select(registry, names or [], settings, variables.get("kube_component_versions") or {})


@CHECKS.cluster("addons")
def check_addons(cluster: Cluster) -> Iterator[Finding]:
    """The selected add-ons exist, and their settings are valid."""
    try:
        registry, selected = selection_of(cluster)
    except InputError as error:
        for problem in error.problems:
            yield "", "The selected add-ons are not valid.", problem, "Correct the variables kube_addons… ."
        return
    plugin = str(cluster.variables.get("kube_network_plugin"))
    for one in selected:
        if one.addon.provides == "network_policy" and plugin in ("calico", "cilium"):
            evidence = f"kube_addons: {one.addon.name}; {plugin.capitalize()} enforces NetworkPolicy itself"
            yield (
                "",
                "An add-on does what the pod network does already.",
                evidence,
                f"Remove {one.addon.name} from kube_addons.",
            )
        mode = str(cluster.variables.get("kube_proxy_mode") or "")
        reason = (one.addon.conflicts.get("proxy_modes") or {}).get(mode)
        if reason:
            evidence = f"kube_addons: {one.addon.name}; kube_proxy_mode: {mode}"
            yield (
                "",
                f"{one.addon.title} does not work with this mode of kube-proxy: {reason}",
                evidence,
                f"Or remove {one.addon.name} from kube_addons.",
            )
    for name in cluster.variables.get("kube_addons_adopt") or []:
        if name not in registry:
            yield (
                "",
                "kube_addons_adopt names an add-on that does not exist.",
                f"{name} is none of {', '.join(registry)}",
                "Correct the name, or remove it.",
            )


def address_settings(cluster: Cluster) -> Iterator[tuple[str, str, bool]]:
    """Yield each address or range of addresses that an add-on announces: its variable, its text, and whether the nodes' network must have it."""
    try:
        _registry, selected = selection_of(cluster)
    except InputError:
        return  # reported by the check "addons"
    for one in selected:
        for name, spec in one.addon.settings.items():
            if spec.get("check") == NODE_NETWORK:
                inside = not one.settings.get(spec.get("unless", ""))
                for text in one.settings[name] or []:
                    yield f"kube_addons_settings.{one.addon.name}.{name}", str(text), inside


def parse_range(text: str) -> Range:
    """Return the first and the last address of ADDRESS/PREFIX, FIRST-LAST or a single address.

    :raises ValueError: it has another form.
    """
    if "/" in text:
        network = ipaddress.ip_network(text.strip())
        return network[0], network[-1]
    first, _dash, last = text.partition("-")
    start = ipaddress.ip_address(first.strip())
    end = ipaddress.ip_address(last.strip()) if last else start
    if start.version != end.version or int(end) < int(start):
        raise ValueError(f"{text!r} ends before it begins")
    return start, end


def covers(some: Range, address: Any) -> bool:
    """Return whether an address is in a range."""
    return bool(some[0].version == address.version and some[0] <= address <= some[1])


def overlap(some: Range, other: Range) -> bool:
    """Return whether two ranges have an address in common."""
    return bool(some[0].version == other[0].version and some[0] <= other[1] and other[0] <= some[1])


def ranges_of(cluster: Cluster, inside: bool = False) -> list[tuple[str, str, Range]]:
    """Return the variable, the text and the range of each valid range.

    :param inside: only those that the network of the nodes must have.
    """
    found = []
    for variable, text, bound in address_settings(cluster):
        try:
            found += [(variable, text, parse_range(text))] if bound or not inside else []
        except ValueError:
            continue  # reported by check_ranges
    return found


@CHECKS.cluster("addon_addresses")
def check_ranges(cluster: Cluster) -> Iterator[Finding]:
    """The addresses for load balancers are valid, and overlap neither each other nor what the cluster uses already."""
    remedy = "Choose addresses that nothing else uses, neither a host nor a network of the cluster nor a DHCP server."
    for variable, text, _inside in address_settings(cluster):
        try:
            parse_range(text)
        except ValueError as error:
            evidence, form = f"{variable}: {error}", "Use the form 10.0.0.200-10.0.0.220 or 10.0.0.192/27."
            yield "", "Addresses of an add-on are not valid.", evidence, form
    ranges = ranges_of(cluster)
    used: list[tuple[str, Range]] = []
    for name in ("kube_pod_subnet", "kube_service_subnet"):
        for network in parse_networks(cluster.variables.get(name))[0]:
            used.append((f"{name} {network}", (network[0], network[-1])))
    endpoint = split_endpoint(str(cluster.variables.get("kube_control_plane_endpoint") or ""))[0]
    try:
        used.append(
            (
                f"the endpoint {endpoint}",
                (ipaddress.ip_address(endpoint or "::"), ipaddress.ip_address(endpoint or "::")),
            )
        )
    except ValueError:
        pass  # a name
    for number, (variable, text, some) in enumerate(ranges):
        used_here = used + [(f"{text_} of {variable_}", other) for variable_, text_, other in ranges[:number]]
        for what, other in used_here:
            if overlap(some, other):
                yield "", "Addresses of an add-on are in use already.", f"{variable}: {text} overlaps {what}", remedy
        for host in cluster.hosts.values():
            if any(covers(some, address) for address in host_addresses(host)):
                evidence = f"{variable}: {text} contains an address of this host"
                yield host.name, "Addresses of an add-on are in use already.", evidence, remedy


def host_addresses(host: Any) -> list[Any]:
    """Return the addresses of a host, from the inventory and from its facts."""
    texts = [*host.configured_addresses, host.address]
    texts += [entry["address"] for entry in host.facts.get("network", {}).get("addresses", [])]
    found = []
    for text in texts:
        try:
            found.append(ipaddress.ip_address(str(text)))
        except ValueError:
            continue  # a name
    return found


@CHECKS.cluster("addon_addresses")
def check_network(cluster: Cluster) -> Iterator[Finding]:
    """Addresses of layer 2 are in the network of the nodes, where ARP and NDP announce them."""
    networks = {
        network
        for host in cluster.inspected
        for network, source, severity in node_networks(host)
        if severity == "error" and source.startswith("the network of")
    }
    for variable, text, (first, last) in ranges_of(cluster, inside=True) if networks else ():
        if not any(first.version == network.version and first in network and last in network for network in networks):
            yield (
                "",
                "Addresses of an add-on are outside of the network of the nodes.",
                f"{variable}: {text}; the nodes are in {', '.join(sorted(map(str, networks)))}",
                "Choose addresses of this network, or waive the check if a router leads them to the nodes.",
            )
