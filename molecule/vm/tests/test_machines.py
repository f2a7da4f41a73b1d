# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each machine is when the cluster is there, asked inside of it."""

from __future__ import annotations

import os

from testinfra.host import Host

from harness.hosts import hosts_of, unready
from harness.machine import is_prepared
from harness.targets import targets

testinfra_hosts = targets("kube_cluster")


def test_the_machine_is_prepared(host: Host) -> None:
    is_prepared(host, "containerd", "kubelet")


def test_it_has_none_of_the_exceptions_that_containers_need(host: Host) -> None:
    kubelet = host.file("/var/lib/kubelet/config.yaml").content_string
    assert "cgroupDriver: systemd" in kubelet
    assert "failCgroupV1" not in kubelet
    pods = host.check_output("find /sys/fs/cgroup/kubepods.slice -name cgroup.procs")
    assert "kubepods-burstable.slice" in pods
    assert "overlay" in host.check_output("findmnt --noheadings --output FSTYPE --list --type overlay")


def test_every_node_is_ready() -> None:
    assert not unready(hosts_of(f"molecule-{os.environ['MOLECULE_SCENARIO_NAME']}"))
