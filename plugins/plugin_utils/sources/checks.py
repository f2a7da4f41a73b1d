# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of objects that need no cluster, and the separation of hooks from objects."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...module_utils._kube.objects import item_of
from ...module_utils._kube.schema import undecodable
from ..errors import type_name
from ..hooks import HOOK, JOB, WHEN, annotations_of

HELM_HOOK, HELM_WEIGHT = "helm.sh/hook", "helm.sh/hook-weight"
# What a release makes of the hooks of a chart (https://helm.sh/docs/topics/charts_hooks/).
HELM = {
    "pre-install": "pre",
    "pre-upgrade": "pre",
    "post-install": "post",
    "post-upgrade": "post",
    "pre-rollback": "pre-rollback",
    "post-rollback": "post-rollback",
    "pre-delete": "pre-delete",
    "post-delete": "post-delete",
    "crd-install": "object",
}
BUILT_IN_GROUP = re.compile(r"[^.]*|.*\.k8s\.io")
# https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#path-segment-names
NOT_A_SEGMENT = re.compile(r"\.|\.\.|.*[/%].*", re.DOTALL)
WHITESPACE = re.compile(r"[\s\x00-\x1f\x7f]")
# Only the names of roles and their bindings may contain whitespace.
RBAC = "rbac.authorization.k8s.io"
DEFINITION = "CustomResourceDefinition"
QUOTE = "Enclose it in quotes."
# The types of fields that this collection reads itself, by kind: mappings with these fields, lists of them, and strings
# (https://kubernetes.io/docs/reference/kubernetes-api/).
POD: dict[str, Any] = {"nodeSelector": {}, "priorityClassName": "", "runtimeClassName": ""}
WORKLOAD: dict[str, Any] = {"template": {"metadata": {}, "spec": POD}}
CLAIM: dict[str, Any] = {"storageClassName": "", "volumeName": ""}
SPECS: dict[str, dict[str, Any]] = {
    "Pod": POD,
    **dict.fromkeys(("ReplicationController", "ReplicaSet", "Deployment", "DaemonSet", "Job"), WORKLOAD),
    "StatefulSet": {**WORKLOAD, "volumeClaimTemplates": [{"spec": CLAIM}]},
    "CronJob": {"jobTemplate": {"spec": WORKLOAD}},
    "Service": {},
    "Ingress": {},
    "PersistentVolume": {},
    "PersistentVolumeClaim": CLAIM,
    "HorizontalPodAutoscaler": {"scaleTargetRef": {}, "metrics": [{"type": ""}]},
    DEFINITION: {"group": "", "names": {"kind": "", "plural": ""}, "versions": [{"name": "", "schema": {}}]},
}


@dataclass(frozen=True)
class Source:
    """An object and its origin."""

    content: Any
    origin: str

    def __str__(self) -> str:
        """Return the object's origin, kind and name for a message."""
        metadata = self.content.get("metadata") if isinstance(self.content, dict) else None
        name = metadata.get("name") if isinstance(metadata, dict) else None
        kind = self.content.get("kind") if isinstance(self.content, dict) else None
        named = " ".join(str(part) for part in (kind, name) if part)
        return f"{self.origin}: {named}" if named else self.origin


def unwrap_lists(sources: Iterable[Source]) -> Iterator[Source]:
    """Return the items of lists (C(kind: List)) one by one, and leave out empty objects."""
    for source in sources:
        content = source.content
        if content is None or content == {}:
            continue
        items = content.get("items") if isinstance(content, dict) else None
        if isinstance(items, list) and str(content.get("kind") or "").endswith("List"):
            yield from unwrap_lists(
                Source(item_of(content, item), f"{source.origin}, item {number}")
                for number, item in enumerate(items, 1)
            )
        else:
            yield source


