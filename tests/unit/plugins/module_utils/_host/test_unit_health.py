# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service that was started and does not work: told within seconds, with its reason, and its previous settings put back."""

from __future__ import annotations

import os
import time

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._host import unit_health
from ansible_collections.slipway.kube.plugins.module_utils._host.files import WantedFile
from ansible_collections.slipway.kube.plugins.module_utils._host.layer import Layer, WantedLayer
from ansible_collections.slipway.kube.plugins.module_utils._host.record import Record
from ansible_collections.slipway.kube.plugins.module_utils._host.system import HostError, Result, System
from ansible_collections.slipway.kube.plugins.module_utils._host.unit_health import (
    Health,
    has_ended,
    read_reasons,
    reasons,
    wait_for_health,
)
from ansible_collections.slipway.kube.plugins.module_utils._host.units import WantedUnit

ME = {"owner": str(os.getuid()), "group": str(os.getgid())}
DROPIN = "/etc/kubelet.conf.d/20.conf"
REFUSED = (
    'E1129 22:33:10.175460 27245 run.go:72] "command failed" err="cannot unmarshal string into Go struct field maxPods"'
)
HEALTH = Health("http://127.0.0.1:10248/healthz", "kubernetes_kubelet_config")


class Kubelet:
    """A host with a kubelet, which ends where its settings, or an option of its own, are bad."""

    def __init__(self, root, broken=False):
        self.root, self.broken = root, broken
        self.pid, self.started, self.restarts = 100, time.clock_gettime(time.CLOCK_MONOTONIC) - 60, 0
        (root / "etc/kubelet.conf.d").mkdir(parents=True)
        self.file = root / DROPIN.lstrip("/")
        self.file.write_text("good")
        os.utime(self.file, (1, 1))
        os.utime(self.file.parent, (1, 1))

    @property
    def runs(self):
        return not self.broken and self.file.exists() and "bad" not in self.file.read_text()

    def run(self, command, env):
        if command[0] == "journalctl":
            return Result(0, f"I1129 starts\n{REFUSED}\n" if not self.runs else "")
        if command[1] == "restart":
            self.pid, self.started, self.restarts = (
                self.pid + 1,
                time.clock_gettime(time.CLOCK_MONOTONIC),
                self.restarts + 1,
            )
        if command[1] == "show":
            states = ("active", "running") if self.runs or not self.restarts else ("activating", "auto-restart")
            return Result(
                0,
                f"LoadState=loaded\nActiveState={states[0]}\nSubState={states[1]}\nUnitFileState=enabled\nMainPID={self.pid}\nResult=exit-code\n"
                f"ExecMainStartTimestampMonotonic={int(self.started * 1e6)}\n",
            )
        return Result(0)

    def layer(self, content, **more):
        unit = WantedUnit("kubelet.service", restart_when_newer=[os.path.dirname(DROPIN)], health=HEALTH)
        wanted = WantedLayer(
            "kubernetes", files=[WantedFile(DROPIN, content=content, **ME), *more.get("files", [])], units=[unit]
        )
        return Layer(System(str(self.root), self.run), Record.load(str(self.root / "record")), wanted, lambda url: b"")


@pytest.fixture
def kubelet(tmp_path, monkeypatch):
    host = Kubelet(tmp_path)
    monkeypatch.setattr(unit_health, "answers", lambda port, path, host="": (port, path) == (10248, "/healthz"))
    monkeypatch.setattr(unit_health, "PAUSE", 0.0)
    monkeypatch.setattr(unit_health, "SETTLED", 0.0)
    monkeypatch.setattr(wait_for_health, "__defaults__", (0.2, 0.0))
    return host


def test_settings_with_which_the_kubelet_runs_stay(kubelet):
    done = kubelet.layer("better").run(check=False)
    assert done.as_dict()["restarted"] == ["kubelet.service"] and kubelet.restarts == 1
    assert not kubelet.layer("better").run(check=False).steps


