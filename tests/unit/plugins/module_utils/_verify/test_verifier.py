# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The course of a verification, over a cluster that is a dictionary: what is tried, what is not, and that it cleans up."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._kube.api import ApiError, Unreachable
from ansible_collections.slipway.kube.plugins.module_utils._verify import verifier as course
from ansible_collections.slipway.kube.plugins.module_utils._verify.agnhost import NAMESPACE
from ansible_collections.slipway.kube.plugins.module_utils._verify.connectivity import Connectivity
from ansible_collections.slipway.kube.plugins.module_utils._verify.verifier import NamespaceInUse, Times, Verifier

create_namespace = Verifier._create_namespace  # which the fixture replaces
HERE = "/api/v1/namespaces/" + NAMESPACE
LABELS = {"app.kubernetes.io/managed-by": "slipway.kube"}


def node(name: str) -> dict[str, Any]:
    """A node that is Ready."""
    return {"metadata": {"name": name, "labels": {}}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}


def pod(app: str, name: str, where: str, address: str) -> dict[str, Any]:
    """A test pod that is Ready."""
    return {
        "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": {"app": app}},
        "spec": {"nodeName": where},
        "status": {"podIP": address, "conditions": [{"type": "Ready", "status": "True"}]},
    }


TEST_PODS = [
    pod("pods", "pods-a", "a", "192.168.0.1"),
    pod("pods", "pods-b", "b", "192.168.1.1"),
    pod("nodes", "nodes-a", "a", "10.0.0.1"),
    pod("nodes", "nodes-b", "b", "10.0.0.2"),
    pod("web", "web-1", "a", "192.168.0.2"),
    pod("web", "web-2", "b", "192.168.1.2"),
]
SERVICES = [
    {"metadata": {"name": "web"}, "spec": {"clusterIP": "10.96.0.7"}},
    {"metadata": {"name": "web-node-port"}, "spec": {"ports": [{"nodePort": 30123}]}},
]


ONCE = Times(timeout=0, grace=0, network=0, cleanup=0)
LONG = Times(timeout=1000, grace=30, network=20, cleanup=90)


