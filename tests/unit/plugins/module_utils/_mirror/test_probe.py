# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mirror's probe against a real web server on loopback, sound and broken in every way that it names."""

from __future__ import annotations

import hashlib
import http.server
import json
import socket
import threading

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._mirror import probe

OCI = "application/vnd.oci.image.manifest.v1+json"
MANIFEST = "v2/registry.k8s.io/pause/manifests/3.10.2"
SMALL_FILE = "deb/kubernetes/v1.36/Release"


class Site:
    """A bundle in memory, and what is wrong with the server that serves it."""

    def __init__(self):
        layer = b"\0" * (probe.SMALL + 1)
        self.blob = "v2/registry.k8s.io/pause/blobs/sha256:" + hashlib.sha256(layer).hexdigest()
        manifest = json.dumps({"schemaVersion": 2, "mediaType": OCI, "layers": []}).encode()
        self.files = {MANIFEST: manifest, self.blob: layer, SMALL_FILE: b"Origin: test\n"}
        records = {
            path: {"digest": "sha256:" + hashlib.sha256(body).hexdigest(), "size": len(body)}
            for path, body in self.files.items()
        }
        index = {
            "format": 1,
            "architecture": "amd64",
            "kubernetes_versions": ["1.36.3"],
            "files": records,
        }
        self.files["bundle.json"] = json.dumps(index).encode()
        self.types = {}
        self.api_status = 200
        self.fallback = None
        self.cut = None
        self.asked = []


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        site = self.server.site
        path = self.path.lstrip("/")
        site.asked.append((self.command, path))
        body = b"{}" if path == "v2/" else site.files.get(path, site.fallback)
        if body is None:
            self.send_error(404)
            return
        self.send_response(site.api_status if path == "v2/" else 200)
        self.send_header(
            "Content-Type", site.types.get(path, OCI if "/manifests/" in path else "application/octet-stream")
        )
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body[:3] if path == site.cut else body)

    do_HEAD = do_GET

    def log_message(self, *arguments):
        pass


@pytest.fixture
def site():
    return Site()


@pytest.fixture
def mirror(site):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.site = site
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield probe.Mirror(f"http://127.0.0.1:{server.server_port}/", timeout=5)
        server.shutdown()


def parts(result):
    return [(found["part"], found["url"].split("/", 3)[3]) for found in result["problems"]]


def test_a_sound_mirror_has_no_problems(site, mirror):
    result = probe.probe(mirror)
    assert result["problems"] == []
    assert result["checked"]["manifests"] == 1 and result["checked"]["files"] == 2
    assert result["bundle"] == {"architecture": "amd64", "kubernetes_versions": ["1.36.3"]}
    assert ("HEAD", site.blob) in site.asked and ("GET", site.blob) not in site.asked, "large files are not fetched"


def test_a_wrong_media_type_is_named(site, mirror):
    site.types[MANIFEST] = "application/octet-stream"
    result = probe.probe(mirror)
    assert parts(result) == [("media_type", MANIFEST)]
    text = probe.sentence(result["problems"][0])
    assert "'application/octet-stream'" in text and OCI in text and "Content-Type" in text


def test_a_charset_does_not_make_a_type_wrong(site, mirror):
    site.types[MANIFEST] = OCI + "; charset=utf-8"
    assert probe.probe(mirror)["problems"] == []


def test_a_wrong_digest_is_named(site, mirror):
    site.files[SMALL_FILE] = b"Origin: evil\n"
    result = probe.probe(mirror)
    assert parts(result) == [("digest", SMALL_FILE)]
    assert hashlib.sha256(b"Origin: evil\n").hexdigest() in result["problems"][0]["evidence"]


def test_a_manifest_with_a_wrong_digest_is_not_judged_further(site, mirror):
    site.files[MANIFEST] = site.files[MANIFEST].replace(b"2,", b"3,")
    site.types[MANIFEST] = "text/html"
    assert parts(probe.probe(mirror)) == [("digest", MANIFEST)]


def test_a_large_file_of_the_right_size_is_read_only_when_everything_is(site, mirror):
    site.files[site.blob] = b"\1" * len(site.files[site.blob])
    assert probe.probe(mirror)["problems"] == []
    assert parts(probe.probe(mirror, everything=True)) == [("digest", site.blob)]


def test_a_large_file_of_another_size_is_named(site, mirror):
    site.files[site.blob] += b"\0"
    assert parts(probe.probe(mirror)) == [("size", site.blob)]


def test_an_answer_that_is_cut_off_is_named(site, mirror):
    site.cut = SMALL_FILE
    (found,) = probe.probe(mirror)["problems"]
    assert found["part"] in ("size", "missing") and found["url"].endswith(SMALL_FILE)


@pytest.mark.parametrize("path", [MANIFEST, SMALL_FILE])
def test_a_missing_file_is_named(site, mirror, path):
    del site.files[path]
    result = probe.probe(mirror)
    assert parts(result) == [("missing", path)]
    assert "404" in result["problems"][0]["evidence"]


def test_a_server_that_is_no_registry_is_named(site, mirror):
    site.api_status = 401
    assert parts(probe.probe(mirror)) == [("api", "v2/")]


def test_a_page_in_place_of_404_is_named(site, mirror):
    site.fallback = b"<html>welcome</html>"
    assert parts(probe.probe(mirror)) == [("fallback", probe.NOWHERE)]


@pytest.mark.parametrize("index", [None, b"<html>", b"[]", b'{"files": {"x": {}}}'])
def test_a_folder_that_is_no_bundle_is_named(site, mirror, index):
    site.files["bundle.json"] = index
    assert parts(probe.probe(mirror)) == [("index", "bundle.json")]


def test_a_mirror_that_is_down_is_one_problem():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refused for as long as it is held
        result = probe.probe(probe.Mirror(f"http://127.0.0.1:{taken.getsockname()[1]}", timeout=5))
    assert parts(result) == [("down", "v2/")]
    assert "refused" in result["problems"][0]["evidence"]


def test_every_part_has_a_remedy():
    for part in probe.REMEDIES:
        assert probe.sentence(probe.problem(part, "http://m/x", "was seen.")).startswith("http://m/x: was seen. ")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            {"mediaType": "application/vnd.docker.distribution.manifest.v2+json"},
            "application/vnd.docker.distribution.manifest.v2+json",
        ),
        ({"schemaVersion": 2, "config": {}}, OCI),
        ({"schemaVersion": 2, "manifests": []}, "application/vnd.oci.image.index.v1+json"),
        ([], ""),
    ],
)
def test_a_manifests_own_media_type(content, expected):
    assert probe.media_type(json.dumps(content).encode()) == expected
