# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Software of a host: packages and their holds, units and firewalls."""

from __future__ import annotations

import fnmatch
import re
from typing import Any

from .files import Files, run

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
"""Packages that a node needs, and packages that conflict with it or provide another container runtime."""

LOCK_FILES = ("/etc/dnf/plugins/versionlock.list", "/etc/dnf/versionlock.toml")
"""Lists of the versionlock of dnf 4 and dnf 5."""

UNITS = (
    "kubelet.service",
    "containerd.service",
    "docker.service",
    "crio.service",
    "k3s.service",
    "k3s-agent.service",
    "rke2-server.service",
    "rke2-agent.service",
    "NetworkManager.service",
    "firewalld.service",
    "ufw.service",
    "nftables.service",
    "keepalived.service",
    "systemd-resolved.service",
    "systemd-timesyncd.service",
    "chronyd.service",
    "chrony.service",
    "ntpd.service",
)


def parse_dpkg_status(text: str, wanted: tuple[str, ...]) -> tuple[dict[str, str], list[str]]:
    """Return versions and holds from /var/lib/dpkg/status.

    :returns: ({name: version} of the wanted packages that are installed, [names that are held]).
    """
    versions = {}
    held = []
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
    """Return versions by name from ``rpm -q --queryformat '%{NAME} %{EVR}\\n'``; "(none):" stands for no epoch."""
    versions = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) == 2:
            versions[words[0]] = words[1].replace("(none):", "")
    return versions


def parse_locks(text: str) -> dict[str, list[str]]:
    """Return what dnf's versionlock locks: the entries of its list by the name in them, which can be a pattern.

    dnf 4 writes NAME-EPOCH:VERSION-RELEASE.ARCH with wildcards (people also write it without the epoch, or with the epoch in front), where
    a leading "!" excludes a version and locks nothing. dnf 5 writes TOML, whose conditions with "!=" lock nothing; it has no entries.
    """
    found: dict[str, list[str]] = {}
    for block in re.split(r"^\s*\[\[packages\]\]\s*$", text, flags=re.M)[1:]:
        name = re.search(r'^\s*name\s*=\s*"([^"]+)"', block, re.M)
        comparators = re.findall(r'^\s*comparator\s*=\s*"([^"]+)"', block, re.M)
        if name and not (comparators and set(comparators) == {"!="}):
            found.setdefault(name.group(1), [])
    for line in text.splitlines():
        entry = line.strip()
        match = re.match(r"(?:\d+:)?([A-Za-z0-9*?][^\s:]*?)-(?:(?:\d+|\*):|\d)", entry)
        if match:
            found.setdefault(match.group(1), []).append(entry)
    return found


def entries_of(name: str, locks: dict[str, list[str]]) -> list[str] | None:
    """Return the entries that lock a package, or None where nothing does."""
    matching = [entries for pattern, entries in locks.items() if fnmatch.fnmatchcase(name, pattern)]
    return [entry for entries in matching for entry in entries] if matching else None


def parse_show(text: str) -> list[dict[str, str]]:
    """Return the properties in the output of ``systemctl show``, one dictionary for each unit."""
    return [
        dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        for block in text.strip("\n").split("\n\n")
    ]


def parse_units(text: str) -> dict[str, dict[str, Any]]:
    """Return ``active``, ``enabled`` and ``masked`` of each unit that exists, from ``systemctl show``.

    :param text: with the properties Id, LoadState, ActiveState and UnitFileState. The states static, alias and enabled-runtime count as
        enabled: the unit starts when it is needed.
    """
    return {
        fields["Id"]: {
            "active": fields.get("ActiveState") in ("active", "activating", "reloading"),
            "enabled": fields.get("UnitFileState") in ("enabled", "enabled-runtime", "static", "alias", "indirect"),
            "masked": fields.get("LoadState") == "masked",
        }
        for fields in parse_show(text)
        if fields.get("Id") and fields.get("LoadState") not in (None, "not-found")
    }


def gather_packages(files: Files) -> dict[str, Any]:
    """Return the keys ``packages`` and ``held`` of host_info."""
    status = files.read("/var/lib/dpkg/status", limit=64 * 1024 * 1024)
    if status:
        versions, held = parse_dpkg_status(status, PACKAGES)
        return {"packages": versions, "held": held}
    versions = parse_rpm(run(["rpm", "-q", "--queryformat", "%{NAME} %{EVR}\\n"] + list(PACKAGES)))
    locks = parse_locks("\n".join(files.read(path) for path in LOCK_FILES))
    return {"packages": versions, "held": sorted(name for name in PACKAGES if entries_of(name, locks) is not None)}


def gather_units() -> dict[str, dict[str, Any]]:
    """Return the key ``units`` of host_info; {} where systemd does not run."""
    properties = "Id,LoadState,ActiveState,UnitFileState"
    return parse_units(run(["systemctl", "show", "--property", properties] + list(UNITS)))


def parse_zones(text: str) -> list[dict[str, Any]]:
    """Return the active zones in the output of ``firewall-cmd --list-all-zones``."""
    zones = []
    for match in re.finditer(r"^(\S+) \((?:[^)]*, )?active\)\n((?:[ \t]+.*\n?)*)", text, re.M):
        fields = dict(re.findall(r"^  (\S+): *(.*)$", match.group(2), re.M))
        zone: dict[str, Any] = {"zone": match.group(1), "target": fields.get("target", "default")}
        zone.update({key: fields.get(key, "").split() for key in ("interfaces", "sources", "ports", "protocols")})
        zones.append(zone)
    return zones


def parse_ufw_rules(rules: str, defaults: str = "") -> list[dict[str, Any]]:
    """Return what ufw allows to enter or to be forwarded; a policy ACCEPT is a rule that allows everything.

    A rule is a line "### tuple ### ACTION PROTOCOL PORTS DESTINATION PORTS SOURCE [APPLICATIONS] DIRECTION_INTERFACE".

    :param rules: text of /etc/ufw/user.rules and user6.rules.
    :param defaults: text of /etc/default/ufw.
    """
    found = []
    for line in rules.splitlines():
        match = re.match(r"### tuple ### (route:)?allow(?:_\S+)? (\S+) (\S+) (\S+) \S+ (\S+)(.*)", line)
        if match:
            route, protocol, ports, destination, source, rest = match.groups()
            if route or not re.search(r" out(_\S+)?( comment=|$)", rest.rstrip()):
                found.append((bool(route), protocol, ports, destination, source))
    for chain, routed in (("INPUT", False), ("FORWARD", True)):
        if re.search(rf'^\s*DEFAULT_{chain}_POLICY="?ACCEPT', defaults, re.M):
            found += [(routed, "any", "any", network, network) for network in ("0.0.0.0/0", "::/0")]
    return [dict(zip(("route", "protocol", "ports", "destination", "source"), rule)) for rule in found]


def gather_firewall(files: Files, units: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the key ``firewall`` of host_info: which firewalls are active, the active zones of firewalld, and what ufw allows."""
    ufw = bool(re.search(r"^\s*ENABLED\s*=\s*yes", files.read("/etc/ufw/ufw.conf"), re.M | re.I))
    firewalld = units.get("firewalld.service", {}).get("active", False)
    rules = files.read("/etc/ufw/user.rules") + "\n" + files.read("/etc/ufw/user6.rules")
    return {
        "firewalld": firewalld,
        "zones": parse_zones(run(["firewall-cmd", "--list-all-zones"])) if firewalld else [],
        "ufw": ufw,
        "ufw_rules": parse_ufw_rules(rules, files.read("/etc/default/ufw")) if ufw else [],
    }
