# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a kubeconfig says, and what is refused."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._kube.kubeconfig import KubeconfigError, read_credentials


def config(**user: Any) -> dict[str, Any]:
    """A kubeconfig with two contexts and one user."""
    return {
        "current-context": "one",
        "contexts": [
            {"name": "one", "context": {"cluster": "c", "user": "u"}},
            {"name": "two", "context": {"cluster": "d"}},
        ],
        "clusters": [
            {
                "name": "c",
                "cluster": {
                    "server": "https://10.0.0.1:6443/",
                    "certificate-authority-data": base64.b64encode(b"CA").decode(),
                },
            },
            {
                "name": "d",
                "cluster": {
                    "server": "https://10.0.0.2:6443",
                    "insecure-skip-tls-verify": True,
                    "tls-server-name": "kubernetes",
                },
            },
        ],
        "users": [{"name": "u", "user": user}],
    }


def test_certificates_and_token_are_read() -> None:
    encoded = {
        name + "-data": base64.b64encode(name.encode()).decode() for name in ("client-certificate", "client-key")
    }
    found = read_credentials(config(token="secret", **encoded))
    assert (found.server, found.authority, found.verify) == ("https://10.0.0.1:6443", b"CA", True)
    assert (found.certificate, found.key, found.token) == (b"client-certificate", b"client-key", "secret")
    assert "secret" not in repr(found)


def test_another_context_can_be_named() -> None:
    found = read_credentials(config(), "two")
    assert (found.server, found.server_name, found.verify, found.token) == (
        "https://10.0.0.2:6443",
        "kubernetes",
        False,
        "",
    )


def test_base64_of_several_lines_is_read() -> None:
    text = base64.b64encode(b"certificate " * 20).decode()
    lines = "\n".join(text[at : at + 64] for at in range(0, len(text), 64)) + "\n"
    found = read_credentials(config(**{"client-certificate-data": lines}))
    assert found.certificate == b"certificate " * 20


@pytest.mark.parametrize(
    ("content", "context", "says"),
    [
        ({}, None, "no current context"),
        (config(), "three", "no context named 'three'. It has: one, two"),
        (dict(config(), clusters=[]), None, "no cluster named 'c'. It has: none"),
        (dict(config(), clusters=[{"name": "c", "cluster": {"server": "10.0.0.1"}}]), None, "is not a URL"),
        (config(exec={"command": "login"}), None, "with 'exec'"),
        (config(**{"client-key-data": "?"}), None, "client-key-data is not valid base64"),
    ],
)
def test_what_cannot_be_used_is_explained(content: dict[str, Any], context: str | None, says: str) -> None:
    with pytest.raises(KubeconfigError, match=says):
        read_credentials(content, context)


def token(end: float) -> str:
    claims = base64.urlsafe_b64encode(json.dumps({"exp": end}).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJub25lIn0.{claims}.c2ln"


def provider(name: str = "oidc", **settings: str) -> dict[str, Any]:
    return config(**{"auth-provider": {"name": name, "config": {"client-id": "kubernetes", **settings}}})


def test_the_token_of_an_openid_connect_provider_is_used_while_it_is_valid() -> None:
    valid = token(time.time() + 600)
    assert read_credentials(provider(**{"id-token": valid, "refresh-token": "x"})).token == valid


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (provider(**{"id-token": token(1700000000), "refresh-token": "c4n4ry"}), "its id-token expired on .*kubelogin"),
        (provider(**{"refresh-token": "c4n4ry"}), "its id-token is not there.*kubectl get namespaces"),
        (provider("azure"), "authenticates with 'auth-provider azure', which this module does not support"),
    ],
)
def test_a_provider_that_cannot_be_used_is_refused_by_name(content: dict[str, Any], says: str) -> None:
    with pytest.raises(KubeconfigError, match=says) as caught:
        read_credentials(content)
    assert "c4n4ry" not in str(caught.value)
