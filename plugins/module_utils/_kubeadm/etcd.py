# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Members of etcd, managed through etcd's JSON gateway: hosts need not have etcdctl.

On a control plane with a stacked etcd, its own member is asked; with an external one (group kube_etcd), the members that its API server uses.

API: https://etcd.io/docs/v3.6/dev-guide/api_grpc_gateway/ (``/v3/cluster/member/list``, ``/v3/cluster/member/remove``).
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import json
import ssl
import time
from pathlib import Path
from typing import Any, Iterable, Iterator, Mapping
from urllib.parse import urlsplit

from .._host.facts.cluster import parse_etcd_servers
from .._host.system import HostError, coded
from .etcd_tools import client_certificate

PKI = "/etc/kubernetes/pki/etcd"
CLIENT_PORT = 2379
LOCAL = f"https://127.0.0.1:{CLIENT_PORT}"
API_SERVER = "/etc/kubernetes/manifests/kube-apiserver.yaml"
MEMBER = "/etc/kubernetes/manifests/etcd.yaml"
LOOPBACK = ("127.0.0.1", "::1", "localhost")
TIMEOUT = 15.0
PATIENT = 300.0
"""Seconds for what a member does with its whole database."""


class EtcdError(HostError):
    """etcd rejected a request or did not respond."""


class LastMember(EtcdError):
    """The only member of etcd cannot be removed."""


def external_servers(manifest: str = "") -> list[str]:
    """Return the URLs of an external etcd that the API server of this host uses, [] for a stacked one or without an API server.

    :param manifest: text of the manifest of kube-apiserver; "" to read this host's.
    """
    if not manifest:
        if Path(MEMBER).exists():
            return []
        with contextlib.suppress(OSError):
            manifest = Path(API_SERVER).read_text()
    return [url for url in parse_etcd_servers(manifest) if urlsplit(url).hostname not in LOOPBACK]


def find_endpoint(pki: str = PKI) -> str:
    """Return the URL of this host's own member, or of the first member of an external etcd that responds.

    :raises EtcdError: no member of an external etcd responds.
    """
    problems = []
    for url in external_servers():
        try:
            call(url, "/v3/maintenance/status", {}, pki)
            return url
        except EtcdError as error:
            problems.append(str(error))
    if problems:
        raise EtcdError(f"No member of etcd responds. {' '.join(problems)}")
    return LOCAL


def first_to_list(endpoints: Iterable[str], pki: str = PKI) -> tuple[str, list[dict[str, Any]], list[str]]:
    """Return the first endpoint that lists the members, the members, and why those before it did not; ("", [], …) if none does."""
    problems: list[str] = []
    for url in endpoints:
        try:
            return url, list_members(url, pki), problems
        except EtcdError as error:
            problems.append(str(error))
    return "", [], problems


def has_credentials(pki: str = PKI) -> bool:
    """Return whether this host has a client certificate for etcd. kubeadm creates it before it adds a member."""
    return all(path.exists() for path in (Path(pki) / "ca.crt", *client_certificate(pki)))


def require_credentials(pki: str = PKI) -> None:
    """Fail on a host that has no client certificate for etcd.

    :raises EtcdError: it has none.
    """
    if not has_credentials(pki):
        raise EtcdError(
            f"This host has no client certificate for etcd in {pki}. Use a control plane or a host of the group kube_etcd."
            " [slipway:not_a_control_plane]"
        )


def call(endpoint: str, path: str, body: Mapping[str, Any], pki: str = PKI, timeout: float = TIMEOUT) -> dict[str, Any]:
    """Return the response of an etcd server.

    :param endpoint: ``https://ADDRESS:2379``.
    :param timeout: seconds to wait for it.
    :raises EtcdError: it does not respond, or rejects the request.
    """
    text = b"".join(stream(endpoint, path, pki, body, timeout))
    try:
        return json.loads(text)
    except ValueError as error:
        raise EtcdError(_silent(endpoint, error)) from error


def stream(
    endpoint: str, path: str, pki: str = PKI, body: Mapping[str, Any] | None = None, timeout: float = TIMEOUT
) -> Iterator[bytes]:
    """Yield the lines of the response of an etcd server.

    :raises EtcdError: it does not respond, or rejects the request.
    """
    parts = urlsplit(endpoint)
    try:
        context = ssl.create_default_context(cafile=str(Path(pki) / "ca.crt"))
        context.load_cert_chain(*map(str, client_certificate(pki)))
        connection = http.client.HTTPSConnection(
            parts.hostname or "", parts.port or CLIENT_PORT, timeout=timeout, context=context
        )
        with contextlib.closing(connection):
            connection.request("POST", path, json.dumps(body or {}), {"Content-Type": "application/json"})
            response = connection.getresponse()
            if response.status != 200:
                text = response.read().decode("utf-8", "replace").strip()
                raise EtcdError(
                    f"etcd at {endpoint} responded to {path} with {response.status}. Evidence: {text} [slipway:etcd_failed]"
                )
            yield from response
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise EtcdError(_silent(endpoint, error)) from error


