# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""URLs that a host must reach: whether they respond, and with the right content (repositories, registries, the cluster's endpoint).

All probes run in parallel, each with a timeout, so that the slowest one determines how long it takes. A request
without a proxy of its own takes that of the environment, as any program does (``https_proxy``, ``no_proxy``).
"""

from __future__ import annotations

import gzip
import hashlib
import json
import lzma
import re
import socket
import ssl
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import zlib
from typing import Any

from .proxies import LOGIN_NEEDED, hide_logins

INDEX_TYPES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
MANIFEST_TYPES = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")
"""Media types that containerd pulls (OCI image specification, Docker schema 2)."""

LIMIT = 64 * 1024 * 1024
"""Bytes of an answer that are read at most."""

ATTEMPTS = 3
"""How often a server that does not answer is asked."""

LARGE = 4 * 1024 * 1024
"""Size in bytes from which on a layer is not downloaded to check it."""


class FetchError(Exception):
    """A failed probe, with its reason; ``status`` is the HTTP status, 0 without an answer."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class Fetcher:
    """Downloads over HTTP with a timeout.

    :param timeout: seconds that one answer may take.
    :param authority: PEM text or path of a CA, "" for those of the system.
    :param verify: False accepts any certificate.
    :param headers: sent with each request; may hold a password, never shown.
    :param proxy: URL of a proxy, "" for that of the environment; may hold a password, never shown.
    """

    def __init__(self, timeout: float, authority: str, verify: bool, headers: dict[str, str], proxy: str) -> None:
        self.timeout = timeout
        self.headers = headers
        if authority.startswith("-----BEGIN"):
            self.context = ssl.create_default_context(cadata=authority)
        else:
            self.context = ssl.create_default_context(cafile=authority or None)
        if not verify:
            self.context.check_hostname = False
            self.context.verify_mode = ssl.CERT_NONE
        handlers: list[urllib.request.BaseHandler] = [urllib.request.HTTPSHandler(context=self.context)]
        if proxy:
            handlers.append(urllib.request.ProxyHandler({"http": proxy, "https": proxy}))
        self.opener = urllib.request.build_opener(*handlers)

    def fetch(self, url: str, accept: str = "*/*", method: str = "GET") -> tuple[int, Any, bytes]:
        """Return status, headers and body.

        :raises FetchError: there is no answer, or its status is 400 or higher.
        """
        request = urllib.request.Request(url, method=method, headers=dict(self.headers, Accept=accept))
        try:
            with self.opener.open(request, timeout=self.timeout) as answer:
                return answer.status, answer.headers, answer.read(LIMIT)
        except urllib.error.HTTPError as error:
            text = LOGIN_NEEDED if error.code == 407 else f"HTTP status {error.code}"
            raise FetchError(text, error.code) from error
        except urllib.error.URLError as error:
            raise FetchError(describe_error(error.reason)) from error
        except (OSError, ValueError) as error:
            raise FetchError(describe_error(error)) from error


def describe_error(reason: Any) -> str:
    """Return a network error as a text that does not depend on the platform's error numbers."""
    if "Tunnel connection failed: 407" in str(reason):
        return LOGIN_NEEDED
    if isinstance(reason, socket.timeout) or "timed out" in str(reason):
        return "no answer in time"
    if isinstance(reason, socket.gaierror):
        return f"the name cannot be resolved ({reason.strerror or reason})"
    if isinstance(reason, ConnectionRefusedError):
        return "connection refused"
    return hide_logins(getattr(reason, "strerror", None) or str(reason))


def parse_deb_packages(text: str, names: list[str]) -> dict[str, list[str]]:
    """Return versions by name from the Packages index of an apt repository."""
    found: dict[str, list[str]] = {name: [] for name in names}
    for stanza in re.split(r"\n\s*\n", text):
        name = re.search(r"^Package: (\S+)", stanza, re.M)
        version = re.search(r"^Version: (\S+)", stanza, re.M)
        if name and version and name.group(1) in found:
            found[name.group(1)].append(version.group(1))
    return found


