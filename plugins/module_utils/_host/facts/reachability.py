# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host can reach, and whether it is what was asked for: repositories, registries, the cluster's endpoint.

All probes run at once, each with a deadline, so the slowest one is what the look costs. Proxies come from the environment, as for
every program (``https_proxy``, ``no_proxy``).
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
import urllib.error
import urllib.parse
import urllib.request
import zlib
from typing import Any

# Media types of manifests that containerd pulls (OCI image specification, Docker schema 2).
INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFEST_TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
# Bytes of an answer at most, and from which on a layer is not fetched to be judged.
LIMIT = 64 * 1024 * 1024
LARGE = 4 * 1024 * 1024


class Unreachable(Exception):
    """A probe that failed; its text says why, ``status`` is HTTP's or 0."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class Client:
    """Fetches over HTTP with a deadline.

    :param timeout: seconds for one answer.
    :param authority: PEM text of a CA, or a path to it, "" for the system's.
    :param verify: False accepts any certificate.
    :param headers: sent with each request; may be secret, never shown.
    :param proxy: URL of a proxy, "" for the environment's; may hold a password, never shown.
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
        """(status, headers, body).

        :raises Unreachable: no answer, or one of 400 and up.
        """
        request = urllib.request.Request(url, method=method, headers=dict(self.headers, Accept=accept))
        try:
            with self.opener.open(request, timeout=self.timeout) as answer:
                return answer.status, answer.headers, answer.read(LIMIT)
        except urllib.error.HTTPError as error:
            raise Unreachable(f"HTTP status {error.code}", error.code) from error
        except urllib.error.URLError as error:
            raise Unreachable(explain(error.reason)) from error
        except (OSError, ValueError) as error:
            raise Unreachable(explain(error)) from error


def explain(reason: Any) -> str:
    """A failure in words that do not depend on the platform's numbers."""
    if isinstance(reason, socket.timeout) or "timed out" in str(reason):
        return "no answer in time"
    if isinstance(reason, socket.gaierror):
        return f"the name cannot be resolved ({reason.strerror or reason})"
    if isinstance(reason, ConnectionRefusedError):
        return "connection refused"
    return getattr(reason, "strerror", None) or str(reason)


def parse_deb_packages(text: str, names: list[str]) -> dict[str, list[str]]:
    """Versions by name in a Packages index of an apt repository."""
    found: dict[str, list[str]] = {name: [] for name in names}
    for stanza in re.split(r"\n\s*\n", text):
        name = re.search(r"^Package: (\S+)", stanza, re.M)
        version = re.search(r"^Version: (\S+)", stanza, re.M)
        if name and version and name.group(1) in found:
            found[name.group(1)].append(version.group(1))
    return found


def parse_rpm_primary(text: str, names: list[str]) -> dict[str, list[str]]:
    """VERSION-RELEASE by name in the primary.xml of an rpm repository."""
    found: dict[str, list[str]] = {name: [] for name in names}
    for name, rest in re.findall(r"<name>([^<]+)</name>(.*?)</package>", text, re.S):
        version = re.search(r"<version\b[^>]*>", rest)
        if name in found and version:
            fields = dict(re.findall(r'(\w+)="([^"]*)"', version.group(0)))
            found[name].append(f"{fields.get('ver', '')}-{fields.get('rel', '')}")
    return found


def parse_rpm_primary_path(repomd: str) -> str:
    """Path of the primary index in a repomd.xml; "" where it names none."""
    block = re.search(r'<data type="primary">(.*?)</data>', repomd, re.S)
    match = re.search(r'<location href="([^"]+)"', block.group(1)) if block else None
    return match.group(1) if match else ""


def unpack(path: str, data: bytes) -> str:
    """Text of an index that is packed as its name says (gz, xz or not at all).

    :raises Unreachable: the data are no such archive.
    """
    try:
        if path.endswith(".gz"):
            data = gzip.decompress(data)
        elif path.endswith(".xz"):
            data = lzma.decompress(data)
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        raise Unreachable(f"{path} is damaged: {error}") from error
    return data.decode("utf-8", "replace")


def check_digest(body: bytes, digest: str) -> None:
    """Judges content that was asked for by its digest.

    :raises Unreachable: it is other content.
    """
    actual = "sha256:" + hashlib.sha256(body).hexdigest()
    if digest.startswith("sha256:") and actual != digest:
        raise Unreachable(f"wrong digest: {digest} has the content of {actual}", 200)


def check_manifest(url: str, content_type: str, body: bytes, digest: str) -> dict[str, Any]:
    """Judges what a registry sent for a manifest, as containerd would.

    :param digest: ``sha256:HEX`` that the body must have, "" where nothing says so.
    :returns: the manifest.
    :raises Unreachable: wrong media type, wrong digest, or no JSON.
    """
    kind = content_type.split(";")[0].strip()
    if digest:
        check_digest(body, digest)
    if kind not in INDEX_TYPES + MANIFEST_TYPES:
        raise Unreachable(f"wrong media type: Content-Type is {kind or 'absent'}, not that of an image manifest", 200)
    try:
        manifest = json.loads(body.decode("utf-8"))
    except ValueError as error:
        raise Unreachable(f"the manifest at {url} is no JSON", 200) from error
    if manifest.get("mediaType", kind) != kind:
        raise Unreachable(f"wrong media type: Content-Type is {kind}, the manifest says {manifest['mediaType']}", 200)
    return manifest


