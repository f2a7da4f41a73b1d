# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be said of objects without a cluster: that they are objects, each once, and which of them are hooks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...module_utils._kube.schema import undecodable
from .hooks import HOOK, JOB, WHEN, annotations_of

HELM_HOOK, HELM_WEIGHT = "helm.sh/hook", "helm.sh/hook-weight"
# https://helm.sh/docs/topics/charts_hooks/: what a hook of a chart is here.
HELM = {
    "pre-install": "pre",
    "pre-upgrade": "pre",
    "post-install": "post",
    "post-upgrade": "post",
    "crd-install": "object",
}
BUILT_IN_GROUP = re.compile(r"[^.]*|.*\.k8s\.io")
# https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#path-segment-names
NO_SEGMENT = re.compile(r"\.|\.\.|.*[/%].*", re.DOTALL)
BLANK = re.compile(r"[\s\x00-\x1f\x7f]")
# Roles and their bindings are the only objects whose names may have blanks.
BLANK_NAMES = "rbac.authorization.k8s.io"
DEFINITION = "CustomResourceDefinition"
# What is looked into before the server sees it, by kind: mappings with the fields looked at, lists of such, and texts
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
    """An object, and where it is written."""

    content: Any
    origin: str

    def __str__(self) -> str:
        """Name the object for a message."""
        metadata = self.content.get("metadata") if isinstance(self.content, dict) else None
        name = metadata.get("name") if isinstance(metadata, dict) else None
        kind = self.content.get("kind") if isinstance(self.content, dict) else None
        named = " ".join(str(part) for part in (kind, name) if part)
        return f"{self.origin}: {named}" if named else self.origin


def opened(sources: Iterable[Source]) -> Iterator[Source]:
    """Give the objects of lists (C(kind: List)) one by one, and leave out what is empty."""
    for source in sources:
        content = source.content
        if content is None or content == {}:
            continue
        items = content.get("items") if isinstance(content, dict) else None
        if isinstance(items, list) and str(content.get("kind") or "").endswith("List"):
            yield from opened(Source(item, f"{source.origin}, item {number}") for number, item in enumerate(items, 1))
        else:
            yield source


def check(sources: Sequence[Source], namespace: str) -> Iterator[str]:
    """Tell what is wrong: no object, no name, values of the wrong type, Secrets that are not base64, two of one name.

    :param namespace: where objects live that name no namespace.
    """
    seen: dict[tuple[str, str, str, str], Source] = {}
    for source in sources:
        wrong = list(_wrong(source))
        yield from wrong
        if wrong:
            continue
        content = source.content
        metadata = content["metadata"]
        group = content["apiVersion"].rpartition("/")[0]
        identity = (group, content["kind"], metadata.get("namespace") or namespace, metadata["name"])
        if identity in seen:
            yield f"{source} is also in {seen[identity].origin}. Keep one of them."
        seen.setdefault(identity, source)


def _wrong(source: Source) -> Iterator[str]:
    content = source.content
    if not isinstance(content, dict):
        yield f"{source.origin}: this is {_called(content)}, not an object."
        return
    for key in ("apiVersion", "kind"):
        if not isinstance(content.get(key), str) or not content[key]:
            what = (
                f"lacks {key}" if content.get(key) in (None, "") else f"has {_called(content[key])} in {key}, not text"
            )
            yield f"{source}: the object {what}."
    metadata = content.get("metadata")
    if not isinstance(metadata, dict):
        yield f"{source}: the object lacks metadata.name."
        return
    if not metadata.get("name"):
        remedy = (
            " (a release needs to know its objects again: generateName cannot be used)"
            if metadata.get("generateName")
            else ""
        )
        yield f"{source}: the object lacks metadata.name{remedy}."
    for key in ("name", "namespace"):
        if metadata.get(key) is not None and not isinstance(metadata[key], str):
            yield f"{source}: metadata.{key} is {_called(metadata[key])}, not text. Put it into quotes."
        elif metadata.get(key):
            yield from _segment(source, key, metadata[key])
    for key in ("labels", "annotations"):
        yield from _texts(source, "metadata." + key, metadata.get(key))
    if content.get("kind") == "Secret" and content.get("apiVersion") == "v1":
        yield from _secret(source)
    if content.get("kind") == "ConfigMap" and content.get("apiVersion") == "v1":
        yield from _texts(source, "data", content.get("data"))
    yield from _spec(source)
    yield from _hook(source)


def _group(source: Source) -> str:
    return str(source.content.get("apiVersion") or "").rpartition("/")[0]


def _segment(source: Source, key: str, name: str) -> Iterator[str]:
    """Tell of a name that cannot be one segment of the path of an object."""
    may_have_blanks = key == "name" and _group(source) == BLANK_NAMES
    if NO_SEGMENT.fullmatch(name) or (BLANK.search(name) and not may_have_blanks):
        yield (
            f"{source}: metadata.{key} is {name!r}, which cannot be in a path of the API. "
            "Use a name without blanks, '/' and '%' that is neither '.' nor '..'."
        )


