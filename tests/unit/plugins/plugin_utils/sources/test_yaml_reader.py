# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""YAML is read as kubectl reads it, and every problem names its line."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.plugin_utils.errors import InputError
from ansible_collections.slipway.kube.plugins.plugin_utils.sources import yaml_reader


def one(text: str) -> Any:
    """Return the content of the only document."""
    (document,) = yaml_reader.read(text, "a.yml")
    return document.content


def test_the_text_of_a_lookup_is_read() -> None:
    class Unsafe(str):
        """As ansible-core before 2.19 marks what a lookup returns."""

        def __str__(self) -> str:
            return copy.copy(self)  # of the same class

        def encode(self, *arguments: str) -> bytes:
            return type("UnsafeBytes", (bytes,), {})(super().encode(*arguments))

    assert one(Unsafe("kind: é")) == {"kind": "é"} and one(Unsafe('{"a": 1}')) == {"a": 1}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0644", 420),
        ("0o644", 420),
        ("0x1F", 31),
        ("0b101", 5),
        ("1_000", 1000),
        ("-7", -7),
        ("+7", 7),
        ("09", 9),
        ("1.0", 1),
        ("1e3", 1000),
        (".5", 0.5),
        ("1.2.3", "1.2.3"),
        ("12:30:45", "12:30:45"),
        ("2020-01-01", "2020-01-01"),
        ("2020-01-01T00:00:00Z", "2020-01-01T00:00:00Z"),
        ("=", "="),
        ("yes", True),
        ("Off", False),
        ('"yes"', "yes"),
        ("y", "y"),
        ("~", None),
        ("", None),
        ("!!str 5", "5"),
        ("250m", "250m"),
        ("1Gi", "1Gi"),
    ],
)
def test_values_are_those_of_kubernetes_own_reader(text: str, value: Any) -> None:
    found = one(f"a: {text}\nb: 1")["a"]
    assert found == value and type(found) is type(value)


def test_keys_are_text() -> None:
    assert one("data: {1: a, true: b, 0x10: c, 2020-01-01: d, ~: e}") == {
        "data": {"1": "a", "true": "b", "16": "c", "2020-01-01": "d", "~": "e"}
    }


def test_documents_know_their_lines_and_empty_ones_are_left_out() -> None:
    found = yaml_reader.read("# one\n---\n---\na: 1\n---\n{}\n---\n# none\n---\n- b\n", "a.yml")
    assert [(document.line, document.content) for document in found] == [(4, {"a": 1}), (10, ["b"])]


def test_what_is_merged_goes_behind_what_is_written() -> None:
    assert one("x: &x {a: 1, b: 2}\ny: {<<: *x, b: 3}\nz: {<<: [{a: 5}, *x]}")["y"] == {"a": 1, "b": 3}
    assert one("x: &x {a: 1, b: 2}\nz: {<<: [{a: 5}, *x]}")["z"] == {"a": 5, "b": 2}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: 1\nb:\n  c: 1\n  c: 2\n", "a.yml, line 4: duplicate key 'c', already in line 3."),
        ("a: 1\n---\nb: 1\nc: 2\nb: 3", "a.yml, line 5: duplicate key 'b', already in line 3."),
        ("a: [1,\nb: 2", "line 3, column 1: .*begins in line 1"),
        ("a:\n\tb: 1", "line 2, .*a tab"),
        ("a: b: c", "line 1, column 5: .*needs quotes"),
        ("a: &x [*x]", "line 1, .*an anchor contains itself"),
        ("a: *nowhere", "line 1, .*undefined alias"),
        (
            "a:\n  b: !!binary aGk=",
            "line 2: the tag !!binary is not supported by Kubernetes. Write the value as a base64 string",
        ),
        ("a: !vault |\n  x", "line 1: the tag !vault is not supported by Kubernetes"),
        ("a: !map {b: 1}", "line 1: the tag !map is not supported"),
        ("a: .inf", "line 1: infinity and NaN"),
        ("? [1]\n: 2", "line 1: a key must be a string"),
        ("a: 1\nb: \x01", "line 2: YAML does not allow the character 0x1."),
        ("a: !!int x", "line 1: the value is not valid for its tag !!int"),
        ("<<: 5", "line 1: '<<' must be a mapping"),
    ],
)
def test_problems_name_the_line(text: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        yaml_reader.read(text, "a.yml")


def test_all_duplicate_keys_are_told_together_and_no_value() -> None:
    with pytest.raises(InputError) as caught:
        yaml_reader.read("a: hunter2\na: hunter3\nb: 1\nb: 2\n", "a.yml", "the template")
    assert len(caught.value.problems) == 2
    assert "hunter" not in str(caught.value)
    assert "line 2 of the output of the template" in caught.value.problems[0]


def test_aliases_that_multiply_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_reader, "MOST_VALUES", 10_000)
    text = "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
    text += "".join(f"{name}: &{name} [{','.join(['*' + before] * 10)}]\n" for before, name in zip("abcd", "bcde"))
    with pytest.raises(InputError, match="too many values"):
        yaml_reader.read(text, "a.yml")


@pytest.mark.parametrize(
    "text",
    [
        '{"a": [1, 1.0, 1e3, 1.5, true, null, "12:30", "yes"], "b": {"c": "d"}}',
        '[{"a": 1}, {"a": 2}]',
        "{a: b}",
        "{}",
        '{"a": 1}\n---\n{"a": 2}\n',
    ],
)
def test_json_is_read_as_the_yaml_that_it_is(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fast = [document.content for document in yaml_reader.read(text, "x")]
    monkeypatch.setattr(yaml_reader, "_json", lambda text: None)
    assert repr(fast) == repr([document.content for document in yaml_reader.read(text, "x")])


@pytest.mark.parametrize(("text", "told"), [('{"a": 1, "a": 2}', "duplicate key 'a'"), ('{"a": 1e999}', "infinity")])
def test_json_that_kubernetes_does_not_read_is_explained(text: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        yaml_reader.read(text, "x")
