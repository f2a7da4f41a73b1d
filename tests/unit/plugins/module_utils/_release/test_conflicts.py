# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fields of others, objects of others, and fields that cannot be changed."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._release.errors import ReleaseError
from ansible_collections.slipway.kube.plugins.module_utils._release.replicas import scaled_by_others, without_replicas

PLACE = "/api/v1/namespaces/default/configmaps/c"


def set_by(server: Any, manager: str, fields: dict[str, Any], **data: str) -> None:
    """Let somebody else set keys of the ConfigMap."""
    entry = {"manager": manager, "operation": "Update", "fieldsType": "FieldsV1", "fieldsV1": {"f:data": fields}}
    there = copy.deepcopy(server.objects.get(PLACE)) or {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "c", "namespace": "default"},
    }
    there.setdefault("data", {}).update(data)
    there["metadata"]["managedFields"] = [*there["metadata"].get("managedFields", []), entry]
    server.put(PLACE, there)


def test_a_conflict_names_manager_and_field_and_changes_nothing(server: Any, releases: Any, some: Any) -> None:
    set_by(server, "kubectl-edit", {"f:a": {}}, a="theirs")
    with pytest.raises(ReleaseError) as caught:
        releases.run([some("ConfigMap", "c", data={"a": "ours"}), some("ConfigMap", "new")])
    assert str(caught.value) == (
        "ConfigMap default/c: other field managers have set these fields to different values: kubectl-edit owns data.a. "
        "Omit these fields, or take them over with force_conflicts: true. [slipway:field_conflict]"
    )
    assert server.writes == []
    answer = releases.run([some("ConfigMap", "c", data={"a": "ours"})], force_conflicts=True)
    assert answer["status"] == "deployed" and server.find("ConfigMap", "c")["data"] == {"a": "ours"}
    assert answer["warnings"] == ["ConfigMap default/c already exists and becomes part of release web."]


def test_fields_of_a_client_side_manager_are_taken_over_as_a_whole(server: Any, releases: Any, some: Any) -> None:
    set_by(server, "kubectl-client-side-apply", {"f:a": {}, "f:zombie": {}}, a="1", zombie="stays otherwise")
    set_by(server, "someone", {"f:other": {}}, other="theirs")
    objects = [some("ConfigMap", "c", data={"a": "2"})]
    with pytest.raises(ReleaseError, match=r"take_over: \[kubectl-client-side-apply\]"):
        releases.run(objects)
    given = {"take_over": ["kubectl-client-side-apply"]}
    predicted = releases.run(objects, check=True, **given)
    assert predicted["diff"][0]["after"]["data"] == {"a": "2", "other": "theirs"}
    assert releases.run(objects, **given)["changed"]
    assert server.find("ConfigMap", "c")["data"] == {"a": "2", "other": "theirs"}
    assert not releases.run(objects, **given)["changed"]


@pytest.mark.parametrize("kept", [True, False])
def test_what_helm_keeps_of_a_release_that_is_taken_over_is_told(
    server: Any, releases: Any, some: Any, kept: bool
) -> None:
    set_by(server, "helm", {"f:a": {}}, a="1")
    annotations = {"meta.helm.sh/release-name": "shop", "meta.helm.sh/release-namespace": "default"}
    server.find("ConfigMap", "c")["metadata"]["annotations"] = annotations
    labels = {"owner": "helm", "name": "shop" if kept else "other"}
    record = some("Secret", "sh.helm.release.v1.shop.v1", metadata={"labels": labels})
    server.put("/api/v1/namespaces/default/secrets/sh.helm.release.v1.shop.v1", record)
    answer = releases.run([some("ConfigMap", "c", data={"a": "2"})], take_over=["helm"])
    told = [
        line for line in answer["warnings"] if line.startswith("Helm still has its release shop in namespace default")
    ]
    assert len(told) == kept and all("--selector owner=helm,name=shop" in line for line in told)
    assert server.names("Secret")[0].startswith("sh.helm"), "it is the user who deletes it"


