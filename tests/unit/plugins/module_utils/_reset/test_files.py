# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders and files go back to what they were, and nothing of anybody else goes with them."""

from __future__ import annotations

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._host.footprint import FOLDERS
from ansible_collections.slipway.kube.plugins.module_utils._host.record import Record, describe_file
from ansible_collections.slipway.kube.plugins.module_utils._host.swap import disable_fstab
from ansible_collections.slipway.kube.plugins.module_utils._host.system import HostError, System
from ansible_collections.slipway.kube.plugins.module_utils._reset.files import (
    cluster_folders,
    paths_to_remove,
    plan_files,
    plan_folders,
    remove_tree,
)


def put(root, path: str, text: str = "") -> None:
    place = root / path.lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)


def record_of(tmp_path, folders: dict | None = None, files: dict | None = None) -> Record:
    return Record(str(tmp_path / "record"), {"footprint": {"folders": folders or {}}, "before": {"files": files or {}}})


def doomed(tmp_path, folders: dict | None = None, leaving: tuple[str, ...] = ()) -> list[str]:
    steps = plan_folders(System(str(tmp_path)), record_of(tmp_path, folders), leaving)
    return [path for step in steps for path in step.paths]


def test_a_folder_that_was_absent_goes_whole(tmp_path) -> None:
    put(tmp_path, "/etc/cni/net.d/10-flannel.conflist")
    put(tmp_path, "/var/lib/kubelet/pki/x.pem")
    assert doomed(tmp_path) == ["/etc/cni", "/var/lib/kubelet"]


def test_of_a_folder_that_was_there_only_what_is_new_goes(tmp_path) -> None:
    put(tmp_path, "/etc/cni/net.d/10-flannel.conflist")
    put(tmp_path, "/etc/cni/net.d/87-podman.conflist")
    put(tmp_path, "/var/lib/cni/networks/podman/10.88.0.2")
    put(tmp_path, "/var/lib/cni/networks/cbr0/10.244.0.2")
    before = {"/etc/cni": ["net.d"], "/etc/cni/net.d": ["87-podman.conflist"], "/var/lib/cni": ["networks"]}
    assert doomed(tmp_path, before) == ["/etc/cni/net.d/10-flannel.conflist"]


def test_a_network_of_podman_that_was_added_later_stays(tmp_path) -> None:
    put(tmp_path, "/etc/cni/net.d/10-flannel.conflist")
    put(
        tmp_path,
        "/etc/cni/net.d/own.conflist",
        '{"name": "own", "plugins": [{"type": "bridge", "bridge": "cni-podman1"}]}',
    )
    assert doomed(tmp_path) == ["/etc/cni/net.d/10-flannel.conflist"]


def test_nothing_of_a_shared_runtime_goes(tmp_path) -> None:
    put(tmp_path, "/var/lib/containerd/io.containerd.content.v1.content/blobs/new")
    put(tmp_path, "/etc/containerd/new.toml")
    assert doomed(tmp_path, {"/var/lib/containerd": [], "/etc/containerd": []}) == []


def test_files_of_packages_that_stay_are_kept(tmp_path) -> None:
    put(tmp_path, "/opt/cni/bin/bridge")
    put(tmp_path, "/opt/cni/bin/calico")
    put(
        tmp_path,
        "/var/lib/dpkg/info/kubernetes-cni:amd64.list",
        "/.\n/opt\n/opt/cni\n/opt/cni/bin\n/opt/cni/bin/bridge\n",
    )
    assert doomed(tmp_path) == ["/opt/cni/bin/calico"]
    assert doomed(tmp_path, leaving=("kubernetes-cni",)) == ["/opt/cni"]


def test_the_hosts_own_mounts_are_emptied_and_stay(tmp_path) -> None:
    put(tmp_path, "/etc/fstab", "/dev/vdb /var/lib/etcd ext4 defaults 0 2\n")
    put(tmp_path, "/proc/self/mountinfo", "32 22 0:42 / /var/lib/kubelet rw - ext4 /dev/vdc rw\n")
    put(tmp_path, "/var/lib/etcd/member/snap/db")
    put(tmp_path, "/var/lib/etcd/lost+found/x")
    put(tmp_path, "/var/lib/kubelet/config.yaml")
    assert doomed(tmp_path) == ["/var/lib/etcd/member", "/var/lib/kubelet/config.yaml"]


def test_a_clean_host_has_nothing_to_lose(tmp_path) -> None:
    assert doomed(tmp_path) == []
    assert paths_to_remove(System(str(tmp_path)), "/nowhere", [], []) == []


def test_every_folder_is_named_once() -> None:
    tops = cluster_folders(Record("/record", {}))
    assert set(tops) <= set(FOLDERS)
    assert not [path for path in tops for other in tops if path != other and path.startswith(other + "/")]


