# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told where no API server answers: real connections to servers that are none."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._kube import failures
from ansible_collections.slipway.kube.plugins.module_utils._kube.api import ApiError, Client, Unreachable
from ansible_collections.slipway.kube.plugins.module_utils._kube.kubeconfig import Credentials

Serve = Callable[[int, bytes], int]


class Other(http.server.BaseHTTPRequestHandler):
    """Answers everything in the same way."""

    answer = (200, b"")

    def do_GET(self) -> None:
        status, content = self.answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Return what starts a server and returns its port."""
    running = []

    def start(status: int, content: bytes) -> int:
        handler = type("Handler", (Other,), {"answer": (status, content)})
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        running.append(server)
        return int(server.server_port)

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


def told(path: str = "/api", **credentials: Any) -> str:
    """What a client says that cannot talk to a server."""
    with pytest.raises(Unreachable) as caught:
        Client(Credentials(**credentials), timeout=3, patience=0, threads=1).get(path)
    return str(caught.value)


def test_a_proxy_that_does_not_answer_is_not_the_api_server(serve: Serve) -> None:
    text = told(server="https://10.1.2.3:6443", proxy="http://user:c4n4ry@127.0.0.1:1")
    assert "through the proxy 127.0.0.1:1" in text and "no_proxy" in text and "c4n4ry" not in text
    text = told(server="https://10.1.2.3:6443", proxy=f"http://127.0.0.1:{serve(407, b'no')}")
    assert "does not connect to the API server at https://10.1.2.3:6443" in text and "Tunnel connection failed" in text


def test_a_name_that_is_not_resolved() -> None:
    text = told(server="https://api.cluster.invalid:6443")
    assert text.startswith("The name api.cluster.invalid of the API server cannot be resolved") and "DNS" in text
    text = told(server="https://10.1.2.3:6443", proxy="http://proxy.invalid:3128")
    assert text.startswith("The name proxy.invalid of the proxy cannot be resolved")


def test_a_wrong_scheme(serve: Serve) -> None:
    port = serve(400, b"Client sent an HTTP request to an HTTPS server.\n")
    assert "expects TLS" in told(server=f"http://127.0.0.1:{port}") and "must be https" in told(
        server=f"http://127.0.0.1:{port}"
    )
    assert "does not use TLS" in told(server=f"https://127.0.0.1:{serve(200, b'x')}")


@pytest.mark.parametrize(
    ("status", "content"),
    [(401, b"Unauthorized"), (403, b"Forbidden (user=x, verb=get, resource=nodes)"), (404, b"404 page not found\n")],
)
def test_another_server(serve: Serve, status: int, content: bytes) -> None:
    text = told(server=f"http://127.0.0.1:{serve(status, content)}")
    assert "is not an API server: it answers /api with status" in text and "login page" in text
    text = failures.why_foreign(Credentials("https://w1:10250"), status, content, "/api")
    assert "Port 10250 is that of a kubelet" in text


def test_a_page_instead_of_an_object(serve: Serve) -> None:
    text = told("/api/v1/namespaces/a", server=f"http://127.0.0.1:{serve(200, b'<html>Please log in</html>')}")
    assert "status 200 and '<html>Please log in</html>'" in text


def test_what_an_api_server_answers_stays_what_it_is(serve: Serve) -> None:
    port = serve(404, b"404 page not found\n")
    client = Client(Credentials(f"http://127.0.0.1:{port}"), timeout=3, patience=0, threads=1)
    assert client.find("/apis/x.io/v1/things/a") is None
    status = b'{"kind": "Status", "message": "no", "reason": "Forbidden"}'
    client = Client(Credentials(f"http://127.0.0.1:{serve(403, status)}"), timeout=3, patience=0, threads=1)
    with pytest.raises(ApiError):
        client.get("/api")
