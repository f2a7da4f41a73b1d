# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A StatefulSet whose pod never passed its readiness probe: the corrected revision gets past it."""

from __future__ import annotations

import json
import time
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._kube.objects import Reference
from ansible_collections.slipway.kube.plugins.module_utils._kube.timestamps import to_time
from ansible_collections.slipway.kube.plugins.module_utils._release import execution
from ansible_collections.slipway.kube.plugins.module_utils._release.stateful_set import (
    blocking_pods,
    find_blocking_pods,
    never_ready,
)
from harness.api_server import Handler

POD = "/api/v1/namespaces/default/pods/db-0"


def at(ago: float) -> str:
    return to_time(time.time() - ago)


def pod(
    revision: str = "old",
    ago: float = 120,
    started: bool = True,
    ready: str = "False",
    unready: float | None = None,
    restarts: int = 0,
    name: str = "db-0",
    probe: Any = None,
    node: str = "",
) -> dict[str, Any]:
    """A pod whose container has run for a while.

    :param unready: seconds since it is not ready; since it exists by default.
    """
    running = {"running": {"startedAt": at(ago)}}
    container = {"name": "c", "started": started, "restartCount": restarts, "state": running}
    condition = {"type": "Ready", "status": ready, "lastTransitionTime": at(ago + 2 if unready is None else unready)}
    metadata = {
        "name": name,
        "namespace": "default",
        "uid": "of-pod",
        "labels": {"app": "web", "controller-revision-hash": revision},
        "ownerReferences": [{"kind": "StatefulSet", "name": "db", "uid": "set", "controller": True}],
    }
    status = {"phase": "Running", "conditions": [condition], "containerStatuses": [container]}
    status["startTime"] = at(ago + 2 + 900 * restarts)
    spec = {"containers": [{"name": "c", "readinessProbe": probe or {}}], "nodeName": node}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status}


@pytest.mark.parametrize(
    ("fields", "policy", "blocks"),
    [
        ({}, "OrderedReady", True),
        ({"ago": 20}, "OrderedReady", False),
        ({"started": False}, "OrderedReady", False),
        ({"ready": "True"}, "OrderedReady", False),
        ({"revision": "new"}, "OrderedReady", False),
        ({}, "Parallel", False),
        ({"ago": 7776000, "unready": 61}, "OrderedReady", False),
        ({"restarts": 1, "unready": 130}, "OrderedReady", False),
        ({"restarts": 1, "unready": 1022}, "OrderedReady", True),
        ({"probe": {"initialDelaySeconds": 120, "periodSeconds": 5}}, "OrderedReady", False),
        ({"probe": {"periodSeconds": 30, "failureThreshold": 5}}, "OrderedReady", False),
        ({"probe": {"periodSeconds": 5, "failureThreshold": 5}}, "OrderedReady", True),
    ],
)
def test_a_pod_that_runs_and_was_never_ready_for_a_minute_blocks(
    fields: dict[str, Any], policy: str, blocks: bool
) -> None:
    live = {"metadata": {"uid": "set"}, "spec": {"podManagementPolicy": policy}, "status": {"updateRevision": "new"}}
    assert bool(blocking_pods(live, [pod(**fields)], back=False)) is blocks


@pytest.mark.parametrize(
    ("fixture", "never"),
    [("13_readiness_fails", True), ("06_crash_loop_stateful", False), ("12_liveness_kills", False)],
)
def test_whether_a_real_pod_was_ever_ready(fixture: str, never: bool) -> None:
    # Without a readiness probe, a container that crashes was ready for a moment.
    path = Path(__file__).parent.parent / "_diagnosis" / "fixtures" / f"{fixture}.json"
    pods = json.loads(path.read_text())["lists"]["Pod"]
    assert pods and {never_ready(one) for one in pods} == {never}


def blocking(*pods: dict[str, Any], back: bool = False, **status: str) -> list[str]:
    live = {"metadata": {"uid": "set"}, "spec": {}, "status": {"updateRevision": "new", **status}}
    return [one["metadata"]["name"] for one in blocking_pods(live, pods, back)]


def test_of_several_pods_that_are_not_ready_the_awaited_one_blocks() -> None:
    three = [pod(name=f"db-{number}") for number in (2, 1, 0)]
    assert blocking(*three) == blocking(*three, back=True) == ["db-0"]
    assert blocking(pod(name="db-1"), pod("new", name="db-0")) == [], "the controller waits for another pod"
    leaving = pod(name="db-0")
    leaving["metadata"]["deletionTimestamp"] = "now"
    assert blocking(pod(name="db-1"), leaving) == []


def broken(name: str) -> dict[str, Any]:
    one = pod(name=name)
    one["status"]["containerStatuses"][0]["state"] = {"waiting": {"reason": "CrashLoopBackOff"}}
    return one


