# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages to and from the kernel's netfilter."""

from __future__ import annotations

import struct

from ansible_collections.slipway.kube.plugins.module_utils._host.netlink import (
    NFTA_CHAIN_HOOK,
    NFTA_CHAIN_NAME,
    NFTA_CHAIN_POLICY,
    NFTA_CHAIN_TABLE,
    NFTA_CHAIN_USE,
    NFTA_TABLE_NAME,
    NFTA_TABLE_USE,
    attribute,
    message,
    parse_attributes,
    parse_messages,
    parse_tables,
)


def u32(value: int) -> bytes:
    return struct.pack(">I", value)


def test_attributes_are_padded_and_read_back() -> None:
    data = attribute(1, b"abc\0") + attribute(2 | 1 << 15, b"xy\0") + attribute(3, u32(7))
    assert len(data) == 8 + 8 + 8
    assert parse_attributes(data) == {1: b"abc\0", 2: b"xy\0", 3: u32(7)}


def test_torn_data_ends_the_reading() -> None:
    assert parse_attributes(b"\x02\0\x01\0") == {}
    assert list(parse_messages(b"\x04\0\0\0" * 4)) == []


def test_messages_carry_length_type_and_family() -> None:
    first, second = message(0xA01, 0x300, 2), message(0x10, 0, 0, b"", 10)
    assert struct.unpack_from("=IHH", first) == (20, 0xA01, 0x301)
    assert [(kind, body[0]) for kind, body in parse_messages(first + second)] == [(0xA01, 2), (0x10, 0)]
    assert second[-2:] == b"\0\x0a"  # the subsystem, big-endian


def test_tables_know_their_chains() -> None:
    tables = [
        (0xA00, 2, attribute(NFTA_TABLE_NAME, b"nat\0") + attribute(NFTA_TABLE_USE, u32(2))),
        (0xA00, 10, attribute(NFTA_TABLE_NAME, b"nat\0") + attribute(NFTA_TABLE_USE, u32(0))),
    ]
    base = (
        attribute(NFTA_CHAIN_TABLE, b"nat\0")
        + attribute(NFTA_CHAIN_NAME, b"OUTPUT\0")
        + attribute(NFTA_CHAIN_HOOK, b"")
    )
    base += attribute(NFTA_CHAIN_POLICY, u32(0)) + attribute(NFTA_CHAIN_USE, u32(3))
    plain = attribute(NFTA_CHAIN_TABLE, b"nat\0") + attribute(NFTA_CHAIN_NAME, b"MINE\0")
    ipv4, ipv6 = parse_tables(tables, [(0xA03, 2, base), (0xA03, 2, plain)])
    assert (ipv4.family, ipv4.name, ipv4.use) == ("ip", "nat", 2)
    assert ipv4.chains == (("OUTPUT", True, False, 3), ("MINE", False, True, 0))
    assert not ipv4.empty
    assert (ipv6.family, ipv6.chains, ipv6.empty) == ("ip6", (), True)
