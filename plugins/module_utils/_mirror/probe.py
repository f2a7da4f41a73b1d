# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check that a web server serves a bundle in the way that containerd and apt require.

The rules are those of the OCI distribution specification (pulling manifests and blobs) that containerd depends on: `/v2/`
returns 200; the Content-Type of a manifest is its media type; content matches the digest in its name; missing content is 404.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

# Files up to this size are fetched and their digest is compared; of larger ones only the size, unless a full check is requested.
SMALL = 1 << 20
ACCEPT = ", ".join(
    [
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    ]
)
# A path that exists in no bundle, for which a server must return 404.
NOWHERE = "v2/slipway.invalid/nothing/manifests/none"

REMEDIES = {
    "down": "Start the web server on the mirror, and make sure that this host can reach its port (firewall, routing, name resolution).",
    "api": "Return 200 for /v2/ (nginx: location = /v2/ { return 200; }), which containerd queries first.",
    "index": "Serve the complete, unmodified folder of the bundle (the one that contains bundle.json) as the web root.",
    "missing": "Copy the complete folder of the bundle again, including its folder v2 (file names must keep their colons).",
    "media_type": "Send the media type of the manifest as Content-Type below …/manifests/, as the nginx configuration of role slipway.kube.mirror does.",
    "digest": "The server's copy is damaged, or a proxy or compression filter modifies it: copy the file again, or disable such filters.",
    "size": "The server's copy is truncated or modified: copy the file again.",
    "fallback": "Return 404 for paths that do not exist; a page returned instead (a catch-all rule) is mistaken for an image manifest.",
}


@dataclass
class Response:
    """A server's response to one request."""

    status: int  # 0 if there was no response
    content_type: str = ""
    length: int = -1
    body: bytes = b""
    error: str = ""
    digest: str = ""


class Mirror:
    """A mirror, by its URL."""

    def __init__(self, url: str, timeout: float = 10.0, ca: str = "") -> None:
        self.url = url.rstrip("/")
        self.timeout = timeout
        context = ssl.create_default_context(cafile=ca or None) if self.url.startswith("https:") else None
        handlers = [urllib.request.HTTPSHandler(context=context)] if context else []
        self._opener = urllib.request.build_opener(*handlers)

    def request(self, path: str, method: str = "GET", keep: bool = True) -> Response:
        """Send a request.

        :param keep: whether to keep the body, of which otherwise only the digest is computed.
        """
        request = urllib.request.Request(self.url + "/" + path, method=method, headers={"Accept": ACCEPT + ", */*"})
        try:
            with self._opener.open(request, timeout=self.timeout) as reply:
                digest, body, length = hashlib.sha256(), b"", 0
                while True:
                    chunk = reply.read(1 << 20)
                    if not chunk:
                        break
                    digest.update(chunk)
                    length += len(chunk)
                    body += chunk if keep else b""
                declared = reply.headers.get("Content-Length", "")
                if method == "HEAD":
                    length = int(declared) if declared.isdigit() else -1
                kind = reply.headers.get("Content-Type", "").split(";")[0].strip()
                return Response(reply.status, kind, length, body, "", "sha256:" + digest.hexdigest())
        except urllib.error.HTTPError as error:
            return Response(error.code, error=str(error.reason))
        except (OSError, ValueError, http.client.HTTPException) as error:  # no route, refused, time-out, TLS, cut off
            return Response(0, error=str(getattr(error, "reason", error)))


def problem(part: str, url: str, evidence: str) -> dict[str, str]:
    """Return a violation of one of the rules: the rule, the URL, the evidence, the remedy."""
    return {"part": part, "url": url, "evidence": evidence, "remedy": REMEDIES[part]}


def sentence(found: dict[str, str]) -> str:
    """Return a problem as one line of text."""
    return f"{found['url']}: {found['evidence']} {found['remedy']}"


def _status(response: Response) -> str:
    return f"returned {response.status}." if response.status else f"did not respond ({response.error})."


def check_api(url: str, response: Response) -> list[dict[str, str]]:
    """Check `/v2/`, which must return 200."""
    if not response.status:
        return [problem("down", url, _status(response))]
    return [] if response.status == 200 else [problem("api", url, _status(response))]


