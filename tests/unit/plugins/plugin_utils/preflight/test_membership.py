# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Membership: no host is taken from another cluster, and no member changes its role, version or endpoint."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.slipway.kube.plugins.plugin_utils.preflight import membership
from ansible_collections.slipway.kube.plugins.plugin_utils.preflight.checks import check_hosts


def test_a_host_marked_for_another_cluster(cluster, findings):
    cluster.hosts["w1"].facts["record"].update(marked=True, cluster="production")
    problems = check_hosts(cluster)
    assert findings(problems) == [("other_cluster", "w1", "error")]
    assert "production" in problems[0].evidence


def test_a_member_with_another_authority(members, findings):
    members.hosts["w1"].facts["cluster"].update(ca_hash="sha256:bb", endpoint="other:6443")
    problems = list(membership.check_other_cluster(members))
    assert findings(problems) == [("other_cluster", "w1", "error")]
    assert all(part in problems[0].evidence for part in ("sha256:bb", "other:6443", "sha256:aa"))


def test_a_rotation_that_is_not_finished_is_reported_alone(members, findings):
    members.hosts["w1"].facts["cluster"].update(ca_hash="sha256:bb")
    members.hosts["cp1"].facts["cluster"].update(rotating=True)
    assert findings(check_hosts(members)) == [("rotation", "cp1", "error")]


def test_a_control_plane_of_another_cluster(members, findings):
    members.hosts["w1"].control_plane = True
    members.hosts["cp1"].facts["cluster"]["ca_hash"] = "sha256:bb"
    members.hosts["cp1"].facts["record"].update(marked=False, cluster="")
    checks = findings(check_hosts(members))
    assert ("other_cluster", "cp1", "error") in checks
    assert ("unmarked_member", "cp1", "error") in checks
    assert ("other_cluster", "w2", "error") not in checks


def test_a_worker_of_a_cluster_that_is_not_in_the_inventory(members, findings):
    members.hosts["cp1"].facts["cluster"].update(member=False, role="", ca_hash="")
    checks = findings(membership.check_other_cluster(members))
    assert checks == [("other_cluster", "w1", "error"), ("other_cluster", "w2", "error")]


def test_a_restore_accepts_the_workers_of_the_lost_cluster_and_of_no_other(members, findings):
    members.hosts["cp1"].facts["cluster"].update(member=False, role="", ca_hash="")
    members.hosts["w2"].facts["cluster"]["ca_hash"] = "sha256:bb"
    for host in members.hosts.values():
        host.variables[membership.RESTORED] = "sha256:aa"
    assert findings(membership.check_other_cluster(members)) == [("other_cluster", "w2", "error")]


def test_a_limited_run_does_not_compare_a_worker_with_a_control_plane_that_was_not_inspected(members, findings):
    members.hosts["cp1"].facts = {}
    assert findings(check_hosts(members)) == []


def test_a_cluster_that_something_else_made(members, findings):
    for host in members.hosts.values():
        host.facts["record"].update(marked=False, cluster="")
    assert findings(membership.check_unmarked(members)) == [
        ("unmarked_member", name, "error") for name in ("cp1", "w1", "w2")
    ]


def test_damaged_record(cluster, findings):
    cluster.hosts["w1"].facts["record"]["readable"] = False
    assert findings(membership.check_record(cluster)) == [("record", "w1", "error")]


@pytest.mark.parametrize("remains", [{"etcd_data": True}, {"manifests": ["etcd.yaml"]}, {"bootstrapping": True}])
def test_leftovers(cluster, findings, remains):
    host = cluster.hosts["w1"]
    host.facts["cluster"].update(remains)
    assert findings(membership.check_leftovers(cluster)) == [("leftovers", "w1", "error")]
    host.facts["record"].update(marked=True, cluster="kubernetes", operation="join")
    assert findings(membership.check_leftovers(cluster)) == []


def test_a_worker_does_not_become_a_control_plane(members, findings):
    assert findings(membership.check_role(members)) == []
    members.hosts["w1"].control_plane = True
    assert findings(membership.check_role(members)) == [("role", "w1", "error")]


@pytest.mark.parametrize(
    ("desired", "word"),
    [("1.36.3", ""), ("1.36.1", "older"), ("1.35.4", "older"), ("1.36.4", "newer"), ("1.37.0", "newer")],
)
def test_a_member_s_version_never_changes(members, desired, word):
    for host in members.hosts.values():
        host.variables["kube_version"] = desired
    problems = list(membership.check_version_change(members))
    assert len(problems) == (3 if word else 0)
    assert all(word in problem.what and problem.severity == "error" for problem in problems)
    assert word != "newer" or "slipway.kube.upgrade" in problems[0].remedy
    for host in members.hosts.values():
        host.variables["preflight_upgrade"] = True
    assert list(membership.check_version_change(members)) == []


def test_a_host_outside_any_cluster_may_have_any_version(cluster, findings):
    cluster.hosts["w1"].variables["kube_version"] = "1.35.4"
    assert findings(membership.check_version_change(cluster)) == []


