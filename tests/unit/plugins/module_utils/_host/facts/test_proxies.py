# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proxies that a host already has are found, used for what they serve, and shown without their logins."""

from __future__ import annotations

import http.server
import threading
import urllib.request

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._host.facts import fetching, proxies, reachability
from ansible_collections.slipway.kube.plugins.module_utils._host.facts.files import Files
from ansible_collections.slipway.kube.plugins.module_utils._host.system import Result


def test_the_environment_file_of_pam() -> None:
    text = 'PATH=/bin\nexport http_proxy="http://p:1"\nHTTPS_PROXY=http://u:s@p:2 # x\n#http_proxy=http://no\nno_proxy=a,b\n'
    assert proxies.parse_environment(text) == {"http": "http://p:1", "https": "http://u:s@p:2"}


@pytest.mark.parametrize(
    ("dump", "found"),
    [
        ('Acquire::http::Proxy "http://p:3128/";', {"http": "http://p:3128/", "https": "http://p:3128/"}),
        (
            'Acquire::http::Proxy "http://p:1";\nAcquire::https::Proxy "DIRECT";',
            {"http": "http://p:1", "https": "DIRECT"},
        ),
        (
            'Acquire::http::Proxy "http://p:1";\nAcquire::http::Proxy::Mirror "DIRECT";\nAcquire::https::Proxy::a.b "http://q:1";',
            {
                "http": "http://p:1",
                "https": "http://p:1",
                "http://mirror": "DIRECT",
                "https://mirror": "DIRECT",
                "https://a.b": "http://q:1",
            },
        ),
        ('Acquire::http "";', {}),
    ],
)
def test_apt(dump: str, found: dict[str, str]) -> None:
    assert proxies.parse_apt(dump) == found


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("[main]\nproxy=http://p:8080\n", "http://p:8080"),
        ("proxy = p:8080\nproxy_username = u\nproxy_password = s\n", "http://u:s@p:8080"),
        ("proxy=_none_\n", ""),
        ("#proxy=http://p\n", ""),
    ],
)
def test_dnf(text: str, url: str) -> None:
    assert proxies.parse_dnf(text) == ({"http": url, "https": url} if url else {})


def test_what_is_returned_has_no_login(tmp_path) -> None:
    (tmp_path / "etc/dnf").mkdir(parents=True)
    (tmp_path / "etc/dnf/dnf.conf").write_text("[main]\nproxy=http://u:p@ss@p:8080\n")
    (tmp_path / "etc/environment").write_text("http_proxy=u:s@p:1\n")
    found = proxies.gather_proxies(Files(str(tmp_path)))
    assert proxies.public(found) == {
        "environment": {"http": "p:1"},
        "dnf": {"http": "http://p:8080", "https": "http://p:8080"},
    }


def test_what_apt_reaches_directly_is_probed_directly(monkeypatch) -> None:
    found = {"apt": proxies.parse_apt('Acquire::http::Proxy "http://p:1";\nAcquire::http::Proxy::mirror.lan "DIRECT";')}
    request = proxies.with_proxy({"kind": "deb", "url": "https://mirror.lan:8443/deb", "proxy": "http://q:1"}, found)
    assert request["proxy"] == "DIRECT"
    other = proxies.with_proxy({"kind": "deb", "url": "https://other.lan/deb", "proxy": "http://q:1"}, found)
    assert other["proxy"] == "http://p:1"
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    handlers = fetching.Fetcher(1, "", True, {}, request["proxy"]).opener.handlers
    assert not [handler for handler in handlers if isinstance(handler, urllib.request.ProxyHandler) and handler.proxies]


def test_a_repository_is_probed_through_the_proxy_of_its_package_manager() -> None:
    found = {"apt": {"http": "http://p:1"}, "dnf": {"http": "http://p:2"}}
    for kind, url, proxy in (
        ("deb", "http://r/deb", "http://p:1"),
        ("deb", "https://r/deb", ""),
        ("rpm", "http://r/rpm", "http://p:2"),
        ("http", "http://r/key", ""),
    ):
        assert proxies.with_proxy({"kind": kind, "url": url, "proxy": ""}, found)["proxy"] == proxy


class Refusing(http.server.BaseHTTPRequestHandler):
    """A proxy that wants a login."""

    def do_GET(self) -> None:
        self.send_error(407)

    do_CONNECT = do_GET

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_wants_a_login_is_told_as_such_without_the_login_it_was_given(scheme: str) -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        request = {"url": f"{scheme}://name.invalid/", "kind": "http"}
        request["proxy"] = f"http://user:hidden@127.0.0.1:{server.server_port}"
        found = reachability.probe(request, "amd64", 5)
    finally:
        server.shutdown()
    assert found["error"] == "the proxy requires a login (HTTP status 407)" and not found["ok"]


def test_the_output_of_a_program_is_quoted_without_logins_and_with_what_to_do() -> None:
    tail = Result(
        100, "", "E: http://u:hidden@p:1 Invalid response from proxy: HTTP/1.1 407 Proxy Authentication Required"
    ).tail
    assert "hidden" not in tail and "http://p:1" in tail
    assert tail.endswith(f"The proxy requires a login (HTTP status 407). {proxies.PROXY_REMEDY}")
    assert Result(1, "407 packages", "").tail == "407 packages"
