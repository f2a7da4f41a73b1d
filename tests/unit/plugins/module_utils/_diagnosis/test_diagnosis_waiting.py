# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting: which objects are ready, which are not, and when waiting cannot help."""

from __future__ import annotations

import time
from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._diagnosis import waiting as watching
from ansible_collections.slipway.kube.plugins.module_utils._diagnosis.explain import explain_faults
from ansible_collections.slipway.kube.plugins.module_utils._diagnosis.reading import PAGE, read_kind
from ansible_collections.slipway.kube.plugins.module_utils._diagnosis.sources import SOURCES
from ansible_collections.slipway.kube.plugins.module_utils._diagnosis.waiting import Watch
from ansible_collections.slipway.kube.plugins.module_utils._kube.api import ApiError
from ansible_collections.slipway.kube.plugins.module_utils._kube.objects import Reference
from ansible_collections.slipway.kube.plugins.module_utils._release.waiting import wait_until_ready

from .conftest import Cluster, crashed, deployment, endpoints, event, meta, node, pod, service, stamp, waiting

WEB = Reference("apps/v1", "Deployment", "shop", "web")
MISSING = waiting("ErrImagePull", "r/app:1: not found")


def path(name: Reference) -> str:
    """The path of an object in the API."""
    return f"{SOURCES[name.kind].path(name.namespace)}/{name.name}"


def watch(cluster: Any, *names: Reference, grace: float = 60) -> Watch:
    """Watch some objects, by default Deployment web."""
    return Watch(cluster, names or [WEB], path, grace)


def test_a_ready_object_costs_one_request() -> None:
    cluster = Cluster(deployment())
    outlook = watch(cluster).look()
    assert outlook.ready == [WEB] and not outlook.waiting and not outlook.findings and not outlook.hopeless
    assert cluster.asked == []


def test_several_objects_of_a_kind_are_read_as_a_list() -> None:
    second = dict(deployment()["Deployment"][0], metadata=meta("api", generation=1))
    cluster = Cluster({"Deployment": [*deployment()["Deployment"], second]})
    names = [WEB, Reference("apps/v1", "Deployment", "shop", "api")]
    assert watch(cluster, *names).look().ready == names
    assert len(cluster.asked) == 1 and cluster.asked[0].startswith("/apis/apps/v1/namespaces/shop/deployments")


def test_objects_without_readiness_are_read_once() -> None:
    cluster = Cluster({"ConfigMap": [{"metadata": meta("settings")}], "Service": [service()]})
    settings, web = Reference("v1", "ConfigMap", "shop", "settings"), Reference("v1", "Service", "shop", "web")
    waited = watch(cluster, settings, web)
    assert waited.look().ready == [settings, web]
    cluster.lists.clear()
    assert waited.look().ready == [settings, web]
    assert watch(cluster, settings).look().waiting == [(settings, "it no longer exists")]


def test_a_missing_image_ends_the_wait_immediately() -> None:
    outlook = watch(Cluster({**deployment(0), "Pod": [pod(state=MISSING)]})).look()
    assert outlook.hopeless and outlook.waiting[0][0] == WEB
    (finding,) = outlook.findings
    assert finding.fault == "image_not_found" and finding.object == WEB and finding.hopeless


def test_a_deployment_with_one_pod_that_may_still_start_is_not_hopeless() -> None:
    lists = {**deployment(1, 2), "Pod": [pod(state=MISSING), pod("web-1-b")]}
    assert not watch(Cluster(lists)).look().hopeless
    lists["Pod"][1] = pod("web-1-b", state=waiting("ContainerCreating"), age=2)
    assert not watch(Cluster(lists)).look().hopeless


def test_any_hopeless_pod_of_a_stateful_set_is_enough_and_old_ones_do_not_count() -> None:
    counts = {"observedGeneration": 1, "replicas": 2, "readyReplicas": 1, "currentRevision": "a", "updateRevision": "b"}
    content = {"metadata": meta("db", generation=1), "spec": {"replicas": 2}, "status": counts}

    def member(number: int, revision: str, state: dict[str, Any] | None) -> dict[str, Any]:
        found = pod(f"db-{number}", state=state, labels={"controller-revision-hash": revision})
        found["metadata"]["ownerReferences"] = [
            {"kind": "StatefulSet", "name": "db", "apiVersion": "apps/v1", "controller": True}
        ]
        return found

    name = Reference("apps/v1", "StatefulSet", "shop", "db")
    bad = Cluster({"StatefulSet": [content], "Pod": [member(0, "a", None), member(1, "b", MISSING)]})
    assert watch(bad, name).look().hopeless
    old = Cluster({"StatefulSet": [content], "Pod": [member(0, "a", MISSING), member(1, "b", None)]})
    outlook = watch(old, name).look()
    assert not outlook.hopeless and not outlook.findings


