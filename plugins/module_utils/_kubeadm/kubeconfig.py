# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The administrator's kubeconfig for users: its content, and the rule which existing file it can replace.

Format: https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
"""

from __future__ import annotations

import base64
import binascii
import copy
from typing import Any, Mapping

from .._host.system import HostError
from .._kube.x509 import ca_cert_hash

MODE = 0o600


class KubeconfigRefused(HostError):
    """The existing file is a kubeconfig for another cluster."""


def ca_hashes(config: Mapping[str, Any]) -> dict[str, str]:
    """Return server and CA hash (``sha256:HEX``, "" if it has none) of each cluster in a kubeconfig."""
    result = {}
    for entry in config.get("clusters") or []:
        cluster = entry.get("cluster") or {}
        try:
            pem = base64.b64decode(cluster.get("certificate-authority-data") or "").decode("ascii", "replace")
        except (ValueError, binascii.Error):
            pem = ""
        result[cluster.get("server", "")] = ca_cert_hash(pem)
    return result


def user_kubeconfig(admin: Mapping[str, Any], namespace: str = "", server: str = "") -> dict[str, Any]:
    """Return a user's kubeconfig, based on kubeadm's admin.conf.

    :param namespace: namespace of its context, "" for Kubernetes' default.
    :param server: URL of the API server, "" for the endpoint of the cluster.
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
    """Return a kubeconfig for comparison: sorted, and without the fields that tools add by themselves."""
    result = {key: value for key, value in (config or {}).items() if key != "preferences" and value}
    for section in ("clusters", "contexts", "users"):
        if section in result:
            result[section] = sorted(result[section], key=lambda entry: entry.get("name", ""))
    return result


def needs_write(live: Mapping[str, Any] | None, desired: Mapping[str, Any], path: str) -> bool:
    """Return whether a kubeconfig must be written.

    :raises KubeconfigRefused: the existing file contains another cluster. It is never overwritten.
    """
    if not live or not live.get("clusters"):
        return True
    if normalize(live) == normalize(desired):
        return False
    refused = refusal(path, live, set(ca_hashes(desired).values()))
    if refused:
        raise KubeconfigRefused(refused)
    return True


def refusal(path: str, live: Mapping[str, Any] | None, own: set[str]) -> str:
    """Return why a kubeconfig must not be overwritten, "" if it can be.

    :param own: CA hashes of the cluster, empty if it does not exist yet: its CA will differ from all others.
    """
    others = {server: digest for server, digest in ca_hashes(live or {}).items() if digest not in own}
    if not others:
        return ""
    shown = "; ".join(
        f"{server or 'no server'} (CA {digest[:19] + '...' if digest else 'unknown'})"
        for server, digest in sorted(others.items())
    )
    return (
        f"{path} is a kubeconfig for another cluster: {shown}. It was not changed. Move it to another place, or have the kubeconfig of this"
        " cluster written elsewhere (control_plane_kubeconfig_local for the control node). [slipway:kubeconfig_of_other_cluster]"
    )


def describe(config: Mapping[str, Any] | None) -> str:
    """Return a kubeconfig for a diff: servers, CA hashes, contexts and names of users, without credentials."""
    if not config:
        return ""
    lines = [f"cluster: {server} {digest}" for server, digest in sorted(ca_hashes(config).items())]
    for entry in config.get("contexts") or []:
        context = entry.get("context") or {}
        lines.append(
            f"context: {entry.get('name')} user={context.get('user')} namespace={context.get('namespace', '')}"
        )
    lines += [f"user: {entry.get('name')}" for entry in config.get("users") or []]
    lines.append(f"current-context: {config.get('current-context', '')}")
    return "\n".join(lines) + "\n"


def diff(path: str, live: Mapping[str, Any] | None, desired: Mapping[str, Any] | None) -> dict[str, str]:
    """Return the diff of a kubeconfig as Ansible shows it."""
    return {
        "before_header": path,
        "after_header": path,
        "before": describe(live),
        "after": describe(desired),
    }
