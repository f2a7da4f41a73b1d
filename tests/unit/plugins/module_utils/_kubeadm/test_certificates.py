# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates are found where they are, renewed when they end soon, and what started with an older one is started again."""

from __future__ import annotations

import base64
import os
import signal
from pathlib import Path

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._kube import x509
from ansible_collections.slipway.kube.plugins.module_utils._kubeadm import certificates
from ansible_collections.slipway.kube.plugins.module_utils._kubeadm.certificates import DAY, HostError
from harness.certificate import CERTIFICATE, END


@pytest.fixture
def folders(tmp_path: Path) -> tuple[str, str]:
    """Folders of a control plane with one certificate of each kind."""
    base, kubelet = tmp_path / "kubernetes", tmp_path / "kubelet"
    (base / "pki/etcd").mkdir(parents=True)
    kubelet.mkdir()
    for name in ("pki/ca.crt", "pki/apiserver.crt", "pki/etcd/ca.crt"):
        (base / name).write_text(CERTIFICATE)
    data = base64.b64encode(CERTIFICATE.encode()).decode()
    (base / "admin.conf").write_text(f"users:\n- user:\n    client-certificate-data: {data}\n")
    (base / "scheduler.conf").write_text("users: []\n")
    (kubelet / "kubelet-client-current.pem").write_text(CERTIFICATE)
    return str(base), str(kubelet)


@pytest.mark.parametrize(("left", "days"), [(10.5, 10), (0.5, 0), (-0.5, -1)])
def test_every_certificate_is_listed_with_its_end(folders: tuple[str, str], left: float, days: int) -> None:
    found = certificates.find_certificates(END - left * DAY, *folders)
    assert {one["name"]: one["renewed_by"] for one in found} == {
        "admin.conf": "kubeadm",
        "apiserver": "kubeadm",
        "ca": "",
        "etcd-ca": "",
        "kubelet-client": "kubelet",
    }
    assert {one["days"] for one in found} == {days} and {one["end"] for one in found} == {"2036-11-18T12:16:29Z"}


def test_only_what_kubeadm_renews_and_ends_soon_is_due() -> None:
    listed = [
        {"name": "apiserver", "days": 30, "renewed_by": "kubeadm"},
        {"name": "admin.conf", "days": -3, "renewed_by": "kubeadm"},
        {"name": "etcd-peer", "days": 31, "renewed_by": "kubeadm"},
        {"name": "kubelet-client", "days": 1, "renewed_by": "kubelet"},
        {"name": "ca", "days": 1, "renewed_by": ""},
    ]
    assert certificates.due(listed, 30) == ["apiserver", "admin.conf"]


def test_what_started_before_its_certificate_was_written_is_restarted_in_order(folders: tuple[str, str]) -> None:
    base = Path(folders[0])
    (base / "pki/etcd/server.crt").write_text(CERTIFICATE)
    for name in ("pki/apiserver.crt", "pki/etcd/server.crt", "scheduler.conf"):
        os.utime(base / name, (1000, 1000))
    running = [("kube-scheduler", 4, 2000.0), ("kube-apiserver", 2, 999.0), ("etcd", 1, 10.0)]
    assert list(certificates.outdated(running, folders[0]).items()) == [("etcd", 1), ("kube-apiserver", 2)]


def test_processes_are_found_by_their_program(tmp_path: Path) -> None:
    (tmp_path / "stat").write_text("cpu 1\nbtime 5000\n")
    ticks = os.sysconf("SC_CLK_TCK")
    for pid, command, state in (
        (7, "etcd", "S"),
        (8, "/usr/local/bin/kube-apiserver", "S"),
        (9, "etcd", "Z"),
        (10, "etcdctl", "S"),
    ):
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "cmdline").write_bytes(f"{command}\0--flag\0".encode())
        (tmp_path / str(pid) / "stat").write_text(f"{pid} (a (b) c) {state} " + "0 " * 18 + f"{60 * ticks} 0")
    assert sorted(certificates.processes(str(tmp_path))) == [("etcd", 7, 5060.0), ("kube-apiserver", 8, 5060.0)]


