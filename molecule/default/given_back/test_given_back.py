# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A reset leaves hosts as they were before the first run, packages included, and a second one has nothing to do."""

from __future__ import annotations

import os

import pytest

from harness import reset as resets
from harness.playbook import Run, inventory_of, output_of, run

SCENARIO = f"molecule-{os.environ['MOLECULE_SCENARIO_NAME']}"
INVENTORY = inventory_of(SCENARIO)
FOLDER = output_of(SCENARIO)


@pytest.fixture(scope="module")
def reset() -> Run:
    return resets.reset(INVENTORY, FOLDER / "reset")


def test_an_unconfirmed_reset_is_refused_before_anything_is_touched() -> None:
    refused = run("slipway.kube.reset", INVENTORY, FOLDER / "refused")
    assert refused.process.returncode != 0
    assert "Nothing was changed" in refused.output
    assert not refused.changed()


def test_hosts_are_what_they_were(reset: Run) -> None:
    found = resets.left_behind(INVENTORY, FOLDER)
    assert not found, "\n".join(found)


def test_a_second_reset_has_nothing_to_do(reset: Run) -> None:
    again = resets.reset(INVENTORY, FOLDER / "reset-again")
    assert not again.changed(), "\n".join(again.changed())
