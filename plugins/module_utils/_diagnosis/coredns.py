# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking a CoreDNS pod: its readiness and its counters through the API server's proxy, and a name over UDP where it is reached."""

from __future__ import annotations

import http.client
import os
import re
import socket
import struct
from typing import Mapping

from .._kube.api import ApiError, Client, Unreachable
from .view import Object, named

NAME = "kubernetes.default.svc.%s"
TIMEOUT = 2
SERVER_FAILURE = 2
CODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 5: "REFUSED"}
# Ports of CoreDNS' plugins ready and prometheus (https://coredns.io/plugins/).
READY, METRICS = 8181, 9153


def check_coredns(client: Client, pod: Object, address: str, domain: str) -> tuple[list[str], str]:
    """Ask one CoreDNS pod.

    :param domain: domain of the cluster; empty where it is not known, so that no answer means anything but a failure.
    :returns: what is wrong (a title and the evidence), and what could not be looked at.
    """
    name = NAME % (domain or "cluster.local")
    try:
        # Some networks answer for any DNS server: only what is CoreDNS on its other port too is asked.
        is_coredns(address)
        code, count = query(address, name)
    except (OSError, http.client.HTTPException) as error:
        return _by_proxy(client, pod, f"{address} is not reached from here ({str(error) or 'no answer'})")
    if (code == 0 and count) or (not domain and code != SERVER_FAILURE):
        return _upstream(client, pod), ""
    said = CODES.get(code, str(code))
    return [
        f"it does not resolve {name}",
        f"pod {named(pod)} ({address}) answers {said} with {count} addresses",
    ], ""


def is_coredns(address: str) -> None:
    """Make sure that an address is a CoreDNS pod of this cluster, reached directly.

    :raises OSError: nothing answers there, or something else.
    """
    connection = http.client.HTTPConnection(address, READY, timeout=TIMEOUT)
    try:
        connection.request("GET", "/ready")
        answer = connection.getresponse()
        if answer.status != 200 or answer.read(16).strip() != b"OK":
            raise OSError("something else answers there")
    finally:
        connection.close()


def query(address: str, name: str, timeout: float = TIMEOUT) -> tuple[int, int]:
    """Ask a DNS server for the IPv4 address of a name (RFC 1035).

    :returns: the answer's code and its number of records.
    :raises OSError: there is no answer within so many seconds.
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
        raise OSError("an answer to another question")
    flags, _questions, count = struct.unpack(">HHH", answer[2:8])
    return flags & 0xF, count


def _by_proxy(client: Client, pod: Object, why: str) -> tuple[list[str], str]:
    path = "/api/v1/namespaces/%s/pods/%s:%d/proxy" % (pod["metadata"]["namespace"], pod["metadata"]["name"], READY)
    try:
        client.text(path + "/ready", timeout=TIMEOUT + 1)
    except ApiError as error:
        if error.status == 503 and not re.search(r"trying to reach|proxy|connect", error.message):
            return ["CoreDNS says that it is not ready", f"pod {named(pod)}: {error.message.strip()}"], ""
        return [], f"{why}, nor through the API server: {error.message.strip()}"
    except Unreachable as error:
        return [], f"{why}, nor through the API server: {error}"
    found = _upstream(client, pod)
    return found, "" if found else f"{why}; CoreDNS says of itself that it is ready"


def _upstream(client: Client, pod: Object) -> list[str]:
    """See in CoreDNS' counters whether names outside the cluster fail."""
    path = "/api/v1/namespaces/%s/pods/%s:%d/proxy/metrics" % (
        pod["metadata"]["namespace"],
        pod["metadata"]["name"],
        METRICS,
    )
    try:
        text = client.text(path, timeout=TIMEOUT + 1)
    except (ApiError, Unreachable):
        return []
    return upstream_problem(counters(text), named(pod))


def counters(text: str) -> dict[str, float]:
    """Sum the counters of a page of metrics by their name, those of answers also by their code."""
    found: dict[str, float] = {}
    for line in text.splitlines():
        parts = re.match(r"(\w+)(?:\{(.*)\})? ([0-9.e+-]+)$", line)
        if parts and parts.group(1).startswith("coredns_"):
            code = re.search(r'rcode="(\w+)"', parts.group(2) or "")
            name = parts.group(1) + ("/" + code.group(1) if code else "")
            found[name] = found.get(name, 0.0) + float(parts.group(3))
    return found


def upstream_problem(found: Mapping[str, float], pod: str) -> list[str]:
    """Say that the servers which CoreDNS forwards to do not answer, by its own counters since it started."""
    broken = found.get("coredns_forward_healthcheck_broken_total", 0.0)
    failed = found.get("coredns_dns_responses_total/SERVFAIL", 0.0)
    every = sum(value for name, value in found.items() if name.startswith("coredns_dns_responses_total/"))
    if broken >= 1 and failed > 10 and failed * 2 > every:
        return [
            "it does not reach the DNS servers that it forwards to",
            "pod %s: %d of %d answers are SERVFAIL, and all servers were found down %d times"
            % (pod, failed, every, broken),
        ]
    return []
