# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The archive of a backup: a tar file whose first member is a manifest with the SHA-256 of every other one.

Members are ``manifest.json``, ``snapshot.db`` (etcd's snapshot), ``kubeadm-config.json`` (the ConfigMap, if the API server answered), and the
host's files below ``files/`` with their path. An encrypted archive is this tar file, encrypted with age (https://age-encryption.org/v1).
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import tarfile
from typing import IO, Any, Callable, Iterator, Mapping, cast

FORMAT = 1
MANIFEST, SNAPSHOT, KUBEADM_CONFIG, FILES = "manifest.json", "snapshot.db", "kubeadm-config.json", "files/"
MANIFEST_LIMIT = 4 << 20
NAME = re.compile(r"^(?P<cluster>.+)-(?P<time>\d{8}T\d{6}Z)\.tar(\.age)?$")
# The header of a file that age encrypted: binary, and armored.
AGE = (b"age-encryption.org/v1", b"-----BEGIN AGE ENCRYPTED FILE-----")
DAMAGED = "Use another archive: this one cannot be restored. [slipway:archive_damaged]"


class ArchiveError(ValueError):
    """An archive cannot be written or read: what is wrong, the evidence and the remedy."""


def digest_of(path: str) -> str:
    """Return the SHA-256 of a file as hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as handle:
        for part in iter(lambda: handle.read(1 << 20), b""):
            digest.update(part)
    return digest.hexdigest()


def manifest_digest(manifest: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a manifest without its own digest. It identifies the backup."""
    content = {key: value for key, value in manifest.items() if key != "digest"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def write(stream: IO[bytes], about: Mapping[str, Any], files: Mapping[str, str]) -> dict[str, Any]:
    """Write an archive and return its manifest.

    :param about: the manifest without ``files`` and ``digest``.
    :param files: paths on this host by name of the member.
    :raises OSError: a file cannot be read, or the stream not be written.
    """
    manifest = {**about, "format": FORMAT, "files": {name: digest_of(path) for name, path in sorted(files.items())}}
    manifest["digest"] = manifest_digest(manifest)
    text = json.dumps(manifest, indent=2, sort_keys=True).encode()
    with tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        header = tarfile.TarInfo(MANIFEST)
        header.size, header.mode, header.mtime = len(text), 0o600, int(manifest.get("seconds", 0))
        archive.addfile(header, io.BytesIO(text))
        for name, path in sorted(files.items()):
            with open(path, "rb") as handle:
                member = archive.gettarinfo(arcname=name, fileobj=handle)
                archive.addfile(member, handle)
    return manifest


def read(stream: IO[bytes], keep: Callable[[str], IO[bytes] | None] | None = None) -> dict[str, Any]:
    """Read an archive to its end, verify every file, and return its manifest.

    :param keep: gives for the name of a member the file to copy it to, None for none.
    :raises ArchiveError: the archive is damaged, incomplete, or of another format.
    """
    found: dict[str, str] = {}
    try:
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            members = iter(archive)
            manifest = _read_manifest(archive, next(members, None))
            for member in members:
                if not member.isreg() or member.name not in manifest["files"] or not _is_safe(member.name):
                    raise ArchiveError(f"The archive has the unexpected member '{member.name}'. {DAMAGED}")
                content = cast("IO[bytes]", archive.extractfile(member))  # None only if it is not a file
                digest = hashlib.sha256()
                target = keep(member.name) if keep else None
                for part in _parts(content):
                    digest.update(part)
                    if target:
                        target.write(part)
                if target:
                    target.close()
                found[member.name] = digest.hexdigest()
    except (tarfile.TarError, EOFError, UnicodeDecodeError) as error:
        raise ArchiveError(f"The archive is damaged. Evidence: {error}. {DAMAGED}") from error
    wrong = sorted(name for name, digest in manifest["files"].items() if found.get(name) != digest)
    if wrong:
        raise ArchiveError(
            f"The archive is damaged. Evidence: {', '.join(wrong[:5])} {'differs' if len(wrong) == 1 else 'differ'} from the SHA-256 in"
            f" its manifest, or {'is' if len(wrong) == 1 else 'are'} missing. {DAMAGED}"
        )
    return manifest


def unpack(path: str, folder: str) -> dict[str, Any]:
    """Unpack an archive that is not encrypted into a folder (files with mode 0600) and return its manifest.

    :raises ArchiveError: it is damaged.
    """

    def keep(name: str) -> IO[bytes]:
        target = os.path.join(folder, name)
        os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
        return os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")

    with open(path, "rb") as stream:
        return read(stream, keep)


def is_encrypted(path: str) -> bool:
    """Return whether a file is encrypted with age."""
    with open(path, "rb") as handle:
        return handle.read(64).startswith(AGE)


def _read_manifest(archive: tarfile.TarFile, first: tarfile.TarInfo | None) -> dict[str, Any]:
    content = archive.extractfile(first) if first and first.name == MANIFEST and first.size < MANIFEST_LIMIT else None
    if content is None:
        raise ArchiveError(
            f"This is not a backup of slipway.kube: it does not begin with {MANIFEST}. [slipway:archive_damaged]"
        )
    try:
        manifest = json.loads(content.read())
        version, intact = manifest.get("format"), manifest.get("digest") == manifest_digest(manifest)
    except (ValueError, AttributeError) as error:
        raise ArchiveError(
            f"The archive is damaged. Evidence: its manifest is not valid: {error}. {DAMAGED}"
        ) from error
    if version != FORMAT:
        raise ArchiveError(
            f"The archive has format {version}; this release of slipway.kube reads format {FORMAT}. Use the release that wrote it."
            " [slipway:archive_format]"
        )
    if not intact or not isinstance(manifest.get("files"), dict):
        raise ArchiveError(f"The archive is damaged. Evidence: its manifest differs from its own SHA-256. {DAMAGED}")
    return manifest


def _parts(content: IO[bytes]) -> Iterator[bytes]:
    return iter(lambda: content.read(1 << 20), b"")


def _is_safe(name: str) -> bool:
    return not name.startswith("/") and ".." not in name.split("/")
