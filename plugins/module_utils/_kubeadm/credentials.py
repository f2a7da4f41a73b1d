# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host needs to join: a token that soon ends, the key of the uploaded certificates, the CA's hash.

Forms: https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/#bootstrap-token-secret-format. The token
is made on the control node and passed on in memory; it is written to the cluster as a Secret, over standard input, so
that it is never an argument of a process.
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
KEY = re.compile(r"^[0-9a-f]{64}$")
ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
DESCRIPTION = "slipway.kube: joins of one run"
MARK = "slipway.kube/uploaded"
CERTIFICATES = "kubeadm-certs"
# A Ready node's kubelet renews its lease every 10 s; after 40 s its node is not Ready (node-monitor-grace-period).
LEASE_SECONDS = 40


def make_token() -> str:
    """A random bootstrap token."""
    characters = "".join(secrets.choice(ALPHABET) for _position in range(22))
    return characters[:6] + "." + characters[6:]


def make_certificate_key() -> str:
    """A random key for the uploaded certificates: 32 bytes in hexadecimal (kubeadm, AES-256)."""
    return secrets.token_hex(32)


def token_id(token: str) -> str:
    """The public half of a token; "" where it is none."""
    match = TOKEN.match(token or "")
    return match.group(1) if match else ""


def token_secret(token: str, minutes: int, now: float | None = None) -> dict[str, Any]:
    """The Secret that makes the API server accept a token for some minutes.

    Raises ValueError where it is no token.
    """
    match = TOKEN.match(token)
    if not match:
        raise ValueError("a bootstrap token is six characters, a dot and sixteen characters, all of a-z and 0-9")
    end = (time.time() if now is None else now) + minutes * 60
    values = {
        "token-id": match.group(1),
        "token-secret": match.group(2),
        "description": DESCRIPTION,
        "expiration": to_time(end),
        "usage-bootstrap-authentication": "true",
        "usage-bootstrap-signing": "true",
        "auth-extra-groups": "system:bootstrappers:kubeadm:default-node-token",
    }
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": TOKEN_TYPE,
        "metadata": {"name": f"bootstrap-token-{match.group(1)}", "namespace": "kube-system"},
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in values.items()},
    }


def init_token(token: str, minutes: int) -> dict[str, Any]:
    """The token of an InitConfiguration: without one kubeadm makes its own, which lives for a day."""
    return {
        "token": token,
        "ttl": f"{minutes}m0s",
        "description": DESCRIPTION,
        "groups": ["system:bootstrappers:kubeadm:default-node-token"],
        "usages": ["signing", "authentication"],
    }


def ours(tokens: Iterable[Mapping[str, Any]], certificates: Mapping[str, Any], encoded_description: str) -> list[str]:
    """Names of the Secrets in kube-system that runs of this collection have left: tokens by their description, and the
    uploaded certificates, with the token that limits their life, by our mark.

    :param tokens: Secrets of the type bootstrap.kubernetes.io/token.
    :param certificates: the Secret kubeadm-certs, or {}.
    :param encoded_description: :data:`DESCRIPTION` in base64, as the API shows it.
    """
    names = [
        item["metadata"]["name"]
        for item in tokens
        if (item.get("data") or {}).get("description") == encoded_description
    ]
    if MARK in (certificates.get("metadata", {}).get("annotations") or {}):
        names.append(CERTIFICATES)
        names += [
            owner["name"]
            for owner in certificates["metadata"].get("ownerReferences") or []
            if owner.get("kind") == "Secret"
        ]
    return list(dict.fromkeys(names))


def stale_node(
    node: Mapping[str, Any], lease: Mapping[str, Any], machine_id: str, now: float, seen: float = 0.0
) -> str:
    """Why the Node that bears a joining host's name must be left alone; "" where it is a leftover that may be deleted.

    A host that is about to join is in no cluster. A Node of its name is then left over from an earlier life of that
    host, unless another machine goes by that name and is alive.

    :param machine_id: /etc/machine-id of the host that joins; "" where it is not known.
    :param now: seconds since the epoch.
    :param seen: when the host was seen to be in no cluster, likewise; 0 where that is not known. A Node that is younger was made by
        another run, and its kubelet would not make it again.
    """
    created = node["metadata"].get("creationTimestamp", "")
    if seen and created and seconds_of(created) > seen:
        return (
            f"Another run has joined this host in the meantime: node '{node['metadata']['name']}' was made at {created}, after this run had"
            " looked at the host. Nothing was removed. Let the other run end, and run again."
        )
    info = node.get("status", {}).get("nodeInfo", {})
    if machine_id and info.get("machineID") == machine_id:
        return ""
    ready = any(
        item["type"] == "Ready" and item["status"] == "True" for item in node.get("status", {}).get("conditions") or []
    )
    renewed = (lease.get("spec") or {}).get("renewTime", "")
    if not ready or not renewed:
        return ""
    age = now - seconds_of(renewed)
    if age > LEASE_SECONDS:
        return ""
    return (
        f"Another machine (machine-id {info.get('machineID', 'unknown')}) is alive as node '{node['metadata']['name']}':"
        f" it is Ready and reported {max(age, 0):.0f} seconds ago. Give the joining host another kube_node_name; or, if that"
        " machine was just replaced by this one, run again in a minute."
    )
