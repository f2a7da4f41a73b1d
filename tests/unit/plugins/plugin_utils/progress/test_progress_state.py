# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Events become the state of a run."""

from __future__ import annotations

import pytest

from ansible_collections.slipway.kube.plugins.plugin_utils.progress.state import HOLD, Message, Phase, Run

PLAYS = [("p1", "Prepare the hosts"), ("p2", "Join the workers")]


def taken(run, at):
    return [(item.kind, item.hosts, item.text) if isinstance(item, Message) else item.name for item in run.take(at)]


@pytest.fixture
def run():
    run = Run("cluster.yml", PLAYS, 100.0)
    run.play_started("p1", "Prepare the hosts", 100.0)
    run.task_started("t1", "Install packages")
    for host in ("cp1", "w1"):
        run.host_started(host, "t1", "raw", 101.0)
    return run


def test_hosts_work_until_their_task_ends(run):
    run.host_waits("w1", "attempt 2 of 5")
    run.host_ended("cp1", "t1", "raw", "changed", 104.0, ("one",))
    assert (run.hosts["cp1"].working, run.hosts["w1"].working) == (False, True)
    assert run.hosts["w1"].note == "attempt 2 of 5"
    assert run.hosts["w1"].step == "Install packages"
    assert [change.task for change in run.changes["cp1"]] == ["Install packages"]
    run.host_started("w1", "t2", "Free", 105.0)
    assert (run.hosts["w1"].step, run.hosts["w1"].note) == ("Free", "")


def test_what_a_module_says_ends_with_its_task(run):
    run.host_says("w1", "t1", ["waits for etcd"])
    run.host_says("cp1", "t0", ["of an earlier task"])
    run.host_says("w9", "t1", ["of a host that is gone"])
    assert {name: host.says for name, host in run.hosts.items()} == {"cp1": (), "w1": ("waits for etcd",)}
    run.host_ended("w1", "t1", "raw", "ok", 104.0)
    run.host_says("w1", "t1", ["too late"])
    assert run.hosts["w1"].says == ()


def test_the_slowest_host_of_a_task_is_kept(run):
    run.host_ended("cp1", "t1", "", "ok", 104.0)
    run.host_ended("w1", "t1", "", "ok", 111.0)
    run.host_ended("never-started", "t1", "", "skipped", 400.0)
    assert (run.steps["t1"].host, run.steps["t1"].seconds) == ("w1", 10.0)


def test_a_phase_ends_with_the_next_one_and_hosts_are_its_own(run):
    run.host_ended("cp1", "t1", "", "failed", 104.0)
    run.host_ended("w1", "t1", "", "unreachable", 104.0)
    run.play_started("p2", "Join the workers", 107.0)
    assert taken(run, 107.0) == ["Prepare the hosts"]
    first, second = run.phases
    assert (first.seconds, first.lost) == (7.0, {"cp1": "failed", "w1": "unreachable"})
    assert run.current is second and run.hosts == {}
    run.finish(109.0)
    assert taken(run, 109.0) == ["Join the workers"]
    assert run.lost == {"cp1": "failed", "w1": "unreachable"}


def test_batches_of_a_serial_play_are_one_phase(run):
    run.play_started("p1", "Prepare the hosts", 110.0)
    assert run.hosts == {} and run.take(110.0) == []
    run.host_started("w2", "t1", "", 110.0)
    run.finish(111.0)
    assert list(run.phases[0].hosts) == ["cp1", "w1", "w2"] and run.phases[0].seconds == 11.0


def test_a_play_that_was_not_announced_becomes_a_phase(run):
    run.play_started("p9", "Imported", 110.0)
    assert run.current is run.phases[2] and isinstance(run.take(110.0)[0], Phase)


def test_the_same_message_of_several_hosts_is_one(run):
    for host in ("cp1", "w1", "w1"):
        run.message("failed", host, "Install packages", "no space", 104.0)
    run.message("failed", "w2", "Install packages", "other", 104.2)
    assert run.take(104.5) == [], "others may still say the same"
    assert taken(run, 104.0 + HOLD) == [("failed", ["cp1", "w1"], "no space"), ("failed", ["w2"], "other")]
    assert run.take(200.0) == []


def test_the_next_task_completes_messages_at_once_and_before_the_phase(run):
    run.message("shown", "cp1", "Show", "plan", 104.0)
    run.task_started("t2", "Next")
    assert taken(run, 104.0) == [("shown", ["cp1"], "plan")]
    run.message("warning", "cp1", "Show", "late", 104.0)
    run.finish(104.0)
    assert taken(run, 104.0) == [("warning", ["cp1"], "late"), "Prepare the hosts"]


def test_rescued_and_ignored_failures_do_not_lose_a_host(run):
    run.host_ended("cp1", "t1", "", "rescued", 104.0)
    run.host_ended("w1", "t1", "", "ignored", 104.0)
    assert (run.rescued, run.ignored, run.lost) == (1, 1, {})


def test_a_diff_is_part_of_the_plan_in_check_mode_only(run):
    run.diff("cp1", "t1", "", "+a", 104.0)
    assert taken(run, 106.0) == [("diff", ["cp1"], "+a")]
    dry = Run("cluster.yml", PLAYS, 0.0, check=True)
    dry.diff("cp1", "t1", "", "+a", 1.0)
    dry.host_ended("cp1", "t1", "", "changed", 1.0)
    assert dry.changes["cp1"][0].diff == "+a" and dry.take(9.0) == []
