# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the layers and configurations of OCI images (https://github.com/opencontainers/image-spec).

The same input yields the same bytes: entries are sorted, owners and times are fixed, and the compressor has one setting.
Layers are compressed with zstd, which a node unpacks several times faster than gzip.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import tarfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, cast

from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.files import sha256_of
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.images import digest_of_bytes
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.names import (
    MEDIA_CONFIG,
    MEDIA_LAYER,
    MEDIA_MANIFEST,
    BundleError,
)
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.process import EPOCH

CREATED = "2026-01-01T00:00:00Z"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# vfs_cap_data, revision 2, effective; the only permitted capability is CAP_NET_BIND_SERVICE (capabilities(7))
NET_BIND_SERVICE = b"\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"


@dataclass(frozen=True)
class Entry:
    """One entry of a layer: a program on disk, a text, a symbolic link or a folder."""

    path: str
    mode: int = 0o644
    source: Path | None = None
    text: str | None = None
    link: str = ""
    capability: bytes = b""


@dataclass(frozen=True)
class Layer:
    """A compressed layer on disk."""

    path: Path
    digest: str
    size: int
    diff_id: str


class _Hashing:
    """A writable file that computes the digest of what is written."""

    def __init__(self, target: BinaryIO) -> None:
        self.target = target
        self.sha256 = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.sha256.update(data)
        return self.target.write(data)


def accounts(users: Iterable[str]) -> list[Entry]:
    """Return the users and groups of an image, and the folders that programs expect.

    :param users: additional users as ``NAME:UID:GID:GROUP``, where GROUP is a supplementary group of the user.
    """
    passwd = [
        "root:x:0:0:root:/root:/sbin/nologin",
        "nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin",
        "nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin",
    ]
    group = ["root:x:0:", "nogroup:x:65534:", "nonroot:x:65532:"]
    for user in users:
        name, uid, gid, extra = user.split(":")
        passwd.append(f"{name}:x:{uid}:{uid}::/home/{name}:/bin/sh")
        group += [f"{name}:x:{uid}:", f"{extra}:x:{gid}:{name}"]
    return [
        Entry("etc/passwd", text="\n".join(passwd) + "\n"),
        Entry("etc/group", text="\n".join(group) + "\n"),
        Entry("etc/nsswitch.conf", text="hosts: files dns\n"),
        Entry("root", mode=0o700),
        Entry("tmp", mode=0o1777),
        Entry("home/nonroot", mode=0o755),  # it belongs to root here, and programs look for files in it
    ]


def write_layer(entries: Iterable[Entry], target: Path) -> Layer:
    """Write a layer with *entries* and their parent folders."""
    found = {entry.path.strip("/"): entry for entry in entries}
    for path in list(found):
        for parent in Path(path).parents:
            if str(parent) != ".":
                found.setdefault(str(parent), Entry(str(parent), mode=0o755))
    with LayerWriter(target) as writer:
        for path in sorted(found):
            writer.add(path, found[path])
    return writer.layer()


class LayerWriter:
    """Writes a layer: a tar stream, whose digest is computed, compressed with zstd."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __enter__(self) -> LayerWriter:
        self.target.parent.mkdir(parents=True, exist_ok=True)
        self._file = open(self.target, "wb")
        self._zstd = subprocess.Popen(["zstd", "-q", "-c", "-3", "-T2"], stdin=subprocess.PIPE, stdout=self._file)
        self._pipe = cast(BinaryIO, self._zstd.stdin)
        self._stream = _Hashing(self._pipe)
        self._tar = tarfile.open(fileobj=cast(Any, self._stream), mode="w|", format=tarfile.PAX_FORMAT)
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is None:
            self._tar.close()
        self._pipe.close()
        status = self._zstd.wait()
        self._file.close()
        if kind is None and status:
            raise BundleError(
                f"Compressing {self.target} failed: zstd exited with status {status}. Check that the disk is not full."
            )

    def add(self, path: str, entry: Entry) -> None:
        """Add an entry with a fixed owner and time."""
        info = tarfile.TarInfo(path)
        info.mode, info.mtime = entry.mode, EPOCH
        if entry.capability:
            info.pax_headers = {"SCHILY.xattr.security.capability": entry.capability.decode("ascii")}
        if entry.link:
            info.type, info.linkname, info.mode = tarfile.SYMTYPE, entry.link, 0o777
            self._tar.addfile(info)
        elif entry.source is not None:
            info.size = entry.source.stat().st_size
            with open(entry.source, "rb") as source:
                self._tar.addfile(info, source)
        elif entry.text is not None:
            content = entry.text.encode()
            info.size = len(content)
            self._tar.addfile(info, BytesIO(content))
        else:
            info.type = tarfile.DIRTYPE
            self._tar.addfile(info)

    def copy(self, info: tarfile.TarInfo, content: Any | None) -> None:
        """Add an entry of another tar file, keeping its owner and mode."""
        info.mtime, info.uname, info.gname, info.pax_headers = EPOCH, "", "", {}
        self._tar.addfile(info, content)

    def layer(self) -> Layer:
        """Return the finished layer."""
        return Layer(
            self.target, sha256_of(self.target), self.target.stat().st_size, f"sha256:{self._stream.sha256.hexdigest()}"
        )


def image_config(
    architecture: str,
    layers: Sequence[Layer],
    labels: Mapping[str, str],
    entrypoint: Sequence[str] = (),
    command: Sequence[str] = (),
    user: str = "",
    environment: Mapping[str, str] | None = None,
    stop_signal: str = "",
) -> bytes:
    """Return the image configuration (image-spec, config.md)."""
    variables = {"PATH": PATH, **(environment or {})}
    settings: dict[str, Any] = {
        "Env": [f"{name}={value}" for name, value in variables.items()],
        "WorkingDir": "/",
        "Labels": dict(sorted(labels.items())),
    }
    optional = {"StopSignal": stop_signal, "User": user, "Entrypoint": list(entrypoint), "Cmd": list(command)}
    settings.update({name: value for name, value in optional.items() if value})
    return _json(
        {
            "created": CREATED,
            "architecture": architecture,
            "os": "linux",
            "config": settings,
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
            "history": [{"created": CREATED, "created_by": "slipway.kube origin"} for _layer in layers],
        }
    )


def image_manifest(config: bytes, layers: Sequence[Layer]) -> bytes:
    """Return the image manifest (image-spec, manifest.md). It is always for one architecture, so all have one media type."""
    return _json(
        {
            "schemaVersion": 2,
            "mediaType": MEDIA_MANIFEST,
            "config": {"mediaType": MEDIA_CONFIG, "digest": digest_of_bytes(config), "size": len(config)},
            "layers": [{"mediaType": MEDIA_LAYER, "digest": layer.digest, "size": layer.size} for layer in layers],
        }
    )


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def filter_tar(source: Path, target: Path, wanted: Callable[[str], bool], links: Mapping[str, str]) -> Layer:
    """Write a layer with the *wanted* paths of a tar file, sorted, adding symbolic *links* (path and target) where no file exists."""
    with tarfile.open(source, "r:") as tar, LayerWriter(target) as writer:
        members = {member.name.lstrip("./"): member for member in tar.getmembers()}
        for path in sorted(set(members) | set(links)):
            if not path or not wanted(path):
                continue
            member = members.get(path)
            if member is None:
                writer.add(path, Entry(path, link=links[path]))
            elif member.isfile() or member.isdir() or member.issym() or member.islnk():
                member.name = path
                if member.islnk():
                    member.linkname = member.linkname.lstrip("./")
                content = tar.extractfile(member) if member.isfile() else None
                writer.copy(member, content)
    return writer.layer()
