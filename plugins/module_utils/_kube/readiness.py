# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When an object is ready: pure functions over what the API server returned.

The order is that of kstatus (https://github.com/kubernetes-sigs/cli-utils/tree/master/pkg/kstatus): being deleted, not seen by its controller, the
rule of its kind, a condition Ready, and otherwise current.
"""

from __future__ import annotations

from typing import Any, Callable, Mapping, Tuple

Object = Mapping[str, Any]
Readiness = Tuple[bool, str]


def condition(content: Object, kind: str) -> dict[str, Any]:
    """Give a condition of an object by its type, empty where it has none."""
    for found in (content.get("status") or {}).get("conditions") or []:
        if found.get("type") == kind:
            return found
    return {}


def readiness(content: Object) -> Readiness:
    """Say whether an object is ready, and if not, what is missing.

    Rules as in https://kubernetes.io/docs/concepts/workloads/ per kind; kinds without a rule are ready when they exist and no condition Ready
    says otherwise.
    """
    metadata, status = content.get("metadata") or {}, content.get("status") or {}
    if metadata.get("deletionTimestamp"):
        return False, "it is being deleted"
    if status.get("observedGeneration", metadata.get("generation", 0)) < metadata.get("generation", 0):
        return False, "its controller has not seen the newest version yet"
    rule = _RULES.get(content.get("kind") or "")
    return rule(content.get("spec") or {}, status, content) if rule else _by_condition(content)


def _deployment(spec: Object, status: Object, content: Object) -> Readiness:
    wanted = spec.get("replicas", 1)
    updated, ready, available, total = (
        status.get(key, 0) for key in ("updatedReplicas", "readyReplicas", "availableReplicas", "replicas")
    )
    if "observedGeneration" not in status:
        return False, "its controller has not seen it yet"
    # Old pods that are ready say nothing of the new ones: all three counts are asked for.
    if min(updated, ready, available) < wanted:
        why = "%d of %d replicas updated, %d ready, %d available" % (updated, wanted, ready, available)
        late = condition(content, "Progressing").get("reason") == "ProgressDeadlineExceeded"
        return False, why + ("; its progress deadline is exceeded" if late else "")
    if total > updated:
        return False, "%d old replicas are still there" % (total - updated)
    if total > wanted:
        return False, "%d replicas too many are still there" % (total - wanted)
    if condition(content, "Available").get("status") == "False":
        return False, f"it is not available: {condition(content, 'Available').get('message', '')}"
    return True, ""


def _replica_set(spec: Object, status: Object, content: Object) -> Readiness:
    wanted, ready = spec.get("replicas", 1), status.get("readyReplicas", 0)
    if "observedGeneration" not in status:
        return False, "its controller has not seen it yet"
    if min(ready, status.get("availableReplicas", 0)) < wanted:
        return False, "%d of %d replicas ready" % (ready, wanted)
    return True, ""


def _daemon_set(spec: Object, status: Object, content: Object) -> Readiness:
    if "observedGeneration" not in status:
        return False, "its controller has not seen it yet"
    wanted = status.get("desiredNumberScheduled", 0)
    by_hand = (spec.get("updateStrategy") or {}).get("type") == "OnDelete"
    updated = wanted if by_hand else status.get("updatedNumberScheduled", 0)
    ready, available = status.get("numberReady", 0), status.get("numberAvailable", 0)
    if min(status.get("currentNumberScheduled", 0), updated, ready, available) < wanted:
        return False, "%d of %d pods updated, %d ready, %d available" % (updated, wanted, ready, available)
    return True, ""


def _stateful_set(spec: Object, status: Object, content: Object) -> Readiness:
    if "observedGeneration" not in status:
        return False, "its controller has not seen it yet"
    strategy = spec.get("updateStrategy") or {}
    wanted = spec.get("replicas", 1)
    to_update = wanted - (strategy.get("rollingUpdate") or {}).get("partition", 0)
    updated, ready, total = (status.get(key, 0) for key in ("updatedReplicas", "readyReplicas", "replicas"))
    if ready < wanted:
        return False, "%d of %d replicas ready" % (ready, wanted)
    if total > wanted:
        return False, "%d replicas too many are still there" % (total - wanted)
    if spec.get("minReadySeconds") and status.get("availableReplicas", 0) < wanted:
        return False, "%d of %d replicas available" % (status.get("availableReplicas", 0), wanted)
    current = strategy.get("type") == "OnDelete" or status.get("currentRevision") == status.get("updateRevision")
    if not current and updated < to_update:
        return False, "%d of %d replicas updated" % (updated, to_update)
    return True, ""


def _job(spec: Object, status: Object, content: Object) -> Readiness:
    if condition(content, "Complete").get("status") == "True":
        return True, ""
    failed = condition(content, "Failed")
    if failed.get("status") == "True":
        return False, f"it failed: {failed.get('reason', '')} {failed.get('message', '')}"
    return False, "it is not complete: %d active, %d failed" % (status.get("active", 0), status.get("failed", 0))


def _pod(spec: Object, status: Object, content: Object) -> Readiness:
    if status.get("phase") == "Succeeded" or condition(content, "Ready").get("status") == "True":
        return True, ""
    return False, f"its phase is {status.get('phase', 'Pending')}"


def _node(spec: Object, status: Object, content: Object) -> Readiness:
    ready = condition(content, "Ready")
    if ready.get("status") == "True":
        return True, ""
    return False, "{}: {}".format(
        ready.get("reason") or "NotReady",
        ready.get("message") or "its kubelet has said nothing yet",
    )


def _claim(spec: Object, status: Object, content: Object) -> Readiness:
    phase = status.get("phase") or "Pending"
    return (True, "") if phase == "Bound" else (False, f"its phase is {phase}")


def _needs(kind: str) -> Callable[[Object, Object, Object], Readiness]:
    """Make the rule of a kind that is ready by one condition."""

    def rule(spec: Object, status: Object, content: Object) -> Readiness:
        found = condition(content, kind)
        if found.get("status") == "True":
            return True, ""
        return False, f"{found.get('reason') or 'not ' + kind}: {found.get('message') or 'nothing is said of it yet'}"

    return rule


_RULES: dict[str, Callable[[Object, Object, Object], Readiness]] = {
    "Deployment": _deployment,
    "ReplicaSet": _replica_set,
    "DaemonSet": _daemon_set,
    "StatefulSet": _stateful_set,
    "Job": _job,
    "Pod": _pod,
    "PersistentVolumeClaim": _claim,
    "CustomResourceDefinition": _needs("Established"),
    "APIService": _needs("Available"),
    "Node": _node,
}
# Kinds of Kubernetes itself whose readiness a manifest's wait asks for.
WAITED_FOR = ("Deployment", "DaemonSet", "StatefulSet", "Job", "Pod")


def _by_condition(content: Object) -> Readiness:
    """Judge a kind without a rule of its own, most often a custom resource, by its condition Ready where it has one."""
    ready = condition(content, "Ready")
    if ready.get("status") in (None, "True"):
        return True, ""
    return False, f"{ready.get('reason') or 'not Ready'}: {ready.get('message') or ''}"


def is_waited_for(content: Object) -> bool:
    """Whether an object that is there may still become ready or unready; built-in kinds without a rule are done at once."""
    api_version = content.get("apiVersion") or ""
    group = api_version.rpartition("/")[0]
    built_in = "." not in group or group.endswith(".k8s.io")
    return content.get("kind") in _RULES or not built_in


def selector_query(content: Object) -> str | None:
    """Give the label selector of a workload's pods as the API takes it, None where it has none."""
    selector = (content.get("spec") or {}).get("selector") or {}
    parts = ["{}={}".format(*pair) for pair in sorted((selector.get("matchLabels") or {}).items())]
    for rule in selector.get("matchExpressions") or []:
        operator, key, values = rule.get("operator"), rule.get("key"), ",".join(rule.get("values") or [])
        parts.append(
            {"In": "%s in (%s)", "NotIn": "%s notin (%s)"}[operator] % (key, values)
            if values
            else ("" if operator == "Exists" else "!") + key
        )
    return ",".join(parts) or None
