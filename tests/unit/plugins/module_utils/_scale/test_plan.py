# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""As few hosts join as pods need, none for a pod that it would not help, and none leaves whose pods would miss it."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._kube.timestamps import to_time
from ansible_collections.slipway.kube.plugins.module_utils._scale import run
from ansible_collections.slipway.kube.plugins.module_utils._scale.fit import Volumes
from ansible_collections.slipway.kube.plugins.module_utils._scale.plan import (
    IDLE_SINCE,
    SAFE_TO_EVICT,
    Seen,
    Settings,
    decide,
)

NOW = 1_800_000_000.0
INSUFFICIENT = "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint(s)."
OWNED = [{"kind": "ReplicaSet", "name": "web", "controller": True}]
CORDONED = {"unschedulable": True}
BY_SCALE = {"slipway.kube/cordoned-by": "scale"}


def node(
    name: str,
    cpu: str = "2",
    ready: bool = True,
    annotations: Any = None,
    labels: Any = None,
    age: float = 5000,
    **spec: Any,
) -> Any:
    """Return a Node, with the taints that the node lifecycle controller gives it."""
    taints = ["not-ready"] * (not ready) + ["unschedulable"] * bool(spec.get("unschedulable"))
    return {
        "metadata": {
            "name": name,
            "labels": {"kubernetes.io/hostname": name, **(labels or {})},
            "annotations": annotations or {},
            "creationTimestamp": to_time(NOW - age),
        },
        "spec": {"taints": [{"key": f"node.kubernetes.io/{one}", "effect": "NoSchedule"} for one in taints], **spec},
        "status": {
            "allocatable": {"cpu": cpu, "memory": "4Gi", "pods": "110"},
            "conditions": [{"type": "Ready", "status": str(ready)}],
        },
    }


def pod(name: str, on: str = "", cpu: str = "1", since: float = 60, message: str = INSUFFICIENT, **more: Any) -> Any:
    metadata = {"name": name, "namespace": "shop", "labels": {"app": "web"}, "ownerReferences": OWNED}
    metadata.update(more.pop("metadata", {}))
    spec = {"containers": [{"name": "web", "resources": {"requests": {"cpu": cpu}}}], **more}
    waits = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": message,
        "lastTransitionTime": to_time(NOW - since),
    }
    status = {"phase": "Running"} if on else {"phase": "Pending", "conditions": [waits]}
    return {"metadata": metadata, "spec": {**spec, **({"nodeName": on} if on else {})}, "status": status}


def host(
    name: str, state: str = "free", cpu: str = "2", problem: str = "", labels: Any = None, taints: Any = ()
) -> Any:
    return {
        "host": f"host-{name}",
        "node": name,
        "state": state,
        "problem": problem,
        "labels": labels or {},
        "taints": list(taints),
        "allocatable": {"cpu": cpu, "memory": "4Gi", "pods": "110"},
    }


def decided(nodes: list[Any], pods: list[Any], hosts: list[Any], settings: Any = None, **more: Any) -> Any:
    seen = Seen({one["metadata"]["name"]: one for one in nodes}, pods, **more)
    return decide(seen, hosts, Settings(**(settings or {})), NOW)


FREE = [host("s1"), host("s2"), host("s3")]


def test_nothing_to_do_changes_nothing():
    decision = decided([node("w1")], [pod("a", "w1")], FREE)
    assert (decision.joins, decision.leaves, decision.returns, decision.idle, decision.notes) == ({}, {}, {}, {}, [])


def test_as_few_hosts_join_as_the_pods_need():
    decision = decided([node("w1")], [pod("a"), pod("b"), pod("c")], FREE)
    assert list(decision.joins) == ["s1", "s2"]  # two pods of one CPU on each host of two
    assert decision.joins["s1"] == "2 pods (shop/a, shop/b) fit there, and on no other node"


def test_the_host_that_helps_most_pods_joins_first():
    decision = decided([node("w1")], [pod("a"), pod("b"), pod("c")], [host("s1", cpu="1"), host("s2", cpu="4")])
    assert list(decision.joins) == ["s2"]


