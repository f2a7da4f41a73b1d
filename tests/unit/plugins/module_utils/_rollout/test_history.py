# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The revisions of a workload, read from ReplicaSets and ControllerRevisions."""

from __future__ import annotations

import copy
from typing import Any

from ansible_collections.slipway.kube.plugins.module_utils._rollout.history import (
    CHANGE_CAUSE,
    FORMER_REVISIONS,
    REVISION,
    UNDONE_TO,
    current,
    find,
    images_of,
    previous,
    revisions_of,
    same_template,
)


def template(image: str, **more: Any) -> dict[str, Any]:
    """A pod template as the API server completes it."""
    return {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "web", "image": image, "resources": {}}], **more},
    }


def workload(image: str, kind: str = "Deployment", **annotations: str) -> dict[str, Any]:
    """A workload with the uid ``u``."""
    return {
        "kind": kind,
        "metadata": {"name": "web", "uid": "u", "annotations": annotations},
        "spec": {"template": template(image)},
    }


def owned(name: str, uid: str = "u") -> dict[str, Any]:
    """Metadata of an object that a workload controls."""
    return {
        "name": name,
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "ownerReferences": [{"uid": uid, "controller": True}],
    }


def replica_set(number: int, image: str, former: str = "", cause: str = "", uid: str = "u") -> dict[str, Any]:
    """A ReplicaSet that keeps a revision of a Deployment."""
    annotations = {REVISION: str(number)}
    annotations.update({FORMER_REVISIONS: former} if former else {})
    annotations.update({CHANGE_CAUSE: cause} if cause else {})
    kept = template(image)
    kept["metadata"]["labels"]["pod-template-hash"] = f"h{number}"
    return {
        "kind": "ReplicaSet",
        "metadata": dict(owned(f"web-h{number}", uid), annotations=annotations),
        "spec": {"template": kept},
    }


def controller_revision(number: int, image: str, name: str = "") -> dict[str, Any]:
    """A ControllerRevision as the controllers of StatefulSets and DaemonSets write it."""
    data = {"spec": {"template": dict(template(image), **{"$patch": "replace"})}}
    data["spec"]["template"]["metadata"]["creationTimestamp"] = None
    return {
        "kind": "ControllerRevision",
        "metadata": owned(name or f"web-{number}"),
        "revision": number,
        "data": data,
    }


def test_revisions_of_a_deployment_are_read_in_their_order_and_the_current_one_is_known() -> None:
    kept = [replica_set(2, "web:2", cause="update"), replica_set(10, "web:3"), replica_set(1, "web:1")]
    found = revisions_of(workload("web:2"), kept)
    assert [one.number for one in found] == [1, 2, 10]
    assert [one.current for one in found] == [False, True, False]
    assert found[1].as_dict() == {
        "revision": 2,
        "name": "web-h2",
        "images": {"web": "web:2"},
        "change_cause": "update",
        "created": "2026-01-01T00:00:00Z",
        "former_revisions": [],
        "current": True,
    }
    assert "pod-template-hash" not in found[0].template["metadata"]["labels"]
    assert "pod-template-hash" in kept[0]["spec"]["template"]["metadata"]["labels"], "what was read is not changed"


def test_what_another_workload_or_nobody_controls_is_left_out() -> None:
    orphan = replica_set(3, "web:3")
    orphan["metadata"]["ownerReferences"] = []
    guest = replica_set(4, "web:4")
    guest["metadata"]["ownerReferences"][0]["controller"] = False
    found = revisions_of(
        workload("web:1"), [replica_set(1, "web:1"), replica_set(2, "web:2", uid="other"), orphan, guest]
    )
    assert [one.number for one in found] == [1]
    unnumbered = replica_set(1, "web:1")
    unnumbered["metadata"]["annotations"] = {}
    assert revisions_of(workload("web:1"), [unnumbered]) == []


def test_revisions_of_a_stateful_set_are_templates_without_the_words_of_a_patch() -> None:
    found = revisions_of(
        workload("db:2", "StatefulSet"), [controller_revision(2, "db:2"), controller_revision(1, "db:1")]
    )
    assert [(one.number, one.current) for one in found] == [(1, False), (2, True)]
    assert "$patch" not in found[0].template
    assert images_of(found[0].template) == {"web": "db:1"}


def test_a_template_that_came_twice_is_current_once() -> None:
    found = revisions_of(workload("web:1"), [replica_set(1, "web:1"), replica_set(2, "web:1")])
    assert [one.current for one in found] == [False, True]


def test_what_an_undo_goes_back_to() -> None:
    found = revisions_of(workload("web:3"), [replica_set(number, f"web:{number}") for number in (1, 2, 3)])
    assert previous(found) == found[1] and current(found) == found[2]
    behind = revisions_of(workload("web:1"), [replica_set(number, f"web:{number}") for number in (1, 2)])
    assert previous(behind) == behind[1], "a rollout whose controller has not counted yet"
    assert previous(found[2:]) is None
    unseen = revisions_of(workload("web:9"), [replica_set(1, "web:1"), replica_set(2, "web:2")])
    assert current(unseen) is None and previous(unseen) == unseen[1]


def test_a_revision_is_found_by_the_number_that_it_had_before() -> None:
    again = revisions_of(
        workload("web:1"), [replica_set(4, "web:1", former="1,3"), replica_set(2, "web:2", former="1")]
    )
    assert [find(again, number, {}).number for number in (1, 2, 3, 4)] == [4, 2, 4, 4]  # type: ignore[union-attr]
    assert find(again, 5, {}) is None


def test_a_controller_revision_is_found_by_our_note() -> None:
    noted = workload("db:1", "StatefulSet", **{UNDONE_TO: '{"1": "web-a"}'})
    found = revisions_of(noted, [controller_revision(3, "db:1", "web-a"), controller_revision(2, "db:2", "web-b")])
    assert find(found, 1, noted) == found[1] and found[1].current
    assert find(found, 7, noted) is None
    for broken in ("{", "[1]", '"1"'):
        assert find(found, 1, workload("db:1", "StatefulSet", **{UNDONE_TO: broken})) is None


def test_templates_are_compared_by_what_they_mean() -> None:
    one = template("web:1")
    stored = copy.deepcopy(one)
    stored["metadata"].update({"creationTimestamp": None, "annotations": {}})
    assert same_template(one, stored)
    assert not same_template(one, template("web:1", nodeSelector={"disk": "ssd"}))
    affinity = template("web:1", affinity={"term": {"namespaceSelector": {}}})
    assert not same_template(affinity, template("web:1", affinity={"term": {}})), "an empty selector selects everything"


def test_images_of_all_containers() -> None:
    both = template("web:1", initContainers=[{"name": "copy", "image": "busybox"}])
    assert images_of(both) == {"copy": "busybox", "web": "web:1"} and images_of({}) == {}
