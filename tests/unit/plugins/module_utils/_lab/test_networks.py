# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The networks of a lab: address families, a second network, a proxy as the only way out."""

from __future__ import annotations

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._lab import layout, networks

NAME = "slipway-lab"
ORIGIN = {"used": "origin", "names": ["pkgs.k8s.io"]}


def want(**changed):
    plain = {
        "subnet": "10.123.2.0/24",
        "kind": "container",
        "mirror": False,
        "ip_families": ["ipv4"],
        "second_network": False,
        "proxy": False,
    }
    return dict(plain, **changed)


def placed(sources=None, **changed):
    wanted = want(**changed)
    hosts = networks.place(layout.hosts(1, 1, wanted["mirror"], wanted["subnet"]), wanted, NAME, sources or ORIGIN)
    return {host["name"]: host for host in hosts}


def problems(wanted, **machine):
    return networks.problems(want(**wanted), dict({"ipv6": True, "sources": "origin"}, **machine))


def test_an_ordinary_lab_has_one_network_and_sets_nothing_in_the_inventory():
    (network,) = networks.networks(want(), NAME, "origin")
    assert network["ipam_config"] == [{"subnet": "10.123.2.0/24", "gateway": "10.123.2.1"}]
    assert not network["enable_ipv6"] and not network["internal"] and not network["driver_options"]
    hosts = placed()
    for host in hosts.values():
        assert host["addresses"] == [host["address"]]
        assert host["environment"] == {} and host["variables"] == {}
        assert host["etc_hosts"] == {"pkgs.k8s.io": "10.123.2.2"}
    assert networks.cluster_variables(want(), list(hosts.values())) == {}


def test_hosts_with_both_families_have_both_addresses_and_name_them_to_the_kubelet():
    (network,) = networks.networks(want(ip_families=["ipv4", "ipv6"]), NAME, "origin")
    assert network["enable_ipv6"]
    assert network["ipam_config"][1] == {"subnet": "fd00:a7b:200::/64", "gateway": "fd00:a7b:200::1"}
    hosts = placed(ip_families=["ipv4", "ipv6"])
    assert hosts["cp1"]["variables"] == {"kube_node_ip": "10.123.2.11,fd00:a7b:200::b"}
    (attached,) = hosts["cp1"]["networks"]
    assert (attached["ipv4_address"], attached["ipv6_address"]) == ("10.123.2.11", "fd00:a7b:200::b")
    variables = networks.cluster_variables(want(ip_families=["ipv4", "ipv6"]), list(hosts.values()))
    assert variables == {
        "kube_pod_subnet": "10.244.0.0/16,fd00:10:244::/56",
        "kube_service_subnet": "10.96.0.0/12,fd00:10:96::/112",
    }


def test_hosts_without_ipv4_are_known_by_their_ipv6_address_everywhere():
    hosts = placed(ip_families=["ipv6"])
    assert hosts["cp1"]["address"] == "fd00:a7b:200::b"
    assert hosts["cp1"]["environment"] == {"LAB_WITHOUT_IPV4": "true"}
    assert hosts["services"]["environment"] == {}, "it keeps its IPv4 address"
    assert hosts["cp1"]["etc_hosts"] == {"pkgs.k8s.io": "fd00:a7b:200::2"}
    assert hosts["cp1"]["variables"] == {}, "the default route tells the address"
    variables = networks.cluster_variables(want(ip_families=["ipv6"]), list(hosts.values()))
    assert variables["kube_service_subnet"] == "fd00:10:96::/112"
    assert networks.main_gateway(want(ip_families=["ipv6"])) == "fd00:a7b:200::1"


def test_nodes_do_not_reach_each_other_in_the_second_network_which_has_the_default_route():
    second = networks.networks(want(second_network=True), NAME, "origin")[1]
    assert second["name"] == "slipway-lab-second"
    assert second["driver_options"] == {"com.docker.network.bridge.enable_icc": "false"}
    hosts = placed(second_network=True)
    assert hosts["w1"]["networks"][1] == {"name": "slipway-lab-second", "ipv4_address": "10.124.2.21"}
    assert hosts["w1"]["environment"] == {"LAB_GATEWAYS": "10.124.2.1"}
    assert hosts["w1"]["variables"] == {"kube_node_ip": "10.123.2.21"}
    assert len(hosts["services"]["networks"]) == 1


