# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects held against the cluster's own description of its kinds (OpenAPI v3), without sending them.

https://kubernetes.io/docs/concepts/overview/kubernetes-api/#openapi-v3. The server's dry run says more where it can be asked; this serves
where it cannot (the namespace or the definition is itself new), and to name what a misspelt field was meant to be.
"""

from __future__ import annotations

import base64
import binascii
import difflib
import re
import threading
from typing import Any, Iterable, Iterator, Mapping, Sequence

from .api import ApiError, Client
from .objects import Object, mapping, mappings, reference

REFERENCE = "#/components/schemas/"
KINDS = "x-kubernetes-group-version-kind"
ANYTHING = "x-kubernetes-preserve-unknown-fields"
EMBEDDED = "x-kubernetes-embedded-resource"
NUMBER_OR_TEXT = "x-kubernetes-int-or-string"
METADATA = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
# How deep a field is looked for that stands in the wrong place (spec.containers for spec.template.spec.containers).
DEPTH = 3

# Of which types the parts of a schema are.
NOTHING = type(None)
SHAPES = {
    "type": (str, NOTHING),
    "format": (str, NOTHING),
    "$ref": (str, NOTHING),
    "required": (list, NOTHING),
    "enum": (list, NOTHING),
    "allOf": (list, NOTHING),
    "anyOf": (list, NOTHING),
    "oneOf": (list, NOTHING),
    "properties": (dict, NOTHING),
    "items": (dict, NOTHING),
    "additionalProperties": (dict, bool, NOTHING),
}

CALLED = {"integer": "a whole number", "number": "a number", "string": "text", "boolean": "true or false"}
CALLED.update(array="a list", object="a mapping")


class Schema:
    """What the server knows of its kinds. Each group's description is read once, when it is first needed. Safe for threads."""

    def __init__(self, client: Client, contents: Iterable[Mapping[str, Any]] = ()) -> None:
        """Prepare; nothing is asked yet.

        :param contents: objects; the kinds that CustomResourceDefinitions among them bring are known also.
        """
        self._client = client
        self._lock = threading.RLock()
        self._index: dict[str, str] | None = None
        self._documents: dict[str, dict[str, Any]] = {}
        self._brought: dict[tuple[str, str], dict[str, Any]] = {}
        self.learn(contents)

    def learn(self, contents: Iterable[Mapping[str, Any]]) -> None:
        """Take the schemas that CustomResourceDefinitions among some objects bring."""
        for content in contents:
            if content.get("kind") != "CustomResourceDefinition":
                continue
            spec = mapping(content.get("spec"))
            kind = mapping(spec.get("names")).get("kind")
            for version in mappings(spec.get("versions")):
                schema = mapping(version.get("schema")).get("openAPIV3Schema")
                if isinstance(schema, Mapping) and kind and isinstance(kind, str):
                    # The server tells what is wrong with a schema; until it is right, nothing can be held against it.
                    sound = dict(schema) if is_sound(schema) else {ANYTHING: True}
                    self._brought[f"{spec.get('group')}/{version.get('name')}", kind] = sound

    def problems(self, content: Object) -> list[str]:
        """Tell what is wrong with an object: every problem is one sentence that names the object and the field.

        :returns: unknown fields with the nearest known one, wrong types and values, required fields that are missing, data of a Secret
            that is not base64. Nothing is told of values that may be secret.
        :raises Unreachable: the server does not answer.
        """
        name = reference(content)
        found = self._of(name.api_version, name.kind)
        if isinstance(found, str):
            return [f"{name}: {found}"]
        schema, document = found
        walk = _Walk(document)
        texts = list(walk.look(content, schema, "", top=True))
        texts += ["{} {}".format(*pair) for pair in undecodable(content)]
        return [f"{name}: {_sentence(text)}" for text in texts]

    def _of(self, api_version: str, kind: str) -> tuple[dict[str, Any], dict[str, Any]] | str:
        """The schema of a kind with the document that its references point into, or what is wrong with the kind."""
        if (api_version, kind) in self._brought:
            return self._brought[api_version, kind], self._document("v1")
        document = self._document(api_version)
        if not document:
            known = [name.split("/", 1)[1] for name in self._known() if name.startswith(("api/", "apis/"))]
            near = difflib.get_close_matches(api_version, known, 1)
            return _sentence(
                "the cluster does not serve {}{}".format(api_version, f"; did you mean {near[0]}?" if near else "")
            )
        group, _slash, version = api_version.rpartition("/")
        wanted = {"group": group, "version": version, "kind": kind}
        kinds: list[str] = []
        for schema in document.values():
            named = schema.get(KINDS) or []
            if wanted in named:
                return schema, document
            kinds += [one["kind"] for one in named if (one["group"], one["version"]) == (group, version)]
        near = difflib.get_close_matches(kind, kinds, 1)
        return _sentence("{} has no kind {}{}".format(api_version, kind, f"; did you mean {near[0]}?" if near else ""))

    def _known(self) -> dict[str, str]:
        with self._lock:
            if self._index is None:
                paths = self._client.get("/openapi/v3").get("paths") or {}
                self._index = {name: part.get("serverRelativeURL") or "" for name, part in paths.items()}
            return self._index

    def _document(self, api_version: str) -> dict[str, Any]:
        """The schemas of one version of a group, empty where it is not served."""
        with self._lock:
            if api_version not in self._documents:
                name = ("apis/" if "/" in api_version else "api/") + api_version
                url = self._known().get(name)
                try:
                    found = self._client.get(url) if url else {}
                except ApiError as error:
                    if error.status != 404:  # a definition that has gone a moment ago
                        raise
                    found = {}
                self._documents[api_version] = (found.get("components") or {}).get("schemas") or {}
            return self._documents[api_version]


