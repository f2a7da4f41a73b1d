# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking over the fields of managers that wrote whole objects before (client-side kubectl apply, Helm, …).

Otherwise such a manager keeps owning what it wrote: a field that a later manifest omits would stay forever
(https://kubernetes.io/docs/reference/using-api/server-side-apply/#upgrading-from-client-side-apply-to-server-side-apply).
kubectl's annotation of what it last applied is among these fields and is removed too: kubectl would merge from outdated content.
"""

from __future__ import annotations

import copy
import json
from typing import Any, Dict, List, Mapping, Sequence

from .._kube.objects import Object
from .fingerprint import has_keys
from .ownership import MANAGER

Fields = Dict[str, Any]
Entries = List[Dict[str, Any]]


def migrated(entries: Sequence[Mapping[str, Any]], managers: Sequence[str]) -> Entries | None:
    """Return managedFields in which this collection's manager owns what other managers owned; None if there is nothing to migrate.

    Only entries for whole objects are migrated, not those of subresources such as C(status).
    """
    taken = [entry for entry in entries if _is_theirs(entry, managers)]
    if not taken:
        return None
    ours = [entry for entry in entries if _is_ours(entry)]
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
    return [dict(other) for other in entries if not _is_ours(other) and not _is_theirs(other, managers)] + [entry]


def migration(live: Mapping[str, Any], managers: Sequence[str]) -> list[dict[str, Any]]:
    """Return the JSON patch that takes the fields over, empty if there is nothing to migrate. It is valid for this version only."""
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

    What only the old managers own and the new content omits is removed; the dry run still contains it. A default that the server
    then sets is not known here.

    :param live: the live object. :param answer: the result of the server's dry run.
    """
    lost: Fields = {}
    stay: Fields = {}
    for entry in (live.get("metadata") or {}).get("managedFields") or []:
        if _is_theirs(entry, managers):
            lost = union(lost, entry.get("fieldsV1") or {})
    for entry in (answer.get("metadata") or {}).get("managedFields") or []:
        if not _is_theirs(entry, managers):
            stay = union(stay, entry.get("fieldsV1") or {})
    after = copy.deepcopy(answer)
    _remove(after, subtract(lost, stay))
    return after


def union(left: Mapping[str, Any], right: Mapping[str, Any]) -> Fields:
    """Return the union of two sets of fields."""
    joined = {name: dict(below) for name, below in left.items()}
    for name, below in right.items():
        joined[name] = union(joined[name], below) if name in joined else dict(below)
    return joined


def subtract(left: Mapping[str, Any], right: Mapping[str, Any]) -> Fields:
    """Return the fields of one set that another has neither itself nor at any level below."""
    rest: Fields = {}
    for name, below in left.items():
        if name not in right:
            rest[name] = dict(below)
        elif below:
            # The item itself stays with the manager that owns a part of it.
            deeper = subtract({part: rest for part, rest in below.items() if part != "."}, right[name])
            if deeper:
                rest[name] = deeper
    return rest


def _is_theirs(entry: Mapping[str, Any], managers: Sequence[str]) -> bool:
    return entry.get("manager") in managers and not entry.get("subresource") and not _is_ours(entry)


def _is_ours(entry: Mapping[str, Any]) -> bool:
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
            sought = json.loads(rest)
            for item in list(value):
                same = item == sought if sort == "v" else has_keys(item, sought)
                if same and (sort == "v" or "." in below):
                    value.remove(item)
                elif same:
                    _remove(item, below)
