# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The change of a workload that an action requires: the request and the live object go in, a patch comes out. Pure functions."""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import dataclass, field
from typing import Any, Mapping, Sequence

from .._kube.objects import RELEASE, Reference
from .._release.field_migration import migration, subtract
from .._release.fingerprint import owned_fields
from .history import (
    CHANGE_CAUSE,
    UNDONE_TO,
    WorkloadRevision,
    current,
    find,
    images_of,
    previous,
    same_template,
    undone_to,
)

ACTIONS = ("status", "history", "undo", "restart", "pause", "resume", "set_image", "scale")
READ_ONLY = ("status", "history")
# kubectl rollout restart sets the same annotation.
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
# Options that apply to some actions only; with others they are refused.
ONLY_FOR = {
    "revision": ("history", "undo"),
    "images": ("set_image",),
    "replicas": ("scale",),
    "change_cause": ("undo", "restart", "set_image"),
}
NEEDED = {"set_image": "images", "scale": "replicas"}
# The grammar of https://github.com/distribution/reference: lower case path, then a tag, a digest, or both.
PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:.]+\])(?::[0-9]+)?"
IMAGE = re.compile(
    rf"(?:{HOST}/)?{PART}(?:/{PART})*(?::[A-Za-z0-9_][\w.-]{{0,127}})?(?:@[a-z0-9+._-]+:[0-9a-fA-F]{{32,}})?"
)

# The API server records the manager of every field (https://kubernetes.io/docs/reference/using-api/server-side-apply/). Fields that a
# rollout takes from the manager that applies manifests are returned to it with the new value: its next apply sets what its
# manifests contain, without a conflict, and removes what they do not contain.
MANAGER = "slipway.kube.rollout"
# Pausing, resuming and restarting must outlive the next apply, so these fields belong to another manager.
STATE_MANAGER = "slipway.kube.rollout.state"
KEPT = ("restart", "pause", "resume")


class RolloutError(Exception):
    """An action is not possible; the message lists every reason."""


@dataclass(frozen=True)
class Request:
    """The requested action.

    :ivar action: one of :data:`ACTIONS`.
    :ivar revision: number of the revision to show or to restore, 0 for the previous one.
    :ivar images: image by name of container.
    :ivar replicas: number of pods, None if not requested.
    :ivar change_cause: the change cause of the new revision, empty for none.
    :ivar delete_blocking_pods: delete a pod of another revision that blocks a StatefulSet; otherwise it is named.
    """

    action: str
    name: Reference
    revision: int = 0
    images: Mapping[str, str] = field(default_factory=dict)
    replicas: int | None = None
    change_cause: str = ""
    delete_blocking_pods: bool = True


@dataclass(frozen=True)
class Change:
    """One patch of a workload.

    :ivar patch: C(strategic), C(merge) or C(json).
    :ivar content: the patch.
    :ivar what: what it does, as a predicate that follows the workload's name.
    """

    patch: str
    content: Any
    what: str


