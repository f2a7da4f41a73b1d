# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When objects are ready, and why pods are not."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._kube.readiness import (
    is_waited_for,
    readiness,
    selector_query,
)


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
EACH = {
    "observedGeneration": 2,
    "desiredNumberScheduled": 3,
    "currentNumberScheduled": 3,
    "updatedNumberScheduled": 3,
    "numberReady": 3,
    "numberAvailable": 3,
}
LATE = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (workload("Deployment", ALL, replicas=3), ""),
        (workload("Deployment", dict(ALL, observedGeneration=1), replicas=3), "not observed the latest generation"),
        (workload("Deployment", {}, replicas=0), "not observed it yet"),
        (workload("Deployment", dict(ALL, updatedReplicas=1), replicas=3), "1 of 3 replicas updated, 3 ready"),
        (workload("Deployment", dict(ALL, replicas=4), replicas=3), "1 old replicas"),
        (workload("DaemonSet", EACH), ""),
        (workload("DaemonSet", dict(EACH, numberReady=2)), "3 of 3 pods updated, 2 ready"),
        (workload("DaemonSet", {}), "not observed it yet"),
        (workload("DaemonSet", dict(EACH, numberAvailable=0)), "0 available"),
        (workload("DaemonSet", dict(EACH, updatedNumberScheduled=1), updateStrategy={"type": "OnDelete"}), ""),
        (workload("Deployment", dict(ALL, readyReplicas=0, conditions=[LATE]), replicas=3), "progress deadline"),
        (workload("Deployment", dict(ALL, availableReplicas=2), replicas=3), "2 available"),
        (workload("ReplicaSet", dict(ALL, readyReplicas=1), replicas=3), "1 of 3 replicas ready"),
        (workload("StatefulSet", dict(ALL, replicas=4), replicas=3), "1 surplus replicas"),
        (
            workload(
                "StatefulSet",
                dict(ALL, currentRevision="a", updateRevision="b", updatedReplicas=1),
                replicas=3,
                updateStrategy={"rollingUpdate": {"partition": 2}},
            ),
            "",
        ),
        (workload("PersistentVolumeClaim", {"phase": "Pending"}), "its phase is Pending"),
        (workload("PersistentVolumeClaim", {"phase": "Bound"}), ""),
        (workload("CustomResourceDefinition", {}), "not Established"),
        (workload("CustomResourceDefinition", {"conditions": [{"type": "Established", "status": "True"}]}), ""),
        (
            workload("Certificate", {"conditions": [{"type": "Ready", "status": "False", "reason": "Issuing"}]}),
            "Issuing",
        ),
        (workload("Certificate", {"conditions": [{"type": "Ready", "status": "True"}]}), ""),
        (workload("Certificate", {}), ""),
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


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        ({"apiVersion": "v1", "kind": "ConfigMap"}, False),
        ({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress"}, False),
        ({"apiVersion": "apps/v1", "kind": "Deployment"}, True),
        ({"apiVersion": "cert-manager.io/v1", "kind": "Certificate"}, True),
    ],
)
def test_what_is_waited_for(content: dict[str, Any], wanted: bool) -> None:
    assert is_waited_for(content) == wanted
