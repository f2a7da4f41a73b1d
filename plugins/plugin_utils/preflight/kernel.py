# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requirements for the kernel of a host: control groups, features and capabilities."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .problem import Checks, Finding, Host

CHECKS = Checks()

CONTROLLERS = ("cpu", "cpuset", "memory", "pids")
# First kernel with which kube-proxy's nftables mode works ("Virtual IPs and Service Proxies").
NFTABLES_KERNEL = (5, 13)
# https://docs.cilium.io/en/stable/operations/system_requirements/
CILIUM_KERNEL = (5, 10)
CILIUM_FEATURES = ("bpf", "cls_bpf", "sch_ingress")
PROXY_FEATURES = {"nftables": ("nf_tables",), "ipvs": ("ip_vs", "ip_vs_rr"), "iptables": ()}
# Without these the kubelet cannot mount volumes and the pod network cannot be configured.
ESSENTIAL_CAPABILITIES = frozenset(
    ("chown", "dac_override", "mknod", "net_admin", "net_raw", "setgid", "setuid", "sys_admin", "sys_chroot")
)


@CHECKS.host("cgroup")
def check_cgroup(host: Host) -> Iterator[Finding]:
    """The host uses cgroup v2 and has the controllers that the kubelet needs."""
    version, controllers = host.facts["cgroup"]["version"], host.facts["cgroup"]["controllers"]
    missing = [name for name in CONTROLLERS if name not in controllers]
    if missing:
        yield (
            "Required cgroup controllers are missing.",
            f"missing: {', '.join(missing)}; cgroup v{version} has {', '.join(controllers) or 'none'}",
            "Enable them on the kernel command line, for example with cgroup_enable=memory.",
        )
    if version == 1 and host.variables.get("kube_network_plugin") == "cilium":
        yield (
            "The host uses cgroup v1, but Cilium attaches its programs to cgroup v2.",
            "/sys/fs/cgroup is not a cgroup v2 file system",
            "Boot the host with cgroup v2 (systemd.unified_cgroup_hierarchy=1), or choose another kube_network_plugin.",
        )
    elif version == 1 and not host.settled:
        yield (
            "The host uses cgroup v1, which is deprecated in Kubernetes.",
            "the kubelet refuses to start by default; the role kubernetes sets failCgroupV1: false on this host",
            "Boot the host with cgroup v2 (systemd.unified_cgroup_hierarchy=1).",
            "warning",
        )


def needed_features(host: Host) -> dict[str, str]:
    """Return the kernel features that the host needs, each with its purpose."""
    needed = {"overlay": "containerd's snapshots", "br_netfilter": "bridged pod traffic", "nf_conntrack": "kube-proxy"}
    proxy, plugin = host.variables.get("kube_proxy_mode"), host.variables.get("kube_network_plugin")
    for feature in PROXY_FEATURES.get(str(proxy), ()):
        needed[feature] = f"the {proxy} mode of kube-proxy"
    encapsulation = str(host.variables.get("kube_network_calico_encapsulation") or "")
    if plugin == "flannel" and str(host.variables.get("kube_network_flannel_backend") or "vxlan") == "vxlan":
        needed["vxlan"] = "the vxlan backend of Flannel"
    if plugin == "calico" and encapsulation.startswith(("VXLAN", "IPIP")):
        needed["ipip" if encapsulation.startswith("IPIP") else "vxlan"] = f"Calico's {encapsulation} encapsulation"
    if plugin == "cilium":
        tunnel = str(host.variables.get("kube_network_cilium_encapsulation") or "vxlan")
        needed.update(dict.fromkeys(CILIUM_FEATURES, "the programs of Cilium"))
        if tunnel != "none":
            needed[tunnel] = f"Cilium's {tunnel} encapsulation"
    if plugin == "calico" and host.variables.get("kube_network_calico_wireguard"):
        needed["wireguard"] = "Calico's WireGuard encryption"
    return needed


@CHECKS.host("kernel", settled=False)
def check_kernel(host: Host) -> Iterator[Finding]:
    """The kernel has the features that the pod network and the mode of kube-proxy need."""
    kernel = host.facts["kernel"]
    for feature, purpose in needed_features(host).items():
        available = kernel["features"].get(feature)
        if not available:
            absent = available is False
            yield (
                f"The kernel does not have {feature}, which is needed for {purpose}."
                if absent
                else f"It cannot be determined whether the kernel has {feature}, which is needed for {purpose}.",
                f"kernel {kernel['release']}, modules {'can' if kernel['modules_loadable'] else 'cannot'} be loaded",
                "Install the kernel's extra modules, or choose another kube_proxy_mode, kube_network_plugin or encapsulation.",
                "error" if absent else "warning",
            )
    numbers = tuple(int(number) for number in re.findall(r"\d+", kernel["release"])[:2])
    if host.variables.get("kube_proxy_mode") == "nftables" and numbers < NFTABLES_KERNEL:
        # RHEL 9 has 5.14. Older kernels lack features of nftables that kube-proxy uses.
        evidence = f"kernel {kernel['release']}; {'.'.join(map(str, NFTABLES_KERNEL))} or later is required"
        yield "The kernel is too old for the nftables mode of kube-proxy.", evidence, "Set kube_proxy_mode: iptables."
    if host.variables.get("kube_network_plugin") == "cilium" and numbers < CILIUM_KERNEL:
        evidence = f"kernel {kernel['release']}; {'.'.join(map(str, CILIUM_KERNEL))} or later is required"
        yield (
            "The kernel is too old for Cilium.",
            evidence,
            "Install a newer kernel, or choose another kube_network_plugin.",
        )


@CHECKS.host("capabilities", settled=False)
def check_capabilities(host: Host) -> Iterator[Finding]:
    """The host has all capabilities. Without the essential ones no node can run; without others the roles adapt."""
    missing = host.facts["capabilities"]["missing"]
    essential = [name for name in missing if name in ESSENTIAL_CAPABILITIES]
    kind = f"{host.facts['container']} container" if host.facts["container"] else "machine"
    if essential:
        remedy = "Grant these capabilities to the container."
        yield "The host lacks capabilities that a node needs.", f"{kind} without {', '.join(essential)}", remedy
    elif missing:
        yield (
            "The host lacks capabilities.",
            f"{kind} without {', '.join(missing)}",
            "The roles adapt to this. For production, use a host that has all capabilities.",
            "info",
        )
