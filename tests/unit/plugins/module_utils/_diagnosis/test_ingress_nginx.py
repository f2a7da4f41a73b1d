# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Annotations of ingress-nginx that Traefik ignores."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._diagnosis.ingress_nginx import (
    COUNTERPARTS,
    INGRESS_NGINX,
    NGINX,
    NOTHING,
    TRAEFIK,
    UNDERSTOOD,
    counterpart,
)

from .conftest import deployment, endpoints, meta, pod, service
from .test_health import Answering, told


def found(controller: str, *names: str, labels: dict[str, str] | None = None) -> list[dict[str, Any]]:
    """What is found about an Ingress with these annotations, of a class of this controller."""
    annotations = {INGRESS_NGINX + name: "a secret value" for name in names}
    web = {"service": {"name": "web", "port": {"number": 80}}}
    lists = {
        "Ingress": [
            {
                "metadata": meta("web", annotations=annotations),
                "spec": {"ingressClassName": "here", "defaultBackend": web},
            }
        ],
        "IngressClass": [{"metadata": {"name": "here", "labels": labels or {}}, "spec": {"controller": controller}}],
        **deployment(),
        "Pod": [pod()],
        "Service": [service()],
        "EndpointSlice": [endpoints()],
    }
    findings: list[dict[str, Any]] = told(Answering(lists))["findings"]
    assert "a secret value" not in str(findings)
    return [one for one in findings if one["object"]["kind"] == "Ingress"]


OURS = {"app.kubernetes.io/name": "traefik", "app.kubernetes.io/version": "3.6.12"}


def test_the_class_of_traefik_knows_none_of_them() -> None:
    (one,) = found(TRAEFIK, "rewrite-target", "ssl-redirect", "limit-rps", "limit-rpm", "server-snippet")
    assert (one["fault"], one["severity"]) == ("ingress_annotations_ignored", "warning")
    assert one["title"].endswith("limit-rpm, limit-rps, rewrite-target, server-snippet, ssl-redirect")
    assert "instead of limit-rpm, limit-rps: Middleware rateLimit" in one["evidence"]
    assert "instead of server-snippet: nothing" in one["evidence"]
    assert one["advice"].endswith("it understands ssl-redirect.")


def test_the_class_nginx_of_the_addon_knows_some() -> None:
    (one,) = found(NGINX, "rewrite-target", "ssl-redirect", labels=OURS)
    assert one["title"].endswith(": rewrite-target") and one["advice"] == "Replace them, and delete them."
    assert found(NGINX, "ssl-redirect", "affinity", labels=OURS) == []


@pytest.mark.parametrize(
    ("controller", "labels"),
    [
        (NGINX, {"app.kubernetes.io/name": "ingress-nginx", "app.kubernetes.io/version": "1.14.0"}),
        (NGINX, {**OURS, "app.kubernetes.io/version": "3.7.13"}),
        ("haproxy.org/ingress-controller", {}),
    ],
)
def test_others_may_know_them(controller: str, labels: dict[str, str]) -> None:
    assert found(controller, "rewrite-target", labels=labels) == []


def test_every_annotation_that_is_understood_has_a_counterpart_in_the_class_of_traefik() -> None:
    assert {name for name in UNDERSTOOD if counterpart(name) == NOTHING} == set()
    assert counterpart("proxy-body-size") == "Middleware buffering" != counterpart("proxy-read-timeout")
    assert all(name == name.lower() and COUNTERPARTS[name] for name in COUNTERPARTS)
