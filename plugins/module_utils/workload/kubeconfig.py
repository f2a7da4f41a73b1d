# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a kubeconfig says about a server and how to prove who one is; standard library only."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any, Mapping


class KubeconfigError(Exception):
    """A kubeconfig cannot be used; the message says why and what to do."""


@dataclass(frozen=True)
class Credentials:
    """One context of a kubeconfig, resolved. PEM data are bytes, empty where there are none."""

    server: str
    authority: bytes = b""
    certificate: bytes = b""
    key: bytes = b""
    token: str = ""
    server_name: str = ""
    verify: bool = True

    def __repr__(self) -> str:
        """Name the server only: the rest is secret."""
        return "Credentials(server=%r)" % self.server


def read_credentials(config: Mapping[str, Any], context: str | None = None) -> Credentials:
    """Resolve one context of a kubeconfig.

    The form is that of https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/ with files already embedded
    (C(kubectl config view --raw --flatten -o json)).

    :param config: the parsed kubeconfig.
    :param context: name of the context; the current one when empty.
    :raises KubeconfigError: a part is missing, is not valid base64, or proves identity in a way that is not supported.
    """
    name = context or config.get("current-context")
    if not name:
        raise KubeconfigError(
            "The kubeconfig has no current context. Name one with 'context'; it has: %s." % _names(config, "contexts")
        )
    chosen = _entry(config, "contexts", "context", name)
    cluster = _entry(config, "clusters", "cluster", chosen.get("cluster") or "")
    user = _entry(config, "users", "user", chosen["user"]) if chosen.get("user") else {}
    server = cluster.get("server") or ""
    if not server.startswith(("https://", "http://")):
        raise KubeconfigError(
            "Cluster %r of the kubeconfig has no usable server address: %r." % (chosen.get("cluster"), server)
        )
    for way in ("exec", "auth-provider"):
        if way in user:
            raise KubeconfigError(
                "User %r of the kubeconfig proves who they are through '%s', which this module does not run. "
                "Use a client certificate or a token." % (chosen["user"], way)
            )
    return Credentials(
        server=server.rstrip("/"),
        authority=_pem(cluster, "certificate-authority-data"),
        certificate=_pem(user, "client-certificate-data"),
        key=_pem(user, "client-key-data"),
        token=user.get("token") or "",
        server_name=cluster.get("tls-server-name") or "",
        verify=not cluster.get("insecure-skip-tls-verify", False),
    )


def _names(config: Mapping[str, Any], section: str) -> str:
    names: list[str] = [entry.get("name", "") for entry in config.get(section) or []]
    return ", ".join(names) or "none"


def _entry(config: Mapping[str, Any], section: str, key: str, name: str) -> dict[str, Any]:
    for entry in config.get(section) or []:
        if entry.get("name") == name:
            return entry.get(key) or {}
    raise KubeconfigError("The kubeconfig has no %s named %r; it has: %s." % (key, name, _names(config, section)))


def _pem(part: Mapping[str, Any], key: str) -> bytes:
    try:
        return base64.b64decode(part.get(key) or "", validate=True)
    except (binascii.Error, ValueError) as error:
        raise KubeconfigError("The kubeconfig's %s is not valid base64: %s." % (key, error)) from error
