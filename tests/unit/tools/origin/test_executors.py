# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole origin from stand-ins of the programs, with the real tools; then a site's archive of one of its own layers."""

from __future__ import annotations

import json
import shutil
import tarfile
from pathlib import Path

import pytest

from ansible_collections.slipway.kube.plugins.plugin_utils.bundle import build
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle import index as index_file
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.archives import read_archive
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.executors import StepOutput
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.files import sha256_of
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.images import digest_of_bytes
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.names import MEDIA_MANIFEST
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.process import Runner
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.staleness import BuildStep
from origin import golang, layers
from origin.executor import ORIGIN, OriginExecutor
from origin.request import OriginRequest
from origin.steps import description_of, steps_of

TOOLS = ("dpkg-deb", "apt-ftparchive", "gpg", "skopeo", "zstd")
pytestmark = pytest.mark.skipif(not all(shutil.which(tool) for tool in TOOLS), reason=f"needs {', '.join(TOOLS)}")


class StandIns(OriginExecutor):
    """A workshop whose compilers write a line; all the rest is done as ever."""

    def _go_build(self, inputs: dict, step: BuildStep, scratch: Path) -> StepOutput:
        for program in inputs.get("programs", [inputs["name"]]):
            (scratch / program).write_text(f"{program} {inputs['version']}")
        return self._keep(scratch, step.key)

    _c_build = _go_build

    def _tools(self, inputs: dict, step: BuildStep, scratch: Path) -> StepOutput:
        layer = layers.write_layer(
            [layers.Entry(name, text=name) for name in inputs["packages"]], scratch / "layer.tar.zst"
        )
        (scratch / "diff_id").write_text(layer.diff_id)
        (scratch / "digest").write_text(layer.digest)
        return self._keep(scratch, step.key)


