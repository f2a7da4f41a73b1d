# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Validation of objects against the OpenAPI v3 schemas of the cluster, without sending them.

https://kubernetes.io/docs/concepts/overview/kubernetes-api/#openapi-v3. A dry run on the server finds more; this serves where a dry run is
not possible (the namespace or the definition does not exist yet), and to suggest the right name for a misspelt field.
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
# Levels to search for a misplaced field (spec.containers instead of spec.template.spec.containers).
DEPTH = 3

# The types of the keywords of a schema.
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

TYPE_NAMES = {"integer": "an integer", "number": "a number", "string": "a string", "boolean": "a boolean"}
TYPE_NAMES.update(array="a list", object="a mapping")


class Schema:
    """The schemas of the kinds of a cluster. The document of each API group is read once, when it is first needed. Thread-safe."""

    def __init__(self, client: Client, contents: Iterable[Mapping[str, Any]] = ()) -> None:
        """Prepare. Nothing is requested yet.

        :param contents: objects; the schemas of the CustomResourceDefinitions among them are used as well.
        """
        self._client = client
        self._lock = threading.RLock()
        self._index: dict[str, str] | None = None
        self._documents: dict[str, dict[str, Any]] = {}
        self._defined: dict[tuple[str, str], dict[str, Any]] = {}
        self.learn(contents)

    def learn(self, contents: Iterable[Mapping[str, Any]]) -> None:
        """Add the schemas of the CustomResourceDefinitions among the objects."""
        for content in contents:
            if content.get("kind") != "CustomResourceDefinition":
                continue
            spec = mapping(content.get("spec"))
            kind = mapping(spec.get("names")).get("kind")
            for version in mappings(spec.get("versions")):
                schema = mapping(version.get("schema")).get("openAPIV3Schema")
                if isinstance(schema, Mapping) and kind and isinstance(kind, str):
                    # The server reports what is wrong with an invalid schema; nothing can be validated against it.
                    usable = dict(schema) if is_valid_schema(schema) else {ANYTHING: True}
                    self._defined[f"{spec.get('group')}/{version.get('name')}", kind] = usable

    def problems(self, content: Object) -> list[str]:
        """Return the problems of an object, each as a sentence that names the object and the field.

        :returns: unknown fields with the closest known one, wrong types and values, missing required fields, data of a Secret that is not
            base64. Values that may be secret are not shown.
        :raises Unreachable: the server does not answer.
        """
        name = reference(content)
        found = self._of(name.api_version, name.kind)
        if isinstance(found, str):
            return [f"{name}: {_sentence(found)}"]
        schema, document = found
        walk = _Validator(document)
        texts = list(walk.validate(content, schema, "", top=True))
        texts += [f"{path} {problem}" for path, problem in undecodable(content)]
        return [f"{name}: {_sentence(text)}" for text in texts]

    def _of(self, api_version: str, kind: str) -> tuple[dict[str, Any], dict[str, Any]] | str:
        """Return the schema of a kind and the document that its references point into, or the problem with the kind."""
        if (api_version, kind) in self._defined:
            return self._defined[api_version, kind], self._document("v1")
        document = self._document(api_version)
        if not document:
            known = [name.split("/", 1)[1] for name in self._known() if name.startswith(("api/", "apis/"))]
            near = difflib.get_close_matches(api_version, known, 1)
            return f"the cluster does not serve {api_version}{_did_you_mean(near)}"
        group, _slash, version = api_version.rpartition("/")
        expected = {"group": group, "version": version, "kind": kind}
        kinds: list[str] = []
        for schema in document.values():
            named = schema.get(KINDS) or []
            if expected in named:
                return schema, document
            kinds += [one["kind"] for one in named if (one["group"], one["version"]) == (group, version)]
        near = difflib.get_close_matches(kind, kinds, 1)
        return f"{api_version} has no kind {kind}{_did_you_mean(near)}"

    def _known(self) -> dict[str, str]:
        with self._lock:
            if self._index is None:
                paths = self._client.get("/openapi/v3").get("paths") or {}
                self._index = {name: part.get("serverRelativeURL") or "" for name, part in paths.items()}
            return self._index

    def _document(self, api_version: str) -> dict[str, Any]:
        """Return the schemas of a version of an API group, empty if it is not served."""
        with self._lock:
            if api_version not in self._documents:
                name = ("apis/" if "/" in api_version else "api/") + api_version
                url = self._known().get(name)
                try:
                    found = self._client.get(url) if url else {}
                except ApiError as error:
                    if error.status != 404:  # a definition that was deleted in the meantime
                        raise
                    found = {}
                self._documents[api_version] = (found.get("components") or {}).get("schemas") or {}
            return self._documents[api_version]


def is_valid_schema(schema: Any) -> bool:
    """Return whether the keywords of a schema and of all its subschemas have the right types
    (https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema)."""
    if not isinstance(schema, Mapping) or any(not isinstance(schema.get(key), kinds) for key, kinds in SHAPES.items()):
        return False
    below = [*(schema.get("properties") or {}).values()]
    below += [part for keyword in ("allOf", "anyOf", "oneOf") for part in schema.get(keyword) or []]
    below += [part for part in (schema.get("items"), schema.get("additionalProperties")) if isinstance(part, Mapping)]
    return all(is_valid_schema(part) for part in below) and all(
        isinstance(key, str) for key in schema.get("required") or []
    )


