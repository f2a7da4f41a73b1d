# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Strategies BlueGreen and Canary: two versions of the pods, told apart, and a Service that has both, or is switched."""

from __future__ import annotations

from typing import Any

import pytest

VERSION, MARK = "slipway.kube/version", "slipway.kube/canary"
BLUE_GREEN: dict[str, Any] = {"strategy": "BlueGreen", "ports": {"http": {"port": 80, "target_port": 8080}}}
CANARY: dict[str, Any] = {**BLUE_GREEN, "strategy": "Canary"}


def version_of(made: Any) -> str:
    return str(made.workload["metadata"]["name"].removeprefix("web-"))


def test_each_version_of_the_pods_is_a_deployment_of_its_own(make: Any) -> None:
    made = make(**BLUE_GREEN, replicas=3)
    version = version_of(made)
    assert len(version) == 8 and len(made.all("Deployment")) == 1
    spec = made.workload["spec"]
    assert spec["replicas"] == 3 and spec["strategy"]["type"] == "RollingUpdate"
    assert spec["selector"]["matchLabels"][VERSION] == version == made.template["metadata"]["labels"][VERSION]
    assert version_of(make(**BLUE_GREEN, replicas=5)) == version, "the number of pods is no version"
    assert version_of(make(**BLUE_GREEN, image="web:2")) != version
    assert version_of(make(**BLUE_GREEN, env={"A": "1"})) != version
    patch = {"kind": "Deployment", "metadata": {"name": "web"}, "spec": {"template": {"spec": {"hostname": "x"}}}}
    assert version_of(make(**BLUE_GREEN, overrides=patch)) != version
    rolling = make(ports=BLUE_GREEN["ports"])
    assert VERSION not in str(rolling.objects) and rolling.workload["metadata"]["name"] == "web"


def test_the_service_is_switched_last_and_the_preview_at_once(make: Any) -> None:
    service = {"type": "NodePort", "annotations": {"team": "a"}}
    ports = {"http": {"port": 80, "target_port": 8080, "node_port": 30080}, "metrics": {"port": 9090, "service": False}}
    made = make(strategy="BlueGreen", ports=ports, service=service)
    services = {content["metadata"]["name"]: content for content in made.all("Service")}
    assert list(services) == ["web", "web-preview"]
    main, preview = services["web"], services["web-preview"]
    selector = {"app.kubernetes.io/name": "web", "slipway.kube/part": "app", VERSION: version_of(made)}
    assert main["spec"]["selector"] == preview["spec"]["selector"] == selector
    assert main["metadata"]["annotations"] == {"team": "a", "slipway.kube/apply": "last"}
    assert "annotations" not in preview["metadata"]
    assert preview["spec"]["type"] == "ClusterIP" and main["spec"]["ports"][0]["nodePort"] == 30080
    assert preview["spec"]["ports"] == [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}]


def test_checks_run_for_each_version(make: Any) -> None:
    hooks = {"post": {"check": {"image": "curl:1", "command": ["curl", "http://web-preview"]}}}
    for strategy in (BLUE_GREEN, CANARY):
        first, second = make(**strategy, hooks=hooks), make(**strategy, hooks=hooks, image="web:2")
        jobs = [made.expansion.hooks["post"][0] for made in (first, second)]
        version = first.template["metadata"]["labels"][VERSION]
        assert jobs[0] != jobs[1] and jobs[0]["metadata"]["annotations"][VERSION] == version


def test_a_canary_is_a_second_deployment_behind_the_same_service(make: Any) -> None:
    made = make(**CANARY, replicas=5, security={"run_as_user": 1000}, pod_labels={"team": "a"})
    (canary,) = made.expansion.hooks["canary"]
    assert made.workload["metadata"]["name"] == "web" and canary["metadata"]["name"] == "web-canary"
    plain = make(ports=CANARY["ports"], replicas=5, security={"run_as_user": 1000}, pod_labels={"team": "a"})
    assert made.workload["spec"]["selector"] == plain.workload["spec"]["selector"], "it is immutable"
    assert made.workload["spec"]["strategy"]["type"] == "RollingUpdate"
    labels, version = canary["spec"]["template"]["metadata"]["labels"], made.template["metadata"]["labels"][VERSION]
    assert labels == {**made.template["metadata"]["labels"], MARK: "true"} and labels["team"] == "a"
    assert canary["spec"]["template"]["spec"] == made.pod
    assert canary["spec"]["selector"]["matchLabels"] == {
        **made.workload["spec"]["selector"]["matchLabels"],
        MARK: "true",
    }
    services = {content["metadata"]["name"]: content["spec"]["selector"] for content in made.all("Service")}
    assert services["web"].items() <= labels.items() and VERSION not in services["web"] and MARK not in services["web"]
    assert services["web-preview"] == {**services["web"], VERSION: version}
    annotations = canary["metadata"]["annotations"]
    assert annotations == {f"{MARK}-of": "web", f"{MARK}-percent": "20", f"{MARK}-observe": "30"}
    chosen = make(**{**CANARY, "strategy": {"type": "Canary", "percent": 5, "observe": 0, "max_surge": 2}})
    annotations = chosen.expansion.hooks["canary"][0]["metadata"]["annotations"]
    assert annotations[f"{MARK}-percent"] == "5" and annotations[f"{MARK}-observe"] == "0"
    assert chosen.workload["spec"]["strategy"]["rollingUpdate"]["maxSurge"] == 2
    assert "canary" not in make(**BLUE_GREEN).expansion.hooks and "canary" not in plain.expansion.hooks


