# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Strategy Canary: a small Deployment tries a new version; the main one follows, or is never touched."""

from __future__ import annotations

import time
from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._kube.api import ApiError
from ansible_collections.slipway.kube.plugins.module_utils._release import canary
from ansible_collections.slipway.kube.plugins.module_utils._release.errors import ReleaseError
from ansible_collections.slipway.kube.plugins.plugin_utils.app.checks import read
from ansible_collections.slipway.kube.plugins.plugin_utils.app.expand import expand

MAIN, CANARY = "deployments/web", "deployments/web-canary"
HOOKS = {"post": {"check": {"image": "check:1", "command": ["check", "web-preview"]}}}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canary, "EVERY", 0.02)


@pytest.fixture
def app(releases: Any) -> Any:
    """Deploys an application."""

    def deploy(
        image: str, how: str = "run", observe: int = 0, percent: int = 20, fields: Any = (), **options: Any
    ) -> Any:
        strategy = {"type": "Canary", "observe": observe, "percent": percent}
        given = {
            "name": "web",
            "namespace": "default",
            "image": image,
            "ports": {"http": 8080},
            "replicas": 10,
            "disruption_budget": False,
        }
        made = expand(
            read({**given, "strategy": strategy, "service_account": "default", "hooks": HOOKS, **dict(fields)})
        )
        before = [options.pop("at")] if "at" in options else []
        options.setdefault("timeout", 2)
        return getattr(releases, how)(*before, made.objects, hooks=made.hooks, **options)

    return deploy


def actions(answer: Any, *kinds: str) -> list[tuple[str, str]]:
    return [(one["name"], one["action"]) for one in answer["objects"] if one["kind"] in (kinds or ("Deployment",))]


def image_of(server: Any, name: str = "web") -> Any:
    return server.find("Deployment", name)["spec"]["template"]["spec"]["containers"][0]["image"]


def pod_of_canary(server: Any, restarts: int) -> None:
    labels = {"app.kubernetes.io/name": "web", "slipway.kube/part": "app", "slipway.kube/canary": "true"}
    end = {"terminated": {"exitCode": 3, "reason": "Error"}}
    status = {"containerStatuses": [{"name": "web", "restartCount": restarts, "lastState": end}]}
    metadata = {"name": "web-canary-x", "uid": "u", "labels": labels}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "status": status}
    server.put("/api/v1/namespaces/default/pods/web-canary-x", pod)


def keep_canary(engine: Any) -> None:
    """Refuse to delete canaries."""
    delete = engine.client.delete

    def refuse(path: str, *rest: Any, **more: Any) -> Any:
        if path.endswith(CANARY):
            raise ApiError(403, "Forbidden", "deployments is forbidden", "DELETE", path)
        return delete(path, *rest, **more)

    engine.client.delete = refuse


def test_a_new_version_is_tried_before_the_deployment_follows(server: Any, app: Any) -> None:
    first = app("web:1")
    assert first["status"] == "deployed" and actions(first) == [("web", "create")], "there is nothing to protect yet"
    server.writes.clear()
    predicted = app("web:2", check=True)
    assert predicted["changed"] and actions(predicted) == [("web", "change"), ("web-canary", "run")]
    assert not server.writes
    shares: list[int] = []

    def look(method: str, path: str, dry: bool) -> None:
        if path.endswith(MAIN) and method == "PATCH" and not dry:
            shares.append(server.find("Deployment", "web-canary")["spec"]["replicas"])

    server.before = look
    answer = app("web:2", observe=2, timeout=9)
    assert answer["status"] == "deployed" and actions(answer) == actions(predicted) and shares == [2]
    told = [line for line in answer["progress"] if "Observing" in line]
    assert answer["seconds"]["observe"] >= 1 and len(told) == 1, "each look counts the seconds down"
    steps = ("services/web-preview", CANARY, "jobs/web-check-", MAIN)
    shown = [path.partition("namespaces/default/")[2] for _method, path in server.writes]
    applied = [
        step for path in shown for step in steps if path == step or (path.startswith(step) and step.endswith("-"))
    ]
    assert list(dict.fromkeys(applied)) == list(steps) and applied.count(MAIN) == 1, server.writes
    assert ("DELETE", CANARY) in [(method, path) for (method, _path), path in zip(server.writes, shown)][
        shown.index(MAIN) :
    ]
    assert server.names("Deployment") == ["web"] and image_of(server) == "web:2"
    assert "web-canary" not in str(answer["pruned"]), "the canary belongs to the run"
    server.writes.clear()
    assert not app("web:2", observe=2)["changed"] and not server.writes


