# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hooks: when they run, how often, and how their end is known."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._release import ignored
from ansible_collections.slipway.kube.plugins.module_utils._release.errors import ReleaseError


def test_nothing_is_deleted_before_the_last_hook_has_succeeded(
    server: Any, releases: Any, some: Any, workload: Any
) -> None:
    releases.run([some("ConfigMap", "c"), some("Service", "old", spec={"clusterIP": "10.96.0.9"})])
    uid = server.find("Service", "old")["metadata"]["uid"]
    server.bad.add("app:broken")
    hooks = {"post": [workload("smoke", "app:broken", kind="Job")]}
    answer = releases.run([some("ConfigMap", "c")], hooks=hooks)
    assert answer["rolled_back_to"] == 1 and "The post hook Job default/smoke-" in answer["msg"]
    assert server.find("Service", "old")["metadata"]["uid"] == uid
    server.bad.clear()
    answer = releases.run([some("ConfigMap", "c")], hooks=hooks)
    assert [one["name"] for one in answer["pruned"]] == ["old"] and server.names("Service") == []


def with_ttl(job: dict[str, Any], seconds: int = 0) -> dict[str, Any]:
    """A Job that the cluster deletes after its end."""
    return dict(job, spec=dict(job["spec"], ttlSecondsAfterFinished=seconds))


def test_a_hook_that_is_deleted_at_its_end_runs_once(server: Any, releases: Any, some: Any, workload: Any) -> None:
    hooks = {"pre": [with_ttl(workload("certs", kind="Job"))], "post": [with_ttl(workload("patch", kind="Job"))]}
    answer = releases.run([some("ConfigMap", "c", data={"a": "1"})], hooks=hooks)
    assert answer["status"] == "deployed" and server.names("Job") == []
    assert [name.partition("-")[0] for name in server.ran] == ["certs", "patch"]
    assert not releases.run([some("ConfigMap", "c", data={"a": "1"})], hooks=hooks)["changed"]
    assert releases.run([some("ConfigMap", "c", data={"a": "2"})], hooks=hooks)["status"] == "deployed"
    assert len(server.ran) == 2


def test_a_hook_runs_once_however_long_nobody_looks(server: Any, releases: Any, some: Any, workload: Any) -> None:
    server.slow.add("app:slow")
    hooks = {"pre": [with_ttl(workload("migrate", "app:slow", kind="Job"))]}
    first = releases.engine([some("ConfigMap", "c")], run_id="mine", timeout=60, hooks=hooks)
    first.settings.pause_after = 0.2  # type: ignore[assignment]
    assert first.run()["finished"] is False
    server.slow.clear()
    (job,) = server.names("Job")
    server.put(f"/apis/batch/v1/namespaces/default/jobs/{job}", server.find("Job", job))
    assert releases.run([some("ConfigMap", "c")], run_id="mine", timeout=60, hooks=hooks)["status"] == "deployed"
    assert server.ran == [job] and server.names("Job") == []


def test_a_hook_that_is_a_pod_is_waited_for(server: Any, releases: Any, some: Any) -> None:
    pod = some("Pod", "migrate", spec={"restartPolicy": "Never", "containers": [{"name": "c", "image": "app:1"}]})
    asked = []

    def kubelet(method: str, path: str, dry: bool) -> None:
        for one in [one for one in server.objects.values() if one.get("kind") == "Pod"]:
            asked.append(path)
            phase = "Succeeded" if len(asked) > 4 else "Running"
            one["status"] = {"phase": phase, "conditions": [{"type": "Ready", "status": str(phase == "Running")}]}

    server.before = kubelet
    hooks = {"pre": [pod]}
    assert releases.run([some("ConfigMap", "c")], hooks=hooks, timeout=5)["status"] == "deployed"
    applied = [path.split("/")[-2] for method, path in server.writes if method == "APPLY"]
    assert applied == ["configmaps", "pods", "configmaps"][-len(applied) :] and len(asked) > 4
    (name,) = server.names("Pod")
    assert name.startswith("migrate-"), "another content is another Pod"
    assert not releases.run([some("ConfigMap", "c")], hooks=hooks)["changed"], "it runs once"


