# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import yaml

from ansible_collections.slipway.kube.plugins.action import bundle
from ansible_collections.slipway.kube.plugins.modules import bundle as documented

ROOT = Path(__file__).resolve().parents[4]


def test_options_are_documented_as_they_are_taken() -> None:
    options = yaml.safe_load(documented.DOCUMENTATION)["options"]
    assert set(options) == set(bundle.ARGUMENTS)
    for name, option in bundle.ARGUMENTS.items():
        for field in ("choices", "default", "required", "elements"):
            assert options[name].get(field) == option.get(field), (name, field)
        assert options[name]["type"] == option.get("type", "str")


def test_the_role_passes_every_option() -> None:
    tasks = yaml.safe_load((ROOT / "roles/bundle/tasks/main.yml").read_text(encoding="utf-8"))
    passed = set(tasks[0]["module_defaults"]["slipway.kube.bundle"])
    assert passed | {"state"} == set(bundle.ARGUMENTS)


def test_variables_are_yaml_that_keeps_versions_as_text() -> None:
    values = {"kube_versions": {"1.36": {"agnhost": "2.59"}}, "url": "{{ kube_mirror_url }}/deb/"}
    assert yaml.safe_load(bundle._dump(values)) == values
