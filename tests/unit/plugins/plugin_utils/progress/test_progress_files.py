# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is kept between runs: durations without names, and logs that only their owner reads."""

from __future__ import annotations

import json

from ansible_collections.slipway.kube.plugins.plugin_utils.progress.history import (
    KINDS,
    RUNS,
    digest,
    estimates,
    expected,
    load,
    phase_names,
    remembered,
    save,
)
from ansible_collections.slipway.kube.plugins.plugin_utils.progress.log import log_in, prune
from ansible_collections.slipway.kube.plugins.plugin_utils.progress.state import Run

PLAYS = [("p1", "Secret customer"), ("p2", "Second"), ("p3", "Second")]


def finished(seconds):
    run = Run("x.yml", PLAYS, 0.0)
    at = 0.0
    for (key, name), duration in zip(PLAYS, seconds, strict=True):
        run.play_started(key, name, at)
        at += duration
    run.finish(at)
    return run


def test_the_estimate_is_the_median_of_earlier_runs(tmp_path):
    phases = phase_names(name for _key, name in PLAYS)
    assert len(set(phases)) == 3, "phases of one name are different ones"
    known = {}
    for factor in (1, 2, 9):
        known = remembered(known, "kind", phases, finished([10.0 * factor, factor, 0.1 * factor]))
    file = tmp_path / "folder" / "history.json"
    save(file, known)
    assert file.stat().st_mode & 0o777 == 0o600
    assert load(file) == known
    assert estimates(load(file), "kind", phases) == [20.0, 2.0, 0.2]
    assert estimates(load(file), "other", phases) == [None, None, None]
    assert "Secret" not in file.read_text()


def test_the_history_is_bounded():
    known = {}
    for number in range(KINDS + 20):
        known = remembered(known, digest("inventory", str(number)), ["a", "b", "c"], finished([1.0, 1.0, 1.0]))
    for number in range(RUNS + 3):
        known = remembered(known, "kind", ["a", "b", "c"], finished([float(number), 1.0, 1.0]))
    assert len(known) == KINDS and known["kind"]["a"] == [3.0, 4.0, 5.0, 6.0, 7.0]


def test_a_damaged_history_is_empty(tmp_path):
    file = tmp_path / "history.json"
    for text in ("", "[]", '{"a": 1}', '{"a": {"b": ["x"]}}'):
        file.write_text(text)
        assert load(file) == {}
    assert load(tmp_path / "missing") == {}
    save(tmp_path / "history.json" / "below-a-file.json", {})


def test_a_run_is_expected_to_take_the_sum_of_its_phases():
    run = finished([1.0, 1.0, 1.0])
    assert expected(run) is None
    for phase in run.phases:
        phase.estimate = 5.0
    assert expected(run) == 15.0


def test_a_log_is_private_and_plain(tmp_path):
    log = log_in(tmp_path / "logs", "/some where/cluster.yml", 3)
    log.write("\x1b[31mred\x1b[0m\n")
    log.write("second\n")
    assert log.path.read_text() == "red\nsecond\n"
    assert log.path.stat().st_mode & 0o777 == 0o600
    assert log.path.parent.stat().st_mode & 0o777 == 0o700


def test_the_oldest_logs_are_removed_and_nothing_else(tmp_path):
    for day in range(1, 6):
        (tmp_path / f"2026010{day}T000000-cluster-{day}.log").touch()
    (tmp_path / "notes.log").touch()
    new = tmp_path / "20260109T000000-cluster-9.log"
    new.touch()
    prune(tmp_path, 3, new)
    assert sorted(path.name[:8] for path in tmp_path.iterdir()) == ["20260104", "20260105", "20260109", "notes.lo"]
    prune(tmp_path, 0, new)
    assert new.exists(), "the log of this run stays"


def test_the_file_is_json(tmp_path):
    save(tmp_path / "a.json", {"k": {"p": [1.5]}})
    assert json.loads((tmp_path / "a.json").read_text()) == {"k": {"p": [1.5]}}
