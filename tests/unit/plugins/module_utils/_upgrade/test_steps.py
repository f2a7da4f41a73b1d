# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An upgrade over several minor versions goes through each of them, from wherever an interrupted run left each node."""

from __future__ import annotations

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._upgrade.observed import Observed
from ansible_collections.slipway.kube.plugins.module_utils._upgrade.plan import Wanted, plan
from harness.upgrade_cluster import host, node, pod

FIRST, BETWEEN, NEW = "1.35.4", "1.36.3", "1.37.2"
TABLE = {"1.35": {"kubernetes": FIRST, "etcd": "3.6.6"}, "1.36": {"kubernetes": BETWEEN, "etcd": "3.6.8"}}
COMPONENTS = {"etcd": "3.7.0", "coredns": "1.14.6"}
WANTED = Wanted(NEW, COMPONENTS, "blue", snapshot_dir="/var/backups/slipway", table=TABLE)
NODES = ("cp1", "cp2", "w1", "w2")


def old(name, version=FIRST, kubelet=FIRST, **changes):
    """Return a host whose kubelet is older than its control plane."""
    return host(name, version, kubelet=kubelet, **changes)


@pytest.fixture
def seen():
    return Observed(
        cluster=FIRST,
        nodes={name: node(FIRST) for name in NODES},
        pods=[pod("web-1"), pod("web-2", "w2")],
        addons={"kube-proxy": FIRST, "CoreDNS": "1.13.1"},
    )


@pytest.fixture
def hosts():
    return [old(name) for name in NODES]


def through(result):
    return {step["version"]: [one["name"] for one in step["nodes"]] for step in result["through"]}


def moves(one):
    return {move["what"]: (move["from"], move["to"]) for move in one["moves"]}


def test_each_node_goes_through_the_version_in_between_and_is_drained_once(hosts, seen):
    result = plan(WANTED, hosts, seen)
    assert result["refused"] == [] and result["snapshot"] and through(result) == {BETWEEN: list(NODES)}
    (step,) = result["through"]
    assert moves(step["nodes"][0])["kube-apiserver"] == (FIRST, BETWEEN)
    assert moves(step["nodes"][0])["etcd"] == ("3.6.6", "3.6.8")
    assert moves(step["nodes"][2]) == {"kubeadm": (FIRST, BETWEEN)}
    assert all("kubelet" not in moves(one) and not one["pods"] for one in step["nodes"])
    last = {one["name"]: moves(one) for one in result["nodes"]}
    assert last["cp1"]["kube-apiserver"] == (BETWEEN, NEW) and last["cp1"]["etcd"] == ("3.6.8", "3.7.0")
    assert last["cp1"]["kubelet"] == (FIRST, NEW) and last["w1"] == {"kubeadm": (BETWEEN, NEW), "kubelet": (FIRST, NEW)}
    assert [one["pods"] for one in result["nodes"]] == [[], [], ["shop/web-1"], ["shop/web-2"]]
    lines = [line.strip() for line in result["text"]]
    assert lines[0] == "Upgrade of cluster 'blue' from Kubernetes 1.35.4 to 1.37.2, through 1.36.3"
    assert lines.index("4. w2 (worker): kubeadm 1.35.4 -> 1.36.3") < lines.index(f"To {NEW}")
    assert "8. w2 (worker): kubeadm 1.36.3 -> 1.37.2; kubelet 1.35.4 -> 1.37.2" in lines
    assert result["changes"][1].endswith("1.35.4 -> 1.36.3; etcd 3.6.6 -> 3.6.8") and len(result["changes"]) == 11


def test_the_version_of_the_user_precedes_that_of_the_table(hosts, seen):
    assert through(plan(Wanted(NEW, table=TABLE, through=["1.36.1"]), hosts, seen)) == {"1.36.1": list(NODES)}
    assert through(plan(Wanted(NEW, through=["1.36.1"]), hosts, seen)) == {"1.36.1": list(NODES)}


def test_three_minor_versions_are_two_steps(hosts, seen):
    hosts = [{**old(name), "components": dict.fromkeys(old(name)["components"], "1.34.4")} for name in NODES]
    seen.cluster, seen.nodes = "1.34.4", {name: node("1.34.4") for name in NODES}
    result = plan(WANTED, hosts, seen)
    assert result["refused"] == [] and through(result) == {FIRST: list(NODES), BETWEEN: list(NODES)}
    first, second = result["through"]
    assert moves(first["nodes"][0])["kube-apiserver"] == ("1.34.4", FIRST)
    assert moves(second["nodes"][0])["kube-apiserver"] == (FIRST, BETWEEN)


def test_one_minor_version_has_no_step(hosts, seen):
    hosts = [old(name, BETWEEN, BETWEEN) for name in NODES]
    seen.cluster, seen.nodes = BETWEEN, {name: node(BETWEEN) for name in NODES}
    result = plan(WANTED, hosts, seen)
    assert result["through"] == [] and "Through" not in "\n".join(result["text"])


