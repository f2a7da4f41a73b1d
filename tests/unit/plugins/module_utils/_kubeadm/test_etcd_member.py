# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host becomes a member of an external etcd: of a new one, of one that runs, and again after it has lost its data."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._host.record import Record
from ansible_collections.slipway.kube.plugins.module_utils._host.system import HostError
from ansible_collections.slipway.kube.plugins.module_utils._kubeadm import (
    etcd,
    etcd_certificates,
    etcd_member,
    etcd_restore,
)
from ansible_collections.slipway.kube.plugins.module_utils._kubeadm.config import build_etcd

AUTHORITY = {"certificate": "the certificate\n", "key": "the key\n"}
SETTINGS = {
    "kubernetes_version": "1.37.2",
    "node_name": "etcd3",
    "node_ip": "192.0.2.33",
    "image_registry": "registry.k8s.io",
}
MANIFEST = """
    - etcd
    - --initial-cluster={cluster}
    - --initial-cluster-state=new
    image: registry.k8s.io/etcd:3.6.8-0
"""


def member(number: int, started: bool = True, learner: bool = False):
    address = f"192.0.2.3{number}"
    found = {"ID": str(number), "name": f"etcd{number}" if started else "", "peerURLs": [f"https://{address}:2380"]}
    return {
        **found,
        **({"clientURLs": [f"https://{address}:2379"]} if started else {}),
        **({"isLearner": True} if learner else {}),
    }


@pytest.mark.parametrize(
    ("members", "has_data", "action"),
    [
        ([member(1)], False, "add"),
        ([member(1)], True, "add"),  # the data of a member that was removed
        ([member(1), member(3)], True, "start"),
        ([member(1), member(3)], False, "replace"),
        ([member(1), member(3, started=False, learner=True)], False, "start"),
        (
            [member(1), {**member(3), "peerURLs": ["https://192.0.2.99:2380"]}],
            True,
            "replace",
        ),  # it has another address
    ],
)
def test_how_a_host_becomes_a_member_of_an_etcd_that_runs(members, has_data, action):
    assert etcd_member.decide(members, "etcd3", "https://192.0.2.33:2380", has_data)[0] == action


def test_the_flags_by_which_a_member_finds_the_others_replace_none_of_the_inventory():
    config = build_etcd({**SETTINGS, "extra_args": {"etcd": {"heartbeat-interval": 200}}})
    cluster = etcd_member.initial_cluster([member(1), member(3, started=False)], "etcd3", "https://192.0.2.33:2380")
    assert cluster == "etcd1=https://192.0.2.31:2380,etcd3=https://192.0.2.33:2380"
    init, made = etcd_member.with_flags(config, cluster, "existing")
    assert init["localAPIEndpoint"] == {"advertiseAddress": "192.0.2.33"}
    assert {one["name"]: one["value"] for one in made["etcd"]["local"]["extraArgs"]} == {
        "heartbeat-interval": "200",
        "initial-cluster": cluster,
        "initial-cluster-state": "existing",
    }
    assert etcd_member.flags_of(MANIFEST.format(cluster=cluster)) == (cluster, "new")


