# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reader for X.509 certificates and certificate signing requests. Managed hosts need neither openssl nor a Python library for it.

Formats: RFC 5280 (certificates, names, subject alternative names), RFC 2986 (PKCS #10 requests), ITU-T X.690 (DER).
"""

from __future__ import annotations

import base64
import calendar
import hashlib
import ipaddress
import re
import time
from dataclasses import dataclass, field
from typing import Iterator

SEQUENCE, SET, OID, INTEGER = 0x30, 0x31, 0x06, 0x02
UTC_TIME, GENERALIZED_TIME = 0x17, 0x18
VERSION = ATTRIBUTES = 0xA0  # [0] of TBSCertificate and of CertificationRequestInfo
COMMON_NAME, ORGANIZATION = "2.5.4.3", "2.5.4.10"
EXTENSION_REQUEST, SUBJECT_ALT_NAME = "1.2.840.113549.1.9.14", "2.5.29.17"
EMAIL, DNS, URI, IP_ADDRESS = 0x81, 0x82, 0x86, 0x87


class RequestError(ValueError):
    """The input is not a valid certificate signing request."""


@dataclass
class CertificateRequest:
    """The names in a certificate signing request.

    :ivar others: number of subject attributes and alternative names of any other type.
    """

    common_name: str = ""
    organizations: list[str] = field(default_factory=list)
    dns_names: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    emails: list[str] = field(default_factory=list)
    uris: list[str] = field(default_factory=list)
    others: int = 0


def canonical_address(text: str) -> str:
    """Return an IP address in its canonical form, and any other text unchanged."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text


def read_der(data: bytes, offset: int) -> tuple[int, int, int]:
    """Return tag, start of the content and end of the DER element at an offset.

    :raises ValueError: the data is truncated.
    """
    if offset + 2 > len(data):
        raise ValueError("DER data is truncated")
    tag, length, start = data[offset], data[offset + 1], offset + 2
    if length & 0x80:
        count = length & 0x7F
        length, start = int.from_bytes(data[start : start + count], "big"), start + count
    if start + length > len(data):
        raise ValueError("DER data is truncated")
    return tag, start, start + length


def first_certificate(pem: bytes | str) -> bytes:
    """Return the first certificate of a PEM text in DER.

    :raises ValueError: the text contains no certificate.
    """
    text = pem.decode("ascii", "replace") if isinstance(pem, bytes) else pem
    return _pem_block(text, "CERTIFICATE")


def certificate_end(pem: bytes | str) -> float | None:
    """Return when the first certificate of a PEM text expires, in seconds since the epoch, or None if it cannot be read."""
    try:
        return not_after(first_certificate(pem))
    except ValueError:
        return None


def not_after(certificate: bytes) -> float:
    """Return ``validity.notAfter`` of a certificate in DER, in seconds since the epoch.

    :raises ValueError: this is not a certificate.
    """
    _tag, start, _end = _certificate_fields(certificate)[3]
    _tag, _start, start = read_der(certificate, start)  # notBefore
    tag, start, end = read_der(certificate, start)
    text = certificate[start:end].decode("ascii")
    if tag == UTC_TIME:
        # RFC 5280, 4.1.2.5.1: two-digit years from 50 on belong to the 20th century.
        text = ("19" if text[:2] >= "50" else "20") + text
    elif tag != GENERALIZED_TIME:
        raise ValueError(f"DER tag {tag:#04x} is not a time")
    return float(calendar.timegm(time.strptime(text, "%Y%m%d%H%M%SZ")))


def ca_cert_hash(pem: str) -> str:
    """Return ``sha256:HEX`` over the public key (SubjectPublicKeyInfo) of the first certificate of a PEM text.

    kubeadm calls this value ``discovery-token-ca-cert-hash``.

    :returns: an empty string if the text contains no certificate.
    """
    try:
        certificate = first_certificate(pem)
        fields = _certificate_fields(certificate)
        start, end = (
            fields[4][2],
            fields[5][2],
        )  # from the end of the subject: _certificate_fields gives content offsets
        return "sha256:" + hashlib.sha256(certificate[start:end]).hexdigest()
    except ValueError:
        return ""


def parse_certificate_request(pem: bytes) -> CertificateRequest:
    """Read a certificate signing request in PEM.

    :raises RequestError: it is not a valid one.
    """
    request = CertificateRequest()
    try:
        data = _pem_block(pem.decode("ascii", "replace"), "(?:NEW )?CERTIFICATE REQUEST")
        start, _end = _expect(data, 0, SEQUENCE)
        start, end = _expect(data, start, SEQUENCE)  # CertificationRequestInfo
        _start, start = _expect(data, start, INTEGER)  # version
        names, start = _expect(data, start, SEQUENCE)  # subject
        _read_subject(request, data, names, start)
        _start, start = _expect(data, start, SEQUENCE)  # public key
        for tag, inner, stop in _children(data, start, end):
            if tag == ATTRIBUTES:
                _read_attributes(request, data, inner, stop)
    except (ValueError, IndexError) as error:
        raise RequestError(str(error)) from error
    return request


def _pem_block(text: str, label: str) -> bytes:
    block = re.search(f"-----BEGIN {label}-----(.+?)-----END", text, re.S)
    if not block:
        raise ValueError(f"no PEM block {label.rpartition(')')[2]}")
    return base64.b64decode("".join(block.group(1).split()), validate=True)


def _certificate_fields(data: bytes) -> list[tuple[int, int, int]]:
    """Return the elements of TBSCertificate from the serial number to the public key, without the optional version."""
    start, _end = _expect(data, 0, SEQUENCE)  # Certificate
    start, end = _expect(data, start, SEQUENCE)  # TBSCertificate
    fields = [part for part in _children(data, start, end) if part[0] != VERSION]
    # serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo
    if len(fields) < 6 or fields[3][0] != SEQUENCE:
        raise ValueError("not a certificate")
    return fields


def _children(data: bytes, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    while start < end:
        tag, inner, stop = read_der(data, start)
        yield tag, inner, stop
        start = stop


def _expect(data: bytes, offset: int, wanted: int) -> tuple[int, int]:
    tag, start, end = read_der(data, offset)
    if tag != wanted:
        raise ValueError(f"DER tag {tag:#04x} instead of {wanted:#04x}")
    return start, end


def _pairs(data: bytes, start: int, end: int) -> Iterator[tuple[str, int, int, int]]:
    """Yield identifier, tag, start and end of the last element of each ``SEQUENCE {OID, ..., value}`` between two offsets."""
    for tag, inner, stop in _children(data, start, end):
        parts = list(_children(data, inner, stop)) if tag == SEQUENCE else []
        if len(parts) < 2 or parts[0][0] != OID:
            raise ValueError("an attribute has no identifier or no value")
        yield (_oid(data[parts[0][1] : parts[0][2]]), *parts[-1])


def _oid(data: bytes) -> str:
    if not data:
        return ""
    first = min(data[0] // 40, 2)
    parts, value = [first, data[0] - 40 * first], 0
    for byte in data[1:]:
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            parts.append(value)
            value = 0
    return ".".join(map(str, parts))


def _read_subject(request: CertificateRequest, data: bytes, start: int, end: int) -> None:
    for tag, inner, stop in _children(data, start, end):
        if tag != SET:
            raise ValueError("the subject is not a sequence of sets")
        for oid, _tag, value, last in _pairs(data, inner, stop):
            text = data[value:last].decode("utf-8", "replace")
            if oid == COMMON_NAME:
                request.common_name = text
            elif oid == ORGANIZATION:
                request.organizations.append(text)
            else:
                request.others += 1


def _read_attributes(request: CertificateRequest, data: bytes, start: int, end: int) -> None:
    for oid, kind, value, last in _pairs(data, start, end):
        if oid == EXTENSION_REQUEST and kind == SET:
            for _kind, extensions, extensions_end in _children(data, value, last):
                for name, _type, inside, final in _pairs(data, extensions, extensions_end):
                    if name == SUBJECT_ALT_NAME:
                        names, _end = _expect(data, inside, SEQUENCE)
                        _read_alternative_names(request, data, names, final)


def _read_alternative_names(request: CertificateRequest, data: bytes, start: int, end: int) -> None:
    texts = {DNS: request.dns_names, EMAIL: request.emails, URI: request.uris}
    for tag, inner, stop in _children(data, start, end):
        value = data[inner:stop]
        if tag in texts:
            texts[tag].append(value.decode("ascii", "replace"))
        elif tag == IP_ADDRESS and len(value) in (4, 16):
            request.addresses.append(str(ipaddress.ip_address(value)))
        else:
            request.others += 1
