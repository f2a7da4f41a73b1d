# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is a fault, what is not, and which faults are consequences."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._diagnosis.images import image_fault, registry_of
from ansible_collections.slipway.kube.plugins.module_utils._diagnosis.jobs import never_matches
from ansible_collections.slipway.kube.plugins.module_utils._diagnosis.nodes import version_skew
from ansible_collections.slipway.kube.plugins.module_utils._diagnosis.scheduling import decisive, refusals
from ansible_collections.slipway.kube.plugins.module_utils._kube.quantities import amount, name_amount, requests_of

from .conftest import (
    crashed,
    deployment,
    endpoints,
    event,
    findings_of,
    meta,
    node,
    pod,
    service,
    stamp,
    view_of,
    waiting,
)


def faults(lists: dict[str, list[dict[str, Any]]], least: str = "warning") -> list[tuple[str, str]]:
    """The faults of a cluster and their objects, without those of severity info."""
    levels = {"error": ["error"], "warning": ["error", "warning"]}[least]
    return [(finding.fault, str(finding.object)) for finding in findings_of(lists) if finding.severity in levels]


@pytest.mark.parametrize(
    ("reason", "message", "fault"),
    [
        (
            "ErrImagePull",
            "rpc error: code = NotFound desc = failed to resolve image: r/a:1: not found",
            "image_not_found",
        ),
        ("ErrImagePull", "manifest unknown: manifest unknown", "image_not_found"),
        ("ErrImagePull", "failed to authorize: unexpected status: 401 Unauthorized", "image_pull_denied"),
        (
            "ErrImagePull",
            "pull access denied, repository does not exist or may require authorization",
            "image_pull_denied",
        ),
        ("ImagePullBackOff", "dial tcp: lookup r on 10.96.0.10:53: no such host", "image_unreachable"),
        (
            "ErrImagePull",
            "tls: failed to verify certificate: x509: certificate signed by unknown authority",
            "image_unreachable",
        ),
        ("ErrImagePull", "dial tcp 10.0.0.1:443: i/o timeout", "image_unreachable"),
        ("ErrImagePull", "unexpected status from HEAD request: 503 Service Unavailable", "image_unreachable"),
        (
            "ErrImagePull",
            "429 Too Many Requests - toomanyrequests: You have reached your pull rate limit",
            "image_rate_limited",
        ),
        ("ErrImagePull", "no match for platform in manifest: not found", "image_wrong_platform"),
        ("ErrImagePull", "write /var/lib/containerd/x: no space left on device", "image_no_space"),
        ("InvalidImageName", "couldn't parse image name", "invalid_image_name"),
        ("ErrImageNeverPull", "is not present with pull policy of Never", "image_never_pulled"),
        ("ErrImagePull", "something new", "image_pull_fails"),
    ],
)
def test_why_an_image_cannot_be_had(reason: str, message: str, fault: str) -> None:
    found = image_fault(reason, message)
    assert found.fault == fault and "image r/a:1 " in found.title("r/a:1") and found.advice
    hopeless = fault in (
        "image_not_found",
        "image_pull_denied",
        "image_wrong_platform",
        "invalid_image_name",
        "image_never_pulled",
    )
    assert (found.patience == "hopeless") == hopeless
    told = faults({**deployment(0), "Pod": [pod(state=waiting(reason, message))]})
    assert told == [(fault, "Deployment shop/web")]


def test_the_registry_of_an_image() -> None:
    assert [registry_of(name) for name in ("nginx", "a/b:1", "ghcr.io/a/b", "localhost/a", "r:5000/a@sha256:0")] == [
        "docker.io",
        "docker.io",
        "ghcr.io",
        "localhost",
        "r:5000",
    ]


@pytest.mark.parametrize(
    ("state", "fault", "hopeless"),
    [
        (crashed(1, restarts=0), "crash_loop", False),
        (crashed(1, restarts=1), "crash_loop", True),
        (crashed(137, "OOMKilled", restarts=2), "oom_killed", True),
        (crashed(127, restarts=1), "bad_command", True),
        (crashed(126, restarts=1), "bad_command", True),
        (crashed(128, "StartError", 1, message='exec: "/x": stat /x: no such file or directory'), "bad_command", True),
        (crashed(128, "StartError", 1, message="exec /x: exec format error"), "image_wrong_platform", True),
        (crashed(0, "Completed", 1), "exits_at_once", True),
        (waiting("CreateContainerConfigError", 'configmap "x" not found'), "config_missing", False),
        (waiting("CreateContainerConfigError", "failed to sync secret cache: timed out"), "config_not_synced", False),
        (
            waiting("CreateContainerConfigError", "container has runAsNonRoot and image will run as root"),
            "run_as_non_root",
            True,
        ),
        (waiting("CreateContainerError", "context deadline exceeded"), "container_not_created", False),
    ],
)
def test_why_a_container_does_not_run_and_whether_waiting_helps(
    state: dict[str, Any], fault: str, hopeless: bool
) -> None:
    (finding,) = findings_of({**deployment(0), "Pod": [pod(state=state)]})
    assert (finding.fault, finding.hopeless, finding.container) == (fault, hopeless, "app")
    assert finding.pods == ["shop/web-1-a"] and "shop/web-1-a on w1" in finding.evidence[0]


