# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kubectl as a program: what fails in passing is asked again, what is refused is told at once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._kubeadm import kubectl as core
from ansible_collections.slipway.kube.plugins.module_utils._kubeadm.kubectl import ApiError, Kubectl

# Fails as often as there are lines in "failures", with each of them, and then answers.
PROGRAM = """#!/bin/sh
cd %s
echo call >>calls
line=$(head -n 1 failures)
sed -i 1d failures
[ -z "$line" ] || { echo "$line" >&2; exit 1; }
echo '{"items": []}'
"""
SLOW = "Unable to connect to the server: net/http: TLS handshake timeout"
REFUSED = "The connection to the server 10.0.0.1:6443 was refused - did you specify the right host or port?"
ETCD = "Error from server: etcdserver: request timed out"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "kubectl"
    program.write_text(PROGRAM % tmp_path)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(core.time, "sleep", lambda seconds: None)
    return tmp_path


def calls(folder: Path, *failures: str) -> Path:
    (folder / "failures").write_text("".join(line + "\n" for line in failures))
    (folder / "calls").write_text("")
    return folder / "calls"


@pytest.mark.parametrize("reason", [SLOW, REFUSED, ETCD])
def test_what_fails_in_passing_is_asked_again(folder: Path, reason: str) -> None:
    count = calls(folder, reason, reason)
    assert Kubectl().items("nodes") == []
    assert len(count.read_text().splitlines()) == 3


def test_what_is_refused_is_told_at_once(folder: Path) -> None:
    count = calls(folder, 'Error from server (Forbidden): secrets "x" is forbidden', SLOW)
    with pytest.raises(ApiError, match=r"'kubectl get secret x' failed at the server in .*Evidence: .*is forbidden"):
        Kubectl().get("secret", "x")
    assert len(count.read_text().splitlines()) == 1


def test_patience_ends(folder: Path) -> None:
    count = calls(folder, *[SLOW] * 5)
    with pytest.raises(ApiError, match="TLS handshake timeout"):
        Kubectl(patience=0).items("nodes")
    assert len(count.read_text().splitlines()) == 1


def test_whether_a_server_is_ready_is_told_at_once(folder: Path) -> None:
    count = calls(folder, REFUSED)
    assert Kubectl().silent_because() == REFUSED
    assert len(count.read_text().splitlines()) == 1
