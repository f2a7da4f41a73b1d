# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Units: enabled, running, restarted when a file is newer than their start."""

from __future__ import annotations

import os
import time

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._host.system import HostError, Result, System
from ansible_collections.slipway.kube.plugins.module_utils._host.units import (
    WantedUnit,
    newer_files,
    parse_show,
    plan_units,
    show_units,
    started_at,
    unit_changes,
)

ACTIVE = {"LoadState": "loaded", "ActiveState": "active", "UnitFileState": "enabled"}


def test_blocks_of_systemctl_show_are_told_apart():
    text = "LoadState=loaded\nWantedBy=\nExecStart={ path=/a ; argv[]=/a --x=1 }\n\nLoadState=not-found\n"
    assert parse_show(text) == [
        {"LoadState": "loaded", "WantedBy": "", "ExecStart": "{ path=/a ; argv[]=/a --x=1 }"},
        {"LoadState": "not-found"},
    ]


def test_no_unit_asks_nothing():
    assert show_units(System(run=None), []) == {}


def test_the_start_is_told_on_the_clock_of_files():
    shown = {"ExecMainStartTimestampMonotonic": "4000000", "ActiveEnterTimestampMonotonic": "5000000"}
    assert started_at(shown, now=1000.0, monotonic_now=10.0) == 994.0
    assert (
        started_at({"ExecMainStartTimestampMonotonic": "0", "ActiveEnterTimestampMonotonic": "5000000"}, 1000.0, 10.0)
        == 995.0
    )
    assert started_at({}, 1000.0, 10.0) == 0.0


def test_only_files_changed_after_the_start_count():
    assert newer_files(100.0, {"/b": 100.5, "/a": 101.0, "/old": 99.0, "/same": 100.0}) == ["/a", "/b"]


@pytest.mark.parametrize(
    ("wanted", "have", "newer", "verbs"),
    [
        ({"enabled": True, "state": "started"}, {}, [], ["enable", "start"]),
        ({"enabled": True, "state": "started"}, ACTIVE, [], []),
        ({"enabled": True, "state": "started"}, ACTIVE, ["/etc/x"], ["restart"]),
        ({"enabled": True}, ACTIVE, ["/etc/x"], ["restart"]),
        ({"enabled": True}, dict(ACTIVE, ActiveState="activating"), ["/etc/x"], []),
        ({"enabled": True}, dict(ACTIVE, ActiveState="inactive", UnitFileState="disabled"), ["/etc/x"], ["enable"]),
        ({"state": "started"}, dict(ACTIVE, ActiveState="failed"), ["/etc/x"], ["start"]),
        ({"state": "stopped", "enabled": False}, ACTIVE, ["/etc/x"], ["disable", "stop"]),
        ({"state": "stopped"}, dict(ACTIVE, ActiveState="failed"), [], []),
        ({"enabled": True}, dict(ACTIVE, UnitFileState="static"), [], []),
        ({"masked": True}, ACTIVE, [], ["mask"]),
        (
            {"masked": False, "state": "started"},
            {"LoadState": "masked", "ActiveState": "inactive"},
            [],
            ["unmask", "start"],
        ),
    ],
)
def test_what_is_done_to_a_unit(wanted, have, newer, verbs):
    assert [verb for verb, *_rest in unit_changes(WantedUnit("x.service", **wanted), have, newer)] == verbs


class Host:
    def __init__(self, root, shown, fail=()):
        self.ran = []
        self.shown = shown
        self.fail = fail
        self.system = System(str(root), self.run)

    def run(self, command, env):
        self.ran.append(command)
        if command[:2] == ["systemctl", "show"]:
            return Result(0, "\n".join(f"{key}={value}" for key, value in self.shown.items()) + "\n")
        if command[0] == "journalctl":
            return Result(0, "toml: bad line 3")
        return Result(1, "", "Job failed") if command[1] in self.fail else Result(0)

    def verbs(self):
        return [command[1] for command in self.ran if command[0] == "systemctl" and command[1] != "show"]


def running(seconds):
    """Properties of a unit that was started this many seconds ago."""
    start = time.clock_gettime(time.CLOCK_MONOTONIC) - seconds
    return dict(ACTIVE, NeedDaemonReload="no", ExecMainStartTimestampMonotonic=str(int(start * 1e6)))


