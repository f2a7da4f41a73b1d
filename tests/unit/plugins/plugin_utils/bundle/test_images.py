# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
import subprocess
import tarfile
from io import BytesIO
from pathlib import Path

import pytest

from ansible_collections.slipway.kube.plugins.plugin_utils.bundle import images
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.names import MEDIA_MANIFEST, BundleError, ImageName

NAME = ImageName.parse("registry.k8s.io/pause:3.10.2")


def unpacked(layer: Path) -> tarfile.TarFile:
    content = subprocess.run(["zstd", "-dcq", str(layer)], check=True, stdout=subprocess.PIPE).stdout
    return tarfile.open(fileobj=BytesIO(content))


def entries(program: Path) -> list[images.Entry]:
    return [
        *images.accounts(["me:1000:50000:team"]),
        images.Entry("/usr/local/bin/it", 0o755, source=program, capability=images.NET_BIND_SERVICE),
        images.Entry("/it-2", link="it"),
    ]


def test_a_layer_is_the_same_whenever_it_is_made(tmp_path: Path) -> None:
    program = tmp_path / "it"
    program.write_bytes(b"program" * 1000)
    first = images.write_layer(entries(program), tmp_path / "one")
    os.utime(program, (1, 1))
    second = images.write_layer(reversed(entries(program)), tmp_path / "two")
    assert (first.digest, first.diff_id, first.size) == (second.digest, second.diff_id, second.size)
    program.write_bytes(b"Program" * 1000)
    assert images.write_layer(entries(program), tmp_path / "three").digest != first.digest


def test_what_is_in_a_layer(tmp_path: Path) -> None:
    program = tmp_path / "it"
    program.write_bytes(b"program")
    images.write_layer(entries(program), tmp_path / "layer")
    with unpacked(tmp_path / "layer") as tar:
        names = tar.getnames()
        assert names == sorted(names)
        assert {"usr", "usr/local", "usr/local/bin", "usr/local/bin/it", "etc/passwd", "tmp", "it-2"} <= set(names)
        it = tar.getmember("usr/local/bin/it")
        assert (it.mode, it.uid, it.uname) == (0o755, 0, "")
        assert it.pax_headers["SCHILY.xattr.security.capability"].encode() == images.NET_BIND_SERVICE
        assert tar.getmember("tmp").mode == 0o1777
        assert tar.getmember("it-2").linkname == "it"
        group = tar.extractfile("etc/group")
        assert group is not None and b"team:x:50000:me\n" in group.read()


KINDS = {
    "./": tarfile.DIRTYPE,
    "./usr/": tarfile.DIRTYPE,
    "./dev/null": tarfile.CHRTYPE,
    "./usr/share/man/x": tarfile.REGTYPE,
    "./bin/sh": tarfile.SYMTYPE,
}


def test_a_tar_becomes_a_layer_without_what_is_left_out(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "root.tar", "w") as tar:
        for name, kind in KINDS.items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.mtime = kind, "dash" if kind == tarfile.SYMTYPE else "", 5
            tar.addfile(info)
    layer = images.filter_tar(
        tmp_path / "root.tar",
        tmp_path / "layer",
        lambda path: "man" not in path,
        {"bin/nc": "nc.openbsd", "bin/sh": "other"},
    )
    with unpacked(layer.path) as tar:
        assert {member.name: member.linkname for member in tar} == {"bin/nc": "nc.openbsd", "bin/sh": "dash", "usr": ""}
        assert {member.mtime for member in tar} == {images.EPOCH}


def published(root: Path, work: Path, known: dict[str, str]) -> images.Published:
    program = work / "pause"
    program.write_bytes(b"pause")
    layer = images.write_layer([images.Entry("pause", 0o755, source=program)], work / "layer")
    config = images.image_config("amd64", [layer], {"b": "2", "a": "1"}, ["/pause"], user="65535:65535")
    manifest = images.image_manifest(config, [layer])
    return images.publish(
        root, NAME, manifest, {layer.digest: layer.path, images.digest_of_bytes(config): config}, known
    )