def _silent(endpoint: str, error: Exception) -> str:
    return f"etcd at {endpoint} does not respond. Evidence: {error} [slipway:etcd_silent]"


def list_members(endpoint: str, pki: str = PKI) -> list[dict[str, Any]]:
    """Return the members of etcd.

    :raises EtcdError: it does not respond.
    """
    return call(endpoint, "/v3/cluster/member/list", {}, pki).get("members", [])


def find_problems(endpoint: str, pki: str = PKI) -> list[str]:
    """Return what is wrong with etcd, one sentence for each member; a member is asked at its client URL.

    :param endpoint: of the member that lists the others.
    :raises EtcdError: it does not respond.
    """
    problems = []
    for member in list_members(endpoint, pki):
        name, urls = member.get("name") or "a member that never started", member.get("clientURLs") or []
        if member.get("isLearner") or not urls:
            problems.append(f"{name} is not a voting member ({', '.join(member.get('peerURLs', []))})")
            continue
        problems += [f"{name}: {error}" for error in member_errors(urls[0], pki)]
    return problems


def member_errors(endpoint: str, pki: str = PKI) -> list[str]:
    """Return what a member of etcd says is wrong with it, or that it does not respond."""
    try:
        return call(endpoint, "/v3/maintenance/status", {}, pki).get("errors") or []
    except EtcdError as error:
        return [str(error)]


def read_statuses(endpoints: Iterable[str], pki: str = PKI) -> list[dict[str, Any]]:
    """Return ``url``, ``name``, ``size``, ``quota`` (bytes) and ``problems`` of the members of an external etcd, as each of them says it.

    :param endpoints: URLs of all members that there should be.
    """
    endpoints, statuses = list(endpoints), []
    members = first_to_list(endpoints, pki)[1]
    names = {url: member.get("name") or "" for member in members for url in member.get("clientURLs") or []}
    for url in endpoints:
        problems: list[str] = []
        try:
            found = call(url, "/v3/maintenance/status", {}, pki)
            problems += found.get("errors") or []
            problems += ["it is a learner, which does not vote"] if found.get("isLearner") else []
        except EtcdError as error:
            found, problems = {}, [str(error)]
        statuses.append(
            {
                "url": url,
                "name": names.get(url, ""),
                "size": int(found.get("dbSize") or 0),
                "quota": int(found.get("dbSizeQuota") or 0),
                "problems": problems,
            }
        )
    return statuses


def address_of(url: str) -> str:
    """Return the host of a URL, or an address as it is; an IPv6 address in its usual form."""
    host = (urlsplit(url).hostname if "://" in url else url) or ""
    try:
        return str(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        return host


def find_members(members: Iterable[Mapping[str, Any]], name: str, addresses: Iterable[str]) -> list[dict[str, Any]]:
    """Return the members of a node. A member that never started has no name and is found by its peer URL."""
    hosts = set(map(address_of, addresses))
    return [
        dict(member)
        for member in members
        if member.get("name") == name
        or not member.get("name")
        and any(address_of(url) in hosts for url in member.get("peerURLs", []))
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
            text = f"The etcd member '{name}' could not be removed. {' '.join(problems)}"
            raise EtcdError(coded(text, "etcd_failed"))
        time.sleep(3)


def _remove_through(endpoint: str, name: str, addresses: list[str], dry: bool, pki: str) -> list[str]:
    members = list_members(endpoint, pki)
    found = find_members(members, name, addresses)
    if found and len(members) <= len(found):
        raise LastMember(
            f"'{name}' is the only member of etcd: removing it would delete the state of the whole cluster."
            f" Evidence: {endpoint} lists {len(members)} member{'' if len(members) == 1 else 's'}."
            " [slipway:no_control_plane_left]"
        )
    for member in found:
        if not dry:
            call(endpoint, "/v3/cluster/member/remove", {"ID": member["ID"]}, pki)
    return [f"etcd member {member.get('name') or ' '.join(member.get('peerURLs', []))}" for member in found]