class Host:
    """A host whose kubeadm writes a manifest, and an etcd around it."""

    def __init__(self, tmp_path: Path, monkeypatch) -> None:
        self.manifest, self.data, self.asked = tmp_path / "etcd.yaml", tmp_path / "data", []
        self.members, self.healthy, self.written = [member(1), member(2)], True, []
        self.data.mkdir()
        self.params = {
            "state": "present",
            "cluster": "kubernetes",
            "node_name": "etcd3",
            "node_addresses": ["192.0.2.33"],
            "config": build_etcd(SETTINGS),
            "patches": {},
            "authority": AUTHORITY,
            "members": {"etcd1": "192.0.2.31", "etcd2": "192.0.2.32", "etcd3": "192.0.2.33"},
            "endpoints": [],
            "version": "",
            "snapshot": "",
            "backup": "",
            "timeout": 0,
            "log": str(tmp_path / "log"),
            "record_dir": str(tmp_path / "record"),
            "etcd_data_dir": str(self.data),
        }
        monkeypatch.setattr(etcd_member, "MANIFEST", str(self.manifest))
        monkeypatch.setattr(etcd_member, "etcd_answers", lambda manifest: self.healthy)
        monkeypatch.setattr(etcd_restore, "processes", lambda programs: iter(()))
        monkeypatch.setattr(etcd_member, "sync_kubeadm_files", lambda: None)
        monkeypatch.setattr(etcd_member, "write_manifest", self.write)
        monkeypatch.setattr(etcd_member.etcd_user, "own_data", lambda *arguments: None)
        monkeypatch.setattr(
            etcd_certificates, "issue", lambda names, *arguments: self.asked.append(("issue", list(names)))
        )
        monkeypatch.setattr(
            etcd_certificates, "keep_authority", lambda authority, with_key: self.asked.append(("keep", with_key))
        )
        monkeypatch.setattr(etcd, "call", self.call)
        monkeypatch.setattr(
            etcd, "member_errors", lambda url, pki="": ["down"] if "32" in url and not self.healthy else []
        )
        monkeypatch.setattr(etcd_certificates, "remove_leftovers", lambda: None)
        for module in ("kubelet_lines", "static_pod_lines"):
            monkeypatch.setattr(etcd_member, module, lambda *arguments: "")

    def write(self, params, config, lock) -> None:
        (self.data / "member/wal").mkdir(parents=True, exist_ok=True)
        flags = {one["name"]: one["value"] for one in config[1]["etcd"]["local"]["extraArgs"]}
        self.written.append((flags["initial-cluster"], flags["initial-cluster-state"]))
        self.manifest.write_text(MANIFEST.format(cluster=flags["initial-cluster"]))

    def call(self, endpoint, path, body, pki="", timeout=0):
        action = path.rpartition("/")[2]
        if action == "add":
            self.members.append({**member(3, started=False), "isLearner": body["isLearner"]})
        elif action == "remove":
            self.members = [one for one in self.members if one["ID"] != body["ID"]]
        elif action == "promote":
            self.members = [{**one, "isLearner": False} if one["ID"] == body["ID"] else one for one in self.members]
        if action != "list":
            self.asked.append((action, body.get("ID", "")))
        return {"members": list(self.members)}

    def run(self, check_mode: bool = False, **params):
        return etcd_member.converge({**self.params, **params}, check_mode, None)


@pytest.fixture
def host(tmp_path, monkeypatch) -> Host:
    return Host(tmp_path, monkeypatch)


EVERYBODY = "etcd1=https://192.0.2.31:2380,etcd2=https://192.0.2.32:2380,etcd3=https://192.0.2.33:2380"


def test_the_first_members_begin_together_and_a_second_run_changes_nothing(host):
    predicted = host.run(check_mode=True)
    assert predicted["changes"] == ["etcd member 'etcd3' is one of 3."] and not host.written and not host.asked
    assert host.run()["changes"] == predicted["changes"]
    assert host.written == [(EVERYBODY, "new")] and host.asked == [
        ("issue", [*etcd_certificates.MEMBER]),
        ("keep", True),
    ]
    assert host.run() == {"changed": False, "changes": []}


def test_a_run_that_was_interrupted_goes_on_with_the_data_that_there_are(host):
    host.healthy = False
    with pytest.raises(HostError, match=r"not healthy after 0 seconds.*\[slipway:etcd_not_started\]"):
        host.run()
    assert Record.load(host.params["record_dir"]).operation == "etcd"
    host.healthy = True
    (host.data / "member/wal/old").touch()
    assert host.run()["changed"] and (host.data / "member/wal/old").exists()
    assert Record.load(host.params["record_dir"]).operation == ""


def test_data_of_an_interrupted_run_with_other_members_are_deleted(host):
    host.healthy = False
    with pytest.raises(HostError):
        host.run()
    host.healthy = True
    (host.data / "member/wal/old").touch()
    host.run(members={"etcd3": "192.0.2.33"})
    assert not (host.data / "member/wal/old").exists() and host.written[-1] == ("etcd3=https://192.0.2.33:2380", "new")


def test_a_later_member_votes_when_it_has_all_data(host):
    result = host.run(endpoints=["https://192.0.2.31:2379"])
    assert result["changes"] == ["etcd member 'etcd3' joins 1 others."]
    assert host.asked[2:] == [("add", ""), ("promote", "3")] and host.written == [(EVERYBODY, "existing")]
    assert not host.members[-1]["isLearner"]


def test_a_member_that_has_lost_its_data_is_removed_and_added_again(host):
    host.members.append(member(3))
    host.run(endpoints=["https://192.0.2.31:2379"])
    assert host.asked[2:] == [("remove", "3"), ("add", ""), ("promote", "3")]


