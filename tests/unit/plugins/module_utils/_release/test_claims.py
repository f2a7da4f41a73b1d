# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A StatefulSet with larger claims: it is replaced, its pods stay, and its claims grow."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._kube.api import ApiError

SET = "/apis/apps/v1/namespaces/default/statefulsets/db"
CLAIMS = "/api/v1/namespaces/default/persistentvolumeclaims"


@pytest.fixture
def database(workload: Any) -> Any:
    """Makes a StatefulSet with a claim for each pod."""

    def make(size: str, label: str = "db") -> dict[str, Any]:
        made: dict[str, Any] = workload("db", kind="StatefulSet", label=label)
        template = {"metadata": {"name": "data"}, "spec": {"resources": {"requests": {"storage": size}}}}
        made["spec"]["volumeClaimTemplates"] = [template]
        return made

    return make


def claim(server: Any, name: str, size: str) -> None:
    spec = {"resources": {"requests": {"storage": size}}, "storageClassName": "fast"}
    metadata = {"name": name, "namespace": "default"}
    content = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}
    server.put(f"{CLAIMS}/{name}", content)


def sizes(server: Any) -> list[str]:
    names = server.names("PersistentVolumeClaim")
    return [server.find("PersistentVolumeClaim", name)["spec"]["resources"]["requests"]["storage"] for name in names]


def test_the_pods_stay_and_the_claims_grow(server: Any, releases: Any, database: Any) -> None:
    releases.run([database("1Gi")])
    for name, size in (("data-db-0", "1Gi"), ("data-db-1", "3Gi"), ("data-other-0", "1Gi"), ("data-db-x", "1Gi")):
        claim(server, name, size)
    check = releases.run([database("2Gi")], check=True, replace="immutable")
    assert any(line.startswith("StatefulSet default/db is deleted without its pods") for line in check["warnings"])
    told = [line for line in check["warnings"] if "PersistentVolumeClaim" in line]
    assert told == ["PersistentVolumeClaim default/data-db-0 is to grow from 1Gi to 2Gi."]
    assert server.orphaned == [] and sizes(server) == ["1Gi", "3Gi", "1Gi", "1Gi"]
    answer = releases.run([database("2Gi")], replace="immutable")
    assert answer["status"] == "deployed" and server.orphaned == [SET]
    assert sizes(server) == ["2Gi", "3Gi", "1Gi", "1Gi"]
    told = [line for line in answer["warnings"] if "PersistentVolumeClaim" in line]
    assert told == ["PersistentVolumeClaim default/data-db-0 grows from 1Gi to 2Gi."]
    assert not releases.run([database("2Gi")], replace="immutable")["changed"]


def test_a_claim_that_cannot_grow_is_a_warning(server: Any, releases: Any, database: Any) -> None:
    releases.run([database("1Gi")])
    claim(server, "data-db-0", "1Gi")
    engine = releases.engine([database("2Gi")], replace="immutable")

    patch = engine.client.patch

    def refuse(path: str, *rest: Any, **more: Any) -> Any:
        if not path.startswith(CLAIMS):
            return patch(path, *rest, **more)
        raise ApiError(403, "Forbidden", "only dynamically provisioned pvc can be resized", "PATCH", path)

    engine.client.patch = refuse
    answer = engine.run()
    assert answer["status"] == "deployed"
    told = "PersistentVolumeClaim default/data-db-0 stays at 1Gi instead of 2Gi: only dynamically provisioned"
    assert any(line.startswith(told) for line in answer["warnings"]), answer["warnings"]


def test_claims_that_grow_are_named_although_their_wave_fails(
    server: Any, releases: Any, database: Any, workload: Any
) -> None:
    releases.run([database("1Gi")])
    claim(server, "data-db-0", "1Gi")
    server.bad.add("app:1")
    later = workload("web", "app:2")
    later["metadata"]["annotations"] = {"slipway.kube/wave": "1"}
    answer = releases.run([database("2Gi"), later], replace="immutable", on_failure="keep")
    assert answer["failed"] and server.names("Deployment") == []
    assert "PersistentVolumeClaim default/data-db-0 grows from 1Gi to 2Gi." in answer["warnings"]