@pytest.mark.parametrize(("age", "restarts"), [(10, True), (100, False)])
def test_a_killed_runs_restart_is_made_up_for(tmp_path, age, restarts):
    config = tmp_path / "etc.conf"
    config.write_text("")
    os.utime(config, (time.time() - age, time.time() - age))
    host = Host(tmp_path, running(50))
    steps = plan_units(
        host.system, [WantedUnit("x.service", restart_when_newer=["/etc.conf", "/absent"])], set(), False
    )
    assert [step.sentence for step in steps] == (
        ["unit x.service restarted: /etc.conf changed since its start"] if restarts else []
    )
    for step in steps:
        step.apply()
    assert host.verbs() == (["daemon-reload", "reset-failed", "restart"] if restarts else [])
    assert [step.restarts for step in steps] == (["x.service"] if restarts else [])


def test_a_folders_time_tells_that_a_file_was_removed(tmp_path):
    (tmp_path / "drop.d").mkdir()
    host = Host(tmp_path, running(50))
    assert plan_units(host.system, [WantedUnit("x.service", restart_when_newer=["/drop.d"])], set(), False)


@pytest.mark.parametrize("watched", ["/drop.d", "/drop.d/a.conf"])
def test_a_check_run_counts_files_that_are_about_to_change(tmp_path, watched):
    host = Host(tmp_path, running(50))
    wanted = [WantedUnit("x.service", restart_when_newer=[watched])]
    assert plan_units(host.system, wanted, {"/drop.d/a.conf"}, False)
    assert not plan_units(host.system, wanted, {"/drop.d2/a.conf"}, False)


def test_a_file_from_the_future_asks_for_a_restart_only_once(tmp_path):
    config = tmp_path / "etc.conf"
    config.write_text("")
    os.utime(config, (time.time() + 3600, time.time() + 3600))
    steps = plan_units(
        Host(tmp_path, running(50)).system, [WantedUnit("x.service", restart_when_newer=["/etc.conf"])], set(), False
    )
    steps[0].apply()
    assert config.stat().st_mtime <= time.time()


def test_what_was_there_is_remembered(tmp_path):
    wanted = [WantedUnit("x.service", enabled=True, state="started")]
    new = plan_units(Host(tmp_path, {"LoadState": "not-found", "ActiveState": "inactive"}).system, wanted, set(), True)
    assert {step.remember[0][2]["enabled"] for step in new} == {"absent"}
    old = plan_units(Host(tmp_path, dict(ACTIVE, ActiveState="inactive")).system, wanted, set(), False)
    assert old[0].remember == [("units", "x.service", {"enabled": "enabled", "active": "inactive"})]


def test_a_unit_whose_file_this_layer_writes_is_there_soon(tmp_path):
    path = "/etc/systemd/system/x.timer"
    host = Host(tmp_path, {"LoadState": "not-found", "ActiveState": "inactive"})
    wanted = [WantedUnit("x.timer", enabled=True, state="started")]
    predicted = plan_units(host.system, wanted, {path}, False)
    assert [step.sentence for step in predicted] == ["unit x.timer enabled", "unit x.timer started"]
    (tmp_path / "etc/systemd/system").mkdir(parents=True)
    (tmp_path / path.lstrip("/")).write_text("[Timer]")
    assert [step.sentence for step in plan_units(host.system, wanted, set(), False)] == [
        step.sentence for step in predicted
    ]


def test_a_unit_that_is_not_there_and_will_not_be_is_an_error(tmp_path):
    host = Host(tmp_path, {"LoadState": "not-found"})
    with pytest.raises(HostError, match=r"no unit x\.service.*LoadState=not-found"):
        plan_units(host.system, [WantedUnit("x.service", enabled=True)], set(), False)


def test_a_start_that_fails_shows_the_journal(tmp_path):
    host = Host(tmp_path, dict(ACTIVE, ActiveState="inactive"), fail=("start",))
    steps = plan_units(host.system, [WantedUnit("x.service", state="started")], set(), False)
    with pytest.raises(
        HostError,
        match=r"(?s)'systemctl start x.service' failed: Job failed.*toml: bad line 3.*journalctl -u x.service",
    ):
        steps[0].apply()


@pytest.mark.parametrize(("link", "restarted"), [("/usr/bin/kubelet (deleted)", True), ("/usr/bin/kubelet", False)])
def test_a_unit_whose_program_was_replaced_is_restarted(tmp_path, link, restarted):
    (tmp_path / "proc/42").mkdir(parents=True)
    (tmp_path / "proc/42/exe").symlink_to(link)
    shown = "LoadState=loaded\nActiveState=active\nUnitFileState=enabled\nMainPID=42\n"
    system = System(str(tmp_path), run=lambda command, env: Result(0, shown))
    steps = plan_units(system, [WantedUnit("kubelet.service", restart_when_replaced=True)], set(), False)
    sentence = "unit kubelet.service restarted: /usr/bin/kubelet changed since its start"
    assert [step.sentence for step in steps] == ([sentence] if restarted else [])
    assert plan_units(system, [WantedUnit("kubelet.service")], set(), False) == []
