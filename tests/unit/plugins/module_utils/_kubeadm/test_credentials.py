# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens live for minutes, are ours by their description, and no living node is taken for a leftover."""

from __future__ import annotations

import base64

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._kubeadm import credentials

DESCRIPTION = base64.b64encode(credentials.DESCRIPTION.encode()).decode()
NOW = 1_800_000_000.0


def test_tokens_have_kubeadm_s_form_and_differ():
    tokens = {credentials.make_token() for _number in range(50)}
    assert len(tokens) == 50 and all(credentials.TOKEN.match(token) for token in tokens)
    assert credentials.KEY.match("0" * 64) and not credentials.KEY.match("0" * 63)


def test_a_token_s_secret_ends_by_itself():
    secret = credentials.token_secret("abcdef.0123456789abcdef", 15, NOW)
    assert secret["metadata"]["name"] == "bootstrap-token-abcdef"
    assert base64.b64decode(secret["data"]["expiration"]) == b"2027-01-15T08:15:00Z"
    assert base64.b64decode(secret["data"]["token-secret"]) == b"0123456789abcdef"


@pytest.mark.parametrize("token", ["", "abc", "ABCDEF.0123456789abcdef", "abcdef.0123456789abcdef0"])
def test_what_is_no_token_is_refused(token):
    assert credentials.token_id(token) == ""
    with pytest.raises(ValueError):
        credentials.token_secret(token, 15)


def token(name, description):
    return {"metadata": {"name": name}, "data": {"description": description}}


def test_only_our_tokens_are_removed():
    tokens = [
        token("bootstrap-token-aaaaaa", DESCRIPTION),
        token("bootstrap-token-bbbbbb", "c29tZW9uZQ=="),
        {"metadata": {"name": "x"}},
    ]
    assert credentials.credential_secrets(tokens, {}) == ["bootstrap-token-aaaaaa"]


def test_uploaded_certificates_go_with_the_token_that_limits_them_and_only_if_ours():
    uploaded = {
        "metadata": {
            "annotations": {credentials.UPLOADED: "true"},
            "ownerReferences": [{"kind": "Secret", "name": "bootstrap-token-cccccc"}],
        }
    }
    assert credentials.credential_secrets([], uploaded) == ["kubeadm-certs", "bootstrap-token-cccccc"]
    del uploaded["metadata"]["annotations"]
    assert credentials.credential_secrets([], uploaded) == []


def node(ready="True", machine="old"):
    return {
        "metadata": {"name": "w1"},
        "status": {"conditions": [{"type": "Ready", "status": ready}], "nodeInfo": {"machineID": machine}},
    }


def lease(seconds_ago):
    import time

    return {"spec": {"renewTime": time.strftime("%Y-%m-%dT%H:%M:%S.123456Z", time.gmtime(NOW - seconds_ago))}}


def test_another_machine_that_is_alive_is_never_removed():
    refused = credentials.reason_to_keep_node(node(), lease(5), "new", NOW)
    assert "running as node 'w1'" in refused and "5 seconds ago" in refused


@pytest.mark.parametrize(
    ("have", "renewed", "machine"),
    [(node(), lease(5), "old"), (node("False"), lease(5), "new"), (node(), lease(120), "new"), (node(), {}, "new")],
    ids=["the host's own earlier life", "not ready", "silent for long", "no lease"],
)
def test_leftovers_may_go(have, renewed, machine):
    assert credentials.reason_to_keep_node(have, renewed, machine, NOW) == ""
