# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts may join for some minutes; what is left of their earlier lives, and of earlier runs, goes."""

from __future__ import annotations

import json
import time

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._host.system import HostError
from ansible_collections.slipway.kube.plugins.module_utils._kubeadm import credentials, issue_credentials

TOKEN = "abcdef.0123456789abcdef"


class Cluster:
    """What the module requests from the API server."""

    def __init__(self):
        self.secrets, self.node, self.ran = {}, {}, []

    def get(self, path):
        assert path == "/api/v1/namespaces/kube-system"
        return {"metadata": {"uid": "uid-of-kube-system"}}

    def find(self, path):
        collection, _slash, name = path.rpartition("/")
        if collection == "/api/v1/namespaces/kube-system/secrets":
            return self.secrets.get(name)
        if collection == "/api/v1/nodes":
            return self.node if self.node and self.node["metadata"]["name"] == name else None
        assert collection == "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
        return {"spec": {"renewTime": time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime())}}

    def items(self, path, query):
        assert path == "/api/v1/namespaces/kube-system/secrets"
        assert query == {"fieldSelector": "type=bootstrap.kubernetes.io/token"}
        return [secret for name, secret in self.secrets.items() if name.startswith("bootstrap-token-")]

    def apply(self, path, content, manager, force, dry_run):
        self.ran.append(path)
        assert path == f"/api/v1/namespaces/kube-system/secrets/{content['metadata']['name']}" and not dry_run
        self.secrets[content["metadata"]["name"]] = content

    def delete(self, path):
        self.ran.append(path)
        if path.startswith("/api/v1/nodes/"):
            self.node = {}
        else:
            self.secrets.pop(path.rpartition("/")[2], None)


@pytest.fixture
def cluster(monkeypatch, tmp_path):
    cluster = Cluster()
    monkeypatch.setattr(issue_credentials, "connect", lambda *arguments: cluster)
    monkeypatch.setattr(issue_credentials.etcd, "has_credentials", lambda: True)
    monkeypatch.setattr(
        issue_credentials.etcd, "remove_member", lambda endpoints, name, addresses, dry: [f"etcd member {name}"]
    )

    def upload(client, key):
        cluster.secrets["bootstrap-token-proxy0"] = {
            "metadata": {"name": "bootstrap-token-proxy0"},
            "data": {"description": "UHJveHk="},
        }
        cluster.secrets["kubeadm-certs"] = {
            "metadata": {
                "annotations": {credentials.UPLOADED: "true"},
                "ownerReferences": [{"kind": "Secret", "name": "bootstrap-token-proxy0"}],
            }
        }

    monkeypatch.setattr(issue_credentials, "upload_certificates", upload)
    (tmp_path / "admin.conf").write_text("clusters:\n- cluster:\n    server: https://192.0.2.1:6443\n  name: k\n")
    cluster.admin = str(tmp_path / "admin.conf")
    return cluster


def call(cluster, check_mode=False, **over):
    params = {
        "state": "present",
        "token": TOKEN,
        "certificate_key": "",
        "minutes": 15,
        "joining": [],
        "kubeconfig": cluster.admin,
        "server": "",
    }
    return issue_credentials.converge({**params, **over}, check_mode)


def joining(**over):
    return [{"name": "w1", "addresses": [], "machine_id": "m1", "control_plane": False, **over}]


def test_all_that_was_made_goes_again(cluster):
    result = call(cluster, certificate_key="a" * 64)
    assert (result["endpoint"], result["cluster_id"]) == ("192.0.2.1:6443", "uid-of-kube-system")
    assert TOKEN not in json.dumps(result)
    assert set(cluster.secrets) == {"bootstrap-token-abcdef", "bootstrap-token-proxy0", "kubeadm-certs"}
    assert call(cluster, state="absent")["changed"] and cluster.secrets == {}
    assert not call(cluster, state="absent")["changed"]


def test_no_certificates_are_uploaded_for_workers(cluster):
    call(cluster)
    assert set(cluster.secrets) == {"bootstrap-token-abcdef"}


def test_an_interrupted_run_s_leavings_go_before_new_ones_are_made(cluster):
    call(cluster, certificate_key="a" * 64)
    call(cluster, token="ghijkl.0123456789abcdef")
    assert set(cluster.secrets) == {"bootstrap-token-ghijkl"}


def test_check_mode_changes_nothing_and_predicts_both_ends(cluster):
    assert call(cluster, True)["changed"] and call(cluster, True, state="absent")["changed"]
    assert cluster.ran == []
    assert call(cluster, True, kubeconfig="/nowhere")["changed"]


def test_without_a_control_plane_it_is_refused(cluster):
    with pytest.raises(HostError, match="not a control plane"):
        call(cluster, kubeconfig="/nowhere")


def test_a_node_of_the_joining_host_s_earlier_life_goes_with_its_etcd_member(cluster):
    cluster.node = {"metadata": {"name": "w1"}, "status": {"nodeInfo": {"machineID": "m1"}, "conditions": []}}
    assert call(cluster, True, joining=joining())["changes"][0] == "Stale node w1 deleted." and cluster.node
    changes = call(cluster, joining=joining(control_plane=True))["changes"]
    assert changes[:2] == ["Stale etcd member w1 deleted.", "Stale node w1 deleted."] and not cluster.node


def test_a_node_that_another_run_has_just_made_is_not_removed(cluster):
    cluster.node = {
        "metadata": {"name": "w1", "creationTimestamp": "2026-01-02T03:04:05Z"},
        "status": {"nodeInfo": {"machineID": "m1"}, "conditions": []},
    }
    made = 1767323045
    with pytest.raises(HostError, match=r"Another run has joined this host .* at 2026-01-02T03:04:05Z"):
        call(cluster, joining=joining(control_plane=True, seen=made - 60.5))
    assert cluster.ran == [] and cluster.node
    call(cluster, joining=joining(seen=made + 60.5))
    assert not cluster.node


def test_another_machine_that_is_alive_stops_it_before_a_token_is_made(cluster):
    cluster.node = {
        "metadata": {"name": "w1"},
        "status": {"nodeInfo": {"machineID": "other"}, "conditions": [{"type": "Ready", "status": "True"}]},
    }
    with pytest.raises(HostError, match="running as node 'w1'"):
        call(cluster, joining=joining())
    assert cluster.ran == [] and cluster.secrets == {}
