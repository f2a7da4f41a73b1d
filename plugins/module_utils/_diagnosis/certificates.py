# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When serving certificates expire, from a TLS handshake; certificates are not verified and no data is sent."""

from __future__ import annotations

import socket
import ssl

from .._kube.objects import Reference
from .._kube.timestamps import for_people
from .._kube.x509 import not_after
from .finding import SLOW, Finding

DAY = 86400
# kubeadm's certificates are valid for one year, and `kubeadm upgrade` renews them.
SOON, VERY_SOON = 30 * DAY, 7 * DAY
# What renews itself does so while more of its life is left: a week on its last day (Tekton), a year 15 days before its end (Kyverno).
SHARE = 1 / 25
TIMEOUT = 2


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
        return not_after(certificate or b""), ""
    except ValueError as error:
        return None, f"its certificate cannot be read: {error}"


def certificate_findings(name: Reference, holder: str, end: float, now: float, begin: float = 0) -> list[Finding]:
    """Report a certificate that has expired or expires soon.

    :param holder: What presents the certificate, for example C(the kubelet of node w1), or what has it, for example C(the CA bundle of webhook w).
    :param end: When it expires, in seconds since the epoch, as C(now).
    :param begin: Since when it is valid. What is valid for a short time is reported later.
    """
    left = end - now
    soon = min(SOON, (end - begin) * SHARE)
    if left > soon:
        return []
    renew = "Renew it: run kubeadm certs renew all on that control plane node, then restart its static pods."
    if holder.startswith("the kubelet"):
        renew = (
            "Check why that kubelet does not renew it: a pending certificate signing request (kubectl get csr), or tlsCertFile in its configuration. "
            "To replace a self-signed certificate, remove kubelet.crt and kubelet.key in /var/lib/kubelet/pki and restart the kubelet."
        )
    elif holder.startswith("the client"):
        renew = "Renew it: run kubeadm certs renew admin.conf on a control plane node, and fetch the kubeconfig again."
    elif holder.startswith("the CA bundle"):
        renew = (
            "Let what installed it issue a new certificate and write its CA to the bundle (cert-manager does so by itself; charts that generate a "
            "certificate need an upgrade). Once it has expired, the API server trusts no server that it calls with this bundle."
        )
    certificate = holder if "certificate" in holder or "CA bundle" in holder else f"the certificate of {holder}"
    return [
        Finding(
            "certificate_expires",
            "error" if left < min(VERY_SOON, soon / 2) else "warning",
            name,
            f"{certificate} {'has expired' if left <= 0 else f'expires in {left // DAY:.0f} days'}",
            evidence=[f"notAfter: {for_people(end)}"],
            advice=renew,
            patience=SLOW,
        )
    ]
