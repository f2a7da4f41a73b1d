# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Members of the stacked etcd cluster, over etcd's JSON gateway: hosts need not have etcdctl.

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
# etcd lists from its leader, and removes once the change is committed; an election takes about a second.
TIMEOUT = 15.0


class EtcdError(HostError):
    """etcd refused or did not answer."""


class LastMember(EtcdError):
    """The member that was to go is the last one."""


def has_credentials(pki: str = PKI) -> bool:
    """Whether this host can ask etcd at all: kubeadm makes these files before it adds a member."""
    return all((Path(pki) / name).exists() for name in ("ca.crt", "healthcheck-client.crt", "healthcheck-client.key"))


def call(endpoint: str, path: str, body: Mapping[str, Any], pki: str = PKI) -> dict[str, Any]:
    """Answer of one etcd server (``https://ADDRESS:2379``).

    Raises EtcdError.
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
        answer = connection.getresponse()
        text = answer.read().decode("utf-8", "replace")
        connection.close()
        if answer.status != 200:
            raise EtcdError(f"etcd at {endpoint} answered {answer.status} to {path}. Evidence: {text.strip()}")
        return json.loads(text)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise EtcdError(f"etcd at {endpoint} does not answer. Evidence: {error}") from error


def find_members(members: Iterable[Mapping[str, Any]], name: str, addresses: Iterable[str]) -> list[dict[str, Any]]:
    """Members that are, or were to be, the node of this name: a member that never started has no name, only a peer URL."""
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
    """Remove a node's member by way of the first endpoint that answers; what was (or with *dry* would be) removed, in words.

    The last member is never removed.

    :param patience: seconds for which a cluster without a majority, or one that elects a leader, is asked again.

    Raises EtcdError where no endpoint answers or the removal is refused.
    """
    endpoints, addresses = list(endpoints), list(addresses)
    end = time.monotonic() + patience
    while True:
        problems = []
        for endpoint in endpoints:
            try:
                return _remove_by(endpoint, name, addresses, dry, pki)
            except LastMember:
                raise
            except EtcdError as error:
                problems.append(str(error))
        if time.monotonic() >= end:
            raise EtcdError("The member of '" + name + "' could not be removed from etcd. " + " ".join(problems))
        time.sleep(3)


def _remove_by(endpoint: str, name: str, addresses: list[str], dry: bool, pki: str) -> list[str]:
    members = call(endpoint, "/v3/cluster/member/list", {}, pki).get("members", [])
    found = find_members(members, name, addresses)
    if found and len(members) <= len(found):
        raise LastMember(
            f"'{name}' is the only member of etcd: with it the whole cluster's state would go."
            f" Evidence: {endpoint} lists {len(members)} member(s)."
        )
    for member in found:
        if not dry:
            call(endpoint, "/v3/cluster/member/remove", {"ID": member["ID"]}, pki)
    return [f"etcd member {member.get('name') or ' '.join(member.get('peerURLs', []))}" for member in found]