def test_of_several_broken_pods_one_is_deleted_at_a_time() -> None:
    three = [broken(f"db-{number}") for number in (2, 1, 0)]
    assert blocking(*three) == ["db-0"], "the one that the controller waits for"
    assert blocking(broken("db-2"), pod("new", name="db-0")) == [], "it waits for another pod"
    live = {
        "metadata": {"uid": "set"},
        "spec": {"podManagementPolicy": "Parallel"},
        "status": {"updateRevision": "new"},
    }
    found = blocking_pods(live, three, back=False)
    assert [one["metadata"]["name"] for one in found] == ["db-2"], "the controller begins with the highest ordinal"


def test_a_rollback_leaves_what_worked_time_to_recover() -> None:
    worked = pod(ago=7776000, unready=61)
    assert blocking(worked, back=True, currentRevision="old") == []
    assert blocking(worked, back=True, currentRevision="new") == ["db-0"], "a failed revision"
    assert blocking(pod(ago=1), back=True, currentRevision="old") == ["db-0"], "never ready"


@pytest.mark.parametrize(("status", "blocks"), [("True", True), ("Unknown", False), (None, False), ("403", True)])
def test_a_pod_on_a_node_that_does_not_respond_is_left_alone(
    server: Any, releases: Any, workload: Any, status: str | None, blocks: bool
) -> None:
    releases.run([workload("db", "app:1", kind="StatefulSet")])
    live = server.find("StatefulSet", "db")
    live["metadata"]["uid"] = "set"
    live["status"].update(updateRevision="new")
    server.put(POD, pod(node="a"))
    if status == "403":
        server.forbidden.add("/api/v1/nodes/a")
    elif status:
        conditions = [{"type": "Ready", "status": status}]
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "a"}, "status": {"conditions": conditions}}
        server.put("/api/v1/nodes/a", node)
    name = Reference("apps/v1", "StatefulSet", "default", "db")
    path = "/apis/apps/v1/namespaces/default/statefulsets/db"
    assert bool(find_blocking_pods(releases.client(), [name], lambda _name: path, back=False)) is blocks


@pytest.mark.parametrize("ahead", [0, 90, -90])
def test_the_clock_of_the_server_counts(
    server: Any, releases: Any, workload: Any, monkeypatch: pytest.MonkeyPatch, ahead: int
) -> None:
    """The pod has run for 40 s by the server's clock, of which the one here differs."""
    releases.run([workload("db", "app:1", kind="StatefulSet")])
    live = server.find("StatefulSet", "db")
    live["metadata"]["uid"] = "set"
    live["status"].update(updateRevision="new")
    server.put(POD, pod(ago=40 - ahead))
    monkeypatch.setattr(Handler, "date_time_string", lambda self: formatdate(time.time() + ahead, usegmt=True))
    name = Reference("apps/v1", "StatefulSet", "default", "db")
    path = "/apis/apps/v1/namespaces/default/statefulsets/db"
    client = releases.client()
    assert find_blocking_pods(client, [name], lambda _name: path, back=False) == []
    assert abs(client.skew - ahead) < 2
    server.put(POD, pod(ago=70 - ahead))
    assert find_blocking_pods(client, [name], lambda _name: path, back=False)


@pytest.mark.parametrize("deletes", [True, False])
def test_a_corrected_revision_gets_past_a_pod_that_never_became_ready(
    server: Any, releases: Any, workload: Any, monkeypatch: pytest.MonkeyPatch, deletes: bool
) -> None:
    monkeypatch.setattr(execution, "UNBLOCK_EVERY", 0.0)
    server.bad.add("app:1")
    assert releases.run([workload("db", "app:1", kind="StatefulSet")])["failed"]
    server.find("StatefulSet", "db")["metadata"]["uid"] = "set"
    server.put(POD, pod())

    def controller(method: str, path: str, dry: bool) -> None:
        # As long as the pod exists, nothing of the new revision is rolled out.
        found = server.find("StatefulSet", "db")
        blocked = POD in server.objects
        found["status"].update(readyReplicas=0 if blocked else 1, updatedReplicas=0 if blocked else 1)
        found["status"].update(currentRevision="old" if blocked else "new", updateRevision="new")

    server.before = controller
    answer = releases.run([workload("db", "app:2", kind="StatefulSet")], timeout=2, delete_blocking_pods=deletes)
    assert (answer.get("status") == "deployed") is deletes and (("DELETE", POD) in server.writes) is deletes, answer
    told = [line for line in answer["progress"] if line.startswith("Deleted pod default/db-0 of another revision")]
    assert len(told) == (1 if deletes else 0)
    warned = [line for line in answer["warnings"] if line.startswith("Pod default/db-0 belongs to another revision")]
    assert len(warned) == (0 if deletes else 1)
