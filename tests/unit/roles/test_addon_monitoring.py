# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The dashboards of the add-on monitoring. Whether their queries find values is tested by scenario addons."""

from __future__ import annotations

import json
from typing import Any

import jinja2
import yaml

from ansible_collections.slipway.kube.plugins.plugin_utils.addons import registry

FOLDER = registry.OWN / "monitoring"


def dashboards() -> dict[str, dict[str, Any]]:
    """Return the dashboards as Grafana gets them, by their names."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False, trim_blocks=True)
    environment.filters["to_nice_json"] = json.dumps
    template = environment.from_string((FOLDER / "dashboard.json.j2").read_text())
    declared = yaml.safe_load((FOLDER / "dashboards.yml").read_text())
    return {one["name"]: json.loads(template.render(dashboard=one)) for one in declared}


def test_dashboards_are_complete() -> None:
    found = dashboards()
    assert (
        len({one["uid"] for one in found.values()}) == len({one["title"] for one in found.values()}) == len(found) == 5
    )
    for content in found.values():
        panels = content["panels"]
        assert [one["id"] for one in panels] == list(range(1, len(panels) + 1))
        assert len({(one["gridPos"]["x"], one["gridPos"]["y"]) for one in panels}) == len(panels)
        assert all(one["fieldConfig"]["defaults"]["unit"] and one["targets"] for one in panels)
        assert all(one["datasource"]["uid"] == "${datasource}" for one in panels)


def test_legends_and_variables_reach_grafana_unchanged() -> None:
    nodes = dashboards()["nodes"]
    (target,) = nodes["panels"][0]["targets"]
    assert target["legendFormat"] == "{{node}}" and 'node=~"$node"' in target["expr"]
    assert [one["name"] for one in nodes["templating"]["list"]] == ["datasource", "node"]


def test_every_variable_that_is_used_is_defined() -> None:
    for content in dashboards().values():
        defined = {one["name"] for one in content["templating"]["list"]}
        text = json.dumps(content["panels"])
        assert {name for name in ("node", "namespace") if f"${name}" in text} == defined - {"datasource"}
