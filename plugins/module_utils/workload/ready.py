# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When an object is ready, and why a pod is not: pure functions over what the API server returned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Iterable, Mapping, Tuple

Object = Mapping[str, Any]
Readiness = Tuple[bool, str]

# A registry that is slow, unreachable or busy may answer later; one that has no such image will not.
IMAGE_MISSING = (
    "not found",
    "manifest unknown",
    "no match for platform",
    "repository does not exist",
    "pull access denied",
)
HOPELESS_REASONS = ("InvalidImageName", "ErrImageNeverPull")
REMEDIES = {
    "ImagePullBackOff": "See that the registry or mirror has this image and that the node reaches it.",
    "ErrImagePull": "See that the registry or mirror has this image and that the node reaches it.",
    "InvalidImageName": "Correct the image's name.",
    "ErrImageNeverPull": "Load the image onto the node, or change imagePullPolicy.",
    "CreateContainerConfigError": "Create the ConfigMap, Secret or key that the message names.",
    "CrashLoopBackOff": "Read its log: kubectl logs --previous.",
    "OOMKilled": "Raise its memory limit.",
    "FailedCreatePodSandBox": "See that the pod network runs on this node.",
    "FailedMount": "Create the Secret, ConfigMap or volume that the message names.",
    "Unhealthy": "See its probe, and its log.",
}


@dataclass(frozen=True)
class Problem:
    """Why a pod is not ready. C(hopeless): waiting will not help."""

    pod: str
    node: str
    container: str
    reason: str
    message: str
    hopeless: bool = False

    def __str__(self) -> str:
        where = "pod %s%s" % (self.pod, " on %s" % self.node if self.node else "")
        part = ", container %s" % self.container if self.container else ""
        message = ": " + " ".join(self.message.split()) if self.message else ""
        said = "%s%s: %s%s" % (where, part, self.reason, message)
        remedy = REMEDIES.get(self.reason)
        return "%s. %s" % (said.rstrip("."), remedy) if remedy else said


def condition(content: Object, kind: str) -> dict[str, Any]:
    """Give a condition of an object by its type, empty where it has none."""
    for found in (content.get("status") or {}).get("conditions") or []:
        if found.get("type") == kind:
            return found
    return {}


def readiness(content: Object) -> Readiness:
    """Say whether an object is ready, and if not, what is missing.

    Rules as in https://kubernetes.io/docs/concepts/workloads/ per kind; kinds without a rule are ready when they exist.
    """
    metadata, status = content.get("metadata") or {}, content.get("status") or {}
    if metadata.get("deletionTimestamp"):
        return False, "it is being deleted"
    if status.get("observedGeneration", metadata.get("generation", 0)) < metadata.get("generation", 0):
        return False, "its controller has not seen the newest version yet"
    rule = _RULES.get(content.get("kind") or "")
    return rule(content.get("spec") or {}, status, content) if rule else (True, "")


def _deployment(spec: Object, status: Object, content: Object) -> Readiness:
    wanted = spec.get("replicas", 1)
    updated, ready, available, total = (
        status.get(key, 0) for key in ("updatedReplicas", "readyReplicas", "availableReplicas", "replicas")
    )
    if "observedGeneration" not in status:
        return False, "its controller has not seen it yet"
    if min(updated, ready, available) < wanted:
        return False, "%d of %d replicas updated, %d ready, %d available" % (updated, wanted, ready, available)
    if total > updated:
        return False, "%d old replicas are still there" % (total - updated)
    return True, ""


def _daemon_set(spec: Object, status: Object, content: Object) -> Readiness:
    if "observedGeneration" not in status:
        return False, "its controller has not seen it yet"
    wanted = status.get("desiredNumberScheduled", 0)
    updated, ready = status.get("updatedNumberScheduled", 0), status.get("numberReady", 0)
    if min(updated, ready) < wanted:
        return False, "%d of %d pods updated, %d ready" % (updated, wanted, ready)
    return True, ""


def _stateful_set(spec: Object, status: Object, content: Object) -> Readiness:
    if "observedGeneration" not in status:
        return False, "its controller has not seen it yet"
    strategy = spec.get("updateStrategy") or {}
    wanted = spec.get("replicas", 1)
    to_update = wanted - (strategy.get("rollingUpdate") or {}).get("partition", 0)
    updated, ready = status.get("updatedReplicas", 0), status.get("readyReplicas", 0)
    if ready < wanted:
        return False, "%d of %d replicas ready" % (ready, wanted)
    current = strategy.get("type") == "OnDelete" or status.get("currentRevision") == status.get("updateRevision")
    if not current and updated < to_update:
        return False, "%d of %d replicas updated" % (updated, to_update)
    return True, ""


def _job(spec: Object, status: Object, content: Object) -> Readiness:
    if condition(content, "Complete").get("status") == "True":
        return True, ""
    failed = condition(content, "Failed")
    if failed.get("status") == "True":
        return False, "it failed: %s %s" % (failed.get("reason", ""), failed.get("message", ""))
    return False, "it is not complete: %d active, %d failed" % (status.get("active", 0), status.get("failed", 0))


def _pod(spec: Object, status: Object, content: Object) -> Readiness:
    if status.get("phase") == "Succeeded" or condition(content, "Ready").get("status") == "True":
        return True, ""
    return False, "its phase is %s" % status.get("phase", "Pending")


def _node(spec: Object, status: Object, content: Object) -> Readiness:
    ready = condition(content, "Ready")
    if ready.get("status") == "True":
        return True, ""
    return False, "%s: %s" % (
        ready.get("reason") or "NotReady",
        ready.get("message") or "its kubelet has said nothing yet",
    )


