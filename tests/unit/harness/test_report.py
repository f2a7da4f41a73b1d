# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.report import by_phase, by_second, highest, ratios, write

PAIRS = [
    {
        "raw": {"seconds": 40.0, "phases": {"prepared": 20.0, "initialised": 8.0, "joined": 2.0, "checked": 10.0}},
        "cluster": {
            "seconds": 50.0,
            "phases": {
                "Validate the inventory": 3.0,
                "Prepare the hosts": 24.0,
                "Create the control plane": 9.0,
                "Join the workers": 3.0,
                "Verify the cluster": 11.0,
            },
        },
    }
]
EXECUTIONS = {
    "fresh": {"cp1": 50, "w1": 30, "w2": 31, "mirror": 0},
    "unchanged": {"cp1": 8, "w1": 5, "w2": 5, "mirror": 0},
    "one added": {"cp1": 9, "w1": 5, "w2": 5, "w3": 32, "mirror": 0},
}


def test_ratio_and_extra_seconds() -> None:
    assert ratios(PAIRS) == [1.25]
    assert by_phase(PAIRS)[0] == ["prepared", "Prepare the hosts", 20.0, 24.0, 4.0]
    assert by_phase(PAIRS)[-1] == ["", "Validate the inventory", 0.0, 3.0, 3.0]


def test_the_dearest_host_of_each_kind_counts() -> None:
    assert highest(EXECUTIONS) == {
        "fresh worker": 31,
        "first control plane": 50,
        "host with nothing to do": 8,
        "host beside an added one": 9,
        "added worker": 32,
    }


def test_the_page_shows_figures_and_plots(tmp_path: Path) -> None:
    results: dict[str, Any] = {"pairs": PAIRS, "executions": EXECUTIONS, "second_run": 12.0}
    results["light_hosts"] = [
        {"hosts": 1, "fresh": 9.0, "again": 2.0, "cpu fresh": 3.0, "cpu again": 1.0, "executions": 20},
        {"hosts": 11, "fresh": 30.0, "again": 5.0, "cpu fresh": 8.0, "cpu again": 3.0, "executions": 20},
    ]
    results["upgrade"] = by_second(
        {
            "from": "1.36.3",
            "to": "1.37.2",
            "seconds": 4.0,
            "plays": {"Upgrade the control planes": 0.5},
            "writes": [-1.0, 0.5, 0.9, 3.5],
            "requests": [0.5, 1.5, 2.5, 3.5, 9.0],
            "failed": [1.5, 2.0],
        }
    )
    page = write(results, tmp_path)
    # 0.5 s of CPU for each host, and 2.5 s whatever the number of hosts: 502.5 s on two cores or 20 batches of one host's 9 s.
    assert "| 1000 | 502.5 | 251.2 | 180.0 | 200.8 | 100.4 | 40.0 |" in page
    assert "3 writes (none for 2.6 s at most" in page and "4 requests (none for 1.0 s at most)" in page
    assert "Of both, 2 were refused or broken off" in page
    assert "| 1 | 40.0 | 50.0 | 1.25 |" in page
    assert "| first control plane | 50 | 60 |" in page
    assert {path.name for path in tmp_path.iterdir()} == {"README.md", "phases.svg", "hosts.svg", "upgrade.svg"}
