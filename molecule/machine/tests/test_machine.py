# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host with a kernel of its own is prepared, stays so through a power cut, and a second run has nothing to do."""

from __future__ import annotations

import os

from testinfra.host import Host

from harness.hosts import hosts_of
from harness.machine import has_a_kernel_of_its_own, has_the_whole_disk, is_prepared, power_cut
from harness.playbook import ROOT, Run, inventory_of, output_of, run
from harness.targets import targets

SCENARIO = f"molecule-{os.environ['MOLECULE_SCENARIO_NAME']}"
testinfra_hosts = targets("kube_control_plane")


def test_it_has_a_kernel_of_its_own(host: Host) -> None:
    has_a_kernel_of_its_own(host)


def test_its_disk_is_as_large_as_the_lab_says(host: Host) -> None:
    has_the_whole_disk(host)


def test_it_is_prepared(host: Host) -> None:
    is_prepared(host, "containerd")


def prepare(what: str) -> Run:
    """Run the host roles again; the output is kept under *what*."""
    playbook = str(ROOT / "molecule" / "lab" / "prepare_hosts.yml")
    return run(playbook, inventory_of(SCENARIO), output_of(SCENARIO) / what, "--diff").succeeded()


def test_what_was_done_survives_a_power_cut_in_the_next_moment(host: Host) -> None:
    assert "/swapfile" in host.file("/etc/fstab").content_string, "swap was there to be switched off"
    machines = hosts_of(SCENARIO)
    for machine in machines:
        machine.execute("sh", "-c", "systemctl disable kubelet; sync")
    assert prepare("before").changed()
    power_cut(machines)
    is_prepared(host, "containerd")
    assert host.service("kubelet").is_enabled


def test_a_second_run_has_nothing_to_do() -> None:
    again = prepare("again")
    assert not again.changed(), again.output
