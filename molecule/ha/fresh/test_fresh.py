# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the hosts are before the first run, and virtual IP addresses that are refused there."""

from __future__ import annotations

import os

from harness.playbook import addresses, inventory_of, output_of, run
from harness.snapshot import take

SCENARIO = f"molecule-{os.environ['MOLECULE_SCENARIO_NAME']}"
INVENTORY = inventory_of(SCENARIO)
FOLDER = output_of(SCENARIO)


def test_what_the_hosts_are() -> None:
    take(INVENTORY, "whole", FOLDER / "fresh")


def test_an_address_on_which_another_machine_answers_is_refused() -> None:
    services = addresses(INVENTORY)["cp1"].rpartition(".")[0] + ".2"
    refused = run("slipway.kube.cluster", INVENTORY, FOLDER / "refused", "-e", f"kube_control_plane_vip={services}")
    assert refused.process.returncode != 0 and not refused.changed()
    assert "A machine that is not a control plane of this cluster answers on the virtual IP address" in refused.output
    assert "preflight_waive: [vip]" in refused.output
