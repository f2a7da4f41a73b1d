# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The schema of all variables accepts the inventories of the project and tells what is wrong in others, as an editor would show it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = json.loads((ROOT / "docs" / "group_vars.schema.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)


def errors(variables: dict[str, Any]) -> list[str]:
    return ["/".join(map(str, error.path)) or error.message for error in VALIDATOR.iter_errors(variables)]


def test_the_schema_is_one_and_has_the_variables_of_every_role() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    for path in sorted((ROOT / "roles").glob("*/meta/argument_specs.yml")):
        for entry in yaml.safe_load(path.read_text())["argument_specs"].values():
            assert set(entry.get("options") or {}) <= set(SCHEMA["properties"]), path


@pytest.mark.parametrize("path", sorted((ROOT / "inventories").glob("*/group_vars/*.yml")), ids=str)
def test_the_inventories_are_accepted_and_name_the_schema(path: Path) -> None:
    text = path.read_text()
    named = text.partition("$schema=")[2].split()[0]
    assert (path.parent / named).resolve() == ROOT / "docs" / "group_vars.schema.json"
    assert not errors(yaml.safe_load(text))
    commented = "\n".join(
        line[2:] for line in text.splitlines() if line.startswith("# ") and ": " in line and "---" not in line
    )
    known = [line.partition(":")[0] for line in commented.splitlines() if " " not in line.partition(":")[0]]
    assert known and set(known) - {"yaml-language-server"} <= set(SCHEMA["properties"]), known


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"kube_pod_subnett": "10.244.0.0/16"}, ["'kube_pod_subnett'"]),
        ({"kube_version": 1.37}, ["kube_version"]),
        ({"kubernetes_eviction_hard": []}, ["kubernetes_eviction_hard"]),
        ({"kube_proxy_mode": "ipvss"}, ["kube_proxy_mode"]),
        ({"kube_addons": {"metallb": {}}}, ["kube_addons"]),
        ({"kube_proxy_mode": "{{ mode }}", "kube_network_mtu": "{{ mtu | int }}", "backup_of_mine": 1}, []),
        ({"bundle_package_formats": ["deb", "rpm"], "preflight_waive": ["cpus"]}, []),
        ({"bundle_package_formats": ["deb", "zip"]}, ["bundle_package_formats"]),
    ],
)
def test_what_is_wrong_is_told(variables: dict[str, Any], told: list[str]) -> None:
    found = errors(variables)
    assert len(found) == len(told) and all(one in text for one, text in zip(told, found, strict=True)), found
