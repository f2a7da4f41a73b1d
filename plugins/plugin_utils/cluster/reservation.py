# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host keeps for its operating system, the container runtime and the kubelet, so that pods cannot take it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

# Width of each step, and what is reserved of it, in parts per thousand: the published rule of Google Kubernetes Engine
# (https://cloud.google.com/kubernetes-engine/docs/concepts/plan-node-sizes). It expects the kubelet's default eviction threshold of
# 100 MiB of memory besides.
MEMORY_MIB = ((4096, 250), (4096, 200), (8192, 100), (114688, 60))
MEMORY_BEYOND = 20
MILLICORES = ((1000, 60), (1000, 10), (2000, 5))
MILLICORES_BEYOND = 2.5
SMALL_MIB = 255  # of a host with less than 1 GiB


def by_steps(amount: float, steps: Sequence[tuple[int, int]], beyond: float) -> int:
    """Return how much of an amount is reserved, rounded down."""
    reserved = 0.0
    for width, part in steps:
        reserved += min(amount, width) * part / 1000
        amount = max(amount - width, 0)
    return int(reserved + amount * beyond / 1000)


def kube_reserved(cpus: int, memory_mib: int) -> dict[str, str]:
    """Return ``kubeReserved`` of the kubelet.

    :param cpus: number of CPUs of the host.
    :param memory_mib: its memory, in MiB.
    """
    memory = SMALL_MIB if memory_mib < 1024 else by_steps(memory_mib, MEMORY_MIB, MEMORY_BEYOND)
    return {"cpu": f"{by_steps(cpus * 1000, MILLICORES, MILLICORES_BEYOND)}m", "memory": f"{memory}Mi"}
