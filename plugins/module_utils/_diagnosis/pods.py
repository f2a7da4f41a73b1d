# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Explain why a pod is not Ready."""

from __future__ import annotations

import re

from .._kube.objects import Reference
from .container_view import containers_of
from .containers import RECENT, container_finding, missing_object
from .finding import HOPELESS, PENDING, SEVERITIES, SLOW, SUSPICIOUS, Finding, one_line, pod_finding
from .sandboxes import explain_sandbox
from .scheduling import unscheduled
from .storage import driver_finding
from .view import (
    Object,
    View,
    claim_names,
    conditions,
    event_time,
    is_deleted,
    is_healthy,
    is_true,
    message_of,
    name_of,
    namespace_of,
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
MOUNTS = ("FailedMount", "FailedAttachVolume", "FailedMapVolume")
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
        return _mount(view, pod, mounts)
    if network:
        return _sandbox(view, pod, network[-1])
    return _without_events(view, pod)


# Messages of the kubelet about volumes, with the fault, the title and the advice.
MOUNT_MESSAGES = (
    (
        r"Multi-Attach|already (used|exclusively attached)|volume attachment is being deleted",
        "attach_fails",
        "a ReadWriteOnce volume is attached to another node, where a pod uses it",
        "Delete the old pod first (strategy Recreate), or use a ReadWriteMany volume.",
    ),
    (
        r"^FailedAttachVolume: ",
        "attach_fails",
        "a volume could not be attached to the node",
        "Read the log of the CSI driver's controller.",
    ),
    (
        r"hostPath type check failed",
        "mount_fails",
        "a hostPath does not exist on the node or has another type",
        "Create the path on the node, or correct path and type of the hostPath volume.",
    ),
    (
        r"driver name .* not found in the list of registered CSI drivers",
        "mount_fails",
        "the CSI driver of a volume is not registered on the node",
        "Install the CSI driver, or check its DaemonSet.",
    ),
    (
        r"has volumeMode Block, but is specified in volumeMounts|volumeMode.*volumeDevices",
        "mount_fails",
        "a volume with volumeMode Block is mounted as a file system, or the other way round",
        "Use volumeDevices for a claim with volumeMode Block and volumeMounts for one with volumeMode Filesystem.",
    ),
    (
        r'path "[^"]+" does not exist',
        "mount_fails",
        "the directory of a local volume does not exist on the node",
        "Create the directory on the node, or correct local.path of the PersistentVolume.",
    ),
    (
        r"not a directory|is a directory|file exists",
        "mount_fails",
        "a path in a volume is both a file and a directory",
        "Correct the paths in items of the volume: one must not be below another one.",
    ),
    (
        r"(?i)\bnfs\b|mount\.nfs",
        "mount_fails",
        "an NFS share could not be mounted",
        "Check the address and the exports of the NFS server, and that mount.nfs (package nfs-common) is installed on the node.",
    ),
    (r"", "mount_fails", "a volume could not be mounted", "Read the message, and check the volumes of the pod."),
)


def _mount(view: View, pod: Object, events: list[Object]) -> Finding:
    """Explain a pod with a volume that is not mounted."""
    # A timeout does not contain the cause; an earlier event does.
    telling = ([event for event in events if "timed out waiting" not in message_of(event)] or events)[-1]
    message = one_line(message_of(telling))
    fault, about = "mount_fails", ""
    missing = _missing_source(pod, message)
    if missing is not None:
        title, advice, about = missing
    else:
        attach = "FailedAttachVolume: " if any(event.get("reason") == "FailedAttachVolume" for event in events) else ""
        fault, title, advice = next(row[1:] for row in MOUNT_MESSAGES if re.search(row[0], attach + message))
    severity = "error" if missing or view.age(pod) >= 15 else "warning"
    evidence = f"{telling.get('reason')}: {message}"
    claims = tuple(Reference("v1", "PersistentVolumeClaim", namespace_of(pod), name) for name in claim_names(pod))
    # A volume is detached from a lost node only after minutes.
    patience = PENDING if fault == "attach_fails" else SUSPICIOUS
    more = {"blames": claims, "about": about, "patience": patience}
    return pod_finding(view, pod, fault, severity, title, evidence, advice, **more)


def _missing_source(pod: Object, message: str) -> tuple[str, str, str] | None:
    """Return title, advice and group if the message names a missing ConfigMap, Secret or key."""
    # "secrets" in the plural is the API's own word, in which a storage driver reports a Secret of its own.
    account = re.search(r'serviceaccounts? "([^"]+)" not found', message)
    if account:
        what = f"ServiceAccount {namespace_of(pod)}/{account.group(1)}"
        title = f"{what} of the pod does not exist any more, so that no token can be mounted"
        return title, f"Create {what} again and then the pod, or correct serviceAccountName.", what
    what = missing_object(message, namespace_of(pod))
    if what and re.search(r"(configmap|secret) \S+ not found", message):
        title = f"{what}, which a volume references, does not exist"
        return title, f"Create {what}, or correct its name in the volumes of the pod.", what
    absent = re.search(r"references non-existent (?:config|secret) key: ([^\s,\]]+)", message)
    if not absent:
        return None
    key, volume = absent.group(1), re.search(r'for volume "([^"]+)"', message)
    source = _source_of(pod, volume.group(1) if volume else "") or "the ConfigMap or Secret"
    title = (
        f"key {key}, which volume {volume.group(1)} references" if volume else f"key {key}, which a volume references"
    )
    return (
        f"{title}, does not exist in {source}",
        f"Add the key {key} to {source}, or correct items of the volume.",
        f"{source} {key}" if volume else "",
    )


def _source_of(pod: Object, name: str) -> str:
    """Return the ConfigMap or Secret of a volume of a pod, empty if it has several or none."""
    for volume in spec_of(pod).get("volumes") or []:
        if volume.get("name") == name and volume.get("configMap"):
            return f"ConfigMap {namespace_of(pod)}/{volume['configMap'].get('name')}"
        if volume.get("name") == name and volume.get("secret"):
            return f"Secret {namespace_of(pod)}/{volume['secret'].get('secretName')}"
    return ""


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
    if status.get("phase") not in (None, "Pending") or (age < 30 and not lost):
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
