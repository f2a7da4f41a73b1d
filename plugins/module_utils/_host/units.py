# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""systemd units: enabled, running, and restarted when a file that they read has changed since their start.

Whether a restart is due follows from the times of the files and of the start, not from what a task has changed: if a run was
interrupted between writing a file and restarting its unit, the next run restarts it.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import Any

from .facts.packages import parse_show
from .step import Step
from .system import HostError, System
from .unit_health import Health, check_health

PROPERTIES = (
    "LoadState",
    "ActiveState",
    "UnitFileState",
    "NeedDaemonReload",
    "ExecMainStartTimestampMonotonic",
    "ActiveEnterTimestampMonotonic",
    "MainPID",
)


DELETED = " (deleted)"


@dataclass
class WantedUnit:
    """The desired state of a unit; a property that is None is not managed.

    :param state: "started" or "stopped".
    :param restart_when_newer: files that the unit reads, or folders of such files (the time of a folder also shows that a file was
        removed). An active unit is restarted if one of them has changed since its start; an inactive unit is not started.
    :param restart_when_replaced: restart an active unit whose program has been replaced since its start, by an update of its package.
    :param health: how to see whether it works after a start; None to not look.
    """

    name: str
    enabled: bool | None = None
    state: str | None = None
    masked: bool | None = None
    restart_when_newer: list[str] = field(default_factory=list)
    restart_when_replaced: bool = False
    health: Health | None = None

    @classmethod
    def from_options(cls, options: dict[str, Any]) -> WantedUnit:
        """Return the desired state that one item of the module's option ``units`` describes."""
        return cls(**{**options, "health": Health(**options["health"]) if options.get("health") else None})

    def reads(self, path: str) -> bool:
        """Return whether the unit reads a file."""
        return path in self.restart_when_newer or os.path.dirname(path) in self.restart_when_newer


def show_units(system: System, names: list[str], properties: tuple[str, ...] = PROPERTIES) -> dict[str, dict[str, str]]:
    """Return the properties of units by name, with one call of systemctl.

    :raises HostError: systemd does not respond.
    """
    if not names:
        return {}
    remedy = "The host must be booted with systemd."
    result = system.must("systemctl", "show", "--property=" + ",".join(properties), *names, remedy=remedy)
    return dict(zip(names, parse_show(result.out)))


def started_at(shown: dict[str, str], now: float, monotonic_now: float) -> float:
    """Return when the main process of a unit was started, in seconds since the epoch; 0.0 where it was not.

    The time comes from the monotonic clock, in microseconds: ``systemctl --timestamp`` exists since systemd 247, and RHEL 8 has 239.
    """
    for name in ("ExecMainStartTimestampMonotonic", "ActiveEnterTimestampMonotonic"):
        value = shown.get(name, "")
        if value.isdigit() and int(value):
            return now - (monotonic_now - int(value) / 1e6)
    return 0.0


def newer_files(started: float, modified: dict[str, float]) -> list[str]:
    """Return the files that have changed since a start.

    :param modified: time of each existing file, in seconds since the epoch.
    """
    return sorted(path for path, seconds in modified.items() if seconds > started)


def files_since_start(system: System, shown: dict[str, str], paths: list[str]) -> list[str]:
    """Return those of the paths that have changed since the start of a unit with these properties."""
    started = started_at(shown, time.time(), time.clock_gettime(time.CLOCK_MONOTONIC))
    return newer_files(started, {path: os.stat(system.path(path)).st_mtime for path in paths if system.exists(path)})


def replaced_program(system: System, shown: dict[str, str]) -> list[str]:
    """Return the program of a unit's main process if its file has been replaced since the start: the link to it then says so (proc(5))."""
    try:
        link = os.readlink(system.path(f"/proc/{int(shown.get('MainPID') or 0)}/exe"))
    except (OSError, ValueError):
        return []
    return [link[: -len(DELETED)]] if link.endswith(DELETED) else []


def plan_units(system: System, wanted: list[WantedUnit], changing: set[str], packages_planned: bool) -> list[Step]:
    """Return the steps that bring units into their desired state.

    :param changing: files that earlier steps of this layer change, possibly the unit's own; in check mode they have not been changed yet.
    :param packages_planned: whether packages are about to be installed, which may provide a unit that does not exist yet.
    :raises HostError: a unit does not exist.
    """
    shown = show_units(system, [item.name for item in wanted])
    steps: list[Step] = []
    for item in wanted:
        have = shown.get(item.name, {})
        own = f"/etc/systemd/system/{item.name}"
        planned = packages_planned or own in changing or system.exists(own)
        if have.get("LoadState") in ("not-found", None) and not planned:
            raise HostError(
                f"There is no unit {item.name} on this host. Evidence: systemctl show reports LoadState=not-found. Install the package that provides it."
                " [slipway:unit_missing]"
            )
        steps += _plan_unit(system, item, have, changing)
    return steps


