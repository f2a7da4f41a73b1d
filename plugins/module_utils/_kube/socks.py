# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A connection through a SOCKS 5 proxy (RFC 1928), which resolves the name of the server, with user name and password if given (RFC 1929)."""

from __future__ import annotations

import contextlib
import socket
import struct
from urllib.parse import SplitResult, unquote

SCHEMES = ("socks5", "socks5h")
PORT = 1080
NO_LOGIN, LOGIN = 0, 2
REPLIES = {
    1: "general failure",
    2: "its rules do not allow the connection",
    3: "the network is unreachable",
    4: "the host is unreachable, or its name cannot be resolved",
    5: "the connection is refused",
    6: "the connection timed out",
    7: "it does not support the command",
    8: "it does not support the type of the address",
}


def connect(proxy: SplitResult, host: str, port: int, timeout: float | None) -> socket.socket:
    """Return a socket that is connected to a server.

    :param proxy: the URL of the proxy.
    :raises OSError: the proxy does not answer, or refuses the connection.
    """
    connection = socket.create_connection((proxy.hostname or "", proxy.port or PORT), timeout)
    try:
        _greet(connection, unquote(proxy.username or "").encode(), unquote(proxy.password or "").encode())
        connection.sendall(b"\x05\x01\x00" + _destination(host) + struct.pack(">H", port))
        _version, reply, _reserved, kind = _read(connection, 4)
        if reply:
            raise OSError(f"the SOCKS proxy does not connect: {REPLIES.get(reply, f'error {reply}')}")
        # The address that the proxy connects from, and its port.
        _read(connection, {1: 4, 4: 16}.get(kind) or _read(connection, 1)[0])
        _read(connection, 2)
    except BaseException:
        connection.close()
        raise
    return connection


def _destination(host: str) -> bytes:
    """Return a host with its type: an IPv4 address, an IPv6 address, or a name."""
    for kind, family in ((b"\x01", socket.AF_INET), (b"\x04", socket.AF_INET6)):
        with contextlib.suppress(OSError):
            return kind + socket.inet_pton(family, host)
    name = host.encode("idna")
    return b"\x03" + bytes([len(name)]) + name


def _greet(connection: socket.socket, user: bytes, password: bytes) -> None:
    methods = bytes([NO_LOGIN, LOGIN] if user else [NO_LOGIN])
    connection.sendall(bytes([5, len(methods)]) + methods)
    version, method = _read(connection, 2)
    if version != 5 or method not in methods:
        wants = "it demands a user name and a password" if version == 5 else "it does not speak SOCKS 5"
        raise OSError(f"the SOCKS proxy refuses the connection: {wants}")
    if method == LOGIN:
        connection.sendall(bytes([1, len(user)]) + user + bytes([len(password)]) + password)
        if _read(connection, 2)[1]:
            raise OSError("the SOCKS proxy refuses the user name and the password")


def _read(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise OSError("the SOCKS proxy ended the connection")
        data += part
    return data
