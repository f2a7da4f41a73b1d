# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kubernetes objects as data: references, API paths, namespaces, the order of creation, differences."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from typing import Any, Container, Dict, Iterable, Mapping, Tuple
from urllib.parse import quote

Object = Dict[str, Any]

FIRST = ("Namespace", "CustomResourceDefinition")
# What other objects refer to, and what the server checks objects against on admission.
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
# These intercept or route requests for other objects, so they come after the workloads that serve them.
LAST = (
    "APIService",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
    "ValidatingAdmissionPolicyBinding",
    "Ingress",
    "HorizontalPodAutoscaler",
)

# Fields that the server maintains; they are not content.
BOOKKEEPING = ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink")
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
# Controllers keep the revision of a workload in annotations, too.
COUNTED = (LAST_APPLIED, "deployment.kubernetes.io/revision", "deprecated.daemonset.template.generation")
MASK = "********"
# The label and the annotation that mark an object as part of a release.
RELEASE, RELEASE_NAMESPACE = "slipway.kube/release", "slipway.kube/release-namespace"


class BadObject(Exception):
    """Objects are not valid or not served; the message lists every problem."""


@dataclass(frozen=True)
class Reference:
    """Identifies an object; the namespace is empty for cluster-scoped objects."""

    api_version: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {'/'.join(filter(None, (self.namespace, self.name)))}"

    def as_dict(self) -> dict[str, str]:
        """Return the fields as modules return them."""
        return {"api_version": self.api_version, "kind": self.kind, "namespace": self.namespace, "name": self.name}


@dataclass(frozen=True)
class Resource:
    """How the server serves a kind: its plural in paths, and whether it is namespaced."""

    plural: str
    namespaced: bool

    def path(self, reference: Reference) -> str:
        """Return the path of an object (https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris)."""
        return f"{self.collection(reference.api_version, reference.namespace)}/{_segment(reference.name)}"

    def collection(self, api_version: str, namespace: str) -> str:
        """Return the path of a collection."""
        root = ("/apis/" if "/" in api_version else "/api/") + quote(api_version)
        return root + (f"/namespaces/{_segment(namespace)}" if self.namespaced else "") + "/" + _segment(self.plural)


def _segment(name: str) -> str:
    # Names of roles contain colons, which are allowed in a path (RFC 3986, 3.3).
    return quote(name, safe=":")


Kinds = Dict[Tuple[str, str], Resource]


def reference(content: Mapping[str, Any]) -> Reference:
    """Return the reference of an object; fields that are not strings count as empty."""
    metadata = mapping(content.get("metadata"))
    parts = (content.get("apiVersion"), content.get("kind"), metadata.get("namespace"), metadata.get("name"))
    return Reference(*(part if isinstance(part, str) else "" for part in parts))


