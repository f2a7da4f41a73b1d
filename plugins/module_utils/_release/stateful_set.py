# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unblocking StatefulSets: a pod of a broken revision that never becomes ready blocks the rollout of a good revision.

The controller waits for that pod, even after the template has been corrected, until somebody deletes the pod
(https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback).
"""

from __future__ import annotations

import time
from typing import Any, Callable, Mapping, Sequence

from .._kube.api import ApiError, Client, now_of
from .._kube.objects import Object, Reference
from .._kube.readiness import condition, selector_query
from .._kube.timestamps import seconds_of
from .live_state import uid

REVISION_HASH = "controller-revision-hash"
BROKEN = (
    "CrashLoopBackOff",
    "ImagePullBackOff",
    "ErrImagePull",
    "ErrImageNeverPull",
    "InvalidImageName",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
)
STUCK = 60.0  # seconds for which all containers of a pod must run, at least, without the pod becoming ready
TOLERANCE = 1.0  # seconds by which two timestamps of the same moment differ


def delete_blocking_pods(
    client: Client, names: Sequence[Reference], path: Callable[[Reference], str], back: bool
) -> list[str]:
    """Delete the pods that block StatefulSets.

    :param names: StatefulSets. :param path: returns the URL path of an object.
    :param back: whether this is a rollback, in which a pod of a failed revision blocks as soon as the controller waits for it.
    :returns: the names of the deleted pods.
    """
    deleted = []
    for namespace, pod in find_blocking_pods(client, names, path, back):
        pod_name = pod["metadata"]["name"]
        if client.delete(f"/api/v1/namespaces/{namespace}/pods/{pod_name}", uid(pod)):
            deleted.append(f"{namespace}/{pod_name}")
    return deleted


def find_blocking_pods(
    client: Client, names: Sequence[Reference], path: Callable[[Reference], str], back: bool
) -> list[tuple[str, Object]]:
    """Return the pods that block StatefulSets, with their namespaces; the parameters are those of :func:`delete_blocking_pods`."""
    found: list[tuple[str, Object]] = []
    for name in names:
        live = client.find(path(name))
        if live is None or not updates_in_order(live):
            continue
        query = selector_query(live)
        collection = f"/api/v1/namespaces/{name.namespace}/pods"
        pods = client.items(collection, {"labelSelector": query}) if query else []
        blocking = blocking_pods(live, pods, back, now_of(client))
        found += [(name.namespace, pod) for pod in blocking if is_broken(pod) or _node_is_ready(client, pod)]
    return found


def blocks(pod: str) -> str:
    """Return the warning for a pod that is not deleted, with its remedy."""
    return (
        f"Pod {pod} belongs to another revision, is not ready and blocks the rollout of its StatefulSet. Delete it, or set "
        "delete_blocking_pods: true."
    )


def _node_is_ready(client: Client, pod: Object) -> bool:
    """Return whether a pod can be judged: on a node that does not respond, nobody knows how the pod is."""
    node = (pod.get("spec") or {}).get("nodeName")
    if not node:
        return True
    try:
        return condition(client.find(f"/api/v1/nodes/{node}") or {}, "Ready").get("status") == "True"
    except ApiError as error:
        if error.status != 403:
            raise
        return True  # this user may not read nodes


def updates_in_order(live: Mapping[str, Any]) -> bool:
    """Return whether a StatefulSet replaces its pods one after the other, and its controller has observed the newest template."""
    spec, status = live.get("spec") or {}, live.get("status") or {}
    strategy = (spec.get("updateStrategy") or {}).get("type", "RollingUpdate")
    seen = status.get("observedGeneration", 0) >= (live.get("metadata") or {}).get("generation", 0)
    return strategy == "RollingUpdate" and seen


def blocking_pods(
    live: Mapping[str, Any], pods: Sequence[Object], back: bool, now: float | None = None
) -> list[Object]:
    """Return the pod of an older revision that does not become ready, and that an update would replace; none if there is no such pod.

    It is one at a time, as the update itself replaces them: the one that the controller waits for, or, with the policy Parallel, the broken
    one with the highest ordinal.
    """
    spec, status = live.get("spec") or {}, live.get("status") or {}
    # With the policy Parallel, the controller waits for no pod of an older revision; one that is broken may keep newer ones from being ready.
    ordered = spec.get("podManagementPolicy", "OrderedReady") == "OrderedReady"
    newest = status.get("updateRevision") or ""
    rolling = (spec.get("updateStrategy") or {}).get("rollingUpdate") or {}
    unready = {_ordinal(pod): pod for pod in pods if _is_of(pod, live) and not _is_ready(pod)}
    awaited = min(unready, default=-1) if ordered else -1
    for ordinal, pod in [(awaited, unready[awaited])] if awaited >= 0 else sorted(unready.items(), reverse=True):
        revision = _revision(pod)
        # A revision that was rolled out as a whole has worked: its pods may be unready for a moment.
        failed = back and (revision != status.get("currentRevision") or never_ready(pod))
        if (
            newest
            and revision not in (newest, None)
            and not pod["metadata"].get("deletionTimestamp")
            and ordinal >= (rolling.get("partition") or 0)
            and (is_broken(pod) or (ordered and (failed or is_stuck(pod, time.time() if now is None else now))))
        ):
            return [pod]
    return []


def _is_of(pod: Object, live: Mapping[str, Any]) -> bool:
    """Return whether a StatefulSet controls a pod."""
    metadata = pod.get("metadata") or {}
    owners = [one.get("uid") for one in metadata.get("ownerReferences") or [] if one.get("controller")]
    return owners == [uid(live)] and str(metadata.get("name") or "").rpartition("-")[2].isdigit()


def _is_ready(pod: Object) -> bool:
    return condition(pod, "Ready").get("status") == "True" and not pod["metadata"].get("deletionTimestamp")


def _ordinal(pod: Object) -> int:
    return int(pod["metadata"]["name"].rpartition("-")[2])


def _revision(pod: Object) -> str | None:
    return (pod["metadata"].get("labels") or {}).get(REVISION_HASH)


def is_broken(pod: Mapping[str, Any]) -> bool:
    """Return whether a pod is in a state that it does not leave by itself."""
    status = pod.get("status") or {}
    if condition(dict(pod), "PodScheduled").get("status") == "False" or status.get("phase") == "Failed":
        return True
    containers = (status.get("initContainerStatuses") or []) + (status.get("containerStatuses") or [])
    return any(((one.get("state") or {}).get("waiting") or {}).get("reason") in BROKEN for one in containers)


def is_stuck(pod: Mapping[str, Any], now: float) -> bool:
    """Return whether the containers of a pod have run for a while and the pod was never ready: its readiness probe fails.

    :param now: seconds since the epoch.
    """
    containers = (pod.get("status") or {}).get("containerStatuses") or []
    running = [(one.get("state") or {}).get("running") or {} for one in containers]
    # A container whose startup probe has not succeeded yet is still starting.
    if not containers or not never_ready(pod) or any(one.get("started") is not True for one in containers):
        return False
    times = [one.get("startedAt") for one in running]
    return all(times) and now - max(map(seconds_of, times)) >= _patience(pod)


def never_ready(pod: Mapping[str, Any]) -> bool:
    """Return whether a pod has not been ready since it exists: its condition Ready has not changed since."""
    ready, status = condition(dict(pod), "Ready"), pod.get("status") or {}
    containers = status.get("containerStatuses") or []
    first = [status.get("startTime")]
    if not any(one.get("restartCount") for one in containers):
        # Nothing can be ready before the containers have started for the first time.
        first += [((one.get("state") or {}).get("running") or {}).get("startedAt") for one in containers]
    since = seconds_of(ready.get("lastTransitionTime"))
    return ready.get("status") == "False" and 0 < since <= max(map(seconds_of, first)) + TOLERANCE


def _patience(pod: Mapping[str, Any]) -> float:
    """Return for how many seconds the containers of a pod may run before it counts as stuck: until their probes can have failed."""
    needed = [STUCK]
    for container in (pod.get("spec") or {}).get("containers") or []:
        probe = container.get("readinessProbe") or {}
        failing = (probe.get("periodSeconds") or 10) * (probe.get("failureThreshold") or 3)
        needed.append(float((probe.get("initialDelaySeconds") or 0) + failing))
    return max(needed)