def test_a_suspicious_state_gets_a_grace_period(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(watching.time, "monotonic", lambda: clock[0])
    unreachable = waiting("ErrImagePull", "dial tcp 10.0.0.1:443: i/o timeout")
    cluster = Cluster({**deployment(0), "Pod": [pod(state=unreachable)]})
    waited, patient = watch(cluster, grace=60), watch(cluster, grace=0)
    assert not waited.look().hopeless and not patient.look().hopeless
    clock[0] += 59
    assert not waited.look().hopeless
    clock[0] += 2
    assert waited.look().hopeless and not patient.look().hopeless


def test_a_state_that_recurs_gets_a_new_grace_period(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(watching.time, "monotonic", lambda: clock[0])
    unreachable = pod(state=waiting("ErrImagePull", "i/o timeout"))
    cluster = Cluster({**deployment(0), "Pod": [unreachable]})
    waited = watch(cluster, grace=60)
    waited.look()
    cluster.lists["Pod"] = [pod(state=waiting("ContainerCreating"), age=3)]
    clock[0] += 50
    waited.look()
    cluster.lists["Pod"] = [unreachable]
    clock[0] += 50
    assert not waited.look().hopeless


UNSCHEDULED = pod(age=700, spec={"nodeName": ""}, state=waiting("Pending"))
UNSCHEDULED["status"] = {
    "phase": "Pending",
    "conditions": [
        {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": "0/1 nodes are available: 1 Insufficient cpu.",
        }
    ],
}
MULTI_ATTACH = event("Pod", "web-1-a", "FailedAttachVolume", "Multi-Attach error for volume pvc-1 Volume is in use")
WEBHOOK = 'Internal error occurred: failed calling webhook "w.example.org": no endpoints available for service w'


@pytest.mark.parametrize(
    "lists",
    [
        {"Pod": [UNSCHEDULED]},
        {"Pod": [pod(state=waiting("ContainerCreating"))], "Event": [MULTI_ATTACH]},
        {"Pod": [], "Event": [event("ReplicaSet", "web-1", "FailedCreate", WEBHOOK)]},
    ],
)
def test_what_the_cluster_has_to_provide_is_waited_for_until_the_deadline(
    lists: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr(watching.time, "monotonic", lambda: clock[0])
    counts = {"replicas": len(lists["Pod"])}
    late = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "m"}
    cluster = Cluster({**deployment(0, conditions=[late], **counts), "Node": [node()], **lists})
    for content in cluster.lists["ReplicaSet"]:
        content["status"].update(counts)
    waited, limited = watch(cluster), Watch(cluster, [WEB], path, 60, 60)
    outlook = waited.look()
    assert (
        not outlook.hopeless and [one.severity for one in outlook.findings] == ["error"] and not limited.look().hopeless
    )
    clock[0] += 900
    assert not waited.look().hopeless and limited.look().hopeless


@pytest.mark.parametrize("reason", ["TriggeredScaleUp", "Nominated"])
def test_a_node_that_is_on_its_way_is_told_and_waited_for(reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(watching.time, "monotonic", lambda: clock[0])
    said = event("Pod", "web-1-a", reason, "pod triggered scale-up: [{pool 1->2 (max: 9)}]", type="Normal")
    cluster = Cluster({**deployment(0), "Node": [node()], "Pod": [UNSCHEDULED], "Event": [said]})
    waited = Watch(cluster, [WEB], path, 60, 60)
    (finding,) = waited.look().findings
    assert finding.title.startswith("waiting for a node, which the autoscaler is adding; no node has enough free")
    assert f"{reason}: pod triggered scale-up: [{{pool 1->2 (max: 9)}}]" in finding.evidence
    clock[0] += 900
    assert not waited.look().hopeless
    (finding,) = explain_faults(cluster, [WEB])
    assert finding.title.startswith("waiting for a node")
    said["lastTimestamp"] = stamp(1000)
    (finding,) = waited.look().findings
    assert finding.title.startswith("no node has enough") and "has not come" in finding.evidence[-1]


def test_an_autoscaler_that_adds_no_node_is_told() -> None:
    text = "pod didn't trigger scale-up: 1 max node group size reached"
    said = event("Pod", "web-1-a", "NotTriggerScaleUp", text, type="Normal")
    other = event("Pod", "web-1-b", "TriggeredScaleUp", "pod triggered scale-up", type="Normal")
    cluster = Cluster({**deployment(0), "Node": [node()], "Pod": [UNSCHEDULED], "Event": [said, other]})
    (finding,) = watch(cluster).look().findings
    assert f"the autoscaler adds no node: NotTriggerScaleUp: {text}" in finding.evidence
    assert "raise its maximum" in finding.advice
    cluster.forbidden.add("Event")
    assert watch(cluster).look().findings


def test_a_daemon_set_does_not_wait_for_nodes_that_are_not_ready() -> None:
    counts = {"observedGeneration": 1, "desiredNumberScheduled": 2, "currentNumberScheduled": 2}
    counts.update(updatedNumberScheduled=1, numberReady=1, numberAvailable=1)
    content = {"metadata": meta("agent", generation=1), "spec": {}, "status": counts}
    owner = {"kind": "DaemonSet", "name": "agent", "apiVersion": "apps/v1", "controller": True}

    def member(name: str, node_name: str) -> dict[str, Any]:
        made = pod(name, spec={"nodeName": node_name})
        made["metadata"]["ownerReferences"] = [owner]
        return made

    name = Reference("apps/v1", "DaemonSet", "shop", "agent")
    cluster = Cluster({"DaemonSet": [content], "Pod": [member("a", "w1"), member("b", "w2")]})
    cluster.lists["Node"] = [node("w1"), node("w2")]
    assert watch(cluster, name).look().waiting == [(name, "1 of 2 pods updated, 1 ready, 1 available")]
    cluster.lists["Node"][1] = node("w2", "Unknown")
    assert watch(cluster, name).look().ready == [name]
    counts.update(numberReady=0, numberAvailable=0)
    assert watch(cluster, name).look().waiting == [(name, "1 of 1 pods updated, 0 ready, 0 available")]
    cluster.forbidden.add("Node")
    assert watch(cluster, name).look().waiting


AGENT = Reference("apps/v1", "DaemonSet", "shop", "agent")


def agents(desired: int, updated: int, ready: int, seen: int = 1) -> dict[str, Any]:
    """A DaemonSet of generation 1."""
    status = {"observedGeneration": seen, "desiredNumberScheduled": desired, "currentNumberScheduled": desired}
    status.update(updatedNumberScheduled=updated, numberReady=ready, numberAvailable=ready)
    return {"metadata": meta("agent", generation=1), "spec": {}, "status": status}


def agent(name: str, node_name: str, revision: str, age: float, **more: Any) -> dict[str, Any]:
    """A pod of that DaemonSet."""
    labels = {"controller-revision-hash": revision}
    made = pod(name, age=age, labels=labels, spec={"nodeName": node_name}, **more)
    owner = {"kind": "DaemonSet", "name": "agent", "apiVersion": "apps/v1", "controller": True}
    made["metadata"]["ownerReferences"] = [owner]
    return made


def test_a_pod_that_was_updated_before_its_node_was_lost_does_not_stand_for_another() -> None:
    pods = [agent("a", "w1", "new", 10), agent("b", "w2", "old", 900), agent("c", "w3", "new", 20)]
    cluster = Cluster({"DaemonSet": [agents(3, 2, 2)], "Pod": pods})
    cluster.lists["Node"] = [node("w1"), node("w2"), node("w3", "Unknown")]
    outlook = wait_until_ready(watch(cluster, AGENT), deadline=0)
    assert outlook.waiting == [(AGENT, "1 of 2 pods updated, 2 ready, 2 available")] and not outlook.tolerated
    pods[1] = agent("b", "w2", "new", 5)
    cluster.lists["DaemonSet"] = [agents(3, 3, 2)]
    assert watch(cluster, AGENT).look().ready == [AGENT]


def test_what_a_daemon_set_lacks_is_not_tolerated_before_its_controller_has_seen_the_change() -> None:
    cluster = Cluster({"DaemonSet": [agents(3, 3, 2, seen=0)]})
    outlook = wait_until_ready(watch(cluster, AGENT), deadline=0)
    assert outlook.waiting and not outlook.tolerated


def test_a_tolerable_daemon_set_does_not_end_the_wait_for_others() -> None:
    crash = agent("a", "w1", "1", 600, state=crashed(restarts=9))
    lists = {"DaemonSet": [agents(3, 3, 2)], "Pod": [crash], "Node": [node("w1")]}
    alone = watch(Cluster(lists), AGENT).look()
    assert alone.hopeless and alone.tolerable == [AGENT], "nothing else is waited for"
    assert not watch(Cluster({**deployment(0), **lists}), AGENT, WEB).look().hopeless


@pytest.mark.parametrize(
    ("strategy", "counts", "tolerable"),
    [
        ({"rollingUpdate": {"maxUnavailable": 1}}, (3, 3, 2), True),
        ({}, (3, 3, 2), True),
        ({"rollingUpdate": {"maxUnavailable": 1}}, (3, 3, 1), False),
        ({"rollingUpdate": {"maxUnavailable": "34%"}}, (3, 3, 1), True),
        ({"rollingUpdate": {"maxUnavailable": "10%"}}, (20, 20, 18), True),
        ({"rollingUpdate": {"maxUnavailable": "10%"}}, (20, 20, 17), False),
        ({"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}, (3, 3, 2), False),
        ({"rollingUpdate": {"maxUnavailable": "100%"}}, (3, 3, 0), False),
        ({"rollingUpdate": {"maxUnavailable": 1}}, (1, 1, 0), False),
        ({"rollingUpdate": {"maxUnavailable": 2}}, (3, 2, 2), False),
        ({"type": "OnDelete"}, (3, 3, 2), False),
    ],
)
def test_a_daemon_set_may_lack_as_many_pods_as_it_allows(
    strategy: dict[str, Any], counts: tuple[int, int, int], tolerable: bool
) -> None:
    desired, updated, ready = counts
    status = {"observedGeneration": 1, "desiredNumberScheduled": desired, "currentNumberScheduled": desired}
    status.update(updatedNumberScheduled=updated, numberReady=ready, numberAvailable=ready)
    spec = {"updateStrategy": strategy}
    cluster = Cluster({"DaemonSet": [{"metadata": meta("agent", generation=1), "spec": spec, "status": status}]})
    name = Reference("apps/v1", "DaemonSet", "shop", "agent")
    outlook = wait_until_ready(watch(cluster, name), deadline=0)
    assert [one for one, _why in outlook.tolerated] == ([name] if tolerable else [])
    assert bool(outlook.waiting) is not tolerable
    both = wait_until_ready(watch(cluster, name, WEB), deadline=0)
    assert not both.tolerated and len(both.waiting) == 2


def test_a_crash_may_be_caused_by_a_dependency_that_is_still_starting() -> None:
    lists = {**deployment(0), "Pod": [pod(state=crashed(restarts=2))]}
    assert watch(Cluster(lists)).look().hopeless
    counts = {"observedGeneration": 1, "replicas": 1, "readyReplicas": 0}
    lists["StatefulSet"] = [{"metadata": meta("db", generation=1), "spec": {"replicas": 1}, "status": counts}]
    database = Reference("apps/v1", "StatefulSet", "shop", "db")
    assert not watch(Cluster(lists), WEB, database).look().hopeless
    lists["Pod"] = [pod(state=crashed(restarts=5))]
    assert watch(Cluster(lists), WEB, database).look().hopeless


@pytest.mark.parametrize("starting", [True, False])
def test_a_crash_that_is_seen_while_the_program_runs_has_time_as_well_while_others_start(starting: bool) -> None:
    over = {"exitCode": 1, "reason": "Error", "startedAt": stamp(5), "finishedAt": stamp(4)}
    now = {"running": {"startedAt": stamp(1)}}
    state = {"ready": True, "restartCount": 3, "state": now, "lastState": {"terminated": over}}
    counts = {"observedGeneration": 1, "replicas": 1, "readyReplicas": 0 if starting else 1}
    database = {"metadata": meta("db", generation=1), "spec": {"replicas": 1}, "status": counts}
    cluster = Cluster({**deployment(0), "Pod": [pod(state=state)], "StatefulSet": [database]})
    observer = watch(cluster, WEB, Reference("apps/v1", "StatefulSet", "shop", "db"), grace=0.001)
    observer.look()
    time.sleep(0.01)
    assert observer.look().hopeless is not starting


def ended(restarts: int) -> dict[str, Any]:
    """The status of a container that waits for its restart, as Kubernetes 1.36 reports it."""
    over = {"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": stamp(3)}}
    return {"ready": False, "restartCount": restarts, "state": over, "lastState": over}


@pytest.mark.parametrize(("restarts", "hopeless"), [(0, False), (1, True), (2, True)])
def test_a_termination_after_restarts_is_a_crash_loop_too(restarts: int, hopeless: bool) -> None:
    outlook = watch(Cluster({**deployment(0), "Pod": [pod(state=ended(restarts))]})).look()
    assert outlook.hopeless == hopeless and outlook.findings[0].fault == "crash_loop"


@pytest.mark.parametrize(
    ("state", "age", "steady"),
    [
        (None, 1, False),
        (None, 5, True),
        ({"ready": True, "restartCount": 1}, 5, False),
        ({"ready": True, "restartCount": 1}, 30, True),
    ],
)
def test_a_container_that_has_just_started_is_not_ready_yet(
    state: dict[str, Any] | None, age: float, steady: bool
) -> None:
    progressing = {"type": "Progressing", "status": "True", "lastUpdateTime": stamp(1)}
    if state is not None:
        state = dict(state, state={"running": {"startedAt": stamp(age)}})
    lists = {**deployment(conditions=[progressing]), "Pod": [pod(state=state, age=age)]}
    waited = watch(Cluster(lists))
    assert bool(waited.look().ready) == steady
    probed = deployment(conditions=[progressing], container={"readinessProbe": {"tcpSocket": {"port": 80}}})
    assert watch(Cluster({**probed, "Pod": [pod(age=age)]})).look().ready == [WEB]


def test_a_slow_probe_is_not_hopeless() -> None:
    probe = {"readinessProbe": {"httpGet": {"port": 8080, "path": "/ready"}, "periodSeconds": 2}}
    slow = pod(state={"ready": False}, container=probe, age=900)
    unhealthy = event("Pod", "web-1-a", "Unhealthy", "Readiness probe failed: connect: connection refused", count=40)
    outlook = watch(Cluster({**deployment(0), "Pod": [slow], "Event": [unhealthy]}), grace=1).look()
    assert not outlook.hopeless
    assert outlook.findings[0].fault == "readiness_fails" and "GET :8080/ready" in outlook.findings[0].evidence[1]


def test_a_claim_may_wait_for_its_first_consumer_and_a_lost_one_is_hopeless() -> None:
    claim = {"metadata": meta("data"), "spec": {"storageClassName": "local"}, "status": {"phase": "Pending"}}
    local = {"metadata": {"name": "local"}, "volumeBindingMode": "WaitForFirstConsumer"}
    name = Reference("v1", "PersistentVolumeClaim", "shop", "data")
    assert watch(Cluster({"PersistentVolumeClaim": [claim], "StorageClass": [local]}), name).look().ready == [name]
    local["volumeBindingMode"] = "Immediate"
    outlook = watch(Cluster({"PersistentVolumeClaim": [claim], "StorageClass": [local]}), name).look()
    assert outlook.waiting == [(name, "its phase is Pending")] and not outlook.hopeless
    claim["status"]["phase"] = "Lost"
    assert watch(Cluster({"PersistentVolumeClaim": [claim]}), name).look().hopeless


def test_an_address_is_awaited_only_if_a_controller_assigns_addresses() -> None:
    balanced, other = service(type="LoadBalancer"), service("other", type="LoadBalancer")
    name = Reference("v1", "Service", "shop", "web")
    assert watch(Cluster({"Service": [balanced, other]}), name).look().ready == [name]
    other["status"] = {"loadBalancer": {"ingress": [{"ip": "10.0.0.9"}]}}
    outlook = watch(Cluster({"Service": [balanced, other]}), name).look()
    assert outlook.waiting == [(name, "no address has been assigned to it yet")] and not outlook.hopeless


def test_a_job_is_hopeless_when_it_has_failed_and_not_before() -> None:
    name = Reference("batch/v1", "Job", "shop", "task")
    job: dict[str, Any] = {"metadata": meta("task", generation=1), "spec": {}, "status": {"active": 1, "failed": 1}}
    failed = pod("task-1", phase="Failed", state={"state": {"terminated": {"exitCode": 1, "reason": "Error"}}})
    failed["metadata"]["ownerReferences"] = [
        {"kind": "Job", "name": "task", "apiVersion": "batch/v1", "controller": True}
    ]
    failed["spec"]["restartPolicy"] = "Never"
    outlook = watch(Cluster({"Job": [job], "Pod": [failed]}), name).look()
    assert outlook.waiting and not outlook.hopeless
    job["status"]["conditions"] = [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]
    outlook = watch(Cluster({"Job": [job], "Pod": [failed]}), name).look()
    assert outlook.hopeless and outlook.findings[0].fault == "job_failed"
    assert "terminates with exit code 1" in outlook.findings[0].title


def test_a_forbidden_list_does_not_end_the_wait() -> None:
    cluster = Cluster({**deployment(0), "Pod": [pod(state=MISSING)]})
    cluster.forbidden = {"Event", "ReplicaSet"}
    assert watch(cluster).look().hopeless


def test_an_explanation_has_the_root_cause_with_its_log_and_hides_secrets() -> None:
    lists = {
        **deployment(0),
        "Pod": [pod(state=crashed())],
        "Service": [service()],
        "EndpointSlice": [endpoints(ready=0)],
        "Node": [node()],
    }
    cluster = Cluster(lists)
    log = "/api/v1/namespaces/shop/pods/web-1-a/log"
    cluster.texts[log] = (
        "starting with canary-7f3a\npassword=hunter22 rejected\npostgres://app:s3cr3t@db/x\n\nFATAL: no\n"
    )
    (finding,) = explain_faults(cluster, [Reference("v1", "Service", "shop", "web")], ["canary-7f3a"])
    assert finding.fault == "crash_loop" and finding.object == WEB
    assert finding.logs[-1] == "FATAL: no" and len(finding.logs) == 4
    text = "\n".join(finding.text())
    assert "canary" not in text and "hunter22" not in text and "s3cr3t" not in text and "password=********" in text
    assert explain_faults(cluster, [Reference("v1", "Service", "shop", "other")]) == []
    cluster.texts[log] = (
        f"level=fatal msg={'x' * 290} password=hunter22 {'y' * 400} certificate signed by unknown authority\n"
    )
    (line,) = explain_faults(cluster, [WEB])[0].logs
    assert line.endswith("certificate signed by unknown authority") and "hunter" not in line and len(line) < 610
    cluster.texts[log] = ApiError(403, "Forbidden", "no logs for you")
    assert explain_faults(cluster, [WEB])[0].logs == []


def test_lists_are_read_in_chunks_and_trimmed() -> None:
    managed = {"managedFields": [{"x": 1}], "annotations": {"note": "x" * 100}}
    pods = [pod(f"p-{number}", metadata=managed) for number in range(PAGE + 1)]
    cluster = Cluster({"Pod": pods})
    found: Any = read_kind(cluster, "Pod", "shop")
    assert len(found) == PAGE + 1 and len(cluster.asked) == 2
    assert "managedFields" not in found[0]["metadata"] and "annotations" not in found[0]["metadata"]
    assert found[0]["healthy"] and found[0]["spec"]["nodeName"] == "w1"
    secret = {"containers": [{"name": "app", "image": "x", "env": [{"name": "PASSWORD", "value": "hunter2"}]}]}
    (suspect,) = read_kind(Cluster({"Pod": [pod(state=crashed(), spec=secret)]}), "Pod", "shop")  # type: ignore[arg-type]
    assert "hunter2" not in str(suspect)


def test_an_expired_list_is_read_again() -> None:
    class Expiring(Cluster):
        def get(self, path: str, query: Any = None, patience: Any = None, accept: str = "") -> Any:
            if "continue=" in path and not any("limit" not in asked for asked in self.asked):
                self.asked.append(path)
                raise ApiError(410, "Expired", "the provided continue parameter is too old")
            return super().get(path, query, patience, accept)

    cluster: Any = Expiring({"Pod": [pod(f"p-{number}") for number in range(PAGE + 3)]})
    names = [one["metadata"]["name"] for one in read_kind(cluster, "Pod")]
    assert len(names) == len(set(names)) == PAGE + 3
