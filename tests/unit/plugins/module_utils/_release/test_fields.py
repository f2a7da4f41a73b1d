# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets of fields: what is ours, what is taken over, what refusals say of them."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._kube.api import ApiError
from ansible_collections.slipway.kube.plugins.module_utils._kube.objects import Reference
from ansible_collections.slipway.kube.plugins.module_utils._kube.redaction import without_values
from ansible_collections.slipway.kube.plugins.module_utils._release.api_errors import (
    conflicts,
    explain_refusal,
    immutable_fields,
    is_immutable,
)
from ansible_collections.slipway.kube.plugins.module_utils._release.field_migration import (
    migrated,
    migration,
    subtract,
    union,
    without_taken,
)
from ansible_collections.slipway.kube.plugins.module_utils._release.fingerprint import live_digest, projection

POD = {
    "spec": {
        "containers": [
            {"name": "a", "image": "x:1", "ports": [{"containerPort": 80, "protocol": "TCP", "name": "http"}]},
            {"name": "b", "image": "y:1"},
        ],
        "finalizers": ["one", "two"],
    }
}
FIELDS = {
    "f:spec": {
        "f:containers": {
            'k:{"name":"a"}': {
                ".": {},
                "f:image": {},
                "f:ports": {'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:name": {}}},
            }
        },
        "f:finalizers": {'v:"two"': {}},
    }
}


def test_a_projection_holds_exactly_the_fields() -> None:
    ports = {'k:{"containerPort":80,"protocol":"TCP"}': {".": True, "f:name": "http"}}
    assert projection(FIELDS, POD) == {
        "f:spec": {
            "f:containers": {'k:{"name":"a"}': {".": True, "f:image": "x:1", "f:ports": ports}},
            "f:finalizers": {'v:"two"': "two"},
        }
    }
    assert (
        projection({"f:spec": {"f:containers": {"i:1": {}, "i:5": {}}}}, POD)["f:spec"]["f:containers"]["i:5"] is None
    )


@pytest.mark.parametrize(
    ("change", "same"),
    [
        (lambda live: live["spec"]["containers"][1].update(image="y:2"), True),
        (lambda live: live["metadata"].update(resourceVersion="9", generation=4), True),
        (lambda live: live.update(status={"phase": "Running"}), True),
        (lambda live: live["spec"]["containers"][0].update(image="x:2"), False),
        (lambda live: live["spec"]["containers"].pop(0), False),
        (lambda live: live["spec"]["finalizers"].remove("two"), False),
        (lambda live: live["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"].pop("f:finalizers"), False),
        (lambda live: live["metadata"]["managedFields"].clear(), False),
    ],
)
def test_a_digest_changes_with_our_fields_and_with_no_others(change: Any, same: bool) -> None:
    import copy

    entry = {"manager": "slipway.kube", "operation": "Apply", "fieldsV1": FIELDS}
    live = copy.deepcopy({**POD, "metadata": {"managedFields": [entry]}})
    before = live_digest(live)
    change(live)
    assert (live_digest(live) == before) is same and before


def entry(manager: str, fields: Any, operation: str = "Update", **more: Any) -> dict[str, Any]:
    """An entry of managedFields."""
    return {
        "manager": manager,
        "operation": operation,
        "apiVersion": "v1",
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
        **more,
    }


def test_entries_are_joined_under_our_name() -> None:
    entries = [
        entry("kubectl-client-side-apply", {"f:data": {".": {}, "f:a": {}}}),
        entry("slipway.kube", {"f:data": {"f:b": {}}}, "Apply"),
        entry("kubectl-client-side-apply", {"f:status": {}}, subresource="status"),
        entry("someone", {"f:data": {"f:c": {}}}),
    ]
    found = migrated(entries, ["kubectl-client-side-apply"]) or []
    assert [(one["manager"], one["operation"]) for one in found] == [
        ("kubectl-client-side-apply", "Update"),
        ("someone", "Update"),
        ("slipway.kube", "Apply"),
    ]
    assert found[-1]["fieldsV1"] == {"f:data": {".": {}, "f:a": {}, "f:b": {}}}
    assert migrated(entries, ["nobody"]) is None
    patch = migration({"metadata": {"managedFields": entries, "resourceVersion": "7"}}, ["kubectl-client-side-apply"])
    assert patch[1] == {"op": "replace", "path": "/metadata/resourceVersion", "value": "7"}


def test_sets_of_fields() -> None:
    left = {"f:data": {".": {}, "f:a": {}, "f:b": {"f:c": {}}}}
    assert subtract(left, {"f:data": {"f:a": {}}}) == {"f:data": {"f:b": {"f:c": {}}}}
    assert subtract(left, {"f:data": {"f:a": {}, "f:b": {"f:c": {}}}}) == {}
    assert subtract(left, {}) == left
    assert union({"f:a": {"f:b": {}}}, {"f:a": {"f:c": {}}}) == {"f:a": {"f:b": {}, "f:c": {}}}


def test_what_a_take_over_removes_is_predicted() -> None:
    ours = {"f:data": {"f:a": {}}, "f:spec": {"f:containers": {'k:{"name":"a"}': {".": {}, "f:image": {}}}}}
    theirs = {
        "f:data": {".": {}, "f:a": {}, "f:z": {}},
        "f:spec": {
            "f:containers": {
                'k:{"name":"a"}': {".": {}, "f:image": {}, "f:tty": {}},
                'k:{"name":"b"}': {".": {}, "f:image": {}},
            }
        },
    }
    live = {"metadata": {"managedFields": [entry("old", theirs)]}}
    content = {
        "data": {"a": "1", "z": "2"},
        "spec": {"containers": [{"name": "a", "image": "x", "tty": True}, {"name": "b", "image": "y"}]},
    }
    answer = {
        **content,
        "metadata": {"managedFields": [entry("slipway.kube", ours, "Apply"), *live["metadata"]["managedFields"]]},
    }
    after = without_taken(live, answer, ["old"])
    assert after["data"] == {"a": "1"} and after["spec"] == {"containers": [{"name": "a", "image": "x"}]}
    assert content["data"] == {"a": "1", "z": "2"}


def test_fields_that_only_the_server_names_as_a_part_are_found() -> None:
    message = "Forbidden: updates to statefulset spec for fields other than 'replicas', 'template', 'updateStrategy' are forbidden"
    error = ApiError(
        422,
        "Invalid",
        'StatefulSet.apps "db" is invalid: spec: ' + message,
        causes=[{"field": "spec", "message": message}],
    )
    live = {
        "spec": {
            "replicas": 1,
            "serviceName": "a",
            "volumeClaimTemplates": [{"metadata": {"name": "d"}, "spec": {"size": "1Gi"}}],
            "template": {"x": 1},
        }
    }
    wanted = {
        "spec": {
            "replicas": 2,
            "serviceName": "b",
            "volumeClaimTemplates": [{"metadata": {"name": "d"}, "spec": {"size": "2Gi"}}],
            "template": {"x": 2},
        }
    }
    assert is_immutable(error)
    assert immutable_fields(error, live, wanted) == ["spec.serviceName", "spec.volumeClaimTemplates[d].spec.size"]
    live["spec"]["volumeClaimTemplates"][0]["spec"]["size"] = "2048Mi"
    assert immutable_fields(error, live, wanted) == ["spec.serviceName"]


@pytest.mark.parametrize(
    "message",
    [
        "spec.clusterIPs[0]: Invalid value: []: may not change once set",
        "data: Forbidden: field is immutable when `immutable` is set",
        "roleRef: Invalid value: {}: cannot change roleRef",
        "parameters: Forbidden: updates to parameters are forbidden.",
        "spec: Forbidden: spec is immutable after creation except resources.requests",
        "value: Forbidden: may not be changed in an update.",
    ],
)
def test_the_many_words_for_immutable(message: str) -> None:
    assert is_immutable(ApiError(422, "Invalid", message))
    assert not is_immutable(
        ApiError(422, "Invalid", "spec.ports[0].port: Invalid value: 99999: must be between 1 and 65535")
    )


def test_claims_are_not_replaced_whatever_the_policy() -> None:
    error = ApiError(
        422,
        "Invalid",
        "spec: Forbidden: spec is immutable after creation",
        causes=[{"field": "spec", "message": "spec is immutable"}],
    )
    name = Reference("v1", "PersistentVolumeClaim", "n", "c")
    text = explain_refusal(
        error, name, {"spec": {"storageClassName": "a"}}, {"spec": {"storageClassName": "b"}}, "immutable"
    )
    assert "would change: spec.storageClassName. The object is never replaced" in text


def test_owners_of_conflicting_fields() -> None:
    causes = [
        {
            "field": ".spec.replicas",
            "message": 'conflict with "kube-controller-manager" with subresource "scale" using apps/v1',
        },
        {"field": ".data.a", "message": 'conflict with "kubectl-edit" using v1'},
    ]
    error = ApiError(409, "Conflict", "2 conflicts", causes=causes)
    assert conflicts(error) == {
        ("kube-controller-manager", "scale"): [".spec.replicas"],
        ("kubectl-edit", ""): [".data.a"],
    }
    text = explain_refusal(error, Reference("apps/v1", "Deployment", "n", "d"), {}, {}, "never")
    assert "kube-controller-manager owns spec.replicas (through scale); kubectl-edit owns data.a" in text


@pytest.mark.parametrize(
    ("message", "left"),
    [
        (
            'Invalid value: {"containers":[{"env":[{"name":"P","value":"canary-9"}]}]}: field is immutable',
            "field is immutable",
        ),
        ('.data.password: expected string, got &value.valueUnstructured{Value:"canary-9"}', "got another type"),
        ('Invalid value: "' + "canary-9" * 30 + '": too long', "too long"),
    ],
)
def test_values_are_not_repeated(message: str, left: str) -> None:
    error = without_values(ApiError(422, "Invalid", "x: " + message, causes=[{"field": "x", "message": message}]))
    assert (
        "canary-9" not in error.message and "canary-9" not in str(error.causes) and left in error.causes[0]["message"]
    )
    assert "canary-9" not in without_values(ApiError(500, "", message)).message
