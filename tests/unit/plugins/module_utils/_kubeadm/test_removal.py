# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node is drained before it is removed, and only the Node of the host itself is deleted."""

from __future__ import annotations

import time

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._host.system import HostError
from ansible_collections.slipway.kube.plugins.module_utils._kube.api import ApiError
from ansible_collections.slipway.kube.plugins.module_utils._kubeadm import removal


def pod(name, owner="ReplicaSet", phase="Running", **annotations):
    return {
        "metadata": {
            "name": name,
            "namespace": "shop",
            "uid": f"uid-{name}",
            "annotations": annotations,
            "ownerReferences": [{"kind": owner, "name": "x", "controller": True}],
        },
        "status": {"phase": phase},
    }


class Cluster:
    """An API server with one node; ``budget`` is how many evictions its budgets refuse, ``slow`` how many lists a pod survives."""

    def __init__(self, *pods, ready=True, machine="m1", budget=0, slow=0):
        self.node = {
            "metadata": {"name": "w1", "uid": "n1"},
            "spec": {},
            "status": {
                "nodeInfo": {"machineID": machine},
                "conditions": [{"type": "Ready", "status": "True" if ready else "Unknown"}],
            },
        }
        self.pods, self.budget, self.slow, self.writes = list(pods), budget, slow, []
        self.patience = 60

    def find(self, path):
        if path.startswith("/apis/coordination"):
            return {"spec": {"renewTime": time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime())}}
        return self.node

    def items(self, path, query):
        assert (path, query) == ("/api/v1/pods", {"fieldSelector": "spec.nodeName=w1"})
        if any("deletionTimestamp" in one["metadata"] for one in self.pods):
            self.slow -= 1
            if self.slow < 0:
                self.pods = [one for one in self.pods if "deletionTimestamp" not in one["metadata"]]
        return list(self.pods)

    def create(self, path, body):
        self.writes.append(path)
        if self.budget:
            self.budget -= 1
            causes = [{"message": "The disruption budget web needs 2 healthy pods and has 2 currently"}]
            raise ApiError(429, "TooManyRequests", "Cannot evict pod.", causes=causes)
        for one in self.pods:
            if path == f"/api/v1/namespaces/shop/pods/{one['metadata']['name']}/eviction":
                assert body["deleteOptions"]["preconditions"]["uid"] == one["metadata"]["uid"]
                one["metadata"]["deletionTimestamp"] = "now"

    def patch(self, path, body):
        self.writes.append(path)
        self.node["spec"].update(body["spec"])

    def delete(self, path, uid=None):
        assert uid == "n1"
        self.writes.append(path)
        self.node = None


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(removal.time, "sleep", lambda seconds: None)


EVICTION = "/api/v1/namespaces/shop/pods/{}/eviction"


def test_pods_are_evicted_except_those_that_belong_to_the_node():
    static = pod("static", **{removal.MIRROR: "x"})
    cluster = Cluster(pod("web"), pod("log", "DaemonSet"), static, pod("done", "Job", "Succeeded"), slow=3)
    changes = removal.drain(cluster, "w1", 60, False)
    assert changes == ["node w1 cordoned", "pod shop/web evicted from node w1"]
    assert cluster.writes == ["/api/v1/nodes/w1", EVICTION.format("web")]
    assert [one["metadata"]["name"] for one in cluster.pods] == ["log", "static", "done"]
    assert removal.drain(cluster, "w1", 60, False) == []


def test_check_mode_predicts_the_same_and_writes_nothing():
    cluster = Cluster(pod("web"))
    assert removal.drain(cluster, "w1", 60, True) == ["node w1 cordoned", "pod shop/web evicted from node w1"]
    assert cluster.writes == []


def test_an_eviction_that_a_budget_refuses_is_repeated():
    cluster = Cluster(pod("web"), budget=2)
    removal.drain(cluster, "w1", 60, False)
    assert cluster.writes.count(EVICTION.format("web")) == 3 and cluster.pods == []


def test_a_pod_that_may_not_go_is_named_with_its_budget():
    with pytest.raises(
        HostError, match=r"stays cordoned .*shop/web: Cannot evict pod\. The disruption budget web needs 2"
    ):
        removal.drain(Cluster(pod("web"), budget=10**9), "w1", -1, False)


def test_the_pods_of_a_node_that_is_dead_are_not_waited_for():
    cluster = Cluster(pod("web"), ready=False, slow=10**9)
    assert removal.drain(cluster, "w1", 60, False)[-1] == "pod shop/web evicted from node w1"


def test_the_node_of_a_host_that_was_reset_is_deleted_once():
    cluster = Cluster()
    assert removal.remove(cluster, "w1", "m1", True) == ["node w1 deleted"] and cluster.writes == []
    assert removal.remove(cluster, "w1", "m1", False) == ["node w1 deleted"] and cluster.node is None
    assert removal.remove(cluster, "w1", "m1", False) == []


def test_the_node_of_another_machine_that_runs_under_the_name_is_kept():
    cluster = Cluster(machine="other")
    with pytest.raises(HostError, match="running as node 'w1'"):
        removal.remove(cluster, "w1", "m1", False)
    assert cluster.writes == []


def test_a_control_plane_of_another_cluster_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(removal, "ca_cert_hash", lambda pem: f"sha256:{pem}")
    monkeypatch.setattr(removal, "connect", lambda *arguments: Cluster())
    for name in ("admin.conf", "ca.crt"):
        (tmp_path / name).write_text("theirs")
    params = {
        "name": "w1",
        "state": "drained",
        "kubeconfig": str(tmp_path / "admin.conf"),
        "ca_file": str(tmp_path / "ca.crt"),
        "ca_cert_hash": "sha256:ours",
        "server": "",
        "timeout": 60,
    }
    with pytest.raises(HostError, match="cluster is sha256:ours, the CA of this control plane is sha256:theirs"):
        removal.converge(params, False)
    assert removal.converge({**params, "ca_cert_hash": "sha256:theirs"}, False)["changes"] == ["node w1 cordoned"]
