# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One call brings all nodes to where they should be, and a second one finds nothing to do."""

from __future__ import annotations

import base64
import json

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._host.system import HostError
from ansible_collections.slipway.kube.plugins.module_utils._kube.api import ApiError
from ansible_collections.slipway.kube.plugins.module_utils._kubeadm import coredns, nodes, serving_requests
from ansible_collections.slipway.kube.plugins.module_utils._kubeadm.config import CONTROL_PLANE_TAINT


class Cluster:
    """An API server of nodes and certificate requests, with the methods of a client."""

    def __init__(self):
        self.have, self.requests, self.serving, self.ran, self.conflicts = {}, [], set(), [], 0
        self.inventory = None
        self.dns = {"metadata": {}, "data": {"Corefile": ""}}

    def add(self, name, taints=()):
        self.have[name] = {
            "metadata": {"name": name, "labels": {}, "annotations": {}, "resourceVersion": "1"},
            "spec": {"taints": list(taints)},
            "status": {"conditions": [{"type": "Ready", "status": "True"}]},
        }

    def ask(self, name, user=None):
        self.requests.append(
            {
                "metadata": {"name": f"csr-{name}-{len(self.requests)}"},
                "spec": {
                    "signerName": serving_requests.SIGNER,
                    "username": "system:node:" + (user or name),
                    "groups": ["system:nodes", "system:authenticated"],
                    "usages": ["digital signature", "server auth"],
                    "request": base64.b64encode(b"none").decode(),
                },
                "status": {},
            }
        )

    def items(self, path):
        return list(self.have.values()) if path == "/api/v1/nodes" else self.requests

    def find(self, path):
        if path == coredns.CONFIG_MAP:
            return self.dns
        assert path == serving_requests.INVENTORY
        return self.inventory

    def apply(self, path, content, manager, force, dry_run):
        assert path == serving_requests.INVENTORY and not dry_run
        self.ran.append(path)
        self.inventory = content

    def each(self, function, items):
        return [function(item) for item in items]

    def patch(self, path, patch):
        if path.startswith("/api/v1/nodes/") and self.conflicts:
            self.conflicts -= 1
            raise ApiError(409, "Conflict", "Operation cannot be fulfilled: the object has been modified")
        self.ran.append(path)
        if path.startswith("/api/v1/nodes/"):
            node = self.have[path.rpartition("/")[2]]
            for part in ("labels", "annotations"):
                node["metadata"][part].update(
                    {k: v for k, v in patch["metadata"].get(part, {}).items() if v is not None}
                )
            node["spec"].update(patch.get("spec", {}))
        else:
            (approved,) = patch["status"]["conditions"]
            assert approved["type"] == "Approved" and approved["status"] == "True"
            for request in self.requests:
                if path == f"{serving_requests.REQUESTS}/{request['metadata']['name']}/approval":
                    request["status"]["certificate"] = "x"
                    self.serving.add(serving_requests.requesting_node(request))


@pytest.fixture
def cluster(monkeypatch):
    cluster = Cluster()
    addresses = {"192.0.2.1": "cp1", "192.0.2.2": "w1"}
    monkeypatch.setattr(
        nodes.serving_certificates,
        "kubelet_problem",
        lambda address, ca: "" if addresses[address] in cluster.serving else "no certificate",
    )
    monkeypatch.setattr(nodes.serving_requests, "refusal", lambda request, node: "" if node else "not in the inventory")
    monkeypatch.setattr(nodes, "connect", lambda *arguments, **more: cluster)
    monkeypatch.setattr(nodes.time, "sleep", lambda seconds: None)
    return cluster


def wanted(tmp_path, **over):
    (tmp_path / "admin.conf").write_text("x")
    base = {"host_names": [], "labels": {}, "taints": [], "control_plane": False}
    return {
        "nodes": [
            {**base, "name": "cp1", "addresses": ["192.0.2.1"], "control_plane": True},
            {**base, "name": "w1", "addresses": ["192.0.2.2"], "labels": {"disktype": "ssd"}},
        ],
        "schedulable": False,
        "serving_certificates": True,
        "end_joining": False,
        "ca_file": "/ca.crt",
        "timeout": 0,
        "kubeconfig": str(tmp_path / "admin.conf"),
        "server": "",
        **over,
    }


def test_a_new_cluster_is_labelled_and_approved_and_then_left_alone(cluster, tmp_path):
    cluster.add("cp1", [CONTROL_PLANE_TAINT])
    cluster.add("w1")
    cluster.ask("cp1")
    cluster.ask("w1")
    first = nodes.converge(wanted(tmp_path, timeout=5), False)
    assert first["changed"] and sorted(first["approved"]) == ["cp1", "w1"]
    assert cluster.have["w1"]["metadata"]["labels"] == {"disktype": "ssd"}
    cluster.ran.clear()
    second = nodes.converge(wanted(tmp_path), False)
    assert not second["changed"] and cluster.ran == []


def test_what_was_set_in_the_dns_is_told(cluster, tmp_path):
    assert not nodes.converge(wanted(tmp_path), True)["dns_managed"]
    cluster.dns["metadata"]["annotations"] = {coredns.MANAGED: "{}"}
    assert nodes.converge(wanted(tmp_path), True)["dns_managed"]
    cluster.dns = None
    assert not nodes.converge(wanted(tmp_path), True)["dns_managed"]