def test_an_object_of_another_release_is_not_taken_silently(server: Any, releases: Any, some: Any) -> None:
    releases.run([some("ConfigMap", "c")], name="first")
    with pytest.raises(ReleaseError, match=r"ConfigMap default/c belongs to release first in namespace default"):
        releases.run([some("ConfigMap", "c")])
    releases.run([some("ConfigMap", "c")], force_conflicts=True)
    # The release that lost it does not delete it when it goes.
    releases.remove(name="first")
    assert server.names("ConfigMap") == ["c"]


def test_immutable_fields_are_named_and_replaced_only_when_asked(server: Any, releases: Any, workload: Any) -> None:
    releases.run([workload("d")])
    old = server.find("Deployment", "d")["metadata"]["uid"]
    with pytest.raises(ReleaseError) as caught:
        releases.run([workload("d", label="other")])
    assert str(caught.value) == (
        "Deployment default/d: immutable fields would change: spec.selector.matchLabels.app. "
        "Keep these fields, or set replace: immutable, which deletes the object and creates it again. [slipway:immutable_field]"
    )
    answer = releases.run([workload("d", label="other")], replace="immutable")
    assert [one["action"] for one in answer["objects"]] == ["replace"]
    new = server.find("Deployment", "d")
    assert new["metadata"]["uid"] != old and new["spec"]["selector"]["matchLabels"] == {"app": "other"}


def test_a_replaced_object_comes_back_when_the_new_one_fails(server: Any, releases: Any, workload: Any) -> None:
    releases.run([workload("d")])
    server.bad.add("app:broken")
    answer = releases.run([workload("d", "app:broken", label="other")], replace="immutable")
    assert answer["rolled_back_to"] == 1
    assert server.find("Deployment", "d")["spec"]["selector"]["matchLabels"] == {"app": "web"}


def test_all_problems_come_in_one_list(server: Any, releases: Any, some: Any) -> None:
    objects = [some("ConfigMap", "c"), some("ConfigMap", "c"), {"kind": "Pod"}, some("Thing", "t", "x.io/v1")]
    with pytest.raises(ReleaseError) as caught:
        releases.run(objects)
    lines = str(caught.value).split("\n")
    assert any("both ConfigMap c" in line for line in lines) and any(
        "lacks apiVersion, metadata.name" in line for line in lines
    )
    with pytest.raises(ReleaseError) as caught:
        releases.run([objects[0], dict(objects[0], metadata={"name": "c", "namespace": "default"}), objects[3]])
    assert "ConfigMap default/c is defined twice" in str(caught.value) and "does not serve kind Thing" in str(
        caught.value
    )


def autoscaler(name: str) -> dict[str, Any]:
    """An autoscaler of a Deployment."""
    spec = {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}}
    return {"kind": "HorizontalPodAutoscaler", "metadata": {"name": "x", "namespace": "n"}, "spec": spec}


def test_replicas_are_left_to_an_autoscaler_of_the_release_only() -> None:
    content = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d", "namespace": "n"},
        "spec": {"replicas": 1, "a": 2},
    }
    owners = {("kube-controller-manager", "scale"): [".spec.replicas"]}
    assert scaled_by_others(owners, content, [autoscaler("d")])
    assert not scaled_by_others(owners, content, [autoscaler("other")])
    assert not scaled_by_others({("kubectl", ""): [".spec.replicas"]}, content, [autoscaler("d")])
    assert not scaled_by_others({**owners, ("kubectl", "scale"): [".spec.paused"]}, content, [autoscaler("d")])
    assert without_replicas(content)["spec"] == {"a": 2} and content["spec"]["replicas"] == 1


def scaled(server: Any, manager: str = "kube-controller-manager", replicas: int = 5) -> None:
    """Let an autoscaler set the number of pods of Deployment d, as its controller does."""
    place = "/apis/apps/v1/namespaces/default/deployments/d"
    live = copy.deepcopy(server.objects[place])
    live["spec"]["replicas"] = replicas
    for entry in live["metadata"]["managedFields"]:
        entry["fieldsV1"]["f:spec"].pop("f:replicas", None)
    fields = {"f:spec": {"f:replicas": {}}}
    entry = {
        "manager": manager,
        "operation": "Update",
        "subresource": "scale",
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    }
    live["metadata"]["managedFields"].append(entry)
    server.put(place, live)


