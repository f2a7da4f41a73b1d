# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Units of systemd: enabled, running, and started again when a file that they read is newer than their start.

That a restart is due is told from times, never from "a task has changed something": so a run that ended between writing a file
and restarting its unit is finished by the next one.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import Any

from .step import Step
from .system import HostError, System

PROPERTIES = (
    "LoadState",
    "ActiveState",
    "SubState",
    "UnitFileState",
    "NeedDaemonReload",
    "ExecMainStartTimestampMonotonic",
    "ActiveEnterTimestampMonotonic",
)


@dataclass
class WantedUnit:
    """What a unit should be; None leaves a property as it is.

    ``state`` is "started" or "stopped". ``restart_when_newer`` are the files it reads, or folders of such files (a folder's time also
    tells that a file in it was removed): an active unit is restarted if one of them was changed after its start; a unit that is not
    active is not started for that.
    """

    name: str
    enabled: bool | None = None
    state: str | None = None
    masked: bool | None = None
    restart_when_newer: list[str] = field(default_factory=list)


def show_units(system: System, names: list[str], properties: tuple[str, ...] = PROPERTIES) -> dict[str, dict[str, str]]:
    """Properties of units by unit name, with one call of systemctl; {} where no unit is asked for.

    Raises HostError where systemd does not answer.
    """
    if not names:
        return {}
    result = system.must(
        "systemctl",
        "show",
        "--property=" + ",".join(properties),
        *names,
        remedy="The host must be booted with systemd.",
    )
    return dict(zip(names, parse_show(result.out)))


def parse_show(text: str) -> list[dict[str, str]]:
    """The blocks of ``systemctl show``: one dictionary per unit, in the order asked for."""
    return [
        dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        for block in text.strip("\n").split("\n\n")
    ]


def started_at(shown: dict[str, str], now: float, monotonic_now: float) -> float:
    """When a unit's main process was started, in seconds since the epoch; 0.0 where it was not.

    systemd tells microseconds only on the monotonic clock (``--timestamp`` came with 247, RHEL 8 has 239).
    """
    for name in ("ExecMainStartTimestampMonotonic", "ActiveEnterTimestampMonotonic"):
        value = shown.get(name, "")
        if value.isdigit() and int(value):
            return now - (monotonic_now - int(value) / 1e6)
    return 0.0


def newer_files(started: float, modified: dict[str, float]) -> list[str]:
    """The files that were changed after a start; ``modified`` is {path: seconds since the epoch} of those that there are."""
    return sorted(path for path, seconds in modified.items() if seconds > started)


def plan_units(system: System, wanted: list[WantedUnit], changing: set[str], coming: bool) -> list[Step]:
    """The steps that bring units into their state.

    ``changing``: files that earlier steps of this layer change (a check run has not changed them). ``coming``: whether packages are
    about to be installed, which may bring a unit that is not there yet.
    Raises HostError for a unit that is not there and will not be.
    """
    names = [item.name for item in wanted]
    shown = show_units(system, names)
    steps: list[Step] = []
    for item in wanted:
        have = shown.get(item.name, {})
        if have.get("LoadState") in ("not-found", None) and not coming:
            raise HostError(
                f"There is no unit {item.name} on this host. Evidence: systemctl show says LoadState=not-found. Install the package that brings it."
            )
        steps += _plan_unit(system, item, have, changing)
    return steps


def decide(item: WantedUnit, have: dict[str, str], newer: list[str]) -> list[tuple[str, str, str, str]]:
    """What to do with a unit: (verb of systemctl, sentence, before, after) in order.

    ``have`` are its properties, {} or LoadState=not-found for one that is yet to come; ``newer`` the files newer than its start.
    """
    enabled = have.get("UnitFileState") or "absent"
    active = have.get("ActiveState") or "inactive"
    todo = []
    if item.masked and have.get("LoadState") != "masked":
        todo.append(("mask", "masked", enabled, "masked"))
    if item.masked is False and have.get("LoadState") == "masked":
        todo.append(("unmask", "unmasked", "masked", "not masked"))
    if item.enabled and not enabled.startswith(("enabled", "static", "alias", "indirect")):
        todo.append(("enable", "enabled", enabled, "enabled"))
    if item.enabled is False and enabled.startswith("enabled"):
        todo.append(("disable", "disabled", enabled, "disabled"))
    if item.state == "started" and active not in ("active", "reloading"):
        todo.append(("start", "started", active, "active"))
    elif item.state == "stopped" and active not in ("inactive", "failed"):
        todo.append(("stop", "stopped", active, "inactive"))
    elif newer and active in ("active", "reloading") and item.state != "stopped":
        todo.append(
            (
                "restart",
                f"restarted: {', '.join(newer)} changed since its start",
                "runs with older files",
                "runs with the files as they are",
            )
        )
    return todo


def _plan_unit(system: System, item: WantedUnit, have: dict[str, str], changing: set[str]) -> list[Step]:
    modified = {
        path: os.stat(system.path(path)).st_mtime
        for path in item.restart_when_newer
        if os.path.exists(system.path(path))
    }
    newer = newer_files(started_at(have, time.time(), time.clock_gettime(time.CLOCK_MONOTONIC)), modified)
    newer = sorted(
        set(newer)
        | {
            path
            for path in changing
            if path in item.restart_when_newer or os.path.dirname(path) in item.restart_when_newer
        }
    )
    there = have.get("LoadState") not in ("not-found", None)
    was: dict[str, Any] = {
        "enabled": (have.get("UnitFileState") or "absent") if there else "absent",
        "active": have.get("ActiveState", "inactive") if there else "absent",
    }
    reload = have.get("NeedDaemonReload") == "yes" or any(path.startswith("/etc/systemd/") for path in changing)
    steps = []
    for verb, sentence, before, after in decide(item, have, newer):

        def apply(verb: str = verb) -> None:
            if reload or verb in ("start", "restart"):
                system.must("systemctl", "daemon-reload")
            if verb in ("start", "restart"):
                # Without this, a unit that failed often enough before its configuration was right refuses to start.
                system.run("systemctl", "reset-failed", item.name)
                _touch_future_files(system, item.restart_when_newer)
            _systemctl(system, verb, item.name)

        steps.append(
            Step(
                subject=f"unit {item.name} {verb}",
                sentence=f"unit {item.name} {sentence}",
                before=before,
                after=after,
                apply=apply,
                remember=[("units", item.name, was)],
                restarts=item.name if verb in ("start", "restart") else "",
            )
        )
    return steps


def _touch_future_files(system: System, paths: list[str]) -> None:
    """A file from the future (the clock was set back) would ask for a restart for ever."""
    now = time.time()
    for path in paths:
        target = system.path(path)
        if os.path.exists(target) and os.stat(target).st_mtime > now:
            os.utime(target)


def _systemctl(system: System, verb: str, name: str) -> None:
    result = system.run("systemctl", verb, name)
    if result.code == 0:
        return
    journal = system.run("journalctl", "--no-pager", "--lines=15", "--output=cat", "--unit=" + name)
    raise HostError(
        f"'systemctl {verb} {name}' failed: {result.tail}. Evidence, its last lines in the journal:\n{journal.tail or '(none)'}\n"
        f"Correct what they name and run again; 'journalctl -u {name}' on the host shows more."
    )
