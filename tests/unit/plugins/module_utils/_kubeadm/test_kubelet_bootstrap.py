# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kubelet with an expired certificate asks with a token, which does not stay on the host."""

from __future__ import annotations

import json
import os

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
