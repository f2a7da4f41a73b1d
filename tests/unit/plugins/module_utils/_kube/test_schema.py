# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects against what a real API server (1.36) says of its kinds; the answers are kept in openapi/trimmed.json, without their texts."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._kube.api import ApiError
from ansible_collections.slipway.kube.plugins.module_utils._kube.schema import Schema

ANSWERS = json.loads((Path(__file__).parent / "openapi/trimmed.json").read_text(encoding="utf-8"))
CANARY = "c4n4ry-of-a-secret"


class Server:
    """Stands for the client: what a real server answered."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def get(self, path: str) -> Any:
        """The answer at a path."""
        self.asked.append(path)
        if path not in ANSWERS:
            raise ApiError(404, "NotFound", path)
        return ANSWERS[path]


def schema(*contents: dict[str, Any]) -> Schema:
    """The schema of that server."""
    return Schema(Server(), contents)  # type: ignore[arg-type]


@pytest.mark.parametrize("odd", [{"properties": ["spec"]}, {"items": "x"}, {"anyOf": [3]}, {"required": [[]]}])
def test_a_schema_that_is_none_refuses_nothing(odd: dict[str, Any]) -> None:
    spec = {
        "group": "x.io",
        "names": {"kind": "Thing"},
        "versions": ["v0", {"name": "v1", "schema": {"openAPIV3Schema": {"properties": {"spec": odd}}}}],
    }
    brought = schema(
        {"kind": "CustomResourceDefinition", "spec": spec}, {"kind": "CustomResourceDefinition", "spec": [3]}
    )
    thing = {"apiVersion": "x.io/v1", "kind": "Thing", "metadata": {"name": "t"}, "spec": {"a": ["b"]}}
    assert brought.problems(thing) == []


def deployment() -> dict[str, Any]:
    """A good Deployment."""
    container = {
        "name": "web",
        "image": "a:1",
        "ports": [{"containerPort": 80, "name": "http"}],
        "env": [{"name": "A", "value": "b"}, {"name": "B", "value": None}],
        "resources": {"limits": {"cpu": 1, "memory": "64Mi"}, "requests": {"cpu": 0.5}},
        "livenessProbe": {"httpGet": {"port": "http", "path": "/"}},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", "labels": {"app.kubernetes.io/name": "web"}},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"a": "b"}},
            "strategy": {"rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}},
            "template": {
                "metadata": {"labels": {"a": "b"}, "creationTimestamp": None},
                "spec": {"containers": [container]},
            },
        },
    }


def changed(path: str, value: Any) -> dict[str, Any]:
    """The Deployment with one field set."""
    content = copy.deepcopy(deployment())
    *parents, last = path.split("/")
    place: Any = content
    for part in parents:
        place = place[int(part)] if isinstance(place, list) else place.setdefault(part, {})
    place[last] = value
    return content


POD = "spec/template/spec/"
FIRST = POD + "containers/0/"
TOLD = "spec.template.spec.containers[0]."


def test_a_good_object_has_no_problems_and_each_group_is_read_once() -> None:
    server = Server()
    known = Schema(server)  # type: ignore[arg-type]
    assert known.problems(deployment()) == [] and known.problems(deployment()) == []
    assert len(server.asked) == 2 and server.asked[0] == "/openapi/v3" and "apis/apps/v1?hash=" in server.asked[1]


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("spec/replica", 3, "spec.replica is not a known field; did you mean spec.replicas?"),
        (
            FIRST + "imagepullpolicy",
            "Always",
            TOLD + f"imagepullpolicy is not a known field; did you mean {TOLD}imagePullPolicy?",
        ),
        (
            "spec/containers",
            [],
            "spec.containers is not a known field; did you mean spec.template.spec.containers?",
        ),
        ("replicas", 3, "replicas is not a known field; did you mean spec.replicas?"),
        ("spec/replicas", "3", "spec.replicas is a string, but must be an integer. Remove the quotes."),
        ("spec/replicas", True, "spec.replicas is a boolean, but must be an integer."),
        ("spec/replicas", 1.5, "spec.replicas is a number, but must be an integer."),
        (FIRST + "args", "one", TOLD + "args is a string, but must be a list."),
        (FIRST + "args", ["a", 5], TOLD + "args[1] is a number, but must be a string. Quote the value."),
        (FIRST + "env", {"A": "b"}, TOLD + "env is a mapping, but must be a list."),
        (
            FIRST + "imagePullPolicy",
            "Allways",
            TOLD + "imagePullPolicy is 'Allways', but must be one of Always, IfNotPresent, Never; did you mean Always?",
        ),
        (FIRST + "name", None, TOLD + "name is missing."),
        (
            FIRST + "resources/limits",
            {"cpu": []},
            TOLD + "resources.limits.cpu is a list, but must be a string or a number.",
        ),
        ("spec/selector", None, "spec.selector is missing."),
        (
            "metadata/labels",
            {"a.b/c": 1},
            "metadata.labels[a.b/c] is a number, but must be a string. Quote the value.",
        ),
        ("metadata/nmae", "x", "metadata.nmae is not a known field; did you mean metadata.name?"),
        (
            POD + "securityContext/runAsNonRoot",
            "true",
            "spec.template.spec.securityContext.runAsNonRoot is a string, but must be a boolean. Remove the quotes.",
        ),
        (
            FIRST + "livenessProbe/httpGet/port",
            [],
            TOLD + "livenessProbe.httpGet.port is a list, but must be an integer or a string.",
        ),
        (
            "spec/strategy/foo",
            1,
            "spec.strategy.foo is not a known field; known fields: rollingUpdate, type.",
        ),
    ],
)
def test_each_kind_of_problem_is_told_with_its_path(path: str, value: Any, told: str) -> None:
    assert schema().problems(changed(path, value)) == ["Deployment shop/web: " + told]


def test_all_problems_of_an_object_are_told_at_once() -> None:
    content = changed("spec/replicas", "3")
    content["spec"]["stratgy"] = {}
    assert len(schema().problems(content)) == 2


def test_values_of_secrets_are_not_told() -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s"},
        "data": {"a": CANARY, "b": "YQ==", "c": "YQ\n==", "d": [CANARY]},
        "stringData": {"e": {"x": CANARY}},
    }
    told = schema().problems(secret)
    assert len(told) == 3 and CANARY not in str(told)
    assert "Secret s: data.a is not base64. Encode the value, or set it as plain text under stringData." in told


def test_kinds_and_versions_that_are_not_there_are_told_with_the_nearest() -> None:
    known = schema()
    assert known.problems(dict(deployment(), kind="Deploiment")) == [
        "Deploiment shop/web: apps/v1 has no kind Deploiment; did you mean Deployment?"
    ]
    assert known.problems(dict(deployment(), apiVersion="app/v1")) == [
        "Deployment shop/web: the cluster does not serve app/v1; did you mean apps/v1?"
    ]


def definition() -> dict[str, Any]:
    """A definition that comes with the objects."""
    properties = {
        "size": {"type": "integer", "minimum": 1, "maximum": 5},
        "color": {"type": "string", "enum": ["red", "blue"]},
        "port": {"x-kubernetes-int-or-string": True},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "pod": {"type": "object", "x-kubernetes-embedded-resource": True, "properties": {"spec": {"type": "object"}}},
    }
    spec = {"type": "object", "required": ["size"], "properties": properties}
    version = {"name": "v1", "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}}
    names = {"kind": "Thing", "plural": "things"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "things.x.io"},
        "spec": {"group": "x.io", "names": names, "scope": "Namespaced", "versions": [version]},
    }


def test_a_new_kind_is_held_against_the_definition_that_comes_with_it() -> None:
    known = schema(definition())

    def told(spec: dict[str, Any], **metadata: Any) -> list[str]:
        content = {"apiVersion": "x.io/v1", "kind": "Thing", "metadata": {"name": "t", **metadata}, "spec": spec}
        return [problem.partition(": ")[2] for problem in known.problems(content)]

    good = {"size": 3, "color": "red", "port": "http", "free": {"any": {"thing": 1}}}
    assert told(dict(good, pod={"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {}})) == []
    assert told({}) == ["spec.size is missing."]
    assert told({"size": 7, "colour": "red"}) == [
        "spec.size is 7, but must be at most 5.",
        "spec.colour is not a known field; did you mean spec.color?",
    ]
    assert told({"size": 0, "color": "rod"}) == [
        "spec.size is 0, but must be at least 1.",
        "spec.color is 'rod', but must be one of red, blue; did you mean red?",
    ]
    assert told(good, lables={}) == ["metadata.lables is not a known field; did you mean metadata.labels?"]
