# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which patch does an action, and what is refused before anything is sent."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._kube.objects import Reference
from ansible_collections.slipway.kube.plugins.module_utils._rollout.changes import (
    RESTARTED_AT,
    Request,
    RolloutError,
    option_problems,
    plan_change,
    warnings_for,
)
from ansible_collections.slipway.kube.plugins.module_utils._rollout.history import (
    CHANGE_CAUSE,
    UNDONE_TO,
    WorkloadRevision,
)

NOW = "2026-01-02T03:04:05Z"


def template(image: str) -> dict[str, Any]:
    """A pod template with an init container and two containers."""
    return {
        "metadata": {"labels": {"app": "web"}},
        "spec": {
            "initContainers": [{"name": "copy", "image": "copy:1"}],
            "containers": [{"name": "web", "image": image}, {"name": "log", "image": "log:1"}],
        },
    }


def workload(image: str = "web:2", kind: str = "Deployment", annotations: Any = None, **spec: Any) -> dict[str, Any]:
    """A workload of one revision."""
    metadata: dict[str, Any] = {"name": "web", "namespace": "shop", "uid": "u", "resourceVersion": "7"}
    if annotations:
        metadata["annotations"] = annotations
    return {"kind": kind, "metadata": metadata, "spec": {"replicas": 3, "template": template(image), **spec}}


def wanted(action: str, kind: str = "Deployment", **more: Any) -> Request:
    """An action on it."""
    return Request(action, Reference("apps/v1", kind, "shop", "web"), **more)


REVISIONS = [
    WorkloadRevision(1, "web-a", template("web:1"), cause="first"),
    WorkloadRevision(2, "web-b", template("web:2"), current=True),
]


def options(**more: Any) -> dict[str, Any]:
    """Options as the module gives them."""
    plain = {"action": "status", "kind": "Deployment", "revision": 0, "images": None, "replicas": None}
    return {**plain, "change_cause": None, **more}


def test_undo_replaces_the_template_as_a_whole_and_says_what_the_revision_said() -> None:
    change = plan_change(wanted("undo"), workload(), REVISIONS, NOW)
    assert change and change.patch == "json" and "revision 1 (copy:1, web:1, log:1)" in change.what
    assert change.content == [
        {"op": "replace", "path": "/metadata/resourceVersion", "value": "7"},
        {"op": "replace", "path": "/spec/template", "value": template("web:1")},
        {"op": "add", "path": "/metadata/annotations", "value": {}},
        {"op": "add", "path": "/metadata/annotations/kubernetes.io~1change-cause", "value": "first"},
    ]
    own = plan_change(wanted("undo", change_cause="back"), workload(annotations={"a": "b"}), REVISIONS, NOW)
    assert own and [step["value"] for step in own.content if step["op"] == "add"] == ["back"]


def test_undo_takes_away_a_cause_that_the_revision_did_not_live_digest() -> None:
    silent = [WorkloadRevision(1, "web-a", template("web:1")), REVISIONS[1]]
    change = plan_change(wanted("undo"), workload(annotations={CHANGE_CAUSE: "newest"}), silent, NOW)
    assert change and change.content[-1] == {
        "op": "remove",
        "path": "/metadata/annotations/kubernetes.io~1change-cause",
    }
    without = plan_change(wanted("undo"), workload(), silent, NOW)
    assert without and len(without.content) == 2


def test_undo_to_what_is_there_changes_nothing() -> None:
    assert plan_change(wanted("undo", revision=2), workload(), REVISIONS, NOW) is None
    renumbered = [REVISIONS[1], WorkloadRevision(3, "web-a", template("web:1"), former=(1,), current=True)]
    assert plan_change(wanted("undo", revision=1), workload("web:1"), renumbered, NOW) is None


