# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host can reach, tried against a server on the loopback that serves as a mirror does, and wrongly."""

from __future__ import annotations

import email.utils
import gzip
import hashlib
import http.server
import json
import lzma
import shutil
import socket
import ssl
import subprocess
import threading
import time

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._host.facts import (
    fetching,
    indexes,
    reachability,
    registries,
)
from ansible_collections.slipway.kube.plugins.module_utils._host.facts.files import Files

PACKAGES = "Package: kubeadm\nVersion: 1.36.3-1.1\n\nPackage: kubelet\nVersion: 1.36.3-1.1\n\nPackage: kubeadm\nVersion: 1.36.2-1.1\n"
PRIMARY = """<metadata><package type="rpm"><name>kubeadm</name><arch>x86_64</arch>
<version epoch="0" ver="1.36.3" rel="150500.1.1"/></package><package type="rpm"><name>other</name>
<version epoch="0" ver="9" rel="9"/></package></metadata>"""
REPOMD = '<repomd><data type="filelists"><location href="x"/></data><data type="primary"><location href="repodata/p.xml.EXT"/></data></repomd>'
INDEX, MANIFEST = registries.INDEX_TYPES[0], registries.MANIFEST_TYPES[0]

config = b"{}"
CONFIG = "sha256:" + hashlib.sha256(config).hexdigest()
LARGE = {"digest": "sha256:" + "1" * 64, "size": registries.LARGE}
child = json.dumps({"mediaType": MANIFEST, "config": {"digest": CONFIG, "size": 2}, "layers": [LARGE]}).encode()
CHILD = "sha256:" + hashlib.sha256(child).hexdigest()
WRONG = "sha256:" + "0" * 64
corrupt = json.dumps({"mediaType": MANIFEST, "config": {"digest": WRONG, "size": 2}}).encode()
lost = json.dumps({"mediaType": MANIFEST, "config": {"digest": WRONG[:-1] + "1", "size": 2}}).encode()


def index(architecture="amd64", digest=CHILD):
    return json.dumps(
        {"mediaType": INDEX, "manifests": [{"digest": digest, "platform": {"architecture": architecture}}]}
    ).encode()


DOCKER = "Package: containerd.io\nVersion: 2.2.3-1~debian.12~bookworm\n"
RELEASE = """Suite: bookworm
SHA256:
 00 120 stable/binary-amd64/Packages
 00 80 stable/binary-amd64/Packages.gz
 00 99999999 main/binary-amd64/Packages.xz
"""