def test_a_canary_is_not_needed_for_what_leaves_the_pods_alone(server: Any, app: Any) -> None:
    app("web:1")
    answer = app("web:1", fields={"replicas": 4})
    assert actions(answer) == [("web", "change")]
    live = server.find("Deployment", "web")
    live["spec"]["replicas"] = 0
    assert actions(app("web:2", fields={"replicas": 0})) == [("web", "change")], "a stopped application serves nothing"
    assert not [line for line in server.writes if line[1].endswith(CANARY)]


@pytest.mark.parametrize("prune", [True, False])
def test_a_canary_that_does_not_become_ready_is_withdrawn(server: Any, app: Any, prune: bool) -> None:
    app("web:1")
    server.bad.add("web:2")
    server.writes.clear()
    answer = app("web:2", prune=prune)
    assert answer["failed"] and answer["status"] == "rolled-back" and answer["rolled_back_to"] == 1
    assert "Deployment default/web-canary" in answer["msg"]
    assert answer["msg"].endswith("The canary was deleted, and Deployment default/web was never changed.")
    assert not [line for line in server.writes if line[1].endswith(MAIN)]
    assert server.names("Deployment") == ["web"] and image_of(server) == "web:1"
    assert not app("web:1")["changed"]


def test_a_failed_check_withdraws_the_canary(server: Any, app: Any) -> None:
    app("web:1")
    server.bad.add("check:1")
    server.writes.clear()
    answer = app("web:2")
    assert answer["rolled_back_to"] == 1 and "post hook" in answer["msg"]
    assert not [line for line in server.writes if line[1].endswith(MAIN)] and server.names("Deployment") == ["web"]


def test_a_restart_under_observation_withdraws_the_canary(server: Any, app: Any) -> None:
    app("web:1")
    pod_of_canary(server, restarts=1)  # it restarted before it became ready, which is no failure

    def restart(method: str, path: str, dry: bool) -> None:
        if path.endswith("/pods") and len([line for line in server.asked if "/pods" in line]) > 6:
            pod_of_canary(server, restarts=2)

    server.before = restart
    answer = app("web:2", observe=5, timeout=9)
    assert answer["rolled_back_to"] == 1 and image_of(server) == "web:1" and server.names("Deployment") == ["web"]
    assert "The canary failed after" in answer["msg"]
    assert "container web of pod web-canary-x restarted (exit code 3, Error)" in answer["msg"]


def test_a_canary_that_stops_being_ready_is_withdrawn(server: Any, app: Any) -> None:
    app("web:1")

    def break_it(method: str, path: str, dry: bool) -> None:
        if any(line.endswith("/pods") for line in server.asked) and "web-canary" in server.names("Deployment"):
            server.find("Deployment", "web-canary")["status"].update(readyReplicas=0, availableReplicas=0)

    server.before = break_it
    answer = app("web:2", observe=5, timeout=9)
    assert answer["rolled_back_to"] == 1 and "The canary failed after" in answer["msg"] and image_of(server) == "web:1"


def test_an_observation_that_does_not_fit_into_the_timeout_is_not_begun(server: Any, app: Any) -> None:
    app("web:1")
    server.writes.clear()
    answer = app("web:2", observe=5, timeout=1)
    assert answer["rolled_back_to"] == 1 and answer["seconds"]["observe"] < 1
    assert "The canary is ready, but its 5 s of observation do not fit into the rest of timeout (1 s)" in answer["msg"]
    assert not [line for line in server.writes if line[1].endswith(MAIN)] and server.names("Deployment") == ["web"]