def _spec(source: Source) -> Iterator[str]:
    kind, spec = source.content.get("kind"), source.content.get("spec")
    if not isinstance(kind, str) or kind not in SPECS or not BUILT_IN_GROUP.fullmatch(_group(source)):
        return
    spec = {} if spec is None else spec
    yield from _shape(source, "spec", spec, SPECS[kind])
    if kind == DEFINITION and isinstance(spec, dict):
        names, versions = spec.get("names"), spec.get("versions")
        yield from _lacking(source, "spec", spec, ("group", "versions"))
        yield from _lacking(source, "spec.names", {} if names is None else names, ("kind", "plural"))
        for number, version in enumerate(versions if isinstance(versions, list) else []):
            yield from _lacking(source, f"spec.versions[{number}]", version, ("name",))


def _shape(source: Source, path: str, value: Any, shape: Any) -> Iterator[str]:
    """Tell which values are not of the type that they have in a shape (see SPECS)."""
    if not isinstance(value, type(shape)):
        remedy = " Put it into quotes." if isinstance(shape, str) else ""
        yield f"{source}: {path} is {_called(value)}, not {_called(shape)}.{remedy}"
    elif isinstance(shape, list):
        for number, item in enumerate(value):
            yield from _shape(source, f"{path}[{number}]", item, shape[0])
    elif isinstance(shape, dict):
        for key, inner in shape.items():
            if value.get(key) is not None:
                yield from _shape(source, f"{path}.{key}", value[key], inner)


def _lacking(source: Source, path: str, part: Any, keys: Iterable[str]) -> Iterator[str]:
    for key in keys if isinstance(part, dict) else ():
        if part.get(key) in (None, "", []):
            yield f"{source}: the object lacks {path}.{key}."


def _texts(source: Source, path: str, values: Any) -> Iterator[str]:
    if values is None:
        return
    if not isinstance(values, dict):
        yield f"{source}: {path} is {_called(values)}, not a mapping."
        return
    for key, value in values.items():
        if value is not None and not isinstance(value, str):
            yield f"{source}: {path}.{key} is {_called(value)}, not text. Put it into quotes."


def _secret(source: Source) -> Iterator[str]:
    """Secrets: https://kubernetes.io/docs/concepts/configuration/secret/#restriction-names-data. No value is told."""
    yield from _texts(source, "data", source.content.get("data"))
    yield from _texts(source, "stringData", source.content.get("stringData"))
    for path, wrong in undecodable(source.content):
        yield f"{source}: {path} {wrong}."


def _hook(source: Source) -> Iterator[str]:
    annotations = annotations_of(source.content) if isinstance(source.content.get("metadata"), dict) else {}
    when = annotations.get(HOOK) if isinstance(annotations, dict) else None
    if when is None:
        return
    if when not in WHEN:
        yield f"{source}: the annotation {HOOK} is {when!r}; it is one of {', '.join(WHEN)}."
    elif source.content.get("kind") != JOB:
        yield f"{source}: the annotation {HOOK} is for Jobs; what a hook needs is applied before it."


def _called(value: Any) -> str:
    names = {bool: "a truth value", int: "a number", float: "a number", str: "text", list: "a list", dict: "a mapping"}
    return "nothing" if value is None else names.get(type(value), type(value).__name__)


def sort_out(sources: Sequence[Source]) -> tuple[list[dict[str, Any]], dict[str, list[dict[str, Any]]], list[str]]:
    """Tell objects from hooks, those of charts included.

    :returns: objects, hooks by C(pre) and C(post), and warnings of what was left out.
    """
    objects: list[dict[str, Any]] = []
    hooks: dict[str, list[dict[str, Any]]] = {when: [] for when in WHEN}
    weighed: dict[str, list[tuple[int, int, dict[str, Any]]]] = {when: [] for when in WHEN}
    left_out: list[str] = []
    for position, source in enumerate(sources):
        content = source.content
        annotations = annotations_of(content)
        if annotations.get(HOOK):
            hooks[annotations[HOOK]].append(content)
            continue
        if HELM_HOOK not in annotations:
            objects.append(content)
            continue
        events = [event.strip() for event in str(annotations[HELM_HOOK]).split(",")]
        meant = list(dict.fromkeys(HELM[event] for event in events if event in HELM))
        if not meant:
            if not all(event.startswith("test") for event in events):
                left_out.append(f"{source} ({', '.join(events)})")
        elif "object" in meant:
            objects.append(content)
        for when in (one for one in meant if one in weighed):
            if content["kind"] == JOB:
                # Marked, so that a Job for both times is two Jobs.
                metadata = dict(content["metadata"], annotations=dict(annotations, **{HOOK: when}))
                weighed[when].append((_weight(annotations), position, dict(content, metadata=metadata)))
            elif when == meant[0]:
                weighed[when].append((_weight(annotations), position, content))
    for when in WHEN:
        # Helm's order: the weight, then what others need before what needs it.
        rows = sorted(weighed[when], key=lambda row: (row[0], row[2]["kind"] == JOB, row[1]))
        hooks[when] += [content for _weight_of, _position, content in rows]
    warnings = []
    if left_out:
        warnings.append(f"Hooks of the chart that have no place in a release are left out: {'; '.join(left_out)}.")
    return objects, hooks, warnings


def _weight(annotations: Mapping[str, Any]) -> int:
    try:
        return int(annotations.get(HELM_WEIGHT) or 0)
    except ValueError:
        return 0
