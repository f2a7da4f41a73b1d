# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rollout gives back to the manager that applies manifests, and what it keeps."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._rollout.owning import (
    MANAGER,
    STATE_MANAGER,
    manager,
    return_fields,
)

REPLICAS = {"f:spec": {"f:replicas": {}}}
TEMPLATE = {"f:spec": {"f:template": {"f:spec": {}}}}


def entry(name: str, fields: dict[str, Any], operation: str = "Update") -> dict[str, Any]:
    """An entry of managedFields."""
    return {"manager": name, "operation": operation, "fieldsType": "FieldsV1", "fieldsV1": fields}


def live(*entries: dict[str, Any]) -> dict[str, Any]:
    """A workload with these owners."""
    return {"metadata": {"resourceVersion": "7", "managedFields": list(entries)}}


def test_what_was_taken_is_given_back() -> None:
    before = live(entry("slipway.kube", REPLICAS, "Apply"))
    after = live(entry("slipway.kube", {"f:spec": {}}, "Apply"), entry(MANAGER, REPLICAS), entry("kubelet", TEMPLATE))
    owners, version = return_fields("scale", before, after)
    assert [one["manager"] for one in owners["value"]] == ["kubelet", "slipway.kube"]
    assert owners["value"][1]["fieldsV1"] == REPLICAS and owners["value"][1]["operation"] == "Apply"
    assert version["value"] == "7", "of this very version only"


def test_a_number_that_no_manifest_names_stays_the_rollouts() -> None:
    before = live(entry("slipway.kube", TEMPLATE, "Apply"))
    after = live(entry("slipway.kube", TEMPLATE, "Apply"), entry(MANAGER, REPLICAS))
    assert return_fields("scale", before, after) == [], "the next apply would set it to 1"


def test_a_template_that_comes_back_is_the_appliers_as_a_whole() -> None:
    before = live(entry("slipway.kube", REPLICAS, "Apply"))
    after = live(entry("slipway.kube", REPLICAS, "Apply"), entry(MANAGER, TEMPLATE))
    (owners, _version) = return_fields("undo", before, after)
    assert owners["value"][0]["fieldsV1"] == {"f:spec": {"f:replicas": {}, "f:template": {"f:spec": {}}}}


@pytest.mark.parametrize("action", ["restart", "pause", "resume"])
def test_what_must_outlive_the_next_apply_is_kept(action: str) -> None:
    before = live(entry("slipway.kube", REPLICAS, "Apply"))
    assert return_fields(action, before, live(entry("slipway.kube", {}, "Apply"), entry(MANAGER, REPLICAS))) == []
    assert manager(action) == STATE_MANAGER != manager("undo")


def test_objects_of_other_managers_are_left_to_them() -> None:
    before = live(entry("kubectl", REPLICAS, "Apply"), entry("slipway.kube", REPLICAS, "Update"))
    assert return_fields("undo", before, live(entry("kubectl", {}, "Apply"), entry(MANAGER, REPLICAS))) == []
