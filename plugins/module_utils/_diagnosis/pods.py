# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a pod is not as it should be: pure functions."""

from __future__ import annotations

import re

from .._kube.objects import Reference
from .container_view import containers_of
from .containers import RECENT, container_finding
from .finding import HOPELESS, SLOW, SUSPICIOUS, Finding, one_line
from .scheduling import unscheduled
from .storage import driver_finding
from .view import Object, View, conditions, event_time, named

# Reasons of a failed pod that say nothing of its program: its controller makes another one.
PASSING_FAILURES = ("Evicted", "Preempting", "Preempted", "NodeShutdown", "Terminated", "NodeLost", "Shutdown")
MOUNTS = ("FailedMount", "FailedAttachVolume", "FailedMapVolume")
SANDBOX = ("FailedCreatePodSandBox", "FailedPodSandBoxStatus", "NetworkNotReady")
# Of all that fails in a pod, what stands in the way of the rest.
SEVERITY_OF_PART = {"error": 0, "warning": 1, "info": 2}


def is_healthy(pod: Object) -> bool:
    """Whether a pod is ready or has done what it was to do, and no container was started anew."""
    if pod.get("healthy"):
        # So it was found when it was read.
        return True
    status = pod.get("status") or {}
    if pod["metadata"].get("deletionTimestamp"):
        return False
    if status.get("phase") == "Succeeded":
        return True
    if (conditions(pod).get("Ready") or {}).get("status") != "True":
        return False
    every = (status.get("containerStatuses") or []) + (status.get("initContainerStatuses") or [])
    return not any(container.get("restartCount") for container in every)


def pod_findings(view: View, pod: Object) -> list[Finding]:
    """Explain a pod; empty for one that is well, is done, is being deleted, or has only just begun."""
    if is_healthy(pod) or pod["metadata"].get("deletionTimestamp"):
        return []
    node = view.get("Node", "", (pod.get("spec") or {}).get("nodeName") or "")
    if node is not None and (conditions(node).get("Ready") or {}).get("status") != "True":
        return [_lost_node(view, pod, node)]
    if (pod.get("status") or {}).get("phase") == "Failed":
        ended = _failed(view, pod)
        if ended is not None or (pod.get("status") or {}).get("reason") in PASSING_FAILURES:
            return [ended] if ended is not None else []
    found = unscheduled(view, pod)
    if found:
        return found
    parts = [finding for finding in map(container_finding, containers_of(view, pod)) if finding is not None]
    if parts:
        return sorted(parts, key=lambda finding: SEVERITY_OF_PART[finding.severity])[:1]
    return [finding for finding in (_not_set_up(view, pod), _gated(view, pod)) if finding is not None][:1]


def _lost_node(view: View, pod: Object, node: Object) -> Finding:
    name = node["metadata"]["name"]
    return Finding(
        "pod_on_lost_node",
        "warning",
        view.made_by(pod),
        f"its pod is on node {name}, which is not Ready",
        evidence=[f"pod {named(pod)} on {name}"],
        advice="See the node.",
        pods=[named(pod)],
        blames=(Reference("v1", "Node", "", name),),
        about="node " + name,
    )


def _failed(view: View, pod: Object) -> Finding | None:
    status = pod.get("status") or {}
    reason, message = status.get("reason") or "", status.get("message") or ""
    if not reason:
        return None
    owner = view.made_by(pod)
    alone = owner.kind == "Pod"
    evidence = [f"pod {named(pod)} on {(pod.get('spec') or {}).get('nodeName')}: {reason}: {one_line(message)}"]
    if reason == "Evicted":
        return Finding(
            "evicted",
            "error" if alone or _again(view, owner) else "warning",
            owner,
            f"its pod was evicted: {one_line(message).rstrip('.')}",
            evidence=evidence,
            advice=_eviction_advice(message),
            pods=[named(pod)],
            patience=SUSPICIOUS,
            blames=(Reference("v1", "Node", "", (pod.get("spec") or {}).get("nodeName") or ""),),
        )
    if reason in PASSING_FAILURES:
        if not alone:
            return None
        return Finding(
            "pod_ended_by_node",
            "warning",
            owner,
            f"its node ended it ({reason})",
            evidence=evidence,
            advice="Let a Deployment make the pod, so that another one takes its place.",
            pods=[named(pod)],
        )
    if reason == "DeadlineExceeded":
        return Finding(
            "pod_deadline",
            "error" if alone else "warning",
            owner,
            "it ran longer than its activeDeadlineSeconds",
            evidence=evidence,
            advice="Raise activeDeadlineSeconds, or see what takes so long in its log.",
            pods=[named(pod)],
            patience=HOPELESS if alone else SLOW,
        )
    if re.match(r"OutOf|UnexpectedAdmissionError|NodeAffinity|NodePorts|NodeName", reason):
        return Finding(
            "node_refuses_pod",
            "error" if alone else "warning",
            owner,
            f"its node refuses it: {reason}",
            evidence=evidence,
            advice="Leave the choice of the node to the scheduler (no nodeName), or make room on that node.",
            pods=[named(pod)],
            patience=HOPELESS if alone else SUSPICIOUS,
        )
    return None


