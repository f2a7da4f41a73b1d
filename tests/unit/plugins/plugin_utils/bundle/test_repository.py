# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Repositories with the real tools, and their way back as an upstream that is fetched from."""

from __future__ import annotations

import functools
import gzip
import hashlib
import io
import shutil
import tarfile
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ansible_collections.slipway.kube.plugins.plugin_utils.bundle import fetch, repository
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.executors import BundleExecutor, StepOutput
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.index import Index
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.names import BundleError
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.process import Runner
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.staleness import BuildStep

TOOLS = ("dpkg-deb", "apt-ftparchive", "gpg", "gpgv")
pytestmark = pytest.mark.skipif(not all(shutil.which(tool) for tool in TOOLS), reason=f"needs {', '.join(TOOLS)}")
DEB = "kubelet_1.36.3-1.1_amd64.deb"
CONTROL = "Package: kubelet\nVersion: 1.36.3-1.1\nArchitecture: amd64\nMaintainer: x <x@example.com>\nDescription: x\n"


def built(folder: Path, target: Path) -> None:
    (folder / "DEBIAN").mkdir(parents=True)
    (folder / "DEBIAN" / "control").write_text(CONTROL)
    Runner()(["dpkg-deb", "--build", str(folder), str(target)], what="packing")


class Upstream:
    """A signed repository, and a server that shows it."""

    def __init__(self, root: Path, url: str, secret: Path) -> None:
        self.root, self.url, self.secret = root, url, secret
        folder = f"{url}/deb/kubernetes/v1.36/"
        self.inputs = {
            "name": "kubelet",
            "version": "1.36.3",
            "architecture": "amd64",
            "repository": "deb/kubernetes/v1.36",
            "source": {
                "form": "deb",
                "release": folder,
                "packages": "Packages",
                "base": folder,
                "key": f"{url}/deb/key.asc",
                "architecture": "amd64",
            },
        }


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def upstream(tmp_path: Path, secret: Path) -> Iterator[Upstream]:
    root = tmp_path / "upstream"
    (root / "deb/kubernetes/v1.36").mkdir(parents=True)
    built(tmp_path / "work", root / "deb/kubernetes/v1.36" / DEB)
    (tmp_path / "index").mkdir()
    with repository.signer(secret, Runner()) as sign:
        written = repository.index_and_sign(
            root, {"deb/kubernetes/v1.36": [DEB]}, "amd64", sign, tmp_path / "index", Runner()
        )
        assert sign.home.stat().st_mode & 0o777 == 0o700
    assert not sign.home.exists()
    assert all((root / path).is_file() for path in written)
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(root)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Upstream(root, f"http://127.0.0.1:{server.server_port}", secret)
    server.shutdown()
    server.server_close()


def fetched(upstream: Upstream, tmp_path: Path) -> StepOutput:
    executor = BundleExecutor(tmp_path / "bundle", tmp_path / "work", upstream.secret, Runner(), source=fetch.Source())
    step = BuildStep("package:kubelet", "fetch_package", "fetching", upstream.inputs)
    executor.prepare([step], Index())
    return executor.execute(step)


def test_the_key_stays_private_and_stays_the_same(upstream: Upstream) -> None:
    assert upstream.secret.stat().st_mode & 0o777 == 0o600
    assert "PRIVATE" not in (upstream.root / "deb/key.asc").read_text()
    with repository.signer(upstream.secret, Runner()) as sign:
        assert sign.public_key() == (upstream.root / "deb/key.asc").read_bytes()


def test_the_index_lists_the_package(upstream: Upstream) -> None:
    folder = upstream.root / "deb/kubernetes/v1.36"
    listing = (folder / "Packages").read_text()
    assert f"Filename: {DEB}\n" in listing
    assert f"SHA256: {hashlib.sha256((folder / DEB).read_bytes()).hexdigest()}\n" in listing
    assert gzip.decompress((folder / "Packages.gz").read_bytes()) == listing.encode()
    assert hashlib.sha256(listing.encode()).hexdigest() in (folder / "Release").read_text()


