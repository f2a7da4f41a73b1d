# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a web server serves a bundle as containerd and apt need it: the mirror's contract, checked piece by piece.

The rules are those of the OCI distribution specification (pulling manifests and blobs) as far as containerd insists on them:
`/v2/` answers 200; a manifest comes with its own media type as Content-Type; bytes match the digest in the name; what is not
there is 404.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import ssl
import urllib.error
import urllib.request
from typing import Any

# Up to this size a file is fetched and its digest compared; of a larger one only the size, unless everything is asked for.
SMALL = 1 << 20
ACCEPT = ", ".join(
    [
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    ]
)
# A path that no bundle has: an honest server says 404.
NOWHERE = "v2/slipway.invalid/nothing/manifests/none"

REMEDIES = {
    "down": "Start the web server on the mirror, and let this host reach its port (firewall, route, name).",
    "api": "Answer 200 on /v2/ (nginx: location = /v2/ { return 200; }); containerd asks there first.",
    "index": "Serve the bundle's own folder as the web root (the one that holds bundle.json), unchanged and whole.",
    "missing": "Copy the bundle's folder anew, whole, with its folder v2 (no colon in a name may have been replaced).",
    "media_type": "Send the manifest's own media type as Content-Type below …/manifests/; role slipway.kube.mirror brings an nginx configuration that does.",
    "digest": "The server's copy is damaged or altered on its way (a proxy, a compressing filter): copy the file anew, turn such filters off.",
    "size": "The server's copy is cut off or altered: copy the file anew.",
    "fallback": "Answer 404 for what is not there; a page in its place (a catch-all rule) is taken for an image's manifest.",
}


class Answer:
    """What a server said to one request; status 0 where there was no answer, with the error's text."""

    def __init__(
        self,
        status: int,
        content_type: str = "",
        length: int = -1,
        body: bytes = b"",
        error: str = "",
        digest: str = "",
    ) -> None:
        self.status = status
        self.content_type = content_type
        self.length = length
        self.body = body
        self.error = error
        self.digest = digest


class Mirror:
    """A mirror behind a URL."""

    def __init__(self, url: str, timeout: float = 10.0, ca: str = "") -> None:
        self.url = url.rstrip("/")
        self.timeout = timeout
        context = ssl.create_default_context(cafile=ca or None) if self.url.startswith("https:") else None
        handlers = [urllib.request.HTTPSHandler(context=context)] if context else []
        self._opener = urllib.request.build_opener(*handlers)

    def ask(self, path: str, method: str = "GET", keep: bool = True) -> Answer:
        """The answer to one request; a body that is not kept is only hashed."""
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
                told = reply.headers.get("Content-Length", "")
                if method == "HEAD":
                    length = int(told) if told.isdigit() else -1
                kind = reply.headers.get("Content-Type", "").split(";")[0].strip()
                return Answer(reply.status, kind, length, body, "", "sha256:" + digest.hexdigest())
        except urllib.error.HTTPError as error:
            return Answer(error.code, error=str(error.reason))
        except (OSError, ValueError, http.client.HTTPException) as error:  # no route, refused, time-out, TLS, cut off
            return Answer(0, error=str(getattr(error, "reason", error)))


def problem(part: str, url: str, evidence: str) -> dict[str, str]:
    """One broken part of the contract: which, where, what was seen, what to do."""
    return {"part": part, "url": url, "evidence": evidence, "remedy": REMEDIES[part]}


def sentence(found: dict[str, str]) -> str:
    """A problem in one line."""
    return f"{found['url']}: {found['evidence']} {found['remedy']}"


def _status(answer: Answer) -> str:
    return f"answered {answer.status}." if answer.status else f"gave no answer ({answer.error})."


def judge_api(url: str, answer: Answer) -> list[dict[str, str]]:
    """`/v2/`: 200, or nothing else matters."""
    if not answer.status:
        return [problem("down", url, _status(answer))]
    return [] if answer.status == 200 else [problem("api", url, _status(answer))]


