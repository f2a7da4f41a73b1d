# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small client of the Kubernetes API for hosts that have Python's standard library and kubectl, no more.

kubectl reads the kubeconfig; requests then go over connections that are kept, so that hundreds of them cost about a second.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Callable, Iterable, TypeVar
from urllib.parse import quote, urlencode, urlsplit

from .kubeconfig import Credentials, KubeconfigError, read_credentials

Item = TypeVar("Item")
Result = TypeVar("Result")

# A server that restarts or changes its leader answers with these for a few seconds.
PASSING = (429, 502, 503, 504)
PASSING_MESSAGES = (
    "etcdserver:",
    "leader changed",
    "connection refused",
    "context deadline exceeded",
    "storage is (re)initializing",
)


class Unreachable(Exception):
    """The API server does not answer; the message says which, the evidence and the remedy."""


@dataclass(eq=False)
class ApiError(Exception):
    """The API server refused a request (its C(Status) object, in parts)."""

    status: int
    reason: str
    message: str
    method: str = ""
    path: str = ""
    causes: list[dict[str, Any]] = field(default_factory=list)

    def __str__(self) -> str:
        return "%s %s: %d %s: %s" % (self.method, self.path, self.status, self.reason, self.message)

    @property
    def passing(self) -> bool:
        """Whether the same request may succeed a moment later."""
        if self.status in PASSING:
            return True
        return self.status == 500 and any(text in self.message for text in PASSING_MESSAGES)


def load_credentials(kubectl: str, kubeconfig: str, context: str | None = None) -> Credentials:
    """Read a kubeconfig with kubectl, which knows its YAML, its defaults and its relative paths.

    :param kubectl: path of the program.
    :param kubeconfig: path of the file.
    :raises KubeconfigError: kubectl refuses the file, or it says nothing usable.
    """
    command = [kubectl, "config", "view", "--raw", "--flatten", "--output", "json", "--kubeconfig", kubeconfig]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    if done.returncode != 0:
        raise KubeconfigError("kubectl cannot read %s: %s" % (kubeconfig, done.stderr.decode(errors="replace").strip()))
    return read_credentials(json.loads(done.stdout), context)