def parse_rpm_primary(text: str, names: list[str]) -> dict[str, list[str]]:
    """Return VERSION-RELEASE by name from the primary.xml of an rpm repository."""
    found: dict[str, list[str]] = {name: [] for name in names}
    for name, rest in re.findall(r"<name>([^<]+)</name>(.*?)</package>", text, re.S):
        version = re.search(r"<version\b[^>]*>", rest)
        if name in found and version:
            fields = dict(re.findall(r'(\w+)="([^"]*)"', version.group(0)))
            found[name].append(f"{fields.get('ver', '')}-{fields.get('rel', '')}")
    return found


def parse_rpm_primary_path(repomd: str) -> str:
    """Return the path of the primary index in a repomd.xml, or ""."""
    block = re.search(r'<data type="primary">(.*?)</data>', repomd, re.S)
    match = re.search(r'<location href="([^"]+)"', block.group(1)) if block else None
    return match.group(1) if match else ""


def unpack(path: str, data: bytes) -> str:
    """Return the text of an index that is compressed as its name says (gz, xz or not).

    :raises FetchError: the data are damaged.
    """
    try:
        if path.endswith(".gz"):
            data = gzip.decompress(data)
        elif path.endswith(".xz"):
            data = lzma.decompress(data)
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        raise FetchError(f"{path} is damaged: {error}") from error
    return data.decode("utf-8", "replace")


def check_digest(body: bytes, digest: str) -> None:
    """Check content that was requested by its digest.

    :raises FetchError: the content has another digest.
    """
    actual = "sha256:" + hashlib.sha256(body).hexdigest()
    if digest.startswith("sha256:") and actual != digest:
        raise FetchError(f"wrong digest: {digest} has the content of {actual}", 200)


def check_manifest(url: str, content_type: str, body: bytes, digest: str) -> dict[str, Any]:
    """Check a manifest as containerd would.

    :param digest: digest that the manifest must have, as "sha256:HEX"; "" where it is unknown.
    :returns: the manifest.
    :raises FetchError: wrong media type, wrong digest, or no valid JSON.
    """
    kind = content_type.split(";")[0].strip()
    if digest:
        check_digest(body, digest)
    if kind not in INDEX_TYPES + MANIFEST_TYPES:
        raise FetchError(
            f"wrong media type: Content-Type is {kind or 'absent'}, which is not that of an image manifest", 200
        )
    try:
        manifest = json.loads(body.decode("utf-8"))
    except ValueError as error:
        raise FetchError(f"the manifest at {url} is not valid JSON", 200) from error
    if manifest.get("mediaType", kind) != kind:
        raise FetchError(f"wrong media type: Content-Type is {kind}, the manifest says {manifest['mediaType']}", 200)
    return manifest


def probe_manifest(fetcher: Fetcher, url: str, architecture: str) -> dict[str, Any]:
    """Download the manifest of a tag (from an index, the manifest of one architecture) and the small parts of the image, and check them.

    :raises FetchError: containerd would reject them.
    """
    accept = ", ".join(INDEX_TYPES + MANIFEST_TYPES)
    folder = url.rsplit("/manifests/", 1)[0]
    status, headers, body = fetcher.fetch(url, accept)
    content_type = headers.get("Content-Type", "")
    manifest = check_manifest(url, content_type, body, headers.get("Docker-Content-Digest", ""))
    if "manifests" in manifest:
        matching = [m for m in manifest["manifests"] if m.get("platform", {}).get("architecture") == architecture]
        if not matching:
            raise FetchError(f"the image index has no manifest for {architecture}", status)
        digest = matching[0]["digest"]
        _status, headers, body = fetcher.fetch(folder + "/manifests/" + digest, accept)
        manifest = check_manifest(url, headers.get("Content-Type", ""), body, digest)
    for part in [manifest.get("config") or {}] + (manifest.get("layers") or []):
        if part.get("digest") and part.get("size", LARGE) < LARGE:
            check_digest(fetcher.fetch(folder + "/blobs/" + part["digest"])[2], part["digest"])
    return {"status": status, "content_type": content_type}


