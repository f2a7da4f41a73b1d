# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Firewalls: firewalld is opened by the role kubernetes, ufw by the user, with commands that the report names."""

from __future__ import annotations

import re

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._host.facts.packages import parse_ufw_rules
from ansible_collections.slipway.kube.plugins.plugin_utils.preflight.firewall import check_firewall, check_ufw


def test_firewalld_that_the_user_manages_is_a_warning(cluster):
    host = cluster.hosts["cp1"]
    host.variables["kubernetes_firewalld"] = False
    host.facts["firewall"]["firewalld"] = True
    (problem,) = check_firewall(cluster)
    assert (problem.check, problem.severity) == ("firewall", "warning")
    assert "firewalld" in problem.evidence
    assert "6443" in problem.remedy


def test_firewalld_that_the_role_kubernetes_opens_is_no_problem(cluster):
    cluster.hosts["cp1"].facts["firewall"]["firewalld"] = True
    assert check_firewall(cluster) == []


@pytest.mark.parametrize(
    ("zone", "variables", "missing"),
    [
        ({}, {}, "4789/udp"),
        ({"ports": ["4789/udp"]}, {}, ""),
        ({"target": "ACCEPT", "ports": []}, {}, ""),
        ({}, {"kube_network_calico_encapsulation": "IPIP"}, "179/tcp, IP protocol 4"),
        ({"ports": ["179/tcp"], "protocols": ["ipencap"]}, {"kube_network_calico_encapsulation": "IPIP"}, ""),
        ({}, {"kube_network_plugin": "flannel"}, "8472/udp"),
        ({}, {"kube_network_plugin": "cilium", "kube_network_cilium_encapsulation": "geneve"}, "6081/udp, 4240/tcp"),
        ({}, {"kube_network_plugin": "cilium"}, "8472/udp, 4240/tcp"),
    ],
)
def test_rules_that_the_zone_of_the_node_lacks_are_listed(cluster, zone, variables, missing):
    host = cluster.hosts["w1"]
    host.variables.update(variables, kubernetes_firewalld=False)
    ports = ["10250/tcp", "10256/tcp", "30000-32767/tcp", "30000-32767/udp", *zone.pop("ports", [])]
    public = {"zone": "public", "interfaces": ["eth0"], "sources": [], "target": "default", "protocols": [], **zone}
    trusted = {"zone": "trusted", "interfaces": [], "sources": ["192.168.0.0/16"], "target": "ACCEPT"}
    host.facts["firewall"] = {
        "firewalld": True,
        "ufw": False,
        "zones": [{**public, "ports": ports}, {**trusted, "ports": [], "protocols": []}],
    }
    problems = list(check_firewall(cluster))
    assert len(problems) == bool(missing)
    if missing:
        assert problems[0].evidence == f"zone public of eth0 lacks {missing}"
    host.facts["firewall"]["zones"].pop()
    (problem,) = check_firewall(cluster)
    assert "192.168.0.0/16 in the zone trusted" in problem.evidence


def allow(host, *rules):
    """Turn ufw on with the rules of /etc/ufw/user.rules."""
    text = "".join(f"### tuple ### {rule}\n" for rule in rules)
    host.facts["firewall"].update(ufw=True, ufw_rules=parse_ufw_rules(text))


def tuples(commands):
    """The rules that ufw would write for these commands."""
    for command in commands:
        words = command.split()
        kind = "route:allow" if "route" in words else "allow"
        to = words[words.index("to") + 1] if "to" in words else "0.0.0.0/0"
        source = words[words.index("from") + 1] if "from" in words else "0.0.0.0/0"
        port, protocol = words[-1].split("/") if words[-1].endswith("/tcp") else ("any", "any")
        yield f"{kind} {protocol} {port} {to} any {source} in"


def test_ufw_is_refused_with_the_commands_after_which_it_is_accepted(cluster):
    host = cluster.hosts["cp1"]
    allow(host, "allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in")
    (problem,) = check_ufw(cluster)
    assert (problem.check, problem.host, problem.severity) == ("firewall", "cp1", "error")
    commands = re.findall(r"`(ufw [^`]+)`", problem.remedy)
    assert commands == [
        "ufw allow from 10.0.0.12",
        "ufw allow from 10.0.0.13",
        "ufw allow from 192.168.0.0/16",
        "ufw route allow from 192.168.0.0/16",
        "ufw route allow to 192.168.0.0/16",
        "ufw allow 6443/tcp",
    ]
    assert "6443/tcp, 4789/udp from w1 (10.0.0.12)" in problem.evidence
    allow(host, *tuples(commands))
    assert check_ufw(cluster) == []
    allow(host, *list(tuples(commands))[1:])
    (problem,) = check_ufw(cluster)
    assert re.findall(r"`(ufw [^`]+)`", problem.remedy) == commands[:1]


