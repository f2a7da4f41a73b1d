# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What machine a host is: system, resources, swap, control groups.

Every ``parse_*`` function is pure: text in, plain data out. ``Files`` is the only way to the disk, so that a test can hand in a folder.
"""

from __future__ import annotations

import glob
import os
import re
import time
from typing import Any

# Go's names, as used in package and image names, for those of uname.
ARCHITECTURES = {
    "x86_64": "amd64",
    "amd64": "amd64",
    "aarch64": "arm64",
    "arm64": "arm64",
    "armv7l": "arm",
    "ppc64le": "ppc64le",
    "s390x": "s390x",
}

# include/uapi/linux/capability.h, by bit.
CAPABILITIES = (
    "chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable net_bind_service "
    "net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin "
    "sys_boot sys_nice sys_resource sys_time sys_tty_config mknod lease audit_write audit_control setfcap mac_override "
    "mac_admin syslog wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore"
)

DATA_DIRECTORIES = ("/var/lib/kubelet", "/var/lib/containerd", "/var/lib/etcd")

SWAP_UNIT_DIRECTORIES = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/run/systemd/generator",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)


class Files:
    """Reads below a root folder; what is not there, or may not be read, is empty and never an error.

    :param root: folder that stands for ``/`` (a test's fixture tree).
    """

    def __init__(self, root: str = "/") -> None:
        self.root = root

    def path(self, path: str) -> str:
        """The real path of an absolute path below the root."""
        return path if self.root == "/" else os.path.join(self.root, path.lstrip("/"))

    def read(self, path: str, limit: int = 16 * 1024 * 1024) -> str:
        """Text of a file, at most ``limit`` bytes; undecodable bytes are replaced."""
        return self.read_bytes(path, limit).decode("utf-8", "replace")

    def read_bytes(self, path: str, limit: int = 16 * 1024 * 1024) -> bytes:
        """Bytes of a file, at most ``limit``."""
        try:
            with open(self.path(path), "rb") as handle:
                return handle.read(limit)
        except OSError:
            return b""

    def exists(self, path: str) -> bool:
        """Whether the path is there (links followed)."""
        return os.path.exists(self.path(path))

    def names(self, path: str) -> list[str]:
        """Sorted names in a folder."""
        try:
            return sorted(os.listdir(self.path(path)))
        except OSError:
            return []

    def glob(self, pattern: str) -> list[str]:
        """Sorted real paths that match a pattern below the root."""
        return sorted(glob.glob(self.path(pattern)))


def parse_os_release(text: str) -> dict[str, str]:
    """Fields of os-release(5), quotes and backslashes resolved."""
    fields = {}
    for line in text.splitlines():
        match = re.match(r"""^([A-Z][A-Z0-9_]*)=(?:"(.*)"|'(.*)'|(.*))$""", line.strip())
        if match:
            value = next((group for group in match.groups()[1:] if group is not None), "")
            fields[match.group(1)] = re.sub(r"\\(.)", r"\1", value)
    return fields


def describe_os(fields: dict[str, str]) -> dict[str, Any]:
    """The operating system and the family whose package manager it uses.

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
    """/proc/meminfo as whole MiB by name (MemTotal, SwapTotal ...)."""
    return {match.group(1): int(match.group(2)) // 1024 for match in re.finditer(r"^(\w+):\s+(\d+) kB", text, re.M)}


def parse_swaps(text: str) -> list[dict[str, Any]]:
    """Active swap areas of /proc/swaps; ``size_mb`` in MiB."""
    areas = []
    for line in text.splitlines()[1:]:
        words = line.split()
        if len(words) >= 3 and words[2].isdigit():
            areas.append({"device": words[0].replace("\\040", " "), "type": words[1], "size_mb": int(words[2]) // 1024})
    return areas


def parse_fstab_swap(text: str) -> list[str]:
    """Lines of fstab(5) that would activate swap at boot, as they stand."""
    lines = []
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 3 and not words[0].startswith("#") and words[2] == "swap":
            lines.append(line)
    return lines


def parse_capabilities(status: str, last: int) -> list[str]:
    """Names of the capabilities that the bounding set of /proc/PID/status lacks.

    :param last: number of the kernel's last capability (/proc/sys/kernel/cap_last_cap).
    """
    match = re.search(r"^CapBnd:\s*([0-9a-f]+)", status, re.M)
    if not match:
        return []
    bits = int(match.group(1), 16)
    return [name for bit, name in enumerate(CAPABILITIES.split()) if bit <= last and not bits & (1 << bit)]


def parse_mounts(text: str) -> list[tuple[str, str, str]]:
    """(device, mount point, file system type) for each line of /proc/mounts, escapes resolved."""
    mounts = []
    for line in text.splitlines():
        words = [re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal.group(1), 8)), word) for word in line.split(" ")]
        if len(words) >= 3:
            mounts.append((words[0], words[1], words[2]))
    return mounts


def parse_cgroups(mounts: str, controllers_v2: str, cgroups: str) -> dict[str, Any]:
    """Version of the control groups and the controllers that can be used.

    Version 2 only where the unified hierarchy is the root: that is what the kubelet asks for (failCgroupV1 of
    KubeletConfiguration); a unified hierarchy mounted beside version 1 does not count.

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
    """Kind of container that the host is, "" for a machine.

    :param systemd: text of /run/systemd/container.
    :param environ: text of /proc/1/environ.
    :param docker_marker: whether /.dockerenv is there.
    """
    if systemd.strip():
        return systemd.strip()
    match = re.search(r"(?:^|\0)container=([^\0]+)", environ)
    if match:
        return match.group(1)
    return "docker" if docker_marker else ""


def describe_disk(path: str, filesystem: str, statvfs: Any) -> dict[str, Any]:
    """Space below a path as the kubelet counts it: available to others than root, as a share of the whole.

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
    """Type of the file system that holds a path: the last mounted of the longest mount points above it."""
    best, kind = -1, ""
    for _device, point, filesystem in mounts:
        prefix = point.rstrip("/") + "/"
        if (path.rstrip("/") + "/").startswith(prefix) and len(prefix) >= best:
            best, kind = len(prefix), filesystem
    return kind


def look_at_disks(files: Files) -> list[dict[str, Any]]:
    """Space for the data of kubelet, containerd and etcd, in the folder or its nearest parent that is there."""
    mounts = parse_mounts(files.read("/proc/mounts"))
    disks = []
    for path in DATA_DIRECTORIES:
        there = path
        while there != "/" and not files.exists(there):
            there = os.path.dirname(there)
        real = os.path.realpath(there) if files.root == "/" else there
        disks.append(describe_disk(path, filesystem_of(real, mounts), os.statvfs(files.path(there))))
    return disks


def look_at_swap(files: Files) -> dict[str, Any]:
    """Swap now (``active``) and what would bring it back at a boot (``fstab``, ``units``, ``zram``)."""
    units: set[str] = set()
    for directory in SWAP_UNIT_DIRECTORIES:
        units.update(name for name in files.names(directory) if name.endswith(".swap"))
    active = parse_swaps(files.read("/proc/swaps"))
    configured = any(
        files.exists(path)
        for path in (
            "/etc/systemd/zram-generator.conf",
            "/usr/lib/systemd/zram-generator.conf",
            "/usr/local/lib/systemd/zram-generator.conf",
            "/etc/default/zramswap",
        )
    )
    return {
        "active": active,
        "fstab": parse_fstab_swap(files.read("/etc/fstab")),
        "units": sorted(units),
        "zram": configured or any("/zram" in area["device"] for area in active),
    }


def look_at_selinux(files: Files) -> str:
    """enforcing or permissive (running), disabled (configured so), absent (no SELinux on this system)."""
    enforce = files.read("/sys/fs/selinux/enforce").strip()
    if enforce:
        return "enforcing" if enforce == "1" else "permissive"
    return "disabled" if files.exists("/etc/selinux/config") else "absent"


def look_at_capabilities(files: Files) -> dict[str, Any]:
    """Capabilities that this host's processes can never have (a container with reduced rights)."""
    last = files.read("/proc/sys/kernel/cap_last_cap").strip()
    missing = parse_capabilities(files.read("/proc/self/status"), int(last) if last.isdigit() else 63)
    return {"sys_resource": "sys_resource" not in missing, "missing": missing}


def look_at_system(files: Files) -> dict[str, Any]:
    """Keys ``os`` to ``time`` of the module host_info that concern the machine itself."""
    uname = os.uname()
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "os": describe_os(parse_os_release(files.read("/etc/os-release") or files.read("/usr/lib/os-release"))),
        "architecture": ARCHITECTURES.get(uname.machine, uname.machine),
        "hostname": uname.nodename,
        "cpus": cpus,
        "memory_mb": parse_meminfo(files.read("/proc/meminfo")).get("MemTotal", 0),
        "disks": look_at_disks(files),
        "cgroup": parse_cgroups(
            files.read("/proc/mounts"), files.read("/sys/fs/cgroup/cgroup.controllers"), files.read("/proc/cgroups")
        ),
        "capabilities": look_at_capabilities(files),
        "container": parse_container(
            files.read("/run/systemd/container"), files.read("/proc/1/environ"), files.exists("/.dockerenv")
        ),
        "init": files.read("/proc/1/comm").strip(),
        "swap": look_at_swap(files),
        "selinux": look_at_selinux(files),
        "machine_id": files.read("/etc/machine-id").strip(),
        "product_uuid": files.read("/sys/class/dmi/id/product_uuid").strip().lower(),
        "privileged": os.geteuid() == 0,
        "time": time.time(),
    }
