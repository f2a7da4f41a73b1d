# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was read of a cluster, with the indexes that the rules need; nothing here asks anything."""

from __future__ import annotations

from typing import Any, Iterable, Mapping, Sequence

from .._kube.objects import Reference, reference
from .._kube.timestamps import seconds_of

Object = Mapping[str, Any]
API_VERSIONS = {
    "Pod": "v1",
    "ReplicaSet": "apps/v1",
    "Deployment": "apps/v1",
    "StatefulSet": "apps/v1",
    "DaemonSet": "apps/v1",
    "Job": "batch/v1",
    "CronJob": "batch/v1",
}
REVISION = "deployment.kubernetes.io/revision"


class View:
    """A cluster, or some namespaces of it, at one moment."""

    def __init__(
        self,
        objects: Mapping[str, Sequence[Object]],
        now: float = 0.0,
        namespaces: Iterable[str] = (),
        unseen: Mapping[str, str] | None = None,
    ) -> None:
        """Take what was read.

        :param objects: lists by kind. A kind that is not there was not read: nothing follows from its absence.
        :param now: seconds since 1970; the time of the newest object where it is later.
        :param namespaces: those that were read; all where it is empty.
        :param unseen: what could not be read, and why.
        """
        self.objects = objects
        self.namespaces = frozenset(namespaces)
        self.unseen = dict(unseen or {})
        # What rules compute once for the whole of it.
        self.cache: dict[str, Any] = {}
        self._named: dict[str, dict[tuple[str, str], Object]] = {}
        self._events: dict[tuple[str, str, str], list[Object]] | None = None
        self._owned: dict[Reference, list[Object]] | None = None
        self._labelled: dict[tuple[str, str, str], list[Object]] | None = None
        self._places: dict[str, list[Object]] | None = None
        newest = max((event_time(event) for event in objects.get("Event", ())), default=0.0)
        self.now = max(now, newest)

    def all(self, kind: str) -> Sequence[Object]:
        """Give the objects of a kind, none where it was not read."""
        return self.objects.get(kind, ())

    def alive(self, kind: str) -> list[Object]:
        """Return the objects of a kind that are not being deleted."""
        return [content for content in self.all(kind) if not content["metadata"].get("deletionTimestamp")]

    def known(self, kind: str, namespace: str = "") -> bool:
        """Whether objects of a kind (in a namespace) were read, so that one that is not here is not in the cluster."""
        return kind in self.objects and (not namespace or not self.namespaces or namespace in self.namespaces)

    def get(self, kind: str, namespace: str, name: str) -> Object | None:
        """Find an object by its name."""
        if kind not in self._named:
            self._named[kind] = {
                (content["metadata"].get("namespace") or "", content["metadata"]["name"]): content
                for content in self.all(kind)
            }
        return self._named[kind].get((namespace, name))

    def missing(self, kind: str, namespace: str, name: str) -> bool:
        """Whether an object is certainly not there."""
        return self.known(kind, namespace) and self.get(kind, namespace, name) is None

    def names(self, kind: str, namespace: str = "") -> list[str]:
        """Name the objects of a kind in a namespace."""
        return sorted(
            content["metadata"]["name"]
            for content in self.all(kind)
            if (content["metadata"].get("namespace") or "") == namespace
        )

    def age(self, content: Object) -> float:
        """Seconds since an object was made."""
        return self.now - seconds_of(content["metadata"].get("creationTimestamp"))

    def events_of(self, content: Object) -> list[Object]:
        """Give the warnings about an object, the latest last. An earlier object of the same name does not count."""
        if self._events is None:
            self._events = {}
            for event in sorted(self.all("Event"), key=event_time):
                about = event.get("involvedObject") or {}
                key = (about.get("kind") or "", about.get("namespace") or "", about.get("name") or "")
                self._events.setdefault(key, []).append(event)
        name, uid = reference(content), content["metadata"].get("uid")
        found = self._events.get((name.kind, name.namespace, name.name), [])
        return [event for event in found if (event["involvedObject"].get("uid") or uid) == uid]

    def owner(self, content: Object) -> Reference:
        """Name the workload that a person wrote: the Deployment of a ReplicaSet of a pod, the pod itself where nothing made it."""
        for _step in range(4):
            made_by = controller(content)
            if made_by is None:
                break
            namespace = content["metadata"].get("namespace") or ""
            above = self.get(made_by["kind"], namespace, made_by["name"])
            if above is None:
                return _unseen_owner(content, made_by, namespace)
            content = above
        return reference(content)

    def made_by(self, pod: Object) -> Reference:
        """Name what a fault of a pod is told of: as :meth:`owner`, but a CronJob's Jobs stand for themselves."""
        made_by = controller(pod)
        if made_by is not None and made_by["kind"] == "Job":
            return Reference("batch/v1", "Job", pod["metadata"].get("namespace") or "", made_by["name"])
        return self.owner(pod)

    def pods_of(self, name: Reference) -> list[Object]:
        """List the pods of a workload, of all its revisions; a pod is its own."""
        if self._owned is None:
            self._owned = {}
            for pod in self.all("Pod"):
                self._owned.setdefault(self.made_by(pod), []).append(pod)
        return self._owned.get(name, [])

    def newest_pods(self, content: Object) -> list[Object]:
        """List the pods of a workload's newest revision; those that are being deleted do not count."""
        alive = [pod for pod in self.pods_of(reference(content)) if not pod["metadata"].get("deletionTimestamp")]
        label, value = self.newest_revision(content)
        if not label:
            return alive
        return [pod for pod in alive if (pod["metadata"].get("labels") or {}).get(label) == value]

    def newest_revision(self, content: Object) -> tuple[str, str]:
        """Give label and value of the pods of a workload's newest revision, empty where there are no revisions."""
        status = content.get("status") or {}
        if content.get("kind") == "Deployment":
            newest = self.newest_replica_set(content)
            labels = ((newest or {}).get("metadata") or {}).get("labels") or {}
            return ("pod-template-hash", labels.get("pod-template-hash", "")) if newest else ("", "")
        if content.get("kind") == "StatefulSet" and status.get("updateRevision"):
            if status.get("currentRevision") == status.get("updateRevision"):
                return "", ""
            return "controller-revision-hash", status["updateRevision"]
        if content.get("kind") == "DaemonSet":
            return self._newest_generation(content)
        return "", ""

    def newest_replica_set(self, deployment: Object) -> Object | None:
        """Find the ReplicaSet of a Deployment's newest revision (annotation C(deployment.kubernetes.io/revision))."""
        mine = self.replica_sets_of(deployment)
        wanted = (deployment["metadata"].get("annotations") or {}).get(REVISION)
        for content in mine:
            if wanted and (content["metadata"].get("annotations") or {}).get(REVISION) == wanted:
                return content
        return max(mine, key=lambda content: content["metadata"].get("creationTimestamp") or "", default=None)

    def replica_sets_of(self, deployment: Object) -> list[Object]:
        """List the ReplicaSets that a Deployment owns."""
        if "of Deployments" not in self._named:
            owned: dict[tuple[str, str], Any] = {}
            for content in self.all("ReplicaSet"):
                made_by = controller(content)
                if made_by is not None:
                    key = (content["metadata"].get("namespace") or "", made_by["name"])
                    owned.setdefault(key, []).append(content)
            self._named["of Deployments"] = owned
        name = reference(deployment)
        found: Any = self._named["of Deployments"].get((name.namespace, name.name), [])
        return list(found)

    def selected(self, namespace: str, labels: Mapping[str, str]) -> list[Object]:
        """List the pods of a namespace that bear some labels; none where no label is asked for."""
        if self._labelled is None:
            self._labelled = {}
            for pod in self.all("Pod"):
                place = pod["metadata"].get("namespace") or ""
                for key, value in (pod["metadata"].get("labels") or {}).items():
                    self._labelled.setdefault((place, key, value), []).append(pod)
        if not labels:
            return []
        candidates = min(
            (self._labelled.get((namespace, key, value), []) for key, value in labels.items()),
            key=len,
        )
        return [pod for pod in candidates if has_labels(pod["metadata"].get("labels") or {}, labels)]

    def matching(self, namespace: str, selector: Object) -> list[Object]:
        """List the pods of a namespace that a C(LabelSelector) matches; an empty one matches all of them."""
        labels, rules = selector.get("matchLabels") or {}, selector.get("matchExpressions") or []
        pods = self.selected(namespace, labels) if labels else self.in_namespace(namespace)
        return [pod for pod in pods if expressions_match(pod["metadata"].get("labels") or {}, rules)]

    def in_namespace(self, namespace: str) -> list[Object]:
        """List the pods of a namespace."""
        if self._places is None:
            self._places = {}
            for pod in self.all("Pod"):
                self._places.setdefault(pod["metadata"].get("namespace") or "", []).append(pod)
        return self._places.get(namespace, [])

    def _newest_generation(self, daemon_set: Object) -> tuple[str, str]:
        # A DaemonSet does not name its newest revision; its newest pods have it unless all are old.
        status = daemon_set.get("status") or {}
        pods = [pod for pod in self.pods_of(reference(daemon_set)) if not pod["metadata"].get("deletionTimestamp")]
        if not pods or status.get("updatedNumberScheduled", 0) >= len(pods):
            return "", ""
        newest = max(pods, key=lambda pod: pod["metadata"].get("creationTimestamp") or "")
        return "controller-revision-hash", (newest["metadata"].get("labels") or {}).get("controller-revision-hash", "")


