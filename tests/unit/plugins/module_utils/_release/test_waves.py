# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of a later wave follow when those of the earlier ones are ready."""

from __future__ import annotations

import time
from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._kube.objects import reference
from ansible_collections.slipway.kube.plugins.module_utils._release import apply, deletion
from ansible_collections.slipway.kube.plugins.module_utils._release.errors import ReleaseError
from ansible_collections.slipway.kube.plugins.module_utils._release.planned import PlannedObject
from ansible_collections.slipway.kube.plugins.module_utils._release.waves import split, wave_of


def in_wave(content: dict[str, Any], number: str) -> dict[str, Any]:
    content["metadata"]["annotations"] = {"slipway.kube/wave": number}
    return content


def test_objects_are_sorted_by_annotation_and_option(some: Any, workload: Any) -> None:
    contents = [
        some("Namespace", "shop"),
        in_wave(workload("database"), "-1"),
        workload("migrate", kind="Job"),
        workload("web"),
        in_wave(workload("cache"), "0"),
    ]
    entries = [{"kind": "Deployment", "name": "web", "namespace": None, "wave": 2}, {"kind": "Deployment", "wave": 1}]
    waves = split([PlannedObject(reference(one), "create", one, wave=wave_of(one, entries)) for one in contents])
    assert [[one.name.name for one in wave] for wave in waves] == [
        ["shop", "database"],
        ["migrate", "cache"],
        ["web"],
    ]
    assert split([]) == []


def test_a_later_wave_waits_for_the_earlier_one(server: Any, releases: Any, workload: Any) -> None:
    server.bad.add("app:broken")
    objects = [workload("database", "app:broken"), in_wave(workload("web"), "1")]
    plan = releases.run(objects, check=True)["changes"]
    assert plan[1:] == ["Deployment default/database: create", "Deployment default/web: create in wave 1"]
    answer = releases.run(objects)
    assert answer["failed"] and server.names("Deployment") == ["database"], "the second wave was not applied"
    server.bad.clear()
    server.control(server.find("Deployment", "database"))
    answer = releases.run(objects)
    assert answer["status"] == "deployed" and server.names("Deployment") == ["database", "web"]
    assert "Waiting for wave 1 of 2." in answer["progress"]
    assert not releases.run(objects)["changed"]
    applied = [path.rpartition("/")[2] for method, path in server.writes if method == "APPLY"]
    assert applied == ["database", "web"]


def test_a_run_in_several_calls_goes_on_with_its_wave(server: Any, releases: Any, workload: Any) -> None:
    server.slow.add("app:slow")
    objects = [workload("migrate", "app:slow", kind="Job"), workload("web")]
    waves = [{"kind": "Deployment", "wave": 1}]
    first = releases.engine(objects, run_id="mine", timeout=60, waves=waves)
    first.settings.pause_after = 0.2
    assert first.run()["finished"] is False and server.names("Deployment") == []
    server.slow.clear()
    server.control(server.find("Job", "migrate"))
    answer = releases.run(objects, run_id="mine", timeout=60, waves=waves)
    assert answer["status"] == "deployed" and server.ran == ["migrate"]
    other = releases.run(objects, check=True, waves=[{"kind": "DaemonSet", "wave": 1}])
    assert "waves[1]: the release contains no DaemonSet." in other["warnings"]


def test_a_job_that_fails_between_two_calls_is_not_run_again(server: Any, releases: Any, workload: Any) -> None:
    server.slow.add("app:slow")
    objects = [workload("migrate", "app:slow", kind="Job"), in_wave(workload("web"), "1")]
    first = releases.engine(objects, run_id="mine", timeout=60)
    first.settings.pause_after = 0.2
    assert first.run()["finished"] is False
    server.slow.clear()
    server.bad.add("app:slow")
    server.control(server.find("Job", "migrate"))
    answer = releases.run(objects, run_id="mine", timeout=60)
    assert answer["failed"] and server.ran == ["migrate"] and server.names("Deployment") == []
    server.bad.clear()
    assert releases.run(objects)["status"] == "deployed" and server.ran == ["migrate", "migrate"], "by the next run"


