# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that is added to the inventory joins with the next run, at no cost to the hosts that were there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.hosts import hosts_of, unready
from harness.playbook import Run, addresses, executions, inventory_of, output_of, run
from harness.snapshot import take

SCENARIO = f"molecule-{os.environ['MOLECULE_SCENARIO_NAME']}"
INVENTORY = inventory_of(SCENARIO)
FOLDER = output_of(SCENARIO)
LAB = Path(__file__).resolve().parents[2] / "lab"
MOST_EXECUTIONS = 8
LETTING_IN = 1  # issuing the join credentials on the reference control plane


@pytest.fixture(scope="module")
def grown() -> Run:
    old = set(addresses(INVENTORY))
    run(
        str(LAB / "create.yml"), INVENTORY, FOLDER / "lab", "-e", f"@{LAB / 'vars.yml'}", "-e", "lab_workers=3"
    ).succeeded()
    assert set(addresses(INVENTORY)) - old == {"w3"}
    take(INVENTORY, "whole", FOLDER / "fresh", "--limit", "w3")
    return run("slipway.kube.cluster", INVENTORY, FOLDER / "grown", "-vvv").succeeded()


def test_the_new_host_is_a_node_like_the_others(grown: Run) -> None:
    assert len(hosts_of(SCENARIO)) == 4
    assert not unready(hosts_of(SCENARIO))


def test_only_the_new_host_was_changed(grown: Run) -> None:
    others = [sentence for sentence in grown.changed() if not sentence.startswith(("w3:", "cp1:"))]
    assert not others, "\n".join(others)


def test_the_hosts_that_were_there_cost_next_to_nothing(grown: Run) -> None:
    counted = executions(grown.output, addresses(INVENTORY))
    assert counted.pop("w3") > counted["w1"], "the new host was not worked on"
    counted["cp1"] -= LETTING_IN
    assert max(counted.values()) <= MOST_EXECUTIONS, dict(counted)
