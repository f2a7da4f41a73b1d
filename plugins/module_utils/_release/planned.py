# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan as data: what becomes of each object of a release."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping

from .._kube.objects import Object, Reference, content_of, difference, reference
from .._kube.readiness import condition

Digests = Dict[str, List[str]]


@dataclass
class PlannedObject:
    """What becomes of one object.

    :ivar action: C(create), C(change), C(replace), C(delete), C(run) (a hook) or C(none).
    :ivar content: the object to apply. :ivar before: its live content. :ivar after: its content after the apply.
    :ivar takes_over: it is applied although its content does not change, to take over fields of other managers.
    :ivar force: conflicts are resolved in favour of this object.
    :ivar digest: digest of the desired content, before replicas were left to an autoscaler.
    :ivar why: why it is replaced. :ivar keeps_pods: only the StatefulSet is replaced, and its pods stay.
    :ivar untried: why no dry run was possible, empty if one was. :ivar wave: in which it is applied; None if none is given.
    """

    name: Reference
    action: str
    content: Object = field(default_factory=dict)
    before: Object = field(default_factory=dict)
    after: Object = field(default_factory=dict)
    takes_over: bool = False
    force: bool = False
    digest: str = ""
    why: str = ""
    keeps_pods: bool = False
    untried: str = ""
    wave: int | None = None

    @property
    def makes_set(self) -> bool:
        """Whether a StatefulSet is created, whose claims may exist already: it is replaced, or a killed run has deleted it."""
        return self.name.kind == "StatefulSet" and self.action in ("replace", "create")

    @property
    def way(self) -> str:
        """How it is replaced, and why."""
        return f"deleted{' without its pods' if self.keeps_pods else ''} and created again, because {self.why}"

    @property
    def diff(self) -> dict[str, Any]:
        """Ansible's diff of this object."""
        return difference(self.name, self.before, self.after)

    def as_dict(self) -> dict[str, str]:
        """Return what a module returns of this object."""
        return dict(self.name.as_dict(), action=self.action)


@dataclass
class Plan:
    """What a run would do.

    :ivar kept: a sentence for each object that is not pruned although the release no longer contains it.
    :ivar digests: digests of the desired and the live content of each unchanged object.
    :ivar overruled: live autoscalers that are deleted first, as the number of pods that they have set is no longer wanted.
    :ivar schema_only: objects that were only validated against the schema, because what they need comes with this release.
    """

    objects: list[PlannedObject] = field(default_factory=list)
    hooks: list[PlannedObject] = field(default_factory=list)
    prunes: list[PlannedObject] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    digests: Digests = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    namespaces: list[PlannedObject] = field(default_factory=list)
    overruled: list[Object] = field(default_factory=list)
    schema_only: list[Reference] = field(default_factory=list)

    @property
    def all(self) -> list[PlannedObject]:
        """Everything, in the order of execution."""
        return self.namespaces + self.objects + self.hooks + self.prunes

    @property
    def actions(self) -> list[str]:
        """The action for each object."""
        return [planned.action for planned in self.all]

    @property
    def has_changes(self) -> bool:
        """Whether anything has to be sent."""
        return any(planned.action != "none" or planned.takes_over for planned in self.all)


def replaced(content: Object, live: Object, desired: str, why: str, keeps_pods: bool = False) -> PlannedObject:
    """Plan to delete an object and to create it again.

    :param desired: digest of the desired content. :param keeps_pods: delete a StatefulSet without its pods.
    """
    name, before, after = reference(content), content_of(live), content_of(content)
    return PlannedObject(name, "replace", content, before, after, digest=desired, why=why, keeps_pods=keeps_pods)


def has_failed(job: Mapping[str, Any]) -> bool:
    """Return whether a Job or a Pod ended without success
    (https://kubernetes.io/docs/concepts/workloads/controllers/job/#terminal-job-conditions)."""
    if job.get("kind") == "Pod":
        return bool((job.get("status") or {}).get("phase") == "Failed")
    return any(condition(dict(job), kind).get("status") == "True" for kind in ("Failed", "FailureTarget"))