def test_a_package_is_fetched_through_a_signed_index(upstream: Upstream, tmp_path: Path) -> None:
    (item,) = fetched(upstream, tmp_path).items
    assert (item.path, item.version) == (f"deb/kubernetes/v1.36/{DEB}", "1.36.3-1.1")
    assert item.origin == f"{upstream.url}/deb/kubernetes/v1.36/{DEB}"
    assert (tmp_path / "bundle" / item.path).read_bytes() == (upstream.root / item.path).read_bytes()


def test_a_package_of_another_content_is_refused(upstream: Upstream, tmp_path: Path) -> None:
    (upstream.root / "deb/kubernetes/v1.36" / DEB).write_bytes(b"something else")
    with pytest.raises(BundleError, match="is corrupt: sha256:"):
        fetched(upstream, tmp_path)
    assert not list((tmp_path / "bundle").rglob("*.deb"))


def test_an_index_of_another_content_is_refused(upstream: Upstream, tmp_path: Path) -> None:
    (upstream.root / "deb/kubernetes/v1.36/Packages.gz").write_bytes(gzip.compress(b"Package: kubelet\n"))
    with pytest.raises(BundleError, match=r"Packages\.gz is corrupt"):
        fetched(upstream, tmp_path)


def test_a_release_that_was_altered_is_refused(upstream: Upstream, tmp_path: Path) -> None:
    release = upstream.root / "deb/kubernetes/v1.36/InRelease"
    release.write_text(release.read_text().replace("slipway.kube", "slipway.cube"))
    with pytest.raises(BundleError, match="verifying the signature"):
        fetched(upstream, tmp_path)


def test_a_version_that_upstream_does_not_have(upstream: Upstream, tmp_path: Path) -> None:
    upstream.inputs["version"] = "1.36.9"
    with pytest.raises(BundleError, match=r"has no kubelet 1\.36\.9 for amd64; it has 1\.36\.3-1\.1"):
        fetched(upstream, tmp_path)


def test_upstream_without_an_answer(upstream: Upstream) -> None:
    source = fetch.Source()
    with pytest.raises(BundleError, match=r"none\.yaml returned 404 .*Check that upstream has published this version"):
        source.download(f"{upstream.url}/none.yaml")
    with pytest.raises(BundleError, match=r"cannot be fetched.*Check the connection and https_proxy"):
        source.download("http://127.0.0.1:9/x")
    with pytest.raises(BundleError, match="not an http or https URL"):
        source.download("file:///etc/passwd")


PRIMARY = """<?xml version="1.0" encoding="UTF-8"?>
<metadata xmlns="http://linux.duke.edu/metadata/common" packages="1">
<package type="rpm"><name>kubelet</name><arch>x86_64</arch><version epoch="0" ver="1.36.3" rel="150500.1.1"/>
<checksum type="sha256" pkgid="YES">{digest}</checksum><location href="x86_64/kubelet-1.36.3-150500.1.1.x86_64.rpm"/></package>
</metadata>
"""
REPOMD = """<?xml version="1.0" encoding="UTF-8"?>
<repomd xmlns="http://linux.duke.edu/metadata/repo"><revision>1</revision><data type="primary">
<checksum type="sha256">{digest}</checksum><location href="repodata/primary.xml.gz"/></data></repomd>
"""


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def rpms(upstream: Upstream) -> Upstream:
    """A signed rpm repository."""
    folder = upstream.root / "rpm"
    (folder / "repodata").mkdir(parents=True)
    (folder / "x86_64").mkdir()
    (folder / "x86_64/kubelet-1.36.3-150500.1.1.x86_64.rpm").write_bytes(b"an rpm")
    primary = gzip.compress(PRIMARY.format(digest=sha256(b"an rpm")).encode())
    (folder / "repodata/primary.xml.gz").write_bytes(primary)
    (folder / "repodata/repomd.xml").write_text(REPOMD.format(digest=sha256(primary)))
    with repository.signer(upstream.secret, Runner()) as sign:
        sign.detach(folder / "repodata/repomd.xml")
    base = f"{upstream.url}/rpm/"
    upstream.inputs["repository"] = "rpm/kubernetes/v1.36"
    upstream.inputs["source"] = {
        "form": "rpm",
        "base": base,
        "key": f"{upstream.url}/deb/key.asc",
        "architecture": "x86_64",
    }
    return upstream


