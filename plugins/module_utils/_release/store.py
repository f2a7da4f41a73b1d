# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The records of a release in the cluster: listed by their metadata, read one at a time, written so that none overwrites another's."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Mapping, Sequence

from .._kube.api import ApiError, Client
from .errors import LockLost
from .ownership import MANAGER, PART, RELEASE, REVISION, STATUS
from .record import ANNOTATIONS, DEPLOYED, PENDING, SUPERSEDED, Record, change, decode, encode, parts_of

METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
MESSAGE_LENGTH = 1000


@dataclass(frozen=True)
class Entry:
    """One line of a release's history, as its Secret's metadata tells it."""

    release: str
    namespace: str
    revision: int
    status: str
    created: str
    finished: str
    message: str
    version: str
    part: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Give it as a module returns it."""
        return {
            "revision": self.revision,
            "status": self.status,
            "created": self.created,
            "finished": self.finished,
            "message": self.message,
        }


def read_entry(item: Mapping[str, Any]) -> Entry:
    """Read the metadata of a record's Secret."""
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
    """List the records of one release, or of all, oldest first; parts are among them.

    :param namespace: where to look; everywhere when empty.
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
    return sorted(entries, key=lambda entry: (entry.namespace, entry.release, entry.revision, entry.part))


class Store:
    """The records of one release."""

    def __init__(self, client: Client, release: str, namespace: str) -> None:
        """Prepare; nothing is asked yet."""
        self.client = client
        self.release = release
        self.namespace = namespace
        self.entries: list[Entry] = []
        self._parts: list[Entry] = []

    def look(self) -> list[Entry]:
        """List the revisions, oldest first."""
        found = list_entries(self.client, self.namespace, self.release)
        self.entries = [entry for entry in found if not entry.part]
        self._parts = [entry for entry in found if entry.part]
        return self.entries

    def read(self, revision: int) -> Record:
        """Read one revision.

        :raises RecordError: it cannot be read. :raises ApiError: it is not there.
        """
        secret = self.client.get(self._path(f"slipway-release-{self.release}-r{revision}"))
        return decode(secret, self.client.each(lambda name: self.client.find(self._path(name)), parts_of(secret)))

    def create(self, record: Record) -> None:
        """Write a new revision: it is a record only when its last Secret is there.

        :raises LockLost: another run has written this revision.
        """
        secrets = encode(record)
        for part in secrets[:-1]:
            self.client.apply(self._path(part["metadata"]["name"]), part, MANAGER, force=True, dry_run=False)
        try:
            made = self.client.create(self._path(""), secrets[-1])
        except ApiError as error:
            if error.status == 409 and error.reason == "AlreadyExists":
                made = self.client.get(self._path(record.name))
                # An answer that was lost on the way: the request was repeated, and what is there is ours.
                if decode(made, list(secrets[:-1])).state.get("run") != record.state.get("run"):
                    raise LockLost(f"Another run has written revision {record.revision} of {self.release}.") from error
            else:
                raise
        record.version = made["metadata"]["resourceVersion"]

    def update(self, record: Record, message: str | None = None) -> None:
        """Write the state and the status of a revision.

        :param message: what became of it, for the history; the revision is finished then.
        :raises LockLost: another run has changed it since.
        """
        annotations = {}
        if message is not None:
            now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            annotations = dict(zip(ANNOTATIONS, (now, message[:MESSAGE_LENGTH])))
        try:
            made = self.client.patch(self._path(record.name), change(record, annotations))
        except ApiError as error:
            if error.status in (404, 409):
                raise LockLost(
                    f"Another run has changed revision {record.revision} of {self.release}. This run stops."
                ) from error
            raise
        record.version = made["metadata"]["resourceVersion"]

    def supersede(self, revision: int) -> None:
        """Give every older revision that was deployed its last status."""
        body = {"metadata": {"labels": {STATUS: SUPERSEDED}}}
        for entry in self.look():
            if entry.status == DEPLOYED and entry.revision < revision:
                self.client.patch(self._path(f"slipway-release-{self.release}-r{entry.revision}"), body)

    def good(self) -> int:
        """Give the newest revision that was deployed and is what one returns to; 0 where there is none."""
        return max((entry.revision for entry in self.entries if entry.status == DEPLOYED), default=0)

    def trim(self, keep: int) -> None:
        """Forget the oldest revisions, never the one that is deployed, and parts that belong to no record.

        :param keep: how many to keep.
        """
        entries = self.entries
        good = self.good()
        gone = [entry for entry in entries[: max(0, len(entries) - keep)] if entry.revision != good]
        self.forget(gone, [entry.revision for entry in entries if entry not in gone])

    def forget(self, gone: Sequence[Entry], stay: Sequence[int] = ()) -> None:
        """Delete records, and every part that belongs to none of those that stay."""
        names = [f"slipway-release-{self.release}-r{entry.revision}" for entry in gone]
        names += [
            f"slipway-release-{self.release}-r{part.revision}-p{part.part}"
            for part in self._parts
            if part.revision not in stay
        ]
        for name in names:
            self.client.delete(self._path(name))

    def _path(self, name: str) -> str:
        return f"/api/v1/namespaces/{self.namespace}/secrets{'/' + name if name else ''}"
