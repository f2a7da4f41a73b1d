# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""NetworkPolicies for the test pods, the packets that they must let pass and those that must not arrive. Pure functions.

The test pod of a node (``app: pods``) is isolated: only the first replica of ``web`` may send it packets, by its label and its namespace. That
replica may send packets to everything but the second one. So each node is a target of both, and the replicas are on different nodes if possible.
"""

from __future__ import annotations

from typing import Any, Iterable, Mapping, Sequence

from .._kube.pod_networks import POLICY_CONTROLLER
from .agnhost import NAMESPACE, NEIGHBOURS, PORT, WEB_PORT, AgnhostPod, Answer, Call, Object

PEER = "slipway.kube/peer"
ISOLATED = "isolated"
# They know pods by their identity, and an ipBlock only matches addresses outside of the cluster:
# https://docs.cilium.io/en/stable/network/kubernetes/policy/
BY_IDENTITY = ("Cilium", "GKE Dataplane V2")
ADVICE = (
    "NetworkPolicies have no effect, or the wrong one. Check the pods that enforce them on these nodes, and their logs: calico-node, cilium or "
    "kube-network-policies, whose log says 'netlink receive: no such file or directory' where the kernel lacks nft_queue. Where other policies "
    "allow more on purpose, such as a GlobalNetworkPolicy of Calico, set verify_network_policy: false (option network_policy)."
)


def enforced(network: str, daemon_sets: Iterable[str]) -> bool:
    """Return whether the cluster enforces all NetworkPolicies unless it is told not to by other means than a setting of its pod network.

    Cilium, kube-router and others have settings that restrict or end that, which cannot be seen here.

    :param network: name of the pod network.
    :param daemon_sets: names of the DaemonSets in the namespaces of the system.
    """
    return network == "Calico" or POLICY_CONTROLLER in daemon_sets


def peers(found: Mapping[str, list[AgnhostPod]]) -> tuple[AgnhostPod, AgnhostPod]:
    """Return the test pod whose packets the isolated pods accept, and the one whose packets they do not."""
    first, second, *_more = found["web"]
    return first, second


def objects(found: Mapping[str, list[AgnhostPod]], network: str) -> list[Object]:
    """Return the labels of the two peers, a Service for the isolated pods, and the policies.

    :param network: name of the pod network.
    """
    allowed, denied = peers(found)
    service: Object = {
        "selector": {"app": "pods"},
        "ports": [{"name": "http", "port": WEB_PORT, "targetPort": PORT, "protocol": "TCP"}],
    }
    return [
        _object("v1", "Pod", allowed.name, labels={PEER: "allowed"}),
        _object("v1", "Pod", denied.name, labels={PEER: "denied"}),
        _object("v1", "Service", ISOLATED, spec=service),
        _policy("default-deny-ingress", {"app": "pods"}, policyTypes=["Ingress"]),
        _policy(
            "allow-by-label",
            {"app": "pods"},
            policyTypes=["Ingress"],
            ingress=[
                {
                    "from": [
                        {
                            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": NAMESPACE}},
                            "podSelector": {"matchLabels": {PEER: "allowed"}},
                        }
                    ],
                    "ports": [{"protocol": "TCP", "port": PORT}],
                }
            ],
        ),
        _policy(
            "allow-egress",
            {PEER: "allowed"},
            policyTypes=["Egress"],
            egress=[
                {"ports": [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]},
                # Any port: the pods of the cluster DNS may listen on another one than their Service.
                {"to": _all_but(denied.address, network)},
            ],
        ),
    ]


def _object(api_version: str, kind: str, name: str, labels: Mapping[str, str] | None = None, **more: Any) -> Object:
    metadata: Object = {"name": name, "namespace": NAMESPACE}
    if labels:
        metadata["labels"] = dict(labels)
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **more}


def _policy(name: str, pods: Mapping[str, str], **spec: Any) -> Object:
    spec["podSelector"] = {"matchLabels": dict(pods)}
    return _object("networking.k8s.io/v1", "NetworkPolicy", name, spec=spec)


def _all_but(address: str, network: str) -> list[Object]:
    if network in BY_IDENTITY:
        elsewhere = {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": [NAMESPACE]}
        return [
            {"podSelector": {"matchLabels": {"app": "pods"}}},
            {"namespaceSelector": {"matchExpressions": [elsewhere]}},
        ]
    everything, length = ("::/0", 128) if ":" in address else ("0.0.0.0/0", 32)
    return [{"ipBlock": {"cidr": everything, "except": [f"{address}/{length}"]}}]


def sample(pods: Sequence[AgnhostPod]) -> list[AgnhostPod]:
    """Return at most :data:`NEIGHBOURS` pods, spread evenly: a call that is denied takes as long as agnhost waits, so all must be made at once."""
    most = min(len(pods), NEIGHBOURS)
    return [pods[number * len(pods) // most] for number in range(most)]


def passing(found: Mapping[str, list[AgnhostPod]], targets: Sequence[AgnhostPod], domain: str) -> list[Call]:
    """Return the calls that must be answered: to the isolated pods, by the name of their Service, and from a pod without a policy.

    :param targets: the isolated pods that are called.
    :param domain: DNS domain of the cluster.
    """
    allowed, denied = peers(found)
    name = f"{ISOLATED}.{NAMESPACE}.svc.{domain}"
    return [
        *(_call(allowed, target) for target in targets),
        Call(allowed, name, WEB_PORT, "hostname", target=f"name {name}"),
        _call(denied, allowed),
    ]


def refused(found: Mapping[str, list[AgnhostPod]], targets: Sequence[AgnhostPod]) -> list[Call]:
    """Return the calls that must not be answered: to the isolated pods, and out of the pod with an egress policy."""
    allowed, denied = peers(found)
    return [*(_call(denied, target) for target in targets), _call(allowed, denied)]


def _call(source: AgnhostPod, target: AgnhostPod) -> Call:
    return Call(source, target.address, target.port, "hostname", target=str(target))


def not_refused(answers: Iterable[Answer]) -> list[str]:
    """Return the calls that were answered although they must not be, and those of which nothing is known, as their sender did not respond."""
    found = []
    for answer in answers:
        if answer.responses:
            found.append(f"{answer.call}: must be denied, but passed")
        elif not answer.sent:
            found.append(f"{answer.call}: not known, {answer.errors[0] if answer.errors else 'no response'}")
    return found
