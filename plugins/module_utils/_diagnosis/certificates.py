# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When certificates end, seen from outside by a TLS handshake. Nothing is trusted and nothing is sent."""

from __future__ import annotations

import calendar
import re
import socket
import ssl
import time

from .._kube.objects import Reference
from .finding import SLOW, Finding

DAY = 86400
# kubeadm's certificates last a year, and `kubeadm upgrade` renews them: who has not done either for so long should know.
SOON, VERY_SOON = 30 * DAY, 7 * DAY
TIMEOUT = 2
SEQUENCE, INTEGER, UTC_TIME, GENERALIZED_TIME, EXPLICIT_0 = 0x30, 0x02, 0x17, 0x18, 0xA0


def look_at(host: str, port: int) -> tuple[float | None, str]:
    """Look when the certificate of a server ends.

    :returns: seconds since 1970, and why there are none.
    """
    context = ssl.create_default_context()
    # The end of a certificate is looked at, not whether it is trusted: kubelets sign their own.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with socket.create_connection((host, port), TIMEOUT) as plain, context.wrap_socket(
            plain, server_hostname=host
        ) as connection:
            certificate = connection.getpeercert(binary_form=True)
    except OSError as error:
        return None, str(error) or type(error).__name__
    try:
        return end_of(certificate or b""), ""
    except (IndexError, ValueError) as error:
        return None, f"its certificate cannot be read: {error}"


def own_certificate(pem: bytes) -> float | None:
    """Give the end of a certificate in PEM, None where there is none."""
    text = pem.decode(errors="replace")
    block = re.search(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", text, re.DOTALL)
    if not block:
        return None
    try:
        return end_of(ssl.PEM_cert_to_DER_cert(block.group(0)))
    except (IndexError, ValueError):
        return None


def end_of(certificate: bytes) -> float:
    """Read C(notAfter) of an X.509 certificate in DER (RFC 5280, 4.1), in seconds since 1970.

    :raises ValueError: this is no certificate.
    """
    tag, begin, _end = _element(certificate, 0)
    if tag != SEQUENCE:
        raise ValueError("no certificate")
    _tag, position, _end = _element(certificate, begin)
    tag, _begin, end = _element(certificate, position)
    if tag == EXPLICIT_0:
        position = end
    # Serial number, signature and issuer come before the validity.
    for _field in range(3):
        _tag, _begin, position = _element(certificate, position)
    tag, position, _end = _element(certificate, position)
    if tag != SEQUENCE:
        raise ValueError("no validity")
    _tag, _begin, position = _element(certificate, position)
    tag, begin, end = _element(certificate, position)
    text = certificate[begin:end].decode("ascii")
    if tag == UTC_TIME:
        text = ("20" if int(text[:2]) < 50 else "19") + text
    elif tag != GENERALIZED_TIME:
        raise ValueError("no time")
    return float(calendar.timegm(time.strptime(text, "%Y%m%d%H%M%SZ")))


def _element(data: bytes, position: int) -> tuple[int, int, int]:
    """Give tag, beginning and end of the content of a DER element."""
    tag, length = data[position], data[position + 1]
    begin = position + 2
    if length & 0x80:
        size = length & 0x7F
        length = int.from_bytes(data[begin : begin + size], "big")
        begin += size
    return tag, begin, begin + length


def judged(name: Reference, what: str, end: float, now: float) -> list[Finding]:
    """Say that a certificate has ended or will soon.

    :param what: whose certificate it is.
    :param end: when it ends, in seconds since 1970, as C(now).
    """
    left = end - now
    if left > SOON:
        return []
    when = time.strftime("%Y-%m-%d %H:%M", time.gmtime(end))
    renew = "Renew it: kubeadm certs renew all on that control plane, then restart its static pods."
    if what.startswith("the kubelet"):
        renew = (
            "See why that kubelet does not renew it: a request that waits (kubectl get csr), or tlsCertFile in its configuration. "
            "One that it signed itself it makes anew when it starts without /var/lib/kubelet/pki/kubelet.crt and kubelet.key."
        )
    elif what.startswith("the client"):
        renew = "Renew it: kubeadm certs renew admin.conf on a control plane, and fetch the kubeconfig again."
    ended = "has ended" if left <= 0 else "ends in %d days" % (left // DAY)
    return [
        Finding(
            "certificate_expires",
            "error" if left < VERY_SOON else "warning",
            name,
            f"the certificate of {what.replace('the client certificate of ', '')} {ended}",
            evidence=[f"notAfter: {when} UTC"],
            advice=renew,
            patience=SLOW,
        )
    ]