def check(sources: Sequence[Source], namespace: str) -> Iterator[str]:
    """Return what is wrong: missing names, values of the wrong type, Secrets that are not base64, duplicate objects.

    :param namespace: namespace of the objects that do not name one.
    """
    seen: dict[tuple[str, str, str, str], dict[str, Source]] = {}
    for source in sources:
        problems = list(_problems(source))
        yield from problems
        if problems:
            continue
        content = source.content
        metadata = content["metadata"]
        group = content["apiVersion"].rpartition("/")[0]
        identity = (group, content["kind"], metadata.get("namespace") or namespace, metadata["name"])
        others = seen.setdefault(identity, {})
        same = next((others[event] for event in _events(content) if event in others), None)
        if same is not None:
            yield f"{source} is already defined in {same.origin}. Keep one of them."
        others.update(dict.fromkeys(_events(content), source))


def _events(content: Mapping[str, Any]) -> set[str]:
    """Return the events of a chart of which an object is a hook, all of them if it is none: hooks of different events may have one name."""
    annotations = annotations_of(content)
    listed = set(helm_events(annotations)) if HELM_HOOK in annotations else {"crd-install"}
    when = annotations.get(HOOK)
    if when:
        return {event for event, phase in HELM.items() if phase == when}
    return {*HELM, *listed} if "crd-install" in listed else listed


def helm_events(annotations: Mapping[str, Any]) -> list[str]:
    """Return the events of a hook of a chart."""
    return [event.strip() for event in str(annotations[HELM_HOOK]).split(",")]


def _problems(source: Source) -> Iterator[str]:
    content = source.content
    if not isinstance(content, dict):
        yield f"{source.origin}: must be an object, not {type_name(content)}."
        return
    for key in ("apiVersion", "kind"):
        if not isinstance(content.get(key), str) or not content[key]:
            value = content.get(key)
            problem = "is required" if value in (None, "") else f"must be a string, not {type_name(value)}"
            yield f"{source}: {key} {problem}."
    metadata = content.get("metadata")
    if not isinstance(metadata, dict):
        yield f"{source}: metadata.name is required."
        return
    if not metadata.get("name"):
        hint = (
            " generateName is not supported, because a release must find its objects again."
            if metadata.get("generateName")
            else ""
        )
        yield f"{source}: metadata.name is required.{hint}"
    for key in ("name", "namespace"):
        if metadata.get(key) is not None and not isinstance(metadata[key], str):
            yield f"{source}: metadata.{key} must be a string, not {type_name(metadata[key])}. {QUOTE}"
        elif metadata.get(key):
            yield from _segment(source, key, metadata[key])
    for key in ("labels", "annotations"):
        yield from _strings(source, f"metadata.{key}", metadata.get(key))
    if content.get("kind") == "Secret" and content.get("apiVersion") == "v1":
        yield from _secret(source)
    if content.get("kind") == "ConfigMap" and content.get("apiVersion") == "v1":
        yield from _strings(source, "data", content.get("data"))
    yield from _spec(source)
    yield from _hook(source)


def _group(source: Source) -> str:
    return str(source.content.get("apiVersion") or "").rpartition("/")[0]


def _segment(source: Source, key: str, name: str) -> Iterator[str]:
    """Check that a name can be a segment of a path of the API."""
    may_have_whitespace = key == "name" and _group(source) == RBAC
    if NOT_A_SEGMENT.fullmatch(name) or (WHITESPACE.search(name) and not may_have_whitespace):
        yield (
            f"{source}: metadata.{key} {name!r} cannot be part of a path of the API. "
            "Use a name without whitespace, '/' and '%' that is neither '.' nor '..'."
        )


def _spec(source: Source) -> Iterator[str]:
    kind, spec = source.content.get("kind"), source.content.get("spec")
    if not isinstance(kind, str) or kind not in SPECS or not BUILT_IN_GROUP.fullmatch(_group(source)):
        return
    spec = {} if spec is None else spec
    yield from _shape(source, "spec", spec, SPECS[kind])
    if kind == DEFINITION and isinstance(spec, dict):
        names, versions = spec.get("names"), spec.get("versions")
        yield from _required(source, "spec", spec, ("group", "versions"))
        yield from _required(source, "spec.names", {} if names is None else names, ("kind", "plural"))
        for number, version in enumerate(versions if isinstance(versions, list) else []):
            yield from _required(source, f"spec.versions[{number}]", version, ("name",))


