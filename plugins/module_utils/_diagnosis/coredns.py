# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test a CoreDNS pod: readiness and metrics through the API server's proxy, and a DNS query over UDP if the pod is reachable."""

from __future__ import annotations

import http.client
import os
import re
import socket
import struct
from typing import Mapping

from .._kube.api import ApiError, Client, Unreachable
from .view import Object, named

TIMEOUT = 2
SERVER_FAILURE = 2
CODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 5: "REFUSED"}
# Ports of the CoreDNS plugins ready and prometheus (https://coredns.io/plugins/).
READY, METRICS = 8181, 9153


def check_coredns(client: Client, pod: Object, address: str, domain: str) -> tuple[list[str], str]:
    """Test one CoreDNS pod.

    :param domain: the DNS domain of the cluster; if it is empty, only a server failure counts as a fault.
    :returns: the fault (a title and the evidence), and what could not be tested, with the reason.
    """
    name = f"kubernetes.default.svc.{domain or 'cluster.local'}"
    try:
        # Some networks redirect every DNS query to their own server, so verify first that this is CoreDNS.
        is_coredns(address)
        code, count = query(address, name)
    except (OSError, http.client.HTTPException) as error:
        return _by_proxy(client, pod, f"{address} is unreachable from here ({str(error) or 'no answer'})")
    if (code == 0 and count) or (not domain and code != SERVER_FAILURE):
        return _upstream(client, pod), ""
    return [
        f"CoreDNS does not resolve {name}",
        f"pod {named(pod)} ({address}) answered {CODES.get(code, str(code))} with {count} addresses",
    ], ""


def is_coredns(address: str) -> None:
    """Verify that a CoreDNS pod answers at an address.

    :raises OSError: nothing answers, or another server does.
    """
    connection = http.client.HTTPConnection(address, READY, timeout=TIMEOUT)
    try:
        connection.request("GET", "/ready")
        answer = connection.getresponse()
        if answer.status != 200 or answer.read(16).strip() != b"OK":
            raise OSError("another server answers at this address")
    finally:
        connection.close()


def query(address: str, name: str, timeout: float = TIMEOUT) -> tuple[int, int]:
    """Query a DNS server for the IPv4 address of a name (RFC 1035).

    :param timeout: in seconds.
    :returns: the response code and the number of answer records.
    :raises OSError: there is no valid response in time.
    """
    number = int.from_bytes(os.urandom(2), "big")
    labels = b"".join(struct.pack("B", len(part)) + part.encode() for part in name.rstrip(".").split("."))
    # Recursion desired; one question: type A, class IN.
    message = struct.pack(">HHHHHH", number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", 1, 1)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as channel:
        channel.settimeout(timeout)
        channel.connect((address, 53))
        channel.send(message)
        answer = channel.recv(4096)
    if len(answer) < 12 or answer[:2] != message[:2]:
        raise OSError("the response does not match the query")
    flags, _questions, count = struct.unpack(">HHH", answer[2:8])
    return flags & 0xF, count


def _get(client: Client, pod: Object, port: int, path: str) -> str:
    """Send a request to a port of a pod through the API server's proxy."""
    metadata = pod["metadata"]
    proxy = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}:{port}/proxy"
    return client.text(f"{proxy}/{path}", timeout=TIMEOUT + 1)


def _by_proxy(client: Client, pod: Object, why: str) -> tuple[list[str], str]:
    try:
        _get(client, pod, READY, "ready")
    except ApiError as error:
        if error.status == 503 and not re.search(r"trying to reach|proxy|connect", error.message):
            return ["CoreDNS is not ready", f"pod {named(pod)}: {error.message.strip()}"], ""
        return [], f"{why}, and not through the API server either: {error.message.strip()}"
    except Unreachable as error:
        return [], f"{why}, and not through the API server either: {error}"
    found = _upstream(client, pod)
    return found, "" if found else f"{why}; CoreDNS reports that it is ready"


def _upstream(client: Client, pod: Object) -> list[str]:
    """Return the fault if the metrics of CoreDNS show that external names are not resolved."""
    try:
        text = _get(client, pod, METRICS, "metrics")
    except (ApiError, Unreachable):
        return []
    return upstream_problem(counters(text), named(pod))


def counters(text: str) -> dict[str, float]:
    """Sum the CoreDNS counters of a metrics page by name; responses by name and response code."""
    found: dict[str, float] = {}
    for line in text.splitlines():
        parts = re.match(r"(\w+)(?:\{(.*)\})? ([0-9.e+-]+)$", line)
        if parts and parts.group(1).startswith("coredns_"):
            code = re.search(r'rcode="(\w+)"', parts.group(2) or "")
            name = parts.group(1) + ("/" + code.group(1) if code else "")
            found[name] = found.get(name, 0.0) + float(parts.group(3))
    return found


def upstream_problem(found: Mapping[str, float], pod: str) -> list[str]:
    """Return the fault (a title and the evidence) if the upstream DNS servers fail, by the counters since CoreDNS started."""
    broken = found.get("coredns_forward_healthcheck_broken_total", 0.0)
    failed = found.get("coredns_dns_responses_total/SERVFAIL", 0.0)
    every = sum(value for name, value in found.items() if name.startswith("coredns_dns_responses_total/"))
    if broken >= 1 and failed > 10 and failed * 2 > every:
        return [
            "CoreDNS does not reach its upstream DNS servers",
            f"pod {pod}: {failed:.0f} of {every:.0f} responses are SERVFAIL, and all upstream servers were unhealthy {broken:.0f} times",
        ]
    return []