def test_a_pod_that_fails_stops_the_release_and_runs_again(server: Any, releases: Any, some: Any) -> None:
    pod = some("Pod", "migrate", spec={"restartPolicy": "Never", "containers": [{"name": "c", "image": "app:1"}]})
    phases = ["Failed"]

    def kubelet(method: str, path: str, dry: bool) -> None:
        for one in [one for one in server.objects.values() if one.get("kind") == "Pod"]:
            one.setdefault("status", {"phase": phases[0]})

    server.before = kubelet
    answer = releases.run([some("Service", "s")], hooks={"pre": [pod]}, timeout=3)
    assert answer["failed"] and "[slipway:hook_failed]" in answer["msg"] and server.names("Service") == []
    phases[0] = "Succeeded"
    answer = releases.run([some("Service", "s")], hooks={"pre": [pod]}, timeout=3)
    assert answer["status"] == "deployed" and not answer["warnings"]


def test_a_hook_that_fails_is_kept_for_its_log(server: Any, releases: Any, some: Any, workload: Any) -> None:
    server.bad.add("app:broken")
    hooks = {"pre": [with_ttl(workload("migrate", "app:broken", kind="Job"))]}
    answer = releases.run([some("ConfigMap", "c")], hooks=hooks)
    assert answer["failed"] and "The pre hook Job default/migrate-" in answer["msg"]
    assert len(server.names("Job")) == 1


def test_a_job_whose_time_has_passed_is_not_created_again(server: Any, releases: Any, some: Any, workload: Any) -> None:
    report = with_ttl(workload("report", kind="Job"))
    answer = releases.run([report, some("ConfigMap", "c", data={"a": "1"})])
    assert answer["status"] == "deployed" and server.ran == ["report"] and server.names("Job") == []
    answer = releases.run([report, some("ConfigMap", "c", data={"a": "1"})])
    assert not answer["changed"] and not answer.get("failed")
    answer = releases.run([report, some("ConfigMap", "c", data={"a": "2"})])
    assert answer["status"] == "deployed" and server.ran == ["report"]
    server.bad.add("app:broken")
    answer = releases.run([report, workload("d", "app:broken")])
    assert answer["rolled_back_to"] == 2 and server.ran == ["report"]
    changed = with_ttl(workload("report", "app:2", kind="Job"))
    assert releases.run([changed])["status"] == "deployed" and server.ran == ["report", "report"]


def test_a_job_with_a_ttl_and_a_value_made_anew_runs_once(server: Any, releases: Any, some: Any, workload: Any) -> None:
    pinned = ignored.read([{"kind": "Job", "name": "report", "fields": ["/metadata/annotations/token"]}])

    def job(token: str, image: str = "app:1") -> dict[str, Any]:
        made = with_ttl(workload("report", image, kind="Job"))
        return dict(made, metadata={"name": "report", "annotations": {"token": token}})

    answer = releases.run([job("a"), some("ConfigMap", "c", data={"a": "1"})], ignored=pinned)
    assert answer["status"] == "deployed" and server.ran == ["report"] and server.names("Job") == []
    assert not releases.run([job("b"), some("ConfigMap", "c", data={"a": "1"})], ignored=pinned)["changed"]
    answer = releases.run([job("c"), some("ConfigMap", "c", data={"a": "2"})], ignored=pinned)
    assert answer["status"] == "deployed" and server.ran == ["report"]
    assert not releases.run([job("d"), some("ConfigMap", "c", data={"a": "2"})], ignored=pinned)["changed"]
    assert releases.run([job("e", "app:2")], ignored=pinned)["changed"] and server.ran == ["report", "report"]


def test_a_job_with_a_ttl_that_failed_runs_again(server: Any, releases: Any, workload: Any) -> None:
    server.bad.add("app:1")
    assert releases.run([with_ttl(workload("report", kind="Job"))])["status"] == "failed"
    server.bad.clear()
    assert releases.run([with_ttl(workload("report", kind="Job"))])["status"] == "deployed"
    assert server.ran == ["report", "report"] and server.names("Job") == []


def of_chart(job: dict[str, Any], events: str, **annotations: str) -> dict[str, Any]:
    """A hook as the action plugin passes it."""
    kept = {f"helm.sh/{name.replace('_', '-')}": value for name, value in annotations.items()}
    return dict(job, metadata=dict(job["metadata"], annotations={"helm.sh/hook": events, **kept}))


