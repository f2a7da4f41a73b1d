# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of the hosts against each other: identities, clocks and networks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .networks import overlaps_of_host
from .problem import Checks, Cluster, Finding, Host
from .syntax import CLUSTER_INTERFACES, parse_networks, shared_values

CHECKS = Checks()


def node_interface(host: Host) -> dict[str, Any]:
    """Return the facts about the interface with the node's address; empty if no interface has it."""
    entries = host.facts["network"]["addresses"]
    return next((dict(entry) for entry in entries if entry["address"] == host.node_address), {})


@CHECKS.cluster("machine_id")
def check_machine_id(cluster: Cluster) -> Iterator[Finding]:
    """Each host has a unique machine-id. Clones of an image share it; DHCP leases and the kubelet's identity depend on it."""
    for name, value in shared_values({host.name: host.facts["machine_id"] for host in cluster.inspected}):
        yield (
            name,
            "Hosts have the same machine-id, so they were probably cloned from one image.",
            f"/etc/machine-id is {value}",
            "On all but one of them, remove /etc/machine-id, run systemd-machine-id-setup and reboot.",
        )
    for host in cluster.inspected:
        if not host.facts["machine_id"]:
            evidence = "/etc/machine-id is empty or does not exist"
            yield host.name, "The host has no machine-id.", evidence, "Run systemd-machine-id-setup and reboot."


@CHECKS.cluster("mac_address")
def check_mac_address(cluster: Cluster) -> Iterator[Finding]:
    """Each host has a unique MAC address ("Installing kubeadm", verify the MAC address)."""
    for name, value in shared_values({host.name: node_interface(host).get("mac") or "" for host in cluster.inspected}):
        evidence, remedy = (
            f"the interface with the node's address has {value}",
            "Assign a unique MAC address to each machine.",
        )
        yield name, "Hosts have the same MAC address.", evidence, remedy


@CHECKS.cluster("product_uuid")
def check_product_uuid(cluster: Cluster) -> Iterator[Finding]:
    """Each machine has a unique product_uuid; containers report the one of the machine that they run on."""
    machines = {host.name: host.facts["product_uuid"] for host in cluster.inspected if not host.facts["container"]}
    for name, value in shared_values(machines):
        evidence, remedy = (
            f"/sys/class/dmi/id/product_uuid is {value}",
            "Assign a unique UUID to each virtual machine.",
        )
        yield name, "Machines have the same product_uuid.", evidence, remedy, "warning"


@CHECKS.cluster("node_address")
def check_node_address(cluster: Cluster) -> Iterator[Finding]:
    """The configured address is assigned to the host, and no two hosts have the same one."""
    for host in cluster.inspected:
        assigned = [entry["address"] for entry in host.facts["network"]["addresses"]]
        for desired in filter(None, str(host.variables.get("kube_node_ip") or "").split(",")):
            if desired.strip() not in assigned:
                yield (
                    host.name,
                    "The node's address is not assigned to an interface of the host.",
                    f"kube_node_ip is {desired}; the host has {', '.join(assigned) or 'no address'}",
                    "Correct kube_node_ip, or leave it empty to use the address of the default route.",
                )
        if not host.node_address or not assigned:
            evidence = "no network interface has an IP address"
            yield host.name, "The host has no IP address.", evidence, "Connect the host to a network."
    for name, address in shared_values({host.name: host.node_address for host in cluster.inspected}):
        yield (
            name,
            "Hosts have the same node address.",
            f"the node's address is {address}",
            "Set kube_node_ip on each of them to an address at which the other hosts can reach it.",
        )


@CHECKS.host("networks")
def check_host_networks(host: Host) -> Iterator[Finding]:
    """The networks of the host's interfaces do not overlap the pod and Service networks."""
    names = ("kube_pod_subnet", "kube_service_subnet")
    for finding in overlaps_of_host(host, {name: list(parse_networks(host.variables.get(name))[0]) for name in names}):
        if finding[-1] == "error" or not host.settled:
            yield finding


@CHECKS.cluster("clock")
def check_clock(cluster: Cluster) -> Iterator[Finding]:
    """Clocks agree: certificates and tokens have a validity period, and etcd warns about clock differences.

    The host read its clock between the control node's request and the last answer of all hosts.
    """
    for host in cluster.inspected:
        tolerance = float(host.variables.get("preflight_clock_tolerance") or 0)
        time, requested = host.facts["time"], host.facts["controller_time"]
        if not requested or not cluster.now:
            continue
        if time < requested - tolerance:
            difference = f"{requested - time:.0f} seconds behind"
        elif time > cluster.now + tolerance:
            difference = f"{time - cluster.now:.0f} seconds ahead"
        else:
            continue
        yield (
            host.name,
            "The host's clock differs from the control node's.",
            f"it is {difference}",
            "Run a time service (systemd-timesyncd, chrony) on the host and on the control node.",
        )


@CHECKS.cluster("mtu")
def check_mtu(cluster: Cluster) -> Iterator[Finding]:
    """The nodes' interfaces have the same MTU, from which the MTU of the pod network is derived."""
    sizes = {host.name: int(node_interface(host).get("mtu") or 0) for host in cluster.inspected}
    known = {name: size for name, size in sizes.items() if size}
    if len(set(known.values())) > 1 and not all(host.settled for host in cluster.inspected):
        for name, size in known.items():
            yield (
                name,
                "The MTU differs between the nodes' interfaces, so large packets between pods may be dropped.",
                f"MTU {size}",
                "Set the same MTU on all hosts, or set kube_network_mtu to a value that fits the smallest one.",
                "warning",
            )


@CHECKS.host("gateway")
def check_gateway(host: Host) -> Iterator[Finding]:
    """There is a default route: kubeadm derives the node's address from it, and ClusterIPs need one even if it leads nowhere."""
    interface = str(host.facts["network"]["default_interface"])
    if not interface or (interface.startswith(CLUSTER_INTERFACES) and not host.settled):
        yield (
            "The host has no default route, so Service addresses cannot be reached from it.",
            "no default route in /proc/net/route or ipv6_route",
            "Add a default route; its gateway does not need to be reachable.",
            "warning",
        )
