# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node is drained before it is removed, and only the Node of the host itself is deleted."""

from __future__ import annotations

import copy
import time

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._host.system import HostError
from ansible_collections.slipway.kube.plugins.module_utils._kube.api import ApiError, Unreachable
from ansible_collections.slipway.kube.plugins.module_utils._kubeadm import budgets, removal

HOW = removal.Draining(timeout=60)


def pod(name, owner="ReplicaSet", phase="Running", **annotations):
    owners = [{"kind": owner, "name": "x", "controller": True}] if owner else []
    return {
        "metadata": {
            "labels": {"app": name},
            "name": name,
            "namespace": "shop",
            "uid": f"uid-{name}",
            "annotations": annotations,
            "ownerReferences": owners,
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

    def is_transient(self, error):
        return error.transient

    def find(self, path):
        if path.startswith("/apis/coordination"):
            return {"spec": {"renewTime": time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime())}}
        return self.node

    def items(self, path, query=None):
        if path == budgets.BUDGETS:
            return [BUDGET]
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
        for part in ("spec", "metadata"):
            for key, value in body.get(part, {}).items():
                self.node[part][key] = {**self.node[part].get(key, {}), **value} if isinstance(value, dict) else value

    def delete(self, path, uid=None):
        assert uid == "n1"
        self.writes.append(path)
        self.node = None


BUDGET = {
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {"minAvailable": 2, "selector": {"matchLabels": {"app": "web"}}},
    "status": {"disruptionsAllowed": 0, "expectedPods": 2, "currentHealthy": 2, "desiredHealthy": 2},
}


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(removal.time, "sleep", lambda seconds: None)


EVICTION = "/api/v1/namespaces/shop/pods/{}/eviction"


def test_pods_are_evicted_except_those_that_belong_to_the_node():
    static = pod("static", **{budgets.MIRROR: "x"})
    cluster = Cluster(pod("web"), pod("log", "DaemonSet"), static, pod("done", "Job", "Succeeded"), slow=3)
    changes, _notes = removal.drain(cluster, "w1", HOW, False)
    assert changes == ["node w1 cordoned", "pod shop/web evicted from node w1"]
    assert cluster.writes == ["/api/v1/nodes/w1", EVICTION.format("web")]
    assert [one["metadata"]["name"] for one in cluster.pods] == ["log", "static", "done"]
    assert removal.drain(cluster, "w1", HOW, False)[0] == []


def test_check_mode_predicts_the_same_and_writes_nothing():
    cluster = Cluster(pod("web"))
    assert removal.drain(cluster, "w1", HOW, True)[0] == ["node w1 cordoned", "pod shop/web evicted from node w1"]
    assert cluster.writes == []


def test_an_eviction_that_a_budget_refuses_is_repeated():
    cluster = Cluster(pod("web"), budget=2)
    removal.drain(cluster, "w1", HOW, False)
    assert cluster.writes.count(EVICTION.format("web")) == 3 and cluster.pods == []


def test_a_pod_that_may_not_go_is_named_with_its_budget():
    with pytest.raises(
        HostError,
        match=r"stays cordoned.*shop/web: Cannot evict pod\. The disruption budget web needs 2.*PodDisruptionBudget shop/web \(minAvailable: 2\)",
    ):
        removal.drain(Cluster(pod("web"), budget=10**9), "w1", removal.Draining(timeout=-1), False)


def test_the_pods_of_a_node_that_is_dead_are_not_waited_for():
    cluster = Cluster(pod("web"), ready=False, slow=10**9)
    assert removal.drain(cluster, "w1", HOW, False)[0][-1] == "pod shop/web evicted from node w1"


def test_the_pods_of_a_node_that_is_lost_during_the_drain_are_not_waited_for():
    class Dying(Cluster):
        """Its node is Ready when it is read for the first time only."""

        def find(self, path):
            found = copy.deepcopy(super().find(path))
            self.node["status"]["conditions"][0]["status"] = "Unknown"
            return found

    changes, _notes = removal.drain(Dying(pod("web"), slow=10**9), "w1", HOW, False)
    assert changes[-1] == "pod shop/web evicted from node w1"


def test_a_kubelet_that_reports_itself_not_ready_for_a_moment_ends_its_pods():
    class Flickering(Cluster):
        def create(self, path, body):
            super().create(path, body)
            self.node["status"]["conditions"][0]["status"] = "False"

    cluster = Flickering(pod("web"), slow=3)
    removal.drain(cluster, "w1", HOW, False)
    assert not cluster.pods


def test_a_pod_whose_containers_have_ended_is_waited_for_until_its_kubelet_has_deleted_it():
    class Ending(Cluster):
        def create(self, path, body):
            super().create(path, body)
            self.pods[0]["status"]["phase"] = "Failed"

    cluster = Ending(pod("web"), slow=3)
    changes, _notes = removal.drain(cluster, "w1", HOW, False)
    assert not cluster.pods and changes == ["node w1 cordoned", "pod shop/web evicted from node w1"]


def test_a_finished_pod_that_a_finalizer_keeps_is_not_waited_for():
    kept = pod("web", "Job", "Failed")
    kept["metadata"].update(deletionTimestamp="now", finalizers=["shop.example/backup"])
    changes, _notes = removal.drain(Cluster(kept, slow=1000), "w1", HOW, False)
    assert changes == ["node w1 cordoned"]


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
        "force": False,
        "reason": "",
        "version": "",
    }
    with pytest.raises(HostError, match="cluster is sha256:ours, the CA of this control plane is sha256:theirs"):
        removal.converge(params, False)
    assert removal.converge({**params, "ca_cert_hash": "sha256:theirs"}, False)["changes"] == ["node w1 cordoned"]


