# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who asks whom when a cluster is verified, and what the answers mean."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._verify.agnhost import (
    NAMESPACE,
    NEIGHBOURS,
    AgnhostPod,
    Answer,
    Call,
    failures,
    namespace,
    node_port_calls,
    objects,
    pairs_of,
    pod_calls,
    read_answer,
    running_pods,
    service_calls,
    shorten,
    translated,
)


def probe(node: str, number: int, app: str = "pods") -> AgnhostPod:
    """A probe on a node."""
    host = app == "nodes"
    return AgnhostPod(
        f"{app}-{node}", node, ("10.0.0.%d" if host else "192.168.0.%d") % number, 28080 if host else 8080, host
    )


def found(count: int) -> dict[str, list[AgnhostPod]]:
    """The probes of a cluster of some nodes."""
    apps = {app: [probe(f"n{number}", number, app) for number in range(count)] for app in ("pods", "nodes")}
    return dict(apps, web=[probe("n0", 101, "web"), AgnhostPod("web-b", "n0", "192.168.0.102", 8080)])


def test_the_test_pods_go_everywhere_and_into_one_namespace() -> None:
    made = [namespace({}), *objects("r/agnhost:1", 28080)]
    assert made[0]["metadata"]["name"] == NAMESPACE and {
        content["metadata"].get("namespace") for content in made[1:]
    } == {NAMESPACE}
    workloads = [content for content in made if content["apiVersion"] == "apps/v1"]
    assert [content["kind"] for content in workloads] == ["DaemonSet", "DaemonSet", "Deployment"]
    for content in workloads:
        spec = content["spec"]["template"]["spec"]
        assert spec["tolerations"] == [{"operator": "Exists"}]
        assert spec["containers"][0]["image"] == "r/agnhost:1"
        assert spec["containers"][0]["readinessProbe"]["httpGet"]["port"] in (8080, 28080)
        assert content["spec"]["selector"]["matchLabels"] == content["spec"]["template"]["metadata"]["labels"]
    assert [bool(content["spec"]["template"]["spec"].get("hostNetwork")) for content in workloads] == [
        False,
        True,
        False,
    ]
    assert "--http-port=28080" in workloads[1]["spec"]["template"]["spec"]["containers"][0]["args"]


def test_running_pods_are_sorted_by_what_they_are_for() -> None:
    def pod(app: str, node: str, address: str | None, **metadata: Any) -> dict[str, Any]:
        return {
            "metadata": {"name": app + node, "labels": {"app": app}, **metadata},
            "spec": {"nodeName": node},
            "status": {"podIP": address} if address else {},
        }

    pods = [
        pod("pods", "b", "1.1.1.2"),
        pod("pods", "a", "1.1.1.1"),
        pod("nodes", "a", "10.0.0.1"),
        pod("web", "a", None),
    ]
    sorted_pods = running_pods(
        [*pods, pod("web", "b", "1.1.1.9", deletionTimestamp="now"), pod("other", "a", "1.1.1.3")], 28080
    )
    assert [(one.node, one.port, one.host) for one in sorted_pods["pods"]] == [("a", 8080, False), ("b", 8080, False)]
    assert [(one.node, one.port, one.host) for one in sorted_pods["nodes"]] == [("a", 28080, True)]
    assert sorted_pods["web"] == []


@pytest.mark.parametrize("count", [2, 3, 12])
def test_every_pair_of_nodes_is_asked_in_both_directions(count: int) -> None:
    calls = pod_calls(found(count), from_nodes=False)
    pairs = {(call.source.address, call.host) for call in calls}
    assert len(calls) == len(pairs) == count * (count - 1)
    assert all(call.request == "clientip" for call in calls)


def test_in_a_large_cluster_each_asks_the_next_ones() -> None:
    some = found(40)
    pairs = pairs_of(some["pods"], some["pods"])
    assert len(pairs) == 40 * NEIGHBOURS
    assert all(sum(target is one for _source, target in pairs) == NEIGHBOURS for one in some["pods"])
    assert all(source.name != target.name for source, target in pairs)


def test_a_single_node_asks_the_pods_of_the_web() -> None:
    assert {call.host for call in pod_calls(found(1), from_nodes=False)} == {"192.168.0.101", "192.168.0.102"}
    assert [call.host for call in node_port_calls(found(1), 30000)] == ["10.0.0.0"]


def test_nodes_ask_pods_services_and_ports() -> None:
    assert {(call.source.node, call.host) for call in pod_calls(found(2), from_nodes=True)} == {
        (node, address) for node in ("n0", "n1") for address in ("192.168.0.0", "192.168.0.1")
    }
    calls = service_calls(found(2), "10.96.0.7", 80, "Service web", ("pods", "nodes"), 4)
    assert len(calls) == 4 and calls[0].query() == {
        "host": "10.96.0.7",
        "port": "80",
        "request": "hostname",
        "protocol": "http",
        "tries": "4",
    }
    assert str(calls[-1]) == "node n1 to Service web"
    assert {(call.source.node, call.host, call.port) for call in node_port_calls(found(2), 30000)} == {
        ("n0", "10.0.0.1", 30000),
        ("n1", "10.0.0.0", 30000),
    }


CALL = Call(probe("a", 1), "192.168.0.2", 8080, "clientip", target="pod 192.168.0.2 on b")


def test_answers_are_read() -> None:
    assert read_answer(CALL, json.dumps({"responses": ["x"]})) == Answer(CALL, ("x",), sent=True)
    assert read_answer(CALL, json.dumps({"errors": ["y"]})) == Answer(CALL, (), ("y",), sent=True)
    assert read_answer(CALL, "no such host") == Answer(CALL, (), ("no such host",))
    assert read_answer(CALL, "") == Answer(CALL, (), ("no response",))


def test_a_call_fails_by_error_by_silence_and_by_the_wrong_one_answering() -> None:
    answers = [
        Answer(CALL, ("web-1",)),
        Answer(CALL, (), ("timeout",)),
        Answer(CALL),
        Answer(CALL, ("stranger",)),
        Answer(CALL, ("web-1",), ("once",)),
    ]
    assert failures(answers, ["web-1"]) == [
        "pod 192.168.0.1 on a to pod 192.168.0.2 on b: timeout",
        "pod 192.168.0.1 on a to pod 192.168.0.2 on b: no response",
        "pod 192.168.0.1 on a to pod 192.168.0.2 on b: stranger responded, which is not one of web-1",
        "pod 192.168.0.1 on a to pod 192.168.0.2 on b: once",
    ]


def test_a_translated_address_is_found() -> None:
    assert translated([Answer(CALL, ("192.168.0.1:4242",))]) == []
    (said,) = translated([Answer(CALL, ("10.0.0.5:4242",))])
    assert "arrived with source address 10.0.0.5, so the address was translated" in said
    six = Call(AgnhostPod("p", "a", "fd00::1", 8080), "fd00::2", 8080, "clientip")
    assert translated([Answer(six, ("[fd00::1]:4242",))]) == []
    assert len(translated([Answer(CALL, (), ("timeout",))])) == 1


def test_small_things() -> None:
    assert shorten(list("abcdefg"), 2) == "a\nb\nand 5 more"
    assert shorten(["a"]) == "a" and shorten([]) == ""
