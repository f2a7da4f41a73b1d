# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A control plane uses the members of an external etcd that there are, and an interrupted run leaves nothing behind that a later one does not finish."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._host.system import HostError
from ansible_collections.slipway.kube.plugins.module_utils._kubeadm import etcd, etcd_endpoints

OLD = ["https://192.0.2.31:2379", "https://[fd00::32]:2379"]
NEW = ["https://192.0.2.31:2379", "https://192.0.2.34:2379"]
STORED = """etcd:
  external:
    caFile: /etc/kubernetes/pki/etcd/ca.crt
    certFile: /etc/kubernetes/pki/apiserver-etcd-client.crt
    endpoints:
    - https://192.0.2.31:2379
    - https://[fd00::32]:2379
    keyFile: /etc/kubernetes/pki/apiserver-etcd-client.key
"""


class Plane:
    """A control plane with its manifest, the ConfigMap of kubeadm and the members of etcd."""

    def __init__(self, tmp_path, monkeypatch) -> None:
        self.manifest = tmp_path / "kube-apiserver.yaml"
        self.manifest.write_text(f"    - --etcd-servers={','.join(OLD)}\n    - --etcd-servers-overrides=/events#x\n")
        self.stored, self.ready, self.silent, self.clock = STORED, True, [], 0.0
        self.members, self.backup, self.record = [*OLD, *NEW], "", str(tmp_path / "record")
        self.begun: list[str] = []
        self.again, self.newer = False, False
        monkeypatch.setattr(etcd_endpoints, "has_older_client", lambda: self.newer)
        monkeypatch.setattr(etcd_endpoints, "restart_kubelet", lambda seconds: self.begun.append("kubelet"))
        monkeypatch.setattr(etcd_endpoints, "restart", lambda name, *arguments: self.begun.append(name))
        monkeypatch.setattr(
            etcd_endpoints,
            "processes",
            lambda: iter([("kube-apiserver", 7, time.time() + 5), ("kube-scheduler", 8, 1.0)]),
        )
        monkeypatch.setattr(etcd, "API_SERVER", str(self.manifest))
        monkeypatch.setattr(etcd, "list_members", self.list_members)
        monkeypatch.setattr(etcd_endpoints, "connect", lambda kubeconfig, server: None)
        monkeypatch.setattr(etcd_endpoints, "change_map", self.change_map)
        monkeypatch.setattr(etcd_endpoints, "wait_for_api", self.wait_for_api)
        monkeypatch.setattr(etcd_endpoints, "started_at", self.started_at)

    def list_members(self, endpoint, pki="") -> list[dict[str, Any]]:
        if endpoint in self.silent:
            raise etcd.EtcdError("no answer")
        return [{"clientURLs": [url], "peerURLs": [url.replace("2379", "2380")]} for url in self.members]

    def change_map(self, client, path, key, change, check_mode) -> bool:
        before, after = self.stored, change(self.stored)
        self.stored = before if check_mode else after
        return after != before

    def wait_for_api(self, server, seconds) -> None:
        if not self.ready:
            raise HostError("not ready")

    def started_at(self) -> float:
        self.clock += 1
        return self.clock

    def use(self, *endpoints: str, check_mode: bool = False) -> list[str]:
        params = {"endpoints": list(endpoints), "timeout": 5, "server": "", "kubeconfig": "", "backup": self.backup}
        return etcd_endpoints.use({**params, "record_dir": self.record, "again": self.again}, check_mode)


@pytest.fixture
def plane(tmp_path, monkeypatch) -> Plane:
    return Plane(tmp_path, monkeypatch)


def test_the_manifest_and_the_configuration_of_kubeadm_get_them_and_a_second_run_changes_nothing(plane):
    predicted = plane.use(*NEW, check_mode=True)
    assert len(predicted) == 2 and plane.stored == STORED and "192.0.2.34" not in plane.manifest.read_text()
    assert plane.use(*NEW) == predicted
    manifest = plane.manifest.read_text()
    assert f"--etcd-servers={','.join(NEW)}\n" in manifest and "--etcd-servers-overrides=/events#x" in manifest
    assert "    - https://192.0.2.34:2379\n" in plane.stored and "fd00" not in plane.stored
    assert plane.use(*NEW) == []


def test_another_order_or_quotation_of_the_same_members_is_no_change(plane):
    assert plane.use(*reversed(OLD)) == [] and plane.stored == STORED


def test_what_an_interrupted_run_has_left_is_finished(plane):
    plane.ready = False
    with pytest.raises(HostError):
        plane.use(*NEW)
    plane.ready = True
    assert plane.use(*NEW) == ["kubeadm's configuration has these members of etcd."]


def test_an_api_server_is_not_given_hosts_that_are_no_members(plane):
    plane.members = OLD
    assert plane.use(*NEW, check_mode=True), "a run that adds the member first is predicted"
    with pytest.raises(HostError, match=r"192\.0\.2\.34.*\[slipway:etcd_hosts\]"):
        plane.use(*NEW)
    assert "192.0.2.34" not in plane.manifest.read_text() and plane.stored == STORED


def test_one_that_was_off_while_all_members_were_replaced_asks_the_new_ones(plane):
    plane.members, plane.silent = NEW[1:], OLD
    assert plane.use(NEW[1])
    assert f"--etcd-servers={NEW[1]}\n" in plane.manifest.read_text()


def test_components_are_restarted_once_on_an_etcd_that_was_restored(plane):
    plane.backup = "sha256:1"
    words = "The components of this control plane are restarted on the etcd that was restored."
    assert plane.use(*OLD, check_mode=True) == [words] and plane.begun == []
    assert plane.use(*OLD) == [words]
    assert plane.begun == ["kubelet", "kube-scheduler"], "the API server started meanwhile and knows nothing older"
    assert plane.use(*OLD) == [] and len(plane.begun) == 2
    plane.newer = True  # an interrupted run has issued another client certificate
    assert plane.use(*OLD) == [words]
    plane.newer, plane.again = False, True
    assert plane.use(*OLD) == [words], "the same backup was restored once more"
    plane.backup = ""
    assert plane.use(*OLD) == []


def test_a_client_certificate_of_the_second_in_which_the_api_server_started_is_not_newer(tmp_path, monkeypatch):
    pki = tmp_path / "etcd"
    pki.mkdir()
    for path in (pki / "ca.crt", tmp_path / "apiserver-etcd-client.crt", tmp_path / "apiserver-etcd-client.key"):
        path.touch()
        os.utime(path, (1000.9, 1000.9))
    for started, newer in ((1000.0, False), (990.0, True), (0.0, True)):
        monkeypatch.setattr(etcd_endpoints, "started_at", lambda started=started: started)
        assert etcd_endpoints.has_older_client(str(pki)) is newer
