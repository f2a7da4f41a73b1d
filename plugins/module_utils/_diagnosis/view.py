# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A snapshot of a cluster with the indexes that the rules need. It makes no API requests."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Callable, Dict, Hashable, Iterable, List, Mapping, Sequence

from .._kube.objects import Reference, reference
from .._kube.selectors import expressions_match, has_labels
from .._kube.timestamps import seconds_of
from .sources import SOURCES

Object = Mapping[str, Any]
Index = Dict[Any, List[Object]]
REVISION = "deployment.kubernetes.io/revision"


def spec_of(content: Object) -> Mapping[str, Any]:
    """Return the spec of an object."""
    return content.get("spec") or {}


def status_of(content: Object) -> Mapping[str, Any]:
    """Return the status of an object."""
    return content.get("status") or {}


def labels_of(content: Object) -> Mapping[str, str]:
    """Return the labels of an object."""
    return content["metadata"].get("labels") or {}


def annotations_of(content: Object) -> Mapping[str, str]:
    """Return the annotations of an object."""
    return content["metadata"].get("annotations") or {}


def namespace_of(content: Object) -> str:
    """Return the namespace of an object, empty for a cluster-scoped one."""
    return content["metadata"].get("namespace") or ""


def name_of(content: Object) -> str:
    """Return the name of an object."""
    return str(content["metadata"]["name"])


def node_name(pod: Object) -> str:
    """Return the name of the node that a pod is assigned to, empty if it is not scheduled."""
    return spec_of(pod).get("nodeName") or ""


def claim_names(pod: Object) -> list[str]:
    """Return the names of the PersistentVolumeClaims that a pod mounts."""
    volumes = spec_of(pod).get("volumes") or []
    return [one["persistentVolumeClaim"]["claimName"] for one in volumes if one.get("persistentVolumeClaim")]


def named(content: Object) -> str:
    """Return the name of an object as NAMESPACE/NAME."""
    return "/".join(filter(None, (namespace_of(content), name_of(content))))


def located(pod: Object) -> str:
    """Return the name of a pod and of its node, for evidence: C(pod shop/web-1 on w1)."""
    return f"pod {named(pod)} on {node_name(pod)}" if node_name(pod) else f"pod {named(pod)}"


def conditions(content: Object) -> dict[str, Mapping[str, Any]]:
    """Return the conditions of an object by type."""
    return {found.get("type") or "": found for found in status_of(content).get("conditions") or []}


def is_true(content: Object, kind: str) -> bool:
    """Return whether a condition of an object has the status True.

    :param kind: the type of the condition, for example C(Ready).
    """
    return (conditions(content).get(kind) or {}).get("status") == "True"


def is_finished(pod: Object) -> bool:
    """Return whether all containers of a pod have terminated for good (phase Succeeded or Failed)."""
    return status_of(pod).get("phase") in ("Succeeded", "Failed")


def works(pod: Object) -> bool:
    """Return whether a pod is Ready or has succeeded."""
    if pod.get("healthy"):
        # Determined when the pod was read.
        return True
    return not is_deleted(pod) and (status_of(pod).get("phase") == "Succeeded" or is_true(pod, "Ready"))


def is_healthy(pod: Object) -> bool:
    """Return whether a pod works, without a container restart that a rule would have to look at."""
    if not works(pod) or pod.get("healthy") or status_of(pod).get("phase") == "Succeeded":
        return works(pod)
    every = (status_of(pod).get("containerStatuses") or []) + (status_of(pod).get("initContainerStatuses") or [])
    return not any(container.get("restartCount") for container in every)


def labels_text(labels: Mapping[str, str] | None) -> str:
    """Return labels as C(KEY=VALUE), separated by commas."""
    return ", ".join(f"{key}={value}" for key, value in sorted((labels or {}).items()))


def is_deleted(content: Object) -> bool:
    """Return whether an object is being deleted."""
    return bool(content["metadata"].get("deletionTimestamp"))


def _created(content: Object) -> str:
    return content["metadata"].get("creationTimestamp") or ""


def _index(contents: Iterable[Object], key: Callable[[Object], Hashable]) -> Index:
    found: Index = {}
    for content in contents:
        found.setdefault(key(content), []).append(content)
    return found


