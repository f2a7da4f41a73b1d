# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a machine with a kernel of its own must be to carry pods, now and after each boot."""

from __future__ import annotations

from typing import Any

SYSCTLS = ("net.ipv4.ip_forward", "net.bridge.bridge-nf-call-iptables")


def is_prepared(host: Any) -> None:
    """Hold a testinfra host against what the roles swap, kernel, containerd and kubernetes promise.

    :raises AssertionError: for the first thing that is not so.
    """
    assert len(host.file("/proc/swaps").content_string.splitlines()) == 1, "swap is on"
    modules = {line.split()[0] for line in host.file("/proc/modules").content_string.splitlines()}
    assert {"br_netfilter", "overlay", "nf_tables"} <= modules
    for name in SYSCTLS:
        assert host.sysctl(name) == 1, name
    for name in ("containerd", "kubelet"):
        assert host.service(name).is_running, name
        assert host.service(name).is_enabled, name
