# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What certificate requests say, read with the standard library: managed hosts need not have openssl.

Forms: RFC 2986 (PKCS #10), RFC 5280 (names and subject alternative names), X.690 (DER).
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from dataclasses import dataclass, field
from typing import Iterator

from .._host.facts.cluster import read_der

SEQUENCE, SET, OID, OCTET_STRING, INTEGER = 0x30, 0x31, 0x06, 0x04, 0x02
ATTRIBUTES = 0xA0
COMMON_NAME, ORGANIZATION = "2.5.4.3", "2.5.4.10"
EXTENSION_REQUEST, SUBJECT_ALT_NAME = "1.2.840.113549.1.9.14", "2.5.29.17"
EMAIL, DNS, URI, ADDRESS = 0x81, 0x82, 0x86, 0x87


class RequestError(ValueError):
    """The bytes are no certificate request."""


@dataclass
class Request:
    """A certificate request: whom it names. ``others`` counts alternative names of any further type."""

    common_name: str = ""
    organizations: list[str] = field(default_factory=list)
    dns_names: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    emails: list[str] = field(default_factory=list)
    uris: list[str] = field(default_factory=list)
    others: int = 0


def _children(data: bytes, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    while start < end:
        tag, inner, stop = read_der(data, start)
        yield tag, inner, stop
        start = stop


def _oid(data: bytes) -> str:
    if not data:
        return ""
    parts, value = [str(min(data[0] // 40, 2)), str(data[0] - 40 * min(data[0] // 40, 2))], 0
    for byte in data[1:]:
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            parts.append(str(value))
            value = 0
    return ".".join(parts)


def _expect(data: bytes, offset: int, wanted: int) -> tuple[int, int]:
    tag, start, end = read_der(data, offset)
    if tag != wanted:
        raise RequestError(f"DER tag {tag:#04x} where {wanted:#04x} belongs")
    return start, end


def _pairs(data: bytes, start: int, end: int) -> Iterator[tuple[str, int, int, int]]:
    """(OID, tag, start, end of the last element) of each SEQUENCE {OID, ..., value} between two offsets."""
    for tag, inner, stop in _children(data, start, end):
        if tag != SEQUENCE:
            raise RequestError(f"DER tag {tag:#04x} where a SEQUENCE belongs")
        parts = list(_children(data, inner, stop))
        if len(parts) < 2 or parts[0][0] != OID:
            raise RequestError("an attribute without an identifier or a value")
        yield (_oid(data[parts[0][1] : parts[0][2]]), *parts[-1])


def _read_names(request: Request, data: bytes, start: int, end: int) -> None:
    for tag, inner, stop in _children(data, start, end):
        value = data[inner:stop]
        if tag == DNS:
            request.dns_names.append(value.decode("ascii", "replace"))
        elif tag == ADDRESS and len(value) in (4, 16):
            request.addresses.append(str(ipaddress.ip_address(value)))
        elif tag == EMAIL:
            request.emails.append(value.decode("ascii", "replace"))
        elif tag == URI:
            request.uris.append(value.decode("ascii", "replace"))
        else:
            request.others += 1


def parse_request(pem: bytes) -> Request:
    """Read a PEM certificate request.

    Raises RequestError where it is none.
    """
    match = re.search(rb"-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----(.+?)-----END", pem, re.S)
    if not match:
        raise RequestError("no PEM block CERTIFICATE REQUEST")
    request = Request()
    try:
        data = base64.b64decode(b"".join(match.group(1).split()), validate=True)
        start, _end = _expect(data, 0, SEQUENCE)
        start, end = _expect(data, start, SEQUENCE)  # CertificationRequestInfo
        _start, start = _expect(data, start, INTEGER)  # version
        names, start = _expect(data, start, SEQUENCE)  # subject
        for tag, inner, stop in _children(data, names, start):
            if tag != SET:
                raise RequestError("a subject that is no sequence of sets")
            for oid, _tag, value, last in _pairs(data, inner, stop):
                text = data[value:last].decode("utf-8", "replace")
                if oid == COMMON_NAME:
                    request.common_name = text
                elif oid == ORGANIZATION:
                    request.organizations.append(text)
                else:
                    request.others += 1
        _start, start = _expect(data, start, SEQUENCE)  # public key
        for tag, inner, stop in _children(data, start, end):
            if tag != ATTRIBUTES:
                continue
            for oid, kind, value, last in _pairs(data, inner, stop):
                if oid != EXTENSION_REQUEST or kind != SET:
                    continue
                for _kind, extensions, extensions_end in _children(data, value, last):
                    for name, _type, inside, final in _pairs(data, extensions, extensions_end):
                        if name == SUBJECT_ALT_NAME:
                            _read_names(request, data, *_expect(data, inside, SEQUENCE)[:1], final)
    except (ValueError, IndexError, binascii.Error) as error:
        raise RequestError(str(error)) from error
    return request
