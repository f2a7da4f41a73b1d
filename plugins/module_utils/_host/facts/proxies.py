# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Proxies that a host's own configuration names. The URL of a proxy may hold a password, which is never returned by host_info."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from .files import Files, run

ENVIRONMENT = "/etc/environment"
DNF = "/etc/dnf/dnf.conf"
DIRECT = "DIRECT"
"""apt's word for no proxy."""
LOGIN_NEEDED = "the proxy requires a login (HTTP status 407)"
PROXY_REMEDY = "Set kube_http_proxy and kube_https_proxy to URLs with user and password, or correct these."


def without_login(url: str) -> str:
    """Return a URL without user and password."""
    return re.sub(r"^(\w+://)?[^/]*@", r"\1", url)


def hide_logins(text: str) -> str:
    """Return a text whose URLs have no user and password."""
    return re.sub(r"(\b[a-z][a-z0-9+.-]*://)[^\s/@]+@", r"\1", text)


def parse_environment(text: str) -> dict[str, str]:
    """Return the proxies in /etc/environment by scheme (pam_env: NAME=VALUE, with or without export and quotes)."""
    pattern = r"^\s*(?:export\s+)?(https?)_proxy\s*=\s*[\"']?([^\s\"'#]+)"
    return {scheme.lower(): url for scheme, url in re.findall(pattern, text, re.M | re.I)}


def parse_apt(dump: str) -> dict[str, str]:
    """Return the proxies in the output of ``apt-config dump`` by scheme, and by SCHEME://HOST for those of single hosts.

    The value DIRECT means that apt uses no proxy. What is set for http also serves https (apt-transport-https(1)).
    """
    pattern = r'^Acquire::(https?)::Proxy(?:::([^\s"]+))? "([^"]+)";'
    found = {
        scheme.lower() + (f"://{host.lower()}" if host else ""): url
        for scheme, host, url in re.findall(pattern, dump, re.M | re.I)
    }
    shared = {re.sub(r"^http\b", "https", place): url for place, url in found.items() if not place.startswith("https")}
    return {**shared, **found}


def parse_dnf(text: str) -> dict[str, str]:
    """Return the proxy in dnf.conf, which serves both schemes, with its login."""
    values = dict(re.findall(r"^(proxy\w*)\s*=\s*(\S+)", text, re.M))
    url = values.get("proxy", "")
    if not url or url == "_none_":
        return {}
    if values.get("proxy_username") and "@" not in url:
        login = f"{values['proxy_username']}:{values.get('proxy_password', '')}@"
        url = re.sub(r"^(\w+://)?", lambda match: (match.group(1) or "http://") + login, url, count=1)
    return {"http": url, "https": url}


def gather_proxies(files: Files) -> dict[str, dict[str, str]]:
    """Return the proxies by place (``environment``, ``apt`` or ``dnf``) and scheme, with their logins."""
    found = {
        "environment": parse_environment(files.read(ENVIRONMENT)),
        "apt": parse_apt(run(["apt-config", "dump"], timeout=10)) if files.exists("/etc/apt") else {},
        "dnf": parse_dnf(files.read(DNF)),
    }
    return {place: proxies for place, proxies in found.items() if proxies}


def public(proxies: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """Return the key ``proxies`` of host_info: the same without logins."""
    return {place: {scheme: without_login(url) for scheme, url in found.items()} for place, found in proxies.items()}


def with_proxy(request: dict[str, Any], proxies: dict[str, dict[str, str]]) -> dict[str, Any]:
    """Return a request for a package repository with the proxy that apt or dnf uses for it: their own configuration comes first."""
    found = proxies.get({"deb": "apt", "rpm": "dnf"}.get(request["kind"], ""), {})
    parts = urlsplit(request["url"])
    url = found.get(f"{parts.scheme}://{parts.hostname}") or found.get(parts.scheme)
    return dict(request, proxy=url) if url else request
