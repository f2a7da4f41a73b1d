# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host can reach, tried against a server on the loopback that serves as a mirror does, and wrongly."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import json
import lzma
import socket
import threading

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._host.facts import reachability

PACKAGES = "Package: kubeadm\nVersion: 1.36.3-1.1\n\nPackage: kubelet\nVersion: 1.36.3-1.1\n\nPackage: kubeadm\nVersion: 1.36.2-1.1\n"
PRIMARY = """<metadata><package type="rpm"><name>kubeadm</name><arch>x86_64</arch>
<version epoch="0" ver="1.36.3" rel="150500.1.1"/></package><package type="rpm"><name>other</name>
<version epoch="0" ver="9" rel="9"/></package></metadata>"""
REPOMD = '<repomd><data type="filelists"><location href="x"/></data><data type="primary"><location href="repodata/p.xml.EXT"/></data></repomd>'
INDEX, MANIFEST = reachability.INDEX_TYPES[0], reachability.MANIFEST_TYPES[0]

config = b"{}"
CONFIG = "sha256:" + hashlib.sha256(config).hexdigest()
LARGE = {"digest": "sha256:" + "1" * 64, "size": reachability.LARGE}
child = json.dumps({"mediaType": MANIFEST, "config": {"digest": CONFIG, "size": 2}, "layers": [LARGE]}).encode()
CHILD = "sha256:" + hashlib.sha256(child).hexdigest()
WRONG = "sha256:" + "0" * 64
corrupt = json.dumps({"mediaType": MANIFEST, "config": {"digest": WRONG, "size": 2}}).encode()
lost = json.dumps({"mediaType": MANIFEST, "config": {"digest": WRONG[:-1] + "1", "size": 2}}).encode()


def index(architecture="amd64", digest=CHILD):
    return json.dumps(
        {"mediaType": INDEX, "manifests": [{"digest": digest, "platform": {"architecture": architecture}}]}
    ).encode()


PAGES = {
    "/v2/": ("application/json", b"{}"),
    "/deb/Packages.gz": ("application/gzip", gzip.compress(PACKAGES.encode())),
    "/plain/Packages": ("text/plain", PACKAGES.encode()),
    "/torn/Packages.gz": ("application/gzip", gzip.compress(PACKAGES.encode())[:40]),
    "/rpm/repodata/repomd.xml": ("text/xml", REPOMD.replace("EXT", "gz").encode()),
    "/rpm/repodata/p.xml.gz": ("application/gzip", gzip.compress(PRIMARY.encode())),
    "/rpmxz/repodata/repomd.xml": ("text/xml", REPOMD.replace("EXT", "xz").encode()),
    "/rpmxz/repodata/p.xml.xz": ("application/xz", lzma.compress(PRIMARY.encode())),
    "/rpmzst/repodata/repomd.xml": ("text/xml", REPOMD.replace("EXT", "zst").encode()),
    "/rpmnone/repodata/repomd.xml": ("text/xml", b"<repomd/>"),
    "/img/manifests/good": (INDEX, index()),
    "/img/manifests/single": (MANIFEST + "; charset=utf-8", child),
    "/img/manifests/" + CHILD: (MANIFEST, child),
    "/img/manifests/corrupt": (MANIFEST, corrupt),
    "/img/manifests/lost": (MANIFEST, lost),
    "/img/blobs/" + CONFIG: ("application/octet-stream", config),
    "/img/blobs/" + WRONG: ("application/octet-stream", config),
    "/img/manifests/octet": ("application/octet-stream", child),
    "/img/manifests/mixed": (INDEX, child),
    "/img/manifests/garbage": (MANIFEST, b"<html>"),
    "/img/manifests/arm": (INDEX, index("arm64")),
    "/img/manifests/wrong": (INDEX, index(digest=WRONG)),
    "/img/manifests/" + WRONG: (MANIFEST, child),
}


class Mirror(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/login/v2/" and self.headers.get("Authorization") != "Basic x":
            self.answer(401, "text/plain", b"")
        elif self.path == "/login/v2/":
            self.answer(200, "text/plain", b"")
        elif self.path in PAGES:
            self.answer(200, *PAGES[self.path])
        else:
            self.answer(404, "text/plain", b"")

    def answer(self, status, kind, body):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments):
        """Quiet."""


@pytest.fixture(scope="module")
def mirror():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Mirror) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def reach(url, kind, **options):
    return reachability.probe_urls([{"url": url, "kind": kind, **options}], "amd64", 5)[url]


def test_http(mirror):
    assert reach(mirror + "/v2/", "http") == {"kind": "http", "ok": True, "status": 200, "error": ""}
    assert reach(mirror + "/nothing", "http") == {
        "kind": "http",
        "ok": False,
        "status": 404,
        "error": "HTTP status 404",
    }


