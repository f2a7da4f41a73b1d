# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Approval of kubelet serving certificates, and verification that a kubelet uses one."""

from __future__ import annotations

import socket
import ssl

from .._kube.api import Client
from .serving_requests import REQUESTS

KUBELET_PORT = 10250


def approve(client: Client, name: str) -> None:
    """Approve a pending request.

    A pending request has no conditions, so a merge patch replaces none, and it can be repeated.

    :param name: name of the CertificateSigningRequest.
    """
    condition = {"type": "Approved", "status": "True", "reason": "ApprovedByInventory"}
    condition["message"] = "The inventory gives the node the requested names and addresses."
    client.patch(f"{REQUESTS}/{name}/approval", {"status": {"conditions": [condition]}})


def kubelet_problem(address: str, ca_file: str, port: int = KUBELET_PORT, timeout: float = 3.0) -> str:
    """Return why the kubelet at an address does not serve with a certificate of the cluster's CA, "" if it does.

    :param timeout: seconds for the connection and for each step of the TLS handshake.
    """
    context = ssl.create_default_context(cafile=ca_file)
    try:
        with socket.create_connection((address, port), timeout=timeout) as connection, context.wrap_socket(
            connection, server_hostname=address
        ):
            return ""
    except ssl.SSLCertVerificationError as error:
        return f"its certificate is not valid for {address}: {error.verify_message}"
    except ssl.SSLError as error:
        return f"it offers no certificate ({error.reason or error})"
    except OSError as error:
        return f"{address}:{port} does not respond: {error.strerror or error}"
