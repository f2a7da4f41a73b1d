# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All hosts are asked before one is reset, and the operator is told what goes."""

from __future__ import annotations

from typing import Any

from ansible_collections.slipway.kube.plugins.filter.reset_plan import reset_plan
from ansible_collections.slipway.kube.plugins.plugin_utils.cluster.reset_plan import plan


def host(ca_hash: str = "sha256:a", cluster_id: str = "", **contents: Any) -> dict[str, Any]:
    cluster = {"name": "kubernetes", "ca_hash": ca_hash, "id": cluster_id}
    return {"node": True, "cluster": cluster, "contents": contents, "changes": ["kubeadm reset run"]}


CLEAN: dict[str, Any] = {"node": False, "cluster": {}, "contents": {}, "changes": []}


def test_what_a_whole_cluster_contains_is_told() -> None:
    found = plan({"cp1": host(cluster_id="u1", nodes=["cp1", "w9"], pods=12, claims=3), "w1": host()}, {}, "kubernetes")
    assert found["problems"] == []
    assert found["summary"] == (
        "The cluster 'kubernetes' (CA sha256:a, UID of the namespace kube-system u1) is destroyed with all its data:"
        " nodes cp1, w9, 12 pods and 3 PersistentVolumeClaims."
    )


def test_a_cluster_whose_api_is_silent_and_hosts_that_do_not_answer() -> None:
    found = plan({"cp1": host(), "w1": {}}, {}, "kubernetes")
    assert found["problems"] == []
    assert "nodes on cp1; its API does not answer" in found["summary"]
    assert found["summary"].endswith("Not reachable, and not reset: w1.")


def test_hosts_of_two_clusters_with_one_name_are_refused_with_their_hashes() -> None:
    (problem,) = plan({"cp1": host(), "w1": host("sha256:b"), "w2": host()}, {}, "kubernetes")["problems"]
    assert "cp1, w2: CA sha256:a; w1: CA sha256:b" in problem


def test_clusters_that_share_a_ca_differ_by_their_id() -> None:
    (problem,) = plan({"cp1": host(cluster_id="u1"), "w1": host(cluster_id="u2")}, {}, "kubernetes")["problems"]
    assert "cp1: UID of the namespace kube-system u1; w1: UID of the namespace kube-system u2" in problem
    assert plan({"cp1": host(cluster_id="u1"), "w1": host()}, {}, "kubernetes")["problems"] == []


def test_the_control_plane_that_is_kept_has_its_say() -> None:
    other = keeper("cp1", cluster=host("sha256:b")["cluster"])
    assert len(plan({"w1": host()}, {"cp1": other}, "kubernetes")["problems"]) == 1
    summary = plan({"w1": host()}, {"cp1": keeper("cp1")}, "kubernetes")["summary"]
    assert summary == "w1 leaves the cluster 'kubernetes' (CA sha256:a), which keeps its other nodes."


def test_all_refusals_of_hosts_are_listed() -> None:
    refused = {"msg": "Reset: This host belongs to the cluster 'other'", "failed": False}
    assert plan({"a": refused, "b": host(), "c": refused}, {}, "kubernetes")["problems"] == [
        "a: Reset: This host belongs to the cluster 'other'",
        "c: Reset: This host belongs to the cluster 'other'",
    ]


def test_nothing_to_reset_is_said() -> None:
    assert plan({"cp1": CLEAN}, {}, "k")["summary"] == "No host of this run belongs to the cluster 'k'."


SILENT = {"unreachable": True, "msg": "ssh: connect to host 10.0.0.12 port 22: No route to host"}


def keeper(name: str, **more: Any) -> dict[str, Any]:
    """A control plane that is kept, whose API server answers."""
    return {
        **host(nodes=["cp1", "w1"], pods=1, claims=0),
        "api_server": f"https://{name}:6443",
        "api_error": "",
        **more,
    }


def test_the_first_kept_control_plane_that_is_joined_and_answers_removes_the_nodes() -> None:
    kept = {
        "cp2": SILENT,
        "cp3": {**CLEAN, "api_server": "", "api_error": ""},
        "cp4": keeper("cp4", contents={}, api_error="connection refused"),
        "cp5": keeper("10.0.0.15"),
        "cp6": keeper("cp6"),
    }
    found = plan({"w1": host()}, kept, "kubernetes")
    assert found["problems"] == []
    assert found["keeper"] == {"host": "cp5", "server": "https://10.0.0.15:6443"}


def test_each_answer_is_told_if_no_kept_control_plane_can_remove_the_nodes() -> None:
    kept = {
        "cp2": SILENT,
        "cp3": {**CLEAN, "api_server": "", "api_error": ""},
        "cp4": keeper("cp4", contents={}, api_error="connection refused"),
        "cp5": {"msg": "Reset: The record cannot be read"},
    }
    found = plan({"w1": host()}, kept, "kubernetes")
    assert found["keeper"] == {"host": "", "server": ""}
    (problem,) = found["problems"]
    assert "cp2 is not reachable (ssh: connect to host 10.0.0.12 port 22: No route to host)" in problem
    assert "cp3 is not a node of the cluster" in problem
    assert "cp4 has an API server that does not answer (connection refused)" in problem
    assert "cp5 could not be examined (Reset: The record cannot be read)" in problem
    assert "without --limit" in problem


def test_hosts_leave_nothing_behind_where_no_kept_control_plane_has_joined() -> None:
    clean = {**CLEAN, "api_server": "", "api_error": ""}
    found = plan({"cp1": host()}, {"cp2": clean, "cp3": clean}, "kubernetes")
    assert found["problems"] == [] and found["keeper"]["host"] == ""


def test_the_filter_reads_what_the_role_registered() -> None:
    kept = {
        "results": [{"item": "cp1", **SILENT}, {"item": "cp2", **keeper("cp2", cluster=host("sha256:b")["cluster"])}]
    }
    hostvars = {
        "w1": {"__reset_examined": {"unreachable": True, "msg": "no route"}},
        "w2": {
            "__reset_examined": host(),
            "__reset_kept": {"skipped": True, "results": [{"item": "cp1", "skipped": True}]},
        },
        "w3": {"__reset_examined": host(), "__reset_kept": kept},
    }
    found = reset_plan(hostvars, ["w1", "w2", "w3"], "kubernetes")
    assert len(found["problems"]) == 1 and "w2, w3: CA sha256:a; cp2: CA sha256:b" in found["problems"][0]
    assert "not reset: w1" in found["summary"]