def test_the_maximum_counts_nodes_that_have_joined_before():
    nodes = [node("w1"), node("s1", cpu="0")]
    hosts = [host("s1", "node"), host("s2"), host("s3")]
    decision = decided(nodes, [pod("a"), pod("b"), pod("c")], hosts, {"maximum": 2})
    assert list(decision.joins) == ["s2"]
    assert any("shop/" in note and "largest size" in note for note in decision.notes)


def test_the_minimum_joins_without_need_and_is_not_gone_below():
    assert list(decided([node("w1")], [], FREE, {"minimum": 2}).joins) == ["s1", "s2"]
    idle = {IDLE_SINCE: to_time(NOW - 5000)}
    nodes = [node("w1"), node("s1", annotations=idle), node("s2", annotations=idle)]
    decision = decided(nodes, [], [host("s1", "node"), host("s2", "node")], {"minimum": 1})
    assert list(decision.leaves) == ["s2"]


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"cpu": "3"}, "requests cpu 3, of which 2 is free"),
        ({"nodeSelector": {"disk": "ssd"}}, "labels do not match"),
        (
            {"metadata": {"labels": {"app": "x"}}, "volumes": [{"persistentVolumeClaim": {"claimName": "data"}}]},
            "volume pv-1",
        ),
        ({"containers": [{"resources": {"requests": {"nvidia.com/gpu": "1"}}}]}, "requests nvidia.com/gpu 1"),
    ],
)
def test_no_host_joins_for_a_pod_that_does_not_fit(asked, reason):
    term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["w1"]}]}
    volume = {"metadata": {"name": "pv-1"}, "spec": {"nodeAffinity": {"required": {"nodeSelectorTerms": [term]}}}}
    volumes = Volumes({"pv-1": volume}, {("shop", "data"): "pv-1"})
    decision = decided([node("w1")], [pod("a", **asked)], [host("s1")], volumes=volumes)
    assert decision.joins == {}
    assert (
        len(decision.notes) == 1
        and "shop/a stays unschedulable: s1: " in decision.notes[0]
        and reason in decision.notes[0]
    )


def test_taints_and_labels_of_the_inventory_count():
    taints = [{"key": "dedicated", "value": "batch", "effect": "NoSchedule"}]
    hosts = [host("s1", taints=taints), host("s2", labels={"disk": "ssd"})]
    assert list(decided([node("w1")], [pod("a")], hosts).joins) == ["s2"]
    tolerant = pod("a", tolerations=[{"key": "dedicated", "operator": "Exists"}])
    assert list(decided([node("w1")], [tolerant], hosts).joins) == ["s1"]
    assert list(decided([node("w1")], [pod("a", nodeSelector={"disk": "ssd"})], hosts).joins) == ["s2"]


def test_daemon_sets_take_their_part_of_a_host():
    template = {"spec": {"containers": [{"resources": {"requests": {"cpu": "500m"}}}]}}
    daemons = [{"metadata": {"name": "agent", "namespace": "logs"}, "spec": {"template": template}}]
    assert decided([node("w1")], [pod("a", cpu="1800m")], [host("s1")], daemon_sets=daemons).joins == {}
    assert list(decided([node("w1")], [pod("a", cpu="1500m")], [host("s1")], daemon_sets=daemons).joins) == ["s1"]


def test_replicas_that_must_be_apart_get_a_host_each():
    term = {"labelSelector": {"matchLabels": {"app": "web"}}, "topologyKey": "kubernetes.io/hostname"}
    apart = {"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}}
    decision = decided([node("w1")], [pod("a", cpu="0", **apart), pod("b", cpu="0", **apart)], FREE)
    assert list(decision.joins) == ["s1", "s2"]


def test_replicas_that_must_be_spread_get_hosts():
    rule = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "web"}},
    }
    pods = [pod("a", "w1", "0"), *(pod(name, cpu="0", topologySpreadConstraints=[rule]) for name in "bcd")]
    assert list(decided([node("w1")], pods, FREE).joins) == ["s1", "s2"]  # two on the first, as the skew permits


ZONE = "topology.kubernetes.io/zone"


