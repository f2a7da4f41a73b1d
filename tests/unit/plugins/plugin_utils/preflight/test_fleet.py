# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of the hosts against each other."""

from __future__ import annotations

import pytest

from ansible_collections.slipway.kube.plugins.plugin_utils.preflight import fleet


def pair(check, severity):
    return [(check, "w1", severity), (check, "w2", severity)]


@pytest.mark.parametrize(
    ("key", "check", "severity"), [("machine_id", "machine_id", "error"), ("product_uuid", "product_uuid", "warning")]
)
def test_shared_identities(cluster, findings, key, check, severity):
    assert findings(getattr(fleet, f"check_{check}")(cluster)) == []
    cluster.hosts["w1"].facts[key] = cluster.hosts["w2"].facts[key] = "same"
    assert findings(getattr(fleet, f"check_{check}")(cluster)) == pair(check, severity)


def test_containers_share_the_product_uuid_of_their_machine(cluster, findings):
    for host in cluster.hosts.values():
        host.facts.update(product_uuid="same", container="docker")
    assert findings(fleet.check_product_uuid(cluster)) == []


def test_no_machine_id(cluster, findings):
    cluster.hosts["w1"].facts["machine_id"] = ""
    assert findings(fleet.check_machine_id(cluster)) == [("machine_id", "w1", "error")]


def test_mac_addresses(cluster, findings):
    assert findings(fleet.check_mac_address(cluster)) == []
    for name in ("w1", "w2"):
        cluster.hosts[name].facts["network"]["addresses"][0]["mac"] = "52:54:00:aa:aa:aa"
    assert findings(fleet.check_mac_address(cluster)) == pair("mac_address", "error")


def test_node_address_is_on_the_host(cluster, findings):
    assert findings(fleet.check_node_address(cluster)) == []
    cluster.hosts["w1"].variables["kube_node_ip"] = "10.0.9.9"
    assert findings(fleet.check_node_address(cluster)) == [("node_address", "w1", "error")]


def test_two_hosts_behind_one_default_address(cluster, findings):
    for name in ("w1", "w2"):
        network = cluster.hosts[name].facts["network"]
        network["addresses"][0]["address"] = network["default_address"] = "10.0.2.15"
    assert findings(fleet.check_node_address(cluster)) == pair("node_address", "error")


def test_host_networks(cluster, findings):
    assert findings(fleet.check_host_networks(cluster)) == []
    cluster.hosts["w1"].facts["network"]["addresses"].append(
        {"interface": "eth1", "address": "192.168.9.9", "prefix": 24, "family": "ipv4", "mac": "", "mtu": 1500}
    )
    assert findings(fleet.check_host_networks(cluster)) == [("networks", "w1", "warning")]


@pytest.mark.parametrize(
    ("time", "word"), [(1001.0, ""), (1030.0, ""), (971.0, ""), (960.0, "behind"), (1040.0, "ahead"), (1e9, "ahead")]
)
def test_clock(cluster, time, word):
    cluster.hosts["w1"].facts["time"] = time
    problems = list(fleet.check_clock(cluster))
    assert len(problems) == (1 if word else 0)
    assert all(word in problem.evidence for problem in problems)


def test_a_slow_response_is_not_a_clock_difference(cluster, findings):
    cluster.hosts["w1"].facts["time"] = 1100.0
    cluster.now = 1101.0
    assert findings(fleet.check_clock(cluster)) == []


def test_mtu(cluster, findings):
    assert findings(fleet.check_mtu(cluster)) == []
    cluster.hosts["w2"].facts["network"]["addresses"][0]["mtu"] = 1450
    assert findings(fleet.check_mtu(cluster)) == [("mtu", name, "warning") for name in ("cp1", "w1", "w2")]


def test_gateway(cluster, findings):
    assert findings(fleet.check_gateway(cluster)) == []
    cluster.hosts["w1"].facts["network"]["default_interface"] = ""
    assert findings(fleet.check_gateway(cluster)) == [("gateway", "w1", "warning")]


def test_a_host_without_ipv6_is_refused_if_pods_have_it(cluster, findings):
    host = cluster.hosts["w1"]
    host.facts["network"]["ipv6"] = False
    assert findings(fleet.check_address_family(cluster)) == []
    for each in cluster.hosts.values():
        each.variables["kube_pod_subnet"] = "192.168.0.0/16,fd01::/48"
        own = each.facts["network"]["addresses"]
        own.append(dict(own[0], address=f"fd00::{own[0]['mac'][-1]}", family="ipv6", prefix=64))
        each.variables["kube_node_ip"] = f"{own[0]['address']},{own[1]['address']}"
    host.facts["network"]["ipv6"] = True
    assert findings(fleet.check_address_family(cluster)) == []
    host.facts["network"]["ipv6"] = False
    (problem,) = fleet.check_address_family(cluster)
    assert (problem.check, problem.host, problem.severity) == ("address_family", "w1", "error")
    assert "IPv6" in problem.what


def test_a_host_needs_addresses_of_the_families_of_pods(cluster, findings):
    host = cluster.hosts["w1"]
    host.variables["kube_pod_subnet"] = "192.168.0.0/16,fd01::/48"
    own = host.facts["network"]["addresses"]
    own.append(dict(own[0], address="fd00::1", family="ipv6", prefix=64))
    (problem,) = fleet.check_address_family(cluster)
    assert (problem.check, problem.host) == ("address_family", "w1")
    assert f"Set kube_node_ip: '{own[0]['address']},fd00::1'" in problem.remedy


def test_flannel_needs_both_addresses_on_one_interface(cluster, findings):
    host = cluster.hosts["w1"]
    own = host.facts["network"]["addresses"]
    own.append(dict(own[0], interface="eth1", address="fd00::1", family="ipv6", prefix=64))
    host.variables.update(kube_pod_subnet="192.168.0.0/16,fd01::/48", kube_node_ip=f"{own[0]['address']},fd00::1")
    assert findings(fleet.check_address_family(cluster)) == []
    host.variables["kube_network_plugin"] = "flannel"
    (problem,) = fleet.check_address_family(cluster)
    assert "eth0" in problem.evidence and "eth1" in problem.evidence


def test_the_interface_of_a_node_with_two_addresses(cluster):
    host = cluster.hosts["w1"]
    host.variables["kube_node_ip"] = f"{host.facts['network']['default_address']}, fd00::1"
    assert fleet.node_interface(host)["interface"] == "eth0"
