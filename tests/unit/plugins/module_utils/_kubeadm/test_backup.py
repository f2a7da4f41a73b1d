# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A backup is complete or is none, and older ones outlive a failure. The programs of etcd are stand-ins; scenario backup has the real ones."""

from __future__ import annotations

import ast
import json
import stat
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.slipway.kube.plugins.module_utils._kubeadm import archive, backup
from ansible_collections.slipway.kube.plugins.module_utils._kubeadm.etcd_tools import EtcdToolError

ROOT = Path(__file__).resolve().parents[5]
NOW = 1_767_322_800.0  # 2026-01-02T03:00:00Z
APISERVER = """
spec:
  containers:
  - command:
    - kube-apiserver
    - --service-cluster-ip-range=10.96.0.0/12
    - --encryption-provider-config={folder}/encryption.json
    image: registry.k8s.io/kube-apiserver:v1.37.2
"""


class Tools:
    """Stands in for etcdctl and etcdutl."""

    endpoint = backup.ENDPOINT

    def __init__(self, **status: Any) -> None:
        self.status = {"leader": True, "leads": 5, "version": "3.7.0", "size": 1000, **status}
        self.problem = ""

    def member_status(self) -> dict[str, Any]:
        return self.status

    def etcdctl(self, *arguments: str) -> str:
        Path(arguments[-1]).write_bytes(b"snapshot")
        return ""

    def snapshot_status(self, path: str) -> dict[str, Any]:
        if self.problem:
            raise EtcdToolError(self.problem)
        return {"hash": 1, "revision": 42, "totalKey": 9}


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tools:
    """A control plane, with the stand-ins that it uses."""
    tools = Tools()
    for name in ("manifests", "pki/etcd"):
        (tmp_path / "kubernetes" / name).mkdir(parents=True)
    manifests = tmp_path / "kubernetes/manifests"
    (manifests / "kube-apiserver.yaml").write_text(APISERVER.format(folder=tmp_path))
    (manifests / "kube-controller-manager.yaml").write_text("    - --cluster-cidr=10.244.0.0/16\n")
    (manifests / "etcd.yaml").write_text("    image: registry.k8s.io/etcd:3.7.0-0\n")
    for name in ("ca.crt", "ca.key", "etcd/ca.key"):
        (tmp_path / "kubernetes/pki" / name).write_text(name)
    (tmp_path / "encryption.json").write_text("{}")

    @contextmanager
    def mounted(image: str, endpoint: str):
        assert image == "registry.k8s.io/etcd:3.7.0-0"
        tools.endpoint = endpoint
        yield tools

    def kubectl(*arguments: str, text: str = "") -> str:
        raise EtcdToolError("the API server does not answer")

    monkeypatch.setattr(backup, "KUBERNETES", str(tmp_path / "kubernetes"))
    monkeypatch.setattr(backup, "etcd_tools", mounted)
    monkeypatch.setattr(backup, "kubectl", kubectl)
    return tools


@pytest.fixture
def config(tmp_path: Path) -> dict[str, Any]:
    return {"cluster": "blue", "dir": str(tmp_path / "backups"), "recipients": [], "keep": 2, "keep_days": 30}


def test_a_backup_has_what_a_restore_needs(host: Tools, config: dict[str, Any], tmp_path: Path) -> None:
    taken = backup.take(config, NOW)
    path = Path(taken["archive"])
    assert path.name == "blue-20260102T030000Z.tar"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    with path.open("rb") as stream:
        manifest = archive.read(stream)
    assert {"snapshot.db", f"files{tmp_path}/encryption.json"} < set(manifest["files"])
    assert sum("/pki/" in name for name in manifest["files"]) == 3
    expected = {
        "kubernetes": "1.37.2",
        "etcd": "3.7.0",
        "revision": 42,
        "keys": 9,
        "pod_subnet": "10.244.0.0/16",
        "encryption": True,
    }
    assert {key: manifest[key] for key in expected} == expected


def test_only_where_etcd_leads_a_backup_is_taken(host: Tools, config: dict[str, Any]) -> None:
    host.status.update(leader=False)
    assert backup.take(config, NOW) == {"taken": False}
    assert not Path(config["dir"]).exists()