def by_zone(kind: str, app: str = "web") -> Any:
    term = {"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": ZONE}
    return {"affinity": {kind: {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}}


def test_no_host_joins_that_is_in_no_zone_for_a_pod_that_needs_one():
    rule = {"maxSkew": 1, "topologyKey": ZONE, "labelSelector": {"matchLabels": {"app": "web"}}}
    for asked in ({"topologySpreadConstraints": [rule]}, by_zone("podAffinity")):
        decision = decided([node("w1", labels={ZONE: "a"})], [pod("a", **asked)], [host("s1")])
        assert decision.joins == {} and "s1: the rules by which its replicas" in decision.notes[0]
        hosts = [host("s1", labels={ZONE: "a"})]
        assert list(decided([node("w1", labels={ZONE: "a"})], [pod("a", **asked)], hosts).joins) == ["s1"]


def test_replicas_that_must_be_in_zones_of_their_own_do_not_move_together():
    nodes = [
        node("w1", labels={ZONE: "a"}),
        node("w2", labels={ZONE: "a"}),
        node("s1", annotations=IDLE, labels={ZONE: "b"}),
    ]
    pods = [pod("a", "w1", **by_zone("podAntiAffinity")), pod("b", "s1", **by_zone("podAntiAffinity"))]
    assert decided(nodes, pods, [host("s1", "node")]).leaves == {}


def test_pods_that_must_be_together_stay_where_the_first_is():
    term = {"labelSelector": {"matchLabels": {"app": "web"}}, "topologyKey": "kubernetes.io/hostname"}
    together = {"affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}}
    assert decided([node("w1")], [pod("a", "w1", **together), pod("b", **together)], FREE).joins == {}
    assert list(decided([node("w1")], [pod("a", **together), pod("b", **together)], FREE).joins) == ["s1"]


def test_nodes_that_take_no_pods_count_where_replicas_are_spread_unless_the_rule_says_otherwise():
    rule = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "web"}},
    }
    nodes = [node("w1"), node("w2", **CORDONED)]

    def pods() -> list[Any]:
        waiting = (pod(name, cpu="0", topologySpreadConstraints=[rule]) for name in "bc")
        return [pod("a", "w1", "0"), *waiting]

    assert list(decided(nodes, pods(), FREE).joins) == ["s1", "s2"]  # w2 has none
    rule["nodeTaintsPolicy"] = "Honor"
    assert list(decided(nodes, pods(), FREE).joins) == ["s1"]


def test_replicas_of_an_earlier_revision_do_not_count_if_the_rule_says_so():
    rule = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "labelSelector": {"matchLabels": {"app": "web"}},
        "matchLabelKeys": ["revision"],
    }
    new = {"topologySpreadConstraints": [rule], "metadata": {"labels": {"app": "web", "revision": "2"}}}
    nodes, hosts = [node("w1"), node("w2", cpu="0"), node("s1", annotations=IDLE)], [host("s1", "node")]
    old = [pod(name, "w1", "0", metadata={"labels": {"app": "web", "revision": "1"}}) for name in "ab"]
    assert list(decided(nodes, [*old, pod("c", "s1", **new)], hosts).leaves) == ["s1"]


def test_pods_that_a_node_does_not_help_or_not_yet_are_left():
    unbound = "0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found"
    preempting = pod("c")
    preempting["status"]["nominatedNodeName"] = "w1"
    gated = pod("d")
    gated["status"]["conditions"][0]["reason"] = "SchedulingGated"
    decision = decided([node("w1")], [pod("a", since=5), pod("b", message=unbound), preempting, gated], FREE)
    assert decision.joins == {}
    assert [note.split(",")[0][:60] for note in decision.notes] == [
        "pod shop/a is unschedulable for less than 30 seconds",
        "a further node does not help pod shop/b: pod has unbound imm",
    ]


def test_no_second_host_joins_for_pods_that_fit_on_the_one_that_has_joined():
    new = node("s1", cpu="0", ready=False, age=60)  # it has reported no resources yet
    nodes, hosts = [node("w1"), new], [host("s1", "node"), host("s2")]
    decision = decided(nodes, [pod("a"), pod("b")], hosts)
    assert decision.joins == {} and decision.leaves == {} and decision.idle == {}
    assert "pod shop/a should have room on a node of the pool; message of the scheduler: 0/2" in decision.notes[0]
    nodes[1] = node("s1", ready=False)  # it has not become Ready, or is lost
    assert list(decided(nodes, [pod("a"), pod("b")], hosts).joins) == ["s2"]
    assert list(decided(nodes, [pod("a"), pod("b")], hosts).joins) == ["s2"]


