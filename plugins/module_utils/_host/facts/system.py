# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""System of a host: operating system, resources, swap and control groups.

The ``parse_*`` functions are pure; files are read through :class:`.files.Files` only, so that a test can provide them.
"""

from __future__ import annotations

import os
import re
import time
from typing import Any

from .files import Files

ARCHITECTURES = {
    "x86_64": "amd64",
    "amd64": "amd64",
    "aarch64": "arm64",
    "arm64": "arm64",
    "armv7l": "arm",
    "ppc64le": "ppc64le",
    "s390x": "s390x",
}
"""Go's names, which packages and images use, by the name that uname gives."""

CAPABILITIES = (
    "chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable net_bind_service "
    "net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin "
    "sys_boot sys_nice sys_resource sys_time sys_tty_config mknod lease audit_write audit_control setfcap mac_override "
    "mac_admin syslog wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore"
)
"""Names by bit, from include/uapi/linux/capability.h."""

DATA_DIRECTORIES = ("/var/lib/kubelet", "/var/lib/containerd", "/var/lib/etcd")

ZRAM_CONFIG = "zram-generator.conf"
ZRAM_FOLDERS = ("/etc/systemd", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd")

LATE_UNITS = "/run/systemd/generator.late"
"""Folder of the units that systemd-gpt-auto-generator creates from the partition table."""

ADMIN_UNITS = "/etc/systemd/system/"
UNIT_FOLDERS = (
    ADMIN_UNITS,
    "/run/systemd/system",
    "/run/systemd/generator",
    "/run/systemd/generator.early",
    LATE_UNITS,
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)


def parse_os_release(text: str) -> dict[str, str]:
    """Return the fields of os-release(5), without quotes and escapes."""
    fields = {}
    for line in text.splitlines():
        match = re.match(r"""^([A-Z][A-Z0-9_]*)=(?:"(.*)"|'(.*)'|(.*))$""", line.strip())
        if match:
            value = next((group for group in match.groups()[1:] if group is not None), "")
            fields[match.group(1)] = re.sub(r"\\(.)", r"\1", value)
    return fields


def describe_os(fields: dict[str, str]) -> dict[str, Any]:
    """Return the operating system and its family, which determines the package manager.

    :returns: ``id``, ``id_like``, ``version_id``, ``codename``, ``family`` (debian, rhel, other), ``name``.
    """
    identifier = fields.get("ID", "")
    like = fields.get("ID_LIKE", "").split()
    kin = [identifier] + like
    family = "other"
    if "debian" in kin or "ubuntu" in kin:
        family = "debian"
    elif any(name in kin for name in ("rhel", "centos", "fedora", "rocky", "almalinux")):
        family = "rhel"
    return {
        "id": identifier,
        "id_like": like,
        "version_id": fields.get("VERSION_ID", ""),
        "codename": fields.get("VERSION_CODENAME") or fields.get("UBUNTU_CODENAME", ""),
        "family": family,
        "name": fields.get("PRETTY_NAME") or fields.get("NAME", ""),
    }


def parse_meminfo(text: str) -> dict[str, int]:
    """Return the values of /proc/meminfo in MiB, by name (MemTotal, SwapTotal, …)."""
    return {match.group(1): int(match.group(2)) // 1024 for match in re.finditer(r"^(\w+):\s+(\d+) kB", text, re.M)}


def parse_swaps(text: str) -> list[dict[str, Any]]:
    """Return the active swap areas in /proc/swaps; ``size_mb`` is in MiB."""
    areas = []
    for line in text.splitlines()[1:]:
        words = line.split()
        if len(words) >= 3 and words[2].isdigit():
            areas.append({"device": words[0].replace("\\040", " "), "type": words[1], "size_mb": int(words[2]) // 1024})
    return areas


def parse_fstab_swap(text: str) -> list[str]:
    """Return the lines of fstab(5) that activate swap at boot, unchanged."""
    lines = []
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 3 and not words[0].startswith("#") and words[2] == "swap":
            lines.append(line)
    return lines


def parse_capabilities(status: str, last: int) -> list[str]:
    """Return the names of the capabilities that the bounding set in /proc/PID/status lacks.

    :param last: number of the kernel's last capability (/proc/sys/kernel/cap_last_cap).
    """
    match = re.search(r"^CapBnd:\s*([0-9a-f]+)", status, re.M)
    if not match:
        return []
    bits = int(match.group(1), 16)
    return [name for bit, name in enumerate(CAPABILITIES.split()) if bit <= last and not bits & (1 << bit)]


def unescape(text: str) -> str:
    """Return a path from /proc/mounts or fstab(5) without octal escapes (blank, tab, newline, backslash)."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8)), text)


def parse_mounts(text: str) -> list[tuple[str, str, str]]:
    """Return (device, mount point, file system type) of each line of /proc/mounts."""
    mounts = []
    for line in text.splitlines():
        words = [unescape(word) for word in line.split(" ")]
        if len(words) >= 3:
            mounts.append((words[0], words[1], words[2]))
    return mounts


def parse_cgroups(mounts: str, controllers_v2: str, cgroups: str) -> dict[str, Any]:
    """Return the version of the control groups and the usable controllers.

    The version is 2 only where the unified hierarchy is mounted as the root, which the kubelet requires (failCgroupV1 of
    KubeletConfiguration); a unified hierarchy beside version 1 does not count.

    :param mounts: text of /proc/mounts.
    :param controllers_v2: text of /sys/fs/cgroup/cgroup.controllers.
    :param cgroups: text of /proc/cgroups.
    """
    table = parse_mounts(mounts)
    if any(point == "/sys/fs/cgroup" and kind == "cgroup2" for _device, point, kind in table):
        return {"version": 2, "controllers": sorted(controllers_v2.split())}
    enabled = []
    for line in cgroups.splitlines():
        words = line.split()
        if len(words) == 4 and not line.startswith("#") and words[3] == "1":
            enabled.append(words[0])
    mounted = {point.rsplit("/", 1)[1] for _device, point, kind in table if kind == "cgroup"}
    mounted = {name for joined in mounted for name in joined.split(",")}
    return {"version": 1, "controllers": sorted(name for name in enabled if name in mounted)}


def parse_container(systemd: str, environ: str, docker_marker: bool) -> str:
    """Return the kind of container that the host is, "" for a machine.

    :param systemd: text of /run/systemd/container.
    :param environ: text of /proc/1/environ.
    :param docker_marker: whether /.dockerenv exists.
    """
    if systemd.strip():
        return systemd.strip()
    match = re.search(r"(?:^|\0)container=([^\0]+)", environ)
    if match:
        return match.group(1)
    return "docker" if docker_marker else ""


def describe_disk(path: str, filesystem: str, statvfs: Any) -> dict[str, Any]:
    """Return the space below a path as the kubelet counts it: what users other than root can use, as a share of the total.

    Source: signals ``nodefs.available``, ``imagefs.available`` and ``*.inodesFree`` of "Node-pressure Eviction".

    :param statvfs: result of :func:`os.statvfs`.
    """
    total = statvfs.f_blocks * statvfs.f_frsize
    available = statvfs.f_bavail * statvfs.f_frsize
    return {
        "path": path,
        "filesystem": filesystem,
        "total_mb": total >> 20,
        "available_mb": available >> 20,
        "available_percent": round(100.0 * available / total, 1) if total else 0.0,
        "inodes_free_percent": round(100.0 * statvfs.f_favail / statvfs.f_files, 1) if statvfs.f_files else 100.0,
    }


def filesystem_of(path: str, mounts: list[tuple[str, str, str]]) -> str:
    """Return the type of the file system that holds a path: the last one mounted on the longest mount point above it."""
    best, kind = -1, ""
    for _device, point, filesystem in mounts:
        prefix = point.rstrip("/") + "/"
        if (path.rstrip("/") + "/").startswith(prefix) and len(prefix) >= best:
            best, kind = len(prefix), filesystem
    return kind


def gather_disks(files: Files) -> list[dict[str, Any]]:
    """Return the space for the data of kubelet, containerd and etcd, in their folders or the nearest existing parents."""
    mounts = parse_mounts(files.read("/proc/mounts"))
    disks = []
    for path in DATA_DIRECTORIES:
        existing = path
        while existing != "/" and not files.exists(existing):
            existing = os.path.dirname(existing)
        real = os.path.realpath(existing) if files.root == "/" else existing
        disks.append(describe_disk(path, filesystem_of(real, mounts), os.statvfs(files.path(existing))))
    return disks


def zram_swaps(files: Files) -> list[str]:
    """Return the zram devices that zram-generator sets up as swap at boot, from zram-generator.conf(5).

    The first of the main files counts, and drop-ins are merged into it in the order of their names.
    """
    mains = [f"{folder}/{ZRAM_CONFIG}" for folder in ZRAM_FOLDERS]
    paths = [path for path in mains if files.exists(path)][:1]
    drop_ins: dict[str, str] = {}
    for folder in ZRAM_FOLDERS:
        for name in files.names(f"{folder}/{ZRAM_CONFIG}.d"):
            drop_ins.setdefault(name, f"{folder}/{ZRAM_CONFIG}.d/{name}")
    paths += [drop_ins[name] for name in sorted(drop_ins) if name.endswith(".conf")]
    devices: dict[str, dict[str, str]] = {}
    for path in paths:
        device = ""
        for line in files.read(path).splitlines():
            section, setting = re.match(r"\s*\[(.*)\]", line), re.match(r"\s*([\w-]+)\s*=\s*(.*)", line)
            if section:
                device = section.group(1)
                devices.setdefault(device, {})
            elif setting and device:
                devices[device][setting.group(1)] = setting.group(2).strip()
    return sorted(
        device
        for device, settings in devices.items()
        if re.fullmatch(r"zram\d+", device)
        and not settings.get("mount-point")
        and settings.get("fs-type", "swap") == "swap"
    )


def gather_swap(files: Files) -> dict[str, Any]:
    """Return the active swap and what activates swap at boot (``fstab``, ``units``, ``zram``)."""
    units: set[str] = set()
    for directory in UNIT_FOLDERS:
        units.update(name for name in files.names(directory) if name.endswith(".swap"))
    active = parse_swaps(files.read("/proc/swaps"))
    configured = bool(zram_swaps(files)) or files.exists("/etc/default/zramswap")
    return {
        "active": active,
        "fstab": parse_fstab_swap(files.read("/etc/fstab")),
        "units": sorted(units),
        "zram": configured or any("/zram" in area["device"] for area in active),
    }


def gather_selinux(files: Files) -> str:
    """Return "enforcing" or "permissive" (active), "disabled" (by its configuration) or "absent" (not installed)."""
    enforce = files.read("/sys/fs/selinux/enforce").strip()
    if enforce:
        return "enforcing" if enforce == "1" else "permissive"
    return "disabled" if files.exists("/etc/selinux/config") else "absent"


def missing_capabilities(files: Files) -> list[str]:
    """Return the capabilities that no process of this host can have (a container with reduced privileges)."""
    last = files.read("/proc/sys/kernel/cap_last_cap").strip()
    return parse_capabilities(files.read("/proc/self/status"), int(last) if last.isdigit() else 63)


def gather_system(files: Files) -> dict[str, Any]:
    """Return the keys ``os`` to ``time`` of host_info that concern the machine itself."""
    uname = os.uname()
    missing = missing_capabilities(files)
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "os": describe_os(parse_os_release(files.read("/etc/os-release") or files.read("/usr/lib/os-release"))),
        "architecture": ARCHITECTURES.get(uname.machine, uname.machine),
        "hostname": uname.nodename,
        "cpus": cpus,
        "memory_mb": parse_meminfo(files.read("/proc/meminfo")).get("MemTotal", 0),
        "disks": gather_disks(files),
        "cgroup": parse_cgroups(
            files.read("/proc/mounts"), files.read("/sys/fs/cgroup/cgroup.controllers"), files.read("/proc/cgroups")
        ),
        "capabilities": {"sys_resource": "sys_resource" not in missing, "missing": missing},
        "container": parse_container(
            files.read("/run/systemd/container"), files.read("/proc/1/environ"), files.exists("/.dockerenv")
        ),
        "init": files.read("/proc/1/comm").strip(),
        "swap": gather_swap(files),
        "selinux": gather_selinux(files),
        "machine_id": files.read("/etc/machine-id").strip(),
        "product_uuid": files.read("/sys/class/dmi/id/product_uuid").strip().lower(),
        "privileged": os.geteuid() == 0,
        "time": time.time(),
    }
