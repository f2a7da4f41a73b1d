# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes are drained and leave the cluster, also when their hosts are lost; what the cluster needs stays."""

from __future__ import annotations

import os

import pytest

from harness.hosts import any_host_of
from harness.kube import Kube
from harness.playbook import Run, inventory_of, output_of, run

SCENARIO = f"molecule-{os.environ['MOLECULE_SCENARIO_NAME']}"
INVENTORY = inventory_of(SCENARIO)
FOLDER = output_of(SCENARIO)
DRAIN, REMOVE = "slipway.kube.node_drain", "slipway.kube.node_remove"


@pytest.fixture(scope="module")
def kube() -> Kube:
    return Kube(SCENARIO)


def nodes(kube: Kube) -> dict[str, bool]:
    """Return whether pods may run on each node."""
    return {node["metadata"]["name"]: not node["spec"].get("unschedulable") for node in kube.get("nodes")}


def test_pods_may_run_again_on_a_node_that_was_cordoned(kube: Kube) -> None:
    run(
        DRAIN, INVENTORY, FOLDER / "uncordoned", "-e", "node_drain_nodes=w2", "-e", "node_drain_state=uncordoned"
    ).succeeded()
    assert nodes(kube) == dict.fromkeys(("cp1", "w1", "w2"), True)


def test_a_pod_that_nothing_starts_again_prevents_a_drain_unless_it_is_forced(kube: Kube) -> None:
    kube.kubectl("run", "lonely", f"--image={kube.agnhost}", '--overrides={"spec": {"nodeName": "w1"}}', "--", "pause")
    kube.kubectl("wait", "pod/lonely", "--for=condition=Ready", "--timeout=120s")
    refused = run(DRAIN, INVENTORY, FOLDER / "bare", "-e", "node_drain_nodes=w1")
    assert (
        refused.process.returncode != 0 and "since they have no controller. Evidence: default/lonely" in refused.output
    )
    assert nodes(kube)["w1"]
    forced = run(
        DRAIN, INVENTORY, FOLDER / "forced", "-e", "node_drain_nodes=w1", "-e", "node_drain_force=true"
    ).succeeded()
    assert "pod default/lonely evicted from node w1" in forced.output
    assert not nodes(kube)["w1"]
    assert {pod["spec"]["nodeName"] for pod in kube.get("pods")} <= {"w2", None}
    run(DRAIN, INVENTORY, FOLDER / "back", "-e", "node_drain_nodes=w1", "-e", "node_drain_state=uncordoned").succeeded()


def test_the_last_control_plane_and_unknown_names_are_refused(kube: Kube) -> None:
    refused = run(REMOVE, INVENTORY, FOLDER / "refused_removal", "-e", "node_remove_nodes=cp1,w9")
    assert refused.process.returncode != 0 and not refused.changed()
    assert "the cluster has 1 (cp1), and all of them would be removed" in refused.output
    assert "'w9' is neither a host of the inventory nor a node of the cluster" in refused.output


@pytest.fixture(scope="module")
def removed(kube: Kube) -> Run:
    any_host_of(SCENARIO, "w2").switch_off()
    return run(REMOVE, INVENTORY, FOLDER / "removed", "-e", "node_remove_nodes=w2").succeeded()


def test_a_lost_host_leaves_no_node(kube: Kube, removed: Run) -> None:
    assert set(nodes(kube)) == {"cp1", "w1"}
    kube.kubectl("rollout", "status", "deployment/web", "--timeout=120s")
    again = run(REMOVE, INVENTORY, FOLDER / "removed_again", "-e", "node_remove_nodes=w2").succeeded()
    assert not again.changed(), "\n".join(again.changed())
