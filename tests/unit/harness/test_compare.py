# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from harness.compare import announced, differences
from harness.playbook import Event


def event(status: str, task: str = "Converge", host: str = "w1", diff: bool = False) -> Event:
    return Event(
        host,
        "Prepare the hosts",
        task,
        "roles/kernel/tasks/main.yml:3",
        "slipway.kube.host_layer",
        status,
        diff,
        "",
        0.0,
    )


def test_equal_runs_do_not_differ() -> None:
    assert not differences([event("changed"), event("ok", "Look")], [event("changed"), event("ok", "Look")])


def test_a_change_that_was_not_announced_is_found() -> None:
    found = differences([event("ok")], [event("changed")])
    assert found == ["w1: Converge (roles/kernel/tasks/main.yml:3, in 'Prepare the hosts'): dry run ok, run changed"]


def test_a_change_that_did_not_come_is_found() -> None:
    assert "dry run changed, run skipped" in differences([event("changed")], [event("skipped")])[0]


def test_a_task_that_only_one_run_had_counts_when_it_changed() -> None:
    assert "dry run absent, run changed" in differences([], [event("changed")])[0]
    assert "dry run changed, run absent" in differences([event("changed")], [])[0]
    assert not differences([], [event("ok")])


def test_what_a_dry_run_skips_may_look_without_changing() -> None:
    assert not differences([event("skipped")], [event("ok")])


def test_a_task_that_runs_twice_is_compared_run_by_run() -> None:
    assert not differences([event("changed"), event("ok")], [event("changed"), event("ok")])
    assert len(differences([event("changed"), event("ok")], [event("ok"), event("changed")])) == 2


def test_hosts_are_kept_apart() -> None:
    assert len(differences([event("changed"), event("ok", host="w2")], [event("ok"), event("changed", host="w2")])) == 2


def test_a_failure_is_a_difference_even_in_both() -> None:
    assert differences([event("failed")], [event("failed")])


def test_a_silent_dry_run_neither_changes_nor_shows_a_difference() -> None:
    assert not announced([event("ok"), event("skipped")])
    assert announced([event("changed")])
    assert announced([event("ok", diff=True)])
