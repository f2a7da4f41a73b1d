# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of an upgrade says what moves, goes on where an interrupted run stopped, and refuses what cannot end well."""

from __future__ import annotations

import re

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._upgrade.observed import (
    Observed,
    count_endpoints,
    parse_deprecated,
)
from ansible_collections.slipway.kube.plugins.module_utils._upgrade.plan import Wanted, plan
from harness import upgrade_cluster
from harness.upgrade_cluster import pod

OLD, NEW = "1.36.3", "1.37.2"
WANTED = Wanted(NEW, {"etcd": "3.7.0", "coredns": "1.14.6"}, "blue", snapshot_dir="/var/backups/slipway")


def budget(name="web", allowed=0, healthy=2, wanted=2, **spec):
    return {
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, **(spec or {"minAvailable": wanted})},
        "status": {
            "disruptionsAllowed": allowed,
            "expectedPods": 2,
            "currentHealthy": healthy,
            "desiredHealthy": wanted,
        },
    }


def host(name, version=OLD, **changes):
    return upgrade_cluster.host(name, version, **changes)


def node(version=OLD, **changes):
    return upgrade_cluster.node(version, **changes)


@pytest.fixture
def seen():
    return Observed(
        cluster=OLD,
        nodes={name: node() for name in ("cp1", "w1", "w2")},
        pods=[pod("web-1"), pod("web-2", "w2"), pod("log", owner="DaemonSet")],
        addons={"kube-proxy": OLD, "CoreDNS": "1.14.2"},
        certificates={"/etc/kubernetes/pki/apiserver.crt": 300 * 86400},
    )


@pytest.fixture
def hosts():
    return [host("w1"), host("cp1"), host("w2")]


def moves(result):
    return {one["name"]: [(move["what"], move["from"], move["to"]) for move in one["moves"]] for one in result["nodes"]}


def test_what_moves_is_told_for_each_node_control_planes_first(hosts, seen):
    result = plan(WANTED, hosts, seen)
    assert result["refused"] == [] and result["needed"] and result["snapshot"]
    assert list(moves(result)) == ["cp1", "w1", "w2"]
    assert moves(result)["w1"] == [("kubeadm", OLD, NEW), ("kubelet", OLD, NEW)]
    assert ("etcd", "3.6.8", "3.7.0") in moves(result)["cp1"]
    assert [one["pods"] for one in result["nodes"]] == [[], ["shop/web-1"], ["shop/web-2"]]
    text = "\n".join(result["text"])
    assert "Upgrade of cluster 'blue' from Kubernetes 1.36.3 to 1.37.2" in text
    assert (
        "1. cp1 (control plane): kubeadm, kube-apiserver, kube-controller-manager, kube-scheduler, kubelet 1.36.3 -> 1.37.2"
        in text
    )
    assert "kube-proxy 1.36.3 -> 1.37.2; CoreDNS 1.14.2 -> 1.14.6" in text
    assert "a snapshot of etcd in /var/backups/slipway" in text
    assert result["changes"][0] == "snapshot of etcd saved"
    assert [change.partition(": ")[0] for change in result["changes"][1:]] == [
        *("node cp1", "node w1", "node w2"),
        *("add-on kube-proxy", "add-on CoreDNS"),
    ]
    assert result["changes"][2] == "node w1: kubeadm, kubelet 1.36.3 -> 1.37.2"


def test_a_cluster_with_the_version_has_nothing_to_do(seen):
    seen.cluster, seen.addons = NEW, {"kube-proxy": NEW, "CoreDNS": "1.14.6"}
    seen.nodes = {name: node(NEW) for name in ("cp1", "w1", "w2")}
    result = plan(WANTED, [host("cp1", NEW), host("w1", NEW), host("w2", NEW)], seen)
    assert not result["needed"] and not result["snapshot"] and len(result["text"]) == 1 and result["changes"] == []
    assert not any(one["needed"] for one in result["nodes"])


def test_containerd_moves_only_upwards(hosts, seen):
    hosts[0]["containerd_wanted"], hosts[2]["containerd_wanted"] = "2.3.0", "2.1.0"
    result = moves(plan(WANTED, hosts, seen))
    assert ("containerd", "2.2.3", "2.3.0") in result["w1"]
    assert all(what != "containerd" for what, _have, _to in result["w2"])


def test_a_run_that_ended_within_kubeadm_has_saved_its_snapshot(seen):
    hosts = [host("cp1", OLD, interrupted=f"apply {NEW}"), host("w1", OLD), host("w2", OLD)]
    assert not plan(WANTED, hosts, seen)["snapshot"]
    hosts[0]["interrupted"] = f"apply {OLD}"  # of an earlier upgrade
    assert plan(WANTED, hosts, seen)["snapshot"]