def controller(content: Object) -> Mapping[str, Any] | None:
    """Give the owner that controls an object (C(ownerReferences) with C(controller: true))."""
    for owner in content["metadata"].get("ownerReferences") or []:
        if owner.get("controller"):
            return owner
    return None


def _unseen_owner(content: Object, made_by: Mapping[str, Any], namespace: str) -> Reference:
    """Name a workload that was not read: a Deployment by the name that it gives its ReplicaSets."""
    kind, name = made_by["kind"], made_by["name"]
    mark = "-" + (content["metadata"].get("labels") or {}).get("pod-template-hash", "")
    if kind == "ReplicaSet" and len(mark) > 1 and name.endswith(mark):
        return Reference("apps/v1", "Deployment", namespace, name[: -len(mark)])
    return Reference(made_by.get("apiVersion") or API_VERSIONS.get(kind, ""), kind, namespace, name)


def event_time(event: Object) -> float:
    """When an event was seen last, in seconds since 1970."""
    series = event.get("series") or {}
    return max(
        seconds_of(series.get("lastObservedTime")),
        seconds_of(event.get("lastTimestamp")),
        seconds_of(event.get("eventTime")),
    )


def event_count(event: Object) -> int:
    """How often an event was seen."""
    return int((event.get("series") or {}).get("count") or event.get("count") or 1)


