# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the hosts are before the first run, for the reset to be held against."""

from __future__ import annotations

import os
import shutil

from harness.playbook import addresses, inventory_of, output_of
from harness.snapshot import take

SCENARIO = f"molecule-{os.environ['MOLECULE_SCENARIO_NAME']}"


def test_fresh_hosts_are_listed() -> None:
    shutil.rmtree(output_of(SCENARIO), ignore_errors=True)
    listed = take(inventory_of(SCENARIO), "whole", output_of(SCENARIO) / "fresh")
    assert set(listed) == set(addresses(inventory_of(SCENARIO)))
