# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules about addresses: of hosts, of pods and Services, of the endpoint."""

from __future__ import annotations

import pytest

from ansible_collections.slipway.kube.plugins.plugin_utils.preflight import networks


def for_all(cluster, name, value):
    for host in cluster.hosts.values():
        host.variables[name] = value


def test_two_hosts_with_one_address(cluster, findings):
    assert findings(networks.check_addresses(cluster)) == []
    cluster.hosts["w2"].address = cluster.hosts["w1"].address
    assert findings(networks.check_addresses(cluster)) == [("addresses", "w1", "error"), ("addresses", "w2", "error")]


def test_one_address_with_a_port_for_each_host_is_fine(cluster, findings):
    for number, host in enumerate(cluster.hosts.values()):
        host.address = "127.0.0.1"
        host.variables["ansible_port"] = 2200 + number
    assert findings(networks.check_addresses(cluster)) == []


def test_two_hosts_with_one_node_ip(cluster, findings):
    cluster.hosts["w1"].variables["kube_node_ip"] = cluster.hosts["w2"].variables["kube_node_ip"] = "10.1.0.1"
    assert findings(networks.check_addresses(cluster)) == [("addresses", "w1", "error"), ("addresses", "w2", "error")]


@pytest.mark.parametrize(
    ("address", "fires"), [("10.1.0.1", False), ("10.1.0.1,fd00::1", False), ("w1.example.com", True)]
)
def test_a_node_ip_is_an_address(cluster, findings, address, fires):
    cluster.hosts["w1"].variables["kube_node_ip"] = address
    assert findings(networks.check_addresses(cluster)) == ([("addresses", "w1", "error")] if fires else [])


@pytest.mark.parametrize(
    ("pods", "services", "what"),
    [
        ("192.168.0.0/16", "10.96.0.0/12", ""),
        ("192.168.0.0/16,fd01::/48", "10.96.0.0/12,fd02::/112", ""),
        ("10.96.0.0/16", "10.96.0.0/12", "overlap"),
        ("192.168.1.1/16", "10.96.0.0/12", "kube_pod_subnet is not a valid network"),
        ("pods", "10.96.0.0/12", "kube_pod_subnet is not a valid network"),
        ("", "10.96.0.0/12", "kube_pod_subnet is not a valid network"),
        ("192.168.0.0/16", None, "kube_service_subnet is not a valid network"),
        ("192.168.0.0/23", "10.96.0.0/12", "too small"),
        ("192.168.0.0/26", "10.96.0.0/12", "too small"),
        ("192.168.0.0/22", "10.96.0.0/12", ""),
        ("192.168.0.0/16,172.16.0.0/16", "10.96.0.0/12", "kube_pod_subnet has several networks of one address family"),
        ("192.168.0.0/16,fd01::/48", "10.96.0.0/12", "The address families"),
        ("192.168.0.0/16,fd01::/48", "fd02::/112,10.96.0.0/12", "The address families"),
        ("fd01::/48", "fd02::/112", ""),
        ("fd01::/47", "fd02::/112", "too large"),
    ],
)
def test_pod_and_service_networks(cluster, pods, services, what):
    for_all(cluster, "kube_pod_subnet", pods)
    for_all(cluster, "kube_service_subnet", services)
    problems = list(networks.check_networks(cluster))
    assert len(problems) == (1 if what else 0)
    assert all(what in problem.what for problem in problems)


