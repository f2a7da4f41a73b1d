# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Image registries: whether a node can pull from them, and whether their manifests are what containerd accepts."""

from __future__ import annotations

import hashlib
import json
import re
import urllib.parse
from typing import Any

from .fetching import Fetcher, FetchError

INDEX_TYPES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
MANIFEST_TYPES = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")
"""Media types that containerd pulls (OCI image specification, Docker schema 2)."""

LARGE = 4 * 1024 * 1024
"""Size in bytes from which on a layer is not downloaded to check it."""


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
    status, headers, body = fetch_as_containerd(fetcher, url, accept)
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


def fetch_as_containerd(fetcher: Fetcher, url: str, accept: str) -> tuple[int, Any, bytes]:
    """Fetch from a registry, with a token where it gives one to anyone (Distribution's "Token Authentication").

    :raises FetchError: it requires credentials (status 401), or what :meth:`Fetcher.fetch` raises.
    """
    try:
        return fetcher.fetch(url, accept)
    except FetchError as error:
        if error.status != 401:
            raise
        refused = error
    token = anonymous_token(fetcher, refused)
    if token:
        fetcher.headers = dict(fetcher.headers, Authorization=f"Bearer {token}")
        try:
            return fetcher.fetch(url, accept)
        except FetchError as error:
            if error.status not in (401, 403):
                raise
    raise login_required(fetcher, refused) from refused


def anonymous_token(fetcher: Fetcher, refused: FetchError) -> str:
    """Return the token that a registry gives to anyone, or "" where it gives none. The headers of a mirror are not sent.

    :raises FetchError: there is no answer.
    """
    challenge = dict(re.findall(r'(\w+)="([^"]*)"', refused.challenge))
    realm = challenge.get("realm", "")
    if "Authorization" in fetcher.headers or not offers_token(refused) or not realm.startswith(("http://", "https://")):
        return ""
    query = urllib.parse.urlencode({key: challenge[key] for key in ("service", "scope") if key in challenge})
    headers, fetcher.headers = fetcher.headers, {}
    try:
        answer = json.loads(fetcher.fetch(f"{realm}?{query}")[2].decode("utf-8"))
        return str(answer.get("token") or answer.get("access_token") or "")
    except FetchError as error:
        if error.status in (400, 401, 403):
            return ""
        raise
    except (ValueError, AttributeError):
        return ""
    finally:
        fetcher.headers = headers


def offers_token(refused: FetchError) -> bool:
    """Return whether a registry that refused a request names a server that gives tokens."""
    return refused.challenge.lower().startswith("bearer")


def login_required(fetcher: Fetcher, refused: FetchError) -> FetchError:
    """Return the error for a registry that requires a login."""
    shown = refused.challenge.split(",")[0] or "HTTP status 401"
    if "Authorization" in fetcher.headers and not fetcher.headers["Authorization"].startswith("Bearer "):
        return FetchError(f"it refuses the credentials in the header Authorization ({shown})", 401)
    return FetchError(f"it requires credentials ({shown})", 401)


def probe_registry(fetcher: Fetcher, url: str, image: str) -> dict[str, Any]:
    """Ask for /v2/ of a registry; one that offers tokens is asked for an image, since only then it tells whether anyone gets one.

    :param image: NAME:TAG, "" where none is known.
    :raises FetchError: there is no registry, or it requires credentials.
    """
    try:
        return {"status": fetcher.fetch(url)[0]}
    except FetchError as error:
        if error.status != 401:
            raise
        if "Authorization" in fetcher.headers or not offers_token(error):
            raise login_required(fetcher, error) from error
    name, _colon, tag = image.rpartition(":")
    if name:
        try:
            fetch_as_containerd(
                fetcher, f"{url.rstrip('/')}/{name}/manifests/{tag}", ", ".join(INDEX_TYPES + MANIFEST_TYPES)
            )
        except FetchError as error:
            if error.status == 401:
                raise
    return {"status": 401}
