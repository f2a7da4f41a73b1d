# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the client sends and makes of the answers: a server on the loopback keeps every request, plain, with TLS and behind a proxy."""

from __future__ import annotations

import dataclasses
import json
import os
import select
import socket
import socketserver
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._kube import api, connection
from ansible_collections.slipway.kube.plugins.module_utils._kube.api import ApiError, Client, Unreachable
from ansible_collections.slipway.kube.plugins.module_utils._kube.kubeconfig import Credentials, KubeconfigError

Answer = Callable[["Request"], tuple[int, Any]]


@dataclasses.dataclass
class Request:
    """One request as the server saw it."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: Any

    @property
    def path(self) -> str:
        """The path alone."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        """The query."""
        return {key: values[0] for key, values in parse_qs(urlsplit(self.target).query).items()}

    def header(self, name: str) -> list[str]:
        """All values of a header."""
        return [value for key, value in self.headers if key.lower() == name.lower()]


class Server(ThreadingHTTPServer):
    """Keeps requests, and answers with what the test says."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[Request] = []
        self.answer: Answer = lambda _request: (200, {})


class Handler(BaseHTTPRequestHandler):
    """Any method; CONNECT makes a tunnel, as a proxy does."""

    protocol_version = "HTTP/1.1"
    server: Server

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = Request(self.command, self.path, self.headers.items(), json.loads(body) if body else None)
        self.server.requests.append(request)
        status, content = self.server.answer(request)
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

    def do_CONNECT(self) -> None:
        self.server.requests.append(Request("CONNECT", self.path, self.headers.items(), None))
        host, port = self.path.rsplit(":", 1)
        with socket.create_connection((host, int(port))) as other:
            self.send_response(200)
            self.end_headers()
            pairs = {self.connection: other, other: self.connection}
            while True:
                for source in select.select(list(pairs), [], [], 5)[0]:
                    data = source.recv(65536)
                    if not data:
                        self.close_connection = True
                        return
                    pairs[source].sendall(data)

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""


def serve(server: Server) -> None:
    """Let a server run in a thread."""
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()


@pytest.fixture
def server() -> Iterator[Server]:
    """A plain server for the time of a test."""
    running = Server()
    serve(running)
    yield running
    running.shutdown()
    running.server_close()


def client(server: Server, **more: Any) -> Client:
    """A client of that server."""
    return Client(Credentials("http://127.0.0.1:%d" % server.server_port, **more), timeout=5, patience=1, threads=2)


def status(code: int, reason: str, message: str = "", **more: Any) -> tuple[int, Any]:
    """A refusal as the API server writes it."""
    return code, {"kind": "Status", "reason": reason, "message": message, **more}


def test_a_big_list_is_read_in_pages_and_trimmed_on_the_way(server: Server) -> None:
    def answer(request: Request) -> tuple[int, Any]:
        start = int(request.query.get("continue", "0"))
        items = [{"metadata": {"name": f"p{number}"}} for number in range(start, min(start + 500, 1200))]
        more = str(start + 500) if start + 500 < 1200 else ""
        return 200, {"kind": "PodList", "apiVersion": "v1", "metadata": {"continue": more}, "items": items}

    server.answer = answer
    one = client(server)
    found = one.items("/api/v1/pods", {"labelSelector": "a=b"}, trim=lambda pod: pod["metadata"]["name"])
    assert found == [f"p{number}" for number in range(1200)]
    assert [request.query for request in server.requests] == [
        {"labelSelector": "a=b", "limit": "500"},
        {"labelSelector": "a=b", "limit": "500", "continue": "500"},
        {"labelSelector": "a=b", "limit": "500", "continue": "1000"},
    ]
    assert one.requests == 3
    assert one.items("/api/v1/pods")[0] == {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "p0"}}


