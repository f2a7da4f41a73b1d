# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proxy of a layer reaches downloads and package managers, and its login reaches no message."""

from __future__ import annotations

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._host.system import HostError
from ansible_collections.slipway.kube.plugins.modules import host_layer


def test_programs_get_the_proxy_and_what_is_reached_without_it(monkeypatch) -> None:
    environment = {"http_proxy": "http://old"}
    monkeypatch.setattr(host_layer.os, "environ", environment)
    host_layer.use_proxy({"http_proxy": "", "https_proxy": "", "no_proxy": []})
    assert environment == {"http_proxy": "http://old"}
    host_layer.use_proxy({"http_proxy": "http://p", "https_proxy": "", "no_proxy": ["a", "10.0.0.0/8"]})
    assert environment["http_proxy"] == environment["HTTP_PROXY"] == "http://p"
    assert environment["no_proxy"] == environment["NO_PROXY"] == "a,10.0.0.0/8" and environment["https_proxy"] == ""


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            "Tunnel connection failed: 407 Proxy Authentication Required",
            "the proxy requires a login (HTTP status 407). Set kube_http",
        ),
        ("no route to http://u:hidden@p", "no route to http://p. Correct the URL"),
    ],
)
def test_a_download_that_the_proxy_refuses(monkeypatch, answer, message) -> None:
    def fail(*_arguments, **_options):
        raise OSError(answer)

    monkeypatch.setattr(host_layer, "open_url", fail)
    with pytest.raises(HostError) as caught:
        host_layer.fetch("https://r/key")
    assert message in str(caught.value) and "hidden" not in str(caught.value)
