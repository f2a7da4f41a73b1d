# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps that restore a host's units, sysctls, kernel modules, swap and firewall from its record."""

from __future__ import annotations

import os
from functools import partial
from typing import Any
from xml.etree import ElementTree

from .._host.facts.kernel import parse_loaded
from .._host.footprint import MODULES
from .._host.record import Record, describe_file, restore_file
from .._host.step import Step
from .._host.swap import active_swap
from .._host.sysctls import normalize, proc_path
from .._host.system import HostError, System
from .._host.units import files_since_start, show_units
from .cluster import RUNTIME_UNIT

STATES = {
    "enable": "enabled",
    "disable": "disabled",
    "mask": "masked",
    "unmask": "unmasked",
    "start": "started",
    "stop": "stopped",
}
"""State of a unit after a verb of systemctl."""


class CannotRestore(HostError):
    """A thing that cannot be restored; the reset continues and reports it."""


def restore_verbs(was: dict[str, str], enabled: str, active: str) -> list[str]:
    """Return the verbs of systemctl that restore a unit.

    A unit that did not exist before is disabled and stopped, in case its package is kept.

    :param was: recorded state of the unit.
    :param enabled: its current UnitFileState.
    :param active: its current ActiveState.
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
    """Return the steps that restore recorded units."""
    steps = []
    for name, shown in show_units(system, sorted(units)).items():
        if shown.get("LoadState") == "not-found":
            continue
        for verb in restore_verbs(units[name], shown.get("UnitFileState", ""), shown.get("ActiveState", "inactive")):

            def apply(name: str = name, verb: str = verb) -> None:
                if verb in ("start", "enable"):
                    system.must("systemctl", "daemon-reload")
                system.systemctl(verb, name)

            sentence = f"unit {name} {STATES[verb]}"
            steps.append(Step(f"unit {name} {verb}", sentence, apply, _unit_text(shown), STATES[verb]))
    return steps


def plan_restarts(system: System, record: Record) -> list[Step]:
    """Return the steps that restart units that ran before, so that they read their restored configuration.

    These are a containerd that existed before, and NetworkManager, whose removed file shows in the time of its folder.
    """
    containerd = [path for path in record.before["files"] if path.startswith("/etc/containerd")]
    read = {RUNTIME_UNIT: containerd, "NetworkManager.service": ["/etc/NetworkManager/conf.d"]}
    units = [name for name in read if record.before["units"].get(name, {}).get("active") == "active"]
    steps = []
    for name, shown in show_units(system, units).items():
        newer = files_since_start(system, shown, read[name])
        if newer and shown.get("ActiveState") == "active":
            steps.append(
                Step(
                    f"unit {name} restart",
                    f"unit {name} restarted with its original configuration",
                    partial(system.must, "systemctl", "restart", name),
                    before=f"started before {', '.join(newer)} changed",
                    after="runs with the current files",
                )
            )
    return steps


def _unit_text(shown: dict[str, str]) -> str:
    return f"{shown.get('UnitFileState') or 'not enabled'}, {shown.get('ActiveState', 'inactive')}"


def plan_sysctls(system: System, record: Record, notes: list[str]) -> list[Step]:
    """Return the steps that restore sysctls: those that the roles set, and those that components of the cluster set by themselves."""
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
            f"Kernel-wide sysctls belong to the machine that runs this container and are not changed: {', '.join(shared)}."
        )
    wanted.update({key: value for key, value in record.before["sysctls"].items() if value is not None})
    steps = []
    for key, value in wanted.items():
        path, want = proc_path(key), normalize(value)
        text = system.read(path)
        now = normalize(text or "")
        if text is None or now == want:
            continue

        def apply(key: str = key, path: str = path, want: str = want, now: str = now) -> None:
            try:
                with open(system.path(path), "w", encoding="utf-8") as handle:
                    handle.write(want + "\n")
            except OSError as error:
                raise CannotRestore(
                    f"Kernel parameter {key} stays at {now}; it was {want}. Evidence: {path}: {error.strerror}."
                    " [slipway:not_restored]"
                ) from error

        steps.append(Step(f"sysctl {key}", f"sysctl {key} restored to {want}", apply, now, want))
    return steps


def plan_users(system: System, record: Record) -> list[Step]:
    """Return the steps that remove system users which the cluster created."""
    names = {line.split(":")[0] for line in (system.read("/etc/passwd") or "").splitlines()}
    return [
        Step(f"user {name}", f"user {name} removed", partial(system.must, "userdel", name), before="present")
        for name in record.before["users"]
        if name in names
    ]


def plan_modules(system: System, record: Record) -> list[Step]:
    """Return the steps that unload kernel modules that were not loaded; in a container they belong to the surrounding machine."""
    if system.in_container:
        return []
    loaded = parse_loaded(system.read("/proc/modules") or "")
    before = dict(record.before["modules"])
    if "modules" in record.footprint:  # records of earlier versions do not have them
        before = {**{name: name in record.footprint["modules"] for name in MODULES}, **before}
    steps = []
    for name, was_loaded in before.items():
        if was_loaded or name not in loaded:
            continue

        def apply(name: str = name) -> None:
            result = system.run("modprobe", "--remove", name)
            if result.code != 0:
                raise CannotRestore(
                    f"Kernel module {name} stays loaded until the next boot because it is in use. Evidence: {result.tail}."
                    " [slipway:not_restored]"
                )

        subject = f"kernel module {name}"
        steps.append(Step(subject, f"{subject} unloaded", apply, before="loaded", after="not loaded"))
    return steps


def plan_swap(system: System, record: Record) -> list[Step]:
    """Return the steps that turn swap on again."""
    before = record.before["swap"]
    steps: list[Step] = []
    for name, shown in show_units(system, sorted(key for key in before if key != "active")).items():
        was, verb = before[name], ""
        if was.get("done") == "mask" and shown.get("LoadState") == "masked":
            verb = "unmask"
        elif was.get("done") == "disable" and was.get("enabled", "").startswith("enabled"):
            verb = "enable" if shown.get("UnitFileState") == "disabled" else ""
        stopped = was.get("active") == "active" and shown.get("ActiveState") != "active" and not system.in_container
        if verb or stopped:
            apply = partial(_restore_swap_unit, system, name, verb, stopped)
            sentence = f"unit {name} activates swap again"
            steps.append(Step(f"swap unit {name}", sentence, apply, _unit_text(shown), "as it was before the cluster"))
    active = active_swap(system)
    missing = [device for device in before.get("active", []) if device not in active]
    if missing and not system.in_container:
        sentence = f"swap on {', '.join(missing)} turned on again"
        steps.append(Step("active swap", sentence, partial(_swap_on, system, missing), after="\n".join(missing)))
    return steps


def _restore_swap_unit(system: System, name: str, verb: str, start: bool) -> None:
    if verb:
        system.systemctl(verb, name)
    system.must("systemctl", "daemon-reload")
    if start and system.run("systemctl", "start", name).code != 0:
        status = system.run("systemctl", "status", name).tail
        raise CannotRestore(
            f"Unit {name} does not activate swap now. Evidence: {status}. A reboot may activate it."
            " [slipway:not_restored]"
        )


def _swap_on(system: System, devices: list[str]) -> None:
    system.run("swapon", "--all")  # with the priorities in fstab
    active = active_swap(system)
    for device in devices:
        if device not in active and system.run("swapon", device).code != 0:
            raise CannotRestore(
                f"Swap on {device} cannot be turned on again. Evidence: 'swapon {device}' failed. A reboot may turn it on."
                " [slipway:not_restored]"
            )


def plan_firewall(system: System, record: Record) -> list[Step]:
    """Return the steps that close what was opened in firewalld, in the configuration that did not have it before.

    If firewalld does not run, only its permanent configuration is left.
    """
    steps: list[Step] = []
    recorded = record.before["firewall"]
    if not recorded:
        return steps
    runs = system.run("firewall-cmd", "--state").code == 0
    commands = {"runtime": ["firewall-cmd"], "permanent": ["firewall-cmd", "--permanent"]} if runs else {}
    if not runs and system.has("firewall-offline-cmd"):
        commands = {"permanent": ["firewall-offline-cmd"]}
    files = {rule[len("file ") :]: was for rule, was in recorded.items() if rule.startswith("file ")}
    for rule, where in recorded.items():
        option, item, *named = rule.split(" ")
        zone = [f"--zone={name}" for name in (["trusted"] if option == "source" else named)]
        for place in where if isinstance(where, list) else ["runtime", "permanent"]:
            if option == "file" or place not in commands:
                continue
            command = [*commands[place], *zone]
            if system.run(*command, f"--query-{option}={item}").code == 0:
                sentence = f"firewalld: {option} {item} removed from its {place} configuration"
                apply = partial(system.must, *command, f"--remove-{option}={item}")
                steps.append(Step(f"firewalld {place} {rule}", sentence, apply, before="in force"))
    return steps + plan_zones(system, files, [*recorded])


def plan_zones(system: System, files: dict[str, dict[str, Any]], rules: list[str]) -> list[Step]:
    """Return the steps that restore the files of zones, of which firewall-cmd has left its own version when a rule is removed.

    A zone that others have changed since is left as it is.

    :param files: recorded descriptions of the files by path, see :func:`.._host.record.describe_file`.
    :param rules: keys of the record, of which those of rules are taken out of the zones before they are compared.
    """
    steps = []
    for path, was in files.items():
        name, old = os.path.basename(path), f"{path}.old"
        if name.endswith(".old") or describe_file(system.path(path)) == was:
            continue
        original = was.get("content") or system.read(f"/usr/lib/firewalld/zones/{name}") or ""
        if zone_content(system.read(path) or "", rules) == zone_content(original, []):
            restored = [(system.path(one), files[one]) for one in (path, old) if one in files]
            apply = partial(restore_files, restored)
            existed = was["state"] != "absent"
            sentence = f"{path} {'restored' if existed else 'removed'}"
            steps.append(Step(f"path {path}", sentence, apply, before="as firewall-cmd wrote it", paths=[path, old]))
    return steps


def restore_files(described: list[tuple[str, dict[str, Any]]]) -> None:
    """Restore files, see :func:`.._host.record.restore_file`."""
    for path, was in described:
        restore_file(path, was)


def zone_content(text: str, rules: list[str]) -> list[str]:
    """Return what a zone of firewalld contains, without the order, the layout, and what these rules of the record added.

    :param text: content of the zone's file (firewalld.zone(5)); text that is not XML is returned as it is.
    """
    try:
        zone = ElementTree.fromstring(text)
    except ElementTree.ParseError:
        return [text]
    added = set()
    for option, item, *_zone in (rule.split(" ") for rule in rules):
        port, _slash, protocol = item.partition("/")
        attributes = {
            "port": {"port": port, "protocol": protocol},
            "source": {"address": item},
            "protocol": {"value": item},
        }
        if option in attributes:
            added.add(_canonical(ElementTree.Element(option, attributes[option])))
    shape = _canonical(ElementTree.Element(zone.tag, zone.attrib))
    return [shape, *sorted({_canonical(element) for element in zone} - added)]


def _canonical(element: ElementTree.Element) -> str:
    """Return an element as text, with sorted attributes and without white space between tags."""
    return ElementTree.canonicalize(ElementTree.tostring(element, encoding="unicode"), strip_text=True)
