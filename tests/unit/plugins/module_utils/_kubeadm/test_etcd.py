# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A member leaves etcd by name, or by address where it never started; never the last one."""

from __future__ import annotations

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._kubeadm import etcd

CP1 = {"ID": "1", "name": "cp1", "peerURLs": ["https://192.0.2.1:2380"]}
CP2 = {"ID": "2", "name": "cp2", "peerURLs": ["https://192.0.2.2:2380"]}
UNSTARTED = {"ID": "3", "peerURLs": ["https://192.0.2.3:2380"], "isLearner": True}


@pytest.fixture
def cluster(monkeypatch):
    members, asked = [CP1, CP2, UNSTARTED], []

    def call(endpoint, path, body, pki):
        asked.append((endpoint, path, dict(body)))
        if "silent" in endpoint:
            raise etcd.EtcdError("no answer from " + endpoint)
        return {"members": list(members)} if path.endswith("list") else {}

    monkeypatch.setattr(etcd, "call", call)
    monkeypatch.setattr(etcd.time, "sleep", lambda seconds: None)
    return members, asked


def removed(asked):
    return [body["ID"] for _endpoint, path, body in asked if path.endswith("remove")]


def test_a_started_member_is_found_by_its_name_only(cluster):
    _members, asked = cluster
    assert etcd.remove_member(["https://a"], "cp2", ["192.0.2.9"]) == ["etcd member cp2"]
    assert removed(asked) == ["2"]


def test_a_member_that_never_started_is_found_by_its_address(cluster):
    _members, asked = cluster
    etcd.remove_member(["https://a"], "cp3", ["192.0.2.3"])
    assert removed(asked) == ["3"]


def test_another_node_s_member_is_not_taken_for_its_address(cluster):
    _members, asked = cluster
    assert etcd.remove_member(["https://a"], "cp9", ["192.0.2.1"]) == []
    assert removed(asked) == []


def test_a_dry_run_removes_nothing(cluster):
    _members, asked = cluster
    assert etcd.remove_member(["https://a"], "cp2", [], dry=True) == ["etcd member cp2"]
    assert removed(asked) == []


def test_the_last_member_stays(cluster):
    members, asked = cluster
    members[:] = [CP1]
    with pytest.raises(etcd.LastMember, match="only member"):
        etcd.remove_member(["https://a"], "cp1", [], patience=9)
    assert removed(asked) == []


def test_the_next_endpoint_is_asked_where_one_is_silent(cluster):
    _members, asked = cluster
    etcd.remove_member(["https://silent", "https://b"], "cp2", [])
    assert asked[-1][0] == "https://b" and removed(asked) == ["2"]


def test_all_silent_is_an_error_with_every_reason(cluster):
    with pytest.raises(etcd.EtcdError, match=r"silent1.*silent2"):
        etcd.remove_member(["https://silent1", "https://silent2"], "cp2", [], patience=0)


def test_without_files_there_are_no_credentials(tmp_path):
    assert not etcd.has_credentials(str(tmp_path))
    for name in ("ca.crt", "healthcheck-client.crt", "healthcheck-client.key"):
        (tmp_path / name).write_text("x")
    assert etcd.has_credentials(str(tmp_path))


def test_each_member_is_asked_for_its_health(monkeypatch):
    members = [
        {"name": "cp1", "clientURLs": ["https://1:2379"]},
        {"name": "cp2", "clientURLs": ["https://2:2379"]},
        {"name": "cp3", "clientURLs": ["https://3:2379"]},
        {"peerURLs": ["https://4:2380"]},
    ]

    def call(endpoint, path, body, pki):
        if path.endswith("list"):
            return {"members": members}
        if "//3" in endpoint:
            raise etcd.EtcdError("no answer")
        return {"errors": ["etcdserver: no leader"]} if "//2" in endpoint else {"leader": "1"}

    monkeypatch.setattr(etcd, "call", call)
    assert etcd.find_problems("https://1:2379") == [
        "cp2: etcdserver: no leader",
        "cp3: no answer",
        "a member that never started is not a voting member (https://4:2380)",
    ]


SERVERS = "    - --etcd-servers=https://192.0.2.31:2379,https://192.0.2.32:2379\n"


def test_an_external_etcd_is_asked_at_the_members_of_the_api_server(monkeypatch):
    assert etcd.external_servers("    - --etcd-servers=https://127.0.0.1:2379\n") == []
    assert etcd.external_servers("    - --etcd-servers=https://[::1]:2379\n") == []
    servers = etcd.external_servers(SERVERS)
    assert servers == ["https://192.0.2.31:2379", "https://192.0.2.32:2379"]
    silent = {servers[0]}

    def call(url, path, body, pki="", timeout=0):
        if url in silent:
            raise etcd.EtcdError(f"no answer from {url}")
        return (
            {"dbSize": "10", "dbSizeQuota": "100"}
            if path.endswith("status")
            else {"members": [{**CP1, "clientURLs": [url]}]}
        )

    monkeypatch.setattr(etcd, "call", call)
    monkeypatch.setattr(etcd, "external_servers", lambda: servers)
    assert etcd.find_endpoint() == servers[1]
    first, second = etcd.read_statuses(servers)
    assert first["problems"] == [f"no answer from {servers[0]}"] and first["size"] == 0
    assert (second["name"], second["size"], second["quota"], second["problems"]) == ("cp1", 10, 100, [])
    silent.add(servers[1])
    with pytest.raises(etcd.EtcdError, match="No member of etcd responds"):
        etcd.find_endpoint()
    monkeypatch.setattr(etcd, "external_servers", list)
    assert etcd.find_endpoint() == etcd.LOCAL


def test_a_control_plane_without_a_member_logs_in_as_its_api_server(tmp_path):
    pki = tmp_path / "etcd"
    pki.mkdir()
    (pki / "ca.crt").write_text("")
    assert not etcd.has_credentials(str(pki))
    for extension in ("crt", "key"):
        (tmp_path / f"apiserver-etcd-client.{extension}").write_text("")
    assert etcd.has_credentials(str(pki))
    assert etcd.client_certificate(str(pki))[0] == tmp_path / "apiserver-etcd-client.crt"
    for extension in ("crt", "key"):
        (pki / f"healthcheck-client.{extension}").write_text("")
    assert etcd.client_certificate(str(pki))[0] == pki / "healthcheck-client.crt"


def test_a_member_on_this_host_is_asked_whatever_its_api_server_was_given(tmp_path, monkeypatch):
    for name in ("API_SERVER", "MEMBER"):
        monkeypatch.setattr(etcd, name, str(tmp_path / name), raising=False)
    (tmp_path / "API_SERVER").write_text(SERVERS)
    assert len(etcd.external_servers()) == 2
    (tmp_path / "MEMBER").touch()  # control_plane_api_server_extra_args can have etcd-servers, of all control planes
    assert etcd.external_servers() == [] and etcd.find_endpoint() == etcd.LOCAL