@pytest.mark.parametrize(
    ("pods", "variables", "what"),
    [
        ("192.168.0.0/16", {"kube_expected_nodes": 256}, ""),
        ("192.168.0.0/16", {"kube_expected_nodes": "257"}, "too small"),
        ("192.168.0.0/16", {"kube_expected_nodes": 1000, "mask": {"node-cidr-mask-size": "26"}}, ""),
        ("192.168.0.0/26", {"mask": {"node-cidr-mask-size": 28}}, ""),
        ("fd01::/48", {"mask": {"node-cidr-mask-size-ipv4": 28}}, ""),
        ("11.0.0.0/8", {"mask": {"node-cidr-mask-size-ipv4": 25}}, "too large"),
        ("192.168.0.0/16", {"kube_network_plugin": "flannel", "mask": {"node-cidr-mask-size": 26}}, "more pods than"),
        ("192.168.0.0/16", {"kube_network_plugin": "flannel", "kubernetes_kubelet_config": {"maxPods": 253}}, ""),
        (
            "192.168.0.0/16",
            {"kube_network_plugin": "flannel", "control_plane_kubelet_configuration": {"maxPods": 400}},
            "more pods than",
        ),
        (
            "192.168.0.0/16",
            {"kube_network_plugin": "cilium", "kubernetes_kubelet_config": {"maxPods": 253}},
            "more pods than",
        ),
        ("192.168.0.0/16", {"kube_network_plugin": "cilium", "kubernetes_kubelet_config": {"maxPods": 252}}, ""),
    ],
)
def test_there_is_room_for_the_expected_nodes_and_their_pods(cluster, pods, variables, what):
    variables = {
        "kube_pod_subnet": pods,
        "kube_service_subnet": "fd02::/112" if ":" in pods else "172.16.0.0/16",
        "control_plane_controller_manager_extra_args": variables.get("mask", {}),
        **variables,
    }
    for host in cluster.hosts.values():
        host.facts = {}
    for name, value in variables.items():
        for_all(cluster, name, value)
    told = {problem.what for problem in networks.check_networks(cluster)}
    assert len(told) == (1 if what else 0) and all(what in text for text in told), told


@pytest.mark.parametrize(
    ("pods", "address", "fires"),
    [
        ("192.168.0.0/16", "10.1.0.1", False),
        ("192.168.0.0/16,fd01::/48", "10.1.0.1,fd00::1", False),
        ("192.168.0.0/16,fd01::/48", "10.1.0.1", True),
        ("192.168.0.0/16,fd01::/48", "fd00::1,10.1.0.1", True),
        ("fd01::/48", "10.1.0.1", True),
        ("fd01::/48", "fd00::1", False),
        ("fd01::/48", "", False),
    ],
)
def test_families_of_the_configured_addresses(cluster, findings, pods, address, fires):
    for_all(cluster, "kube_pod_subnet", pods)
    cluster.hosts["w1"].variables["kube_node_ip"] = address
    assert findings(networks.check_families(cluster)) == ([("address_family", "w1", "error")] if fires else [])


@pytest.mark.parametrize(
    ("variable", "value"), [("kube_pod_subnet", "10.0.0.0/16"), ("kube_service_subnet", "10.0.0.0/20")]
)
def test_a_host_inside_the_cluster_s_networks(cluster, findings, variable, value):
    for host in cluster.hosts.values():
        host.facts = {}
    for_all(cluster, variable, value)
    assert findings(networks.check_networks(cluster)) == [("networks", name, "error") for name in ("cp1", "w1", "w2")]


def test_pod_network_inside_the_hosts_network(cluster, findings):
    cluster.hosts["w1"].facts["network"]["addresses"][0].update(address="192.168.0.5", prefix=16)
    cluster.hosts["w1"].facts["network"]["default_address"] = "192.168.0.5"
    for_all(cluster, "kube_pod_subnet", "192.168.128.0/17")
    assert findings(networks.check_networks(cluster)) == [("networks", "w1", "error")]


def test_another_interface_of_a_host_is_warned_and_the_cluster_s_own_are_not(cluster, findings):
    other = {"interface": "eth1", "address": "192.168.7.7", "prefix": 24, "family": "ipv4", "mac": "", "mtu": 1500}
    cluster.hosts["w1"].facts["network"]["addresses"] += [
        other,
        dict(other, interface="cni0"),
        dict(other, interface="flannel.1"),
    ]
    assert findings(networks.check_networks(cluster)) == [("networks", "w1", "warning")]


