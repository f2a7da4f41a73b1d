# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kubeadm's run on a host: its files are private, its end is explained, its half-made work is cleared."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._host.record import Record
from ansible_collections.slipway.kube.plugins.module_utils._host.system import HostError, host_lock
from ansible_collections.slipway.kube.plugins.module_utils._kube.api import Unreachable
from ansible_collections.slipway.kube.plugins.module_utils._kubeadm import (
    apiserver_files,
    init,
    join,
    membership,
    recovery,
    run,
)


@pytest.fixture
def kubeadm(tmp_path, monkeypatch):
    """A kubeadm of a few lines of shell, first on the path; call it to say what it does."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def does(script):
        program = folder / "kubeadm"
        program.write_text("#!/bin/sh\n" + script)
        program.chmod(0o755)

    return does


def test_the_configuration_is_private_and_goes_away(tmp_path):
    with run.config_folder(
        [{"kind": "InitConfiguration"}, {"kind": "KubeletConfiguration"}], {"etcd0.json": {"a": 1}}
    ) as folder:
        path = Path(folder)
        assert path.stat().st_mode & 0o777 == 0o700 and (path / "config.yaml").stat().st_mode & 0o777 == 0o600
        first, second = (json.loads(text) for text in (path / "config.yaml").read_text().split("---\n")[1:])
        assert first["patches"] == {"directory": folder + "/patches"} and "patches" not in second
        assert json.loads((path / "patches" / "etcd0.json").read_text()) == {"a": 1}
    assert not path.exists()


def test_output_goes_to_a_private_log_that_grows(kubeadm, tmp_path):
    log = tmp_path / "kubeadm.log"
    kubeadm('echo "did $1"')
    run.run_kubeadm(["init"], 10, None, str(log))
    run.run_kubeadm(["reset"], 10, None, str(log))
    assert "did init" in log.read_text() and "did reset" in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600


def test_a_failure_is_explained_by_this_run_s_lines_only(kubeadm, tmp_path):
    log = tmp_path / "kubeadm.log"
    log.write_text("error: an old run's trouble\n")
    kubeadm("echo 'error execution phase preflight: [preflight]\n\t[ERROR Port-6443]: Port 6443 is in use'; exit 1")
    with pytest.raises(run.KubeadmError) as error:
        run.run_kubeadm(["init"], 10, None, str(log))
    assert "Port 6443 is in use" in str(error.value) and "old run" not in str(error.value)


def test_a_run_that_does_not_end_is_ended_with_all_it_started(kubeadm, tmp_path):
    kubeadm(f"sleep 60 & echo $! > {tmp_path}/child; echo waiting; wait")
    with pytest.raises(run.KubeadmError, match="terminated after 1 seconds"):
        run.run_kubeadm(["init"], 1, None, str(tmp_path / "log"))
    child = int((tmp_path / "child").read_text())
    status = Path(f"/proc/{child}/stat")
    assert not status.exists() or status.read_text().split()[2] == "Z"


def test_kubeadm_gets_no_proxy_which_it_would_give_to_the_control_plane(kubeadm, tmp_path, monkeypatch):
    monkeypatch.setenv("https_proxy", "http://squid:1")
    monkeypatch.setenv("HTTP_PROXY", "http://squid:1")
    kubeadm("env")
    run.run_kubeadm(["init"], 10, None, str(tmp_path / "log"))
    assert "squid" not in (tmp_path / "log").read_text()


def test_no_kubeadm_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(run.subprocess, "Popen", lambda *a, **k: (nothing for nothing in ()).throw(FileNotFoundError()))
    with pytest.raises(run.KubeadmError, match="not installed"):
        run.run_kubeadm(["init"], 1, None, str(tmp_path / "log"))


def test_kubeadm_holds_the_host_s_lock_itself(kubeadm, tmp_path):
    """Were the module killed, the next run would still wait for kubeadm."""
    lock_file = str(tmp_path / "lock")
    kubeadm(
        f"(flock -n 9 || echo held > {tmp_path}/seen) 9>>{lock_file}; ls -l /proc/self/fd | grep -q lock && echo has >> {tmp_path}/seen; true"
    )
    with host_lock(1, lock_file) as lock:
        run.run_kubeadm(["init"], 10, lock, str(tmp_path / "log"))
    assert (tmp_path / "seen").read_text().split() == ["held", "has"]


def test_static_pods_tell_their_last_lines(tmp_path):
    folder = tmp_path / "kube-system_kube-apiserver-cp1_1" / "kube-apiserver"
    folder.mkdir(parents=True)
    (folder / "0.log").write_text("2026-01-01T00:00:00Z stderr F too old\n")
    os.utime(folder / "0.log", (1, 1))
    (folder / "1.log").write_text("2026-01-01T00:00:00Z stderr F E0101 bind: address already in use\n")
    assert run.static_pod_lines(1000.0, folder=str(tmp_path)) == "kube-apiserver: E0101 bind: address already in use"


def test_a_ca_that_a_site_brought_survives_an_unfinished_init(tmp_path):
    pki, record = tmp_path / "pki", tmp_path / "record"
    pki.mkdir()
    record.mkdir()
    (pki / "ca.key").write_text("the site's own")
    recovery.save_pki(str(record), str(pki))
    (pki / "ca.key").unlink()
    (pki / "apiserver.crt").write_text("half made")
    recovery.save_pki(str(record), str(pki))  # what is half made does not replace what was kept
    recovery.restore_pki(str(record), str(pki))
    assert [entry.name for entry in pki.iterdir()] == ["ca.key"] and (pki / "ca.key").read_text() == "the site's own"
    recovery.discard_saved_pki(str(record))
    assert list(record.iterdir()) == []


def test_a_folder_is_emptied_and_stays(tmp_path):
    (tmp_path / "member" / "wal").mkdir(parents=True)
    (tmp_path / "file").write_text("x")
    recovery.empty_folder(str(tmp_path))
    assert tmp_path.is_dir() and list(tmp_path.iterdir()) == []
    recovery.empty_folder(str(tmp_path / "none"))


def test_an_unfinished_init_that_serves_other_nodes_is_left_alone(monkeypatch):
    monkeypatch.setattr(recovery, "other_nodes", lambda name: ["w1"])
    monkeypatch.setattr(recovery, "run_kubeadm", lambda *a: pytest.fail("reset of a cluster that is in use"))
    with pytest.raises(run.KubeadmError, match="has other nodes: w1"):
        recovery.clean_up({"node_name": "cp1", "node_addresses": [], "record_dir": "/nowhere"}, "init", None)


@pytest.fixture
def host(tmp_path, monkeypatch):
    """A host that is what `seen` says; what was done to it is in `done`."""
    seen, done = membership.Membership(ca_hash="sha256:aa"), []

    def read(record):
        seen.operation, seen.cluster = record.operation, record.cluster_name
        return seen

    for module in (init, join):
        monkeypatch.setattr(module.membership, "read_membership", read)
    monkeypatch.setattr(recovery, "clean_up", lambda params, operation, lock: done.append("clean up " + operation))
    monkeypatch.setattr(recovery, "save_pki", lambda folder: None)
    monkeypatch.setattr(init, "run_init", lambda params, config, token, lock: done.append("init") or 1.0)
    client = SimpleNamespace(delete=lambda path: True, get=lambda path: {"metadata": {"uid": "uid-1"}})
    monkeypatch.setattr(init, "connect", lambda **access: client)
    for module in (init, join):
        monkeypatch.setattr(module, "sync_kubeadm_files", lambda: None)
        monkeypatch.setattr(module.etcd_user, "own_data", lambda folder, record, system: None)
    monkeypatch.setattr(init, "wait_for_api", lambda server, seconds: done.append("wait"))
    monkeypatch.setattr(join, "run_join", lambda params, lock: done.append("join") or 1.0)
    monkeypatch.setattr(Record, "mark", lambda self, name: setattr(self, "cluster_name", name))
    params = {
        "restore": "",
        "files": [],
        "cluster": "blue",
        "node_name": "n1",
        "node_addresses": [],
        "patches": {},
        "cri_socket": "",
        "etcd_data_dir": "",
        "timeout": 1,
        "log": "",
        "record_dir": str(tmp_path / "record"),
        "server": "",
        "state": "joined",
        "token": "t",
        "certificate_key": "",
        "ca_cert_hashes": ["sha256:aa"],
        "cluster_id": "uid-1",
        "etcd_endpoints": [],
    }
    return seen, done, params


def operation(params):
    return Record.load(params["record_dir"]).operation


def test_init_marks_begins_and_finishes(host):
    _seen, done, params = host
    result = init.converge({**params, "config": []}, False, None)
    assert result["changed"] and done == ["init"] and operation(params) == ""
    record = Record.load(params["record_dir"])
    assert (record.cluster_name, record.ca_hash, record.cluster_id) == ("blue", "sha256:aa", "uid-1")


def test_an_init_that_fails_is_cleared_and_done_again(host, monkeypatch):
    _seen, done, params = host

    def fail(params, config, token, lock):
        raise run.KubeadmError("no")

    with monkeypatch.context() as patch:
        patch.setattr(init, "run_init", fail)
        with pytest.raises(run.KubeadmError):
            init.converge({**params, "config": []}, False, None)
    assert operation(params) == "init"
    assert init.converge({**params, "config": []}, True, None)["changed"] and done == []
    init.converge({**params, "config": []}, False, None)
    assert done == ["clean up init", "init"] and operation(params) == ""


def test_an_init_is_finished_also_where_its_token_stays(host, monkeypatch):
    _seen, done, params = host

    def silent(path):
        raise Unreachable("the API server restarts")

    monkeypatch.setattr(init, "connect", lambda **access: SimpleNamespace(delete=silent))
    with pytest.raises(Unreachable):
        init.converge({**params, "config": []}, False, None)
    assert operation(params) == "" and done == ["init"]


def test_init_waits_for_a_control_plane_that_is_there(host):
    seen, done, params = host
    record = Record.load(params["record_dir"])
    record.mark("blue")
    record.begin("")
    seen.joined = seen.serves = True
    assert not init.converge({**params, "config": []}, False, None)["changed"]
    assert done == ["wait"]


def test_a_join_that_was_cut_off_is_cleared_and_done_again(host):
    _seen, done, params = host
    Record.load(params["record_dir"]).begin("join")
    result = join.converge({**params, "config": {"kind": "JoinConfiguration"}}, False, None)
    assert done == ["clean up join", "join"] and result["joined"] and operation(params) == ""
    record = Record.load(params["record_dir"])
    assert (record.ca_hash, record.cluster_id) == ("sha256:aa", "uid-1")


def test_the_files_of_the_api_server_are_there_before_kubeadm_starts_it(host, tmp_path, monkeypatch):
    _seen, done, params = host
    monkeypatch.setattr(apiserver_files.hardening, "AUDIT_FOLDER", str(tmp_path / "audit"))
    path = tmp_path / "apiserver" / "audit-policy.json"
    files = [{"path": str(path), "content": "{}"}]
    for module, name in ((init, "run_init"), (join, "run_join")):
        monkeypatch.setattr(module, name, lambda *arguments: done.append(path.read_text()) or 1.0)
    init.converge({**params, "files": files, "config": []}, True, None)
    join.converge({**params, "files": files, "config": {"controlPlane": {}}}, True, None)
    assert not path.exists()
    shown = init.converge({**params, "files": files, "config": []}, False, None)["diff"]["after"]
    assert done == ["{}"] and str(path) in shown
    path.unlink()
    Record.load(params["record_dir"]).begin("join")
    join.converge({**params, "files": files, "config": {"controlPlane": {}}}, False, None)
    assert done[-1] == "{}"


def test_getting_ready_clears_and_does_not_join(host):
    _seen, done, params = host
    params = {**params, "state": "ready_to_join", "config": None}
    assert not join.converge(params, False, None)["changed"]
    Record.load(params["record_dir"]).begin("join")
    result = join.converge(params, False, None)
    assert result["changed"] and not result["joined"] and done == ["clean up join"] and operation(params) == ""


def test_a_member_is_left_alone_and_a_join_without_a_pinned_ca_refused(host):
    seen, done, params = host
    with pytest.raises(HostError, match="No CA hash"):
        join.converge({**params, "ca_cert_hashes": [], "config": {}}, False, None)
    record = Record.load(params["record_dir"])
    record.mark("blue")
    record.begin("")
    seen.joined, seen.ca_hash = True, "sha256:aa"
    assert join.converge({**params, "config": {}}, False, None) == {"changed": False, "changes": [], "joined": True}
    assert done == []


def test_what_kubeadm_wrote_is_on_the_disk_before_it_counts_as_done(tmp_path, monkeypatch):
    for name in ("kubernetes/pki/ca.crt", "kubernetes/admin.conf", "kubelet/config.yaml", "kubelet/pods/volume/file"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    written = set()
    monkeypatch.setattr(os, "fsync", lambda descriptor: written.add(os.readlink(f"/proc/self/fd/{descriptor}")))
    config = tmp_path / "kubelet" / "config.yaml"
    config.chmod(0o644)
    trees = [str(tmp_path / "kubernetes"), str(tmp_path / "missing")]
    run.sync_kubeadm_files(trees, [str(tmp_path / "kubelet")], str(config))
    assert config.stat().st_mode & 0o777 == 0o600
    assert {path[len(str(tmp_path)) + 1 :] for path in written} == {
        "kubernetes",
        "kubernetes/admin.conf",
        "kubernetes/pki",
        "kubernetes/pki/ca.crt",
        "kubelet",
        "kubelet/config.yaml",
    }


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["I1129 noise"], []),
        (["[etcd] Creating static Pod manifest", "I1129 noise"], [("[etcd] Creating static Pod manifest",)]),
        (
            [
                '[upgrade/staticpods] Preparing for "etcd" upgrade',
                '[upgrade/staticpods] Preparing for "kube-apiserver" upgrade',
                "[upgrade/staticpods] Waiting for the kubelet to restart the component",
                "[upgrade/staticpods] This can take up to 5m0s",
            ],
            [("waits for the kubelet to restart kube-apiserver", "[upgrade/staticpods] This can take up to 5m0s")],
        ),
    ],
)
def test_what_kubeadm_is_at_is_told_with_the_component_that_it_waits_for(tmp_path, monkeypatch, lines, said):
    told = []
    monkeypatch.setattr(run, "tell", lambda *given: told.append(given))
    (tmp_path / "log").write_text("\n".join(lines) + "\n")
    with (tmp_path / "log").open("rb") as log:
        run.tell_last_line(log, 0)
    assert told == said