def test_one_control_plane_takes_the_backup_of_an_external_etcd(
    host: Tools, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    manifests, pulled, holder = Path(backup.KUBERNETES, "manifests"), [], "another_8b1"
    (manifests / "etcd.yaml").unlink()
    servers = "    - --etcd-servers=https://192.0.2.31:2379,https://192.0.2.32:2379\n"
    (manifests / "kube-apiserver.yaml").write_text((manifests / "kube-apiserver.yaml").read_text() + servers)

    def version(url: str) -> str:
        if "31" in url:
            raise EtcdToolError("no answer")
        return "3.7.0"

    monkeypatch.setattr(backup, "server_version", version)
    monkeypatch.setattr(backup, "pull", pulled.append)
    monkeypatch.setattr(backup, "kubectl", lambda *arguments, text="": holder)
    host.status.update(leader=False)  # the member that is asked need not lead
    assert backup.take(config, NOW) == {"taken": False}
    holder = f"{backup.socket.gethostname()}_8b1"
    taken = backup.take(config, NOW)
    assert taken["taken"] and taken["manifest"]["external_etcd"] and host.endpoint == "https://192.0.2.32:2379"
    assert {*pulled} == {"registry.k8s.io/etcd:3.7.0-0"}


def test_without_a_leader_it_fails(host: Tools, config: dict[str, Any]) -> None:
    host.status.update(leader=False, leads=0)
    with pytest.raises(backup.BackupError, match="no leader"):
        backup.take(config, NOW)


def test_a_failure_leaves_the_older_ones_and_nothing_else(host: Tools, config: dict[str, Any]) -> None:
    names = {Path(backup.take(config, NOW + days * 86400)["archive"]).name for days in (0, 1)}
    host.problem = "snapshot file integrity check failed"
    with pytest.raises(backup.BackupError, match="integrity check failed"):
        backup.take_and_publish(config, print)
    host.problem, host.status["size"] = "", 1 << 60
    with pytest.raises(backup.BackupError, match="Older backups were kept"):
        backup.take_and_publish(config, print)
    assert {path.name for path in Path(config["dir"]).iterdir()} - {".lock"} == names


def test_older_ones_go_after_a_new_one_is_there(host: Tools, config: dict[str, Any]) -> None:
    first = backup.take(config, NOW)["archive"]
    backup.take(config, NOW + 60)
    assert backup.take(config, NOW + 120)["removed"] == [first]


@pytest.mark.parametrize(
    ("keep", "days", "gone"),
    [(9, 30, []), (2, 30, [1, 2]), (9, 2, [1, 2, 3]), (1, 1, [1, 2, 3])],
)
def test_rotation_by_count_and_age(keep: int, days: int, gone: list[int]) -> None:
    names = [f"blue-2026010{day}T030000Z.tar.age" for day in (1, 2, 3, 4)]
    others = ["green-20200101T030000Z.tar", "blue-notes.tar", "blue-20200101T030000Z.tar.age.old", ".lock"]
    now = NOW + 3 * 86400 + 3600  # an hour after 5 January, 03:00
    found = backup.expired([*names, *others], "blue", keep, days, now)
    assert sorted(found) == [names[day - 1] for day in gone]


def test_the_newest_is_kept_whatever_its_age() -> None:
    assert not backup.expired(["blue-20200101T030000Z.tar"], "blue", 1, 1, NOW)


def test_a_program_that_cannot_encrypt_leaves_no_archive(
    host: Tools, config: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "age").write_text("#!/bin/sh\necho 'age: error: malformed recipient' >&2\nexit 1\n")
    (tmp_path / "age").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(backup.BackupError, match="malformed recipient"):
        backup.take({**config, "recipients": ["age1x"]}, NOW)
    assert [path.name for path in Path(config["dir"]).iterdir()] == [".lock"]


def test_a_failure_is_recorded_beside_the_last_success() -> None:
    said: list[dict[str, Any]] = []
    backup.publish(
        {"failed": "now"}, "slipway-backup-failure", lambda *_arguments, text: said.append(json.loads(text)) or ""
    )
    assert said[0]["metadata"] == {"name": "slipway-backup", "namespace": "kube-system"}
    assert said[0]["data"] == {"failed": "now"}


def test_the_role_installs_every_file_that_the_program_imports() -> None:
    listed = yaml.safe_load((ROOT / "roles/backup/vars/main.yml").read_text())["__backup_modules"]
    needed, todo = set(), {"_kubeadm/backup.py"}
    while todo:
        name = todo.pop()
        needed.add(name)
        for node in ast.walk(ast.parse((ROOT / "plugins/module_utils" / name).read_text())):
            if isinstance(node, ast.ImportFrom) and node.level:
                folder = Path(name).parent if node.level == 1 else Path()
                parts = (
                    [f"{node.module.replace('.', '/')}.py"] if node.module else [f"{one.name}.py" for one in node.names]
                )
                todo |= {str(folder / part) for part in parts} - needed
    assert sorted(listed) == sorted(needed)
