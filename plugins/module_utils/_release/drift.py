# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drift: what somebody has changed in the cluster since a revision was deployed, field by field.

The server says, in a dry run, what applying the revision again would change. Objects that are as they were when the revision was
deployed need none.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Dict, Iterator, List, Mapping, Sequence

from .._kube.api import Client
from .._kube.objects import Kinds, mapping, showable
from . import ignored
from .desired import Desired, with_defined
from .fingerprint import has_keys
from .ownership import MANAGER, identity
from .plan import Planner
from .planned import PlannedObject, has_failed
from .revision import Revision
from .rollback import generated, served_objects
from .settings import Settings

Drift = List[Dict[str, Any]]
SHOWN = 3  # objects in the sentence, and fields of each


def find_drift(client: Client, settings: Settings, served: Kinds, revision: Revision) -> Drift:
    """Compare the cluster with a deployed revision.

    :param settings: options about the fields that others own.
    :param served: the kinds that the cluster serves.
    :returns: the objects that were changed or deleted, with their fields. Values of Secrets are masked.
    :raises ReleaseError: the server refuses the dry run of an object.
    """
    kinds = with_defined(served, revision.objects)
    objects, _notes = served_objects(revision.objects, kinds)
    pinned = [*settings.ignored, *ignored.read(revision.state.get("ignored") or []), *generated(revision)]
    options = replace(settings, force_conflicts=True, take_over=(), replace="immutable", prune=False, revision=None)
    planner = Planner(client, options, Desired(objects, {}, kinds, served, pinned), revision)
    found = [_drift_of(planned, planner.live.get(identity(planned.name))) for planned in planner.plan().objects]
    return [one for one in found if one]


def describe(drift: Sequence[Mapping[str, Any]], number: int) -> str:
    """Summarize drift in one sentence.

    :param number: the revision with which the cluster was compared.
    """
    parts = []
    for one in drift[:SHOWN]:
        where = f"{one['kind']} {one['namespace'] + '/' if one['namespace'] else ''}{one['name']}"
        fields = [
            field["field"] + (f" by {field['manager']}" if field["manager"] else "") for field in one["fields"][:SHOWN]
        ]
        more = f" and {len(one['fields']) - SHOWN} more" if len(one["fields"]) > SHOWN else ""
        parts.append(f"{where} ({', '.join(fields)}{more})" if fields else f"{where} ({one['change']})")
    rest = f"; and {len(drift) - SHOWN} more objects" if len(drift) > SHOWN else ""
    return f"Changed in the cluster since revision {number}: {'; '.join(parts)}{rest}."


def _drift_of(planned: PlannedObject, live: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the drift of one object, empty if there is none. A failed Job has failed by itself."""
    fields: list[dict[str, Any]] = []
    change = "changed"
    if live is None:
        change = "deleted"
    elif planned.action == "replace" and mapping(live.get("metadata")).get("deletionTimestamp"):
        change = "being deleted"
    elif planned.name.kind == "Job" and has_failed(live):
        return {}
    else:
        found, wanted = showable(planned.before, planned.after)
        fields = list(_fields(wanted, found, live, (), ()))
    if planned.action == "none" or (change == "changed" and not fields):
        return {}
    return dict(planned.name.as_dict(), change=change, fields=fields)


def _fields(
    wanted: Any, found: Any, live: Mapping[str, Any], path: tuple[Any, ...], place: tuple[Any, ...]
) -> Iterator[dict[str, Any]]:
    """Return the fields in which two structures differ. Items of lists that have names are found by them.

    :param path: where C(wanted) is in the object of the revision. :param place: where C(found) is in the live object.
    """
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        for key in dict.fromkeys([*wanted, *found]):
            yield from _fields(wanted.get(key), found.get(key), live, (*path, key), (*place, key))
    elif isinstance(wanted, list) and isinstance(found, list) and pairs(wanted, found) is not None:
        for mine, theirs in pairs(wanted, found) or []:
            one = None if mine is None else wanted[mine]
            other = None if theirs is None else found[theirs]
            at = theirs if mine is None else mine
            yield from _fields(one, other, live, (*path, at), (*place, -1 if theirs is None else theirs))
    elif wanted != found:
        pointer = "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)
        yield {"field": pointer, "revision": wanted, "cluster": found, **_owner(live, place)}


def pairs(wanted: Sequence[Any], found: Sequence[Any]) -> list[tuple[int | None, int | None]] | None:
    """Return the positions of the items that belong together; None if the lists can only be compared as a whole."""
    named: list[dict[str, int]] = []
    for items in (wanted, found):
        names = {
            item["name"]: at
            for at, item in enumerate(items)
            if isinstance(item, Mapping) and isinstance(item.get("name"), str)
        }
        named.append(names if len(names) == len(items) else {})
    mine, theirs = named
    if mine and theirs:
        return [(mine.get(name), theirs.get(name)) for name in dict.fromkeys([*mine, *theirs])]
    return [(at, at) for at in range(len(wanted))] if len(wanted) == len(found) else None


def _owner(live: Mapping[str, Any], place: Sequence[Any]) -> dict[str, str]:
    """Return which other field manager has set a field, and when; empty texts if the server does not know
    (https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management)."""
    entries = [one for one in mapping(live.get("metadata")).get("managedFields") or [] if one.get("manager") != MANAGER]
    for entry in sorted(entries, key=lambda one: str(one.get("time") or ""), reverse=True):
        if _owns(mapping(entry.get("fieldsV1")), live, place):
            return {"manager": str(entry.get("manager") or ""), "time": str(entry.get("time") or "")}
    return {"manager": "", "time": ""}


def _owns(fields: Mapping[str, Any], value: Any, place: Sequence[Any]) -> bool:
    """Return whether a set of fields in the form FieldsV1 contains the field at a place, or what it is part of as a whole."""
    if not place:
        return True
    below: Any = None
    if isinstance(value, Mapping):
        below, value = fields.get(f"f:{place[0]}"), value.get(place[0])
    elif isinstance(value, list) and 0 <= place[0] < len(value):
        value = value[place[0]]
        keys = [name for name in fields if name.startswith("k:") and has_keys(value, json.loads(name[2:]))]
        below = fields[keys[0]] if keys else fields.get(f"i:{place[0]}")
    return below is not None and (below == {} or _owns(below, value, place[1:]))