def test_an_interrupted_upgrade_goes_on_where_each_node_is(seen):
    seen.cluster = NEW
    seen.nodes = {"cp1": node(NEW), "w1": node(NEW, ready=False, cordoned="upgrade"), "w2": node()}
    result = plan(WANTED, [host("cp1", NEW), host("w1", NEW), host("w2")], seen)
    assert result["refused"] == [], "the node that the interrupted run left is no reason to stop"
    assert not result["snapshot"], "a second snapshot would not be of the old version"
    needed = {one["name"]: (one["needed"], one["resumes"]) for one in result["nodes"]}
    assert needed == {"cp1": (False, False), "w1": (True, True), "w2": (True, False)}


def test_the_last_phases_of_kubeadm_are_made_up_for(seen):
    seen.cluster, seen.nodes = NEW, {name: node(NEW) for name in ("cp1", "w1", "w2")}
    result = plan(WANTED, [host("cp1", NEW), host("w1", NEW), host("w2", NEW)], seen)
    assert [one["name"] for one in result["nodes"] if one["needed"]] == ["cp1"]
    result = plan(WANTED, [host("cp1", NEW, interrupted=f"apply {NEW}"), host("w1", NEW), host("w2", NEW)], seen)
    assert [one["name"] for one in result["nodes"] if one["resumes"]] == ["cp1"]


def test_a_cordon_of_an_administrator_is_kept_and_told(hosts, seen):
    seen.nodes["w2"]["spec"]["unschedulable"] = True
    result = plan(WANTED, hosts, seen)
    assert [one["name"] for one in result["nodes"] if one["stays_cordoned"]] == ["w2"]
    assert any("stays cordoned, as an administrator left it" in line for line in result["text"])


def test_a_run_with_limit_upgrades_its_hosts_only(hosts, seen):
    hosts[2]["in_run"] = False
    result = plan(WANTED, hosts, seen)
    assert list(moves(result)) == ["cp1", "w1"] and result["refused"] == []
    hosts[1]["in_run"] = False
    assert any(
        "Control planes are upgraded before workers. Evidence: cp1" in one
        for one in plan(WANTED, hosts, seen)["refused"]
    )


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("1.38.0", "would skip a minor version.*1.36.3; kube_version is 1.38.0, and no version of 1.37 is known"),
        (
            "1.40.0",
            "kubelet would be too old.*Set kube_version to a version of 1.39 at most and upgrade, then to 1.40.0",
        ),
        ("1.36.1", "does not support downgrades.*Set kube_version to 1.36.3 or later"),
    ],
)
def test_versions_that_cannot_follow(hosts, seen, version, words):
    (reason,) = plan(Wanted(version), hosts, seen)["refused"]
    assert re.search(words, reason)


def test_a_kubelet_that_the_new_api_server_would_not_support(hosts, seen):
    seen.nodes["w1"] = node("1.33.9")
    assert any(
        "A kubelet would be too old" in one and "kubelet on w1" in one for one in plan(WANTED, hosts, seen)["refused"]
    )


def break_node(hosts, seen):
    seen.nodes["w1"] = node(ready=False)


def forget_host(hosts, seen):
    seen.nodes["w9"] = node()


def lose_node(hosts, seen):
    del seen.nodes["w2"]


def use_removed_api(hosts, seen):
    seen.deprecated = [{"group": "flowcontrol", "version": "v1beta3", "resource": "flows", "removed_release": "1.37"}]


def use_deprecated_api(hosts, seen):
    seen.deprecated = [{"group": "", "version": "v1", "resource": "endpoints", "removed_release": ""}]
    seen.deprecated += [{"group": "x", "version": "v1", "resource": "y", "removed_release": "1.38"}]


def stop_webhook(hosts, seen):
    hook = {"name": "check.shop", "clientConfig": {"service": {"namespace": "shop", "name": "check"}}}
    seen.webhooks = [
        {"kind": "ValidatingWebhookConfiguration", "metadata": {"name": "shop"}, "webhooks": [hook]},
        {"kind": "X", "metadata": {"name": "lenient"}, "webhooks": [{**hook, "failurePolicy": "Ignore"}]},
    ]


def answer_webhook(hosts, seen):
    stop_webhook(hosts, seen)
    seen.endpoints[("shop", "check")] = 1


def block_by_budget(hosts, seen):
    seen.budgets = [budget()]


