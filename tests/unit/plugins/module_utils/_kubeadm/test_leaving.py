# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes are found by their names, and none leaves that the cluster cannot do without."""

from __future__ import annotations

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._kubeadm import etcd
from ansible_collections.slipway.kube.plugins.module_utils._kubeadm.leaving import (
    CONTROL_PLANE,
    Seen,
    read_members,
    refuse_reboot,
    refuse_removal,
    resolve,
)

HOSTS = {"cp1": "cp1", "cp2": "cp2", "cp3": "cp3", "w1": "worker-1", "w9": "w9"}


def node(name, ready=True):
    labels = {CONTROL_PLANE: ""} if name.startswith("cp") else {}
    conditions = [{"type": "Ready", "status": "True" if ready else "Unknown"}]
    return {"metadata": {"name": name, "labels": labels}, "status": {"conditions": conditions}}


def pod(name, on, owner="ReplicaSet"):
    owners = [{"kind": owner, "name": "x", "controller": True}] if owner else []
    metadata = {"name": name, "namespace": "shop", "labels": {"app": "web"}, "ownerReferences": owners}
    return {"metadata": metadata, "spec": {"nodeName": on}, "status": {"phase": "Running"}}


BUDGET = {
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}},
    "status": {"disruptionsAllowed": 0, "expectedPods": 1, "currentHealthy": 1, "desiredHealthy": 1},
}


@pytest.fixture
def seen():
    nodes = {name: node(name) for name in ("cp1", "cp2", "cp3", "worker-1", "old")}
    return Seen(nodes, members={"cp1": True, "cp2": True, "cp3": True})


def removal(seen, *names, force=False):
    nodes, refused = resolve(names, HOSTS, seen)
    return refused + refuse_removal(nodes, seen, force)


def test_names_of_hosts_and_of_nodes_mean_the_same(seen):
    for names in (["w1"], ["worker-1"], ["w1", "worker-1"]):
        (found,), refused = resolve(names, HOSTS, seen)
        assert (found["name"], found["host"], found["registered"], found["control_plane"]) == (
            "worker-1",
            "w1",
            True,
            False,
        )
        assert refused == []


def test_a_node_without_a_host_and_a_host_without_a_node_are_found(seen):
    nodes, refused = resolve(["old", "w9", "cp2"], HOSTS, seen)
    assert [(one["host"], one["registered"], one["control_plane"]) for one in nodes] == [
        ("", True, False),
        ("w9", False, False),
        ("cp2", True, True),
    ]
    assert refused == []


def test_a_name_that_nobody_has_is_refused(seen):
    (reason,) = removal(seen, "w1", "w7")
    assert "'w7' is neither a host of the inventory nor a node" in reason and "cp1, cp2, cp3, old, worker-1" in reason


def test_the_last_control_plane_stays(seen):
    assert removal(seen, "cp1", "cp2") == []
    (reason,) = removal(seen, "cp1", "cp2", "cp3")
    assert "the cluster has 3 (cp1, cp2, cp3), and all of them would be removed" in reason


def test_etcd_keeps_its_quorum(seen):
    seen.members["cp3"] = False
    assert removal(seen, "cp3") == []
    (reason,) = removal(seen, "cp2")
    assert "of the 2 members that would be left, 1 are healthy (cp3 is not), and 2 are needed" in reason
    seen.members["cp2"] = False
    (reason,) = removal(seen, "cp3")
    assert "etcd has no quorum" in reason and "1 of 3 members are healthy, and 2 are needed" in reason
    assert removal(seen, "w1") == [], "a worker has no member"


def test_a_member_without_a_node_is_a_control_plane(seen):
    del seen.nodes["cp3"]
    seen.members["cp3"] = False
    (found,), _refused = resolve(["cp3"], HOSTS, seen)
    assert found["control_plane"] and not found["registered"]
    assert removal(seen, "cp3") == []


def test_a_budget_or_a_bare_pod_forbids_it(seen):
    seen.pods, seen.budgets = [pod("web", "worker-1"), pod("lonely", "worker-1", owner="")], [BUDGET]
    assert len(removal(seen, "w1")) == 2
    (reason,) = removal(seen, "w1", force=True)
    assert "PodDisruptionBudget shop/web (minAvailable: 1) permits no disruption" in reason
    assert removal(seen, "old") == [], "the pods are on another node"
    seen.nodes["worker-1"] = node("worker-1", ready=False)
    assert removal(seen, "w1") == [], "the pods of a dead node are gone anyway"


def reboot(seen, *names, force=False):
    nodes, refused = resolve(names, HOSTS, seen)
    return refused + refuse_reboot(nodes, seen, force)


