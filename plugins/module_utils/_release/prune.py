# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which objects of earlier revisions go, and which stay: never what is not the release's own, never data unless asked for by name."""

from __future__ import annotations

from typing import Any, Callable, List, Mapping, Sequence, Tuple

from .._kube.api import ApiError, Client
from .._kube.objects import Object, Reference, reference, stages
from .errors import Failed
from .live_state import uid
from .manifest import explain
from .ownership import FAMILY_KEPT, MANAGER, PRECIOUS, family, identity, kept, owner
from .settings import Settings

Sorted = Tuple[List[Object], List[str]]


def sort_out(
    old: Sequence[Object], current: Sequence[Object], wanted: Sequence[Mapping[str, Any]], settings: Settings
) -> Sorted:
    """Say which live objects go, and why others stay.

    :param old: live objects of earlier revisions that the release no longer contains.
    :param current: live objects that it contains: the same one under another name of its API group is known by its UID.
    :param wanted: the content of those that it is to contain.
    :returns: the objects to delete, and a sentence for each that stays although it is the release's own.
    """
    ours = (settings.name, settings.namespace)
    now = {uid(live) for live in current}
    mine = [live for live in old if owner(live) == ours and uid(live) not in now]
    spared = _newest_of_families(mine, current, wanted)
    inhabited = {reference(content).namespace for content in wanted} | {settings.namespace}
    gone: list[Object] = []
    why: list[str] = []
    for live in mine:
        name = reference(live)
        if (live.get("metadata") or {}).get("deletionTimestamp") or uid(live) in spared:
            continue
        if kept(live):
            why.append(f"{name} stays, as its annotation asks.")
        elif name.kind in PRECIOUS and name.kind not in settings.prune_kinds:
            why.append(
                f"{name} stays, because what it holds would be deleted with it; name it with prune_kinds: [{name.kind}]."
            )
        elif settings.state == "present" and name.kind == "Namespace" and name.name in inhabited:
            why.append(f"{name} stays, because the release lives in it.")
        elif _controlled(live):
            why.append(f"{name} stays, because a controller owns it.")
        else:
            gone.append(live)
    return gone, why


def delete_in_order(client: Client, path: Callable[[Reference], str], lives: Sequence[Object]) -> list[Reference]:
    """Delete objects, in the opposite order of applying, each only where it still is the one that was looked at.

    :param path: gives the path of an object. :param lives: the objects as they were seen.
    :returns: those that were deleted.
    :raises Failed: the server refused some; all are named.
    """

    def delete(live: Object) -> Any:
        name = reference(live)
        try:
            return client.delete(path(name), uid(live))
        except ApiError as error:
            return Failed(explain(error, name, MANAGER))

    gone: list[Reference] = []
    for stage in reversed(stages(lives)):
        results = client.each(delete, stage)
        problems = [str(result) for result in results if isinstance(result, Failed)]
        if problems:
            raise Failed("\n".join(problems))
        gone += [reference(live) for live, result in zip(stage, results) if result]
    return gone


def _newest_of_families(
    old: Sequence[Object], current: Sequence[Object], wanted: Sequence[Mapping[str, Any]]
) -> set[str]:
    """Give the UIDs of old versions that stay: with the current ones, the newest few of each family."""
    families: dict[tuple[str, str, str], list[Object]] = {}
    for live in old:
        if family(live):
            families.setdefault(_family_of(live), []).append(live)
    in_use = [_family_of(content) for content in wanted if family(content)]
    spared: set[str] = set()
    for who, members in families.items():
        # A family that the release no longer has at all goes as a whole.
        room = FAMILY_KEPT - in_use.count(who) if who in in_use else 0
        newest = sorted(members, key=lambda live: live["metadata"].get("creationTimestamp") or "", reverse=True)
        spared.update(uid(live) for live in newest[: max(0, room)])
    return spared


def _family_of(content: Mapping[str, Any]) -> tuple[str, str, str]:
    name = reference(content)
    return (name.kind, name.namespace, family(content))


def _controlled(live: Mapping[str, Any]) -> bool:
    return any(one.get("controller") for one in (live.get("metadata") or {}).get("ownerReferences") or [])


def spare_used_definitions(client: Client, found: Sorted) -> Sorted:
    """Keep definitions of kinds of which there are still objects that do not go: deleting the definition deletes them all.

    :param found: what :func:`sort_out` gave.
    """
    gone, why = list(found[0]), list(found[1])
    going = {identity(reference(live)) for live in gone}
    for live in found[0]:
        if live.get("kind") != "CustomResourceDefinition":
            continue
        spec = live["spec"]
        left = []
        for version in spec.get("versions") or []:
            if version.get("served"):
                left = _instances(client, spec, version["name"])
                break
        left = [item for item in left if identity(reference(item)) not in going]
        if left:
            gone.remove(live)
            why.append(
                "%s stays, because there are %d objects of this kind that would be deleted with it, such as %s. Delete them first."
                % (reference(live), len(left), reference(left[0]))
            )
    return gone, why


def _instances(client: Client, spec: Mapping[str, Any], version: str) -> list[Object]:
    api_version = f"{spec['group']}/{version}"
    path = f"/apis/{api_version}/{spec['names']['plural']}"
    try:
        found = client.items(path)
    except ApiError as error:
        if error.status not in (403, 405):
            raise
        # What cannot be seen might be there.
        return [
            {
                "apiVersion": api_version,
                "kind": spec["names"]["kind"],
                "metadata": {"name": "(this user may not list them)"},
            }
        ]
    return [dict(item, apiVersion=api_version, kind=spec["names"]["kind"]) for item in found]
