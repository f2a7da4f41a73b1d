# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What each host must be to become a node. Pure functions from one look at a host to problems.

A host that is a member of the wanted cluster has proved most of it: for it, only what can go wrong later is judged.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from ...module_utils._kube.quantities import parse_quantity
from ...module_utils._kube.versions import parse_version
from . import kernel
from .problem import Cluster, Host, Problem

# Lowest supported release, by os-release's ID; relatives of RHEL count by their own version.
LOWEST_RELEASE = {
    "debian": (12,),
    "ubuntu": (22, 4),
    "rhel": (9,),
    "rocky": (9,),
    "almalinux": (9,),
    "centos": (9,),
    "ol": (9,),
}
ARCHITECTURES = ("amd64", "arm64")
# kubeadm's own limits: NumCPU and Mem of its preflight checks.
LEAST_CPUS = 2
LEAST_MEMORY_MB = 1700
# Room for packages and images of one node.
LEAST_FREE_MB = 3072
# "Node-pressure Eviction", hard eviction thresholds: the kubelet's defaults. The values that are set replace all of them.
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
# First 15 characters, as the kernel keeps a process's name.
OWN_PROCESSES = ("kube-apiserver", "etcd", "kubelet", "kube-controller", "kube-scheduler", "kube-proxy")
OTHER_RUNTIMES = ("docker-ce", "docker.io", "moby-engine", "podman-docker", "cri-o", "k3s", "rke2-server")
OTHER_UNITS = (
    "docker.service",
    "crio.service",
    "k3s.service",
    "k3s-agent.service",
    "rke2-server.service",
    "rke2-agent.service",
)


def check_reachable(host: Host) -> Iterator[Problem]:
    """The look at the host worked."""
    if host.failure:
        yield Problem(
            "reachable",
            host.name,
            "The host could not be looked at.",
            host.failure,
            "Make `ansible HOST -m ansible.builtin.ping --become` work; check address, SSH key, sudo password and Python.",
        )


def check_privileges(host: Host) -> Iterator[Problem]:
    """The look was root's, so what follows can be done."""
    if host.look.get("privileged") is False:
        yield Problem(
            "privileges",
            host.name,
            "Ansible is not root on the host.",
            "no become",
            "Set become: true on the play or host.",
        )


def check_os(host: Host) -> Iterator[Problem]:
    """The operating system is one that the roles are written for."""
    system = host.look["os"]
    lowest = LOWEST_RELEASE.get(system["id"]) or (LOWEST_RELEASE["rhel"] if system["family"] == "rhel" else None)
    release = tuple(int(number) for number in re.findall(r"\d+", system["version_id"]))
    if not lowest or system["id"] == "fedora" or release < lowest:
        yield Problem(
            "os",
            host.name,
            "The operating system is not supported.",
            f"{system['name'] or 'no os-release'} (ID={system['id']}, VERSION_ID={system['version_id']})",
            "Use Debian 12, Ubuntu 22.04, RHEL 9 or one of its rebuilds, or a later release of them.",
        )
    if host.look["init"] != "systemd":
        evidence = f"the first process is '{host.look['init']}'"
        yield Problem(
            "os", host.name, "The host does not run systemd.", evidence, "Use a host that boots with systemd."
        )


def check_architecture(host: Host) -> Iterator[Problem]:
    """There are packages and images for the processor."""
    if host.look["architecture"] not in ARCHITECTURES:
        yield Problem(
            "architecture",
            host.name,
            "The processor's architecture is not supported.",
            host.look["architecture"],
            f"Use hosts of {' or '.join(ARCHITECTURES)}.",
        )


def check_cpus(host: Host) -> Iterator[Problem]:
    """A control plane has the processors that kubeadm asks for."""
    if host.control_plane and not host.settled and host.look["cpus"] < LEAST_CPUS:
        yield Problem(
            "cpus",
            host.name,
            "A control plane has too few CPUs.",
            "%d; kubeadm wants %d" % (host.look["cpus"], LEAST_CPUS),
            "Give the host more CPUs.",
        )


