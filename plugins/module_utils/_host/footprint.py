# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cluster leaves on a host besides what the roles write themselves: the folders that the kubelet, etcd, the
runtime and the pod network fill, the sysctls that the kubelet, kube-proxy and the pod network set, and the packages
that come along as dependencies.

A host's state in these respects is remembered in its record once, when the host is marked; :mod:`reset` returns to it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Iterable

from .netlink import look_at_ipsets, look_at_tables
from .sysctls import normal, proc_path

FOLDERS = (
    "/etc/kubernetes",
    "/etc/cni",
    "/etc/cni/net.d",
    "/etc/containerd",
    "/opt/cni",
    "/opt/cni/bin",
    "/opt/containerd",
    "/root/.kube/cache",
    "/run/calico",
    "/run/containerd",
    "/run/flannel",
    "/run/nodeagent",
    "/usr/libexec/kubernetes",
    "/var/lib/calico",
    "/var/lib/cni",
    "/var/lib/containerd",
    "/var/lib/etcd",
    "/var/lib/kubelet",
    "/var/log/calico",
    "/var/log/containers",
    "/var/log/pods",
    "/var/log/slipway-kubeadm.log",
)
"""What Kubernetes, etcd, containerd, Flannel and Calico make by themselves, in the places that their own manifests and
kubeadm's defaults name (kubeadm reset reference: "The reset process does not clean …"), and kubeadm's log."""

PARENTS = ("/root/.kube", "/lib/modules")
"""Folders in which others may keep things of their own: they go only when they were not there and are empty.

The second is kube-proxy's: its pod mounts it from the host, and what is not there is made for it.
"""

MOUNTS = ("/sys/fs/bpf",)
"""File systems that Calico's init container mounts on a host that has not got them."""

SHARED = ("/etc/containerd", "/opt/containerd", "/run/containerd", "/var/lib/containerd")
"""Folders of a runtime that others use too: where they were there before, nothing in them is ours to remove."""

SYSCTLS = (
    # the kubelet (node allocatable and OOM behaviour: pkg/kubelet/cm, setupKernelTunables)
    "vm.overcommit_memory",
    "vm.panic_on_oom",
    "kernel.panic",
    "kernel.panic_on_oops",
    "kernel.keys.root_maxkeys",
    "kernel.keys.root_maxbytes",
    # kube-proxy (KubeProxyConntrackConfiguration, and its modes)
    "net.netfilter.nf_conntrack_max",
    "net.netfilter.nf_conntrack_tcp_be_liberal",
    "net.netfilter.nf_conntrack_tcp_timeout_established",
    "net.netfilter.nf_conntrack_tcp_timeout_close_wait",
    "net.ipv4.conf.all.route_localnet",
    "net.ipv4.conf.all.arp_ignore",
    "net.ipv4.conf.all.arp_announce",
    "net.ipv4.conf.all.rp_filter",
    "net.ipv4.conf.default.rp_filter",
    # CNI plugins and the pod network's agents
    "net.ipv4.ip_forward",
    "net.ipv6.conf.all.forwarding",
    "net.ipv4.neigh.default.gc_thresh1",
    "net.ipv4.neigh.default.gc_thresh2",
    "net.ipv4.neigh.default.gc_thresh3",
)
"""Sysctls that parts of a cluster set on the host without being asked."""


def read_sysctl(name: str) -> str | None:
    """Return the value of sysctl *name* with its blanks made single, or None where the kernel has none to read."""
    try:
        return normal(Path(proc_path(name)).read_text())
    except (OSError, UnicodeDecodeError):
        return None


def list_folder(path: str) -> list[str] | None:
    """Return the sorted names in folder *path*, or None where there is no such folder."""
    try:
        return sorted(entry.name for entry in Path(path).iterdir())
    except OSError:
        return None


def installed_packages() -> list[str]:
    """Return the sorted names of all installed packages (dpkg's, or rpm's where there is no dpkg)."""
    if shutil.which("dpkg-query"):
        command = ["dpkg-query", "-W", "-f", "${db:Status-Abbrev} ${binary:Package}\n"]
    elif shutil.which("rpm"):
        command = ["rpm", "-qa", "--qf", "ii %{NAME}\n"]
    else:
        return []
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    pairs = (line.split() for line in done.stdout.splitlines())
    return sorted({pair[1].partition(":")[0] for pair in pairs if len(pair) == 2 and pair[0][1:2] == "i"})


def look_at_footprint(folders: Iterable[str] = FOLDERS + PARENTS, sysctls: Iterable[str] = SYSCTLS) -> dict[str, Any]:
    """Return what a record keeps of a host that is about to be marked.

    ``folders``: path to the names in it, or None where it is absent; ``sysctls``: name to value, absent ones left out;
    ``packages``: names of everything installed; ``links``: names of the network interfaces; ``tables``: nftables tables as
    "family name"; ``ipsets``: names; ``mounts``: those of MOUNTS that there are. All of it is JSON.
    """
    values = {name: read_sysctl(name) for name in sysctls}
    return {
        "folders": {path: list_folder(path) for path in folders},
        "sysctls": {name: value for name, value in values.items() if value is not None},
        "packages": installed_packages(),
        "links": list_folder("/sys/class/net") or [],
        "tables": sorted(f"{table.family} {table.name}" for table in look_at_tables()),
        "ipsets": look_at_ipsets(),
        "mounts": [path for path in MOUNTS if os.path.ismount(path)],
    }