class Cluster:
    """Stands where the client stands. C(dial): what a test pod answers when it is told to ask."""

    def __init__(self) -> None:
        self.lists: dict[str, list[dict[str, Any]]] = {"/api/v1/nodes": [node("a"), node("b")]}
        self.objects: dict[str, dict[str, Any]] = {}
        self.deleted: list[str] = []
        self.logs: dict[str, str] = {}
        self.dial: Callable[[str, dict[str, str]], str] = self.well

    def made(self) -> str:
        """Have what a test puts into the cluster."""
        self.objects[HERE] = {"metadata": {"name": NAMESPACE, "labels": LABELS, "uid": "mine"}}
        self.lists.update({HERE + "/pods": TEST_PODS, HERE + "/services": SERVICES})
        return "mine"

    def well(self, source: str, query: dict[str, str]) -> str:
        """Answer as a sound cluster does."""
        if query["request"] == "clientip":
            address = next(each["status"]["podIP"] for each in TEST_PODS if each["metadata"]["name"] == source)
            return json.dumps({"responses": [address + ":4242"]})
        return json.dumps({"responses": ["web-1", "web-2"][: int(query["tries"])]})

    def each(self, function: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
        return [function(item) for item in items]

    def items(self, path: str, query: dict[str, str] | None = None) -> list[dict[str, Any]]:
        return self.lists.get(path, [])

    def find(self, path: str) -> dict[str, Any] | None:
        return self.objects.get(path)

    def delete(self, path: str, uid: str | None = None) -> bool:
        if uid and self.objects.get(path, {}).get("metadata", {}).get("uid") != uid:
            return False
        self.deleted.append(path)
        if path == HERE:
            self.lists.pop(HERE + "/pods", None)
        return self.objects.pop(path, None) is not None

    def text(self, path: str, query: dict[str, str], timeout: float) -> str:
        if path.endswith("/log"):
            return self.logs[path]
        return self.dial(path[len(HERE + "/pods/") :].partition(":")[0], query)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """A sound cluster of two nodes; nothing waits."""
    monkeypatch.setattr(course, "POLL", 0)
    monkeypatch.setattr(Verifier, "_api_servers", lambda self: course.Observation(True, "1 ready"))
    monkeypatch.setattr(Connectivity, "_request_from_here", lambda self, targets, path: [])
    monkeypatch.setattr(Verifier, "_create_namespace", lambda self: self.client.made())
    monkeypatch.setattr(Verifier, "_create_objects", lambda self, image, host_port: None)
    return Cluster()


def verified(cluster: Cluster, *expected: str) -> Verifier:
    """Verify that cluster in full."""
    verifier = Verifier(cluster, expected, ["kube-system"], ONCE)
    verifier.full("r/agnhost:1", "cluster.local", 28080)
    return verifier


def names(verifier: Verifier, ok: bool) -> list[str]:
    """The tests with that outcome."""
    return [result.test for result in verifier.results if result.ok is ok]


def test_everything_is_tried_and_taken_away(cluster: Cluster) -> None:
    verifier = verified(cluster, "a", "b")
    assert verifier.ok
    assert names(verifier, True) == [
        "nodes",
        "API servers",
        "system pods",
        "test pods",
        "pod to pod",
        "node to pod",
        "ClusterIP",
        "short DNS name",
        "full DNS name",
        "NodePort",
        "load balancing",
        "cleanup",
    ]
    assert HERE in cluster.deleted and HERE not in cluster.objects


def test_without_a_node_nothing_is_put_into_the_cluster(cluster: Cluster) -> None:
    verifier = verified(cluster, "a", "c")
    assert names(verifier, False) == ["nodes"] and "node c is not in the cluster" in verifier.results[0].evidence
    assert cluster.deleted == []


def silent(source: str, query: dict[str, str]) -> str:
    """Time out."""
    raise Unreachable("timed out")


def refused(source: str, query: dict[str, str]) -> str:
    """Say that the pod cannot be reached."""
    raise ApiError(503, "ServiceUnavailable", "error trying to reach service")


@pytest.mark.parametrize(
    ("dial", "says"),
    [
        (silent, "no response through the API server within 10 s"),
        (refused, "the API server cannot reach pod 192.168.0.1 on a: error trying"),
    ],
)
def test_a_broken_network_is_said_once_and_cleaned_up(cluster: Cluster, dial: Any, says: str) -> None:
    cluster.dial = dial
    verifier = verified(cluster)
    assert names(verifier, False) == ["pod to pod", "node to pod", "Services and DNS"]
    evidence = next(result.evidence for result in verifier.results if result.test == "pod to pod")
    assert evidence.startswith("2 failed:\npod 192.168.0.1 on a to pod 192.168.1.1 on b: ") and says in evidence
    assert "UDP 8472" in evidence
    assert verifier.results[-1].test == "cleanup" and verifier.results[-1].ok


@pytest.mark.parametrize(
    ("wrong", "failed"),
    [
        (lambda query: query["host"] == "web", ["short DNS name"]),
        (lambda query: query["host"].endswith("cluster.local"), ["full DNS name"]),
        (lambda query: query["port"] == "30123", ["NodePort"]),
        (lambda query: query["host"] == "10.96.0.7" and query["tries"] == "1", ["ClusterIP"]),
        (lambda query: query["tries"] != "1", ["load balancing"]),
    ],
)
def test_each_part_is_told_apart(cluster: Cluster, wrong: Any, failed: list[str]) -> None:
    cluster.dial = lambda source, query: "no such host" if wrong(query) else cluster.well(source, query)
    assert names(verified(cluster), False) == failed


def test_translation_and_a_lonely_replica_are_found(cluster: Cluster) -> None:
    cluster.dial = lambda source, query: json.dumps(
        {"responses": ["10.9.9.9:1" if query["request"] == "clientip" else "web-1"]}
    )
    verifier = verified(cluster)
    assert "pod to pod" in names(verifier, False)
    assert "source address 10.9.9.9, so the address was translated" in verifier.results[4].evidence

    def lonely(source: str, query: dict[str, str]) -> str:
        if query["request"] == "clientip":
            return cluster.well(source, query)
        return json.dumps({"responses": ["web-1"]})

    cluster.dial = lonely
    verifier = verified(cluster)
    assert names(verifier, False) == ["load balancing"]
    assert "only web-1 of web-1, web-2 responded" in verifier.results[-2].evidence


def test_it_cleans_up_when_the_server_refuses_the_test_pods(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Verifier, image: str, host_port: int) -> None:
        raise ApiError(403, "Forbidden", "exceeded quota")

    monkeypatch.setattr(Verifier, "_create_objects", refuse)
    with pytest.raises(ApiError, match="exceeded quota"):
        verified(cluster)
    assert HERE in cluster.deleted


def test_leftovers_go_first_and_what_is_foreign_stays(cluster: Cluster) -> None:
    cluster.made()
    assert verified(cluster).results[0].test == "leftovers of an interrupted run"
    cluster.objects[HERE] = {"metadata": {"name": NAMESPACE}}
    del cluster.deleted[:]
    with pytest.raises(NamespaceInUse, match="was not created by this module"):
        verified(cluster)
    assert cluster.deleted == []


def test_a_namespace_that_another_run_has_made_anew_stays(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    def create(self: Verifier, image: str, host_port: int) -> None:
        cluster.objects[HERE]["metadata"]["uid"] = "of another run"

    monkeypatch.setattr(Verifier, "_create_objects", create)
    verifier = verified(cluster)
    assert cluster.deleted == [] and HERE in cluster.objects
    assert verifier.results[-1].evidence == "nothing to remove: the namespace of this run no longer exists"


def test_light_puts_nothing_into_the_cluster(cluster: Cluster) -> None:
    verifier = Verifier(cluster, ["a", "b"], ["kube-system"], ONCE)
    verifier.light()
    assert names(verifier, True) == ["nodes", "API servers", "system pods"] and cluster.deleted == []


def waited(cluster: Cluster, *looks: course.Observation | Exception, times: Times = LONG) -> course.Result:
    """Let a test look until it is over; the last look is the one that goes on."""
    verifier = Verifier(cluster, [], ["kube-system"], times)
    left = list(looks)

    def look() -> course.Observation:
        seen = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(seen, Exception):
            raise seen
        return seen

    verifier._wait_for("system pods", look)
    return verifier.results[0]


def test_what_seems_hopeless_once_may_be_right_a_moment_later(cluster: Cluster) -> None:
    crashed = course.Observation(False, "web ends", True)
    assert waited(
        cluster, crashed, course.Observation(False, "web starts"), crashed, course.Observation(True, "1 of 1 Ready")
    ).ok


def test_what_stays_hopeless_is_not_waited_for_to_the_end(cluster: Cluster) -> None:
    result = waited(cluster, course.Observation(False, "no such image", True), times=LONG._replace(grace=0.01))
    assert not result.ok and result.evidence == "no such image"


def test_a_server_that_changes_its_leader_is_asked_again(cluster: Cluster) -> None:
    assert waited(
        cluster, ApiError(503, "ServiceUnavailable", "etcdserver: leader changed"), course.Observation(True, "")
    ).ok
    with pytest.raises(ApiError):
        waited(cluster, ApiError(403, "Forbidden", "no"))


class Shared(Cluster):
    """A cluster in which another verification's namespace is there for some looks."""

    def __init__(self, looks: int, answered: bool = True) -> None:
        super().__init__()
        self.looks, self.answered = looks, answered
        self.objects[HERE] = {"metadata": {"name": NAMESPACE, "labels": LABELS, "uid": "theirs"}}

    def create(self, path: str, content: dict[str, Any], manager: str) -> dict[str, Any]:
        if self.looks:
            self.looks -= 1
            raise ApiError(409, "AlreadyExists", "there")
        self.objects[HERE] = {"metadata": {**content["metadata"], "uid": "mine"}}
        if not self.answered:
            raise ApiError(409, "AlreadyExists", "the connection broke, and the request was repeated")
        return self.objects[HERE]


@pytest.mark.parametrize("cluster_of_two", [Shared(3), Shared(0, answered=False)], ids=["after them", "repeated"])
def test_two_verifications_never_share_a_namespace(cluster_of_two: Shared, cluster: Cluster) -> None:
    verifier = Verifier(cluster_of_two, [], ["kube-system"], LONG)
    assert create_namespace(verifier) == "mine"


def test_another_verification_that_does_not_end_is_left_alone(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = Shared(1000)
    monkeypatch.setattr(Verifier, "_create_namespace", create_namespace)
    monkeypatch.setattr(Verifier, "_remove_leftovers", lambda self: None)
    with pytest.raises(course.NamespaceInUse, match="Another verification is running"):
        Verifier(shared, [], ["kube-system"], ONCE).full("image", "cluster.local", 28080)
    assert shared.deleted == []


def test_a_namespace_that_the_server_refuses_removes_nothing(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Verifier) -> str:
        raise ApiError(403, "Forbidden", "no namespaces for you")

    monkeypatch.setattr(Verifier, "_create_namespace", refuse)
    with pytest.raises(ApiError, match="no namespaces for you"):
        verified(cluster)
    assert cluster.deleted == []


def test_the_test_objects_are_applied_in_order(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    applied: list[str] = []

    def apply(path: str, content: dict[str, Any], manager: str, force: bool, dry_run: bool) -> None:
        assert (manager, force, dry_run) == ("slipway.kube", True, False)
        applied.append(path)

    monkeypatch.undo()
    monkeypatch.setattr(cluster, "apply", apply, raising=False)
    Verifier(cluster, [], [], ONCE)._create_objects("r/agnhost:1", 28080)
    apps = f"/apis/apps/v1/namespaces/{NAMESPACE}"
    assert applied == [
        HERE + "/serviceaccounts/probe",
        HERE + "/services/web",
        HERE + "/services/web-node-port",
        apps + "/daemonsets/pods",
        apps + "/daemonsets/nodes",
        apps + "/deployments/web",
    ]


@pytest.mark.parametrize("timeout", [0, 1000])
def test_the_log_of_a_test_pod_that_ends_repeatedly_is_quoted(cluster: Cluster, timeout: float) -> None:
    crashing = pod("pods", "pods-a", "a", "192.168.0.1")
    ended = {"exitCode": 1, "reason": "Error", "finishedAt": "2026-11-28T10:00:00Z"}
    status = {"name": "agnhost", "ready": False, "restartCount": 3, "lastState": {"terminated": ended}}
    status["state"] = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}}
    crashing["status"] = {"conditions": [{"type": "Ready", "status": "False"}], "containerStatuses": [status]}
    crashing["spec"]["containers"] = [{"name": "agnhost"}]
    cluster.lists[HERE + "/pods"] = [crashing]
    cluster.logs[f"{HERE}/pods/pods-a/log"] = "listening\nlisten tcp :8080: bind: address already in use\n"
    verifier = Verifier(cluster, [], ["kube-system"], LONG._replace(timeout=timeout, grace=0.01))
    verifier._wait_for("test pods", verifier._test_pods)
    (result,) = verifier.results
    assert not result.ok and "log: listen tcp :8080: bind: address already in use" in result.evidence
