# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A proxy is checked before it is used, and one that a host already has is not overlooked."""

from __future__ import annotations

import pytest

from ansible_collections.slipway.kube.plugins.plugin_utils.preflight import inventory, proxies, sources


def texts(checks, cluster) -> list[str]:
    return [f"{one.severity} {one.what} {one.evidence} {one.remedy}" for one in checks.run(cluster)]


@pytest.mark.parametrize(
    "url", ["proxy:3128", "https://p:1", "http://u:hidden@", "http://p:port", "http://u:hidden@p:1/path"]
)
def test_a_url_that_cannot_be_used_is_refused_without_its_login(cluster, url) -> None:
    next(iter(cluster.hosts.values())).variables["kube_http_proxy"] = url
    (text,) = texts(inventory.CHECKS, cluster)
    assert text.startswith("error The URL of the proxy is not valid. kube_http_proxy is ") and "hidden" not in text


@pytest.mark.parametrize("url", ["", "http://p", "http://u:p%40ss@p:3128/"])
def test_a_url_that_can_be_used(cluster, url) -> None:
    next(iter(cluster.hosts.values())).variables["kube_http_proxy"] = url
    assert texts(inventory.CHECKS, cluster) == []


def test_a_proxy_of_apt_alone_is_told(cluster) -> None:
    host = next(iter(cluster.hosts.values()))
    host.facts["proxies"] = {"apt": {"http": "http://p:3128", "https": "http://p:3128"}}
    (text,) = texts(proxies.CHECKS, cluster)
    assert text.startswith("warning The host has a proxy") and "apt: http://p:3128" in text
    host.variables["kube_http_proxy"] = "http://p:3128"
    assert texts(proxies.CHECKS, cluster) == []


def test_what_apt_reaches_directly_is_no_proxy(cluster) -> None:
    host = next(iter(cluster.hosts.values()))
    host.facts["proxies"] = {"apt": {"http://mirror.lan": "DIRECT", "https://mirror.lan": "DIRECT"}}
    assert texts(proxies.CHECKS, cluster) == []


def test_a_proxy_that_wants_a_login(cluster) -> None:
    host = next(iter(cluster.hosts.values()))
    answer = {"kind": "http", "ok": False, "status": 407, "error": "the proxy requires a login (HTTP status 407)"}
    host.facts["reach"]["http://mirror/deb/key.asc"] = answer
    (text,) = texts(proxies.CHECKS, cluster)
    assert "requires a login. it answers http://mirror/deb/key.asc" in text and "Set kube_http_proxy" in text


def test_sources_are_probed_through_the_proxy(cluster) -> None:
    host = next(iter(cluster.hosts.values()))
    variables = dict(host.variables, kube_host=host.facts, kube_http_proxy="http://p:1", kube_no_proxy=["mirror.lan"])
    variables["kube_containerd_repository"] = {"deb_url": "http://mirror.lan/deb", "suite": "/"}
    found = {request["url"]: request.get("proxy", "") for request in sources.requests_for(variables)}
    assert found["http://mirror/deb/kubernetes"] == found["http://mirror/deb/key.asc"] == "http://p:1"
    assert found["http://mirror.lan/deb"] == "" and found["tcp://api.example.com:6443"] == ""