def test_a_limit_is_shown_to_who_must_raise_it() -> None:
    limited = {"resources": {"limits": {"memory": "64Mi"}}}
    (finding,) = findings_of({**deployment(0), "Pod": [pod(state=crashed(137, "OOMKilled"), container=limited)]})
    assert "limit of 64Mi" in finding.title and "limits.memory above 64Mi" in finding.advice
    (node_full,) = findings_of({**deployment(0), "Pod": [pod(state=crashed(137, "OOMKilled"))]})
    assert "the node ran out of memory" in node_full.title


def test_what_follows_is_told_with_its_root() -> None:
    ingress = {
        "metadata": meta("front"),
        "spec": {
            "ingressClassName": "c",
            "rules": [
                {
                    "host": "h",
                    "http": {"paths": [{"path": "/", "backend": {"service": {"name": "web", "port": {"number": 80}}}}]},
                }
            ],
        },
    }
    lists = {
        **deployment(0, 2),
        "Pod": [pod(state=crashed(137, "OOMKilled")), pod("web-1-b", state=crashed(137, "OOMKilled"))],
        "Service": [service()],
        "EndpointSlice": [endpoints(ready=0)],
        "Ingress": [ingress],
        "IngressClass": [{"metadata": {"name": "c"}, "spec": {}}],
    }
    (finding,) = findings_of(lists)
    assert finding.fault == "oom_killed" and finding.count == 1 and len(finding.pods) == 2
    assert [text.partition(":")[0] for text in finding.causes] == [
        "Ingress shop/front",
        "Service shop/web",
        "Deployment shop/web",
    ]
    assert set(finding.others) == {"Service shop/web", "Ingress shop/front"}
    text = "\n".join(finding.text())
    assert text.startswith("ERROR Deployment shop/web: container app") and " <- " in text and "advice: " in text


def test_one_image_of_many_workloads_is_one_fault() -> None:
    lists = deployment(0)
    second = deployment(0)
    second["Deployment"][0]["metadata"]["name"] = "api"
    second["ReplicaSet"][0]["metadata"].update(
        name="api-1", ownerReferences=[dict(lists["ReplicaSet"][0]["metadata"]["ownerReferences"][0], name="api")]
    )
    state = waiting("ErrImagePull", "not found")
    (finding,) = findings_of(
        {
            "Deployment": lists["Deployment"] + second["Deployment"],
            "ReplicaSet": lists["ReplicaSet"] + second["ReplicaSet"],
            "Pod": [pod(state=state), pod("api-1-a", state=state, owner="api-1")],
        }
    )
    assert finding.count == 2 and len(finding.pods) == 2 and len(finding.others) == 1


def test_a_lost_node_explains_its_pods() -> None:
    lists = {
        **deployment(0),
        "Pod": [pod(state={"ready": False})],
        "Node": [node("w1", "Unknown", age=9e4)],
        "Service": [service()],
        "EndpointSlice": [endpoints(ready=0)],
    }
    (finding,) = [finding for finding in findings_of(lists) if finding.severity == "error"]
    assert (finding.fault, finding.object.name) == ("node_not_ready", "w1")
    assert "Deployment shop/web" in finding.others and "Service shop/web" in finding.others


# As containerd tells a container that ran when its host lost power.
WITH_ITS_HOST = {"terminated": {"exitCode": 255, "reason": "Unknown", "finishedAt": stamp(5)}}
ENDED_ONCE = {"exitCode": 1, "reason": "Error"}
LONG_AGO = {"terminated": {"exitCode": 1, "finishedAt": stamp(9000)}}
DONE = {"status": {"failed": 2, "conditions": [{"type": "Complete", "status": "True"}]}}
AT_ITS_FLOOR = [
    {"type": "AbleToScale", "status": "True"},
    {"type": "ScalingActive", "status": "True"},
    {"type": "ScalingLimited", "status": "True", "reason": "TooFewReplicas"},
]
DISABLED = [{"type": "ScalingActive", "status": "False", "reason": "ScalingDisabled"}]
ENDED = {"state": {"terminated": {"exitCode": 1}}}


