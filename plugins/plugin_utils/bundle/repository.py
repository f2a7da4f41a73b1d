# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build flat, signed apt repositories (https://wiki.debian.org/DebianRepository/Format) from packages.

The private key is stored in a file outside the bundle; gpg uses a temporary home folder.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from .files import place, write
from .names import BundleError
from .process import Runner

SIGNER = "slipway.kube bundle"
KEY = "deb/key.asc"
_PARAMETERS = f"""\
%no-protection
Key-Type: RSA
Key-Length: 3072
Key-Usage: sign
Name-Real: {SIGNER}
Expire-Date: 0
%commit
"""


class Signer:
    """Signs with the bundle's key, which is generated if it does not exist.

    :param secret: the file with the private key (0600).
    """

    def __init__(self, home: Path, secret: Path, run: Runner) -> None:
        self.home = home
        self.secret = secret
        self.run = run

    def _gpg(self, *arguments: str, what: str, stdin: bytes | None = None) -> str:
        return self.run(
            ["gpg", "--homedir", str(self.home), "--batch", "--no-tty", "--yes", *arguments], what=what, stdin=stdin
        )

    def prepare(self) -> None:
        """Import the key into gpg's home folder, or generate and store it.

        :raises BundleError: gpg fails, or the stored key is not valid.
        """
        if self.secret.is_file():
            self._gpg("--import", str(self.secret), what=f"reading the signing key {self.secret}")
        else:
            self._gpg("--generate-key", what="generating a signing key", stdin=_PARAMETERS.encode())
            self.secret.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write(
                self.secret,
                self._gpg("--armor", "--export-secret-keys", what="exporting the signing key").encode(),
                0o600,
            )

    def public_key(self) -> bytes:
        """Return the public key, ASCII-armored."""
        return self._gpg("--armor", "--export", what="reading the public key").encode()

    def sign(self, release: Path) -> None:
        """Write InRelease and Release.gpg next to *release*."""
        for mode, name in (("--clearsign", "InRelease"), ("--detach-sign", "Release.gpg")):
            output = ("--output", str(release.with_name(name)))
            self._gpg("--armor", "--digest-algo", "SHA512", *output, mode, str(release), what=f"signing {release.name}")


@contextmanager
def signer(secret: Path, run: Runner) -> Iterator[Signer]:
    """Provide a signer; its gpg home folder and agent are removed afterwards.

    The folder has a short path, because it contains sockets, and always the same path for one key, so that the leftovers
    of a killed run are removed first.
    """
    name = hashlib.sha256(str(secret).encode()).hexdigest()[:12]
    home = Path(tempfile.gettempdir()) / f"slipway-gpg-{os.getuid()}-{name}"
    _remove_home(home, run)
    os.mkdir(home, 0o700)
    try:
        one = Signer(home, secret, run)
        one.prepare()
        yield one
    finally:
        _remove_home(home, run)


def _remove_home(home: Path, run: Runner) -> None:
    """Stop the gpg agent of this home folder, and remove the folder."""
    if home.is_dir() and not home.is_symlink():
        try:
            run(["gpgconf", "--homedir", str(home), "--kill", "all"], what="stopping gpg-agent")
        except BundleError:
            pass  # no agent is running; the folder is removed in any case
        shutil.rmtree(home)


def index_and_sign(
    root: Path, repositories: Mapping[str, Sequence[str]], architecture: str, sign: Signer, work: Path, run: Runner
) -> list[str]:
    """Write Packages, Release and their signatures for flat repositories, and the public key.

    :param root: the bundle.
    :param repositories: folder (relative to *root*) and file names of the packages in it.
    :param work: an empty folder.
    :returns: the files written, relative to *root*.
    :raises BundleError: apt-ftparchive or gpg fails.
    """
    written = []
    for folder, packages in repositories.items():
        staging = work / folder
        staging.mkdir(parents=True)
        for package in packages:
            place(root / folder / package, staging / package)
        listing = run(["apt-ftparchive", "packages", "."], what=f"indexing {folder}", cwd=staging).encode()
        for package in packages:
            (staging / package).unlink()
        (staging / "Packages").write_bytes(listing)
        (staging / "Packages.gz").write_bytes(gzip.compress(listing, mtime=0))
        options = {"Origin": "slipway.kube", "Label": SIGNER, "Architectures": architecture}
        options["Description"] = f"Packages of {folder}"
        settings = [f"--option=APT::FTPArchive::Release::{name}={value}" for name, value in options.items()]
        release = run(["apt-ftparchive", *settings, "release", "."], what=f"describing {folder}", cwd=staging)
        (staging / "Release").write_text(release, encoding="utf-8")
        sign.sign(staging / "Release")
        for name in ("Packages", "Packages.gz", "Release", "Release.gpg", "InRelease"):
            write(root / folder / name, (staging / name).read_bytes())
            written.append(os.path.join(folder, name))
    write(root / KEY, sign.public_key())
    return [*written, KEY]
