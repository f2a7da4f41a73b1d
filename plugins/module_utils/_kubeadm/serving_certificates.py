# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which kubelet serving certificates are signed, and whether a kubelet serves with one.

The rules are those of the signer ``kubernetes.io/kubelet-serving``
(https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/#kubernetes-signers), and one of
our own: a node gets a certificate only for names and addresses that the inventory gives it.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import socket
import ssl
from typing import Any, Mapping

from .._kube.api import Client
from .._kube.x509 import RequestError, parse_certificate_request

REQUESTS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
SIGNER = "kubernetes.io/kubelet-serving"
USAGES = ({"digital signature", "server auth"}, {"digital signature", "key encipherment", "server auth"})
GROUPS = {"system:nodes", "system:authenticated"}
USER = "system:node:"
KUBELET_PORT = 10250


def is_pending(request: Mapping[str, Any]) -> bool:
    """Whether a CertificateSigningRequest for a kubelet's serving certificate awaits a decision."""
    status = request.get("status") or {}
    return (
        request["spec"].get("signerName") == SIGNER and not status.get("conditions") and not status.get("certificate")
    )


def requestor(request: Mapping[str, Any]) -> str:
    """Name of the node that asks; "" where it is no node."""
    user = request["spec"].get("username", "")
    return user[len(USER) :] if user.startswith(USER) else ""


def canonical(address: str) -> str:
    """An address in the form in which addresses are compared; other text unchanged."""
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return address


def refuse(request: Mapping[str, Any], node: Mapping[str, Any] | None) -> str:
    """Why a request is not approved; "" where it may be.

    :param node: ``{name, addresses, host_names}`` of the node that asks, from the inventory; None where it is not in there.
    """
    spec = request["spec"]
    name = requestor(request)
    if not name:
        return f"{spec.get('username', '')!r} is no node"
    if node is None:
        return f"node '{name}' is not in the inventory"
    missing = GROUPS - set(spec.get("groups") or [])
    if missing:
        return f"its sender is not in {', '.join(sorted(missing))}"
    if set(spec.get("usages") or []) not in USAGES:
        return f"it asks for the usages {', '.join(spec.get('usages') or []) or 'none'}"
    try:
        asked = parse_certificate_request(base64.b64decode(spec.get("request", "")))
    except (RequestError, binascii.Error) as error:
        return f"it cannot be read: {error}"
    if asked.common_name != USER + name:
        return f"its subject is '{asked.common_name}'"
    if asked.organizations != ["system:nodes"]:
        return f"its organization is {asked.organizations}"
    if asked.emails or asked.uris or asked.others:
        return "it names more than DNS names and addresses"
    allowed = {canonical(address) for address in node.get("addresses") or []}
    strange = [address for address in asked.addresses if address not in allowed]
    strange += [dns for dns in asked.dns_names if dns not in {name, *(node.get("host_names") or [])}]
    if strange:
        return (
            f"it asks for {', '.join(strange)}, and the inventory gives '{name}'"
            f" {', '.join(sorted(allowed)) or 'no address'} only"
        )
    return "" if asked.addresses or asked.dns_names else "it names neither a DNS name nor an address"


def approve(client: Client, name: str) -> None:
    """Approve a pending request.

    A pending request has no conditions, so a merge patch replaces none, and it can be repeated.

    :param name: name of the CertificateSigningRequest.
    """
    condition = {"type": "Approved", "status": "True", "reason": "ApprovedByInventory"}
    condition["message"] = "The inventory gives the node the requested names and addresses."
    client.patch(f"{REQUESTS}/{name}/approval", {"status": {"conditions": [condition]}})


def serves(address: str, ca_file: str, port: int = KUBELET_PORT, timeout: float = 3.0) -> str:
    """Why the kubelet at an address (port: TCP, timeout: seconds) does not prove itself by the cluster's CA; "" where it does."""
    context = ssl.create_default_context(cafile=ca_file)
    try:
        with socket.create_connection((address, port), timeout=timeout) as connection, context.wrap_socket(
            connection, server_hostname=address
        ):
            return ""
    except ssl.SSLCertVerificationError as error:
        return f"its certificate is not good for {address}: {error.verify_message}"
    except ssl.SSLError as error:
        return f"it offers no certificate ({error.reason or error})"
    except OSError as error:
        return f"{address}:{port} does not answer: {error.strerror or error}"
