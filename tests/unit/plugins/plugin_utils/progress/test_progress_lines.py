# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines that stay, and the block at several widths."""

from __future__ import annotations

import pytest

from ansible_collections.slipway.kube.plugins.plugin_utils.progress.block import ASCII, UNICODE, block_lines, remaining
from ansible_collections.slipway.kube.plugins.plugin_utils.progress.lines import (
    item_lines,
    message_lines,
    start_lines,
    stopped_lines,
    summary_lines,
)
from ansible_collections.slipway.kube.plugins.plugin_utils.progress.state import Message, Run
from ansible_collections.slipway.kube.plugins.plugin_utils.progress.text import width

PLAYS = [("p1", "Prepare the hosts"), ("p2", "Create the control plane"), ("p3", "Join the workers")]


def running(hosts, check=False):
    run = Run("cluster.yml", PLAYS, 0.0, check)
    run.play_started("p1", "Prepare the hosts", 0.0)
    run.task_started("t1", "Install kubeadm, kubelet and kubectl and configure the kubelet")
    for number in range(hosts):
        run.host_started(f"w{number}", "t1", "", float(number) / 10)
    return run


def texts(lines):
    return [line.text for line in lines]


def test_a_few_hosts_have_a_line_each_and_it_says_for_whom_they_wait():
    run = running(3)
    run.host_ended("w1", "t1", "", "ok", 5.0)
    run.host_ended("w2", "t1", "", "failed", 5.0)
    run.host_waits("w0", "attempt 2 of 5")
    assert texts(block_lines(run, 41.0, 80, 24)) == [
        "> 1/3 Prepare the hosts  0:41",
        "  w0   0:41  Install kubeadm, kubelet and kubectl and configure the kubelet,..",
        "  w1         done: Install kubeadm, kubelet and kubectl and configure the kub..",
        "  w2         failed: Install kubeadm, kubelet and kubectl and configure the k..",
        "  Waiting for w0",
        "  Next: Create the control plane, Join the workers",
    ]


def test_what_modules_say_is_below_their_hosts_where_there_is_room():
    run = running(2)
    run.host_says("w0", "t1", ["2 of 4 ready", "Deployment shop/web: 1 of 3 replicas are ready \x1b[2J(crash loop)"])
    run.host_says("w1", "t1", ["drains node w1"])
    block = texts(block_lines(run, 41.0, 80, 24))
    assert block[1:5] == [
        "  w0   0:41  Install kubeadm, kubelet and kubectl and configure the kubelet",
        "               2 of 4 ready",
        "               Deployment shop/web: 1 of 3 replicas are ready (crash loop)",
        "  w1   0:41  Install kubeadm, kubelet and kubectl and configure the kubelet",
    ]
    assert texts(block_lines(run, 41.0, 80, 6))[1:4] == [block[1], block[2], block[4]]


def test_a_hundred_hosts_are_grouped_by_their_step():
    run = running(100)
    for number in range(40):
        run.host_ended(f"w{number}", "t1", "", "ok", 20.0)
    run.host_ended("w40", "t1", "", "unreachable", 20.0)
    for number in range(90, 100):
        run.host_started(f"w{number}", "t2", "Restart the kubelet", 30.0)
    assert texts(block_lines(run, 41.0, 80, 24)) == [
        "> 1/3 Prepare the hosts  0:41",
        "  49 hosts: Install kubeadm, kubelet and kubectl and config..; slowest w41 0:37",
        "  10 hosts: Restart the kubelet; slowest w90 0:11",
        "  1 host unreachable: w40",
        "  Other hosts: 40 done",
        "  Next: Create the control plane, Join the workers",
    ]


def test_estimates_fill_a_bar_and_say_what_is_left():
    run = running(1)
    for phase, seconds in zip(run.phases, (60.0, 20.0, 10.0), strict=True):
        phase.estimate = seconds
    block = texts(block_lines(run, 30.0, 80, 24, UNICODE))
    assert block[0] == "▶ 1/3 Prepare the hosts  0:30  ██████████░░░░░░░░░░  of 1:00"
    assert block[-1] == "  About 1:00 left.  Next: Create the control plane, Join the workers"
    assert "#####-----" in block_lines(run, 30.0, 80, 24, ASCII)[0].text
    assert "(1:00 in earlier runs)" in block_lines(run, 70.0, 80, 24)[0].text
    assert remaining(run, 70.0) == 30.0
    run.phases[2].estimate = None
    assert remaining(run, 70.0) is None


@pytest.mark.parametrize("columns", [1, 10, 20, 40, 80, 200])
@pytest.mark.parametrize("rows", [1, 2, 5, 24])
@pytest.mark.parametrize("hosts", [0, 1, 8, 9, 100])
@pytest.mark.parametrize("name", ["Prepare", "準備する" * 30])
def test_the_block_is_never_larger_than_the_terminal(columns, rows, hosts, name):
    run = running(hosts)
    run.phases[0].name, run.phases[0].estimate = name, 60.0
    for host in list(run.hosts):
        run.host_says(host, "t1", [name * 9] * 20)
    lines = block_lines(run, 5.0, columns, rows, UNICODE)
    assert 0 < len(lines) <= max(rows - 1, 1)
    assert max(width(line.text) for line in lines) <= columns - 1


def test_there_is_no_block_between_phases():
    run = running(2)
    run.end_phase(3.0)
    assert block_lines(run, 4.0, 80, 24) == []