PAGES = {
    "/docker/dists/bookworm/InRelease": ("text/plain", RELEASE.encode()),
    "/docker/dists/bookworm/stable/binary-amd64/Packages.gz": ("application/gzip", gzip.compress(DOCKER.encode())),
    "/detached/dists/bookworm/Release": ("text/plain", RELEASE.replace("Packages.gz", "Packages.xz").encode()),
    "/detached/dists/bookworm/stable/binary-amd64/Packages.xz": ("application/xz", lzma.compress(DOCKER.encode())),
    "/hub/v2/private/manifests/1": ("text/plain", b""),
    "/el9/x86_64/repodata/repomd.xml": ("text/xml", REPOMD.replace("EXT", "gz").encode()),
    "/el9/x86_64/repodata/p.xml.gz": ("application/gzip", gzip.compress(PRIMARY.encode())),
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
        path, _mark, query = self.path.partition("?")
        token = self.headers.get("Authorization") == "Bearer anyone"
        if path == "/token":
            self.answer(
                *(
                    (200, "application/json", b'{"token": "anyone"}')
                    if "open" in query and not self.headers.get("X-Key")
                    else (401, "text/plain", b"")
                )
            )
        elif path.startswith(("/open/", "/closed/")) and not token:
            name = path.split("/")[1]
            realm = f"http://127.0.0.1:{self.server.server_address[1]}/token"
            self.answer(401, "text/plain", b"", f'Bearer realm="{realm}",service="hub",scope="repository:{name}:pull"')
        elif path.startswith("/open/"):
            self.answer(200, MANIFEST, b"{}")
        elif self.path == "http://asks.invalid/":
            self.answer(407, "text/plain", b"")
        elif self.path == "/login/v2/" and self.headers.get("Authorization") != "Basic x":
            self.answer(401, "text/plain", b"", 'Basic realm="Private"')
        elif self.path == "/login/v2/":
            self.answer(200, "text/plain", b"")
        elif path == "/moved":
            self.send_response(302)
            self.send_header("Location", f"http://localhost:{self.server.server_address[1]}/secret")
            self.end_headers()
        elif path == "/secret":
            self.answer(400 if self.headers.get("Authorization") else 200, "text/plain", b"")
        elif self.path in PAGES:
            self.answer(200, *PAGES[self.path])
        else:
            self.answer(404, "text/plain", b"")

    def do_CONNECT(self):
        self.answer(407, "text/plain", b"")

    def date_time_string(self, timestamp=None):
        """Return the time in the header Date; the folder /late/ is served by a server whose clock is an hour behind."""
        return email.utils.formatdate(time.time() - (3600 if self.path.startswith("/late/") else 0), usegmt=True)

    def answer(self, status, kind, body, challenge=""):
        self.send_response(status)
        if challenge:
            self.send_header("WWW-Authenticate", challenge)
        if self.path.endswith("/cached"):
            self.send_header("Age", "3600")
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
    (answer,) = reachability.probe_urls([{"url": url, "kind": kind, **options}], "amd64", 5).values()
    answer.pop("clock")
    return answer


def test_suites_of_one_apt_repository_have_answers_of_their_own(mirror):
    suites = ("v1.36", "v1.37", "v1.37/", "./", "/")
    requests = [{"url": mirror + "/deb", "kind": "deb", "suite": suite} for suite in suites]
    assert sorted(reachability.probe_urls(requests, "amd64", 5)) == [
        mirror + "/deb" + suite for suite in ("", " v1.36", " v1.37", " v1.37/")
    ]


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


@pytest.mark.parametrize("folder", ["/docker", "/detached/"])
def test_apt_repositories_with_suites(mirror, folder):
    options = {"suite": "bookworm", "components": ["stable"], "packages": ["containerd.io"]}
    answer = reach(mirror + folder, "deb", **options)
    assert answer["ok"], answer["error"]
    assert answer["packages"] == {"containerd.io": ["2.2.3-1~debian.12~bookworm"]}
    # The index of a whole distribution takes too long: the repository is there, and its versions are not judged.
    assert reach(mirror + folder, "deb", **{**options, "components": ["main"]}) == {
        "kind": "deb",
        "ok": True,
        "status": 200,
        "error": "",
    }
    missing = reach(mirror + folder, "deb", **{**options, "components": ["test"]})
    assert missing["error"] == "dists/bookworm/test/binary-amd64/Packages: not listed in its Release file"
    absent = reach(mirror + folder, "deb", **{**options, "suite": "trixie"})
    assert absent["error"] == "dists/trixie/InRelease: HTTP status 404"


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """A repository's key and another one, both as upstream publishes them, and a function that signs."""
    home = tmp_path_factory.mktemp("gnupg")
    gpg = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""]

    def run(*arguments, data=b""):
        return subprocess.run([*gpg, *arguments], input=data, stdout=subprocess.PIPE, check=True).stdout

    for name in ("own", "other"):
        run("--quick-generate-key", name, "ed25519", "sign", "never")
    yield {
        "own": run("--armor", "--export", "own"),
        "other": run("--export", "other"),
        "signed": run("--local-user", "own", "--clearsign", data=RELEASE.encode()),
    }
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False)


@pytest.mark.skipif(not (shutil.which("gpg") and shutil.which("gpgv")), reason="needs gpg and gpgv")
def test_the_key_that_signs_an_apt_repository(mirror, keys, monkeypatch):
    monkeypatch.setitem(PAGES, "/docker/dists/bookworm/InRelease", ("text/plain", keys["signed"]))
    monkeypatch.setitem(PAGES, "/own.asc", ("text/plain", keys["own"]))
    monkeypatch.setitem(PAGES, "/other.gpg", ("text/plain", keys["other"]))
    options = {"suite": "bookworm", "components": ["stable"], "packages": []}
    assert "signature" not in reach(mirror + "/docker", "deb", key_url=mirror + "/own.asc", **options)
    answer = reach(mirror + "/docker", "deb", key_url=mirror + "/other.gpg", **options)
    assert answer["ok"]
    assert answer["signature"].startswith("InRelease is signed with the key ")
    assert answer["signature"].endswith(f", which {mirror}/other.gpg does not have")
    changed = keys["signed"].replace(b"bookworm", b"trixie")
    monkeypatch.setitem(PAGES, "/docker/dists/bookworm/InRelease", ("text/plain", changed))
    answer = reach(mirror + "/docker", "deb", key_url=mirror + "/own.asc", **options)
    assert "was changed after it was signed" in answer["signature"]
    # A key that cannot be downloaded is reported as such.
    assert "signature" not in reach(mirror + "/docker", "deb", key_url=mirror + "/nothing", **options)


