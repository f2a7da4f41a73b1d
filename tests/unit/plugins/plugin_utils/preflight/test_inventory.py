# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of the inventory: each reports its problem and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from ansible_collections.slipway.kube.plugins.module_utils._kube.versions import parse_version
from ansible_collections.slipway.kube.plugins.plugin_utils.preflight import inventory
from ansible_collections.slipway.kube.plugins.plugin_utils.preflight.checks import check_inventory
from ansible_collections.slipway.kube.plugins.plugin_utils.preflight.syntax import (
    dns_name_error,
    label_value_error,
    qualified_name_error,
    split_endpoint,
)


def for_all(cluster, name: str, value: Any) -> None:
    for host in cluster.hosts.values():
        host.variables[name] = value


def test_a_valid_inventory_has_no_problem(cluster):
    for host in cluster.hosts.values():
        host.facts = {}
    assert check_inventory(cluster) == []


def test_variables(cluster, findings):
    cluster.broken.append(("w1", "kube_pod_subnet", "'x' is undefined"))
    problems = list(inventory.check_variables(cluster))
    assert findings(problems) == [("variables", "w1", "error")]
    assert "kube_pod_subnet" in problems[0].what


def test_variables_that_break_with_an_unsupported_version_are_not_reported_besides(cluster, findings):
    cluster.broken.append(("w1", "containerd_version", "object of type 'dict' has no attribute '1.30'"))
    cluster.hosts["w1"].variables["kube_version"] = "1.30.1"
    assert findings(inventory.check_variables(cluster)) == []


@pytest.mark.parametrize("in_inventory", [True, False])
def test_no_control_plane(cluster, findings, in_inventory):
    del cluster.hosts["cp1"]
    cluster.members = {"all": [], "kube_control_plane": []} if in_inventory else {"all": []}
    problems = list(inventory.check_groups(cluster))
    assert findings(problems) == [("groups", "", "error")]
    assert ("is empty" if in_inventory else "not in the inventory") in problems[0].evidence


def test_nowhere_for_pods_to_run_is_warned(cluster, findings):
    del cluster.hosts["w1"], cluster.hosts["w2"]
    assert findings(inventory.check_groups(cluster)) == []
    cluster.hosts["cp1"].variables["control_plane_schedulable"] = False
    assert findings(inventory.check_groups(cluster)) == [("groups", "", "warning")]


def test_a_host_in_both_groups_is_refused_unless_it_is_alone(cluster, findings):
    cluster.hosts["cp1"].worker = True
    assert findings(inventory.check_groups_disjoint(cluster)) == [("groups_disjoint", "cp1", "error")]
    del cluster.hosts["w1"], cluster.hosts["w2"]
    assert findings(inventory.check_groups_disjoint(cluster)) == []
    assert findings(inventory.check_groups(cluster)) == []


def test_a_single_host_that_is_both_is_refused_as_well_if_a_stand_by_host_may_join_it(cluster, findings):
    del cluster.hosts["w1"], cluster.hosts["w2"]
    cluster.hosts["cp1"].worker = True
    cluster.members["kube_standby"] = ["s1"]
    assert findings(inventory.check_groups_disjoint(cluster)) == [("groups_disjoint", "cp1", "error")]


def test_a_stand_by_host_needs_the_variables_of_the_cluster(cluster, findings):
    cluster.members.update({"kube_cluster": [*cluster.hosts], "kube_standby": ["s1"]})
    problems = list(inventory.check_group_members(cluster))
    assert findings(problems) == [("groups", "s1", "error")]
    assert problems[0].evidence == "it is in kube_standby, but not in kube_cluster"


def test_a_stand_by_host_is_in_no_group_whose_hosts_always_are_nodes(cluster, findings):
    cluster.members.update({"kube_cluster": [*cluster.hosts, "s1"], "kube_standby": ["s1"]})
    assert findings(inventory.check_standby_disjoint(cluster)) == []
    assert findings(inventory.check_group_members(cluster)) == []
    cluster.members["kube_standby"] += ["cp1", "w1"]
    both = [("groups_disjoint", "cp1", "error"), ("groups_disjoint", "w1", "error")]
    assert findings(inventory.check_standby_disjoint(cluster)) == both
    for name in ("cp1", "w1"):  # it may be a worker in this run only
        cluster.hosts[name].variables["__kube_from_standby"] = True
    assert findings(inventory.check_standby_disjoint(cluster)) == both[:1]