def judge_nowhere(url: str, answer: Answer) -> list[dict[str, str]]:
    """A name that is not there: 404, the only status after which containerd says "not found"."""
    return (
        []
        if answer.status == 404
        else [problem("fallback", url, f"is nothing that a bundle has, and the server {_status(answer)}")]
    )


def judge_file(url: str, answer: Answer, want: dict[str, Any]) -> list[dict[str, str]]:
    """A file of the bundle against its record ({digest, size}); an answer without a body (HEAD) is judged by its size."""
    if answer.status != 200:
        return [problem("missing", url, _status(answer))]
    if answer.length >= 0 and answer.length != want["size"]:
        return [problem("size", url, "has %d bytes, bundle.json says %d." % (answer.length, want["size"]))]
    if answer.digest and answer.digest != want["digest"]:
        return [problem("digest", url, f"has digest {answer.digest}, bundle.json says {want['digest']}.")]
    return []


def media_type(body: bytes) -> str:
    """The media type that a manifest says it has; an OCI manifest may leave it out (image-spec, manifest.md)."""
    try:
        content = json.loads(body.decode("utf-8"))
    except (ValueError, UnicodeDecodeError):
        return ""
    if not isinstance(content, dict):
        return ""
    default = (
        "application/vnd.oci.image.index.v1+json"
        if "manifests" in content
        else "application/vnd.oci.image.manifest.v1+json"
    )
    return str(content.get("mediaType") or default)


def judge_manifest(url: str, answer: Answer, want: dict[str, Any]) -> list[dict[str, str]]:
    """A manifest: the file itself, then the Content-Type, which must be the manifest's own media type."""
    found = judge_file(url, answer, want)
    if found:
        return found
    own = media_type(answer.body)
    if answer.content_type != own:
        return [problem("media_type", url, f"comes as {answer.content_type!r}, the manifest is {own!r}.")]
    return []


def read_index(answer: Answer) -> dict[str, Any] | None:
    """bundle.json as data; None where the answer is none."""
    try:
        index = json.loads(answer.body.decode("utf-8"))
        files = {
            str(path): {"digest": str(record["digest"]), "size": int(record["size"])}
            for path, record in index["files"].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError, UnicodeDecodeError):
        return None
    return dict(index, files=files)


def is_manifest(path: str) -> bool:
    """Whether a path of the bundle is a registry's manifest."""
    return path.startswith("v2/") and "/manifests/" in path


def probe(mirror: Mirror, everything: bool = False) -> dict[str, Any]:
    """Check a mirror against its bundle.json.

    Manifests and files up to 1 MiB are fetched and compared by digest, larger ones by size alone; by digest too when *everything*
    is asked for. Returns problems, checked (numbers of manifests, files and bytes fetched) and bundle (what it says it is).
    """
    checked = {"manifests": 0, "files": 0, "bytes": 0}
    result: dict[str, Any] = {"problems": [], "checked": checked, "bundle": {}}
    result["problems"] += judge_api(mirror.url + "/v2/", mirror.ask("v2/"))
    if any(found["part"] == "down" for found in result["problems"]):
        return result
    result["problems"] += judge_nowhere(mirror.url + "/" + NOWHERE, mirror.ask(NOWHERE))

    answer = mirror.ask("bundle.json")
    index = read_index(answer) if answer.status == 200 else None
    if index is None:
        evidence = "is no index of a bundle." if answer.status == 200 else _status(answer)
        result["problems"].append(problem("index", mirror.url + "/bundle.json", evidence))
        return result
    result["bundle"] = {key: index.get(key) for key in ("origin", "architecture", "kubernetes_versions")}

    for path, want in index["files"].items():
        url = mirror.url + "/" + path
        if is_manifest(path):
            answer = mirror.ask(path)
            result["problems"] += judge_manifest(url, answer, want)
            checked["manifests"] += 1
        else:
            whole = everything or want["size"] <= SMALL
            answer = mirror.ask(path, "GET" if whole else "HEAD", keep=False)
            answer.digest = answer.digest if whole else ""
            result["problems"] += judge_file(url, answer, want)
            checked["files"] += 1
        checked["bytes"] += want["size"] if answer.digest else 0
    return result
