# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How an API server merges objects, as far as tests need it: owners of fields, conflicts, merge patches."""

from __future__ import annotations

import copy
from typing import Any

Fields = dict[str, Any]


def merge(target: dict[str, Any], change: dict[str, Any]) -> None:
    """Merge patch."""
    for key, value in change.items():
        if isinstance(value, dict) and isinstance(target.get(key), dict):
            merge(target[key], value)
        elif value is None:
            target.pop(key, None)
        else:
            target[key] = value


def immutable(content: dict[str, Any]) -> Any:
    """The part of a workload that cannot be changed."""
    spec = content.get("spec") or {}
    claims = (spec.get("volumeClaimTemplates"), spec.get("serviceName")) if content["kind"] == "StatefulSet" else None
    return (spec.get("selector"), claims) if content["kind"] in ("Deployment", "StatefulSet") else None


def leaves(value: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """The fields of a content; a list is one field."""
    if isinstance(value, dict) and value:
        found = {}
        for key, below in value.items():
            if path or key not in ("apiVersion", "kind", "status"):
                found.update(leaves(below, (*path, key)))
        return found
    return {} if path in (("metadata", "name"), ("metadata", "namespace")) else {path: value}


def fields_of(paths: Any) -> Fields:
    """FieldsV1 of some paths."""
    fields: Fields = {}
    for path in sorted(paths):
        place = fields
        for key in path:
            place = place.setdefault("f:" + key, {})
    return fields


def paths_of(fields: Fields, path: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    """Paths of FieldsV1."""
    if not fields:
        return {path} if path else set()
    return {one for key, below in fields.items() for one in paths_of(below, (*path, key[2:]))}


def value_at(content: Any, path: tuple[str, ...]) -> Any:
    """The value of a field."""
    for key in path:
        content = content.get(key) if isinstance(content, dict) else None
    return content


def applied(
    old: dict[str, Any], body: dict[str, Any], manager: str, force: bool
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Server-side apply: the object as it is then, and conflicts."""
    wanted = leaves(body)
    entries = copy.deepcopy((old.get("metadata") or {}).get("managedFields") or [])
    conflicts = []
    ours: set[tuple[str, ...]] = set()
    for entry in entries:
        there = paths_of(entry["fieldsV1"])
        if (entry["manager"], entry["operation"]) == (manager, "Apply"):
            ours = there
            continue
        taken = {path for path in there & set(wanted) if value_at(old, path) != wanted[path]}
        part = f' with subresource "{entry["subresource"]}"' if entry.get("subresource") else ""
        conflicts += [
            {"field": "." + ".".join(path), "message": f'conflict with "{entry["manager"]}"{part} using v1'}
            for path in sorted(taken)
        ]
        if force:
            entry["fieldsV1"] = fields_of(there - taken)
    if conflicts and not force:
        return {}, conflicts
    others = [
        entry for entry in entries if (entry["manager"], entry["operation"]) != (manager, "Apply") and entry["fieldsV1"]
    ]
    after = copy.deepcopy(old) or {
        "apiVersion": body["apiVersion"],
        "kind": body["kind"],
        "metadata": dict(body["metadata"]),
    }
    kept = {path for entry in others for path in paths_of(entry["fieldsV1"])}
    for path in ours - set(wanted) - kept:
        place = value_at(after, path[:-1])
        if isinstance(place, dict):
            place.pop(path[-1], None)
    for path, value in wanted.items():
        place = after
        for key in path[:-1]:
            place = place.setdefault(key, {})
        place[path[-1]] = copy.deepcopy(value)
    mine = {"manager": manager, "operation": "Apply", "apiVersion": body["apiVersion"], "fieldsType": "FieldsV1"}
    after["metadata"]["managedFields"] = [*others, dict(mine, fieldsV1=fields_of(wanted))]
    return after, []
