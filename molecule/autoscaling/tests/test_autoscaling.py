# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The second host of the lab stands by: it joins for pods that find no room, and leaves as it was when they are gone."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.hosts import Host, hosts_of
from harness.kube import Kube, eventually, workload
from harness.playbook import Run, inventory_of, output_of, run, start

LAB = f"molecule-{os.environ['MOLECULE_SCENARIO_NAME']}"
FOLDER = output_of(LAB)
NAMESPACE = "crowd"
IDLE = "slipway.kube/idle-since"


@pytest.fixture(scope="module")
def inventory() -> Path:
    """The lab's inventory, with w2 in the pool instead of among the workers."""
    content = yaml.safe_load(inventory_of(LAB).read_text())
    groups = content["all"]["children"]["kube_cluster"]["children"]
    groups["kube_standby"] = {"hosts": {"w2": groups["kube_worker"]["hosts"].pop("w2")}}
    path = inventory_of(LAB).with_name("pool.yml")
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture(scope="module")
def standby() -> Host:
    return next(host for host in hosts_of(LAB) if host.name == "w2")


@pytest.fixture(scope="module")
def kube(inventory: Path) -> Iterator[Kube]:
    run("slipway.kube.cluster", inventory, FOLDER / "cluster", "-e", "verify_mode=light").succeeded()
    kube = Kube(LAB)
    kube.make_namespace(NAMESPACE)
    yield kube


def scale(inventory: Path, name: str, *arguments: str) -> Run:
    done = run("slipway.kube.scale", inventory, FOLDER / name, *arguments).succeeded()
    print(f"\n{name}: {done.seconds:.0f} s")
    assert "is left out" not in done.output, done.output[-3000:]
    return done


def crowd(kube: Kube, replicas: int) -> None:
    """Have so many pods, of which two fit on a worker of the lab: its two CPUs less what is reserved."""
    resources = {"requests": {"cpu": "700m", "memory": "16Mi"}}
    kube.apply([workload(kube.agnhost, name="crowd", replicas=replicas, resources=resources)], NAMESPACE)


def pods(kube: Kube) -> list[tuple[str, str]]:
    """Return the phase and the node of each pod that is not being deleted."""
    found = kube.get("pods", namespace=NAMESPACE) or []
    return sorted(
        (pod["status"]["phase"], pod["spec"].get("nodeName", ""))
        for pod in found
        if not pod["metadata"].get("deletionTimestamp")
    )


def node(kube: Kube) -> Any:
    return kube.get("node", "w2")


def test_a_stand_by_host_is_left_alone(kube: Kube, inventory: Path, standby: Host) -> None:
    assert {one["metadata"]["name"] for one in kube.get("nodes")} == {"cp1", "w1"}
    assert standby.execute("test", "-e", "/usr/bin/kubelet")[0] != 0
    done = scale(inventory, "nothing-to-do")
    assert not done.changed() and "No host joins or leaves." in done.output


def test_a_host_joins_for_pods_that_find_no_room(kube: Kube, inventory: Path) -> None:
    crowd(kube, 3)
    eventually(lambda: sorted(phase for phase, _node in pods(kube)) == ["Pending", "Running", "Running"], 60, "a crowd")
    early = scale(inventory, "early", "-e", "scale_pending_after=3600")
    assert not early.changed() and "is left to a later run" in early.output
    planned = scale(inventory, "planned", "--check", "--diff", "-e", "scale_pending_after=0")
    assert "w2 joins: pod crowd/crowd-" in planned.output and any(one.startswith("w2:") for one in planned.changed())
    assert node(kube) is None
    began = time.time()
    done = scale(inventory, "joins", "-e", "scale_pending_after=0")
    eventually(lambda: pods(kube).count(("Running", "w2")) == 1, 60, "the pod runs on the stand-by host")
    print(f"unschedulable pod runs after {time.time() - began:.0f} s")
    assert not [one for one in done.changed() if one.startswith("w1:")]
    assert node(kube)["metadata"]["labels"]["slipway.kube/standby"] == "true"
    again = scale(inventory, "joined", "-e", "scale_pending_after=0")
    assert not again.changed()


def test_other_playbooks_treat_it_as_a_worker(kube: Kube, inventory: Path) -> None:
    kept = run("slipway.kube.cluster", inventory, FOLDER / "kept", "-e", "verify_mode=light").succeeded()
    assert not kept.changed()
    assert "w2" in {event.host for event in kept.events if event.play == "Join the workers"}


def test_a_pod_that_must_not_move_keeps_it(kube: Kube, inventory: Path) -> None:
    kept = scale(inventory, "needed", "-e", "scale_idle_after=0")
    assert not kept.changed() and node(kube) is not None


def test_it_leaves_as_it_was_when_it_is_idle(kube: Kube, inventory: Path, standby: Host) -> None:
    crowd(kube, 1)
    eventually(lambda: len(pods(kube)) == 1, 90, "the crowd is gone")
    first = scale(inventory, "idle")
    assert len(first.changed()) == 1 and node(kube)["metadata"]["annotations"][IDLE]
    assert not scale(inventory, "still-idle").changed()
    killed = start("slipway.kube.scale", inventory, FOLDER / "killed", "-e", "scale_idle_after=0")
    killed.kill_in("Remove the hosts that leave")
    began = time.time()
    scale(inventory, "leaves", "-e", "scale_idle_after=0")
    print(f"left after {time.time() - began:.0f} s")
    assert node(kube) is None
    assert not scale(inventory, "left", "-e", "scale_idle_after=0").changed()
    eventually(lambda: pods(kube) == [("Running", "w1")], 60, "the pod runs on another node")
    assert (
        standby.execute("test", "-e", "/usr/bin/kubelet")[0] == 0
    )  # packages stay unless reset_packages is set, for the next time
    assert not standby.runs("kubelet") and not standby.runs("containerd-shim-runc-v2")
    assert standby.execute("test", "-e", "/etc/kubernetes/kubelet.conf")[0] != 0