def _again(view: View, owner: Reference) -> bool:
    """Whether a workload's pods are evicted one after the other."""
    evicted = [pod for pod in view.pods_of(owner) if (pod.get("status") or {}).get("reason") == "Evicted"]
    return sum(view.age(pod) < RECENT for pod in evicted) > 1


def _eviction_advice(message: str) -> str:
    if re.search(r"ephemeral.*storage", message):
        return "Raise resources.limits.ephemeral-storage, or write less to the container's disk, its log and its emptyDirs."
    if re.search(r"emptyDir", message, re.IGNORECASE):
        return "Raise the emptyDir's sizeLimit, or write less."
    if re.search(r"memory", message):
        return "Give pods memory requests near what they need, so that the node is not overfull."
    return "See disk and memory of the node, and what uses them."


def _not_set_up(view: View, pod: Object) -> Finding | None:
    """Explain a pod whose containers wait for a volume or for the network."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or []
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
    return _nothing_said(view, pod)


def _mount(view: View, pod: Object, events: list[Object]) -> Finding:
    namespace = pod["metadata"].get("namespace") or ""
    # That the time is over says nothing; what was in the way says the other event.
    telling = [event for event in events if "timed out waiting" not in (event.get("message") or "")] or events
    message = one_line(telling[-1].get("message") or "")
    fault, title, advice, about = (
        "mount_fails",
        "its volume cannot be mounted",
        "See the volume in the pod and the message.",
        "",
    )
    missing = re.search(r'(configmap|secret) "?(?:[^\s"/]+/)?([^\s"]+?)"? not found', message)
    key = re.search(r"references non-existent (?:config|secret) key: ([^\s,\]]+)", message)
    volume = re.search(r'for volume "([^"]+)"', message)
    if missing:
        kind = "ConfigMap" if missing.group(1) == "configmap" else "Secret"
        about = f"{kind} {namespace}/{missing.group(2)}"
        title = f"{about}, which it mounts, is not there"
        advice = f"Create {about}, or correct its name in the pod's volumes."
    elif key:
        whose = _source_of(pod, volume.group(1) if volume else "") or "the ConfigMap or Secret"
        about = f"{whose} {key.group(1)}" if volume else ""
        title = "key {}, which its volume{} asks for, is not in {}".format(
            key.group(1),
            " " + volume.group(1) if volume else "",
            whose,
        )
        advice = f"Add the key {key.group(1)} to {whose}, or correct the volume's items."
    elif re.search(r"Multi-Attach|already (used|exclusively attached)|volume attachment is being deleted", message):
        fault = "attach_fails"
        title = "its ReadWriteOnce volume is held by a pod on another node"
        advice = "Let the old pod go first (strategy Recreate), or use a ReadWriteMany volume."
    elif any(event.get("reason") == "FailedAttachVolume" for event in events):
        fault, title, advice = (
            "attach_fails",
            "its volume cannot be attached to the node",
            "See the storage driver's controller.",
        )
    elif re.search(r"hostPath type check failed", message):
        title, advice = "a hostPath of its is not on the node", "Create the path on the node, or correct path and type."
    elif re.search(r"driver name .* not found in the list of registered CSI drivers", message):
        title, advice = (
            "the storage driver of its volume does not run on the node",
            "Install the driver, or see its DaemonSet.",
        )
    elif re.search(r"mount\.nfs|nfs", message, re.IGNORECASE):
        title, advice = (
            "its NFS share cannot be mounted",
            "See the server's address, its exports, and that the node has mount.nfs (nfs-common).",
        )
    claims = [
        Reference("v1", "PersistentVolumeClaim", namespace, part["persistentVolumeClaim"]["claimName"])
        for part in (pod.get("spec") or {}).get("volumes") or []
        if part.get("persistentVolumeClaim")
    ]
    severity = "error" if missing or key or view.age(pod) >= 15 else "warning"
    node = (pod.get("spec") or {}).get("nodeName") or ""
    return Finding(
        fault,
        severity,
        view.made_by(pod),
        title,
        evidence=[f"pod {named(pod)} on {node}: {telling[-1].get('reason')}: {message}"],
        advice=advice,
        pods=[named(pod)],
        blames=tuple(claims),
        about=about,
    )


def _source_of(pod: Object, name: str) -> str:
    """Name the ConfigMap or Secret of a pod's volume, empty where it has several or none."""
    namespace = pod["metadata"].get("namespace") or ""
    for volume in (pod.get("spec") or {}).get("volumes") or []:
        if volume.get("name") == name and volume.get("configMap"):
            return f"ConfigMap {namespace}/{volume['configMap'].get('name')}"
        if volume.get("name") == name and volume.get("secret"):
            return f"Secret {namespace}/{volume['secret'].get('secretName')}"
    return ""


