# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nftables tables and ipsets over netlink.

No package that the roles install depends on nftables or ipset: kube-proxy, Flannel and Calico run these programs from their images, so
a reset has to remove their tables and sets without them. Messages and numbers are from the kernel's headers linux/netlink.h,
linux/netfilter/nfnetlink.h, nf_tables.h and ipset/ip_set.h.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from typing import Iterator, NamedTuple, Tuple

NETLINK_NETFILTER = 12
NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP = 0x1, 0x4, 0x300
NLMSG_ERROR, NLMSG_DONE = 2, 3
NFNL_MSG_BATCH_BEGIN, NFNL_MSG_BATCH_END = 0x10, 0x11
SUBSYS_IPSET, SUBSYS_NFTABLES = 6, 10
NFT_MSG_GETTABLE, NFT_MSG_DELTABLE, NFT_MSG_GETCHAIN = 1, 2, 4
NFTA_TABLE_NAME, NFTA_TABLE_USE = 1, 3
NFTA_CHAIN_TABLE, NFTA_CHAIN_NAME, NFTA_CHAIN_HOOK, NFTA_CHAIN_POLICY, NFTA_CHAIN_USE = 1, 3, 4, 5, 6
NF_ACCEPT = 1
IPSET_CMD_DESTROY, IPSET_CMD_LIST = 3, 7
IPSET_ATTR_PROTOCOL, IPSET_ATTR_SETNAME, IPSET_ATTR_FLAGS = 1, 2, 6
IPSET_PROTOCOL, IPSET_FLAG_LIST_SETNAME = 6, 1 << 1
NLA_F_NET_BYTEORDER, NLA_TYPE_MASK = 1 << 14, 0x3FFF
FAMILIES = {1: "inet", 2: "ip", 3: "arp", 5: "netdev", 7: "bridge", 10: "ip6"}
UNSPEC, IPV4 = 0, 2

Message = Tuple[int, int, bytes]
"""Type, family and attributes of one message from the kernel."""


class Chain(NamedTuple):
    """A chain of a table.

    ``base``: the kernel calls it from a hook; ``accepts``: its policy is accept; ``use``: number of rules in it and of jumps to it.
    """

    name: str
    base: bool
    accepts: bool
    use: int


class Table(NamedTuple):
    """An nftables table with its chains; ``use`` is the number of its chains, sets and objects."""

    family: str
    name: str
    use: int
    chains: tuple[Chain, ...]

    @property
    def empty(self) -> bool:
        """Return whether the table has no effect: it holds nothing but base chains with the policy accept."""
        idle = all(chain.base and chain.accepts and chain.use == 0 for chain in self.chains)
        return idle and self.use == len(self.chains)


def attribute(kind: int, value: bytes) -> bytes:
    """Return one netlink attribute, padded to four bytes."""
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def message(kind: int, flags: int, family: int, attributes: bytes = b"", resource: int = 0) -> bytes:
    """Return one netlink message with its nfnetlink header."""
    body = struct.pack("=BBH", family, 0, socket.htons(resource)) + attributes
    return struct.pack("=IHHII", 16 + len(body), kind, flags | NLM_F_REQUEST, 0, 0) + body


def parse_attributes(data: bytes) -> dict[int, bytes]:
    """Return the attributes by type."""
    found = {}
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        if length < 4:
            break
        found[kind & NLA_TYPE_MASK] = data[4:length]
        data = data[(length + 3) & ~3 :]
    return found


def parse_messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield type and body of each netlink message."""
    while len(data) >= 16:
        length, kind = struct.unpack_from("=IH", data)
        if length < 16:
            break
        yield kind, data[16:length]
        data = data[(length + 3) & ~3 :]


def text(value: bytes) -> str:
    """Return the value of a zero-terminated string attribute."""
    return value.split(b"\0", 1)[0].decode("utf-8", "replace")


def number(value: bytes) -> int:
    """Return the value of a big-endian 32-bit attribute."""
    return struct.unpack(">I", value)[0]


def parse_tables(tables: list[Message], chains: list[Message]) -> list[Table]:
    """Return the tables from the kernel's answers to NFT_MSG_GETTABLE and NFT_MSG_GETCHAIN."""
    inside: dict[tuple[int, str], list[Chain]] = {}
    for _kind, family, body in chains:
        found = parse_attributes(body)
        policy = number(found[NFTA_CHAIN_POLICY]) if NFTA_CHAIN_POLICY in found else NF_ACCEPT
        chain = Chain(
            name=text(found[NFTA_CHAIN_NAME]),
            base=NFTA_CHAIN_HOOK in found,
            accepts=policy == NF_ACCEPT,
            use=number(found.get(NFTA_CHAIN_USE, b"\0\0\0\0")),
        )
        inside.setdefault((family, text(found[NFTA_CHAIN_TABLE])), []).append(chain)
    result = []
    for _kind, family, body in tables:
        found = parse_attributes(body)
        name = text(found[NFTA_TABLE_NAME])
        use = number(found.get(NFTA_TABLE_USE, b"\0\0\0\0"))
        result.append(Table(FAMILIES.get(family, str(family)), name, use, tuple(inside.get((family, name), ()))))
    return result