def has_labels(labels: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Whether all wanted labels are among some labels."""
    return all(labels.get(key) == value for key, value in wanted.items())


def expressions_match(labels: Mapping[str, str], rules: Iterable[Mapping[str, Any]]) -> bool:
    """Apply C(matchExpressions) of a C(LabelSelector) to labels."""
    for rule in rules:
        key, operator, values = rule.get("key") or "", rule.get("operator"), rule.get("values") or []
        there = key in labels
        if operator == "In":
            fits = there and labels[key] in values
        elif operator == "NotIn":
            fits = not there or labels[key] not in values
        elif operator in ("Gt", "Lt"):
            fits = there and _compares(labels[key], operator, values)
        else:
            fits = there == (operator == "Exists")
        if not fits:
            return False
    return True


def _compares(label: str, operator: str, values: Sequence[str]) -> bool:
    try:
        return int(label) > int(values[0]) if operator == "Gt" else int(label) < int(values[0])
    except (IndexError, ValueError):
        return False


def conditions(content: Object) -> dict[str, Mapping[str, Any]]:
    """Give the conditions of an object by their type."""
    return {found.get("type") or "": found for found in (content.get("status") or {}).get("conditions") or []}


def is_true(content: Object, kind: str) -> bool:
    """Return whether a condition of an object has status True."""
    return (conditions(content).get(kind) or {}).get("status") == "True"


def is_finished(pod: Object) -> bool:
    """Return whether all containers of a pod have terminated for good (phase Succeeded or Failed)."""
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def labels_text(labels: Mapping[str, str] | None) -> str:
    """Return labels as C(KEY=VALUE), separated by commas."""
    return ", ".join(f"{key}={value}" for key, value in sorted((labels or {}).items()))


def named(content: Object) -> str:
    """Name an object as NAMESPACE/NAME."""
    metadata = content["metadata"]
    return "/".join(filter(None, (metadata.get("namespace") or "", metadata["name"])))