def _shape(source: Source, path: str, value: Any, shape: Any) -> Iterator[str]:
    """Check the types of values against a shape (see SPECS)."""
    if not isinstance(value, type(shape)):
        hint = f" {QUOTE}" if isinstance(shape, str) else ""
        yield f"{source}: {path} must be {type_name(shape)}, not {type_name(value)}.{hint}"
    elif isinstance(shape, list):
        for number, item in enumerate(value):
            yield from _shape(source, f"{path}[{number}]", item, shape[0])
    elif isinstance(shape, dict):
        for key, inner in shape.items():
            if value.get(key) is not None:
                yield from _shape(source, f"{path}.{key}", value[key], inner)


def _required(source: Source, path: str, part: Any, keys: Iterable[str]) -> Iterator[str]:
    for key in keys if isinstance(part, dict) else ():
        if part.get(key) in (None, "", []):
            yield f"{source}: {path}.{key} is required."


def _strings(source: Source, path: str, values: Any) -> Iterator[str]:
    if values is None:
        return
    if not isinstance(values, dict):
        yield f"{source}: {path} must be a mapping, not {type_name(values)}."
        return
    for key, value in values.items():
        if value is not None and not isinstance(value, str):
            yield f"{source}: {path}.{key} must be a string, not {type_name(value)}. {QUOTE}"


def _secret(source: Source) -> Iterator[str]:
    """Check the data of a Secret (https://kubernetes.io/docs/concepts/configuration/secret/#restriction-names-data)."""
    yield from _strings(source, "data", source.content.get("data"))
    yield from _strings(source, "stringData", source.content.get("stringData"))
    for path, problem in undecodable(source.content):
        yield f"{source}: {path} {problem}."


def _hook(source: Source) -> Iterator[str]:
    annotations = annotations_of(source.content) if isinstance(source.content.get("metadata"), dict) else {}
    when = annotations.get(HOOK) if isinstance(annotations, dict) else None
    if when is None:
        return
    if when not in WHEN:
        yield f"{source}: the annotation {HOOK} must be one of {', '.join(WHEN)}, not {when!r}."
    elif source.content.get("kind") != JOB:
        yield f"{source}: the annotation {HOOK} is supported only by a Job. Objects that a hook needs are applied before it without an annotation."


def separate_hooks(
    sources: Sequence[Source],
) -> tuple[list[dict[str, Any]], dict[str, list[dict[str, Any]]], list[str]]:
    """Separate hooks from objects, including the hooks of charts.

    :returns: objects, hooks by C(WHEN), and warnings about what is left out.
    """
    objects: list[dict[str, Any]] = []
    hooks: dict[str, list[dict[str, Any]]] = {when: [] for when in WHEN}
    weighted: dict[str, list[tuple[int, dict[str, Any]]]] = {when: [] for when in WHEN}
    left_out: list[str] = []
    for source in sources:
        content = source.content
        annotations = annotations_of(content)
        if annotations.get(HOOK):
            hooks[annotations[HOOK]].append(content)
            continue
        if HELM_HOOK not in annotations:
            objects.append(content)
            continue
        events = helm_events(annotations)
        meant = list(dict.fromkeys(HELM[event] for event in events if event in HELM))
        if not meant and not all(event.startswith("test") for event in events):
            left_out.append(f"{source} ({', '.join(events)})")
        elif "object" in meant:
            objects.append(content)
        for when in (one for one in meant if one in weighted):
            if content["kind"] == JOB:
                # The annotation makes two Jobs of one that runs both before and after.
                metadata = {**content["metadata"], "annotations": {**annotations, HOOK: when}}
                weighted[when].append((_weight(annotations), {**content, "metadata": metadata}))
            elif "object" not in meant:
                weighted[when].append((_weight(annotations), content))
    for when in WHEN:
        # Helm's order: by weight, and Jobs after the objects that they need. The sort is stable.
        rows = sorted(weighted[when], key=lambda row: (row[0], row[1]["kind"] == JOB))
        hooks[when] += [content for _weight_of_row, content in rows]
    warnings = [f"Hooks of the chart that a release does not support are ignored: {'; '.join(left_out)}."]
    return objects, hooks, warnings if left_out else []


def _weight(annotations: Mapping[str, Any]) -> int:
    try:
        return int(annotations.get(HELM_WEIGHT) or 0)
    except ValueError:
        return 0
