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

from origin import layers


def unpacked(layer: Path) -> tarfile.TarFile:
    content = subprocess.run(["zstd", "-dcq", str(layer)], check=True, stdout=subprocess.PIPE).stdout
    return tarfile.open(fileobj=BytesIO(content))


def entries(program: Path) -> list[layers.Entry]:
    return [
        *layers.accounts(["me:1000:50000:team"]),
        layers.Entry("/usr/local/bin/it", 0o755, source=program, capability=layers.NET_BIND_SERVICE),
        layers.Entry("/it-2", link="it"),
    ]


def test_a_layer_is_the_same_whenever_it_is_made(tmp_path: Path) -> None:
    program = tmp_path / "it"
    program.write_bytes(b"program" * 1000)
    first = layers.write_layer(entries(program), tmp_path / "one")
    os.utime(program, (1, 1))
    second = layers.write_layer(reversed(entries(program)), tmp_path / "two")
    assert (first.digest, first.diff_id, first.size) == (second.digest, second.diff_id, second.size)
    program.write_bytes(b"Program" * 1000)
    assert layers.write_layer(entries(program), tmp_path / "three").digest != first.digest


def test_what_is_in_a_layer(tmp_path: Path) -> None:
    program = tmp_path / "it"
    program.write_bytes(b"program")
    layers.write_layer(entries(program), tmp_path / "layer")
    with unpacked(tmp_path / "layer") as tar:
        names = tar.getnames()
        assert names == sorted(names)
        assert {"usr", "usr/local", "usr/local/bin", "usr/local/bin/it", "etc/passwd", "tmp", "it-2"} <= set(names)
        it = tar.getmember("usr/local/bin/it")
        assert (it.mode, it.uid, it.uname) == (0o755, 0, "")
        assert it.pax_headers["SCHILY.xattr.security.capability"].encode() == layers.NET_BIND_SERVICE
        assert tar.getmember("tmp").mode == 0o1777
        # Traefik, which runs as nonroot, ends if it may not look for its configuration there.
        assert tar.getmember("home/nonroot").mode & 0o005 == 0o005
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
    layer = layers.filter_tar(
        tmp_path / "root.tar",
        tmp_path / "layer",
        lambda path: "man" not in path,
        {"bin/nc": "nc.openbsd", "bin/sh": "other"},
    )
    with unpacked(layer.path) as tar:
        assert {member.name: member.linkname for member in tar} == {"bin/nc": "nc.openbsd", "bin/sh": "dash", "usr": ""}
        assert {member.mtime for member in tar} == {layers.EPOCH}


def test_an_image_of_a_layer(tmp_path: Path) -> None:
    program = tmp_path / "pause"
    program.write_bytes(b"pause")
    layer = layers.write_layer([layers.Entry("pause", 0o755, source=program)], tmp_path / "layer")
    config = layers.image_config("amd64", [layer], {"b": "2", "a": "1"}, ["/pause"], user="65535:65535")
    value = json.loads(config)
    assert (value["architecture"], value["os"], value["config"]["User"]) == ("amd64", "linux", "65535:65535")
    assert value["config"]["Entrypoint"] == ["/pause"]
    with unpacked(layer.path) as tar:
        assert tar.fileobj is not None
        tar.fileobj.seek(0)
        assert value["rootfs"]["diff_ids"] == [layers.digest_of_bytes(tar.fileobj.read())]
    manifest = json.loads(layers.image_manifest(config, [layer]))
    assert manifest["layers"][0]["digest"] == layers.sha256_of(layer.path)
    assert manifest["config"]["digest"] == layers.digest_of_bytes(config)
