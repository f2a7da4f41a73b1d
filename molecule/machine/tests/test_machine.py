# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host with a kernel of its own is prepared, stays so through a power cut, and a second run has nothing to do."""

from __future__ import annotations

import os

from testinfra.host import Host

from harness.hosts import hosts_of
from harness.machine import has_a_kernel_of_its_own, has_the_whole_disk, is_prepared, power_cut
from harness.playbook import ROOT, inventory_of, output_of, run
from harness.targets import targets

SCENARIO = f"molecule-{os.environ['MOLECULE_SCENARIO_NAME']}"
testinfra_hosts = targets("kube_control_plane")


def test_it_has_a_kernel_of_its_own(host: Host) -> None:
    has_a_kernel_of_its_own(host)


def test_its_disk_is_as_large_as_the_lab_says(host: Host) -> None:
    has_the_whole_disk(host)


def test_it_is_prepared(host: Host) -> None:
    is_prepared(host, "containerd")


def test_it_is_prepared_after_a_power_cut(host: Host) -> None:
    assert "/swapfile" in host.file("/etc/fstab").content_string, "swap was there to be switched off"
    power_cut(hosts_of(SCENARIO))
    is_prepared(host, "containerd")


def test_a_second_run_has_nothing_to_do() -> None:
    playbook = str(ROOT / "molecule" / "lab" / "prepare_hosts.yml")
    again = run(playbook, inventory_of(SCENARIO), output_of(SCENARIO) / "again", "--diff").succeeded()
    assert not again.changed(), again.output
