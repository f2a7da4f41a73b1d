# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the machines are before the first run: swap on, no module loaded; and what a dry run says to it."""

from __future__ import annotations

import os
import shutil

import pytest
from testinfra.host import Host

from harness.hosts import hosts_of
from harness.machine import has_a_kernel_of_its_own
from harness.playbook import inventory_of, output_of, run
from harness.snapshot import compare, take
from harness.targets import targets

SCENARIO = f"molecule-{os.environ['MOLECULE_SCENARIO_NAME']}"
INVENTORY = inventory_of(SCENARIO)
FOLDER = output_of(SCENARIO)
testinfra_hosts = targets("kube_cluster")


@pytest.fixture(scope="module", autouse=True)
def empty_folder() -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)


def test_a_machine_has_what_a_cluster_must_not_have(host: Host) -> None:
    areas = [line.split()[0] for line in host.file("/proc/swaps").content_string.splitlines()[1:]]
    assert sorted(areas) == ["/dev/zram0", "/swapfile"]
    assert "/swapfile" in host.file("/etc/fstab").content_string
    assert "br_netfilter" not in host.file("/proc/modules").content_string
    assert host.file("/proc/sys/net/ipv4/ip_forward").content_string.strip() == "0"


def test_a_machine_has_a_kernel_of_its_own(host: Host) -> None:
    has_a_kernel_of_its_own(host)


def test_a_dry_run_says_what_is_to_do_and_does_nothing() -> None:
    before = take(INVENTORY, "whole", FOLDER / "fresh")
    assert set(before) == {machine.name for machine in hosts_of(SCENARIO)}
    dry = run("slipway.kube.cluster", INVENTORY, FOLDER / "dry", "--check", "--diff").succeeded()
    changed = {event.task for event in dry.events if event.status == "changed"}
    assert any("swap" in task.lower() for task in changed), changed
    found = compare(before, take(INVENTORY, "whole", FOLDER / "after-dry"))
    assert not found, "\n".join(found)