@pytest.mark.parametrize(("subnet", "second"), [("10.0.0.0/8", "11.0.0.0/8"), ("172.16.3.0/24", "172.17.3.0/24")])
def test_the_second_network_does_not_overlap_the_first(subnet, second):
    assert networks.second_subnet(subnet) == second


def test_behind_a_proxy_only_the_host_services_knows_the_names_of_upstream():
    (network,) = networks.networks(want(proxy=True), NAME, "origin")
    assert network["internal"]
    hosts = placed(proxy=True)
    assert hosts["services"]["etc_hosts"] == {"pkgs.k8s.io": "127.0.0.1"}
    assert hosts["cp1"]["etc_hosts"] == hosts["w1"]["etc_hosts"] == {}
    assert hosts["cp1"]["environment"] == {"LAB_GATEWAYS": "10.123.2.1"}
    proxy = networks.cluster_variables(want(proxy=True), list(hosts.values()))
    assert proxy == dict.fromkeys(("kube_http_proxy", "kube_https_proxy"), "http://10.123.2.2:3128")


def test_a_proxy_for_hosts_without_ipv4_has_an_ipv6_address():
    hosts = placed(proxy=True, ip_families=["ipv6"])
    variables = networks.cluster_variables(want(proxy=True, ip_families=["ipv6"]), list(hosts.values()))
    assert variables["kube_http_proxy"] == "http://[fd00:a7b:200::2]:3128"
    assert hosts["cp1"]["environment"]["LAB_GATEWAYS"] == "fd00:a7b:200::1"


def test_the_proxy_itself_reaches_the_internet_where_upstream_is_used():
    upstream = {"used": "upstream", "names": []}
    hosts = placed(proxy=True, sources=upstream)
    assert hosts["services"]["networks"][1] == {"name": "bridge"}
    assert len(hosts["cp1"]["networks"]) == 1
    assert len(placed(sources=upstream)["services"]["networks"]) == 1


def test_every_network_of_an_existing_lab_is_compared():
    wanted = want(ip_families=["ipv4", "ipv6"], second_network=True)
    found = {subnet for subnets in networks.wanted_subnets(wanted).values() for subnet in subnets}
    assert found == {"10.123.2.0/24", "fd00:a7b:200::/64", "10.124.2.0/24"}


@pytest.mark.parametrize(
    ("wanted", "machine", "said"),
    [
        ({"ip_families": []}, {}, "lab_ip_families is []"),
        ({"ip_families": ["ipv6", "ipv4"]}, {}, "the first family"),
        ({"ip_families": ["ipv4", "ipv4"]}, {}, "use [ipv4]"),
        ({"ip_families": ["ipv4", "ipv6"]}, {"ipv6": False}, "has no IPv6"),
        ({"kind": "vm", "ip_families": ["ipv4", "ipv6"]}, {}, "lab_ip_families: virtual machines"),
        (
            {"kind": "vm", "proxy": True, "second_network": True},
            {},
            "lab_second_network, lab_proxy: virtual machines",
        ),
        ({"ip_families": ["ipv6"], "second_network": True}, {}, "lab_second_network requires IPv4"),
        ({"ip_families": ["ipv6"], "mirror": True}, {}, "lab_mirror requires IPv4"),
        ({"ip_families": ["ipv6"]}, {"sources": "upstream"}, "Set lab_proxy: true, or lab_sources: origin"),
        ({"proxy": True, "mirror": True}, {"sources": "none"}, "use a mirror"),
        ({"proxy": True}, {"sources": "none"}, "lab_sources: none"),
    ],
)
def test_what_does_not_go_together_is_refused(wanted, machine, said):
    (found,) = problems(wanted, **machine)
    assert said in found


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"kind": "vm"},
        {"ip_families": ["ipv4", "ipv6"], "second_network": True, "proxy": True},
        {"ip_families": ["ipv6"], "proxy": True},
    ],
)
def test_what_goes_together_is_accepted(wanted):
    assert problems(wanted) == []