def test_undo_of_a_stateful_set_notes_the_number_that_was_asked_for() -> None:
    before = {UNDONE_TO: '{"5": "gone", "4": "web-b"}'}
    change = plan_change(
        wanted("undo", "StatefulSet", revision=1), workload(kind="StatefulSet", annotations=before), REVISIONS, NOW
    )
    assert change and change.content[-1] == {
        "op": "add",
        "path": "/metadata/annotations/slipway.kube~1undone-to",
        "value": '{"1": "web-a", "4": "web-b"}',
    }
    unnamed = plan_change(wanted("undo", "StatefulSet"), workload(kind="StatefulSet"), REVISIONS, NOW)
    assert unnamed and not any("undone-to" in step["path"] for step in unnamed.content)


def test_undo_without_anything_to_go_back_to_is_refused() -> None:
    with pytest.raises(RolloutError, match=r"Deployment shop/web has no revision before the current one \(2\)"):
        plan_change(wanted("undo"), workload(), REVISIONS[1:], NOW)
    with pytest.raises(
        RolloutError, match=r"has no revision 9; it has 1 \(copy:1, web:1, log:1\), 2 .*HistoryLimit \(5\)"
    ):
        plan_change(wanted("undo", revision=9), workload(revisionHistoryLimit=5), REVISIONS, NOW)


@pytest.mark.parametrize("action", ["undo", "restart"])
def test_what_a_paused_deployment_would_not_roll_is_refused(action: str) -> None:
    with pytest.raises(RolloutError, match=r"is paused.*action resume"):
        plan_change(wanted(action), workload(paused=True), REVISIONS, NOW)


def test_restart_always_changes_the_template_and_drops_the_old_cause() -> None:
    change = plan_change(wanted("restart"), workload(annotations={CHANGE_CAUSE: "old"}), REVISIONS, NOW)
    assert change and change.patch == "strategic"
    assert change.content["spec"]["template"]["metadata"]["annotations"] == {RESTARTED_AT: NOW}
    assert change.content["metadata"] == {"resourceVersion": "7", "annotations": {CHANGE_CAUSE: None}}


def test_set_image_names_only_the_containers_that_change() -> None:
    change = plan_change(
        wanted("set_image", images={"web": "web:3", "log": "log:1", "copy": "copy:2"}), workload(), [], NOW
    )
    assert change and change.content == {
        "metadata": {"resourceVersion": "7"},
        "spec": {
            "template": {
                "spec": {
                    "initContainers": [{"name": "copy", "image": "copy:2"}],
                    "containers": [{"name": "web", "image": "web:3"}],
                }
            }
        },
    }
    assert change.what == "gets new images (web: web:2 -> web:3, copy: copy:1 -> copy:2)"


def test_set_image_to_what_is_there_changes_nothing_but_a_cause_that_was_asked_for() -> None:
    have = {"web": "web:2"}
    assert plan_change(wanted("set_image", images=have), workload(annotations={CHANGE_CAUSE: "old"}), [], NOW) is None
    same = wanted("set_image", images=have, change_cause="old")
    assert plan_change(same, workload(annotations={CHANGE_CAUSE: "old"}), [], NOW) is None
    other = plan_change(wanted("set_image", images=have, change_cause="new"), workload(), [], NOW)
    assert other and other.content == {"metadata": {"resourceVersion": "7", "annotations": {CHANGE_CAUSE: "new"}}}


def test_set_image_of_containers_that_are_not_there_tells_all_of_them() -> None:
    with pytest.raises(RolloutError) as error:
        plan_change(wanted("set_image", images={"wep": "a", "zzz": "b"}), workload(), [], NOW)
    first, second = str(error.value).split("\n")
    assert first == (
        "images.wep: Deployment shop/web has no container of this name; it has copy, web, log. Did you mean web? [slipway:container_missing]"
    )
    assert second.startswith("images.zzz:") and second.endswith("Specify one of these. [slipway:container_missing]")


def test_scale_sets_the_number_and_nothing_else() -> None:
    change = plan_change(wanted("scale", replicas=0), workload(), [], NOW)
    assert change and (change.patch, change.content) == ("merge", {"spec": {"replicas": 0}})
    assert change.what == "is scaled from 3 to 0"
    assert plan_change(wanted("scale", replicas=3), workload(), [], NOW) is None