def there(server: Any, target: str) -> None:
    """Create the autoscaler of a Deployment, as KEDA does."""
    content = dict(autoscaler(target), apiVersion="autoscaling/v2")
    content["metadata"] = {"name": "keda-hpa-d", "namespace": "default"}
    server.put("/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers/keda-hpa-d", content)


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("manager", ["kube-controller-manager", "keda"])
def test_replicas_are_left_to_an_autoscaler_outside_the_release(
    server: Any, releases: Any, workload: Any, manager: str, force: bool
) -> None:
    releases.run([workload("d")])
    there(server, "d")
    scaled(server, manager)
    assert not releases.run([workload("d")], force_conflicts=force)["changed"]
    answer = releases.run([workload("d", "app:2")], force_conflicts=force)
    assert answer["status"] == "deployed" and server.find("Deployment", "d")["spec"]["replicas"] == 5
    assert answer["warnings"] == [
        "Deployment default/d keeps 5 replicas instead of 1, because HorizontalPodAutoscaler default/keda-hpa-d, which is not part of the "
        "release, scales it. Omit replicas."
    ]
    scaled(server, manager, 1)
    assert releases.run([workload("d", "app:3")], force_conflicts=force)["warnings"] == []


def own(name: str) -> dict[str, Any]:
    """An autoscaler that is part of a release."""
    return dict(autoscaler("d"), apiVersion="autoscaling/v2", metadata={"name": name})


def test_an_autoscaler_that_this_run_deletes_keeps_no_number(server: Any, releases: Any, workload: Any) -> None:
    releases.run([workload("d"), own("h")])
    scaled(server)
    assert not releases.run([workload("d"), own("h")])["changed"]
    order: list[str] = []
    server.before = lambda method, path, dry: (
        order.append(method + " " + path.rpartition("/")[2])
        if not dry and method in ("DELETE", "PATCH") and path.endswith(("/h", "/d"))
        else None
    )
    answer = releases.run([workload("d")])
    assert answer["status"] == "deployed" and server.find("Deployment", "d")["spec"]["replicas"] == 1
    assert answer["warnings"] == [] and [one["name"] for one in answer["pruned"]] == ["h"]
    assert order == ["DELETE h", "PATCH d"], "an autoscaler that is still there would set its number again"
    assert not releases.run([workload("d")])["changed"]


def test_a_number_that_was_left_is_sent_once_its_autoscaler_is_gone(server: Any, releases: Any, workload: Any) -> None:
    releases.run([workload("d")])
    there(server, "d")
    scaled(server)
    releases.run([workload("d", "app:2")])
    del server.objects["/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers/keda-hpa-d"]
    with pytest.raises(ReleaseError, match=r"kube-controller-manager owns spec.replicas"):
        releases.run([workload("d", "app:2")])
    assert releases.run([workload("d", "app:2")], force_conflicts=True)["changed"]
    assert server.find("Deployment", "d")["spec"]["replicas"] == 1


def test_a_rollback_ends_the_autoscaler_of_the_failed_revision(server: Any, releases: Any, workload: Any) -> None:
    releases.run([workload("d")])
    server.bad.add("app:broken")
    server.before = lambda method, path, dry: (
        scaled(server) if method == "PATCH" and path.endswith("/broken") and not dry else None
    )
    answer = releases.run([workload("d", "app:2"), own("h"), workload("broken", "app:broken")])
    assert answer["rolled_back_to"] == 1 and server.names("HorizontalPodAutoscaler") == []
    assert server.find("Deployment", "d")["spec"]["replicas"] == 1
    assert not [line for line in answer["warnings"] if "keeps" in line]


def test_without_an_autoscaler_another_number_is_a_conflict(server: Any, releases: Any, workload: Any) -> None:
    releases.run([workload("d")])
    there(server, "other")
    scaled(server, "kubectl")
    with pytest.raises(ReleaseError, match=r"kubectl owns spec.replicas"):
        releases.run([workload("d", "app:2")])
    server.forbidden.add("/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers")
    with pytest.raises(ReleaseError, match=r"kubectl owns spec.replicas"):
        releases.run([workload("d", "app:2")])
    scaled(server, "keda")
    answer = releases.run([workload("d", "app:2")])
    assert "because keda has scaled it, and this user may not list autoscalers" in answer["warnings"][0]