POD_TRAFFIC = (
    "allow any any 0.0.0.0/0 any 192.168.0.0/16 in",
    "route:allow any any 0.0.0.0/0 any 192.168.0.0/16 in",
    "route:allow any any 192.168.0.0/16 any 0.0.0.0/0 in",
)


@pytest.mark.parametrize(
    ("rules", "accepted"),
    [
        (["allow any any 0.0.0.0/0 any 10.0.0.0/24 in"], True),
        (
            ["allow tcp 2379:2380,6443,10250 0.0.0.0/0 any 0.0.0.0/0 in", "allow udp 4789 0.0.0.0/0 any 0.0.0.0/0 in"],
            True,
        ),
        (["allow any any 0.0.0.0/0 any 10.0.0.0/24 in_eth0 comment=6e6f646573"], True),
        (["allow_log any any 0.0.0.0/0 any 10.0.0.0/24 - - in"], True),
        (["allow tcp 10250 0.0.0.0/0 any 0.0.0.0/0 in", "allow udp 4789 0.0.0.0/0 any 0.0.0.0/0 in"], False),
        (["allow tcp any 0.0.0.0/0 any 10.0.0.0/24 in"], False),
        (["deny any any 0.0.0.0/0 any 10.0.0.0/24 in"], False),
        (["allow any any 0.0.0.0/0 any 10.0.0.0/24 out"], False),
        (["allow any any 0.0.0.0/0 any 10.0.9.0/24 in"], False),
        (["allow any any ::/0 any fd00::/8 in"], False),
        (["nonsense"], False),
    ],
)
def test_rules_of_ufw_count_by_port_protocol_and_source(cluster, rules, accepted):
    allow(cluster.hosts["cp1"], *POD_TRAFFIC, *rules)
    assert (check_ufw(cluster) == []) is accepted


def test_the_policies_of_ufw_count(cluster):
    host = cluster.hosts["cp1"]
    host.facts["firewall"].update(
        ufw=True,
        ufw_rules=parse_ufw_rules("", 'DEFAULT_INPUT_POLICY="ACCEPT"\nDEFAULT_FORWARD_POLICY="ACCEPT"\n'),
    )
    assert check_ufw(cluster) == []
    host.facts["firewall"]["ufw_rules"] = parse_ufw_rules(
        "", 'DEFAULT_INPUT_POLICY="ACCEPT"\nDEFAULT_FORWARD_POLICY="DROP"\n'
    )
    (problem,) = check_ufw(cluster)
    assert "ufw allow" not in problem.remedy
    assert "ufw route allow" in problem.remedy


def test_workers_of_flannel_need_its_overlay_only_from_each_other(cluster):
    for host in cluster.hosts.values():
        host.variables["kube_network_plugin"] = "flannel"
    allow(cluster.hosts["w1"], *POD_TRAFFIC)
    (problem,) = check_ufw(cluster)
    assert "10250/tcp, 8472/udp from cp1 (10.0.0.11); 8472/udp from w2 (10.0.0.13)" in problem.evidence


def test_members_are_not_asked(members):
    allow(members.hosts["cp1"])
    assert check_ufw(members) == []


def test_ufw_must_allow_every_address_of_another_node(cluster):
    host, peer = cluster.hosts["cp1"], cluster.hosts["w1"]
    peer.variables["kube_node_ip"] = "10.0.0.12, fd00::12"
    allow(host, "allow any any 0.0.0.0/0 any 10.0.0.0/8 in")
    (problem,) = check_ufw(cluster)
    assert "`ufw allow from fd00::12`" in problem.remedy
    assert "`ufw allow from 10.0.0.12`" not in problem.remedy


def test_control_planes_with_a_virtual_address_need_vrrp(cluster):
    ports = ["allow tcp any 0.0.0.0/0 any 10.0.0.0/24 in", "allow udp any 0.0.0.0/0 any 10.0.0.0/24 in"]
    for host in cluster.hosts.values():
        host.variables["kube_control_plane_vip"] = "10.0.0.100"
    allow(cluster.hosts["cp1"], *POD_TRAFFIC, *ports)
    assert check_ufw(cluster) == []
    cluster.hosts["w1"].control_plane = True
    (problem,) = check_ufw(cluster)
    assert "VRRP from w1 (10.0.0.12)" in problem.evidence and "`ufw allow from 10.0.0.12`" in problem.remedy
    allow(cluster.hosts["cp1"], *POD_TRAFFIC, *ports, "allow vrrp any 0.0.0.0/0 any 10.0.0.0/24 in")
    assert check_ufw(cluster) == []
