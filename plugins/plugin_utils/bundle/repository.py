# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Flat, signed apt repositories (https://wiki.debian.org/DebianRepository/Format) from a set of packages.

The private key is a file of its own outside the bundle; gpg works in a folder that lives as long as one signing does.
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

from .errors import BundleError
from .files import place, write
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
    """Signs with a bundle's own key, which it makes when there is none.

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
        """Bring the key into the working folder, or make one and keep it.

        :raises BundleError: gpg fails, or the kept key is none.
        """
        if self.secret.is_file():
            self._gpg("--import", str(self.secret), what=f"reading the signing key {self.secret}")
        else:
            self._gpg("--generate-key", what="making a signing key", stdin=_PARAMETERS.encode())
            self.secret.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write(
                self.secret,
                self._gpg("--armor", "--export-secret-keys", what="keeping the signing key").encode(),
                0o600,
            )

    def public_key(self) -> bytes:
        """The public key, armored."""
        return self._gpg("--armor", "--export", what="reading the public key").encode()

    def sign(self, release: Path) -> None:
        """Write InRelease and Release.gpg beside *release*."""
        for mode, name in (("--clearsign", "InRelease"), ("--detach-sign", "Release.gpg")):
            self._gpg(
                "--armor",
                "--digest-algo",
                "SHA512",
                "--output",
                str(release.with_name(name)),
                mode,
                str(release),
                what=f"signing {release.name}",
            )


@contextmanager
def signer(secret: Path, run: Runner) -> Iterator[Signer]:
    """A signer whose working folder and agent are gone afterwards.

    The folder's path is short, as sockets need it, and the same for the same key: what a killed run left goes first.
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
    """End the agent that works there, and remove the folder."""
    if home.is_dir() and not home.is_symlink():
        try:
            run(["gpgconf", "--homedir", str(home), "--kill", "all"], what="ending gpg-agent")
        except BundleError:
            pass  # none was started; the folder goes all the same
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
        options = {
            "Origin": "slipway.kube",
            "Label": SIGNER,
            "Architectures": architecture,
            "Description": f"Packages of {folder}",
        }
        settings = [f"--option=APT::FTPArchive::Release::{name}={value}" for name, value in options.items()]
        release = run(["apt-ftparchive", *settings, "release", "."], what=f"describing {folder}", cwd=staging)
        (staging / "Release").write_text(release, encoding="utf-8")
        sign.sign(staging / "Release")
        for name in ("Packages", "Packages.gz", "Release", "Release.gpg", "InRelease"):
            write(root / folder / name, (staging / name).read_bytes())
            written.append(os.path.join(folder, name))
    write(root / KEY, sign.public_key())
    return [*written, KEY]
