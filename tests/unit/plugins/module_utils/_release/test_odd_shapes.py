# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever stands at whatever place of an object, it is refused by name or left to the server, and never ends in a traceback."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._kube.objects import Resource, difference, reference, stages
from ansible_collections.slipway.kube.plugins.module_utils._kube.redaction import Redactor
from ansible_collections.slipway.kube.plugins.module_utils._kube.schema import Schema
from ansible_collections.slipway.kube.plugins.module_utils._release import capabilities, context, prune, replicas
from ansible_collections.slipway.kube.plugins.module_utils._release.desired import build_desired
from ansible_collections.slipway.kube.plugins.module_utils._release.errors import ReleaseError
from ansible_collections.slipway.kube.plugins.module_utils._release.settings import Settings

ODD: list[Any] = [None, [], {}, "x", 5, True, [None], ["x"], {"x": None}, [[]], [{"name": []}]]
POD = {
    "metadata": {"labels": {"a": "b"}},
    "spec": {"containers": [{"name": "c"}], "nodeSelector": {"a": "b"}, "priorityClassName": "p"},
}
SPECS: dict[tuple[str, str], dict[str, Any]] = {
    ("apps/v1", "Deployment"): {"spec": {"replicas": 1, "template": POD}},
    ("apps/v1", "StatefulSet"): {
        "spec": {"template": POD, "volumeClaimTemplates": [{"spec": {"storageClassName": "s"}}]}
    },
    ("batch/v1", "CronJob"): {"spec": {"jobTemplate": {"spec": {"template": POD}}}},
    ("v1", "Secret"): {"data": {"a": "YQ=="}, "stringData": {"b": "c"}},
    ("networking.k8s.io/v1", "Ingress"): {"spec": {"ingressClassName": "x"}},
    ("autoscaling/v2", "HorizontalPodAutoscaler"): {
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "n"}, "metrics": [{"type": "Resource"}]}
    },
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"): {
        "spec": {
            "group": "x.io",
            "scope": "Namespaced",
            "names": {"kind": "Thing", "plural": "things"},
            "versions": [
                {
                    "name": "v1",
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "required": ["spec"],
                            "properties": {
                                "spec": {
                                    "anyOf": [{"required": ["a"]}],
                                    "additionalProperties": {"type": "string", "enum": ["a"]},
                                }
                            },
                        }
                    },
                }
            ],
        }
    },
}
SERVED = {key: Resource(key[1].lower() + "s", key[1] != "CustomResourceDefinition") for key in SPECS}
THING = {"apiVersion": "x.io/v1", "kind": "Thing", "metadata": {"name": "t"}, "spec": {"a": "b", "c": ["d"]}}


class Nobody:
    """A cluster that has nothing."""

    def get(self, path: str, *_more: Any, **_options: Any) -> Any:
        return {}

    def find(self, path: str) -> None:
        return None

    def items(self, *_more: Any, **_options: Any) -> list[Any]:
        return []


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a structure."""
    yield path
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in pairs:
        yield from places(below, (*path, key))


def changed(value: dict[str, Any], path: tuple[Any, ...], odd: Any) -> Any:
    """The structure with another value at a place."""
    if not path:
        return copy.deepcopy(odd)
    made = place = copy.deepcopy(value)
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = copy.deepcopy(odd)
    return made


def everything(content: Any) -> None:
    """All that looks into objects before, or without, the server."""
    client: Any = Nobody()
    Redactor([content])
    settings = Settings("web", objects=[content, THING])
    try:
        objects = build_desired(settings, SERVED).objects
    except ReleaseError:
        return
    Redactor(objects)
    schema = Schema(client, objects)
    for one in objects:
        replicas.autoscaled(one, objects)
        replicas.without_replicas(one)
        replicas.with_replicas_of({"spec": {"replicas": 1}}, one)
        schema.problems(one)
        difference(reference(one), {}, one)
        difference(reference(one), one, THING)
    capabilities.warnings(client, objects)
    stages(objects)
    prune.select(objects, objects, objects, settings)
    run = context.Context(client, settings, lambda _name: "", Redactor())
    run.workloads(objects)
    run.waited_for(objects)
    run.rules.notices(objects)


@pytest.mark.parametrize("kind", SPECS, ids=lambda kind: kind[1])
def test_odd_shapes_end_in_no_traceback(kind: tuple[str, str]) -> None:
    metadata = {
        "name": "n",
        "namespace": "default",
        "labels": {"a": "b"},
        "annotations": {"slipway.kube/version-of": "f"},
    }
    content = {"apiVersion": kind[0], "kind": kind[1], "metadata": metadata, **SPECS[kind]}
    for path in places(content):
        for odd in ODD:
            everything(changed(content, path, odd))


def test_an_autoscaler_of_another_group_is_none_of_ours() -> None:
    content = {"kind": "Deployment", "metadata": {"name": "n"}, "spec": {}}
    odd = {"apiVersion": "x.io/v1", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "n"}, "spec": ["x"]}
    assert not replicas.autoscaled(content, [odd])


def test_the_number_of_pods_stays_where_the_new_content_has_no_spec() -> None:
    owner = {"manager": "slipway.kube", "fieldsV1": {"f:spec": {"f:replicas": {}}}}
    live = {"metadata": {"managedFields": [owner]}, "spec": {"replicas": 3}}
    assert replicas.with_replicas_of(live, {"kind": "Thing"})["spec"] == {"replicas": 3}


def test_a_secret_of_a_wrong_shape_is_not_shown() -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s"},
        "data": ["c4n4ry"],
        "stringData": "c4n4ry",
    }
    assert "c4n4ry" not in str(difference(reference(secret), {}, secret))
