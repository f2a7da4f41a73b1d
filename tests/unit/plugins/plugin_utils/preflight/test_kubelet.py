# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fields that a kubelet does not know, and would ignore without a word."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ansible_collections.slipway.kube.plugins.plugin_utils.preflight import kubelet

ROOT = Path(__file__).resolve().parents[5]


@pytest.mark.parametrize(
    ("variable", "name", "version", "told"),
    [
        ("kubernetes_kubelet_config", "maxPods", "1.37.2", None),
        ("kubernetes_kubelet_config", "maxPodz", "1.37.2", "Write maxPods."),
        ("control_plane_kubelet_configuration", "nonsense", "1.37.2", "Correct the name."),
        ("kubernetes_kubelet_config", "defaultPodSysctls", "1.37.2", None),
        ("kubernetes_kubelet_config", "defaultPodSysctls", "1.36.3", "Correct the name."),
        ("kubernetes_kubelet_config", "maxPodz", "1.99.0", None),  # nobody knows its fields here
        ("kubernetes_kubelet_config", "maxPodz", "1.37", None),  # that is the finding of check version
    ],
)
def test_names_of_fields(cluster, findings, variable, name, version, told):
    cluster.hosts["cp1"].variables.update({"kube_version": version, variable: {name: 1}})
    problems = list(kubelet.check_kubelet_settings(cluster))
    assert findings(problems) == ([("kubelet_settings", "cp1", "error")] if told else [])
    assert (
        not told or told in problems[0].remedy and variable in problems[0].what and f"'{name}'" in problems[0].evidence
    )


def test_a_value_of_another_kind_is_the_finding_of_another_check(cluster, findings):
    cluster.hosts["cp1"].variables.update(kube_version="1.37.2", kubernetes_kubelet_config=["maxPods"])
    assert findings(list(kubelet.check_kubelet_settings(cluster))) == []


def test_every_supported_version_is_checked():
    defaults = yaml.safe_load((ROOT / "roles/cluster/defaults/main.yml").read_text())
    assert set(kubelet.ADDED) == set(defaults["kube_versions"]), "add what the new minor version has"
