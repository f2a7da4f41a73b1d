# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All machines lose their power at once: everything comes back by itself, and the playbook has nothing to do."""

from __future__ import annotations

import os
import time
from datetime import datetime

import pytest
from testinfra.host import Host

from harness.hosts import Machine, hosts_of, unready
from harness.machine import is_prepared, power_cut
from harness.playbook import inventory_of, output_of, run
from harness.targets import targets

SCENARIO = f"molecule-{os.environ['MOLECULE_SCENARIO_NAME']}"
testinfra_hosts = targets("kube_cluster")


@pytest.fixture(scope="module", autouse=True)
def everything_is_back() -> None:
    machines = hosts_of(SCENARIO)
    began = power_cut(machines)
    deadline = time.time() + 2 * max(machine.boot for machine in machines)
    while wrong := missing(machines, began):
        assert time.time() < deadline, "\n".join(wrong)
        time.sleep(3)
    print(f"all nodes and pods ready after {time.time() - began:.0f} s")


def missing(machines: list[Machine], since: float) -> list[str]:
    """Return what is not there yet; what the API server still has from before the power cut does not count."""
    try:
        wrong = unready(machines)
        source = next(machine for machine in machines if machine.name.startswith("cp"))
        pods = source.kubectl("get", "pods", "--all-namespaces")["items"]
    except AssertionError as error:
        return [str(error)]
    for pod in pods:
        for container in pod["status"].get("containerStatuses", []):
            started = container["state"].get("running", {}).get("startedAt", "1970-01-01T00:00:00Z")
            if datetime.fromisoformat(started).timestamp() < since:
                wrong.append(f"{pod['metadata']['name']} has not been started again")
    return wrong


def test_the_machine_is_prepared_by_itself(host: Host) -> None:
    is_prepared(host, "containerd", "kubelet")


def test_the_playbook_has_nothing_to_do() -> None:
    again = run("slipway.kube.cluster", inventory_of(SCENARIO), output_of(SCENARIO) / "again", "--diff").succeeded()
    print(f"\nsecond run {again.seconds:.0f} s")
    assert not again.changed(), again.output