def test_without_waiting_the_order_is_kept(server: Any, releases: Any, workload: Any) -> None:
    server.bad.add("app:1")
    assert releases.run([in_wave(workload("b"), "-1"), workload("a")], wait=False)["status"] == "deployed"
    applied = [path.rpartition("/")[2] for method, path in server.writes if method == "APPLY"]
    assert applied == ["b", "a"]
    mistyped = releases.run([workload("c")], wait=False, waves=[{"kind": "Deploymnet", "wave": 1}])
    assert mistyped["warnings"] == ["waves[1]: the release contains no Deploymnet."]


def test_a_run_that_is_killed_anywhere_is_finished(server: Any, releases: Any, workload: Any) -> None:
    at = 1
    while releases.killed(at, [workload("a"), in_wave(workload("b"), "1")]):
        assert releases.run([workload("a"), in_wave(workload("b"), "1")])["status"] == "deployed", f"write {at}"
        releases.remove()
        at += 1
    assert at > 4


def test_a_later_wave_knows_what_the_earlier_ones_define(
    server: Any, releases: Any, some: Any, workload: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apply, "RETRY_EVERY", 0.01)
    names, schema = {"plural": "things", "kind": "Thing"}, {"openAPIV3Schema": {"type": "object"}}
    schema["openAPIV3Schema"]["x-kubernetes-preserve-unknown-fields"] = True  # type: ignore[assignment]
    versions = [{"name": "v1", "served": True, "storage": True, "schema": schema}]
    spec = {"group": "x.io", "scope": "Namespaced", "names": names, "versions": versions}
    definition = some("CustomResourceDefinition", "things.x.io", "apiextensions.k8s.io/v1", spec=spec)
    thing = some("Thing", "one", "x.io/v1", spec={"new": 1})
    tries: list[str] = []

    def reads_the_definition_late(method: str, path: str, dry: bool) -> None:
        if method == "PATCH" and path.endswith("/things/one"):
            tries.append(path)
            message = 'strict decoding error: unknown field "spec.new"'
            server.refuse = {path: (400, {"reason": "BadRequest", "message": message})} if len(tries) < 3 else {}

    server.before = reads_the_definition_late
    waves = [{"kind": "ConfigMap", "wave": -1}]
    answer = releases.run([definition, some("ConfigMap", "c"), thing], waves=waves, timeout=10)
    assert answer["status"] == "deployed", answer["msg"]


