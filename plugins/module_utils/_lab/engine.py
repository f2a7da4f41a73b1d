# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Docker Engine of this machine, asked over its own socket (Docker Engine API, no client needed)."""

from __future__ import annotations

import http.client
import json
import os
import socket
import urllib.parse

DEFAULT_SOCKET = "/var/run/docker.sock"
LABEL = "slipway.lab"


class EngineError(Exception):
    """The engine answered with an error; the text says which request and what it said."""


class _SocketConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def socket_path(docker_host: str | None) -> str:
    """Path of the engine's socket for a DOCKER_HOST value; "" for an engine on another machine."""
    if not docker_host:
        return DEFAULT_SOCKET
    if docker_host.startswith("unix://"):
        return docker_host[len("unix://") :]
    return ""


class Engine:
    """A Docker Engine that listens on a unix socket of this machine."""

    def __init__(self, path: str, timeout: float = 300.0) -> None:
        self.path = path
        self.timeout = timeout

    def call(self, method: str, path: str, query: dict[str, str] | None = None, body=None):
        """The parsed answer of one request (None where it is empty).

        :raises EngineError: for an HTTP status of 400 or more.
        :raises OSError: when nothing listens on the socket.
        """
        target = "/v1.41" + path + ("?" + urllib.parse.urlencode(query) if query else "")
        connection = _SocketConnection(self.path, self.timeout)
        try:
            headers = {"Content-Type": "application/x-tar"} if body is not None else {}
            connection.request(method, target, body=body, headers=headers)
            answer = connection.getresponse()
            text = answer.read().decode("utf-8", "replace")
        finally:
            connection.close()
        if answer.status >= 400:
            raise EngineError(f"{method} {path}: {answer.status} {text.strip()}")
        return parse_answer(text)

    def info(self) -> dict | None:
        """What `docker info` tells, or None where no engine answers."""
        try:
            return self.call("GET", "/info")
        except OSError:
            return None

    def containers(self, lab: str | None = None) -> list[dict]:
        """Containers, stopped ones too; only those of one lab where it is named."""
        query = {"all": "1"}
        if lab is not None:
            query["filters"] = json.dumps({"label": [f"{LABEL}={lab}"]})
        return self.call("GET", "/containers/json", query)

    def network(self, name: str) -> dict | None:
        """The network of exactly this name, or None."""
        found = self.call("GET", "/networks", {"filters": json.dumps({"name": [name]})})
        return next((network for network in found if network["Name"] == name), None)

    def images(self, repository: str) -> list[str]:
        """References (name:tag) of a repository's images in the engine's store."""
        found = self.call("GET", "/images/json", {"filters": json.dumps({"reference": [repository]})})
        return sorted(tag for image in found for tag in image["RepoTags"] or [])

    def remove_image(self, reference: str) -> None:
        """Remove an image from the engine's store.

        :raises EngineError: a container uses it.
        """
        self.call("DELETE", "/images/" + reference)

    def import_root(self, reference: str, tar: str) -> None:
        """Make an image out of a root file system's tar file (`docker import`)."""
        repository, _colon, tag = reference.rpartition(":")
        with open(tar, "rb") as stream:
            self.call("POST", "/images/create", {"fromSrc": "-", "repo": repository, "tag": tag}, body=stream)


def parse_answer(text: str):
    """JSON of an answer; the last line of a progress stream, whose error line is raised.

    :raises EngineError: for a line `{"error": ...}` (the status of a stream is always 200).
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


def missing_capabilities(status: str, names: list[str]) -> list[str]:
    """Capabilities that a process cannot hand on, from its /proc/PID/status (CapBnd, capabilities(7))."""
    for line in status.splitlines():
        if line.startswith("CapBnd:"):
            mask = int(line.split()[1], 16)
            return [name for bit, name in enumerate(names) if not mask & (1 << bit)]
    return []


def read_text(path: str) -> str:
    """A file's text, "" where it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError:
        return ""


def free_megabytes(path: str) -> int:
    """Room (MiB) that a user has on the file system of the nearest existing parent of a path."""
    while not os.path.exists(path):
        path = os.path.dirname(path)
    state = os.statvfs(path)
    return state.f_bavail * state.f_frsize // (1 << 20)
