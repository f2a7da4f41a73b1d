# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The loop that waits for objects to become ready."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._diagnosis.finding import Finding
from ansible_collections.slipway.kube.plugins.module_utils._diagnosis.waiting import Outlook
from ansible_collections.slipway.kube.plugins.module_utils._kube.objects import Reference
from ansible_collections.slipway.kube.plugins.module_utils._release import waiting
from ansible_collections.slipway.kube.plugins.module_utils._release.waiting import wait_until_ready


def test_interventions_do_not_postpone_the_deadline() -> None:
    looks: list[float] = []

    def look() -> SimpleNamespace:
        looks.append(time.monotonic())
        assert len(looks) < 50, "the wait has no end"
        return SimpleNamespace(waiting=[("Deployment web", "late")], tolerable=[], hopeless=True, findings=[])

    watch = SimpleNamespace(look=look)
    started = time.monotonic()
    outlook = wait_until_ready(watch, started + 0.3, on_poll=lambda _outlook: True, confirm=0.0)  # type: ignore[arg-type]
    assert outlook.waiting and 0.3 <= looks[-1] - started < 5


@pytest.mark.parametrize("slices", [False, True])
def test_a_long_wait_asks_less_and_less(monkeypatch: pytest.MonkeyPatch, slices: bool) -> None:
    """Ten minutes, in one call or, as a release, in calls of ten seconds: looks per minute."""
    clock, looks = [1000.0], []
    monkeypatch.setattr(waiting.time, "monotonic", lambda: clock[0])

    def sleep(seconds: float) -> None:
        clock[0] += seconds

    def look() -> SimpleNamespace:
        looks.append(clock[0] - 1000)
        return SimpleNamespace(waiting=[("Deployment web", "late")], tolerable=[], hopeless=False, findings=[])

    watch: Any = SimpleNamespace(look=look)
    for at in range(0, 600, 10) if slices else (0,):
        wait_until_ready(
            watch, 1000 + (at + 10 if slices else 600), sleep=sleep, waited=clock[0] - 1000 if slices else 0.0
        )
    minutes = [sum(60 * one <= at < 60 * (one + 1) for at in looks) for one in range(10)]
    assert minutes[0] <= 50 and max(minutes[5:]) <= (24 if slices else 13), minutes


@pytest.mark.parametrize(("grace", "end"), [(None, "Not ready within the timeout"), (0.2, "Cannot become ready")])
def test_a_pod_without_a_node_waits_until_the_timeout_or_for_the_grace(
    server: Any, releases: Any, some: Any, grace: float | None, end: str
) -> None:
    message = "0/1 nodes are available: 1 Insufficient cpu."
    scheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    pod = some("Pod", "p", metadata={"namespace": "default"}, status={"phase": "Pending", "conditions": [scheduled]})
    server.put("/api/v1/namespaces/default/pods/p", pod)
    answer = releases.run([some("Pod", "p")], timeout=15 if grace else 1.2, grace=grace)
    assert f"{end}: Pod default/p" in answer["msg"] and "no node has enough free resources" in answer["msg"]


def test_an_object_that_declines_is_not_waited_for(server: Any, releases: Any, some: Any, workload: Any) -> None:
    server.slow.add("app:slow")
    server.bad.add("app:paused")
    declined = {"annotations": {"slipway.kube/wait": "false"}}
    objects = [workload("batch", "app:slow", kind="Job"), workload("d", "app:paused"), workload("web", "app:2")]
    for content in objects[:2]:
        content["metadata"].update(declined)
    answer = releases.run(objects)
    assert answer["status"] == "deployed" and answer["waited_for"] == ["Deployment default/web"]
    assert not releases.run(objects)["changed"]
    objects[0]["metadata"]["annotations"]["slipway.kube/wait"] = "true"
    assert "Job default/batch" in releases.run(objects)["msg"]


def test_an_unchanged_run_does_not_wait_for_what_a_daemon_set_may_lack(server: Any, releases: Any, some: Any) -> None:
    status = {"observedGeneration": 0, "desiredNumberScheduled": 3, "currentNumberScheduled": 3}
    status.update(updatedNumberScheduled=3, numberReady=2, numberAvailable=2)
    agent = some("DaemonSet", "agent", "apps/v1", metadata={"namespace": "default"}, spec={"selector": {}})
    server.put("/apis/apps/v1/namespaces/default/daemonsets/agent", {**agent, "status": status})
    told = "DaemonSet default/agent counts as ready, because its maxUnavailable allows it: 3 of 3 pods updated, 2 ready, 2 available."
    assert told in releases.run([agent])["warnings"]
    started = time.monotonic()
    again = releases.run([agent], timeout=20)
    assert (again["changed"], again.get("failed"), again["warnings"]) == (False, None, [told])
    assert time.monotonic() - started < 15


def test_an_object_that_waits_for_a_person_is_a_warning(server: Any, releases: Any, some: Any) -> None:
    names = {"kind": "Rollout", "plural": "rollouts"}
    spec = {"group": "argoproj.io", "scope": "Namespaced", "names": names, "versions": [{"name": "v1", "served": True}]}
    definition = some("CustomResourceDefinition", "rollouts.argoproj.io", "apiextensions.k8s.io/v1", spec=spec)
    server.put("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/rollouts.argoproj.io", definition)
    rollout = some("Rollout", "r", "argoproj.io/v1", metadata={"namespace": "default"}, spec={})
    server.put("/apis/argoproj.io/v1/namespaces/default/rollouts/r", {**rollout, "status": {"phase": "Paused"}})
    for answer in (releases.run([rollout]), releases.run([rollout])):
        assert (
            "Rollout default/r counts as ready, although it waits for a manual action: status.phase is Paused."
            in answer["warnings"]
        )


def test_what_was_ready_before_is_explained_with_its_log(monkeypatch: pytest.MonkeyPatch) -> None:
    name = Reference("apps/v1", "Deployment", "shop", "web-canary")

    def finding(logs: list[str]) -> Finding:
        return Finding("crash_loop", "warning", name, "terminates with exit code 3", [], "Read the log.", logs=logs)

    monkeypatch.setattr(waiting, "explain_faults", lambda *_arguments: [finding(["lost the database"])])
    outlook = Outlook(waiting=[(name, "0 ready")], findings=[finding([])])
    watch: Any = SimpleNamespace(client=None)
    error = waiting.not_ready(watch, outlook, [], verdict="The canary failed after 3 s of observation")
    assert str(error).startswith("The canary failed after 3 s of observation: Deployment shop/web-canary: 0 ready.")
    assert "lost the database" in str(error)