def test_a_canary_that_used_up_the_timeout_is_not_promoted(server: Any, app: Any) -> None:
    app("web:1")
    server.writes.clear()

    def slow(method: str, path: str, dry: bool) -> None:
        if method == "PATCH" and "jobs/web-check" in path and not dry:
            time.sleep(1.1)

    server.before = slow
    answer = app("web:2", timeout=1)
    assert answer["rolled_back_to"] == 1 and "never changed" in answer["msg"]
    why = "The canary is good, but no time is left for Deployment default/web. Raise timeout (1 s), of which"
    assert why in answer["msg"]
    assert not [line for line in server.writes if line[1].endswith(MAIN)] and image_of(server) == "web:1"


def test_a_user_who_may_not_list_pods_has_a_canary(server: Any, app: Any) -> None:
    app("web:1")
    server.forbidden.add("/api/v1/namespaces/default/pods")
    assert app("web:2")["status"] == "deployed"


def test_a_canary_that_cannot_be_deleted_is_deleted_by_the_next_run(
    server: Any, app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    app("web:1")
    engine = app("web:2", "engine")
    keep_canary(engine)
    answer = engine.run()
    assert answer["status"] == "deployed" and any("The canary was not deleted" in line for line in answer["warnings"])
    assert app("web:2")["changed"] and server.names("Deployment") == ["web"] and not app("web:2")["changed"]


def test_a_version_that_fails_after_its_canary_is_rolled_back(server: Any, app: Any) -> None:
    app("web:1")

    def fail(method: str, path: str, dry: bool) -> None:
        if path.endswith(MAIN) and method == "PATCH" and not dry:
            server.bad.add("web:2")

    server.before = fail
    answer = app("web:2")
    assert answer["rolled_back_to"] == 1 and image_of(server) == "web:1" and server.names("Deployment") == ["web"]
    assert "never changed" not in answer["msg"]


def test_a_kept_canary_is_deleted_by_the_next_run(server: Any, app: Any) -> None:
    app("web:1")
    server.bad.add("web:2")
    assert app("web:2", on_failure="keep")["status"] == "failed"
    assert server.names("Deployment") == ["web", "web-canary"] and image_of(server) == "web:1"
    predicted = app("web:1", check=True)
    assert ("web-canary", "delete") in actions(predicted)
    answer = app("web:1")
    assert [one["name"] for one in answer["pruned"]] == ["web-canary"] == [one["name"] for one in predicted["pruned"]]
    assert server.names("Deployment") == ["web"] and not app("web:1")["changed"]


def test_a_run_that_is_killed_anywhere_is_finished_or_withdrawn(server: Any, app: Any) -> None:
    app("web:1")
    number, previous = 0, "web:1"
    while True:
        number += 1
        image = f"web:2.{number}"
        died = app(image, "killed", at=number)
        ready = image_of(server)
        assert ready in (previous, image)
        if number % 2:
            assert app(image)["status"] == "deployed" and image_of(server) == image
            previous = image
        else:
            assert app(previous)["status"] == "deployed" and image_of(server) == previous
        assert server.names("Deployment") == ["web"], number
        assert not app(previous)["changed"]
        if not died:
            break
    assert number > 8


def test_a_run_in_several_calls_observes_on(server: Any, app: Any) -> None:
    app("web:1")
    given = {"observe": 1, "timeout": 20, "run_id": "mine"}
    first = app("web:2", "engine", **given)
    first.settings.pause_after = 0.3
    answer = first.run()
    assert answer["finished"] is False and image_of(server) == "web:1" and "web-canary" in server.names("Deployment")
    for _call in range(20):
        call = app("web:2", "engine", **given)
        call.settings.pause_after = 0.3
        answer = call.run()
        if answer["finished"]:
            break
    assert answer["status"] == "deployed" and image_of(server) == "web:2" and server.names("Deployment") == ["web"]
    assert len([line for line in server.writes if line == ("APPLY", f"/apis/apps/v1/namespaces/default/{CANARY}")]) == 1


def test_a_revision_is_restored_without_a_canary(server: Any, app: Any, releases: Any) -> None:
    app("web:1")
    app("web:2")
    server.writes.clear()
    answer = releases.run([], revision=1)
    assert answer["status"] == "deployed" and image_of(server) == "web:1"
    assert not [line for line in server.writes if CANARY in line[1]]


def test_an_autoscaled_deployment_is_tried_by_a_share_of_what_runs(server: Any, app: Any) -> None:
    scaling = {"scaling": {"min": 2, "max": 30}, "replicas": None}
    app("web:1", fields=scaling)
    server.find("Deployment", "web")["spec"]["replicas"] = 30
    shares: list[int] = []

    def look(method: str, path: str, dry: bool) -> None:
        if path.endswith(MAIN) and method == "PATCH" and not dry:
            shares.append(server.find("Deployment", "web-canary")["spec"]["replicas"])

    server.before = look
    assert app("web:2", fields=scaling, percent=10)["status"] == "deployed" and shares == [3]


def test_what_is_left_of_a_canary_goes_with_the_release(server: Any, app: Any, releases: Any) -> None:
    app("web:1")
    server.bad.add("web:2")
    app("web:2", on_failure="keep")
    releases.remove()
    assert not server.names("Deployment")


def test_another_strategy_leaves_no_canary(server: Any, app: Any) -> None:
    app("web:1")
    server.bad.add("web:2")
    app("web:2", on_failure="keep")
    assert app("web:3", fields={"strategy": "RollingUpdate"})["status"] == "deployed"
    assert server.names("Deployment") == ["web"] and server.names("Service") == ["web"]


@pytest.mark.parametrize("release", ["", "other"])
def test_a_deployment_of_somebody_else_is_no_canary(server: Any, app: Any, release: str) -> None:
    app("web:1")
    labels = {"labels": {"slipway.kube/release": release}} if release else {}
    metadata = {"name": "web-canary", "namespace": "default", "uid": "theirs", **labels}
    theirs = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"replicas": 1}}
    server.put(f"/apis/apps/v1/namespaces/default/{CANARY}", theirs)
    assert not app("web:1", check=True)["changed"] and not app("web:1")["changed"]
    assert app("web:1", fields={"replicas": 4})["status"] == "deployed"
    server.writes.clear()
    for options in ({}, {"force_conflicts": True}):
        with pytest.raises(ReleaseError, match=r"Deployment default/web-canary .*\[slipway:canary_name_taken\]"):
            app("web:2", **options)
    assert not server.writes and server.find("Deployment", "web-canary")["metadata"]["uid"] == "theirs"