def check_memory(host: Host) -> Iterator[Problem]:
    """The host has the memory that kubeadm asks for."""
    if not host.settled and host.look["memory_mb"] < LEAST_MEMORY_MB:
        yield Problem(
            "memory",
            host.name,
            "The host has too little memory.",
            "%d MiB; kubeadm wants %d" % (host.look["memory_mb"], LEAST_MEMORY_MB),
            "Give the host more memory.",
            "error" if host.control_plane else "warning",
        )


def parse_threshold(threshold: str, total_mb: float) -> float | None:
    """MiB of a share ("10%") or quantity ("1Gi") of a size; None where it is neither."""
    share = re.match(r"^(\d+(?:\.\d+)?)%$", threshold.strip())
    if share:
        return total_mb * float(share.group(1)) / 100
    quantity = parse_quantity(threshold.strip())
    return None if quantity is None else quantity / (1 << 20)


def check_disk(host: Host) -> Iterator[Problem]:
    """There is room, and the kubelet will not see DiskPressure from the start: a taint, Pending pods, images deleted."""
    wanted = host.want.get("kubernetes_eviction_hard") or EVICTION_HARD
    disks = {disk["path"]: disk for disk in host.look["disks"]}
    severity = "warning" if host.settled else "error"
    for signal, threshold in wanted.items():
        kind, _dot, resource = signal.partition(".")
        disk = disks.get(EVICTION_PATHS.get(kind, ""))
        if not disk:
            continue
        if resource == "available":
            least = parse_threshold(str(threshold), disk["total_mb"])
            free, unit = disk["available_mb"], "MiB"
        else:
            # A number of inodes cannot be held against a share: only shares are judged.
            least = parse_threshold(str(threshold), 100.0) if str(threshold).endswith("%") else None
            free, unit = disk["inodes_free_percent"], "% of inodes"
        if least is None or free > least:
            continue
        yield Problem(
            "disk",
            host.name,
            f"The kubelet would see DiskPressure: it evicts pods and deletes images below {signal} {threshold}.",
            "%s has %s %s free (%.1f %% of %d MiB), the threshold is %.0f"
            % (disk["path"], free, unit, disk["available_percent"], disk["total_mb"], least),
            "Free or add disk space, or set absolute values that fit this disk in kubernetes_eviction_hard.",
            severity,
        )
    for path in () if host.settled else EVICTION_PATHS.values():
        disk = disks.get(path)
        if disk and disk["available_mb"] < LEAST_FREE_MB:
            yield Problem(
                "disk",
                host.name,
                "The disk is full or nearly so.",
                "%s has %d MiB free; packages and images of a node take up to %d"
                % (path, disk["available_mb"], LEAST_FREE_MB),
                "Free or add disk space.",
            )


def check_ports(host: Host) -> Iterator[Problem]:
    """Nobody else listens where the node's parts will."""
    if host.settled:
        return
    wanted = (host.want.get("kube_api_port") or 6443, *PORTS_CONTROL_PLANE) if host.control_plane else PORTS_WORKER
    for port, process in host.look["ports"].items():
        own = process.split("(")[0] in OWN_PROCESSES and (host.ours or host.member)
        if int(port) in wanted and not own:
            yield Problem(
                "ports",
                host.name,
                "A port that Kubernetes needs is taken.",
                f"{process} listens on TCP port {port}",
                "Stop what listens there, or move it to another port.",
            )


def check_swap(host: Host) -> Iterator[Problem]:
    """Swap is what it should be: off, or kept on purpose."""
    active = host.look["swap"]["active"]
    if active and not host.settled and (host.want.get("swap_state") or "absent") == "absent":
        evidence = ", ".join("%s (%d MiB)" % (area["device"], area["size_mb"]) for area in active)
        yield Problem(
            "swap",
            host.name,
            "Swap is on; the role swap turns it off, now and at boot.",
            evidence,
            "Set swap_state: kept to keep it.",
            "info",
        )


