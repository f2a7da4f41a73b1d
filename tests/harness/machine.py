# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a machine with a kernel of its own must be to carry pods, now and after each boot; and its power cut."""

from __future__ import annotations

import os
import time
from typing import Any

from harness.hosts import Host

SYSCTLS = ("net.ipv4.ip_forward", "net.bridge.bridge-nf-call-iptables")


def power_cut(machines: list[Host]) -> float:
    """Switch all machines off at once, on again, and return the time at which the power came back.

    :raises AssertionError: when one did not boot anew.
    """
    boots = {machine.name: _boot_id(machine) for machine in machines}
    for machine in machines:
        machine.switch_off()
    began = time.time()
    for machine in machines:
        machine.container.start()
    for machine in machines:
        machine.wait()
        assert _boot_id(machine) != boots[machine.name], f"{machine.name} has not booted"
    print(f"\nsshd {time.time() - began:.0f} s after the power came back")
    return began


def _boot_id(machine: Host) -> str:
    return machine.execute("cat", "/proc/sys/kernel/random/boot_id")[1]


def has_a_kernel_of_its_own(host: Any) -> None:
    """Hold a testinfra host against what no container on this machine could be.

    :raises AssertionError: for the first thing that is not so.
    """
    assert host.check_output("stat --file-system --format=%T /sys/fs/cgroup") == "cgroup2fs"
    assert host.check_output("uname -r") != os.uname().release
    assert host.check_output("systemd-detect-virt --container || true") == "none"


def has_the_whole_disk(host: Any) -> None:
    """Hold a testinfra host's root file system against the lab's 20 GiB, of a disk or image that is a fraction of it.

    :raises AssertionError: when it has not grown.
    """
    assert int(host.check_output("df --output=size / | tail -1")) > 18 << 20, "KiB of /"


def is_prepared(host: Any, *services: str) -> None:
    """Hold a testinfra host against what the roles swap, kernel, containerd and kubernetes promise, and its services.

    :raises AssertionError: for the first thing that is not so.
    """
    assert len(host.file("/proc/swaps").content_string.splitlines()) == 1, "swap is on"
    modules = {line.split()[0] for line in host.file("/proc/modules").content_string.splitlines()}
    assert {"br_netfilter", "overlay", "nf_tables"} <= modules
    for name in SYSCTLS:
        assert host.sysctl(name) == 1, name
    for name in services:
        assert host.service(name).is_running, name
        assert host.service(name).is_enabled, name
