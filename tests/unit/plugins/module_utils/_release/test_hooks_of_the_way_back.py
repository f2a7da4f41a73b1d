# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hooks that run with a rollback, and with the deletion of a release."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._release import ignored
from ansible_collections.slipway.kube.plugins.module_utils._release.errors import ReleaseError


def ran(server: Any) -> list[str]:
    """The hooks that ran since the last look, without the digests of their names."""
    names = [name.rpartition("-")[0] for name in server.ran]
    server.ran.clear()
    return names


def test_a_rollback_runs_the_hooks_of_the_revision_that_comes_back_each_time(
    server: Any, releases: Any, some: Any, workload: Any
) -> None:
    hooks = {
        "pre-rollback": [workload("stop", kind="Job")],
        "post-rollback": [workload("start", kind="Job")],
        "pre-delete": [workload("save", kind="Job")],
    }
    first = releases.run([some("ConfigMap", "c", data={"a": "1"})], hooks=hooks)
    assert first["status"] == "deployed" and ran(server) == []
    assert not releases.run([some("ConfigMap", "c", data={"a": "1"})], hooks=hooks)["changed"]
    server.bad.add("app:broken")
    for _time in range(2):
        answer = releases.run([workload("d", "app:broken")], hooks={"pre-rollback": [workload("other", kind="Job")]})
        assert answer["rolled_back_to"] == 1 and ran(server) == ["stop", "start"]
    assert server.find("ConfigMap", "c")["data"] == {"a": "1"}


@pytest.mark.parametrize("kind", ["bad", "slow"])
def test_a_hook_before_a_rollback_that_fails_or_hangs_does_not_stop_it(
    server: Any, releases: Any, some: Any, workload: Any, kind: str
) -> None:
    hooks = {"pre-rollback": [workload("stop", "app:broken", kind="Job")]}
    releases.run([some("ConfigMap", "c", data={"a": "1"})], hooks=hooks)
    server.bad.add("app:2")
    getattr(server, kind).add("app:broken")
    answer = releases.run([some("ConfigMap", "c", data={"a": "2"}), workload("d", "app:2")], timeout=2)
    assert answer["status"] == "rolled-back" and ran(server) == ["stop"]
    assert server.find("ConfigMap", "c")["data"] == {"a": "1"} and server.names("Deployment") == []
    assert any("The rollback went on although a pre-rollback hook failed" in line for line in answer["warnings"])


def test_a_revision_that_was_never_applied_needs_no_hook_before_its_rollback(
    server: Any, releases: Any, some: Any, workload: Any
) -> None:
    releases.run([some("ConfigMap", "c")], hooks={"pre-rollback": [workload("stop", kind="Job")]})
    server.bad.add("app:broken")
    answer = releases.run([some("ConfigMap", "d")], hooks={"pre": [workload("migrate", "app:broken", kind="Job")]})
    assert answer["status"] == "rolled-back" and ran(server) == ["migrate"]


def test_a_deletion_runs_its_hooks_and_leaves_none_of_them(
    server: Any, releases: Any, some: Any, workload: Any
) -> None:
    hooks = {
        "pre-delete": [some("ConfigMap", "needed"), workload("save", kind="Job")],
        "post-delete": [workload("bye", kind="Job")],
    }
    releases.run([some("ConfigMap", "c")], hooks=hooks)
    assert ran(server) == [] and server.names("ConfigMap") == ["c"]
    there: list[list[str]] = []
    server.before = lambda method, path, dry: (
        there.append(server.names("ConfigMap")) if method == "PATCH" and "/jobs/" in path else None
    )
    told = releases.remove(check=True)
    assert [one["name"].rpartition("-")[0] for one in told["objects"] if one["action"] == "run"] == ["save", "bye"]
    assert ran(server) == []
    answer = releases.remove()
    assert answer["changed"] and not answer.get("failed")
    assert ran(server) == ["save", "bye"] and there == [["c", "needed"], []]
    assert [kind for kind in ("Job", "ConfigMap", "Secret", "Lease") if server.names(kind)] == []


def test_a_hook_that_fails_keeps_everything_until_it_is_left_out(
    server: Any, releases: Any, some: Any, workload: Any
) -> None:
    hooks = {"pre-delete": [workload("save", "app:broken", kind="Job")]}
    releases.run([some("ConfigMap", "c")], hooks=hooks)
    server.bad.add("app:broken")
    for _time in range(2):
        answer = releases.remove()
        assert answer["failed"] and "The pre-delete hook Job default/save-" in answer["msg"]
        assert "delete_hooks: false" in answer["msg"] and server.names("ConfigMap") == ["c"]
        assert ran(server) == ["save"]
    assert not releases.remove(delete_hooks=False).get("failed")
    assert ran(server) == [] and server.names("ConfigMap") == [] and server.names("Job") == []


def test_a_deletion_that_pauses_runs_a_hook_once(server: Any, releases: Any, some: Any, workload: Any) -> None:
    server.slow.add("app:slow")
    releases.run([some("ConfigMap", "c")], hooks={"pre-delete": [workload("save", "app:slow", kind="Job")]})
    first = releases.remove(run_id="mine", timeout=60, pause_after=0.2)
    assert first["finished"] is False and server.names("ConfigMap") == ["c"]
    server.slow.clear()
    (job,) = server.names("Job")
    server.put(f"/apis/batch/v1/namespaces/default/jobs/{job}", server.find("Job", job))
    assert releases.remove(run_id="mine", timeout=60)["finished"]
    assert ran(server) == ["save"] and server.names("ConfigMap") == []


