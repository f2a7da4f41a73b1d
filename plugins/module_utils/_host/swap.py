# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Swap: off now and after a reboot.

Swap is activated at boot by lines of fstab(5), by swap units, some of which are created by generators (from fstab, from the partition
table, by zram-generator), and by services that set up a swap area themselves (zram-tools, zram-config, dphys-swapfile).
https://kubernetes.io/docs/setup/production-environment/tools/kubeadm/install-kubeadm/#swap-configuration
"""

from __future__ import annotations

import os
import re
from typing import Iterator

from .facts.files import Files
from .facts.system import ADMIN_UNITS, LATE_UNITS, UNIT_FOLDERS, parse_fstab_swap, parse_swaps, zram_swaps
from .record import describe_file
from .step import Step
from .system import HostError, System
from .units import show_units

MARK = "# swap off (slipway.kube): "
SERVICES = ("zramswap.service", "zram-config.service", "zram-swap.service", "dphys-swapfile.service")
PROPERTIES = ("LoadState", "UnitFileState", "ActiveState", "FragmentPath", "SourcePath", "WantedBy", "RequiredBy")


def disable_fstab(text: str) -> str:
    """Return an fstab with the lines that activate swap commented out, marked for :func:`restore_fstab`."""
    swap = set(parse_fstab_swap(text))
    return "".join(
        MARK + line if line.rstrip("\n") in swap or line.strip() in swap else line
        for line in text.splitlines(keepends=True)
    )


def restore_fstab(text: str) -> str:
    """Return an fstab without the marks of :func:`disable_fstab`; other edits are kept."""
    return "".join(line[len(MARK) :] if line.startswith(MARK) else line for line in text.splitlines(keepends=True))


def active_swap(system: System) -> list[str]:
    """Return the devices and files of the active swap areas."""
    return [area["device"] for area in parse_swaps(system.read("/proc/swaps") or "")]


def unit_action(name: str, shown: dict[str, str], at_boot: bool = False) -> str:
    """Return what prevents a unit from activating swap at boot: "mask", "disable" or "" (nothing has to be done).

    A unit file in /etc/systemd/system cannot be masked.

    :param shown: properties of the unit.
    :param at_boot: whether a generator creates the unit at the next boot, even if it does not exist now, or comes from a line of fstab now.
    """
    if at_boot and shown.get("LoadState") != "masked":
        return "mask"
    if shown.get("LoadState") != "loaded" or shown.get("SourcePath") == "/etc/fstab":
        return ""
    pulled_in = bool(shown.get("WantedBy") or shown.get("RequiredBy"))
    if name.startswith("systemd-zram-setup@"):
        pulled_in = False
    enabled = shown.get("UnitFileState", "").startswith("enabled")
    if not pulled_in and not enabled and shown.get("ActiveState") not in ("active", "activating"):
        return ""
    if shown.get("FragmentPath", "").startswith(ADMIN_UNITS):
        return "disable" if pulled_in or enabled else ""
    return "mask"


def unit_names(listed: list[str]) -> list[str]:
    """Return the units that may activate swap, from the names of all unit files.

    These are swap units, the service that sets up each zram device, and the services in SERVICES.
    """
    found = {name for name in listed if name.endswith(".swap")}
    setups = {
        f"systemd-zram-setup@{match.group(1)}.service"
        for match in (re.fullmatch(r"dev-(zram\d+)\.swap", name) for name in found)
        if match
    }
    return sorted(found | setups | {name for name in SERVICES if name in listed})


def plan_swap(system: System, state: str, notes: list[str]) -> list[Step]:
    """Return the steps that turn swap off; none where ``state`` is "kept".

    In a container, active swap belongs to the surrounding machine: it is not changed, and a note is added.
    """
    if state == "kept":
        return []
    active = active_swap(system)
    if active and system.in_container:
        notes.append(f"Swap on {', '.join(active)} belongs to the machine that runs this container and is not changed.")
        active = []
    steps = [*_plan_fstab(system), *_plan_units(system)]
    if active:
        steps.append(
            Step(
                "active swap",
                f"swap on {', '.join(active)} turned off",
                lambda: _swap_off(system),
                before="\n".join(active),
                remember=[("swap", "active", active)],
            )
        )
    return steps


def _plan_fstab(system: System) -> Iterator[Step]:
    text = system.read("/etc/fstab") or ""
    wanted = disable_fstab(text)
    if wanted == text:
        return
    target = os.path.realpath(system.path("/etc/fstab"))

    def apply() -> None:
        info, path = os.stat(target), "/" + os.path.relpath(target, system.root)
        system.write(path, wanted.encode("utf-8"), info.st_mode & 0o7777, info.st_uid, info.st_gid)
        system.run("systemctl", "daemon-reload")

    yield Step(
        "file /etc/fstab",
        f"file /etc/fstab: {len(parse_fstab_swap(text))} line(s) of swap commented out",
        apply,
        before=text,
        after=wanted,
        remember=[("files", "/etc/fstab", describe_file(target))],
        paths=["/etc/fstab"],
    )


def _plan_units(system: System) -> Iterator[Step]:
    zram = [] if system.in_container else zram_swaps(Files(system.root))  # zram-generator does nothing in a container
    generated = {f"dev-{device}.swap" for device in zram}
    generated.update(name for name in system.names(LATE_UNITS) if name.endswith(".swap"))
    listed = {name for folder in UNIT_FOLDERS for name in system.names(folder)}
    for name, shown in show_units(system, unit_names(sorted(listed | generated)), PROPERTIES).items():
        action = unit_action(name, shown, name in generated)
        if not action:
            continue

        def apply(name: str = name, action: str = action) -> None:
            system.systemctl(action, name)
            system.run("systemctl", "daemon-reload")
            # Stopping a zram service also removes its swap area; other areas are turned off after the units.
            if not system.in_container:
                system.run("systemctl", "stop", name)

        done = "masked" if action == "mask" else "disabled"
        state = {"enabled": shown.get("UnitFileState", ""), "active": shown.get("ActiveState", ""), "done": action}
        yield Step(
            f"unit {name}",
            f"unit {name} {done}, so that it does not activate swap at boot",
            apply,
            before=shown.get("UnitFileState") or "loaded",
            after=done,
            remember=[("swap", name, state)],
        )


def _swap_off(system: System) -> None:
    for area in parse_swaps(system.read("/proc/swaps") or ""):
        result = system.run("swapoff", area["device"])
        if result.code != 0:
            raise HostError(
                f"Swap on {area['device']} cannot be turned off: {result.tail or 'swapoff failed'}. Evidence: {area['size_mb']} MiB in /proc/swaps."
                " Free some memory by stopping other processes, reboot the host (swap stays off then), or keep swap with swap_state: kept."
                " [slipway:swap_in_use]"
            )