def test_a_canary_needs_probes_to_be_judged_by(make: Any) -> None:
    def advised(**fields: Any) -> bool:
        return any(line.startswith("strategy.type: Canary judges") for line in make(**fields).warnings)

    assert advised(**CANARY) and not advised(**CANARY, probe="/") and not advised(**BLUE_GREEN)


def test_pods_keep_apart_from_those_of_their_version_only(make: Any) -> None:
    affinity = make(**BLUE_GREEN, anti_affinity="required").pod["affinity"]["podAntiAffinity"]
    (term,) = affinity["requiredDuringSchedulingIgnoredDuringExecution"]
    assert term["matchLabelKeys"] == ["pod-template-hash"]
    assert "matchLabelKeys" not in str(make(anti_affinity="required").pod["affinity"])


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"ports": {}}, "strategy.type: BlueGreen switches the Service, so it requires one with a port."),
        ({"service": False}, "strategy.type: BlueGreen switches the Service, so it requires one with a port."),
        ({"scaling": {"max": 3}}, "scaling: is not supported with strategy: BlueGreen"),
        ({"paused": True}, "paused: is not supported with strategy: BlueGreen"),
        ({"host_network": True}, "host_network: is not supported with strategy: BlueGreen"),
        (
            {"ports": {"http": {"port": 80, "host_port": 80}}},
            "ports.http.host_port: is not supported with strategy: BlueGreen",
        ),
        (
            {"volumes": {"data": {"size": "1Gi", "path": "/data"}}},
            "volumes.data: only one node can mount it, so the pods of two versions cannot run side by side",
        ),
        (
            {"strategy": {"type": "BlueGreen", "max_surge": 1}},
            "strategy.max_surge: is supported only by RollingUpdate; BlueGreen starts all new pods while the old ones keep running.",
        ),
        ({"wait": False}, "wait: strategy BlueGreen switches to pods that are ready"),
        (
            {"kind": "StatefulSet"},
            "strategy.type: a StatefulSet supports RollingUpdate or OnDelete, not BlueGreen.",
        ),
        ({"pod_labels": {VERSION: "x"}}, "is reserved"),
        ({"pod_labels": {MARK: "x"}}, "is reserved"),
        (
            {"strategy": "Canary", "service": False},
            "strategy.type: Canary shares the requests of the Service, so it requires one with a port.",
        ),
        ({"strategy": "Canary", "paused": True}, "paused: is not supported with strategy: Canary"),
        ({"strategy": "Canary", "wait": False}, "wait: strategy Canary judges pods by their readiness"),
        (
            {"strategy": "Canary", "volumes": {"data": {"size": "1Gi", "path": "/data"}}},
            "cannot run side by side (strategy: Canary)",
        ),
        (
            {"strategy": {"type": "Canary", "observe": 300}, "timeout": 300},
            "strategy.observe: 300 s leave nothing of the timeout of the release (300 s)",
        ),
        (
            {"strategy": "Canary", "timeout": 30},
            "strategy.observe: 30 s leave nothing of the timeout of the release (30 s)",
        ),
        ({"strategy": {"type": "Canary", "percent": 0}}, "strategy.percent: must be"),
        ({"strategy": {"type": "BlueGreen", "percent": 9}}, "strategy.percent: is supported only by Canary."),
        (
            {"kind": "StatefulSet", "strategy": "Canary"},
            "strategy.type: a StatefulSet supports RollingUpdate or OnDelete, not Canary.",
        ),
    ],
)
def test_what_it_cannot_do_is_refused(refused: Any, fields: dict[str, Any], problem: str) -> None:
    problems = refused(**{**BLUE_GREEN, **fields})
    assert any(problem in line for line in problems), problems
