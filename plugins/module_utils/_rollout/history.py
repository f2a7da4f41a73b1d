# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The revisions of a Deployment, StatefulSet or DaemonSet, read from the objects that its controller keeps: pure functions.

A Deployment keeps its revisions as ReplicaSets
(https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#rolling-back-a-deployment), the two others as
ControllerRevisions (https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/controller-revision-v1/).
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from typing import Any, Iterable, Mapping, NamedTuple, Sequence

from .._kube.objects import Object

# Annotations of Deployments and their ReplicaSets (kubernetes.io/docs/reference/labels-annotations-taints).
REVISION = "deployment.kubernetes.io/revision"
FORMER_REVISIONS = "deployment.kubernetes.io/revision-history"
CHANGE_CAUSE = "kubernetes.io/change-cause"
# Labels that a controller adds to the template that it keeps.
HASHES = ("pod-template-hash", "controller-revision-hash", "pod-template-generation")
# Our own note on a StatefulSet or DaemonSet: the number by which a revision was asked for, and its ControllerRevision.
# Its controller gives the revision a new number and forgets the old one, which a second run of the same task still names.
UNDONE_TO = "slipway.kube/undone-to"


class Kind(NamedTuple):
    """How the API names a kind that can be rolled, and what keeps its revisions; both are of C(apps/v1)."""

    plural: str
    keeper: str
    keeper_kind: str


KINDS = {
    "Deployment": Kind("deployments", "replicasets", "ReplicaSet"),
    "StatefulSet": Kind("statefulsets", "controllerrevisions", "ControllerRevision"),
    "DaemonSet": Kind("daemonsets", "controllerrevisions", "ControllerRevision"),
}


@dataclass(frozen=True)
class Revision:
    """One state of a workload's pod template that its controller still has.

    :ivar number: as the controller counts them now.
    :ivar name: the object that keeps it.
    :ivar template: the pod template, without what the controller added.
    :ivar cause: why it was made, from the annotation C(kubernetes.io/change-cause).
    :ivar created: when the object that keeps it was made, as the API writes times.
    :ivar former: numbers that it had before somebody went back to it.
    :ivar current: whether this is the template that the workload has now.
    """

    number: int
    name: str
    template: Object = field(default_factory=dict)
    cause: str = ""
    created: str = ""
    former: tuple[int, ...] = ()
    current: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Give it as the module returns it."""
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
    """Give the image of every container of a pod template by the container's name, init containers first."""
    spec = template.get("spec") or {}
    containers = list(spec.get("initContainers") or []) + list(spec.get("containers") or [])
    return {container.get("name", ""): container.get("image", "") for container in containers}


def revisions_of(workload: Mapping[str, Any], kept: Iterable[Mapping[str, Any]]) -> list[Revision]:
    """Give the revisions of a workload, the oldest first.

    :param workload: the Deployment, StatefulSet or DaemonSet.
    :param kept: ReplicaSets or ControllerRevisions of its namespace; those that it does not control are left out.
    """
    uid = (workload.get("metadata") or {}).get("uid")
    wanted = _comparable((workload.get("spec") or {}).get("template") or {})
    found = [_read(one) for one in kept if uid and _controller(one) == uid]
    found = sorted((one for one in found if one.number), key=lambda one: one.number)
    # Two revisions can have one template (a ReplicaSet of another hash algorithm): the newest of them is in use.
    same = [one for one in found if _comparable(one.template) == wanted]
    return [
        Revision(one.number, one.name, one.template, one.cause, one.created, one.former, bool(same) and one is same[-1])
        for one in found
    ]


def current(revisions: Sequence[Revision]) -> Revision | None:
    """Give the revision whose template the workload has, None where its controller has not kept it yet."""
    return next((one for one in revisions if one.current), None)


def previous(revisions: Sequence[Revision]) -> Revision | None:
    """Give the revision that an undo goes back to when it is not told one: the one made before the current one."""
    before = [one for one in revisions if not one.current]
    now = current(revisions)
    if now is not None:
        before = [one for one in before if one.number < now.number] or before
    return before[-1] if before else None


def find(revisions: Sequence[Revision], number: int, workload: Mapping[str, Any]) -> Revision | None:
    """Find a revision by a number that it has, or that it had before somebody went back to it."""
    for one in revisions:
        if one.number == number:
            return one
    for one in reversed(revisions):
        if number in one.former:
            return one
    name = undone_to(workload).get(str(number))
    return next((one for one in revisions if name and one.name == name), None)


def undone_to(workload: Mapping[str, Any]) -> dict[str, str]:
    """Read our note of revisions that were gone back to: number, and name of the ControllerRevision."""
    try:
        noted = json.loads(((workload.get("metadata") or {}).get("annotations") or {}).get(UNDONE_TO) or "{}")
    except ValueError:
        return {}
    return {str(number): str(name) for number, name in noted.items()} if isinstance(noted, dict) else {}


def same_template(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two pod templates mean the same pods."""
    return _comparable(one) == _comparable(other)


def _read(kept: Mapping[str, Any]) -> Revision:
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
    return Revision(
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
    """Take away what the controller added: its hash, and the word that makes its data a patch."""
    bare = {key: copy.deepcopy(value) for key, value in template.items() if key != "$patch"}
    labels = (bare.get("metadata") or {}).get("labels") or {}
    for label in HASHES:
        labels.pop(label, None)
    return bare


def _comparable(value: Any) -> Any:
    """Leave out what one way of storing an object writes and another does not: nulls, and labels that are none."""
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