def check_nowhere(url: str, response: Response) -> list[dict[str, str]]:
    """Check a name that does not exist: only for 404 does containerd report "not found"."""
    if response.status == 404:
        return []
    return [problem("fallback", url, f"does not exist in the bundle, but the server {_status(response)}")]


def check_file(url: str, response: Response, want: dict[str, Any]) -> list[dict[str, str]]:
    """Check a file against its entry in the index ({digest, size}); a response without a body (HEAD) by its size only."""
    if response.status != 200:
        return [problem("missing", url, _status(response))]
    if response.length >= 0 and response.length != want["size"]:
        return [problem("size", url, f"has {response.length} bytes, but bundle.json lists {want['size']}.")]
    if response.digest and response.digest != want["digest"]:
        return [problem("digest", url, f"has digest {response.digest}, but bundle.json lists {want['digest']}.")]
    return []


def media_type(body: bytes) -> str:
    """Return the media type of a manifest; an OCI manifest may omit it (image-spec, manifest.md)."""
    try:
        content = json.loads(body.decode("utf-8"))
    except (ValueError, UnicodeDecodeError):
        return ""
    if not isinstance(content, dict):
        return ""
    default = "index" if "manifests" in content else "manifest"
    return str(content.get("mediaType") or f"application/vnd.oci.image.{default}.v1+json")


def check_manifest(url: str, response: Response, want: dict[str, Any]) -> list[dict[str, str]]:
    """Check a manifest: the file, then the Content-Type, which must be the media type of the manifest."""
    found = check_file(url, response, want)
    if found:
        return found
    expected = media_type(response.body)
    if response.content_type != expected:
        return [
            problem("media_type", url, f"has Content-Type {response.content_type!r}, but the manifest is {expected!r}.")
        ]
    return []


def read_index(response: Response) -> dict[str, Any] | None:
    """Return bundle.json as data; None if the response is not a valid index."""
    try:
        index = json.loads(response.body.decode("utf-8"))
        files = {
            str(path): {"digest": str(entry["digest"]), "size": int(entry["size"])}
            for path, entry in index["files"].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError, UnicodeDecodeError):
        return None
    return dict(index, files=files)


def is_manifest(path: str) -> bool:
    """Return whether a path of the bundle is an image manifest."""
    return path.startswith("v2/") and "/manifests/" in path


def probe(mirror: Mirror, everything: bool = False) -> dict[str, Any]:
    """Check a mirror against its bundle.json.

    Manifests and files up to 1 MiB are fetched and compared by digest, larger ones by size only.

    :param everything: compare larger files by digest too.
    :returns: problems, checked (numbers of manifests, files and bytes fetched) and bundle (its description in bundle.json).
    """
    checked = {"manifests": 0, "files": 0, "bytes": 0}
    result: dict[str, Any] = {"problems": [], "checked": checked, "bundle": {}}
    result["problems"] += check_api(mirror.url + "/v2/", mirror.request("v2/"))
    if any(found["part"] == "down" for found in result["problems"]):
        return result
    result["problems"] += check_nowhere(mirror.url + "/" + NOWHERE, mirror.request(NOWHERE))

    response = mirror.request("bundle.json")
    index = read_index(response) if response.status == 200 else None
    if index is None:
        evidence = "is not the index of a bundle." if response.status == 200 else _status(response)
        result["problems"].append(problem("index", mirror.url + "/bundle.json", evidence))
        return result
    result["bundle"] = {key: index.get(key) for key in ("architecture", "kubernetes_versions")}

    for path, want in index["files"].items():
        url = mirror.url + "/" + path
        if is_manifest(path):
            response = mirror.request(path)
            result["problems"] += check_manifest(url, response, want)
            checked["manifests"] += 1
        else:
            full = everything or want["size"] <= SMALL
            response = mirror.request(path, "GET" if full else "HEAD", keep=False)
            response.digest = response.digest if full else ""
            result["problems"] += check_file(url, response, want)
            checked["files"] += 1
        checked["bytes"] += want["size"] if response.digest else 0
    return result
