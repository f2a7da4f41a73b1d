# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An archive is read as it was written, or refused."""

from __future__ import annotations

import io
import json
import os
import stat
import sys
import tarfile
from pathlib import Path

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._kubeadm import archive
from ansible_collections.slipway.kube.plugins.module_utils._kubeadm.archive import ArchiveError
from ansible_collections.slipway.kube.plugins.module_utils._kubeadm.open_archive import open_archive

ABOUT = {"cluster": "blue", "revision": 7}
CONTENT = {"snapshot.db": b"data" * 5000, "files/etc/kubernetes/pki/ca.key": b"secret"}
AGE = """#!{python}
import sys
data = open(sys.argv[-1], "rb").read()
if open(sys.argv[sys.argv.index("--identity") + 1]).read() != "right":
    sys.exit("age: error: no identity matched any of the recipients\\nage: report unexpected errors")
sys.stdout.buffer.write(data.partition(b"\\n")[2])
"""


@pytest.fixture
def packed(tmp_path: Path) -> bytes:
    files = {}
    for number, (name, content) in enumerate(CONTENT.items()):
        files[name] = str(tmp_path / str(number))
        Path(files[name]).write_bytes(content)
    stream = io.BytesIO()
    archive.write(stream, ABOUT, files)
    return stream.getvalue()


@pytest.fixture
def age(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that undoes the encryption of these tests, a line before the content, for the right key."""
    program = tmp_path / "bin" / "age"
    program.parent.mkdir()
    program.write_text(AGE.format(python=sys.executable))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")


def test_what_was_packed_is_unpacked(packed: bytes, tmp_path: Path) -> None:
    path = tmp_path / "archive.tar"
    path.write_bytes(packed)
    manifest = archive.unpack(str(path), str(tmp_path / "out"))
    assert manifest["cluster"] == "blue" and set(manifest["files"]) == set(CONTENT)
    for name, content in CONTENT.items():
        unpacked = tmp_path / "out" / name
        assert unpacked.read_bytes() == content
        assert stat.S_IMODE(unpacked.stat().st_mode) == 0o600


@pytest.mark.parametrize("place", [600, -12000, -15000])
def test_a_byte_that_differs_is_noticed(packed: bytes, place: int) -> None:
    data = bytearray(packed)
    assert data[place], "a byte of padding"
    data[place] ^= 1
    with pytest.raises(ArchiveError, match="damaged"):
        archive.read(io.BytesIO(bytes(data)))


@pytest.mark.parametrize("length", [0, 100, 3000, 9000])
def test_an_archive_that_ends_early_is_refused(packed: bytes, length: int) -> None:
    with pytest.raises(ArchiveError):
        archive.read(io.BytesIO(packed[:length]))


@pytest.mark.parametrize("name", ["../../etc/passwd", "other"])
def test_a_member_that_the_manifest_or_reason_forbids_is_refused(name: str) -> None:
    manifest = {"format": archive.FORMAT, "files": {"../../etc/passwd": ""}}
    manifest["digest"] = archive.manifest_digest(manifest)
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as made:
        for member, content in {"manifest.json": json.dumps(manifest).encode(), name: b"x"}.items():
            header = tarfile.TarInfo(member)
            header.size = len(content)
            made.addfile(header, io.BytesIO(content))
    with pytest.raises(ArchiveError, match="unexpected member"):
        archive.read(io.BytesIO(stream.getvalue()))


def test_a_tar_file_of_something_else_is_refused(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as made:
        made.addfile(tarfile.TarInfo("readme"))
    with pytest.raises(ArchiveError, match="not a backup"):
        archive.read(io.BytesIO(stream.getvalue()))


def test_the_format_of_another_release_is_refused(packed: bytes) -> None:
    with pytest.raises(ArchiveError, match="format 9"):
        archive.read(io.BytesIO(packed.replace(b'"format": 1', b'"format": 9')))


def test_an_encrypted_archive_is_decrypted(packed: bytes, tmp_path: Path, age: None) -> None:
    path, key, plain = tmp_path / "a.tar.age", tmp_path / "key", tmp_path / "plain"
    path.write_bytes(archive.AGE[0] + b"\n" + packed)
    key.write_text("right")
    assert open_archive(str(path), str(key), str(plain))["revision"] == 7
    assert plain.read_bytes() == packed and stat.S_IMODE(plain.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("key", "why"), [("", "restore_age_identity"), ("wrong", "no identity matched"), ("missing", "does not exist")]
)
def test_without_the_right_key_it_is_refused(packed: bytes, tmp_path: Path, age: None, key: str, why: str) -> None:
    path = tmp_path / "a.tar.age"
    path.write_bytes(archive.AGE[0] + b"\n" + packed)
    (tmp_path / "wrong").write_text("wrong")
    with pytest.raises(ArchiveError, match=why):
        open_archive(str(path), str(tmp_path / key) if key else "")


def test_damage_inside_an_encrypted_archive_is_told(packed: bytes, tmp_path: Path, age: None) -> None:
    path, key = tmp_path / "a.tar.age", tmp_path / "key"
    path.write_bytes(archive.AGE[0] + b"\n" + packed[:9000])
    key.write_text("right")
    with pytest.raises(ArchiveError, match="damaged"):
        open_archive(str(path), str(key))