def test_a_member_that_has_lost_its_data_waits_for_a_majority(host):
    host.members.append(member(3))
    host.healthy = False
    with pytest.raises(HostError, match=r"\[slipway:etcd_quorum_lost\]"):
        host.run(endpoints=["https://192.0.2.31:2379"])
    assert not [one for one in host.asked if one[0] in ("remove", "add")]


def test_without_a_member_that_responds_nothing_is_added(host, monkeypatch):
    def silent(*arguments, **options):
        raise etcd.EtcdError("no answer")

    monkeypatch.setattr(etcd, "call", silent)
    with pytest.raises(HostError, match=r"No member of etcd responds.*\[slipway:etcd_quorum_lost\]"):
        host.run(endpoints=["https://192.0.2.31:2379"])
    assert not host.written


def test_a_member_is_upgraded_only_while_all_are_healthy(host, monkeypatch):
    host.run()
    problems = ["etcd2: no answer"]
    monkeypatch.setattr(etcd_member, "SETTLED", 0)
    monkeypatch.setattr(etcd, "find_problems", lambda endpoint: problems)
    monkeypatch.setattr(etcd_member, "_wait_for_version", lambda params: None)
    assert host.run(check_mode=True, version="3.7.0")["changes"] == ["etcd member 'etcd3': 3.6.8 -> 3.7.0"]
    with pytest.raises(HostError, match=r"etcd2: no answer.*\[slipway:etcd_member\]"):
        host.run(version="3.7.0")
    problems.clear()
    assert host.run(version="3.7.0")["changed"] and host.written[-1] == (EVERYBODY, "new")
    assert host.run(version="3.6.8") == {"changed": False, "changes": []}


def test_the_key_of_the_authority_does_not_stay_on_a_control_plane(host, monkeypatch):
    monkeypatch.setattr(etcd_certificates, "due", lambda names, authority, days, now: [*names])
    result = host.run(state="client", days=0)
    assert result["changed"] and host.asked == [("issue", ["apiserver-etcd-client"]), ("keep", False)]
    with pytest.raises(ValueError, match="authority of etcd is not given"):
        host.run(state="client", days=0, authority=None)


def refusing(host, monkeypatch, times):
    """Let etcd refuse to add a member so often, as it does while a voting member has been connected for less than five seconds."""
    refused = []

    def call(endpoint, path, body, *arguments):
        if path.endswith("/add") and len(refused) < times:
            refused.append(path)
            raise etcd.EtcdError("etcd responded with 503. Evidence: etcdserver: unhealthy cluster")
        return host.call(endpoint, path, body)

    monkeypatch.setattr(etcd, "call", call)
    clock = iter(range(1000))
    monkeypatch.setattr(etcd_member.time, "monotonic", lambda: float(next(clock)))
    monkeypatch.setattr(etcd_member.time, "sleep", lambda seconds: None)


def test_a_member_is_added_when_the_one_before_it_is_connected(host, monkeypatch):
    refusing(host, monkeypatch, times=3)
    assert host.run(endpoints=["https://192.0.2.31:2379"], timeout=60)["changed"]
    assert host.asked[2:] == [("add", ""), ("promote", "3")]


def test_while_another_member_is_lost_none_is_added(host, monkeypatch):
    refusing(host, monkeypatch, times=1000)
    with pytest.raises(HostError, match=r"unhealthy cluster.*node_remove.*\[slipway:etcd_member\]"):
        host.run(endpoints=["https://192.0.2.31:2379"], timeout=60)
    assert not host.written


BACKUP = {"snapshot": "/var/lib/slipway/restore.db", "backup": "sha256:1"}
ALONE = "etcd3=https://192.0.2.33:2380"


@pytest.fixture
def restoring(host, monkeypatch) -> Host:
    """A host on which etcdutl makes the data of a snapshot."""
    Path(host.params["record_dir"]).mkdir()

    def restore_data(params, documents, snapshot, address, work):
        assert not any(host.data.iterdir()) and address == "192.0.2.33" and snapshot == BACKUP["snapshot"]
        host.asked.append(("restore", params["node_name"]))
        (host.data / "member/wal").mkdir(parents=True)

    monkeypatch.setattr(etcd_restore.restore, "restore_data", restore_data)
    return host


