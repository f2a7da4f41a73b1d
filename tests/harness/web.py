# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An application with two replicas and a disruption budget, and what an upgrade changes in its cluster."""

from __future__ import annotations

import os
from typing import Any

import yaml

from harness.kube import Kube, workload
from harness.origin import DEFAULTS

DEFAULT = yaml.safe_load(DEFAULTS.read_text())
OLD = os.environ.get("UPGRADE_FROM") or "1.36.3"
NEW = str(DEFAULT["kube_version"])
MINORS = [int(version.split(".")[1]) for version in (OLD, NEW)]
THROUGH = [str(DEFAULT["kube_versions"][f"1.{minor}"]["kubernetes"]) for minor in range(MINORS[0] + 1, MINORS[1])]


def agnhost(version: str) -> str:
    """Return the image that belongs to a version of Kubernetes."""
    minor = ".".join(version.split(".")[:2])
    return f"registry.k8s.io/e2e-test-images/agnhost:{DEFAULT['kube_versions'][minor]['agnhost']}"


def budget(name: str, available: int) -> dict[str, Any]:
    spec = {"minAvailable": available, "selector": {"matchLabels": {"app": name}}}
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": name}, "spec": spec}


def deploy_web(kube: Kube, version: str, port: int) -> None:
    """Deploy the application on the workers w1 and w2, behind a port of every node."""
    web = workload(agnhost(version), replicas=2, lifecycle={"preStop": {"sleep": {"seconds": 15}}})
    spread = {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway"}
    web["spec"]["template"]["spec"].update(
        terminationGracePeriodSeconds=30,
        topologySpreadConstraints=[{**spread, "labelSelector": {"matchLabels": {"app": "web"}}}],
    )
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"type": "NodePort", "selector": {"app": "web"}, "ports": [{"port": 8080, "nodePort": port}]},
    }
    kube.apply([web, service, budget("web", 1)])
    kube.kubectl("rollout", "status", "deployment/web", "--timeout=180s")
    assert {pod["spec"]["nodeName"] for pod in kube.get("pods")} == {"w1", "w2"}


def versions(kube: Kube) -> dict[str, str]:
    """Return the version of each node's kubelet."""
    return {node["metadata"]["name"]: node["status"]["nodeInfo"]["kubeletVersion"] for node in kube.get("nodes")}