def test_an_rpm_is_fetched_through_a_signed_index(rpms: Upstream, tmp_path: Path) -> None:
    (item,) = fetched(rpms, tmp_path).items
    assert item.path == "rpm/kubernetes/v1.36/kubelet-1.36.3-150500.1.1.x86_64.rpm"
    assert item.version == "1.36.3-150500.1.1"
    assert (tmp_path / "bundle" / item.path).read_bytes() == b"an rpm"


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("repodata/repomd.xml", "verifying the signature"),
        ("repodata/primary.xml.gz", "is corrupt"),
        ("x86_64/kubelet-1.36.3-150500.1.1.x86_64.rpm", "is corrupt"),
    ],
)
def test_what_was_altered_in_an_rpm_repository_is_refused(rpms: Upstream, tmp_path: Path, path: str, told: str) -> None:
    file = rpms.root / "rpm" / path
    file.write_bytes(file.read_bytes() + b" ")
    with pytest.raises(BundleError, match=told):
        fetched(rpms, tmp_path)


def program(upstream: Upstream, name: str, content: bytes, member: str = "", digest: str = "") -> dict[str, str]:
    """Publish a program; returns the inputs of the step that fetches it."""
    (upstream.root / name).write_bytes(content)
    (upstream.root / f"{name}.sha256").write_text(digest or f"{sha256(content)}  {name}\n")
    url = f"{upstream.url}/{name}"
    return {"url": url, "digest_url": f"{url}.sha256", "member": member}


def test_a_program_is_verified_and_unpacked(upstream: Upstream, tmp_path: Path) -> None:
    source = fetch.Source()
    assert source.program(program(upstream, "kubectl", b"one")) == b"one"
    with tarfile.open(tmp_path / "helm.tar.gz", "w:gz") as tar:
        info = tarfile.TarInfo("linux-amd64/helm")
        info.size = 4
        tar.addfile(info, io.BytesIO(b"helm"))
    archive = (tmp_path / "helm.tar.gz").read_bytes()
    assert source.program(program(upstream, "helm.tar.gz", archive, "linux-amd64/helm")) == b"helm"
    with pytest.raises(BundleError, match="not an archive with linux-arm64/helm"):
        source.program(program(upstream, "helm.tar.gz", archive, "linux-arm64/helm"))
    with pytest.raises(BundleError, match="kubectl is corrupt"):
        source.program(program(upstream, "kubectl", b"two", digest=sha256(b"one")))
    with pytest.raises(BundleError, match=r"kubectl\.sha256 contains no sha256 digest"):
        source.program(program(upstream, "kubectl", b"two", digest="<html>"))


def test_everything_that_upstream_lacks_is_told_at_once(upstream: Upstream) -> None:
    lacking = {**upstream.inputs, "name": "kubeadm"}
    steps = [
        BuildStep("package:kubelet", "fetch_package", "", upstream.inputs),
        BuildStep("package:kubeadm", "fetch_package", "", lacking),
        BuildStep("program:helm", "fetch_program", "", {"url": f"{upstream.url}/helm"}),
        BuildStep("manifest:x", "fetch_manifest", "", {"url": f"{upstream.url}/deb/key.asc"}),
    ]
    missing = fetch.Source().unavailable(steps)
    assert len(missing) == 2 and "has no kubeadm 1.36.3" in missing[0] and "/helm returned 404" in missing[1]