class Netfilter:
    """A netlink socket to the kernel's netfilter; a context manager.

    :raises OSError: the kernel does not have the subsystem, or denies access.
    """

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        self._socket.settimeout(10)
        self._socket.bind((0, 0))

    def __enter__(self) -> Netfilter:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._socket.close()

    def _answers(self, request: bytes, dump: bool) -> list[Message]:
        self._socket.send(request)
        found: list[Message] = []
        while True:
            for kind, body in parse_messages(self._socket.recv(1 << 18)):
                if kind == NLMSG_DONE:
                    return found
                if kind == NLMSG_ERROR:
                    code = -struct.unpack_from("=i", body)[0]
                    if code:
                        raise OSError(code, os.strerror(code))
                    if not dump:
                        return found
                else:
                    found.append((kind, body[0], body[4:]))

    def _nftables(self, kind: int) -> list[Message]:
        return self._answers(message(SUBSYS_NFTABLES << 8 | kind, NLM_F_DUMP, UNSPEC), dump=True)

    def tables(self) -> list[Table]:
        """Return all nftables tables of this network namespace."""
        return parse_tables(self._nftables(NFT_MSG_GETTABLE), self._nftables(NFT_MSG_GETCHAIN))

    def delete_table(self, family: str, name: str) -> None:
        """Delete a table with its content; a table that does not exist any more is not an error."""
        code = next(key for key, value in FAMILIES.items() if value == family)
        request = (
            message(NFNL_MSG_BATCH_BEGIN, 0, UNSPEC, resource=SUBSYS_NFTABLES)
            + message(
                SUBSYS_NFTABLES << 8 | NFT_MSG_DELTABLE,
                NLM_F_ACK,
                code,
                attribute(NFTA_TABLE_NAME, name.encode() + b"\0"),
            )
            + message(NFNL_MSG_BATCH_END, 0, UNSPEC, resource=SUBSYS_NFTABLES)
        )
        self._send_unless_gone(request)

    def ipsets(self) -> list[str]:
        """Return the names of all ipsets of this network namespace."""
        attributes = attribute(IPSET_ATTR_PROTOCOL, bytes([IPSET_PROTOCOL])) + attribute(
            IPSET_ATTR_FLAGS | NLA_F_NET_BYTEORDER, struct.pack(">I", IPSET_FLAG_LIST_SETNAME)
        )
        found = self._answers(message(SUBSYS_IPSET << 8 | IPSET_CMD_LIST, NLM_F_DUMP, IPV4, attributes), dump=True)
        return sorted({text(parse_attributes(body)[IPSET_ATTR_SETNAME]) for _kind, _family, body in found})

    def destroy_ipset(self, name: str) -> None:
        """Destroy an ipset; one that does not exist any more is not an error.

        :raises OSError: EBUSY, a rule or another set still uses it.
        """
        attributes = attribute(IPSET_ATTR_PROTOCOL, bytes([IPSET_PROTOCOL])) + attribute(
            IPSET_ATTR_SETNAME, name.encode() + b"\0"
        )
        self._send_unless_gone(message(SUBSYS_IPSET << 8 | IPSET_CMD_DESTROY, NLM_F_ACK, IPV4, attributes))

    def _send_unless_gone(self, request: bytes) -> None:
        try:
            self._answers(request, dump=False)
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise


def list_tables() -> list[Table]:
    """Return the nftables tables, or none where the kernel does not have nftables."""
    try:
        with Netfilter() as netfilter:
            return netfilter.tables()
    except OSError:
        return []


def list_ipsets() -> list[str]:
    """Return the names of the ipsets, or none where the kernel does not have ipset."""
    try:
        with Netfilter() as netfilter:
            return netfilter.ipsets()
    except OSError:
        return []
