# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of a release: what is sent, what is kept, what is taken back."""

from __future__ import annotations

import base64
import json
import threading
from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._kube.api import ApiError, Client
from ansible_collections.slipway.kube.plugins.module_utils._release.errors import ReleaseError
from ansible_collections.slipway.kube.plugins.module_utils._release.store import Store


def actions(answer: dict[str, Any]) -> dict[str, str]:
    """What became of each object."""
    return {one["name"]: one["action"] for one in answer["objects"]}


def test_everything_is_made_and_nothing_is_asked_the_second_time(
    server: Any, releases: Any, some: Any, workload: Any
) -> None:
    objects = [some("ConfigMap", "c", data={"a": "1"}), workload("d")]
    first = releases.run(objects)
    assert (first["changed"], first["revision"], first["status"]) == (True, 1, "deployed")
    assert actions(first) == {"c": "create", "d": "create"}
    assert first["waited_for"] == ["Deployment default/d"]
    metadata = server.find("ConfigMap", "c")["metadata"]
    assert metadata["labels"] == {"slipway.kube/release": "web"}
    assert metadata["annotations"] == {"slipway.kube/release-namespace": "default"}
    del server.writes[:], server.asked[:]
    second = releases.run(objects)
    assert (second["changed"], second["revision"]) == (False, 1)
    assert actions(second) == {"c": "none", "d": "none"}
    assert server.writes == [] and not [line for line in server.asked if "(dry)" in line]
    assert second["requests"] == len(server.asked) <= 12


def test_the_record_is_there_before_the_first_object(server: Any, releases: Any, some: Any) -> None:
    releases.run([some("ConfigMap", "c")])
    paths = [path for _method, path in server.writes]
    record, applied = (
        paths.index("/api/v1/namespaces/default/secrets/slipway-release-web-r1"),
        [number for number, path in enumerate(paths) if "/configmaps/" in path],
    )
    assert record < applied[0]


def test_check_mode_tells_what_the_run_then_does(server: Any, releases: Any, some: Any, workload: Any) -> None:
    releases.run([some("ConfigMap", "c", data={"a": "1"}), some("ConfigMap", "old")])
    del server.writes[:]
    objects = [some("ConfigMap", "c", data={"a": "2"}), workload("d")]
    predicted = releases.run(objects, check=True)
    assert server.writes == [] and predicted["changed"]
    done = releases.run(objects)
    assert actions(predicted) == actions(done) == {"c": "change", "d": "create", "old": "delete"}
    assert predicted["pruned"] == done["pruned"] and server.names("ConfigMap") == ["c"]
    assert not releases.run(objects, check=True)["changed"]


def test_drift_is_found_although_nothing_else_changed(server: Any, releases: Any, some: Any) -> None:
    objects = [some("ConfigMap", "c", data={"a": "1"}), some("ConfigMap", "gone")]
    releases.run(objects)
    server.find("ConfigMap", "c")["metadata"]["labels"].clear()
    del server.objects["/api/v1/namespaces/default/configmaps/gone"]
    assert actions(releases.run(objects, check=True)) == {"c": "change", "gone": "create"}
    assert releases.run(objects)["revision"] == 2
    assert not releases.run(objects)["changed"]


def test_a_failed_revision_makes_way_for_the_last_good_one(
    server: Any, releases: Any, some: Any, workload: Any
) -> None:
    secret = {"type": "Opaque", "stringData": {"password": "canary-of-revision-1"}}
    good = [
        some("ConfigMap", "c", data={"a": "1"}),
        some("Secret", "s", **secret),
        some("ConfigMap", "removed"),
        workload("d"),
    ]
    releases.run(good)
    server.bad.add("app:broken")
    worse = {"type": "Opaque", "stringData": {"password": "canary-of-revision-2"}}
    answer = releases.run(
        [
            some("ConfigMap", "c", data={"a": "2"}),
            some("Secret", "s", **worse),
            some("ConfigMap", "extra"),
            workload("d", "app:broken"),
        ]
    )
    assert answer["failed"] and (answer["status"], answer["rolled_back_to"]) == ("rolled-back", 1)
    assert "revision 2 failed" in answer["msg"] and answer["msg"].endswith("Rolled back to revision 1.")
    assert server.find("ConfigMap", "c")["data"] == {"a": "1"}
    assert base64.b64decode(server.find("Secret", "s")["data"]["password"]) == b"canary-of-revision-1"
    assert server.names("ConfigMap") == ["c", "removed"]
    assert server.statuses() == ["deployed", "rolled-back"]
    assert "canary" not in json.dumps(answer)
    again = releases.run(good)
    assert (again["changed"], again["revision"]) == (False, 1)