def is_sound(schema: Any) -> bool:
    """Whether a schema, with all below it, is made of what schemas are made of
    (https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema)."""
    if not isinstance(schema, Mapping) or any(not isinstance(schema.get(key), kinds) for key, kinds in SHAPES.items()):
        return False
    below = [*(schema.get("properties") or {}).values()]
    below += [part for way in ("allOf", "anyOf", "oneOf") for part in schema.get(way) or []]
    below += [part for part in (schema.get("items"), schema.get("additionalProperties")) if isinstance(part, Mapping)]
    return all(is_sound(part) for part in below) and all(isinstance(key, str) for key in schema.get("required") or [])


def undecodable(content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Tell which data of a Secret are not base64, as a path and what is wrong with it; values are never told.

    https://kubernetes.io/docs/concepts/configuration/secret/#restriction-names-data
    """
    data = content.get("data")
    if content.get("kind") != "Secret" or content.get("apiVersion") != "v1" or not isinstance(data, Mapping):
        return
    for key, value in data.items():
        if isinstance(value, str):
            try:
                # The server leaves out the ends of lines, which a block of YAML has.
                base64.b64decode("".join(value.splitlines()), validate=True)
            except (binascii.Error, ValueError):
                yield "data." + key, "is not base64. Encode it, or write it as it is under stringData"


class _Walk:
    """Goes through an object and its schema together."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document

    def look(self, value: Any, schema: Mapping[str, Any], path: str, top: bool = False) -> Iterator[str]:
        """Tell what is wrong with a value. Null is what is not there, in every field."""
        if value is None:
            return
        schema = self.resolve(schema)
        wrong = self._type_problem(value, schema)
        if wrong:
            yield f"{path or 'the object'} {wrong}"
        elif isinstance(value, Mapping):
            yield from self._mapping(value, schema, path, top)
        elif isinstance(value, list):
            items = schema.get("items")
            for number, one in enumerate(value):
                if isinstance(items, Mapping):
                    yield from self.look(one, items, f"{path}[{number}]")
        else:
            yield from self._value(value, schema, path)

    def resolve(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """Follow references; what stands beside one counts too."""
        for _step in range(20):
            if "$ref" in schema:
                target = self.document.get(str(schema["$ref"]).replace(REFERENCE, "")) or {}
                schema = {**target, **{key: part for key, part in schema.items() if key != "$ref"}}
            elif schema.get("allOf") and not schema.get("properties"):
                made: dict[str, Any] = {key: part for key, part in schema.items() if key != "allOf"}
                for part in schema["allOf"]:
                    made = {**self.resolve(part), **made}
                schema = made
            else:
                break
        return schema

    def _mapping(self, value: Mapping[str, Any], schema: Mapping[str, Any], path: str, top: bool) -> Iterator[str]:
        fields = dict(schema.get("properties") or {})
        rest = schema.get("additionalProperties")
        if top or schema.get(EMBEDDED):
            fields = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, **fields}
            metadata = self.document.get(METADATA)
            if metadata:
                fields["metadata"] = metadata
        for key in schema.get("required") or []:
            if value.get(key) is None:
                yield f"{_join(path, key)} is missing"
        for key, one in value.items():
            if key in fields:
                yield from self.look(one, fields[key], _join(path, key))
            elif isinstance(rest, Mapping):
                yield from self.look(one, rest, _join(path, key))
            elif fields and not rest and not schema.get(ANYTHING):
                meant = self._meant(key, schema, fields, path)
                yield f"{_join(path, key)} is not a field that Kubernetes knows{meant}"

    def _meant(self, key: str, schema: Mapping[str, Any], fields: Mapping[str, Any], path: str) -> str:
        """Say which field was probably meant: one written alike, or one of that name further down or under one of its neighbours."""
        alike = [name for name in fields if name.lower() == key.lower()]
        deeper = self._deeper(key, schema, path) if not alike else ""
        near = alike or ([] if deeper else difflib.get_close_matches(key, list(fields), 1, 0.6))
        if near or deeper:
            return f"; did you mean {_join(path, near[0]) if near else deeper}?"
        return f"; known here: {', '.join(sorted(fields))}" if len(fields) <= 12 else ""

    def _deeper(self, key: str, schema: Mapping[str, Any], path: str) -> str:
        level: Sequence[tuple[str, Mapping[str, Any]]] = [(path, schema)]
        for _depth in range(DEPTH):
            following = []
            for place, one in level:
                for name, part in (one.get("properties") or {}).items():
                    part = self.resolve(part)
                    if part.get("properties"):
                        following.append((_join(place, name), part))
            hits = [place for place, one in following if key in one["properties"] and not place.endswith("status")]
            if hits:
                return _join(hits[0], key)
            level = following
        return ""

    def _type_problem(self, value: Any, schema: Mapping[str, Any]) -> str:
        wanted = self._types(schema)
        if not wanted or any(_is(value, kind) for kind in wanted):
            return ""
        texts = [CALLED.get(kind, kind) for kind in wanted]
        hint = ""
        if wanted == ["string"] and isinstance(value, (bool, int, float)):
            hint = ". Put it into quotes"
        elif isinstance(value, str) and ("integer" in wanted or "boolean" in wanted):
            hint = ". Leave out the quotes"
        return f"is {_kind_of(value)}, where {' or '.join(texts)} belongs{hint}"

    def _types(self, schema: Mapping[str, Any]) -> list[str]:
        if schema.get(NUMBER_OR_TEXT) or schema.get("format") == "int-or-string":
            return ["integer", "string"]
        if schema.get("type"):
            return [schema["type"]]
        if schema.get("properties"):
            return ["object"]
        found: list[str] = []
        for way in ("oneOf", "anyOf"):
            for part in schema.get(way) or []:
                kinds = self._types(self.resolve(part))
                if not kinds:
                    return []
                found += kinds
        return list(dict.fromkeys(found))

    def _value(self, value: Any, schema: Mapping[str, Any], path: str) -> Iterator[str]:
        # An empty text is the default's place in Kubernetes' own kinds.
        if schema.get("enum") and value not in schema["enum"] and value != "":
            near = difflib.get_close_matches(str(value), [str(one) for one in schema["enum"]], 1)
            meant = f"; did you mean {near[0]}?" if near else ""
            known = ", ".join(str(one) for one in schema["enum"] if one != "")
            yield f"{path} is {value!r}, which is none of {known}{meant}"
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            for limit, beyond, word in (
                ("minimum", lambda edge: value < edge, "less"),
                ("maximum", lambda edge: value > edge, "more"),
            ):
                if isinstance(schema.get(limit), (int, float)) and beyond(schema[limit]):
                    yield f"{path} is {value}, {word} than {schema[limit]}"


def _is(value: Any, kind: str) -> bool:
    if kind == "integer":
        return isinstance(value, int) and not isinstance(value, bool) or isinstance(value, float) and value.is_integer()
    if kind == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    types: dict[str, type] = {"string": str, "boolean": bool, "array": list, "object": dict}
    return isinstance(value, types[kind]) if kind in types else True


def _kind_of(value: Any) -> str:
    if isinstance(value, bool):
        return "a truth value"
    if isinstance(value, (int, float)):
        return "a number"
    return "text" if isinstance(value, str) else "a list" if isinstance(value, list) else "a mapping"


def _sentence(text: str) -> str:
    return text if text.endswith("?") else text + "."


def _join(path: str, key: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_$-]+", key):
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else key
