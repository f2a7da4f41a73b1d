# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When the CA bundles of webhooks and APIServices expire."""

from __future__ import annotations

import base64
import datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from .conftest import NOW
from .test_health import Answering, told


def bundle(*days: float, since: float = 4000) -> str:
    """A caBundle of authorities that are valid since so many days and expire in so many."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "ca")])
    now = datetime.datetime.fromtimestamp(NOW, datetime.UTC)
    blocks = b"# one of them\n"
    for one in days:
        signed = (
            x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=since))
            .not_valid_after(now + datetime.timedelta(days=one))
            .sign(key, hashes.SHA256())
        )
        blocks += signed.public_bytes(serialization.Encoding.PEM)
    return base64.b64encode(blocks).decode()


def webhook(**client: Any) -> dict[str, Any]:
    client["url"] = "https://192.0.2.1"
    return {"metadata": {"name": "gate"}, "webhooks": [{"name": "a.b", "clientConfig": client, "rules": []}]}


def found(**lists: Any) -> list[tuple[str, str, str, str]]:
    problems = told(Answering(lists))["findings"]
    assert "BEGIN CERTIFICATE" not in str(problems)
    return [(one["fault"], one["severity"], one["object"]["kind"], one["title"]) for one in problems]


@pytest.mark.parametrize(
    ("days", "severity", "title"),
    [
        ((20.5,), "warning", "the CA bundle of webhook a.b expires in 20 days"),
        ((3.5, -10), "error", "the CA bundle of webhook a.b expires in 3 days"),
        ((-1,), "error", "the CA bundle of webhook a.b has expired"),
    ],
)
def test_a_bundle_that_expires(days: tuple[float, ...], severity: str, title: str) -> None:
    for kind in ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"):
        assert found(**{kind: [webhook(caBundle=bundle(*days))]}) == [("certificate_expires", severity, kind, title)]


@pytest.mark.parametrize("client", [{"caBundle": bundle(1, 300)}, {"caBundle": "bm8="}, {"caBundle": "!"}, {}])
def test_a_bundle_that_is_good_for_long_or_not_there(client: dict[str, Any]) -> None:
    assert found(ValidatingWebhookConfiguration=[webhook(**client)]) == []


@pytest.mark.parametrize(("since", "left"), [(1, 6), (5.5, 1.5), (349, 16), (59, 31)])
def test_a_bundle_of_a_short_life_that_is_renewed_in_time(since: float, left: float) -> None:
    """Tekton and Knative make one for a week and renew it on the last day, Kyverno for a year and 15 days before."""
    assert found(ValidatingWebhookConfiguration=[webhook(caBundle=bundle(left, since=since))]) == []


def test_a_bundle_of_a_short_life_that_is_not_renewed() -> None:
    (problem,) = found(ValidatingWebhookConfiguration=[webhook(caBundle=bundle(0.1, since=6.9))])
    assert problem[1] == "error"


def test_an_api_service() -> None:
    service = {"metadata": {"name": "v1.metrics"}, "spec": {"caBundle": bundle(-2)}, "status": {}}
    assert found(APIService=[service]) == [
        ("certificate_expires", "error", "APIService", "the CA bundle of its server has expired")
    ]