def test_an_idle_node_is_recorded_and_leaves_when_it_was_idle_for_long_enough():
    hosts = [host("s1", "node"), host("s2")]
    first = decided([node("w1"), node("s1")], [], hosts)
    assert (first.idle, first.leaves) == ({"s1": to_time(NOW)}, {})
    early = decided([node("w1"), node("s1", annotations={IDLE_SINCE: to_time(NOW - 599)})], [], hosts)
    assert (early.idle, early.leaves) == ({}, {})
    due = decided([node("w1"), node("s1", annotations={IDLE_SINCE: to_time(NOW - 600)})], [], hosts)
    assert list(due.leaves) == ["s1"] and due.idle == {}
    at_once = decided([node("w1"), node("s1")], [], hosts, {"idle_after": 0})
    assert list(at_once.leaves) == ["s1"] and at_once.idle == {}


def test_a_node_with_work_again_is_not_idle_any_more():
    nodes = [node("w1", cpu="0"), node("s1", annotations={IDLE_SINCE: to_time(NOW - 5000)})]
    decision = decided(nodes, [pod("a", "s1")], [host("s1", "node")])
    assert (decision.idle, decision.leaves) == ({"s1": None}, {})


IDLE = {IDLE_SINCE: to_time(NOW - 5000)}


def test_pods_that_fit_on_the_nodes_that_stay_do_not_keep_a_node_and_the_room_is_counted_once():
    nodes = [node("w1", cpu="1"), node("s1", annotations=IDLE), node("s2", annotations=IDLE)]
    pods, hosts = [pod("a", "s1"), pod("b", "s2"), pod("c", "s2")], [host("s1", "node"), host("s2", "node")]
    assert list(decided(nodes, pods, hosts).leaves) == ["s1"]
    nodes[0] = node("w1", cpu="3")
    assert list(decided(nodes, pods, hosts).leaves) == ["s1", "s2"]


@pytest.mark.parametrize(
    "held",
    [
        {"metadata": {"ownerReferences": []}},
        {"volumes": [{"emptyDir": {}}]},
        {"volumes": [{"hostPath": {"path": "/data"}}]},
        {"metadata": {"annotations": {SAFE_TO_EVICT: "false"}}},
        {"nodeSelector": {"kubernetes.io/hostname": "s1"}},
    ],
)
def test_a_node_stays_for_a_pod_that_must_not_move(held):
    nodes, hosts = [node("w1"), node("s1", annotations=IDLE)], [host("s1", "node")]
    decision = decided(nodes, [pod("a", "s1", **held)], hosts)
    assert (decision.leaves, decision.idle) == ({}, {"s1": None})
    if "nodeSelector" not in held:  # such a pod is work that the node is there for
        assert len(decision.notes) == 1 and decision.notes[0].startswith("node s1 does not leave: pod shop/a has ")


def test_a_pod_may_say_that_its_data_can_be_lost_and_pods_of_the_node_never_count():
    nodes, hosts = [node("w1"), node("s1", annotations=IDLE)], [host("s1", "node")]
    cache = pod("a", "s1", volumes=[{"emptyDir": {}}], metadata={"annotations": {SAFE_TO_EVICT: "true"}})
    daemon = pod("b", "s1", "9", metadata={"ownerReferences": [{"kind": "DaemonSet", "controller": True}]})
    static = pod("c", "s1", "9", metadata={"annotations": {"kubernetes.io/config.mirror": "x"}, "ownerReferences": []})
    done = pod("d", "s1", "9", metadata={"ownerReferences": []})
    done["status"]["phase"] = "Succeeded"
    assert list(decided(nodes, [cache, daemon, static, done], hosts).leaves) == ["s1"]


def test_a_budget_that_permits_nothing_keeps_the_node():
    budget = {
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}},
        "status": {"disruptionsAllowed": 0, "expectedPods": 1, "currentHealthy": 1, "desiredHealthy": 1},
    }
    nodes, hosts = [node("w1"), node("s1", annotations=IDLE)], [host("s1", "node")]
    assert decided(nodes, [pod("a", "s1")], hosts, budgets=[budget]).leaves == {}
    budget["status"]["disruptionsAllowed"] = 1
    assert list(decided(nodes, [pod("a", "s1")], hosts, budgets=[budget]).leaves) == ["s1"]


