# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading an archive where its private key is, usually on the control node: decrypted by age, verified to its last byte."""

from __future__ import annotations

import contextlib
import os
import subprocess
from typing import IO, Any, Iterator, cast

from .archive import SNAPSHOT, ArchiveError, is_encrypted, read


@contextlib.contextmanager
def decrypted(path: str, identity: str) -> Iterator[IO[bytes]]:
    """Provide the content of an archive. Nothing is written to disk.

    :param identity: file with the private key of age or SSH; "" for an archive that is not encrypted.
    :raises ArchiveError: the key is missing or is not the right one, or the archive is damaged.
    """
    try:
        encrypted = is_encrypted(path)
    except OSError as error:
        raise ArchiveError(f"{path} cannot be read: {error.strerror}. [slipway:archive_unreadable]") from error
    if not encrypted:
        with open(path, "rb") as stream:
            yield stream
        return
    if not identity:
        raise ArchiveError(
            f"{path} is encrypted. Give the file with your private key of age: -e restore_age_identity=FILE. [slipway:archive_key]"
        )
    if not os.path.isfile(identity):
        raise ArchiveError(f"The private key {identity} does not exist, or is not a file. [slipway:archive_key]")
    try:
        age = subprocess.Popen(  # pylint: disable=ansible-bad-function
            ["age", "--decrypt", "--identity", identity, path],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    except FileNotFoundError:
        raise ArchiveError(
            "age is not installed where the archive is decrypted. Install the package age on the control node, or decrypt the archive elsewhere."
            " [slipway:program_missing]"
        ) from None
    with age:
        stdout, stderr = cast("IO[bytes]", age.stdout), cast("IO[bytes]", age.stderr)
        failure = None
        try:
            yield stdout
        except ArchiveError as error:
            failure = error
        stdout.close()
        said = stderr.read().decode("utf-8", "replace").strip().splitlines()
    if age.returncode > 0 and said:
        # Its first line is the error, the second one asks for reports.
        raise ArchiveError(
            f"{path} cannot be decrypted with the key in {identity}. Evidence: {said[0]}. Use the private key of one of its recipients; if this is"
            " the right key, the archive is damaged, and another one must be used. [slipway:archive_key]"
        )
    if failure:
        raise failure


def open_archive(path: str, identity: str, plain: str = "", snapshot: str = "") -> dict[str, Any]:
    """Verify an archive and return its manifest.

    :param plain: path to which the decrypted archive is written with mode 0600, "" for none.
    :param snapshot: path to which only etcd's snapshot is written with mode 0600, "" for none.
    :raises ArchiveError: it cannot be decrypted, or it is damaged.
    """

    def keep(name: str) -> IO[bytes] | None:
        if name != SNAPSHOT:
            return None
        return os.fdopen(os.open(snapshot, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")

    with decrypted(path, identity) as stream:
        if snapshot:
            return read(stream, keep)
        if not plain:
            return read(stream)
        with os.fdopen(os.open(plain, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), "w+b") as target:
            for part in iter(lambda: stream.read(1 << 20), b""):
                target.write(part)
            target.seek(0)
            return read(target)
