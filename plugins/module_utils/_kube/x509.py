# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reader for X.509 certificates and certificate signing requests. Managed hosts need neither openssl nor a Python library for it.

Formats: RFC 5280 (certificates, names, subject alternative names), RFC 2986 (PKCS #10 requests), ITU-T X.690 (DER).
A request is approved by the names that are read here, but what is signed are the names that kube-controller-manager reads. So
whatever another reader could understand differently (more than one value, block or extension, text around the block) is an error.
"""

from __future__ import annotations

import base64
import calendar
import contextlib
import hashlib
import ipaddress
import re
import time
from dataclasses import dataclass, field
from typing import Iterator

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, OID, SEQUENCE, SET = 0x01, 0x02, 0x03, 0x04, 0x06, 0x30, 0x31
TEXTS = (0x0C, 0x13)  # UTF8String, PrintableString
UTC_TIME, GENERALIZED_TIME = 0x17, 0x18
VERSION = ATTRIBUTES = 0xA0  # [0] of TBSCertificate and of CertificationRequestInfo
EXTENSIONS = 0xA3  # [3] of TBSCertificate
COMMON_NAME, ORGANIZATION = "2.5.4.3", "2.5.4.10"
EXTENSION_REQUEST, SUBJECT_ALT_NAME = "1.2.840.113549.1.9.14", "2.5.29.17"
SUBJECT_KEY_ID, AUTHORITY_KEY_ID = "2.5.29.14", "2.5.29.35"
KEY_IDENTIFIER = 0x80  # [0] of AuthorityKeyIdentifier
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

    :raises ValueError: the data is truncated, or its length is not encoded as DER requires (X.690, 10.1).
    """
    if offset + 2 > len(data):
        raise ValueError("DER data is truncated")
    tag, length, start = data[offset], data[offset + 1], offset + 2
    if length & 0x80:
        count = length & 0x7F
        if start + count > len(data):
            raise ValueError("DER data is truncated")
        length, start = int.from_bytes(data[start : start + count], "big"), start + count
        if length < 0x80 or length >> 8 * (count - 1) == 0:
            raise ValueError("the length of a DER element is not in its shortest form")
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


def bundle_validity(encoded: str) -> tuple[float, float] | None:
    """Return C(validity) of the certificate of a C(caBundle) that expires last, or None if there is none that can be read.

    :param encoded: one or several certificates in PEM, encoded with base64. While one of them is valid, a server may have a certificate of it.
    """
    try:
        text = base64.b64decode(encoded).decode("ascii", "replace")
    except ValueError:
        return None
    found = []
    for block in re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", text, re.S):
        with contextlib.suppress(ValueError):
            found.append(validity(first_certificate(block)))
    return max(found, key=lambda one: one[1], default=None)


def not_after(certificate: bytes) -> float:
    """Return ``validity.notAfter`` of a certificate in DER, in seconds since the epoch.

    :raises ValueError: this is not a certificate.
    """
    return validity(certificate)[1]


def validity(certificate: bytes) -> tuple[float, float]:
    """Return since when and until when a certificate in DER is valid, in seconds since the epoch.

    :raises ValueError: this is not a certificate.
    """
    _tag, start, _end = _certificate_fields(certificate)[3]
    tag, first, start = read_der(certificate, start)
    begin = _time(tag, certificate[first:start])
    tag, start, end = read_der(certificate, start)
    return begin, _time(tag, certificate[start:end])


def _time(tag: int, value: bytes) -> float:
    text = value.decode("ascii")
    if tag == UTC_TIME:
        # RFC 5280, 4.1.2.5.1: two-digit years from 50 on belong to the 20th century.
        text = ("19" if text[:2] >= "50" else "20") + text
    elif tag != GENERALIZED_TIME:
        raise ValueError(f"DER tag {tag:#04x} is not a time")
    return float(calendar.timegm(time.strptime(text, "%Y%m%d%H%M%SZ")))


def alternative_names(pem: bytes | str) -> list[str]:
    """Return the DNS names and IP addresses for which the first certificate of a PEM text is valid, [] if it cannot be read."""
    names = CertificateRequest()
    try:
        for oid, data, value, last in _extensions(pem):
            if oid == SUBJECT_ALT_NAME:
                _read_alternative_names(names, data, *_whole(data, value, last, SEQUENCE))
    except (ValueError, IndexError):
        return []
    return names.dns_names + names.addresses


def subject_key_id(pem: bytes | str) -> str:
    """Return the identifier of the key of the first certificate of a PEM text in hex, "" if it has none."""
    try:
        for oid, data, value, last in _extensions(pem):
            if oid == SUBJECT_KEY_ID:
                start, end = _whole(data, value, last, OCTET_STRING)
                return data[start:end].hex()
    except (ValueError, IndexError):
        pass
    return ""


def authority_key_id(pem: bytes | str) -> str:
    """Return the identifier of the key by which the first certificate of a PEM text was signed in hex, "" if it has none."""
    try:
        for oid, data, value, last in _extensions(pem):
            if oid == AUTHORITY_KEY_ID:
                for tag, start, end in _children(data, *_whole(data, value, last, SEQUENCE)):
                    if tag == KEY_IDENTIFIER:
                        return data[start:end].hex()
    except (ValueError, IndexError):
        pass
    return ""


def pem_blocks(text: str) -> list[str]:
    """Return the blocks of a PEM text, each as it is written by OpenSSL and Go, without what is around them."""
    return [
        match.group(0) + "\n" for match in re.finditer(r"-----BEGIN ([A-Z ]+)-----\n.+?\n-----END \1-----", text, re.S)
    ]


def ca_cert_hashes(pem: str) -> list[str]:
    """Return :func:`ca_cert_hash` of each certificate of a PEM text."""
    return [digest for digest in map(ca_cert_hash, pem_blocks(pem)) if digest]


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
    """Read a certificate signing request in PEM, which must have the form that kubelets send.

    :raises RequestError: it is not a valid one, or it can be read in more than one way.
    """
    request = CertificateRequest()
    try:
        text = pem.decode("ascii")
        block = re.fullmatch(
            r"\s*-----BEGIN CERTIFICATE REQUEST-----\n([A-Za-z0-9+/=\s]+)\n-----END CERTIFICATE REQUEST-----\s*", text
        )
        if not block:
            raise ValueError("the text is not exactly one PEM block CERTIFICATE REQUEST")
        data = base64.b64decode("".join(block.group(1).split()), validate=True)
        start, end = _whole(data, 0, len(data), SEQUENCE)
        parts = _elements(data, start, end, [[SEQUENCE, SEQUENCE, BIT_STRING]])
        # CertificationRequestInfo: version, subject, public key, attributes
        info = [INTEGER, SEQUENCE, SEQUENCE, ATTRIBUTES]
        fields = _elements(data, parts[0][1], parts[0][2], [info, info[:3]])
        _read_subject(request, data, fields[1][1], fields[1][2])
        for _tag, inner, stop in fields[3:]:
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


def _extensions(pem: bytes | str) -> Iterator[tuple[str, bytes, int, int]]:
    """Yield identifier, data, start and end of the value of each extension of the first certificate of a PEM text."""
    data = first_certificate(pem)
    start, end = _expect(data, _expect(data, 0, SEQUENCE)[0], SEQUENCE)
    for tag, inner, stop in _children(data, start, end):
        if tag == EXTENSIONS:
            extensions, extensions_end = _whole(data, inner, stop, SEQUENCE)
            forms = [[OCTET_STRING], [BOOLEAN, OCTET_STRING]]
            for oid, _kind, value, last in _named(data, extensions, extensions_end, forms):
                yield oid, data, value, last


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


def _whole(data: bytes, start: int, end: int, wanted: int) -> tuple[int, int]:
    """Return start and end of the content of the only element between two offsets."""
    _tag, inner, stop = _elements(data, start, end, [[wanted]])[0]
    return inner, stop


def _elements(data: bytes, start: int, end: int, forms: list[list[int]]) -> list[tuple[int, int, int]]:
    """Return the elements between two offsets, whose tags must be those of one of the *forms*."""
    found = []
    while start < end:
        tag, inner, stop = read_der(data, start)
        if stop > end:
            raise ValueError("a DER element is longer than the one around it")
        found.append((tag, inner, stop))
        start = stop
    tags = [tag for tag, _inner, _stop in found]
    if tags not in forms:
        raise ValueError(f"DER tags {' '.join(f'{tag:#04x}' for tag in tags) or 'none'} where others are required")
    return found


def _named(data: bytes, start: int, end: int, forms: list[list[int]]) -> Iterator[tuple[str, int, int, int]]:
    """Yield identifier, tag, start and end of the value of each ``SEQUENCE {OID, ..., value}`` between two offsets."""
    for tag, inner, stop in _children(data, start, end):
        if tag != SEQUENCE:
            raise ValueError("an attribute is not a sequence")
        parts = _elements(data, inner, stop, [[OID, *form] for form in forms])
        yield (_oid(data[parts[0][1] : parts[0][2]]), *parts[-1])


def _oid(data: bytes) -> str:
    if not data or data[-1] & 0x80 or data[0] & 0x80:
        raise ValueError("an object identifier is empty, truncated or of an unknown root")
    if any(byte == 0x80 and not before & 0x80 for before, byte in zip(data, data[1:])):
        raise ValueError("an object identifier is not in its shortest form")
    first = min(data[0] // 40, 2)
    parts, value = [first, data[0] - 40 * first], 0
    for byte in data[1:]:
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            parts.append(value)
            value = 0
    return ".".join(map(str, parts))


def _read_subject(request: CertificateRequest, data: bytes, start: int, end: int) -> None:
    names = []
    for tag, inner, stop in _children(data, start, end):
        if tag != SET:
            raise ValueError("the subject is not a sequence of sets")
        for oid, kind, value, last in _named(data, inner, stop, [[tag] for tag in TEXTS]):
            text = data[value:last].decode("ascii" if kind != TEXTS[0] else "utf-8")
            if oid == COMMON_NAME:
                names.append(text)
            elif oid == ORGANIZATION:
                request.organizations.append(text)
            else:
                request.others += 1
    if len(names) > 1:
        raise ValueError("the subject has more than one common name")
    request.common_name = "".join(names)


def _read_attributes(request: CertificateRequest, data: bytes, start: int, end: int) -> None:
    found = []
    for oid, _kind, value, last in _named(data, start, end, [[SET]]):
        if oid == EXTENSION_REQUEST:
            extensions, extensions_end = _whole(data, value, last, SEQUENCE)
            forms = [[OCTET_STRING], [BOOLEAN, OCTET_STRING]]
            found += list(_named(data, extensions, extensions_end, forms))
        else:
            request.others += 1
    identifiers = [oid for oid, _kind, _value, _last in found]
    if len(set(identifiers)) < len(identifiers):
        raise ValueError("an extension is requested more than once")
    for oid, _kind, value, last in found:
        if oid == SUBJECT_ALT_NAME:
            _read_alternative_names(request, data, *_whole(data, value, last, SEQUENCE))


def _read_alternative_names(request: CertificateRequest, data: bytes, start: int, end: int) -> None:
    texts = {DNS: request.dns_names, EMAIL: request.emails, URI: request.uris}
    for tag, inner, stop in _children(data, start, end):
        value = data[inner:stop]
        if tag in texts:
            texts[tag].append(value.decode("ascii"))
        elif tag == IP_ADDRESS and len(value) in (4, 16):
            request.addresses.append(str(ipaddress.ip_address(value)))
        else:
            request.others += 1