def autoscaler(conditions: list[dict[str, str]]) -> dict[str, Any]:
    """An autoscaler of Deployment web."""
    target = {"kind": "Deployment", "name": "web", "apiVersion": "apps/v1"}
    return {"metadata": meta("h"), "spec": {"scaleTargetRef": target}, "status": {"conditions": conditions}}


def job_pod() -> dict[str, Any]:
    """A pod of Job j that failed."""
    found = pod("j-1", phase="Failed", state=ENDED)
    found["metadata"]["ownerReferences"] = [{"kind": "Job", "name": "j", "apiVersion": "batch/v1", "controller": True}]
    return found


LATER = {"metadata": {"name": "local"}, "provisioner": "p", "volumeBindingMode": "WaitForFirstConsumer"}
CLAIM = {"metadata": meta("d"), "spec": {"storageClassName": "local"}, "status": {"phase": "Pending"}}
WELL: dict[str, dict[str, list[dict[str, Any]]]] = {
    "a pod that is done": {"Pod": [pod(phase="Succeeded", owner="", state={"state": {"terminated": {"exitCode": 0}}})]},
    "a pod that is ready": {"Pod": [pod()], **deployment()},
    "a pod that begins": {**deployment(0), "Pod": [pod(state=waiting("ContainerCreating"), age=5)]},
    "a pod that is not ready yet": {**deployment(0), "Pod": [pod(state={"ready": False}, age=5)]},
    "a restart of long ago": {
        "Pod": [pod(state={"ready": True, "restartCount": 1, "lastState": LONG_AGO})],
        **deployment(),
    },
    "a pod whose host lost power after other restarts": {
        "Pod": [
            pod(
                state={
                    "ready": True,
                    "restartCount": 4,
                    "state": {"running": {"startedAt": stamp(2)}},
                    "lastState": WITH_ITS_HOST,
                }
            )
        ],
        **deployment(),
    },
    "a pod that has run for minutes after it could not start": {
        "Pod": [
            pod(
                state={
                    "ready": True,
                    "restartCount": 5,
                    "state": {"running": {"startedAt": stamp(180)}},
                    "lastState": {"terminated": {**ENDED_ONCE, "startedAt": stamp(195), "finishedAt": stamp(190)}},
                }
            )
        ],
        **deployment(),
    },
    "a pod that ended once more after it had run for long": {
        "Pod": [
            pod(
                state={
                    "ready": True,
                    "restartCount": 5,
                    "state": {"running": {"startedAt": stamp(90)}},
                    "lastState": {"terminated": {**ENDED_ONCE, "startedAt": stamp(3000), "finishedAt": stamp(95)}},
                }
            )
        ],
        **deployment(),
    },
    "a Job that was tried again and is complete": {
        "Job": [{"metadata": meta("j"), "spec": {}, **DONE}],
        "Pod": [job_pod()],
    },
    "conditions that others set": {
        "Node": [node("w1", KernelDeadlock="False", FrequentKubeletRestart="False", Lucky="True")]
    },
    "a claim that waits for its first pod": {"PersistentVolumeClaim": [CLAIM], "StorageClass": [LATER]},
    "an autoscaler at its floor": {
        **deployment(),
        "Pod": [pod()],
        "HorizontalPodAutoscaler": [autoscaler(AT_ITS_FLOOR)],
    },
    "an application that is scaled to nothing": {
        **deployment(0, 0),
        "Service": [service()],
        "HorizontalPodAutoscaler": [autoscaler(DISABLED)],
    },
    "an external name": {"Service": [service(selector={}, type="ExternalName", externalName="x.example.com")]},
    "a Service": {**deployment(), "Pod": [pod()], "Service": [service()], "EndpointSlice": [endpoints()]},
    "a pod that its node ended and that was replaced": {
        **deployment(),
        "Pod": [pod(), pod("web-1-old", phase="Failed", reason="Terminated", state={"ready": False})],
    },
}


@pytest.mark.parametrize("lists", WELL.values(), ids=WELL.keys())
def test_no_false_alarm(lists: dict[str, list[dict[str, Any]]]) -> None:
    assert faults(lists) == []


