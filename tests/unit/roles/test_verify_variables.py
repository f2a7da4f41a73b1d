# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When role verify has NetworkPolicies tested."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml

VARIABLES = yaml.safe_load((Path(__file__).resolve().parents[3] / "roles/verify/vars/main.yml").read_text())


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "auto"),
        ({"kube_network_plugin": "flannel"}, "false"),
        ({"kube_network_plugin": "cilium"}, "true"),
        ({"kube_network_plugin": "cilium", "kube_network_cilium_values": {"hubble": {}}}, "true"),
        ({"kube_network_plugin": "cilium", "kube_network_cilium_values": {"policyEnforcementMode": "never"}}, "false"),
        ({"kube_network_plugin": "none"}, "false"),  # a pod network of somebody else, with settings of its own
        ({"kube_network_plugin": "flannel", "kube_addons": ["network_policy"]}, "auto"),
        ({"kube_addons": ["network_policy"], "kube_network_policies_verified": {"results": []}}, "false"),
        ({"verify_network_policy": False}, "false"),
        ({"verify_network_policy": True, "kube_network_plugin": "none"}, "true"),
    ],
)
def test_whether_policies_are_tested(given: dict[str, Any], expected: str) -> None:
    variables = {"verify_network_policy": "auto", "kube_network_plugin": "calico", "kube_addons": [], **given}
    assert jinja2.Template(VARIABLES["__verify_network_policy"]).render(variables).strip() == expected
