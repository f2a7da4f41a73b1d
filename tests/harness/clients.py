# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients that use a cluster while something happens to it: one writes to the API, one asks an application over HTTP."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import tempfile
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml


class Client(threading.Thread):
    """Something that is done again and again until :meth:`stop`.

    :ivar done: how often it succeeded, *times* when; *failures* has the time and the reason of each failure.
    :ivar longest: seconds of the longest time without a success; a test may set it back to 0.
    """

    pause = 0.1

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.ended = threading.Event()
        self.done = 0
        self.times: list[float] = []
        self.failures: list[tuple[float, str]] = []
        self.longest, self.succeeded = 0.0, time.monotonic()

    def attempt(self, number: int) -> None:
        """Do it once.

        :raises OSError: it failed.
        """
        raise NotImplementedError

    def run(self) -> None:
        number = 0
        while not self.ended.is_set():
            number += 1
            try:
                self.attempt(number)
                self.done += 1
                self.times.append(time.time())
                now = time.monotonic()
                self.longest, self.succeeded = max(self.longest, now - self.succeeded), now
            except (OSError, http.client.HTTPException) as error:
                self.failures.append((time.time(), repr(error)))
            self.ended.wait(self.pause)

    def stop(self) -> None:
        self.ended.set()
        self.join(timeout=60)
        assert not self.is_alive(), "the client does not end"


class Browser(Client):
    """Asks an application, with a new connection for each request, as many clients do."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__()
        self.host, self.port = host, port

    def attempt(self, number: int) -> None:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=10)
        try:
            connection.request("GET", "/hostname")
            response = connection.getresponse()
            body = response.read()
            if response.status != 200 or not body:
                raise OSError(f"status {response.status}, {len(body)} bytes")
        finally:
            connection.close()


class Writer(Client):
    """Creates one ConfigMap after the other through the endpoint of the cluster. What the API server acknowledged must stay.

    :ivar acknowledged: names of the ConfigMaps whose creation was acknowledged.
    """

    def __init__(self, kubeconfig: Path, namespace: str, timeout: float = 10) -> None:
        super().__init__()
        self.timeout, self.kubeconfig = timeout, kubeconfig  # seconds
        self.path = f"/api/v1/namespaces/{namespace}/configmaps"
        self.acknowledged: list[str] = []
        self.load()

    def load(self) -> None:
        """Read the kubeconfig, as a client does that follows the rotation of its credentials."""
        self.written = self.kubeconfig.stat().st_mtime
        content = yaml.safe_load(self.kubeconfig.read_text())
        cluster, user = content["clusters"][0]["cluster"], content["users"][0]["user"]
        self.server = urlsplit(cluster["server"])
        self.context = ssl.create_default_context(
            cadata=base64.b64decode(cluster["certificate-authority-data"]).decode()
        )
        with tempfile.NamedTemporaryFile("wb") as pem:
            for key in ("client-certificate-data", "client-key-data"):
                pem.write(base64.b64decode(user[key]))
            pem.flush()
            self.context.load_cert_chain(pem.name)

    def request(self, method: str, path: str, content: Any = None) -> tuple[int, Any]:
        connection = http.client.HTTPSConnection(
            self.server.hostname or "", self.server.port, timeout=self.timeout, context=self.context
        )
        try:
            body = json.dumps(content) if content else None
            connection.request(method, path, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            return response.status, json.loads(response.read() or b"{}")
        except ValueError as error:
            raise OSError(str(error)) from error
        finally:
            connection.close()

    def attempt(self, number: int) -> None:
        if self.kubeconfig.stat().st_mtime != self.written:
            self.load()
        name = f"write-{number}"
        content = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"n": str(number)}}
        status, answer = self.request("POST", self.path, content)
        if status != 201:
            raise OSError(f"status {status}: {answer.get('message')}")
        self.acknowledged.append(name)

    def lost(self) -> list[str]:
        """Return the acknowledged writes that cannot be read back."""
        status, answer = self.request("GET", self.path)
        assert status == 200, answer
        present = {item["metadata"]["name"] for item in answer["items"]}
        return [name for name in self.acknowledged if name not in present]