@pytest.mark.parametrize(("folder", "suite"), [("/deb/", "/"), ("/deb", "./"), ("", "deb/"), ("/plain", "/")])
def test_flat_apt_repositories(mirror, folder, suite):
    answer = reach(mirror + folder, "deb", suite=suite, packages=["kubeadm", "cri-tools"])
    assert answer["ok"]
    assert answer["packages"] == {"kubeadm": ["1.36.3-1.1", "1.36.2-1.1"], "cri-tools": []}


def test_apt_repositories_that_are_none(mirror):
    assert reach(mirror + "/nothing", "deb")["error"] == "HTTP status 404"
    assert reach(mirror + "/torn", "deb")["error"].startswith("Packages.gz is damaged")


def test_rpm_repositories(mirror):
    assert reach(mirror + "/rpm/", "rpm", packages=["kubeadm"])["packages"] == {"kubeadm": ["1.36.3-150500.1.1"]}
    assert reach(mirror + "/rpmxz", "rpm", packages=["kubeadm"])["packages"] == {"kubeadm": ["1.36.3-150500.1.1"]}
    # An index that the standard library cannot unpack: it is there, and not judged.
    assert reach(mirror + "/rpmzst", "rpm", packages=["kubeadm"]) == {
        "kind": "rpm",
        "ok": True,
        "status": 200,
        "error": "",
    }
    assert "no primary index" in reach(mirror + "/rpmnone", "rpm")["error"]
    assert reach(mirror + "/nothing", "rpm")["status"] == 404


def test_registries(mirror):
    assert reach(mirror + "/v2/", "registry")["ok"]
    assert reach(mirror + "/login/v2/", "registry") == {"kind": "registry", "ok": True, "status": 401, "error": ""}
    assert reach(mirror + "/login/v2/", "http")["ok"] is False
    assert reach(mirror + "/login/v2/", "http", headers={"Authorization": "Basic x"})["ok"]
    assert reach(mirror + "/nothing", "registry")["ok"] is False


@pytest.mark.parametrize(
    ("tag", "error"),
    [
        ("good", ""),
        ("single", ""),
        ("octet", "wrong media type: Content-Type is application/octet-stream"),
        ("mixed", "wrong media type"),
        ("garbage", "not valid JSON"),
        ("arm", "has no manifest for amd64"),
        ("wrong", "wrong digest"),
        ("corrupt", "wrong digest"),
        ("lost", "HTTP status 404"),
        ("absent", "HTTP status 404"),
    ],
)
def test_manifests(mirror, tag, error):
    answer = reach(f"{mirror}/img/manifests/{tag}", "manifest")
    assert answer["ok"] == (not error)
    assert error in answer["error"]


def test_tcp(mirror):
    assert reach(mirror.replace("http", "tcp"), "tcp")["ok"]
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"tcp://127.0.0.1:{closed.getsockname()[1]}"
        assert reach(url, "tcp") == {"kind": "tcp", "ok": False, "status": 0, "error": "connection refused"}


def test_names_that_do_not_resolve():
    assert "cannot be resolved" in reach("http://name.invalid/", "http")["error"]
    assert "cannot be resolved" in reach("tcp://name.invalid:1", "tcp")["error"]


def test_no_answer_in_time():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        answer = reachability.probe_urls([{"url": url, "kind": "http"}], "amd64", 0.2)[url]
    assert answer == {"kind": "http", "ok": False, "status": 0, "error": "no answer in time"}


def test_a_ca_that_is_not_there():
    answer = reach("https://127.0.0.1:1/", "http", ca="/no/such/ca.pem")
    assert answer["ok"] is False
    assert "/no/such/ca.pem" in answer["error"]


def test_a_proxy_is_used(mirror):
    # The mirror, asked as a proxy, sees the whole URL and has no such page: so it was the one that was asked.
    assert reach("http://name.invalid/v2/", "http", proxy=mirror)["error"] == "HTTP status 404"


@pytest.mark.parametrize(("silent", "tries", "ok"), [(2, 3, True), (9, 3, False)])
def test_a_server_that_does_not_answer_is_asked_again_and_one_that_refuses_is_not(monkeypatch, silent, tries, ok):
    answers = [{"ok": False, "status": 0, "error": "no answer in time"}] * silent + [
        {"ok": True, "status": 200, "error": ""}
    ]
    asked = []

    def probe(request, _architecture, _timeout):
        asked.append(request["url"])
        return answers[len(asked) - 1]

    monkeypatch.setattr(reachability, "probe", probe)
    found = reachability.probe_urls([{"url": "http://r/", "kind": "http"}], "amd64", 1, pause=0)
    assert (len(asked), found["http://r/"]["ok"]) == (tries, ok)
    asked.clear()
    answers[0] = {"ok": False, "status": 404, "error": "HTTP status 404"}
    reachability.probe_urls([{"url": "http://r/", "kind": "http"}], "amd64", 1, pause=0)
    assert len(asked) == 1
