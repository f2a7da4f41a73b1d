# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of the addresses in an inventory: of hosts, of pods and Services, and of the endpoint."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

from .kubelet import KUBELET_SETTINGS
from .problem import Checks, Cluster, Finding, Host
from .syntax import dns_name_error, duplicates, families, node_networks, parse_networks, split_endpoint

CHECKS = Checks()

# kube-controller-manager's --node-cidr-mask-size: prefix length of a node's share of the pod network, by IP version.
NODE_PREFIX = {4: 24, 6: 64}
# The kubelet's default of maxPods.
MAX_PODS = 110
# kubeadm's PodSubnetNodeMaskMaxDiff.
NODE_BITS = 16


@CHECKS.cluster("addresses")
def check_addresses(cluster: Cluster) -> Iterator[Finding]:
    """Each host has a unique address, and node addresses are IP addresses."""
    for host in cluster.hosts.values():
        for text in str(host.variables.get("kube_node_ip") or "").split(","):
            try:
                ipaddress.ip_address(text.strip() or "::")
            except ValueError:
                yield (
                    host.name,
                    "The node's address is not a valid IP address.",
                    f"kube_node_ip is '{text}'",
                    "Set kube_node_ip to an IP address of the host, or leave it empty.",
                )
    for variable, addresses in (
        ("ansible_host", {host.name: host.address for host in cluster.hosts.values()}),
        ("kube_node_ip", {host.name: str(host.variables.get("kube_node_ip") or "") for host in cluster.hosts.values()}),
    ):
        for address, names in duplicates(addresses).items():
            ports = {str(cluster.hosts[name].variables.get("ansible_port") or "") for name in names}
            # Behind one address, different ports lead to different machines.
            if variable == "ansible_host" and len(ports) == len(names):
                continue
            for name in names:
                remedy = f"Set a unique {variable} for each host."
                yield name, "Hosts have the same address.", f"{variable} is {address}", remedy


@CHECKS.cluster("networks")
def check_networks(cluster: Cluster) -> Iterator[Finding]:
    """Pod and Service networks are valid, large enough, and overlap neither each other nor the hosts' networks."""
    if not cluster.hosts:
        return
    networks: dict[str, list[Any]] = {}
    for name in ("kube_pod_subnet", "kube_service_subnet"):
        networks[name], errors = parse_networks(cluster.variables.get(name))
        for error in errors or ([] if networks[name] else ["it is empty"]):
            remedy = "Use the form ADDRESS/PREFIX, for example 10.244.0.0/16."
            yield "", f"{name} is not a valid network.", error, remedy
    for pods in networks["kube_pod_subnet"]:
        for services in networks["kube_service_subnet"]:
            if pods.version == services.version and pods.overlaps(services):
                yield (
                    "",
                    "The pod network and the Service network overlap.",
                    f"kube_pod_subnet is {pods}, kube_service_subnet is {services}",
                    "Choose networks that do not overlap.",
                )
        prefix = node_prefix(cluster.variables, pods.version)
        if prefix - pods.prefixlen > NODE_BITS:
            yield (
                "",
                "The pod network is too large.",
                f"kube_pod_subnet is {pods}; kubeadm allows at most {NODE_BITS} bits for the number of nodes, each of which gets a /{prefix}",
                f"Choose a prefix length from /{prefix - NODE_BITS} to /{prefix}.",
            )
        wanted = max(len(cluster.hosts), int(cluster.variables.get("kube_expected_nodes") or 0))
        if pods.prefixlen > prefix or 1 << (prefix - pods.prefixlen) < wanted:
            yield (
                "",
                "The pod network is too small.",
                f"each node needs a /{prefix} of {pods}; the number of nodes is {wanted}",
                "Choose a larger kube_pod_subnet, or smaller shares of the nodes with node-cidr-mask-size in"
                " control_plane_controller_manager_extra_args; they cannot be changed later.",
            )
        yield from pods_of_a_node(cluster, pods.max_prefixlen - prefix)
    yield from compare_families({name: families(found) for name, found in networks.items()})
    for host in cluster.hosts.values():
        for finding in overlaps_of_host(host, networks):
            yield host.name, *finding


def node_prefix(variables: dict[str, Any], version: int) -> int:
    """Return the prefix length of a node's share of the pod network."""
    flags = variables.get("control_plane_controller_manager_extra_args") or {}
    for name in (f"node-cidr-mask-size-ipv{version}", "node-cidr-mask-size"):
        if str(flags.get(name) or "").isdecimal():
            return int(flags[name])
    return NODE_PREFIX[version]


