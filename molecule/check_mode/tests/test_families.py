# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes, pods and Services have the address families of the inventory, and reach each other in all of them."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterator
from typing import Any

import pytest

from harness.hosts import hosts_of, unready
from harness.kube import Kube
from harness.pods import NAMESPACE, Pods, by_version
from harness.targets import variables

LAB = f"molecule-{os.environ['MOLECULE_SCENARIO_NAME']}"


def networks(name: str) -> dict[int, Any]:
    """Return the networks of a variable of the inventory by IP version."""
    texts = variables("cp1")[name].split(",")
    return {network.version: network for network in map(ipaddress.ip_network, texts)}


@pytest.fixture(scope="module")
def pods() -> Iterator[Pods]:
    kube = Kube(LAB)
    yield Pods(kube)
    kube.remove_namespaces([NAMESPACE])


def test_the_cluster_is_sound(pods: Pods) -> None:
    assert not unready(hosts_of(LAB))


def test_nodes_have_the_addresses_of_the_inventory(pods: Pods) -> None:
    for node in pods.kube.get("nodes"):
        own = variables(node["metadata"]["name"])
        wanted = str(own.get("kube_node_ip", own["ansible_host"])).split(",")
        assert [entry["address"] for entry in node["status"]["addresses"] if entry["type"] == "InternalIP"] == wanted
        assert set(by_version(wanted)) == set(networks("kube_pod_subnet"))


def test_pods_and_services_have_addresses_of_every_family(pods: Pods) -> None:
    for pod in pods.items:
        for version, network in networks("kube_pod_subnet").items():
            assert ipaddress.ip_address(pods.addresses(pod)[version]) in network
    own = by_version(pods.service["spec"]["clusterIPs"])
    for version, network in networks("kube_service_subnet").items():
        assert ipaddress.ip_address(own[version]) in network


def test_pods_reach_each_other_across_nodes_in_every_family(pods: Pods) -> None:
    assert len({pod["spec"]["nodeName"] for pod in pods.items}) == len(hosts_of(LAB)) > 1
    refused = [
        pods.refused(source, address)
        for source in pods.items
        for target in pods.items
        if source is not target
        for address in pods.addresses(target).values()
    ]
    assert not any(refused), "\n".join(refused)


def test_pods_reach_services_in_every_family_and_by_name(pods: Pods) -> None:
    names = [*pods.service["spec"]["clusterIPs"], "web", f"web.{NAMESPACE}.svc.cluster.local"]
    refused = [pods.refused(pod, name) for pod in pods.items for name in names]
    assert not any(refused), "\n".join(refused)
