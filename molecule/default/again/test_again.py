# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A second run reports no change and costs a host next to nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.playbook import Run, addresses, executions, inventory_of, run

INVENTORY = inventory_of(f"molecule-{os.environ['MOLECULE_SCENARIO_NAME']}")
FOLDER = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
MOST_EXECUTIONS = 8


@pytest.fixture(scope="module")
def second() -> Run:
    return run("slipway.kube.cluster", INVENTORY, FOLDER / "second", "-vvv").succeeded()


def test_nothing_is_reported_as_changed(second: Run) -> None:
    assert not second.changed(), "\n".join(second.changed())


def test_a_host_on_which_nothing_is_to_do_costs_next_to_nothing(second: Run) -> None:
    counted = executions(second.output, addresses(INVENTORY))
    assert sum(counted.values()), "no execution was counted"
    assert max(counted.values()) <= MOST_EXECUTIONS, dict(counted)
