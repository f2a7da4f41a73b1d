# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""After a reset and a reboot the machines are what they were: swap, modules, packages and all."""

from __future__ import annotations

import os

from harness.hosts import hosts_of
from harness.machine import power_cut
from harness.playbook import inventory_of, output_of
from harness.reset import left_behind, reset

SCENARIO = f"molecule-{os.environ['MOLECULE_SCENARIO_NAME']}"
INVENTORY = inventory_of(SCENARIO)
FOLDER = output_of(SCENARIO)


def test_machines_are_what_they_were() -> None:
    reset(INVENTORY, FOLDER / "reset")
    machines = hosts_of(SCENARIO)
    for machine in machines:
        machine.execute("sync")
    power_cut(machines)
    for machine in machines:
        assert len(machine.execute("cat", "/proc/swaps")[1].splitlines()) == 3, "swap is on again, as it was"
    found = left_behind(INVENTORY, FOLDER)
    assert not found, "\n".join(found)
