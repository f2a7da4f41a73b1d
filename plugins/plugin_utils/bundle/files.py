# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Atomic writing of files, and their digests."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

CHUNK = 1 << 20


def sha256_of(path: Path) -> str:
    """Return the digest of a file's content as ``sha256:…``.

    :raises OSError: the file cannot be read.
    """
    digest = hashlib.sha256()
    with open(path, "rb") as source:
        for chunk in iter(lambda: source.read(CHUNK), b""):
            digest.update(chunk)
    return f"sha256:{digest.hexdigest()}"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Provide a temporary path next to *path*, which replaces *path* on success and is removed on failure."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name[:200]}.part")
    draft.unlink(missing_ok=True)
    try:
        yield draft
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def write(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write *content* to *path* atomically, with *mode* from the moment of its creation."""
    with replacing(path) as draft:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with open(handle, "wb") as target:
            target.write(content)
            target.flush()
            os.fsync(target.fileno())
        os.chmod(draft, mode)


def place(source: Path, path: Path) -> None:
    """Make *path* a hard link to *source*, or a copy where the file system does not support hard links."""
    with replacing(path) as draft:
        try:
            os.link(source, draft)
        except OSError:
            shutil.copyfile(source, draft)
            os.chmod(draft, 0o644)


def prune(root: Path, paths: Iterable[str]) -> None:
    """Remove files below *root*, and the folders that become empty."""
    for name in paths:
        path = root / name
        path.unlink(missing_ok=True)
        for folder in path.parents:
            if folder == root or not folder.is_dir() or any(folder.iterdir()):
                break
            folder.rmdir()
