# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When certificates end, seen from outside by a TLS handshake. Nothing is trusted and nothing is sent."""

from __future__ import annotations

import socket
import ssl

from .._kube.objects import Reference
from .._kube.timestamps import for_people
from .._kube.x509 import not_after
from .finding import SLOW, Finding

DAY = 86400
# kubeadm's certificates last a year, and `kubeadm upgrade` renews them: who has not done either for so long should know.
SOON, VERY_SOON = 30 * DAY, 7 * DAY
TIMEOUT = 2


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
        return not_after(certificate or b""), ""
    except ValueError as error:
        return None, f"its certificate cannot be read: {error}"


def judged(name: Reference, what: str, end: float, now: float) -> list[Finding]:
    """Say that a certificate has ended or will soon.

    :param what: whose certificate it is.
    :param end: when it ends, in seconds since 1970, as C(now).
    """
    left = end - now
    if left > SOON:
        return []
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
            evidence=[f"notAfter: {for_people(end)}"],
            advice=renew,
            patience=SLOW,
        )
    ]
