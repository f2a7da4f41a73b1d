# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which sources the hosts of a lab use."""

from __future__ import annotations

import json
import socket
import threading
import time

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._lab import sources

INDEX = {"names": ["registry.k8s.io", "pkgs.k8s.io"], "cluster_variables": {"kube_network_plugin": "flannel"}}


@pytest.fixture
def origin(tmp_path):
    (tmp_path / sources.INDEX).write_text(json.dumps(INDEX))
    return tmp_path


def test_a_server_that_accepts_connections_is_reached():
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert sources.unreachable(("127.0.0.1",), server.getsockname()[1]) == ""


def test_the_server_that_does_not_is_named():
    assert sources.unreachable(("upstream.invalid",)).startswith("upstream.invalid: ")


def test_upstream_comes_first(origin, monkeypatch):
    monkeypatch.setattr(sources, "unreachable", lambda: "")
    assert sources.choose("auto", str(origin))["used"] == "upstream"
    assert sources.choose("auto", str(origin))["names"] == []
    assert sources.choose("origin", str(origin))["used"] == "origin"


def test_without_upstream_the_origin_stands_in_for_it_and_the_reason_is_told(origin, monkeypatch):
    monkeypatch.setattr(sources, "unreachable", lambda: "pkgs.k8s.io: no such name")
    chosen = sources.choose("auto", str(origin))
    assert (chosen["used"], chosen["problem"]) == ("origin", "")
    assert "pkgs.k8s.io: no such name" in chosen["reason"]
    assert chosen["names"] == ["pkgs.k8s.io", "registry.k8s.io"]
    assert chosen["variables"] == {"kube_network_plugin": "flannel", "kube_manifest_source": f"{origin}/"}


def test_calicos_manifest_is_read_from_the_origin(origin):
    (origin / sources.CALICO).mkdir(parents=True)
    manifest = sources.choose("origin", str(origin))["variables"]["kube_calico_manifest"]
    assert manifest == f"{origin}/{sources.CALICO}/v{{{{ kube_component_versions.calico }}}}/manifests/calico.yaml"


def test_an_origin_that_is_not_built_is_told_from_a_damaged_one(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "unreachable", lambda: "pkgs.k8s.io: no such name")
    chosen = sources.choose("auto", str(tmp_path))
    assert (chosen["used"], chosen["problem"]) == ("origin", "")
    assert "pkgs.k8s.io: no such name" in chosen["missing"]
    assert "make origin" in chosen["missing"]


def test_upstream_is_not_waited_for_longer_than_a_moment(monkeypatch):
    end = threading.Event()

    def hang(*_arguments, **_options):
        end.wait(60)
        raise OSError("timed out")

    monkeypatch.setattr(sources.socket, "create_connection", hang)
    began = time.monotonic()
    assert sources.unreachable(("slow.test", "b.test"), timeout=0.1) == "slow.test: no answer within 0.1 s"
    assert time.monotonic() - began < 10
    end.set()


def test_a_damaged_origin_is_a_problem(tmp_path):
    (tmp_path / sources.INDEX).write_text("{")
    assert "cannot be read" in sources.choose("origin", str(tmp_path))["problem"]


def test_hosts_may_have_no_source_on_purpose(tmp_path):
    assert sources.choose("none", str(tmp_path)) == {
        "used": "none",
        "reason": "lab_sources",
        "names": [],
        "variables": {},
        "problem": "",
        "missing": "",
    }
