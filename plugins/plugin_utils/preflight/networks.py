# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Inventory rules about addresses: of hosts, of pods and Services, of the endpoint. Pure functions from a Cluster to problems."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

from .problem import Cluster, Host, Problem
from .syntax import duplicates, explain_name, node_networks, parse_networks, split_endpoint

# kube-controller-manager's --node-cidr-mask-size: the share of a node in the pod network, by IP version.
NODE_PREFIX = {4: 24, 6: 64}


def check_addresses(cluster: Cluster) -> Iterator[Problem]:
    """Each host has an address of its own, and node addresses are IP addresses."""
    for host in cluster.hosts.values():
        for text in str(host.want.get("kube_node_ip") or "").split(","):
            try:
                ipaddress.ip_address(text.strip() or "::")
            except ValueError:
                yield Problem(
                    "addresses",
                    host.name,
                    "The node's address is no IP address.",
                    f"kube_node_ip is '{text}'",
                    "Write the IP address from which this node is to speak, or leave kube_node_ip empty.",
                )
    for variable, addresses in (
        ("ansible_host", {host.name: host.address for host in cluster.hosts.values()}),
        ("kube_node_ip", {host.name: str(host.want.get("kube_node_ip") or "") for host in cluster.hosts.values()}),
    ):
        for address, names in duplicates(addresses).items():
            if variable == "ansible_host" and not is_own_address(cluster, address, names):
                continue
            for name in names:
                yield Problem(
                    "addresses",
                    name,
                    "Hosts have the same address.",
                    f"{variable} is {address}",
                    f"Give each host its own {variable}.",
                )


def is_own_address(cluster: Cluster, address: str, names: list[str]) -> bool:
    """Whether an address that hosts share means one machine: not where each is reached by a port of its own."""
    ports = [str(cluster.hosts[name].want.get("ansible_port") or "") for name in names]
    return len(set(ports)) < len(ports)


def check_networks(cluster: Cluster) -> Iterator[Problem]:
    """Pod and Service networks are networks, apart from each other and from the hosts, and large enough."""
    if not cluster.hosts:
        return
    networks: dict[str, list[Any]] = {}
    for name in ("kube_pod_subnet", "kube_service_subnet"):
        networks[name], errors = parse_networks(cluster.want.get(name))
        for error in errors or ([] if networks[name] else ["it is empty"]):
            yield Problem(
                "networks",
                "",
                f"{name} is no network.",
                error,
                "Write it as ADDRESS/PREFIX, for example 10.244.0.0/16.",
            )
    for pods in networks["kube_pod_subnet"]:
        for services in networks["kube_service_subnet"]:
            if pods.version == services.version and pods.overlaps(services):
                yield Problem(
                    "networks",
                    "",
                    "The pod network and the Service network overlap.",
                    f"kube_pod_subnet {pods} and kube_service_subnet {services}",
                    "Choose networks that have no address in common.",
                )
        room = 1 << max(0, NODE_PREFIX[pods.version] - pods.prefixlen)
        if pods.prefixlen > NODE_PREFIX[pods.version] or room < len(cluster.hosts):
            yield Problem(
                "networks",
                "",
                "The pod network is too small.",
                "each node takes a /%d of %s; there are %d nodes"
                % (NODE_PREFIX[pods.version], pods, len(cluster.hosts)),
                "Choose a larger kube_pod_subnet; it cannot be changed later.",
            )
    for host in cluster.hosts.values():
        yield from check_host_network(host, networks)


def check_host_network(host: Host, networks: dict[str, list[Any]]) -> Iterator[Problem]:
    """The addresses that the inventory gives a host, and after the look its networks, lie outside the cluster's."""
    for variable, cluster_networks in networks.items():
        for network, source, severity in node_networks(host):
            for other in cluster_networks:
                if network.version == other.version and network.overlaps(other):
                    yield Problem(
                        "networks",
                        host.name,
                        f"{variable} {other} overlaps the network of a host.",
                        f"{source} is {network.network_address if network.prefixlen == network.max_prefixlen else network}",
                        f"Choose another {variable} before the cluster is made; it cannot be changed later.",
                        severity,
                    )


def check_service_dns(cluster: Cluster) -> Iterator[Problem]:
    """The Service network has a tenth address, which kubeadm gives to the cluster's DNS, and is no larger than it may be."""
    if not cluster.hosts:
        return
    for network in parse_networks(cluster.want.get("kube_service_subnet"))[0]:
        bits = network.max_prefixlen - network.prefixlen
        if not 4 <= bits <= 20:
            yield Problem(
                "service_dns",
                "",
                f"The Service network is too {'small' if bits < 4 else 'large'}.",
                f"kube_service_subnet is {network}; the DNS takes its tenth address, and kube-apiserver allows 20 bits",
                "Choose a prefix from /%d to /%d." % (network.max_prefixlen - 20, network.max_prefixlen - 4),
            )


def check_dns_domain(cluster: Cluster) -> Iterator[Problem]:
    """The cluster's DNS domain is a DNS name."""
    domain = str(cluster.want.get("kube_dns_domain") or "")
    reason = explain_name(domain) if cluster.hosts else ""
    if reason:
        evidence = f"'{domain}' {reason}"
        yield Problem("dns_domain", "", "kube_dns_domain is no DNS name.", evidence, "Write a name like cluster.local.")


def check_endpoint(cluster: Cluster) -> Iterator[Problem]:
    """Several control planes need an endpoint that does not belong to one of them; any endpoint is HOST or HOST:PORT."""
    if not cluster.control_planes:
        return
    endpoint = str(cluster.control_planes[0].want.get("kube_control_plane_endpoint") or "")
    if not endpoint:
        if len(cluster.control_planes) > 1:
            yield Problem(
                "endpoint",
                "",
                "There are several control planes and no endpoint in front of them.",
                "{} are control planes, kube_control_plane_endpoint is empty".format(
                    ", ".join(h.name for h in cluster.control_planes)
                ),
                "Set kube_control_plane_endpoint to a name or address that a load balancer or virtual address serves.",
            )
        return
    name, _port, error = split_endpoint(endpoint)
    if error:
        evidence = f"kube_control_plane_endpoint is '{endpoint}': {error}"
        yield Problem(
            "endpoint",
            "",
            "The endpoint is not HOST or HOST:PORT.",
            evidence,
            "Write for example api.example.com:6443.",
        )
    owners = [host.name for host in cluster.control_planes if name in (host.address, host.want.get("kube_node_ip"))]
    if owners and len(cluster.control_planes) > 1:
        yield Problem(
            "endpoint",
            owners[0],
            "The endpoint is the address of one control plane: without that host nobody reaches the others.",
            f"kube_control_plane_endpoint is {endpoint}",
            "Use a load balancer, a virtual address, or a DNS name.",
            "warning",
        )
