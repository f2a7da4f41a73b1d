# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which requests for kubelet serving certificates are approved. This file is also installed on control planes, see :mod:`.approver`.

The rules are those of the signer ``kubernetes.io/kubelet-serving``
(https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/#kubernetes-signers). In addition, a node gets a
certificate only for names and addresses that the inventory gives it.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, Mapping

from .._kube.x509 import RequestError, canonical_address, parse_certificate_request

REQUESTS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
SIGNER = "kubernetes.io/kubelet-serving"
USAGES = ({"digital signature", "server auth"}, {"digital signature", "key encipherment", "server auth"})
GROUPS = {"system:nodes", "system:authenticated"}
USER = "system:node:"

# The names and addresses of all nodes. A node cannot change this ConfigMap, as it can its own Node.
INVENTORY = "/api/v1/namespaces/kube-system/configmaps/slipway-nodes"
INVENTORY_KEY = "nodes.json"


def is_pending(request: Mapping[str, Any]) -> bool:
    """Return whether a CertificateSigningRequest is for a kubelet serving certificate and is neither approved nor denied."""
    status = request.get("status") or {}
    return (
        request["spec"].get("signerName") == SIGNER and not status.get("conditions") and not status.get("certificate")
    )


def requesting_node(request: Mapping[str, Any]) -> str:
    """Return the name of the node that created the request, "" if it was not a node."""
    user = request["spec"].get("username", "")
    return user[len(USER) :] if user.startswith(USER) else ""


def refusal(request: Mapping[str, Any], node: Mapping[str, Any] | None) -> str:
    """Return why a request must not be approved, "" if it can be.

    :param node: ``{name, addresses, host_names}`` of the requesting node in the inventory, None if it is not there.
    """
    spec = request["spec"]
    name = requesting_node(request)
    if not name:
        return f"{spec.get('username', '')!r} is not a node"
    if node is None:
        return f"node '{name}' is not in the inventory"
    missing = GROUPS - set(spec.get("groups") or [])
    if missing:
        return f"the requester is not in {', '.join(sorted(missing))}"
    if set(spec.get("usages") or []) not in USAGES:
        return f"the requested usages are {', '.join(spec.get('usages') or []) or 'empty'}"
    try:
        names = parse_certificate_request(base64.b64decode(spec.get("request", "")))
    except (RequestError, binascii.Error) as error:
        return f"the request cannot be read: {error}"
    if names.common_name != USER + name:
        return f"the common name is '{names.common_name}'"
    if names.organizations != ["system:nodes"]:
        return f"the organization is {names.organizations}"
    if names.emails or names.uris or names.others:
        return "the request contains names other than DNS names and IP addresses"
    allowed = {canonical_address(address) for address in node.get("addresses") or []}
    unknown = [address for address in names.addresses if address not in allowed]
    unknown += [dns for dns in names.dns_names if dns not in {name, *(node.get("host_names") or [])}]
    if unknown:
        return (
            f"the request contains {', '.join(unknown)}, but the inventory gives '{name}' only"
            f" {', '.join(sorted(allowed)) or 'no address'}"
        )
    return "" if names.addresses or names.dns_names else "the request contains neither a DNS name nor an IP address"
