# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of the recorded runs on a terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.filter.history import run_history
from ansible_collections.slipway.kube.plugins.plugin_utils.progress.record import about, new_record


def record(runs: Path, folder: str, page: str = "changes.html", **more: Any) -> None:
    (runs / folder).mkdir(parents=True)
    summary = {
        **about("/c/ansible_collections/slipway/kube/playbooks/cluster.yml", {"inventory": ["hosts"]}),
        "started": f"2026-01-0{folder[7]}T10:00:00+00:00",
        "result": "done",
        "check": False,
        "seconds": 61.2,
        "phases": [],
        "hosts": {"cp1": {"ok": 3}},
        "problems": [],
        **more,
    }
    (runs / folder / "summary.json").write_text(json.dumps(summary))
    (runs / folder / page).touch()


def test_runs_are_listed_with_what_they_were_limited_to_and_whom_they_changed(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").touch()
    runs = tmp_path / ".runs"
    many = {f"w{number}": {"changed": 1} for number in range(9)}
    record(runs, "20260101T100000", hosts=many)
    record(runs, "20260102T100000", "plan.html", check=True, result="planned", hosts={"w1": {"changed": 2}})
    record(runs, "20260103T100000", limit="w\x1b[2J1", tags=["all"], skip_tags=["a", "b"], result="failed")
    record(runs, "20260104T100000", "log.txt", result="unfinished", seconds=0.0, tags=["x"])
    lines = run_history([str(tmp_path / "hosts.yml")])
    assert lines[0] == f"Runs recorded in {runs}, the newest first (4):"
    assert [line.split() for line in lines[2:]] == [
        ["TIME", "PLAYBOOK", "RESULT", "DURATION", "CHANGED", "PAGE"],
        *(
            line.split()
            for line in (
                "2026-01-04 10:00 slipway.kube.cluster --tags x unfinished",
                "2026-01-03 10:00 slipway.kube.cluster --limit w1 --skip-tags a,b failed 1:01 none 20260103T100000/changes.html",
                "2026-01-02 10:00 slipway.kube.cluster --check planned 1:01 would: w1 20260102T100000/plan.html",
                "2026-01-01 10:00 slipway.kube.cluster done 1:01 w0, w1, w2 and 6 more 20260101T100000/changes.html",
            )
        ),
    ]
    assert run_history([], str(runs), 2)[0].endswith("(2 of 4):")
    assert len(run_history([str(tmp_path)], count=2)) == 5


@pytest.mark.parametrize(
    ("sources", "says"), [(["localhost,"], "no file or folder"), (["TMP"], "There are no records in TMP/.runs")]
)
def test_without_records_it_says_so(tmp_path: Path, sources: list[str], says: str) -> None:
    (line,) = run_history([one.replace("TMP", str(tmp_path)) for one in sources])
    assert says.replace("TMP", str(tmp_path)) in line and "slipway.kube.progress" in line


def test_looking_back_leaves_no_record(tmp_path: Path) -> None:
    playbook = "/c/ansible_collections/slipway/kube/playbooks/history.yml"
    assert new_record(None, 50, about(playbook, {"inventory": [str(tmp_path)]}), pytest.fail) is None
    assert list(tmp_path.iterdir()) == []
