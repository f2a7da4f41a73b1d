# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stored revision of a release, and the Secrets that hold it.

The intent (objects and hooks) is written once, before the first object is applied; the state changes during the run.
A Secret holds at most 1 MiB (https://kubernetes.io/docs/concepts/configuration/secret/#restriction-data-size), so a large
intent continues in further Secrets. They have their own type; reading them requires the permission to read Secrets.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import zlib
from dataclasses import dataclass, field
from typing import Any, Mapping, Sequence

from .._kube.objects import RELEASE, Object, Reference, reference
from .errors import ReleaseError
from .fingerprint import digest
from .ownership import PART, REVISION, STATUS

TYPE = "slipway.kube/release"
PART_SIZE = 700 * 1024  # bytes of one part; the rest of the MiB is for the state and the server's metadata
ANNOTATIONS = ("slipway.kube/finished", "slipway.kube/message")

PENDING, DEPLOYED, FAILED, SUPERSEDED, ROLLED_BACK = "pending", "deployed", "failed", "superseded", "rolled-back"


class UnreadableRevision(ReleaseError):
    """A stored revision cannot be read; the message names its Secret and the problem."""


@dataclass
class Revision:
    """One revision: its intent, and how far it was applied.

    :ivar version: resourceVersion of the Secret, to write only if nobody else has changed it.
    """

    release: str
    namespace: str
    number: int
    objects: list[Object]
    hooks: dict[str, list[Object]] = field(default_factory=dict)
    status: str = PENDING
    state: dict[str, Any] = field(default_factory=dict)
    version: str = ""

    @property
    def name(self) -> str:
        """Name of its Secret."""
        return secret_name(self.release, self.number)

    @property
    def digest(self) -> str:
        """The digest of the intent: equal digests mean the same desired objects and hooks."""
        return intent_digest(self.objects, self.hooks)

    @property
    def all(self) -> list[Object]:
        """Objects and hooks."""
        return self.objects + [content for part in self.hooks.values() for content in part]

    @property
    def references(self) -> list[Reference]:
        """Every object that this revision contains, including hooks."""
        return [reference(content) for content in self.all]

    @property
    def inherited(self) -> list[Reference]:
        """Objects of earlier revisions that may still exist."""
        return [Reference(**name) for name in self.state.get("inherited") or []]


def secret_name(release: str, number: int) -> str:
    """Return the name of the Secret of a revision."""
    return f"slipway-release-{release}-r{number}"


def intent_digest(objects: Sequence[Object], hooks: Mapping[str, Sequence[Object]]) -> str:
    """Return the digest of a set of objects and hooks, regardless of the order of the objects."""
    parts: list[Any] = [sorted(digest(content) for content in objects), hooks.get("pre") or [], hooks.get("post") or []]
    # Revisions of earlier versions have no other hooks: their digest stays what it was.
    parts += [[when, hooks[when]] for when in sorted(hooks) if when not in ("pre", "post") and hooks[when]]
    return digest(parts)


def encode(revision: Revision, part_size: int = PART_SIZE) -> list[Object]:
    """Return the Secrets of a revision: first those that continue it, last the main one, which makes it complete.

    :param part_size: bytes of compressed intent in one Secret.
    """
    intent = {"objects": revision.objects, "hooks": revision.hooks}
    packed = gzip.compress(json.dumps(intent, separators=(",", ":")).encode(), mtime=0)
    chunks = [packed[start : start + part_size] for start in range(0, len(packed), part_size)]
    secrets = []
    for number, chunk in enumerate(chunks[1:], start=2):
        part = _secret(revision, f"{revision.name}-p{number}", {"intent": chunk})
        part["metadata"]["labels"][PART] = str(number)
        secrets.append(part)
    checks = json.dumps({"parts": len(chunks), "sha256": hashlib.sha256(packed).hexdigest()}).encode()
    main = _secret(revision, revision.name, {"intent": chunks[0], "parts": checks, "state": _state(revision.state)})
    main["metadata"]["labels"][STATUS] = revision.status
    return secrets + [main]


def state_patch(revision: Revision, annotations: Mapping[str, str]) -> dict[str, Any]:
    """Return the merge patch that writes the state of a revision; the server refuses it if the Secret has changed."""
    metadata = {
        "resourceVersion": revision.version,
        "labels": {STATUS: revision.status},
        "annotations": dict(annotations),
    }
    return {"metadata": metadata, "data": {"state": base64.b64encode(_state(revision.state)).decode()}}


def parts_of(secret: Mapping[str, Any]) -> list[str]:
    """Name the Secrets that continue a revision."""
    try:
        count = int(json.loads(_data(secret, "parts"))["parts"])
    except (KeyError, TypeError, ValueError):
        return []  # decode() reports what is wrong with it
    return [f"{secret['metadata']['name']}-p{number}" for number in range(2, count + 1)]


def decode(secret: Mapping[str, Any], parts: Sequence[Mapping[str, Any] | None]) -> Revision:
    """Read a revision from its Secrets.

    :param parts: those that :func:`parts_of` names, in that order.
    :raises UnreadableRevision: a part is missing, or the content is not what was written.
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
            raise ValueError("its state is not a mapping")
        return Revision(
            release=labels[RELEASE],
            namespace=metadata.get("namespace") or "",
            number=int(labels[REVISION]),
            objects=intent["objects"],
            hooks=intent["hooks"],
            status=labels.get(STATUS) or PENDING,
            state=state,
            version=metadata.get("resourceVersion") or "",
        )
    except (AttributeError, EOFError, KeyError, OSError, TypeError, ValueError, zlib.error) as error:
        raise UnreadableRevision(
            f"Secret {metadata.get('namespace')}/{metadata.get('name')} of a release revision cannot be read: {error}. "
            "To drop the revision, delete this Secret; its objects are kept."
            " [slipway:revision_unreadable]"
        ) from error


def _secret(revision: Revision, name: str, data: Mapping[str, bytes]) -> Object:
    labels = {RELEASE: revision.release, REVISION: str(revision.number)}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": TYPE,
        "metadata": {"name": name, "namespace": revision.namespace, "labels": labels},
        "data": {part: base64.b64encode(content).decode() for part, content in data.items()},
    }


def _state(state: Mapping[str, Any]) -> bytes:
    return gzip.compress(json.dumps(state, separators=(",", ":")).encode(), mtime=0)


def _data(secret: Mapping[str, Any], part: str) -> bytes:
    return base64.b64decode((secret.get("data") or {}).get(part) or "")
