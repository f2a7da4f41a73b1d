# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The administrator's kubeconfig for people: what it holds, and whose file it may replace.

Form: https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
"""

from __future__ import annotations

import base64
import binascii
import copy
from typing import Any, Mapping

from .._host.system import HostError
from .._kube.x509 import ca_cert_hash


class KubeconfigRefused(HostError):
    """A file of another cluster is in the way."""


def _clusters(config: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [entry.get("cluster") or {} for entry in config.get("clusters") or []]


def authorities(config: Mapping[str, Any]) -> dict[str, str]:
    """Server to the hash of its CA (``sha256:HEX``, "" where it has none) of each cluster in a kubeconfig."""
    result = {}
    for cluster in _clusters(config):
        try:
            pem = base64.b64decode(cluster.get("certificate-authority-data") or "").decode("ascii", "replace")
        except (ValueError, binascii.Error):
            pem = ""
        result[cluster.get("server", "")] = ca_cert_hash(pem)
    return result


def make_kubeconfig(admin: Mapping[str, Any], namespace: str = "", server: str = "") -> dict[str, Any]:
    """A person's kubeconfig, made of kubeadm's admin.conf.

    :param namespace: namespace of its context; "" leaves the choice to Kubernetes (``default``).
    :param server: URL of the API server; "" for the cluster's endpoint.
    """
    config = copy.deepcopy(dict(admin))
    for entry in config.get("contexts") or []:
        if namespace:
            entry["context"]["namespace"] = namespace
    for entry in config.get("clusters") or []:
        if server:
            entry["cluster"]["server"] = server
    config.pop("preferences", None)
    return config


def normalize(config: Mapping[str, Any] | None) -> dict[str, Any]:
    """A kubeconfig as it is compared: without what tools add to it by themselves, order left aside."""
    result = {key: value for key, value in (config or {}).items() if key != "preferences" and value}
    for section in ("clusters", "contexts", "users"):
        if section in result:
            result[section] = sorted(result[section], key=lambda entry: entry.get("name", ""))
    return result


def check(have: Mapping[str, Any] | None, want: Mapping[str, Any], path: str) -> bool:
    """Whether a file has to be written.

    Raises KubeconfigRefused where the file there is, also in part, another cluster's: it is never overwritten.
    """
    if not have or not _clusters(have):
        return True
    if normalize(have) == normalize(want):
        return False
    ours = set(authorities(want).values())
    others = {server: digest for server, digest in authorities(have).items() if digest not in ours}
    if others:
        raise KubeconfigRefused(refusal(path, others))
    return True


def find_refusal(path: str, have: Mapping[str, Any] | None, ca_hash: str) -> str:
    """Why a file may not become the kubeconfig of the cluster with this CA; "" where it may.

    :param ca_hash: ``sha256:HEX``; "" for a cluster that is yet to be made: its CA will be like no other.
    """
    others = {server: digest for server, digest in authorities(have or {}).items() if not ca_hash or digest != ca_hash}
    return refusal(path, others) if others else ""


def refusal(path: str, others: Mapping[str, str]) -> str:
    """The message about a file that is another cluster's."""
    shown = "; ".join(
        f"{server or 'no server'} (CA {digest[:19] + '...' if digest else 'unknown'})"
        for server, digest in sorted(others.items())
    )
    return (
        f"{path} holds the way to another cluster: {shown}. It was left as it is. Move it away, or have the kubeconfig of this"
        " cluster written elsewhere (control_plane_kubeconfig_local for the control node)."
    )


def describe(config: Mapping[str, Any] | None) -> str:
    """A kubeconfig for a diff: servers, CA hashes and namespaces; credentials only as to whether they are there."""
    if not config:
        return ""
    lines = [f"cluster: {server} {digest}" for server, digest in sorted(authorities(config).items())]
    for entry in config.get("contexts") or []:
        context = entry.get("context") or {}
        lines.append(
            f"context: {entry.get('name')} user={context.get('user')} namespace={context.get('namespace', '')}"
        )
    lines += [f"user: {entry.get('name')}" for entry in config.get("users") or []]
    lines.append(f"current-context: {config.get('current-context', '')}")
    return "\n".join(lines) + "\n"
