# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the rotation of the authorities refuses, what it makes, and what it changes in the API."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._host.record import Record
from ansible_collections.slipway.kube.plugins.module_utils._host.system import HostError
from ansible_collections.slipway.kube.plugins.module_utils._kubeadm import (
    authorities,
    endpoint,
    kubelet_bootstrap,
    rotation,
    rotation_cluster,
    rotation_files,
)

from .test_authorities import MANIFEST, NEW, OLD


@pytest.fixture
def pki(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A control plane with the authorities ca and sa."""
    folder = tmp_path / "pki"
    folder.mkdir()
    for name, text in (("ca.crt", OLD.public), ("ca.key", OLD.key), ("sa.pub", "public"), ("sa.key", "key")):
        (folder / name).write_text(text)
    manager = tmp_path / "kube-controller-manager.yaml"
    manager.write_text(MANIFEST.replace("/etc/kubernetes/pki", str(folder)))
    for module in (rotation, rotation_files, authorities):
        monkeypatch.setattr(module, "PKI", str(folder))
        monkeypatch.setattr(module, "FOLDER", str(folder / "rotation"))
    for module in (rotation, rotation_files):
        monkeypatch.setattr(module, "MANAGER", str(manager))
    return folder


def test_what_this_control_plane_can_rotate_is_not_refused(pki: Path) -> None:
    assert rotation_files.refusal(["ca", "sa"]) == ""


def test_an_authority_whose_key_is_elsewhere_is_refused(pki: Path) -> None:
    (pki / "ca.key").unlink()
    assert "ca.key is missing" in rotation_files.refusal(
        ["ca"]
    ) and "[slipway:external_authority]" in rotation_files.refusal(["ca"])
    assert rotation_files.refusal(["sa"]) == ""


def test_a_controller_manager_that_signs_with_another_authority_is_refused(pki: Path) -> None:
    Path(rotation.MANAGER).write_text(MANIFEST.replace("pki/ca.key", "other.key"))
    assert "kube-controller-manager signs with another one" in rotation_files.refusal(["ca"])


def params(**given: Any) -> dict[str, Any]:
    known = {"authorities": {}, "rotate": [], "keys": None, "nodes": [], "config": [], "kubeconfig": "", "server": ""}
    return {**known, **given}


def test_another_control_plane_keeps_what_it_receives(pki: Path) -> None:
    given = params(authorities={"ca": {"old": OLD.public, "new": NEW.public}}, keys={"ca": NEW.key})
    done = rotation_files.prepare(given, False, None)
    assert done["changes"] == ["New ca received."] and rotation_files.rotated() == ["ca"]
    assert authorities.read_files(str(pki / "rotation/old"), ["ca"]) == {"ca": OLD}
    assert authorities.read_files(str(pki / "rotation/new"), ["ca"]) == {"ca": NEW}
    assert (pki / "rotation").stat().st_mode & 0o777 == 0o700
    assert rotation_files.prepare(given, False, None)["changes"] == []


def test_a_control_plane_that_has_finished_does_not_begin_again(pki: Path) -> None:
    (pki / "ca.crt").write_text(NEW.public)
    given = params(authorities={"ca": {"old": OLD.public, "new": NEW.public}}, keys={"ca": NEW.key})
    assert rotation_files.prepare(given, False, None)["changes"] == [] and rotation_files.rotated() == []


def test_the_first_control_plane_makes_them_after_the_cluster_was_checked(
    pki: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    monkeypatch.setattr(rotation_cluster, "check", lambda given, starting: calls.append(starting))
    monkeypatch.setattr(
        rotation_files, "make", lambda given, names, lock: rotation_files.keep({"ca": OLD}, {"ca": NEW})
    )
    predicted = rotation_files.prepare(params(rotate=["ca"]), True, None)
    assert predicted["changes"] == ["New ca made."] and predicted["authorities"] == {
        "ca": {"old": OLD.public, "new": ""}
    }
    done = rotation_files.prepare(params(rotate=["ca"]), False, None)
    assert done["keys"] == {"ca": NEW.key} and done["authorities"]["ca"] == {"old": OLD.public, "new": NEW.public}
    assert rotation_files.prepare(params(rotate=["ca"]), False, None)["changes"] == []
    assert calls == [True, True, False]


def test_a_rotation_that_was_killed_while_it_was_prepared_begins_anew(pki: Path) -> None:
    (pki / ".rotation.abc/new").mkdir(parents=True)
    assert rotation_files.rotated() == []
    rotation_files.keep({"ca": OLD}, {"ca": NEW})
    assert rotation_files.rotated() == ["ca"]
    rotation_files.remove()
    rotation_files.keep({"ca": OLD}, {"ca": NEW})
    assert sorted(os.listdir(pki)) == ["ca.crt", "ca.key", "rotation", "sa.key", "sa.pub"]


def step(pki: Path, state: str, check_mode: bool = False, **more: Any) -> rotation.Step:
    given = {"state": state, "authorities": {"ca": {"old": OLD.public, "new": NEW.public}}, "timeout": 1, **more}
    return rotation.Step(given, check_mode, None)


def test_files_and_signing_follow_the_phases_and_never_go_back(pki: Path) -> None:
    rotation_files.keep({"ca": OLD}, {"ca": NEW})
    seen = []
    for state in ("trusted", "issued", "trusted", "finished", "issued"):
        one = step(pki, state)
        one.place_authorities()
        one.place_signing_files()
        key = (pki / "ca.key").read_text()
        seen.append(
            (len(one.changes), key, authorities.signing_files(Path(rotation.MANAGER).read_text())[0][len(str(pki)) :])
        )
    assert seen == [
        (2, "old key", "/rotation/old/ca.crt"),
        (2, "new key", "/rotation/new/ca.crt"),
        (0, "new key", "/rotation/new/ca.crt"),
        (2, "new key", "/ca.crt"),
        (0, "new key", "/ca.crt"),
    ]
    assert (pki / "ca.crt").read_text() == NEW.public


def test_check_mode_says_it_and_changes_nothing(pki: Path) -> None:
    one = step(pki, "trusted", check_mode=True)
    one.place_authorities()
    assert one.changes == ["The new ca is trusted with the old one."] and (pki / "ca.crt").read_text() == OLD.public


def node(name: str, ready: str = "True") -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": ready, "reason": "KubeletNotReady", "message": "gone"}]
    return {"kind": "Node", "apiVersion": "v1", "metadata": {"name": name}, "status": {"conditions": conditions}}


def test_a_node_that_could_not_follow_is_named() -> None:
    nodes = [node("cp1"), node("w1", "Unknown"), node("w2")]
    problems = rotation_cluster.node_problems(nodes, ["cp1", "w1"], True)
    assert len(problems) == 2 and problems[0].startswith("node w1 is not Ready")
    assert problems[1] == "node w2 is not among the hosts of this run"
    assert rotation_cluster.node_problems(nodes, ["cp1", "w1"], False) == problems[1:]


def test_the_old_authority_leaves_a_bundle() -> None:
    assert rotation_cluster.without(OLD.public + NEW.public, OLD.public) == NEW.public


@pytest.mark.parametrize(
    ("spec", "mounts"),
    [
        ({}, True),
        ({"serviceAccountName": "silent"}, False),
        ({"serviceAccountName": "silent", "automountServiceAccountToken": True}, True),
        ({"automountServiceAccountToken": False}, False),
        (
            {
                "automountServiceAccountToken": False,
                "volumes": [{"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}],
            },
            True,
        ),
    ],
)
def test_who_has_the_authority_of_the_cluster_is_restarted(spec: dict[str, Any], mounts: bool) -> None:
    assert rotation_cluster.mounts_token({"spec": spec}, "web", {("web", "silent")}) is mounts


@pytest.fixture
def worker(pki: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, list[str]]:
    """A worker whose certificates have the name of their authority, and what is done to its kubelet."""
    folder, done = tmp_path / "kubelet", []
    folder.mkdir()
    (tmp_path / "kubelet.conf").touch()

    class System:
        def systemctl(self, verb: str, unit: str) -> None:
            done.append(f"{verb} {unit}")

    monkeypatch.setattr(rotation, "System", System)
    monkeypatch.setattr(endpoint, "System", System)
    monkeypatch.setattr(rotation, "KUBELET_PKI", str(folder))
    monkeypatch.setattr(rotation, "MANIFESTS", str(tmp_path / "manifests"))
    monkeypatch.setattr(rotation, "KUBERNETES", str(tmp_path))
    monkeypatch.setattr(kubelet_bootstrap, "FOLDER", str(tmp_path))
    monkeypatch.setattr(kubelet_bootstrap, "CLIENT", str(folder / "kubelet-client-current.pem"))
    monkeypatch.setattr(rotation, "authority_key_id", str)
    monkeypatch.setattr(rotation, "subject_key_id", lambda pem: {OLD.public: "old", NEW.public: "new"}[pem])
    monkeypatch.setattr(endpoint, "answers", lambda port, path: True)
    monkeypatch.setattr(authorities, "PODS", str(tmp_path / "pods"))
    return folder, done


def test_a_worker_that_was_killed_without_a_client_certificate_has_the_old_one_again(
    worker: tuple[Path, list[str]],
) -> None:
    folder, done = worker
    (folder / "kubelet-client-current.pem.slipway").write_text("old")
    (folder.parent / "bootstrap-kubelet.conf").write_text("a token that is revoked")
    predicted = step(folder, "refreshed", check_mode=True)
    predicted.run()
    assert predicted.changes and not done
    one = step(folder, "refreshed")
    one.run()
    assert (folder / "kubelet-client-current.pem").read_text() == "old"
    assert done == ["restart kubelet.service"] and one.changes == predicted.changes
    assert os.listdir(folder) == ["kubelet-client-current.pem"]
    assert not (folder.parent / "bootstrap-kubelet.conf").exists()


@pytest.mark.parametrize("error", [HostError("late"), OSError("disk"), KeyboardInterrupt()])
def test_a_worker_that_gets_no_client_certificate_has_the_old_one_again(
    worker: tuple[Path, list[str]], error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    def recover(token: str, seconds: int) -> None:
        raise error

    folder, done = worker
    client = folder / "kubelet-client-current.pem"
    client.write_text("old")
    monkeypatch.setattr(kubelet_bootstrap, "recover", recover)
    one = step(folder, "used", bootstrap_token="a")
    with pytest.raises(type(error)):
        one.use()
    assert client.read_text() == "old" and done == ["restart kubelet.service"]
    client.unlink()  # nothing to go back to does not hide the reason
    with pytest.raises(type(error)):
        one.use()


def test_what_an_interruption_left_beside_the_new_client_certificate_is_deleted(worker: tuple[Path, list[str]]) -> None:
    folder, done = worker
    (folder / "kubelet-client-current.pem").write_text("new")
    (folder / "kubelet-client-current.pem.slipway").write_text("old")
    (folder.parent / "bootstrap-kubelet.conf").write_text("a token that is revoked")
    one = step(folder, "used")
    one.use()
    assert len(one.changes) == 2 and not done
    assert os.listdir(folder) == ["kubelet-client-current.pem"]
    assert not (folder.parent / "bootstrap-kubelet.conf").exists()


@pytest.mark.parametrize("link", ["old", ""])
def test_a_kubelet_whose_old_serving_certificate_was_removed_is_started_again(
    worker: tuple[Path, list[str]], link: str
) -> None:
    folder, done = worker
    (folder / "kubelet-client-current.pem").write_text("new")
    (folder / "kubelet-server-2026-01-02-03-00-00.pem").write_text("old")
    if link:
        (folder / "kubelet-server-current.pem").symlink_to(folder / "kubelet-server-2026-01-02-03-00-00.pem")
    one = step(folder, "used")
    one.use()
    assert done == ["restart kubelet.service"] and len(one.changes) == 2
    assert not (folder / "kubelet-server-current.pem").exists()
    (folder / "kubelet-server-current.pem").write_text("new")
    one = step(folder, "used")
    one.use()
    assert one.changes == []


def test_a_kubelet_that_signs_its_serving_certificate_itself_is_not_started_again(
    worker: tuple[Path, list[str]],
) -> None:
    folder, done = worker
    (folder / "kubelet-client-current.pem").write_text("new")
    (folder / "kubelet.crt").write_text("its own")
    one = step(folder, "used")
    one.use()
    assert not one.changes and not done


@pytest.mark.parametrize("role", ["worker", "control plane"])
def test_the_record_names_the_new_ca_also_if_a_restart_fails(
    worker: tuple[Path, list[str]], role: str, pki: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: rotation.Step) -> None:
        raise HostError("it does not start")

    (pki / "ca.crt").write_text(OLD.public + NEW.public)
    Record(str(tmp_path)).identify("sha256:old", "")
    monkeypatch.setattr(rotation, "ca_cert_hash", lambda text: "sha256:" + ("new" if text == NEW.public else "old"))
    if role == "control plane":
        rotation_files.keep({"ca": OLD}, {"ca": NEW})
        (tmp_path / "manifests").mkdir()
        (tmp_path / "manifests/kube-apiserver.yaml").write_text("")
    monkeypatch.setattr(rotation.Step, "restart_components", fail)
    monkeypatch.setattr(rotation.Step, "restart_kubelet", fail)
    with pytest.raises(HostError, match="it does not start"):
        step(pki, "finished", record_dir=str(tmp_path)).run()
    assert Record.load(str(tmp_path)).ca_hash == "sha256:new"


def test_the_old_keys_are_deleted_also_if_an_interruption_left_only_them(
    worker: tuple[Path, list[str]], pki: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests/kube-apiserver.yaml").write_text("")
    (pki / "ca.crt").write_text(NEW.public)
    (pki / "ca.key").write_text(NEW.key)
    (pki / ".rotation.finished/old").mkdir(parents=True)
    for name in ("restart_components", "restart_kubelet"):
        monkeypatch.setattr(rotation.Step, name, lambda self: None)
    monkeypatch.setattr(rotation, "connect", lambda kubeconfig, server: None)
    monkeypatch.setattr(rotation_cluster, "announce", lambda client, authority: [])
    monkeypatch.setattr(rotation_cluster, "forget", lambda client, pairs: [])
    for changes in (["The old authorities are deleted."], []):
        one = step(pki, "finished", record_dir=str(tmp_path), kubeconfig="", server="")
        one.run()
        assert one.changes == changes and not list(pki.glob(".rotation.*"))


def test_kube_controller_manager_signs_with_one_certificate_before_its_authority_has_two(
    worker: tuple[Path, list[str]], pki: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(self: rotation.Step) -> None:
        raise KeyboardInterrupt

    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests/kube-apiserver.yaml").write_text("")
    rotation_files.keep({"ca": OLD}, {"ca": NEW})
    monkeypatch.setattr(rotation.Step, "place_authorities", killed)
    with pytest.raises(KeyboardInterrupt):
        step(pki, "trusted").run()
    assert authorities.signing_files(Path(rotation.MANAGER).read_text())[0] == str(pki / "rotation/old/ca.crt")


def test_another_kube_controller_manager_in_a_pod_is_not_waited_for(
    pki: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Path(rotation.MANAGER).read_text()
    commands = {"/proc/1/cmdline": own, "/proc/2/cmdline": own.replace(str(pki), "/nested")}
    monkeypatch.setattr(
        rotation, "processes", lambda: [("kube-controller-manager", 1, 0.0), ("kube-controller-manager", 2, 0.0)]
    )
    monkeypatch.setattr(rotation, "read", lambda path: commands.get(str(path), own))
    monkeypatch.setattr(rotation.time, "sleep", lambda seconds: None)
    step(pki, "trusted", timeout=0)._wait_for_manager()
    del commands["/proc/1/cmdline"]
    commands["/proc/1/cmdline"] = commands["/proc/2/cmdline"]
    with pytest.raises(HostError, match="does not run with"):
        step(pki, "trusted", timeout=0)._wait_for_manager()


ETCD = {"etcd-ca": {"old": OLD.public, "new": NEW.public}}


@pytest.fixture
def member(worker: tuple[Path, list[str]], pki: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host of an external etcd, with the names of authorities in its certificates; without kube-controller-manager and the other authorities."""
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests/etcd.yaml").write_text("")
    for left in pki.iterdir():
        left.unlink()
    (pki / "etcd").mkdir()
    (pki / "etcd/ca.crt").write_text(OLD.public)
    (pki / "etcd/ca.key").write_text(OLD.key)
    for name in ("server", "peer", "healthcheck-client"):
        (pki / f"etcd/{name}.crt").write_text("old")
    Path(rotation.MANAGER).unlink()

    def renew(self: rotation.Step, arguments: list[str]) -> None:
        assert authorities.read_files(str(pki), ["etcd-ca"])["etcd-ca"].key == NEW.key
        (pki / "etcd" / (arguments[2].replace("etcd-", "") + ".crt")).write_text("new")

    monkeypatch.setattr(rotation.Step, "_kubeadm", renew)
    monkeypatch.setattr(rotation, "processes", lambda: iter(()))
    monkeypatch.setattr(rotation, "outdated", lambda running: {})
    monkeypatch.setattr(rotation, "read_certificate", lambda path: path.read_text() if path.exists() else "")
    monkeypatch.setattr(rotation.Step, "_wait_for_etcd", lambda self: None)
    return pki


def test_a_member_of_an_external_etcd_rotates_its_own_authority_and_no_other(member: Path) -> None:
    given = params(state="planned", rotate=["all"])
    assert rotation.converge(given, False, None)["rotate"] == ["etcd-ca"]
    rotation_files.keep({"etcd-ca": OLD}, {"etcd-ca": NEW})
    pairs = {**ETCD, "ca": {"old": OLD.public, "new": NEW.public}}
    seen = []
    for state in ("trusted", "issued", "issued", "finished", "finished"):
        one = step(member, state, authorities=pairs)
        one.run()
        seen.append(len(one.changes))
    assert seen == [1, 4, 0, 2, 0]
    live = authorities.read_files(str(member), ["etcd-ca"])["etcd-ca"]
    assert live == NEW and not (member / "rotation").exists() and not (member / "ca.crt").exists()


def test_the_old_authority_of_etcd_stays_while_a_member_uses_its_certificates(member: Path) -> None:
    rotation_files.keep({"etcd-ca": OLD}, {"etcd-ca": NEW})
    with pytest.raises(HostError, match=r"etcd/server.crt, .*\[slipway:rotation_waits\]"):
        step(member, "finished", authorities=ETCD).run()
    assert (member / "etcd/ca.crt").read_text() == OLD.public


def test_the_new_authority_of_etcd_is_made_on_its_host_if_all_members_are_healthy(
    member: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    problems, configs = ["etcd2: no answer"], []

    def kubeadm(arguments: list[str], *_others: object) -> None:
        configs.append(Path(arguments[-1]).read_text())
        folder = Path(arguments[-1]).parent / "pki/etcd"
        folder.mkdir()
        (folder / "ca.crt").write_text(NEW.public)
        (folder / "ca.key").write_text(NEW.key)

    monkeypatch.setattr(rotation_files, "run_kubeadm", kubeadm)
    monkeypatch.setattr(rotation_cluster.etcd, "find_endpoint", lambda: "https://127.0.0.1:2379")
    monkeypatch.setattr(rotation_cluster.etcd, "find_problems", lambda endpoint: problems)
    config = [{"kind": "InitConfiguration"}, {"kind": "ClusterConfiguration", "imageRepository": "registry.k8s.io"}]
    given = params(state="prepared", rotate=["etcd-ca"], config=config, timeout=1, log="", node_name="etcd1")
    with pytest.raises(HostError, match=r"etcd2: no answer.*\[slipway:rotation_hosts\]"):
        rotation.converge(given, False, None)
    problems.clear()
    made = rotation.converge(given, False, None)
    assert made["authorities"] == ETCD and made["keys"] == {"etcd-ca": NEW.key}
    assert '"certificatesDir"' in configs[0] and "registry.k8s.io" in configs[0]
    problems.append("etcd2 restarts")
    assert rotation.converge(given, False, None)["changes"] == [], "an interrupted rotation goes on"


def test_a_control_plane_of_an_external_etcd_only_trusts_its_authority(
    worker: tuple[Path, list[str]], pki: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (pki / "etcd").mkdir()
    (pki / "etcd/ca.crt").write_text(OLD.public)
    (pki / "apiserver-etcd-client.crt").write_text("old")
    monkeypatch.setattr(rotation, "read_certificate", lambda path: path.read_text() if path.exists() else "")
    seen = []
    for state in ("trusted", "issued", "finished"):
        one = step(pki, state, authorities=ETCD)
        one.place_authorities()
        one.issue()
        seen.append(one.changes)
    assert seen == [["The new etcd-ca is trusted with the old one."], [], ["The new etcd-ca alone is trusted."]]
    assert not (pki / "etcd/ca.key").exists() and (pki / "etcd/ca.crt").read_text() == NEW.public
    one = step(pki, "issued", check_mode=True, authorities=ETCD)
    one.issue()
    assert one.changes == ["Certificate apiserver-etcd-client issued by the new etcd-ca."], "the role does it before"
    with pytest.raises(HostError, match=r"apiserver-etcd-client\.crt"):
        step(pki, "finished", authorities=ETCD).require_new_certificates()


def test_without_an_authority_of_its_own_a_control_plane_makes_none(pki: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checked = []
    monkeypatch.setattr(rotation_cluster, "check", lambda given, starting: checked.append(starting))
    assert rotation_files.prepare(params(), False, None) == {"changes": [], "authorities": {}, "keys": {}}
    assert checked == [True] and not (pki / "rotation").exists()
