# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why the API server refuses an object: the fields and the remedy, without values that may be secret."""

from __future__ import annotations

import re
from typing import Any, Mapping, Sequence

from .._kube.api import ApiError
from .._kube.objects import Reference
from .._kube.quantities import parse_quantity
from .._kube.redaction import without_values
from .ownership import PRECIOUS

# How the validation of Kubernetes words that a field is immutable (k8s.io/kubernetes, pkg/apis/*/validation).
IMMUTABLE = re.compile(
    r"immutable|updates to .* are forbidden|may not be (?:changed|updated|modified)|may not change|cannot be (?:changed|updated|modified)"
    r"|cannot change|can not be changed|is forbidden after creation|may not be unset",
    re.I,
)
# Replacing one of these would delete the data or the objects that it holds.
NEVER_REPLACED = PRECIOUS + ("PersistentVolume", "CustomResourceDefinition")
OWNER = re.compile(r'conflict with "(?P<manager>[^"]*)"(?: with subresource "(?P<subresource>[^"]*)")?')
CLIENT_SIDE = ("kubectl-client-side-apply", "helm", "Helm", "before-first-apply", "kubectl-create")
DEPTH = 6


def conflicts(error: ApiError) -> dict[tuple[str, str], list[str]]:
    """Return the fields of an apply conflict by their owner: field manager and subresource (empty for the object itself)."""
    found: dict[tuple[str, str], list[str]] = {}
    if error.status == 409:
        for cause in error.causes:
            match = OWNER.search(cause.get("message") or "")
            if match:
                found.setdefault((match["manager"], match["subresource"] or ""), []).append(cause.get("field") or "?")
    return found


def is_immutable(error: ApiError) -> bool:
    """Return whether an object is refused because immutable fields would change."""
    return error.status in (403, 422) and bool(IMMUTABLE.search(error.message))


def immutable_fields(error: ApiError, live: Mapping[str, Any], desired: Mapping[str, Any]) -> list[str]:
    """Name the immutable fields that would change.

    The server names some by their path. For others it names only a section and the few fields in it that may change; the fields
    of that section that differ are found by comparison.
    """
    named = [cause for cause in error.causes if IMMUTABLE.search(cause.get("message") or "")]
    fields: list[str] = []
    for cause in named or [{"field": "spec", "message": error.message}]:
        field, message = cause.get("field") or "spec", cause.get("message") or ""
        mutable = re.findall(r"'([\w.\[\]*]+)'", message) if "other than" in message else []
        below = differing(_at(live, field), _at(desired, field), field)
        fields += [path for path in below if not any(_within(path, f"{field}.{name}") for name in mutable)] or [field]
    return sorted(set(fields))


def differing(live: Any, desired: Any, path: str, depth: int = DEPTH) -> list[str]:
    """Name the fields of a desired value that differ in the live one; fields that only the live one has are defaults.

    :param depth: levels to descend; deeper differences are reported by the field that contains them.
    """
    if live == desired or _same_quantity(live, desired):
        return []
    if isinstance(desired, Mapping) and isinstance(live, Mapping) and depth:
        return [
            found for name in desired for found in differing(live.get(name), desired[name], f"{path}.{name}", depth - 1)
        ]
    if isinstance(desired, list) and isinstance(live, list) and len(desired) == len(live) and depth:
        return [
            found
            for number, (old, new) in enumerate(zip(live, desired))
            for found in differing(old, new, f"{path}[{_label(new, number)}]", depth - 1)
        ]
    return [path]


def explain_refusal(
    error: ApiError,
    name: Reference,
    live: Mapping[str, Any] | None,
    desired: Mapping[str, Any],
    replace: str = "never",
    in_release: bool = True,
) -> str:
    """Explain why an object is refused: the object, the evidence, the remedy.

    :param replace: the policy for immutable fields, C(never) or C(immutable).
    :param in_release: whether the remedies are options of a release or of the module manifest.
    """
    owners = conflicts(error)
    if owners:
        return _explain_conflict(name, owners, in_release)
    if live is None or not is_immutable(error):
        return explain(error, name)
    if name.kind in NEVER_REPLACED:
        remedy = "The object is never replaced, because its data would be deleted with it. Keep these fields, or use another name."
    elif not in_release:
        remedy = "Delete the object first (state: absent)."
    elif replace == "immutable":
        remedy = "The object could not be replaced."
    else:
        remedy = "Keep these fields, or set replace: immutable, which deletes the object and creates it again."
    return f"{name}: immutable fields would change: {', '.join(immutable_fields(error, live, desired))}. {remedy} [slipway:immutable_field]"


def explain(error: ApiError, name: Reference) -> str:
    """Explain why the server refused a request about an object, without values that may be secret."""
    error = without_values(error)
    if error.status == 401:
        return f"{name}: the API server rejected the credentials of the kubeconfig: {error.message}. Renew its certificate or token. [slipway:unauthorized]"
    if error.status == 403 and error.reason == "Forbidden":
        return f"{name}: forbidden: {error.message}. Use a kubeconfig with this permission, or grant it with a Role. [slipway:forbidden]"
    if error.status in (400, 422) or "failed to create typed patch object" in error.message:
        details = "; ".join(f"{cause.get('field', '?')}: {cause.get('message', '')}" for cause in error.causes)
        remedy = "Correct the object."
        if "immutable" in error.message:
            remedy = "To change an immutable field, delete the object first (state: absent)."
        return f"{name}: the API server rejected the object: {(details or error.message).rstrip('.')}. {remedy} [slipway:object_invalid]"
    if error.transient:
        return (
            f"{name}: the API server is temporarily unavailable: {error.message}. Try again, and check the health of etcd and of the control"
            " plane. [slipway:api_server_unhealthy]"
        )
    return f"{name}: {error}"


def _explain_conflict(name: Reference, owners: Mapping[tuple[str, str], Sequence[str]], in_release: bool) -> str:
    parts = []
    for (manager, subresource), fields in sorted(owners.items()):
        through = f" (through {subresource})" if subresource else ""
        parts.append(f"{manager} owns {', '.join(sorted(field.lstrip('.') for field in fields))}{through}")
    remedy = f"Omit these fields, or take them over with {'force_conflicts' if in_release else 'force'}: true"
    old = sorted({manager for manager, _subresource in owners if manager in CLIENT_SIDE})
    if old and in_release:
        remedy += f"; to take over everything that {' and '.join(old)} wrote, set take_over: [{', '.join(old)}]"
    return f"{name}: other field managers have set these fields to different values: {'; '.join(parts)}. {remedy}. [slipway:field_conflict]"


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


def _same_quantity(live: Any, desired: Any) -> bool:
    """Return whether the server only writes a quantity in another form (0.5 and 500m, 1000m and 1, 1024Mi and 1Gi)."""
    if isinstance(live, (str, int, float)) and isinstance(desired, (str, int, float)) and not isinstance(desired, bool):
        quantity = parse_quantity(live)
        return quantity is not None and quantity == parse_quantity(desired)
    return False
