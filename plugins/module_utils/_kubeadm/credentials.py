# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials for joining: a short-lived bootstrap token and the key of the uploaded certificates.

Formats: https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/#bootstrap-token-secret-format. The token is generated on
the control node and kept in memory only. It is never an argument of a process.
"""

from __future__ import annotations

import base64
import re
import secrets
import time
from typing import Any, Iterable, Mapping

from .._kube.timestamps import seconds_of, to_time

TOKEN = re.compile(r"^([a-z0-9]{6})\.([a-z0-9]{16})$")
TOKEN_TYPE = "bootstrap.kubernetes.io/token"
TOKEN_GROUP = "system:bootstrappers:kubeadm:default-node-token"
KEY = re.compile(r"^[0-9a-f]{64}$")
ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
DESCRIPTION = "slipway.kube: join credentials of one run"
# Annotation of the Secret kubeadm-certs if this collection uploaded the certificates.
UPLOADED = "slipway.kube/uploaded"
CERTIFICATES = "kubeadm-certs"
# A Ready node's kubelet renews its lease every 10 s; after 40 s its node is not Ready (node-monitor-grace-period).
LEASE_SECONDS = 40


def make_token() -> str:
    """Return a random bootstrap token."""
    characters = "".join(secrets.choice(ALPHABET) for _position in range(22))
    return characters[:6] + "." + characters[6:]


def token_id(token: str) -> str:
    """Return the public part of a token, "" if it is not valid."""
    match = TOKEN.match(token or "")
    return match.group(1) if match else ""


def _encode(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def token_secret(token: str, minutes: int, now: float | None = None) -> dict[str, Any]:
    """Return the Secret with which the API server accepts a token.

    :param minutes: time until it expires.
    :param now: seconds since the epoch.
    :raises ValueError: the token is not valid.
    """
    match = TOKEN.match(token)
    if not match:
        raise ValueError("a bootstrap token is six characters, a dot and sixteen characters, all of a-z and 0-9")
    values = {
        "token-id": match.group(1),
        "token-secret": match.group(2),
        "description": DESCRIPTION,
        "expiration": to_time((time.time() if now is None else now) + minutes * 60),
        "usage-bootstrap-authentication": "true",
        "usage-bootstrap-signing": "true",
        "auth-extra-groups": TOKEN_GROUP,
    }
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": TOKEN_TYPE,
        "metadata": {"name": f"bootstrap-token-{match.group(1)}", "namespace": "kube-system"},
        "data": {key: _encode(value) for key, value in values.items()},
    }


def init_token(token: str, minutes: int) -> dict[str, Any]:
    """Return the token of an InitConfiguration. Without one, kubeadm creates its own, which is valid for a day."""
    return {
        "token": token,
        "ttl": f"{minutes}m0s",
        "description": DESCRIPTION,
        "groups": [TOKEN_GROUP],
        "usages": ["signing", "authentication"],
    }


def credential_secrets(tokens: Iterable[Mapping[str, Any]], certificates: Mapping[str, Any]) -> list[str]:
    """Return the names of the Secrets in kube-system with credentials that this collection issued.

    Tokens are recognized by their description. The uploaded certificates, and the token that limits their lifetime, are recognized by the
    annotation :data:`UPLOADED`.

    :param tokens: Secrets of the type :data:`TOKEN_TYPE`.
    :param certificates: the Secret kubeadm-certs, or {}.
    """
    description = _encode(DESCRIPTION)
    names = [one["metadata"]["name"] for one in tokens if (one.get("data") or {}).get("description") == description]
    metadata = certificates.get("metadata", {})
    if UPLOADED in (metadata.get("annotations") or {}):
        owners = metadata.get("ownerReferences") or []
        names += [CERTIFICATES, *(owner["name"] for owner in owners if owner.get("kind") == "Secret")]
    return list(dict.fromkeys(names))


def reason_to_keep_node(
    node: Mapping[str, Any], lease: Mapping[str, Any], machine_id: str, now: float, seen: float = 0.0
) -> str:
    """Return why the Node with the name of a joining host must not be deleted, "" if it is stale.

    A host that joins is not a member of a cluster. A Node with its name is therefore stale, unless it belongs to another machine that is
    running.

    :param machine_id: /etc/machine-id of the joining host, "" if unknown.
    :param now: seconds since the epoch.
    :param seen: when the host was found not to be a member, in seconds since the epoch, 0 if unknown. A newer Node was created by another
        run, and its kubelet would not create it again.
    """
    name, created = node["metadata"].get("name"), node["metadata"].get("creationTimestamp", "")
    if seen and created and seconds_of(created) > seen:
        return (
            f"Another run has joined this host in the meantime: node '{name}' was created at {created}, after this run had"
            " inspected the host. Nothing was deleted. Wait until the other run has finished, then run again."
        )
    status = node.get("status", {})
    machine = status.get("nodeInfo", {}).get("machineID", "unknown")
    ready = any(item["type"] == "Ready" and item["status"] == "True" for item in status.get("conditions") or [])
    renewed = (lease.get("spec") or {}).get("renewTime", "")
    age = now - seconds_of(renewed)
    if machine_id and machine == machine_id or not ready or not renewed or age > LEASE_SECONDS:
        return ""
    return (
        f"Another machine (machine-id {machine}) is running as node '{name}': it is Ready and renewed its lease {max(age, 0):.0f} seconds"
        " ago. Set another kube_node_name for the joining host. If this host has just replaced that machine, run again in a minute."
    )
