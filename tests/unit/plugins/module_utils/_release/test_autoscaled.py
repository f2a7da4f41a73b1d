# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a fixed number of pods to an autoscaler: no pod is lost on the way."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._release.replicas import autoscaled, with_replicas_of

CONTENT = {"kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"}, "spec": {"paused": False}}


def live(*owners: tuple[str, str]) -> dict[str, Any]:
    fields = [
        {"manager": manager, "subresource": part, "fieldsV1": {"f:spec": {"f:replicas": {}}}}
        for manager, part in owners
    ]
    return {"metadata": {"managedFields": fields}, "spec": {"replicas": 4}}


def test_our_own_number_stays_until_the_autoscaler_sets_one() -> None:
    assert with_replicas_of(live(("slipway.kube", "")), CONTENT)["spec"] == {"paused": False, "replicas": 4}
    assert "replicas" not in CONTENT["spec"]


@pytest.mark.parametrize(
    "owners",
    [
        (),
        (("kube-controller-manager", "scale"),),
        (("slipway.kube", ""), ("kube-controller-manager", "scale")),
        (("kubectl", ""),),
    ],
)
def test_a_number_of_others_stays_theirs(owners) -> None:
    assert with_replicas_of(live(*owners), CONTENT) == CONTENT


def test_a_number_that_is_wanted_is_sent() -> None:
    content = dict(CONTENT, spec={"replicas": 2})
    assert with_replicas_of(live(("slipway.kube", "")), content) == content


def test_only_the_autoscalers_target_is_autoscaled() -> None:
    scaler = {
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}},
    }
    other = dict(CONTENT, metadata={"name": "web", "namespace": "elsewhere"})
    assert autoscaled(CONTENT, [scaler]) and not autoscaled(other, [scaler]) and not autoscaled(CONTENT, [])
