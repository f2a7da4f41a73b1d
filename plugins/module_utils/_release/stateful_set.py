# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The trap of StatefulSets: a pod of a bad revision that never becomes ready keeps the good revision from being rolled out.

Its controller waits for that pod before it goes on, also when the template is right again, until somebody deletes the pod
(https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback).
"""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from .._kube.api import Client
from .._kube.objects import Object, Reference
from .._kube.readiness import condition, selector_query
from .live_state import uid

REVISION = "controller-revision-hash"
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


def free(client: Client, names: Sequence[Reference], path: Any, back: bool) -> list[str]:
    """Delete the pods that are in the way of StatefulSets.

    :param names: StatefulSets. :param path: gives the path of an object.
    :param back: whether this is the way back, where every pod of another revision that is not ready is in the way.
    :returns: the names of the deleted pods.
    """
    deleted = []
    for name in names:
        live = client.find(path(name))
        if live is None or not waits_in_order(live):
            continue
        query = selector_query(live)
        place = f"/api/v1/namespaces/{name.namespace}/pods"
        for pod in in_the_way(live, client.items(place, {"labelSelector": query}) if query else [], back):
            if client.delete(f"{place}/{pod['metadata']['name']}", uid(pod)):
                deleted.append(f"{name.namespace}/{pod['metadata']['name']}")
    return deleted


def waits_in_order(live: Mapping[str, Any]) -> bool:
    """Whether a StatefulSet replaces its pods by itself, one after the other, and has seen its newest template."""
    spec, status = live.get("spec") or {}, live.get("status") or {}
    strategy = (spec.get("updateStrategy") or {}).get("type", "RollingUpdate")
    seen = status.get("observedGeneration", 0) >= (live.get("metadata") or {}).get("generation", 0)
    return strategy == "RollingUpdate" and seen


def in_the_way(live: Mapping[str, Any], pods: Sequence[Object], back: bool) -> list[Object]:
    """Give the pods of another revision than the newest that do not get ready, and that an update would replace."""
    newest = (live.get("status") or {}).get("updateRevision") or ""
    partition = (((live.get("spec") or {}).get("updateStrategy") or {}).get("rollingUpdate") or {}).get(
        "partition"
    ) or 0
    found = []
    for pod in pods:
        metadata = pod.get("metadata") or {}
        owners = [one.get("uid") for one in metadata.get("ownerReferences") or [] if one.get("controller")]
        number = str(metadata.get("name") or "").rpartition("-")[2]
        if (
            newest
            and owners == [uid(live)]
            and (metadata.get("labels") or {}).get(REVISION) not in (newest, None)
            and not metadata.get("deletionTimestamp")
            and number.isdigit()
            and int(number) >= partition
            and condition(pod, "Ready").get("status") != "True"
            and (back or broken(pod))
        ):
            found.append(pod)
    return found


def broken(pod: Mapping[str, Any]) -> bool:
    """Whether a pod is in a state that it does not leave by itself."""
    status = pod.get("status") or {}
    if condition(dict(pod), "PodScheduled").get("status") == "False" or status.get("phase") == "Failed":
        return True
    containers = (status.get("initContainerStatuses") or []) + (status.get("containerStatuses") or [])
    return any(((one.get("state") or {}).get("waiting") or {}).get("reason") in BROKEN for one in containers)
