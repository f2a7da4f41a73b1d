# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The live state of some objects, read with one request for each kind and namespace."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Sequence, Tuple

from .._kube.api import ApiError, Client
from .._kube.objects import Kinds, Object, Reference, reference
from .ownership import RELEASE, REVISION, Identity, identity
from .store import METADATA_ONLY

Live = Dict[Identity, Object]
Collection = Tuple[str, str, str]

# Up to this many unlabelled objects of one collection are read one by one; for more, the names of the collection are listed first.
FEW = 4


def served_as(name: Reference, kinds: Kinds) -> Reference | None:
    """Return a name as the cluster serves it, perhaps in another version of its API group; None if its kind is not served."""
    if (name.api_version, name.kind) in kinds:
        return name
    group = name.api_version.rpartition("/")[0]
    for version, kind in kinds:
        if kind == name.kind and version.rpartition("/")[0] == group:
            return Reference(version, name.kind, name.namespace, name.name)
    return None


def read_live(client: Client, kinds: Kinds, release: str, names: Sequence[Reference]) -> Live:
    """Read objects; those that do not exist are left out.

    Objects with the label of the release are read with one list for each kind and namespace. The others, which are new or lost
    their label, are read by name.

    :param kinds: the kinds that the cluster serves now; objects of other kinds cannot exist.
    :param release: name of the release; empty reads every object by name.
    """
    groups: dict[Collection, list[Reference]] = {}
    for name in names:
        if (name.api_version, name.kind) in kinds:
            groups.setdefault((name.api_version, name.kind, name.namespace), []).append(name)
    live: Live = {}
    unread: dict[Collection, list[Reference]] = dict(groups)
    by_name: list[Reference] = []
    if release:
        selector = f"{RELEASE}={release},!{REVISION}"
        lists = client.each(lambda one: _list(client, kinds, one, selector), list(groups))
        for collection, found in zip(groups, lists):
            if found is None:  # this user may read objects, and not list them
                by_name += unread.pop(collection)
                continue
            listed = {identity(reference(item)): item for item in found}
            live.update(
                (identity(name), listed[identity(name)]) for name in groups[collection] if identity(name) in listed
            )
            unread[collection] = [name for name in groups[collection] if identity(name) not in live]
    many = [collection for collection in unread if len(unread[collection]) > FEW]
    existing = dict(zip(many, client.each(lambda one: _names(client, kinds, one), many)))
    for collection, missing in unread.items():
        some = existing.get(collection)
        by_name += [name for name in missing if some is None or name.name in some]
    items = client.each(lambda name: client.find(kinds[(name.api_version, name.kind)].path(name)), by_name)
    live.update((identity(name), item) for name, item in zip(by_name, items) if item is not None)
    return live


def _list(client: Client, kinds: Kinds, collection: Collection, selector: str) -> list[Object] | None:
    """List the objects of a collection with the label; None if this user may not list."""
    api_version, kind, namespace = collection
    try:
        found = client.items(kinds[(api_version, kind)].collection(api_version, namespace), {"labelSelector": selector})
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
    """Return the UID of an object (https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#uids)."""
    return (live.get("metadata") or {}).get("uid") or ""
