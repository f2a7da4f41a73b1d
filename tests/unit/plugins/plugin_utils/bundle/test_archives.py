# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import gzip
import io
import json
import tarfile
from pathlib import Path

import pytest

from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.archives import (
    images_in,
    read_archive,
    read_entry,
    read_manifest,
    references,
)
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.names import BundleError


def archive(path: Path, documents: dict[str, object]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, value in documents.items():
            content = value if isinstance(value, bytes) else json.dumps(value).encode()
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


DOCKER = {
    "manifest.json": [{"RepoTags": ["quay.io/calico/node:v3.32.1"]}, {"RepoTags": ["app:1", "acme.example/app:1"]}],
    "repositories": {},
}
REFERENCE = "org.opencontainers.image.ref.name"


def test_every_image_of_a_docker_archive(tmp_path: Path) -> None:
    path = archive(tmp_path / "images.tar", DOCKER)
    found = read_archive(path)
    assert [str(image.name) for image in found] == [
        "quay.io/calico/node:v3.32.1",
        "docker.io/library/app:1",
        "acme.example/app:1",
    ]
    assert found[1].source == f"docker-archive:{path}:app:1"
    assert {image.digest for image in found} == {found[0].digest}


def test_a_compressed_archive(tmp_path: Path) -> None:
    path = archive(tmp_path / "images.tar", DOCKER)
    packed = tmp_path / "images.tar.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert len(read_archive(packed)) == 3


def test_an_oci_folder_and_archive(tmp_path: Path) -> None:
    index = {"manifests": [{"annotations": {REFERENCE: "ghcr.io/acme/app:3"}}]}
    (tmp_path / "layout").mkdir()
    (tmp_path / "layout" / "index.json").write_text(json.dumps(index))
    assert read_archive(tmp_path / "layout")[0].source == f"oci:{tmp_path}/layout:ghcr.io/acme/app:3"
    path = archive(tmp_path / "app.tar", {"index.json": index})
    assert read_archive(path)[0].source == f"oci-archive:{path}:ghcr.io/acme/app:3"


def test_the_name_that_containerd_writes_wins(tmp_path: Path) -> None:
    annotations = {REFERENCE: "v1", "io.containerd.image.name": "quay.io/a/b:v1"}
    assert references({"index.json": {"manifests": [{"annotations": annotations}]}}, False, "/a.tar") == [
        ("oci-archive:/a.tar:v1", "quay.io/a/b:v1")
    ]


def test_a_name_is_given_to_an_archive_without_one(tmp_path: Path) -> None:
    path = archive(tmp_path / "app.tar", {"index.json": {"manifests": [{}]}})
    with pytest.raises(BundleError, match=r"contains no image name\. Write \{path"):
        read_archive(path)
    assert str(read_archive(path, "acme.example/app:2")[0].name) == "acme.example/app:2"
    untagged = archive(tmp_path / "untagged.tar", {"manifest.json": [{"RepoTags": None}]})
    assert read_archive(untagged, "acme.example/app:2")[0].source == f"docker-archive:{untagged}:@0"


def test_a_tag_alone_is_no_name(tmp_path: Path) -> None:
    path = archive(tmp_path / "app.tar", {"index.json": {"manifests": [{"annotations": {REFERENCE: "2.0"}}]}})
    with pytest.raises(BundleError, match=r"no image name, only '2\.0'"):
        read_archive(path)


def test_one_name_for_several_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="contains 3 images"):
        read_archive(archive(tmp_path / "images.tar", DOCKER), "acme.example/app:2")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"text", "not a tar file"),
        (None, "No such file"),
        ({"file": "x"}, "neither a manifest.json"),
        ({"manifest.json": b"{"}, "damaged"),
        ({"manifest.json": []}, "neither"),
    ],
)
def test_what_is_no_image_archive(tmp_path: Path, content: object, told: str) -> None:
    path = tmp_path / "a.tar"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, dict):
        archive(path, content)
    with pytest.raises(BundleError, match=told):
        read_archive(path)


def test_a_folder_that_is_no_layout(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="neither"):
        read_archive(tmp_path)


def test_images_that_pods_name() -> None:
    pod = {
        "containers": [{"image": "quay.io/calico/node:v1"}],
        "initContainers": [{"image": "calico/cni:v1"}, {"image": "quay.io/calico/node:v1"}],
    }
    objects = [
        {"kind": "DaemonSet", "spec": {"template": {"spec": pod}}},
        {"kind": "ConfigMap", "data": {"image": "not/an-image:1"}},
        {
            "kind": "CustomResourceDefinition",
            "spec": {"properties": {"containers": {"items": {"properties": {"image": {"type": "string"}}}}}},
        },
        None,
    ]
    assert images_in(objects) == ["quay.io/calico/node:v1", "docker.io/calico/cni:v1"]


@pytest.mark.parametrize("entry", [1, {"name": "x"}, {"path": "/a", "tag": "x"}, []])
def test_an_archive_is_a_path_or_a_dictionary(entry: object) -> None:
    with pytest.raises(BundleError, match="bundle_image_archives contains"):
        read_entry(entry)


def test_a_manifest_is_read_for_its_images(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_text("spec: {containers: [{image: quay.io/a/b:1}]}\n---\nspec: {containers: [{image: quay.io/a/c:1}]}\n")
    assert read_manifest("a/m.yaml", str(path)).images == ("quay.io/a/b:1", "quay.io/a/c:1")
    path.write_text("a: [")
    with pytest.raises(BundleError, match="is not valid YAML"):
        read_manifest("a/m.yaml", str(path))
    with pytest.raises(BundleError, match="cannot be read"):
        read_manifest("a/m.yaml", str(tmp_path / "none.yaml"))
