# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a stand-by host is, and what it would offer, follows from its facts and its variables."""

from __future__ import annotations

import pytest

from ansible_collections.slipway.kube.plugins.plugin_utils.cluster.choose_control_plane import cluster_nodes
from ansible_collections.slipway.kube.plugins.plugin_utils.cluster.standby import standby_hosts

FREE = {"marked": False, "cluster": "", "operation": ""}
OURS = {"marked": True, "cluster": "blue", "operation": ""}


def facts(member=False, record=None, **more):
    return {
        "os": {},
        "architecture": "amd64",
        "cpus": 4,
        "memory_mb": 8192,
        "disks": [{"path": "/var/lib/kubelet", "total_mb": 50000}],
        "cluster": {"member": member, "endpoint": "192.0.2.1:6443"},
        "record": record or FREE,
        **more,
    }


def one(kube_host, **variables):
    return standby_hosts({"s1": {"kube_host": kube_host, **variables}}, ["s1"], "blue")[0]


@pytest.mark.parametrize(
    ("kube_host", "state", "problem"),
    [
        (facts(), "free", ""),
        (facts(record=OURS), "prepared", ""),
        (facts(True, OURS), "node", ""),
        (facts(True, {**OURS, "operation": "join"}), "joining", ""),
        (facts(record={**OURS, "operation": "reset"}), "resetting", ""),
        (facts(True), "node", "did not create (192.0.2.1:6443)"),
        (facts(record={**OURS, "cluster": "red"}), "prepared", "prepared for cluster 'red'"),
        (
            {"unreachable": True, "msg": "Connection timed out\nmore"},
            "",
            "could not be inspected: Connection timed out",
        ),
        ({}, "", "could not be inspected"),
    ],
)
def test_the_state_of_a_host(kube_host, state, problem):
    found = one(kube_host)
    assert found["state"] == state
    assert bool(found["problem"]) == bool(problem) and problem in found["problem"]


def test_what_preflight_refuses_is_left_out():
    found = standby_hosts({"s1": {"kube_host": facts()}}, ["s1"], "blue", {"s1": "Swap is on. [slipway:swap]"})[0]
    assert found["state"] == "free" and found["problem"] == "it cannot become a node: Swap is on. [slipway:swap]"


def test_a_host_offers_what_its_node_would_have():
    found = one(
        facts(),
        kube_node_name="worker-9",
        kube_node_labels={"ssd": True, "kubernetes.io/arch": "x"},
        kube_node_taints=[{"key": "a", "effect": "NoSchedule"}],
    )
    assert (found["host"], found["node"]) == ("s1", "worker-9")
    # The rule of the role kubernetes: 80m and 1843 MiB of such a host are kept, and 100 MiB are the threshold of eviction.
    assert found["allocatable"] == {
        "cpu": "3920m",
        "memory": "6249Mi",
        "ephemeral-storage": "45000Mi",
        "pods": "110",
    }
    assert found["labels"] == {
        "kubernetes.io/arch": "x",
        "kubernetes.io/os": "linux",
        "slipway.kube/standby": "true",
        "ssd": "true",
    }
    assert found["taints"] == [{"key": "a", "effect": "NoSchedule"}]


@pytest.mark.parametrize(
    ("variables", "offered"),
    [
        (
            {"kubernetes_kube_reserved": {"cpu": "500m"}, "kubernetes_system_reserved": {"memory": "1Gi"}},
            {"cpu": "3500m", "memory": "5225Mi"},
        ),
        ({"kubernetes_reserve": "false"}, {"cpu": "4000m", "memory": "8092Mi"}),
        (
            {"kubernetes_eviction_hard": {"memory.available": "10%", "nodefs.available": "1000Mi"}},
            {"memory": "5529Mi", "ephemeral-storage": "49000Mi"},
        ),
        (
            {
                "kubernetes_kubelet_config": {
                    "maxPods": 40,
                    "kubeReserved": {"cpu": "1"},
                    "systemReserved": {"ephemeral-storage": "5000Mi"},
                    "evictionHard": {"memory.available": "500Mi"},
                }
            },
            {"cpu": "3000m", "memory": "5849Mi", "ephemeral-storage": "40000Mi", "pods": "40"},
        ),
    ],
)
def test_what_the_inventory_says_of_the_kubelet_counts(variables, offered):
    """A host that offers less than was thought would join, leave, and join again."""
    assert offered.items() <= one(facts(), **variables)["allocatable"].items()


def test_a_node_of_the_pool_is_labelled_and_others_are_not():
    hostvars = {
        "w1": {"group_names": ["kube_worker"], "kube_node_labels": {"a": "b"}},
        "s1": {"group_names": ["kube_standby", "kube_worker"], "kube_node_labels": {"a": "b"}},
    }
    worker, standby = cluster_nodes(hostvars, [], ["w1", "s1"])
    assert worker["desired"]["labels"] == {"a": "b"}
    assert standby["desired"]["labels"] == {"a": "b", "slipway.kube/standby": "true"}
