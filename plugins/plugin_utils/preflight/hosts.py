# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requirements that each host must meet to become a node.

A host that is already a member of the desired cluster is only checked for problems that can still occur later.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ...module_utils._host.firewall import missing
from ...module_utils._kube.quantities import parse_quantity
from ...module_utils._kube.versions import parse_version
from .fleet import node_interface
from .kernel import needed_features
from .problem import Checks, Finding, Host
from .syntax import parse_networks

CHECKS = Checks()

# Oldest supported release, by the ID in os-release. Distributions derived from RHEL that are not listed count as RHEL.
OLDEST_RELEASE = {
    "debian": (12,),
    "ubuntu": (22, 4),
    "rhel": (9,),
    "rocky": (9,),
    "almalinux": (9,),
    "centos": (9,),
    "ol": (9,),
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
# "Ports and Protocols" of the Kubernetes documentation.
PORTS_CONTROL_PLANE = (2379, 2380, 10250, 10257, 10259)
PORTS_WORKER = (10250, 10256)
# The kernel truncates names of processes to 15 characters.
NODE_PROCESSES = ("kube-apiserver", "etcd", "kubelet", "kube-controller", "kube-scheduler", "kube-proxy")
OTHER_RUNTIMES = ("docker-ce", "docker.io", "moby-engine", "podman-docker", "cri-o", "k3s", "rke2-server")
OTHER_UNITS = tuple(f"{name}.service" for name in ("docker", "crio", "k3s", "k3s-agent", "rke2-server", "rke2-agent"))


def node_ports(host: Host) -> tuple[int, ...]:
    """Return the TCP ports on which the components of the node listen."""
    return (host.api_port, *PORTS_CONTROL_PLANE) if host.control_plane else PORTS_WORKER


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
    oldest = OLDEST_RELEASE.get(system["id"]) or (OLDEST_RELEASE["rhel"] if system["family"] == "rhel" else None)
    release = tuple(int(number) for number in re.findall(r"\d+", system["version_id"]))
    if not oldest or system["id"] == "fedora" or release < oldest:
        yield (
            "The operating system is not supported.",
            f"{system['name'] or 'no os-release'} (ID={system['id']}, VERSION_ID={system['version_id']})",
            "Use Debian 12, Ubuntu 22.04, RHEL 9 (or a distribution that is built from RHEL 9), or a later release.",
        )
    if host.facts["init"] != "systemd":
        evidence = f"the first process is '{host.facts['init']}'"
        yield "The host does not run systemd.", evidence, "Use a host that boots with systemd."


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
    for port, process in host.facts["ports"].items():
        expected = process.split("(")[0] in NODE_PROCESSES and (host.prepared or host.member)
        if int(port) in node_ports(host) and not expected:
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


def firewall_rules(host: Host) -> tuple[list[str], list[str]]:
    """Return (ports, names of one IP protocol) that the other nodes and users must reach on the host."""
    ports = [f"{port}/tcp" for port in node_ports(host)] + ["30000-32767/tcp", "30000-32767/udp"]
    features = needed_features(host)
    if "vxlan" in features:
        ports.append("8472/udp" if host.variables.get("kube_network_plugin") == "flannel" else "4789/udp")
    if "wireguard" in features:
        ports.append("51820-51821/udp")
    return ports, ["4", "ipencap"] if "ipip" in features else []


def closed_in_zone(host: Host) -> str:
    """Return what firewalld does not allow on the interface with the node's address, a text; "" if nothing is missing."""
    interface, zones = node_interface(host).get("interface", ""), host.facts["firewall"]["zones"]
    zone = next((zone for zone in zones if interface in zone["interfaces"]), None)
    if zone is None:
        return "firewalld is active"
    ports, protocol = firewall_rules(host)
    lacking = []
    if zone["target"] != "ACCEPT":
        open_ports = " ".join(zone["ports"])
        lacking = [port for port, _where in missing(ports, open_ports, open_ports)]
        lacking += [f"IP protocol {protocol[0]}"] if protocol and not {*protocol} & {*zone["protocols"]} else []
    trusted = {source for zone in zones if zone["target"] == "ACCEPT" for source in zone["sources"]}
    networks = parse_networks(host.variables.get("kube_pod_subnet"))[0]
    lacking += [f"{network} in the zone trusted" for network in networks if str(network) not in trusted]
    return f"zone {zone['zone']} of {interface} lacks {', '.join(lacking)}" if lacking else ""


@CHECKS.host("firewall", settled=False)
def check_firewall(host: Host) -> Iterator[Finding]:
    """An active firewall allows the cluster's traffic."""
    for name in ("firewalld", "ufw"):
        # The role kubernetes opens the ports in firewalld unless kubernetes_firewalld is false.
        if not host.facts["firewall"][name] or (name == "firewalld" and host.variables.get("kubernetes_firewalld")):
            continue
        evidence = closed_in_zone(host) if name == "firewalld" else "ufw is active"
        if evidence:
            yield (
                "A firewall is active. It must allow the traffic between nodes, pods and Services.",
                evidence,
                f"Open TCP ports {', '.join(map(str, node_ports(host)))} and the NodePorts 30000-32767, and allow the pod network.",
                "warning",
            )


@CHECKS.host("runtimes", settled=False)
def check_runtimes(host: Host) -> Iterator[Finding]:
    """The host has no other container runtime or Kubernetes distribution."""
    found = [name for name in OTHER_UNITS if host.facts["units"].get(name, {}).get("active")]
    found += [name for name in OTHER_RUNTIMES if name in host.facts["packages"]]
    if any(name.startswith(("k3s", "rke2")) for name in found):
        yield (
            "The host runs another Kubernetes distribution.",
            ", ".join(found),
            "Remove it with its uninstaller, or use another host.",
        )
    elif found:
        yield (
            "Another container runtime is installed. It shares containerd and the packet filter with the cluster.",
            ", ".join(found),
            "Remove it unless you need it on this host.",
            "warning",
        )


@CHECKS.host("installed")
def check_installed(host: Host) -> Iterator[Finding]:
    """On a host outside any cluster, installed packages of another version are replaced."""
    desired = parse_version(host.variables.get("kube_version"))
    for name in ("kubeadm", "kubelet"):
        installed = host.facts["packages"].get(name)
        if (
            installed
            and not (host.member or host.prepared)
            and parse_version(re.split("[-+]", installed)[0]) != desired
        ):
            yield (
                "Another version of Kubernetes is installed and will be replaced.",
                f"{name} {installed}",
                "Use another host if the installed version is still needed.",
                "info",
            )