def probe_deb(fetcher: Fetcher, url: str, suite: str, names: list[str]) -> dict[str, Any]:
    """Download the index of a flat apt repository.

    :raises FetchError: there is no index.
    """
    base = urllib.parse.urljoin(
        url.rstrip("/") + "/", suite.strip("/").replace(".", "", 1) if suite == "./" else suite.lstrip("/")
    )
    problem: FetchError | None = None
    for name in ("Packages.gz", "Packages"):
        try:
            status, _headers, body = fetcher.fetch(base.rstrip("/") + "/" + name)
            return {"status": status, "packages": parse_deb_packages(unpack(name, body), names)}
        except FetchError as error:
            problem = error
            if error.status == 0:
                break
    raise problem or FetchError("no index")


def probe_rpm(fetcher: Fetcher, url: str, names: list[str]) -> dict[str, Any]:
    """Download the index of an rpm repository; one that the standard library cannot decompress is not read.

    :raises FetchError: there is no index.
    """
    base = url.rstrip("/") + "/"
    status, _headers, body = fetcher.fetch(base + "repodata/repomd.xml")
    path = parse_rpm_primary_path(body.decode("utf-8", "replace"))
    if not path:
        raise FetchError("repodata/repomd.xml names no primary index", status)
    if path.endswith((".zst", ".zck")):
        return {"status": status}
    status, _headers, body = fetcher.fetch(base + path)
    return {"status": status, "packages": parse_rpm_primary(unpack(path, body), names)}


def probe_tcp(url: str, timeout: float) -> dict[str, Any]:
    """Connect to ``tcp://HOST:PORT``.

    :raises FetchError: the connection fails.
    """
    parts = urllib.parse.urlsplit(url)
    try:
        socket.create_connection((parts.hostname, parts.port), timeout).close()
    except OSError as error:
        raise FetchError(describe_error(error)) from error
    return {"status": 0}


def probe(request: dict[str, Any], architecture: str, timeout: float) -> dict[str, Any]:
    """Return one entry of the key ``reach``: ``kind``, ``ok``, ``status``, ``error`` and, for a repository, ``packages``."""
    result: dict[str, Any] = {"kind": request["kind"], "ok": True, "status": 0, "error": ""}
    url = request["url"]
    try:
        if request["kind"] == "tcp":
            return dict(result, **probe_tcp(url, timeout))
        fetcher = Fetcher(
            timeout,
            request.get("ca") or "",
            request.get("verify", True),
            request.get("headers") or {},
            request.get("proxy") or "",
        )
        if request["kind"] == "deb":
            return dict(result, **probe_deb(fetcher, url, request.get("suite") or "/", request.get("packages") or []))
        if request["kind"] == "rpm":
            return dict(result, **probe_rpm(fetcher, url, request.get("packages") or []))
        if request["kind"] == "manifest":
            return dict(result, **probe_manifest(fetcher, url, architecture))
        return dict(result, status=fetcher.fetch(url)[0])
    except FetchError as error:
        # A registry that requires a login on /v2/ is reachable.
        needs_login = request["kind"] == "registry" and error.status == 401
        return dict(result, ok=needs_login, status=error.status, error="" if needs_login else str(error))
    except (OSError, ssl.SSLError) as error:
        return dict(result, ok=False, error=f"CA {request.get('ca')} cannot be used: {describe_error(error)}")


def probe_urls(
    requests: list[dict[str, Any]], architecture: str, timeout: float, pause: float = 1.0
) -> dict[str, dict[str, Any]]:
    """Return the key ``reach`` of host_info: the result of each probe by URL; a probe that does not end in time has failed.

    :param pause: seconds before a probe without any answer is repeated; one lost packet must not stop a run.
    """
    results: dict[str, dict[str, Any]] = {}
    threads = []
    for request in requests:

        def work(request: dict[str, Any] = request) -> None:
            for attempt in range(ATTEMPTS):
                time.sleep(pause if attempt else 0)
                results[request["url"]] = found = probe(request, architecture, timeout)
                if found["ok"] or found["status"]:
                    break

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        threads.append(thread)
    for thread in threads:
        thread.join(ATTEMPTS * (3 * timeout + pause))
    late = {"ok": False, "status": 0, "error": "no answer in time"}
    return {request["url"]: results.get(request["url"], dict(late, kind=request["kind"])) for request in requests}
