# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The footprint of a cluster: what it changes on a host besides what the roles write themselves. These are the folders that the kubelet,
etcd, the runtime and the pod network fill, the sysctls that the kubelet, kube-proxy and the pod network set, and packages that are
installed as dependencies.

The state of a host in these respects is recorded once, when the host is marked for a cluster; a reset restores it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Iterable

from .facts.files import run
from .netlink import list_ipsets
from .sysctls import normalize, proc_path
from .tables import table_names

FOLDERS = (
    "/etc/kubernetes",
    "/etc/cni",
    "/etc/cni/net.d",
    "/etc/containerd",
    "/etc/sysctl.d/99-zzz-override_cilium.conf",
    "/opt/cni",
    "/opt/cni/bin",
    "/opt/containerd",
    "/root/.kube/cache",
    "/run/calico",
    "/run/cilium",
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
    "/var/log/kubernetes",
    "/var/log/pods",
    "/var/log/slipway-kubeadm.log",
)
"""Paths that Kubernetes, etcd, containerd, Flannel, Calico and Cilium create, as named in their manifests and in kubeadm's defaults (kubeadm
reset reference: "The reset process does not clean …"), and the log of kubeadm."""

PARENTS = ("/root/.kube", "/lib/modules", "/opt/local-path-provisioner")
"""Folders that other software may use too: they are removed only if they did not exist before and are empty.

kube-proxy mounts the second one from the host, and the kubelet creates it where it does not exist. The last one holds the volumes of local-path
storage, whose data is not the cluster's to delete.
"""

MOUNTS = ("/sys/fs/bpf",)
"""File systems that an init container of Calico or Cilium mounts where they are not mounted yet."""

MODULES = ("ip_vs",)
"""Kernel modules that components of a cluster load by themselves, with sysctls of their own: kube-proxy, in whatever mode, looks for IPVS services."""

SHARED = ("/etc/containerd", "/opt/containerd", "/run/containerd", "/var/lib/containerd")
"""Folders of the container runtime, which other software may use too: one that existed before keeps all its content."""

SYSCTLS = (
    # the kubelet (pkg/kubelet/cm, setupKernelTunables)
    "vm.overcommit_memory",
    "vm.panic_on_oom",
    "kernel.panic",
    "kernel.panic_on_oops",
    "kernel.keys.root_maxkeys",
    "kernel.keys.root_maxbytes",
    # kube-proxy (KubeProxyConntrackConfiguration, and the proxy modes)
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
"""Sysctls that components of a cluster set on the host by themselves."""


def read_sysctl(name: str) -> str | None:
    """Return the value of a sysctl with single blanks, or None where the kernel has no such sysctl."""
    try:
        return normalize(Path(proc_path(name)).read_text())
    except (OSError, UnicodeDecodeError):
        return None


def list_folder(path: str) -> list[str] | None:
    """Return the sorted names in a folder, or None where it does not exist."""
    try:
        return sorted(entry.name for entry in Path(path).iterdir())
    except OSError:
        return None


def installed_packages() -> list[str]:
    """Return the sorted names of all installed packages (from dpkg, or from rpm where there is no dpkg)."""
    text = run(["dpkg-query", "-W", "-f", "${db:Status-Abbrev} ${binary:Package}\n"])
    text = text or run(["rpm", "-qa", "--qf", "ii %{NAME}\n"])
    pairs = (line.split() for line in text.splitlines())
    return sorted({pair[1].partition(":")[0] for pair in pairs if len(pair) == 2 and pair[0][1:2] == "i"})


def trusted_keys() -> list[str]:
    """Return the sorted keys whose signatures rpm accepts, by the names of their packages."""
    return sorted(re.findall(r"^gpg-pubkey-\S+$", run(["rpm", "-q", "gpg-pubkey"]), re.M))


def take_footprint(folders: Iterable[str] = FOLDERS + PARENTS, sysctls: Iterable[str] = SYSCTLS) -> dict[str, Any]:
    """Return the state that the record keeps of a host that is about to be marked; it can be written as JSON.

    :returns: ``folders`` {path: names in it, or None where it does not exist}, ``sysctls`` {name: value}, ``packages`` (names of all
        installed ones), ``links`` (names of the network interfaces), ``tables`` (nftables tables as "FAMILY NAME"), ``ipsets``
        (names), ``rpm_keys`` (see :func:`trusted_keys`), ``mounts`` (those of MOUNTS that are mounted) and ``modules`` (those of MODULES that are
        loaded).
    """
    values = {name: read_sysctl(name) for name in sysctls}
    return {
        "folders": {path: list_folder(path) for path in folders},
        "sysctls": {name: value for name, value in values.items() if value is not None},
        "packages": installed_packages(),
        "rpm_keys": trusted_keys(),
        "links": list_folder("/sys/class/net") or [],
        "tables": table_names(),
        "ipsets": list_ipsets(),
        "modules": [name for name in MODULES if os.path.isdir(f"/sys/module/{name}")],
        "mounts": [path for path in MOUNTS if os.path.ismount(path)],
    }
