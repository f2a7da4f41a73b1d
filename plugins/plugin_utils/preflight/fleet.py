# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of the hosts against each other: identities, clocks and networks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .networks import overlaps_of_host
from .problem import Checks, Cluster, Finding, Host
from .syntax import CLUSTER_INTERFACES, families, parse_networks, shared_values

CHECKS = Checks()


def node_interface(host: Host) -> dict[str, Any]:
    """Return the facts about the interface with the node's address; empty if no interface has it."""
    return interface_of(host, host.node_address)


def interface_of(host: Host, address: str) -> dict[str, Any]:
    """Return the facts about the interface with an address; empty if no interface has it."""
    entries = host.facts["network"]["addresses"]
    return next((dict(entry) for entry in entries if entry["address"] == address), {})


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


@CHECKS.host("address_family")
def check_address_family(host: Host) -> Iterator[Finding]:
    """The host has addresses of all address families of the pod network."""
    wanted = families(parse_networks(host.variables.get("kube_pod_subnet"))[0])
    pods = f"kube_pod_subnet has {', '.join(wanted)}"
    if "IPv6" in wanted and not host.facts["network"]["ipv6"]:
        yield (
            "The kernel of the host has no IPv6, but pods get IPv6 addresses.",
            f"{pods}; /proc/sys/net/ipv6/conf/all/disable_ipv6 does not exist or is not 0",
            "Enable IPv6 (kernel command line without ipv6.disable=1, net.ipv6.conf.all.disable_ipv6 = 0), or use an IPv4 network for pods.",
        )
    elif not host.configured_addresses and families(host.node_addresses)[: len(wanted)] != wanted:
        entries = host.facts["network"]["addresses"]
        entries = [entry for entry in entries if not entry["interface"].startswith(CLUSTER_INTERFACES)]
        own = [next((e["address"] for e in entries if e["family"] == name.lower()), "") for name in wanted]
        missing = [name for name, address in zip(wanted, own) if not address]
        yield (
            "The node does not have the address families of the pod network.",
            f"{pods}; the node's address is {', '.join(host.node_addresses)}",
            f"Assign an {missing[0]} address to the host, and list one of each family in kube_node_ip."
            if missing
            else f"Set kube_node_ip: '{','.join(own)}', or other addresses of the host in the order of kube_pod_subnet.",
        )
    elif len(wanted) > 1 and host.variables.get("kube_network_plugin") == "flannel":
        places = {address: interface_of(host, address).get("interface", "") for address in host.node_addresses}
        if len(set(places.values())) > 1 and all(places.values()):
            yield (
                "Flannel needs both addresses of the node on one interface.",
                ", ".join(f"{address} is on {place}" for address, place in places.items()),
                "Set kube_node_ip to two addresses of one interface, or use Calico.",
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
