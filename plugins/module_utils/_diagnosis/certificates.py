# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When serving certificates expire, from a TLS handshake; certificates are not verified and no data is sent."""

from __future__ import annotations

import calendar
import re
import socket
import ssl
import time

from .._kube.objects import Reference
from .finding import SLOW, Finding

DAY = 86400
# kubeadm's certificates are valid for one year, and `kubeadm upgrade` renews them.
SOON, VERY_SOON = 30 * DAY, 7 * DAY
TIMEOUT = 2
SEQUENCE, INTEGER, UTC_TIME, GENERALIZED_TIME, EXPLICIT_0 = 0x30, 0x02, 0x17, 0x18, 0xA0


def served_certificate(host: str, port: int) -> tuple[float | None, str]:
    """Return when the certificate that a server presents expires.

    :returns: Seconds since the epoch, or None and the reason.
    """
    context = ssl.create_default_context()
    # Only the expiration is checked, not the trust: kubelets may sign their own certificates.
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


def certificate_findings(name: Reference, holder: str, end: float, now: float) -> list[Finding]:
    """Report a certificate that has expired or expires soon.

    :param holder: What presents the certificate, for example C(the kubelet of node w1).
    :param end: When it expires, in seconds since the epoch, as C(now).
    """
    left = end - now
    if left > SOON:
        return []
    when = time.strftime("%Y-%m-%d %H:%M", time.gmtime(end))
    renew = "Renew it: run kubeadm certs renew all on that control plane node, then restart its static pods."
    if holder.startswith("the kubelet"):
        renew = (
            "Check why that kubelet does not renew it: a pending certificate signing request (kubectl get csr), or tlsCertFile in its configuration. "
            "To replace a self-signed certificate, remove kubelet.crt and kubelet.key in /var/lib/kubelet/pki and restart the kubelet."
        )
    elif holder.startswith("the client"):
        renew = "Renew it: run kubeadm certs renew admin.conf on a control plane node, and fetch the kubeconfig again."
    certificate = holder if "certificate" in holder else f"the certificate of {holder}"
    return [
        Finding(
            "certificate_expires",
            "error" if left < VERY_SOON else "warning",
            name,
            f"{certificate} {'has expired' if left <= 0 else f'expires in {left // DAY:.0f} days'}",
            evidence=[f"notAfter: {when} UTC"],
            advice=renew,
            patience=SLOW,
        )
    ]