def test_unhealthy(members, findings):
    members.hosts["w1"].facts["cluster"]["healthy"] = False
    assert findings(membership.check_unhealthy(members)) == [("unhealthy", "w1", "warning")]
    members.hosts["w1"].facts["record"]["operation"] = "join"
    assert findings(membership.check_unhealthy(members)) == []


@pytest.mark.parametrize(
    ("user", "ca_hash", "fires"),
    [
        ("root", "sha256:other", True),
        ("root", "ours", False),
        ("ops", "sha256:other", True),
        ("guest", "sha256:other", False),
    ],
)
def test_user_kubeconfig(members, findings, user, ca_hash, fires):
    host = members.hosts["cp1"]
    host.variables["control_plane_kubeconfig_users"] = ["ops"]
    theirs = host.facts["cluster"]["ca_hash"] if ca_hash == "ours" else ca_hash
    cluster = {"server": "https://10.9.9.9:6443", "ca_hash": theirs}
    host.facts["kubeconfigs"] = {user: {"path": f"/home/{user}/.kube/config", "clusters": [cluster]}}
    assert findings(membership.check_user_kubeconfig(members)) == (
        [("user_kubeconfig", "cp1", "error")] if fires else []
    )


def test_a_kubeconfig_of_another_cluster_fails_before_the_cluster_exists(cluster, findings):
    file = {"path": "/root/.kube/config", "clusters": [{"server": "https://10.9.9.9:6443", "ca_hash": "sha256:1"}]}
    cluster.hosts["cp1"].facts["kubeconfigs"] = {"root": file}
    assert findings(membership.check_user_kubeconfig(cluster)) == [("user_kubeconfig", "cp1", "error")]
    cluster.hosts["cp1"].facts["kubeconfigs"] = {"root": dict(file, clusters=[])}
    assert findings(membership.check_user_kubeconfig(cluster)) == []


@pytest.mark.parametrize(
    ("desired", "has", "fires"),
    [
        ("api.example.com", "api.example.com:6443", False),
        ("api.example.com:6443", "api.example.com:6443", False),
        ("", "10.0.0.11:6443", False),
        ("other.example.com", "api.example.com:6443", True),
        ("api.example.com:443", "api.example.com:6443", True),
    ],
)
def test_endpoint_change(members, findings, desired, has, fires):
    host = members.hosts["cp1"]
    host.variables["kube_control_plane_endpoint"] = desired
    host.facts["cluster"]["endpoint"] = has
    assert findings(membership.check_endpoint_change(members)) == (
        [("endpoint_change", "cp1", "error")] if fires else []
    )


def test_an_existing_cluster_gets_a_virtual_address_only_if_it_is_to_be_moved(members):
    host = members.hosts["cp1"]
    host.variables.update(kube_control_plane_vip="10.0.0.100", kube_control_plane_endpoint="10.0.0.100")
    host.facts["cluster"]["endpoint"] = "10.0.0.11:6443"
    (problem,) = membership.check_endpoint_change(members)
    assert problem.severity == "error" and "the cluster has 10.0.0.11:6443" in problem.evidence
    assert "run with -e kube_move_endpoint=true" in problem.remedy
    assert "set kube_control_plane_endpoint to 10.0.0.11 and remove kube_control_plane_vip" in problem.remedy
    host.variables["kube_move_endpoint"] = True
    assert list(membership.check_endpoint_change(members)) == []
    host.variables["kube_move_endpoint"] = False
    host.facts["cluster"]["endpoint"] = "10.0.0.100:6443"
    assert list(membership.check_endpoint_change(members)) == []
    host.facts["cluster"]["endpoint"] = host.variables["kube_control_plane_endpoint"] = "api.example.com"
    assert list(membership.check_endpoint_change(members)) == []


def test_an_endpoint_is_moved_with_all_control_planes_only(members, findings):
    for host in members.hosts.values():
        host.variables["kube_move_endpoint"] = True
    assert findings(membership.check_endpoint_move(members)) == []
    facts, members.hosts["cp1"].facts = members.hosts["cp1"].facts, {}
    assert findings(membership.check_endpoint_move(members)) == []  # no control plane is a member: a new cluster
    members.hosts["cp2"] = replace(members.hosts["cp1"], name="cp2", facts=facts)
    (problem,) = membership.check_endpoint_move(members)
    assert "this run does not include cp1" in problem.evidence


def test_a_worker_that_missed_the_move_is_told(members, findings):
    worker = next(host for host in members.hosts.values() if not host.control_plane)
    worker.variables["kube_control_plane_endpoint"] = "10.0.0.100"
    worker.facts["cluster"]["endpoint"] = "10.0.0.11:6443"
    assert findings(membership.check_endpoint_of_worker(members)) == [("endpoint_change", worker.name, "warning")]
    worker.variables["kube_move_endpoint"] = True
    assert findings(membership.check_endpoint_of_worker(members)) == []
    worker.variables["kube_move_endpoint"] = False
    worker.facts["cluster"]["endpoint"] = "10.0.0.100:6443"
    assert findings(membership.check_endpoint_of_worker(members)) == []
