# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be changed of a workload so that an action is done: want and have go in, a patch comes out. Pure functions."""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import dataclass, field
from typing import Any, Mapping, Sequence

from .._kube.objects import Reference
from .history import CHANGE_CAUSE, UNDONE_TO, Revision, current, find, images_of, previous, same_template, undone_to

ACTIONS = ("status", "history", "undo", "restart", "pause", "resume", "set_image", "scale")
LOOKING = ("status", "history")
# kubectl rollout restart sets the same annotation.
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
# Options that mean something for some actions only; elsewhere they are a mistake.
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


class RolloutError(Exception):
    """An action cannot be done; the message lists every reason."""


@dataclass(frozen=True)
class Wanted:
    """What is asked for.

    :ivar action: one of :data:`ACTIONS`.
    :ivar revision: number to look at or to go back to, 0 for the one before.
    :ivar images: image by name of container.
    :ivar replicas: how many pods, None where that is not asked for.
    :ivar change_cause: what the new revision is to say of itself, empty for nothing.
    """

    action: str
    name: Reference
    revision: int = 0
    images: Mapping[str, str] = field(default_factory=dict)
    replicas: int | None = None
    change_cause: str = ""


@dataclass(frozen=True)
class Change:
    """One patch of a workload.

    :ivar patch: C(strategic), C(merge) or C(json).
    :ivar content: the patch.
    :ivar what: what it does, in words that follow the workload's name.
    """

    patch: str
    content: Any
    what: str


def option_problems(options: Mapping[str, Any]) -> list[str]:
    """Say what is wrong with the options before anything is asked of a cluster.

    :param options: the module's, by name.
    """
    action, kind = options["action"], options["kind"]
    problems = []
    for name, actions in ONLY_FOR.items():
        if options.get(name) not in (None, "", {}, 0) and action not in actions:
            problems.append(f"{name}: it means nothing with action {action}, only with {' and '.join(actions)}.")
    needed = NEEDED.get(action)
    if needed and options.get(needed) in (None, {}):
        problems.append(f"{needed}: action {action} needs it.")
    if (options.get("revision") or 0) < 0:
        problems.append(
            "revision: %d is no revision; they are counted from 1, and 0 is the one before." % options["revision"]
        )
    if (options.get("replicas") or 0) < 0:
        problems.append("replicas: %d pods cannot be; the least is 0." % options["replicas"])
    for container, image in (options.get("images") or {}).items():
        if not isinstance(image, str) or not IMAGE.fullmatch(image):
            problems.append(
                f"images.{container}: {image!r} is no name of an image. It has the form registry.example.com/path/name:tag, the path in lower case."
            )
    if action in ("pause", "resume") and kind != "Deployment":
        problems.append(f"action: a {kind} cannot be paused, only a Deployment can.")
    if action == "scale" and kind == "DaemonSet":
        problems.append(
            "action: a DaemonSet has one pod on every node that it selects; change its nodeSelector instead."
        )
    return problems


def plan(wanted: Wanted, workload: Mapping[str, Any], revisions: Sequence[Revision], now: str) -> Change | None:
    """Give the change that does the action, None where the workload is as wanted.

    :param workload: as the API server has it.
    :param revisions: from :func:`history.revisions_of`.
    :param now: the time, as the API writes times.
    :raises RolloutError: it cannot be done.
    """
    if wanted.action in LOOKING:
        return None
    if wanted.action == "undo":
        return _undo(wanted, workload, revisions)
    if wanted.action == "restart":
        return _restart(wanted, workload, now)
    if wanted.action == "set_image":
        return _set_image(wanted, workload)
    if wanted.action == "scale":
        return _scale(wanted, workload)
    return _pause(wanted, workload)


def _undo(wanted: Wanted, workload: Mapping[str, Any], revisions: Sequence[Revision]) -> Change | None:
    _refuse_paused(wanted, workload)
    target = find(revisions, wanted.revision, workload) if wanted.revision else previous(revisions)
    if target is None:
        raise RolloutError(_no_revision(wanted, workload, revisions))
    if target.current or same_template(target.template, workload["spec"]["template"]):
        return None
    annotations: dict[str, str | None] = {CHANGE_CAUSE: wanted.change_cause or target.cause or None}
    if wanted.name.kind != "Deployment" and wanted.revision:
        there = {one.name for one in revisions}
        noted = {number: name for number, name in undone_to(workload).items() if name in there}
        annotations[UNDONE_TO] = json.dumps(dict(noted, **{str(wanted.revision): target.name}), sort_keys=True)
    content = [
        # Another revision than the one that was looked at is not overwritten: the server answers Conflict.
        {"op": "replace", "path": "/metadata/resourceVersion", "value": workload["metadata"]["resourceVersion"]},
        {"op": "replace", "path": "/spec/template", "value": target.template},
    ] + _annotate(workload, annotations)
    return Change("json", content, f"goes back to revision {target.number} ({told_images(target.template)})")


def _restart(wanted: Wanted, workload: Mapping[str, Any], now: str) -> Change:
    _refuse_paused(wanted, workload)
    template = {"metadata": {"annotations": {RESTARTED_AT: now}}}
    return Change("strategic", _new_revision(wanted, workload, template), "is restarted")


