# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.slipway.kube.plugins.plugin_utils.bundle import images
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.files import sha256_of
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.names import MEDIA_INDEX, MEDIA_MANIFEST, BundleError

FOLDER = "v2/registry.k8s.io/pause"


def published(root: Path, work: Path) -> images.Published:
    layer, config = work / "layer", b"{}"
    layer.write_bytes(b"pause" * 100)
    blobs: dict[str, Path | bytes] = {sha256_of(layer): layer, images.digest_of_bytes(config): config}
    manifest = {"mediaType": MEDIA_MANIFEST, "layers": list(blobs)}
    return images.publish(root, FOLDER, "3.10.2", json.dumps(manifest).encode(), blobs, {})


def test_the_registry_tree_holds_what_the_manifest_names(tmp_path: Path) -> None:
    root = tmp_path / "root"
    result = published(root, tmp_path)
    tag = root / FOLDER / "manifests/3.10.2"
    assert tag.read_bytes() == tag.with_name(result.digest).read_bytes()
    for digest in json.loads(tag.read_bytes())["layers"]:
        assert sha256_of(root / FOLDER / "blobs" / digest) == digest
    assert set(result.files) == {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def test_a_layer_that_is_there_is_linked(tmp_path: Path) -> None:
    first = published(tmp_path / "root", tmp_path)
    blobs = {record.digest: path for path, record in first.files.items() if "/blobs/" in path}
    layer = max(blobs, key=lambda digest: (tmp_path / "root" / blobs[digest]).stat().st_size)
    images.publish(tmp_path / "root", "v2/ghcr.io/a/b", "1", b"{}", {layer: tmp_path / "not-there"}, blobs)
    assert (tmp_path / f"root/v2/ghcr.io/a/b/blobs/{layer}").samefile(tmp_path / "root" / blobs[layer])


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
        ([{"mediaType": MEDIA_INDEX}], MEDIA_MANIFEST),
        ([{"mediaType": MEDIA_MANIFEST}] * 2, MEDIA_MANIFEST),
        ([{"mediaType": MEDIA_MANIFEST}], "application/vnd.docker.distribution.manifest.v2+json"),
    ],
)
def test_only_one_image_of_the_one_media_type_is_taken(tmp_path: Path, entries: list[dict], kind: str) -> None:
    with pytest.raises(BundleError):
        images.read_layout(
            layout(tmp_path, entries, {"mediaType": kind, "config": {"digest": "sha256:c"}, "layers": []})
        )
