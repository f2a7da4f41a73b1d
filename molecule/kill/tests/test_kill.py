# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whenever a run is ended, the next one finishes with a sound cluster and the one after has nothing to do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.hosts import any_host_of, hosts_of, unready
from harness.kill import Kill, carry_out, plan
from harness.playbook import inventory_of, output_of, run, start

SCENARIO = f"molecule-{os.environ['MOLECULE_SCENARIO_NAME']}"
INVENTORY = inventory_of(SCENARIO)
FOLDER = output_of(SCENARIO)
LAB = Path(__file__).resolve().parents[2] / "lab"
CLUSTER = "slipway.kube.cluster"
KILLS = plan(int(os.environ.get("KILLS", "2")), int(os.environ.get("KILL_SEED", "199")))


@pytest.fixture(scope="module")
def length() -> float:
    """Seconds that a whole run takes when nobody ends it."""
    return run(CLUSTER, INVENTORY, FOLDER / "whole").succeeded().seconds


@pytest.fixture
def fresh_hosts(length: float) -> None:
    run(
        str(LAB / "create.yml"), INVENTORY, FOLDER / "reset", "-e", f"@{LAB / 'vars.yml'}", "-e", "lab_state=reset"
    ).succeeded()


@pytest.mark.parametrize("kill", KILLS, ids=str)
def test_the_next_run_finishes_what_was_ended(kill: Kill, length: float, fresh_hosts: None) -> None:
    folder = FOLDER / str(kill)
    ended = start(CLUSTER, INVENTORY, folder / "ended")
    print(carry_out(kill, ended, hosts_of(SCENARIO), any_host_of(SCENARIO, "services"), length))
    finished = run(CLUSTER, INVENTORY, folder / "finished").succeeded()
    print(f"finished in {finished.seconds:.0f} s")
    assert not unready(hosts_of(SCENARIO))
    after = run(CLUSTER, INVENTORY, folder / "after").succeeded()
    assert not after.changed(), "\n".join(after.changed())
