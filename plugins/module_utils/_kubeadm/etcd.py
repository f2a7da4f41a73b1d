# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Members of the stacked etcd cluster, managed through etcd's JSON gateway: hosts need not have etcdctl.

API: https://etcd.io/docs/v3.6/dev-guide/api_grpc_gateway/ (``/v3/cluster/member/list``, ``/v3/cluster/member/remove``).
"""

from __future__ import annotations

import http.client
import json
import ssl
import time
from pathlib import Path
from typing import Any, Iterable, Mapping
from urllib.parse import urlsplit

from .._host.system import HostError

PKI = "/etc/kubernetes/pki/etcd"
CLIENT_PORT = 2379
TIMEOUT = 15.0


class EtcdError(HostError):
    """etcd rejected a request or did not respond."""


class LastMember(EtcdError):
    """The only member of etcd cannot be removed."""


def has_credentials(pki: str = PKI) -> bool:
    """Return whether this host has the client certificate for etcd. kubeadm creates it before it adds a member."""
    return all((Path(pki) / name).exists() for name in ("ca.crt", "healthcheck-client.crt", "healthcheck-client.key"))


def call(endpoint: str, path: str, body: Mapping[str, Any], pki: str = PKI) -> dict[str, Any]:
    """Return the response of an etcd server.

    :param endpoint: ``https://ADDRESS:2379``.
    :raises EtcdError: it does not respond, or rejects the request.
    """
    folder = Path(pki)
    parts = urlsplit(endpoint)
    try:
        context = ssl.create_default_context(cafile=str(folder / "ca.crt"))
        context.load_cert_chain(str(folder / "healthcheck-client.crt"), str(folder / "healthcheck-client.key"))
        connection = http.client.HTTPSConnection(
            parts.hostname or "", parts.port or CLIENT_PORT, timeout=TIMEOUT, context=context
        )
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        text = response.read().decode("utf-8", "replace")
        connection.close()
        if response.status != 200:
            raise EtcdError(f"etcd at {endpoint} responded to {path} with {response.status}. Evidence: {text.strip()}")
        return json.loads(text)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise EtcdError(f"etcd at {endpoint} does not respond. Evidence: {error}") from error


def find_members(members: Iterable[Mapping[str, Any]], name: str, addresses: Iterable[str]) -> list[dict[str, Any]]:
    """Return the members of a node. A member that never started has no name and is found by its peer URL."""
    hosts = set(addresses)
    return [
        dict(member)
        for member in members
        if member.get("name") == name
        or not member.get("name")
        and any(urlsplit(url).hostname in hosts for url in member.get("peerURLs", []))
    ]


def remove_member(
    endpoints: Iterable[str],
    name: str,
    addresses: Iterable[str],
    dry: bool = False,
    patience: float = 30.0,
    pki: str = PKI,
) -> list[str]:
    """Remove the etcd member of a node through the first endpoint that responds. The only member is never removed.

    :param dry: remove nothing.
    :param patience: seconds for which to retry while etcd has no quorum or no leader.
    :returns: descriptions of the removed members.
    :raises EtcdError: no endpoint responds, or the removal is rejected.
    """
    endpoints, addresses = list(endpoints), list(addresses)
    end = time.monotonic() + patience
    while True:
        problems = []
        for endpoint in endpoints:
            try:
                return _remove_through(endpoint, name, addresses, dry, pki)
            except LastMember:
                raise
            except EtcdError as error:
                problems.append(str(error))
        if time.monotonic() >= end:
            raise EtcdError(f"The etcd member '{name}' could not be removed. {' '.join(problems)}")
        time.sleep(3)


def _remove_through(endpoint: str, name: str, addresses: list[str], dry: bool, pki: str) -> list[str]:
    members = call(endpoint, "/v3/cluster/member/list", {}, pki).get("members", [])
    found = find_members(members, name, addresses)
    if found and len(members) <= len(found):
        raise LastMember(
            f"'{name}' is the only member of etcd: removing it would delete the state of the whole cluster."
            f" Evidence: {endpoint} lists {len(members)} member(s)."
        )
    for member in found:
        if not dry:
            call(endpoint, "/v3/cluster/member/remove", {"ID": member["ID"]}, pki)
    return [f"etcd member {member.get('name') or ' '.join(member.get('peerURLs', []))}" for member in found]