def flatten(contents: Iterable[Any], distinct: bool = True) -> list[Object]:
    """Return the objects of a manifest: lists are expanded, empty documents are skipped.

    :param distinct: whether no two may have one name.
    :raises BadObject: an entry is not an object, lacks apiVersion, kind or name, or is a duplicate.
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
            todo = [item_of(content, item) for item in content["items"]] + todo
            continue
        position += 1
        if not isinstance(content, dict):
            problems.append(
                f"Object {position} is {type(content).__name__} instead of a mapping. [slipway:object_invalid]"
            )
            continue
        name = reference(content)
        wrong = _identity_problems(content)
        if wrong:
            problems += [f"Object {position} ({name}) {text}. [slipway:object_invalid]" for text in wrong]
            continue
        identity = (name.api_version.rpartition("/")[0], name.kind, name.namespace, name.name)
        if identity in seen and distinct:
            problems.append(f"Objects {seen[identity]} and {position} are both {name}. [slipway:object_twice]")
        seen[identity] = position
        found.append(content)
    if problems:
        raise BadObject("\n".join(problems))
    return found


def item_of(whole: Mapping[str, Any], item: Any) -> Any:
    """Return an item of a list with its kind and API version, which those of a C(ConfigMapList) and the like lack."""
    kind = str(whole.get("kind") or "")[: -len("List")]
    if not isinstance(item, dict) or not kind or not item:
        return item
    return {"apiVersion": whole.get("apiVersion"), "kind": kind, **item}


def _identity_problems(content: Mapping[str, Any]) -> list[str]:
    """Return why an object cannot be identified: missing fields and fields of the wrong type."""
    given = content.get("metadata")
    metadata = mapping(given)
    parts = [("apiVersion", content.get("apiVersion")), ("kind", content.get("kind"))]
    parts.append(("metadata.name", metadata.get("name")))
    missing = [key for key, value in parts if value is None or value == ""]
    wrong = [f"lacks {', '.join(missing)}"] if missing else []
    texts = [(key, value) for key, value in parts if key not in missing]
    if metadata.get("namespace") is not None:
        texts.append(("metadata.namespace", metadata["namespace"]))
    wrong += [
        f"has {type(value).__name__} in {key} instead of a string" for key, value in texts if not isinstance(value, str)
    ]
    if given is not None and not isinstance(given, Mapping):
        wrong.append(f"has {type(given).__name__} in metadata instead of a mapping")
    return wrong


def read_discovery(documents: Iterable[Mapping[str, Any]]) -> Kinds:
    """Return the kinds that the server serves (apidiscovery.k8s.io/v2, ``APIGroupDiscoveryList``)."""
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
    """Return the kinds that the CustomResourceDefinitions among the objects define, and those of which a controller makes the definition.

    Incomplete definitions are ignored.
    """
    given = list(contents)
    kinds: Kinds = indirect_kinds(given)
    for content in given:
        if content.get("kind") == "CustomResourceDefinition":
            spec = mapping(content.get("spec"))
            names = mapping(spec.get("names"))
            for version in mappings(spec.get("versions")):
                parts = (spec.get("group"), version.get("name"), names.get("kind"), names.get("plural"))
                valid = [part for part in parts if part and isinstance(part, str)]
                if len(valid) == len(parts):
                    group, number, kind, plural = valid
                    kinds[(f"{group}/{number}", kind)] = Resource(plural, spec.get("scope") == "Namespaced")
    return kinds


def indirect_kinds(contents: Iterable[Mapping[str, Any]]) -> Kinds:
    """Return the kinds that controllers define for some objects: constraints for the templates of Gatekeeper, composites for Crossplane.

    https://open-policy-agent.github.io/gatekeeper/website/docs/constrainttemplates/
    https://docs.crossplane.io/latest/composition/composite-resource-definitions/
    """
    kinds: Kinds = {}
    for content in contents:
        spec, version = mapping(content.get("spec")), str(content.get("apiVersion"))
        group = version.partition("/")[0]
        if (group, content.get("kind")) == ("templates.gatekeeper.sh", "ConstraintTemplate"):
            kind = mapping(mapping(mapping(spec.get("crd")).get("spec")).get("names")).get("kind")
            if kind and isinstance(kind, str):
                for number in ("v1", "v1beta1", "v1alpha1"):
                    kinds[(f"constraints.gatekeeper.sh/{number}", kind)] = Resource(kind.lower(), False)
        elif (group, content.get("kind")) == ("apiextensions.crossplane.io", "CompositeResourceDefinition"):
            # The scope that version 1 has by default is that of the cluster, with claims in namespaces.
            namespaced = (spec.get("scope") or ("Namespaced" if version.endswith("/v2") else "")) == "Namespaced"
            for part, scoped in (("names", namespaced), ("claimNames", True)):
                names = mapping(spec.get(part))
                called, plural = names.get("kind"), names.get("plural")
                for served in [one.get("name") for one in mappings(spec.get("versions"))]:
                    if all(isinstance(one, str) and one for one in (spec.get("group"), served, called, plural)):
                        kinds[(f"{spec['group']}/{served}", str(called))] = Resource(str(plural), scoped)
    return kinds


def mapping(value: Any) -> Mapping[str, Any]:
    """Return an unchecked value if it is a mapping, otherwise an empty mapping."""
    return value if isinstance(value, Mapping) else {}


def mappings(value: Any) -> list[dict[str, Any]]:
    """Return the mappings in an unchecked value if it is a list, otherwise an empty list."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def place(contents: Iterable[Object], kinds: Kinds, namespace: str) -> list[Object]:
    """Set the namespace of namespaced objects and remove it from cluster-scoped ones.

    :param kinds: the kinds that are served, including those that the objects themselves define.
    :param namespace: for namespaced objects that have none.
    :raises BadObject: a kind is not served.
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
            problems.append(
                f"{name}: the cluster does not serve kind {name.kind} of {name.api_version}; {remedy}. [slipway:kind_not_served]"
            )
            continue
        metadata = {key: value for key, value in content["metadata"].items() if key != "namespace"}
        if resource.namespaced:
            metadata["namespace"] = name.namespace or namespace
        placed.append(dict(content, metadata=metadata))
    if problems:
        raise BadObject("\n".join(problems))
    return placed


def stages(contents: Iterable[Object], early: Container[tuple[str, str]] = ()) -> list[list[Object]]:
    """Sort objects into stages; the objects of a stage can be applied in parallel.

    The stages are namespaces and definitions; accounts, roles and classes; configuration; workloads; and finally objects that intercept
    requests, and custom resources, whose webhooks may be served by the workloads; last those whose kind is made of one of these.

    :param early: API version and kind of custom resources that are configuration, because their controller is there already.
    """
    sorted_in: list[list[Object]] = [[], [], [], [], [], []]
    given = list(contents)
    made = indirect_kinds(given)
    for content in given:
        pair = (str(content.get("apiVersion")), str(content.get("kind")))
        known = is_custom(content) and pair in early
        sorted_in[5 if pair in made else 2 if known else _stage(content)].append(content)
    return [stage for stage in sorted_in if stage]


def is_custom(content: Mapping[str, Any]) -> bool:
    """Return whether an object is a custom resource, by its API group: those of Kubernetes have no dot, or end with C(.k8s.io)."""
    group = str(content.get("apiVersion") or "").rpartition("/")[0]
    return "." in group and not group.endswith(".k8s.io")


def _stage(content: Mapping[str, Any]) -> int:
    kind = content.get("kind")
    if kind in FIRST:
        return 0
    if kind in LAST or is_custom(content):
        return 4
    return 1 if kind in SECOND else 3 if kind in WORKLOADS else 2


def content_of(live: Mapping[str, Any] | None) -> Object:
    """Return an object without its status and without the fields that the server maintains.

    The result shares its parts with the object.
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
    """Return copies of two objects for a diff: values of Secrets are masked, only whether they differ remains visible."""
    shown = (copy.deepcopy(before), copy.deepcopy(after))
    if "Secret" in (before.get("kind"), after.get("kind")):
        for section in ("data", "stringData"):
            old, new = mapping(before.get(section)), mapping(after.get(section))
            for side, word, other in ((shown[0], "before", new), (shown[1], "after", old)):
                if side.get(section) and not isinstance(side[section], dict):
                    side[section] = MASK  # not a valid Secret, but secret nevertheless
                for key, value in mapping(side.get(section)).items():
                    side[section][key] = MASK if other.get(key) == value else f"{MASK} ({word})"
    for side in shown:
        if side.get("kind") == "CustomResourceDefinition" and not (before and after):
            _shorten_schemas(side)
    return shown


def difference(name: Reference, before: Object, after: Object) -> dict[str, Any]:
    """Return the diff of an object in the format of Ansible; the callback plugin formats the mappings."""
    old, new = showable(before, after)
    return {"before_header": str(name), "after_header": str(name), "before": old or "", "after": new or ""}


def _shorten_schemas(definition: Object) -> None:
    # A schema of thousands of lines is of little value in the diff of a definition that is created or deleted.
    for version in mappings(mapping(definition.get("spec")).get("versions")):
        if version.get("schema"):
            version["schema"] = f"(a schema of {len(json.dumps(version['schema']))} characters)"