def test_a_control_plane_does_not_reboot_while_another_member_of_etcd_is_ill(seen):
    assert reboot(seen, "cp1", "cp2", "cp3", "w1") == []
    seen.members["cp3"] = False
    refused = reboot(seen, "cp1", "cp3", "w1")
    assert len(refused) == 1 and "'cp1' reboots" in refused[0] and "1 are healthy (cp3 is not), and 2" in refused[0]


def test_one_control_plane_reboots_although_the_api_is_gone_meanwhile(seen):
    seen.members = {"cp1": True}
    assert reboot(seen, "cp1") == []


def test_a_reboot_respects_budgets_and_pods_that_nothing_starts_again(seen):
    seen.pods, seen.budgets = [pod("web-1", "worker-1"), pod("debug", "worker-1", owner="")], [BUDGET]
    assert "disruptionbudget shop/web" in str(reboot(seen, "w1")).lower() and "debug" in str(reboot(seen, "w1"))
    assert "debug" not in str(reboot(seen, "w1", force=True)) and reboot(seen, "cp1") == []


def test_a_host_that_is_no_node_is_not_rebooted(seen):
    (reason,) = reboot(seen, "w9")
    assert "Host 'w9' is not a node of the cluster" in reason


def test_the_last_members_of_an_external_etcd_stay(seen):
    seen.members = {"etcd1": True, "etcd2": True}
    hosts = {**HOSTS, "etcd1": "etcd1", "etcd2": "etcd2"}
    nodes, refused = resolve(["etcd1", "etcd2"], hosts, seen)
    (reason,) = refused + refuse_removal(nodes, seen, force=False)
    assert "No member of etcd would be left" in reason and "etcd1, etcd2" in reason
    nodes, refused = resolve(["cp1", "etcd1"], hosts, seen)
    assert refused + refuse_removal(nodes, seen, force=False) == []


NAMELESS = {"ID": "4", "peerURLs": ["https://[fd00::34]:2380"], "isLearner": True}


@pytest.mark.parametrize("asked", ["etcd4", "fd00:0::34", "https://[fd00::34]:2380"])
def test_a_member_of_etcd_that_never_started_is_found_by_its_peer_url(seen, asked, monkeypatch):
    started = {"ID": "1", "name": "etcd1", "peerURLs": ["https://192.0.2.31:2380"], "clientURLs": ["https://etcd1"]}
    monkeypatch.setattr(etcd, "has_credentials", lambda pki: True)
    monkeypatch.setattr(etcd, "find_endpoint", lambda pki: "https://etcd1")
    monkeypatch.setattr(etcd, "list_members", lambda *arguments: [started, NAMELESS])
    monkeypatch.setattr(etcd, "member_errors", lambda *arguments: [])
    seen.members, seen.unstarted = read_members()
    assert seen.members == {"etcd1": True}, "a learner does not count for the quorum"
    hosts, addresses = {**HOSTS, "etcd1": "etcd1", "etcd4": "etcd4"}, {"etcd4": ["fd00::34"]}
    (found,), refused = resolve([asked], hosts, seen, addresses)
    assert found["unstarted"] == ["fd00::34"] and refused == []
    assert refuse_removal([found], seen, force=False) == []
    assert etcd.find_members([started, NAMELESS], found["name"], found["unstarted"]) == [NAMELESS]
    nodes, refused = resolve(["etcd5"], hosts, seen, addresses)
    assert nodes == [] and "never started https://[fd00::34]:2380. Correct the name" in refused[0]


def test_a_voting_member_that_never_started_is_removed_although_it_counts(seen):
    seen.members = {"etcd1": True, "etcd2": True, "https://192.0.2.33:2380": False}
    seen.unstarted = {"192.0.2.33": "https://192.0.2.33:2380"}
    (found,), _refused = resolve(["192.0.2.33"], HOSTS, seen)
    assert refuse_removal([found], seen, force=False) == []


def test_a_member_of_an_external_etcd_reboots_while_the_others_are_healthy(seen):
    hosts = {**HOSTS, "etcd1": "etcd1"}
    seen.members = {"etcd1": True, "etcd2": True, "etcd3": True}
    nodes, _refused = resolve(["etcd1", "cp1"], hosts, seen)
    assert len(refuse_reboot(nodes[:1], seen, False)) == 1, (
        "with a stacked etcd, it would be a control plane without a Node"
    )
    seen.external = True
    assert refuse_reboot(nodes, seen, False) == []
    seen.members["etcd3"] = False
    (reason,) = refuse_reboot(nodes, seen, False)
    assert reason.startswith("etcd would have no quorum while 'etcd1' reboots. Evidence: of the 2 other members, 1 are")
