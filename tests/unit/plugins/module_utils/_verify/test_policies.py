# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The test of NetworkPolicies: what it applies, which packets it sends, and that it does not take silence for a denial."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._kube.api import Unreachable
from ansible_collections.slipway.kube.plugins.module_utils._verify import agnhost, policies
from ansible_collections.slipway.kube.plugins.module_utils._verify.agnhost import Answer
from ansible_collections.slipway.kube.plugins.module_utils._verify.verifier import Verifier

from .test_verifier import HERE, ONCE, TEST_PODS, Cluster, cluster, names  # noqa: F401  # pylint: disable=unused-import

FOUND = agnhost.running_pods(TEST_PODS, 28080)
ALLOWED, DENIED = FOUND["web"]


def test_every_node_is_a_target_of_packets_that_pass_and_of_packets_that_do_not() -> None:
    passing, refused = policies.passing(FOUND, "cluster.local"), policies.refused(FOUND)
    targets = {pod.address for pod in FOUND["pods"]}
    assert {call.host for call in passing if call.source == ALLOWED} == {
        *targets,
        "isolated.slipway-verify.svc.cluster.local",
    }
    assert {call.host for call in refused if call.source == DENIED} == targets
    assert [call.host for call in refused if call.source == ALLOWED] == [DENIED.address]
    # The one whose packets are denied can send some.
    assert [call.host for call in passing if call.source == DENIED] == [ALLOWED.address]


def rules(network: str, found: Any = FOUND) -> dict[str, Any]:
    return {one["metadata"]["name"]: one.get("spec") for one in policies.objects(found, network)}


def test_the_policies_isolate_the_targets_and_neither_of_the_peers() -> None:
    made = policies.objects(FOUND, "Flannel")
    assert [(one["kind"], one["metadata"]["name"]) for one in made] == [
        ("Pod", "web-1"),
        ("Pod", "web-2"),
        ("Service", "isolated"),
        ("NetworkPolicy", "default-deny-ingress"),
        ("NetworkPolicy", "allow-by-label"),
        ("NetworkPolicy", "allow-egress"),
    ]
    # The API server reaches them as senders, from wherever it is.
    ingress = [one["spec"] for one in made if "Ingress" in one.get("spec", {}).get("policyTypes", ())]
    assert {str(spec["podSelector"]) for spec in ingress} == {"{'matchLabels': {'app': 'pods'}}"}
    assert rules("Flannel")["allow-egress"]["egress"][1]["to"] == [
        {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["192.168.1.2/32"]}}
    ]


def test_addresses_of_pods_are_not_used_where_they_match_no_block() -> None:
    assert rules("Cilium")["allow-egress"]["egress"][1]["to"] == [{"podSelector": {"matchLabels": {"app": "pods"}}}]


def test_an_address_of_ipv6() -> None:
    web = [ALLOWED, agnhost.AgnhostPod("web-2", "b", "fd00::2", 8080)]
    block = rules("Flannel", {**FOUND, "web": web})["allow-egress"]["egress"][1]["to"][0]["ipBlock"]
    assert block == {"cidr": "::/0", "except": ["fd00::2/128"]}


def test_silence_of_the_sender_is_no_denial() -> None:
    call = policies.refused(FOUND)[0]
    assert policies.not_refused([Answer(call, (), ("i/o timeout",), sent=True)]) == []
    (passed,) = policies.not_refused([Answer(call, ("pods-a",), sent=True)])
    assert passed == "pod 192.168.1.2 on b to pod 192.168.0.1 on a: must be denied, but passed"
    (unknown,) = policies.not_refused([Answer(call, (), ("no response through the API server",))])
    assert "not known, no response through the API server" in unknown


class Enforcing(Cluster):
    """A cluster that claims to enforce policies, and does so from the moment they are applied."""

    def __init__(self, honest: bool = True) -> None:
        super().__init__()
        self.honest = honest
        self.applied: list[str] = []
        labels = {"k8s-app": "calico-node"}
        self.lists["/apis/apps/v1/namespaces/kube-system/daemonsets"] = [
            {
                "apiVersion": "apps/v1",
                "kind": "DaemonSet",
                "metadata": {"name": "calico-node", "namespace": "kube-system", "labels": labels, "generation": 1},
                "spec": {"selector": {"matchLabels": labels}},
                "status": {
                    **dict.fromkeys(("desiredNumberScheduled", "numberAvailable", "updatedNumberScheduled"), 0),
                    **dict.fromkeys(("currentNumberScheduled", "numberReady", "observedGeneration"), 1),
                },
            }
        ]

    def apply(self, path: str, content: Any, manager: str, force: bool, dry_run: bool) -> None:
        self.applied.append(path)

    def well(self, source: str, query: dict[str, str]) -> str:
        denied = {"web-2": ("192.168.0.1", "192.168.1.1"), "web-1": ("192.168.1.2",)}
        if self.applied and self.honest and query["host"] in denied.get(source, ()):
            return json.dumps({"errors": ["Get http: context deadline exceeded"]})
        if "isolated" in query["host"]:
            return json.dumps({"responses": ["pods-a"]})
        return super().well(source, query)


def verified(fake: Enforcing, **more: Any) -> Verifier:
    verifier = Verifier(fake, [], ["kube-system"], ONCE)
    verifier.full("r/agnhost:1", "cluster.local", 28080, **more)
    return verifier


@pytest.mark.usefixtures("cluster")
def test_a_pod_network_that_claims_to_enforce_policies_is_tested() -> None:
    fake = Enforcing()
    verifier = verified(fake)
    assert names(verifier, False) == []
    (result,) = [one for one in verifier.results if one.test == "NetworkPolicy"]
    assert result.evidence == "4 connections passed and 3 were denied, on 2 nodes"
    assert HERE + "/pods/web-1" in fake.applied and HERE in fake.deleted
    network_policies = f"/apis/networking.k8s.io/v1/namespaces/{policies.NAMESPACE}/networkpolicies/"
    assert network_policies + "allow-egress" in fake.applied


@pytest.mark.usefixtures("cluster")
def test_a_claim_that_is_not_true_fails_with_the_nodes() -> None:
    verifier = verified(Enforcing(honest=False))
    assert names(verifier, False) == ["NetworkPolicy"]
    evidence = next(one.evidence for one in verifier.results if not one.ok)
    assert "pod 192.168.1.2 on b to pod 192.168.0.1 on a: must be denied, but passed" in evidence
    assert "nft_queue" in evidence


@pytest.mark.usefixtures("cluster")
def test_only_policies_are_tested_when_that_is_asked_for() -> None:
    verifier = verified(Enforcing(), only_policies=True)
    tests = ["nodes", "API servers", "system pods", "test pods", "NetworkPolicy", "cleanup"]
    assert names(verifier, True) == tests


@pytest.mark.usefixtures("cluster")
def test_a_sender_that_the_server_cannot_reach_proves_nothing() -> None:
    fake = Enforcing()
    sound = fake.dial

    def silent(source: str, query: dict[str, str]) -> str:
        if fake.applied and source == "web-2":
            raise Unreachable("timed out")
        return sound(source, query)

    fake.dial = silent
    verifier = verified(fake)
    assert names(verifier, False) == ["NetworkPolicy"]
