# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role network passes on: the settings of Cilium's chart, and what it must not be installed over."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.slipway.kube.plugins.module_utils._release.manifest import broken_rule
from ansible_collections.slipway.kube.plugins.plugin_utils.network import cilium
from harness.core import load_variables, trust_as_template

ROLES = Path(__file__).parents[3] / "roles"
GROUPS = {"kube_control_plane": ["cp1"], "kube_worker": ["w1", "s1"], "kube_standby": ["s1"]}


def value(name: str, **variables: Any) -> Any:
    """A variable of the role."""
    known: dict[str, Any] = {}
    for path in ("cluster/defaults/main.yml", "network/defaults/main.yml", "network/vars/main.yml"):
        known.update(load_variables(ROLES / path))
    known.update(inventory_hostname="cp1", groups=GROUPS, kube_network_plugin="cilium", **variables)
    return Templar(loader=DataLoader(), variables=known).template(trust_as_template("{{ " + name + " }}"))


@pytest.mark.parametrize(
    ("variables", "values", "data", "refused"),
    [
        ({}, {}, {"ipam": "kubernetes", "kube-proxy-replacement": "false"}, ""),
        ({}, {}, {"ipam": "cluster-pool", "kube-proxy-replacement": "false"}, 'its data.ipam is "cluster-pool"'),
        ({}, {}, {"ipam": "kubernetes", "kube-proxy-replacement": "true"}, "kube-proxy-replacement"),
        (
            {},
            {"ipam": {"mode": "cluster-pool"}, "kubeProxyReplacement": True},
            {"ipam": "cluster-pool", "kube-proxy-replacement": "true"},
            "",
        ),
    ],
)
def test_what_a_running_cilium_cannot_change_is_refused(
    variables: dict[str, Any], values: dict[str, Any], data: dict[str, str], refused: str
) -> None:
    rules = value("__network_refuse_when", kube_network_cilium_values=values, **variables)
    assert "cilium" not in {rule["name"] for rule in rules} and "calico-node" in {rule["name"] for rule in rules}
    (rule,) = [rule for rule in rules if rule["kind"] == "ConfigMap"]
    assert refused in (broken_rule(rule, {"data": data}) or "") and bool(broken_rule(rule, {"data": data})) == bool(
        refused
    )


def test_the_chart_is_rendered_with_the_variables_of_the_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {}
    module = importlib.import_module("ansible_collections.slipway.kube.plugins.filter.cilium")
    monkeypatch.setattr(module, "objects", lambda *given: seen.update(given=given) or [])
    value("__network_objects_of_cilium", kube_control_plane_endpoint="k.example.com:7443", kube_network_mtu="1400")
    chart, settings = seen["given"]
    assert chart == f"https://helm.cilium.io/cilium-{settings.version}.tgz"
    # Stand-by hosts do not count: one operator could not run otherwise while they are out.
    assert settings == cilium.Cilium(
        "192.168.0.0/16",
        version=settings.version,
        kubernetes="1.37.2",
        cluster_name="kubernetes",
        nodes=2,
        mtu=1400,
        api_server="k.example.com:7443",
    )
