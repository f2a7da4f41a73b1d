# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of releases: their revisions, what one contains, and what differs between two."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from .._kube.api import ApiError, Client
from .._kube.objects import Object, difference, reference
from .errors import ReleaseError
from .ownership import Identity, identity
from .record import Record
from .store import Entry, Store, list_entries


def releases(client: Client, namespace: str, name: str) -> list[dict[str, Any]]:
    """Tell the revisions of releases, by namespace and name. No content is read, so no Secret either.

    :param namespace: where to look; everywhere when empty. :param name: of one release; all when empty.
    """
    found: dict[tuple[str, str], list[Entry]] = {}
    for entry in list_entries(client, namespace, name):
        if not entry.part:
            found.setdefault((entry.namespace, entry.release), []).append(entry)
    return [
        {
            "name": release,
            "namespace": where,
            "revision": entries[-1].revision,
            "status": entries[-1].status,
            "deployed": max((entry.revision for entry in entries if entry.status == "deployed"), default=0),
            "revisions": [entry.as_dict() for entry in entries],
        }
        for (where, release), entries in sorted(found.items())
    ]


def read(client: Client, namespace: str, name: str, revision: int) -> Record:
    """Read one revision.

    :raises ReleaseError: there is no such revision; those that are there are named.
    """
    store = Store(client, name, namespace)
    try:
        return store.read(revision)
    except ApiError as error:
        if error.status != 404:
            raise
        there = ", ".join(str(entry.revision) for entry in store.look())
        raise ReleaseError(
            f"Release {name} in namespace {namespace} has no revision {revision}; it has: {there or 'none'}."
        ) from None


def contents(record: Record) -> list[dict[str, Any]]:
    """Name the objects of a revision, hooks among them."""
    hooks = [
        dict(reference(content).as_dict(), hook=when)
        for when in ("pre", "post")
        for content in record.hooks.get(when) or []
    ]
    return [dict(reference(content).as_dict(), hook="") for content in record.objects] + hooks


def differences(old: Record, new: Record) -> tuple[list[dict[str, str]], list[dict[str, Any]]]:
    """Say what differs between two revisions.

    :returns: each object that differs, with C(create), C(change) or C(delete); and Ansible's diffs, without values of Secrets.
    """
    before, after = _by_identity(old.objects), _by_identity(new.objects)
    before.update(_by_identity(_hooks(old)))
    after.update(_by_identity(_hooks(new)))
    changes, diffs = [], []
    for who in sorted(set(before) | set(after)):
        one, other = before.get(who), after.get(who)
        if one == other:
            continue
        name = reference(other or one or {})
        changes.append(dict(name.as_dict(), action="change" if one and other else "create" if other else "delete"))
        diffs.append(difference(name, one or {}, other or {}))
    return changes, diffs


def _hooks(record: Record) -> list[Object]:
    return [content for part in record.hooks.values() for content in part]


def _by_identity(some: Sequence[Mapping[str, Any]]) -> dict[Identity, Object]:
    return {identity(reference(content)): dict(content) for content in some}
