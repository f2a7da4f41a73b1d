# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections to an API server: with or without TLS, with another TLS server name, through a proxy."""

from __future__ import annotations

import base64
import http.client
import os
import re
import socket
import ssl
import tempfile
from contextlib import contextmanager
from typing import Iterator, Sequence
from urllib.parse import SplitResult, urlsplit

from . import socks
from .kubeconfig import Credentials, KubeconfigError

SENDABLE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


def open_connection(
    credentials: Credentials, context: ssl.SSLContext | None, timeout: float
) -> http.client.HTTPConnection:
    """Return a connection. It is established by the first request.

    :param context: from :func:`tls_context`; None for a server without TLS.
    """
    parts, proxy = urlsplit(credentials.server), urlsplit(credentials.proxy)
    host, port = parts.hostname or "", parts.port or (443 if context else 80)
    name = credentials.server_name or host
    if proxy.scheme in socks.SCHEMES:
        plain = _NamedConnection(host, port, context, name, timeout)
        plain.proxy = proxy
        return plain
    if context is None:
        if credentials.proxy:
            return http.client.HTTPConnection(proxy.hostname or "", proxy.port or 80, timeout=timeout)
        return http.client.HTTPConnection(host, port, timeout=timeout)
    if not credentials.proxy:
        return _NamedConnection(host, port, context, name, timeout)
    connection = _NamedConnection(proxy.hostname or "", proxy.port or 80, context, name, timeout)
    connection.set_tunnel(host, port, dict(_proxy_headers(credentials)))
    return connection


def target_of(credentials: Credentials, path: str) -> str:
    """Return the request target: the path, or the whole URL for a proxy without a tunnel."""
    if _forwards(credentials):
        return credentials.server + path
    return urlsplit(credentials.server).path + path


def headers_of(credentials: Credentials) -> list[tuple[str, str]]:
    """Return the headers of every request: authentication, impersonation and those for a proxy.

    :raises KubeconfigError: a value cannot be sent as a header.
    """
    headers = list(credentials.headers)
    named = any(name == "Authorization" for name, _value in headers)
    if credentials.token and not named:
        headers.append(("Authorization", "Bearer " + credentials.token))
    elif credentials.username and not named:
        headers.append(("Authorization", basic_authentication(f"{credentials.username}:{credentials.password}")))
    if _forwards(credentials):
        headers += _proxy_headers(credentials)
    for name, value in headers:
        if not SENDABLE.fullmatch(value):
            # http.client would raise an error that repeats the value.
            what = "The token" if name == "Authorization" else f"The value of {name}"
            raise KubeconfigError(
                f"{what} cannot be sent: it contains a line break or a character that HTTP does not allow."
            )
    return headers


def basic_authentication(login: str) -> str:
    """Return the value of an authorization header.

    :param login: user name and password, separated by a colon.
    """
    return "Basic " + base64.b64encode(login.encode()).decode()


def tls_context(credentials: Credentials) -> ssl.SSLContext | None:
    """Return the TLS settings for the credentials, None for a server without TLS.

    :raises KubeconfigError: a certificate is not valid, or does not match its key.
    """
    if not credentials.server.startswith("https://"):
        return None
    try:
        context = ssl.create_default_context(cadata=credentials.authority.decode() if credentials.authority else None)
    except (ssl.SSLError, UnicodeDecodeError) as error:
        raise KubeconfigError(
            f"The certificate authority for {credentials.server} is not a valid certificate: {error}."
        ) from error
    # Python 3.13 sets this flag, which refuses authorities without key identifiers. Those of some managed clusters have none, and kubectl
    # trusts them: https://docs.python.org/3/library/ssl.html#ssl.create_default_context
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not credentials.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if credentials.certificate:
        with _as_file(credentials.certificate + b"\n" + credentials.key) as pair:
            try:
                context.load_cert_chain(pair)
            except ssl.SSLError as error:
                raise KubeconfigError(
                    f"The client certificate of the kubeconfig does not match its key: {error}."
                ) from error
    return context


@contextmanager
def _as_file(content: bytes) -> Iterator[str]:
    """Yield the path of a file with the given content: the ssl module reads certificates and keys from files only.

    The file is in memory if the system allows it, so that nothing is left behind if this process is killed.
    """
    try:
        number = os.memfd_create("slipway")
    except (AttributeError, OSError):  # not Linux, or not permitted
        number = -1
    if number >= 0 and os.path.exists(f"/proc/self/fd/{number}"):
        with os.fdopen(number, "wb") as memory:
            memory.write(content)
            memory.flush()
            yield f"/proc/self/fd/{number}"
        return
    if number >= 0:
        os.close(number)
    with tempfile.TemporaryDirectory(prefix="slipway-") as folder:
        path = os.path.join(folder, "client.pem")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as stream:
            stream.write(content)
        yield path


class _NamedConnection(http.client.HTTPConnection):
    """A connection with or without TLS, which verifies another server name than the host (``tls-server-name`` of a kubeconfig)."""

    def __init__(self, host: str, port: int, context: ssl.SSLContext | None, name: str, timeout: float) -> None:
        super().__init__(host, port, timeout=timeout)
        self.default_port = 443 if context else 80
        self.proxy: SplitResult | None = None  # a SOCKS proxy
        self._tls = context
        self._name = name

    def connect(self) -> None:
        # The socket and, with a proxy, its tunnel; TLS follows below with the other name.
        if self.proxy is not None:
            self.sock = socks.connect(self.proxy, self.host, self.port, self.timeout)
        else:
            super().connect()
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls is not None:
            self.sock = self._tls.wrap_socket(self.sock, server_hostname=self._name)


def _forwards(credentials: Credentials) -> bool:
    """Return whether a proxy forwards each request, instead of a tunnel or a connection."""
    http_proxy = urlsplit(credentials.proxy).scheme not in ("", *socks.SCHEMES)
    return http_proxy and credentials.server.startswith("http://")


def _proxy_headers(credentials: Credentials) -> Sequence[tuple[str, str]]:
    parts = urlsplit(credentials.proxy)
    if parts.username and not credentials.proxy_headers:
        return (("Proxy-Authorization", basic_authentication(f"{parts.username}:{parts.password or ''}")),)
    return credentials.proxy_headers