def test_the_registry_tree_holds_what_the_manifest_names(tmp_path: Path) -> None:
    result = published(tmp_path / "root", tmp_path, {})
    tag = tmp_path / "root/v2/registry.k8s.io/pause/manifests/3.10.2"
    assert tag.read_bytes() == tag.with_name(result.digest).read_bytes()
    manifest = json.loads(tag.read_bytes())
    assert manifest["mediaType"] == MEDIA_MANIFEST
    for part in [manifest["config"], *manifest["layers"]]:
        blob = tmp_path / "root" / NAME.blob_path(part["digest"])
        assert (images.sha256_of(blob), blob.stat().st_size) == (part["digest"], part["size"])
    config = json.loads((tmp_path / "root" / NAME.blob_path(manifest["config"]["digest"])).read_bytes())
    assert (config["architecture"], config["os"], config["config"]["User"]) == ("amd64", "linux", "65535:65535")
    assert config["config"]["Entrypoint"] == ["/pause"]
    with unpacked(tmp_path / "root" / NAME.blob_path(manifest["layers"][0]["digest"])) as tar:
        assert tar.fileobj is not None
        tar.fileobj.seek(0)
        assert config["rootfs"]["diff_ids"] == [images.digest_of_bytes(tar.fileobj.read())]
    assert set(result.files) == {
        str(path.relative_to(tmp_path / "root")) for path in (tmp_path / "root").rglob("*") if path.is_file()
    }


def test_a_layer_that_is_there_is_linked(tmp_path: Path) -> None:
    first = published(tmp_path / "root", tmp_path, {})
    blobs = {record.digest: path for path, record in first.files.items() if "/blobs/" in path}
    other = ImageName.parse("ghcr.io/a/b:1")
    layer = max(blobs, key=lambda digest: (tmp_path / "root" / blobs[digest]).stat().st_size)
    images.publish(tmp_path / "root", other, b"{}", {layer: tmp_path / "not-there"}, blobs)
    assert (tmp_path / "root" / other.blob_path(layer)).samefile(tmp_path / "root" / blobs[layer])


def layout(folder: Path, entries: list[dict], manifest: dict) -> Path:
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    content = json.dumps(manifest).encode()
    digest = images.digest_of_bytes(content)
    (blobs / digest[7:]).write_bytes(content)
    (folder / "index.json").write_text(json.dumps({"manifests": [{**entry, "digest": digest} for entry in entries]}))
    return folder


def test_a_layout_is_read(tmp_path: Path) -> None:
    value = {"mediaType": MEDIA_MANIFEST, "config": {"digest": "sha256:c"}, "layers": [{"digest": "sha256:l"}]}
    manifest, blobs = images.read_layout(layout(tmp_path, [{"mediaType": MEDIA_MANIFEST}], value))
    assert json.loads(manifest) == value
    assert blobs == {"sha256:c": tmp_path / "blobs/sha256/c", "sha256:l": tmp_path / "blobs/sha256/l"}


@pytest.mark.parametrize(
    ("entries", "kind"),
    [
        ([], MEDIA_MANIFEST),
        ([{"mediaType": images.MEDIA_INDEX}], MEDIA_MANIFEST),
        ([{"mediaType": MEDIA_MANIFEST}] * 2, MEDIA_MANIFEST),
        ([{"mediaType": MEDIA_MANIFEST}], "application/vnd.docker.distribution.manifest.v2+json"),
    ],
)
def test_only_one_image_of_the_one_media_type_is_taken(tmp_path: Path, entries: list[dict], kind: str) -> None:
    with pytest.raises(BundleError):
        images.read_layout(
            layout(tmp_path, entries, {"mediaType": kind, "config": {"digest": "sha256:c"}, "layers": []})
        )
