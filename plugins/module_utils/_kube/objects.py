# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kubernetes objects as data: who they are, where they live, in which order they go, how two of them differ."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from typing import Any, Dict, Iterable, Mapping, Tuple
from urllib.parse import quote

Object = Dict[str, Any]

FIRST = ("Namespace", "CustomResourceDefinition")
# Who acts, what they may do, and what the server measures objects by when they come.
SECOND = (
    "ServiceAccount",
    "Role",
    "ClusterRole",
    "ResourceQuota",
    "LimitRange",
    "PriorityClass",
    "RuntimeClass",
    "StorageClass",
    "IngressClass",
    "PersistentVolume",
)
WORKLOADS = ("Pod", "ReplicationController", "ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob")
# These can refuse or route requests for other objects, so they come when what serves them has been sent.
LAST = (
    "APIService",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
    "ValidatingAdmissionPolicyBinding",
    "Ingress",
    "HorizontalPodAutoscaler",
)

# What the server notes on an object; none of it is content.
BOOKKEEPING = ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink")
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
# The controllers count revisions of a workload in the annotations beside kubectl's note.
COUNTED = (LAST_APPLIED, "deployment.kubernetes.io/revision", "deprecated.daemonset.template.generation")
MASK = "********"


class BadObject(Exception):
    """An object cannot be what a manifest means; the message lists every problem found."""


@dataclass(frozen=True)
class Reference:
    """The name of an object in the cluster; the namespace is empty for objects of the whole cluster."""

    api_version: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {'/'.join(filter(None, (self.namespace, self.name)))}"

    def as_dict(self) -> dict[str, str]:
        """Give the parts as a module returns them."""
        return {"api_version": self.api_version, "kind": self.kind, "namespace": self.namespace, "name": self.name}


@dataclass(frozen=True)
class Resource:
    """How the server serves a kind: the plural in its paths, and whether its objects live in namespaces."""

    plural: str
    namespaced: bool

    def path(self, reference: Reference) -> str:
        """Give the path of an object (https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris)."""
        return f"{self.collection(reference.api_version, reference.namespace)}/{_segment(reference.name)}"

    def collection(self, api_version: str, namespace: str) -> str:
        """Give the path of a collection."""
        root = ("/apis/" if "/" in api_version else "/api/") + quote(api_version)
        return root + (f"/namespaces/{_segment(namespace)}" if self.namespaced else "") + "/" + _segment(self.plural)


def _segment(name: str) -> str:
    # Names of roles have colons, which a path may have (RFC 3986, 3.3).
    return quote(name, safe=":")


Kinds = Dict[Tuple[str, str], Resource]


def reference(content: Mapping[str, Any]) -> Reference:
    """Name an object by its own content; what is no text is no name."""
    metadata = mapping(content.get("metadata"))
    parts = (content.get("apiVersion"), content.get("kind"), metadata.get("namespace"), metadata.get("name"))
    return Reference(*(part if isinstance(part, str) else "" for part in parts))


def flatten(contents: Iterable[Any]) -> list[Object]:
    """Give the objects of a manifest one by one: lists are opened, empty documents left out.

    :raises BadObject: something is no object, lacks its apiVersion, kind or name, or comes twice.
    """
    found: list[Object] = []
    problems: list[str] = []
    seen: dict[tuple[str, str, str, str], int] = {}
    todo: list[Any] = list(contents)
    position = 0
    while todo:
        content = todo.pop(0)
        if content is None or content == {}:
            continue
        if (
            isinstance(content, dict)
            and str(content.get("kind", "")).endswith("List")
            and isinstance(content.get("items"), list)
        ):
            todo = content["items"] + todo
            continue
        position += 1
        if not isinstance(content, dict):
            problems.append("Object %d is %s, not a mapping." % (position, type(content).__name__))
            continue
        name = reference(content)
        wrong = _nameless(content)
        if wrong:
            problems += ["Object %d (%s) %s." % (position, name, text) for text in wrong]
            continue
        identity = (name.api_version.rpartition("/")[0], name.kind, name.namespace, name.name)
        if identity in seen:
            problems.append("Objects %d and %d are both %s." % (seen[identity], position, name))
        seen[identity] = position
        found.append(content)
    if problems:
        raise BadObject("\n".join(problems))
    return found


def _nameless(content: Mapping[str, Any]) -> list[str]:
    """Say why an object has no name: what it lacks, and what is not what a name is made of."""
    given = content.get("metadata")
    metadata = mapping(given)
    parts = [("apiVersion", content.get("apiVersion")), ("kind", content.get("kind"))]
    parts.append(("metadata.name", metadata.get("name")))
    missing = [key for key, value in parts if value is None or value == ""]
    wrong = [f"lacks {', '.join(missing)}"] if missing else []
    texts = [(key, value) for key, value in parts if key not in missing]
    if metadata.get("namespace") is not None:
        texts.append(("metadata.namespace", metadata["namespace"]))
    wrong += [f"has {type(value).__name__} in {key}, not text" for key, value in texts if not isinstance(value, str)]
    if given is not None and not isinstance(given, Mapping):
        wrong.append(f"has {type(given).__name__} in metadata, not a mapping")
    return wrong


def read_discovery(documents: Iterable[Mapping[str, Any]]) -> Kinds:
    """Read which kinds the server serves (apidiscovery.k8s.io/v2 C(APIGroupDiscoveryList))."""
    kinds: Kinds = {}
    for document in documents:
        for group in document.get("items") or []:
            name = (group.get("metadata") or {}).get("name") or ""
            for version in group.get("versions") or []:
                api_version = "/".join(filter(None, (name, version["version"])))
                for served in version.get("resources") or []:
                    kind = (served.get("responseKind") or {}).get("kind")
                    if kind:
                        kinds[(api_version, kind)] = Resource(served["resource"], served.get("scope") == "Namespaced")
    return kinds