def test_an_installation_and_an_upgrade_have_their_own_hooks(
    server: Any, releases: Any, some: Any, workload: Any
) -> None:
    hooks = {
        "pre": [
            of_chart(workload("both", kind="Job"), "pre-install,pre-upgrade"),
            of_chart(workload("create", kind="Job"), "pre-install"),
            of_chart(workload("migrate", kind="Job"), "pre-upgrade, post-upgrade"),
        ],
        "post": [of_chart(workload("announce", kind="Job"), "post-upgrade")],
    }

    def ran() -> list[str]:
        names = [name.rpartition("-")[0] for name in server.ran]
        server.ran.clear()
        return names

    server.bad.add("app:broken")
    assert releases.run([workload("d", "app:broken")], hooks=hooks)["status"] == "failed"
    assert ran() == ["both", "create"]
    assert releases.run([some("ConfigMap", "c", data={"a": "1"})], hooks=hooks)["status"] == "deployed"
    assert ran() == []
    answer = releases.run([some("ConfigMap", "c", data={"a": "1"})], hooks=hooks)
    assert not answer["changed"] and ran() == []
    predicted = releases.run([some("ConfigMap", "c", data={"a": "2"})], check=True, hooks=hooks)
    answer = releases.run([some("ConfigMap", "c", data={"a": "2"})], hooks=hooks)
    assert ran() == ["migrate", "announce"]
    told = [
        {one["name"].rpartition("-")[0] for one in made["objects"] if one["action"] == "run"}
        for made in (predicted, answer)
    ]
    assert told == [{"migrate", "announce"}] * 2
    assert not releases.run([some("ConfigMap", "c", data={"a": "2"})], hooks=hooks)["changed"] and ran() == []


def test_a_chart_says_when_a_hook_is_deleted(server: Any, releases: Any, some: Any, workload: Any) -> None:
    server.bad.add("app:broken")
    policies = {"hook_delete_policy": "before-hook-creation,hook-succeeded"}
    hooks = {
        "pre": [of_chart(workload("create", kind="Job"), "pre-install", **policies)],
        "post": [
            of_chart(workload("check", "app:broken", kind="Job"), "post-install", hook_delete_policy="hook-failed")
        ],
    }
    answer = releases.run([some("ConfigMap", "c")], hooks=hooks)
    assert answer["failed"] and "The post hook Job default/check-" in answer["msg"] and server.names("Job") == []
    assert len(server.ran) == 2


def test_hooks_of_several_events_share_a_name(server: Any, releases: Any, some: Any, workload: Any) -> None:
    def config(value: str, events: str) -> dict[str, Any]:
        return of_chart(some("ConfigMap", "shared", data={"a": value}), events)

    account = of_chart(some("Service", "shared"), "pre-install,pre-upgrade,post-install,post-delete")
    hooks = {
        "pre": [
            account,
            config("install", "pre-install"),
            config("upgrade", "pre-upgrade"),
            of_chart(workload("job", kind="Job"), "pre-install"),
            of_chart(workload("job", "app:2", kind="Job"), "pre-upgrade"),
        ],
        "post": [account, config("end", "post-install,post-upgrade")],
        "post-delete": [account, of_chart(workload("job", "app:3", kind="Job"), "post-delete")],
    }
    answer = releases.run([some("ConfigMap", "c", data={"a": "1"})], hooks=hooks)
    assert answer["status"] == "deployed" and len(server.ran) == 1
    assert [one["action"] for one in answer["objects"] if one["name"] == "shared"] == ["create", "create"]
    assert server.find("ConfigMap", "shared")["data"] == {"a": "end"}
    assert not releases.run([some("ConfigMap", "c", data={"a": "1"})], hooks=hooks)["changed"] and len(server.ran) == 1
    answer = releases.run([some("ConfigMap", "c", data={"a": "2"})], hooks=hooks)
    assert answer["status"] == "deployed" and len(server.ran) == 2
    assert server.find("ConfigMap", "shared")["data"] == {"a": "end"}
    assert not releases.run([some("ConfigMap", "c", data={"a": "2"})], hooks=hooks)["changed"] and len(server.ran) == 2
    answer = releases.remove()
    assert not answer.get("failed") and len(server.ran) == 3
    assert server.names("Service") == server.names("ConfigMap") == server.names("Job") == []


def test_hooks_of_one_event_do_not_share_a_name(releases: Any, some: Any) -> None:
    def config(events: str) -> dict[str, Any]:
        return of_chart(some("ConfigMap", "shared"), events)

    for hooks in (
        {"pre": [config("pre-install,pre-upgrade"), config("pre-install")]},
        {"pre": [some("ConfigMap", "c")]},
    ):
        with pytest.raises(ReleaseError, match="is defined twice"):
            releases.run([some("ConfigMap", "c")], hooks=hooks)