def test_who_may_not_list_claims_is_told_so_only_when_there_may_be_some(
    server: Any, releases: Any, database: Any
) -> None:
    server.forbidden.add(CLAIMS)
    assert not any("claims" in line for line in releases.run([database("1Gi")], replace="immutable")["warnings"])
    answer = releases.run([database("2Gi")], replace="immutable")
    assert answer["status"] == "deployed" and server.orphaned == [SET]
    assert any(line.startswith("Whether the claims of StatefulSet default/db are") for line in answer["warnings"])


def test_check_mode_tells_of_all_claims_that_grow(server: Any, releases: Any, database: Any) -> None:
    def told(made: dict[str, Any], **options: Any) -> list[str]:
        lines = releases.run([made], check=True, **options)["warnings"]
        return [line for line in lines if "grow" in line or "without its pods" in line]

    claim(server, "data-db-0", "1Gi")
    grows = ["PersistentVolumeClaim default/data-db-0 is to grow from 1Gi to 2Gi."]
    assert told(database("2Gi"), replace="immutable") == grows, "another StatefulSet has left it"
    assert told(database("2Gi")) == []
    releases.run([database("1Gi")])
    assert told(database("2Gi", label="other"), replace="immutable") == grows, "its pods go"


def test_pods_that_the_new_one_would_not_select_go(server: Any, releases: Any, database: Any) -> None:
    releases.run([database("1Gi")])
    answer = releases.run([database("1Gi", label="other")], replace="immutable")
    assert answer["status"] == "deployed" and server.orphaned == []


@pytest.mark.parametrize("field", ["claim", "service"])
def test_pods_that_its_controller_would_not_renew_go(server: Any, releases: Any, database: Any, field: str) -> None:
    releases.run([database("1Gi")])
    wanted = database("1Gi")
    if field == "claim":
        # The controller would try to add the volume to the adopted pods, which the server refuses, and never delete them.
        wanted["spec"]["volumeClaimTemplates"].append(
            {"metadata": {"name": "log"}, "spec": {"resources": {"requests": {"storage": "1Gi"}}}}
        )
    else:
        # It is no part of a revision, so the adopted pods would keep the DNS names of the old Service.
        wanted["spec"]["serviceName"] = "other"
    answer = releases.run([wanted], replace="immutable")
    assert answer["status"] == "deployed" and server.orphaned == []
    assert not any("without its pods" in line for line in answer["warnings"])


def test_a_claim_that_is_no_longer_wanted_keeps_the_pods(server: Any, releases: Any, database: Any) -> None:
    before = database("1Gi")
    before["spec"]["volumeClaimTemplates"].append({"metadata": {"name": "log"}})
    releases.run([before])
    assert releases.run([database("1Gi")], replace="immutable")["status"] == "deployed" and server.orphaned == [SET]


def test_an_autoscaler_does_not_lose_the_pods(server: Any, releases: Any, database: Any, some: Any) -> None:
    target = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db"}
    scaler = some("HorizontalPodAutoscaler", "db", "autoscaling/v2", spec={"scaleTargetRef": target})

    def wanted(size: str) -> list[Any]:
        made = database(size)
        del made["spec"]["replicas"]
        return [made, scaler]

    releases.run(wanted("1Gi"))
    server.find("StatefulSet", "db")["spec"]["replicas"] = 3
    server.control(server.find("StatefulSet", "db"))
    assert releases.run(wanted("2Gi"), replace="immutable")["status"] == "deployed"
    assert server.orphaned == [SET] and server.find("StatefulSet", "db")["spec"]["replicas"] == 3
    assert not releases.run(wanted("2Gi"), replace="immutable")["changed"]


def test_a_run_that_is_killed_in_between_leaves_nothing_small(server: Any, releases: Any, database: Any) -> None:
    releases.run([database("1Gi")])
    claim(server, "data-db-0", "1Gi")
    at = 1
    while releases.killed(at, [database("2Gi")], replace="immutable"):
        assert releases.run([database("2Gi")], replace="immutable")["status"] == "deployed"
        assert sizes(server) == ["2Gi"], f"killed at write {at}"
        releases.remove()
        for path in [path for path in server.objects if path.startswith(CLAIMS)]:
            del server.objects[path]
        releases.run([database("1Gi")])
        claim(server, "data-db-0", "1Gi")
        at += 1
    assert at > 3
