# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The revisions of a Deployment, StatefulSet or DaemonSet, read from the objects in which its controller stores them: pure functions.

The revisions of a Deployment are ReplicaSets
(https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#rolling-back-a-deployment), those of the
other two are ControllerRevisions (https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/controller-revision-v1/).
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field, replace
from typing import Any, Iterable, Mapping, NamedTuple, Sequence

from .._kube.objects import Object

# Annotations of Deployments and their ReplicaSets (kubernetes.io/docs/reference/labels-annotations-taints).
REVISION = "deployment.kubernetes.io/revision"
FORMER_REVISIONS = "deployment.kubernetes.io/revision-history"
CHANGE_CAUSE = "kubernetes.io/change-cause"
# Labels that a controller adds to the stored template.
HASHES = ("pod-template-hash", "controller-revision-hash", "pod-template-generation")
# Annotation of a StatefulSet or DaemonSet: the requested number of a restored revision, and its ControllerRevision.
# The controller renumbers a restored revision, and a second run of the same task still refers to the old number.
UNDONE_TO = "slipway.kube/undone-to"


class Kind(NamedTuple):
    """The API names of a workload kind and of the kind that stores its revisions; both belong to C(apps/v1)."""

    plural: str
    keeper: str


KINDS = {
    "Deployment": Kind("deployments", "replicasets"),
    "StatefulSet": Kind("statefulsets", "controllerrevisions"),
    "DaemonSet": Kind("daemonsets", "controllerrevisions"),
}


@dataclass(frozen=True)
class WorkloadRevision:
    """One version of a workload's pod template that its controller has stored.

    :ivar number: its current revision number.
    :ivar name: the object that stores it.
    :ivar template: the pod template, without the additions of the controller.
    :ivar cause: its change cause, from the annotation C(kubernetes.io/change-cause).
    :ivar created: when the object that stores it was created, as an RFC 3339 time.
    :ivar former: numbers that it had before rollbacks to it.
    :ivar current: whether this is the workload's current template.
    """

    number: int
    name: str
    template: Object = field(default_factory=dict)
    cause: str = ""
    created: str = ""
    former: tuple[int, ...] = ()
    current: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return it as the module returns it."""
        return {
            "revision": self.number,
            "name": self.name,
            "images": images_of(self.template),
            "change_cause": self.cause,
            "created": self.created,
            "former_revisions": list(self.former),
            "current": self.current,
        }


def images_of(template: Mapping[str, Any]) -> dict[str, str]:
    """Return the image of every container of a pod template by the container's name, init containers first."""
    spec = template.get("spec") or {}
    containers = list(spec.get("initContainers") or []) + list(spec.get("containers") or [])
    return {container.get("name", ""): container.get("image", "") for container in containers}


def revisions_of(workload: Mapping[str, Any], kept: Iterable[Mapping[str, Any]]) -> list[WorkloadRevision]:
    """Return the revisions of a workload, oldest first.

    :param workload: the Deployment, StatefulSet or DaemonSet.
    :param kept: ReplicaSets or ControllerRevisions of its namespace; those that it does not control are ignored.
    """
    uid = (workload.get("metadata") or {}).get("uid")
    wanted = _comparable((workload.get("spec") or {}).get("template") or {})
    found = [_read(one) for one in kept if uid and _controller(one) == uid]
    found = sorted((one for one in found if one.number), key=lambda one: one.number)
    # Two revisions can have the same template (a ReplicaSet with another hash algorithm): the newest of them is in use.
    same = [one for one in found if _comparable(one.template) == wanted]
    return [replace(one, current=bool(same) and one is same[-1]) for one in found]


def current(revisions: Sequence[WorkloadRevision]) -> WorkloadRevision | None:
    """Return the revision whose template the workload has; None if its controller has not stored it yet."""
    return next((one for one in revisions if one.current), None)


def previous(revisions: Sequence[WorkloadRevision]) -> WorkloadRevision | None:
    """Return the default target of an undo: the revision before the current one."""
    before = [one for one in revisions if not one.current]
    now = current(revisions)
    if now is not None:
        before = [one for one in before if one.number < now.number] or before
    return before[-1] if before else None


def find(revisions: Sequence[WorkloadRevision], number: int, workload: Mapping[str, Any]) -> WorkloadRevision | None:
    """Find a revision by its current number, or by a number that it had before a rollback to it."""
    for one in revisions:
        if one.number == number:
            return one
    for one in reversed(revisions):
        if number in one.former:
            return one
    name = undone_to(workload).get(str(number))
    return next((one for one in revisions if name and one.name == name), None)


def undone_to(workload: Mapping[str, Any]) -> dict[str, str]:
    """Read the annotation with restored revisions: requested number, and name of the ControllerRevision."""
    try:
        noted = json.loads(((workload.get("metadata") or {}).get("annotations") or {}).get(UNDONE_TO) or "{}")
    except ValueError:
        return {}
    return {str(number): str(name) for number, name in noted.items()} if isinstance(noted, dict) else {}


def same_template(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return whether two pod templates are equivalent."""
    return _comparable(one) == _comparable(other)


def _read(kept: Mapping[str, Any]) -> WorkloadRevision:
    metadata = kept.get("metadata") or {}
    annotations = metadata.get("annotations") or {}
    if "revision" in kept:
        number = int(kept["revision"] or 0)
        spec = (kept.get("data") or {}).get("spec") or {}
        former: tuple[int, ...] = ()
    else:
        number = _number(annotations.get(REVISION))
        spec = kept.get("spec") or {}
        former = tuple(_number(text) for text in (annotations.get(FORMER_REVISIONS) or "").split(",") if text)
    return WorkloadRevision(
        number,
        metadata.get("name") or "",
        _bare(spec.get("template") or {}),
        annotations.get(CHANGE_CAUSE) or "",
        metadata.get("creationTimestamp") or "",
        former,
    )


def _controller(kept: Mapping[str, Any]) -> str | None:
    for owner in (kept.get("metadata") or {}).get("ownerReferences") or []:
        if owner.get("controller"):
            return owner.get("uid")
    return None


def _number(text: Any) -> int:
    return int(text) if str(text or "").isdigit() else 0


def _bare(template: Mapping[str, Any]) -> Object:
    """Remove what the controller added: its hash, and the directive that makes its data a patch."""
    bare = {key: copy.deepcopy(value) for key, value in template.items() if key != "$patch"}
    labels = (bare.get("metadata") or {}).get("labels") or {}
    for label in HASHES:
        labels.pop(label, None)
    return bare


def _comparable(value: Any) -> Any:
    """Remove what only some serializations contain: nulls, and empty metadata."""
    if isinstance(value, dict):
        kept = {name: _comparable(part) for name, part in value.items()}
        return {
            name: part
            for name, part in kept.items()
            if part is not None and not (part == {} and name in ("metadata", "labels", "annotations"))
        }
    if isinstance(value, list):
        return [_comparable(part) for part in value]
    return value
