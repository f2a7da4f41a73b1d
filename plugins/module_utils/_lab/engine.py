# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client for the Docker Engine of this machine, over its socket (Docker Engine API)."""

from __future__ import annotations

import http.client
import json
import os
import socket
import urllib.parse

DEFAULT_SOCKET = "/var/run/docker.sock"
LABEL = "slipway.lab"


class EngineError(Exception):
    """The Docker Engine returned an error; the text contains the request and the response."""


class _SocketConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def socket_path(docker_host: str | None) -> str:
    """Return the path of the engine's socket for a value of DOCKER_HOST; empty for an engine on another machine."""
    if not docker_host:
        return DEFAULT_SOCKET
    if docker_host.startswith("unix://"):
        return docker_host[len("unix://") :]
    return ""


class DockerEngine:
    """A Docker Engine that listens on a Unix socket of this machine."""

    def __init__(self, path: str, timeout: float = 300.0) -> None:
        self.path = path
        self.timeout = timeout

    def call(self, method: str, path: str, query: dict[str, str] | None = None, body=None):
        """Send a request and return the parsed response, None if it is empty.

        :raises EngineError: the HTTP status is 400 or above.
        :raises OSError: nothing listens on the socket.
        """
        target = "/v1.41" + path + ("?" + urllib.parse.urlencode(query) if query else "")
        connection = _SocketConnection(self.path, self.timeout)
        try:
            headers = {"Content-Type": "application/x-tar"} if body is not None else {}
            connection.request(method, target, body=body, headers=headers)
            response = connection.getresponse()
            text = response.read().decode("utf-8", "replace")
        finally:
            connection.close()
        if response.status >= 400:
            raise EngineError(f"{method} {path}: {response.status} {text.strip()}")
        return parse_response(text)

    def info(self) -> dict | None:
        """Return the output of `docker info`, or None if no engine responds."""
        try:
            return self.call("GET", "/info")
        except OSError:
            return None

    def containers(self, lab: str | None = None) -> list[dict]:
        """Return all containers, including stopped ones.

        :param lab: return only the containers of this lab.
        """
        query = {"all": "1"}
        if lab is not None:
            query["filters"] = json.dumps({"label": [f"{LABEL}={lab}"]})
        return self.call("GET", "/containers/json", query)

    def network(self, name: str) -> dict | None:
        """Return the network of exactly this name, or None."""
        found = self.call("GET", "/networks", {"filters": json.dumps({"name": [name]})})
        return next((network for network in found if network["Name"] == name), None)

    def images(self, repository: str) -> list[str]:
        """Return the references (name:tag) of a repository's images."""
        found = self.call("GET", "/images/json", {"filters": json.dumps({"reference": [repository]})})
        return sorted(tag for image in found for tag in image["RepoTags"] or [])

    def remove_image(self, reference: str) -> None:
        """Remove an image.

        :raises EngineError: a container uses it.
        """
        self.call("DELETE", "/images/" + reference)

    def import_root(self, reference: str, tar: str) -> None:
        """Create an image from the tar file of a root file system (`docker import`)."""
        repository, _colon, tag = reference.rpartition(":")
        with open(tar, "rb") as stream:
            self.call("POST", "/images/create", {"fromSrc": "-", "repo": repository, "tag": tag}, body=stream)


def parse_response(text: str):
    """Return the JSON of a response; of a progress stream, the last line.

    :raises EngineError: a stream contains a line `{"error": ...}` (its status is always 200).
    """
    if not text.strip():
        return None
    try:
        return json.loads(text)
    except ValueError:
        lines = [json.loads(line) for line in text.splitlines() if line.strip()]
    for line in lines:
        if "error" in line:
            raise EngineError(line["error"])
    return lines[-1]


def read_text(path: str) -> str:
    """Return the text of a file; empty if it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError:
        return ""


def free_megabytes(path: str) -> int:
    """Return the space (MiB) available on the file system of a path, or of its nearest existing parent."""
    while not os.path.exists(path):
        path = os.path.dirname(path)
    state = os.statvfs(path)
    return state.f_bavail * state.f_frsize // (1 << 20)
