# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""URLs that a host must reach: whether they respond, and with the right content (repositories, registries, the cluster's endpoint).

All probes run in parallel, each with a timeout, so that the slowest one determines how long it takes. A request
without a proxy of its own takes that of the environment, as any program does (``https_proxy``, ``no_proxy``).
"""

from __future__ import annotations

import socket
import threading
import time
import urllib.parse
from typing import Any

from .fetching import Fetcher, FetchError, describe_error
from .files import Files
from .indexes import expand_dnf_variables, probe_deb, probe_rpm
from .registries import probe_manifest, probe_registry

ATTEMPTS = 3
"""How often a server that does not answer is asked."""


def probe_tcp(url: str, timeout: float) -> dict[str, Any]:
    """Connect to ``tcp://HOST:PORT``.

    :raises FetchError: the connection fails.
    """
    parts = urllib.parse.urlsplit(url)
    try:
        socket.create_connection((parts.hostname, parts.port), timeout).close()
    except OSError as error:
        raise FetchError(describe_error(error)) from error
    return {"status": 0}


def probe(request: dict[str, Any], architecture: str, timeout: float) -> dict[str, Any]:
    """Return one entry of the key ``reach``: ``kind``, ``ok``, ``status``, ``error``, ``clock`` and those of its kind."""
    result: dict[str, Any] = {"kind": request["kind"], "ok": True, "status": 0, "error": "", "clock": None}
    url = request["url"]
    try:
        if request["kind"] == "tcp":
            return dict(result, **probe_tcp(url, timeout))
        fetcher = Fetcher(
            timeout,
            request.get("ca") or "",
            request.get("verify", True),
            request.get("headers") or {},
            request.get("proxy") or "",
        )
    except FetchError as error:
        return dict(result, ok=False, status=error.status, error=str(error))
    except OSError as error:
        return dict(result, ok=False, error=f"CA {request.get('ca')} cannot be used: {describe_error(error)}")
    try:
        result.update(ask(fetcher, request, architecture))
    except FetchError as error:
        result.update(ok=False, status=error.status, error=str(error))
    return dict(result, clock=fetcher.clock)


def ask(fetcher: Fetcher, request: dict[str, Any], architecture: str) -> dict[str, Any]:
    """Return what a request of some kind finds out.

    :raises FetchError: it failed.
    """
    url, kind, names = request["url"], request["kind"], request.get("packages") or []
    if kind == "deb":
        suite, components = request.get("suite") or "/", request.get("components") or []
        return probe_deb(fetcher, url, suite, components, architecture, names, request.get("key_url") or "")
    if kind == "rpm":
        return probe_rpm(fetcher, expand_dnf_variables(url, architecture, Files()), names)
    if kind == "registry":
        return probe_registry(fetcher, url, request.get("image") or "")
    if kind == "manifest":
        return probe_manifest(fetcher, url, architecture)
    return {"status": fetcher.fetch(url)[0]}


def key_of(request: dict[str, Any]) -> str:
    """Return the key of a request in ``reach``: its URL, and the suite where an apt repository may have several."""
    suite = str(request.get("suite") or "") if request["kind"] == "deb" else ""
    return f"{request['url']} {suite}" if suite.strip("./") else str(request["url"])


def probe_urls(
    requests: list[dict[str, Any]], architecture: str, timeout: float, pause: float = 1.0
) -> dict[str, dict[str, Any]]:
    """Return the key ``reach`` of host_info: the result of each probe by :func:`key_of`; a probe that does not end in time has failed.

    :param pause: seconds before a probe without any answer is repeated; one lost packet must not stop a run.
    """
    results: dict[str, dict[str, Any]] = {}
    threads = []
    for request in requests:

        def work(request: dict[str, Any] = request) -> None:
            for attempt in range(ATTEMPTS):
                time.sleep(pause if attempt else 0)
                results[key_of(request)] = found = probe(request, architecture, timeout)
                if found["ok"] or found["status"]:
                    break

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        threads.append(thread)
    for thread in threads:
        thread.join(ATTEMPTS * (3 * timeout + pause))
    late = {"ok": False, "status": 0, "error": "no answer in time", "clock": None}
    return {key_of(request): results.get(key_of(request), dict(late, kind=request["kind"])) for request in requests}
