# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs on a node: how it is found, and how it is ended."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._host.record import Record
from ansible_collections.slipway.kube.plugins.module_utils._host.system import HostError, Result, System
from ansible_collections.slipway.kube.plugins.module_utils._reset import cluster
from ansible_collections.slipway.kube.plugins.module_utils._reset.cluster import (
    parse_etcd_manifest,
    plan_etcd,
    plan_kubeadm,
    plan_runtime,
    plan_stop,
)
from ansible_collections.slipway.kube.plugins.module_utils._reset.mounts import plan_mounts, plan_programs
from ansible_collections.slipway.kube.plugins.module_utils._reset.pods import is_pod_process

MANIFEST = """\
spec:
  containers:
  - command:
    - etcd
    - --advertise-client-urls=https://10.0.0.12:2379
    - --initial-advertise-peer-urls=https://10.0.0.12:2380
    - --initial-cluster=cp1=https://10.0.0.11:2380,cp2=https://10.0.0.12:2380,cp3=https://[fd00::13]:2380
    - --name=cp2
    - --listen-client-urls=https://127.0.0.1:2379,https://10.0.0.12:2379
"""


def test_etcds_manifest_tells_the_member_and_whom_to_ask() -> None:
    assert parse_etcd_manifest(MANIFEST) == {
        "name": "cp2",
        "addresses": ["10.0.0.12"],
        "endpoints": ["https://10.0.0.11:2379", "https://[fd00::13]:2379", "https://10.0.0.12:2379"],
    }
    assert parse_etcd_manifest("") == {"name": "", "addresses": [], "endpoints": []}


def put(root, path: str, text: str = "") -> None:
    place = root / path.lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)


def test_a_member_leaves_only_an_etcd_that_goes_on(tmp_path, monkeypatch) -> None:
    put(tmp_path, cluster.ETCD_MANIFEST, MANIFEST)
    asked = []
    monkeypatch.setattr(cluster, "remove_member", lambda *arguments: asked.append(arguments))
    assert plan_etcd(System(str(tmp_path)), cluster_remains=False) == []
    (step,) = plan_etcd(System(str(tmp_path)), cluster_remains=True)
    assert step.sentence == "etcd member cp2 removed from its cluster" and asked == []
    step.apply()
    assert asked == [
        (["https://10.0.0.11:2379", "https://[fd00::13]:2379", "https://10.0.0.12:2379"], "cp2", ["10.0.0.12"])
    ]


def test_an_etcd_that_does_not_answer_stops_the_reset(tmp_path, monkeypatch) -> None:
    put(tmp_path, cluster.ETCD_MANIFEST, MANIFEST)

    def refuse(*_arguments: object) -> None:
        raise HostError("No etcd server answers.")

    monkeypatch.setattr(cluster, "remove_member", refuse)
    answer = r"'cp2', which runs on this {}, .* nothing was reset\. No etcd server answers\. Repair etcd first"
    with pytest.raises(HostError, match=answer.format("host of an external etcd")):
        plan_etcd(System(str(tmp_path)), cluster_remains=True)[0].apply()
    put(tmp_path, cluster.API_SERVER)
    with pytest.raises(HostError, match=answer.format("control plane")):
        plan_etcd(System(str(tmp_path)), cluster_remains=True)[0].apply()


def test_a_worker_has_no_member(tmp_path) -> None:
    assert plan_etcd(System(str(tmp_path)), cluster_remains=True) == []