def test_a_problem_has_its_message_on_lines_of_their_own():
    message = Message(
        "failed", "Check all hosts", "The disk is full.\nRemedy: remove \x1b[31mfiles.", 0.0, ["cp1", "w1"]
    )
    assert texts(message_lines(message, None)) == [
        "FAILED cp1, w1: Check all hosts",
        "  The disk is full.",
        "  Remedy: remove files.",
    ]
    assert {line.style for line in message_lines(message, 80)} == {"problem"}


def test_a_shown_text_of_one_line_needs_no_title():
    assert texts(message_lines(Message("shown", "Show", "ready", 0.0, ["cp1"]), 80)) == ["cp1: ready"]
    assert texts(message_lines(Message("shown", "Show", "a\nb", 0.0, ["cp1"]), 80)) == ["cp1: Show", "  a", "  b"]


def ended(run, outcomes):
    for number, outcome in enumerate(outcomes):
        changes = ("Install kubeadm", "Write a file") if outcome == "changed" else ()
        run.host_ended(f"w{number}", "t1", "", outcome, 33.0, changes)
    run.finish(41.0)
    return [text for item in run.take(41.0) for text in texts(item_lines(run, item, None))]


def test_a_phase_is_one_line_and_one_per_group_of_hosts():
    assert ended(running(2), ["ok", "ok"]) == ["Prepare the hosts: 0:41, ok: w0, w1"]
    assert ended(running(4), ["ok", "changed", "failed", "unreachable"]) == [
        "Prepare the hosts: 0:41",
        "  ok: w0",
        "  changed: w1",
        "  failed: w2",
        "  unreachable: w3",
    ]
    empty = Run("x.yml", PLAYS, 0.0)
    empty.play_started("p1", "Nobody", 0.0)
    empty.finish(0.0)
    assert texts(item_lines(empty, empty.take(0.0)[0], None)) == ["Nobody: no hosts"]


def test_the_summary_says_what_changed_where_and_how_long_it_took():
    run = running(3)
    ended(run, ["changed", "changed", "ok"])
    task = "Install kubeadm, kubelet and kubectl and configure the kubelet"
    assert texts(summary_lines(run, {"Record": "/r", "Whole output": "/logs/a.log"}, None)) == [
        "",
        "w0, w1, each: 1 change",
        f"  {task}",
        "",
        "Done in 0:41; 2 of 3 hosts changed",
        f"Slowest: 0:33 w0: {task}",
        "Record: /r",
        "Whole output: /logs/a.log",
    ]


def test_the_control_node_is_a_host_only_where_something_happened_to_it():
    run = running(2)
    run.host_ended("localhost", "t0", "Check the inventory", "ok", 1.0)
    ended(run, ["changed", "ok"])
    assert "Done in 0:41; 1 of 2 hosts changed" in texts(summary_lines(run, {}, None))
    run.host_ended("localhost", "t0", "Write the inventory", "changed", 1.0)
    assert "Done in 0:41; 2 of 3 hosts changed" in texts(summary_lines(run, {}, None))


def test_a_task_that_runs_once_fails_for_all_hosts():
    run = running(2)
    run.host_ended("w1", "t0", "Gather facts", "ok", 1.0)
    run.host_ended("w0", "t1", "Check all hosts", "failed", 2.0, for_all=True)
    run.finish(41.0)
    assert texts(item_lines(run, run.take(41.0)[0], None)) == ["Prepare the hosts: 0:41, failed: w0, w1"]
    assert "Failed in 0:41; failed: w0, w1; nothing changed" in texts(summary_lines(run, {}, None))


def test_a_host_that_was_lost_before_keeps_its_reason():
    run = running(3)
    run.host_ended("w1", "t0", "Gather facts", "unreachable", 1.0)
    run.host_ended("w2", "t0", "Gather facts", "ok", 1.0)
    run.host_ended("w0", "t1", "Check all hosts", "failed", 2.0, for_all=True)
    assert run.lost == {"w1": "unreachable", "w0": "failed", "w2": "failed"}


def test_a_failed_run_says_where_it_failed():
    run = running(4)
    ended(run, ["failed", "unreachable", "rescued", "ignored"])
    assert (
        "Failed in 0:41; failed: w0; unreachable: w1; nothing changed; 1 failure rescued; 1 failure ignored"
        in texts(summary_lines(run, {"Whole output": "x"}, None))
    )
    assert "Not started: Create the control plane, Join the workers" in texts(
        summary_lines(run, {"Whole output": "x"}, None)
    )
    assert texts(stopped_lines(running(1), 5.0, None))[0] == 'Stopped after 0:05 in phase "Prepare the hosts".'


def test_a_dry_run_is_a_plan_and_nothing_else():
    run = running(3, check=True)
    run.diff("w0", "t1", "", "--- before\n+++ after\n+new", 1.0)
    for host in ("w1", "w2"):
        run.host_ended(host, "t2", "Ask the kubelet", "skipped", 2.0, (), "runs only outside check mode")
    assert ended(run, ["changed", "ok", "ok"]) == []
    assert texts(summary_lines(run, {"Whole output": "x"}, None)) == [
        "",
        "Prepare the hosts",
        "  w0 would change:",
        "    Install kubeadm, kubelet and kubectl and configure the kubelet",
        "      - Install kubeadm",
        "      - Write a file",
        "      --- before",
        "      +++ after",
        "      +new",
        "",
        "Known only in a real run:",
        "  - Prepare the hosts: w1, w2: Ask the kubelet",
        "",
        "Planned in 0:41; 1 of 3 hosts would change; known only in a real run: w1, w2",
        "Whole output: x",
    ]
    assert "nothing is changed" in start_lines(run, 90.0)[0].text and "1:30" in start_lines(run, 90.0)[0].text
