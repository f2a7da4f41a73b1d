# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hosts must be together: told apart from each other, of one time and one network. Pure functions from a Cluster to problems."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .networks import check_host_network
from .problem import Cluster, Host, Problem
from .syntax import OWN_INTERFACES, duplicates, parse_networks


def check_machine_id(cluster: Cluster) -> Iterator[Problem]:
    """Each host has a machine-id of its own (a clone shares it; DHCP leases and the kubelet's identity depend on it)."""
    for value, names in duplicates({host.name: host.look["machine_id"] for host in cluster.seen}).items():
        what = "Hosts share a machine-id: they are copies of one image."
        remedy = "On all but one: rm /etc/machine-id, run systemd-machine-id-setup, reboot."
        for name in names:
            yield Problem("machine_id", name, what, f"/etc/machine-id is {value}", remedy)
    for host in cluster.seen:
        if not host.look["machine_id"]:
            evidence, remedy = "/etc/machine-id is empty or not there", "Run systemd-machine-id-setup and reboot."
            yield Problem("machine_id", host.name, "The host has no machine-id.", evidence, remedy)


def node_interface(host: Host) -> dict[str, object]:
    """The entry of the node's address in the look; {} where it is on no interface."""
    for entry in host.look["network"]["addresses"]:
        if entry["address"] == host.node_address:
            return dict(entry)
    return {}


def check_mac_address(cluster: Cluster) -> Iterator[Problem]:
    """Each host has a MAC address of its own ("Installing kubeadm", verify the MAC address)."""
    for value, names in duplicates(
        {host.name: str(node_interface(host).get("mac") or "") for host in cluster.seen}
    ).items():
        evidence, remedy = (
            f"the interface of the node's address has {value}",
            "Give each machine its own where it is defined.",
        )
        for name in names:
            yield Problem("mac_address", name, "Hosts share a MAC address.", evidence, remedy)


def check_product_uuid(cluster: Cluster) -> Iterator[Problem]:
    """Each machine has a product_uuid of its own; containers show that of the machine they run on."""
    machines = {host.name: host.look["product_uuid"] for host in cluster.seen if not host.look["container"]}
    for value, names in duplicates(machines).items():
        evidence, remedy = (
            f"/sys/class/dmi/id/product_uuid is {value}",
            "Give each virtual machine its own where it is defined.",
        )
        for name in names:
            yield Problem("product_uuid", name, "Machines share a product_uuid.", evidence, remedy, "warning")


def check_node_address(cluster: Cluster) -> Iterator[Problem]:
    """The address that is set is on the host, and no two hosts have one."""
    for host in cluster.seen:
        there = [entry["address"] for entry in host.look["network"]["addresses"]]
        for wanted in filter(None, str(host.want.get("kube_node_ip") or "").split(",")):
            if wanted.strip() not in there:
                yield Problem(
                    "node_address",
                    host.name,
                    "The node's address is not on the host.",
                    f"kube_node_ip is {wanted}; the host has {', '.join(there) or 'no address'}",
                    "Correct kube_node_ip, or leave it empty to take the address of the default route.",
                )
        if not host.node_address or not there:
            yield Problem(
                "node_address",
                host.name,
                "The host has no address.",
                "no interface has one",
                "Connect the host to a network.",
            )
    for address, names in duplicates({host.name: host.node_address for host in cluster.seen}).items():
        what, remedy = (
            "Hosts have the same node address.",
            "Set kube_node_ip on them to addresses by which the others reach them.",
        )
        for name in names:
            yield Problem("node_address", name, what, f"each would be reached at {address}", remedy)


def check_host_networks(cluster: Cluster) -> Iterator[Problem]:
    """The networks that the hosts are really in lie outside the pod and Service networks."""
    for host in cluster.seen:
        names = ("kube_pod_subnet", "kube_service_subnet")
        networks = {name: list(parse_networks(host.want.get(name))[0]) for name in names}
        for problem in check_host_network(host, networks):
            if not (host.settled and problem.severity != "error"):
                yield problem


def check_clock(cluster: Cluster) -> Iterator[Problem]:
    """Clocks agree: certificates and tokens have times, and etcd warns of skew.

    A host's time was read at some moment after the control node asked and before all answers were back.
    """
    for host in cluster.seen:
        tolerance = float(host.want.get("preflight_clock_tolerance") or 0)
        time, asked = host.look["time"], host.look["controller_time"]
        if not asked or not cluster.now:
            continue
        off = time - asked if time < asked - tolerance else time - cluster.now if time > cluster.now + tolerance else 0
        if off:
            yield Problem(
                "clock",
                host.name,
                "The host's clock differs from the control node's.",
                f"it is {abs(off):.0f} seconds {'ahead' if off > 0 else 'behind'}",
                "Run a time service (systemd-timesyncd, chrony) on the host and on the control node.",
            )


def check_mtu(cluster: Cluster) -> Iterator[Problem]:
    """The nodes' interfaces have one MTU: the pod network takes it from there."""
    sizes = {host.name: int(str(node_interface(host).get("mtu") or 0)) for host in cluster.seen}
    known = {name: size for name, size in sizes.items() if size}
    if len(set(known.values())) > 1 and not all(host.settled for host in cluster.seen):
        for name, size in known.items():
            yield Problem(
                "mtu",
                name,
                "The MTU of the nodes' interfaces differs: large packets between pods may be lost.",
                "MTU %d" % size,
                "Set one MTU on all hosts, or the smallest in kube_network_mtu.",
                "warning",
            )


def check_gateway(cluster: Cluster) -> Iterator[Problem]:
    """There is a default route: kubeadm takes the node's address from it, and ClusterIPs need one even where nothing is behind it."""
    for host in cluster.seen:
        network = host.look["network"]
        own = str(network["default_interface"]).startswith(OWN_INTERFACES)
        if not network["default_interface"] or (own and not host.settled):
            yield Problem(
                "gateway",
                host.name,
                "The host has no default route, so Service addresses cannot be reached from it.",
                "no default route in /proc/net/route or ipv6_route",
                "Add a default route, even one to a gateway that leads nowhere.",
                "warning",
            )


CHECKS: dict[str, Callable[[Cluster], Iterator[Problem]]] = {
    "machine_id": check_machine_id,
    "mac_address": check_mac_address,
    "product_uuid": check_product_uuid,
    "node_address": check_node_address,
    "networks": check_host_networks,
    "clock": check_clock,
    "mtu": check_mtu,
    "gateway": check_gateway,
}