def interrupt_in_the_first_control_plane(hosts, seen):
    hosts[0] = old("cp1", interrupted=f"apply {BETWEEN}")
    hosts[0]["components"]["kube-apiserver"] = BETWEEN


def interrupt_before_the_second_control_plane(hosts, seen):
    hosts[0], seen.cluster = old("cp1", BETWEEN), BETWEEN


def interrupt_before_the_last_phases(hosts, seen):
    hosts[:2] = [old("cp1", BETWEEN), old("cp2", BETWEEN)]


def interrupt_before_the_workers(hosts, seen):
    hosts[:2], seen.cluster = [old("cp1", BETWEEN), old("cp2", BETWEEN)], BETWEEN


def interrupt_after_the_step(hosts, seen):
    interrupt_before_the_workers(hosts, seen)
    hosts[2]["kubeadm"] = hosts[3]["kubeadm"] = BETWEEN


def interrupt_in_the_last_step(hosts, seen):
    interrupt_after_the_step(hosts, seen)
    hosts[0], seen.cluster = old("cp1", NEW), NEW


def interrupt_between_the_workers(hosts, seen):
    hosts[:] = [old("cp1", NEW, NEW), old("cp2", NEW, NEW), old("w1", NEW, NEW), old("w2", kubeadm=BETWEEN)]
    seen.cluster = NEW
    seen.nodes.update({name: node(NEW) for name in ("cp1", "cp2", "w1")})


@pytest.mark.parametrize(
    ("interrupt", "expected", "rest"),
    [
        (interrupt_in_the_first_control_plane, {BETWEEN: list(NODES)}, NODES),
        (interrupt_before_the_second_control_plane, {BETWEEN: ["cp2", "w1", "w2"]}, NODES),
        (interrupt_before_the_last_phases, {BETWEEN: ["cp1", "w1", "w2"]}, NODES),
        (interrupt_before_the_workers, {BETWEEN: ["w1", "w2"]}, NODES),
        # Whether kubeadm had ended on them is not known; it takes a second.
        (interrupt_after_the_step, {BETWEEN: ["w1", "w2"]}, NODES),
        (interrupt_in_the_last_step, {}, NODES),
        (interrupt_between_the_workers, {}, ("w2",)),
    ],
)
def test_an_interrupted_upgrade_goes_on_where_each_node_is(hosts, seen, interrupt, expected, rest):
    interrupt(hosts, seen)
    seen.snapshots = [f"20261129T150000Z-before-{NEW}.db"]
    result = plan(WANTED, hosts, seen)
    assert result["refused"] == [] and not result["snapshot"] and through(result) == expected
    assert tuple(one["name"] for one in result["nodes"] if one["needed"]) == tuple(rest)


def test_a_snapshot_is_saved_where_no_interrupted_run_left_one(hosts, seen):
    interrupt_before_the_workers(hosts, seen)
    assert plan(WANTED, hosts, seen)["snapshot"]
    seen.snapshots = [f"20260101T000000Z-before-{BETWEEN}.db"]
    assert plan(WANTED, hosts, seen)["snapshot"]


def test_an_interrupted_run_that_went_through_another_patch_is_no_downgrade(hosts, seen):
    hosts[0], seen.cluster = host("cp1", "1.36.5", kubelet=FIRST), "1.36.5"
    assert through(plan(WANTED, hosts, seen)) == {"1.36.5": ["cp2", "w1", "w2"]}


def test_a_run_without_all_nodes_is_refused(hosts, seen):
    hosts[1]["in_run"] = hosts[3]["in_run"] = False
    reasons = "\n".join(plan(WANTED, hosts, seen)["refused"])
    assert f"goes through {BETWEEN}, and would leave nodes behind. Evidence: cp2, w2 would not be upgraded" in reasons


def test_a_minor_version_of_which_none_is_known_is_refused_by_name(hosts, seen):
    (reason,) = plan(Wanted(NEW), hosts, seen)["refused"]
    assert "no version of 1.36 is known" in reason and "Set upgrade_through to a version of 1.36" in reason


def test_a_downgrade_is_refused_also_in_between(hosts, seen):
    seen.nodes["w1"] = node("1.38.0")
    assert any("does not support downgrades" in reason for reason in plan(WANTED, hosts, seen)["refused"])


def test_a_worker_that_lags_behind_goes_through_the_version_of_the_control_planes(hosts, seen):
    hosts = [old(name, BETWEEN, BETWEEN) for name in ("cp1", "cp2", "w1")] + [old("w2")]
    seen.cluster, seen.nodes = BETWEEN, {**{name: node(BETWEEN) for name in NODES}, "w2": node(FIRST)}
    result = plan(WANTED, hosts, seen)
    assert through(result) == {BETWEEN: ["w2"]} and result["snapshot"]