def _set_image(wanted: Wanted, workload: Mapping[str, Any]) -> Change | None:
    template = workload["spec"]["template"]
    have = images_of(template)
    unknown = [name for name in wanted.images if name not in have]
    if unknown:
        raise RolloutError("\n".join(_no_container(wanted, name, have) for name in unknown))
    changed = {name: image for name, image in wanted.images.items() if have[name] != image}
    told = ((workload.get("metadata") or {}).get("annotations") or {}).get(CHANGE_CAUSE)
    if not changed and (not wanted.change_cause or told == wanted.change_cause):
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
    content = _new_revision(wanted, workload, {"spec": spec} if spec else {})
    return Change("strategic", content, "gets the image of " + what if what else "gets another change-cause")


def _scale(wanted: Wanted, workload: Mapping[str, Any]) -> Change | None:
    have = workload["spec"].get("replicas", 1)
    if have == wanted.replicas:
        return None
    content = {"spec": {"replicas": wanted.replicas}}
    return Change("merge", content, "is scaled from %d to %d" % (have, wanted.replicas or 0))


def _pause(wanted: Wanted, workload: Mapping[str, Any]) -> Change | None:
    pause = wanted.action == "pause"
    if paused(workload) == pause:
        return None
    return Change("merge", {"spec": {"paused": pause or None}}, "is paused" if pause else "goes on")


def paused(workload: Mapping[str, Any]) -> bool:
    """Whether a workload is a Deployment whose rollout is paused."""
    return bool((workload.get("spec") or {}).get("paused"))


def told_images(template: Mapping[str, Any]) -> str:
    """Name the images of a pod template in a sentence."""
    return ", ".join(images_of(template).values()) or "no image"


def cautions(wanted: Wanted, workload: Mapping[str, Any], autoscalers: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say what will undo a change, or keep it from being rolled.

    :param autoscalers: the HorizontalPodAutoscalers of the namespace.
    """
    found = []
    metadata, spec = workload.get("metadata") or {}, workload.get("spec") or {}
    release = (metadata.get("labels") or {}).get("slipway.kube/release")
    if release and wanted.action in ("undo", "set_image", "scale"):
        found.append(
            f"{wanted.name} belongs to release {release}, whose next run sets again what its manifests say. Change them too."
        )
    for scaler in autoscalers if wanted.action == "scale" else []:
        target = (scaler.get("spec") or {}).get("scaleTargetRef") or {}
        if (target.get("kind"), target.get("name")) == (wanted.name.kind, wanted.name.name):
            limits = scaler["spec"]
            found.append(
                "HorizontalPodAutoscaler {} scales {} between {} and {} and will set another number. Change its limits instead.".format(
                    scaler["metadata"]["name"], wanted.name, limits.get("minReplicas", 1), limits.get("maxReplicas")
                )
            )
    if (spec.get("updateStrategy") or {}).get("type") == "OnDelete" and wanted.action in (
        "undo",
        "restart",
        "set_image",
    ):
        found.append(
            f"{wanted.name} has the update strategy OnDelete: its pods stay as they are until somebody deletes them."
        )
    if paused(workload) and wanted.action == "set_image":
        found.append(f"{wanted.name} is paused: nothing is rolled before action resume.")
    return found


def _refuse_paused(wanted: Wanted, workload: Mapping[str, Any]) -> None:
    if paused(workload):
        raise RolloutError(
            f"{wanted.name} is paused, so action {wanted.action} would change nothing that runs. Let it go on first with action resume."
        )


def _new_revision(wanted: Wanted, workload: Mapping[str, Any], template: Mapping[str, Any]) -> dict[str, Any]:
    """A patch of the template; what the last revision said of its cause is not said of the next one."""
    metadata: dict[str, Any] = {"resourceVersion": workload["metadata"]["resourceVersion"]}
    had = (workload["metadata"].get("annotations") or {}).get(CHANGE_CAUSE)
    if wanted.change_cause or had:
        metadata["annotations"] = {CHANGE_CAUSE: wanted.change_cause or None}
    return {"metadata": metadata, "spec": {"template": dict(template)}} if template else {"metadata": metadata}


def _annotate(workload: Mapping[str, Any], wanted: Mapping[str, str | None]) -> list[dict[str, Any]]:
    have = (workload.get("metadata") or {}).get("annotations") or {}
    steps: list[dict[str, Any]] = []
    for key, value in wanted.items():
        path = "/metadata/annotations/" + key.replace("~", "~0").replace("/", "~1")
        if value is None:
            steps += [{"op": "remove", "path": path}] if key in have else []
        else:
            steps.append({"op": "add", "path": path, "value": value})
    if not have and any(step["op"] == "add" for step in steps):
        steps.insert(0, {"op": "add", "path": "/metadata/annotations", "value": {}})
    return steps


def _no_revision(wanted: Wanted, workload: Mapping[str, Any], revisions: Sequence[Revision]) -> str:
    there = ", ".join(f"{one.number} ({told_images(one.template)})" for one in revisions) or "none"
    if not wanted.revision:
        now = current(revisions)
        return (
            f"{wanted.name} has no revision before the current one{f' ({now.number})' if now else ''}, so there is nothing to go back to. "
            "Set what it should run, for example with action set_image."
        )
    limit = (workload.get("spec") or {}).get("revisionHistoryLimit", 10)
    return (
        "%s has no revision %d; it has %s. Name one of these; spec.revisionHistoryLimit (%s) says how many are kept."
        % (
            wanted.name,
            wanted.revision,
            there,
            limit,
        )
    )


def _no_container(wanted: Wanted, name: str, have: Mapping[str, str]) -> str:
    near = difflib.get_close_matches(name, list(have), 1)
    return "images.{}: {} has no container of this name; it has {}.{}".format(
        name,
        wanted.name,
        ", ".join(have),
        f" Did you mean {near[0]}?" if near else " Name one of these.",
    )
