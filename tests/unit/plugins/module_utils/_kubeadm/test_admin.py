# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests of a control plane to its cluster: temporary failures are repeated, refusals are reported immediately."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._host.system import HostError
from ansible_collections.slipway.kube.plugins.module_utils._kube.api import ApiError, Client, Unreachable
from ansible_collections.slipway.kube.plugins.module_utils._kubeadm import admin, init, recovery
from ansible_collections.slipway.kube.plugins.module_utils._kubeadm.run import KubeadmError
from harness.api_server import Server, serving

PODS = "/api/v1/pods"


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


@pytest.fixture
def kubeconfig(tmp_path: Path, server: Server) -> str:
    path = tmp_path / "admin.conf"
    cluster = {"name": "kubernetes", "cluster": {"server": "http://192.0.2.1:6443"}}
    context = {"name": "admin", "context": {"cluster": "kubernetes", "user": "admin"}}
    users = [{"name": "admin", "user": {"token": "secret"}}]
    path.write_text(
        json.dumps({"clusters": [cluster], "contexts": [context], "users": users, "current-context": "admin"})
    )
    return str(path)


def connect(kubeconfig: str, server: Server, **more: float) -> Client:
    return admin.connect(kubeconfig, f"http://127.0.0.1:{server.server_port}", **more)


def fail(server: Server, kind: str, times: int) -> None:
    """Let requests fail in passing, as often as told."""
    left = [times]

    def before(_method: str, _path: str, _dry: bool) -> None:
        if left[0]:
            left[0] -= 1
            if kind == "broken":
                raise ConnectionResetError
            time.sleep(1)

    if kind == "etcd":
        server.busy = times
    else:
        server.before = before


@pytest.mark.parametrize("kind", ["hangs", "broken", "etcd"])
def test_what_fails_in_passing_is_requested_again(server: Server, kubeconfig: str, kind: str) -> None:
    fail(server, kind, 2)
    client = connect(kubeconfig, server, timeout=0.3)
    assert client.items(PODS) == [] and client.requests == 3


def test_what_is_refused_is_reported_immediately(server: Server, kubeconfig: str) -> None:
    server.forbidden.add(PODS)
    client = connect(kubeconfig, server)
    with pytest.raises(ApiError, match="orbidden"):
        client.items(PODS)
    assert client.requests == 1


@pytest.mark.parametrize(("kind", "error"), [("hangs", Unreachable), ("broken", Unreachable), ("etcd", ApiError)])
def test_patience_ends(server: Server, kubeconfig: str, kind: str, error: type[Exception]) -> None:
    fail(server, kind, 5)
    client = connect(kubeconfig, server, timeout=0.3, patience=0)
    with pytest.raises(error):
        client.items(PODS)
    assert client.requests == 1


def test_patience_is_a_minute_and_a_slow_handshake_has_time(kubeconfig: str, server: Server) -> None:
    client = connect(kubeconfig, server)
    assert client.patience == 60 and client.timeout == 30


def test_a_server_that_does_not_become_ready_is_reported_with_its_answer(
    server: Server, kubeconfig: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = connect(kubeconfig, server)
    monkeypatch.setattr(init, "connect", lambda **access: client)
    monkeypatch.setattr(init.time, "sleep", lambda seconds: None)
    server.busy = 1
    with pytest.raises(KubeadmError, match=r"within -1 seconds.*leader changed"):
        init.wait_for_api("", -1)
    assert client.requests == 1  # readiness is not repeated by the client
    server.objects["/readyz"] = {}
    server.busy = 2
    init.wait_for_api("", 60)
    assert client.requests == 4


def test_other_nodes_of_an_unfinished_control_plane_are_found(kubeconfig: str, monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = [{"metadata": {"name": name}} for name in ("cp1", "w2", "w1")]
    assert recovery.other_nodes("cp1", "/nowhere") == []
    monkeypatch.setattr(Client, "items", lambda self, path: nodes if path == "/api/v1/nodes" else [])
    assert recovery.other_nodes("cp1", kubeconfig) == ["w1", "w2"]


def test_a_server_that_does_not_answer_serves_no_other_nodes(kubeconfig: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(self: Client, path: str) -> None:
        raise Unreachable("connection refused")

    monkeypatch.setattr(Client, "items", silent)
    assert recovery.other_nodes("cp1", kubeconfig) == []


def test_a_host_without_the_kubeconfig_is_refused_outside_check_mode(kubeconfig: str) -> None:
    assert admin.has_kubeconfig(kubeconfig, False) and not admin.has_kubeconfig("/nowhere", True)
    with pytest.raises(HostError, match="not a control plane: /nowhere does not exist"):
        admin.has_kubeconfig("/nowhere", False)


def test_an_administrator_is_not_refused_by_an_api_server_that_knows_no_roles_yet(
    server: Server, kubeconfig: str
) -> None:
    server.forbidden.add(PODS)
    server.before = lambda *_request: server.forbidden.clear() if client.requests > 2 else None
    client = connect(kubeconfig, server)
    client.administrator = True
    assert client.items(PODS) == []
    assert client.requests == 3
