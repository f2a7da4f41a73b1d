# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Explain why a pod is not Ready."""

from __future__ import annotations

import re

from .._kube.objects import Reference
from .container_view import containers_of
from .containers import RECENT, container_finding
from .finding import HOPELESS, PENDING, SEVERITIES, SLOW, SUSPICIOUS, Finding, one_line, pod_finding
from .mounts import MOUNTS, mount_finding, slow_share
from .sandboxes import explain_sandbox
from .scheduling import unscheduled
from .storage import driver_finding
from .view import (
    Object,
    View,
    conditions,
    event_time,
    is_deleted,
    is_healthy,
    is_true,
    message_of,
    name_of,
    node_name,
    spec_of,
    status_of,
)

# Reasons of a failed pod that are not caused by its program; its controller creates a replacement.
PASSING_FAILURES = ("Evicted", "Preempting", "Preempted", "NodeShutdown", "Terminated", "NodeLost", "Shutdown")
# Reasons with which the kubelet rejects a pod that was assigned to its node (k8s.io/kubernetes, pkg/kubelet), and the advice.
REJECTED = (
    (
        "SysctlForbidden",
        "Allow the sysctl with allowedUnsafeSysctls in the kubelet's configuration, or remove it from the securityContext.",
    ),
    ("AppArmor", "Load the AppArmor profile on the node, or correct appArmorProfile of the pod."),
    (
        "NodeAffinity",
        "Correct the labels of the node or the node selector of the pod; a label that the kubelet reads at its start may have changed.",
    ),
    ("UnexpectedAdmissionError", "Check the device plugins of the node and the log of its kubelet."),
    (
        "NodePorts",
        "Another pod of the node uses the host port. Remove nodeName so that the scheduler selects the node, or use another hostPort.",
    ),
    (
        "OutOf|NodeName",
        "Remove nodeName so that the scheduler selects the node, or free resources on that node.",
    ),
    ("PodOS|PodFeatureUnsupported", "Run the pod on a node with another operating system or a newer kubelet."),
)
SANDBOX = ("FailedCreatePodSandBox", "FailedCreatePodContainer", "FailedPodSandBoxStatus", "NetworkNotReady")


def pod_findings(view: View, pod: Object) -> list[Finding]:
    """Explain a pod; empty for one that is healthy, has succeeded, is being deleted or has just been created."""
    if is_healthy(pod) or is_deleted(pod):
        return []
    node = view.get("Node", "", node_name(pod))
    if node is not None and not is_true(node, "Ready"):
        return [_lost_node(view, pod, node)]
    if status_of(pod).get("phase") == "Failed":
        ended = _failed(view, pod)
        if ended is not None or status_of(pod).get("reason") in PASSING_FAILURES:
            return [ended] if ended is not None else []
    found = unscheduled(view, pod)
    if found:
        return found
    parts = [finding for finding in map(container_finding, containers_of(view, pod)) if finding is not None]
    if parts:
        return [min(parts, key=lambda finding: SEVERITIES.index(finding.severity))]
    return [finding for finding in (_not_set_up(view, pod), _gated(view, pod)) if finding is not None][:1]


def _lost_node(view: View, pod: Object, node: Object) -> Finding:
    name = name_of(node)
    title = f"a pod is on node {name}, which is not Ready"
    evidence = f"condition Ready of the node is {(conditions(node).get('Ready') or {}).get('status') or 'Unknown'}"
    advice = f"Check the node: kubectl describe node {name}."
    group = {"blames": (Reference("v1", "Node", "", name),), "about": f"node {name}"}
    return pod_finding(view, pod, "pod_on_lost_node", "warning", title, evidence, advice, **group)


def _failed(view: View, pod: Object) -> Finding | None:
    """Explain a pod in phase Failed by the reason in its status; None if its containers explain it."""
    status = status_of(pod)
    reason, message = status.get("reason") or "", one_line(message_of(status))
    owner = view.made_by(pod)
    alone = owner.kind == "Pod"
    severity = "error" if alone else "warning"
    evidence = f"{reason}: {message}"
    if reason == "Evicted":
        severity = "error" if _evicted_repeatedly(view, owner) else severity
        title, advice = f"a pod was evicted: {message.rstrip('.')}", _eviction_advice(message)
        node = Reference("v1", "Node", "", node_name(pod))
        return pod_finding(view, pod, "evicted", severity, title, evidence, advice, blames=(node,))
    if reason in PASSING_FAILURES:
        if not alone:
            return None
        title = f"the pod was terminated by its node ({reason})"
        advice = "Create the pod with a Deployment, so that it is replaced when its node terminates it."
        return pod_finding(view, pod, "pod_ended_by_node", "warning", title, evidence, advice)
    if reason == "DeadlineExceeded":
        title = "a pod ran longer than its activeDeadlineSeconds"
        advice = "Raise activeDeadlineSeconds, or find out from the log what takes so long."
        patience = HOPELESS if alone else SLOW
        return pod_finding(view, pod, "pod_deadline", severity, title, evidence, advice, patience=patience)
    advice = next((advice for pattern, advice in REJECTED if re.match(pattern, reason)), "")
    if advice:
        title = f"the kubelet of node {node_name(pod)} rejected a pod: {reason}"
        # Its controller creates another pod at once, which the scheduler may assign to the same node again.
        again = [other for other in view.pods_of(owner) if status_of(other).get("reason") == reason]
        if not alone and len(again) > 1:
            severity = "error"
            title = f"the kubelet rejects its pods: {reason} ({len(again)} pods so far)"
        patience = HOPELESS if alone else SUSPICIOUS
        return pod_finding(view, pod, "node_refuses_pod", severity, title, evidence, advice, patience=patience)
    return None