class Client:
    """Requests to one API server. Safe to use from several threads: each keeps its own connection."""

    def __init__(self, credentials: Credentials, timeout: float = 30, patience: float = 20, threads: int = 8) -> None:
        """Prepare; nothing is sent yet.

        :param timeout: seconds that one request may take.
        :param patience: seconds for which a request that fails in passing is repeated.
        :param threads: requests under way at once in :meth:`each`.
        """
        self.credentials = credentials
        self.timeout = timeout
        self.patience = patience
        self.threads = threads
        self._local = threading.local()
        self._pool: ThreadPoolExecutor | None = None
        self._context = _tls_context(credentials) if credentials.server.startswith("https://") else None

    def get(
        self,
        path: str,
        query: dict[str, str] | None = None,
        patience: float | None = None,
        accept: str = "application/json",
    ) -> Any:
        """Return the object at a path.

        :raises ApiError: the server refuses. :raises Unreachable: it does not answer.
        """
        return self._repeat("GET", path, query, None, {"Accept": accept}, patience, None)

    def find(self, path: str) -> dict[str, Any] | None:
        """Return the object at a path, or None where there is none."""
        try:
            return self.get(path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def items(self, path: str, query: dict[str, str] | None = None) -> list[dict[str, Any]]:
        """Return the items of a list, empty where the collection is not there. Each says its kind, which a list leaves out."""
        found = self.find(path if not query else path + "?" + urlencode(query)) or {}
        who = {"kind": str(found.get("kind") or "")[: -len("List")], "apiVersion": found.get("apiVersion")}
        return [dict(who, **item) for item in found.get("items") or []]

    def text(self, path: str, query: dict[str, str] | None = None, timeout: float | None = None) -> str:
        """Return what a path answers, as it is; never repeated (for pod proxies and health endpoints)."""
        return self._repeat("GET", path, query, None, {"Accept": "*/*"}, 0, timeout, plain=True)

    def apply(self, path: str, content: dict[str, Any], manager: str, force: bool, dry_run: bool) -> dict[str, Any]:
        """Apply an object on the server (https://kubernetes.io/docs/reference/using-api/server-side-apply/).

        :param manager: field manager that will own the fields.
        :param force: take fields over that another manager owns.
        :param dry_run: the server answers as if, and keeps nothing.
        :returns: the object as it is then.
        """
        query = {"fieldManager": manager, "fieldValidation": "Strict", "force": "true" if force else "false"}
        if dry_run:
            query["dryRun"] = "All"
        headers = {"Accept": "application/json", "Content-Type": "application/apply-patch+yaml"}
        return self._repeat("PATCH", path, query, json.dumps(content).encode(), headers, None, None)

    def delete(self, path: str, uid: str | None = None) -> bool:
        """Delete an object and, in the background, what it owns.

        :param uid: delete it only where it is still this one.
        :returns: whether there was one to delete.
        """
        options: dict[str, Any] = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        if uid:
            options["preconditions"] = {"uid": uid}
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        try:
            self._repeat("DELETE", path, None, json.dumps(options).encode(), headers, None, None)
        except ApiError as error:
            if error.status == 404 or (uid and error.status == 409):
                return False
            raise
        return True

    def each(self, function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
        """Call a function for every item, several at once; results in the items' order. Not to be nested."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(max_workers=self.threads)
        return list(self._pool.map(function, items))

    def _repeat(
        self,
        method: str,
        path: str,
        query: dict[str, str] | None,
        body: bytes | None,
        headers: dict[str, str],
        patience: float | None,
        timeout: float | None,
        plain: bool = False,
    ) -> Any:
        target = path + ("?" + urlencode(query, quote_via=quote) if query else "")
        deadline = time.monotonic() + (self.patience if patience is None else patience)
        pause = 0.2
        while True:
            try:
                return self._once(method, target, body, headers, timeout or self.timeout, plain)
            except ApiError as error:
                if not error.passing or time.monotonic() >= deadline:
                    raise
            except ssl.SSLCertVerificationError as error:
                raise Unreachable(self._untrusted(error)) from error
            except (OSError, http.client.HTTPException) as error:
                self._drop()
                if time.monotonic() >= deadline:
                    raise Unreachable(self._silent(error)) from error
            time.sleep(pause)
            pause = min(pause * 2, 2)

    def _once(
        self, method: str, target: str, body: bytes | None, headers: dict[str, str], timeout: float, plain: bool
    ) -> Any:
        connection = self._connection(timeout)
        if self.credentials.token:
            headers = dict(headers, Authorization="Bearer " + self.credentials.token)
        connection.request(method, urlsplit(self.credentials.server).path + target, body=body, headers=headers)
        response = connection.getresponse()
        content = response.read()
        if response.status >= 400:
            raise _refusal(response.status, content, method, target)
        return content.decode(errors="replace") if plain else json.loads(content)

    def _connection(self, timeout: float) -> http.client.HTTPConnection:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            parts = urlsplit(self.credentials.server)
            if self._context is not None:
                connection = _NamedConnection(
                    parts.hostname or "", parts.port or 443, self._context, self.credentials.server_name, timeout
                )
            else:
                connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=timeout)
            self._local.connection = connection
        connection.timeout = timeout
        if connection.sock is not None:
            connection.sock.settimeout(timeout)
        return connection

    def _drop(self) -> None:
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None

    def _silent(self, error: Exception) -> str:
        return (
            "The API server at %s does not answer: %s. See that it runs there (crictl ps -a | grep kube-apiserver) and that the address is right."
            % (
                self.credentials.server,
                error or type(error).__name__,
            )
        )

    def _untrusted(self, error: ssl.SSLCertVerificationError) -> str:
        return (
            "The certificate of the API server at %s is not one that the kubeconfig trusts: %s. The kubeconfig belongs to another cluster, "
            "or the server's certificate lacks this name or address (kubeadm: certSANs)."
            % (self.credentials.server, error.verify_message.rstrip("."))
        )


class _NamedConnection(http.client.HTTPSConnection):
    """A TLS connection whose server may be known by another name than its address (kubeconfig: tls-server-name)."""

    def __init__(self, host: str, port: int, context: ssl.SSLContext, name: str, timeout: float) -> None:
        super().__init__(host, port, context=context, timeout=timeout)
        self._tls = context
        self._name = name or host

    def connect(self) -> None:
        plain = socket.create_connection((self.host, self.port), self.timeout)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = self._tls.wrap_socket(plain, server_hostname=self._name)


def _tls_context(credentials: Credentials) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=credentials.authority.decode() if credentials.authority else None)
    if not credentials.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if credentials.certificate:
        # The ssl module reads certificates from files only; this one lives for the duration of the call.
        with tempfile.TemporaryDirectory(prefix="slipway-") as folder:
            pair = os.path.join(folder, "client.pem")
            with open(os.open(pair, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as stream:
                stream.write(credentials.certificate + b"\n" + credentials.key)
            try:
                context.load_cert_chain(pair)
            except ssl.SSLError as error:
                raise KubeconfigError(
                    "The kubeconfig's client certificate and key do not fit together: %s." % error
                ) from error
    return context


def _refusal(status: int, content: bytes, method: str, path: str) -> ApiError:
    try:
        answer = json.loads(content)
        if not isinstance(answer, dict) or answer.get("kind") != "Status":
            raise ValueError
    except ValueError:
        return ApiError(
            status, http.client.responses.get(status, ""), content.decode(errors="replace").strip()[:2000], method, path
        )
    causes = (answer.get("details") or {}).get("causes") or []
    return ApiError(status, answer.get("reason") or "", answer.get("message") or "", method, path, causes)