@pytest.fixture(autouse=True)
def without_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unit tests have no network, and no module need be in the cache."""
    monkeypatch.setattr(golang, "module_file", lambda module, file, lock, run: f"{module}/{file}\n".encode())


def made(want: OriginRequest, cache: Path, secret: Path) -> tuple[build.BuildResult, list[str]]:
    """Make the origin; returns the report and the keys of the steps that were done."""
    executor = StandIns(cache / "origin", cache / "work", secret, Runner(), layers=cache / "layers")
    done: list[str] = []
    steps = steps_of(want)
    found = build.inspect(steps, index_file.load(executor.root, ORIGIN), executor)
    return build.build(
        found,
        executor,
        description_of(want, steps),
        lambda number, total, step: done.append(step.key),
        lambda step, seconds: None,
    ), done


def test_an_origin_from_programs_to_signatures(want: OriginRequest, secret: Path, tmp_path: Path) -> None:
    report, done = made(want, tmp_path, secret)
    assert report.changed and len(done) == len(steps_of(want))
    root = tmp_path / "origin"
    index, broken = build.verify(root, ORIGIN)
    assert broken == []
    items = {(item.kind, item.name): item for item in index.all_items()}
    kubelet = items["package", "kubelet"]
    assert (kubelet.version, kubelet.architecture, kubelet.origin) == (
        "1.36.3-1.1",
        "amd64",
        "k8s.io/kubernetes@v1.36.3",
    )
    assert kubelet.path == "pkgs.k8s.io/core:/stable:/v1.36/deb/amd64/kubelet_1.36.3-1.1_amd64.deb"
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
    assert made(want, tmp_path, secret)[1] == []


def test_a_lost_layer_brings_back_only_what_needs_it(want: OriginRequest, secret: Path, tmp_path: Path) -> None:
    made(want, tmp_path, secret)
    folder = tmp_path / "origin/registry.k8s.io/v2/pause/blobs"
    shutil.rmtree(folder)
    assert made(want, tmp_path, secret)[1] == ["build:pause-3.10.2", "image:registry.k8s.io/pause:3.10.2"]
    assert build.verify(tmp_path / "origin", ORIGIN)[1] == []


def test_an_images_digest_does_not_depend_on_when_it_is_made(want: OriginRequest, secret: Path, tmp_path: Path) -> None:
    digests = []
    for cache in (tmp_path / "one", tmp_path / "two"):
        index = made(want, cache, secret)[0].index
        digests.append({item.name: item.digest for item in index.all_items() if item.kind in ("image", "package")})
    assert digests[0] == digests[1]


def test_a_sites_archive_ends_up_under_its_name(want: OriginRequest, secret: Path, tmp_path: Path) -> None:
    made(want, tmp_path, secret)
    layout = tmp_path / "layout"
    blobs = layout / "blobs/sha256"
    blobs.mkdir(parents=True)
    for path in (tmp_path / "origin/registry.k8s.io/v2/etcd").glob("*/sha256:*"):
        shutil.copy(path, blobs / path.name[7:])
    manifest = tmp_path / "origin/registry.k8s.io/v2/etcd/manifests/3.6.8-0"
    entry = {
        "mediaType": MEDIA_MANIFEST,
        "digest": digest_of_bytes(manifest.read_bytes()),
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
    report, done = made(want, tmp_path, secret)
    assert done == ["image:acme.example/app:1"]
    item = next(item for item in report.index.all_items() if item.name == "acme.example/app")
    brought = json.loads((tmp_path / "origin" / item.path).read_bytes())
    assert brought["mediaType"] == MEDIA_MANIFEST
    assert build.verify(tmp_path / "origin", ORIGIN)[1] == []
    assert made(want, tmp_path, secret)[1] == []


def stanzas(path: Path, field: str) -> list[str]:
    """The values of a field in a package list."""
    return [line.partition(": ")[2] for line in path.read_text().splitlines() if line.startswith(f"{field}: ")]


def test_repositories_are_laid_out_as_upstreams(want: OriginRequest, secret: Path, tmp_path: Path) -> None:
    made(want, tmp_path, secret)
    root = tmp_path / "origin"
    kubernetes = root / "pkgs.k8s.io/core:/stable:/v1.36/deb"
    assert {path.name for path in kubernetes.iterdir()} == {
        *("InRelease", "Packages", "Packages.gz", "Release", "Release.gpg", "Release.key", "amd64"),
    }
    assert "amd64/kubeadm_1.36.3-1.1_amd64.deb" in stanzas(kubernetes / "Packages", "Filename")
    docker = root / "download.docker.com/linux/debian"
    assert {path.name for path in docker.iterdir()} == {"dists", "gpg"}
    for suite, number in (("bookworm", "12"), ("trixie", "13")):
        folder = docker / "dists" / suite
        assert {path.name for path in folder.iterdir()} == {"InRelease", "Release", "Release.gpg", "pool", "stable"}
        (name,) = stanzas(folder / "stable/binary-amd64/Packages", "Filename")
        assert name.startswith(f"dists/{suite}/pool/stable/amd64/containerd.io_2.2.3-1~debian.{number}~{suite}_")
        assert (docker / name).is_file()
        release = (folder / "Release").read_text()
        assert f"Suite: {suite}\n" in release and "stable/binary-amd64/Packages.gz" in release
        assert "Components: stable\n" in release and ".deb" not in release
    assert (docker / "gpg").read_bytes() == (kubernetes / "Release.key").read_bytes()
    assert "BEGIN PGP PUBLIC KEY BLOCK" in (docker / "gpg").read_text()


def test_programs_are_published_with_their_digests(want: OriginRequest, secret: Path, tmp_path: Path) -> None:
    want.programs = {"helm": "4.3.1", "kwok": "0.8.0", "kubectl": ""}
    made(want, tmp_path, secret)
    root = tmp_path / "origin"
    kubectl = root / "dl.k8s.io/release/v1.36.3/bin/linux/amd64/kubectl"
    assert kubectl.read_text() == "kubectl 1.36.3" and kubectl.stat().st_mode & 0o111
    assert (kubectl.parent / "kubectl.sha256").read_text() == sha256_of(kubectl)[7:]
    helm = root / "get.helm.sh/helm-v4.3.1-linux-amd64.tar.gz"
    assert (helm.parent / f"{helm.name}.sha256sum").read_text() == f"{sha256_of(helm)[7:]}  {helm.name}\n"
    with tarfile.open(helm) as tar:
        assert tar.getnames() == ["linux-amd64/helm"] and tar.getmembers()[0].mode == 0o755
    assert (root / "github.com/kubernetes-sigs/kwok/releases/download/v0.8.0/kwok-linux-amd64").is_file()


@pytest.mark.skipif(
    not all(shutil.which(tool) for tool in ("rpmbuild", "rpmsign", "createrepo_c")), reason="needs rpm and createrepo-c"
)
def test_rpms_are_signed_and_listed(want: OriginRequest, secret: Path, tmp_path: Path) -> None:
    want.rpm = True
    made(want, tmp_path, secret)
    root = tmp_path / "origin"
    kubernetes = root / "pkgs.k8s.io/core:/stable:/v1.36/rpm"
    assert {path.name for path in kubernetes.iterdir()} == {"repodata", "x86_64"}
    assert {"repomd.xml", "repomd.xml.asc", "repomd.xml.key"} < {
        path.name for path in (kubernetes / "repodata").iterdir()
    }
    database = tmp_path / "rpmdb"
    Runner()(
        ["rpmkeys", f"--dbpath={database}", "--import", str(kubernetes / "repodata/repomd.xml.key")], what="importing"
    )
    for rpm in (kubernetes / "x86_64/kubelet-1.36.3-150500.1.1.x86_64.rpm", *root.rglob("containerd.io-*.rpm")):
        said = Runner()(["rpmkeys", f"--dbpath={database}", "--checksig", str(rpm)], what="checking")
        assert "digests signatures OK" in said
        requires = Runner()(["rpm", f"--dbpath={database}", "-qp", "--requires", str(rpm)], what="asking").split("\n")
        assert not [name for name in requires if name.startswith("/")], "a host may not have it as an rpm"
    assert (root / "download.docker.com/linux/rhel/gpg").is_file()
