# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kubelet with an expired certificate asks with a token, which does not stay on the host."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._host.system import HostError
from ansible_collections.slipway.kube.plugins.module_utils._kubeadm import kubelet_bootstrap
from harness.certificate import CERTIFICATE, END

from .test_endpoint_config import ADMIN


@pytest.fixture
def host(tmp_path, monkeypatch):
    """A host whose kubelet starts and gets a certificate, if it finds the token."""
    (tmp_path / "pki").mkdir()
    (tmp_path / "pki" / "ca.crt").write_text(CERTIFICATE)
    (tmp_path / "kubelet.conf").write_text(ADMIN)
    seen = []

    class System:
        def systemctl(self, verb, unit):
            path = tmp_path / "bootstrap-kubelet.conf"
            seen.append((verb, unit, json.loads(path.read_text()), os.stat(path).st_mode & 0o777))
            if not seen[-1][2]["users"][0]["user"]["token"].endswith("refused"):
                (tmp_path / "client.pem").write_text(CERTIFICATE)

    monkeypatch.setattr(kubelet_bootstrap, "System", System)
    monkeypatch.setattr(kubelet_bootstrap.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(kubelet_bootstrap.time, "time", lambda: END - 60)
    return tmp_path, seen


def recover(folder, token, seconds=60):
    kubelet_bootstrap.recover(token, seconds, str(folder), str(folder / "client.pem"))


def test_it_asks_with_the_token_at_its_own_server(host):
    folder, seen = host
    recover(folder, "abcdef.0123456789abcdef")
    ((verb, unit, config, mode),) = seen
    assert (verb, unit, mode) == ("restart", "kubelet.service", 0o600)
    assert config["clusters"][0]["cluster"]["server"] == "https://10.0.0.11:6443"
    assert config["users"][0]["user"] == {"token": "abcdef.0123456789abcdef"}
    assert not (folder / "bootstrap-kubelet.conf").exists()


def test_the_token_goes_also_where_there_is_no_certificate_in_time(host):
    folder, _seen = host
    with pytest.raises(HostError, match=r"within -1 seconds.*client\.pem has expired.*https://10\.0\.0\.11:6443"):
        recover(folder, "refused", seconds=-1)
    assert not (folder / "bootstrap-kubelet.conf").exists()


def test_a_control_plane_issues_a_certificate_for_its_own_kubelet(host, monkeypatch):
    folder, _seen = host
    restarted, ran = [], []

    class System:
        def systemctl(self, verb, unit):
            restarted.append((verb, unit))

    (folder / "manifests").mkdir()
    (folder / "manifests" / "kube-apiserver.yaml").write_text("    image: registry.k8s.io/kube-apiserver:v1.37.2\n")
    (folder / "old.pem").write_text("old")
    (folder / "kubelet-client-current.pem").symlink_to(folder / "old.pem")

    def kubeadm(arguments):
        ran.append(arguments)
        made = arguments[4].partition("=")[2]
        data = {kind: base64.b64encode(f"the {kind}\n".encode()).decode() for kind in ("certificate", "key")}
        text = "".join(f"    client-{kind}-data: {value}\n" for kind, value in data.items())
        (Path(made) / "kubelet.conf").write_text(text)

    monkeypatch.setattr(kubelet_bootstrap, "System", System)
    kubelet_bootstrap.issue("cp1", kubeadm, 1_767_322_800.0, str(folder), str(folder))
    ((*phase, _made, name, version),) = ran
    assert phase == ["init", "phase", "kubeconfig", "kubelet"]
    assert (name, version) == ("--node-name=cp1", "--kubernetes-version=v1.37.2")
    current = folder / "kubelet-client-current.pem"
    assert current.read_text() == "the certificate\nthe key\n" and current.is_symlink()
    assert current.resolve().name == "kubelet-client-2026-01-02-03-00-00.pem"
    assert current.stat().st_mode & 0o777 == 0o600
    assert restarted == [("restart", "kubelet.service")]
