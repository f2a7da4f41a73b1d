# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A reset leaves hosts as they were, whatever their networks are."""

from __future__ import annotations

import os

from harness.playbook import inventory_of, output_of, run
from harness.snapshot import compare, load, take

LAB = f"molecule-{os.environ['MOLECULE_SCENARIO_NAME']}"
FOLDER = output_of(LAB)
CONFIRMED = ("-e", "reset_confirm=kubernetes", "-e", "reset_packages=true")


def test_hosts_are_what_they_were() -> None:
    run("slipway.kube.reset", inventory_of(LAB), FOLDER / "reset", *CONFIRMED).succeeded()
    found = compare(load(FOLDER / "fresh", "whole"), take(inventory_of(LAB), "whole", FOLDER / "given-back"))
    assert not found, "\n".join(found)