def test_nothing_leaves_while_something_joins():
    nodes, hosts = [node("w1"), node("s1", cpu="1", annotations=IDLE)], [host("s1", "node"), host("s2")]
    decision = decided(nodes, [pod("a", cpu="2")], hosts)
    assert list(decision.joins) == ["s2"] and decision.leaves == {}


def test_nodes_of_others_stay():
    nodes = [
        node("w1"),
        node("w2", annotations=IDLE),
        node("s1", annotations=IDLE, **CORDONED),
        node("s2", ready=False),
    ]
    decision = decided(nodes, [], [host("s1", "node"), host("s2", "node")])
    assert decision.leaves == {}
    assert ["cordoned by others" in note or "not Ready" in note for note in decision.notes] == [True, True]


def test_a_host_that_does_not_answer_is_left_out_and_said():
    decision = decided([node("w1")], [pod("a")], [host("s1", "", problem="it could not be inspected"), host("s2")])
    assert list(decision.joins) == ["s2"]
    assert decision.notes == ["host-s1 is left out: it could not be inspected"]
    nodes = [node("w1"), node("s1", annotations=IDLE)]
    assert decided(nodes, [], [host("s1", "", problem="it could not be inspected")]).leaves == {}


@pytest.mark.parametrize(
    ("state", "nodes", "pods", "joins", "leaves"),
    [
        ("joining", [], [], ["s1"], []),
        ("joining", [node("s1", ready=False)], [], ["s1"], []),
        ("prepared", [], [pod("a")], ["s2"], []),  # its preparation may fail, or another run may be at it
        ("prepared", [], [], [], ["s1"]),
        ("resetting", [node("s1", ready=False)], [pod("a")], ["s2"], ["s1"]),
        ("free", [node("s1", ready=False)], [], [], ["s1"]),
    ],
)
def test_a_run_finishes_what_an_interrupted_one_has_begun(state, nodes, pods, joins, leaves):
    decision = decided([node("w1", cpu="0"), *nodes], pods, [host("s2"), host("s1", state)])
    assert (list(decision.joins), list(decision.leaves)) == (joins, leaves)


def test_a_host_that_was_only_prepared_joins_if_no_other_one_does():
    decision = decided([node("w1")], [pod("a")], [host("s1", "prepared")])
    assert (list(decision.joins), decision.leaves) == (["s1"], {})


def test_a_node_whose_removal_was_interrupted_is_used_again_if_it_is_needed_and_leaves_otherwise():
    left = node("s1", annotations={**IDLE, **BY_SCALE}, **CORDONED)
    hosts = [host("s1", "node"), host("s2")]
    needed = decided([node("w1"), left], [pod("a")], hosts)
    assert (list(needed.returns), needed.joins, needed.leaves) == (["s1"], {}, {})
    assert list(decided([node("w1"), left], [], hosts).leaves) == ["s1"]
    assert list(decided([node("w1"), left], [], hosts, {"minimum": 1}).returns) == ["s1"]


def test_a_node_that_is_lost_is_not_used_again():
    lost = node("s1", ready=False, annotations={**IDLE, **BY_SCALE}, **CORDONED)
    assert list(decided([node("w1"), lost], [pod("a")], [host("s1", "node"), host("s2")]).joins) == ["s2"]


def test_a_node_that_is_used_again_is_not_idle_any_more():
    left = node("s1", annotations={**IDLE, **BY_SCALE}, **CORDONED)
    assert decided([node("w1"), left], [pod("a")], [host("s1", "node")]).idle == {"s1": None}


def test_a_node_whose_removal_was_interrupted_and_that_does_not_leave_yet_says_why():
    left = node("s1", annotations={IDLE_SINCE: to_time(NOW - 5), **BY_SCALE}, **CORDONED)
    assert decided([node("w1"), left], [], [host("s1", "node")]).returns == {
        "s1": "it is idle for less than 600 seconds"
    }
    left = node("s1", annotations={**IDLE, **BY_SCALE}, **CORDONED)
    decision = decided([node("w1"), left], [], [host("s1", "node"), host("s2", "joining")])
    assert decision.returns == {"s1": "nothing leaves while hosts join"}


