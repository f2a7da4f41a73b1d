# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pod networks that the collection recognises in a running cluster, by the name of their DaemonSet."""

from __future__ import annotations

from typing import Iterable, NamedTuple


class PodNetwork(NamedTuple):
    """A pod network.

    :ivar name: its name as its project writes it.
    :ivar network_policy: whether it enforces NetworkPolicy by itself.
    """

    name: str
    network_policy: bool


POD_NETWORKS = {
    "calico-node": PodNetwork("Calico", True),
    "canal": PodNetwork("Canal", True),
    "cilium": PodNetwork("Cilium", True),
    "antrea-agent": PodNetwork("Antrea", True),
    "kube-router": PodNetwork("kube-router", True),
    "weave-net": PodNetwork("Weave", True),
    "ovnkube-node": PodNetwork("OVN-Kubernetes", True),
    "kindnet": PodNetwork("kindnet", True),
    "anetd": PodNetwork("GKE Dataplane V2", True),
    "kube-flannel-ds": PodNetwork("Flannel", False),
    "kube-flannel": PodNetwork("Flannel", False),
}
# Enforces NetworkPolicy beside any pod network (https://github.com/kubernetes-sigs/kube-network-policies).
POLICY_CONTROLLER = "kube-network-policies"


def own_pod_network(daemon_sets: Iterable[str]) -> PodNetwork | None:
    """Find the pod network of a cluster, with what it does by itself; None if no known network runs.

    :param daemon_sets: names of the DaemonSets that the cluster runs.
    """
    names = set(daemon_sets)
    return next((network for daemon_set, network in POD_NETWORKS.items() if daemon_set in names), None)


def find_pod_network(daemon_sets: Iterable[str]) -> PodNetwork | None:
    """Find the pod network of a cluster.

    :param daemon_sets: names of the DaemonSets that the cluster runs.
    :returns: the network, with ``network_policy`` true if a separate controller enforces it; None if no known network runs.
    """
    names = set(daemon_sets)
    network = own_pod_network(names)
    return network and network._replace(network_policy=network.network_policy or POLICY_CONTROLLER in names)
