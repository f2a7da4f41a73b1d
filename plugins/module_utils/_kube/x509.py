# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Until when certificates and tokens are valid, read from themselves; standard library only."""

from __future__ import annotations

import base64
import binascii
import calendar
import json
import time

from .der import read_der

UTC_TIME, GENERALIZED_TIME = 0x17, 0x18
BEGIN, END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


def certificate_end(pem: bytes) -> float | None:
    """Give the time at which the first certificate of some PEM text ends (RFC 5280, C(validity.notAfter)).

    :returns: seconds since 1970, or None where the text is no certificate that can be read.
    """
    text = pem.decode("ascii", "replace")
    start = text.find(BEGIN)
    if start < 0:
        return None
    body = text[start + len(BEGIN) :].partition(END)[0]
    try:
        data = base64.b64decode("".join(body.split()), validate=True)
        _tag, offset, _end = read_der(data, 0)  # Certificate
        _tag, offset, _end = read_der(data, offset)  # TBSCertificate
        if data[offset] == 0xA0:  # version
            offset = read_der(data, offset)[2]
        for _part in ("serialNumber", "signature", "issuer"):
            offset = read_der(data, offset)[2]
        _tag, offset, _end = read_der(data, offset)  # Validity
        tag, start, end = read_der(data, read_der(data, offset)[2])
        return _seconds(tag, data[start:end].decode("ascii"))
    except (ValueError, IndexError, binascii.Error):
        return None


def token_end(token: str) -> float | None:
    """Give the time at which a JSON web token ends (RFC 7519, C(exp)), None for a token that does not say."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return float(claims["exp"])
    except (ValueError, KeyError, TypeError, binascii.Error):
        return None


def moment(seconds: float) -> str:
    """Write a time for people, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))


def _seconds(tag: int, text: str) -> float:
    if tag == UTC_TIME:
        # RFC 5280, 4.1.2.5.1: two digits from 50 on mean the last century.
        text = ("19" if text[:2] >= "50" else "20") + text
    elif tag != GENERALIZED_TIME:
        raise ValueError(tag)
    return float(calendar.timegm(time.strptime(text, "%Y%m%d%H%M%SZ")))