def test_a_kind_that_an_earlier_wave_makes_is_waited_for(
    server: Any, releases: Any, some: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apply, "RETRY_FOR", 0.0)
    monkeypatch.setattr(apply, "RETRY_EVERY", 0.01)

    def define(kind: str, group: str, version: str) -> None:
        names = {"plural": f"{kind.lower()}s" if kind != "Labels" else "labels", "kind": kind}
        spec = {"group": group, "scope": "Cluster", "names": names, "versions": [{"name": version, "served": True}]}
        content = some("CustomResourceDefinition", f"{names['plural']}.{group}", "apiextensions.k8s.io/v1", spec=spec)
        server.put(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{names['plural']}.{group}", content)

    define("ConstraintTemplate", "templates.gatekeeper.sh", "v1")
    crd = {"spec": {"names": {"kind": "Labels"}}}
    template = some("ConstraintTemplate", "labels", "templates.gatekeeper.sh/v1", spec={"crd": crd})
    constraint = in_wave(some("Labels", "all", "constraints.gatekeeper.sh/v1beta1"), "1")
    tries: list[str] = []

    def controller(method: str, path: str, dry: bool) -> None:
        if method == "PATCH" and path.endswith("/labels/all"):
            tries.append(path)
            if len(tries) == 3:
                define("Labels", "constraints.gatekeeper.sh", "v1beta1")

    server.before = controller
    server.only_served = True
    answer = releases.run([template, constraint], timeout=10)
    assert answer["status"] == "deployed" and len(tries) == 3, answer["msg"]


@pytest.mark.parametrize("number", ["first", "1.5"])
def test_what_is_no_number_is_refused(releases: Any, workload: Any, number: str) -> None:
    with pytest.raises(
        ReleaseError, match=r"Deployment default/a: the annotation slipway.kube/wave is '.*slipway:object_invalid"
    ):
        releases.engine([in_wave(workload("a"), number)])


def writes(server: Any, method: str) -> list[str]:
    """The names of what was applied or deleted, in that order, without what is stored of the release."""
    return [
        path.rpartition("/")[2]
        for done, path in server.writes
        if done == method and "/secrets/" not in path and "/leases/" not in path
    ]


@pytest.mark.parametrize("by_option", [True, False])
def test_a_rollback_goes_back_in_waves(server: Any, releases: Any, workload: Any, by_option: bool) -> None:
    def objects(image: str, *more: Any) -> list[Any]:
        return [
            workload("database", image),
            workload("web", image) if by_option else in_wave(workload("web", image), "1"),
            *more,
        ]

    waves = [{"kind": "Deployment", "name": "web", "wave": 1}] if by_option else []
    assert releases.run(objects("app:1"), waves=waves)["status"] == "deployed"
    server.writes.clear()
    server.bad.add("app:3")
    # The waves of the option are those of the deployed revision, not those of the one that failed.
    later = [{"kind": "Deployment", "name": "database", "wave": 3}] if by_option else []
    broken = objects("app:2", in_wave(workload("extra"), "-2"), in_wave(workload("more", "app:3"), "9"))
    answer = releases.run(broken, waves=later)
    assert answer["rolled_back_to"] == 1, answer["msg"]
    order = ["web", "database"] if by_option else ["database", "web"]
    assert writes(server, "APPLY") == ["extra", *order, "more", "database", "web"]
    assert writes(server, "DELETE") == ["more", "extra"] and "Waiting for wave 1 of 2." in answer["progress"]


def test_a_later_wave_of_a_rollback_knows_what_the_earlier_ones_define(
    server: Any, releases: Any, some: Any, workload: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apply, "RETRY_EVERY", 0.01)

    def objects(field: str, *more: Any) -> list[Any]:
        names, schema = {"plural": "things", "kind": "Thing"}, {"openAPIV3Schema": {"type": "object"}}
        schema["openAPIV3Schema"].update({"description": field, "x-kubernetes-preserve-unknown-fields": True})  # type: ignore[dict-item]
        versions = [{"name": "v1", "served": True, "storage": True, "schema": schema}]
        spec = {"group": "x.io", "scope": "Namespaced", "names": names, "versions": versions}
        definition = some("CustomResourceDefinition", "things.x.io", "apiextensions.k8s.io/v1", spec=spec)
        return [in_wave(definition, "-1"), some("Thing", "one", "x.io/v1", spec={field: 1}), *more]

    assert releases.run(objects("old"))["status"] == "deployed"
    tries: list[str] = []

    def reads_the_definition_late(method: str, path: str, dry: bool) -> None:
        if method == "PATCH" and path.endswith("/things/one") and not dry and server.names("Deployment"):
            tries.append(path)
            message = 'strict decoding error: unknown field "spec.old"'
            server.refuse = {path: (400, {"reason": "BadRequest", "message": message})} if len(tries) < 3 else {}

    server.before = reads_the_definition_late
    server.bad.add("app:broken")
    answer = releases.run(objects("new", in_wave(workload("broken", "app:broken"), "1")), timeout=10)
    assert tries and answer["rolled_back_to"] == 1, answer["msg"]


def test_a_wave_of_a_rollback_waits_for_the_one_before(server: Any, releases: Any, workload: Any) -> None:
    assert releases.run([workload("database"), in_wave(workload("web"), "1")])["status"] == "deployed"
    server.bad.update(("app:1", "app:2"))
    answer = releases.run([workload("database", "app:2"), in_wave(workload("web", "app:2"), "0")])
    assert "rollback to revision 1 failed as well" in answer["msg"]
    image = server.find("Deployment", "web")["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image == "app:2", "it waits for the database"


def test_a_removal_goes_in_the_reverse_order_of_waves(server: Any, releases: Any, some: Any, workload: Any) -> None:
    objects = [workload("database"), workload("cache"), in_wave(workload("web"), "2"), some("ConfigMap", "settings")]
    releases.run(objects, waves=[{"kind": "Deployment", "name": "cache", "wave": 1}])
    plan = releases.remove(check=True)["changes"]
    assert "Deployment default/web: delete in wave 2" in plan and "Deployment default/cache: delete in wave 1" in plan
    gone: list[list[str]] = []
    server.before = lambda method, path, dry: gone.append(server.names("Deployment")) if method == "DELETE" else None
    assert not releases.remove(timeout=5).get("failed")
    assert writes(server, "DELETE")[:4] == ["web", "cache", "database", "settings"]
    assert ["cache", "database"] in gone and ["database"] in gone


def test_pods_end_before_those_of_the_wave_before(server: Any, releases: Any, workload: Any) -> None:
    releases.run([workload("database"), in_wave(workload("web"), "1")])
    web = server.find("Deployment", "web")
    web["metadata"]["finalizers"] = ["foregroundDeletion"]
    answer = releases.remove(timeout=0.5)
    assert "Deployment default/web still exists: its pods have not ended" in answer["msg"]
    assert server.names("Deployment") == ["database", "web"] and not server.find("Deployment", "database")[
        "metadata"
    ].get("deletionTimestamp")
    del web["metadata"]["finalizers"]
    assert not releases.remove(timeout=5).get("failed") and server.names("Deployment") == []


def test_what_a_release_no_longer_has_goes_in_the_reverse_order_of_waves(
    server: Any, releases: Any, workload: Any
) -> None:
    waves = [{"kind": "Deployment", "name": "web", "wave": 1}]
    releases.run([workload("database"), workload("web"), workload("kept")], waves=waves)
    plan = releases.run([workload("kept")], check=True)["changes"]
    assert "Deployment default/web: delete in wave 1" in plan
    releases.run([workload("kept")])
    assert writes(server, "DELETE")[:2] == ["web", "database"]


def test_the_waves_of_an_unchanged_release_are_stored(server: Any, releases: Any, workload: Any) -> None:
    objects = [workload("b"), workload("a")]
    releases.run(objects)
    assert not releases.run(objects, waves=[{"kind": "Deployment", "name": "b", "wave": 1}])["changed"]
    releases.remove(timeout=5)
    assert writes(server, "DELETE")[:2] == ["b", "a"]


def volume(some: Any, **metadata: Any) -> dict[str, Any]:
    return some(
        "PersistentVolume", "data", metadata=metadata, spec={"claimRef": {"namespace": "default", "name": "data-db-0"}}
    )


def test_a_volume_that_its_claim_protects_is_told_early(
    server: Any, releases: Any, some: Any, workload: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deletion, "PROTECTED", 0.1)
    releases.run([volume(some), workload("db", kind="StatefulSet")])
    server.find("PersistentVolume", "data")["metadata"]["finalizers"] = ["kubernetes.io/pv-protection"]
    place = "/api/v1/namespaces/default/persistentvolumeclaims/data-db-0"
    claim = server.put(place, some("PersistentVolumeClaim", "data-db-0"))
    started = time.monotonic()
    answer = releases.remove(timeout=30)
    assert answer["failed"] and time.monotonic() - started < 10
    assert "as long as PersistentVolumeClaim default/data-db-0 is bound to it" in answer["msg"]
    assert "kubectl delete pvc data-db-0 --namespace default" in answer["msg"]
    # A claim that goes by itself is waited for.
    claim["metadata"]["ownerReferences"] = [{"kind": "StatefulSet", "name": "db"}]
    assert "it has the finalizers kubernetes.io/pv-protection" in releases.remove(timeout=0.5)["msg"]
    del server.objects[place]
    del server.find("PersistentVolume", "data")["metadata"]["finalizers"]
    assert not releases.remove(timeout=5).get("failed")
