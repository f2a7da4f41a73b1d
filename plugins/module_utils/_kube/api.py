# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client for the Kubernetes API that needs nothing but Python's standard library.

Connections are kept open, so that hundreds of requests take about a second.
"""

from __future__ import annotations

import http.client
import json
import ssl
import subprocess
import threading
import time
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Callable, Iterable, Iterator, Mapping, TypeVar
from urllib.parse import quote, urlencode

from .connection import headers_of, open_connection, target_of, tls_context
from .failures import why_foreign, why_unreachable, why_untrusted
from .kubeconfig import Credentials, KubeconfigError, read_credentials

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

Item = TypeVar("Item")
Result = TypeVar("Result")

# Objects per page of a list: enough to be fast, few enough to keep responses small.
PAGE = 500
PATCHES = {
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
    "strategic": "application/strategic-merge-patch+json",
}

# What a server that restarts, or whose etcd elects a leader, responds for a few seconds.
TRANSIENT_STATUS = (429, 502, 503, 504)
TRANSIENT_MESSAGES = (
    "etcdserver:",
    "leader changed",
    "connection refused",
    "context deadline exceeded",
    "storage is (re)initializing",
)


class Unreachable(Exception):
    """The API server does not answer; the message names its address, the evidence and the remedy."""


@dataclass(eq=False)
class ApiError(Exception):
    """The API server rejected a request: the fields of its ``Status`` object."""

    status: int
    reason: str
    message: str
    method: str = ""
    path: str = ""
    causes: list[dict[str, Any]] = field(default_factory=list)
    # Token that continues a list that has expired (410, Expired).
    continue_token: str = ""

    def __str__(self) -> str:
        if self.status == 401:  # the request does not matter, the identity does
            return self.message[:1].upper() + self.message[1:] + "."
        if self.status == 403 and self.reason == "Forbidden":  # the message names the user, the verb and the resource
            return f"Forbidden: {self.message.rstrip('.')}. Grant the permission with a Role, or use an identity that has it."
        return f"{self.method} {self.path}: {self.status} {self.reason}: {self.message}"

    @property
    def transient(self) -> bool:
        """Whether the error is transient: the same request may succeed a moment later."""
        if self.status in TRANSIENT_STATUS:
            return True
        return self.status == 500 and any(text in self.message for text in TRANSIENT_MESSAGES)


def view_kubeconfig(kubectl: str, kubeconfig: str) -> dict[str, Any]:
    """Return the content of a kubeconfig with all files embedded, read by kubectl: a managed host need not have PyYAML.

    :param kubectl: path of the program.
    :param kubeconfig: path of the file.
    :raises KubeconfigError: kubectl cannot run, or cannot read the file.
    """
    command = [kubectl, "config", "view", "--raw", "--flatten", "--output", "json", "--kubeconfig", kubeconfig]
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=60)  # pylint: disable=ansible-bad-function
    except FileNotFoundError:
        raise KubeconfigError(
            f"kubectl, which is needed to read {kubeconfig}, is not installed on this host."
        ) from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise KubeconfigError(f"kubectl cannot read {kubeconfig}: {error}") from error
    if done.returncode != 0:
        raise KubeconfigError(f"kubectl cannot read {kubeconfig}: {done.stderr.decode(errors='replace').strip()}")
    return json.loads(done.stdout)


def load_credentials(kubectl: str, kubeconfig: str, context: str | None = None) -> Credentials:
    """Return the credentials of a kubeconfig that kubectl reads.

    :param context: name of the context, None for the current one.
    :raises KubeconfigError: kubectl cannot read the file, or it has no usable credentials.
    """
    return read_credentials(view_kubeconfig(kubectl, kubeconfig), context)


class Client:
    """Sends requests to one API server. Thread-safe: each thread has its own connection."""

    def __init__(self, credentials: Credentials, timeout: float = 30, patience: float = 20, threads: int = 8) -> None:
        """Prepare the client. Nothing is sent yet.

        :param timeout: seconds that one request may take.
        :param patience: seconds for which a request that fails with a transient error is repeated.
        :param threads: number of parallel requests in :meth:`each`.
        """
        self.credentials = credentials
        self.timeout = timeout
        self.patience = patience
        self.threads = threads
        # An API server that has just started knows no roles for a moment and forbids everything: where it may have been restarted, and for an
        # identity that may do everything, a 403 is transient.
        self.administrator = False
        self.requests = 0  # number of requests sent, including repeated ones
        self._lock = threading.Lock()
        self._local = threading.local()
        self._pool: ThreadPoolExecutor | None = None
        self._context = tls_context(credentials)
        self._renewed = 0.0
        # Seconds by which the clock of the server is ahead of the one here; None before the first answer.
        self.skew: float | None = None

    def get(
        self,
        path: str,
        query: dict[str, str] | None = None,
        patience: float | None = None,
        accept: str = "application/json",
    ) -> Any:
        """Return the object at a path.

        :raises ApiError: the server rejects the request.
        :raises Unreachable: the server does not answer.
        """
        return self._repeat("GET", path, query, None, {"Accept": accept}, patience, None)

    def find(self, path: str) -> dict[str, Any] | None:
        """Return the object at a path, or None if it does not exist."""
        try:
            return self.get(path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def items(
        self, path: str, query: Mapping[str, str] | None = None, trim: Callable[[dict[str, Any]], Any] | None = None
    ) -> list[dict[str, Any]]:
        """Return the items of a collection, with their apiVersion and kind, which lists omit; empty if it is not served.

        :param query: for example selectors. The list is read in pages in any case.
        :param trim: returns what to keep of an item. It is called before the next page is read, which keeps large lists small.
        """
        found: list[dict[str, Any]] = []
        for page in self.pages(path, query):
            found += [trim(item) for item in page] if trim else page
        return found

    def pages(
        self, path: str, query: Mapping[str, str] | None = None, limit: int = PAGE
    ) -> Iterator[list[dict[str, Any]]]:
        """Yield a list page by page (https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks).

        :param limit: items in one page.
        """
        parameters = dict(query or {}, limit=str(limit))
        while True:
            try:
                found = self.get(path, parameters)
            except ApiError as error:
                if error.status == 404:
                    return
                if error.status != 410 or not error.continue_token:
                    raise
                # The list expired while it was read: the server continues with the current objects.
                parameters["continue"] = error.continue_token
                continue
            kind = {"kind": str(found.get("kind") or "")[: -len("List")], "apiVersion": found.get("apiVersion")}
            yield [dict(kind, **item) for item in found.get("items") or []]
            more = (found.get("metadata") or {}).get("continue")
            if not more:
                return
            parameters["continue"] = more

    def text(self, path: str, query: dict[str, str] | None = None, timeout: float | None = None) -> str:
        """Return the response at a path as text. The request is never repeated (for pod proxies and health endpoints)."""
        return self._repeat("GET", path, query, None, {"Accept": "*/*"}, 0, timeout, plain=True)

    def apply(self, path: str, content: dict[str, Any], manager: str, force: bool, dry_run: bool) -> dict[str, Any]:
        """Apply an object with server-side apply (https://kubernetes.io/docs/reference/using-api/server-side-apply/).

        :param manager: field manager that will own the fields.
        :param force: take over fields that another manager owns.
        :param dry_run: let the server validate the request without persisting it.
        :returns: the resulting object.
        """
        query = {"fieldManager": manager, "fieldValidation": "Strict", "force": "true" if force else "false"}
        if dry_run:
            query["dryRun"] = "All"
        headers = {"Accept": "application/json", "Content-Type": "application/apply-patch+yaml"}
        return self._repeat("PATCH", path, query, json.dumps(content).encode(), headers, None, None)

    def create(self, path: str, content: Mapping[str, Any], manager: str = "", dry_run: bool = False) -> dict[str, Any]:
        """Create an object in the collection at a path.

        The request is repeated if the connection breaks before the response arrives: a conflict (409, ``AlreadyExists``) can then be
        caused by the object that this call has created.

        :param manager: field manager that will own the fields.
        """
        return self._write("POST", path, content, "application/json", manager, dry_run)

    def replace(
        self, path: str, content: Mapping[str, Any], manager: str = "", dry_run: bool = False
    ) -> dict[str, Any]:
        """Replace an object; if it sets metadata.resourceVersion, only that version of it (409, ``Conflict``, otherwise)."""
        return self._write("PUT", path, content, "application/json", manager, dry_run)

    def patch(
        self, path: str, content: Any, kind: str = "merge", manager: str = "", dry_run: bool = False
    ) -> dict[str, Any]:
        """Patch an object.

        :param kind: ``merge`` (RFC 7386), ``json`` (RFC 6902) or ``strategic``, which merges lists by their keys.
        """
        return self._write("PATCH", path, content, PATCHES[kind], manager, dry_run)

    def delete(
        self,
        path: str,
        uid: str | None = None,
        propagation: str = "Background",
        dry_run: bool = False,
        version: str | None = None,
    ) -> bool:
        """Delete an object and, in the background, its dependents.

        :param uid: delete the object only if it has this UID.
        :param propagation: ``Background``, ``Foreground`` or ``Orphan``.
        :param version: delete the object only if it has this resourceVersion.
        :returns: whether the object existed and met the conditions.
        """
        options: dict[str, Any] = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation}
        conditions = {name: value for name, value in (("uid", uid), ("resourceVersion", version)) if value}
        if conditions:
            options["preconditions"] = conditions
        if dry_run:
            options["dryRun"] = ["All"]
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        try:
            self._repeat("DELETE", path, None, json.dumps(options).encode(), headers, None, None)
        except ApiError as error:
            if error.status == 404 or (conditions and error.status == 409):
                return False
            raise
        return True

    def each(self, function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
        """Call a function for every item in parallel and return the results in the order of the items. Calls must not be nested."""
        if self._pool is None:
            from concurrent.futures import (
                ThreadPoolExecutor,  # importing it takes 10 ms, which a single request can do without
            )

            self._pool = ThreadPoolExecutor(max_workers=self.threads)
        return list(self._pool.map(function, items))

    def is_transient(self, error: ApiError) -> bool:
        """Return whether the request that failed with this error may succeed a moment later."""
        return error.transient or self.administrator and error.status == 403

    def _write(self, method: str, path: str, content: Any, form: str, manager: str, dry_run: bool) -> dict[str, Any]:
        query = {"fieldManager": manager, "dryRun": "All" if dry_run else ""}
        headers = {"Accept": "application/json", "Content-Type": form}
        parameters = {key: value for key, value in query.items() if value}
        return self._repeat(method, path, parameters, json.dumps(content).encode(), headers, None, None)

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
            used = self.credentials
            try:
                return self._once(method, target, body, headers, timeout or self.timeout, plain)
            except ApiError as error:
                if error.status == 401 and self._renew(used):
                    continue
                if not self.is_transient(error) or time.monotonic() >= deadline:
                    raise
            except ssl.SSLCertVerificationError as error:
                raise Unreachable(why_untrusted(self.credentials, error)) from error
            except (OSError, http.client.HTTPException) as error:
                self._drop()
                if time.monotonic() >= deadline:
                    raise Unreachable(why_unreachable(self.credentials, error)) from error
            time.sleep(pause)
            pause = min(pause * 2, 2)

    def _once(
        self, method: str, target: str, body: bytes | None, headers: dict[str, str], timeout: float, plain: bool
    ) -> Any:
        connection = self._connection(timeout)
        with self._lock:
            self.requests += 1
        connection.putrequest(method, target_of(self.credentials, target), skip_accept_encoding=True)
        for name, value in [*headers.items(), *headers_of(self.credentials)]:
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        response = connection.getresponse()
        content = response.read()
        if self.skew is None:
            self.skew = _skew(response.getheader("Date") or "")
        foreign = not plain and (response.status >= 400 or content[:1] not in (b"{", b"["))
        why = why_foreign(self.credentials, response.status, content, target.partition("?")[0]) if foreign else ""
        if why:
            raise Unreachable(why)
        if response.status >= 400:
            raise _api_error(response.status, content, method, target, self.credentials.whom)
        return content.decode(errors="replace") if plain else json.loads(content)

    def _renew(self, used: Credentials) -> bool:
        """Renew a token or a client certificate if possible; at most once a minute, so that a real rejection is reported immediately.

        :param used: the credentials that the server has not accepted. Another thread may have renewed them.
        :returns: whether to repeat the request.
        """
        with self._lock:
            if self.credentials is not used:
                return True
            if self.credentials.renew is None or time.monotonic() - self._renewed < 60 and self._renewed:
                return False
            self._renewed = time.monotonic()
            found = replace(used, **self.credentials.renew())
            if found.certificate != used.certificate:
                self._context = tls_context(found)
            self.credentials = found  # last: who sees these credentials must also see their certificate
            return True

    def _connection(self, timeout: float) -> http.client.HTTPConnection:
        connection = getattr(self._local, "connection", None)
        context = self._context
        if connection is not None and self._local.context is not context:
            self._drop()  # it was opened with an earlier client certificate
            connection = None
        if connection is None:
            connection = self._local.connection = open_connection(self.credentials, context, timeout)
            self._local.context = context
        connection.timeout = timeout
        if connection.sock is not None:
            connection.sock.settimeout(timeout)
        return connection

    def _drop(self) -> None:
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None


def now_of(client: Any) -> float:
    """Return the time of the API server (seconds since the epoch), with which the times in its objects are compared."""
    return time.time() + (getattr(client, "skew", None) or 0.0)


def _skew(date: str) -> float:
    """Return by how much a server's clock is ahead. Its time has whole seconds; less than 2 of them are none."""
    try:
        ahead = parsedate_to_datetime(date).timestamp() - time.time()
    except (TypeError, ValueError):
        return 0.0
    return ahead if abs(ahead) >= 2 else 0.0


def _api_error(status: int, content: bytes, method: str, path: str, whom: str) -> ApiError:
    try:
        answer = json.loads(content)
        if not isinstance(answer, dict) or answer.get("kind") != "Status":
            raise ValueError
    except ValueError:
        return ApiError(
            status, http.client.responses.get(status, ""), content.decode(errors="replace").strip()[:2000], method, path
        )
    message = answer.get("message") or ""
    if status == 401:
        message = (
            f"the API server does not accept {whom} ({message}). The certificate or token has expired or belongs to another cluster: "
            "renew it, or use another kubeconfig"
        )
    causes = (answer.get("details") or {}).get("causes") or []
    continue_token = (answer.get("metadata") or {}).get("continue") or ""
    return ApiError(status, answer.get("reason") or "", message, method, path, causes, continue_token)
