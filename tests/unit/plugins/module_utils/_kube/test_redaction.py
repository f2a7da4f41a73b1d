# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is hidden of a Secret that holds settings: the value alone, too, in whatever form the settings are."""

from __future__ import annotations

import time

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._kube.redaction import Redactor

CANARY = "c4n4ry-5f8e"


@pytest.mark.parametrize(
    "text",
    [
        CANARY,
        f"user=admin\npassword={CANARY}\n",
        f"password: '{CANARY}'\n",
        f'{{"auths": {{"registry.example.com": {{"username": "me", "password": "{CANARY}"}}}}}}',
        f"postgres://user:{CANARY}@db:5432/shop",
        f"export PASSWORD={CANARY}",
    ],
)
def test_the_value_alone_is_hidden(text: str) -> None:
    scrub = Redactor([{"kind": "Secret", "metadata": {"name": "s"}, "stringData": {"a": text}}])
    assert (
        scrub.text(f"the log says {CANARY} and registry.example.com")
        == "the log says ******** and registry.example.com"
    )


def test_ordinary_words_stay() -> None:
    secret = {
        "kind": "Secret",
        "metadata": {"name": "s"},
        "stringData": {"a": "user: admin\npassword: password\nport: 5432"},
    }
    text = "the password of admin on port 5432"
    assert Redactor([secret]).text(text) == text


def test_a_quoted_value_is_masked_as_a_whole() -> None:
    lines = ['db_password: "correct horse battery"', "token='a b' c", '{"api_key": "a \\"b\\" c", "user": "me"}']
    masked = ['db_password: "********"', "token='********' c", '{"api_key": "********", "user": "me"}']
    assert list(Redactor().log_lines(lines)) == masked


@pytest.mark.parametrize(
    "line",
    [
        f"client-key-data: {CANARY}",
        f"certificateKey: {CANARY}",
        f"kubeadm join --certificate-key {CANARY}",
        f"auth_pass: {CANARY}",
        "identity AGE-SECRET-KEY-1" + CANARY,
    ],
)
def test_keys_of_clusters_are_secrets(line: str) -> None:
    assert CANARY not in Redactor().log_line(line)


@pytest.mark.parametrize(
    "line",
    [
        "kubeadm join 192.0.2.1:6443 abcdef.0123456789abcdef",
        "created 'abcdef.0123456789abcdef'.",
        "stringData: {x: abcdef.0123456789abcdef}",
    ],
)
def test_a_bootstrap_token_is_a_secret_without_a_name(line: str) -> None:
    found = Redactor().log_line(line)
    assert "0123456789abcdef" not in found and "abcdef.********" in found


@pytest.mark.parametrize(
    "line",
    [
        "docker.containerruntime is a name",
        "took 123456.1234567890123456 s",
        "the file abcdef.0123456789abcdef0 of sha256",
        "host db0001.0123456789abcdef.example.com",
        "x-abcdef.0123456789abcdef-y",
    ],
)
def test_what_only_looks_similar_to_a_token_stays(line: str) -> None:
    assert Redactor().log_line(line) == line


def test_a_long_value_without_parts_takes_no_long_time() -> None:
    started = time.process_time()
    Redactor([{"kind": "Secret", "metadata": {"name": "s"}, "stringData": {"a": "0a" * 20000}}])
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    ("line", "hidden"),
    [
        ("run --the-token s3cr3t-value", "run --the-token ********"),
        ("the-token s3cr3t-value", "the-token ********"),
        ("a--password-file x1 --mode kept", "a--password-file ******** --mode kept"),
        ("cookie=x-eyJhbGciOiJub25l.eyJzdWIiOiIxMjM0.c2ln kept", "cookie=x-******** kept"),
        ("a.eyJhbGciOiJub25l.eyJzdWIiOiIxMjM0.c2ln kept", "a.******** kept"),
        ("my.db_password_old => s3cr3t", "my.db_password_old => ********"),
    ],
)
def test_a_secret_within_words_is_hidden(line: str, hidden: str) -> None:
    assert Redactor().log_line(line) == hidden
