# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of the virtual IP address of the control planes."""

from __future__ import annotations

import pytest

from ansible_collections.slipway.kube.plugins.plugin_utils.preflight import vip
from ansible_collections.slipway.kube.plugins.plugin_utils.preflight.checks import check_inventory

VIP, MAC = "10.0.0.100", "52:54:00:00:00:99"


@pytest.fixture
def highly(cluster):
    """Three control planes with a virtual IP address."""
    for host in cluster.hosts.values():
        host.control_plane, host.worker = True, False
        host.variables.update(kube_control_plane_vip=VIP, kube_control_plane_endpoint=VIP)
    return cluster


def set_all(cluster, **variables):
    for host in cluster.hosts.values():
        host.variables.update(variables)


def holds(host, address=VIP):
    entry = host.facts["network"]["addresses"][0]
    host.facts["network"]["addresses"].append({**entry, "address": address, "prefix": 32})


def answers(cluster, mac):
    for host in cluster.hosts.values():
        host.facts["network"]["answering"] = {VIP: mac}


def test_a_free_address_of_the_nodes_network_is_accepted(highly, findings):
    answers(highly, "")
    assert findings(vip.CHECKS.run(highly)) == []
    assert not [problem for problem in check_inventory(highly) if problem.check in ("vip", "endpoint")]


def test_without_a_virtual_address_nothing_is_checked(highly, findings):
    set_all(highly, kube_control_plane_vip="", kube_control_plane_endpoint="10.0.0.7:443")
    highly.hosts["cp1"].facts["units"]["keepalived.service"] = {"active": True}
    assert findings(vip.CHECKS.run(highly)) == []


@pytest.mark.parametrize("address", ["api.example.com", "10.0.0.100/24", "10.0.0.100:6443", "10.0.0.300"])
def test_what_is_no_address(highly, findings, address):
    set_all(highly, kube_control_plane_vip=address)
    assert findings(vip.check_address(highly)) == [("vip", "", "error")]


@pytest.mark.parametrize("by_variable", [False, True])
def test_the_address_of_a_node(highly, findings, by_variable):
    if by_variable:
        highly.hosts["w1"].variables["kube_node_ip"] = f"{VIP},fd00::1"
    else:
        highly.hosts["w1"].address = VIP
    assert findings(vip.check_address(highly)) == [("vip", "w1", "error")]


@pytest.mark.parametrize("variable", ["kube_pod_subnet", "kube_service_subnet"])
def test_an_address_of_pods_or_services(highly, findings, variable):
    set_all(highly, **{variable: "10.0.0.0/24"})
    assert findings(vip.check_address(highly)) == [("vip", "", "error")]


@pytest.mark.parametrize(
    ("address", "endpoint", "fires"),
    [
        (VIP, VIP, False),
        (VIP, f"{VIP}:6443", False),
        (VIP, "api.example.com", False),
        (VIP, "api.example.com:6443", False),
        (VIP, "", False),
        (VIP, "10.0.0.7:6443", True),
        (VIP, f"{VIP}:443", True),
        (VIP, "api.example.com:8443", True),
        ("fd00::0:100", "[fd00::100]:6443", False),
        ("fd00::100", "[fd00::101]:6443", True),
    ],
)
def test_an_endpoint_that_contradicts_the_address(highly, findings, address, endpoint, fires):
    set_all(highly, kube_control_plane_vip=address, kube_control_plane_endpoint=endpoint)
    assert findings(vip.check_endpoint(highly)) == ([("vip", "", "error")] if fires else [])


@pytest.mark.parametrize("address", ["10.0.1.100", "10.0.0.0", "10.0.0.255", "fd00::100"])
def test_an_address_outside_the_nodes_network(highly, findings, address):
    set_all(highly, kube_control_plane_vip=address)
    assert findings(vip.check_network(highly)) == [("vip", name, "error") for name in ("cp1", "w1", "w2")]


def test_the_network_is_that_of_the_nodes_address(highly, findings):
    host = highly.hosts["w1"]
    host.facts["network"]["addresses"].append(
        {"interface": "eth1", "address": "10.9.0.12", "prefix": 24, "family": "ipv4", "mac": "52:54:00:00:01:02"}
    )
    assert findings(vip.check_network(highly)) == []
    host.variables["kube_node_ip"] = "10.9.0.12"
    assert findings(vip.check_network(highly)) == [("vip", "w1", "error")]


def test_an_address_on_which_somebody_answers(highly, findings):
    answers(highly, MAC)
    assert findings(vip.check_free(highly)) == [("vip", name, "error") for name in ("cp1", "w1", "w2")]
    assert MAC in next(iter(vip.check_free(highly))).evidence


def test_a_control_plane_of_this_cluster_may_hold_it(highly, findings):
    answers(highly, MAC)
    holder = highly.hosts["cp1"]
    holder.facts["record"].update(marked=True, cluster="kubernetes")
    holds(holder)
    assert findings(vip.check_free(highly)) == []
    # It has moved while the hosts were inspected.
    holder.facts["network"]["addresses"].pop()
    answers(highly, holder.facts["network"]["addresses"][0]["mac"])
    assert findings(vip.check_free(highly)) == []


def test_a_control_plane_outside_this_run_may_hold_it(highly, findings):
    answers(highly, MAC)
    highly.hosts["w2"].facts = {}
    assert findings(vip.check_free(highly)) == []


@pytest.mark.parametrize("change", ["worker", "unprepared", "another cluster"])
def test_a_host_that_has_it_already(highly, findings, change):
    host = highly.hosts["w1"]
    holds(host)
    host.facts["record"].update(marked=True, cluster="kubernetes")
    if change == "worker":
        host.control_plane = False
    else:
        host.facts["record"].update(marked=change != "unprepared", cluster="other")
    assert findings(vip.check_free(highly)) == [("vip", "w1", "error")]


def test_a_keepalived_of_the_user_is_not_overwritten(highly, findings):
    for name in ("cp1", "w1"):
        highly.hosts[name].facts["units"]["keepalived.service"] = {"active": True, "enabled": True, "masked": False}
    highly.hosts["w1"].facts["record"].update(marked=True, cluster="kubernetes")
    assert findings(vip.check_keepalived(highly)) == [("vip", "cp1", "error")]
