# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan as a person reads it: numbers, objects, fields, what is replaced, and drift apart from that."""

from __future__ import annotations

import copy
from typing import Any

from ansible_collections.slipway.kube.plugins.module_utils._kube.objects import reference
from ansible_collections.slipway.kube.plugins.module_utils._release.changes import sentences
from ansible_collections.slipway.kube.plugins.module_utils._release.planned import PlannedObject


def deployment(**container: Any) -> dict[str, Any]:
    inside = {"name": "c", "image": "app:1", "env": [{"name": "LEVEL", "value": "INFO"}], **container}
    spec = {"replicas": 2, "template": {"spec": {"containers": [inside]}}}
    metadata = {"name": "web", "namespace": "shop", "annotations": {"team.example.org/owner": "a"}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


def changed(before: dict[str, Any], after: dict[str, Any]) -> str:
    return sentences([PlannedObject(reference(after), "change", after, before, after)])[1]


def test_actions_are_counted_and_each_object_is_named() -> None:
    def one(kind: str, action: str, **more: Any) -> PlannedObject:
        content = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "x", "namespace": "shop"}}
        return PlannedObject(reference(content), action, content, **more)

    some = [one("ConfigMap", "create"), one("Service", "replace", why="immutable fields differ"), one("Job", "run")]
    some += [one("Secret", "none"), one("Secret", "none", takes_over=True), one("Ingress", "delete")]
    assert sentences(some) == [
        "create 1, replace 1, run 1, delete 1, unchanged 2",
        "ConfigMap shop/x: create",
        "Service shop/x: replace, deleted and created again, because immutable fields differ",
        "Job shop/x: run",
        "Secret shop/x: take over fields of other managers",
        "Ingress shop/x: delete",
    ]
    assert sentences([one("Secret", "none")]) == []


def test_what_a_config_map_contains_is_not_shown() -> None:
    def config(host: str) -> dict[str, Any]:
        metadata = {"name": "c", "namespace": "shop"}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"host": host, "path": host}}

    told = changed(config("db://user:hunter2@a"), config("db://user:hunter2@b"))
    assert told == "ConfigMap shop/c: change (data.host, data.path)"


def test_a_change_names_its_fields_and_the_values_that_are_no_secrets() -> None:
    after = deployment(image="app:2", env=[{"name": "LEVEL", "value": "hunter22"}, {"name": "NEW", "value": "x"}])
    after["spec"]["replicas"] = 3
    after["metadata"]["annotations"]["team.example.org/owner"] = "b"
    told = changed(deployment(), after)
    inside = "spec.template.spec.containers[c]"
    assert told == (
        "Deployment shop/web: change (metadata.annotations[team.example.org/owner], spec.replicas 2 -> 3, "
        f"{inside}.image app:1 -> app:2, {inside}.env[LEVEL].value, {inside}.env[NEW] added)"
    )
    assert changed(after, deployment()).endswith(f"{inside}.env[NEW] removed)")
    many = deployment()
    many["metadata"]["annotations"] = {f"a{number}": "x" for number in range(9)}
    assert changed(deployment(), many).endswith("metadata.annotations.a4 added, and 4 more fields)")


def test_values_of_secrets_are_never_told() -> None:
    before = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "login"},
        "data": {"version": "MQ==", "b": "x"},
    }
    after = dict(copy.deepcopy(before), data={"version": "Mg==", "b": "x"})
    assert changed(before, after) == "Secret login: change (data.version)"


def test_drift_is_told_apart(server: Any, releases: Any, workload: Any, some: Any) -> None:
    first = releases.run([workload("web"), some("ConfigMap", "c", data={"a": "1"})])
    assert first["changes"][0] == "create 2" and "ConfigMap default/c: create" in first["changes"]
    live = server.find("Deployment", "web")
    live["spec"]["template"]["spec"]["containers"][0]["image"] = "app:hotfix"
    live["metadata"]["managedFields"].append(
        {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {"f:spec": {"f:template": {}}}}
    )
    answer = releases.run([workload("web"), some("ConfigMap", "c", data={"a": "2"})], check=True, force_conflicts=True)
    assert answer["changes"] == [
        "change 2",
        "Deployment default/web: change (spec.template.spec.containers[c].image app:hotfix -> app:1)",
        "ConfigMap default/c: change (data.a)",
        "Deployment default/web: changed in the cluster since revision 1 (spec.template.spec.containers.0.image by kubectl-edit)",
    ]
    again = releases.run([workload("web"), some("ConfigMap", "c", data={"a": "2"})], force_conflicts=True)
    assert again["changes"][0] == "change 2"
    assert releases.run([workload("web"), some("ConfigMap", "c", data={"a": "2"})])["changes"] == []