def test_hooks_of_a_namespace_that_is_deleted_are_told(server: Any, releases: Any, some: Any, workload: Any) -> None:
    objects = [some("Namespace", "shop"), some("ConfigMap", "c", metadata={"namespace": "shop"})]
    job = workload("bye", kind="Job")
    job["metadata"]["namespace"] = "shop"
    releases.run(objects, hooks={"post-delete": [job]})
    answer = releases.remove(prune_kinds=["Namespace"])
    assert "did not run, because its namespace is deleted: Job shop/bye-" in answer["warnings"][0]
    assert ran(server) == []


def test_what_the_server_refuses_of_these_hooks_is_told_before_anything_changes(
    server: Any, releases: Any, some: Any, workload: Any
) -> None:
    gone = workload("gone", kind="Job")
    releases.run([some("ConfigMap", "c")], hooks={"post-delete": [gone]})
    assert not releases.run([some("ConfigMap", "c")], hooks={"post-delete": [gone]})["changed"]
    server.before = lambda method, path, dry: (
        server.refuse.setdefault(path, (422, {"reason": "Invalid", "message": "spec.template: Required value"}))
        if "/jobs/new-" in path
        else None
    )
    with pytest.raises(ReleaseError, match=r"Job default/new-"):
        releases.run([some("ConfigMap", "c")], hooks={"post-delete": [workload("new", kind="Job")]})


def theirs(server: Any, name: str = "shared") -> None:
    """A ConfigMap of another release."""
    metadata = {
        "name": name,
        "namespace": "default",
        "labels": {"slipway.kube/release": "other"},
        "annotations": {"slipway.kube/release-namespace": "default"},
    }
    server.put(
        f"/api/v1/namespaces/default/configmaps/{name}",
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": "theirs"}},
    )


@pytest.mark.parametrize("when", ["pre-delete", "post-delete", "pre-rollback"])
def test_an_object_of_another_release_is_no_hook(server: Any, releases: Any, some: Any, when: str) -> None:
    theirs(server)
    with pytest.raises(ReleaseError, match=r"ConfigMap default/shared belongs to release other"):
        releases.run([some("ConfigMap", "c")], hooks={when: [some("ConfigMap", "shared")]})


@pytest.mark.parametrize("when", ["pre-delete", "post-delete"])
def test_an_object_that_another_release_has_taken_is_not_deleted(
    server: Any, releases: Any, some: Any, when: str
) -> None:
    releases.run([some("ConfigMap", "c")], hooks={when: [some("ConfigMap", "shared")]})
    theirs(server)
    answer = releases.remove()
    assert answer["failed"] and "ConfigMap default/shared belongs to release other" in answer["msg"]
    assert server.find("ConfigMap", "shared")["data"] == {"a": "theirs"}
    assert releases.remove(delete_hooks=False)["changed"] and server.names("ConfigMap") == ["shared"]


def test_a_hook_of_a_deletion_without_the_mark_of_the_release_stays(server: Any, releases: Any, some: Any) -> None:
    releases.run([some("ConfigMap", "c")], hooks={"pre-delete": [some("ConfigMap", "shared")]})
    once = iter([True])
    applied = ("APPLY", "/api/v1/namespaces/default/configmaps/shared")
    server.before = lambda method, path, dry: (
        theirs(server) if method == "GET" and applied in server.writes and next(once, False) else None
    )
    assert not releases.remove().get("failed") and server.names("ConfigMap") == ["shared"]


def plain(some: Any, value: str) -> dict[str, Any]:
    """A Secret."""
    return some("Secret", "login", type="Opaque", data={"password": base64.b64encode(value.encode()).decode()})


def told_by_the_server(server: Any, text: str) -> None:
    """Let the server refuse Jobs, and repeat a value of which it should be silent."""
    server.before = lambda method, path, dry: (
        server.refuse.setdefault(path, (422, {"reason": "Invalid", "message": f"spec: {text}"}))
        if "/jobs/" in path and not dry
        else None
    )


def test_values_of_the_secrets_of_hooks_are_masked_in_a_deletion(
    server: Any, releases: Any, some: Any, workload: Any
) -> None:
    hooks = {"pre-delete": [plain(some, "hook-canary"), workload("save", kind="Job")]}
    releases.run([some("ConfigMap", "c")], hooks=hooks)
    told_by_the_server(server, "hook-canary")
    answer = releases.remove()
    assert answer["failed"] and "pre-delete hook" in answer["msg"] and "canary" not in answer["msg"]


@pytest.mark.parametrize("check", [False, True])
def test_live_values_of_the_secrets_of_hooks_are_masked(
    server: Any, releases: Any, some: Any, workload: Any, check: bool
) -> None:
    kept = ignored.read([{"kind": "Secret", "fields": ["/data/password"]}])
    server.put("/api/v1/namespaces/default/secrets/login", plain(some, "live-canary"))
    server.objects["/api/v1/namespaces/default/secrets/login"]["metadata"]["namespace"] = "default"
    told_by_the_server(server, "live-canary")
    hooks = {"pre": [plain(some, "new-canary"), workload("migrate", kind="Job")]}
    with pytest.raises(ReleaseError, match=r"Job default/migrate-.*rejected") as caught:
        releases.run([some("ConfigMap", "c")], check, hooks=hooks, ignored=kept)
    assert "canary" not in str(caught.value)
