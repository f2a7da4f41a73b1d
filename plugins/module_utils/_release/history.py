# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The history of releases: their revisions, the objects of one, and the differences between two."""

from __future__ import annotations

from typing import Any

from .._kube.api import ApiError, Client
from .._kube.objects import Object, difference, reference
from .errors import ReleaseError
from .ownership import Identity, identity
from .revision import Revision
from .settings import PARTS
from .store import Entry, Store, list_entries


def releases(client: Client, namespace: str, name: str) -> list[dict[str, Any]]:
    """Return the revisions of releases, by namespace and name. Only metadata is read, no Secret.

    :param namespace: the namespace; all namespaces if empty. :param name: name of one release; all if empty.
    """
    found: dict[tuple[str, str], list[Entry]] = {}
    for entry in list_entries(client, namespace, name):
        if not entry.part:
            found.setdefault((entry.namespace, entry.release), []).append(entry)
    return [
        {
            "name": release,
            "namespace": where,
            "revision": entries[-1].number,
            "status": entries[-1].status,
            "deployed": max((entry.number for entry in entries if entry.status == "deployed"), default=0),
            "revisions": [entry.as_dict() for entry in entries],
        }
        for (where, release), entries in sorted(found.items())
    ]


def read_revision(client: Client, namespace: str, name: str, number: int) -> Revision:
    """Read one revision.

    :raises ReleaseError: there is no such revision; the message names those that exist.
    """
    store = Store(client, name, namespace)
    try:
        return store.read(number)
    except ApiError as error:
        if error.status != 404:
            raise
        existing = ", ".join(str(entry.number) for entry in store.refresh())
        raise ReleaseError(
            f"Release {name} in namespace {namespace} has no revision {number}; it has: {existing or 'none'}. [slipway:revision_missing]"
        ) from None


def contents(revision: Revision) -> list[dict[str, Any]]:
    """Name the objects of a revision, including its hooks."""
    parts = [("", revision.objects)] + [(when, revision.hooks.get(when) or []) for when in PARTS]
    return [dict(reference(content).as_dict(), hook=when) for when, part in parts for content in part]


def differences(old: Revision, new: Revision) -> tuple[list[dict[str, str]], list[dict[str, Any]]]:
    """Compare two revisions.

    :returns: each object that differs, with C(create), C(change) or C(delete); and Ansible's diffs, without values of Secrets.
    """
    before, after = _by_identity(old), _by_identity(new)
    changes, diffs = [], []
    for who in sorted(set(before) | set(after)):
        one, other = before.get(who), after.get(who)
        if one == other:
            continue
        name = reference(other or one or {})
        changes.append(dict(name.as_dict(), action="change" if one and other else "create" if other else "delete"))
        diffs.append(difference(name, one or {}, other or {}))
    return changes, diffs


def _by_identity(revision: Revision) -> dict[Identity, Object]:
    return {identity(reference(content)): dict(content) for content in revision.all}
