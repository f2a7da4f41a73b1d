# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kubeconfig of any shape is used or refused by its path; neither a traceback nor a message tells what is secret in it."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._kube import auth
from ansible_collections.slipway.kube.plugins.module_utils._kube.connection import headers_of, open_connection
from ansible_collections.slipway.kube.plugins.module_utils._kube.kubeconfig import KubeconfigError, read_credentials

CANARY = "c4n4ry-of-a-token"
USERS: list[dict[str, Any]] = [
    {"token": "t", "username": "x", "as": "m", "as-groups": ["g"], "as-uid": "1", "as-user-extra": {"a": ["b"]}},
    {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": "/nowhere/program",
            "args": ["x"],
            "env": [{"name": "A", "value": "b"}],
            "provideClusterInfo": True,
        }
    },
]
ODD: list[Any] = [None, [], {}, "x", 5, True, [None], ["x"], {"x": None}, [[]], "a\nb", "\u20ac"]


def config(user: dict[str, Any]) -> dict[str, Any]:
    """A kubeconfig."""
    return {
        "current-context": "a",
        "contexts": [{"name": "a", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://h:1", "proxy-url": "http://p:1"}}],
        "users": [{"name": "u", "user": user}],
    }


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a structure."""
    yield path
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in pairs:
        yield from places(below, (*path, key))


def changed(value: Any, path: tuple[Any, ...], odd: Any) -> Any:
    """The structure with another value at a place."""
    made = place = copy.deepcopy(value)
    for key in path[:-1]:
        place = place[key]
    if not path:
        return copy.deepcopy(odd)
    place[path[-1]] = copy.deepcopy(odd)
    return made


def use(given: Any) -> None:
    """All that is done with a kubeconfig before anything is sent."""
    params = {"kubeconfig": given}
    auth.secrets(params)
    try:
        client = auth.connect(params, lambda _name: None)
        headers_of(client.credentials)
        open_connection(client.credentials, client._context, 1)
    except KubeconfigError:
        pass


@pytest.mark.parametrize("user", USERS, ids=["token", "program"])
def test_odd_shapes_end_in_no_traceback(tmp_path: Path, user: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    path = tmp_path / "config"
    for place in places(config(user)):
        for odd in ODD:
            made = changed(config(user), place, odd)
            use(made)
            path.write_text(json.dumps(made))
            use(str(path))


def test_what_is_wrong_is_named_by_its_path_and_without_its_value() -> None:
    wrong = config({"token": [CANARY], "exec": CANARY, "as-user-extra": {"a": CANARY}})
    with pytest.raises(KubeconfigError) as caught:
        read_credentials(wrong)
    assert "users[0].user.token is a list, not a string; users[0].user.exec is a string, not a mapping" in str(
        caught.value
    )
    wrong = config({"as": "x", "as-user-extra": {"a": CANARY}})
    with pytest.raises(KubeconfigError, match=r"users\[0\].user.as-user-extra.a is a string, not a list") as caught:
        read_credentials(wrong)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    "text", [f"apiVersion: v1\nusers: [{{user: {{token: {CANARY}}}}}]\n", f'{{"token": "{CANARY}"}}']
)
def test_the_text_of_a_kubeconfig_is_refused_and_not_told(text: str) -> None:
    with pytest.raises(KubeconfigError, match="contains the text of a kubeconfig") as caught:
        auth.connect({"kubeconfig": text}, lambda _name: None)
    assert CANARY not in str(caught.value)
    assert auth.secrets({"kubeconfig": text}) == {text} and auth.secrets({"kubeconfig": "/a/path"}) == set()


@pytest.mark.parametrize("end", ["\nx", "\u20ac", "\x00"])
def test_a_token_that_cannot_be_sent_is_not_told(end: str) -> None:
    client = auth.connect({"host": "http://127.0.0.1:9", "api_key": CANARY + end}, lambda _name: None)
    with pytest.raises(KubeconfigError, match="The token cannot be sent") as caught:
        client.get("/api")
    assert CANARY not in str(caught.value)


def test_a_token_that_was_read_from_a_file_works_with_its_end_of_line() -> None:
    client = auth.connect({"host": "http://127.0.0.1:9", "api_key": "Bearer abc\n"}, lambda _name: None)
    assert client.credentials.token == "abc"


@pytest.mark.parametrize("option", [{"host": "https://h:x"}, {"host": "http://["}, {"proxy": f"http://u:{CANARY}@["}])
def test_an_address_that_is_none_is_refused(option: dict[str, str]) -> None:
    with pytest.raises(KubeconfigError, match="check its brackets and its port") as caught:
        auth.connect({"host": "https://h", **option}, lambda _name: None)
    assert CANARY not in str(caught.value)