def test_the_names_of_nodes_are_recorded_for_the_approver_also_where_a_run_knows_only_some(cluster, tmp_path):
    cluster.add("cp1", [CONTROL_PLANE_TAINT])
    cluster.add("w1")
    cluster.serving.update(["cp1", "w1"])
    assert nodes.INVENTORY_CHANGE in nodes.converge(wanted(tmp_path), True)["changes"] and cluster.inventory is None
    nodes.converge(wanted(tmp_path), False)
    every = wanted(tmp_path)["nodes"]

    def recorded():
        return json.loads(cluster.inventory["data"][serving_requests.INVENTORY_KEY])

    assert recorded()["w1"] == {"name": "w1", "addresses": ["192.0.2.2"], "host_names": []}
    nodes.converge(wanted(tmp_path, nodes=every[:1]), False)
    assert set(recorded()) == {"cp1", "w1"}
    del cluster.have["w1"]
    nodes.converge(wanted(tmp_path, nodes=every[:1]), False)
    assert set(recorded()) == {"cp1"}


@pytest.mark.parametrize("dry", [False, True])
def test_joining_ends_in_the_same_call(cluster, tmp_path, monkeypatch, dry):
    cluster.add("cp1", [CONTROL_PLANE_TAINT])
    cluster.serving.update(["cp1", "w1"])
    asked = []
    monkeypatch.setattr(nodes, "revoke", lambda client, dry: asked.append(dry) or ["bootstrap-token-abcdef"])
    told = nodes.converge(wanted(tmp_path, end_joining=True, nodes=wanted(tmp_path)["nodes"][:1]), dry)
    assert told["changes"] == ["Secret bootstrap-token-abcdef deleted.", nodes.INVENTORY_CHANGE] and asked == [dry]


def test_check_mode_predicts_what_the_run_then_does(cluster, tmp_path):
    cluster.add("cp1", [CONTROL_PLANE_TAINT])
    cluster.add("w1")
    cluster.ask("cp1")
    cluster.ask("w1")
    predicted = nodes.converge(wanted(tmp_path), True)
    assert cluster.ran == []
    assert sorted(nodes.converge(wanted(tmp_path, timeout=5), False)["changes"]) == sorted(predicted["changes"])
    assert not nodes.converge(wanted(tmp_path), True)["changed"]


def test_check_mode_predicts_a_cluster_that_is_not_there_yet(cluster, tmp_path):
    predicted = nodes.converge(wanted(tmp_path, kubeconfig=str(tmp_path / "none")), True)
    assert predicted["changes"] == [
        nodes.INVENTORY_CHANGE,
        "cp1: serving certificate approved",
        "w1: label disktype=ssd",
        "w1: annotation slipway.kube/managed-labels=disktype",
        "w1: serving certificate approved",
    ]


def test_without_a_cluster_a_real_run_is_refused(cluster, tmp_path):
    with pytest.raises(HostError, match="not a control plane"):
        nodes.converge(wanted(tmp_path, kubeconfig=str(tmp_path / "none")), False)


def test_a_stranger_s_request_is_left_and_told(cluster, tmp_path):
    for name in ("cp1", "w1"):
        cluster.add(name, [CONTROL_PLANE_TAINT] if name == "cp1" else [])
        cluster.serving.add(name)
    cluster.have["w1"]["metadata"].update(
        labels={"disktype": "ssd"}, annotations={"slipway.kube/managed-labels": "disktype"}
    )
    cluster.add("stranger")
    nodes.converge(wanted(tmp_path), False)
    cluster.ran.clear()
    cluster.ask("stranger")
    result = nodes.converge(wanted(tmp_path), False)
    assert not result["changed"] and cluster.ran == []
    assert result["unknown"] == ["stranger"] and "not in the inventory" in result["refused"][0]


def test_a_conflict_is_tried_again(cluster, tmp_path):
    for name in ("cp1", "w1"):
        cluster.add(name)
        cluster.serving.add(name)
    cluster.conflicts = 2
    assert nodes.converge(wanted(tmp_path, timeout=5), False)["changed"]
    assert cluster.have["w1"]["metadata"]["labels"] == {"disktype": "ssd"}


def test_nodes_that_do_not_come_are_named_with_what_is_missing(cluster, tmp_path):
    cluster.add("cp1", [CONTROL_PLANE_TAINT])
    with pytest.raises(HostError) as error:
        nodes.converge(wanted(tmp_path), False)
    text = str(error.value)
    assert "- cp1: its kubelet does not serve" in text and "- w1: it has not registered" in text and "Remedy" in text


def test_a_single_node_loses_the_control_plane_s_taint(cluster, tmp_path):
    cluster.add("cp1", [CONTROL_PLANE_TAINT])
    cluster.serving.add("cp1")
    params = wanted(tmp_path, schedulable=True)
    params["nodes"] = params["nodes"][:1]
    assert nodes.converge(params, False)["changed"]
    assert cluster.have["cp1"]["spec"]["taints"] == []


def test_one_name_for_two_nodes_is_refused(cluster, tmp_path):
    params = wanted(tmp_path)
    params["nodes"][1]["name"] = "cp1"
    with pytest.raises(HostError, match="Several nodes have the same name: "):
        nodes.converge(params, False)
