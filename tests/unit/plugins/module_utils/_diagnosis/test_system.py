# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Problems of nodes and system pods, and the summary of a cluster."""

from __future__ import annotations

from typing import Any

from ansible_collections.slipway.kube.plugins.module_utils._diagnosis.system import (
    api_addresses,
    network_of,
    node_problems,
    node_summary,
    system_problems,
)
from ansible_collections.slipway.kube.plugins.module_utils._verify.summary import (
    cluster_text,
    network_text,
    results_text,
)


def node(name: str, ready: str = "True", message: str = "", **labels: str) -> dict[str, Any]:
    """A node."""
    return {
        "metadata": {
            "name": name,
            "labels": {key.replace("__", "/").replace("_", "-"): value for key, value in labels.items()},
        },
        "spec": {},
        "status": {
            "conditions": [{"type": "Ready", "status": ready, "reason": "KubeletNotReady", "message": message}],
            "addresses": [
                {"type": "InternalIP", "address": "10.0.0.1"},
                {"type": "InternalIP", "address": "fd00::1"},
                {"type": "Hostname", "address": name},
            ],
            "nodeInfo": {"kubeletVersion": "v1.36.3", "containerRuntimeVersion": "containerd://2.2.3"},
        },
    }


def daemon_set(name: str, ready: int, wanted: int = 2) -> dict[str, Any]:
    """A DaemonSet in kube-system with label app=NAME."""
    status = {
        "observedGeneration": 1,
        "desiredNumberScheduled": wanted,
        "currentNumberScheduled": wanted,
        "updatedNumberScheduled": wanted,
        "numberReady": ready,
        "numberAvailable": ready,
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": name, "namespace": "kube-system", "generation": 1},
        "spec": {"selector": {"matchLabels": {"app": name}}},
        "status": status,
    }


def pod(name: str, app: str = "", ready: bool = True, phase: str = "Running", owned: bool = False) -> dict[str, Any]:
    """A pod in kube-system, of DaemonSet *app* if that is given."""
    owner = {"controller": True, "kind": "DaemonSet", "name": app or "x", "apiVersion": "apps/v1"}
    owners = [owner] if app or owned else []
    return {
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "kube-system", "labels": {"app": app}, "ownerReferences": owners},
        "spec": {"nodeName": "w1"},
        "status": {"phase": phase, "conditions": [{"type": "Ready", "status": str(ready)}]},
    }


def test_the_summary_of_a_node() -> None:
    found = node_summary(node("cp1", node_role_kubernetes_io__control_plane=""))
    assert (
        found["roles"] == []
        and found["address"] == "10.0.0.1"
        and found["version"] == "1.36.3"
        and found["ready"]
        and found["schedulable"]
    )
    labelled = node("cp1")
    labelled["metadata"]["labels"] = {"node-role.kubernetes.io/control-plane": "", "other": "x"}
    assert node_summary(labelled)["roles"] == ["control-plane"]


def test_nodes_that_are_missing_or_not_ready_are_explained() -> None:
    nodes = [
        node("a"),
        node("b", "False", "cni plugin not initialized"),
        node("c", "Unknown", "Kubelet stopped posting node status."),
    ]
    missing, no_network, silent = node_problems(nodes, ["a", "d"])
    assert missing.startswith("node d is not in the cluster")
    assert no_network.startswith("node b is not Ready: KubeletNotReady: cni plugin") and "pod network" in no_network
    assert "node c is not Ready" in silent and "systemctl status kubelet" in silent
    assert node_problems([node("a")], ["a"]) == []