def check_resolver(host: Host) -> Iterator[Problem]:
    """Pods can resolve: a loopback name server makes CoreDNS ask itself and stop."""
    network, resolver = host.look["network"], host.look["network"]["resolver"]
    if host.settled or resolver["usable_path"] or host.want.get("kubernetes_nameservers"):
        return
    yield Problem(
        "resolver",
        host.name,
        "No resolver configuration of the host works in a pod; pods will ask the gateway for names outside the cluster.",
        "{} names {}; the gateway is {}".format(
            resolver["path"], ", ".join(resolver["nameservers"]) or "no server", network["gateway"] or "not there"
        ),
        "Name a server in kubernetes_nameservers, or run systemd-resolved on the host.",
        "warning",
    )


def check_selinux(host: Host) -> Iterator[Problem]:
    """SELinux stays enforcing where there is one."""
    if host.look["selinux"] == "disabled" and not host.settled:
        yield Problem(
            "selinux",
            host.name,
            "SELinux is turned off.",
            "no policy is loaded",
            "Nothing needs it to be off; turn it on.",
            "info",
        )


def check_firewall(host: Host) -> Iterator[Problem]:
    """A firewall that filters lets the cluster's traffic through."""
    firewall = host.look["firewall"]
    ports = ", ".join(str(port) for port in (PORTS_CONTROL_PLANE if host.control_plane else PORTS_WORKER))
    if host.control_plane:
        ports = f"{host.want.get('kube_api_port') or 6443}, {ports}"
    for name, active in firewall.items():
        # The role kubernetes opens them in firewalld, unless it is told not to.
        if active and not host.settled and not (name == "firewalld" and host.want.get("kubernetes_firewalld")):
            yield Problem(
                "firewall",
                host.name,
                "A firewall is active: it must let nodes, pods and Services talk.",
                f"{name} filters",
                f"Open TCP {ports} and the NodePorts 30000-32767, and let the pod network through.",
                "warning",
            )


def check_runtimes(host: Host) -> Iterator[Problem]:
    """No other container runtime or Kubernetes distribution is in the way."""
    if host.settled:
        return
    units: dict[str, Any] = host.look["units"]
    found = [name for name in OTHER_UNITS if units.get(name, {}).get("active")]
    packages = [name for name in OTHER_RUNTIMES if name in host.look["packages"]]
    if any(name.startswith(("k3s", "rke2")) for name in found + packages):
        yield Problem(
            "runtimes",
            host.name,
            "The host runs another Kubernetes distribution.",
            ", ".join(found + packages),
            "Remove it with its own uninstaller, or use another host.",
        )
    elif found or packages:
        yield Problem(
            "runtimes",
            host.name,
            "Another container runtime is installed; it will share containerd and the packet filter with the cluster.",
            ", ".join(found + packages),
            "Remove it unless you need it there.",
            "warning",
        )


def check_installed(host: Host) -> Iterator[Problem]:
    """Packages of another version on a host that is in no cluster are replaced, and that is said."""
    wanted = parse_version(host.want.get("kube_version"))
    for name in ("kubeadm", "kubelet"):
        installed = host.look["packages"].get(name)
        if installed and not host.member and not host.ours and parse_version(re.split("[-+]", installed)[0]) != wanted:
            yield Problem(
                "installed",
                host.name,
                "Another version of Kubernetes is installed and will be replaced.",
                f"{name} {installed}",
                "Remove it first if that is not what you want.",
                "info",
            )


CHECKS: dict[str, Callable[[Host], Iterator[Problem]]] = {
    "privileges": check_privileges,
    "os": check_os,
    "architecture": check_architecture,
    "cpus": check_cpus,
    "memory": check_memory,
    "disk": check_disk,
    "ports": check_ports,
    "swap": check_swap,
    "cgroup": kernel.check_cgroup,
    "kernel": kernel.check_kernel,
    "resolver": check_resolver,
    "selinux": check_selinux,
    "firewall": check_firewall,
    "capabilities": kernel.check_capabilities,
    "runtimes": check_runtimes,
    "installed": check_installed,
}


def check_host(cluster: Cluster) -> Iterator[Problem]:
    """All checks of this file on all hosts that were looked at."""
    for host in cluster.hosts.values():
        yield from check_reachable(host)
        for check in CHECKS.values() if host.look else ():
            yield from check(host)