@pytest.mark.parametrize("gone", [False, True])
def test_a_restart_waits_for_a_new_process_that_works(monkeypatch: pytest.MonkeyPatch, gone: bool) -> None:
    killed: list[int] = []
    running = iter([[("etcd", 7, 1.0)], [], [("etcd", 9, 2.0)], [("etcd", 9, 2.0)]])
    health = iter([False, True])
    monkeypatch.setattr(certificates.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(certificates, "processes", lambda: next(running))
    monkeypatch.setattr(certificates, "works", lambda name: next(health))

    def kill(pid: int, _signal: int) -> None:
        killed.append(pid)
        if gone:
            raise ProcessLookupError

    certificates.restart("etcd", 7, 60, "", kill)
    assert killed == [7] and not list(health), "it returned before the component worked"


def test_a_component_that_does_not_end_is_killed_as_the_kubelet_does(monkeypatch: pytest.MonkeyPatch) -> None:
    signals: list[int] = []
    running = iter([[("etcd", 7, 1.0)], [("etcd", 9, 2.0)]])
    monkeypatch.setattr(certificates.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(certificates, "processes", lambda: next(running))
    monkeypatch.setattr(certificates, "works", lambda name: True)
    monkeypatch.setattr(certificates, "GRACE", -1)
    certificates.restart("etcd", 7, 60, "", lambda pid, number: signals.append(number))
    assert signals == [signal.SIGTERM, signal.SIGKILL]


def test_a_component_that_does_not_come_back_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificates, "processes", lambda: [])
    monkeypatch.setattr(certificates.time, "sleep", lambda seconds: None)
    with pytest.raises(HostError, match="Other control planes were not changed"):
        certificates.restart("etcd", 7, 0, "", lambda pid, number: None)


def params(**values):
    given = {
        "renew": False,
        "days": 30,
        "restart": True,
        "bootstrap_token": "",
        "node_name": "",
        "server": "",
        "timeout": 1,
        "log": "",
    }
    return {**given, **values}


@pytest.mark.parametrize(("days", "recovered"), [(-1, ["abcdef.0"]), (0, [])])
def test_a_kubelet_asks_anew_only_if_its_certificate_has_expired(
    monkeypatch: pytest.MonkeyPatch, days: int, recovered: list[str]
) -> None:
    listed = [{"name": "kubelet-client", "days": days, "renewed_by": "kubelet"}]
    asked: list[str] = []
    monkeypatch.setattr(certificates, "find_certificates", lambda now: listed)
    monkeypatch.setattr(certificates.kubelet_bootstrap, "recover", lambda token, seconds: asked.append(token))
    assert certificates.converge(params(), False, None)["changed"] is False
    told = certificates.converge(params(bootstrap_token="abcdef.0"), True, None)
    assert told["changed"] is bool(recovered) and not asked
    assert certificates.converge(params(bootstrap_token="abcdef.0"), False, None)["changed"] is bool(recovered)
    assert asked == recovered


def test_expired_certificates_are_renewed_before_anything_is_restarted(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = [{"name": "etcd-peer", "days": -1, "renewed_by": "kubeadm"}, {"name": "ca", "days": 0, "renewed_by": ""}]
    ran: list[list[str]] = []
    monkeypatch.setattr(certificates, "find_certificates", lambda now: listed)
    monkeypatch.setattr(certificates, "run_kubeadm", lambda arguments, timeout, lock, log: ran.append(arguments))
    monkeypatch.setattr(certificates, "outdated", lambda running: {"etcd": 7})
    monkeypatch.setattr(certificates, "restart", lambda *given: pytest.fail("it was restarted"))
    done = certificates.converge(params(renew=True, days=-1, restart=False), False, None)
    assert ran == [["certs", "renew", "etcd-peer"]] and done["changes"] == ["certificate etcd-peer renewed"]


def test_a_certificate_names_its_own_key_and_the_key_that_signed_it() -> None:
    key = "97ba5a4d4064ceb46d492ce7008d3183fe133c0a"
    assert x509.subject_key_id(CERTIFICATE) == x509.authority_key_id(CERTIFICATE) == key
    assert x509.subject_key_id("no certificate") == x509.authority_key_id("") == ""


def test_nothing_is_renewed_while_authorities_are_rotated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificates, "ROTATION", str(tmp_path))
    monkeypatch.setattr(certificates, "find_certificates", lambda now: [])
    assert "[slipway:rotation]" in certificates.converge(params(), False, None)["warnings"][0]
    with pytest.raises(HostError, match=r"No certificate was renewed.*\[slipway:rotation\]"):
        certificates.converge(params(renew=True), False, None)


def test_kubeadm_does_not_renew_the_client_certificate_of_an_external_etcd(folders: tuple[str, str]) -> None:
    client = Path(folders[0], "pki/apiserver-etcd-client.crt")
    client.write_text(CERTIFICATE)

    def found() -> dict[str, str]:
        return {one["name"]: one["renewed_by"] for one in certificates.find_certificates(END, *folders)}

    assert found()["apiserver-etcd-client"] == "etcd" and found()["apiserver"] == "kubeadm"
    Path(folders[0], "pki/etcd/ca.key").write_text("a key")
    assert found()["apiserver-etcd-client"] == "kubeadm"
