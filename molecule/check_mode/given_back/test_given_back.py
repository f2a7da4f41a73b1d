# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A reset leaves hosts as they were, whatever their networks are."""

from __future__ import annotations

import os

from harness.playbook import inventory_of, output_of
from harness.reset import left_behind, reset

LAB = f"molecule-{os.environ['MOLECULE_SCENARIO_NAME']}"
FOLDER = output_of(LAB)


def test_hosts_are_what_they_were() -> None:
    reset(inventory_of(LAB), FOLDER / "reset")
    found = left_behind(inventory_of(LAB), FOLDER)
    assert not found, "\n".join(found)
