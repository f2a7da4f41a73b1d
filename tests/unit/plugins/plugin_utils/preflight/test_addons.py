# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules about add-ons: the selection, its settings, and the addresses for load balancers."""

from __future__ import annotations

import pytest

from ansible_collections.slipway.kube.plugins.plugin_utils.preflight import addons

COMPONENTS = {"metrics_server": "0.9.0", "metallb": "0.15.3", "traefik": "3.6.12", "agnhost": "2.66.1"}
COMPONENTS |= {"local_path_provisioner": "0.0.30", "kube_network_policies": "0.8.0", "node_local_dns": "1.26.8"}


@pytest.fixture
def chosen(cluster):
    def choose(*names, **settings):
        for host in cluster.hosts.values():
            host.variables.update(
                kube_addons=list(names), kube_addons_settings=settings, kube_component_versions=COMPONENTS
            )
        return cluster

    return choose


def test_a_cluster_without_addons(cluster, findings):
    assert findings(addons.check_addons(cluster)) == []
    assert findings(addons.check_ranges(cluster)) == findings(addons.check_network(cluster)) == []


def test_names_and_settings(chosen, findings):
    assert findings(addons.check_addons(chosen("metrics_server"))) == []
    problems = addons.check_addons(chosen("metrics_serve", "metallb", traefik={"a": 1}))
    assert [problem.evidence.split(":")[0] for problem in problems] == ["kube_addons", "kube_addons_settings.metallb"]


def test_an_adopted_addon_exists(chosen, findings):
    cluster = chosen("metrics_server")
    cluster.hosts["cp1"].variables["kube_addons_adopt"] = ["metric_server"]
    assert findings(addons.check_addons(cluster)) == [("addons", "", "error")]


@pytest.mark.parametrize(
    ("addresses", "evidence"),
    [
        (["10.0.0.200-10.0.0.220", "10.0.0.128/27", "fd00::10"], []),
        (["10.0.0.220-10.0.0.200"], ["ends before it begins"]),
        (["10.0.0.0/x"], ["10.0.0.0/x"]),
        (["somewhere"], ["somewhere"]),
        (["10.0.0.200-10.0.0.220", "10.0.0.210"], ["overlaps 10.0.0.200-10.0.0.220 of"]),
        (["192.168.7.0/24"], ["overlaps kube_pod_subnet 192.168.0.0/16"]),
        (["10.100.0.1"], ["overlaps kube_service_subnet 10.96.0.0/12"]),
        (["10.0.0.10-10.0.0.12"], ["contains an address of this host", "contains an address of this host"]),
        (["10.0.0.99"], ["overlaps the endpoint 10.0.0.99"]),
    ],
)
def test_addresses(chosen, addresses, evidence):
    cluster = chosen("metallb", metallb={"addresses": addresses})
    cluster.hosts["cp1"].variables["kube_control_plane_endpoint"] = "10.0.0.99:6443"
    found = addons.check_ranges(cluster)
    assert len(found) == len(evidence)
    for problem, text in zip(found, evidence, strict=True):
        assert text in problem.evidence and "kube_addons_settings.metallb.addresses" in problem.evidence


def test_addresses_outside_of_the_network_of_the_nodes(chosen, findings):
    assert findings(addons.check_network(chosen("metallb", metallb={"addresses": ["10.0.0.200/29"]}))) == []
    outside = chosen("metallb", metallb={"addresses": ["10.0.1.200-10.0.1.210"]})
    assert findings(addons.check_network(outside)) == [("addon_addresses", "", "error")]
    for host in outside.hosts.values():
        host.facts = {}
    assert findings(addons.check_network(outside)) == []


def test_addresses_that_routers_are_told_of_can_be_of_any_network_and_not_in_use(chosen, findings):
    peers = [{"myASN": 64512, "peerASN": 64513, "peerAddress": "10.0.0.1"}]
    far = chosen("metallb", metallb={"addresses": ["198.51.100.0/28"], "bgp_peers": peers})
    assert findings(addons.check_network(far)) == [] and findings(addons.check_ranges(far)) == []
    used = chosen("metallb", metallb={"addresses": ["10.96.0.0/28"], "bgp_peers": peers})
    assert findings(addons.check_ranges(used)) == [("addon_addresses", "", "error")]
    (wrong,) = addons.check_addons(
        chosen("metallb", metallb={"addresses": ["10.0.0.200/29"], "bgp_peers": [{"myASN": 1}]})
    )
    assert "peerASN, peerAddress" in wrong.evidence


def test_addresses_that_only_the_facts_of_a_host_name(chosen, findings):
    cluster = chosen("metallb", metallb={"addresses": ["10.0.0.200/29"]})
    cluster.hosts["w1"].facts["network"]["addresses"].append(
        {"interface": "eth0", "address": "10.0.0.201", "prefix": 24}
    )
    assert findings(addons.check_ranges(cluster)) == [("addon_addresses", "w1", "error")]


@pytest.mark.parametrize(("mode", "found"), [("nftables", 0), ("iptables", 0), ("ipvs", 1)])
def test_an_addon_that_a_mode_of_kube_proxy_leaves_without_effect(chosen, mode, found):
    cluster = chosen("node_local_dns")
    for host in cluster.hosts.values():
        host.variables["kube_proxy_mode"] = mode
    problems = list(addons.check_addons(cluster))
    assert len(problems) == found
    assert all("kube-proxy itself has the address" in problem.what for problem in problems)


@pytest.mark.parametrize(("plugin", "found"), [("flannel", 0), ("none", 0), ("calico", 1), ("cilium", 1)])
def test_an_addon_that_the_pod_network_makes_superfluous(chosen, plugin, found):
    cluster = chosen("network_policy", "metrics_server")
    for host in cluster.hosts.values():
        host.variables["kube_network_plugin"] = plugin
    problems = list(addons.check_addons(cluster))
    assert len(problems) == found
    assert all(f"{plugin.capitalize()} enforces NetworkPolicy itself" in problem.evidence for problem in problems)
