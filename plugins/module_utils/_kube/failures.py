# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why no API server answers at an address: the evidence and the remedy. No message shows the password of a proxy."""

from __future__ import annotations

import json
import re
import socket
import ssl
from urllib.parse import urlsplit

from .kubeconfig import Credentials
from .socks import PORT, SCHEMES

KUBELET = 10250
# How Go's server answers plain HTTP on a port with TLS (net/http).
PLAIN = b"Client sent an HTTP request to an HTTPS server"
DISCOVERY = ("/api", "/apis", "/version")


def why_unreachable(credentials: Credentials, error: Exception) -> str:
    """Explain an error of the connection."""
    return f"{_connection_failed(credentials, error)} [slipway:api_unreachable]"


def _connection_failed(credentials: Credentials, error: Exception) -> str:
    server, text = credentials.server, str(error) or type(error).__name__
    proxy = urlsplit(credentials.proxy)
    place = f"{proxy.hostname}:{proxy.port or (PORT if proxy.scheme in SCHEMES else 80)}"
    if isinstance(error, socket.gaierror):
        host = proxy.hostname if credentials.proxy else urlsplit(server).hostname
        role = "proxy" if credentials.proxy else "API server"
        return f"The name {host} of the {role} cannot be resolved: {text}. Check the name, and the DNS of this host."
    if re.search("WRONG_VERSION_NUMBER|RECORD_LAYER|HTTP_REQUEST", text):
        return (
            f"The server at {server} does not use TLS: {text}. Correct the address of the API server: its scheme is https, but plain HTTP is "
            "served on this port."
        )
    if "Tunnel connection failed" in text or "SOCKS proxy" in text:
        return (
            f"The proxy {place} does not connect to the API server at {server}: {text}. Check what the proxy allows and its credentials, or "
            "bypass it with no_proxy."
        )
    if credentials.proxy:
        return (
            f"The API server at {server} does not answer through the proxy {place}: {text}. Check that the proxy runs and that its address is "
            "correct, or bypass it with no_proxy."
        )
    return (
        f"The API server at {server} does not answer: {text}. Check that it runs "
        "(its log is in /var/log/pods/kube-system_kube-apiserver-* on the control plane) and that the address is correct."
    )


def why_untrusted(credentials: Credentials, error: ssl.SSLCertVerificationError) -> str:
    """Explain why the certificate of the server is not trusted."""
    server, reason = credentials.server, error.verify_message.rstrip(".")
    if "expired" in reason:
        return (
            f"The certificate of the API server at {server} has expired: {reason}. "
            "Renew the certificates of the control plane (kubeadm certs renew all). [slipway:api_untrusted]"
        )
    return (
        f"The kubeconfig does not trust the certificate of the API server at {server}: {reason}. The kubeconfig belongs to another "
        "cluster, or the certificate is not valid for this name or address (kubeadm: apiServer.certSANs). [slipway:api_untrusted]"
    )


def why_foreign(credentials: Credentials, status: int, content: bytes, path: str) -> str:
    """Explain an answer that no API server gives; empty for any other.

    :param status: of the HTTP answer. :param path: that was requested, without a query.
    """
    server = credentials.server
    if status == 400 and content.startswith(PLAIN):
        return (
            f"The server at {server} expects TLS. Correct the address of the API server: its scheme is {urlsplit(server).scheme}, and must be "
            "https. [slipway:api_foreign]"
        )
    # What other servers answer to a path that they do not have, or to a user whom they do not know.
    if status not in (200, 401, 403, 404) or (status != 200 and path not in DISCOVERY) or _is_json(content):
        return ""
    said = " ".join(content.decode(errors="replace").split())[:120]
    remedy = "Check the address, and whether a proxy or a login page answers instead."
    if urlsplit(server).port == KUBELET:
        remedy = (
            f"Port {KUBELET} is that of a kubelet; the API server normally listens on port 6443 of a control plane."
        )
    return f"The server at {server} is not an API server: it answers {path} with status {status} and {said!r}. {remedy} [slipway:api_foreign]"


def _is_json(content: bytes) -> bool:
    try:
        json.loads(content)
        return True
    except ValueError:
        return False
