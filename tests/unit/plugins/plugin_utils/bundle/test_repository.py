# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages and repositories with the real tools, and their way back as an upstream that is fetched from."""

from __future__ import annotations

import functools
import gzip
import hashlib
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ansible_collections.slipway.kube.plugins.plugin_utils.bundle import fetch, packages, repository
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.names import BundleError
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.process import Runner

TOOLS = ("dpkg-deb", "apt-ftparchive", "gpg", "gpgv")
pytestmark = pytest.mark.skipif(not all(shutil.which(tool) for tool in TOOLS), reason=f"needs {', '.join(TOOLS)}")
DEB = "kubelet_1.36.3-1.1_amd64.deb"


def built(folder: Path, target: Path) -> Path:
    folder.mkdir()
    program = folder / "program"
    program.write_bytes(b"#!/bin/sh\n" * 500)
    (folder / "work").mkdir()
    packages.build(
        "kubelet",
        "1.36.3-1.1",
        "amd64",
        {"/usr/bin/kubelet": program},
        "k8s.io/kubernetes@v1.36.3",
        folder / "work",
        target,
        Runner(),
    )
    return target


def test_a_package_is_the_same_whenever_it_is_built(tmp_path: Path) -> None:
    first = built(tmp_path / "one", tmp_path / "one.deb")
    second = built(tmp_path / "two", tmp_path / "two.deb")
    assert first.read_bytes() == second.read_bytes()


def test_what_is_in_the_kubelet_package(tmp_path: Path) -> None:
    deb = str(built(tmp_path / "one", tmp_path / DEB))
    listing = subprocess.run(["dpkg-deb", "--contents", deb], check=True, stdout=subprocess.PIPE, text=True).stdout
    lines = {line.split()[-1]: line.split() for line in listing.splitlines()}
    assert lines["./usr/bin/kubelet"][:2] == ["-rwxr-xr-x", "root/root"]
    assert {
        "./usr/lib/systemd/system/kubelet.service",
        "./usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf",
    } <= set(lines)
    fields = subprocess.run(
        ["dpkg-deb", "--field", deb, "Package", "Version", "Depends"], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    assert fields == "Package: kubelet\nVersion: 1.36.3-1.1\nDepends: kubernetes-cni (>= 1.2.0)\n"


def test_units_and_packages_say_what_hosts_need() -> None:
    for variable in ("KUBELET_KUBECONFIG_ARGS", "KUBELET_CONFIG_ARGS", "KUBELET_KUBEADM_ARGS", "KUBELET_EXTRA_ARGS"):
        assert f"${variable}" in packages.KUBELET_DROP_IN
    assert "EnvironmentFile=-/etc/default/kubelet" in packages.KUBELET_DROP_IN
    assert {"Delegate=yes", "KillMode=process", "Type=notify"} <= set(packages.CONTAINERD_SERVICE.splitlines())
    assert "/etc/containerd/config.toml" not in dict(packages.PACKAGES["containerd.io"].files)
    depends = {name: dict(contents.fields).get("Depends", "") for name, contents in packages.PACKAGES.items()}
    assert {name for name, value in depends.items() if value} == {"kubelet"}, "a closed host has no Debian mirror"


class Upstream:
    """A signed repository, and a server that shows it."""

    def __init__(self, root: Path, url: str, secret: Path) -> None:
        self.root, self.url, self.secret = root, url, secret
        folder = f"{url}/deb/kubernetes/v1.36/"
        self.inputs = {
            "name": "kubelet",
            "version": "1.36.3-1.1",
            "architecture": "amd64",
            "repository": "deb/kubernetes/v1.36",
            "source": {"release": folder, "packages": "Packages", "base": folder, "key": f"{url}/deb/key.asc"},
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


def fetched(upstream: Upstream, tmp_path: Path) -> tuple[str, str, str]:
    work = tmp_path / "fetch"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(mode=0o700)
    return fetch.package(upstream.inputs, work, tmp_path / "bundle", Runner())


def test_the_key_stays_private_and_stays_the_same(upstream: Upstream) -> None:
    assert upstream.secret.stat().st_mode & 0o777 == 0o600
    assert "PRIVATE" not in (upstream.root / "deb/key.asc").read_text()
    with repository.signer(upstream.secret, Runner()) as sign:
        assert sign.public_key() == (upstream.root / "deb/key.asc").read_bytes()


def test_the_index_lists_the_package(upstream: Upstream) -> None:
    folder = upstream.root / "deb/kubernetes/v1.36"
    listing = (folder / "Packages").read_text()
    assert f"Filename: ./{DEB}\n" in listing
    assert f"SHA256: {hashlib.sha256((folder / DEB).read_bytes()).hexdigest()}\n" in listing
    assert gzip.decompress((folder / "Packages.gz").read_bytes()) == listing.encode()
    assert hashlib.sha256(listing.encode()).hexdigest() in (folder / "Release").read_text()


def test_a_package_is_fetched_through_a_signed_index(upstream: Upstream, tmp_path: Path) -> None:
    path, version, address = fetched(upstream, tmp_path)
    assert (path, version) == (f"deb/kubernetes/v1.36/{DEB}", "1.36.3-1.1")
    assert address == f"{upstream.url}/deb/kubernetes/v1.36/{DEB}"
    assert (tmp_path / "bundle" / path).read_bytes() == (upstream.root / path).read_bytes()


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
    upstream.inputs["version"] = "1.36.9-1.1"
    with pytest.raises(BundleError, match=r"has no kubelet 1\.36\.9-1\.1 for amd64; it has 1\.36\.3-1\.1"):
        fetched(upstream, tmp_path)


def test_upstream_without_an_answer(upstream: Upstream) -> None:
    with pytest.raises(BundleError, match=r"none\.yaml returned 404 .*Check that upstream has published this version"):
        fetch.download(f"{upstream.url}/none.yaml")
    with pytest.raises(BundleError, match=r"cannot be fetched.*bundle_origin: go_modules"):
        fetch.download("http://127.0.0.1:9/x")
    with pytest.raises(BundleError, match="not an http or https URL"):
        fetch.download("file:///etc/passwd")