@pytest.mark.parametrize(
    "now", [{"running": {"startedAt": stamp(1)}}, {"terminated": {"exitCode": 1, "finishedAt": stamp(1)}}]
)
@pytest.mark.parametrize(("restarts", "most"), [(1, {"info"}), (4, {"info", "warning", "error"})])
def test_a_job_that_tries_again_alarms_nobody_at_once(now: dict, restarts: int, most: set[str]) -> None:
    before = {"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": stamp(3)}}
    owner = {"kind": "Job", "name": "task", "apiVersion": "batch/v1", "controller": True}
    made = pod("task-1", {"ready": False, "restartCount": restarts, "state": now, "lastState": before}, owner="")
    made["metadata"]["ownerReferences"] = [owner]
    made["spec"]["restartPolicy"] = "OnFailure"
    job = {"metadata": meta("task"), "spec": {"backoffLimit": 6}, "status": {"active": 1}}
    told = {finding.severity for finding in findings_of({"Job": [job], "Pod": [made]})}
    assert told and told <= most and (restarts == 1 or told != {"info"})


@pytest.mark.parametrize(
    ("lasted", "since", "restarts", "severity"),
    [
        (0, 1, 4, "error"),
        (30, 35, 4, "error"),
        (0, 1, 1, "warning"),
        (0, 30, 4, "warning"),
        (30, 50, 4, "warning"),
        (2592000, 20, 4, "warning"),  # after a month, its host rebooted
        (500, 61, 4, "warning"),
    ],
)
def test_a_crash_loop_is_an_error_until_its_program_runs_longer_than_before(
    lasted: int, since: int, restarts: int, severity: str
) -> None:
    """Without a readiness probe a container is ready in the moment between its start and its end."""
    before = {**ENDED_ONCE, "exitCode": 1, "startedAt": stamp(since + 5 + lasted), "finishedAt": stamp(since + 5)}
    state = {"running": {"startedAt": stamp(since)}}
    container = {"ready": True, "restartCount": restarts, "state": state, "lastState": {"terminated": before}}
    (found,) = findings_of({**deployment(), "Pod": [pod(state=container)]})
    assert (found.fault, found.severity) == ("crash_loop", severity)


def test_a_cron_job_whose_previous_run_does_not_end_is_told() -> None:
    status = {"active": [{"name": "c-1"}], "lastScheduleTime": stamp(7200)}
    cron = {"metadata": meta("c"), "spec": {"schedule": "0 * * * *", "concurrencyPolicy": "Forbid"}, "status": status}
    text = "Not starting job because prior execution is running and concurrency policy is Forbid"
    skipped = event("CronJob", "c", "JobAlreadyActive", text, type="Normal")
    (finding,) = findings_of({"CronJob": [cron], "Event": [skipped]})
    assert (finding.fault, finding.severity) == (
        "cron_job_blocked",
        "warning",
    ) and "its run c-1 has not ended" in finding.title
    status["lastScheduleTime"] = stamp(1)
    assert findings_of({"CronJob": [cron], "Event": [skipped]}) == []


@pytest.mark.parametrize(("age", "faults"), [(3, []), (15, ["kubelet_silent"])])
def test_a_pod_of_a_node_that_joined_while_the_lists_were_read_is_no_fault(age: float, faults: list[str]) -> None:
    made = pod(state=waiting("ContainerCreating"), owner="", age=age, containerStatuses=[], spec={"nodeName": "w9"})
    found = findings_of({"Pod": [made], "Node": [node("w1")]})
    assert [finding.fault for finding in found] == faults


def test_a_broken_pod_of_an_earlier_revision_that_a_partition_keeps_is_not_to_be_deleted() -> None:
    status = {"observedGeneration": 1, "replicas": 2, "readyReplicas": 1, "updatedReplicas": 1}
    status.update(currentRevision="a", updateRevision="b")
    update = {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}
    spec = {"replicas": 2, "updateStrategy": update}
    content = {"metadata": meta("db", generation=1), "spec": spec, "status": status}
    broken = pod("db-0", state=crashed(), labels={"controller-revision-hash": "a"})
    owner = {"kind": "StatefulSet", "name": "db", "apiVersion": "apps/v1", "controller": True}
    broken["metadata"]["ownerReferences"] = [owner]
    lists = {"StatefulSet": [content], "Pod": [broken]}
    (finding,) = findings_of(lists)
    assert finding.fault == "rollout_stuck" and "kubectl -n shop delete pod db-0" in finding.advice
    update["rollingUpdate"]["partition"] = 1
    (finding,) = findings_of(lists)
    assert finding.fault == "crash_loop" and "delete pod" not in finding.advice


