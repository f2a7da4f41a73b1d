# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bundle that is collected from an origin: every download that is tested here is one over TLS, with the real tools."""

from __future__ import annotations

import json
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ansible_collections.slipway.kube.plugins.plugin_utils.bundle import build, requirements
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle import index as index_file
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.executors import BundleExecutor
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.fetch import Source
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.names import MEDIA_MANIFEST
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.process import Runner
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.request import BundleRequest, describe
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.steps import steps_of
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.upstream import ADDRESSES
from origin.command import arguments, request_of
from origin.request import OriginRequest

from .test_executors import TOOLS, made

pytestmark = pytest.mark.skipif(
    not all(shutil.which(tool) for tool in (*TOOLS, "openssl")), reason=f"needs {', '.join(TOOLS)} and openssl"
)
RPM = all(shutil.which(tool) for tool in ("rpmbuild", "rpmsign", "createrepo_c"))


class Web(SimpleHTTPRequestHandler):
    """Serves an origin under one address: /NAME/PATH, and registries at /v2/NAME/REPOSITORY."""

    def translate_path(self, path: str) -> str:
        parts = path.split("/")
        if path.startswith("/v2/") and len(parts) > 3:
            path = "/".join(["", parts[2], "v2", *parts[3:]])
        return super().translate_path(path)

    def do_GET(self) -> None:
        if self.path != "/v2/":
            return super().do_GET()
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def guess_type(self, path: object) -> str:
        return MEDIA_MANIFEST if "/manifests/" in str(path) else "application/octet-stream"

    def log_message(self, *arguments: object) -> None:
        pass


@dataclass
class Site:
    """An origin that is served."""

    root: Path
    address: str
    ca: Path

    def request(self, want: OriginRequest, formats: list[str]) -> BundleRequest:
        return BundleRequest(
            "amd64",
            list(want.kubernetes_versions),
            want.table,
            package_formats=formats,
            network_plugins=["flannel"],
            flannel_cni_plugin=False,
            programs={"kubectl": "", "helm": "4.3.1"},
            upstream={name: value.replace("https://", f"https://{self.address}/") for name, value in ADDRESSES.items()},
            registries={name: f"{self.address}/{name}" for name in ("registry.k8s.io", "ghcr.io")},
            ca=str(self.ca),
        )


def serve(root: Path, folder: Path) -> ThreadingHTTPServer:
    """Serve *root* on a free port, with the certificate folder/ca.crt."""
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    options = ["-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", "ca.key", "-out", "ca.crt"]
    subprocess.run(["openssl", "req", "-x509", *options, *subject], cwd=folder, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "ca.crt", folder / "ca.key")

    def handler(*arguments: object) -> Web:
        return Web(*arguments, directory=str(root))  # type: ignore[arg-type]

    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)  # type: ignore[arg-type]
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@pytest.fixture(scope="module")
def site(secret: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """An origin, made once for all tests."""
    folder = tmp_path_factory.mktemp("site")
    words = ["build", "--kubernetes", "1.36.3", "--architecture", "amd64", "--program", "helm"]
    request = request_of(arguments().parse_args([*words, "--rpm" if RPM else "--no-rpm"]))
    made(request, folder, secret)
    server = serve(folder / "origin", folder)
    yield Site(folder / "origin", f"127.0.0.1:{server.server_port}", folder / "ca.crt")
    server.shutdown()
    server.server_close()


def collect(request: BundleRequest, cache: Path) -> tuple[list[str], list[str]]:
    """Collect a bundle as the role does; returns the problems, and the keys of the steps that were done."""
    secret = cache / "keys" / "bundle.secret.asc"
    source = Source(Runner(), request.ca)
    executor = BundleExecutor(cache / "bundle", cache / "bundle-work", secret, Runner(), source=source, dump=json.dumps)
    found = build.inspect(steps_of(request), index_file.load(executor.root), executor)
    problems = requirements.check(found.pending.steps, executor.root, source).problems
    done: list[str] = []
    if not problems:
        build.build(
            found, executor, describe(request), lambda number, total, step: done.append(step.key), lambda *_: None
        )
    return problems, done


def test_a_bundle_is_collected_from_the_origin(site: Site, want: OriginRequest, tmp_path: Path) -> None:
    formats = ["deb", "rpm"] if RPM else ["deb"]
    request = site.request(want, formats)
    problems, done = collect(request, tmp_path)
    assert problems == [] and len(done) == len(steps_of(request))
    root = tmp_path / "bundle"
    index, broken = build.verify(root)
    assert broken == []
    items = {(item.kind, item.name): item for item in index.all_items()}
    kubelet = root / items["package", "kubelet"].path
    assert (root / "deb/kubernetes/v1.36/kubelet_1.36.3-1.1_amd64.deb").is_file() and kubelet.is_file()
    assert items["image", "registry.k8s.io/pause"].path == "v2/registry.k8s.io/pause/manifests/3.10.2"
    assert (root / "bin/linux-amd64/helm").read_text() == "helm 4.3.1"
    assert (root / "bin/linux-amd64/kubectl").stat().st_mode & 0o111
    if RPM:
        assert (root / "rpm/kubernetes/v1.36/kubelet-1.36.3-150500.1.1.x86_64.rpm").is_file()
        assert (root / "rpm/containerd/repodata/repomd.xml").is_file()
        key = (site.root / "pkgs.k8s.io/core:/stable:/v1.36/rpm/repodata/repomd.xml.key").read_bytes()
        assert (root / "rpm/kubernetes/v1.36/key.asc").read_bytes() == key
    values = json.loads((root / "vars.yml").read_text())
    assert values["kube_network_plugin"] == "flannel" and values["kube_flannel_cni_plugin"] is False
    assert collect(site.request(want, formats), tmp_path) == ([], [])


def test_what_the_origin_lacks_is_told_before_anything_is_fetched(
    site: Site, want: OriginRequest, tmp_path: Path
) -> None:
    request = site.request(want, ["deb"])
    request.flannel_cni_plugin = True
    request.images = ["registry.k8s.io/nothing:1"]
    request.programs["helm"] = "5.0.0"
    request.kubernetes_versions = ["1.36.3", "1.35.4"]
    problems, _done = collect(request, tmp_path)
    for told in (
        "flannel-cni-plugin:v1.9.1-flannel1",
        "registry.k8s.io/nothing:1",
        "get.helm.sh",
        "v1.35/deb/InRelease",
    ):
        assert [problem for problem in problems if told in problem], told
    assert not (tmp_path / "bundle").exists()


def test_a_server_that_is_not_trusted_is_told(site: Site, want: OriginRequest, tmp_path: Path) -> None:
    request = site.request(want, ["deb"])
    request.ca = ""
    (problem,) = collect(request, tmp_path)[0]
    assert "cannot be reached" in problem and "certificate verify failed" in problem