def test_what_is_behind_a_mount_is_never_removed(tmp_path) -> None:
    put(tmp_path, "/var/lib/kubelet/pods/a/volumes/nfs/precious")
    put(tmp_path, "/proc/self/mountinfo", "30 22 0:40 / /var/lib/kubelet/pods/a/volumes/nfs rw - nfs server:/x rw\n")
    with pytest.raises(HostError, match=r"/var/lib/kubelet/pods/a/volumes/nfs is still mounted"):
        remove_tree(System(str(tmp_path)), "/var/lib/kubelet")
    assert (tmp_path / "var/lib/kubelet/pods/a/volumes/nfs/precious").exists()


def test_a_link_is_removed_and_not_followed(tmp_path) -> None:
    put(tmp_path, "/home/precious")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/cni").symlink_to(tmp_path / "home")
    remove_tree(System(str(tmp_path)), "/etc/cni")
    remove_tree(System(str(tmp_path)), "/etc/cni")
    assert (tmp_path / "home/precious").exists() and not (tmp_path / "etc/cni").is_symlink()


def restored(tmp_path, record: Record, gone: tuple[str, ...] = ()) -> list[str]:
    steps = plan_files(System(str(tmp_path)), record, gone)
    for step in steps:
        step.apply()
    assert plan_files(System(str(tmp_path)), record, gone) == []
    return [step.sentence for step in steps]


def test_files_come_back_as_they_were_and_new_ones_go(tmp_path) -> None:
    put(tmp_path, "/etc/sysctl.conf", "old\n")
    was = describe_file(str(tmp_path / "etc/sysctl.conf"))
    put(tmp_path, "/etc/sysctl.conf", "new\n")
    put(tmp_path, "/etc/sysctl.d/k8s.conf", "x")
    absent = {"state": "absent"}
    files = {
        "/etc/sysctl.conf": was,
        "/etc/sysctl.d/k8s.conf": absent,
        "/etc/sysctl.d": absent,
        "/etc/kubernetes/a": absent,
    }
    said = restored(tmp_path, record_of(tmp_path, files=files), ("/etc/kubernetes",))
    assert said == ["/etc/sysctl.d/k8s.conf removed", "/etc/sysctl.conf restored", "/etc/sysctl.d removed"]
    assert (tmp_path / "etc/sysctl.conf").read_text() == "old\n"


def test_a_folder_in_which_others_keep_something_stays(tmp_path) -> None:
    put(tmp_path, "/etc/apt/keyrings/ours.asc")
    put(tmp_path, "/etc/apt/keyrings/theirs.asc")
    absent = {"state": "absent"}
    files = {"/etc/apt/keyrings": absent, "/etc/apt/keyrings/ours.asc": absent}
    assert restored(tmp_path, record_of(tmp_path, files=files)) == ["/etc/apt/keyrings/ours.asc removed"]


def test_a_folder_that_was_removed_by_hand_comes_back(tmp_path) -> None:
    (tmp_path / "etc/cni").mkdir(parents=True)
    was = describe_file(str(tmp_path / "etc/cni"))
    (tmp_path / "etc/cni").rmdir()
    assert restored(tmp_path, record_of(tmp_path, files={"/etc/cni": was})) == ["/etc/cni restored"]


def test_roots_kube_folder_goes_if_it_was_absent_and_is_empty(tmp_path) -> None:
    (tmp_path / "root/.kube").mkdir(parents=True)
    assert restored(tmp_path, record_of(tmp_path, {"/root/.kube": ["config"]})) == []
    assert restored(tmp_path, record_of(tmp_path, {"/root/.kube": None})) == ["/root/.kube removed"]
    put(tmp_path, "/root/.kube/config", "another cluster's")
    assert restored(tmp_path, record_of(tmp_path, {"/root/.kube": None})) == []


def test_volumes_of_local_path_storage_stay_and_their_empty_folder_goes(tmp_path) -> None:
    record = record_of(tmp_path, {"/opt/local-path-provisioner": None})
    (tmp_path / "opt/local-path-provisioner").mkdir(parents=True)
    assert restored(tmp_path, record) == ["/opt/local-path-provisioner removed"]
    put(tmp_path, "/opt/local-path-provisioner/pvc-1_shop_data/file", "valuable")
    assert restored(tmp_path, record) == []


def test_lines_that_were_added_to_fstab_since_stay(tmp_path) -> None:
    old = "/dev/vda1 / ext4 defaults 0 1\n/swapfile none swap sw 0 0\n"
    put(tmp_path, "/etc/fstab", old)
    was = describe_file(str(tmp_path / "etc/fstab"))
    put(tmp_path, "/etc/fstab", disable_fstab(old) + "/dev/vdb /data ext4 defaults 0 2\n")
    assert restored(tmp_path, record_of(tmp_path, files={"/etc/fstab": was})) == ["/etc/fstab restored"]
    assert (tmp_path / "etc/fstab").read_text() == old + "/dev/vdb /data ext4 defaults 0 2\n"
