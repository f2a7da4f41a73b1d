# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects as data: names, order, contents and differences."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._kube.objects import (
    BadObject,
    Reference,
    Resource,
    content_of,
    defined_kinds,
    difference,
    flatten,
    place,
    read_discovery,
    reference,
    stages,
)

DISCOVERY = {
    "kind": "APIGroupDiscoveryList",
    "items": [
        {
            "metadata": {"name": "apps"},
            "versions": [
                {
                    "version": "v1",
                    "resources": [
                        {"resource": "deployments", "responseKind": {"kind": "Deployment"}, "scope": "Namespaced"}
                    ],
                }
            ],
        },
        {
            "versions": [
                {
                    "version": "v1",
                    "resources": [
                        {"resource": "namespaces", "responseKind": {"kind": "Namespace"}, "scope": "Cluster"}
                    ],
                }
            ]
        },
    ],
}


def some(kind: str, name: str = "x", api_version: str = "v1", **more: Any) -> dict[str, Any]:
    """An object."""
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **more}


def test_lists_are_opened_and_empty_documents_left_out() -> None:
    found = flatten(
        [
            None,
            {},
            some("A"),
            {"kind": "List", "apiVersion": "v1", "items": [some("B"), {"kind": "CList", "items": [some("C")]}]},
        ]
    )
    assert [content["kind"] for content in found] == ["A", "B", "C"]


@pytest.mark.parametrize(
    ("contents", "says"),
    [
        (["text"], "Object 1 is str instead of a mapping"),
        ([{"kind": "A", "metadata": {}}], r"Object 1 \(A \) lacks apiVersion, metadata.name"),
        ([some("A"), some("A")], "Objects 1 and 2 are both A x"),
        ([some("A", api_version="apps/v1"), some("A", api_version="apps/v1beta1")], "both"),
        (
            [{"kind": "A", "apiVersion": "v1", "metadata": ["x"]}],
            r"lacks metadata.name. .*\n.*has list in metadata instead of a mapping",
        ),
        ([some("A", api_version=["v1"])], r"Object 1 \(A x\) has list in apiVersion instead of a string"),
        (
            [some("A", name=5), some({"a": 1})],
            r"has int in metadata.name instead of a string. .*\nObject 2 .* has dict in kind",
        ),
        ([{"kind": "A", "apiVersion": "v1", "metadata": {"name": "x", "namespace": 7}}], "int in metadata.namespace"),
    ],
)
def test_what_is_no_object_is_refused(contents: list[Any], says: str) -> None:
    with pytest.raises(BadObject, match=says):
        flatten(contents)


def test_kinds_come_from_discovery_and_from_definitions() -> None:
    kinds = read_discovery([DISCOVERY])
    assert kinds == {
        ("apps/v1", "Deployment"): Resource("deployments", True),
        ("v1", "Namespace"): Resource("namespaces", False),
    }
    spec = {
        "group": "x.io",
        "names": {"kind": "Thing", "plural": "things"},
        "scope": "Namespaced",
        "versions": [{"name": "v1"}],
    }
    assert defined_kinds([some("CustomResourceDefinition", spec=spec)]) == {
        ("x.io/v1", "Thing"): Resource("things", True)
    }


def test_kinds_that_controllers_define() -> None:
    names = {"kind": "K8sRequiredLabels"}
    template = some(
        "ConstraintTemplate", api_version="templates.gatekeeper.sh/v1", spec={"crd": {"spec": {"names": names}}}
    )
    kinds = defined_kinds([template])
    assert kinds[("constraints.gatekeeper.sh/v1beta1", "K8sRequiredLabels")] == Resource("k8srequiredlabels", False)
    spec: dict[str, Any] = {
        "group": "x.io",
        "names": {"kind": "XDatabase", "plural": "xdatabases"},
        "claimNames": {"kind": "Database", "plural": "databases"},
        "versions": [{"name": "v1"}],
    }
    kind = "CompositeResourceDefinition"
    assert defined_kinds([some(kind, api_version="apiextensions.crossplane.io/v1", spec=spec)]) == {
        ("x.io/v1", "XDatabase"): Resource("xdatabases", False),
        ("x.io/v1", "Database"): Resource("databases", True),
    }
    del spec["claimNames"]
    for scope, namespaced in ((None, True), ("Namespaced", True), ("Cluster", False), ("LegacyCluster", False)):
        second = some(
            kind, api_version="apiextensions.crossplane.io/v2", spec=dict(spec, **({"scope": scope} if scope else {}))
        )
        assert defined_kinds([second]) == {("x.io/v1", "XDatabase"): Resource("xdatabases", namespaced)}
        first = dict(second, apiVersion="apiextensions.crossplane.io/v1")
        expected = {("x.io/v1", "XDatabase"): Resource("xdatabases", scope == "Namespaced")}
        assert defined_kinds([first]) == expected, "Crossplane 2 knows the scope in both versions, with other defaults"
    for odd in ("x", {"crd": 3}, {"group": "x.io", "names": {"kind": ["A"]}, "versions": [{"name": "v1"}, 3]}):
        for one in ("templates.gatekeeper.sh/v1", "apiextensions.crossplane.io/v1"):
            assert (
                defined_kinds(
                    [some("ConstraintTemplate", api_version=one, spec=odd), some(kind, api_version=one, spec=odd)]
                )
                == {}
            )