@pytest.mark.parametrize(("planes", "fires"), [(1, False), (2, True), (3, False)])
def test_an_even_number_of_control_planes_is_warned(cluster, findings, planes, fires):
    for host in list(cluster.hosts.values())[:planes]:
        host.control_plane, host.worker = True, False
    assert findings(inventory.check_etcd_quorum(cluster)) == ([("etcd_quorum", "", "warning")] if fires else [])


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("cp-1.example.com", ""),
        ("W_1", "lowercase"),
        ("", "empty"),
        ("a" * 64, "63"),
        ("-a", "lowercase"),
        ("a." * 130 + "a", "253"),
    ],
)
def test_dns_names(name, reason):
    assert reason in dns_name_error(name)
    assert bool(reason) == bool(dns_name_error(name))


def test_node_names(cluster, findings):
    cluster.hosts["w1"].variables["kube_node_name"] = "W_1"
    assert findings(inventory.check_node_names(cluster)) == [("node_names", "w1", "error")]
    cluster.hosts["w1"].variables["kube_node_name"] = "w2"
    assert findings(inventory.check_node_names(cluster)) == [
        ("node_names", "w1", "error"),
        ("node_names", "w2", "error"),
    ]


def test_host_named_like_a_group(cluster, findings):
    cluster.members["w1"] = []
    assert findings(inventory.check_host_names(cluster)) == [("host_names", "w1", "error")]


@pytest.mark.parametrize(
    ("version", "what"),
    [
        ("1.36.3", ""),
        ("1.35.0", ""),
        ("1.30.1", "not in the supported range"),
        ("1.37.0", "not in the supported range"),
        (1.36, "is not a valid version"),
        ("latest", "is not a valid version"),
        (None, "is not a valid version"),
    ],
)
def test_version(cluster, version, what):
    for_all(cluster, "kube_version", version)
    problems = list(inventory.check_version(cluster))
    assert len(problems) == (3 if what else 0)
    assert all(what in problem.what for problem in problems)


@pytest.mark.parametrize(
    ("versions", "wrong"),
    [
        ([], ""),
        (["1.35.4", "1.36.3"], ""),
        (["1.36"], "1.36"),
        (["1.36.1", "1.35.4", "1.36.3"], "1.36.1, 1.36.3"),
        (["newest"], "newest"),
    ],
)
def test_versions_that_an_upgrade_goes_through(cluster, versions, wrong):
    cluster.hosts["cp1"].variables["upgrade_through"] = versions
    problems = list(inventory.check_upgrade_through(cluster))
    assert [(problem.check, problem.evidence) for problem in problems] == (
        [("version", f"it has {wrong}")] if wrong else []
    )


def test_hosts_of_different_versions(cluster, findings):
    assert findings(inventory.check_version_skew(cluster)) == []
    cluster.hosts["w2"].variables["kube_version"] = "1.35.4"
    assert {check for check, _host, _severity in findings(inventory.check_version_skew(cluster))} == {"one_version"}


def test_cluster_variables_that_differ(cluster, findings):
    assert findings(inventory.check_cluster_variables(cluster)) == []
    cluster.hosts["w2"].variables["kube_proxy_mode"] = "iptables"
    assert len(findings(inventory.check_cluster_variables(cluster))) == 3


@pytest.mark.parametrize(
    ("name", "value", "severity"),
    [
        ("kube_network_plugin", "none", None),
        ("kube_proxy_mode", "ipvs", "warning"),
        ("kube_proxy_mode", "iptables", None),
    ],
)
def test_choices(cluster, findings, name, value, severity):
    cluster.hosts["w1"].variables[name] = value
    assert findings(inventory.check_choices(cluster)) == ([("choices", "w1", severity)] if severity else [])


@pytest.mark.parametrize(
    ("mirrors", "part"),
    [
        ({}, ""),
        (None, ""),
        (
            {
                "docker.io": [
                    {"url": "http://m/v2/docker.io", "override_path": True, "skip_verify": False, "header": {}}
                ]
            },
            "",
        ),
        ([], ""),
        (["x"], "not a mapping"),
        ({"docker.io": "http://m"}, "no list"),
        ({"docker.io": []}, "no list"),
        ({"docker.io": [{"url": "m"}]}, "no url"),
        ({"docker.io/library": [{"url": "http://m"}]}, "not a valid registry name"),
        ({"docker.io": [{"url": "http://m", "user": "x"}]}, "unknown keys: user"),
    ],
)
def test_registry_mirrors(cluster, mirrors, part):
    cluster.hosts["cp1"].variables["kube_registry_mirrors"] = mirrors
    problems = list(inventory.check_registry_mirrors(cluster))
    assert len(problems) == (1 if part else 0)
    assert all(part in problem.evidence for problem in problems)