def pods_of_a_node(cluster: Cluster, bits: int) -> Iterator[Finding]:
    """Each node's share of the pod network has an address for as many pods as its kubelet admits. Calico has addresses of its own.

    :param bits: of the addresses in the share of a node.
    """
    # The first address, the last and that of the gateway have no pod; with Cilium, nor has that of its health checks.
    taken = {"flannel": 3, "cilium": 4}.get(str(cluster.variables.get("kube_network_plugin")))
    if not taken:
        return
    for host in cluster.hosts.values():
        source, limit = "the kubelet's defaults", MAX_PODS
        for name in reversed(KUBELET_SETTINGS):
            given = str((host.variables.get(name) or {}).get("maxPods"))
            source, limit = (name, int(given)) if given.isdecimal() else (source, limit)
        room = (1 << bits) - taken
        if limit > room:
            yield (
                host.name,
                "A node may have more pods than its share of the pod network has addresses.",
                f"maxPods of {source} is {limit}; the share has room for {room} pods",
                "Lower maxPods, or give each node a larger share with node-cidr-mask-size in control_plane_controller_manager_extra_args.",
                "warning",
            )


def compare_families(found: dict[str, list[str]]) -> Iterator[Finding]:
    """Yield a finding if pods and Services do not have the same address families in the same order.

    :param found: address families by variable.
    """
    several = [name for name, names in found.items() if len(set(names)) < len(names)]
    for name in several:
        yield (
            "",
            f"{name} has several networks of one address family.",
            f"its networks are {', '.join(found[name])}",
            "Use one network, or one IPv4 and one IPv6 network.",
        )
    if not several and all(found.values()) and len({tuple(names) for names in found.values()}) > 1:
        yield (
            "",
            "The address families of the pod network and the Service network differ.",
            "; ".join(f"{name} has {', '.join(names)}" for name, names in found.items()),
            "Use the same address families in the same order; the first one is that of Services by default.",
        )


@CHECKS.host("address_family", facts=False)
def check_families(host: Host) -> Iterator[Finding]:
    """The configured addresses of a node have the address families of the pod network, in the same order."""
    wanted = families(parse_networks(host.variables.get("kube_pod_subnet"))[0])
    configured = families(host.configured_addresses)
    if configured and configured[: len(wanted)] != wanted:
        yield (
            "The node's addresses do not have the address families of the pod network.",
            f"kube_node_ip is {', '.join(host.configured_addresses)}; kube_pod_subnet has {', '.join(wanted)}",
            "List one address of each family in kube_node_ip, in the order of kube_pod_subnet, separated by a comma.",
        )


def overlaps_of_host(host: Host, networks: dict[str, list[Any]]) -> Iterator[Finding]:
    """Yield a finding for each network of a host that overlaps a network of the cluster.

    :param networks: networks of the cluster, by variable.
    """
    for variable, cluster_networks in networks.items():
        for network, source, severity in node_networks(host):
            for other in cluster_networks:
                if network.version == other.version and network.overlaps(other):
                    yield (
                        f"{variable} {other} overlaps the network of a host.",
                        f"{source} is {network.network_address if network.prefixlen == network.max_prefixlen else network}",
                        f"Choose another {variable} before you create the cluster; it cannot be changed later.",
                        severity,
                    )


@CHECKS.cluster("service_dns")
def check_service_dns(cluster: Cluster) -> Iterator[Finding]:
    """The Service network has a tenth address, which kubeadm assigns to the cluster DNS, and does not exceed the limit."""
    for network in parse_networks(cluster.variables.get("kube_service_subnet"))[0]:
        size, bits = network.max_prefixlen, network.max_prefixlen - network.prefixlen
        if not 4 <= bits <= 20:
            yield (
                "",
                f"The Service network is too {'small' if bits < 4 else 'large'}.",
                f"kube_service_subnet is {network}; the cluster DNS uses its tenth address, and kube-apiserver allows at most 20 bits",
                f"Choose a prefix length from /{size - 20} to /{size - 4}.",
            )


@CHECKS.cluster("dns_domain")
def check_dns_domain(cluster: Cluster) -> Iterator[Finding]:
    """The cluster's DNS domain is a valid DNS name."""
    domain = str(cluster.variables.get("kube_dns_domain") or "")
    if cluster.hosts and (reason := dns_name_error(domain)):
        remedy = "Use a name such as cluster.local."
        yield "", "kube_dns_domain is not a valid DNS name.", f"'{domain}' {reason}", remedy