_RULES: dict[str, Callable[[Object, Object, Object], Readiness]] = {
    "Deployment": _deployment,
    "DaemonSet": _daemon_set,
    "StatefulSet": _stateful_set,
    "Job": _job,
    "Pod": _pod,
    "Node": _node,
}
WAITED_FOR = tuple(kind for kind in _RULES if kind != "Node")


def pod_problems(pod: Object, events: Iterable[Object] = ()) -> list[Problem]:
    """Explain why a pod is not ready; empty for one that is ready, done, or being deleted.

    :param events: events of its namespace; those about this pod are used.
    """
    metadata, status = pod.get("metadata") or {}, pod.get("status") or {}
    if readiness(pod)[0] or metadata.get("deletionTimestamp"):
        return []
    name = "%s/%s" % (metadata.get("namespace"), metadata.get("name"))
    node = (pod.get("spec") or {}).get("nodeName") or ""
    if status.get("phase") == "Failed" and status.get("reason"):
        return [Problem(name, node, "", status["reason"], status.get("message", ""))]
    scheduled = condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        return [Problem(name, "", "", scheduled.get("reason") or "Unschedulable", scheduled.get("message", ""))]
    containers = (status.get("initContainerStatuses") or []) + (status.get("containerStatuses") or [])
    found = [
        problem for problem in (_container_problem(name, node, container, pod) for container in containers) if problem
    ]
    told = last_event(events, metadata.get("uid") or "", metadata.get("name") or "")
    if told and (
        not found or all(problem.reason in ("ContainerCreating", "PodInitializing", "NotReady") for problem in found)
    ):
        where = found[0].container if found and told.get("reason") == "Unhealthy" else ""
        return [Problem(name, node, where, told.get("reason", ""), told.get("message", ""))]
    return found or [
        Problem(
            name,
            node,
            "",
            status.get("phase", "Pending"),
            "its kubelet has said nothing yet" if node else "not scheduled yet",
        )
    ]


def last_event(events: Iterable[Object], uid: str, name: str) -> Object | None:
    """Give the latest warning about an object."""
    about = []
    for event in events:
        about_object = event.get("involvedObject") or event.get("regarding") or {}
        if event.get("type") == "Warning" and (
            about_object.get("uid") == uid if uid and about_object.get("uid") else about_object.get("name") == name
        ):
            about.append(event)
    return max(about, key=lambda event: event.get("lastTimestamp") or event.get("eventTime") or "", default=None)


def _container_problem(pod: str, node: str, container: Object, content: Object) -> Problem | None:
    state = container.get("state") or {}
    waiting, ended = state.get("waiting") or {}, state.get("terminated") or {}
    before = (container.get("lastState") or {}).get("terminated") or {}
    name = container.get("name", "")
    if waiting:
        reason, message = waiting.get("reason") or "Waiting", waiting.get("message") or ""
        if reason == "CrashLoopBackOff" and before:
            message = "it ended with exit code %s (%s) after %d restarts%s" % (
                before.get("exitCode"),
                before.get("reason", ""),
                container.get("restartCount", 0),
                ": " + before["message"] if before.get("message") else "",
            )
            reason = "OOMKilled" if before.get("reason") == "OOMKilled" else reason
        missing = reason in ("ErrImagePull", "ImagePullBackOff") and any(text in message for text in IMAGE_MISSING)
        if reason in ("ErrImagePull", "ImagePullBackOff") and container.get("image", "") not in message:
            message = "%s %s" % (container.get("image", ""), message)
        return Problem(pod, node, name, reason, message, missing or reason in HOPELESS_REASONS)
    if ended and ended.get("exitCode") != 0:
        return Problem(
            pod,
            node,
            name,
            ended.get("reason") or "Error",
            "exit code %s %s" % (ended.get("exitCode"), ended.get("message", "")),
        )
    if "running" in state and not container.get("ready") and not _is_init(content, name):
        return Problem(pod, node, name, "NotReady", "it runs, and its readiness probe has not succeeded yet")
    return None


def _is_init(pod: Object, name: str) -> bool:
    return any(container.get("name") == name for container in (pod.get("spec") or {}).get("initContainers") or [])


def selector_query(content: Object) -> str | None:
    """Give the label selector of a workload's pods as the API takes it, None where it has none."""
    selector = (content.get("spec") or {}).get("selector") or {}
    parts = ["%s=%s" % pair for pair in sorted((selector.get("matchLabels") or {}).items())]
    for rule in selector.get("matchExpressions") or []:
        operator, key, values = rule.get("operator"), rule.get("key"), ",".join(rule.get("values") or [])
        parts.append(
            {"In": "%s in (%s)", "NotIn": "%s notin (%s)"}[operator] % (key, values)
            if values
            else ("" if operator == "Exists" else "!") + key
        )
    return ",".join(parts) or None


def newest_only(pods: Iterable[Object]) -> list[Object]:
    """Keep the pods of a workload's newest revision: those that share the revision of the one made last."""
    alive = [pod for pod in pods if not (pod.get("metadata") or {}).get("deletionTimestamp")]
    if not alive:
        return []
    newest = max(alive, key=lambda pod: pod["metadata"].get("creationTimestamp") or "")
    return [pod for pod in alive if _revision(pod) == _revision(newest)]


def _revision(pod: Object) -> str:
    labels = (pod.get("metadata") or {}).get("labels") or {}
    return labels.get("pod-template-hash") or labels.get("controller-revision-hash") or ""
