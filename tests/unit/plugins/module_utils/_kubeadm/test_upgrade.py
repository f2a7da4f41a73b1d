# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kubeadm upgrades a node once, an interrupted upgrade is run again, and etcd is healthy before and after."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._host.record import Record
from ansible_collections.slipway.kube.plugins.module_utils._host.system import HostError
from ansible_collections.slipway.kube.plugins.module_utils._kubeadm import etcd, upgrade
from ansible_collections.slipway.kube.plugins.module_utils._kubeadm.config import build_upgrade, place_patches
from ansible_collections.slipway.kube.plugins.module_utils._kubeadm.run import config_folder
from ansible_collections.slipway.kube.plugins.module_utils._kubeadm.upgrade import State, decide

OLD = {"kube-apiserver": "1.36.3", "kube-scheduler": "1.36.3", "etcd": "3.6.8"}
HALF = {"kube-apiserver": "1.37.2", "kube-scheduler": "1.36.3", "etcd": "3.7.0"}
NEW = {"kube-apiserver": "1.37.2", "kube-scheduler": "1.37.2", "etcd": "3.7.0"}


@pytest.mark.parametrize(
    ("state", "command"),
    [
        (State("", OLD, "1.36.3"), "apply"),
        (State("apply 1.37.2", HALF, "1.36.3"), "apply"),
        # upload-config is done, the add-ons are not
        (State("apply 1.37.2", NEW, "1.37.2"), "apply"),
        (State("", OLD, "1.37.2"), "node"),
        (State("node 1.37.2", HALF, "1.37.2"), "node"),
        (State("node 1.37.2", NEW, "1.37.2"), "node"),
        # the version was changed after the interruption
        (State("apply 1.37.1", HALF, "1.37.2"), "node"),
        (State("", NEW, "1.37.2"), ""),
        (State("", {}, ""), "node"),
    ],
)
def test_the_command_follows_from_what_runs(state, command):
    assert decide(state, "1.37.2") == command


def test_the_version_of_the_cluster_is_kubeadm_s():
    class Cluster:
        data = {
            "data": {"ClusterConfiguration": "kind: ClusterConfiguration\nkubernetesVersion: v1.36.3\nnetworking: {}\n"}
        }

        def find(self, path):
            return self.data

    assert upgrade.cluster_version(Cluster()) == "1.36.3"
    Cluster.data = None
    with pytest.raises(HostError, match="kubeadm-config"):
        upgrade.cluster_version(Cluster())


def test_patches_are_placed_in_both_commands():
    document = build_upgrade("1.37.2", ["Swap", "SystemVerification"], 1200)
    assert document["apply"]["kubernetesVersion"] == "v1.37.2" and document["timeouts"]["upgradeManifests"] == "600s"
    assert document["node"]["ignorePreflightErrors"] == ["Swap", "SystemVerification"]
    placed = place_patches(document, "/run/x")
    assert placed["apply"]["patches"] == placed["node"]["patches"] == {"directory": "/run/x"}
    with config_folder([document], {"etcd0.json": {"a": 1}}) as folder:
        text = Path(folder, "config.yaml").read_text().replace("---\n", "")
        assert json.loads(text)["node"]["patches"]["directory"] == f"{folder}/patches"
        assert Path(folder, "patches", "etcd0.json").exists()


@pytest.fixture
def control_plane(tmp_path, monkeypatch):
    """A control plane that is old, and what was done on it."""
    done = []
    monkeypatch.setattr(upgrade, "read_components", lambda files: dict(OLD))
    monkeypatch.setattr(upgrade, "connect", lambda *arguments: SimpleNamespace())
    monkeypatch.setattr(upgrade, "cluster_version", lambda client: "1.36.3")
    monkeypatch.setattr(upgrade, "wait_for_etcd", lambda seconds: done.append("etcd"))
    monkeypatch.setattr(upgrade, "wait_for_api", lambda server, seconds: done.append("api"))
    monkeypatch.setattr(upgrade, "wait_for_add_ons", lambda client, seconds: done.append("add-ons"))
    monkeypatch.setattr(upgrade, "sync_kubeadm_files", lambda: done.append("sync"))
    monkeypatch.setattr(upgrade, "run_kubeadm", lambda arguments, *_rest: done.append(" ".join(arguments[:2])))
    params = {
        "patches": {},
        "record_dir": str(tmp_path),
        "version": "1.37.2",
        "kubeconfig": "",
        "server": "",
        "node_name": "cp1",
        "ignore_preflight_errors": [],
        "timeout": 600,
        "health_timeout": 60,
        "log": "",
    }
    return params, done