class View:
    """A cluster, or some of its namespaces, at one point in time."""

    def __init__(
        self,
        objects: Mapping[str, Sequence[Object]],
        now: float = 0.0,
        namespaces: Iterable[str] = (),
        unseen: Mapping[str, str] | None = None,
    ) -> None:
        """Store the objects.

        :param objects: lists by kind. A kind that is missing was not read: its absence proves nothing.
        :param now: seconds since the epoch; the time of the latest event if that is later.
        :param namespaces: the namespaces that were read, empty for all.
        :param unseen: what could not be read, with the reason.
        """
        self.objects = objects
        self.namespaces = frozenset(namespaces)
        self.unseen = dict(unseen or {})
        # Results that rules compute once per view.
        self.cache: dict[str, Any] = {}
        self._by_name: dict[str, dict[tuple[str, str], Object]] = {}
        newest = max((event_time(event) for event in objects.get("Event", ())), default=0.0)
        self.now = max(now, newest)
        # What the clock of the API server says, whatever the clocks of nodes have written into events.
        self.clock = now or self.now

    @cached_property
    def _events(self) -> Index:
        def involved(event: Object) -> tuple[str, str, str]:
            about = event.get("involvedObject") or {}
            return (about.get("kind") or "", about.get("namespace") or "", about.get("name") or "")

        return _index(
            sorted(
                [*self.all("Event"), *self.all("Killing"), *self.all("Skipped"), *self.all("Preempted")], key=event_time
            ),
            involved,
        )

    @cached_property
    def _pods_by_workload(self) -> Index:
        return _index(self.all("Pod"), self.made_by)

    @cached_property
    def _pods_by_namespace(self) -> Index:
        return _index(self.all("Pod"), namespace_of)

    @cached_property
    def _pods_by_label(self) -> dict[tuple[str, str, str], list[Object]]:
        found: dict[tuple[str, str, str], list[Object]] = {}
        for pod in self.all("Pod"):
            for key, value in labels_of(pod).items():
                found.setdefault((namespace_of(pod), key, value), []).append(pod)
        return found

    @cached_property
    def _replica_sets(self) -> Index:
        return _index(
            self.all("ReplicaSet"), lambda content: (namespace_of(content), (controller(content) or {}).get("name"))
        )

    def all(self, kind: str) -> Sequence[Object]:
        """Return the objects of a kind, none if it was not read."""
        return self.objects.get(kind, ())

    def alive(self, kind: str) -> list[Object]:
        """Return the objects of a kind that are not being deleted, neither alone nor with their namespace."""
        ending = self.cache.get("ending")
        if ending is None:
            ending = {one["metadata"]["name"] for one in self.all("Namespace") if is_deleted(one)}
            self.cache["ending"] = ending
        return [
            content
            for content in self.all(kind)
            if not is_deleted(content) and content["metadata"].get("namespace") not in ending
        ]

    def known(self, kind: str, namespace: str = "") -> bool:
        """Return whether a kind was read (in a namespace), so that an object missing here does not exist."""
        return kind in self.objects and (not namespace or not self.namespaces or namespace in self.namespaces)

    def get(self, kind: str, namespace: str, name: str) -> Object | None:
        """Return an object by name."""
        if kind not in self._by_name:
            self._by_name[kind] = {(namespace_of(content), name_of(content)): content for content in self.all(kind)}
        return self._by_name[kind].get((namespace, name))

    def missing(self, kind: str, namespace: str, name: str) -> bool:
        """Return whether an object is known not to exist."""
        return self.known(kind, namespace) and self.get(kind, namespace, name) is None

    def names(self, kind: str, namespace: str = "") -> list[str]:
        """Return the names of the objects of a kind in a namespace."""
        return sorted(name_of(content) for content in self.all(kind) if namespace_of(content) == namespace)

    def age(self, content: Object) -> float:
        """Return the seconds since an object was created."""
        return self.now - seconds_of(_created(content))

    def events_of(self, content: Object, kind: str = "Event") -> list[Object]:
        """Return the events of an object, the latest last, without those of an earlier object of that name.

        :param kind: C(Event) for warnings, C(Killing) for those that tell why the kubelet ends a container, C(Skipped) for
            runs of a CronJob that were not started.
        """
        name, uid = reference(content), content["metadata"].get("uid")
        found = self._events.get((name.kind, name.namespace, name.name), [])
        found = [event for event in found if event["kind"] == kind]
        return [event for event in found if (event["involvedObject"].get("uid") or uid) == uid]

    def owner(self, content: Object) -> Reference:
        """Return the workload at the top of the owner chain: for a pod its Deployment, or the pod itself if nothing controls it."""
        for _step in range(4):
            made_by = controller(content)
            if made_by is None:
                break
            above = self.get(made_by["kind"], namespace_of(content), made_by["name"])
            if above is None:
                return _unseen_owner(content, made_by, namespace_of(content))
            content = above
        return reference(content)

    def made_by(self, pod: Object) -> Reference:
        """Return the workload on which faults of a pod are reported: :meth:`owner`, but the Job for pods of a CronJob."""
        made_by = controller(pod)
        if made_by is not None and made_by["kind"] == "Job":
            return Reference("batch/v1", "Job", namespace_of(pod), made_by["name"])
        return self.owner(pod)

    def pods_of(self, name: Reference) -> list[Object]:
        """Return the pods of all revisions of a workload; for a pod the pod itself."""
        return self._pods_by_workload.get(name, [])

    def newest_pods(self, content: Object) -> list[Object]:
        """Return the pods of the newest revision of a workload, without those that are being deleted."""
        label, value = self.newest_revision(content)
        pods = [pod for pod in self.pods_of(reference(content)) if not is_deleted(pod)]
        return [pod for pod in pods if not label or labels_of(pod).get(label) == value]

    def newest_revision(self, content: Object) -> tuple[str, str]:
        """Return the label and the value of the pods of a workload's newest revision, empty if all pods are of one revision."""
        status = status_of(content)
        if content.get("kind") == "Deployment":
            if not self.known("ReplicaSet", namespace_of(content)):
                return self._newest_of_pods(content, "pod-template-hash", status.get("updatedReplicas", 0))
            newest = self.newest_replica_set(content)
            return ("pod-template-hash", labels_of(newest).get("pod-template-hash", "")) if newest else ("", "")
        if content.get("kind") == "StatefulSet" and status.get("updateRevision"):
            if status.get("currentRevision") == status.get("updateRevision"):
                return "", ""
            return "controller-revision-hash", status["updateRevision"]
        if content.get("kind") == "DaemonSet":
            # The status of a DaemonSet does not contain its newest revision.
            return self._newest_of_pods(content, "controller-revision-hash", status.get("updatedNumberScheduled", 0))
        return "", ""

    def newest_replica_set(self, deployment: Object) -> Object | None:
        """Return the ReplicaSet of a Deployment's newest revision (annotation C(deployment.kubernetes.io/revision))."""
        owned = self.replica_sets_of(deployment)
        revision = annotations_of(deployment).get(REVISION)
        for content in owned:
            if revision and annotations_of(content).get(REVISION) == revision:
                return content
        return max(owned, key=_created, default=None)

    def replica_sets_of(self, deployment: Object) -> list[Object]:
        """Return the ReplicaSets that a Deployment owns."""
        return list(self._replica_sets.get((namespace_of(deployment), name_of(deployment)), []))

    def selected(self, namespace: str, labels: Mapping[str, str]) -> list[Object]:
        """Return the pods of a namespace that have all of the given labels, none if no label is given."""
        if not labels:
            return []
        candidates = min((self._pods_by_label.get((namespace, *pair), []) for pair in labels.items()), key=len)
        return [pod for pod in candidates if has_labels(labels_of(pod), labels)]

    def matching(self, namespace: str, selector: Object) -> list[Object]:
        """Return the pods of a namespace that a C(LabelSelector) matches; an empty selector matches all pods."""
        labels, rules = selector.get("matchLabels") or {}, selector.get("matchExpressions") or []
        pods = self.selected(namespace, labels) if labels else self.in_namespace(namespace)
        return [pod for pod in pods if expressions_match(labels_of(pod), rules)]

    def in_namespace(self, namespace: str) -> list[Object]:
        """Return the pods of a namespace."""
        return self._pods_by_namespace.get(namespace, [])

    def _newest_of_pods(self, content: Object, label: str, updated: int) -> tuple[str, str]:
        """Return the revision of the newest pod of a workload, empty if all pods are updated."""
        pods = [pod for pod in self.pods_of(reference(content)) if not is_deleted(pod)]
        if len(pods) <= updated:
            return "", ""
        return label, labels_of(max(pods, key=_created)).get(label, "")


