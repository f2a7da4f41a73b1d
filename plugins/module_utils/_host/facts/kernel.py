# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host's kernel can do: built-in and loadable modules, features that a cluster needs, kernel parameters.

A kernel may have no loadable modules at all, or a container may not see them: so a feature is told from whichever evidence there
is, in this order: it works already; it is loaded; the kernel's own configuration; the list of built-in modules; a module file.
"""

from __future__ import annotations

import gzip
import os
import re
import subprocess
import zlib
from typing import Any

from .system import Files, parse_capabilities

# Feature = name of its module: the kernel configuration's option, and a path that shows that it works already.
FEATURES = {
    "overlay": ("CONFIG_OVERLAY_FS", ""),
    "br_netfilter": ("CONFIG_BRIDGE_NETFILTER", "/proc/sys/net/bridge/bridge-nf-call-iptables"),
    "nf_tables": ("CONFIG_NF_TABLES", ""),
    "nf_conntrack": ("CONFIG_NF_CONNTRACK", "/proc/sys/net/netfilter/nf_conntrack_max"),
    "ip_tables": ("CONFIG_IP_NF_IPTABLES", "/proc/net/ip_tables_names"),
    "vxlan": ("CONFIG_VXLAN", ""),
    "ipip": ("CONFIG_NET_IPIP", "/proc/sys/net/ipv4/conf/tunl0"),
    "wireguard": ("CONFIG_WIREGUARD", ""),
    "ip_vs": ("CONFIG_IP_VS", "/proc/net/ip_vs"),
    "ip_vs_rr": ("CONFIG_IP_VS_RR", ""),
    "ip_vs_wrr": ("CONFIG_IP_VS_WRR", ""),
    "ip_vs_sh": ("CONFIG_IP_VS_SH", ""),
}

# What kubelet, kube-proxy and the role kernel set; a container often may not.
SYSCTLS = (
    "kernel.panic",
    "kernel.panic_on_oops",
    "net.bridge.bridge-nf-call-ip6tables",
    "net.bridge.bridge-nf-call-iptables",
    "net.ipv4.conf.all.route_localnet",
    "net.ipv4.ip_forward",
    "net.ipv6.conf.all.forwarding",
    "net.netfilter.nf_conntrack_max",
    "net.netfilter.nf_conntrack_tcp_timeout_close_wait",
    "net.netfilter.nf_conntrack_tcp_timeout_established",
    "vm.overcommit_memory",
    "vm.panic_on_oom",
    "vm.swappiness",
)


def module_name(path: str) -> str:
    """Name of a module from its file: ``kernel/net/ipv4/ip-tables.ko.xz`` is ``ip_tables``."""
    return re.sub(r"\.ko(\.\w+)?$", "", path.rsplit("/", 1)[-1]).replace("-", "_")


def parse_module_paths(text: str) -> set[str]:
    """Names in modules.builtin (a path a line) or modules.dep (``path: dependencies``)."""
    return {module_name(line.split(":", 1)[0].strip()) for line in text.splitlines() if ".ko" in line}


def parse_loaded(text: str) -> set[str]:
    """Names in /proc/modules."""
    return {line.split()[0] for line in text.splitlines() if line.strip()}


def parse_config(text: str) -> dict[str, str]:
    """Options of a kernel configuration: ``y``, ``m`` or, where it says "is not set", ``n``."""
    options = {}
    for match in re.finditer(r"^(?:(CONFIG_\w+)=([ym])|# (CONFIG_\w+) is not set)$", text, re.M):
        options[match.group(1) or match.group(3)] = match.group(2) or "n"
    return options


def parse_filesystems(text: str) -> set[str]:
    """Types of file system in /proc/filesystems."""
    return {line.split()[-1] for line in text.splitlines() if line.strip()}


def decide_feature(
    option: str, works: bool, loaded: bool, config: dict[str, str], builtin: bool, loadable: bool | None
) -> bool | None:
    """Whether the kernel has a feature; None where nothing tells.

    :param option: the kernel configuration's option.
    :param works: it was seen to work.
    :param loaded: its module is loaded, or built in with parameters (/sys/module).
    :param config: the kernel's configuration, empty where it cannot be read.
    :param builtin: modules.builtin lists it.
    :param loadable: its module file can be loaded; None where the modules' folder cannot be seen.
    """
    if works or loaded or builtin or config.get(option) == "y" or loadable:
        return True
    # An option whose parent is off is not written at all, so a configuration without it says no.
    if config and config.get(option, "n") == "n":
        return False
    return None if loadable is None and not config else False


def read_config(files: Files, release: str) -> dict[str, str]:
    """The running kernel's configuration from /proc/config.gz or /boot; {} where neither can be read."""
    packed = files.read_bytes("/proc/config.gz")
    if packed:
        try:
            return parse_config(gzip.decompress(packed).decode("utf-8", "replace"))
        except (OSError, EOFError, zlib.error):
            return {}
    return parse_config(files.read("/boot/config-" + release))


def nft_works() -> bool:
    """Whether nft can list tables (it reads only); False where nft is not installed."""
    try:
        return subprocess.run(["nft", "list", "tables"], capture_output=True, timeout=5, check=False).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False


def read_only_sysctls(files: Files) -> list[str]:
    """Parameters of SYSCTLS that are there and that root may not write (other network namespace, read-only mount)."""
    names = []
    for name in SYSCTLS:
        path = files.path("/proc/sys/" + name.replace(".", "/"))
        if os.path.exists(path) and not os.access(path, os.W_OK):
            names.append(name)
    return names


def look_at_kernel(files: Files) -> dict[str, Any]:
    """Key ``kernel`` of the module host_info."""
    release = os.uname().release
    directory = next((path for path in ("/lib/modules/", "/usr/lib/modules/") if files.exists(path + release)), "")
    dependencies = files.read(directory + release + "/modules.dep") if directory else ""
    available = parse_module_paths(dependencies)
    listed = parse_module_paths(files.read(directory + release + "/modules.builtin")) if directory else set()
    loaded = parse_loaded(files.read("/proc/modules"))
    config = read_config(files, release)
    last = files.read("/proc/sys/kernel/cap_last_cap").strip()
    missing = parse_capabilities(files.read("/proc/self/status"), int(last) if last.isdigit() else 63)
    modules_loadable = (
        bool(available)
        and "sys_module" not in missing
        and files.read("/proc/sys/kernel/modules_disabled").strip() != "1"
    )
    filesystems = parse_filesystems(files.read("/proc/filesystems"))
    features = {}
    builtin = set()
    for name, (option, path) in FEATURES.items():
        works = bool(path) and files.exists(path) or name in filesystems
        there = name in loaded or files.exists("/sys/module/" + name)
        loadable = (name in available and modules_loadable) if available else None
        features[name] = decide_feature(option, works, there, config, name in listed, loadable)
        if name == "nf_tables" and features[name] is None:
            features[name] = nft_works() or None
        if features[name] and name not in loaded and (name in listed or config.get(option) == "y" or works or there):
            builtin.add(name)
    return {
        "release": release,
        "modules_builtin": sorted(builtin),
        "modules_loaded": sorted(loaded),
        "modules_loadable": modules_loadable,
        "read_only_sysctls": read_only_sysctls(files),
        "features": features,
    }