def test_an_update_that_waits_for_the_deletion_of_pods_is_told() -> None:
    status = {"observedGeneration": 1, "replicas": 2, "readyReplicas": 2, "updatedReplicas": 0}
    status.update(currentRevision="a", updateRevision="b")
    spec = {"replicas": 2, "updateStrategy": {"type": "OnDelete"}}
    content = {"metadata": meta("db", generation=1), "spec": spec, "status": status}
    (finding,) = findings_of({"StatefulSet": [content]})
    assert finding.fault == "update_pending" and finding.title.startswith("2 of its pods are of an earlier revision")
    spec["updateStrategy"]["type"] = "RollingUpdate"
    assert "update_pending" not in faults({"StatefulSet": [content]})
    status["updateRevision"] = "a"
    assert findings_of({"StatefulSet": [content]}) == []


def test_a_cron_job_that_has_succeeded_since_is_not_reported() -> None:
    owner = [{"kind": "CronJob", "name": "c", "apiVersion": "batch/v1", "controller": True}]

    def job(name: str, age: float, kind: str) -> dict[str, Any]:
        return {
            "metadata": meta(name, age=age, ownerReferences=owner),
            "spec": {},
            "status": {"conditions": [{"type": kind, "status": "True", "reason": "BackoffLimitExceeded"}]},
        }

    cron = {"metadata": meta("c"), "spec": {"schedule": "0 3 * * *"}}
    assert faults({"CronJob": [cron], "Job": [job("c-1", 900, "Failed"), job("c-2", 60, "Complete")]}) == []
    (finding,) = findings_of(
        {"CronJob": [cron], "Job": [job("c-1", 900, "Complete"), job("c-2", 60, "Failed"), job("c-3", 30, "Failed")]}
    )
    assert finding.fault == "job_failed" and finding.count == 2 and "CronJob shop/c" in finding.others


@pytest.mark.parametrize(
    ("schedule", "is_never"),
    [
        ("0 3 31 2 *", True),
        ("0 3 30 feb *", True),
        ("0 0 31 4,6,9 *", True),
        ("0 0 29 2 *", False),
        ("0 0 31 2 1", False),
        ("*/5 * * * *", False),
        ("0 0 1-5/2 * *", False),
        ("@daily", False),
        ("0 0 x * *", False),
    ],
)
def test_schedules_that_never_match(schedule: str, is_never: bool) -> None:
    assert never_matches(schedule) == is_never


def test_the_reason_that_a_person_can_do_something_about() -> None:
    old = "0/3 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, 2 Insufficient memory. preemption: 0/3."
    found = refusals(old)
    assert [(one.nodes, one.fault) for one in found] == [(1, "unschedulable_taint"), (2, "unschedulable_resources")]
    assert decisive(found).fault == "unschedulable_resources"
    new = "0/3 nodes are available: 2 node(s) had untolerated taint(s), 1 Insufficient cpu. no new claims to deallocate, preemption: x"
    assert decisive(refusals(new), tainted=1).fault == "unschedulable_taint"
    claim = '0/3 nodes are available: persistentvolumeclaim "d" not found. not found'
    assert decisive(refusals(claim)).reason == 'persistentvolumeclaim "d" not found'
    both = "0/3 nodes are available: 1 node(s) didn't match pod anti-affinity rules, 2 node(s) were unschedulable."
    assert decisive(refusals(both)).fault == "unschedulable_affinity"


def unscheduled(message: str, **spec: Any) -> dict[str, Any]:
    """A pod that cannot be scheduled."""
    found = pod(state={}, age=60, spec={"nodeName": "", **spec})
    found["status"].update(
        conditions=[{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}],
        containerStatuses=[],
    )
    return found


def test_taints_are_named_although_the_scheduler_only_counts_them() -> None:
    tainted = node("w1")
    tainted["spec"]["taints"] = [{"key": "dedicated", "value": "gpu", "effect": "NoSchedule"}]
    (finding,) = findings_of(
        {
            **deployment(0),
            "Node": [tainted],
            "Pod": [unscheduled("0/1 nodes are available: 1 node(s) had untolerated taint(s).")],
        }
    )
    assert finding.fault == "unschedulable_taint" and "dedicated=gpu:NoSchedule" in finding.title
    pressed = node("w1", DiskPressure="True")
    pressed["spec"]["taints"] = [{"key": "node.kubernetes.io/disk-pressure", "effect": "NoSchedule"}]
    (root,) = findings_of(
        {
            **deployment(0),
            "Node": [pressed],
            "Pod": [unscheduled("0/1 nodes are available: 1 node(s) had untolerated taint(s).")],
        }
    )
    assert (root.fault, root.object.name) == ("node_pressure", "w1") and "Deployment shop/web" in root.others


