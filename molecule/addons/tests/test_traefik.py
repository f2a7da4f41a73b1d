# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Traefik with its own kinds, as the example `ingress` uses them, a TCP route, and Ingresses with annotations of ingress-nginx."""

from __future__ import annotations

import base64
import http.client
import json
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.kube import Kube, call, eventually
from harness.origin import addons
from harness.playbook import ROOT, Run, run

PARTS = addons(["metallb", "traefik"])
pytestmark = pytest.mark.skipif("traefik" not in PARTS, reason="the origin was not asked for Traefik")
EXAMPLE = str(ROOT / "examples" / "ingress" / "deploy.yml")
SPACE = "ingress-example"
SETTINGS = {
    "metallb": {"addresses": ["10.123.15.200-10.123.15.220"]},
    "traefik": {"ingress_nginx": True, "tcp_ports": {"echo": 7000}},
}


def play(kube: Kube, folder: Path, name: str = "slipway.kube.addons", **variables: Any) -> Run:
    return run(name, kube.inventory, folder, "-e", json.dumps(variables)).succeeded()


@pytest.fixture(scope="module")
def address(kube: Kube) -> Iterator[str]:
    """The address of Traefik, which serves the example."""
    folder = kube.inventory.parent / "output-traefik"
    play(kube, folder / "addons", kube_addons=PARTS, kube_addons_settings=SETTINGS)
    assert not play(kube, folder / "again", kube_addons=PARTS, kube_addons_settings=SETTINGS).changed()
    play(kube, folder / "example", EXAMPLE)
    yield kube.get("service", "traefik", "traefik")["status"]["loadBalancer"]["ingress"][0]["ip"]
    kube.remove_namespaces([SPACE])
    play(kube, folder / "gone", kube_addons_set="none")


def ask(
    address: str, host: str, path: str = "/hostname", port: int = 443, **headers: str
) -> tuple[int, str, dict[str, str]]:
    """Return status, body and headers; status 0 if there is no answer."""
    connection: http.client.HTTPConnection
    if port == 443:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(address, port, timeout=15, context=context)
    else:
        connection = http.client.HTTPConnection(address, port, timeout=15)
    try:
        connection.request("GET", path, headers={"Host": host, **headers})
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), dict(answer.getheaders())
    except OSError:
        return 0, "", {}
    finally:
        connection.close()


def served(address: str, host: str, path: str, port: int = 443) -> tuple[str, dict[str, str]]:
    """Return body and headers of the first answer with status 200."""
    eventually(lambda: ask(address, host, path, port)[0] == 200, 30, f"{host}{path} is served at port {port}")
    return ask(address, host, path, port)[1:]


def test_two_hosts_and_a_path_that_leads_to_another_service(kube: Kube, address: str) -> None:
    for host in ("www.example.com", "shop.example.com"):
        assert served(address, host, "/hostname")[0].startswith("site-")
    # The API answers /api/… with what it answers to unknown paths, since nothing is stripped there.
    assert served(address, "shop.example.com", "/api")[0].startswith("NOW:")
    assert ask(address, "nobody.example.com")[0] == 404


def test_the_path_is_rewritten(address: str) -> None:
    assert served(address, "api.example.com", "/v1/hostname")[0].startswith("api-")
    assert ask(address, "api.example.com", "/hostname")[0] == 404


def test_the_certificate_is_that_of_the_secret(kube: Kube, address: str) -> None:
    certificate = base64.b64decode(kube.get("secret", "example-tls", SPACE)["data"]["tls.crt"]).decode()
    context = ssl.create_default_context(cadata=certificate)
    with socket.create_connection((address, 443), 10) as plain:
        context.wrap_socket(plain, server_hostname="www.example.com").close()


def test_http_is_redirected(address: str) -> None:
    status, _body, headers = ask(address, "www.example.com", "/hostname", 80)
    assert status in (301, 308) and headers["Location"] == "https://www.example.com/hostname"


def test_sessions_stick_to_their_pod(address: str) -> None:
    first, headers = served(address, "www.example.com", "/hostname")
    cookie = headers["Set-Cookie"].split(";")[0]
    assert cookie.startswith("site=")
    assert {ask(address, "www.example.com", "/hostname", Cookie=cookie)[1] for _attempt in range(10)} == {first}
    eventually(
        lambda: ask(address, "www.example.com", "/hostname")[1] != first, 10, "without the cookie, the other pod"
    )


def test_too_many_requests_are_refused(address: str) -> None:
    statuses = [ask(address, "api.example.com", "/v1/hostname")[0] for _attempt in range(80)]
    assert 429 in statuses and statuses.count(200) >= 20
    eventually(lambda: ask(address, "api.example.com", "/v1/hostname")[0] == 200, 10, "the limit is one of a second")


def test_a_backend_that_does_not_answer_in_time(address: str) -> None:
    # The limit of requests may still be exceeded at first.
    slow = "/v1/shell?cmd=sleep+13"
    eventually(lambda: ask(address, "api.example.com", slow)[0] == 504, 40, "an answer that Traefik gives itself")


def test_a_tcp_route(kube: Kube, address: str) -> None:
    route = {
        "apiVersion": "traefik.io/v1alpha1",
        "kind": "IngressRouteTCP",
        "metadata": {"name": "echo"},
        "spec": {
            "entryPoints": ["echo"],
            "routes": [{"match": "HostSNI(`*`)", "services": [{"name": "api", "port": 8080}]}],
        },
    }
    kube.apply([route], SPACE)
    assert served(address, "any.example.com", "/hostname", 7000)[0].startswith("api-")
    kube.kubectl(f"--namespace={SPACE}", "delete", "ingressroutetcp", "echo")


def test_annotations_of_ingress_nginx(kube: Kube, address: str, folder: Path) -> None:
    prefix = "nginx.ingress.kubernetes.io"
    path = {
        "path": "/",
        "pathType": "Prefix",
        "backend": {"service": {"name": "site", "port": {"number": 80}}},
    }
    ingress = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {
            "name": "old",
            "annotations": {
                f"{prefix}/enable-cors": "true",
                f"{prefix}/cors-allow-origin": "https://example.org",
                f"{prefix}/limit-rps": "5",
            },
        },
        "spec": {"ingressClassName": "nginx", "rules": [{"host": "old.example.com", "http": {"paths": [path]}}]},
    }
    kube.apply([ingress], SPACE)
    served(address, "old.example.com", "/hostname", 80)
    headers = ask(address, "old.example.com", "/hostname", 80, Origin="https://example.org")[2]
    assert headers["Access-Control-Allow-Origin"] == "https://example.org"
    findings = call(kube, folder, "health_info", {"namespaces": [SPACE]}).ok().answer["findings"]
    assert [(one["fault"], one["evidence"]) for one in findings] == [
        ("ingress_annotations_ignored", ["instead of limit-rps: Middleware rateLimit"])
    ]
    kube.kubectl(f"--namespace={SPACE}", "delete", "ingress", "old")
