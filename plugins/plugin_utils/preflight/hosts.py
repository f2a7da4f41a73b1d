# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requirements that each host must meet to become a node.

A host that is already a member of the desired cluster is only checked for problems that can still occur later.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ...module_utils._kube.quantities import parse_quantity
from ..network.ports import Node
from .problem import Checks, Finding, Host

CHECKS = Checks()

# Supported releases, oldest first, by the ID in os-release.
ENTERPRISE_LINUX = ((9,), (10,))
RELEASES = {
    "debian": ((12,), (13,)),
    "ubuntu": ((22, 4), (24, 4)),
    **dict.fromkeys(("rhel", "rocky", "almalinux", "centos", "ol"), ENTERPRISE_LINUX),
}
ARCHITECTURES = ("amd64", "arm64")
# kubeadm's own minimums: the preflight checks NumCPU and Mem.
MINIMUM_CPUS = 2
MINIMUM_MEMORY_MB = 1700
# Disk space for the packages and images of one node.
MINIMUM_FREE_MB = 3072
# "Node-pressure Eviction", hard eviction thresholds: the kubelet's defaults. Configured values replace all of them.
EVICTION_HARD = {
    "nodefs.available": "10%",
    "nodefs.inodesFree": "5%",
    "imagefs.available": "15%",
    "imagefs.inodesFree": "5%",
}
EVICTION_PATHS = {"nodefs": "/var/lib/kubelet", "imagefs": "/var/lib/containerd"}
# The kernel truncates names of processes to 15 characters.
NODE_PROCESSES = ("kube-apiserver", "etcd", "kubelet", "kube-controller", "kube-scheduler", "kube-proxy")


def node_of(host: Host) -> Node:
    """Return what decides the ports of the host."""
    variables = host.variables
    return Node(
        str(variables.get("kube_network_plugin")),
        control_plane=host.control_plane,
        api_port=host.api_port,
        encapsulation=str(variables.get("kube_network_calico_encapsulation") or ""),
        bgp=bool(variables.get("kube_network_calico_bgp")),
        wireguard=bool(variables.get("kube_network_calico_wireguard")),
        flannel_backend=str(variables.get("kube_network_flannel_backend") or ""),
        cilium_encapsulation=str(variables.get("kube_network_cilium_encapsulation") or ""),
        vip=bool(variables.get("kube_control_plane_vip")),
        etcd=host.etcd,
        external_etcd=bool(variables.get("external_etcd")),
    )


@CHECKS.host("reachable", facts=False)
def check_reachable(host: Host) -> Iterator[Finding]:
    """The host could be inspected."""
    if host.failure:
        yield (
            "The host could not be inspected, so an existing cluster cannot be ruled out.",
            host.failure,
            "Check the address, SSH key, sudo password and Python with `ansible HOST -m ansible.builtin.ping --become`.",
        )


@CHECKS.host("privileges")
def check_privileges(host: Host) -> Iterator[Finding]:
    """Ansible has root privileges, so that it can prepare the host."""
    if host.facts.get("privileged") is False:
        evidence = "privilege escalation is not enabled"
        yield "Ansible does not run as root on the host.", evidence, "Set become: true for the play or the host."


@CHECKS.host("os")
def check_os(host: Host) -> Iterator[Finding]:
    """The roles support the operating system."""
    system = host.facts["os"]
    releases = supported_releases(system)
    if system["family"] == "other" or (releases and release_of(system) < releases[0]):
        yield (
            "The operating system is not supported.",
            describe_os(system),
            "Use Debian 12, Ubuntu 22.04, RHEL 9 or a rebuild of it (Rocky Linux, AlmaLinux, CentOS Stream, Oracle Linux), or a later release.",
        )
    if host.facts["init"] != "systemd":
        evidence = f"the first process is '{host.facts['init']}'"
        yield "The host does not run systemd.", evidence, "Use a host that boots with systemd."


@CHECKS.host("untested_os", settled=False)
def check_untested_os(host: Host) -> Iterator[Finding]:
    """The operating system is a release that is supported, and not a later one or only a relative."""
    system = host.facts["os"]
    releases, release = supported_releases(system), release_of(system)
    known = system["id"] in RELEASES and any(release[: len(supported)] == supported for supported in releases)
    if known or system["family"] == "other" or (releases and release < releases[0]):
        return
    related = f", related to {' '.join(system['id_like'])}" if system["id_like"] else ""
    yield (
        "The roles were not made for this operating system.",
        f"{describe_os(system)}{related}",
        "Try it on a host that you can do without, with a kube_containerd_repository that has packages for it;"
        " waive untested_os to accept it, or use another host.",
        "warning" if releases else "error",
    )


def supported_releases(system: dict[str, Any]) -> tuple[tuple[int, ...], ...]:
    """Return the supported releases of a distribution; those of RHEL for its rebuilds, and none for other relatives."""
    rebuild = ENTERPRISE_LINUX if "rhel" in system["id_like"] else ()
    return RELEASES.get(system["id"], rebuild)


def release_of(system: dict[str, Any]) -> tuple[int, ...]:
    """Return the numbers in VERSION_ID."""
    return tuple(int(number) for number in re.findall(r"\d+", system["version_id"]))


def describe_os(system: dict[str, Any]) -> str:
    """Return the operating system for an evidence."""
    return f"{system['name'] or 'no os-release'} (ID={system['id']}, VERSION_ID={system['version_id']})"