def allow_by_budget(hosts, seen):
    seen.budgets = [budget(allowed=1, wanted=1)]


def forbid_by_budget(hosts, seen):
    seen.budgets = [budget(maxUnavailable=0)]


def block_while_unhealthy(hosts, seen):
    seen.budgets = [budget(healthy=1, wanted=1)]


def select_twice(hosts, seen):
    seen.budgets = [budget(allowed=1, wanted=1), budget("other", allowed=1, wanted=1)]


def run_bare_pod(hosts, seen):
    seen.pods.append(pod("lonely", "w2", owner=""))


def fill_disk(hosts, seen):
    hosts[1]["disks"][1]["available_mb"] = 100


def fill_unused_disk(hosts, seen):
    hosts[0]["disks"][1]["available_mb"] = 100


def break_etcd(hosts, seen):
    seen.etcd = ["cp1: etcdserver: no leader"]


def break_api_server(hosts, seen):
    seen.api_servers = {"cp1": "500: etcd failed."}


def expire(hosts, seen):
    seen.certificates["/etc/kubernetes/pki/front-proxy-client.crt"] = -3 * 86400


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (break_node, "Node w1 is not Ready. Evidence: PLEG is not healthy"),
        (forget_host, "Node w9 is not in the inventory"),
        (lose_node, "Host w2 is not a node of the cluster"),
        (use_removed_api, "the API flowcontrol/v1beta3/flows, which Kubernetes 1.37 no longer serves"),
        (use_deprecated_api, ""),
        (stop_webhook, "Webhook check.shop rejects every request"),
        (answer_webhook, ""),
        (
            block_by_budget,
            "shop/web (minAvailable: 2) permits no disruption: 2 of 2 pods are healthy and it wants 2; it needs 1 more replica(s), or",
        ),
        (
            forbid_by_budget,
            "(maxUnavailable: 0) permits no disruption: 2 of 2 pods are healthy and it wants 2; it needs a budget",
        ),
        (block_while_unhealthy, "1 more of its pods must become healthy"),
        (allow_by_budget, ""),
        (select_twice, "has 2 PodDisruptionBudgets (shop/web, shop/other)"),
        (run_bare_pod, "Evidence: shop/lonely on w2"),
        (fill_disk, "Host cp1 has too little free disk. Evidence: 100 MiB are available in /var/lib/etcd"),
        (fill_unused_disk, ""),
        (break_etcd, "etcd is not healthy. Evidence: cp1: etcdserver: no leader"),
        (break_api_server, "The API server on cp1 is not healthy"),
        (expire, "front-proxy-client.crt ended 3 days ago"),
    ],
)
def test_what_speaks_against_an_upgrade(hosts, seen, fault, words):
    fault(hosts, seen)
    refused = plan(WANTED, hosts, seen)["refused"]
    assert len(refused) == bool(words) or fault is select_twice, refused
    assert words in "\n".join(refused)


def test_all_reasons_are_in_one_list(hosts, seen):
    for fault in (break_node, forget_host, block_by_budget, fill_disk):
        fault(hosts, seen)
    result = plan(WANTED, hosts, seen)
    assert len(result["refused"]) == 4 and all(f"  - {reason}" in result["text"] for reason in result["refused"])


def test_a_bare_pod_is_no_reason_with_force(hosts, seen):
    run_bare_pod(hosts, seen)
    assert plan(Wanted(NEW, force=True), hosts, seen)["refused"] == []


def test_deprecated_apis_are_read_from_the_metrics():
    text = """# HELP apiserver_requested_deprecated_apis [STABLE] Gauge
# TYPE apiserver_requested_deprecated_apis gauge
apiserver_requested_deprecated_apis{group="a.b",removed_release="1.37",resource="flows",subresource="",version="v1beta3"} 1
apiserver_requested_deprecated_apis{group="",removed_release="",resource="old",subresource="",version="v1"} 0
other{group="x"} 1
"""
    (labels,) = parse_deprecated(text)
    assert labels == {
        "group": "a.b",
        "removed_release": "1.37",
        "resource": "flows",
        "subresource": "",
        "version": "v1beta3",
    }


def test_only_ready_endpoints_count():
    metadata = {"namespace": "shop", "labels": {"kubernetes.io/service-name": "check"}}
    endpoints = [{"conditions": {"ready": False}}, {"conditions": {"ready": True}}, {}]
    assert count_endpoints([{"metadata": metadata, "endpoints": endpoints}, {"metadata": metadata}]) == {
        ("shop", "check"): 2
    }
