# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which members of etcd are defragmented, in which order, and when a space alarm may end."""

from __future__ import annotations

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._host.system import HostError
from ansible_collections.slipway.kube.plugins.module_utils._kubeadm import defragment, etcd
from ansible_collections.slipway.kube.plugins.module_utils._kubeadm.defragment import MIB, Member, choose

PARAMS = {"free_percent": 50, "minimum_size": 100, "member_timeout": 1}


def member(name: str, size: int, used: int, leader: bool = False, quota: int = 2048) -> Member:
    return Member(name[-1], name, f"https://{name}:2379", size * MIB, used * MIB, quota * MIB, leader)


def names(members: list[Member]) -> list[str]:
    return [one.name for one in members]


def test_only_members_with_much_free_space_are_defragmented_and_the_leader_last():
    members = [member("cp1", 400, 100, leader=True), member("cp2", 400, 390), member("cp3", 400, 100)]
    assert names(choose(members, 50, 100, alarm=False)) == ["cp3", "cp1"]
    assert choose([member("cp1", 20, 1)], 50, 100, alarm=False) == []
    assert choose([member("cp1", 0, 0)], 50, 0, alarm=False) == []


def test_a_space_alarm_concerns_all_members():
    members = [member("cp1", 20, 19, leader=True), member("cp2", 20, 19)]
    assert names(choose(members, 50, 100, alarm=True)) == ["cp2", "cp1"]


class Server:
    """What etcd answers, and what it was asked to do."""

    def __init__(self, monkeypatch, members, alarms=()):
        self.done, self.members, self.alarms = [], list(members), list(alarms)
        monkeypatch.setattr(etcd, "has_credentials", lambda pki=etcd.PKI: True)
        monkeypatch.setattr(defragment, "read_members", lambda pki=etcd.PKI, endpoint=etcd.LOCAL: list(self.members))
        monkeypatch.setattr(etcd, "call", self.call)

    def call(self, endpoint, path, body, pki=etcd.PKI, timeout=etcd.TIMEOUT):
        if path == "/v3/maintenance/alarm" and body["action"] == "GET":
            return {"alarms": [{"memberID": one, "alarm": kind} for one, kind in self.alarms]}
        if path == "/v3/maintenance/status":
            return {"header": {"revision": "77"}}
        self.done.append((path.rpartition("/")[2], endpoint))
        if path == "/v3/maintenance/defragment":
            self.members = [
                member(one.name, one.used // MIB, one.used // MIB, one.leader, one.quota // MIB)
                if one.url == endpoint
                else one
                for one in self.members
            ]
        return {}


def test_nothing_is_done_where_there_is_little_free_space(monkeypatch):
    server = Server(monkeypatch, [member("cp1", 400, 390, leader=True)])
    result = defragment.converge(PARAMS, False, None)
    assert (result["changed"], result["changes"], server.done) == (False, [], [])
    assert result["members"] == [{"name": "cp1", "size": 400 * MIB, "used": 390 * MIB}]


def test_the_members_follow_each_other(monkeypatch):
    server = Server(monkeypatch, [member("cp1", 400, 100, leader=True), member("cp2", 400, 100)])
    result = defragment.converge(PARAMS, False, None)
    assert server.done == [("defragment", "https://cp2:2379"), ("defragment", "https://cp1:2379")]
    assert result["changes"][0] == "etcd member cp2 defragmented: 400.0 MiB before, 100.0 MiB after"


def test_check_mode_asks_only(monkeypatch):
    server = Server(monkeypatch, [member("cp1", 400, 100, leader=True)], [("1", "NOSPACE")])
    result = defragment.converge(PARAMS, True, None)
    assert result["changed"] and server.done == []
    assert result["changes"][0] == "etcd member cp1 defragmented: 75 percent of 400.0 MiB are free"


def test_a_space_alarm_ends_once_there_is_space(monkeypatch):
    server = Server(monkeypatch, [member("cp1", 2048, 100, leader=True)], [("1", "NOSPACE")])
    result = defragment.converge(PARAMS, False, None)
    assert [what for what, _where in server.done] == ["compaction", "defragment", "alarm"]
    assert result["changes"][-1] == "alarm NOSPACE ended, with which etcd refused writes"


def test_a_space_alarm_stays_while_there_is_no_space(monkeypatch):
    server = Server(monkeypatch, [member("cp1", 2048, 2000, leader=True)], [("1", "NOSPACE")])
    with pytest.raises(HostError, match=r"still nearly full.*cp1 2000.0 MiB of 2048.0 MiB.*Remedy: raise"):
        defragment.converge(PARAMS, False, None)
    assert "alarm" not in [what for what, _where in server.done]


def test_a_damaged_member_prevents_it(monkeypatch):
    server = Server(monkeypatch, [member("cp1", 2048, 100, leader=True)], [("1", "CORRUPT")])
    with pytest.raises(HostError, match="damaged"):
        defragment.converge(PARAMS, False, None)
    assert server.done == []


def test_a_revision_that_was_compacted_before_is_no_error(monkeypatch):
    def call(endpoint, path, body, pki=etcd.PKI, timeout=etcd.TIMEOUT):
        if path == "/v3/maintenance/status":
            return {"header": {"revision": "77"}}
        raise etcd.EtcdError("etcdserver: mvcc: required revision has been compacted")

    monkeypatch.setattr(etcd, "call", call)
    defragment.compact()


def test_a_member_that_never_started_prevents_it(monkeypatch):
    monkeypatch.setattr(
        etcd, "list_members", lambda endpoint, pki: [{"ID": "1", "peerURLs": ["https://10.0.0.3:2380"]}]
    )
    with pytest.raises(etcd.EtcdError, match=r"never started.*10\.0\.0\.3"):
        defragment.read_members()
