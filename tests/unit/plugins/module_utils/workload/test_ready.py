# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When objects are ready, and why pods are not."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils.workload.ready import (
    newest_only,
    pod_problems,
    readiness,
    selector_query,
)
from ansible_collections.slipway.kube.plugins.module_utils.workload.wait import explain_workload


def workload(kind: str, status: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """A workload of generation 2."""
    return {
        "kind": kind,
        "metadata": {"name": "web", "namespace": "n", "generation": 2, "uid": "w"},
        "spec": spec,
        "status": status,
    }


def pod(state: dict[str, Any] | None = None, ready: bool = False, name: str = "web-1", **status: Any) -> dict[str, Any]:
    """A pod of one container on node w1."""
    containers = [{"name": "app", "image": "r/app:1", "ready": ready, **state}] if state else []
    conditions = [{"type": "Ready", "status": str(ready)}, {"type": "PodScheduled", "status": "True"}]
    return {
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "n",
            "uid": name,
            "labels": {"pod-template-hash": "1"},
            "creationTimestamp": "2026-01-01T00:00:00Z",
        },
        "spec": {"nodeName": "w1", "containers": [{"name": "app"}], "initContainers": []},
        "status": {"phase": "Pending", "conditions": conditions, "containerStatuses": containers, **status},
    }


