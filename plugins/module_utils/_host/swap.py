# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Swap, off now and after a reboot.

What brings swap back at a boot: lines of fstab(5); swap units, of which some are made by generators (from fstab, from the
partition table, by zram-generator); services that make a swap area themselves (zram-tools, zram-config, dphys-swapfile).
https://kubernetes.io/docs/setup/production-environment/tools/kubeadm/install-kubeadm/#swap-configuration
"""

from __future__ import annotations

import os
import re
from typing import Any

from .facts.system import parse_fstab_swap, parse_swaps
from .record import describe_file
from .step import Step
from .system import HostError, System
from .units import show_units

MARK = "# swap off (slipway.kube): "
ADMIN_FOLDER = "/etc/systemd/system/"
UNIT_FOLDERS = (
    ADMIN_FOLDER,
    "/run/systemd/system",
    "/run/systemd/generator",
    "/run/systemd/generator.early",
    "/run/systemd/generator.late",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
SERVICES = ("zramswap.service", "zram-config.service", "zram-swap.service", "dphys-swapfile.service")
PROPERTIES = ("LoadState", "UnitFileState", "ActiveState", "FragmentPath", "SourcePath", "WantedBy", "RequiredBy")


def disable_fstab(text: str) -> str:
    """The text of an fstab with every line that activates swap commented out, marked so that restore_fstab() knows it."""
    swap = set(parse_fstab_swap(text))
    return "".join(
        MARK + line if line.rstrip("\n") in swap or line.strip() in swap else line
        for line in text.splitlines(keepends=True)
    )


def restore_fstab(text: str) -> str:
    """The text of an fstab with the lines that disable_fstab() commented out in force again; other edits stay."""
    return "".join(line[len(MARK) :] if line.startswith(MARK) else line for line in text.splitlines(keepends=True))


def decide_unit(name: str, shown: dict[str, str]) -> str:
    """What keeps a unit from bringing swap back: "mask", "disable" (an administrator's own unit file cannot be masked) or "".

    ``shown`` are the unit's properties as ``systemctl show`` gives them.
    """
    if shown.get("LoadState") != "loaded" or shown.get("SourcePath") == "/etc/fstab":
        return ""
    pulled_in = bool(shown.get("WantedBy") or shown.get("RequiredBy"))
    if name.startswith("systemd-zram-setup@"):
        pulled_in = False
    active = shown.get("ActiveState") in ("active", "activating")
    if not pulled_in and not active and not shown.get("UnitFileState", "").startswith("enabled"):
        return ""
    if shown.get("FragmentPath", "").startswith(ADMIN_FOLDER):
        return "disable" if pulled_in or shown.get("UnitFileState", "").startswith("enabled") else ""
    return "mask"


def unit_names(listed: list[str]) -> list[str]:
    """The units to look at: those found in the folders of units, the service that sets up each zram device, and known services."""
    found = {name for name in listed if name.endswith(".swap")}
    setups = {
        f"systemd-zram-setup@{match.group(1)}.service"
        for match in (re.fullmatch(r"dev-(zram\d+)\.swap", name) for name in found)
        if match
    }
    return sorted(found | setups | {name for name in SERVICES if name in listed})


def plan_swap(system: System, state: str, notes: list[str]) -> list[Step]:
    """The steps that switch swap off; none where ``state`` is "kept".

    In a container the active swap is the surrounding machine's: it is left alone, and ``notes`` says so.
    """
    if state == "kept":
        return []
    active = [area["device"] for area in parse_swaps(system.read("/proc/swaps") or "")]
    if active and system.in_container:
        notes.append(f"Swap on {', '.join(active)} belongs to the machine that runs this container and is left alone.")
        active = []
    steps = _plan_fstab(system)
    steps += _plan_units(system)
    if active:
        steps.append(
            Step(
                subject="active swap",
                sentence=f"swap on {', '.join(active)} switched off",
                before="\n".join(active),
                apply=lambda: _swap_off(system),
                remember=[("swap", "active", active)],
            )
        )
    return steps


def _plan_fstab(system: System) -> list[Step]:
    text = system.read("/etc/fstab") or ""
    wanted = disable_fstab(text)
    if wanted == text:
        return []
    target = os.path.realpath(system.path("/etc/fstab"))

    def apply() -> None:
        info = os.stat(target)
        system.write(
            "/" + os.path.relpath(target, system.root),
            wanted.encode("utf-8"),
            info.st_mode & 0o7777,
            info.st_uid,
            info.st_gid,
        )
        system.run("systemctl", "daemon-reload")

    return [
        Step(
            subject="file /etc/fstab",
            sentence=f"file /etc/fstab: {len(parse_fstab_swap(text))} line(s) of swap commented out",
            before=text,
            after=wanted,
            apply=apply,
            remember=[("files", "/etc/fstab", describe_file(target))],
            paths=["/etc/fstab"],
        )
    ]


def _plan_units(system: System) -> list[Step]:
    listed: set[str] = set()
    for folder in UNIT_FOLDERS:
        if os.path.isdir(system.path(folder)):
            listed.update(os.listdir(system.path(folder)))
    names = unit_names(sorted(listed))
    steps = []
    for name, shown in show_units(system, names, PROPERTIES).items():
        action = decide_unit(name, shown)
        if not action:
            continue

        def apply(name: str = name, action: str = action) -> None:
            system.must("systemctl", action, name)
            system.run("systemctl", "daemon-reload")
            # A service (zram) takes its swap area with it; what it leaves is switched off after the units.
            if not system.in_container:
                system.run("systemctl", "stop", name)

        was: dict[str, Any] = {
            "enabled": shown.get("UnitFileState", ""),
            "active": shown.get("ActiveState", ""),
            "done": action,
        }
        steps.append(
            Step(
                subject=f"unit {name}",
                sentence=f"unit {name} {action}{'ed' if action == 'mask' else 'd'}, so that it brings no swap back",
                before=shown.get("UnitFileState") or "loaded",
                after=f"{action}{'ed' if action == 'mask' else 'd'}",
                apply=apply,
                remember=[("swap", name, was)],
            )
        )
    return steps


def _swap_off(system: System) -> None:
    for area in parse_swaps(system.read("/proc/swaps") or ""):
        result = system.run("swapoff", area["device"])
        if result.code != 0:
            raise HostError(
                f"Swap on {area['device']} cannot be switched off: {result.tail or 'swapoff failed'}. Evidence: {area['size_mb']} MiB in /proc/swaps."
                " Give the host more free memory (stop what uses it) or keep the swap: swap_state: kept. A reboot also leaves it off now."
            )