@pytest.mark.parametrize(
    ("ready", "ago", "severity"),
    [
        ("True", 0, ""),
        ("True", 299, ""),
        ("True", -59, ""),
        ("True", -61, "warning"),
        ("True", 361, "warning"),
        ("True", -7200, "error"),
        ("True", 7200, "error"),
        ("Unknown", 7200, ""),
    ],
)
def test_the_clock_of_a_node_shows_in_the_time_of_its_reports(ready: str, ago: float, severity: str) -> None:
    one = node("w1", ready)
    one["status"]["conditions"][0]["lastHeartbeatTime"] = stamp(ago)
    found = [finding for finding in findings_of({"Node": [one]}) if finding.fault == "node_clock"]
    assert [finding.severity for finding in found] == ([severity] if severity else [])


def mostly_tainted() -> list[dict[str, Any]]:
    """Three nodes, two of them with a taint."""
    nodes = [node("w1"), node("w2"), node("w3")]
    for one in nodes[1:]:
        one["spec"]["taints"] = [{"key": "dedicated", "value": "gpu", "effect": "NoSchedule"}]
    return nodes


@pytest.mark.parametrize(
    "said",
    [
        "0/3 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 2 node(s) had untolerated taint(s).",
        "0/3 nodes are available: 3 node(s) had untolerated taint(s).",
    ],
)
def test_a_selector_that_no_node_has_is_told_although_taints_outnumber_it(said: str) -> None:
    lists = {**deployment(0), "Node": mostly_tainted(), "Pod": [unscheduled(said, nodeSelector={"disk": "ssd"})]}
    (finding,) = findings_of(lists)
    assert finding.title == "no node has the labels of the pod's node selector: disk=ssd"


@pytest.mark.parametrize(
    ("resource", "advice"), [("hugepages-2Mi", "vm.nr_hugepages"), ("x.org/card", "device plugin")]
)
def test_a_resource_that_no_node_has_is_told_although_taints_outnumber_it(resource: str, advice: str) -> None:
    said = f"0/3 nodes are available: 1 Insufficient {resource}, 2 node(s) had untolerated taint(s)."
    asks = [{"name": "app", "resources": {"requests": {resource: "2"}, "limits": {resource: "2"}}}]
    lists = {**deployment(0), "Node": mostly_tainted(), "Pod": [unscheduled(said, containers=asks)]}
    (finding,) = findings_of(lists)
    assert finding.title == f"no node provides the resource {resource}" and advice in finding.advice


@pytest.mark.parametrize(
    ("reason", "advice"),
    [
        ("SysctlForbidden", "allowedUnsafeSysctls"),
        ("AppArmor", "appArmorProfile"),
        ("NodeAffinity", "labels of the node"),
        ("OutOfcpu", "free resources"),
        ("UnexpectedAdmissionError", "device plugins"),
    ],
)
def test_pods_that_the_kubelet_rejects_again_and_again_are_told(reason: str, advice: str) -> None:
    rejected = [pod(f"web-1-{letter}", state={}, age=20) for letter in "abc"]
    for one in rejected:
        one["status"].update(phase="Failed", reason=reason, message="m", containerStatuses=[])
    (finding,) = findings_of({**deployment(0), "Node": [node()], "Pod": rejected})
    assert (finding.fault, finding.severity, finding.object.name) == ("node_refuses_pod", "error", "web")
    assert f"the kubelet rejects its pods: {reason} (3 pods so far)" in finding.title and advice in finding.advice


def test_room_is_measured_in_what_pods_ask_for() -> None:
    asks = {"resources": {"requests": {"cpu": "1500m", "memory": "1Gi"}}}
    lists = {
        **deployment(0),
        "Node": [node("w1")],
        "Pod": [
            unscheduled("0/1 nodes are available: 1 Insufficient cpu.", containers=[{"name": "app", **asks}]),
            pod("other", owner="", container=asks),
        ],
    }
    (finding,) = findings_of(lists)
    assert "the pod requests cpu 1500m, memory 1024Mi" in finding.evidence
    assert "largest free amount on a node: cpu 500m (w1)" in finding.evidence


