# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Short digests that show, without a dry run, that applying an object would change nothing.

A revision stores two per object: of the desired content, and of the live content in exactly the fields that this collection's
field manager owns (https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management). If both are unchanged,
the same apply has nothing to do: nobody changed, took over or removed one of these fields.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Mapping

from .ownership import MANAGER


def digest(value: Any) -> str:
    """Return 24 hexadecimal digits that identify a value made of JSON's types."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def owned_fields(live: Mapping[str, Any], manager: str = MANAGER) -> Mapping[str, Any]:
    """Return the fields that a manager owns by apply (FieldsV1), empty if there are none."""
    for entry in (live.get("metadata") or {}).get("managedFields") or []:
        if entry.get("manager") == manager and entry.get("operation") == "Apply" and not entry.get("subresource"):
            return entry.get("fieldsV1") or {}
    return {}


def projection(fields: Mapping[str, Any], value: Any) -> Any:
    """Reduce a value to a set of fields in the form FieldsV1.

    Keys are C(f:name), C(k:{...}) for the item of a list by its keys, C(v:...) for the member of a set, C(i:0) for a position,
    and C(.) for the item itself (https://kubernetes.io/docs/reference/generated/kubernetes-api/v1.36/#fieldsv1-v1-meta).
    """
    if not fields:
        return value
    return {
        name: (value is not None) if name == "." else projection(below, member(name, value))
        for name, below in fields.items()
    }


def member(name: str, value: Any) -> Any:
    """Return the part of a value that a key of FieldsV1 names; None if it does not exist."""
    sort, _colon, rest = name.partition(":")
    if sort == "f":
        return value.get(rest) if isinstance(value, dict) else None
    if not isinstance(value, list):
        return None
    sought = json.loads(rest)
    if sort == "k":
        return next((item for item in value if has_keys(item, sought)), None)
    if sort == "v":
        return sought if sought in value else None
    return value[sought] if 0 <= sought < len(value) else None


def has_keys(item: Any, keys: Mapping[str, Any]) -> bool:
    """Return whether an item of a list has these values."""
    return isinstance(item, dict) and all(item.get(name) == value for name, value in keys.items())


def live_digest(live: Mapping[str, Any]) -> str:
    """Return the digest of the live content in the fields that this collection owns; empty if it owns none."""
    fields = owned_fields(live)
    return digest([fields, projection(fields, live)]) if fields else ""