def undecodable(content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield path and problem of the data of a Secret that is not base64; values are never shown.

    https://kubernetes.io/docs/concepts/configuration/secret/#restriction-names-data
    """
    data = content.get("data")
    if content.get("kind") != "Secret" or content.get("apiVersion") != "v1" or not isinstance(data, Mapping):
        return
    for key, value in data.items():
        if isinstance(value, str):
            try:
                # The server ignores line breaks, which a block scalar of YAML contains.
                base64.b64decode("".join(value.splitlines()), validate=True)
            except (binascii.Error, ValueError):
                yield "data." + key, "is not base64. Encode the value, or set it as plain text under stringData"


class _Validator:
    """Walks through an object and its schema in parallel."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document

    def validate(self, value: Any, schema: Mapping[str, Any], path: str, top: bool = False) -> Iterator[str]:
        """Yield the problems of a value. Null counts as unset in every field."""
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
                    yield from self.validate(one, items, f"{path}[{number}]")
        else:
            yield from self._value(value, schema, path)

    def resolve(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the schema with its references replaced; keywords beside a reference are kept."""
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
                yield from self.validate(one, fields[key], _join(path, key))
            elif isinstance(rest, Mapping):
                yield from self.validate(one, rest, _join(path, key))
            elif fields and not rest and not schema.get(ANYTHING):
                suggestion = self._suggest(key, schema, fields, path)
                yield f"{_join(path, key)} is not a known field{suggestion}"

    def _suggest(self, key: str, schema: Mapping[str, Any], fields: Mapping[str, Any], path: str) -> str:
        """Suggest the intended field: one spelt similarly, or one of that name on a lower level."""
        alike = [name for name in fields if name.lower() == key.lower()]
        deeper = self._deeper(key, schema, path) if not alike else ""
        near = alike or ([] if deeper else difflib.get_close_matches(key, list(fields), 1, 0.6))
        if near or deeper:
            return f"; did you mean {_join(path, near[0]) if near else deeper}?"
        return f"; known fields: {', '.join(sorted(fields))}" if len(fields) <= 12 else ""

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
        expected = self._types(schema)
        if not expected or any(_is(value, kind) for kind in expected):
            return ""
        texts = [TYPE_NAMES.get(kind, kind) for kind in expected]
        hint = ""
        if expected == ["string"] and isinstance(value, (bool, int, float)):
            hint = ". Quote the value"
        elif isinstance(value, str) and ("integer" in expected or "boolean" in expected):
            hint = ". Remove the quotes"
        return f"is {_type_of(value)}, but must be {' or '.join(texts)}{hint}"

    def _types(self, schema: Mapping[str, Any]) -> list[str]:
        if schema.get(NUMBER_OR_TEXT) or schema.get("format") == "int-or-string":
            return ["integer", "string"]
        if schema.get("type"):
            return [schema["type"]]
        if schema.get("properties"):
            return ["object"]
        found: list[str] = []
        for keyword in ("oneOf", "anyOf"):
            for part in schema.get(keyword) or []:
                kinds = self._types(self.resolve(part))
                if not kinds:
                    return []
                found += kinds
        return list(dict.fromkeys(found))

    def _value(self, value: Any, schema: Mapping[str, Any], path: str) -> Iterator[str]:
        # Built-in kinds accept an empty string as the default.
        if schema.get("enum") and value not in schema["enum"] and value != "":
            near = difflib.get_close_matches(str(value), [str(one) for one in schema["enum"]], 1)
            known = ", ".join(str(one) for one in schema["enum"] if one != "")
            yield f"{path} is {value!r}, but must be one of {known}{_did_you_mean(near)}"
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            least, most = schema.get("minimum"), schema.get("maximum")
            if isinstance(least, (int, float)) and value < least:
                yield f"{path} is {value}, but must be at least {least}"
            if isinstance(most, (int, float)) and value > most:
                yield f"{path} is {value}, but must be at most {most}"


def _is(value: Any, kind: str) -> bool:
    if kind == "integer":
        return isinstance(value, int) and not isinstance(value, bool) or isinstance(value, float) and value.is_integer()
    if kind == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    types: dict[str, type] = {"string": str, "boolean": bool, "array": list, "object": dict}
    return isinstance(value, types[kind]) if kind in types else True


def _type_of(value: Any) -> str:
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, (int, float)):
        return "a number"
    return "a string" if isinstance(value, str) else "a list" if isinstance(value, list) else "a mapping"


def _did_you_mean(near: Sequence[str]) -> str:
    return f"; did you mean {near[0]}?" if near else ""


def _sentence(text: str) -> str:
    return text if text.endswith("?") else text + "."


def _join(path: str, key: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_$-]+", key):
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else key