@pytest.mark.parametrize(
    "spec",
    [
        "x",
        {"versions": [{"name": "v1"}]},
        {"group": "x.io", "versions": [{"name": "v1"}]},
        {"group": "x.io", "names": "x", "versions": [{"name": "v1"}]},
        {"group": "x.io", "names": {"kind": "Thing"}, "versions": [{"name": "v1"}]},
        {"group": "x.io", "names": {"kind": "Thing", "plural": "things"}, "versions": [{}, "v1"]},
        {"group": "x.io", "names": {"kind": "Thing", "plural": "things"}, "versions": 3},
        {"group": "x.io", "names": {"kind": ["Thing"], "plural": "things"}, "versions": [{"name": "v1"}]},
    ],
)
def test_definitions_that_are_not_whole_define_nothing(spec: Any) -> None:
    assert defined_kinds([some("CustomResourceDefinition", spec=spec)]) == {}


def test_names_are_quoted_in_paths() -> None:
    odd = Reference("v1", "ConfigMap", "a b", "c/d%\u00e9")
    assert Resource("configmaps", True).path(odd) == "/api/v1/namespaces/a%20b/configmaps/c%2Fd%25%C3%A9"
    role = Reference("rbac.authorization.k8s.io/v1", "ClusterRole", "", "system:node")
    assert Resource("clusterroles", False).path(role).endswith("/clusterroles/system:node")


def test_paths() -> None:
    name = Reference("apps/v1", "Deployment", "web", "nginx")
    assert Resource("deployments", True).path(name) == "/apis/apps/v1/namespaces/web/deployments/nginx"
    assert Resource("namespaces", False).path(Reference("v1", "Namespace", "", "web")) == "/api/v1/namespaces/web"
    assert str(name) == "Deployment web/nginx"


def test_objects_are_placed_in_their_namespace() -> None:
    kinds = read_discovery([DISCOVERY])
    plain = some("Deployment", api_version="apps/v1")
    found = place([plain, some("Namespace")], kinds, "web")
    assert [reference(content).namespace for content in found] == ["web", ""]
    assert "namespace" not in plain["metadata"]
    with pytest.raises(
        BadObject,
        match="Deployment x: the cluster does not serve kind Deployment of extensions/v1beta1; it serves this kind as apps/v1",
    ):
        place([some("Deployment", api_version="extensions/v1beta1")], kinds, "web")
    with pytest.raises(BadObject, match="its CustomResourceDefinition is missing"):
        place([some("Thing")], kinds, "web")


def test_what_others_need_comes_first() -> None:
    kinds = [
        "HorizontalPodAutoscaler",
        "Deployment",
        "Ingress",
        "ConfigMap",
        "Namespace",
        "CustomResourceDefinition",
        "Job",
        "Role",
    ]
    custom = dict(some("Certificate"), apiVersion="cert-manager.io/v1")
    built_in = dict(some("NetworkPolicy"), apiVersion="networking.k8s.io/v1")
    assert [[content["kind"] for content in stage] for stage in stages([custom, built_in, *map(some, kinds)])] == [
        ["Namespace", "CustomResourceDefinition"],
        ["Role"],
        ["NetworkPolicy", "ConfigMap"],
        ["Deployment", "Job"],
        ["Certificate", "HorizontalPodAutoscaler", "Ingress"],
    ]


def test_content_is_without_bookkeeping() -> None:
    live = some("ConfigMap", data={"a": "1"}, status={"x": 1})
    live["metadata"].update(
        uid="u", resourceVersion="5", generation=2, managedFields=[1], creationTimestamp="now", labels={"l": "1"}
    )
    live["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": "{}"}
    assert content_of(live) == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "x", "labels": {"l": "1"}},
        "data": {"a": "1"},
    }
    assert content_of(None) == {}


def test_no_value_of_a_secret_is_shown() -> None:
    before = some("Secret", data={"same": "c2FtZQ==", "old": "b2xk", "changed": "MQ=="})
    after = some("Secret", data={"same": "c2FtZQ==", "new": "bmV3", "changed": "Mg=="})
    shown = difference(reference(after), before, after)
    assert shown["before"]["data"] == {"same": "********", "old": "******** (before)", "changed": "******** (before)"}
    assert shown["after"]["data"] == {"same": "********", "new": "******** (after)", "changed": "******** (after)"}
    created = difference(reference(after), {}, some("Secret", stringData={"password": "hunter2"}))
    assert created["before"] == "" and "hunter2" not in str(created)
    assert before["data"]["old"] == "b2xk"


def test_a_new_definition_is_shown_without_its_schema() -> None:
    definition = some("CustomResourceDefinition", spec={"versions": [{"name": "v1", "schema": {"x": "y"}}]})
    assert (
        difference(reference(definition), {}, definition)["after"]["spec"]["versions"][0]["schema"]
        == "(a schema of 10 characters)"
    )
    other = some("CustomResourceDefinition", spec={"versions": [{"name": "v1", "schema": {"x": "z"}}]})
    assert difference(reference(definition), definition, other)["after"]["spec"]["versions"][0]["schema"] == {"x": "z"}