def probe_manifest(client: Client, url: str, architecture: str) -> dict[str, Any]:
    """Takes a tag's manifest, from an index the one of an architecture, and the image's small parts, each by its digest.

    :raises Unreachable: what containerd would refuse.
    """
    accept = ", ".join(INDEX_TYPES + MANIFEST_TYPES)
    folder = url.rsplit("/manifests/", 1)[0]
    status, headers, body = client.fetch(url, accept)
    content_type = headers.get("Content-Type", "")
    manifest = check_manifest(url, content_type, body, headers.get("Docker-Content-Digest", ""))
    if "manifests" in manifest:
        fitting = [m for m in manifest["manifests"] if m.get("platform", {}).get("architecture") == architecture]
        if not fitting:
            raise Unreachable(f"the image index has nothing for {architecture}", status)
        digest = fitting[0]["digest"]
        _status, headers, body = client.fetch(folder + "/manifests/" + digest, accept)
        manifest = check_manifest(url, headers.get("Content-Type", ""), body, digest)
    for part in [manifest.get("config") or {}] + (manifest.get("layers") or []):
        if part.get("digest") and part.get("size", LARGE) < LARGE:
            check_digest(client.fetch(folder + "/blobs/" + part["digest"])[2], part["digest"])
    return {"status": status, "content_type": content_type}


def probe_deb(client: Client, url: str, suite: str, names: list[str]) -> dict[str, Any]:
    """Reads the index of a flat apt repository.

    :raises Unreachable: there is none.
    """
    base = urllib.parse.urljoin(
        url.rstrip("/") + "/", suite.strip("/").replace(".", "", 1) if suite == "./" else suite.lstrip("/")
    )
    problem: Unreachable | None = None
    for name in ("Packages.gz", "Packages"):
        try:
            status, _headers, body = client.fetch(base.rstrip("/") + "/" + name)
            return {"status": status, "packages": parse_deb_packages(unpack(name, body), names)}
        except Unreachable as error:
            problem = error
            if error.status == 0:
                break
    raise problem or Unreachable("no index")


def probe_rpm(client: Client, url: str, names: list[str]) -> dict[str, Any]:
    """Reads the index of an rpm repository; an index in a form that the standard library cannot unpack is not judged.

    :raises Unreachable: there is none.
    """
    base = url.rstrip("/") + "/"
    status, _headers, body = client.fetch(base + "repodata/repomd.xml")
    path = parse_rpm_primary_path(body.decode("utf-8", "replace"))
    if not path:
        raise Unreachable("repodata/repomd.xml names no primary index", status)
    if path.endswith((".zst", ".zck")):
        return {"status": status}
    status, _headers, body = client.fetch(base + path)
    return {"status": status, "packages": parse_rpm_primary(unpack(path, body), names)}


def probe_tcp(url: str, timeout: float) -> dict[str, Any]:
    """Connects to ``tcp://host:port`` and says nothing.

    :raises Unreachable: no connection.
    """
    parts = urllib.parse.urlsplit(url)
    try:
        socket.create_connection((parts.hostname, parts.port), timeout).close()
    except OSError as error:
        raise Unreachable(explain(error)) from error
    return {"status": 0}


def probe(request: dict[str, Any], architecture: str, timeout: float) -> dict[str, Any]:
    """One entry of the key ``reach``: ``kind``, ``ok``, ``status``, ``error`` and what the kind brings (``packages``)."""
    result: dict[str, Any] = {"kind": request["kind"], "ok": True, "status": 0, "error": ""}
    url = request["url"]
    try:
        if request["kind"] == "tcp":
            return dict(result, **probe_tcp(url, timeout))
        client = Client(
            timeout,
            request.get("ca") or "",
            request.get("verify", True),
            request.get("headers") or {},
            request.get("proxy") or "",
        )
        if request["kind"] == "deb":
            return dict(result, **probe_deb(client, url, request.get("suite") or "/", request.get("packages") or []))
        if request["kind"] == "rpm":
            return dict(result, **probe_rpm(client, url, request.get("packages") or []))
        if request["kind"] == "manifest":
            return dict(result, **probe_manifest(client, url, architecture))
        return dict(result, status=client.fetch(url)[0])
    except Unreachable as error:
        # A registry may ask for a login on /v2/: it is there all the same.
        asks_login = request["kind"] == "registry" and error.status == 401
        return dict(result, ok=asks_login, status=error.status, error="" if asks_login else str(error))
    except (OSError, ssl.SSLError) as error:
        return dict(result, ok=False, error=f"CA {request.get('ca')} cannot be used: {explain(error)}")


def look_at_reach(requests: list[dict[str, Any]], architecture: str, timeout: float) -> dict[str, dict[str, Any]]:
    """Key ``reach`` of the module host_info: the result of each probe by URL; one that does not end in time has failed."""
    results: dict[str, dict[str, Any]] = {}
    threads = []
    for request in requests:

        def work(request: dict[str, Any] = request) -> None:
            results[request["url"]] = probe(request, architecture, timeout)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        threads.append(thread)
    for thread in threads:
        thread.join(3 * timeout)
    late = {"ok": False, "status": 0, "error": "no answer in time"}
    return {request["url"]: results.get(request["url"], dict(late, kind=request["kind"])) for request in requests}
