# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kernel of a host: built-in and loadable modules, features that a cluster needs, and kernel parameters.

A kernel may have no loadable modules, and a container may not see them. Whether it has a feature therefore follows from the first
available evidence: it is in use; its module is loaded; the kernel configuration; the list of built-in modules; a module file.
"""

from __future__ import annotations

import gzip
import os
import re
import zlib
from typing import Any

from .files import Files, run
from .system import missing_capabilities

FEATURES = {
    "overlay": ("CONFIG_OVERLAY_FS", ""),
    "br_netfilter": ("CONFIG_BRIDGE_NETFILTER", "/proc/sys/net/bridge/bridge-nf-call-iptables"),
    "nf_tables": ("CONFIG_NF_TABLES", ""),
    "nft_queue": ("CONFIG_NFT_QUEUE", ""),
    "nfnetlink_queue": ("CONFIG_NETFILTER_NETLINK_QUEUE", "/proc/net/netfilter/nfnetlink_queue"),
    "nf_conntrack": ("CONFIG_NF_CONNTRACK", "/proc/sys/net/netfilter/nf_conntrack_max"),
    "ip_tables": ("CONFIG_IP_NF_IPTABLES", "/proc/net/ip_tables_names"),
    "bpf": ("CONFIG_BPF_SYSCALL", "/sys/fs/bpf"),
    "cls_bpf": ("CONFIG_NET_CLS_BPF", ""),
    "sch_ingress": ("CONFIG_NET_SCH_INGRESS", ""),
    "vxlan": ("CONFIG_VXLAN", ""),
    "dummy": ("CONFIG_DUMMY", ""),
    "geneve": ("CONFIG_GENEVE", ""),
    "ipip": ("CONFIG_NET_IPIP", "/proc/sys/net/ipv4/conf/tunl0"),
    "wireguard": ("CONFIG_WIREGUARD", ""),
    "ip_vs": ("CONFIG_IP_VS", "/proc/net/ip_vs"),
    "ip_vs_rr": ("CONFIG_IP_VS_RR", ""),
    "ip_vs_wrr": ("CONFIG_IP_VS_WRR", ""),
    "ip_vs_sh": ("CONFIG_IP_VS_SH", ""),
}
"""By name of the module: the option in the kernel configuration, and a path that exists while the feature is in use."""

SYSCTLS = (
    "kernel.panic",
    "kernel.panic_on_oops",
    "net.bridge.bridge-nf-call-ip6tables",
    "net.bridge.bridge-nf-call-iptables",
    "net.ipv4.conf.all.route_localnet",
    "net.ipv4.ip_forward",
    "net.ipv6.conf.all.forwarding",
    "net.ipv6.conf.default.forwarding",
    "net.netfilter.nf_conntrack_max",
    "net.netfilter.nf_conntrack_tcp_timeout_close_wait",
    "net.netfilter.nf_conntrack_tcp_timeout_established",
    "vm.overcommit_memory",
    "vm.panic_on_oom",
    "vm.swappiness",
)
"""Kernel parameters that the kubelet, kube-proxy and the role kernel set; they are often read-only in a container."""


def module_name(path: str) -> str:
    """Return the name of a module from its file: ``ip_tables`` for ``kernel/net/ipv4/ip-tables.ko.xz``."""
    return re.sub(r"\.ko(\.\w+)?$", "", path.rsplit("/", 1)[-1]).replace("-", "_")


def parse_module_paths(text: str) -> set[str]:
    """Return the names in modules.builtin (one path in a line) or modules.dep (``path: dependencies``)."""
    return {module_name(line.split(":", 1)[0].strip()) for line in text.splitlines() if ".ko" in line}


def parse_loaded(text: str) -> set[str]:
    """Return the names of the loaded modules, from /proc/modules."""
    return {line.split()[0] for line in text.splitlines() if line.strip()}


def parse_config(text: str) -> dict[str, str]:
    """Return the options of a kernel configuration: ``y``, ``m``, or ``n`` for "is not set"."""
    options = {}
    for match in re.finditer(r"^(?:(CONFIG_\w+)=([ym])|# (CONFIG_\w+) is not set)$", text, re.M):
        options[match.group(1) or match.group(3)] = match.group(2) or "n"
    return options


def parse_filesystems(text: str) -> set[str]:
    """Return the types of file systems in /proc/filesystems."""
    return {line.split()[-1] for line in text.splitlines() if line.strip()}


def decide_feature(
    option: str, works: bool, loaded: bool, config: dict[str, str], builtin: bool, loadable: bool | None
) -> bool | None:
    """Return whether the kernel has a feature; None without any evidence.

    :param option: option in the kernel configuration.
    :param works: whether the feature is in use.
    :param loaded: whether its module is loaded, or built in with parameters (/sys/module).
    :param config: kernel configuration, empty where it cannot be read.
    :param builtin: whether modules.builtin lists it.
    :param loadable: whether its module file can be loaded; None where the folder of modules cannot be seen.
    """
    if works or loaded or builtin or config.get(option) == "y" or loadable:
        return True
    # Options whose parent is off are not listed, so an option that is missing is off.
    if config and config.get(option, "n") == "n":
        return False
    return None if loadable is None and not config else False


def read_config(files: Files, release: str) -> dict[str, str]:
    """Return the configuration of the running kernel from /proc/config.gz or /boot; {} where neither can be read."""
    packed = files.read_bytes("/proc/config.gz")
    if packed:
        try:
            return parse_config(gzip.decompress(packed).decode("utf-8", "replace"))
        except (OSError, EOFError, zlib.error):
            return {}
    return parse_config(files.read("/boot/config-" + release))


def nft_works() -> bool:
    """Return whether nft can list tables; False where nft is not installed."""
    return run(["sh", "-c", "nft list tables >/dev/null && echo yes"], timeout=5) == "yes\n"


def read_only_sysctls(files: Files) -> list[str]:
    """Return the parameters of SYSCTLS that exist and that root cannot write (other network namespace, read-only mount)."""
    paths = {name: files.path("/proc/sys/" + name.replace(".", "/")) for name in SYSCTLS}
    return [name for name, path in paths.items() if os.path.exists(path) and not os.access(path, os.W_OK)]


def gather_kernel(files: Files) -> dict[str, Any]:
    """Return the key ``kernel`` of host_info."""
    release = os.uname().release
    directory = next((path for path in ("/lib/modules/", "/usr/lib/modules/") if files.exists(path + release)), "")
    dependencies = files.read(directory + release + "/modules.dep") if directory else ""
    available = parse_module_paths(dependencies)
    listed = parse_module_paths(files.read(directory + release + "/modules.builtin")) if directory else set()
    loaded = parse_loaded(files.read("/proc/modules"))
    config = read_config(files, release)
    modules_loadable = (
        bool(available)
        and "sys_module" not in missing_capabilities(files)
        and files.read("/proc/sys/kernel/modules_disabled").strip() != "1"
    )
    filesystems = parse_filesystems(files.read("/proc/filesystems"))
    features = {}
    builtin = set()
    for name, (option, path) in FEATURES.items():
        works = bool(path) and files.exists(path) or name in filesystems
        in_sys = name in loaded or files.exists("/sys/module/" + name)
        loadable = (name in available and modules_loadable) if available else None
        features[name] = decide_feature(option, works, in_sys, config, name in listed, loadable)
        if name == "nf_tables" and features[name] is None:
            features[name] = nft_works() or None
        if features[name] and name not in loaded and (name in listed or config.get(option) == "y" or works or in_sys):
            builtin.add(name)
    return {
        "release": release,
        "modules_builtin": sorted(builtin),
        "modules_loaded": sorted(loaded),
        "modules_loadable": modules_loadable,
        "read_only_sysctls": read_only_sysctls(files),
        "features": features,
    }