@CHECKS.host("architecture")
def check_architecture(host: Host) -> Iterator[Finding]:
    """Packages and images exist for the processor."""
    architecture = host.facts["architecture"]
    if architecture not in ARCHITECTURES:
        remedy = f"Use hosts with the architecture {' or '.join(ARCHITECTURES)}."
        yield "The processor architecture is not supported.", architecture, remedy


@CHECKS.host("cpus", settled=False)
def check_cpus(host: Host) -> Iterator[Finding]:
    """A control plane has the number of CPUs that kubeadm requires."""
    if host.control_plane and host.facts["cpus"] < MINIMUM_CPUS:
        evidence = f"{host.facts['cpus']}; kubeadm requires {MINIMUM_CPUS}"
        yield "A control plane has too few CPUs.", evidence, "Give the host more CPUs."


@CHECKS.host("memory", settled=False)
def check_memory(host: Host) -> Iterator[Finding]:
    """The host has the memory that kubeadm requires."""
    if host.facts["memory_mb"] < MINIMUM_MEMORY_MB:
        evidence = f"{host.facts['memory_mb']} MiB; kubeadm requires {MINIMUM_MEMORY_MB} MiB"
        severity = "error" if host.control_plane else "warning"
        yield "The host has too little memory.", evidence, "Give the host more memory.", severity


def parse_threshold(threshold: str, total_mb: float) -> float | None:
    """Return an eviction threshold in MiB, or None if it is neither a percentage ("10%") nor a quantity ("1Gi").

    :param total_mb: size that a percentage refers to, in MiB.
    """
    percentage = re.match(r"^(\d+(?:\.\d+)?)%$", threshold.strip())
    if percentage:
        return total_mb * float(percentage.group(1)) / 100
    quantity = parse_quantity(threshold.strip())
    return None if quantity is None else quantity / (1 << 20)


@CHECKS.host("disk")
def check_disk(host: Host) -> Iterator[Finding]:
    """The disks have enough space, also by the kubelet's thresholds: DiskPressure taints the node and deletes images."""
    disks = {disk["path"]: disk for disk in host.facts["disks"]}
    for signal, threshold in (host.variables.get("kubernetes_eviction_hard") or EVICTION_HARD).items():
        filesystem, _dot, resource = signal.partition(".")
        disk = disks.get(EVICTION_PATHS.get(filesystem, ""))
        if not disk:
            continue
        if resource == "available":
            least = parse_threshold(str(threshold), disk["total_mb"])
            free, unit = disk["available_mb"], "MiB"
        else:
            # Facts have the share of free inodes but not their number, so only percentages can be compared.
            least = parse_threshold(str(threshold), 100.0) if str(threshold).endswith("%") else None
            free, unit = disk["inodes_free_percent"], "% of inodes"
        if least is not None and free <= least:
            yield (
                f"The node would report DiskPressure: the kubelet evicts pods and deletes images below {signal} {threshold}.",
                f"{disk['path']} has {free} {unit} free ({disk['available_percent']:.1f} % of {disk['total_mb']} MiB),"
                f" the threshold is {least:.0f}",
                "Free or add disk space, or set absolute values that fit this disk in kubernetes_eviction_hard.",
                "warning" if host.settled else "error",
            )
    for path in () if host.settled else EVICTION_PATHS.values():
        disk = disks.get(path)
        if disk and disk["available_mb"] < MINIMUM_FREE_MB:
            yield (
                "The disk is full or almost full.",
                f"{path} has {disk['available_mb']} MiB free; packages and images of a node need up to {MINIMUM_FREE_MB} MiB",
                "Free or add disk space.",
            )


@CHECKS.host("ports", settled=False)
def check_ports(host: Host) -> Iterator[Finding]:
    """The ports of the node's components are free."""
    listening = node_of(host).listening
    for port, process in host.facts["ports"].items():
        expected = process.split("(")[0] in NODE_PROCESSES and (host.prepared or host.member)
        if int(port) in listening and not expected:
            yield (
                "A port that Kubernetes needs is in use.",
                f"{process} listens on TCP port {port}",
                "Stop this process, or configure it to use another port.",
            )


@CHECKS.host("swap", settled=False)
def check_swap(host: Host) -> Iterator[Finding]:
    """Swap is off, or kept on purpose."""
    active = host.facts["swap"]["active"]
    if active and (host.variables.get("swap_state") or "absent") == "absent":
        yield (
            "Swap is on. The role swap turns it off, now and at boot.",
            ", ".join(f"{area['device']} ({area['size_mb']} MiB)" for area in active),
            "Set swap_state: kept to keep it.",
            "info",
        )


@CHECKS.host("resolver", settled=False)
def check_resolver(host: Host) -> Iterator[Finding]:
    """Pods can resolve names. With a loopback name server CoreDNS forwards queries to itself and stops."""
    network, resolver = host.facts["network"], host.facts["network"]["resolver"]
    if not resolver["usable_path"] and not host.variables.get("kubernetes_nameservers"):
        servers = ", ".join(resolver["nameservers"]) or "no name server"
        yield (
            "The host's resolver configuration does not work in pods; pods will resolve external names with the gateway.",
            f"{resolver['path']} has {servers}; {'the gateway is ' + network['gateway'] if network['gateway'] else 'there is no gateway'}",
            "Set a name server in kubernetes_nameservers, or run systemd-resolved on the host.",
            "warning",
        )


@CHECKS.host("selinux", settled=False)
def check_selinux(host: Host) -> Iterator[Finding]:
    """SELinux is not disabled on a host that has it."""
    if host.facts["selinux"] == "disabled":
        remedy = "Enable SELinux; the cluster does not need it to be disabled."
        yield "SELinux is disabled.", "no policy is loaded", remedy, "info"
