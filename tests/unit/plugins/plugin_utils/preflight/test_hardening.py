# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values with which a new cluster would not come up are refused, all at once, and only where they are read."""

from __future__ import annotations

import pytest

from ansible_collections.slipway.kube.plugins.plugin_utils.preflight import hardening

ENFORCE = {"control_plane_pod_security": {"enforce": "baseline"}}


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        (ENFORCE, "would be refused"),
        ({**ENFORCE, "control_plane_pod_security_exempt": ["kube-system"]}, ""),
        ({"control_plane_pod_security": {}}, ""),
        ({"control_plane_anonymous_paths": ["livez"]}, "not a path"),
        ({"control_plane_anonymous_paths": []}, ""),
        ({"control_plane_pod_pids_limit": -1}, ""),
        ({"control_plane_pod_pids_limit": 0}, "control_plane_pod_pids_limit is too small"),
    ],
)
def test_values(cluster, findings, changes, what):
    for host in cluster.hosts.values():
        host.variables.update(changes)
    problems = list(hardening.check_hardening(cluster))
    assert findings(problems) == ([("hardening", "cp1", "error")] if what else [])
    assert not what or what in problems[0].what


def test_all_problems_are_in_one_list(cluster):
    cluster.hosts["cp1"].variables.update(
        ENFORCE, control_plane_anonymous_paths=["livez"], control_plane_pod_pids_limit="5"
    )
    assert len(list(hardening.check_hardening(cluster))) == 3
