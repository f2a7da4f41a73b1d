# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pods draining evicts, and which PodDisruptionBudgets do not permit it. These functions are pure.

Source: https://kubernetes.io/docs/tasks/administer-cluster/safely-drain-node/ and
https://kubernetes.io/docs/tasks/run-application/configure-pdb/
"""

from __future__ import annotations

from typing import Any, Iterable, Mapping

from .._kube.selectors import selects

MIRROR = "kubernetes.io/config.mirror"
BUDGETS = "/apis/policy/v1/poddisruptionbudgets"


def controller_kind(pod: Mapping[str, Any]) -> str:
    """Return the kind of the object that controls a pod, "" if none does."""
    owners = pod["metadata"].get("ownerReferences") or []
    return next((owner["kind"] for owner in owners if owner.get("controller")), "")


def is_of_its_node(pod: Mapping[str, Any]) -> bool:
    """Return whether a pod is static or one of a DaemonSet, which draining leaves alone."""
    return MIRROR in (pod["metadata"].get("annotations") or {}) or controller_kind(pod) == "DaemonSet"


def has_finished(pod: Mapping[str, Any]) -> bool:
    return pod.get("status", {}).get("phase") in ("Succeeded", "Failed")


def is_evicted(pod: Mapping[str, Any]) -> bool:
    """Return whether draining evicts a pod: neither a static pod nor one of a DaemonSet, and not finished."""
    return not is_of_its_node(pod) and not has_finished(pod)


def is_ending(pod: Mapping[str, Any]) -> bool:
    """Return whether the kubelet still cleans up after a pod that was evicted.

    It reports the final phase of a deleted pod before it has unmounted the volumes, and deletes the pod afterwards; a finalizer may keep the
    object for longer (https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination).
    """
    metadata = pod["metadata"]
    ending = bool(metadata.get("deletionTimestamp")) and not metadata.get("finalizers")
    return ending and has_finished(pod) and not is_of_its_node(pod)


def is_bare(pod: Mapping[str, Any]) -> bool:
    """Return whether nothing starts an evicted pod again."""
    return is_evicted(pod) and not controller_kind(pod)


def has_local_data(pod: Mapping[str, Any]) -> bool:
    """Return whether a pod has a volume on its node that is deleted with it."""
    return any("emptyDir" in volume for volume in pod.get("spec", {}).get("volumes") or [])


def title(content: Mapping[str, Any]) -> str:
    """Return NAMESPACE/NAME of an object."""
    return f"{content['metadata']['namespace']}/{content['metadata']['name']}"


def budgets_of(pod: Mapping[str, Any], budgets: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the budgets that select a pod."""
    return [
        budget
        for budget in budgets
        if budget["metadata"]["namespace"] == pod["metadata"]["namespace"]
        and selects(budget["spec"].get("selector") or {}, pod["metadata"].get("labels") or {})
    ]


def permits_nothing(budget: Mapping[str, Any]) -> bool:
    """Return whether a budget allows no disruption now."""
    status = budget.get("status") or {}
    return not status.get("disruptionsAllowed") and bool(status.get("expectedPods"))


def explain(budget: Mapping[str, Any]) -> str:
    """Return why a budget permits no disruption and what it would need, as one sentence without its full stop."""
    spec, status = budget["spec"], budget.get("status") or {}
    field = "minAvailable" if "minAvailable" in spec else "maxUnavailable"
    healthy, expected = status.get("currentHealthy", 0), status.get("expectedPods", 0)
    needed = status.get("desiredHealthy", 0)
    text = (
        f"PodDisruptionBudget {title(budget)} ({field}: {spec.get(field)}) permits no disruption: {healthy} of {expected} pods are healthy"
        f" and it wants {needed}"
    )
    if needed < expected:
        return f"{text}; {needed + 1 - healthy} more of its pods must become healthy"
    more = "" if field == "maxUnavailable" else f"{needed + 1 - expected} more replica(s), or "
    return f"{text}; it needs {more}a budget that permits one disruption (maxUnavailable: 1)"


def overlapping(pod: Mapping[str, Any], budgets: Iterable[Mapping[str, Any]]) -> str:
    """Return why a pod with several budgets cannot be evicted, "" if it has at most one: the eviction API supports one."""
    names = [title(budget) for budget in budgets_of(pod, budgets)]
    if len(names) < 2:
        return ""
    return f"pod {title(pod)} has {len(names)} PodDisruptionBudgets ({', '.join(names)}), and the eviction API supports one; keep one of them"


def obstacles(pods: Iterable[Mapping[str, Any]], budgets: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return why some of these pods cannot be evicted now, one sentence for each budget or pod."""
    budgets, found = list(budgets), {}
    for pod in filter(is_evicted, pods):
        several = overlapping(pod, budgets)
        if several:
            found[several] = True
        for budget in budgets_of(pod, budgets):
            if permits_nothing(budget):
                found[explain(budget)] = True
    return list(found)


def refuse_drain(
    pods: Iterable[Mapping[str, Any]], budgets: Iterable[Mapping[str, Any]], force: bool, forcing: str
) -> list[str]:
    """Return every reason why the nodes of these pods cannot be drained now.

    :param force: whether pods without a controller are evicted all the same.
    :param forcing: how a person permits that, the end of "Delete them, or ...".
    """
    pods = list(pods)
    refused = [f"A node cannot be drained: {why}. [slipway:drain_blocked]" for why in obstacles(pods, budgets)]
    bare = [f"{title(pod)} on {pod['spec']['nodeName']}" for pod in pods if is_bare(pod)]
    if bare and not force:
        refused.append(
            f"Pods without a controller would not be started again after the drain. Evidence: {', '.join(bare)}. Delete them, or {forcing}."
            " [slipway:pods_without_controller]"
        )
    return refused