def test_pause_and_resume() -> None:
    pause = plan_change(wanted("pause"), workload(), [], NOW)
    assert pause and pause.content == {"spec": {"paused": True}}
    assert plan_change(wanted("resume"), workload(), [], NOW) is None
    resume = plan_change(wanted("resume"), workload(paused=True), [], NOW)
    assert resume and resume.content == {"spec": {"paused": None}}
    assert plan_change(wanted("pause"), workload(paused=True), [], NOW) is None


@pytest.mark.parametrize("action", ["status", "history"])
def test_looking_changes_nothing(action: str) -> None:
    assert plan_change(wanted(action), workload(), REVISIONS, NOW) is None


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"action": "scale", "replicas": 3, "revision": 2}, "revision: not applicable to action scale"),
        ({"action": "undo", "images": {"web": "web:1"}}, "images: not applicable to action undo"),
        ({"action": "set_image"}, "images: required by action set_image"),
        ({"action": "set_image", "images": {}}, "images: required by action set_image"),
        ({"action": "scale"}, "replicas: required by action scale"),
        ({"action": "scale", "replicas": -1}, "replicas: -1 is not a valid number of pods"),
        ({"action": "undo", "revision": -2}, "revision: -2 is not a valid revision"),
        ({"action": "pause", "kind": "StatefulSet"}, "a StatefulSet cannot be paused"),
        ({"action": "scale", "kind": "DaemonSet", "replicas": 2}, "one pod on every selected node"),
        ({"action": "set_image", "images": {"web": "Web:1"}}, "images.web: 'Web:1' is not a valid image name"),
        ({"action": "set_image", "images": {"web": None}}, "images.web: None is not a valid image name"),
        ({"action": "set_image", "images": {"web": "web:1 "}}, "images.web: 'web:1 ' is not a valid image name"),
    ],
)
def test_options_that_cannot_be_meant(more: dict[str, Any], told: str) -> None:
    (problem,) = option_problems(options(**more))
    assert told in problem


def test_all_problems_of_options_are_told_at_once() -> None:
    assert len(option_problems(options(action="scale", kind="DaemonSet", replicas=-1, revision=3))) == 3


@pytest.mark.parametrize(
    "image",
    [
        "nginx",
        "nginx:1.22",
        "library/nginx",
        "registry.example.com:5000/a/b_c/d-e:v1.2_x",
        "docker.io/library/postgres:15-bookworm",
        "[2001:db8::1]:5000/web:1",
        "localhost/web@sha256:" + "0" * 64,
        "registry.k8s.io/e2e-test-images/agnhost:2.63.0@sha256:" + "a" * 64,
    ],
)
def test_images_that_kubernetes_takes(image: str) -> None:
    assert option_problems(options(action="set_image", images={"web": image})) == []


def test_scaling_to_nothing_is_no_missing_option() -> None:
    assert option_problems(options(action="scale", replicas=0)) == []


def test_who_will_undo_a_change_is_told() -> None:
    released = workload(annotations={})
    released["metadata"]["labels"] = {"slipway.kube/release": "shop"}
    (text,) = warnings_for(wanted("set_image", images={}), released, [])
    assert "belongs to release shop" in text
    assert warnings_for(wanted("restart"), released, []) == []
    scaler = {
        "metadata": {"name": "web"},
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "minReplicas": 2, "maxReplicas": 10},
    }
    (text,) = warnings_for(wanted("scale", replicas=1), workload(), [scaler])
    assert "between 2 and 10" in text
    other = {"metadata": {"name": "web"}, "spec": {"scaleTargetRef": {"kind": "StatefulSet", "name": "web"}}}
    assert warnings_for(wanted("scale", replicas=1), workload(), [other]) == []


def test_changes_that_nothing_rolls_are_told() -> None:
    by_hand = workload(kind="StatefulSet", updateStrategy={"type": "OnDelete"})
    assert "OnDelete" in warnings_for(wanted("restart", "StatefulSet"), by_hand, [])[0]
    assert "is paused" in warnings_for(wanted("set_image", images={}), workload(paused=True), [])[0]
