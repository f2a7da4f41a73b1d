# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps that return a host's units, sysctls, kernel modules, swap and firewall to what its record says."""

from __future__ import annotations

import os
import time
from functools import partial
from typing import Any

from .._host.facts.system import parse_swaps
from .._host.record import Record
from .._host.step import Step
from .._host.sysctls import normal, proc_path
from .._host.system import HostError, System
from .._host.units import newer_files, show_units, started_at


class CannotRestore(HostError):
    """Something that this host does not let go back to what it was; the rest goes on, and it is said."""


def decide_unit(was: dict[str, str], enabled: str, active: str) -> list[str]:
    """Return the verbs of systemctl that bring a unit back; ``was`` is its record, the others are what systemd says now.

    A unit that was not there is disabled and stopped as long as its package stays.
    """
    before = was.get("enabled", "absent")
    verbs = []
    if before.startswith("masked") != enabled.startswith("masked"):
        verbs.append("mask" if before.startswith("masked") else "unmask")
    if before.startswith("enabled") and not enabled.startswith("enabled"):
        verbs.append("enable")
    elif before in ("disabled", "absent") and enabled.startswith("enabled"):
        verbs.append("disable")
    if was.get("active") in ("active", "reloading", "activating"):
        if active not in ("active", "reloading", "activating"):
            verbs.append("start")
    elif active not in ("inactive", "failed"):
        verbs.append("stop")
    return verbs


def plan_units(system: System, units: dict[str, dict[str, str]]) -> list[Step]:
    """The steps that bring recorded units back."""
    steps = []
    for name, shown in show_units(system, sorted(units)).items():
        if shown.get("LoadState") == "not-found":
            continue
        for verb in decide_unit(units[name], shown.get("UnitFileState", ""), shown.get("ActiveState", "inactive")):
            state = {
                "enable": "enabled",
                "disable": "disabled",
                "mask": "masked",
                "unmask": "unmasked",
                "start": "started",
                "stop": "stopped",
            }[verb]

            def apply(name: str = name, verb: str = verb) -> None:
                if verb in ("start", "enable"):
                    system.must("systemctl", "daemon-reload")
                system.must("systemctl", verb, name)

            steps.append(
                Step(f"unit {name} {verb}", f"unit {name} {state}", apply, before=_unit_text(shown), after=state)
            )
    return steps


def plan_runtime_restart(system: System, record: Record) -> list[Step]:
    """The step that lets a containerd that was there before read its own configuration again."""
    unit = "containerd.service"
    if record.before["units"].get(unit, {}).get("active") != "active":
        return []
    shown = show_units(system, [unit])[unit]
    paths = [
        path
        for path in record.before["files"]
        if path.startswith("/etc/containerd") and os.path.exists(system.path(path))
    ]
    started = started_at(shown, time.time(), time.clock_gettime(time.CLOCK_MONOTONIC))
    newer = newer_files(started, {path: os.stat(system.path(path)).st_mtime for path in paths})
    if not newer or shown.get("ActiveState") != "active":
        return []
    return [
        Step(
            subject=f"unit {unit} restart",
            sentence=f"unit {unit} restarted with its own configuration",
            before=f"started before {', '.join(newer)} changed",
            after="runs with the files as they are",
            apply=partial(system.must, "systemctl", "restart", unit),
        )
    ]


def _unit_text(shown: dict[str, str]) -> str:
    return f"{shown.get('UnitFileState') or 'not enabled'}, {shown.get('ActiveState', 'inactive')}"


def plan_sysctls(system: System, record: Record, notes: list[str]) -> list[Step]:
    """The steps that set sysctls back: those that the roles set, and those that the cluster's parts set by themselves."""
    wanted: dict[str, Any] = {}
    shared = []
    for key, value in record.footprint.get("sysctls", {}).items():
        if system.in_container and not key.startswith("net."):
            if (system.read(proc_path(key)) or "").split() != value.split():
                shared.append(f"{key} (was {value})")
        else:
            wanted[key] = value
    if shared:
        notes.append(
            f"Kernel-wide sysctls belong to the machine that runs this container and are left alone: {', '.join(shared)}."
        )
    wanted.update({key: value for key, value in record.before["sysctls"].items() if value is not None})
    steps = []
    for key, value in wanted.items():
        path = proc_path(key)
        now = system.read(path)
        if now is None or normal(now) == normal(value):
            continue

        def apply(key: str = key, path: str = path, value: str = value, now: str = now) -> None:
            try:
                with open(system.path(path), "w", encoding="utf-8") as handle:
                    handle.write(normal(value) + "\n")
            except OSError as error:
                evidence = f"Evidence: {path}: {error.strerror}."
                raise CannotRestore(
                    f"Kernel parameter {key} stays at {normal(now)}; it was {value}. {evidence}"
                ) from error

        steps.append(
            Step(
                f"sysctl {key}",
                f"sysctl {key} set back to {normal(value)}",
                apply,
                before=normal(now),
                after=normal(value),
            )
        )
    return steps