@pytest.mark.parametrize("promoted", [True, False])
def test_a_canary_that_cannot_be_deleted_does_not_keep_from_rolling_back(server: Any, app: Any, promoted: bool) -> None:
    app("web:1")

    def fail(method: str, path: str, dry: bool) -> None:
        if path.endswith(MAIN if promoted else CANARY) and method == "PATCH" and not dry:
            server.bad.add("web:2")

    server.before = fail
    engine = app("web:2", "engine")
    keep_canary(engine)
    answer = engine.run()
    assert answer["status"] == "rolled-back" and image_of(server) == "web:1", answer["msg"]
    assert any("The canary was not deleted" in line for line in answer["warnings"])
    end = "The canary was not deleted (see the warnings), and Deployment default/web was never changed."
    assert answer["msg"].endswith(end) is not promoted and "The canary was deleted" not in answer["msg"]
    assert app("web:1")["changed"] and server.names("Deployment") == ["web"]


def test_a_canary_that_is_left_is_created_anew(server: Any, app: Any) -> None:
    app("web:1")
    server.bad.add("web:2")
    assert app("web:2", on_failure="keep")["status"] == "failed"
    left = server.find("Deployment", "web-canary")["metadata"]["uid"]
    server.bad.clear()
    server.writes.clear()
    seen: list[str] = []

    def look(method: str, path: str, dry: bool) -> None:
        if path.endswith(MAIN) and method == "PATCH" and not dry:
            seen.append(server.find("Deployment", "web-canary")["metadata"]["uid"])

    server.before = look
    assert app("web:2")["status"] == "deployed" and seen and left not in seen
    steps = [method for method, path in server.writes if path.endswith(CANARY)]
    assert steps == ["DELETE", "APPLY", "DELETE"] and server.names("Deployment") == ["web"]


