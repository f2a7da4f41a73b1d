# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of the add-on network_policy."""

from __future__ import annotations

import json
from typing import Any

import jinja2
import yaml

from ansible_collections.slipway.kube.plugins.plugin_utils.addons import registry, selection


def container(**settings: Any) -> dict[str, Any]:
    """Return the container of its DaemonSet."""
    (one,) = selection.select(
        registry.load(), ["network_policy"], {"network_policy": settings}, {"kube_network_policies": "0.8.0"}
    )
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False, trim_blocks=True)
    environment.filters["to_json"] = json.dumps
    template = environment.from_string((one.addon.folder / "objects.yml.j2").read_text())
    objects = list(yaml.safe_load_all(template.render(addon=one.as_dict())))
    (found,) = next(each for each in objects if each["kind"] == "DaemonSet")["spec"]["template"]["spec"]["containers"]
    return dict(found)


def test_its_port_is_a_setting_of_its_metrics_and_its_probes() -> None:
    for settings, port in (({}, 9080), ({"metrics_port": 19080}, 19080)):
        found = container(**settings)
        assert f"--metrics-bind-address=127.0.0.1:{port}" in found["command"]
        probes = [found[name]["httpGet"]["port"] for name in ("readinessProbe", "livenessProbe")]
        assert probes == [port, port]
