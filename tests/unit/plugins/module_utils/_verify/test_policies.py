# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The test of NetworkPolicies: what it applies, which packets it sends, and that it does not take silence for a denial."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._kube.api import Unreachable
from ansible_collections.slipway.kube.plugins.module_utils._verify import agnhost, connectivity, policies
from ansible_collections.slipway.kube.plugins.module_utils._verify.agnhost import Answer
from ansible_collections.slipway.kube.plugins.module_utils._verify.verifier import Verifier

from .test_verifier import HERE, ONCE, TEST_PODS, Cluster, cluster, names  # noqa: F401  # pylint: disable=unused-import

FOUND = agnhost.running_pods(TEST_PODS, 28080)
ALLOWED, DENIED = FOUND["web"]


def test_every_node_is_a_target_of_packets_that_pass_and_of_packets_that_do_not() -> None:
    pods = FOUND["pods"]
    passing, refused = policies.passing(FOUND, pods, "cluster.local"), policies.refused(FOUND, pods)
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
    inside, outside = rules("Cilium")["allow-egress"]["egress"][1]["to"]
    assert inside == {"podSelector": {"matchLabels": {"app": "pods"}}}
    assert outside["namespaceSelector"]["matchExpressions"][0]["values"] == ["slipway-verify"]


@pytest.mark.parametrize("network", ["Flannel", "Cilium"])
def test_the_pods_of_the_cluster_dns_may_listen_on_any_port(network: str) -> None:
    assert "ports" not in rules(network)["allow-egress"]["egress"][1]


def test_of_a_large_cluster_a_sample_is_called() -> None:
    pods = [agnhost.AgnhostPod(f"pods-{number}", f"n{number:03}", f"10.0.0.{number}", 8080) for number in range(100)]
    chosen = policies.sample(pods)
    # As many as the client calls at once, with one more that is denied.
    assert len(chosen) == agnhost.NEIGHBOURS < 15 and len({pod.node for pod in chosen}) == len(chosen)
    assert chosen[0] == pods[0] and chosen[-1].node > "n085"
    assert policies.sample(pods[:2]) == pods[:2] and policies.sample([]) == []


@pytest.mark.parametrize(
    ("network", "daemon_sets", "expected"),
    [
        ("Calico", ["calico-node"], True),
        ("Flannel", ["kube-flannel-ds", "kube-network-policies"], True),
        ("Cilium", ["cilium"], False),
        ("kube-router", ["kube-router"], False),
        ("Flannel", ["kube-flannel-ds"], False),
    ],
)
def test_only_what_has_no_setting_that_ends_it_is_tested_without_being_asked_for(
    network: str, daemon_sets: list[str], expected: bool
) -> None:
    assert policies.enforced(network, daemon_sets) is expected


def test_an_address_of_ipv6() -> None:
    web = [ALLOWED, agnhost.AgnhostPod("web-2", "b", "fd00::2", 8080)]
    block = rules("Flannel", {**FOUND, "web": web})["allow-egress"]["egress"][1]["to"][0]["ipBlock"]
    assert block == {"cidr": "::/0", "except": ["fd00::2/128"]}


def test_silence_of_the_sender_is_no_denial() -> None:
    call = policies.refused(FOUND, FOUND["pods"])[0]
    assert policies.not_refused([Answer(call, (), ("i/o timeout",), sent=True)]) == []
    (passed,) = policies.not_refused([Answer(call, ("pods-a",), sent=True)])
    assert passed == "pod 192.168.1.2 on b to pod 192.168.0.1 on a: must be denied, but passed"
    (unknown,) = policies.not_refused([Answer(call, (), ("no response through the API server",))])
    assert "not known, no response through the API server" in unknown


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connectivity, "SETTLE", 0)


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


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize(("asked", "tested"), [("auto", True), ("true", True), ("false", False)])
def test_the_test_is_left_out_when_that_is_asked_for(asked: str, tested: bool) -> None:
    verifier = verified(Enforcing(), network_policy=asked)
    assert ("NetworkPolicy" in names(verifier, True)) is tested


@pytest.mark.usefixtures("cluster")
def test_a_policy_that_is_not_in_force_yet_is_tried_once_more_in_full() -> None:
    fake = Enforcing()
    sound, asked = fake.dial, set()

    def slow(source: str, query: dict[str, str]) -> str:
        call = (source, query["host"])
        if fake.applied and call not in asked:
            asked.add(call)  # the first of each call: denied ones still pass, others do not
            denied = json.loads(sound(source, query)).get("errors")
            return json.dumps({"responses": ["pods-a"]} if denied else {"errors": ["i/o timeout"]})
        return sound(source, query)

    fake.dial = slow
    assert names(verified(fake), False) == []


@pytest.mark.usefixtures("cluster")
def test_too_few_test_pods_are_a_failed_test_and_no_exception() -> None:
    fake = Enforcing()
    made = fake.made

    def fewer() -> str:
        uid = made()
        pods = fake.lists[HERE + "/pods"]
        fake.lists[HERE + "/pods"] = [pod for pod in pods if pod["metadata"]["name"] != "web-2"]
        return uid

    fake.made = fewer
    verifier = verified(fake, only_policies=True)
    assert names(verifier, False) == ["NetworkPolicy"]
    evidence = next(one.evidence for one in verifier.results if not one.ok)
    assert "only 1 of 2 test pods with label app=web" in evidence


@pytest.mark.usefixtures("cluster")
def test_what_must_pass_is_tested_when_the_policies_are_in_force() -> None:
    fake = Enforcing()
    sound, asked = fake.dial, []

    def noted(source: str, query: dict[str, str]) -> str:
        answer = sound(source, query)
        asked.append("errors" in json.loads(answer))
        return answer

    fake.dial = noted
    verified(fake, only_policies=True)
    assert asked == [True] * 3 + [False] * 4
