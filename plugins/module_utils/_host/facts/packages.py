# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is installed on a host: packages, what holds them, units, firewalls. It only looks."""

from __future__ import annotations

import re
import subprocess
from typing import Any

from .system import Files

# Those that a cluster needs, and those that get in its way or serve as its container runtime already.
PACKAGES = (
    "kubeadm",
    "kubelet",
    "kubectl",
    "kubernetes-cni",
    "cri-tools",
    "containerd.io",
    "containerd",
    "runc",
    "docker-ce",
    "docker.io",
    "moby-engine",
    "podman-docker",
    "cri-o",
    "k3s",
    "rke2-server",
    "iproute2",
    "iproute",
    "iptables",
    "nftables",
    "conntrack",
    "conntrack-tools",
    "ethtool",
    "socat",
    "firewalld",
    "ufw",
    "systemd-resolved",
    "python3-dnf-plugin-versionlock",
    "container-selinux",
)

UNITS = (
    "kubelet.service",
    "containerd.service",
    "docker.service",
    "crio.service",
    "k3s.service",
    "k3s-agent.service",
    "rke2-server.service",
    "rke2-agent.service",
    "firewalld.service",
    "ufw.service",
    "nftables.service",
    "systemd-resolved.service",
    "systemd-timesyncd.service",
    "chronyd.service",
    "chrony.service",
    "ntpd.service",
)


def parse_dpkg_status(text: str, wanted: tuple[str, ...]) -> tuple[dict[str, str], list[str]]:
    """Installed versions and held names out of /var/lib/dpkg/status.

    :returns: ({name: version} of the wanted ones that are installed, [names that are held]).
    """
    versions = {}
    held = []
    # Only the stanzas of wanted packages are read: the file has thousands of lines.
    names = "|".join(re.escape(name) for name in wanted)
    for match in re.finditer(r"^Package: (" + names + r")\n((?:.+\n?)*)", text, re.M):
        name, stanza = match.groups()
        status = re.search(r"^Status: (\S+) \S+ (\S+)", stanza, re.M)
        version = re.search(r"^Version: (\S+)", stanza, re.M)
        if not status or not version:
            continue
        if status.group(2) == "installed":
            versions[name] = version.group(1)
        if status.group(1) == "hold":
            held.append(name)
    return versions, sorted(held)


def parse_rpm(text: str) -> dict[str, str]:
    """Versions by name out of ``rpm -q --queryformat '%{NAME} %{EVR}\\n'``; "(none):" is no epoch, other lines are ignored."""
    versions = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) == 2:
            versions[words[0]] = words[1].replace("(none):", "")
    return versions


def parse_versionlock(text: str, wanted: tuple[str, ...]) -> list[str]:
    """Names that dnf's versionlock.list holds, among the wanted ones.

    An entry is NAME-EPOCH:VERSION-RELEASE.ARCH, with wild cards; a leading ``!`` excludes a version and holds nothing.
    """
    held = set()
    for line in text.splitlines():
        entry = line.strip()
        if not entry or entry[0] in "#!":
            continue
        match = re.match(r"^(.+?)-\d+:", entry) or re.match(r"^(.+?)-\d", entry)
        if match and match.group(1) in wanted:
            held.add(match.group(1))
    return sorted(held)


def parse_units(text: str) -> dict[str, dict[str, Any]]:
    """State by unit out of ``systemctl show --property Id,LoadState,ActiveState,UnitFileState``.

    :returns: ``active`` and ``enabled`` (also enabled-runtime, static and alias count as enabled: the unit starts when wanted)
        for each unit that there is.
    """
    units = {}
    for block in re.split(r"\n\s*\n", text.strip()):
        fields = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if fields.get("Id") and fields.get("LoadState") not in (None, "not-found"):
            units[fields["Id"]] = {
                "active": fields.get("ActiveState") in ("active", "activating", "reloading"),
                "enabled": fields.get("UnitFileState") in ("enabled", "enabled-runtime", "static", "alias", "indirect"),
                "masked": fields.get("LoadState") == "masked",
            }
    return units


def run(command: list[str], timeout: float = 60) -> str:
    """Output of a program that only reads; "" where it is not there or does not answer in time."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=timeout, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode("utf-8", "replace")


def look_at_packages(files: Files) -> dict[str, Any]:
    """Keys ``packages`` and ``held`` of the module host_info."""
    status = files.read("/var/lib/dpkg/status", limit=64 * 1024 * 1024)
    if status:
        versions, held = parse_dpkg_status(status, PACKAGES)
        return {"packages": versions, "held": held}
    versions = parse_rpm(run(["rpm", "-q", "--queryformat", "%{NAME} %{EVR}\\n"] + list(PACKAGES)))
    lock = files.read("/etc/dnf/plugins/versionlock.list")
    return {"packages": versions, "held": parse_versionlock(lock, PACKAGES)}


def look_at_units() -> dict[str, dict[str, Any]]:
    """Key ``units`` of the module host_info; {} where there is no systemd."""
    properties = "Id,LoadState,ActiveState,UnitFileState"
    return parse_units(run(["systemctl", "show", "--property", properties] + list(UNITS)))


def look_at_firewall(files: Files, units: dict[str, dict[str, Any]]) -> dict[str, bool]:
    """Key ``firewall`` of the module host_info: those that filter now."""
    ufw = re.search(r"^\s*ENABLED\s*=\s*yes", files.read("/etc/ufw/ufw.conf"), re.M | re.I)
    return {"firewalld": units.get("firewalld.service", {}).get("active", False), "ufw": bool(ufw)}
