# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Add images to a registry tree (https://github.com/opencontainers/distribution-spec): a folder of static files."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .files import place, write
from .index import FileEntry
from .names import MEDIA_INDEX, MEDIA_MANIFEST, BundleError


def digest_of_bytes(content: bytes) -> str:
    """Return the digest of *content* as ``sha256:…``."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@dataclass(frozen=True)
class Published:
    """An image in the registry tree."""

    digest: str  # of its manifest
    size: int  # bytes, configuration and layers
    files: dict[str, FileEntry]


def publish(
    root: Path, folder: str, tag: str, manifest: bytes, blobs: Mapping[str, Path | bytes], known: Mapping[str, str]
) -> Published:
    """Add an image to a registry tree: blobs first and the tag last, so that no tag refers to a missing blob.

    :param folder: the image's repository in the tree, relative to *root*.
    :param blobs: digest and content (or a file with it) of the configuration and of every layer.
    :param known: digest and path (relative to *root*) of existing blobs; they are linked rather than stored twice.
    """
    files: dict[str, FileEntry] = {}
    for digest, content in blobs.items():
        path = f"{folder}/blobs/{digest}"
        if isinstance(content, bytes):
            write(root / path, content)
        elif digest in known and (root / known[digest]).is_file():
            if known[digest] != path:
                place(root / known[digest], root / path)
        else:
            place(content, root / path)
            (root / path).chmod(0o644)
        files[path] = FileEntry(digest, os.stat(root / path).st_size)
    digest = digest_of_bytes(manifest)
    size = sum(entry.size for entry in files.values())
    for path in (f"{folder}/manifests/{digest}", f"{folder}/manifests/{tag}"):
        write(root / path, manifest)
        files[path] = FileEntry(digest, len(manifest))
    return Published(digest, size, files)


def read_layout(layout: Path) -> tuple[bytes, dict[str, Path | bytes]]:
    """Return the manifest of the only image in an OCI layout, and its blobs by digest.

    :raises BundleError: the layout does not contain exactly one OCI image manifest.
    """
    index = json.loads((layout / "index.json").read_text(encoding="utf-8"))
    entries = [entry for entry in index.get("manifests", []) if entry.get("mediaType") in (MEDIA_MANIFEST, MEDIA_INDEX)]
    if len(entries) != 1 or entries[0]["mediaType"] != MEDIA_MANIFEST:
        raise BundleError(
            f"{layout} contains {len(entries)} images; expected one OCI image manifest for one architecture. [slipway:bundle_image_layout]"
        )
    manifest = _blob(layout, entries[0]["digest"]).read_bytes()
    value = json.loads(manifest)
    if value.get("mediaType", MEDIA_MANIFEST) != MEDIA_MANIFEST:
        raise BundleError(
            f"{layout} contains a manifest of type {value.get('mediaType')}; expected {MEDIA_MANIFEST}. [slipway:bundle_image_layout]"
        )
    return manifest, {part["digest"]: _blob(layout, part["digest"]) for part in [value["config"], *value["layers"]]}


def _blob(layout: Path, digest: str) -> Path:
    return layout / "blobs" / digest.replace(":", "/", 1)
