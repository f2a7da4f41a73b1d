# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the cluster has of some objects, in one request for each kind and namespace."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Sequence, Tuple

from .._kube.api import ApiError, Client
from .._kube.objects import Kinds, Object, Reference, Resource, reference
from .ownership import RELEASE, REVISION, Identity, identity
from .store import METADATA_ONLY

Live = Dict[Identity, Object]
Collection = Tuple[str, str, str]

# So many objects of one collection that are not marked are looked for one by one; more, by a list of names.
FEW = 4


def known(name: Reference, kinds: Kinds) -> Reference | None:
    """Give a name that the cluster serves: as it is, or with another version of its group; None where there is none."""
    if (name.api_version, name.kind) in kinds:
        return name
    group = name.api_version.rpartition("/")[0]
    for version, kind in kinds:
        if kind == name.kind and version.rpartition("/")[0] == group:
            return Reference(version, name.kind, name.namespace, name.name)
    return None


def look(client: Client, kinds: Kinds, release: str, names: Sequence[Reference]) -> Live:
    """Read objects as they are; those that are not there are left out.

    Objects that bear the label of the release come by one list for each kind and namespace. The rest, which is new or lost its
    label, is looked for by name.

    :param kinds: the kinds that the cluster serves now; objects of other kinds cannot be there.
    """
    groups: dict[Collection, list[Reference]] = {}
    for name in names:
        if (name.api_version, name.kind) in kinds:
            groups.setdefault((name.api_version, name.kind, name.namespace), []).append(name)
    selector = f"{RELEASE}={release},!{REVISION}"
    live: Live = {}
    singles: list[Reference] = []
    collections = sorted(groups)
    for collection, found in zip(
        collections, client.each(lambda one: _list(client, kinds, one, selector), collections)
    ):
        wanted = {identity(name): name for name in groups[collection]}
        if found is None:
            singles += wanted.values()
            continue
        live.update((who, item) for who, item in ((identity(reference(item)), item) for item in found) if who in wanted)
    missing = [
        collection
        for collection in collections
        if len([name for name in groups[collection] if identity(name) not in live and name not in singles]) > FEW
    ]
    there = dict(zip(missing, client.each(lambda one: _names(client, kinds, one), missing)))
    for collection in collections:
        listed = there.get(collection)
        for name in groups[collection]:
            if identity(name) not in live and name not in singles and (listed is None or name.name in listed):
                singles.append(name)
    for name, item in zip(singles, client.each(lambda name: client.find(_resource(kinds, name).path(name)), singles)):
        if item is not None:
            live[identity(name)] = item
    return live


def _resource(kinds: Kinds, name: Reference) -> Resource:
    return kinds[(name.api_version, name.kind)]


def _list(client: Client, kinds: Kinds, collection: Collection, selector: str) -> list[Object] | None:
    """List what bears the label; None where this user may not list, and may still read by name."""
    api_version, kind, namespace = collection
    try:
        path = kinds[(api_version, kind)].collection(api_version, namespace)
        found = client.items(path, {"labelSelector": selector})
    except ApiError as error:
        if error.status in (403, 405):
            return None
        raise
    return [dict(item, apiVersion=api_version, kind=kind) for item in found]


def _names(client: Client, kinds: Kinds, collection: Collection) -> set[str] | None:
    api_version, kind, namespace = collection
    try:
        found = client.get(kinds[(api_version, kind)].collection(api_version, namespace), accept=METADATA_ONLY)
    except ApiError as error:
        if error.status in (403, 404, 405):
            return None
        raise
    return {item["metadata"]["name"] for item in found.get("items") or []}


def uid(live: Mapping[str, Any]) -> str:
    """Give the unique id of an object (https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#uids)."""
    return (live.get("metadata") or {}).get("uid") or ""
