# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stored revisions of a release: listed by their metadata, read one at a time, written without overwriting concurrent changes."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Mapping, Sequence

from .._kube.api import ApiError, Client
from .._kube.objects import RELEASE
from .errors import LockLost
from .ownership import MANAGER, PART, REVISION, STATUS
from .revision import (
    ANNOTATIONS,
    DEPLOYED,
    PENDING,
    SUPERSEDED,
    Revision,
    decode,
    encode,
    parts_of,
    secret_name,
    state_patch,
)

METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
MESSAGE_LENGTH = 1000


@dataclass(frozen=True)
class Entry:
    """One entry in the history of a release, from the metadata of its Secret."""

    release: str
    namespace: str
    number: int
    status: str
    created: str
    finished: str
    message: str
    version: str
    part: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return it as a module returns it."""
        return {
            "revision": self.number,
            "status": self.status,
            "created": self.created,
            "finished": self.finished,
            "message": self.message,
        }


def read_entry(item: Mapping[str, Any]) -> Entry:
    """Read the metadata of a revision's Secret."""
    metadata = item.get("metadata") or {}
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    finished, message = (annotations.get(name) or "" for name in ANNOTATIONS)
    return Entry(
        labels.get(RELEASE) or "",
        metadata.get("namespace") or "",
        int(labels[REVISION]) if (labels.get(REVISION) or "").isdigit() else 0,
        labels.get(STATUS) or PENDING,
        metadata.get("creationTimestamp") or "",
        finished,
        message,
        metadata.get("resourceVersion") or "",
        labels.get(PART) or "",
    )


def list_entries(client: Client, namespace: str, release: str = "") -> list[Entry]:
    """List the revisions of one release, or of all, oldest first, including their parts.

    :param namespace: the namespace; all namespaces if empty.
    """
    place = f"/api/v1/namespaces/{namespace}/secrets" if namespace else "/api/v1/secrets"
    selector = ",".join(filter(None, (REVISION, f"{RELEASE}={release}" if release else "")))
    try:
        found = client.get(place, {"labelSelector": selector}, accept=METADATA_ONLY)
    except ApiError as error:
        if error.status == 404:
            return []
        raise
    entries = [read_entry(item) for item in found.get("items") or []]
    return sorted(entries, key=lambda entry: (entry.namespace, entry.release, entry.number, entry.part))


class Store:
    """The stored revisions of one release."""

    def __init__(self, client: Client, release: str, namespace: str) -> None:
        self.client = client
        self.release = release
        self.namespace = namespace
        self.entries: list[Entry] = []
        self._parts: list[Entry] = []

    def refresh(self) -> list[Entry]:
        """List the revisions, oldest first."""
        found = list_entries(self.client, self.namespace, self.release)
        self.entries = [entry for entry in found if not entry.part]
        self._parts = [entry for entry in found if entry.part]
        return self.entries

    def read(self, number: int) -> Revision:
        """Read one revision.

        :raises UnreadableRevision: it cannot be read. :raises ApiError: it does not exist.
        """
        secret = self.client.get(self._path(secret_name(self.release, number)))
        return decode(secret, self.client.each(lambda name: self.client.find(self._path(name)), parts_of(secret)))

    def create(self, revision: Revision) -> None:
        """Store a new revision: it is complete only when its last Secret exists.

        :raises LockLost: another run has written this revision.
        """
        secrets = encode(revision)
        for part in secrets[:-1]:
            self.client.apply(self._path(part["metadata"]["name"]), part, MANAGER, force=True, dry_run=False)
        try:
            made = self.client.create(self._path(""), secrets[-1])
        except ApiError as error:
            if error.status == 409 and error.reason == "AlreadyExists":
                made = self.client.get(self._path(revision.name))
                # If the response was lost, the request was repeated, and the existing Secret is our own.
                if decode(made, secrets[:-1]).state.get("run") != revision.state.get("run"):
                    raise LockLost(
                        f"Another run has written revision {revision.number} of {self.release}. [slipway:release_taken_over]"
                    ) from error
            else:
                raise
        revision.version = made["metadata"]["resourceVersion"]

    def update(self, revision: Revision, message: str | None = None) -> None:
        """Store the state and the status of a revision.

        :param message: its outcome, for the history; the revision is then finished.
        :raises LockLost: another run has changed it since.
        """
        annotations = {}
        if message is not None:
            now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            annotations = dict(zip(ANNOTATIONS, (now, message[:MESSAGE_LENGTH])))
        try:
            made = self.client.patch(self._path(revision.name), state_patch(revision, annotations))
        except ApiError as error:
            if error.status in (404, 409):
                raise LockLost(
                    f"Another run has changed revision {revision.number} of {self.release}. This run stops. [slipway:release_taken_over]"
                ) from error
            raise
        revision.version = made["metadata"]["resourceVersion"]

    def supersede(self, number: int) -> None:
        """Mark every older revision that was deployed as superseded."""
        body = {"metadata": {"labels": {STATUS: SUPERSEDED}}}
        for entry in self.refresh():
            if entry.status == DEPLOYED and entry.number < number:
                self.client.patch(self._path(secret_name(self.release, entry.number)), body)

    def last_deployed(self) -> int:
        """Return the newest revision that was deployed, which is the target of a rollback; 0 if there is none."""
        return max((entry.number for entry in self.entries if entry.status == DEPLOYED), default=0)

    def trim(self, keep: int) -> None:
        """Delete the oldest revisions, except the deployed one, and parts that belong to no revision.

        :param keep: how many to keep.
        """
        entries, good = self.entries, self.last_deployed()
        gone = [entry for entry in entries[: max(0, len(entries) - keep)] if entry.number != good]
        self.forget(gone, [entry.number for entry in entries if entry not in gone])

    def forget(self, gone: Sequence[Entry], stay: Sequence[int] = ()) -> None:
        """Delete revisions, and every part that belongs to none of those that stay."""
        names = [secret_name(self.release, entry.number) for entry in gone]
        names += [
            f"{secret_name(self.release, part.number)}-p{part.part}" for part in self._parts if part.number not in stay
        ]
        for name in names:
            self.client.delete(self._path(name))

    def _path(self, name: str) -> str:
        return f"/api/v1/namespaces/{self.namespace}/secrets{'/' + name if name else ''}"
