# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the hosts are before the first run: three distributions, and the listing that the reset is held against."""

from __future__ import annotations

import os
import shutil

from harness.hosts import hosts_of
from harness.playbook import addresses, inventory_of, output_of
from harness.snapshot import take

SCENARIO = f"molecule-{os.environ['MOLECULE_SCENARIO_NAME']}"


def test_fresh_hosts_are_listed() -> None:
    shutil.rmtree(output_of(SCENARIO), ignore_errors=True)
    listed = take(inventory_of(SCENARIO), "whole", output_of(SCENARIO) / "fresh")
    assert set(listed) == set(addresses(inventory_of(SCENARIO)))


def test_hosts_have_the_distributions_of_the_lab_and_no_failed_unit() -> None:
    found = {}
    for host in hosts_of(SCENARIO):
        assert host.execute("systemctl", "is-system-running", "--wait") == (0, "running\n"), host.name
        found[host.name] = host.execute("sh", "-c", ". /etc/os-release; echo $ID $VERSION_ID")[1].strip()
    assert found == {"cp1": "debian 13", "w1": "debian 12", "w2": "rocky 9.6"}
