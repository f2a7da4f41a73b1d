# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pack a bundle into one compressed file, and unpack it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from pathlib import Path

from .build import verify
from .files import replacing, sha256_of, write
from .index import BUNDLE, Index
from .names import BundleError
from .process import Runner

REPAIR = "Run slipway.kube.bundle again to rebuild them. [slipway:bundle_damaged]"


def pack(root: Path, archive: Path, run: Runner) -> bool:
    """Write the bundle in *root* to *archive* (zstd for ``.zst``, gzip for ``.gz``), unless the archive already contains it.

    The archive's digest is stored next to it in ``ARCHIVE.sha256``, in the format of sha256sum.

    :returns: whether the archive was written.
    :raises BundleError: there is no bundle, it is incomplete, or the archive's file name has an unknown suffix.
    """
    _compressor(archive)
    index, broken = verify(root)
    if broken:
        raise BundleError(
            "\n".join([f"{root} cannot be packed because files are missing or corrupt:", *broken, REPAIR])
        )
    if _packed(archive) == index.to_text():
        return False
    with replacing(archive) as draft:
        # bundle.json comes first, so that it can be read without reading the whole archive; hard links are stored once
        names = [BUNDLE.index, *sorted(index.files)]
        run(
            ["tar", "--create", f"--file={draft}", f"--directory={root}", *_compressor(archive)]
            + ["--owner=0", "--group=0", "--numeric-owner", "--verbatim-files-from", "--files-from=-"],
            what=f"packing {root}",
            stdin="\n".join(names).encode() + b"\n",
        )
    write(archive.with_name(f"{archive.name}.sha256"), f"{sha256_of(archive)[7:]}  {archive.name}\n".encode())
    return True


def would_pack(root: Path, archive: Path) -> bool:
    """Return whether :func:`pack` would write the archive."""
    _compressor(archive)
    index, _broken = verify(root)
    return _packed(archive) != index.to_text()


def unpack(archive: Path, root: Path, run: Runner) -> bool:
    """Replace *root* with the bundle in *archive*, after verifying the digest of every file in it.

    :returns: whether *root* changed.
    :raises BundleError: the archive is missing, damaged or not a bundle; *root* is then unchanged.
    """
    if not would_unpack(archive, root):
        return False
    fresh = root.with_name(f".{root.name}.unpacking")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    try:
        run(
            ["tar", "--extract", f"--file={archive}", f"--directory={fresh}", *_compressor(archive)]
            + ["--no-same-owner", "--delay-directory-restore"],
            what=f"unpacking {archive}",
            remedy="The archive may be damaged, or the disk may be full.",
        )
        _index, broken = verify(fresh)
        if broken:
            raise BundleError(
                "\n".join(
                    [
                        f"{archive} is damaged; {root} was not changed:",
                        *broken,
                        "Copy the archive again. [slipway:bundle_damaged]",
                    ]
                )
            )
        old = root.with_name(f".{root.name}.replaced")
        shutil.rmtree(old, ignore_errors=True)
        if root.exists():
            if any(root.iterdir()) and not (root / BUNDLE.index).exists():
                raise BundleError(
                    f"{root} is not empty and does not contain a bundle. Unpack to another folder, or empty this one. [slipway:bundle_folder]"
                )
            os.rename(root, old)
        os.rename(fresh, root)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return True


def would_unpack(archive: Path, root: Path) -> bool:
    """Return whether :func:`unpack` would change *root*.

    :raises BundleError: the archive is missing or not a bundle.
    """
    _compressor(archive)
    if not archive.is_file():
        raise BundleError(
            f"{archive} does not exist. Set bundle_archive to a file written with `bundle_state: packed`. [slipway:bundle_archive]"
        )
    inside = _packed(archive)
    if inside is None:
        raise BundleError(
            f"{archive} is not a bundle: its first entry is not {BUNDLE.index}. Use a file written with `bundle_state: packed`. [slipway:bundle_archive]"
        )
    Index.from_text(inside, f"{BUNDLE.index} in {archive}")
    try:
        index, broken = verify(root)
    except BundleError:
        return True
    return bool(broken) or index.to_text() != inside


def _compressor(archive: Path) -> list[str]:
    compressor = {".zst": "zstd -T0", ".gz": "gzip"}.get(archive.suffix)
    if not compressor:
        raise BundleError(
            f"bundle_archive is {archive}: the name must end in .tar.zst or .tar.gz. [slipway:bundle_archive]"
        )
    return [f"--use-compress-program={compressor}"]


def _packed(archive: Path) -> str | None:
    """Return bundle.json of an archive without reading the rest; None if the archive is not a bundle."""
    if not archive.is_file():
        return None
    command = ["zstd", "-dcq"] if archive.suffix == ".zst" else ["gzip", "-dcq"]
    with subprocess.Popen([*command, str(archive)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            with tarfile.open(fileobj=process.stdout, mode="r|") as tar:
                first = tar.next()
                content = tar.extractfile(first) if first is not None and first.name == BUNDLE.index else None
                return content.read().decode() if content else None
        except (tarfile.TarError, UnicodeDecodeError):
            return None
        finally:
            process.kill()