def test_without_a_good_revision_or_when_asked_what_failed_stays(server: Any, releases: Any, workload: Any) -> None:
    server.bad.add("app:broken")
    answer = releases.run([workload("d", "app:broken")])
    assert answer["status"] == "failed" and "no earlier revision" in answer["msg"] and "rolled_back_to" not in answer
    assert releases.run([workload("d")])["status"] == "deployed"
    answer = releases.run([workload("d", "app:broken")], on_failure="keep")
    assert answer["status"] == "failed" and "on_failure: keep" in answer["msg"]
    image = server.find("Deployment", "d")["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image == "app:broken"


@pytest.mark.parametrize("at", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 17, 20])
def test_a_run_that_is_killed_anywhere_is_finished_by_the_next(
    server: Any, releases: Any, some: Any, workload: Any, at: int
) -> None:
    first = [some("ConfigMap", "c", data={"a": "1"}), some("ConfigMap", "first"), workload("d")]
    assert not releases.killed(10**9, first)
    second = [some("ConfigMap", "c", data={"a": "2"}), some("ConfigMap", "second"), workload("d", "app:2")]
    hooks = {"pre": [workload("hook", kind="Job")], "post": []}
    releases.killed(at, second, hooks=hooks)
    third = [some("ConfigMap", "c", data={"a": "3"}), some("ConfigMap", "third"), workload("d", "app:3")]
    for objects, only, given in (
        ((second, "second", hooks), (third, "third", {})) if at % 2 else ((third, "third", {}),)
    ):
        answer = releases.run(objects, hooks=given)
        assert answer["status"] == "deployed"
        assert server.names("ConfigMap") == ["c", only] and server.names("Deployment") == ["d"]
    assert server.names("Job") == []
    assert [status for status in server.statuses() if status not in ("superseded", "failed")] == ["deployed"]
    assert not releases.run(third)["changed"]


@pytest.mark.parametrize("at", [3, 6, 8, 9, 10, 12, 15])
def test_a_way_back_that_is_killed_is_no_trap(server: Any, releases: Any, some: Any, workload: Any, at: int) -> None:
    good = [some("ConfigMap", "c", data={"a": "1"}), workload("d")]
    releases.run(good)
    server.bad.add("app:broken")
    bad = [some("ConfigMap", "c", data={"a": "2"}), some("ConfigMap", "extra"), workload("d", "app:broken")]
    releases.killed(at, bad)
    answer = releases.run(bad)
    assert answer["failed"] and answer["rolled_back_to"] == 1
    assert server.names("ConfigMap") == ["c"] and server.find("ConfigMap", "c")["data"] == {"a": "1"}
    assert releases.run(good)["revision"] == 1


def test_of_two_runs_at_once_one_waits(server: Any, releases: Any, some: Any, workload: Any) -> None:
    answers: list[dict[str, Any]] = []
    runs = [
        threading.Thread(
            target=lambda name=name: answers.append(
                releases.run([some("ConfigMap", name), workload("d")], timeout=20, lock_timeout=20)
            )
        )
        for name in ("one", "two")
    ]
    for run in runs:
        run.start()
    for run in runs:
        run.join(30)
    assert sorted(answer["revision"] for answer in answers) == [1, 2]
    last = max(answers, key=lambda answer: answer["revision"])
    assert server.names("ConfigMap") == [
        one["name"] for one in last["objects"] if one["kind"] == "ConfigMap" and one["action"] != "delete"
    ]
    assert server.statuses() == ["superseded", "deployed"]


def test_a_release_that_is_worked_on_is_refused_when_there_is_no_time(server: Any, releases: Any, some: Any) -> None:
    other = releases.engine([some("ConfigMap", "c")])
    assert other.context.lock.acquire() == ""
    del server.writes[:]
    with pytest.raises(ReleaseError, match=r"is locked by run run-\d+ on .*lock_timeout"):
        releases.run([some("ConfigMap", "c")], lock_timeout=0)
    assert not [path for _method, path in server.writes if "leases" not in path]
    other.context.lock.release()
    assert releases.run([some("ConfigMap", "c")], lock_timeout=0)["changed"]


