# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Short digests by which a run knows, without asking the server for a dry run, that applying an object would change nothing.

A record keeps two per object: of what was wanted, and of what the server made of it in exactly the fields that this
collection's field manager owns (https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management).
When both are as they were, the same apply again has nothing to do: nobody changed, took or removed a field of ours.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Mapping

from .ownership import MANAGER


def digest(value: Any) -> str:
    """Give 24 hexadecimal digits that stand for a value made of JSON's types."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def owned_fields(live: Mapping[str, Any], manager: str = MANAGER) -> Mapping[str, Any]:
    """Give the fields that a manager owns by apply (FieldsV1), empty where there are none."""
    for entry in (live.get("metadata") or {}).get("managedFields") or []:
        if entry.get("manager") == manager and entry.get("operation") == "Apply" and not entry.get("subresource"):
            return entry.get("fieldsV1") or {}
    return {}


def projection(fields: Mapping[str, Any], value: Any) -> Any:
    """Reduce a value to a set of fields in the form FieldsV1.

    Keys are C(f:name), C(k:{...}) for the item of a list by its keys, C(v:...) for the member of a set, C(i:0) for a position,
    and C(.) for the thing itself (https://kubernetes.io/docs/reference/generated/kubernetes-api/v1.36/#fieldsv1-v1-meta).
    """
    if not fields:
        return value
    return {
        name: (value is not None) if name == "." else projection(below, member(name, value))
        for name, below in fields.items()
    }


def member(name: str, value: Any) -> Any:
    """Find the part of a value that a key of FieldsV1 names; None where it is not there."""
    sort, _colon, rest = name.partition(":")
    if sort == "f":
        return value.get(rest) if isinstance(value, dict) else None
    if not isinstance(value, list):
        return None
    wanted = json.loads(rest)
    if sort == "k":
        for item in value:
            if isinstance(item, dict) and all(item.get(part) == content for part, content in wanted.items()):
                return item
        return None
    if sort == "v":
        return wanted if wanted in value else None
    return value[wanted] if 0 <= wanted < len(value) else None


def have(live: Mapping[str, Any]) -> str:
    """Give the digest of what the server has in the fields that we own; empty where we own none."""
    fields = owned_fields(live)
    return digest([fields, projection(fields, live)]) if fields else ""
