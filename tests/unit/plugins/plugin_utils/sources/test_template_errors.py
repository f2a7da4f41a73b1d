# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Templates are rendered by Ansible's templar; an error names the file and the line, and shows no value."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.utils.display import Display

from ansible_collections.slipway.kube.plugins.plugin_utils.errors import InputError
from ansible_collections.slipway.kube.plugins.plugin_utils.sources import template_reader

CANARY = "c4n4ry-in-a-template"
VARIABLES: dict[str, Any] = {"name": "web", "secret": CANARY, "number": 3, "empty": {}, "many": [{"name": "a"}, {}]}


@pytest.fixture
def render(make_action: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    """Return what renders a text as the template app.yml.j2."""
    action = make_action()
    return lambda text, **more: template_reader.render(
        action, VARIABLES, str(tmp_path / "templates/app.yml.j2"), text, more
    )


@pytest.mark.parametrize("text", ["a: {{ name }} {{ ansible_managed }}\n", "a: 1\nb: {{ nope }}\n", "a\n{% if %}\n"])
def test_nothing_that_ansible_is_giving_up_is_used(
    render: Callable[..., Any], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(Display, "deprecated", lambda _self, *words, **more: told.append(str(words or more)))
    with contextlib.suppress(InputError):
        render(text)
    assert told == []


def test_what_the_task_says_of_ansible_managed_counts(make_action: Callable[..., Any], tmp_path: Path) -> None:
    path = str(tmp_path / "a.yml.j2")
    text = "{{ ansible_managed }}: {{ template_path }}\n"
    assert template_reader.render(make_action(), {"ansible_managed": "mine"}, path, text, {}) == f"mine: {path}\n"
    Path(path).write_text(text)
    assert template_reader.render(make_action(), {"ansible_managed": "mine"}, path, text, {}) == f"mine: {path}\n"
    assert template_reader.render(make_action(), {}, path, text, {}) == f"Ansible managed: {path}\n"


def test_the_task_and_the_entry_give_variables(render: Callable[..., Any]) -> None:
    assert render("a: {{ name }}\nb: {{ number }}\n", number=5) == "a: web\nb: 5\n"


def test_blocks_leave_no_empty_lines(render: Callable[..., Any]) -> None:
    assert render("{% for one in [1, 2] %}\n- {{ one }}\n{% endfor %}\nend\n") == "- 1\n- 2\nend\n"


def test_one_expression_can_be_an_object(render: Callable[..., Any]) -> None:
    # Before ansible-core 2.19 it is text, which is YAML all the same.
    assert render("{{ {'kind': name} }}") in ({"kind": "web"}, "{'kind': 'web'}")


def test_a_template_includes_what_lies_beside_it(render: Callable[..., Any], write: Callable[[str, str], Path]) -> None:
    write("templates/part.j2", "part: {{ name }}")
    assert render("{% include 'part.j2' %}\n") == "part: web\n"


@pytest.mark.parametrize(
    ("text", "place", "told"),
    [
        ("a: 1\nb: {{ nope }}\nc: 1\n", "line 2", "'nope' is undefined"),
        ("a: 1\nb: 2\nc: {{ empty.nope }}\n", "line 3", "nope"),
        ("a\n{% for one in many %}\nx: 1\n- {{ one.name }}\n\n{% endfor %}\nb\n", "line 4", "name"),
        ("a\n{% if name %}\n\nb: {{ nope }}\n{% endif %}\nc: {{ name }}", "line 4", "'nope' is undefined"),
        ("a\n{% if %}\n", "line 2", "Expected an expression"),
        ("a\n\n{% for x in y %}\nb", "line 4", "endfor|end of template"),
        ("a\nb: {{ name | nofilter }}\n", "line 2", "No filter named 'nofilter'|Could not load \"nofilter\""),
        ("a\n{{ name\n", "line [23]", "unexpected|expected"),
        ("a\n\n\nb: {{ secret | from_json }}\n", "line 4", "from_json|Expecting value"),
        ("a: {{ name }}\nb: {{ 1 / 0 }}\nc: {{ name }}\n", "line 2", "division by zero"),
        ("a\n{% include 'nothing.j2' %}\n", "line 2", "there is no template nothing.j2 to include|nothing.j2"),
        ("a\nb: {{ lookup('ansible.builtin.file', '/nothing/here') }}\n", "line 2", "."),
    ],
)
def test_errors_name_the_line(render: Callable[..., Any], tmp_path: Path, text: str, place: str, told: str) -> None:
    with pytest.raises(InputError, match=rf"templates/app.yml.j2, {place}: template error: .*({told})"):
        render(text)


@pytest.mark.parametrize(
    "text", ["{{ secret | from_json }}", "{{ {}[secret] }}", "{{ secret | from_yaml_all | nope }}"]
)
def test_errors_show_no_value(render: Callable[..., Any], text: str) -> None:
    with pytest.raises(InputError) as caught:
        render("a: 1\nb: " + text)
    assert CANARY not in str(caught.value) and "line 2" in str(caught.value)
    assert caught.value.__cause__ is None and caught.value.__suppress_context__


def test_a_value_that_a_filter_quotes_is_hidden() -> None:
    error = ValueError(f"invalid literal for int() with base 10: '{CANARY}'")
    assert template_reader._reason([error], "{{ secret | int }}") == "invalid literal for int() with base 10: ********"