def test_a_long_wait_goes_on_in_the_next_call(server: Any, releases: Any, some: Any, workload: Any) -> None:
    server.bad.add("app:slow")
    objects = [some("ConfigMap", "c"), workload("d", "app:slow")]
    first = releases.engine(objects, run_id="mine", timeout=60)
    first.settings.pause_after = 0.2  # type: ignore[assignment]
    answer = first.run()
    assert (answer["finished"], answer["changed"], actions(answer)) == (False, True, {"c": "create", "d": "create"})
    with pytest.raises(ReleaseError, match="is locked by"):
        releases.run([some("ConfigMap", "other")], lock_timeout=0)
    server.bad.clear()
    server.control(server.find("Deployment", "d"))
    del server.writes[:]
    answer = releases.run(objects, run_id="mine", timeout=60)
    assert (answer["finished"], answer["revision"], answer["status"]) == (True, 1, "deployed")
    assert "2 objects, 2 created" in answer["msg"]
    assert not [path for _method, path in server.writes if "deployments" in path]
    assert server.statuses() == ["deployed"]


def test_the_whole_time_counts_over_several_calls(server: Any, releases: Any, workload: Any) -> None:
    server.bad.add("app:slow")
    objects = [workload("d", "app:slow")]
    calls = 0
    answer: dict[str, Any] = {"finished": False}
    while not answer["finished"]:
        engine = releases.engine(objects, run_id="mine", timeout=1)
        engine.settings.pause_after = 0.3  # type: ignore[assignment]
        answer = engine.run()
        calls += 1
        assert calls < 10
    assert calls > 1 and answer["failed"] and "Not ready within the timeout" in answer["msg"]


def test_hooks_run_once_for_their_content(server: Any, releases: Any, some: Any, workload: Any) -> None:
    hooks = {"pre": [workload("migrate", kind="Job")], "post": [workload("warm", kind="Job")]}
    answer = releases.run([some("ConfigMap", "c", data={"a": "1"}), workload("d")], hooks=hooks)
    assert sorted(one["kind"] for one in answer["objects"] if one["action"] == "run") == ["Job", "Job"]
    jobs = server.names("Job")
    assert len(jobs) == 2 and jobs[0].startswith("migrate-")
    order = [path.rpartition("/")[2] for _method, path in server.writes if "/jobs/" in path or "/deployments/" in path]
    assert order == [jobs[0], "d", jobs[1]]
    assert not releases.run([some("ConfigMap", "c", data={"a": "1"}), workload("d")], hooks=hooks)["changed"]
    answer = releases.run([some("ConfigMap", "c", data={"a": "2"})], hooks=hooks)
    assert {one["action"] for one in answer["objects"] if one["kind"] == "Job"} == {"none"}
    hooks["pre"] = [workload("migrate", "app:2", kind="Job")]
    answer = releases.run([some("ConfigMap", "c", data={"a": "2"})], hooks=hooks)
    assert server.names("Job") != jobs and len(server.names("Job")) == 2


def test_a_failed_hook_stops_the_release_and_runs_again(server: Any, releases: Any, some: Any, workload: Any) -> None:
    releases.run([some("ConfigMap", "c", data={"a": "1"})])
    server.bad.add("app:broken")
    hooks = {"pre": [workload("migrate", "app:broken", kind="Job")]}
    answer = releases.run([some("ConfigMap", "c", data={"a": "2"})], hooks=hooks)
    assert answer["failed"] and "The pre hook Job default/migrate-" in answer["msg"] and answer["rolled_back_to"] == 1
    assert server.find("ConfigMap", "c")["data"] == {"a": "1"} and server.names("Job") == []
    server.bad.clear()
    assert releases.run([some("ConfigMap", "c", data={"a": "2"})], hooks=hooks)["status"] == "deployed"


def test_the_oldest_revisions_are_forgotten_but_never_the_good_one(
    server: Any, releases: Any, some: Any, workload: Any
) -> None:
    for number in range(4):
        releases.run([some("ConfigMap", "c", data={"n": str(number)})], history=3)
    assert server.statuses() == ["superseded", "superseded", "deployed"]
    server.bad.add("app:broken")
    for number in range(4):
        releases.run([workload("d", "app:broken"), some("ConfigMap", "c", data={"n": f"bad {number}"})], history=3)
    assert server.statuses().count("deployed") == 1
    assert releases.run([some("ConfigMap", "c", data={"n": "3"})])["changed"] is False