@pytest.mark.parametrize(
    ("planes", "kubelet", "kubeadm", "expected"),
    [
        (BETWEEN, "1.34.1", "1.34.1", {FIRST: ["w1", "w2"], BETWEEN: ["w1", "w2"]}),
        (NEW, FIRST, FIRST, {BETWEEN: ["w1", "w2"]}),
        (NEW, FIRST, BETWEEN, {}),
        (NEW, FIRST, "", {BETWEEN: ["w1", "w2"]}),  # not from a package
    ],
)
def test_workers_skip_no_minor_version_that_the_control_planes_are_past(
    hosts, seen, planes, kubelet, kubeadm, expected
):
    hosts = [host(name, planes) for name in NODES[:2]] + [
        old(name, kubelet, kubelet, kubeadm=kubeadm) for name in NODES[2:]
    ]
    seen.cluster = planes
    seen.nodes = {name: node(planes if name.startswith("cp") else kubelet) for name in NODES}
    result = plan(WANTED, hosts, seen)
    assert result["refused"] == [] and through(result) == expected


def test_a_minor_version_that_only_workers_lack_must_be_known_as_well(hosts, seen):
    hosts = [host(name, NEW) for name in NODES[:2]] + [old(name) for name in NODES[2:]]
    seen.cluster, seen.nodes = NEW, {name: node(NEW if name.startswith("cp") else FIRST) for name in NODES}
    (reason,) = plan(Wanted(NEW), hosts, seen)["refused"]
    assert "kubelets older than 1.36 on w1, w2" in reason and "no version of 1.36 is known" in reason


@pytest.mark.parametrize(
    ("planes", "kubeadm", "version"),
    [
        ("1.36.5", FIRST, BETWEEN),  # as preflight asks the repositories for it
        ("1.36.1", FIRST, BETWEEN),
        ("1.36.5", "1.36.5", "1.36.5"),  # of an interrupted run: no package goes back
    ],
)
def test_workers_alone_go_through_the_patch_of_the_table(hosts, seen, planes, kubeadm, version):
    hosts = [host(name, planes) for name in NODES[:2]] + [old(name, kubeadm=kubeadm) for name in NODES[2:]]
    seen.cluster, seen.nodes = planes, {name: node(planes if name.startswith("cp") else FIRST) for name in NODES}
    result = plan(WANTED, hosts, seen)
    assert result["refused"] == [] and through(result) == {version: ["w1", "w2"]}


def test_control_planes_of_different_patches_take_no_step_of_their_minor_version(hosts, seen):
    hosts = [host("cp1", "1.36.5"), host("cp2", "1.36.1"), old("w1"), old("w2")]
    seen.cluster, seen.nodes = "1.36.5", {name: node(FIRST) for name in NODES}
    assert through(plan(WANTED, hosts, seen)) == {BETWEEN: ["w1", "w2"]}


@pytest.mark.parametrize(
    ("planes", "in_run"), [(BETWEEN, ("cp1", "cp2")), (BETWEEN, ("cp1", "cp2", "w1")), (NEW, ("w1",))]
)
def test_workers_that_are_behind_may_follow_in_a_later_run(hosts, seen, planes, in_run):
    hosts = [host(name, planes) for name in NODES[:2]] + [old(name) for name in NODES[2:]]
    hosts = [{**one, "in_run": one["name"] in in_run} for one in hosts]
    seen.cluster, seen.nodes = planes, {name: node(planes if name.startswith("cp") else FIRST) for name in NODES}
    result = plan(WANTED, hosts, seen)
    assert result["refused"] == []
    assert through(result) == ({BETWEEN: ["w1"]} if "w1" in in_run else {})
    assert ("Through" in "\n".join(result["text"])) == ("w1" in in_run)


def test_a_refused_plan_has_no_empty_step(hosts, seen):
    for one in hosts[:2]:
        one["in_run"] = False
    hosts[2:] = [host("w1", BETWEEN), host("w2", BETWEEN)]
    seen.nodes.update({name: node(BETWEEN) for name in NODES[2:]})
    result = plan(WANTED, hosts, seen)
    assert any("would leave nodes behind. Evidence: cp1, cp2" in reason for reason in result["refused"])
    assert not any("Through" in line for line in result["text"])


def test_a_control_plane_that_was_interrupted_on_the_way_to_another_patch_takes_the_step(hosts, seen):
    """Its static pods may lack a manifest that kubeadm had moved away."""
    hosts[0], seen.cluster = old("cp1", "1.36.1", interrupted="apply 1.36.1"), "1.36.1"
    (step,) = plan(WANTED, hosts, seen)["through"]
    assert step["version"] == BETWEEN and step["nodes"][0]["name"] == "cp1" and step["nodes"][0]["resumes"]
    assert moves(step["nodes"][0])["kube-apiserver"] == ("1.36.1", BETWEEN)
