# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole reset on a simulated host: which hosts it changes, in which order, and that it resumes after an interruption."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._host.record import Record
from ansible_collections.slipway.kube.plugins.module_utils._host.step import Step
from ansible_collections.slipway.kube.plugins.module_utils._host.system import HostError, Result, System
from ansible_collections.slipway.kube.plugins.module_utils._kube.api import Unreachable
from ansible_collections.slipway.kube.plugins.module_utils._reset import identity, network_steps
from ansible_collections.slipway.kube.plugins.module_utils._reset import run as core
from ansible_collections.slipway.kube.plugins.module_utils._reset.host import CannotRestore
from ansible_collections.slipway.kube.plugins.module_utils._reset.run import ResetOptions, reset


class Host:
    """A host whose systemd has two units, and which remembers what it was told to do."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.told: list[list[str]] = []
        self.units = {"kubelet.service": ["enabled", "active"], "containerd.service": ["enabled", "active"]}
        self.system = System(str(root), self.run)
        self.record_dir = str(root / "var/lib/slipway")
        for path in (
            "/etc/kubernetes/kubelet.conf",
            "/var/lib/kubelet/config.yaml",
            "/etc/cni/net.d/10-flannel.conflist",
        ):
            self.put(path)

    def put(self, path: str, text: str = "") -> None:
        place = self.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def run(self, command: list[str], _environment: dict[str, str]) -> Result:
        command = command[3:] if command[0] == "timeout" else command
        if command[:2] == ["systemctl", "show"]:
            blocks = []
            for name in command[3:]:
                enabled, active = self.units.get(name, ["", "inactive"])
                blocks.append(
                    f"LoadState={'loaded' if name in self.units else 'not-found'}\nUnitFileState={enabled}\nActiveState={active}\n"
                )
            return Result(0, "\n".join(blocks))
        if command[0] == "ip":  # looks only
            return Result(0, "[]")
        self.told.append(command)
        if command[0] == "systemctl" and command[-1] in self.units:
            unit = self.units[command[-1]]
            unit[0] = {"disable": "disabled", "enable": "enabled"}.get(command[1], unit[0])
            unit[1] = {"stop": "inactive", "start": "active"}.get(command[1], unit[1])
        return Result(0)

    def mark(self, name: str = "lab", **units: dict[str, str]) -> Record:
        record = Record(self.record_dir)
        record.mark(name)
        absent = {"enabled": "absent", "active": "absent"}
        for unit in self.units:
            record.remember("units", unit, units.get(unit.split(".")[0], absent))
        record.save()
        return record

    @property
    def marked(self) -> bool:
        return (self.root / "var/lib/slipway/host.json").exists()


@pytest.fixture
def host(tmp_path, monkeypatch) -> Host:
    monkeypatch.setattr(network_steps, "list_tables", list)
    monkeypatch.setattr(network_steps, "list_ipsets", list)
    return Host(tmp_path)


def test_a_marked_host_is_returned_and_forgotten(host: Host) -> None:
    host.mark()
    outcome = reset(host.system, host.record_dir, ResetOptions("lab"), check=False)
    assert outcome.node and not outcome.notes
    assert outcome.changes == [
        "unit kubelet.service stopped",
        "unit containerd.service stopped",
        "unit containerd.service disabled",
        "unit kubelet.service disabled",
        "/etc/kubernetes removed",
        "/etc/cni removed",
        "/var/lib/kubelet removed",
        "the record of this host's original state removed",
    ]
    assert not (host.root / "etc/kubernetes").exists() and not (host.root / "var/lib/slipway").exists()
    assert host.units == {"kubelet.service": ["disabled", "inactive"], "containerd.service": ["disabled", "inactive"]}
    again = reset(host.system, host.record_dir, ResetOptions("lab"), check=False)
    assert again.changes == [] and not again.node


def test_a_dry_run_says_what_the_run_does_and_does_nothing(host: Host) -> None:
    host.mark()
    announced = reset(host.system, host.record_dir, ResetOptions("lab"), check=True)
    assert host.told == [] and host.marked and (host.root / "etc/kubernetes/kubelet.conf").exists()
    assert json.loads((host.root / "var/lib/slipway/host.json").read_text())["operation"] == ""
    done = reset(host.system, host.record_dir, ResetOptions("lab"), check=False)
    assert announced.changes == done.changes
    assert announced.diff == done.diff and len(done.diff) == len(done.changes)


def test_runtime_and_kubelet_stop_before_their_folders_go_also_where_the_units_were_there(host: Host) -> None:
    # Their packages were kept by an earlier reset: the units are old, the folders are new.
    was = {"enabled": "disabled", "active": "inactive"}
    host.mark(kubelet=was, containerd=was)
    said = reset(host.system, host.record_dir, ResetOptions("lab"), check=True).changes
    for unit in ("kubelet", "containerd"):
        assert said.count(f"unit {unit}.service stopped") == 1
        assert said.index(f"unit {unit}.service stopped") < said.index("/etc/kubernetes removed")


def test_a_clean_host_without_a_mark_is_left_alone(host: Host) -> None:
    for path in ("etc/kubernetes/kubelet.conf", "var/lib/kubelet/config.yaml"):
        (host.root / path).unlink()
    outcome = reset(host.system, host.record_dir, ResetOptions("lab"), check=False)
    assert (outcome.changes, host.told) == ([], [])
    assert (host.root / "etc/cni/net.d/10-flannel.conflist").exists()


@pytest.mark.parametrize("check", [True, False])
def test_a_node_that_others_made_is_refused(host: Host, check: bool) -> None:
    with pytest.raises(
        HostError, match=r"did not create; nothing was changed\. Evidence: /etc/kubernetes/kubelet\.conf"
    ):
        reset(host.system, host.record_dir, ResetOptions("lab"), check)
    assert host.told == []


@pytest.mark.parametrize("check", [True, False])
def test_a_host_of_another_cluster_is_refused(host: Host, check: bool) -> None:
    host.mark("other")
    with pytest.raises(HostError, match=r"belongs to the cluster 'other', not to 'lab'; nothing was changed"):
        reset(host.system, host.record_dir, ResetOptions("lab"), check)
    assert host.told == [] and host.marked


def kubeconfig(pem: str) -> str:
    authority = base64.b64encode(pem.encode()).decode()
    return json.dumps(
        {
            "clusters": [
                {"name": "lab", "cluster": {"server": "https://a:6443", "certificate-authority-data": authority}}
            ]
        }
    )


def test_a_host_that_joined_another_cluster_of_that_name_is_refused(host: Host, monkeypatch) -> None:
    monkeypatch.setattr(identity, "ca_cert_hash", lambda pem: f"sha256:{pem}" if pem else "")
    record = host.mark()
    record.identify("sha256:ours", "uid-1")
    host.put("/etc/kubernetes/kubelet.conf", kubeconfig("theirs"))
    for check in (True, False):
        with pytest.raises(HostError, match=r"files trust the CA sha256:theirs, \S+ names the CA sha256:ours"):
            reset(host.system, host.record_dir, ResetOptions("lab"), check)
    assert host.told == [] and host.marked
    host.put("/etc/kubernetes/kubelet.conf", kubeconfig("ours"))
    outcome = reset(host.system, host.record_dir, ResetOptions("lab"), check=False)
    assert outcome.cluster == {"name": "lab", "ca_hash": "sha256:ours", "id": "uid-1"}


def test_a_host_without_a_recorded_identity_has_that_of_its_files(host: Host, monkeypatch) -> None:
    monkeypatch.setattr(identity, "ca_cert_hash", lambda pem: f"sha256:{pem}" if pem else "")
    host.mark()
    host.put("/etc/kubernetes/kubelet.conf", kubeconfig("theirs"))
    assert reset(host.system, host.record_dir, ResetOptions("lab"), check=True).cluster["ca_hash"] == "sha256:theirs"


class Api:
    """An API server with two nodes, 1203 pods and no claim."""

    def get(self, path: str, query: Any = None) -> Any:
        if path == "/api/v1/namespaces/kube-system":
            return {"metadata": {"uid": "uid-1"}}
        assert query == {"limit": "1"}
        pods = {"items": [{}], "metadata": {"remainingItemCount": 1202}}
        return pods if path == "/api/v1/pods" else {"items": [], "metadata": {}}

    def items(self, path: str) -> Any:
        assert path == "/api/v1/nodes"
        return [{"metadata": {"name": name}} for name in ("w1", "cp1")]


@pytest.mark.parametrize(
    ("manifest", "server"),
    [
        ("", ""),
        ("    - --advertise-address=10.0.0.1\n", "https://10.0.0.1:6443"),
        ("    - --advertise-address=fd00::1\n    - --secure-port=7443\n", "https://[fd00::1]:7443"),
    ],
)
def test_the_api_server_of_a_control_plane(manifest: str, server: str) -> None:
    assert identity.parse_api_server(manifest) == server


def test_a_dry_run_on_a_control_plane_asks_its_own_api_server_what_will_be_destroyed(host: Host, monkeypatch) -> None:
    asked = []

    def connect(_path: str, server: str, **_options: Any) -> Any:
        asked.append(server)
        return Api()

    host.mark()
    host.put("/etc/kubernetes/admin.conf", "")
    host.put(
        "/etc/kubernetes/manifests/kube-apiserver.yaml",
        "    - --advertise-address=10.0.0.1\n    - --secure-port=7443\n",
    )
    monkeypatch.setattr(identity, "connect", connect)
    outcome = reset(host.system, host.record_dir, ResetOptions("lab"), check=True)
    assert outcome.contents == {"id": "uid-1", "nodes": ["cp1", "w1"], "pods": 1203, "claims": 0}
    assert asked == [outcome.api_server] == ["https://10.0.0.1:7443"] and outcome.api_error == ""

    def silent(*_arguments: Any, **_options: Any) -> Any:
        raise Unreachable("no answer")

    monkeypatch.setattr(identity, "connect", silent)
    outcome = reset(host.system, host.record_dir, ResetOptions("lab"), check=True)
    assert (outcome.contents, outcome.api_error) == ({}, "no answer")


def test_a_torn_record_is_refused(host: Host) -> None:
    host.put("/var/lib/slipway/host.json", '{"before": ')
    with pytest.raises(HostError, match="cannot be read"):
        reset(host.system, host.record_dir, ResetOptions("lab"), check=False)
    assert host.told == []


def test_an_interrupted_reset_is_finished_by_the_next(host: Host, monkeypatch) -> None:
    host.mark()
    removed = core.files.remove_tree

    def fail(system: System, path: str) -> None:
        if path == "/etc/kubernetes":
            raise KeyboardInterrupt
        removed(system, path)

    monkeypatch.setattr(core.files, "remove_tree", fail)
    with pytest.raises(KeyboardInterrupt):
        reset(host.system, host.record_dir, ResetOptions("lab"), check=False)
    assert host.marked
    assert json.loads((host.root / "var/lib/slipway/host.json").read_text())["operation"] == "reset"
    (host.root / "etc/kubernetes/kubelet.conf").unlink()
    monkeypatch.setattr(core.files, "remove_tree", removed)
    outcome = reset(host.system, host.record_dir, ResetOptions("lab"), check=False)
    assert outcome.node, "the host was a node when the reset began"
    assert not host.marked and not (host.root / "etc/kubernetes").exists()


def test_a_refused_reset_is_not_an_unfinished_one(host: Host, monkeypatch) -> None:
    host.mark()
    host.put("/etc/kubernetes/manifests/etcd.yaml", "    - --name=cp1\n")

    def refuse(*_arguments: object) -> None:
        raise HostError("No etcd server answers.")

    monkeypatch.setattr(core.cluster, "remove_member", refuse)
    with pytest.raises(HostError, match="nothing was reset"):
        reset(host.system, host.record_dir, ResetOptions("lab", cluster_remains=True), check=False)
    assert json.loads((host.root / "var/lib/slipway/host.json").read_text())["operation"] == ""
    assert host.told == []


def always(step: Step):
    return lambda *_arguments: [step]


def test_what_does_not_go_is_named_and_the_record_stays(host: Host, monkeypatch) -> None:
    host.mark()
    stubborn = Step("mounts", "mounts of pods unmounted: 1", lambda: None, before="/var/lib/kubelet/pods/x")
    monkeypatch.setattr(core.mounts, "plan_mounts", always(stubborn))
    with pytest.raises(
        HostError,
        match=r"could not revert everything \(1 left\), so the record is kept\. Evidence: mounts \(/var/lib/kubelet/pods/x\)",
    ):
        reset(host.system, host.record_dir, ResetOptions("lab"), check=False)
    assert host.marked


def test_what_cannot_go_back_is_a_note_and_stops_nothing(host: Host, monkeypatch) -> None:
    host.mark()

    def refuse() -> None:
        raise CannotRestore("Kernel module br_netfilter stays loaded.")

    monkeypatch.setattr(core.host, "plan_modules", always(Step("kernel module br_netfilter", "unloaded", refuse)))
    outcome = reset(host.system, host.record_dir, ResetOptions("lab"), check=False)
    assert outcome.notes == ["Kernel module br_netfilter stays loaded."]
    assert "unloaded" not in outcome.changes and not host.marked


def test_a_service_that_failed_and_whose_file_is_removed_is_forgotten(host: Host) -> None:
    record = host.mark()
    unit = "/etc/systemd/system/slipway-serving-certificates.service"
    record.remember("files", unit, {"state": "absent"})
    record.save()
    host.put(unit)
    reset(host.system, host.record_dir, ResetOptions("lab"), check=False)
    assert ["systemctl", "reset-failed", "slipway-serving-certificates.service"] in host.told
    assert host.told.index(["systemctl", "daemon-reload"]) < host.told.index(
        ["systemctl", "reset-failed", "slipway-serving-certificates.service"]
    )


def test_authorities_put_aside_go_with_the_record(host: Host) -> None:
    host.mark()
    host.put("/var/lib/slipway/pki/ca.key", "secret")
    system = System(str(host.root), host.run)
    system.path = lambda path: path if path.startswith(str(host.root)) else str(host.root) + path  # type: ignore[method-assign]
    reset(system, host.record_dir, ResetOptions("lab"), check=False)
    assert not (host.root / "var/lib/slipway").exists()