def test_amounts() -> None:
    assert [amount(text) for text in ("250m", "64Mi", "1e3", "2", None, "much")] == [0.25, 2**26, 1000.0, 2.0, 0.0, 0.0]
    assert name_amount("cpu", 0.25) == "cpu 250m" and name_amount("memory", 2**26) == "memory 64Mi"
    spec = {
        "containers": [{"resources": {"requests": {"cpu": "1"}}}],
        "initContainers": [
            {"resources": {"requests": {"cpu": "3"}}},
            {"restartPolicy": "Always", "resources": {"requests": {"cpu": "1"}}},
        ],
    }
    assert requests_of({"spec": spec}) == {"cpu": 3.0}
    spec["initContainers"].reverse()  # the sidecar runs already while the other one does
    assert requests_of({"spec": spec}) == {"cpu": 4.0}
    spec["resources"] = {"requests": {"cpu": "2", "memory": "1Mi"}}  # of the whole pod
    assert requests_of({"spec": {**spec, "overhead": {"cpu": "1"}}}) == {"cpu": 3.0, "memory": 2**20}


def test_a_selector_is_compared_with_the_most_similar_labels() -> None:
    lists = {
        **deployment(),
        "Pod": [pod()],
        "Service": [service(selector={"app": "wbe"})],
        "EndpointSlice": [endpoints(ready=0)],
    }
    (finding,) = findings_of(lists)
    assert finding.fault == "service_selects_nothing" and "they have app=web" in finding.evidence[1]


def test_a_quota_explains_a_service_without_pods() -> None:
    lists = deployment(0)
    lists["ReplicaSet"][0]["status"] = {
        "replicas": 0,
        "conditions": [
            {
                "type": "ReplicaFailure",
                "status": "True",
                "message": 'pods "x" is forbidden: exceeded quota: small, requested: pods=1',
            }
        ],
    }
    (finding,) = findings_of({**lists, "Pod": [], "Service": [service()], "EndpointSlice": []})
    assert finding.fault == "quota_exceeded" and "Service shop/web" in finding.others and finding.hopeless


@pytest.mark.parametrize(
    ("message", "fault"),
    [
        ('Internal error occurred: failed calling webhook "a.b": connection refused', "webhook_down"),
        (
            'pods "x" is forbidden: error looking up service account shop/a: serviceaccount "a" not found',
            "service_account_missing",
        ),
        (
            'pods "x" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false',
            "admission_denied",
        ),
        ('admission webhook "a.b" denied the request: no', "admission_denied"),
        ('Pod "x" is invalid: spec.containers[0].ports: Duplicate value', "pod_invalid"),
        ("no PriorityClass with name urgent was found", "priority_class_missing"),
        ("something new", "creation_fails"),
    ],
)
def test_why_no_pods_are_created(message: str, fault: str) -> None:
    lists = deployment(0)
    lists["ReplicaSet"][0]["status"] = {"replicas": 0}
    refused = event("ReplicaSet", "web-1", "FailedCreate", message)
    assert faults({**lists, "Pod": [], "Event": [refused]}) == [(fault, "Deployment shop/web")]


def test_a_denial_before_the_newest_pod_is_resolved() -> None:
    old = event("ReplicaSet", "web-1", "FailedCreate", "exceeded quota: small", ago=900)
    lists = deployment(0, 2)
    lists["ReplicaSet"][0]["status"] = {"replicas": 1}
    assert faults({**lists, "Pod": [pod(age=600)], "Event": [old]}) == []


def test_only_pods_of_the_newest_revision_explain_a_deployment() -> None:
    lists = deployment(1, 1)
    old = pod("web-0-a", state=crashed(), owner="web-0", labels={"app": "web", "pod-template-hash": "0"})
    old_set = {**lists["ReplicaSet"][0]}
    old_set["metadata"] = dict(
        old_set["metadata"],
        name="web-0",
        labels={"pod-template-hash": "0"},
        annotations={"deployment.kubernetes.io/revision": "0"},
    )
    found = faults(
        {"Deployment": lists["Deployment"], "ReplicaSet": [*lists["ReplicaSet"], old_set], "Pod": [pod(), old]}
    )
    assert found == []


def test_a_webhook_whose_pods_crash_is_a_consequence() -> None:
    hook = {
        "metadata": {"name": "gate"},
        "webhooks": [{"name": "a.b", "clientConfig": {"service": {"namespace": "shop", "name": "web"}}, "rules": []}],
    }
    lists = {
        **deployment(0),
        "Pod": [pod(state=crashed())],
        "Service": [service()],
        "EndpointSlice": [endpoints(ready=0)],
        "ValidatingWebhookConfiguration": [hook],
    }
    (finding,) = findings_of(lists)
    assert finding.fault == "crash_loop" and "ValidatingWebhookConfiguration gate" in finding.others
    hook["webhooks"][0]["failurePolicy"] = "Ignore"
    (missing,) = findings_of({"Service": [], "ValidatingWebhookConfiguration": [hook]})
    assert (missing.fault, missing.severity) == ("webhook_down", "warning")


