# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Readiness of objects. Pure functions over what the API server returns.

The order of the checks is that of kstatus (https://github.com/kubernetes-sigs/cli-utils/tree/master/pkg/kstatus): deletion, observed generation,
the rule of the kind, the condition Ready.
"""

from __future__ import annotations

from typing import Any, Callable, Mapping, Tuple

from .custom_readiness import outdated, rule_of
from .objects import is_custom

Object = Mapping[str, Any]
Readiness = Tuple[bool, str]


def condition(content: Object, kind: str) -> dict[str, Any]:
    """Return the condition of that type, an empty mapping if the object has none."""
    for found in (content.get("status") or {}).get("conditions") or []:
        if found.get("type") == kind:
            return found
    return {}


def readiness(content: Object) -> Readiness:
    """Return whether an object is ready, and the reason if it is not.

    The rules per kind follow https://kubernetes.io/docs/concepts/workloads/ and custom_readiness. An object of any other kind is ready unless
    it has a condition Ready that is not true.
    """
    metadata, status = content.get("metadata") or {}, content.get("status") or {}
    if metadata.get("deletionTimestamp"):
        return False, "it is being deleted"
    own = rule_of(content)
    # Flux begins with -1, and leaves it so for objects that have no status.
    if (0 if own else -1) <= generation_seen(status, metadata.get("generation", 0)) < metadata.get("generation", 0):
        return False, "its controller has not observed the latest generation yet"
    if own is not None:
        return own(content)
    kind = "" if is_custom(content) else content.get("kind") or ""
    if kind in _OBSERVED and "observedGeneration" not in status:
        return False, "its controller has not observed it yet"
    rule = _RULES.get(kind)
    return rule(content.get("spec") or {}, status, content) if rule else _by_condition(content)


def generation_seen(status: Object, default: int) -> int:
    """Return C(status.observedGeneration) as a number: Argo Rollouts has a string."""
    try:
        return int(status.get("observedGeneration", default))
    except (TypeError, ValueError):
        return default


def _deployment(spec: Object, status: Object, content: Object) -> Readiness:
    desired = spec.get("replicas", 1)
    updated, ready, available, total = (
        status.get(key, 0) for key in ("updatedReplicas", "readyReplicas", "availableReplicas", "replicas")
    )
    # Ready pods can be old ones, so all three counts are compared.
    if min(updated, ready, available) < desired:
        why = f"{updated} of {desired} replicas updated, {ready} ready, {available} available"
        late = condition(content, "Progressing").get("reason") == "ProgressDeadlineExceeded"
        return False, why + ("; its progress deadline has been exceeded" if late else "")
    if total > updated:
        return False, f"{total - updated} old replicas have not been removed yet"
    if total > desired:
        return False, f"{total - desired} surplus replicas have not been removed yet"
    if condition(content, "Available").get("status") == "False":
        return False, f"it is not available: {condition(content, 'Available').get('message', '')}"
    return True, ""


def _replica_set(spec: Object, status: Object, content: Object) -> Readiness:
    desired, ready = spec.get("replicas", 1), status.get("readyReplicas", 0)
    if min(ready, status.get("availableReplicas", 0)) < desired:
        return False, f"{ready} of {desired} replicas ready"
    return True, ""


def _daemon_set(spec: Object, status: Object, content: Object) -> Readiness:
    return daemon_set_readiness(content, 0)


def daemon_set_readiness(content: Object, lost: int, lost_updated: int = 0) -> Readiness:
    """Return whether a DaemonSet is ready, and the reason if it is not.

    :param lost: the number of its pods on nodes that are not Ready; they are not waited for.
    :param lost_updated: how many of those are of its newest revision.
    """
    spec, status = content.get("spec") or {}, content.get("status") or {}
    desired = status.get("desiredNumberScheduled", 0) - lost
    on_delete = (spec.get("updateStrategy") or {}).get("type") == "OnDelete"
    updated = desired if on_delete else status.get("updatedNumberScheduled", 0) - lost_updated
    ready, available = status.get("numberReady", 0), status.get("numberAvailable", 0)
    if min(status.get("currentNumberScheduled", 0), updated, ready, available) < desired:
        return False, f"{updated} of {desired} pods updated, {ready} ready, {available} available"
    return True, ""


def is_tolerable(content: Object, lost: int, lost_updated: int = 0) -> bool:
    """Return whether a DaemonSet that is not ready is updated on all nodes, and lacks no more pods than C(maxUnavailable) allows.

    One pod must be available in any case. https://kubernetes.io/docs/tasks/manage-daemon/update-daemon-set/

    :param lost: the number of its pods on nodes that are not Ready.
    :param lost_updated: how many of those are of its newest revision.
    """
    strategy, status = (content.get("spec") or {}).get("updateStrategy") or {}, content.get("status") or {}
    desired, updated = (
        status.get("desiredNumberScheduled", 0) - lost,
        status.get("updatedNumberScheduled", 0) - lost_updated,
    )
    seen = generation_seen(status, -1) >= (content.get("metadata") or {}).get("generation", 0)
    if strategy.get("type") == "OnDelete" or updated < desired or not seen:
        return False
    allowed: Any = (strategy.get("rollingUpdate") or {}).get("maxUnavailable", 1)
    if isinstance(allowed, str):
        percent = allowed.rstrip("%")
        allowed = -(-desired * int(percent) // 100) if percent.isdigit() else 0
    missing = desired - min(status.get("numberReady", 0), status.get("numberAvailable", 0))
    return 0 < missing <= min(allowed, desired - 1)


def _stateful_set(spec: Object, status: Object, content: Object) -> Readiness:
    strategy = spec.get("updateStrategy") or {}
    desired = spec.get("replicas", 1)
    to_update = desired - (strategy.get("rollingUpdate") or {}).get("partition", 0)
    updated, ready, total = (status.get(key, 0) for key in ("updatedReplicas", "readyReplicas", "replicas"))
    if ready < desired:
        return False, f"{ready} of {desired} replicas ready"
    if total > desired:
        return False, f"{total - desired} surplus replicas have not been removed yet"
    if spec.get("minReadySeconds") and status.get("availableReplicas", 0) < desired:
        return False, f"{status.get('availableReplicas', 0)} of {desired} replicas available"
    current = strategy.get("type") == "OnDelete" or status.get("currentRevision") == status.get("updateRevision")
    if not current and updated < to_update:
        return False, f"{updated} of {to_update} replicas updated"
    return True, ""


def _job(spec: Object, status: Object, content: Object) -> Readiness:
    if condition(content, "Complete").get("status") == "True":
        return True, ""
    failed = condition(content, "Failed")
    if failed.get("status") == "True":
        return False, f"it failed: {failed.get('reason', '')} {failed.get('message', '')}"
    return False, f"it is not complete: {status.get('active', 0)} active, {status.get('failed', 0)} failed"


def _pod(spec: Object, status: Object, content: Object) -> Readiness:
    if status.get("phase") == "Succeeded" or condition(content, "Ready").get("status") == "True":
        return True, ""
    return False, f"its phase is {status.get('phase', 'Pending')}"


def _node(spec: Object, status: Object, content: Object) -> Readiness:
    ready = condition(content, "Ready")
    if ready.get("status") == "True":
        return True, ""
    return (
        False,
        f"{ready.get('reason') or 'NotReady'}: {ready.get('message') or 'its kubelet has not reported a status yet'}",
    )


def _claim(spec: Object, status: Object, content: Object) -> Readiness:
    phase = status.get("phase") or "Pending"
    return (True, "") if phase == "Bound" else (False, f"its phase is {phase}")


def _needs(kind: str) -> Callable[[Object, Object, Object], Readiness]:
    """Return the rule of a kind whose readiness is one condition."""

    def rule(spec: Object, status: Object, content: Object) -> Readiness:
        found = condition(content, kind)
        if found.get("status") == "True":
            return True, ""
        return (
            False,
            f"{found.get('reason') or 'not ' + kind}: {found.get('message') or 'no status has been reported yet'}",
        )

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
# Kinds whose controllers set status.observedGeneration.
_OBSERVED = ("Deployment", "ReplicaSet", "DaemonSet", "StatefulSet")
# Built-in kinds that a manifest waits for.
WAITED_FOR = ("Deployment", "DaemonSet", "StatefulSet", "Job", "Pod")


def _by_condition(content: Object) -> Readiness:
    """Apply the rule of all other kinds, most often custom resources: the condition Ready, if there is one."""
    ready = condition(content, "Ready")
    if ready and outdated(ready, content):
        return False, "its controller has not observed the latest generation yet"
    if ready.get("status") in (None, "True"):
        return True, ""
    return False, f"{ready.get('reason') or 'not Ready'}: {ready.get('message') or ''}"


def is_waited_for(content: Object) -> bool:
    """Return whether the readiness of an existing object can change. Built-in kinds without a rule are ready immediately."""
    api_version = content.get("apiVersion") or ""
    group = api_version.rpartition("/")[0]
    built_in = "." not in group or group.endswith(".k8s.io")
    return content.get("kind") in _RULES or not built_in or rule_of(content) is not None


def selector_query(content: Object) -> str | None:
    """Return the label selector of the pods of a workload as a query parameter, None if it has none."""
    selector = (content.get("spec") or {}).get("selector") or {}
    parts = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for rule in selector.get("matchExpressions") or []:
        operator, key, values = rule.get("operator"), rule.get("key"), ",".join(rule.get("values") or [])
        if values:
            parts.append(f"{key} {operator.lower()} ({values})")
        else:
            parts.append(key if operator == "Exists" else f"!{key}")
    return ",".join(parts) or None
