# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation of the module matches the tables of fields."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from ansible_collections.slipway.kube.plugins.doc_fragments.release import ModuleDocFragment
from ansible_collections.slipway.kube.plugins.module_utils._release.settings import OPTIONS
from ansible_collections.slipway.kube.plugins.modules.app import DOCUMENTATION, EXAMPLES
from ansible_collections.slipway.kube.plugins.plugin_utils.app.checks import read
from ansible_collections.slipway.kube.plugins.plugin_utils.app.expand import expand
from ansible_collections.slipway.kube.plugins.plugin_utils.app.fields import AnyOf, Field, ListOf, String, Structure
from ansible_collections.slipway.kube.plugins.plugin_utils.app.spec import FIELDS

DOCS = yaml.safe_load(DOCUMENTATION)["options"]
RELEASE_DOCS = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]


def structure_of(what: Any) -> Structure | None:
    if isinstance(what, AnyOf):
        return next((kind for kind in what.types if isinstance(kind, Structure)), None)
    if isinstance(what, ListOf):
        return structure_of(what.item)
    return what if isinstance(what, Structure) else None


def documented() -> list[tuple[str, dict[str, Any], Field]]:
    """Return every documented field with its entry in the table."""
    found = []
    todo = [(name, DOCS.get(name, {}), field) for name, field in FIELDS.items()]
    while todo:
        path, option, field = todo.pop(0)
        found.append((path, option, field))
        structure = structure_of(field.type)
        for name, sub in (option.get("suboptions") or {}).items():
            assert structure and name in structure.fields, f"{path}.{name} is documented and does not exist"
            todo.append((f"{path}.{name}", sub, structure.fields[name]))
        if option.get("suboptions") and structure:
            missing = set(structure.fields) - set(option["suboptions"])
            assert not missing, f"{path}: {missing} not documented"
    return found


FOUND = documented()


@pytest.mark.parametrize(("path", "option", "field"), FOUND, ids=[path for path, _option, _field in FOUND])
def test_a_field_is_documented_as_it_is(path, option, field) -> None:
    assert option.get("description"), "it is not documented"
    kind = field.type
    structure = structure_of(kind)
    if isinstance(kind, String) and kind.choices:
        assert option.get("choices") == list(kind.choices)
    if structure is None and not isinstance(kind, AnyOf):
        assert option["type"] == kind.ansible
    elif structure is kind and not structure.short:
        assert option["type"] == "dict"
    assert bool(option.get("required")) == field.required
    if structure and field.default == structure.empty():
        assert "default" not in option, "the defaults are those of its fields"
    elif path not in ("scaling.scale_down",):
        assert option.get("default") == field.default


def test_options_of_the_release_are_documented_with_its_defaults() -> None:
    for name, option in OPTIONS.items():
        if name in ("pause_after", "name", "namespace", "revision", "delete_hooks", "orphan"):
            continue
        documented = {**DOCS, **RELEASE_DOCS}[name]
        assert documented.get("default") == option.get("default"), name
        assert documented.get("choices") == option.get("choices"), name
        assert documented["type"] == option["type"], name


def test_nothing_else_is_documented() -> None:
    assert set(DOCS) - set(FIELDS) - set(OPTIONS) == {"render_only"}
    assert not set(RELEASE_DOCS) - set(OPTIONS) and not set(RELEASE_DOCS) & set(DOCS)


@pytest.mark.parametrize("task", yaml.safe_load(re.sub(r"{{.*?}}", "x", EXAMPLES)), ids=lambda task: task["name"])
def test_the_examples_are_applications(task) -> None:
    arguments = {name: value for name, value in task["slipway.kube.app"].items() if name in FIELDS}
    if task["slipway.kube.app"].get("state") != "absent":
        expand(read(arguments))


def test_the_first_example_has_twenty_lines() -> None:
    first = EXAMPLES.split("\n\n", maxsplit=1)[0].strip().splitlines()
    assert len(first) - 2 <= 22 and "secret_env" in "\n".join(first)
