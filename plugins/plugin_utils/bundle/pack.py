# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bundle as one compressed file, and back."""

from __future__ import annotations

import os
import shutil
import tarfile
from pathlib import Path

from . import index as indexes
from .build import verify
from .errors import BundleError
from .files import replacing, sha256_of, write
from .index import Index
from .process import Runner


def pack(root: Path, archive: Path, run: Runner) -> bool:
    """Write the bundle in *root* to *archive* (zstd for ``.zst``, gzip for ``.gz``). Returns whether it was written.

    The archive's name and digest are kept beside it in ``ARCHIVE.sha256``, as sha256sum writes it; it is written again
    only when the bundle differs from what it holds.
    :raises BundleError: there is no bundle, it is not whole, or the archive's ending is unknown.
    """
    _compressor(archive)
    index, broken = verify(root)
    if broken:
        raise BundleError(
            "\n".join(
                [
                    f"{root} is not packed, it is not whole:",
                    *broken,
                    "Run slipway.kube.bundle again: it makes what is missing.",
                ]
            )
        )
    if _packed(archive) == index.to_text():
        return False
    with replacing(archive) as draft:
        # bundle.json first: what is in an archive can be told without reading it all; hard links are stored once
        names = [indexes.NAME, *sorted(index.files)]
        run(
            [
                "tar",
                "--create",
                f"--file={draft}",
                f"--directory={root}",
                *_compressor(archive),
                "--owner=0",
                "--group=0",
                "--numeric-owner",
                "--verbatim-files-from",
                "--files-from=-",
            ],
            what=f"packing {root}",
            stdin="\n".join(names).encode() + b"\n",
        )
    write(archive.with_name(f"{archive.name}.sha256"), f"{sha256_of(archive)[7:]}  {archive.name}\n".encode())
    return True


def would_pack(root: Path, archive: Path) -> bool:
    """Whether :func:`pack` would write."""
    _compressor(archive)
    index, _broken = verify(root)
    return _packed(archive) != index.to_text()


def unpack(archive: Path, root: Path, run: Runner) -> bool:
    """Make *root* the bundle in *archive*; every file is checked by its digest before any takes its place.

    :returns: whether *root* changed.
    :raises BundleError: the archive is missing, damaged or no bundle; *root* is then as before.
    """
    if not would_unpack(archive, root):
        return False
    fresh = root.with_name(f".{root.name}.unpacking")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    try:
        run(
            [
                "tar",
                "--extract",
                f"--file={archive}",
                f"--directory={fresh}",
                *_compressor(archive),
                "--no-same-owner",
                "--delay-directory-restore",
            ],
            what=f"unpacking {archive}",
            remedy="The archive is damaged or the disk is full.",
        )
        _index, broken = verify(fresh)
        if broken:
            raise BundleError(
                "\n".join([f"{archive} is damaged, {root} is left as it was:", *broken, "Bring the archive again."])
            )
        old = root.with_name(f".{root.name}.replaced")
        shutil.rmtree(old, ignore_errors=True)
        if root.exists():
            if any(root.iterdir()) and not (root / indexes.NAME).exists():
                raise BundleError(f"{root} is not empty and no bundle: unpack to another folder, or empty it.")
            os.rename(root, old)
        os.rename(fresh, root)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return True


def would_unpack(archive: Path, root: Path) -> bool:
    """Whether :func:`unpack` would change *root*.

    :raises BundleError: the archive is missing or no bundle.
    """
    _compressor(archive)
    if not archive.is_file():
        raise BundleError(f"{archive} is not there: bundle_archive names the file that `bundle_state: packed` wrote.")
    inside = _packed(archive)
    if inside is None:
        raise BundleError(
            f"{archive} is no bundle: its first entry is not {indexes.NAME}. Bring the file that `bundle_state: packed` wrote."
        )
    Index.from_text(inside, f"{indexes.NAME} in {archive}")
    try:
        index, broken = verify(root)
    except BundleError:
        return True
    return bool(broken) or index.to_text() != inside


def _compressor(archive: Path) -> list[str]:
    compressor = {".zst": "zstd -T0", ".gz": "gzip"}.get(archive.suffix)
    if not compressor:
        raise BundleError(f"bundle_archive is {archive}: its name must end in .tar.zst or .tar.gz.")
    return [f"--use-compress-program={compressor}"]


def _packed(archive: Path) -> str | None:
    """bundle.json of an archive, without reading the rest."""
    import subprocess

    if not archive.is_file():
        return None
    command = ["zstd", "-dcq"] if archive.suffix == ".zst" else ["gzip", "-dcq"]
    with subprocess.Popen([*command, str(archive)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            with tarfile.open(fileobj=process.stdout, mode="r|") as tar:
                first = tar.next()
                content = tar.extractfile(first) if first is not None and first.name == indexes.NAME else None
                return content.read().decode() if content else None
        except (tarfile.TarError, UnicodeDecodeError):
            return None
        finally:
            process.kill()