def test_a_new_namespace_is_made_and_stays_when_the_objects_are_refused(server: Any, releases: Any, some: Any) -> None:
    with pytest.raises(
        ReleaseError, match=r"Namespace shop does not exist; it is needed for ConfigMap shop/c.*create_namespace"
    ):
        releases.run([some("ConfigMap", "c")], namespace="shop")
    causes = {"reason": "Invalid", "message": "x", "details": {"causes": [{"field": "data", "message": "Too long"}]}}
    server.refuse["/api/v1/namespaces/shop/configmaps/c"] = (422, causes)
    with pytest.raises(ReleaseError, match="ConfigMap shop/c: dta is not a known field"):
        releases.run([some("ConfigMap", "c", dta={})], namespace="shop", create_namespace=True)
    with pytest.raises(
        ReleaseError, match=r"(?s)data: Too long.*Namespace shop was created for the dry run and is kept"
    ):
        releases.run([some("ConfigMap", "c")], namespace="shop", create_namespace=True)
    assert "shop" in server.names("Namespace")
    server.refuse.clear()
    answer = releases.run([some("ConfigMap", "c")], namespace="shop", create_namespace=True)
    assert actions(answer) == {"c": "create"}
    answer = releases.run([some("ConfigMap", "c"), some("Namespace", "depot")], namespace="depot")
    assert actions(answer) == {"c": "create", "depot": "create"}