def _sandbox(view: View, pod: Object, event: Object) -> Finding:
    message = one_line(event.get("message") or "")
    node = (pod.get("spec") or {}).get("nodeName") or ""
    advice = (
        f"See that the pod network's own pod runs on node {node} and that its CNI configuration is in /etc/cni/net.d."
    )
    title, about = f"the pod network cannot set it up on node {node}", "node " + node
    if re.search(r"no runtime for|RuntimeHandler", message):
        title, about = f"node {node} has no container runtime for its RuntimeClass", ""
        advice = "Configure the runtime in containerd on the node, or correct runtimeClassName."
    return Finding(
        "sandbox_fails",
        "error" if view.age(pod) >= 15 else "warning",
        view.made_by(pod),
        title,
        evidence=[f"pod {named(pod)} on {node}: {event.get('reason')}: {message}"],
        advice=advice,
        pods=[named(pod)],
        about=about,
        blames=(Reference("v1", "Node", "", node),),
    )


def _nothing_said(view: View, pod: Object) -> Finding | None:
    """Explain a pod of which nobody says anything: without a node no scheduler saw it, on a node no kubelet did."""
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    age = view.age(pod)
    if status.get("phase") not in (None, "Pending") or age < 30:
        return None
    if spec.get("nodeName"):
        if status.get("containerStatuses") or status.get("initContainerStatuses"):
            return _slow_start(view, pod, age)
        if view.missing("Node", "", spec["nodeName"]):
            title, advice = f"its node {spec['nodeName']} is not in the cluster", "Leave nodeName out, or correct it."
        else:
            title, advice = (
                f"the kubelet of node {spec['nodeName']} has said nothing of it",
                "See journalctl -u kubelet on the node.",
            )
        return _silent(view, pod, "kubelet_silent", title, advice)
    name = spec.get("schedulerName") or "default-scheduler"
    title = f"no scheduler has looked at it (schedulerName {name})"
    advice = (
        "See that kube-scheduler runs in namespace kube-system."
        if name == "default-scheduler"
        else "Leave schedulerName out, or run a scheduler of that name."
    )
    return _silent(view, pod, "scheduler_silent", title, advice)


def _silent(view: View, pod: Object, fault: str, title: str, advice: str) -> Finding:
    return Finding(
        fault,
        "error",
        view.made_by(pod),
        title,
        evidence=["pod %s has been Pending for %d s without a word" % (named(pod), view.age(pod))],
        advice=advice,
        pods=[named(pod)],
    )


def _slow_start(view: View, pod: Object, age: float) -> Finding | None:
    if age < 300:
        return None
    node = (pod.get("spec") or {}).get("nodeName") or ""
    return Finding(
        "slow_start",
        "warning",
        view.made_by(pod),
        "its containers have not started for %d s" % age,
        evidence=[f"pod {named(pod)} on {node}: ContainerCreating"],
        advice=f"A large image may still be pulled; otherwise see journalctl -u kubelet on node {node}.",
        pods=[named(pod)],
        patience=SLOW,
    )


def _gated(view: View, pod: Object) -> Finding | None:
    found = conditions(pod)
    if (found.get("ContainersReady") or {}).get("status") != "True":
        return None
    gates = [gate["conditionType"] for gate in (pod.get("spec") or {}).get("readinessGates") or []]
    closed = [gate for gate in gates if (found.get(gate) or {}).get("status") != "True"]
    if not closed or view.age(pod) < 60:
        return None
    return Finding(
        "readiness_gate",
        "warning",
        view.made_by(pod),
        f"its containers are ready, and readiness gate {', '.join(closed)} is not",
        evidence=[f"pod {named(pod)}: {(found.get('Ready') or {}).get('message') or ''}"],
        advice="What sets the condition must run, often the controller of a load balancer.",
        pods=[named(pod)],
        patience=SLOW,
    )