def test_pods_that_move_to_a_node_keep_it():
    """Nodes come from the API in the order of their names, so that a node of the pool may be before the workers."""
    nodes = [node("s1", annotations=IDLE), node("s2", annotations=IDLE), node("w1", cpu="1")]
    pods, hosts = [pod("a", "s1"), pod("b", "s2")], [host("s1", "node"), host("s2", "node")]
    assert list(decided(nodes, pods, hosts).leaves) == ["s2"]


def test_a_node_stays_for_a_pod_that_preempts_others_there():
    nodes, hosts = [node("w1", cpu="1"), node("s1", annotations=IDLE)], [host("s1", "node")]
    victim = pod("a", "s1", metadata={"deletionTimestamp": to_time(NOW)})
    preempting = pod("b", cpu="2")
    preempting["status"]["nominatedNodeName"] = "s1"
    assert decided(nodes, [victim, preempting], hosts).leaves == {}


def test_pods_of_daemon_sets_wait_for_their_own_node():
    daemon = pod("a", metadata={"ownerReferences": [{"kind": "DaemonSet", "name": "agent", "controller": True}]})
    decision = decided([node("w1"), node("s1", annotations=IDLE)], [daemon], [host("s1", "node"), host("s2")])
    assert (list(decision.leaves), decision.notes) == (["s1"], [])


def test_a_node_that_another_machine_has_is_not_removed():
    """A host that is no node runs no kubelet, so a Node of its name that is Ready is not its own."""
    decision = decided([node("w1"), node("s1")], [pod("a", "s1")], [host("s1")])
    assert (decision.joins, decision.leaves) == ({}, {})
    assert "host-s1 is left out: node s1 is Ready, and the host is not a node" in decision.notes[0]


def test_a_host_whose_node_is_missing_is_said():
    decision = decided([node("w1")], [], [host("s1", "node")])
    assert "host-s1 is left out: it was joined to the cluster, which has no node s1" in decision.notes[0]


def test_an_annotation_that_is_no_time_is_written_anew():
    decision = decided([node("w1"), node("s1", annotations={IDLE_SINCE: "yesterday"})], [], [host("s1", "node")])
    assert decision.idle == {"s1": to_time(NOW)}


class Api:
    """The API of a cluster with one idle node of the pool, which was cordoned by an interrupted run that is needed again."""

    def __init__(self) -> None:
        self.patched: list[Any] = []
        self.nodes = [node("w1"), node("s1"), node("s2", annotations={**IDLE, **BY_SCALE}, **CORDONED)]

    def each(self, function: Any, paths: Any) -> list[Any]:
        return [function(path) for path in paths]

    def items(self, path: str) -> list[Any]:
        return {"/api/v1/nodes": self.nodes, "/api/v1/pods": [pod("a", cpu="2", since=1e8)]}.get(path, [])

    def find(self, path: str) -> Any:
        return next(one for one in self.nodes if path.endswith(one["metadata"]["name"]))

    def patch(self, path: str, content: Any) -> None:
        self.patched.append((path.rpartition("/")[2], content))


def test_the_module_records_what_it_decides_and_nothing_in_check_mode(monkeypatch):
    params = {
        "kubeconfig": "",
        "server": "",
        "state": "decided",
        "run": "",
        "ended": "",
        "hosts": [host("s1", "node", cpu="1"), host("s2", "node")],
        "minimum": 0,
        "maximum": -1,
        "pending_after": 30,
        "idle_after": 600,
    }
    api = Api()
    api.nodes[1]["status"]["allocatable"]["cpu"] = "1"
    monkeypatch.setattr(run, "connect", lambda *_: api)
    predicted = run.converge(params, True)
    assert predicted["changed"] and api.patched == []
    result = run.converge(params, False)
    assert (result["changes"], result["plan"]) == (predicted["changes"], predicted["plan"])
    assert [name for name, _patch in api.patched] == ["s2", "s1", "s2"]
    assert api.patched[0][1] == {"metadata": {"annotations": {IDLE_SINCE: None}}}
    assert api.patched[2][1]["spec"] == {"unschedulable": None}
    assert result["joins"] == [] and result["leaves"] == []
    assert result["plan"] == ["host-s2 stays: pod shop/a fits there, and on no other node"]
