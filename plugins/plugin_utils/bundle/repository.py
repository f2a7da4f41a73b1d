# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build package repositories: signed ones of apt (https://wiki.debian.org/DebianRepository/Format), and those of rpm.

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
from .process import EPOCH, Runner

KEY = "deb/key.asc"
_PARAMETERS = """\
%no-protection
Key-Type: RSA
Key-Length: 3072
Key-Usage: sign
Name-Real: slipway.kube
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

    def detach(self, path: Path) -> None:
        """Write an ASCII-armored signature of *path* next to it, with the suffix ``.asc``."""
        output = str(path.with_name(f"{path.name}.asc"))
        options = ("--armor", "--digest-algo", "SHA512", "--output", output)
        self._gpg(*options, "--detach-sign", str(path), what=f"signing {path.name}")

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
        for package in packages:
            place(root / folder / package, staging / package)
        write_listing(staging, ".", staging, run)
        for package in packages:
            (staging / package).unlink()
        write_release(staging, {"Architectures": architecture, "Description": f"Packages of {folder}"}, sign, run)
        for name in ("Packages", "Packages.gz", "Release", "Release.gpg", "InRelease"):
            write(root / folder / name, (staging / name).read_bytes())
            written.append(os.path.join(folder, name))
    if not written:
        return []
    write(root / KEY, sign.public_key())
    return [*written, KEY]


def write_listing(base: Path, packages: str, target: Path, run: Runner) -> None:
    """Write Packages and Packages.gz in the folder *target*.

    :param base: the folder to which the names of packages are relative.
    :param packages: the folder of the packages below *base*.
    :raises BundleError: apt-ftparchive fails.
    """
    text = run(["apt-ftparchive", "packages", packages], what=f"indexing {base}", cwd=base)
    listing = text.replace("\nFilename: ./", "\nFilename: ").encode()
    target.mkdir(parents=True, exist_ok=True)
    (target / "Packages").write_bytes(listing)
    (target / "Packages.gz").write_bytes(gzip.compress(listing, mtime=0))


def write_release(folder: Path, fields: Mapping[str, str], sign: Signer, run: Runner) -> None:
    """Write Release, Release.gpg and InRelease for the lists below *folder*.

    :raises BundleError: apt-ftparchive or gpg fails.
    """
    fields = {"Origin": "slipway.kube", "Label": "slipway.kube", **fields}
    settings = [f"--option=APT::FTPArchive::Release::{name}={value}" for name, value in fields.items()]
    release = run(["apt-ftparchive", *settings, "release", "."], what=f"describing {folder}", cwd=folder)
    (folder / "Release").write_text(release, encoding="utf-8")
    sign.sign(folder / "Release")


def write_repodata(folder: Path, run: Runner) -> None:
    """Write repodata for the rpms below *folder*; the same packages yield the same bytes.

    :raises BundleError: createrepo_c fails.
    """
    options = ["--quiet", "--no-database", f"--revision={EPOCH}", "--set-timestamp-to-revision"]
    run(["createrepo_c", *options, str(folder)], what=f"indexing {folder}")


def index_rpms(root: Path, folder: str, packages: Sequence[str], key: bytes, work: Path, run: Runner) -> list[str]:
    """Write the repodata of an rpm repository, and the key with which upstream signed its packages.

    :param folder: the repository, relative to *root*.
    :param work: an empty folder.
    :returns: the files written, relative to *root*.
    :raises BundleError: createrepo_c fails.
    """
    staging = work / folder
    for package in packages:
        place(root / folder / package, staging / package)
    write_repodata(staging, run)
    shutil.rmtree(root / folder / "repodata", ignore_errors=True)
    written = []
    for path in sorted((staging / "repodata").iterdir()):
        write(root / folder / "repodata" / path.name, path.read_bytes())
        written.append(f"{folder}/repodata/{path.name}")
    write(root / folder / "key.asc", key)
    return [*written, f"{folder}/key.asc"]
