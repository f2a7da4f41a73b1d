# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The disk of a worker is full, or its clock jumps: it is named, nothing is changed, and nothing is left of it when it has ended."""

from __future__ import annotations

import os
import time

import pytest

from harness.hosts import Host, any_host_of, hosts_of, unready
from harness.kube import Kube, eventually, workload
from harness.playbook import Run, inventory_of, output_of, run

SCENARIO = f"molecule-{os.environ['MOLECULE_SCENARIO_NAME']}"
INVENTORY, FOLDER = inventory_of(SCENARIO), output_of(SCENARIO)
# Leaves 500 MiB of the file system, of which the kubelet wants a tenth free.
FILL = "fallocate --length=$(($(df --output=avail --block-size=1 / | tail -1) - (500 << 20))) /var/filler"
JUMP = 7200


@pytest.fixture(scope="module")
def kube() -> Kube:
    kube = Kube(SCENARIO)
    kube.apply([workload(kube.agnhost)])
    kube.kubectl("rollout", "status", "deployment/web", "--timeout=180s")
    return kube


@pytest.fixture(scope="module")
def worker() -> Host:
    return any_host_of(SCENARIO, "w1")


def condition(kube: Kube, kind: str) -> str:
    said = kube.get("node", "w1")["status"]["conditions"]
    return str(next(one["status"] for one in said if one["type"] == kind))


def refusal(book: str, name: str) -> Run:
    """Return a run of a playbook, which fails and changes nothing."""
    done = run(f"slipway.kube.{book}", INVENTORY, FOLDER / f"{name}_{book}", "--diff")
    assert done.process.returncode != 0 and not done.changed(), done.output
    return done


def is_as_before(kube: Kube, name: str) -> None:
    kube.kubectl("delete", "pods", "--field-selector=status.phase=Failed")
    eventually(lambda: not unready(hosts_of(SCENARIO)), 300, "ready nodes and pods")
    kube.kubectl("rollout", "status", "deployment/web", "--timeout=180s")
    again = run("slipway.kube.cluster", INVENTORY, FOLDER / f"after_{name}", "--diff").succeeded()
    assert not again.changed(), again.output


def test_a_full_disk_is_named_and_its_pods_come_back(kube: Kube, worker: Host) -> None:
    code, told = worker.execute("sh", "-c", FILL)
    assert code == 0, told
    try:
        eventually(lambda: condition(kube, "DiskPressure") == "True", 120, "DiskPressure")
        assert "it is low on disk space (DiskPressure)" in refusal("health", "full_disk").output
    finally:
        worker.execute("rm", "/var/filler")
    eventually(lambda: condition(kube, "DiskPressure") == "False", 420, "the end of DiskPressure")
    is_as_before(kube, "full_disk")


def test_a_clock_that_jumps_is_named_and_does_no_harm(kube: Kube, worker: Host) -> None:
    pods = {pod["metadata"]["uid"] for pod in kube.get("pods")}
    code, told = worker.execute("date", f"--set=@{time.time() + JUMP:.0f}")
    assert code == 0, told
    try:
        ahead = "its clock is at least 7"
        eventually(lambda: ahead in run("slipway.kube.health", INVENTORY, FOLDER / "clock").output, 400, "the finding")
        assert "The host's clock differs from the control node's." in refusal("cluster", "clock").output
    finally:
        worker.execute("date", f"--set=@{time.time():.0f}")
    is_as_before(kube, "clock")
    assert {pod["metadata"]["uid"] for pod in kube.get("pods")} == pods, "no pod was started anew"