def test_large_records_are_split_and_read_again(
    server: Any, releases: Any, some: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import random

    from ansible_collections.slipway.kube.plugins.module_utils._release import revision

    noise = "".join(random.Random(1).choices("abcdefghijklmnop0123456789", k=5000))
    monkeypatch.setattr(revision.encode, "__defaults__", (1000,))
    objects = [some("ConfigMap", "c", data={"a": noise})]
    releases.run(objects)
    parts = [name for name in server.names("Secret") if "-p" in name]
    assert len(parts) > 2
    assert Store(releases.client(), "web", "default").read(1).objects[0]["data"]["a"] == noise
    assert not releases.run(objects)["changed"]
    releases.run([some("ConfigMap", "c", data={"a": "short"})], history=1)
    assert server.names("Secret") == ["slipway-release-web-r2"]


def test_who_may_only_work_on_objects_needs_no_lists_and_no_namespaces(server: Any, releases: Any, some: Any) -> None:
    server.forbidden |= {"/api/v1/namespaces/default", "/api/v1/namespaces/default/configmaps"}
    objects = [some("ConfigMap", "c", data={"a": "1"})]
    assert releases.run(objects)["status"] == "deployed"
    assert not releases.run(objects)["changed"]
    assert [one["action"] for one in releases.run([some("ConfigMap", "c", data={"a": "2"})])["objects"]] == ["change"]


def test_who_may_read_and_not_list_waits(server: Any, releases: Any, workload: Any) -> None:
    server.forbidden |= {"/apis/apps/v1/namespaces/default/deployments", "/api/v1/namespaces/default/pods"}
    server.forbidden |= {"/apis/apps/v1/namespaces/default/replicasets"}
    assert releases.run([workload("a"), workload("b")])["status"] == "deployed"


@pytest.mark.parametrize("version", ["v2beta1", ""])
def test_an_older_server_is_used_or_refused_by_name(
    releases: Any, some: Any, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    get = Client.get

    def older(self: Client, path: str, *rest: Any, **more: Any) -> Any:
        if path not in ("/api", "/apis"):
            return get(self, path, *rest, **more)
        accepted = more["accept"].split(",")
        assert f"application/json;g=apidiscovery.k8s.io;v={version or 'v2'};as=APIGroupDiscoveryList" in accepted
        assert accepted[-1] == "application/json"
        return get(self, path, *rest, **more) if version else {"kind": "APIGroupList", "groups": []}

    monkeypatch.setattr(Client, "get", older)
    if version:
        assert releases.run([some("ConfigMap", "c")])["status"] == "deployed"
        return
    with pytest.raises(ReleaseError, match=r"1.27 and later have.*\[slipway:server_too_old\]"):
        releases.engine([some("ConfigMap", "c")])


def test_a_hook_that_takes_long_goes_on_in_the_next_call(server: Any, releases: Any, some: Any, workload: Any) -> None:
    server.slow.add("app:slow")
    hooks = {"pre": [workload("migrate", "app:slow", kind="Job")]}
    objects = [some("ConfigMap", "c"), workload("d")]
    first = releases.engine(objects, run_id="mine", timeout=60, hooks=hooks)
    first.settings.pause_after = 0.2  # type: ignore[assignment]
    assert first.run()["finished"] is False and server.names("Deployment") == []
    server.slow.clear()
    (job,) = server.names("Job")
    server.control(server.find("Job", job))
    assert server.names("ConfigMap") == ["c"], "a hook may refer to it"
    answer = releases.run(objects, run_id="mine", timeout=60, hooks=hooks)
    assert "3 objects, 2 created, 1 run" in answer["msg"]
    assert (answer["status"], server.names("Deployment"), server.names("Job")) == ("deployed", ["d"], [job])
    assert {one["name"]: one["action"] for one in answer["objects"]}["d"] == "create"


def test_a_way_back_that_takes_long_goes_on_in_the_next_call(
    server: Any, releases: Any, some: Any, workload: Any
) -> None:
    releases.run([some("ConfigMap", "c", data={"a": "1"}), workload("d", "app:good")])
    bad = [some("ConfigMap", "c", data={"a": "2"}), workload("d", "app:broken")]
    server.bad |= {"app:broken", "app:good"}
    answer: dict[str, Any] = {}
    calls = 0
    while not answer.get("finished"):
        engine = releases.engine(bad, run_id="mine", timeout=3)
        engine.settings.pause_after = 0.3  # type: ignore[assignment]
        answer = engine.run()
        calls += 1
        if "Revision 2 failed; rolling back to revision 1." in answer["progress"]:
            server.bad.discard("app:good")
        elif "app:good" not in server.bad:
            server.control(server.find("Deployment", "d"))
        assert calls < 20
    assert answer["failed"] and answer["rolled_back_to"] == 1
    assert "Not ready within the timeout" in answer["msg"] and server.find("ConfigMap", "c")["data"] == {"a": "1"}


def test_what_could_only_be_held_against_the_schema_is_named(releases: Any, some: Any) -> None:
    objects = [some("ConfigMap", "c"), some("Namespace", "shop")]
    answer = releases.run(objects, check=True, namespace="shop")
    assert (
        answer["schema_only"] == ["ConfigMap shop/c"]
        and "1 of them could only be validated against the schema" in answer["msg"]
    )
    assert releases.run(objects, namespace="shop")["status"] == "deployed"
    assert releases.run(objects, check=True, namespace="shop")["schema_only"] == []


def test_what_a_rollback_cannot_delete_is_a_warning(server: Any, releases: Any, some: Any, workload: Any) -> None:
    releases.run([workload("d", "app:good")])
    server.bad.add("app:broken")
    engine = releases.engine([workload("d", "app:broken"), some("ConfigMap", "new"), some("Service", "s")])
    delete = engine.client.delete

    def refuse(path: str, *rest: Any, **more: Any) -> bool:
        if path.endswith("configmaps/new"):
            raise ApiError(403, "Forbidden", "may not delete")
        return delete(path, *rest, **more)

    engine.client.delete = refuse
    answer = engine.run()
    assert (answer["failed"], answer["rolled_back_to"], answer["status"]) == (True, 1, "rolled-back"), answer
    assert "The rollback left ConfigMap default/new, which only" in answer["warnings"][-1], answer["warnings"]
    assert releases.run([workload("d", "app:good")])["pruned"], "the next run tries again"
    assert server.names("ConfigMap") == []


def test_what_cannot_be_deleted_is_no_reason_to_go_back(server: Any, releases: Any, some: Any) -> None:
    releases.run([some("ConfigMap", "c"), some("ConfigMap", "old")])
    engine = releases.engine([some("ConfigMap", "c")])
    delete = engine.client.delete

    def refuse(path: str, *rest: Any, **more: Any) -> bool:
        if path.endswith("configmaps/old"):
            raise ApiError(403, "Forbidden", "may not delete")
        return delete(path, *rest, **more)

    engine.client.delete = refuse
    answer = engine.run()
    assert answer["status"] == "deployed" and "ConfigMap default/old: forbidden" in answer["warnings"][-1]
    assert server.names("ConfigMap") == ["c", "old"]
    assert [one["name"] for one in releases.run([some("ConfigMap", "c")])["pruned"]] == ["old"]


def test_a_job_that_failed_runs_again_with_the_next_run(server: Any, releases: Any, workload: Any) -> None:
    server.bad.add("app:1")
    objects = [workload("report", kind="Job")]
    assert releases.run(objects)["status"] == "failed"
    server.bad.clear()
    answer = releases.run(objects)
    assert (answer["status"], answer["objects"][0]["action"]) == ("deployed", "replace")
    assert "because it failed" in answer["warnings"][0]
    assert not releases.run(objects)["changed"]