@CHECKS.cluster("dns_settings")
def check_dns_settings(cluster: Cluster) -> Iterator[Finding]:
    """What the cluster DNS resolves besides its own names is addresses and names."""
    servers = [("kube_dns_forwarders", text) for text in as_texts(cluster.variables.get("kube_dns_forwarders"))]
    names = []
    for domain, texts in as_lists(cluster.variables.get("kube_dns_stub_domains")):
        servers += [(f"kube_dns_stub_domains, {domain}", text) for text in texts]
        names.append(("kube_dns_stub_domains", domain))
        if not texts:
            yield "", "A stub domain has no server.", f"kube_dns_stub_domains, {domain}", "Give it a list of addresses."
        inside = str(cluster.variables.get("kube_dns_domain") or "")
        if inside and (is_below(domain, inside) or is_below(inside, domain)):
            remedy = "Remove it, or use its subdomains: names of the cluster would no longer be resolved."
            yield (
                "",
                "A stub domain contains names of the cluster.",
                f"kube_dns_stub_domains has {domain}, the cluster is {inside}",
                remedy,
            )
    stubs = [domain for domain, _servers in as_lists(cluster.variables.get("kube_dns_stub_domains"))]
    for address, texts in as_lists(cluster.variables.get("kube_dns_hosts")):
        if not texts:
            yield "", "An address has no name.", f"kube_dns_hosts, {address}", "Give it a list of names."
        for text, domain in ((text, domain) for text in texts for domain in stubs if is_below(text, domain)):
            remedy = f"Let its servers resolve it, or remove {domain} from kube_dns_stub_domains."
            yield (
                "",
                "A name is below a stub domain, whose servers resolve it.",
                f"kube_dns_hosts, {address}: {text}",
                remedy,
            )
        names += [(f"kube_dns_hosts, {address}", text) for text in texts]
        if not is_address(address):
            remedy = "Write a dictionary of address and list of names."
            yield "", "kube_dns_hosts has a key that is not an IP address.", f"it is '{address}'", remedy
    for name in ("kube_dns_forwarders", "kube_dns_stub_domains"):
        counts = [sum(variable == one for variable, _text in servers) for one, _text in servers if one.startswith(name)]
        if counts and max(counts) > 15:
            yield "", "CoreDNS forwards to 15 servers at most.", f"{name} has {max(counts)}", "Remove servers."
    for variable, text in servers:
        host, _port, error = split_endpoint(text)
        if error or not is_address(host):
            remedy = "Write ADDRESS or ADDRESS:PORT."
            yield "", "A DNS server is not an IP address.", f"{variable} has '{text}'", remedy
    for variable, text in names:
        if reason := dns_name_error(text.rstrip(".").lower()):
            yield (
                "",
                f"{variable.split(',')[0]} has an invalid name.",
                f"{variable}: '{text}' {reason}",
                "Correct the name.",
            )


def is_address(text: str) -> bool:
    """Return whether a text is an IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def as_texts(value: Any) -> list[str]:
    """Return the texts of a list, or of one text as Ansible splits it; what is none is reported elsewhere."""
    if isinstance(value, str):
        return [one.strip() for one in value.split(",") if one.strip()]
    return [str(one) for one in value] if isinstance(value, list) else []


def as_lists(value: Any) -> list[tuple[str, list[str]]]:
    """Return the lists of a dictionary, of which one text is one as well."""
    items = value.items() if isinstance(value, dict) else ()
    return [(str(key), as_texts(found)) for key, found in items]


def is_below(name: str, domain: str) -> bool:
    """Return whether a name is a domain or below it."""
    return f".{name.rstrip('.').lower()}".endswith(f".{domain.rstrip('.').lower()}")


@CHECKS.cluster("endpoint")
def check_endpoint(cluster: Cluster) -> Iterator[Finding]:
    """The endpoint is HOST or HOST:PORT; several control planes need one that does not belong to one of them."""
    planes = cluster.control_planes
    if not planes:
        return
    endpoint = str(planes[0].variables.get("kube_control_plane_endpoint") or "")
    if not endpoint:
        if len(planes) > 1:
            yield (
                "",
                "There are several control planes but no endpoint in front of them.",
                f"the control planes are {', '.join(host.name for host in planes)}; kube_control_plane_endpoint is empty",
                "Set kube_control_plane_endpoint to the DNS name or IP address of a load balancer, or to a virtual IP address.",
            )
        return
    name, _port, error = split_endpoint(endpoint)
    if error:
        evidence = f"kube_control_plane_endpoint is '{endpoint}': {error}"
        yield (
            "",
            "The endpoint does not have the form HOST or HOST:PORT.",
            evidence,
            "Use for example api.example.com:6443.",
        )
    owners = [host.name for host in planes if name in (host.address, *host.configured_addresses)]
    if owners and len(planes) > 1:
        yield (
            owners[0],
            "The endpoint is the address of one control plane; if that host fails, the others cannot be reached.",
            f"kube_control_plane_endpoint is {endpoint}",
            "Use a load balancer, a virtual IP address, or a DNS name.",
            "warning",
        )
