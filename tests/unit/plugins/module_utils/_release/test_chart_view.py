# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a chart may ask about the cluster is asked there, in few requests and without a write."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._kube.api import ApiError
from ansible_collections.slipway.kube.plugins.module_utils._release.desired import chart_view


def test_the_cluster_tells_its_version_and_what_it_serves(releases: Any, server: Any) -> None:
    answer = chart_view(releases.client(), "web", "default")
    assert answer["kube_version"] == "v1.37.2" and not answer["changed"]
    assert {"v1", "v1/Secret", "apps/v1", "apps/v1/Deployment", "batch/v1/Job"} < set(answer["api_versions"])
    assert answer["requests"] == 4 and server.writes == [] and not answer["upgrade"]


def test_a_user_who_may_not_ask_for_the_version_learns_the_rest(releases: Any, server: Any) -> None:
    server.forbidden.add("/version")
    answer = chart_view(releases.client(), "web", "default")
    assert answer["kube_version"] == "" and "apps/v1" in answer["api_versions"]
    server.forbidden.add("/apis")
    with pytest.raises(ApiError):
        chart_view(releases.client(), "web", "default")


def test_a_chart_is_told_whether_a_revision_is_deployed(releases: Any, server: Any, some: Any, workload: Any) -> None:
    server.bad.add("app:1")
    releases.run([workload("d")])
    assert not chart_view(releases.client(), "web", "default")["upgrade"]
    releases.run([some("ConfigMap", "c")])
    assert chart_view(releases.client(), "web", "default")["upgrade"]
    assert not chart_view(releases.client(), "other", "default")["upgrade"]
