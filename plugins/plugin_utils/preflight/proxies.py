# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of the proxies that hosts use. Evidence never shows a login."""

from __future__ import annotations

from collections.abc import Iterator

from ...module_utils._host.facts.proxies import DIRECT, PROXY_REMEDY
from .problem import Checks, Finding, Host

CHECKS = Checks()


@CHECKS.host("proxy", sources=True)
def check_known_proxies(host: Host) -> Iterator[Finding]:
    """A proxy that only a part of the host knows is set for all of it: keys are downloaded by this collection, images by containerd."""
    proxies = host.facts.get("proxies") or {}
    named = {place: [url for url in urls.values() if url != DIRECT] for place, urls in proxies.items()}
    named = {place: urls for place, urls in named.items() if urls}
    if named and not any(
        host.variables.get(name) for name in ("kube_http_proxy", "kube_https_proxy", "containerd_proxy")
    ):
        shown = [f"{place}: {', '.join(sorted(set(urls)))}" for place, urls in sorted(named.items())]
        yield (
            "The host has a proxy, but containerd does not use it, since kube_http_proxy is empty.",
            "; ".join(shown),
            "Set kube_http_proxy if images and keys are to be downloaded through it too.",
            "warning",
        )


@CHECKS.host("proxy", sources=True)
def check_login(host: Host) -> Iterator[Finding]:
    """The proxy accepts the login."""
    refused = sorted(url for url, answer in host.facts["reach"].items() if answer["status"] == 407)
    if refused:
        evidence = f"it answers {', '.join(refused)} with HTTP status 407"
        remedy = (
            f"{PROXY_REMEDY} A proxy of containerd_proxy, or of the configuration of apt or dnf, is corrected there."
        )
        yield "The proxy requires a login.", evidence, remedy