def test_variables_of_dnf(mirror, tmp_path):
    url = mirror + "/el$releasever/${basearch}"
    answer = reach(url, "rpm", packages=["kubeadm"])
    (tmp_path / "etc/dnf/vars").mkdir(parents=True)
    (tmp_path / "etc/os-release").write_text('ID="rhel"\nVERSION_ID="9.4"\n')
    files = Files(str(tmp_path))
    assert indexes.expand_dnf_variables("a/$releasever/$basearch/$other", "arm64", files) == "a/9/aarch64/$other"
    (tmp_path / "etc/dnf/vars/releasever").write_text("9.4\n")
    (tmp_path / "etc/dnf/vars/other").write_text("x\n")
    assert indexes.expand_dnf_variables("a/${releasever}/$basearch/$other", "amd64", files) == "a/9.4/x86_64/x"
    assert answer["status"] == 404  # this machine is no EL 9


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
    assert reach(mirror + "/login/v2/", "registry") == {
        "kind": "registry",
        "ok": False,
        "status": 401,
        "error": 'it requires credentials (Basic realm="Private")',
    }
    assert reach(mirror + "/login/v2/", "registry", headers={"Authorization": "Basic x"})["ok"]
    refused = reach(mirror + "/login/v2/", "registry", headers={"Authorization": "Basic y"})
    assert refused["error"].startswith("it refuses the credentials in the header Authorization")
    assert reach(mirror + "/login/v2/", "http")["ok"] is False
    assert reach(mirror + "/login/v2/", "http", headers={"Authorization": "Basic x"})["ok"]
    assert reach(mirror + "/nothing", "registry")["ok"] is False


@pytest.mark.parametrize(("name", "ok"), [("open", True), ("closed", False)])
def test_registries_that_give_tokens(mirror, name, ok):
    # Docker Hub and most others: an anonymous token is enough for public images.
    answer = reach(f"{mirror}/{name}/v2/", "registry", image="k8s/pause:1")
    assert answer["ok"] is ok
    assert ok or answer["error"].startswith("it requires credentials (Bearer realm=")
    answer = reach(f"{mirror}/{name}/v2/k8s/pause/manifests/1", "manifest")
    assert (answer["status"], answer["ok"]) == ((200, True) if ok else (401, False))
    # The headers of a mirror may be secret: they are for the mirror only.
    assert reach(f"{mirror}/{name}/v2/k8s/pause/manifests/1", "manifest", headers={"X-Key": "secret"})["ok"] is ok
    # Without an image nothing is known about tokens.
    assert reach(f"{mirror}/{name}/v2/", "registry")["ok"]


@pytest.mark.parametrize("url", ["http://asks.invalid/", "https://asks.invalid/"])
def test_a_proxy_that_requires_credentials(mirror, url):
    answer = reach(url, "http", proxy=mirror)
    assert (answer["status"], answer["error"]) == (407, "the proxy requires a login (HTTP status 407)")


def test_the_clock_of_the_server(mirror):
    def clock(path):
        return reachability.probe_urls([{"url": mirror + path, "kind": "http"}], "amd64", 5)[mirror + path]["clock"]

    assert abs(clock("/v2/")) < 5
    assert abs(clock("/late/nothing") - 3600) < 5
    assert abs(clock("/late/cached")) < 5  # an hour old, from a cache
    assert (
        reachability.probe_urls([{"url": "http://name.invalid", "kind": "http"}], "amd64", 5)["http://name.invalid"][
            "clock"
        ]
        is None
    )


def test_the_clock_of_a_server_whose_certificate_is_not_accepted(tmp_path):
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    files = ["-keyout", tmp_path / "tls.key", "-out", tmp_path / "tls.crt"]
    subprocess.run([*command, *files, "-subj", "/CN=127.0.0.1"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Mirror) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"https://127.0.0.1:{server.server_address[1]}/v2/"
        answer = reachability.probe_urls([{"url": url, "kind": "http", "headers": {"Authorization": "x"}}], "amd64", 5)[
            url
        ]
        server.shutdown()
    assert (answer["ok"], answer["status"]) == (False, 0)
    assert "certificate verify failed" in answer["error"]
    assert abs(answer["clock"]) < 5


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
    assert answer == {"kind": "http", "ok": False, "status": 0, "error": "no answer in time", "clock": None}


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


def test_a_secret_header_is_not_sent_where_a_registry_redirects_to(mirror):
    # Presigned URLs of object stores are refused with such a header, and they are no business of another server.
    fetcher = fetching.Fetcher(5, "", True, {"Authorization": "Basic secret"}, "")
    assert fetcher.fetch(mirror + "/moved")[0] == 200