@pytest.mark.parametrize(
    ("subnet", "what"),
    [
        ("10.96.0.0/12", ""),
        ("10.96.0.0/28", ""),
        ("10.96.0.0/29", "small"),
        ("10.0.0.0/8", "large"),
        ("fd02::/112", ""),
    ],
)
def test_service_network_has_room_for_the_dns(cluster, subnet, what):
    for_all(cluster, "kube_service_subnet", subnet)
    problems = list(networks.check_service_dns(cluster))
    assert len(problems) == (1 if what else 0)
    assert all(what in problem.what for problem in problems)


@pytest.mark.parametrize(("domain", "fires"), [("cluster.local", False), ("Cluster_Local", True), ("", True)])
def test_dns_domain(cluster, findings, domain, fires):
    for_all(cluster, "kube_dns_domain", domain)
    assert findings(networks.check_dns_domain(cluster)) == ([("dns_domain", "", "error")] if fires else [])


def test_several_control_planes_need_an_endpoint(cluster, findings):
    for_all(cluster, "kube_control_plane_endpoint", "")
    assert findings(networks.check_endpoint(cluster)) == []
    cluster.hosts["w1"].control_plane = True
    assert findings(networks.check_endpoint(cluster)) == [("endpoint", "", "error")]


def test_an_endpoint_that_is_none(cluster, findings):
    for_all(cluster, "kube_control_plane_endpoint", "https://api.example.com")
    assert findings(networks.check_endpoint(cluster)) == [("endpoint", "", "error")]


def test_an_endpoint_that_is_one_of_several_control_planes_is_warned(cluster, findings):
    for_all(cluster, "kube_control_plane_endpoint", "10.0.0.11:6443")
    assert findings(networks.check_endpoint(cluster)) == []
    cluster.hosts["w1"].control_plane = True
    assert findings(networks.check_endpoint(cluster)) == [("endpoint", "cp1", "warning")]
    cluster.hosts["cp1"].address, cluster.hosts["cp1"].variables["kube_node_ip"] = "198.51.100.1", "10.0.0.11,fd00::1"
    assert findings(networks.check_endpoint(cluster)) == [("endpoint", "cp1", "warning")]


@pytest.mark.parametrize(
    ("variable", "value", "count"),
    [
        ("kube_dns_forwarders", ["10.0.0.1", "[2001:db8::1]:53", "10.0.0.2:5353"], 0),
        ("kube_dns_forwarders", ["dns.example.com", "10.0.0.1:dns"], 2),
        ("kube_dns_stub_domains", {"corp.example.com": ["10.0.0.1"], "lab": "10.0.0.2"}, 0),
        ("kube_dns_stub_domains", {"corp.example.com": [], "under_score!.org": ["10.0.0.1"]}, 2),
        ("kube_dns_stub_domains", {"svc.cluster.local": ["10.0.0.1"]}, 1),
        ("kube_dns_stub_domains", {"local": ["10.0.0.1"]}, 1),
        ("kube_dns_forwarders", "dns", 1),
        ("kube_dns_forwarders", [f"10.0.0.{number}" for number in range(16)], 1),
        ("kube_dns_hosts", {"10.0.0.1": None}, 1),
        ("kube_dns_hosts", {"10.0.0.1": ["registry.example.com", "registry"], "fd00::1": ["six.example.com"]}, 0),
        ("kube_dns_hosts", {"registry.example.com": ["10.0.0.1"]}, 1),
        ("kube_dns_hosts", {"10.0.0.1": ["bad name"]}, 1),
    ],
)
def test_what_the_cluster_dns_resolves(cluster, findings, variable, value, count):
    for_all(cluster, "kube_dns_domain", "cluster.local")
    for_all(cluster, variable, value)
    assert findings(networks.check_dns_settings(cluster)) == [("dns_settings", "", "error")] * count


def test_a_name_below_a_stub_domain_would_not_be_found(cluster, findings):
    for_all(cluster, "kube_dns_stub_domains", {"corp.example.com": ["10.0.0.1"]})
    for_all(cluster, "kube_dns_hosts", {"10.0.0.9": ["registry.corp.example.com", "notcorp.example.com"]})
    assert findings(networks.check_dns_settings(cluster)) == [("dns_settings", "", "error")]