def test_system_pods_are_judged_with_their_workloads_or_individually() -> None:
    well = [daemon_set("kube-proxy", 2)], [pod("kube-proxy-1", "kube-proxy"), pod("etcd-cp1")]
    assert system_problems(*well, []) == ([], False)
    late, hopeless = system_problems(
        [daemon_set("kube-proxy", 1)], [pod("kube-proxy-1", "kube-proxy", ready=False, phase="Pending")], []
    )
    assert len(late) == 1 and not hopeless
    assert late[0].startswith(
        "DaemonSet kube-system/kube-proxy: 2 of 2 pods updated, 1 ready, 1 available.\n  the kubelet of node w1 has not reported any status of the pod"
    )
    static = system_problems([], [pod("etcd-cp1", ready=False, phase="Pending")], [])[0]
    assert static[0].startswith("Pod kube-system/etcd-cp1: not ready\n  the kubelet of node w1")
    assert system_problems([], [pod("old", phase="Failed", ready=False, owned=True)], []) == ([], False)


def workload(kind: str, status: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """A workload of generation 2."""
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": "web", "namespace": "n", "generation": 2, "uid": "w"},
        "spec": spec,
        "status": status,
    }


def pod_of(
    kind: str, name: str, ready: bool = False, revision: str = "1", created: str = "2026-01-01"
) -> dict[str, Any]:
    """A pod of workload web, whose image does not exist unless it is ready."""
    state = {} if ready else {"state": {"waiting": {"reason": "ErrImagePull", "message": "not found"}}}
    label = "pod-template-hash" if kind == "Deployment" else "controller-revision-hash"
    maker = {"kind": "ReplicaSet", "name": f"web-{revision}"} if kind == "Deployment" else {"kind": kind, "name": "web"}
    return {
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "n",
            "labels": {label: revision},
            "creationTimestamp": f"{created}T00:00:00Z",
            "ownerReferences": [{"controller": True, "apiVersion": "apps/v1", **maker}],
        },
        "spec": {"nodeName": "w1", "containers": [{"name": "app"}]},
        "status": {
            "phase": "Pending",
            "conditions": [{"type": "Ready", "status": str(ready)}, {"type": "PodScheduled", "status": "True"}],
            "containerStatuses": [{"name": "app", "image": "r/app:1", "ready": ready, **state}],
        },
    }


def deployment_of(updated: int, wanted: int = 2) -> dict[str, Any]:
    """Deployment web that is not available."""
    return workload("Deployment", {"observedGeneration": 2, "updatedReplicas": updated}, replicas=wanted)


def test_a_workload_is_explained_by_its_pods_or_by_why_there_are_none() -> None:
    both = [pod_of("Deployment", "a"), pod_of("Deployment", "b")]
    (text,), hopeless = system_problems([deployment_of(2)], both, [])
    lines = text.split("\n")
    assert lines[0] == "Deployment n/web: 2 of 2 replicas updated, 0 ready, 0 available." and hopeless
    assert lines[1] == "  container app: image r/app:1 was not found in the registry (2 pods)."
    assert lines[2].startswith("    pod n/a on w1, container app: ErrImagePull") and "push the image" in lines[3]
    half = [both[0], pod_of("Deployment", "b", ready=True)]
    assert not system_problems([deployment_of(2)], half, [])[1]
    daemons = workload("DaemonSet", {"observedGeneration": 2, "desiredNumberScheduled": 2})
    assert system_problems([daemons], [pod_of("DaemonSet", "a"), pod_of("DaemonSet", "b", ready=True)], [])[1]
    refused = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: small, x"}
    daemons["status"]["conditions"] = [refused]
    assert "exceed ResourceQuota small of the namespace" in system_problems([daemons], [], [])[0][0].split("\n")[1]


def test_only_pods_of_the_newest_revision_count() -> None:
    old = pod_of("Deployment", "old", ready=True, revision="0")
    new = pod_of("Deployment", "new", revision="1", created="2026-02-01")
    assert system_problems([deployment_of(1, 1)], [old, new], [])[1]
    broken, healthy = pod_of("Deployment", "old", revision="0"), pod_of("Deployment", "new", True, "1", "2026-02-01")
    assert system_problems([deployment_of(1, 1)], [broken, healthy], []) == (
        ["Deployment n/web: 1 of 1 replicas updated, 0 ready, 0 available."],
        False,
    )