def test_a_canary_that_another_run_has_left_is_withdrawn_by_a_rollback(server: Any, app: Any) -> None:
    app("web:1")
    server.bad.update({"web:2", "web:3"})
    app("web:2", on_failure="keep")
    answer = app("web:3", fields={"strategy": "RollingUpdate"})
    assert answer["rolled_back_to"] == 1 and image_of(server) == "web:1"
    assert server.names("Deployment") == ["web"], "the pods of web:2 would answer"


def test_a_rollback_leaves_other_deployments_of_the_release_alone(server: Any, app: Any, workload: Any) -> None:
    extra = {"manifests": [workload("other", "other:1")]}
    app("web:1", fields=extra)
    server.bad.add("web:2")
    app("web:2", on_failure="keep", prune=False)
    assert app("web:2", fields={"strategy": "RollingUpdate"})["rolled_back_to"] == 1
    assert server.names("Deployment") == ["other", "web"]


@pytest.mark.parametrize("prune", [True, False])
def test_a_version_that_is_tried_again_is_checked_again(server: Any, app: Any, prune: bool) -> None:
    app("web:1")

    def fail(method: str, path: str, dry: bool) -> None:
        if path.endswith(MAIN) and method == "PATCH" and not dry:
            server.bad.add("web:2")

    server.before = fail
    assert app("web:2", prune=prune)["rolled_back_to"] == 1
    server.before = lambda *_request: None
    server.bad.clear()
    server.writes.clear()
    jobs = [one for one in app("web:2", check=True)["objects"] if one["kind"] == "Job" and one["action"] != "delete"]
    (check,) = jobs
    assert check["action"] == "run" and not server.writes
    assert app("web:2", prune=prune)["status"] == "deployed"
    steps = [method for method, path in server.writes if path.endswith(f"jobs/{check['name']}")]
    assert steps == (["APPLY"] if prune else ["DELETE", "APPLY"]), "the Job that has completed tells nothing"
    assert not app("web:2", prune=prune)["changed"]
    server.writes.clear()
    app("web:2", fields={"replicas": 4})
    assert not [line for line in server.writes if "jobs/" in line[1] and line[0] == "APPLY"], "nothing to check"


def test_a_check_runs_once_in_a_run_of_several_calls(server: Any, app: Any) -> None:
    app("web:1")
    server.bad.add("web:2")
    app("web:2", on_failure="keep")
    server.bad.clear()
    calls, done = 0, {"conditions": [{"type": "Complete", "status": "True"}]}

    def slow(method: str, path: str, dry: bool) -> None:
        for name in server.names("Job"):
            server.find("Job", name)["status"] = done if calls > 4 else {}

    server.before = slow
    server.writes.clear()
    while calls < 40:
        calls += 1
        engine = app("web:2", "engine", run_id="mine", timeout=20)
        engine.settings.pause_after = 0.05
        answer = engine.run()
        if answer["finished"]:
            break
    assert answer["status"] == "deployed" and calls > 4
    (check,) = {path for method, path in server.writes if "jobs/web-check" in path and method == "APPLY"}
    assert ("DELETE", check) not in server.writes


def test_a_main_deployment_that_a_failed_run_had_changed_is_not_called_untouched(server: Any, app: Any) -> None:
    app("web:1")

    def fail(method: str, path: str, dry: bool) -> None:
        if path.endswith(MAIN) and method == "PATCH" and not dry:
            server.bad.add("web:2")

    server.before = fail
    assert app("web:2", on_failure="keep")["status"] == "failed" and image_of(server) == "web:2"
    server.before = lambda *_request: None
    server.bad.add("web:3")
    answer = app("web:3")
    assert answer["rolled_back_to"] == 1 and image_of(server) == "web:1"
    assert answer["msg"].endswith("Rolled back to revision 1. The canary was deleted.")


def test_a_first_run_that_creates_its_namespace_counts_no_canary(app: Any) -> None:
    answer = app("web:1", check=True, fields={"namespace": "shop"}, namespace="shop", create_namespace=True)
    assert "Deployment shop/web" in answer["schema_only"] and "Deployment shop/web-canary" not in answer["schema_only"]
    assert f"{len(answer['schema_only'])} of them could only be validated" in answer["msg"]
