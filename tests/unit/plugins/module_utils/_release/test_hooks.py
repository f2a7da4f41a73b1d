# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hooks: when they run, how often, and how their end is known."""

from __future__ import annotations

from typing import Any


def test_nothing_is_deleted_before_the_last_hook_has_succeeded(
    server: Any, releases: Any, some: Any, workload: Any
) -> None:
    releases.run([some("ConfigMap", "c"), some("Service", "old", spec={"clusterIP": "10.96.0.9"})])
    uid = server.find("Service", "old")["metadata"]["uid"]
    server.bad.add("app:broken")
    hooks = {"post": [workload("smoke", "app:broken", kind="Job")]}
    answer = releases.run([some("ConfigMap", "c")], hooks=hooks)
    assert answer["rolled_back_to"] == 1 and "The post hook Job default/smoke-" in answer["msg"]
    assert server.find("Service", "old")["metadata"]["uid"] == uid
    server.bad.clear()
    answer = releases.run([some("ConfigMap", "c")], hooks=hooks)
    assert [one["name"] for one in answer["pruned"]] == ["old"] and server.names("Service") == []
