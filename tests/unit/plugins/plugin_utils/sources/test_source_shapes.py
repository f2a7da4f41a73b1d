# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects whose parts have the wrong type are refused with the path of the field, all of them together."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.plugin_utils.sources.checks import Source, check

GROUPS = {
    "Deployment": "apps/v1",
    "StatefulSet": "apps/v1",
    "DaemonSet": "apps/v1",
    "ReplicaSet": "apps/v1",
    "Job": "batch/v1",
    "CronJob": "batch/v1",
    "Ingress": "networking.k8s.io/v1",
    "HorizontalPodAutoscaler": "autoscaling/v2",
    "CustomResourceDefinition": "apiextensions.k8s.io/v1",
    "Role": "rbac.authorization.k8s.io/v1",
    "Gadget": "x.io/v1",
}
NAMES = {"kind": "Thing", "plural": "things"}
WHOLE = {"group": "x.io", "names": NAMES, "versions": [{"name": "v1"}]}


def problems(kind: str, spec: Any = None, api_version: str = "", **metadata: Any) -> list[str]:
    """Return the problems of an object."""
    content = {
        "apiVersion": api_version or GROUPS.get(kind, "v1"),
        "kind": kind,
        "metadata": {"name": "x", **metadata},
        "spec": spec,
    }
    return list(check([Source(content, "a.yml")], "web"))


@pytest.mark.parametrize(
    "kind",
    [
        "Pod",
        "ReplicationController",
        "ReplicaSet",
        "Deployment",
        "StatefulSet",
        "DaemonSet",
        "Job",
        "CronJob",
        "Service",
        "PersistentVolume",
        "PersistentVolumeClaim",
        "Ingress",
        "HorizontalPodAutoscaler",
        "CustomResourceDefinition",
    ],
)
@pytest.mark.parametrize(("spec", "called"), [("x", "a string"), (["x"], "a list"), (3, "a number")])
def test_a_spec_is_a_mapping(kind: str, spec: Any, called: str) -> None:
    assert problems(kind, spec) == [f"a.yml: {kind} x: spec must be a mapping, not {called}."]


@pytest.mark.parametrize(
    ("kind", "spec", "told"),
    [
        ("Deployment", {"template": "x"}, "spec.template must be a mapping, not a string"),
        ("Deployment", {"template": {"spec": ["x"]}}, "spec.template.spec must be a mapping, not a list"),
        (
            "DaemonSet",
            {"template": {"spec": {"nodeSelector": "x"}}},
            "spec.template.spec.nodeSelector must be a mapping, not a string",
        ),
        ("Pod", {"nodeSelector": "x"}, "spec.nodeSelector must be a mapping, not a string"),
        ("CronJob", {"jobTemplate": "x"}, "spec.jobTemplate must be a mapping, not a string"),
        (
            "CronJob",
            {"jobTemplate": {"spec": {"template": 3}}},
            "spec.jobTemplate.spec.template must be a mapping, not a number",
        ),
        ("StatefulSet", {"volumeClaimTemplates": {}}, "spec.volumeClaimTemplates must be a list, not a mapping"),
        (
            "StatefulSet",
            {"volumeClaimTemplates": ["x"]},
            "spec.volumeClaimTemplates[0] must be a mapping, not a string",
        ),
        (
            "StatefulSet",
            {"volumeClaimTemplates": [{"spec": "x"}]},
            "spec.volumeClaimTemplates[0].spec must be a mapping, not a string",
        ),
        ("HorizontalPodAutoscaler", {"scaleTargetRef": "x"}, "spec.scaleTargetRef must be a mapping, not a string"),
        ("HorizontalPodAutoscaler", {"metrics": "x"}, "spec.metrics must be a list, not a string"),
        ("HorizontalPodAutoscaler", {"metrics": [None]}, "spec.metrics[0] must be a mapping, not null"),
        (
            "Pod",
            {"priorityClassName": ["x"]},
            "spec.priorityClassName must be a string, not a list. Enclose it in quotes",
        ),
        ("HorizontalPodAutoscaler", {"metrics": [{}, "x"]}, "spec.metrics[1] must be a mapping, not a string"),
    ],
)
def test_what_is_in_a_spec_has_its_shape(kind: str, spec: Any, told: str) -> None:
    assert problems(kind, spec) == [f"a.yml: {kind} x: {told}."]


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        (
            None,
            [
                "spec.group is required",
                "spec.versions is required",
                "spec.names.kind is required",
                "spec.names.plural is required",
            ],
        ),
        (dict(WHOLE, group=""), ["spec.group is required"]),
        (dict(WHOLE, group=3), ["spec.group must be a string, not a number. Enclose it in quotes"]),
        (dict(WHOLE, names="x"), ["spec.names must be a mapping, not a string"]),
        (dict(WHOLE, names={"kind": "Thing"}), ["spec.names.plural is required"]),
        (dict(WHOLE, versions="v1"), ["spec.versions must be a list, not a string"]),
        (
            dict(WHOLE, group=3, versions=[]),
            ["spec.group must be a string, not a number. Enclose it in quotes", "spec.versions is required"],
        ),
        (dict(WHOLE, versions=["v1"]), ["spec.versions[0] must be a mapping, not a string"]),
        (dict(WHOLE, versions=[{"name": "v1"}, {}]), ["spec.versions[1].name is required"]),
        (WHOLE, []),
    ],
)
def test_a_definition_says_what_it_defines(spec: Any, told: list[str]) -> None:
    assert problems("CustomResourceDefinition", spec) == [
        f"a.yml: CustomResourceDefinition x: {line}." for line in told
    ]


@pytest.mark.parametrize("name", ["a b", "a\tb", "a/b", "a%20b", ".", "..", "a\n"])
@pytest.mark.parametrize("key", ["name", "namespace"])
def test_a_name_is_one_segment_of_a_path(key: str, name: str) -> None:
    (told,) = problems("ConfigMap", **{key: name})
    assert f"metadata.{key} {name!r} cannot be part of a path of the API" in told


def test_names_and_shapes_that_the_server_takes_are_taken() -> None:
    assert not problems("Role", name="system:node proxier")
    assert not problems("Gadget", "x", name="a.b-c")
    assert not problems("Service", "x", api_version="serving.x.dev/v1")
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"nodeSelector": None, "containers": []}}
    assert not problems("Deployment", {"template": template})
    assert not problems("CronJob", {"jobTemplate": {"spec": {"template": template}}})
    assert not problems("HorizontalPodAutoscaler", {"scaleTargetRef": {"kind": "Deployment"}, "metrics": []})


def test_every_problem_is_told_at_once() -> None:
    assert len(problems("Deployment", "x", name="a b", namespace="c/d")) == 3
