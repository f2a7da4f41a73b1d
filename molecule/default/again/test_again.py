# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A second run reports no change, does change nothing, and costs a host next to nothing."""

from __future__ import annotations

import os

import pytest

from harness.playbook import Run, addresses, executions, inventory_of, output_of, run
from harness.snapshot import compare, load, take

SCENARIO = f"molecule-{os.environ['MOLECULE_SCENARIO_NAME']}"
INVENTORY = inventory_of(SCENARIO)
FOLDER = output_of(SCENARIO)
MOST_EXECUTIONS = 8


@pytest.fixture(scope="module")
def second() -> Run:
    take(INVENTORY, "running", FOLDER / "before-second")
    done = run("slipway.kube.cluster", INVENTORY, FOLDER / "second", "-vvv").succeeded()
    take(INVENTORY, "running", FOLDER / "after-second")
    return done


def test_nothing_is_reported_as_changed(second: Run) -> None:
    assert not second.changed(), "\n".join(second.changed())


def test_nothing_did_change(second: Run) -> None:
    found = compare(load(FOLDER / "before-second", "running"), load(FOLDER / "after-second", "running"))
    assert not found, "\n".join(found)


def test_a_host_on_which_nothing_is_to_do_costs_next_to_nothing(second: Run) -> None:
    counted = executions(second.output, addresses(INVENTORY))
    assert sum(counted.values()), "no execution was counted"
    assert max(counted.values()) <= MOST_EXECUTIONS, dict(counted)
