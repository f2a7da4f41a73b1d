# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fields of managers that wrote whole objects before (kubectl apply on the client's side, Helm, …), taken over explicitly.

Without this such a manager keeps owning what it wrote: a field that a later manifest leaves out would stay for ever
(https://kubernetes.io/docs/reference/using-api/server-side-apply/#upgrading-from-client-side-apply-to-server-side-apply).
kubectl's note of what it last applied is among these fields and goes too: kubectl would merge from what is no longer true.
"""

from __future__ import annotations

import copy
import json
from typing import Any, Dict, List, Mapping, Sequence

from .._kube.objects import Object
from .ownership import MANAGER

Fields = Dict[str, Any]
Entries = List[Dict[str, Any]]


def migrated(entries: Sequence[Mapping[str, Any]], managers: Sequence[str]) -> Entries | None:
    """Give the managedFields in which this collection's manager owns what some others owned; None where nothing is to do.

    Only entries of whole objects count, none of subresources such as C(status).
    """
    taken = [entry for entry in entries if _theirs(entry, managers)]
    if not taken:
        return None
    ours = [entry for entry in entries if _ours(entry)]
    fields: Fields = {}
    for entry in ours + taken:
        fields = union(fields, entry.get("fieldsV1") or {})
    newest = (ours or taken)[0]
    entry = {
        "manager": MANAGER,
        "operation": "Apply",
        "apiVersion": newest.get("apiVersion"),
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    }
    if newest.get("time"):
        entry["time"] = newest["time"]
    rest = [dict(other) for other in entries if not _ours(other) and not _theirs(other, managers)]
    return rest + [entry]


def migration(live: Mapping[str, Any], managers: Sequence[str]) -> list[dict[str, Any]]:
    """Give the JSON patch that takes the fields over, empty where nothing is to do. It holds for this very version only."""
    metadata = live.get("metadata") or {}
    entries = migrated(metadata.get("managedFields") or [], managers)
    if entries is None:
        return []
    return [
        {"op": "replace", "path": "/metadata/managedFields", "value": entries},
        {"op": "replace", "path": "/metadata/resourceVersion", "value": metadata.get("resourceVersion")},
    ]


def without_taken(live: Mapping[str, Any], answer: Object, managers: Sequence[str]) -> Object:
    """Predict an apply after a migration, from the server's dry run before it.

    What only the old managers own and the new content leaves out goes; the dry run still shows it. A default that the server then
    puts in its place is not known here.

    :param live: the object as it is. :param answer: what the server's dry run gave.
    """
    lost: Fields = {}
    stay: Fields = {}
    for entry in (live.get("metadata") or {}).get("managedFields") or []:
        if _theirs(entry, managers):
            lost = union(lost, entry.get("fieldsV1") or {})
    for entry in (answer.get("metadata") or {}).get("managedFields") or []:
        if not _theirs(entry, managers):
            stay = union(stay, entry.get("fieldsV1") or {})
    after = copy.deepcopy(answer)
    _remove(after, subtract(lost, stay))
    return after


def union(left: Mapping[str, Any], right: Mapping[str, Any]) -> Fields:
    """Join two sets of fields."""
    joined = {name: dict(below) for name, below in left.items()}
    for name, below in right.items():
        joined[name] = union(joined[name], below) if name in joined else dict(below)
    return joined


def subtract(left: Mapping[str, Any], right: Mapping[str, Any]) -> Fields:
    """Give the fields of one set that another does not have, nor has anything below."""
    rest: Fields = {}
    for name, below in left.items():
        if name not in right:
            rest[name] = dict(below)
        elif below:
            # The thing itself stays with whoever has a part of it.
            deeper = subtract({part: rest for part, rest in below.items() if part != "."}, right[name])
            if deeper:
                rest[name] = deeper
    return rest


def _theirs(entry: Mapping[str, Any], managers: Sequence[str]) -> bool:
    return entry.get("manager") in managers and not entry.get("subresource") and not _ours(entry)


def _ours(entry: Mapping[str, Any]) -> bool:
    return entry.get("manager") == MANAGER and entry.get("operation") == "Apply" and not entry.get("subresource")


def _remove(value: Any, fields: Mapping[str, Any]) -> None:
    for name, below in fields.items():
        sort, _colon, rest = name.partition(":")
        if sort == "f" and isinstance(value, dict):
            if below and set(below) != {"."}:
                _remove(value.get(rest), below)
                if value.get(rest) in ({}, []):
                    del value[rest]
            else:
                value.pop(rest, None)
        elif sort in ("k", "v") and isinstance(value, list):
            wanted = json.loads(rest)
            for item in list(value):
                same = item == wanted if sort == "v" else _has(item, wanted)
                if same and (sort == "v" or "." in below):
                    value.remove(item)
                elif same:
                    _remove(item, below)


def _has(item: Any, wanted: Mapping[str, Any]) -> bool:
    return isinstance(item, dict) and all(item.get(name) == content for name, content in wanted.items())
