# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small client of the Kubernetes API for hosts that have Python's standard library and kubectl, no more.

kubectl reads the kubeconfig; requests then go over connections that are kept, so that hundreds of them cost about a second.
"""

from __future__ import annotations

import http.client
import json
import ssl
import subprocess
import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Callable, Iterable, Iterator, Mapping, TypeVar
from urllib.parse import quote, urlencode

from .connection import headers_of, open_connection, target_of, tls_context
from .kubeconfig import Credentials, KubeconfigError, read_credentials

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

Item = TypeVar("Item")
Result = TypeVar("Result")

# Objects that one request of a list brings: enough to be quick, few enough to be small.
PAGE = 500
PATCHES = {
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
    "strategic": "application/strategic-merge-patch+json",
}

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
    # Where an outdated list goes on (410, Expired).
    proceed: str = ""

    def __str__(self) -> str:
        if self.status == 401:  # whatever was asked: it is about who asks
            return self.message[:1].upper() + self.message[1:] + "."
        if self.status == 403 and self.reason == "Forbidden":  # it names the user, the verb and the resource
            return f"Forbidden: {self.message.rstrip('.')}. Grant it with a Role, or act as somebody who may."
        return f"{self.method} {self.path}: {self.status} {self.reason}: {self.message}"

    @property
    def passing(self) -> bool:
        """Whether the same request may succeed a moment later."""
        if self.status in PASSING:
            return True
        return self.status == 500 and any(text in self.message for text in PASSING_MESSAGES)


def view_kubeconfig(kubectl: str, kubeconfig: str) -> dict[str, Any]:
    """Return the content of a kubeconfig with all files embedded, read by kubectl: a managed host need not have PyYAML.

    :param kubectl: path of the program.
    :param kubeconfig: path of the file.
    :raises KubeconfigError: kubectl cannot run, or cannot read the file.
    """
    command = [kubectl, "config", "view", "--raw", "--flatten", "--output", "json", "--kubeconfig", kubeconfig]
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=60)
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
        self.requests = 0  # sent so far, repeated ones too
        self._lock = threading.Lock()
        self._local = threading.local()
        self._pool: ThreadPoolExecutor | None = None
        self._context = tls_context(credentials)
        self._renewed = 0.0

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

    def items(
        self, path: str, query: Mapping[str, str] | None = None, trim: Callable[[dict[str, Any]], Any] | None = None
    ) -> list[dict[str, Any]]:
        """Return the items of a list, empty where the collection is not there. Each says its kind, which a list leaves out.

        :param query: selectors; the list is read in pages all the same.
        :param trim: what to keep of each item, called before the next page is read, so that big lists stay small.
        """
        found: list[dict[str, Any]] = []
        for page in self.pages(path, query):
            found += [trim(item) for item in page] if trim else page
        return found

    def pages(
        self, path: str, query: Mapping[str, str] | None = None, limit: int = PAGE
    ) -> Iterator[list[dict[str, Any]]]:
        """Give a list page by page (https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks).

        :param limit: items in one page.
        """
        asked = dict(query or {}, limit=str(limit))
        while True:
            try:
                found = self.get(path, asked)
            except ApiError as error:
                if error.status == 404:
                    return
                if error.status != 410 or not error.proceed:
                    raise
                # The list grew too old while it was read: the server goes on from there with what is there now.
                asked["continue"] = error.proceed
                continue
            who = {"kind": str(found.get("kind") or "")[: -len("List")], "apiVersion": found.get("apiVersion")}
            yield [dict(who, **item) for item in found.get("items") or []]
            more = (found.get("metadata") or {}).get("continue")
            if not more:
                return
            asked["continue"] = more

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

    def create(self, path: str, content: Mapping[str, Any], manager: str = "", dry_run: bool = False) -> dict[str, Any]:
        """Create an object in the collection at a path.

        Where the connection broke before the answer came, the request is repeated: a conflict (409, C(AlreadyExists)) can then be this
        call's own object.

        :param manager: field manager that will own the fields.
        """
        return self._write("POST", path, content, "application/json", manager, dry_run)

    def replace(
        self, path: str, content: Mapping[str, Any], manager: str = "", dry_run: bool = False
    ) -> dict[str, Any]:
        """Replace an object. With metadata.resourceVersion in it, only where nobody changed it since (409, C(Conflict), otherwise)."""
        return self._write("PUT", path, content, "application/json", manager, dry_run)

    def patch(
        self, path: str, content: Any, kind: str = "merge", manager: str = "", dry_run: bool = False
    ) -> dict[str, Any]:
        """Change parts of an object.

        :param kind: C(merge) (RFC 7386), C(json) (RFC 6902) or C(strategic), which knows lists by their keys.
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
        """Delete an object and, in the background, what it owns.

        :param uid: delete it only where it is still this one.
        :param version: delete it only where nobody has changed it since it had this resourceVersion.
        :param propagation: C(Background), C(Foreground) or C(Orphan).
        :returns: whether there was such a one to delete.
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
        """Call a function for every item, several at once; results in the items' order. Not to be nested."""
        if self._pool is None:
            from concurrent.futures import ThreadPoolExecutor  # 10 ms that a call with one request does not need

            self._pool = ThreadPoolExecutor(max_workers=self.threads)
        return list(self._pool.map(function, items))

    def _write(self, method: str, path: str, content: Any, form: str, manager: str, dry_run: bool) -> dict[str, Any]:
        query = {"fieldManager": manager, "dryRun": "All" if dry_run else ""}
        headers = {"Accept": "application/json", "Content-Type": form}
        asked = {key: value for key, value in query.items() if value}
        return self._repeat(method, path, asked, json.dumps(content).encode(), headers, None, None)

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
                if error.status == 401 and self._renew():
                    continue
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
        if response.status >= 400:
            raise _refusal(response.status, content, method, target, self.credentials.whom)
        return content.decode(errors="replace") if plain else json.loads(content)

    def _renew(self) -> bool:
        """Get a new token where there is a way to; at most once a minute, so that a real refusal is told at once."""
        with self._lock:
            if self.credentials.renew is None or time.monotonic() - self._renewed < 60 and self._renewed:
                return False
            self._renewed = time.monotonic()
            self.credentials = replace(self.credentials, token=self.credentials.renew())
            return True

    def _connection(self, timeout: float) -> http.client.HTTPConnection:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = open_connection(self.credentials, self._context, timeout)
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
            f"The API server at {self.credentials.server} does not answer: {error or type(error).__name__}. See that it runs there "
            "(crictl ps -a | grep kube-apiserver) and that the address is right."
        )

    def _untrusted(self, error: ssl.SSLCertVerificationError) -> str:
        if "expired" in error.verify_message:
            return "The certificate of the API server at {} is no longer valid: {}. Renew the control plane's certificates (kubeadm certs renew).".format(
                self.credentials.server, error.verify_message.rstrip(".")
            )
        return (
            "The certificate of the API server at {} is not one that the kubeconfig trusts: {}. The kubeconfig belongs to another cluster, "
            "or the server's certificate lacks this name or address (kubeadm: certSANs).".format(
                self.credentials.server, error.verify_message.rstrip(".")
            )
        )


def _refusal(status: int, content: bytes, method: str, path: str, whom: str) -> ApiError:
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
            f"the API server does not accept {whom} ({message}). Its certificate or token is not of this cluster, or has ended: "
            "renew it, or name another kubeconfig"
        )
    causes = (answer.get("details") or {}).get("causes") or []
    proceed = (answer.get("metadata") or {}).get("continue") or ""
    return ApiError(status, answer.get("reason") or "", message, method, path, causes, proceed)