def plan_modules(system: System, record: Record) -> list[Step]:
    """The steps that unload kernel modules that were not loaded; in a container they are the surrounding machine's."""
    if system.in_container:
        return []
    loaded = {line.split()[0] for line in (system.read("/proc/modules") or "").splitlines() if line.split()}
    steps = []
    for name, was in record.before["modules"].items():
        if was or name not in loaded:
            continue

        def apply(name: str = name) -> None:
            result = system.run("modprobe", "--remove", name)
            if result.code != 0:
                raise CannotRestore(
                    f"Kernel module {name} stays loaded until the next boot: something else uses it. Evidence: {result.tail}."
                )

        steps.append(
            Step(f"kernel module {name}", f"kernel module {name} unloaded", apply, before="loaded", after="not loaded")
        )
    return steps


def plan_swap(system: System, record: Record) -> list[Step]:
    """The steps that switch swap on again, as it was."""
    before = record.before["swap"]
    steps: list[Step] = []
    for name, shown in show_units(system, sorted(key for key in before if key != "active")).items():
        was = before[name]
        undone = "unmask" if was.get("done") == "mask" and shown.get("LoadState") == "masked" else ""
        if (
            was.get("done") == "disable"
            and was.get("enabled", "").startswith("enabled")
            and shown.get("UnitFileState") == "disabled"
        ):
            undone = "enable"
        stopped = was.get("active") == "active" and shown.get("ActiveState") != "active" and not system.in_container
        if undone or stopped:

            def apply(name: str = name, undone: str = undone, stopped: bool = stopped) -> None:
                if undone:
                    system.must("systemctl", undone, name)
                system.must("systemctl", "daemon-reload")
                if stopped and system.run("systemctl", "start", name).code != 0:
                    raise CannotRestore(
                        f"Unit {name} brings no swap back now. Evidence: {system.run('systemctl', 'status', name).tail}. A reboot may."
                    )

            steps.append(
                Step(
                    f"swap unit {name}",
                    f"unit {name} brings swap again",
                    apply,
                    before=_unit_text(shown),
                    after="as it was",
                )
            )
    active = [area["device"] for area in parse_swaps(system.read("/proc/swaps") or "")]
    missing = [device for device in before.get("active", []) if device not in active]
    if missing and not system.in_container:

        def swap_on() -> None:
            system.run("swapon", "--all")  # with the priorities that fstab gives
            now = [area["device"] for area in parse_swaps(system.read("/proc/swaps") or "")]
            for device in missing:
                if device not in now and system.run("swapon", device).code != 0:
                    raise CannotRestore(
                        f"Swap on {device} cannot be switched on again. Evidence: swapon {device} failed. A reboot may bring it back."
                    )

        steps.append(
            Step("active swap", f"swap on {', '.join(missing)} switched on again", swap_on, after="\n".join(missing))
        )
    return steps


def plan_firewall(system: System, record: Record) -> list[Step]:
    """The steps that close what was opened in firewalld, in the configuration in which it was not before."""
    steps: list[Step] = []
    if not record.before["firewall"] or system.run("firewall-cmd", "--state").code != 0:
        return steps
    for rule, where in record.before["firewall"].items():
        option, _blank, item = rule.partition(" ")
        zone = ["--zone=trusted"] if option == "source" else []
        for place in where if isinstance(where, list) else ["runtime", "permanent"]:
            command = ["firewall-cmd", *(["--permanent"] if place == "permanent" else []), *zone]
            if system.run(*command, f"--query-{option}={item}").code == 0:
                steps.append(
                    Step(
                        f"firewalld {place} {rule}",
                        f"firewalld: {option} {item} taken out of its {place} configuration",
                        partial(system.must, *command, f"--remove-{option}={item}"),
                        before="in force",
                    )
                )
    return steps