def test_a_rollout_that_is_late_is_waited_for_unless_its_pods_cannot_start() -> None:
    """CoreDNS exceeds its progress deadline while the pod network is still missing, and becomes ready afterwards."""
    progressing = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "late"}
    late = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "coredns", "namespace": "kube-system", "generation": 1},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "coredns"}}},
        "status": {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "conditions": [progressing]},
    }
    problems, hopeless = system_problems([late], [], [])
    assert len(problems) == 1 and "kube-system/coredns" in problems[0]
    assert not hopeless


def test_what_needs_no_explanation() -> None:
    gone = pod_of("Deployment", "a")
    gone["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    found = system_problems([deployment_of(1, 1)], [gone, pod_of("Deployment", "b", ready=True)], [])
    assert found == (["Deployment n/web: 1 of 1 replicas updated, 0 ready, 0 available."], False)


def test_the_pod_network_is_detected_by_its_daemon_set() -> None:
    assert network_of([daemon_set("kube-proxy", 2), daemon_set("calico-node", 2)]) == {
        "name": "Calico",
        "network_policy": True,
    }
    assert network_of([daemon_set("kube-flannel-ds", 2)]) == {"name": "Flannel", "network_policy": False}
    assert network_of([dict(daemon_set("cilium", 1), kind="Deployment")]) == {"name": "", "network_policy": None}


def test_addresses_of_api_servers() -> None:
    slices = [
        {"endpoints": [{"addresses": ["10.0.0.2", "10.0.0.1"]}], "ports": [{"port": 6443}]},
        {"endpoints": [{"addresses": ["fd00::1"]}], "ports": [{"port": 6443}]},
    ]
    assert api_addresses(slices) == ["10.0.0.1:6443", "10.0.0.2:6443", "[fd00::1]:6443"]
    assert api_addresses([{"endpoints": None, "ports": None}]) == []


def test_the_summary_of_a_cluster() -> None:
    nodes = [
        {
            "name": "cp1",
            "roles": ["control-plane"],
            "version": "1.36.3",
            "address": "10.0.0.1",
            "ready": True,
            "schedulable": True,
        },
        {"name": "w1", "roles": [], "version": "1.36.3", "address": "10.0.0.2", "ready": False, "schedulable": False},
    ]
    network = {"name": "Flannel", "network_policy": False}
    verified = {
        "nodes": nodes,
        "endpoint": "https://10.0.0.9:6443",
        "network": network,
        "msg": "12 tests passed in 9 s.",
    }
    assert cluster_text(verified, "lab", "10.244.0.0/16", "", "/etc/kubernetes/admin.conf").split("\n") == [
        "Cluster lab, Kubernetes 1.36.3",
        "",
        "NODE  ROLE           VERSION  ADDRESS   STATUS",
        "cp1   control-plane  1.36.3   10.0.0.1  Ready",
        "w1    worker         1.36.3   10.0.0.2  NotReady, cordoned",
        "",
        "Endpoint:   https://10.0.0.9:6443",
        "Network:    Flannel, pods in 10.244.0.0/16; NetworkPolicy is NOT enforced",
        "Kubeconfig: /etc/kubernetes/admin.conf on cp1",
        "Verified:   12 tests passed in 9 s.",
        "Next:       kubectl --kubeconfig /etc/kubernetes/admin.conf get nodes",
    ]
    assert "Next:       kubectl --kubeconfig lab/kubeconfig get nodes" in cluster_text(
        verified, kubeconfig="lab/kubeconfig"
    )
    assert cluster_text({"nodes": [], "msg": "The cluster is not there yet."}) == "The cluster is not there yet."


def test_results_line_by_line() -> None:
    fine = {"test": "nodes", "ok": True, "evidence": "3 of 3"}
    assert results_text([fine, {"test": "pod to pod", "ok": False, "evidence": "1 failed:\nx"}]) == [
        "ok nodes: 3 of 3",
        "FAILED pod to pod: 1 failed:",
        "  x",
    ]
    assert results_text([]) == []
    assert network_text({"name": "", "network_policy": None}, "").startswith(
        "unknown pod network; NetworkPolicy may or may not be"
    )