def test_a_list_that_grew_too_old_goes_on_from_where_it_was(server: Server) -> None:
    def answer(request: Request) -> tuple[int, Any]:
        step = request.query.get("continue")
        if step == "old":
            return status(410, "Expired", "too old", metadata={"continue": "fresh"})
        item = {"metadata": {"name": step or "first"}}
        return 200, {"kind": "PodList", "metadata": {"continue": "" if step else "old"}, "items": [item]}

    server.answer = answer
    assert [pod["metadata"]["name"] for pod in client(server).items("/api/v1/pods")] == ["first", "fresh"]
    server.answer = lambda _request: status(410, "Expired", "too old")
    with pytest.raises(ApiError, match="too old"):
        client(server).items("/api/v1/pods")
    server.answer = lambda _request: status(404, "NotFound")
    assert client(server).items("/api/v1/pods") == []


def test_objects_are_created_replaced_and_patched(server: Server) -> None:
    one = client(server)
    one.create("/c", {"a": 1}, manager="m", dry_run=True)
    one.replace("/c/n", {"metadata": {"resourceVersion": "5"}})
    for kind in ("merge", "json", "strategic"):
        one.patch("/c/n", [1], kind)
    one.delete("/c/n", uid="u", propagation="Foreground", dry_run=True)
    seen = server.requests
    assert [(request.method, request.path) for request in seen] == [
        ("POST", "/c"),
        ("PUT", "/c/n"),
        *[("PATCH", "/c/n")] * 3,
        ("DELETE", "/c/n"),
    ]
    assert seen[0].query == {"fieldManager": "m", "dryRun": "All"} and seen[0].body == {"a": 1}
    assert seen[1].query == {} and seen[1].body == {"metadata": {"resourceVersion": "5"}}
    assert [request.header("Content-Type") for request in seen[2:5]] == [
        ["application/merge-patch+json"],
        ["application/json-patch+json"],
        ["application/strategic-merge-patch+json"],
    ]
    assert seen[5].body["preconditions"] == {"uid": "u"} and seen[5].body["dryRun"] == ["All"]
    assert seen[5].body["propagationPolicy"] == "Foreground"


def test_a_replacement_that_comes_too_late_is_refused(server: Server) -> None:
    server.answer = lambda _request: status(409, "Conflict", "the object has been modified")
    with pytest.raises(ApiError) as caught:
        client(server).replace("/c/n", {})
    assert (caught.value.status, caught.value.reason) == (409, "Conflict") and len(server.requests) == 1


def test_who_asks_is_told_in_headers(server: Server) -> None:
    client(
        server, token="t", headers=(("Impersonate-User", "bob"), ("Impersonate-Group", "a"), ("Impersonate-Group", "b"))
    ).get("/x")
    client(server, username="me", password="pw").get("/x")
    client(server, token="t", headers=(("Authorization", "Basic other"),)).get("/x")
    first, second, third = server.requests
    assert first.header("Authorization") == ["Bearer t"]
    assert (first.header("Impersonate-User"), first.header("Impersonate-Group")) == (["bob"], ["a", "b"])
    assert second.header("Authorization") == ["Basic bWU6cHc="]
    assert third.header("Authorization") == ["Basic other"]


def test_refusals_name_who_may_not_do_what(server: Server) -> None:
    server.answer = lambda _request: status(401, "Unauthorized", "Unauthorized")
    with pytest.raises(
        ApiError, match=r"^The API server does not accept user 'kubernetes-admin' .Unauthorized..*renew"
    ):
        client(server, user="kubernetes-admin").get("/x")
    message = 'pods is forbidden: User "bob" cannot list resource "pods" in API group "" in the namespace "web"'
    server.answer = lambda _request: status(403, "Forbidden", message)
    with pytest.raises(ApiError, match=r'^Forbidden: .*User "bob" cannot list resource "pods".*Grant the permission'):
        client(server).get("/x")


def test_a_token_is_renewed_once(server: Server) -> None:
    tokens = iter(["second", "third"])
    server.answer = lambda request: (
        (200, {}) if request.header("Authorization") == ["Bearer second"] else status(401, "Unauthorized")
    )
    one = client(server, token="first", renew=lambda: {"token": next(tokens)})
    assert one.get("/x") == {} and one.get("/x") == {}
    assert [request.header("Authorization")[0] for request in server.requests] == [
        "Bearer first",
        "Bearer second",
        "Bearer second",
    ]
    server.answer = lambda _request: status(401, "Unauthorized")
    with pytest.raises(ApiError):
        one.get("/x")
    assert next(tokens) == "third"