def test_kubeadm_runs_where_it_is_and_where_it_made_something(tmp_path) -> None:
    seen: list[dict] = []

    def run(command: list[str], _environment: dict[str, str]) -> Result:
        seen.append(json.loads(Path(command[command.index("--config") + 1]).read_text()))
        assert command[:3] == ["timeout", "--kill-after=5", "240"]
        return Result(1, "", "no such socket")

    system, notes = System(str(tmp_path), run), []
    put(tmp_path, "/etc/kubernetes/kubelet.conf")
    assert plan_kubeadm(system, "unix:///x.sock", notes) == []  # half installed: no kubeadm
    put(tmp_path, "/usr/bin/kubeadm")
    (tmp_path / "usr/bin/kubeadm").chmod(0o755)
    (step,) = plan_kubeadm(system, "unix:///x.sock", notes)
    step.apply()
    assert seen[0]["criSocket"] == "unix:///x.sock" and seen[0]["force"] is True
    assert seen[0]["skipPhases"] == ["remove-etcd-member"]
    assert notes == [
        "kubeadm reset failed with exit code 1; the reset removed the rest without it. Its last output: no such socket"
    ]
    (tmp_path / "etc/kubernetes/kubelet.conf").unlink()
    assert plan_kubeadm(system, "unix:///x.sock", notes) == []


SHIM = ["/usr/bin/containerd-shim-runc-v2", "-namespace", "k8s.io", "-id", "abc"]


@pytest.mark.parametrize(
    ("arguments", "groups", "same", "ours"),
    [
        (["/pause"], "12:memory:/kubepods.slice/kubepods-burstable.slice/x.scope\n0::/\n", False, True),
        (["/pause"], "0::/kubepods/besteffort/pod1/abc\n", False, True),
        (SHIM, "0::/system.slice/containerd.service\n", True, True),
        (SHIM, "0::/docker/abc/kubelet.slice\n", False, False),  # a cluster inside a container of this host
        (["/pause"], "0::/docker/abc/kubelet.slice/kubelet-kubepods.slice/x\n", False, False),
        (["/usr/bin/containerd-shim-runc-v2", "-namespace", "moby", "-id", "k8s.io"], "0::/\n", True, False),
        (["sshd"], "0::/system.slice/kubepods.service\n", True, False),
        (["grep", "-namespace", "k8s.io"], "0::/user.slice\n", True, False),
    ],
)
def test_processes_of_pods_are_told_from_others(arguments: list[str], groups: str, same: bool, ours: bool) -> None:
    assert is_pod_process(arguments, groups, same) is ours


def shown(state: str) -> System:
    return System(run=lambda _command, _environment: Result(0, f"LoadState=loaded\nActiveState={state}\n"))


@pytest.mark.parametrize(
    ("state", "stops"), [("active", True), ("activating", True), ("inactive", False), ("failed", False)]
)
def test_a_unit_is_stopped_unless_it_is(state: str, stops: bool) -> None:
    assert bool(plan_stop(shown(state), "kubelet.service")) is stops


def runtime(
    tmp_path, state: str, folder_before: list[str] | None, kinds: tuple[str, ...] = ("containers",)
) -> tuple[list, list]:
    put(tmp_path, "/usr/bin/ctr")
    (tmp_path / "usr/bin/ctr").chmod(0o755)
    called = []

    def run(command: list[str], _environment: dict[str, str]) -> Result:
        called.append(command)
        if command[0] == "systemctl":
            return Result(0, f"LoadState=loaded\nActiveState={state}\n")
        return Result(0, "a\nb\n" if command[-2:] == ["ls", "-q"] and command[-3] in kinds else "")

    record = Record(str(tmp_path), {"footprint": {"folders": {"/var/lib/containerd": folder_before}}})
    return plan_runtime(System(str(tmp_path), run), record), called


def test_a_runtime_that_came_with_the_cluster_is_stopped(tmp_path) -> None:
    steps, _called = runtime(tmp_path, "active", None)
    assert [step.subject for step in steps] == ["unit containerd.service stop"]


def test_a_runtime_that_was_there_loses_kubernetes_part_alone(tmp_path) -> None:
    steps, called = runtime(tmp_path, "active", ["io.containerd.metadata.v1.bolt"])
    assert [step.sentence for step in steps] == ["containers of Kubernetes removed: 2"]
    steps[0].apply()
    assert [command[3:] for command in called[-2:]] == [
        ["ctr", "-n", "k8s.io", "tasks", "rm", "--force", "a", "b"],
        ["ctr", "-n", "k8s.io", "containers", "rm", "a", "b"],
    ]


