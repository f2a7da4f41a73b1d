# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A StatefulSet whose pod never passed its readiness probe: the corrected revision gets past it."""

from __future__ import annotations

import time
from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._kube.timestamps import to_time
from ansible_collections.slipway.kube.plugins.module_utils._release import execution
from ansible_collections.slipway.kube.plugins.module_utils._release.stateful_set import blocking_pods

POD = "/api/v1/namespaces/default/pods/db-0"


def pod(revision: str = "old", ago: float = 120, started: bool = True, ready: str = "False") -> dict[str, Any]:
    """A pod whose container has run for a while."""
    since = to_time(time.time() - ago)
    container = {"name": "c", "started": started, "state": {"running": {"startedAt": since}}}
    condition = {"type": "Ready", "status": ready, "lastTransitionTime": since}
    metadata = {
        "name": "db-0",
        "namespace": "default",
        "uid": "of-pod",
        "labels": {"app": "web", "controller-revision-hash": revision},
        "ownerReferences": [{"kind": "StatefulSet", "name": "db", "uid": "set", "controller": True}],
    }
    status = {"phase": "Running", "conditions": [condition], "containerStatuses": [container]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "status": status}


@pytest.mark.parametrize(
    ("fields", "policy", "blocks"),
    [
        ({}, "OrderedReady", True),
        ({"ago": 20}, "OrderedReady", False),
        ({"started": False}, "OrderedReady", False),
        ({"ready": "True"}, "OrderedReady", False),
        ({"revision": "new"}, "OrderedReady", False),
        ({}, "Parallel", False),
    ],
)
def test_a_pod_that_runs_and_is_not_ready_for_a_minute_blocks(
    fields: dict[str, Any], policy: str, blocks: bool
) -> None:
    live = {"metadata": {"uid": "set"}, "spec": {"podManagementPolicy": policy}, "status": {"updateRevision": "new"}}
    assert bool(blocking_pods(live, [pod(**fields)], back=False)) is blocks


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