def test_a_thread_whose_token_another_one_has_renewed_repeats_its_request(server: Server) -> None:
    both = threading.Barrier(2, timeout=5)

    def answer(request: Request) -> tuple[int, Any]:
        if request.header("Authorization") == ["Bearer second"]:
            return 200, {}
        both.wait()
        return status(401, "Unauthorized")

    server.answer = answer
    tokens = iter(["second", "third"])
    one = client(server, token="first", renew=lambda: {"token": next(tokens)})
    assert one.each(one.get, ["/a", "/b"]) == [{}, {}] and next(tokens) == "third", "it is renewed once"


def test_a_client_certificate_is_renewed_with_its_connections(
    server: Server, make_certificate: Callable[..., Any]
) -> None:
    pairs = [make_certificate(days) for days in (5, 6)]
    secure = Server()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pairs[0].certificate, pairs[0].key)
    for pair in pairs:
        context.load_verify_locations(pair.certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    secure.socket = context.wrap_socket(secure.socket, server_side=True)
    serve(secure)
    connections: list[int] = []

    def answer(_request: Request) -> tuple[int, Any]:
        connections.append(1)
        return (200, {}) if len(connections) > 1 else status(401, "Unauthorized")

    secure.answer = answer
    parts = [
        {"certificate": pair.certificate.read_bytes(), "key": pair.key.read_bytes(), "token": ""} for pair in pairs
    ]
    address = "https://127.0.0.1:%d" % secure.server_port
    first = Credentials(address, authority=parts[0]["certificate"], renew=lambda: parts[1], **parts[0])
    one = Client(first, timeout=5, patience=0)
    opened = one._context
    try:
        assert one.get("/x") == {}
        assert one.credentials.certificate == parts[1]["certificate"]
        assert one._context is not opened and one._local.context is one._context
    finally:
        secure.shutdown()


def test_no_thread_sees_new_credentials_with_the_earlier_certificate(monkeypatch: pytest.MonkeyPatch) -> None:
    renewed = {"certificate": b"new", "key": b"new", "token": "second"}
    one = Client(Credentials("https://192.0.2.1", token="first", renew=lambda: renewed))
    used, seen = one.credentials, []

    def make(given: Credentials) -> Any:
        # Another thread that begins a request now would be refused with its earlier certificate, and could not renew it again.
        seen.append(one.credentials is used)
        return object()

    monkeypatch.setattr(api, "tls_context", make)
    assert one._renew(used) and seen == [True] and one.credentials.token == "second"


def test_plain_requests_go_through_a_proxy(server: Server) -> None:
    proxy = "http://me:pw@127.0.0.1:%d" % server.server_port
    Client(Credentials("http://api.example:8080", proxy=proxy), timeout=5, patience=0).get("/x", {"a": "b"})
    (request,) = server.requests
    assert request.target == "http://api.example:8080/x?a=b"
    assert request.header("Proxy-Authorization") == ["Basic bWU6cHc="]


def serve_tls(pair: Any) -> Server:
    """Start a server with this certificate."""
    secure = Server()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    secure.socket = context.wrap_socket(secure.socket, server_side=True)
    serve(secure)
    return secure


def test_tls_goes_through_a_tunnel_and_checks_the_server(
    server: Server, make_certificate: Callable[[int], Any]
) -> None:
    pair = make_certificate(3)
    secure = serve_tls(pair)
    address = "https://127.0.0.1:%d" % secure.server_port
    trusted = Credentials(address, authority=pair.certificate.read_bytes(), token="t")
    try:
        assert Client(trusted, timeout=5, patience=0).get("/direct") == {}
        through = dataclasses.replace(
            trusted,
            proxy="http://127.0.0.1:%d" % server.server_port,
            proxy_headers=(("Proxy-Authorization", "Basic x"),),
        )
        assert Client(through, timeout=5, patience=0).get("/tunnel") == {}
        (tunnel,) = server.requests
        assert (tunnel.method, tunnel.target) == ("CONNECT", address[len("https://") :])
        assert tunnel.header("Proxy-Authorization") == ["Basic x"] and not tunnel.header("Authorization")
        assert [request.path for request in secure.requests] == ["/direct", "/tunnel"]
        assert not secure.requests[1].header("Proxy-Authorization")
        with pytest.raises(Unreachable, match="The kubeconfig does not trust the certificate of the API server at"):
            Client(Credentials(address), timeout=5, patience=0).get("/x")
        assert Client(Credentials(address, verify=False), timeout=5, patience=0).get("/x") == {}
        with pytest.raises(Unreachable, match="The kubeconfig does not trust the certificate of the API server at"):
            Client(dataclasses.replace(trusted, server_name="other.name"), timeout=5, patience=0).get("/x")
    finally:
        secure.shutdown()
        secure.server_close()


def test_an_authority_without_key_identifiers_is_trusted_as_kubectl_trusts_it(
    make_certificate: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Since Python 3.13, the default context refuses such certificates, which managed clusters have."""
    default = ssl.create_default_context

    def strict(**more: Any) -> ssl.SSLContext:
        made = default(**more)
        made.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
        return made

    monkeypatch.setattr(ssl, "create_default_context", strict)
    bare = ("subjectKeyIdentifier=none", "authorityKeyIdentifier=none")
    authority = make_certificate(3, *bare, "basicConstraints=critical,CA:true")
    pair = make_certificate(2, *bare, issuer=authority)
    secure = serve_tls(pair)
    credentials = Credentials("https://127.0.0.1:%d" % secure.server_port, authority=authority.certificate.read_bytes())
    try:
        assert Client(credentials, timeout=5, patience=0).get("/x") == {}
    finally:
        secure.shutdown()
        secure.server_close()
    made = connection.tls_context(credentials)
    assert made is not None and made.verify_flags & ssl.VERIFY_X509_PARTIAL_CHAIN
    assert made.verify_mode == ssl.CERT_REQUIRED and made.check_hostname


def test_certificates_that_are_none_are_told(make_certificate: Callable[[int], Any]) -> None:
    with pytest.raises(KubeconfigError, match="The certificate authority for https://h is not a valid certificate"):
        Client(Credentials("https://h", authority=b"nothing"))
    good, other = make_certificate(3), make_certificate(4)
    with pytest.raises(KubeconfigError, match="does not match its key"):
        Client(Credentials("https://h", certificate=good.certificate.read_bytes(), key=other.key.read_bytes()))


def test_a_key_is_written_to_no_file_where_the_system_can_do_without(
    make_certificate: Callable[[int], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    pair, folders = make_certificate(3), []
    made = tempfile.TemporaryDirectory
    monkeypatch.setattr(tempfile, "TemporaryDirectory", lambda **more: folders.append(made(**more)) or folders[-1])
    credentials = Credentials("https://h", certificate=pair.certificate.read_bytes(), key=pair.key.read_bytes())
    before = len(os.listdir("/proc/self/fd"))
    Client(credentials)
    assert folders == [] and len(os.listdir("/proc/self/fd")) == before

    def forbidden(_name: str) -> int:
        raise OSError

    monkeypatch.setattr(os, "memfd_create", forbidden)
    Client(credentials)
    assert len(folders) == 1 and not os.path.exists(folders[0].name)


def test_what_passes_is_asked_again_and_a_broken_answer_too(server: Server) -> None:
    answers = iter([status(503, "ServiceUnavailable"), status(500, "InternalError", "etcdserver: leader changed")])
    server.answer = lambda _request: next(answers, (200, {"a": 1}))
    one = client(server)
    assert one.get("/x") == {"a": 1} and one.requests == 3


class Socks(socketserver.ThreadingTCPServer):
    """A SOCKS 5 proxy with a user name and a password."""

    daemon_threads = True

    def __init__(self, login: bytes = b"", reply: int = 0) -> None:
        super().__init__(("127.0.0.1", 0), Relay)
        self.login, self.reply = login, reply
        self.asked: list[tuple[str, int]] = []
        self.kinds: list[int] = []


class Relay(socketserver.BaseRequestHandler):
    """One connection: every name leads to this host."""

    server: Socks

    def handle(self) -> None:
        stream = self.request.makefile("rb", buffering=0)
        methods = stream.read(stream.read(2)[1])
        method = 2 if self.server.login else 0
        self.request.sendall(bytes([5, method if method in methods else 255]))
        if method == 2:
            user = stream.read(stream.read(2)[1])
            right = user + b":" + stream.read(stream.read(1)[0]) == self.server.login
            self.request.sendall(bytes([1, 0 if right else 1]))
            if not right:
                return
        assert stream.read(3) == b"\x05\x01\x00"
        (kind,) = stream.read(1)
        families = {1: socket.AF_INET, 4: socket.AF_INET6}
        if kind in families:
            name = socket.inet_ntop(families[kind], stream.read({1: 4, 4: 16}[kind]))
        else:
            name = stream.read(stream.read(1)[0]).decode()
        self.server.kinds.append(kind)
        port = int.from_bytes(stream.read(2), "big")
        self.server.asked.append((name, port))
        self.request.sendall(bytes([5, self.server.reply, 0, 1, 0, 0, 0, 0, 0, 0]))
        if self.server.reply:
            return
        with socket.create_connection(("127.0.0.1", port)) as other:
            pairs = {self.request: other, other: self.request}
            while True:
                for source in select.select(list(pairs), [], [], 5)[0]:
                    data = source.recv(65536)
                    if not data:
                        return
                    pairs[source].sendall(data)


def through(proxy: Socks, server: str, login: str = "", **more: Any) -> Client:
    if not proxy.asked:
        serve(proxy)  # type: ignore[arg-type]
    url = f"socks5://{login}127.0.0.1:{proxy.server_address[1]}"
    return Client(Credentials(server, proxy=url, **more), timeout=5, patience=0)


def test_requests_go_through_a_socks_proxy(server: Server) -> None:
    with Socks(b"me:p@w") as proxy:
        assert through(proxy, f"http://api.example:{server.server_port}", "me:p%40w@").get("/x") == {}
        proxy.shutdown()
    (request,) = server.requests
    assert request.target == "/x" and not request.header("Proxy-Authorization")
    assert proxy.asked == [("api.example", server.server_port)], "the proxy resolves the name"


def test_a_socks_proxy_gets_an_address_as_such(server: Server) -> None:
    """Rules of a proxy for addresses do not apply to names, and not every proxy takes an address for a name."""
    with Socks() as proxy:
        for host in ("10.0.0.1", "[fd00::1]", "api.example"):
            assert through(proxy, f"http://{host}:{server.server_port}").get("/x") == {}
        proxy.shutdown()
    assert [(kind, name) for kind, (name, _port) in zip(proxy.kinds, proxy.asked)] == [
        (1, "10.0.0.1"),
        (4, "fd00::1"),
        (3, "api.example"),
    ]


def test_tls_goes_through_a_socks_proxy(make_certificate: Callable[[int], Any]) -> None:
    pair = make_certificate(3)
    secure = serve_tls(pair)
    with Socks() as proxy:
        address = f"https://127.0.0.1:{secure.server_port}"
        assert through(proxy, address, authority=pair.certificate.read_bytes()).get("/x") == {}
        proxy.shutdown()
    secure.shutdown()
    secure.server_close()


@pytest.mark.parametrize(
    ("login", "reply", "given", "told"),
    [
        (b"me:pw", 0, "", "it demands a user name and a password"),
        (b"me:pw", 0, "me:c4n4ry@", "refuses the user name and the password"),
        (b"", 5, "", "does not connect: the connection is refused"),
        (b"", 4, "", "its name cannot be resolved"),
    ],
)
def test_what_a_socks_proxy_refuses_is_told(server: Server, login: bytes, reply: int, given: str, told: str) -> None:
    with Socks(login, reply) as proxy:
        with pytest.raises(Unreachable, match=told) as caught:
            through(proxy, "http://api.example:8080", given).get("/x")
        proxy.shutdown()
    assert "The proxy 127.0.0.1:" in str(caught.value) and "c4n4ry" not in str(caught.value)