@pytest.mark.parametrize(
    ("written", "part"),
    [
        ("{}", ""),
        ("{http: 'http://p:3128', https: 'http://p:3128', no_proxy: [mirror]}", ""),
        ("{http: 'http://p:3128', no: [mirror]}", "unknown keys: no"),
        ("{http: 'http://p:3128', no_proxy: 'mirror,other'}", "no_proxy is not a list"),
        ("'http://user:secret@p:3128'", "not a mapping"),
    ],
)
def test_containerd_proxy(cluster, written, part):
    cluster.hosts["cp1"].variables["containerd_proxy"] = yaml.safe_load(written)
    problems = list(inventory.check_containerd_proxy(cluster))
    assert len(problems) == (1 if part else 0)
    assert all(part in problem.evidence for problem in problems)
    assert "secret" not in str(problems)


def test_a_mirror_s_header_is_never_shown(cluster):
    cluster.hosts["cp1"].variables["kube_registry_mirrors"] = {
        "docker.io": [{"url": "m", "header": {"Authorization": "Basic c2VjcmV0"}}]
    }
    assert "c2VjcmV0" not in str(list(inventory.check_registry_mirrors(cluster)))


@pytest.mark.parametrize(
    ("labels", "taints", "fires"),
    [
        ({"node-role.kubernetes.io/edge": "", "zone": "a_1.b"}, [], False),
        ({"zone": "not allowed"}, [], True),
        ({"zone": True}, [], True),
        ({"Bad_Prefix/zone": "a"}, [], True),
        ({"-zone": "a"}, [], True),
        (["zone"], [], True),
        ({}, [{"key": "dedicated", "effect": "NoSchedule"}], False),
        ({}, [{"key": "dedicated", "effect": "Never"}], True),
        ({}, [{"effect": "NoSchedule"}], True),
        ({}, ["dedicated=gpu:NoSchedule"], True),
    ],
)
def test_labels_and_taints(cluster, findings, labels, taints, fires):
    cluster.hosts["w1"].variables.update(kube_node_labels=labels, kube_node_taints=taints)
    assert findings(inventory.check_labels_taints(cluster)) == ([("labels_taints", "w1", "error")] if fires else [])


def test_label_syntax_limits():
    assert not label_value_error("a" * 63)
    assert label_value_error("a" * 64)
    assert not label_value_error(5)
    assert not qualified_name_error("example.com/" + "a" * 63)
    assert qualified_name_error("example.com/" + "a" * 64)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("kube_versoin", "kube_version"),
        ("kube_pod_subnets", "kube_pod_subnet"),
        ("network_mtu", "kube_network_mtu"),
        ("kubernetes_version", "kube_version"),
        ("swap_sate", "swap_state"),
    ],
)
def test_misspelt_variables(cluster, name, meant):
    cluster.variable_names = {"w1": [name]}
    (problem,) = inventory.check_variable_names(cluster)
    assert (problem.severity, problem.host) == ("error", "w1")
    assert name in problem.what
    assert meant in problem.evidence


@pytest.mark.parametrize(
    "name",
    [
        "kube_version",
        "kube_host",
        "ansible_user",
        "__kube_x",
        "versoin",
        "network_team",
        "swap_partition_of_mine",
        "groups",
    ],
)
def test_variables_that_are_not_misspelled(cluster, name):
    cluster.variable_names = {"w1": [name]}
    assert list(inventory.check_variable_names(cluster)) == []


def test_an_unknown_kube_variable_is_warned(cluster, findings):
    cluster.variable_names = {"w1": ["kube_team_of_mine"]}
    assert findings(inventory.check_variable_names(cluster)) == [("variable_names", "w1", "warning")]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("1.36.3", (1, 36, 3)), ("v1.36.3", (1, 36, 3)), ("1.36", (1, 36)), ("1.36.3-1.1", ()), ("", ()), (None, ())],
)
def test_versions(text, numbers):
    assert parse_version(text) == numbers


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ("api.example.com", ("api.example.com", 0, False)),
        ("api.example.com:6443", ("api.example.com", 6443, False)),
        ("10.0.0.1:443", ("10.0.0.1", 443, False)),
        ("[fd00::1]:6443", ("fd00::1", 6443, False)),
        ("fd00::1", ("fd00::1", 0, False)),
        ("https://api.example.com", ("", 0, True)),
        ("api.example.com:http", ("api.example.com", 0, True)),
        ("api.example.com:70000", ("api.example.com", 0, True)),
        ("10.0.0.300", ("10.0.0.300", 0, True)),
        ("Api_1", ("Api_1", 0, True)),
    ],
)
def test_endpoint_syntax(endpoint, expected):
    name, port, error = split_endpoint(endpoint)
    assert (name, port, bool(error)) == expected