ALL = {"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "readyReplicas": 3, "availableReplicas": 3}
EACH = {"observedGeneration": 2, "desiredNumberScheduled": 3, "updatedNumberScheduled": 3, "numberReady": 3}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (workload("Deployment", ALL, replicas=3), ""),
        (workload("Deployment", dict(ALL, observedGeneration=1), replicas=3), "not seen the newest version"),
        (workload("Deployment", {}, replicas=0), "not seen it yet"),
        (workload("Deployment", dict(ALL, updatedReplicas=1), replicas=3), "1 of 3 replicas updated, 3 ready"),
        (workload("Deployment", dict(ALL, replicas=4), replicas=3), "1 old replicas"),
        (workload("DaemonSet", EACH), ""),
        (workload("DaemonSet", dict(EACH, numberReady=2)), "3 of 3 pods updated, 2 ready"),
        (workload("DaemonSet", {}), "not seen it yet"),
        (workload("StatefulSet", dict(ALL, currentRevision="a", updateRevision="a"), replicas=3), ""),
        (
            workload("StatefulSet", dict(ALL, currentRevision="a", updateRevision="b", updatedReplicas=1), replicas=3),
            "1 of 3 replicas updated",
        ),
        (workload("StatefulSet", dict(ALL, readyReplicas=2), replicas=3), "2 of 3 replicas ready"),
        (workload("Job", {"conditions": [{"type": "Complete", "status": "True"}]}), ""),
        (
            workload("Job", {"conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]}),
            "it failed: BackoffLimitExceeded",
        ),
        (workload("Job", {"active": 1}), "1 active"),
        (pod(ready=True), ""),
        (pod(phase="Succeeded"), ""),
        (pod(), "its phase is Pending"),
        (workload("ConfigMap", {}), ""),
        (
            {
                "kind": "Node",
                "metadata": {},
                "status": {"conditions": [{"type": "Ready", "status": "Unknown", "reason": "X", "message": "silent"}]},
            },
            "X: silent",
        ),
    ],
)
def test_readiness(content: dict[str, Any], why: str) -> None:
    ready, said = readiness(content)
    assert ready == (why == "")
    assert why in said


def test_what_is_being_deleted_is_not_ready() -> None:
    content = workload("Deployment", ALL, replicas=3)
    content["metadata"]["deletionTimestamp"] = "now"
    assert readiness(content) == (False, "it is being deleted")


def waiting(reason: str, message: str = "", **more: Any) -> dict[str, Any]:
    """The state of a container that waits."""
    return {"state": {"waiting": {"reason": reason, "message": message}}, **more}


@pytest.mark.parametrize(
    ("state", "says", "hopeless"),
    [
        (
            waiting("ImagePullBackOff", 'Back-off pulling image "r/app:1": not found'),
            "container app: ImagePullBackOff: Back-off",
            True,
        ),
        (
            waiting("ErrImagePull", "dial tcp: i/o timeout"),
            "ErrImagePull: r/app:1 dial tcp: i/o timeout. See that the registry",
            False,
        ),
        (waiting("InvalidImageName", "bad"), "InvalidImageName: bad. Correct the image's name.", True),
        (
            waiting("CreateContainerConfigError", 'secret "x" not found'),
            'secret "x" not found. Create the ConfigMap',
            False,
        ),
        (
            waiting("CrashLoopBackOff", restartCount=4, lastState={"terminated": {"exitCode": 1, "reason": "Error"}}),
            "CrashLoopBackOff: it ended with exit code 1 (Error) after 4 restarts. Read its log",
            False,
        ),
        (
            waiting(
                "CrashLoopBackOff", restartCount=1, lastState={"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
            ),
            "OOMKilled: it ended with exit code 137 (OOMKilled) after 1 restarts. Raise its memory limit.",
            False,
        ),
        ({"state": {"terminated": {"exitCode": 2, "reason": "Error"}}}, "Error: exit code 2", False),
        ({"state": {"running": {}}}, "NotReady: it runs, and its readiness probe", False),
    ],
)
def test_why_a_container_does_not_run(state: dict[str, Any], says: str, hopeless: bool) -> None:
    (problem,) = pod_problems(pod(state))
    assert str(problem).startswith("pod n/web-1 on w1, container app: ")
    assert says in str(problem)
    assert problem.hopeless == hopeless


def test_events_tell_more_than_a_container_that_only_waits() -> None:
    events = [
        {
            "type": "Warning",
            "reason": "FailedMount",
            "message": "old",
            "involvedObject": {"uid": "web-1"},
            "lastTimestamp": "2026-01-01T00:00:00Z",
        },
        {
            "type": "Warning",
            "reason": "FailedCreatePodSandBox",
            "message": "no cni",
            "involvedObject": {"uid": "web-1"},
            "lastTimestamp": "2026-01-02T00:00:00Z",
        },
        {
            "type": "Warning",
            "reason": "Other",
            "message": "elsewhere",
            "involvedObject": {"uid": "web-2"},
            "lastTimestamp": "2026-01-03T00:00:00Z",
        },
        {
            "type": "Normal",
            "reason": "Pulling",
            "message": "x",
            "involvedObject": {"uid": "web-1"},
            "lastTimestamp": "2026-01-04T00:00:00Z",
        },
    ]
    (problem,) = pod_problems(pod(waiting("ContainerCreating")), events)
    assert "FailedCreatePodSandBox: no cni. See that the pod network runs on this node." in str(problem)
    (problem,) = pod_problems(pod(waiting("ErrImagePull", "denied")), events)
    assert "ErrImagePull" in str(problem)


def test_pods_that_need_no_explanation_and_pods_without_containers() -> None:
    gone = pod(waiting("X"))
    gone["metadata"]["deletionTimestamp"] = "now"
    assert pod_problems(gone) == [] and pod_problems(pod(ready=True)) == []
    unscheduled = pod()
    unscheduled["status"]["conditions"] = [
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}
    ]
    assert "Unschedulable: 0/3 nodes" in str(pod_problems(unscheduled)[0])
    assert "Evicted: full disk" in str(pod_problems(pod(phase="Failed", reason="Evicted", message="full disk"))[0])
    assert "its kubelet has said nothing yet" in str(pod_problems(pod())[0])


def test_selectors_as_the_api_takes_them() -> None:
    rules = [
        {"key": "tier", "operator": "In", "values": ["a", "b"]},
        {"key": "old", "operator": "DoesNotExist"},
        {"key": "new", "operator": "Exists"},
        {"key": "x", "operator": "NotIn", "values": ["1"]},
    ]
    content = {"spec": {"selector": {"matchLabels": {"b": "2", "a": "1"}, "matchExpressions": rules}}}
    assert selector_query(content) == "a=1,b=2,tier in (a,b),!old,new,x notin (1)"
    assert selector_query({"spec": {}}) is None


def test_only_pods_of_the_newest_revision_count() -> None:
    old, new = pod(name="old"), pod(name="new")
    old["metadata"]["labels"] = {"pod-template-hash": "0"}
    new["metadata"]["creationTimestamp"] = "2026-02-01T00:00:00Z"
    assert newest_only([old, new]) == [new]
    assert newest_only([]) == []


def test_a_workload_is_explained_by_its_pods_or_by_why_there_are_none() -> None:
    missing = waiting("ErrImagePull", "not found")
    deployment = workload("Deployment", {}, replicas=2)
    lines, hopeless = explain_workload(deployment, "0 of 2", [pod(missing, name="a"), pod(missing, name="b")], [])
    assert lines[0] == "Deployment n/web: 0 of 2." and hopeless
    assert (
        len(lines) == 2
        and lines[1].startswith("  pod n/a on w1, container app: ErrImagePull")
        and lines[1].endswith("(and 1 more pods)")
    )
    assert not explain_workload(deployment, "1 of 2", [pod(missing, name="a"), pod(ready=True, name="b")], [])[1]
    assert explain_workload(
        workload("DaemonSet", {}), "1 of 2", [pod(missing, name="a"), pod(ready=True, name="b")], []
    )[1]
    refused = workload(
        "DaemonSet", {"conditions": [{"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}]}
    )
    assert explain_workload(refused, "0 of 1", [], [])[0][1] == "  no pod could be made: exceeded quota"
    slow = [pod(waiting("X", str(number)), name=str(number)) for number in range(9)]
    many = explain_workload(deployment, "x", [*slow, pod(missing, name="last")], [])[0]
    assert "pod n/last" in many[1] and many[-1] == "  and 5 more reasons"
