# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables of every role that are given as strings, as ``-e name=value`` and INI inventories do.

Ansible validates role variables but does not convert them: the string "false" is true in an expression. So each use in an expression
converts numbers and booleans, modules convert what is passed to them as it is, and lists and dictionaries are refused as strings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader

from ansible_collections.slipway.kube.plugins.plugin_utils.preflight.checks import VARIABLES
from ansible_collections.slipway.kube.plugins.plugin_utils.preflight.variables import Variables

ROLES = Path(__file__).resolve().parents[3] / "roles"
PLAYBOOKS = ROLES.parent / "playbooks"
SCALARS = ("bool", "int", "float")
COLLECTIONS = ("list", "dict")
# Roles of localhost and the mirror, whose variables preflight does not see.
WITHOUT_PREFLIGHT = ("bundle", "health", "lab", "mirror", "reset", "verify")
CONDITIONS = ("when", "that", "until", "failed_when", "changed_when")


def options() -> dict[str, str]:
    """Return the type of every option of every role that is not a text."""
    found = {}
    for path in sorted(ROLES.glob("*/meta/argument_specs.yml")):
        for entry in yaml.safe_load(path.read_text())["argument_specs"].values():
            for name, option in (entry.get("options") or {}).items():
                if option["type"] in (*SCALARS, *COLLECTIONS):
                    found[name] = option["type"]
    return found


OPTIONS = options()


def expressions(content: Any, condition: bool = False) -> Iterator[tuple[str, str]]:
    """Yield (expression, scalar that contains it) of a YAML document."""
    if isinstance(content, dict):
        for key, value in content.items():
            yield from expressions(value, key in CONDITIONS)
    elif isinstance(content, list):
        for value in content:
            yield from expressions(value, condition)
    elif isinstance(content, str):
        if condition and "{{" not in content:
            yield content, ""
        for match in re.finditer(r"{[{%](.*?)[%}]}", content, re.S):
            yield match.group(1).strip(), content.strip()


def files() -> list[Path]:
    """Return the files with expressions: tasks, variables, defaults and templates."""
    found = [path for folder in ("tasks", "vars", "defaults", "templates") for path in ROLES.glob(f"*/{folder}/*")]
    return sorted(found) + sorted(PLAYBOOKS.glob("*.yml"))


def uses() -> Iterator[tuple[Path, str, str, str, str]]:
    """Yield (file, option, what follows it, expression, scalar) of each use of an option in an expression."""
    for path in files():
        text = path.read_text()
        content = [text] if path.suffix == ".j2" else yaml.safe_load(text)
        for expression, scalar in expressions(content):
            plain = re.sub(r"'[^']*'", lambda quoted: " " * len(quoted.group()), expression)
            for match in re.finditer(r"(?<![\w.])[a-z_]+\b(?!\s*=[^=])", plain):
                if match.group() in OPTIONS:
                    text = plain[: match.start()].rstrip().endswith("~")
                    yield path, match.group(), " | text" if text else expression[match.end() :], expression, scalar


def test_uses_are_found() -> None:
    assert len({option for _path, option, *_rest in uses()}) > 60


def is_interpolated(expression: str, scalar: str) -> bool:
    """Return whether an expression is put into a text, where a number and its text are the same."""
    return scalar != "{{ " + expression + " }}" and scalar != ""


def test_numbers_and_booleans_are_converted_where_an_expression_uses_them() -> None:
    wrong = []
    for path, option, after, expression, scalar in uses():
        kind = OPTIONS[option]
        if kind not in SCALARS or re.match(rf"\s*(\| default\([^)]*\)\s*)?\| ({kind}|float|text)\b", after):
            continue
        whole = expression == option or re.fullmatch(rf"{option} \| default\([^)]*\)", expression)
        # A module converts what is passed to it as it is.
        if whole and (is_interpolated(expression, scalar) and kind != "bool" or path.parent.name == "tasks" and scalar):
            continue
        wrong.append(f"{path.relative_to(ROLES.parent)}: {option} in {expression!r} without | {kind}")
    assert not wrong, "\n".join(wrong)


def test_lists_and_dictionaries_of_roles_without_preflight_reach_modules_as_they_are_or_are_checked() -> None:
    wrong = []
    for path, option, _after, expression, scalar in uses():
        role = path.parent.parent.name
        if OPTIONS[option] not in COLLECTIONS or role not in WITHOUT_PREFLIGHT or option.startswith("kube"):
            continue
        checked = (ROLES / role / "tasks" / "main.yml").read_text()
        if scalar != "{{ " + option + " }}" and f"{option} is not string" not in checked:
            wrong.append(f"{path.relative_to(ROLES.parent)}: {option} in {expression!r}")
    assert not wrong, "\n".join(wrong)


class HostVars(dict):
    """Stands for the object of this name in Ansible, which returns the raw variables of a host."""

    def raw_get(self, host: str) -> dict[str, Any]:
        return self.get(host, {})


@pytest.fixture(scope="module")
def preflight() -> Any:
    """Return the input of the checks for one host with these variables."""
    loader = DataLoader()

    def read(variables: dict[str, Any]) -> Any:
        hostvars = HostVars(cp1={"inventory_hostname": "cp1", **variables})
        groups = {"all": ["cp1"], "kube_cluster": ["cp1"], "kube_control_plane": ["cp1"], "kube_worker": []}
        own = {"inventory_hostname": "cp1", "hostvars": hostvars, "groups": groups, "ansible_play_hosts_all": ["cp1"]}
        return Variables(loader, own).cluster()

    return read


def test_preflight_reads_numbers_and_booleans_as_ansible_s_argument_specification_does(preflight: Any) -> None:
    samples = {"bool": ("false", False), "int": ("24", 24), "float": ("2.5", 2.5)}
    scalars = {name: samples[kind] for name, kind in OPTIONS.items() if kind in SCALARS}
    scalars["control_plane_etcd_quota_mib"] = ("256", 256)
    cluster = preflight({name: text for name, (text, _value) in scalars.items()})
    assert cluster.wrong + cluster.broken == []
    read = cluster.hosts["cp1"].variables
    assert {name: read[name] for name in scalars if name in VARIABLES} == {
        name: value for name, (_text, value) in scalars.items() if name in VARIABLES
    }


def test_checks_to_waive_may_be_given_as_a_text(preflight: Any) -> None:
    cluster = preflight({"preflight_waive": "os,mtu"})
    assert (cluster.wrong, cluster.hosts["cp1"].variables["preflight_waive"]) == ([], ["os", "mtu"])