def test_a_pod_that_nothing_starts_again_is_evicted_only_by_force():
    cluster = Cluster(pod("web"), pod("lonely", owner=""))
    with pytest.raises(HostError, match=r"nothing was changed.*Evidence: shop/lonely"):
        removal.drain(cluster, "w1", HOW, False)
    assert cluster.writes == []
    changes, notes = removal.drain(cluster, "w1", removal.Draining(timeout=60, force=True), False)
    assert "pod shop/lonely evicted from node w1" in changes
    assert notes == ["pods shop/lonely have no controller and are not started again after their eviction from node w1"]


def test_what_stays_and_what_loses_its_data_is_told():
    cached = pod("web")
    cached["spec"] = {"volumes": [{"name": "cache", "emptyDir": {}}]}
    _changes, notes = removal.drain(Cluster(cached, pod("log", "DaemonSet")), "w1", HOW, False)
    assert notes == [
        "pods shop/log stay on node w1, they belong to DaemonSets",
        "pods shop/web lose the data of their emptyDir volumes on node w1",
    ]


def test_only_what_was_cordoned_for_a_reason_is_uncordoned_for_it():
    cluster = Cluster()
    removal.drain(cluster, "w1", removal.Draining(timeout=60, reason="upgrade"), False)
    assert removal.cordoned_by(cluster.node) == "upgrade"
    assert removal.uncordon(cluster, "w1", "upgrade", True) == ["node w1 uncordoned"]
    assert removal.uncordon(cluster, "w1", "upgrade", False) == ["node w1 uncordoned"]
    assert not cluster.node["spec"]["unschedulable"] and not removal.cordoned_by(cluster.node)
    assert removal.uncordon(cluster, "w1", "", False) == []


def test_a_node_that_an_administrator_cordoned_stays_cordoned():
    cluster = Cluster()
    cluster.node["spec"]["unschedulable"] = True
    assert removal.drain(cluster, "w1", removal.Draining(timeout=60, reason="upgrade"), False)[0] == []
    assert removal.uncordon(cluster, "w1", "upgrade", False) == []
    assert cluster.node["spec"]["unschedulable"] and cluster.writes == []


def test_a_node_that_an_administrator_drains_too_belongs_to_the_administrator():
    cluster = Cluster()
    removal.drain(cluster, "w1", removal.Draining(timeout=60, reason="upgrade"), False)
    removal.drain(cluster, "w1", HOW, False)
    assert removal.uncordon(cluster, "w1", "upgrade", False) == []
    assert removal.uncordon(cluster, "w1", "", False) == ["node w1 uncordoned"]


def test_a_node_is_ready_with_its_new_version_only():
    cluster = Cluster()
    cluster.node["status"]["nodeInfo"]["kubeletVersion"] = "v1.36.3"
    removal.wait_until_ready(cluster, "w1", "1.36.3", 0)
    with pytest.raises(
        HostError, match=r"not ready with version 1\.37\.2 .*its kubelet is 1\.36\.3, and the node is Ready"
    ):
        removal.wait_until_ready(cluster, "w1", "1.37.2", -1)


def test_a_node_that_was_not_seen_since_the_boot_is_not_ready():
    """The API server tells the state before the boot until the kubelet reports."""
    cluster = Cluster()
    cluster.node["status"]["nodeInfo"]["bootID"] = "before"
    with pytest.raises(HostError, match=r"'w1' is not ready after .*has not reported since the boot"):
        removal.wait_until_ready(cluster, "w1", "", -1, "after")
    cluster.node["status"]["nodeInfo"]["bootID"] = "after"
    removal.wait_until_ready(cluster, "w1", "", 0, "after")


def test_the_static_pods_of_a_control_plane_have_settled(monkeypatch):
    """A kubelet of another minor version starts them anew: the API server that just answered is gone a moment later."""
    static, asked, clock = pod("kube-apiserver", owner="Node", **{budgets.MIRROR: "x"}), [], iter(range(100))
    monkeypatch.setattr(removal.time, "monotonic", lambda: float(next(clock)))
    cluster = Cluster(static)
    cluster.node["status"]["nodeInfo"]["kubeletVersion"] = "v1.37.2"
    items = cluster.items

    def restarting(path, query):
        asked.append(path)
        if len(asked) == 4:
            raise Unreachable("connection refused")
        static["status"]["conditions"] = [{"type": "Ready", "status": "False" if len(asked) == 5 else "True"}]
        return items(path, query)

    cluster.items = restarting
    removal.wait_until_ready(cluster, "w1", "1.37.2", 60)
    assert len(asked) == 5 + 1 + removal.SETTLED


@pytest.mark.parametrize(
    ("previous", "settled"),
    [("1.37.1", 0), ("1.36.3", removal.SETTLED), ("", removal.SETTLED), ("1.3.7", removal.SETTLED)],
)
def test_static_pods_run_on_where_only_the_patch_release_of_the_kubelet_moves(monkeypatch, tmp_path, previous, settled):
    waited = []
    monkeypatch.setattr(removal, "has_kubeconfig", lambda *_: True)
    monkeypatch.setattr(removal, "connect", lambda *_: Cluster())
    monkeypatch.setattr(removal, "wait_until_ready", lambda *arguments: waited.append(arguments[-1]))
    params = {"kubeconfig": "", "server": "", "ca_file": str(tmp_path / "ca.crt"), "ca_cert_hash": "", "name": "w1"}
    more = {
        "state": "uncordoned",
        "version": "1.37.2",
        "previous": previous,
        "timeout": 9,
        "boot_id": "",
        "reason": "upgrade",
    }
    removal.converge({**params, **more}, False)
    assert waited == [settled]