@pytest.mark.parametrize(
    ("kubelet", "server", "wrong"),
    [
        ("v1.36.1", "v1.36.3", False),
        ("v1.33.0", "v1.36.3", False),
        ("v1.32.0", "v1.36.3", True),
        ("v1.37.0", "v1.36.3", True),
        ("?", "v1.36.3", False),
    ],
)
def test_version_skew(kubelet: str, server: str, wrong: bool) -> None:
    old = node("w1")
    old["status"]["nodeInfo"]["kubeletVersion"] = kubelet
    assert bool(version_skew(view_of({"Node": [old]}), server)) == wrong


def test_dns_is_down_for_the_reason_that_its_pods_have() -> None:
    lists = deployment(0)
    for content in lists["Deployment"] + lists["ReplicaSet"]:
        content["metadata"]["namespace"] = "kube-system"
    lists["Deployment"][0]["spec"]["template"]["metadata"]["labels"] = {"k8s-app": "kube-dns", "app": "web"}
    broken = pod(state=crashed())
    broken["metadata"].update(
        namespace="kube-system", labels={"k8s-app": "kube-dns", "app": "web", "pod-template-hash": "1"}
    )
    dns = service("kube-dns", {"k8s-app": "kube-dns"})
    dns["metadata"]["namespace"] = "kube-system"
    system = {**lists, "Pod": [broken], "Service": [dns], "EndpointSlice": [endpoints("kube-dns", 0, "kube-system")]}
    (finding,) = findings_of(system)
    assert (
        finding.fault == "dns_down" and "terminates with exit code 1" in finding.title and finding.severity == "error"
    )
    system["EndpointSlice"] = [endpoints("kube-dns", 1, "kube-system")]
    (half,) = findings_of(system)
    assert half.fault == "crash_loop"


def test_a_blocked_deletion_names_what_blocks_it() -> None:
    gone = meta("x", deletionTimestamp=stamp(120), finalizers=["example.com/keep"])
    left = "Some content in the namespace has finalizers remaining: example.com/keep in 1 resource instances"
    said = [{"type": "NamespaceFinalizersRemaining", "status": "True", "message": left}]
    name = {"metadata": {"name": "shop", "deletionTimestamp": stamp(120)}, "status": {"conditions": said}}
    (finding,) = findings_of({"ConfigMap": [{"metadata": gone}], "Namespace": [name]})
    assert (finding.fault, str(finding.object)) == ("deletion_stuck", "ConfigMap shop/x")
    assert finding.others == ["Namespace shop"] and "example.com/keep" in finding.title
    (alone,) = findings_of({"Namespace": [name]})
    assert "finalizer example.com/keep" in alone.advice
    assert findings_of({"ConfigMap": [{"metadata": dict(gone, deletionTimestamp=stamp(3))}]}) == []


def test_the_claim_that_keeps_a_volume_is_named() -> None:
    gone = {"name": "data", "deletionTimestamp": stamp(120), "finalizers": ["kubernetes.io/pv-protection"]}
    spec = {"claimRef": {"namespace": "shop", "name": "data-db-0"}}
    (finding,) = findings_of({"PersistentVolume": [{"metadata": gone, "spec": spec}]})
    assert (finding.fault, finding.severity) == ("deletion_stuck", "warning")
    assert (
        "PersistentVolumeClaim shop/data-db-0" in finding.title
        and "kubectl delete pvc data-db-0 -n shop" in finding.advice
    )


def test_a_policy_that_blocks_dns() -> None:
    def policy(*ports: int) -> dict[str, Any]:
        rule = {"to": [{"podSelector": {}}], "ports": [{"port": port} for port in ports]}
        return {"metadata": meta("p"), "spec": {"podSelector": {}, "policyTypes": ["Egress"], "egress": [rule]}}

    assert faults({"Pod": [pod()], "NetworkPolicy": [policy(5432)]}) == [("policy_blocks_dns", "NetworkPolicy shop/p")]
    assert faults({"Pod": [pod()], "NetworkPolicy": [policy(5432, 53)]}) == []
    assert faults({"Pod": [pod()], "NetworkPolicy": [policy()]}) == []