def test_images_are_gone_from_the_disk_when_they_are_reported_as_removed(tmp_path) -> None:
    """Otherwise the runtime is stopped while it still removes their layers, and never resumes that."""
    (step,), called = runtime(tmp_path, "active", ["x"], ("images",))
    step.apply()
    assert called[-1][3:] == ["ctr", "-n", "k8s.io", "images", "rm", "--sync", "a", "b"]


def test_a_stopped_runtime_that_was_there_is_started_if_it_holds_pods(tmp_path) -> None:
    assert runtime(tmp_path, "inactive", ["x"])[0] == []
    put(tmp_path, "/var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes")
    steps, _called = runtime(tmp_path, "inactive", ["x"])
    assert [step.subject for step in steps] == ["unit containerd.service start"]


def test_a_mount_that_is_busy_leaves_the_tree_all_the_same(tmp_path) -> None:
    put(tmp_path, "/proc/self/mountinfo", "30 22 0:40 / /var/lib/kubelet/pods/a rw - nfs server:/x rw\n")
    put(tmp_path, "/run/netns/cni-1")
    put(tmp_path, "/run/netns/vpn")
    called = []

    def run(command: list[str], _environment: dict[str, str]) -> Result:
        called.append(command[3:])
        return Result(32 if "--lazy" not in command else 0)

    mounts, namespaces = plan_mounts(System(str(tmp_path), run), ["/var/lib/kubelet"], Record(str(tmp_path)), [])
    mounts.apply()
    assert called == [["umount", "/var/lib/kubelet/pods/a"], ["umount", "--force", "--lazy", "/var/lib/kubelet/pods/a"]]
    assert namespaces.before == "/run/netns/cni-1"
    namespaces.apply()
    assert [path.name for path in (tmp_path / "run/netns").iterdir()] == ["vpn"]


@pytest.mark.parametrize(
    ("footprint", "pinned", "goes"),
    [
        ({"mounts": []}, False, True),
        ({"mounts": ["/sys/fs/bpf"]}, False, False),
        ({"mounts": []}, True, False),
        ({}, False, False),
    ],
)
def test_a_file_system_that_calico_mounted_goes_if_it_was_not_there_and_nobody_uses_it(
    tmp_path, footprint: dict, pinned: bool, goes: bool
) -> None:
    put(tmp_path, "/proc/self/mountinfo", "30 22 0:40 / /sys/fs/bpf rw - bpf bpffs rw\n")
    put(tmp_path, "/sys/fs/bpf/maps.debug")  # by the kernel, always
    put(tmp_path, "/sys/fs/bpf/progs.debug")
    if pinned:
        put(tmp_path, "/sys/fs/bpf/program")
    notes: list[str] = []
    record = Record(str(tmp_path), {"footprint": footprint})
    steps = plan_mounts(System(str(tmp_path)), ["/var/lib/kubelet"], record, notes)
    assert [step.before for step in steps] == (["/sys/fs/bpf"] if goes else [])
    assert len(notes) == pinned and all("/sys/fs/bpf stays mounted" in note and "program" in note for note in notes)


def test_the_programs_and_maps_of_cilium_go_and_those_of_others_stay(tmp_path) -> None:
    put(tmp_path, "/proc/self/mountinfo", "30 22 0:40 / /sys/fs/bpf rw - bpf bpffs rw\n")
    for name in ("cilium/devices/eth0/links/a", "tc/globals/cilium_lxc", "tc/globals/mine"):
        put(tmp_path, f"/sys/fs/bpf/{name}")
    system, record = System(str(tmp_path)), Record(str(tmp_path), {"footprint": {"mounts": []}})
    notes: list[str] = []
    assert plan_mounts(system, [], record, notes) == [] and "tc" in notes[0]
    (step,) = plan_programs(system)
    assert step.before == "/sys/fs/bpf/cilium\n/sys/fs/bpf/tc/globals/cilium_lxc"
    (tmp_path / "sys/fs/bpf/tc/globals/mine").unlink()
    assert [one.before for one in plan_mounts(system, [], record, [])] == ["/sys/fs/bpf"]
    step.apply()
    assert plan_programs(system) == [] and not list((tmp_path / "sys/fs/bpf").iterdir())