def option_problems(options: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with the options, before any request is sent.

    :param options: the module's options, by name.
    """
    action, kind = options["action"], options["kind"]
    problems = []
    for name, actions in ONLY_FOR.items():
        if options.get(name) not in (None, "", {}, 0) and action not in actions:
            problems.append(f"{name}: not applicable to action {action}, only to {' and '.join(actions)}.")
    needed = NEEDED.get(action)
    if needed and options.get(needed) in (None, {}):
        problems.append(f"{needed}: required by action {action}.")
    if (options.get("revision") or 0) < 0:
        problems.append(
            f"revision: {options['revision']} is not a valid revision; revisions start at 1, and 0 is the previous one."
        )
    if (options.get("replicas") or 0) < 0:
        problems.append(f"replicas: {options['replicas']} is not a valid number of pods; the minimum is 0.")
    for container, image in (options.get("images") or {}).items():
        if not isinstance(image, str) or not IMAGE.fullmatch(image):
            problems.append(
                f"images.{container}: {image!r} is not a valid image name. The format is registry.example.com/path/name:tag, with a lowercase path."
            )
    if action in ("pause", "resume") and kind != "Deployment":
        problems.append(f"action: a {kind} cannot be paused; only a Deployment can.")
    if action == "scale" and kind == "DaemonSet":
        problems.append(
            "action: a DaemonSet cannot be scaled, as it runs one pod on every selected node; change its nodeSelector instead."
        )
    return problems


def plan_change(
    request: Request, workload: Mapping[str, Any], revisions: Sequence[WorkloadRevision], now: str
) -> Change | None:
    """Return the change that performs the action; None if the workload is already in the desired state.

    :param workload: the live object.
    :param revisions: from :func:`history.revisions_of`.
    :param now: the current time, in RFC 3339 format.
    :raises RolloutError: the action is not possible.
    """
    if request.action in READ_ONLY:
        return None
    if request.action == "undo":
        return _undo(request, workload, revisions)
    if request.action == "restart":
        return _restart(request, workload, now)
    if request.action == "set_image":
        return _set_image(request, workload)
    if request.action == "scale":
        return _scale(request, workload)
    pause = request.action == "pause"
    if is_paused(workload) == pause:
        return None
    return Change("merge", {"spec": {"paused": pause or None}}, "is paused" if pause else "is resumed")


def _undo(request: Request, workload: Mapping[str, Any], revisions: Sequence[WorkloadRevision]) -> Change | None:
    _refuse_paused(request, workload)
    target = find(revisions, request.revision, workload) if request.revision else previous(revisions)
    if target is None:
        raise RolloutError(_no_revision(request, workload, revisions))
    if target.current or same_template(target.template, workload["spec"]["template"]):
        return None
    annotations: dict[str, str | None] = {CHANGE_CAUSE: request.change_cause or target.cause or None}
    if request.name.kind != "Deployment" and request.revision:
        existing = {one.name for one in revisions}
        noted = {number: name for number, name in undone_to(workload).items() if name in existing}
        annotations[UNDONE_TO] = json.dumps(dict(noted, **{str(request.revision): target.name}), sort_keys=True)
    content = [
        # If the workload has changed since it was read, the server responds with Conflict.
        {"op": "replace", "path": "/metadata/resourceVersion", "value": workload["metadata"]["resourceVersion"]},
        {"op": "replace", "path": "/spec/template", "value": target.template},
    ] + _annotate(workload, annotations)
    return Change("json", content, f"is rolled back to revision {target.number} ({list_images(target.template)})")


def _restart(request: Request, workload: Mapping[str, Any], now: str) -> Change:
    _refuse_paused(request, workload)
    template = {"metadata": {"annotations": {RESTARTED_AT: now}}}
    return Change("strategic", _new_revision(request, workload, template), "is restarted")


def _set_image(request: Request, workload: Mapping[str, Any]) -> Change | None:
    template = workload["spec"]["template"]
    have = images_of(template)
    unknown = [name for name in request.images if name not in have]
    if unknown:
        raise RolloutError("\n".join(_no_container(request, name, have) for name in unknown))
    changed = {name: image for name, image in request.images.items() if have[name] != image}
    cause = ((workload.get("metadata") or {}).get("annotations") or {}).get(CHANGE_CAUSE)
    if not changed and (not request.change_cause or cause == request.change_cause):
        return None
    spec = {}
    for section in ("initContainers", "containers"):
        parts = [
            {"name": one["name"], "image": changed[one["name"]]}
            for one in template["spec"].get(section) or []
            if one["name"] in changed
        ]
        if parts:
            spec[section] = parts
    what = ", ".join(f"{name}: {have[name]} -> {image}" for name, image in changed.items())
    content = _new_revision(request, workload, {"spec": spec} if spec else {})
    return Change("strategic", content, f"gets new images ({what})" if what else "gets a new change cause")


def _scale(request: Request, workload: Mapping[str, Any]) -> Change | None:
    have = workload["spec"].get("replicas", 1)
    if have == request.replicas:
        return None
    content = {"spec": {"replicas": request.replicas}}
    return Change("merge", content, f"is scaled from {have} to {request.replicas or 0}")


def is_paused(workload: Mapping[str, Any]) -> bool:
    """Return whether a workload is a Deployment whose rollout is paused."""
    return bool((workload.get("spec") or {}).get("paused"))


def list_images(template: Mapping[str, Any]) -> str:
    """List the images of a pod template for a sentence."""
    return ", ".join(images_of(template).values()) or "no image"


def warnings_for(request: Request, workload: Mapping[str, Any], autoscalers: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return warnings about what will revert a change, or prevents its rollout.

    :param autoscalers: the HorizontalPodAutoscalers of the namespace.
    """
    found = []
    metadata, spec = workload.get("metadata") or {}, workload.get("spec") or {}
    release = (metadata.get("labels") or {}).get(RELEASE)
    if release and request.action in ("undo", "set_image", "scale"):
        found.append(
            f"{request.name} belongs to release {release}, whose next run applies its manifests again. Change the manifests as well."
        )
    for scaler in autoscalers if request.action == "scale" else []:
        target = (scaler.get("spec") or {}).get("scaleTargetRef") or {}
        if (target.get("kind"), target.get("name")) == (request.name.kind, request.name.name):
            limits = scaler["spec"]
            found.append(
                f"HorizontalPodAutoscaler {scaler['metadata']['name']} scales {request.name} between {limits.get('minReplicas', 1)} and "
                f"{limits.get('maxReplicas')} and will set another number. Change its limits instead."
            )
    on_delete = (spec.get("updateStrategy") or {}).get("type") == "OnDelete"
    if on_delete and request.action in ("undo", "restart", "set_image"):
        found.append(
            f"{request.name} has the update strategy OnDelete: its pods are replaced only when they are deleted."
        )
    if is_paused(workload) and request.action == "set_image":
        found.append(f"{request.name} is paused: the change is rolled out after action resume.")
    return found


def _refuse_paused(request: Request, workload: Mapping[str, Any]) -> None:
    if is_paused(workload):
        raise RolloutError(
            f"{request.name} is paused, so action {request.action} would not affect any running pod. Run action resume first. [slipway:rollout_paused]"
        )


def _new_revision(request: Request, workload: Mapping[str, Any], template: Mapping[str, Any]) -> dict[str, Any]:
    """Return a patch of the template; the change cause of the last revision does not apply to the next one."""
    metadata: dict[str, Any] = {"resourceVersion": workload["metadata"]["resourceVersion"]}
    had = (workload["metadata"].get("annotations") or {}).get(CHANGE_CAUSE)
    if request.change_cause or had:
        metadata["annotations"] = {CHANGE_CAUSE: request.change_cause or None}
    return {"metadata": metadata, "spec": {"template": dict(template)}} if template else {"metadata": metadata}


def _annotate(workload: Mapping[str, Any], desired: Mapping[str, str | None]) -> list[dict[str, Any]]:
    have = (workload.get("metadata") or {}).get("annotations") or {}
    operations: list[dict[str, Any]] = []
    for key, value in desired.items():
        path = "/metadata/annotations/" + key.replace("~", "~0").replace("/", "~1")
        if value is None:
            operations += [{"op": "remove", "path": path}] if key in have else []
        else:
            operations.append({"op": "add", "path": path, "value": value})
    if not have and any(operation["op"] == "add" for operation in operations):
        operations.insert(0, {"op": "add", "path": "/metadata/annotations", "value": {}})
    return operations


def _no_revision(request: Request, workload: Mapping[str, Any], revisions: Sequence[WorkloadRevision]) -> str:
    if not request.revision:
        now = current(revisions)
        number = f" ({now.number})" if now else ""
        return (
            f"{request.name} has no revision before the current one{number}, so there is nothing to roll back to. "
            "Set the desired image, for example with action set_image. [slipway:revision_missing]"
        )
    existing = ", ".join(f"{one.number} ({list_images(one.template)})" for one in revisions) or "none"
    limit = (workload.get("spec") or {}).get("revisionHistoryLimit", 10)
    return (
        f"{request.name} has no revision {request.revision}; it has {existing}. Specify one of these; "
        f"spec.revisionHistoryLimit ({limit}) sets how many are kept. [slipway:revision_missing]"
    )


def _no_container(request: Request, name: str, have: Mapping[str, str]) -> str:
    near = difflib.get_close_matches(name, list(have), 1)
    hint = f"Did you mean {near[0]}?" if near else "Specify one of these."
    return f"images.{name}: {request.name} has no container of this name; it has {', '.join(have)}. {hint} [slipway:container_missing]"


def manager(action: str) -> str:
    """Return the field manager of an action."""
    return STATE_MANAGER if action in KEPT else MANAGER


def return_fields(action: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the JSON patch that returns fields to the manager that applies manifests, empty if there is nothing to return.

    :param before: the workload before the change. :param after: the server's response to the change.
    """
    had, has = owned_fields(before), owned_fields(after)
    if action in KEPT or not had:
        return []
    # A restored template belongs to the applying manager as a whole; otherwise only the fields that were taken from it.
    if action != "undo" and not subtract(had, has):
        return []
    return migration(after, [MANAGER])
