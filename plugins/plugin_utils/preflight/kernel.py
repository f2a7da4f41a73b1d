# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host's kernel must let a node do: control groups, features, capabilities. Pure functions from one look to problems."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .problem import Host, Problem

CONTROLLERS = ("cpu", "cpuset", "memory", "pids")
# Kernel from which kube-proxy's nftables mode works ("Virtual IPs and Service Proxies").
NFTABLES_KERNEL = (5, 13)
PROXY_FEATURES = {"nftables": ("nf_tables",), "ipvs": ("ip_vs", "ip_vs_rr"), "iptables": ()}
# Without these neither the kubelet's mounts nor the pod network can be made.
ESSENTIAL_CAPABILITIES = (
    "chown",
    "dac_override",
    "mknod",
    "net_admin",
    "net_raw",
    "setgid",
    "setuid",
    "sys_admin",
    "sys_chroot",
)


def check_cgroup(host: Host) -> Iterator[Problem]:
    """Control groups are version 2 and have what the kubelet needs."""
    cgroup = host.look["cgroup"]
    missing = [name for name in CONTROLLERS if name not in cgroup["controllers"]]
    if missing:
        yield Problem(
            "cgroup",
            host.name,
            "Control group controllers are missing.",
            "%s (version %d has %s)"
            % (", ".join(missing), cgroup["version"], ", ".join(cgroup["controllers"]) or "none"),
            "Turn them on in the kernel's command line, for example cgroup_enable=memory.",
        )
    if cgroup["version"] == 1 and not host.settled:
        yield Problem(
            "cgroup",
            host.name,
            "The host has control groups of version 1, which Kubernetes is giving up.",
            "the kubelet refuses to start there by default; the role kubernetes sets failCgroupV1: false on this host",
            "Boot the host with version 2 (systemd.unified_cgroup_hierarchy=1).",
            "warning",
        )


def needed_features(host: Host) -> dict[str, str]:
    """Kernel features that the host needs, and what for."""
    needed = {"overlay": "containerd's snapshots", "br_netfilter": "bridged pod traffic", "nf_conntrack": "kube-proxy"}
    proxy, plugin = host.want.get("kube_proxy_mode"), host.want.get("kube_network_plugin")
    for feature in PROXY_FEATURES.get(str(proxy), ()):
        needed[feature] = f"kube-proxy's mode {proxy}"
    encapsulation = str(host.want.get("kube_network_calico_encapsulation") or "")
    if plugin == "flannel" and str(host.want.get("kube_network_flannel_backend") or "vxlan") == "vxlan":
        needed["vxlan"] = "flannel's backend vxlan"
    if plugin == "calico" and encapsulation.startswith(("VXLAN", "IPIP")):
        needed["ipip" if encapsulation.startswith("IPIP") else "vxlan"] = f"Calico's encapsulation {encapsulation}"
    if plugin == "calico" and host.want.get("kube_network_calico_wireguard"):
        needed["wireguard"] = "Calico's encryption"
    return needed


def check_kernel(host: Host) -> Iterator[Problem]:
    """The kernel has what the chosen pod network and proxy mode need."""
    if host.settled:
        return
    kernel = host.look["kernel"]
    for feature, purpose in needed_features(host).items():
        has = kernel["features"].get(feature)
        if has:
            continue
        yield Problem(
            "kernel",
            host.name,
            f"The kernel has no {feature}, needed for {purpose}."
            if has is False
            else f"Nothing tells whether the kernel has {feature}, needed for {purpose}.",
            f"kernel {kernel['release']}, modules {'can' if kernel['modules_loadable'] else 'cannot'} be loaded",
            "Install the kernel's extra modules, or choose another kube_proxy_mode, kube_network_plugin or encapsulation.",
            "error" if has is False else "warning",
        )
    numbers = tuple(int(number) for number in re.findall(r"\d+", kernel["release"])[:2])
    if host.want.get("kube_proxy_mode") == "nftables" and numbers < NFTABLES_KERNEL:
        # RHEL 9 is named 5.14; older numbers have not what kube-proxy asks of nftables.
        evidence = "kernel %s; %d.%d is the first" % ((kernel["release"], *NFTABLES_KERNEL))
        yield Problem(
            "kernel",
            host.name,
            "The kernel is too old for kube-proxy's mode nftables.",
            evidence,
            "Set kube_proxy_mode: iptables.",
        )


def check_capabilities(host: Host) -> Iterator[Problem]:
    """A host with reduced rights is told apart from a machine, once, aloud; without the essential ones nothing starts."""
    missing = host.look["capabilities"]["missing"]
    if not missing or host.settled:
        return
    lost = [name for name in missing if name in ESSENTIAL_CAPABILITIES]
    kind = f"{host.look['container']} container" if host.look["container"] else "machine"
    yield Problem(
        "capabilities",
        host.name,
        "The host's processes may not do what a node must." if lost else "The host's processes have reduced rights.",
        f"{kind} without {', '.join(lost or missing)}",
        "Give the container these capabilities."
        if lost
        else "The roles adapt; for more than a trial use a host with all.",
        "error" if lost else "info",
    )