def test_etcd_is_healthy_before_and_after(control_plane):
    params, done = control_plane
    assert upgrade.converge(params, False, None)["changed"]
    assert done == ["api", "etcd", "upgrade apply", "sync", "api", "etcd", "add-ons"]
    assert Record.load(params["record_dir"]).upgrade == ""


def test_check_mode_runs_nothing(control_plane):
    params, done = control_plane
    assert upgrade.converge(params, True, None)["changes"] == ["kubeadm upgrade apply upgrades 'cp1' to 1.37.2."]
    assert done == []


def test_an_interruption_is_recorded_and_its_command_run_again(control_plane, monkeypatch):
    params, done = control_plane

    def killed(arguments, *_rest):
        raise KeyboardInterrupt

    monkeypatch.setattr(upgrade, "run_kubeadm", killed)
    with pytest.raises(KeyboardInterrupt):
        upgrade.converge(params, False, None)
    assert Record.load(params["record_dir"]).upgrade == "apply 1.37.2"
    done.clear()
    monkeypatch.setattr(upgrade, "run_kubeadm", lambda arguments, *_rest: done.append(" ".join(arguments[:2])))
    upgrade.converge(params, False, None)
    assert done == ["api", "etcd", "upgrade apply", "sync", "api", "etcd", "add-ons"]


def test_a_static_pod_that_an_interrupted_kubeadm_moved_away_is_put_back(tmp_path):
    assert upgrade.restore_manifests(str(tmp_path)) == []
    for folder in ("manifests", "tmp/kubeadm-backup-manifests-1", "tmp/kubeadm-backup-manifests-2"):
        (tmp_path / folder).mkdir(parents=True)
    os.utime(tmp_path / "tmp/kubeadm-backup-manifests-1", (1, 1))
    (tmp_path / "tmp/kubeadm-backup-manifests-1/kube-scheduler.yaml").write_text("older")
    for name in ("etcd", "kube-apiserver"):
        (tmp_path / f"tmp/kubeadm-backup-manifests-2/{name}.yaml").write_text("old")
    (tmp_path / "manifests/etcd.yaml").write_text("new")
    assert upgrade.restore_manifests(str(tmp_path)) == ["kube-apiserver"]
    assert (tmp_path / "manifests/kube-apiserver.yaml").read_text() == "old"
    assert (tmp_path / "manifests/etcd.yaml").read_text() == "new"
    assert sorted(path.name for path in (tmp_path / "manifests").iterdir()) == ["etcd.yaml", "kube-apiserver.yaml"]


def test_no_control_plane_is_restarted_while_etcd_is_not_healthy(monkeypatch):
    monkeypatch.setattr(etcd, "find_problems", lambda endpoint, pki: ["cp2: etcdserver: no leader"])
    with pytest.raises(HostError, match=r"no further control plane is restarted. Evidence: cp2: etcdserver: no leader"):
        upgrade.wait_for_etcd(-1)
    monkeypatch.setattr(etcd, "find_problems", lambda endpoint, pki: [])
    upgrade.wait_for_etcd(-1)


def kube_proxy(updated: int) -> dict:
    status = {"observedGeneration": 2, "desiredNumberScheduled": 3, "currentNumberScheduled": 3}
    return {
        "kind": "DaemonSet",
        "metadata": {"name": "kube-proxy", "generation": 2},
        "status": {**status, "updatedNumberScheduled": updated, "numberReady": updated, "numberAvailable": updated},
    }


def test_no_node_is_drained_while_kube_proxy_is_replaced():
    rollout = iter([kube_proxy(1), kube_proxy(2), kube_proxy(3)])
    asked = []

    class Cluster:
        def find(self, path):
            asked.append(path)
            return next(rollout) if path.endswith("kube-proxy") else None  # another DNS server than CoreDNS

    upgrade.wait_for_add_ons(Cluster(), seconds=5, pause=0)
    assert len(asked) == 6


def test_add_ons_of_kubeadm_that_make_no_progress_are_named():
    class Cluster:
        def find(self, path):
            return kube_proxy(1) if path.endswith("kube-proxy") else None

    with pytest.raises(HostError, match=r"DaemonSet kube-system/kube-proxy: 1 of 3 pods updated"):
        upgrade.wait_for_add_ons(Cluster(), seconds=0.01, pause=0)
