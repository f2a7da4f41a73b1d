# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of the add-on cert_manager."""

from __future__ import annotations

import json

import pytest

from ansible_collections.slipway.kube.plugins.plugin_utils.errors import InputError
from harness.addon_templates import named, objects_of, render


def test_without_a_ca_it_makes_one() -> None:
    objects = objects_of("cert_manager")
    assert named(objects, "ClusterIssuer", "private-ca")["spec"] == {"ca": {"secretName": "private-ca"}}
    spec = named(objects, "Certificate", "private-ca")["spec"]
    assert spec["isCA"] and spec["issuerRef"]["name"] == "private-ca-self-signed"
    assert "Secret" not in {one["kind"] for one in objects}


def test_a_given_ca_is_kept_in_a_secret_and_nowhere_else() -> None:
    objects = objects_of("cert_manager", ca={"certificate": "of the CA", "key": "of nobody"}, ca_issuer="office")
    secret = named(objects, "Secret", "office-given")
    assert secret["metadata"]["namespace"] == "cert-manager"
    assert secret["stringData"] == {"tls.crt": "of the CA", "tls.key": "of nobody"}
    assert not [one for one in objects if one["kind"] == "Certificate"]
    assert "of nobody" not in json.dumps([one for one in objects if one["kind"] != "Secret"])


def test_half_a_ca_is_refused() -> None:
    with pytest.raises(InputError, match="missing required arguments: key found in ca"):
        objects_of("cert_manager", ca={"certificate": "of the CA"})


def test_the_default_issuer_of_ingresses() -> None:
    for settings, name in (({}, "private-ca"), ({"default_issuer": "acme"}, "acme")):
        text = named(objects_of("cert_manager", **settings), "ConfigMap", "cert-manager")["data"]["config.yaml"]
        shim = json.loads(text)["ingressShimConfig"]
        assert shim == {"defaultIssuerKind": "ClusterIssuer", "defaultIssuerName": name}


def test_the_gateway_api_is_used_where_it_is() -> None:
    def used(*addons: str) -> bool:
        text = named(objects_of("cert_manager", *addons), "ConfigMap", "cert-manager")["data"]["config.yaml"]
        return bool(json.loads(text)["enableGatewayAPI"])

    assert not used() and used("gateway_api")


def test_a_pod_is_replaced_when_its_configuration_changes() -> None:
    def mark(**settings: int) -> str:
        found = named(objects_of("cert_manager", **settings), "Deployment", "cert-manager")
        return str(found["spec"]["template"]["metadata"]["annotations"]["slipway.kube/configuration"])

    assert mark() == mark() != mark(log_level=4)


def test_acme_needs_a_server() -> None:
    assert not [one for one in objects_of("cert_manager") if one["metadata"]["name"] == "acme"]
    server = "https://acme.example.com/directory"
    spec = named(objects_of("cert_manager", acme_server=server), "ClusterIssuer", "acme")["spec"]["acme"]
    assert spec["server"] == server and "email" not in spec
    assert spec["solvers"] == [{"http01": {"ingress": {"ingressClassName": "traefik"}}}]


def test_nothing_outside_of_its_namespace_is_left_to_a_running_election() -> None:
    """A lease in kube-system would stay when the add-on is switched off."""
    for one in objects_of("cert_manager"):
        if one["kind"] == "ConfigMap" and one["metadata"]["name"] != "cert-manager-webhook":
            election = json.loads(one["data"]["config.yaml"])["leaderElectionConfig"]
            assert election["namespace"] == "cert-manager"


def test_its_webhooks_are_asked_about_its_own_kinds_only() -> None:
    for one in objects_of("cert_manager"):
        if one["kind"].endswith("WebhookConfiguration"):
            groups = {group for hook in one["webhooks"] for rule in hook["rules"] for group in rule["apiGroups"]}
            assert groups <= {"cert-manager.io", "acme.cert-manager.io"}


def test_kinds_that_it_writes_itself_do_not_keep_their_definitions() -> None:
    marked = {one["metadata"]["name"] for one in render("cert_manager", "patches.yml.j2", (), {})}
    assert marked == {
        "certificaterequests.cert-manager.io",
        "orders.acme.cert-manager.io",
        "challenges.acme.cert-manager.io",
    }
