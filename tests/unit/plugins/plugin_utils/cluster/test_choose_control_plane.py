# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reference control plane is chosen, and a second cluster is never created beside an existing one."""

from __future__ import annotations

from ansible_collections.slipway.kube.plugins.plugin_utils.cluster import choose_control_plane


def facts(member=False, healthy=False, operation="", marked=True, ca_hash="sha256:aa"):
    return {
        "cluster": {
            "member": member,
            "healthy": healthy,
            "ca_hash": ca_hash if member else "",
            "endpoint": "192.0.2.1:6443" if member else "",
        },
        "record": {"marked": marked, "operation": operation},
        "network": {"default_address": "192.0.2.1"},
        "hostname": "box",
        "machine_id": "m1",
    }


def choose(planes, workers=None):
    hostvars = {host: {"kube_host": seen} if seen else {} for host, seen in {**planes, **(workers or {})}.items()}
    return choose_control_plane.choose(choose_control_plane.cluster_nodes(hostvars, list(planes), list(workers or {})))


def test_a_fresh_inventory_begins_with_the_first():
    assert choose({"cp1": facts(), "cp2": facts()}, {"w1": facts()}) == {"host": "cp1", "state": "none", "problem": ""}


def test_the_one_that_answers_serves_whichever_it_is():
    assert choose({"cp1": facts(), "cp2": facts(True), "cp3": facts(True, True)})["host"] == "cp3"


def test_a_cluster_that_does_not_respond_is_waited_for_and_not_created_again():
    assert choose({"cp1": facts(), "cp2": facts(True)}) == {"host": "cp2", "state": "unhealthy", "problem": ""}


def test_an_interrupted_init_resumes_on_its_host():
    assert choose({"cp1": facts(), "cp2": facts(member=True, healthy=True, operation="init")}) == {
        "host": "cp2",
        "state": "interrupted",
        "problem": "",
    }


def test_a_half_joined_control_plane_is_not_chosen():
    assert choose({"cp1": facts(True, True, operation="join"), "cp2": facts(True)})["host"] == "cp2"


def test_a_control_plane_that_could_not_be_inspected_stops_a_new_cluster():
    found = choose({"cp1": None, "cp2": facts()})
    assert "cp1" in found["problem"] and "second one" in found["problem"]


def test_a_control_plane_that_could_not_be_inspected_does_no_harm_beside_one_that_answers():
    assert choose({"cp1": None, "cp2": facts(True, True)})["problem"] == ""


def test_workers_of_a_cluster_without_its_control_plane_are_refused():
    found = choose({"cp1": facts()}, {"w1": facts(True, True)})
    assert "w1" in found["problem"] and not found["host"]


def test_hosts_of_two_clusters_are_refused_by_their_ca():
    found = choose({"cp1": facts(True, True)}, {"w1": facts(True, True, ca_hash="sha256:bb")})
    assert "different clusters" in found["problem"] and "sha256:bb" in found["problem"]


def test_hosts_of_one_cluster_differ_while_its_authorities_are_rotated():
    plane = facts(True, True)
    plane["cluster"]["rotating"] = True
    found = choose({"cp1": plane}, {"w1": facts(True, True, ca_hash="sha256:bb")})
    assert (found["host"], found["problem"]) == ("cp1", "")


def test_a_cluster_of_another_tool_is_refused():
    found = choose({"cp1": facts(True, True, marked=False)})
    assert "did not create" in found["problem"]


def test_no_control_plane_is_a_problem():
    assert "no control plane" in choose({}, {"w1": facts()})["problem"]


def test_a_node_is_described_once_also_where_it_is_in_both_groups():
    hostvars = {
        "a": {
            "kube_host": facts(),
            "kube_node_name": "one",
            "kube_node_ip": "192.0.2.7, 2001:db8::7",
            "kube_node_labels": {"x": 1},
        },
        "b": {"__kube_joined": True},
    }
    nodes = choose_control_plane.cluster_nodes(hostvars, ["a"], ["a", "b"])
    assert [node["host"] for node in nodes] == ["a", "b"]
    assert nodes[0]["desired"] == {
        "name": "one",
        "addresses": ["192.0.2.7", "2001:db8::7"],
        "control_plane": True,
        "host_names": ["box"],
        "labels": {"x": 1},
        "taints": [],
    }
    assert nodes[0]["identity"]["machine_id"] == "m1" and nodes[1]["identity"]["seen"] == 0.0
    assert nodes[0]["etcd"] == "https://192.0.2.7:2379"
    assert not nodes[0]["member"] and nodes[1]["member"] and nodes[1]["facts"] == {}


def test_an_ipv6_address_is_bracketed_in_a_url():
    node = choose_control_plane.cluster_nodes({"a": {"kube_node_ip": "2001:db8::7"}}, ["a"])[0]
    assert node["etcd"] == "https://[2001:db8::7]:2379"


def test_an_interrupted_restore_is_not_covered_by_a_new_cluster_on_another_host():
    chosen = choose({"cp1": facts(), "cp2": facts(operation="restore")})
    assert (chosen["host"], chosen["state"]) == ("cp2", "interrupted")
