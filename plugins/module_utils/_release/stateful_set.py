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

from .._kube.api import Client
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
STUCK = 60.0  # seconds for which all containers of a pod must run without the pod being ready


def delete_blocking_pods(
    client: Client, names: Sequence[Reference], path: Callable[[Reference], str], back: bool
) -> list[str]:
    """Delete the pods that block StatefulSets.

    :param names: StatefulSets. :param path: returns the URL path of an object.
    :param back: whether this is a rollback, in which every pod of another revision that is not ready blocks.
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
        found += [(name.namespace, pod) for pod in blocking_pods(live, pods, back)]
    return found


def updates_in_order(live: Mapping[str, Any]) -> bool:
    """Return whether a StatefulSet replaces its pods one after the other, and its controller has observed the newest template."""
    spec, status = live.get("spec") or {}, live.get("status") or {}
    strategy = (spec.get("updateStrategy") or {}).get("type", "RollingUpdate")
    seen = status.get("observedGeneration", 0) >= (live.get("metadata") or {}).get("generation", 0)
    return strategy == "RollingUpdate" and seen


def blocking_pods(live: Mapping[str, Any], pods: Sequence[Object], back: bool) -> list[Object]:
    """Return the pods of an older revision that do not become ready, and that an update would replace."""
    # With the policy Parallel, the controller replaces them by itself.
    ordered = (live.get("spec") or {}).get("podManagementPolicy", "OrderedReady") == "OrderedReady"
    newest = (live.get("status") or {}).get("updateRevision") or ""
    rolling = ((live.get("spec") or {}).get("updateStrategy") or {}).get("rollingUpdate") or {}
    found = []
    for pod in pods:
        metadata = pod.get("metadata") or {}
        owners = [one.get("uid") for one in metadata.get("ownerReferences") or [] if one.get("controller")]
        ordinal = str(metadata.get("name") or "").rpartition("-")[2]
        if (
            newest
            and owners == [uid(live)]
            and (metadata.get("labels") or {}).get(REVISION_HASH) not in (newest, None)
            and not metadata.get("deletionTimestamp")
            and ordinal.isdigit()
            and int(ordinal) >= (rolling.get("partition") or 0)
            and condition(pod, "Ready").get("status") != "True"
            and (back or is_broken(pod) or (ordered and is_stuck(pod, time.time())))
        ):
            found.append(pod)
    return found


def is_broken(pod: Mapping[str, Any]) -> bool:
    """Return whether a pod is in a state that it does not leave by itself."""
    status = pod.get("status") or {}
    if condition(dict(pod), "PodScheduled").get("status") == "False" or status.get("phase") == "Failed":
        return True
    containers = (status.get("initContainerStatuses") or []) + (status.get("containerStatuses") or [])
    return any(((one.get("state") or {}).get("waiting") or {}).get("reason") in BROKEN for one in containers)


def is_stuck(pod: Mapping[str, Any], now: float) -> bool:
    """Return whether the containers of a pod have run for a while and the pod is not ready: its readiness probe fails.

    :param now: seconds since the epoch.
    """
    ready = condition(dict(pod), "Ready")
    containers = (pod.get("status") or {}).get("containerStatuses") or []
    running = [(one.get("state") or {}).get("running") or {} for one in containers]
    # A container whose startup probe has not succeeded yet is still starting.
    if not containers or ready.get("status") != "False" or any(one.get("started") is not True for one in containers):
        return False
    times = [ready.get("lastTransitionTime"), *(one.get("startedAt") for one in running)]
    return all(times) and now - max(map(seconds_of, times)) >= STUCK
