# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why the API server refuses an object, told with the fields and the remedy, and never with a value that may be secret."""

from __future__ import annotations

import json
import re
from typing import Any, Mapping, Sequence

from .._kube.api import ApiError
from .._kube.objects import Reference
from .._kube.quantities import parse_quantity
from .manifest import explain
from .ownership import MANAGER, PRECIOUS

# How the validation of the kinds says that a field stays as it is (k8s.io/kubernetes, pkg/apis/*/validation).
IMMUTABLE = re.compile(
    r"immutable|updates to .* are forbidden|may not be (?:changed|updated|modified)|may not change|cannot be (?:changed|updated|modified)"
    r"|cannot change|can not be changed|is forbidden after creation|may not be unset",
    re.I,
)
# Replacing one of these would delete what it holds.
NEVER_REPLACED = PRECIOUS + ("PersistentVolume", "CustomResourceDefinition")
OWNER = re.compile(r'conflict with "(?P<manager>[^"]*)"(?: with subresource "(?P<subresource>[^"]*)")?')
CLIENT_SIDE = ("kubectl-client-side-apply", "helm", "Helm", "before-first-apply", "kubectl-create")
DEPTH = 6


def conflicts(error: ApiError) -> dict[tuple[str, str], list[str]]:
    """Give the fields of a conflict by who owns them: manager and subresource (empty for the object itself)."""
    found: dict[tuple[str, str], list[str]] = {}
    if error.status == 409:
        for cause in error.causes:
            match = OWNER.search(cause.get("message") or "")
            if match:
                found.setdefault((match["manager"], match["subresource"] or ""), []).append(cause.get("field") or "?")
    return found


def is_immutable(error: ApiError) -> bool:
    """Whether an object is refused because of fields that cannot be changed."""
    return error.status in (403, 422) and bool(IMMUTABLE.search(error.message))


def immutable_fields(error: ApiError, live: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Name the fields that cannot be changed and would be.

    The server names some by their path, and of others only the part in which nothing but a few fields may change: there the
    wanted fields that differ are found by comparison.
    """
    named = [cause for cause in error.causes if IMMUTABLE.search(cause.get("message") or "")]
    fields: list[str] = []
    for cause in named or [{"field": "spec", "message": error.message}]:
        field, message = cause.get("field") or "spec", cause.get("message") or ""
        allowed = re.findall(r"'([\w.\[\]*]+)'", message) if "other than" in message else []
        below = differing(_at(live, field), _at(wanted, field), field)
        below = [path for path in below if not any(_within(path, f"{field}.{name}") for name in allowed)]
        fields += below or [field]
    return sorted(set(fields))


def differing(live: Any, wanted: Any, path: str, depth: int = DEPTH) -> list[str]:
    """Name the fields of a wanted value that are otherwise in the live one; what is only live is a default.

    :param depth: how far to go down; deeper differences are named by what they are in.
    """
    if live == wanted or _same_quantity(live, wanted):
        return []
    if isinstance(wanted, Mapping) and isinstance(live, Mapping) and depth:
        return [
            found for name in wanted for found in differing(live.get(name), wanted[name], f"{path}.{name}", depth - 1)
        ]
    if isinstance(wanted, list) and isinstance(live, list) and len(wanted) == len(live) and depth:
        return [
            found
            for number, (old, new) in enumerate(zip(live, wanted))
            for found in differing(old, new, f"{path}[{_label(new, number)}]", depth - 1)
        ]
    return [path]


def told(
    error: ApiError, name: Reference, live: Mapping[str, Any] | None, wanted: Mapping[str, Any], replace: str
) -> str:
    """Say why an object is refused: the object, the evidence, the remedy.

    :param replace: the policy for immutable fields, C(never) or C(immutable).
    """
    owners = conflicts(error)
    if owners:
        return conflict_told(name, owners)
    if live is not None and is_immutable(error):
        fields = ", ".join(immutable_fields(error, live, wanted))
        if name.kind in NEVER_REPLACED:
            remedy = "It is never replaced, because what it holds would be deleted with it: keep the fields, or use another name."
        elif replace == "immutable":
            remedy = "It could not be replaced."
        else:
            remedy = "Keep the fields, or say replace: immutable, which deletes the object and makes it anew."
        return f"{name}: fields that cannot be changed would change: {fields}. {remedy}"
    return explain(error, name, MANAGER)


def conflict_told(name: Reference, owners: Mapping[tuple[str, str], Sequence[str]]) -> str:
    """Say who owns which fields that the release would set otherwise."""
    parts = []
    for (manager, subresource), fields in sorted(owners.items()):
        through = f" (through {subresource})" if subresource else ""
        parts.append(f"{manager} owns {', '.join(sorted(field.lstrip('.') for field in fields))}{through}")
    old = sorted({manager for manager, _subresource in owners if manager in CLIENT_SIDE})
    remedy = "Leave these fields out, or take them over with force_conflicts: true"
    if old:
        remedy += f"; what {' and '.join(old)} wrote as a whole is taken over with take_over: [{', '.join(old)}]"
    return f"{name}: others have set fields that this release sets differently: {'; '.join(parts)}. {remedy}."


def _at(content: Any, path: str) -> Any:
    for part in path.split("."):
        name = part.partition("[")[0]
        content = content.get(name) if isinstance(content, Mapping) else None
        for number in re.findall(r"\[(\d+)\]", part):
            content = content[int(number)] if isinstance(content, list) and int(number) < len(content) else None
    return content


def _within(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith((prefix + ".", prefix + "["))


def _label(item: Any, number: int) -> str:
    name = item.get("name") if isinstance(item, Mapping) else None
    if name is None and isinstance(item, Mapping):
        name = (item.get("metadata") or {}).get("name")
    return str(name) if isinstance(name, str) else str(number)


def _same_quantity(live: Any, wanted: Any) -> bool:
    """Whether the server merely writes a quantity otherwise (0.5 and 500m, 1000m and 1, 1024Mi and 1Gi)."""
    if isinstance(live, (str, int, float)) and isinstance(wanted, (str, int, float)) and not isinstance(wanted, bool):
        quantity = parse_quantity(live)
        return quantity is not None and quantity == parse_quantity(wanted)
    return False


def short(value: Any) -> str:
    """Write a value on one line, for evidence."""
    text = json.dumps(value, sort_keys=True)
    return text if len(text) <= 80 else text[:77] + "..."
