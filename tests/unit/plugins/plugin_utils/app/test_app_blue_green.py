# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Strategy BlueGreen: a Deployment for each version of the pods, and a Service that is switched when the new one is ready."""

from __future__ import annotations

from typing import Any

import pytest

VERSION = "slipway.kube/version"
BLUE_GREEN: dict[str, Any] = {"strategy": "BlueGreen", "ports": {"http": {"port": 80, "target_port": 8080}}}


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
    first, second = make(**BLUE_GREEN, hooks=hooks), make(**BLUE_GREEN, hooks=hooks, image="web:2")
    jobs = [made.expansion.hooks["post"][0] for made in (first, second)]
    assert jobs[0] != jobs[1] and jobs[0]["metadata"]["annotations"][VERSION] == version_of(first)


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
            "strategy.max_surge: is supported only by RollingUpdate; BlueGreen starts all new pods beside the old ones.",
        ),
        ({"wait": False}, "wait: strategy BlueGreen switches to pods that are ready"),
        (
            {"kind": "StatefulSet"},
            "strategy.type: a StatefulSet supports RollingUpdate or OnDelete, not BlueGreen.",
        ),
        ({"pod_labels": {VERSION: "x"}}, "is reserved"),
    ],
)
def test_what_it_cannot_do_is_refused(refused: Any, fields: dict[str, Any], problem: str) -> None:
    problems = refused(**{**BLUE_GREEN, **fields})
    assert any(problem in line for line in problems), problems