def defined_kinds(contents: Iterable[Mapping[str, Any]]) -> Kinds:
    """Read which kinds the CustomResourceDefinitions among some objects define; one that is not whole defines none."""
    kinds: Kinds = {}
    for content in contents:
        if content.get("kind") == "CustomResourceDefinition":
            spec = mapping(content.get("spec"))
            names = mapping(spec.get("names"))
            for version in mappings(spec.get("versions")):
                parts = (spec.get("group"), version.get("name"), names.get("kind"), names.get("plural"))
                whole = [part for part in parts if part and isinstance(part, str)]
                if len(whole) == len(parts):
                    group, number, kind, plural = whole
                    kinds[(f"{group}/{number}", kind)] = Resource(plural, spec.get("scope") == "Namespaced")
    return kinds


def mapping(value: Any) -> Mapping[str, Any]:
    """Give a value of an object that nobody has looked at yet where it is a mapping, and an empty one otherwise."""
    return value if isinstance(value, Mapping) else {}


def mappings(value: Any) -> list[dict[str, Any]]:
    """Give the mappings in a list, and nothing where it is none."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def place(contents: Iterable[Object], kinds: Kinds, namespace: str) -> list[Object]:
    """Give every object the namespace it belongs to, and none to those of the whole cluster.

    :param namespace: where objects live that name none.
    :raises BadObject: a kind is not served, neither now nor after the definitions among the objects.
    """
    placed: list[Object] = []
    problems: list[str] = []
    for content in contents:
        name = reference(content)
        resource = kinds.get((name.api_version, name.kind))
        if resource is None:
            served = sorted(version for version, kind in kinds if kind == name.kind)
            remedy = (
                f"it serves this kind as {', '.join(served)}" if served else "its CustomResourceDefinition is missing"
            )
            problems.append(f"{name}: the cluster serves no kind {name.kind} of {name.api_version}; {remedy}.")
            continue
        metadata = {key: value for key, value in content["metadata"].items() if key != "namespace"}
        if resource.namespaced:
            metadata["namespace"] = name.namespace or namespace
        placed.append(dict(content, metadata=metadata))
    if problems:
        raise BadObject("\n".join(problems))
    return placed


def stages(contents: Iterable[Object]) -> list[list[Object]]:
    """Sort objects into stages, each of which may be sent at once.

    They are what others need to exist; accounts, roles and classes; settings; workloads; then what governs requests, and
    custom resources, whose webhooks the workloads before may serve.
    """
    sorted_in: list[list[Object]] = [[], [], [], [], []]
    for content in contents:
        sorted_in[_stage(content)].append(content)
    return [stage for stage in sorted_in if stage]


def _stage(content: Mapping[str, Any]) -> int:
    kind = content.get("kind")
    group = str(content.get("apiVersion") or "").rpartition("/")[0]
    if kind in FIRST:
        return 0
    if kind in LAST or ("." in group and not group.endswith(".k8s.io")):
        return 4
    return 1 if kind in SECOND else 3 if kind in WORKLOADS else 2


def content_of(live: Mapping[str, Any] | None) -> Object:
    """Reduce an object to what people wrote or would read: no status, no bookkeeping of the server.

    The parts are those of the object, not copies of them.
    """
    if not live:
        return {}
    content = {key: value for key, value in live.items() if key != "status"}
    metadata = {key: value for key, value in mapping(live.get("metadata")).items() if key not in BOOKKEEPING}
    if isinstance(metadata.get("annotations"), Mapping):
        metadata["annotations"] = {key: value for key, value in metadata["annotations"].items() if key not in COUNTED}
    if not metadata.get("annotations"):
        metadata.pop("annotations", None)
    if metadata or "metadata" in content:
        content["metadata"] = metadata
    return content


def showable(before: Object, after: Object) -> tuple[Object, Object]:
    """Prepare two contents for a diff: no value of a Secret is shown, only whether it differs."""
    shown = (copy.deepcopy(before), copy.deepcopy(after))
    if "Secret" in (before.get("kind"), after.get("kind")):
        for section in ("data", "stringData"):
            old, new = mapping(before.get(section)), mapping(after.get(section))
            for side, word, other in ((shown[0], "before", new), (shown[1], "after", old)):
                if side.get(section) and not isinstance(side[section], dict):
                    side[section] = MASK  # the server refuses it; it is secret all the same
                for key, value in mapping(side.get(section)).items():
                    side[section][key] = MASK if other.get(key) == value else f"{MASK} ({word})"
    for side in shown:
        if side.get("kind") == "CustomResourceDefinition" and not (before and after):
            _shorten_schemas(side)
    return shown


def difference(name: Reference, before: Object, after: Object) -> dict[str, Any]:
    """Give Ansible's diff of one object; the callback writes mappings in the user's format."""
    old, new = showable(before, after)
    return {"before_header": str(name), "after_header": str(name), "before": old or "", "after": new or ""}


def _shorten_schemas(definition: Object) -> None:
    # A schema of thousands of lines says nothing in a diff of a definition that comes or goes as a whole.
    for version in mappings(mapping(definition.get("spec")).get("versions")):
        if version.get("schema"):
            version["schema"] = f"(a schema of {len(json.dumps(version['schema']))} characters)"
