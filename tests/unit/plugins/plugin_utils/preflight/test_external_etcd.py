# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An external etcd on hosts of the group kube_etcd: what the inventory may say of it, and what its hosts are checked for."""

from __future__ import annotations

import pytest

from ansible_collections.slipway.kube.plugins.plugin_utils.preflight import membership
from ansible_collections.slipway.kube.plugins.plugin_utils.preflight.checks import check_hosts, check_inventory
from ansible_collections.slipway.kube.plugins.plugin_utils.preflight.firewall import check_ufw
from ansible_collections.slipway.kube.plugins.plugin_utils.preflight.sources import needed_images

from .conftest import join


def test_a_member_of_an_external_etcd_is_a_host_like_the_others(external):
    assert check_inventory(external) == [] and check_hosts(external) == []
    for host in external.hosts.values():
        join(host)
    external.hosts["etcd1"].facts["cluster"].update(ca_hash="", endpoint="")
    assert check_hosts(external) == []


@pytest.mark.parametrize("group", ["control_plane", "worker"])
def test_a_member_of_an_external_etcd_is_no_node(external, findings, group):
    setattr(external.hosts["etcd1"], group, True)
    found = findings(check_inventory(external))
    assert ("groups_disjoint", "etcd1", "error") in found


def test_a_host_of_etcd_outside_of_the_cluster_is_not_prepared(external, findings):
    external.members["kube_cluster"] = ["cp1", "w1"]
    problems = check_inventory(external)
    assert findings(problems) == [("groups", "etcd1", "error")]
    assert "kube_etcd" in problems[0].evidence


def test_a_misspelled_group_is_named(external, findings):
    external.members["kube_etdc"] = external.members.pop("kube_etcd")
    external.members["kube_cluster"] = ["cp1", "w1"]
    del external.hosts["etcd1"]
    problems = check_inventory(external)
    assert findings(problems) == [("groups", "", "error")] and "kube_etcd" in problems[0].evidence


def test_two_members_are_warned_and_two_control_planes_are_not(external, findings):
    external.hosts["w1"].worker, external.hosts["w1"].control_plane = False, True
    found = findings(check_inventory(external))
    assert not [one for one in found if one[0] == "etcd_quorum"]
    external.hosts["w1"].control_plane, external.hosts["w1"].etcd = False, True
    problems = [one for one in check_inventory(external) if one.check == "etcd_quorum"]
    assert [one.severity for one in problems] == ["warning"] and "kube_etcd" in problems[0].remedy


@pytest.mark.parametrize(
    ("components", "servers", "external_etcd", "word"),
    [
        ({"etcd": "3.6.8"}, ["https://127.0.0.1:2379"], False, ""),
        ({"etcd": "3.6.8"}, ["https://127.0.0.1:2379"], True, "Remove the group kube_etcd"),
        ({}, ["https://10.0.0.31:2379"], True, ""),
        ({}, ["https://10.0.0.31:2379"], False, "Add the hosts of etcd"),
    ],
)
def test_a_cluster_keeps_its_kind_of_etcd(members, components, servers, external_etcd, word):
    host = members.hosts["cp1"]
    host.facts["cluster"].update(components=components, etcd_servers=servers)
    host.variables["external_etcd"] = external_etcd
    problems = membership.check_etcd_change(members)
    assert [one.check for one in problems] == (["etcd_change"] if word else [])
    assert all(word in one.remedy for one in problems)


def test_only_the_hosts_of_etcd_need_its_image():
    row = {"kube_version": "1.36.3", "kube_component_versions": {"etcd": "3.6.8", "pause": "3.10.2"}}
    assert needed_images({**row, "etcd": True, "external_etcd": True}) == ["pause:3.10.2", "etcd:3.6.8-0"]
    assert "etcd:3.6.8-0" not in needed_images({**row, "control_plane": True, "external_etcd": True})
    assert "etcd:3.6.8-0" in needed_images({**row, "control_plane": True})


def test_a_member_of_the_etcd_of_another_cluster_is_refused(external, findings):
    for host in external.hosts.values():
        join(host)
        host.facts["cluster"]["etcd_ca_hash"] = "sha256:aa" if not host.worker else ""
    external.hosts["etcd1"].facts["cluster"]["ca_hash"] = ""
    assert check_hosts(external) == []
    external.hosts["etcd1"].facts["cluster"]["etcd_ca_hash"] = "sha256:bb"
    found = findings(check_hosts(external))
    assert found == [("other_cluster", "cp1", "error"), ("other_cluster", "etcd1", "error")]
    external.hosts["cp1"].variables["__kube_restored_ca"] = external.hosts["cp1"].facts["cluster"]["ca_hash"]
    assert check_hosts(external) == [], "a restore that was interrupted goes on with the new authority of etcd"


@pytest.mark.parametrize("group", ["control_plane", "worker"])
def test_a_member_of_etcd_does_not_become_a_node(external, group):
    host = external.hosts["etcd1"]
    join(host)
    host.etcd = False
    setattr(host, group, True)
    (problem,) = [one for one in check_hosts(external) if one.check == "role"]
    assert problem.severity == "error"
    assert problem.evidence == f"it is a member of etcd; in the inventory it is a {group.replace('_', ' ')}"


def test_ufw_on_a_host_of_etcd_lets_control_planes_in_and_nobody_else(external):
    external.hosts["etcd1"].facts["firewall"].update(ufw=True, ufw_rules=[])
    (problem,) = check_ufw(external)
    assert problem.evidence == "blocked: 2379/tcp, 2380/tcp from cp1 (10.0.0.11)"
    assert problem.remedy == "Run on the host: `ufw allow from 10.0.0.11`."