def unit_changes(item: WantedUnit, have: dict[str, str], newer: list[str]) -> list[tuple[str, str, str, str]]:
    """Return the changes of a unit, in order: (verb of systemctl, sentence, before, after).

    :param have: properties of the unit; {} or LoadState=not-found for a unit that does not exist yet.
    :param newer: files that have changed since the start of the unit.
    """
    enabled = have.get("UnitFileState") or "absent"
    active = have.get("ActiveState") or "inactive"
    changes = []
    if item.masked and have.get("LoadState") != "masked":
        changes.append(("mask", "masked", enabled, "masked"))
    if item.masked is False and have.get("LoadState") == "masked":
        changes.append(("unmask", "unmasked", "masked", "not masked"))
    if item.enabled and not enabled.startswith(("enabled", "static", "alias", "indirect")):
        changes.append(("enable", "enabled", enabled, "enabled"))
    if item.enabled is False and enabled.startswith("enabled"):
        changes.append(("disable", "disabled", enabled, "disabled"))
    if item.state == "started" and active not in ("active", "reloading"):
        changes.append(("start", "started", active, "active"))
    elif item.state == "stopped" and active not in ("inactive", "failed"):
        changes.append(("stop", "stopped", active, "inactive"))
    elif newer and active in ("active", "reloading") and item.state != "stopped":
        sentence = f"restarted: {', '.join(newer)} changed since its start"
        changes.append(("restart", sentence, "runs with the previous files", "runs with the current files"))
    return changes


def _plan_unit(system: System, item: WantedUnit, have: dict[str, str], changing: set[str]) -> list[Step]:
    read = item.restart_when_newer
    about_to_change = {path for path in changing if item.reads(path)}
    newer = sorted(about_to_change.union(files_since_start(system, have, read)))
    newer += replaced_program(system, have) if item.restart_when_replaced else []
    exists = have.get("LoadState") not in ("not-found", None)
    was = {
        "enabled": (have.get("UnitFileState") or "absent") if exists else "absent",
        "active": have.get("ActiveState", "inactive") if exists else "absent",
    }
    reload = have.get("NeedDaemonReload") == "yes" or any(path.startswith("/etc/systemd/") for path in changing)
    steps = []
    for verb, sentence, before, after in unit_changes(item, have, newer):
        starts = verb in ("start", "restart")

        def apply(verb: str = verb, starts: bool = starts) -> None:
            if starts:
                start_unit(system, item, verb)
                return
            if reload:
                system.must("systemctl", "daemon-reload")
            _run_systemctl(system, verb, item.name)

        steps.append(
            Step(
                f"unit {item.name} {verb}",
                f"unit {item.name} {sentence}",
                apply,
                before,
                after,
                remember=[("units", item.name, was)],
                restarts=item.name if starts else "",
            )
        )
    return steps


def start_unit(system: System, item: WantedUnit, verb: str = "restart") -> None:
    """Start or restart a unit, and wait until it works where it is known how to see that.

    :raises UnhealthyUnit: it was started and does not work.
    :raises HostError: systemd does not start it.
    """
    system.must("systemctl", "daemon-reload")
    # A unit that failed too often while its configuration was wrong would refuse to start.
    system.run("systemctl", "reset-failed", item.name)
    _touch_future_files(system, item.restart_when_newer)
    since = time.time()
    _run_systemctl(system, verb, item.name)
    if item.health:
        check_health(system, item.name, item.health, since)


def _touch_future_files(system: System, paths: list[str]) -> None:
    """Set the time of files from the future (the clock was set back) to now; every run would restart the unit otherwise."""
    now = time.time()
    for path in paths:
        if system.exists(path) and os.stat(system.path(path)).st_mtime > now:
            os.utime(system.path(path))


def _run_systemctl(system: System, verb: str, name: str) -> None:
    result = system.systemctl(verb, name, check=False)
    if result.code == 0:
        return
    journal = system.run("journalctl", "--no-pager", "--lines=15", "--output=cat", "--unit=" + name)
    raise HostError(
        f"'systemctl {verb} {name}' failed: {result.tail}. Evidence: the last lines of its journal are:\n{journal.tail or '(none)'}\n"
        f"Correct what they report and run again; 'journalctl -u {name}' on the host shows more. [slipway:unit_failed]"
    )
