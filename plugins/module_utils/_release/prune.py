# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which objects of earlier revisions are deleted: only those that the release owns, and data only if its kind is named explicitly."""

from __future__ import annotations

from typing import Any, List, Mapping, Sequence, Tuple

from .._kube.api import ApiError, Client
from .._kube.objects import Object, reference
from .live_state import uid
from .ownership import FAMILY_KEPT, GENERATED, PRECIOUS, family, identity, keep_requested, owner
from .settings import Settings

Selection = Tuple[List[Object], List[str]]


def select(
    old: Sequence[Object], current: Sequence[Object], desired: Sequence[Mapping[str, Any]], settings: Settings
) -> Selection:
    """Select the live objects to delete, and explain why others are kept.

    :param old: live objects of earlier revisions that the release no longer contains.
    :param current: live objects that it contains: the same object under another name of its API group has the same UID.
    :param desired: the content of the objects that it contains.
    :returns: the objects to delete, and a sentence for each owned object that is kept.
    """
    release = (settings.name, settings.namespace)
    now = {uid(live) for live in current}
    owned = [live for live in old if owner(live) == release and uid(live) not in now]
    spared = _newest_of_families(owned, desired)
    inhabited = {reference(content).namespace for content in desired} | {settings.namespace}
    unneeded: list[Object] = []
    kept: list[str] = []
    for live in owned:
        name = reference(live)
        why = ""
        if (live.get("metadata") or {}).get("deletionTimestamp") or uid(live) in spared:
            continue
        if keep_requested(live):
            why = "as its annotation requests"
        elif name.kind in PRECIOUS and name.kind not in settings.prune_kinds:
            why = f"because its data would be deleted with it; to delete it, set prune_kinds: [{name.kind}]"
        elif settings.state == "present" and name.kind == "Namespace" and name.name in inhabited:
            why = "because it contains objects of the release"
        elif any(one.get("controller") for one in (live.get("metadata") or {}).get("ownerReferences") or []):
            why = "because a controller owns it"
        if why:
            kept.append(f"{name} is kept, {why}.")
        else:
            unneeded.append(live)
    return unneeded, kept


def _newest_of_families(old: Sequence[Object], desired: Sequence[Mapping[str, Any]]) -> set[str]:
    """Return the UIDs of old versions to keep: together with the current ones, the newest few of each family."""
    families: dict[tuple[str, str, str], list[Object]] = {}
    for live in old:
        if family(live):
            families.setdefault(_family_of(live), []).append(live)
    in_use = [_family_of(content) for content in desired if family(content)]
    spared: set[str] = set()
    for who, members in families.items():
        # A family that the release no longer contains at all is deleted as a whole.
        room = FAMILY_KEPT - in_use.count(who) if who in in_use else 0
        newest = sorted(members, key=lambda live: live["metadata"].get("creationTimestamp") or "", reverse=True)
        spared.update(uid(live) for live in newest[: max(0, room)])
    return spared


def _family_of(content: Mapping[str, Any]) -> tuple[str, str, str]:
    name = reference(content)
    return (name.kind, name.namespace, family(content))


def spare_used_definitions(client: Client, selection: Selection) -> Selection:
    """Keep CustomResourceDefinitions of which objects remain: deleting the definition would delete all of them.

    Those with the annotation ``slipway.kube/objects: generated`` are deleted: only the application writes such objects.

    :param selection: the result of :func:`select`.
    """
    unneeded, kept = list(selection[0]), list(selection[1])
    deleted = {identity(reference(live)) for live in unneeded}
    for live in selection[0]:
        annotations = live["metadata"].get("annotations") or {}
        if live.get("kind") != "CustomResourceDefinition" or annotations.get(GENERATED[0]) == GENERATED[1]:
            continue
        served = [version["name"] for version in live["spec"].get("versions") or [] if version.get("served")]
        left = _instances(client, live["spec"], served[0]) if served else []
        # Those that are being deleted go anyway.
        left = [item for item in left if not (item.get("metadata") or {}).get("deletionTimestamp")]
        left = [item for item in left if identity(reference(item)) not in deleted]
        if left:
            unneeded.remove(live)
            kept.append(
                f"{reference(live)} is kept, because {len(left)} objects of this kind would be deleted with it, "
                f"for example {reference(left[0])}. Delete them first."
            )
    return unneeded, kept


def _instances(client: Client, spec: Mapping[str, Any], version: str) -> list[Object]:
    api_version, kind = f"{spec['group']}/{version}", spec["names"]["kind"]
    try:
        found = client.items(f"/apis/{api_version}/{spec['names']['plural']}")
    except ApiError as error:
        if error.status not in (403, 405):
            raise
        # Objects that this user may not list might exist.
        found = [{"metadata": {"name": "(this user may not list them)"}}]
    return [dict(item, apiVersion=api_version, kind=kind) for item in found]
