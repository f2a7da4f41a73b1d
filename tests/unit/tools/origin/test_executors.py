# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole bundle from stand-ins of the programs, with the real tools; then a site's archive of one of its own images."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from ansible_collections.slipway.kube.plugins.plugin_utils.bundle import build, images
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle import index as index_file
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.archives import read_archive
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.executors import StepExecutor, StepOutput
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.process import Runner
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.request import BundleRequest, describe
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.staleness import BuildStep
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.steps import steps_of

TOOLS = ("dpkg-deb", "apt-ftparchive", "gpg", "skopeo", "zstd")
pytestmark = pytest.mark.skipif(not all(shutil.which(tool) for tool in TOOLS), reason=f"needs {', '.join(TOOLS)}")


class StandIns(StepExecutor):
    """A workshop whose compilers write a line; all the rest is done as ever."""

    def _go_build(self, inputs: dict, step: BuildStep, scratch: Path) -> StepOutput:
        for program in inputs.get("programs", [inputs["name"]]):
            (scratch / program).write_text(f"{program} {inputs['version']}")
        return self._keep(scratch, step.key)

    _c_build = _go_build

    def _tools(self, inputs: dict, step: BuildStep, scratch: Path) -> StepOutput:
        layer = images.write_layer(
            [images.Entry(name, text=name) for name in inputs["packages"]], scratch / "layer.tar.zst"
        )
        (scratch / "diff_id").write_text(layer.diff_id)
        (scratch / "digest").write_text(layer.digest)
        return self._keep(scratch, step.key)


def made(want: BundleRequest, cache: Path, files: Path, secret: Path) -> tuple[build.BuildResult, list[str]]:
    """Make the bundle; returns the report and the keys of the steps that were done."""
    executor = StandIns(
        cache / "bundle",
        cache / "work",
        cache / "layers",
        files / "go",
        files,
        secret,
        Runner(),
        dump=json.dumps,
    )
    done: list[str] = []
    steps = steps_of(want)
    found = build.inspect(steps, index_file.load(executor.root), executor)
    return build.build(
        found, executor, describe(want), lambda number, total, step: done.append(step.key), lambda step, seconds: None
    ), done


def test_a_bundle_from_programs_to_signatures(want: BundleRequest, files: Path, secret: Path, tmp_path: Path) -> None:
    report, done = made(want, tmp_path, files, secret)
    assert report.changed and len(done) == 28
    root = tmp_path / "bundle"
    index, broken = build.verify(root)
    assert broken == []
    items = {(item.kind, item.name): item for item in index.all_items()}
    kubelet = items["package", "kubelet"]
    assert (kubelet.version, kubelet.architecture, kubelet.origin) == (
        "1.36.3-1.1",
        "amd64",
        "k8s.io/kubernetes@v1.36.3",
    )
    assert kubelet.path == "deb/kubernetes/v1.36/kubelet_1.36.3-1.1_amd64.deb"
    containerd = items["package", "containerd.io"]
    assert containerd.origin == "github.com/containerd/containerd/v2@v2.2.3, github.com/opencontainers/runc@v1.3.4"
    proxy = json.loads((root / items["image", "registry.k8s.io/kube-proxy"].path).read_bytes())
    flannel = json.loads((root / items["image", "ghcr.io/flannel-io/flannel"].path).read_bytes())
    assert proxy["layers"][0] == flannel["layers"][0], "the tools' layer is shared"
    assert len(json.loads((root / items["image", "registry.k8s.io/etcd"].path).read_bytes())["layers"]) == 1
    for (kind, _name), item in items.items():
        assert (root / item.path).is_file()
        assert item.size > 0 and item.digest.startswith("sha256:") and item.origin, kind
    assert not (tmp_path / "work").exists()
    assert made(want, tmp_path, files, secret)[1] == []


def test_a_lost_layer_brings_back_only_what_needs_it(
    want: BundleRequest, files: Path, secret: Path, tmp_path: Path
) -> None:
    made(want, tmp_path, files, secret)
    folder = tmp_path / "bundle/v2/registry.k8s.io/pause/blobs"
    shutil.rmtree(folder)
    assert made(want, tmp_path, files, secret)[1] == ["build:pause-3.10.2", "image:registry.k8s.io/pause:3.10.2"]
    assert build.verify(tmp_path / "bundle")[1] == []


def test_an_images_digest_does_not_depend_on_when_it_is_made(
    want: BundleRequest, files: Path, secret: Path, tmp_path: Path
) -> None:
    digests = []
    for cache in (tmp_path / "one", tmp_path / "two"):
        index = made(want, cache, files, secret)[0].index
        digests.append({item.name: item.digest for item in index.all_items() if item.kind in ("image", "package")})
    assert digests[0] == digests[1]


def test_a_sites_archive_ends_up_under_its_name(want: BundleRequest, files: Path, secret: Path, tmp_path: Path) -> None:
    made(want, tmp_path, files, secret)
    layout = tmp_path / "layout"
    blobs = layout / "blobs/sha256"
    blobs.mkdir(parents=True)
    for path in (tmp_path / "bundle/v2/registry.k8s.io/etcd").glob("*/sha256:*"):
        shutil.copy(path, blobs / path.name[7:])
    manifest = tmp_path / "bundle/v2/registry.k8s.io/etcd/manifests/3.6.8-0"
    entry = {
        "mediaType": images.MEDIA_MANIFEST,
        "digest": images.digest_of_bytes(manifest.read_bytes()),
        "size": manifest.stat().st_size,
    }
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    archive = tmp_path / "app.tar"
    Runner()(
        ["skopeo", "--insecure-policy", "copy", f"oci:{layout}", f"oci-archive:{archive}:acme.example/app:1"],
        what="saving",
    )
    want.archives = read_archive(archive)
    report, done = made(want, tmp_path, files, secret)
    assert done == ["image:acme.example/app:1", "vars"]
    item = next(item for item in report.index.all_items() if item.name == "acme.example/app")
    brought = json.loads((tmp_path / "bundle" / item.path).read_bytes())
    assert brought["mediaType"] == images.MEDIA_MANIFEST
    assert build.verify(tmp_path / "bundle")[1] == []
    assert made(want, tmp_path, files, secret)[1] == []