def _evicted_repeatedly(view: View, owner: Reference) -> bool:
    """Return whether several pods of a workload were evicted recently."""
    evicted = [pod for pod in view.pods_of(owner) if status_of(pod).get("reason") == "Evicted"]
    return sum(view.age(pod) < RECENT for pod in evicted) > 1


def _eviction_advice(message: str) -> str:
    if re.search(r"ephemeral.*storage", message):
        return "Raise resources.limits.ephemeral-storage, or write less to the root file system, the log and emptyDir volumes."
    if re.search(r"emptyDir", message, re.IGNORECASE):
        return "Raise sizeLimit of the emptyDir volume, or write less to it."
    if re.search(r"memory", message):
        return "Set memory requests close to the actual usage, so that the node is not overcommitted."
    return "Check disk and memory usage on the node: kubectl describe node."


def _not_set_up(view: View, pod: Object) -> Finding | None:
    """Explain a pod whose containers wait for a volume or for the network."""
    statuses = status_of(pod).get("containerStatuses") or []
    if any((state.get("state") or {}).get("running") for state in statuses):
        return None
    driverless = driver_finding(view, pod)
    if driverless is not None:
        return driverless
    events = view.events_of(pod)
    mounts = [event for event in events if event.get("reason") in MOUNTS]
    network = [event for event in events if event.get("reason") in SANDBOX]
    if mounts and (not network or event_time(mounts[-1]) >= event_time(network[-1])):
        return mount_finding(view, pod, mounts)
    if network:
        return _sandbox(view, pod, network[-1])
    return slow_share(view, pod) or _without_events(view, pod)


def _sandbox(view: View, pod: Object, event: Object) -> Finding:
    """Explain a pod whose sandbox could not be created."""
    message, node = one_line(message_of(event)), node_name(pod)
    title, advice, of_node = explain_sandbox(message, node)
    about = f"node {node}" if of_node else ""
    severity = "error" if view.age(pod) >= 15 else "warning"
    evidence = f"{event.get('reason')}: {message}"
    blames = (Reference("v1", "Node", "", node),)
    # The network plugin of a node that has just joined starts after its first pods were assigned to it.
    more = {"blames": blames, "about": about, "patience": PENDING if about else SUSPICIOUS}
    return pod_finding(view, pod, "sandbox_fails", severity, title, evidence, advice, **more)


def _without_events(view: View, pod: Object) -> Finding | None:
    """Explain a Pending pod without events: no scheduler has processed it, or no kubelet."""
    spec, status, node = spec_of(pod), status_of(pod), node_name(pod)
    age = view.age(pod)
    lost = bool(node) and view.missing("Node", "", node)
    # Lists are read at the same time: a node that is missing may just have joined.
    if status.get("phase") not in (None, "Pending") or age < (10 if lost else 30):
        return None
    fault = "kubelet_silent" if node else "scheduler_silent"
    if node and (status.get("containerStatuses") or status.get("initContainerStatuses")):
        return _slow_start(view, pod, age)
    if lost:
        title = f"node {node} of the pod does not exist"
        advice = "Remove nodeName from the pod, or correct it."
    elif node:
        title = f"the kubelet of node {node} has not reported any status of the pod"
        advice = _kubelet_log(node)
    else:
        name = spec.get("schedulerName") or "default-scheduler"
        title = f"no scheduler has processed the pod (schedulerName {name})"
        advice = "Remove schedulerName, or run a scheduler with that name."
        if name == "default-scheduler":
            advice = (
                "Check that kube-scheduler is running: kubectl -n kube-system get pods -l component=kube-scheduler."
            )
    return pod_finding(view, pod, fault, "error", title, f"phase Pending for {age:.0f} s", advice)


def _kubelet_log(node: str) -> str:
    return f"Read the log of the kubelet on node {node}: journalctl -u kubelet."


def _slow_start(view: View, pod: Object, age: float) -> Finding | None:
    if age < 300:
        return None
    title = f"the containers have not started for {age:.0f} s"
    advice = f"A large image may still be downloading. {_kubelet_log(node_name(pod))}"
    return pod_finding(view, pod, "slow_start", "warning", title, "ContainerCreating", advice, patience=SLOW)


def _gated(view: View, pod: Object) -> Finding | None:
    gates = [gate["conditionType"] for gate in spec_of(pod).get("readinessGates") or []]
    closed = [gate for gate in gates if not is_true(pod, gate)]
    if not closed or not is_true(pod, "ContainersReady") or view.age(pod) < 60:
        return None
    title = f"the containers are ready, but readiness gate {', '.join(closed)} is not"
    evidence = message_of(conditions(pod).get("Ready") or {})
    advice = "Check that the controller that sets this condition is running, often that of a load balancer."
    return pod_finding(view, pod, "readiness_gate", "warning", title, evidence, advice, patience=SLOW)
