# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is remembered of a revision of a release, as the Secrets that hold it.

The intent (objects and hooks) is written once, before the first object is applied; the state changes as the run goes on.
A Secret holds at most 1 MiB (https://kubernetes.io/docs/concepts/configuration/secret/#restriction-data-size), so that a large
intent continues in further Secrets. They are of a type of their own, so that only who may read Secrets can read them.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import zlib
from dataclasses import dataclass, field
from typing import Any, Mapping, Sequence

from .._kube.objects import Object, Reference
from .errors import ReleaseError
from .fingerprint import digest
from .ownership import PART, RELEASE, REVISION, STATUS, references

TYPE = "slipway.kube/release"
PART_SIZE = 700 * 1024  # bytes of one part; the rest of the MiB is for the state and what the server adds
ANNOTATIONS = ("slipway.kube/finished", "slipway.kube/message")

PENDING, DEPLOYED, FAILED, SUPERSEDED, ROLLED_BACK = "pending", "deployed", "failed", "superseded", "rolled-back"


class RecordError(ReleaseError):
    """A record cannot be read; the message names it and says what is wrong. Whoever needs it, refuses to go on."""


@dataclass
class Record:
    """One revision: what was wanted, and how far it came."""

    release: str
    namespace: str
    revision: int
    objects: list[Object]
    hooks: dict[str, list[Object]] = field(default_factory=dict)
    status: str = PENDING
    state: dict[str, Any] = field(default_factory=dict)
    version: str = ""  # resourceVersion of the Secret, for writing only what nobody else changed

    @property
    def name(self) -> str:
        """Name of its Secret."""
        return f"slipway-release-{self.release}-r{self.revision}"

    @property
    def digest(self) -> str:
        """What stands for the intent: equal digests mean that the same was wanted."""
        return intent_digest(self.objects, self.hooks)

    @property
    def references(self) -> list[Reference]:
        """Every object that this revision contains, hooks included."""
        return references(self.objects) + [name for part in self.hooks.values() for name in references(part)]

    @property
    def inherited(self) -> list[Reference]:
        """Objects of earlier revisions that may still be in the cluster."""
        return [Reference(**name) for name in self.state.get("inherited") or []]


def intent_digest(objects: Sequence[Object], hooks: Mapping[str, Sequence[Object]]) -> str:
    """Give what stands for a set of objects and hooks, whatever the order of the objects."""
    return digest([sorted(digest(content) for content in objects), hooks.get("pre") or [], hooks.get("post") or []])


def encode(record: Record, part_size: int = PART_SIZE) -> list[Object]:
    """Give the Secrets of a record: those that continue it first, the one that makes it a record last.

    :param part_size: bytes of packed intent in one Secret.
    """
    intent = {"objects": record.objects, "hooks": record.hooks}
    packed = gzip.compress(json.dumps(intent, separators=(",", ":")).encode(), mtime=0)
    chunks = [packed[start : start + part_size] for start in range(0, len(packed), part_size)]
    secrets = []
    for number, chunk in enumerate(chunks[1:], start=2):
        part = _secret(record, f"{record.name}-p{number}", {"intent": chunk})
        part["metadata"]["labels"][PART] = str(number)
        secrets.append(part)
    checks = json.dumps({"parts": len(chunks), "sha256": hashlib.sha256(packed).hexdigest()}).encode()
    main = _secret(record, record.name, {"intent": chunks[0], "parts": checks, "state": _state(record.state)})
    main["metadata"]["labels"][STATUS] = record.status
    return secrets + [main]


def change(record: Record, annotations: Mapping[str, str]) -> dict[str, Any]:
    """Give the merge patch that writes a record's state; the server refuses it when the Secret is no longer the same."""
    metadata = {
        "resourceVersion": record.version,
        "labels": {STATUS: record.status},
        "annotations": dict(annotations),
    }
    return {"metadata": metadata, "data": {"state": base64.b64encode(_state(record.state)).decode()}}


def parts_of(secret: Mapping[str, Any]) -> list[str]:
    """Name the Secrets that continue a record."""
    try:
        count = int(json.loads(_data(secret, "parts"))["parts"])
    except (KeyError, TypeError, ValueError):
        return []  # decode() says what is wrong with it
    return [f"{secret['metadata']['name']}-p{number}" for number in range(2, count + 1)]


def decode(secret: Mapping[str, Any], parts: Sequence[Mapping[str, Any] | None]) -> Record:
    """Read a record from its Secrets.

    :param parts: those that :func:`parts_of` names, in that order.
    :raises RecordError: a part is missing or the content is not what was written.
    """
    metadata = secret.get("metadata") or {}
    labels = metadata.get("labels") or {}
    try:
        checks = json.loads(_data(secret, "parts"))
        packed = _data(secret, "intent") + b"".join(_data(part or {}, "intent") for part in parts)
        if hashlib.sha256(packed).hexdigest() != checks["sha256"]:
            raise ValueError("a part is missing or was changed")
        intent = json.loads(gzip.decompress(packed))
        state = json.loads(gzip.decompress(_data(secret, "state")))
        if not isinstance(state, dict):
            raise ValueError("its state is not what was written")
        return Record(
            release=labels[RELEASE],
            namespace=metadata.get("namespace") or "",
            revision=int(labels[REVISION]),
            objects=intent["objects"],
            hooks=intent["hooks"],
            status=labels.get(STATUS) or PENDING,
            state=state,
            version=metadata.get("resourceVersion") or "",
        )
    except (AttributeError, EOFError, KeyError, OSError, TypeError, ValueError, zlib.error) as error:
        raise RecordError(
            "The record {}/{} cannot be read: {}. Delete this Secret to forget the revision; its objects stay.".format(
                metadata.get("namespace"), metadata.get("name"), error
            )
        ) from error


def _secret(record: Record, name: str, data: Mapping[str, bytes]) -> Object:
    labels = {RELEASE: record.release, REVISION: str(record.revision)}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": TYPE,
        "metadata": {"name": name, "namespace": record.namespace, "labels": labels},
        "data": {part: base64.b64encode(content).decode() for part, content in data.items()},
    }


def _state(state: Mapping[str, Any]) -> bytes:
    return gzip.compress(json.dumps(state, separators=(",", ":")).encode(), mtime=0)


def _data(secret: Mapping[str, Any], part: str) -> bytes:
    return base64.b64decode((secret.get("data") or {}).get(part) or "")