def test_settings_that_it_refuses_are_put_back_and_its_reason_is_told(kubelet):
    with pytest.raises(HostError) as told:
        kubelet.layer("bad").run(check=False)
    assert kubelet.file.read_text() == "good" and kubelet.restarts == 2 and kubelet.runs
    for part in (
        DROPIN,
        "runs with the previous ones again",
        REFUSED,
        "(kubernetes_kubelet_config)",
        "[slipway:unit_settings]",
    ):
        assert part in str(told.value), part
    assert "I1129" not in str(told.value)
    assert kubelet.layer("better").run(check=False).steps and kubelet.file.read_text() == "better"


def test_a_file_that_the_unit_does_not_read_stays(kubelet):
    other = WantedFile("/etc/other", content="new", **ME)
    with pytest.raises(HostError):
        kubelet.layer("bad", files=[other]).run(check=False)
    assert (kubelet.root / "etc/other").read_text() == "new"


def test_it_is_said_if_it_does_not_run_with_the_previous_settings_either(kubelet):
    kubelet.broken = True
    with pytest.raises(HostError, match="does not run with them either") as told:
        kubelet.layer("worse").run(check=False)
    assert kubelet.file.read_text() == "good" and "[slipway:unit_settings]" in str(told.value)


def test_a_kubelet_that_ends_for_another_reason_is_told_without_putting_anything_back(kubelet):
    kubelet.file.write_text("better")  # an interrupted run wrote it, so that this one only restarts
    os.utime(kubelet.file.parent)
    kubelet.broken = True
    with pytest.raises(HostError, match=r"(?s)its process has ended.*command failed.*slipway:unit_failed"):
        kubelet.layer("better").run(check=False)
    assert kubelet.file.read_text() == "better"


def test_a_service_that_never_answers_is_told_after_the_deadline(kubelet, monkeypatch):
    monkeypatch.setattr(unit_health, "answers", lambda *_address, **_more: False)
    seen = wait_for_health(System(str(kubelet.root), kubelet.run), "kubelet.service", HEALTH, deadline=0.0)
    assert seen == "http://127.0.0.1:10248/healthz does not answer with status 200 after 0 seconds"


def test_an_answer_counts_once_it_has_lasted(kubelet, monkeypatch):
    answered = iter([True, False, True, True])
    monkeypatch.setattr(unit_health, "answers", lambda *_address, **_more: next(answered))
    system = System(str(kubelet.root), kubelet.run)
    assert wait_for_health(system, "kubelet.service", HEALTH, deadline=9.0, settled=0.0) == ""
    assert not list(answered)


@pytest.mark.parametrize(
    ("shown", "pid", "ended"),
    [
        ({"ActiveState": "active", "SubState": "running", "MainPID": "7"}, "", False),
        ({"ActiveState": "active", "SubState": "running", "MainPID": "7"}, "7", False),
        ({"ActiveState": "active", "SubState": "running", "MainPID": "8"}, "7", True),
        ({"ActiveState": "activating", "SubState": "auto-restart", "MainPID": "0"}, "", True),
        ({"ActiveState": "failed", "SubState": "failed", "MainPID": "0"}, "", True),
        ({"ActiveState": "activating", "SubState": "start", "MainPID": "7"}, "", False),
    ],
)
def test_when_a_process_has_ended(shown, pid, ended):
    assert has_ended(shown, pid) is ended


def test_the_lines_that_say_why():
    lines = [
        "I1129 22:33:10.1 1 server.go:1] starts",
        REFUSED,
        "panic: unrecognized feature gate: Nonsense",
        "",
        "goroutine 1 [running]:",
    ]
    assert reasons(lines) == lines[1:3]


def test_without_such_lines_the_last_ones_are_shown(kubelet, monkeypatch):
    system = System(str(kubelet.root), lambda command, env: Result(0, "one\n\ntwo\nthree\nfour\n"))
    assert read_reasons(system, "kubelet.service", 0) == "two\nthree\nfour"