def controller(content: Object) -> Mapping[str, Any] | None:
    """Return the owner that controls an object (C(ownerReferences) with C(controller: true))."""
    for owner in content["metadata"].get("ownerReferences") or []:
        if owner.get("controller"):
            return owner
    return None


def _unseen_owner(content: Object, made_by: Mapping[str, Any], namespace: str) -> Reference:
    """Return an owner that was not read; a Deployment is known from the name of its ReplicaSet."""
    kind, name = made_by["kind"], made_by["name"]
    suffix = "-" + labels_of(content).get("pod-template-hash", "")
    if kind == "ReplicaSet" and len(suffix) > 1 and name.endswith(suffix):
        return Reference("apps/v1", "Deployment", namespace, name[: -len(suffix)])
    api_version = made_by.get("apiVersion") or (SOURCES[kind].api_version if kind in SOURCES else "")
    return Reference(api_version, kind, namespace, name)


def event_time(event: Object) -> float:
    """Return when an event occurred last, in seconds since the epoch."""
    latest = (event.get("series") or {}).get("lastObservedTime")
    return max(map(seconds_of, (latest, event.get("lastTimestamp"), event.get("eventTime"))))


def event_count(event: Object) -> int:
    """Return how often an event occurred."""
    return int((event.get("series") or {}).get("count") or event.get("count") or 1)


def message_of(event: Object) -> str:
    """Return the message of an event or a condition."""
    return event.get("message") or ""