def test_the_first_member_gets_the_state_of_a_backup_once(restoring):
    restoring.run()
    (restoring.data / "member/wal/old").touch()
    predicted = restoring.run(check_mode=True, **BACKUP)["changes"]
    assert predicted == ["etcd member 'etcd3' has the state of the backup."] and not (
        [one for one in restoring.asked if one[0] == "restore"]
    )
    assert restoring.run(**BACKUP)["changes"] == predicted
    assert restoring.asked[-1] == ("restore", "etcd3") and not (restoring.data / "member/wal/old").exists()
    assert restoring.written[-1] == (ALONE, "existing"), "it never begins anew when its data are lost"
    record = Record.load(restoring.params["record_dir"])
    assert (record.restored, record.operation) == ("sha256:1", "")
    (restoring.data / "member/wal/written-since").touch()
    assert restoring.run(**BACKUP) == {"changed": False, "changes": []}
    assert (restoring.data / "member/wal/written-since").exists()
    assert restoring.run(**{**BACKUP, "backup": "sha256:2"})["changed"]


def test_where_a_restore_was_interrupted_no_etcd_begins_anew(restoring, monkeypatch):
    def fail(*arguments):
        raise etcd_restore.restore.EtcdToolError("etcdutl failed. Evidence: no space left")

    with monkeypatch.context() as broken:
        broken.setattr(etcd_restore.restore, "restore_data", fail)
        with pytest.raises(HostError, match=r"no space left.*\[slipway:restore_failed\]"):
            restoring.run(**BACKUP)
    assert not [*Path(restoring.params["record_dir"]).glob(".restore.*")]
    with pytest.raises(HostError, match=r"\[slipway:restore_interrupted\]"):
        restoring.run()
    assert restoring.written == []
    assert restoring.run(**BACKUP)["changed"]
    assert restoring.run() == {"changed": False, "changes": []}


def test_all_members_stop_before_the_first_one_is_restored(host):
    assert host.run(state="stopped") == {"changed": False, "changes": []}
    host.run()
    predicted = host.run(check_mode=True, state="stopped")["changes"]
    assert predicted == ["etcd member 'etcd3' is stopped, and its data are deleted."] and host.manifest.exists()
    assert host.run(state="stopped")["changes"] == predicted
    assert not host.manifest.exists() and not any(host.data.iterdir())
    with pytest.raises(HostError, match="restore_interrupted"):
        host.run()
    added = {"endpoints": ["https://192.0.2.31:2379"], "backup": "sha256:1"}
    assert host.run(**added)["changed"], "it may be added to a member that was restored"
    assert host.run(**added) == {"changed": False, "changes": []}
    assert host.run(check_mode=True, **{**added, "backup": "sha256:2"})["changes"] == [
        "etcd member 'etcd3' joins 1 others."
    ]
    assert Record.load(host.params["record_dir"]).operation == ""


def test_the_host_of_a_member_waits_for_all_members(host, monkeypatch):
    problems = ["no answer"]
    monkeypatch.setattr(etcd_member, "SETTLED", 0)
    status = {"name": "etcd2", "url": "", "problems": problems}
    monkeypatch.setattr(etcd, "read_statuses", lambda endpoints: [status])
    assert host.run(check_mode=True, state="healthy") == {"changed": False, "changes": []}
    with pytest.raises(HostError, match=r"no member is restarted\. Evidence: etcd2: no answer"):
        host.run(state="healthy")
    problems.clear()
    assert host.run(state="healthy") == {"changed": False, "changes": []}


def test_addresses_of_ipv6_are_in_brackets_in_urls():
    url = etcd_member.peer_url("fd00::33")
    assert url == "https://[fd00::33]:2380"
    assert etcd_member.client_url({"node_addresses": ["fd00::33"]}) == "https://[fd00::33]:2379"
    members = [
        {
            "ID": "1",
            "name": "etcd1",
            "peerURLs": ["https://[fd00::31]:2380"],
            "clientURLs": ["https://[fd00::31]:2379"],
        },
        {"ID": "3", "peerURLs": [url], "isLearner": True},
    ]
    cluster = etcd_member.initial_cluster(members, "etcd3", url)
    assert cluster == "etcd1=https://[fd00::31]:2380,etcd3=https://[fd00::33]:2380"
    assert etcd_member.flags_of(MANIFEST.format(cluster=cluster)) == (cluster, "new")
    assert etcd_member.decide(members, "etcd3", url, False) == ("start", members[1])
