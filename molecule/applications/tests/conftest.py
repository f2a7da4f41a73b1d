# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scenario's cluster, and objects to deploy on it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.kube import Kube
from harness.playbook import output_of

Object = dict[str, Any]


@pytest.fixture(scope="session")
def lab() -> str:
    return f"molecule-{os.environ['MOLECULE_SCENARIO_NAME']}"


@pytest.fixture(scope="session")
def kube(lab: str) -> Kube:
    return Kube(lab)


@pytest.fixture
def folder(lab: str, request: pytest.FixtureRequest) -> Path:
    """Where the runs of a test leave their output, for who has to find out why."""
    return output_of(lab) / request.node.name


@pytest.fixture
def namespace(kube: Kube, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace for one test."""
    name = (
        request.node.name.removeprefix("test_")
        .replace("_", "-")
        .replace("[", "-")
        .replace("]", "")
        .replace(".", "-")[:50]
        .strip("-")
    )
    kube.make_namespace(name)
    yield name
    kube.remove_namespaces([name])


def config_map(name: str, **data: str) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def workload(image: str, kind: str = "Deployment", name: str = "web", replicas: int = 1, **container: Any) -> Object:
    """Give a workload that answers HTTP; *container* changes its container."""
    main = {
        "name": "web",
        "image": image,
        "args": ["netexec", "--http-port=8080", "--udp-port=-1"],
        "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "5m", "memory": "16Mi"}},
        **container,
    }
    labels = {"app": name}
    spec: Object = {
        "replicas": replicas,
        "selector": {"matchLabels": labels},
        "template": {
            "metadata": {"labels": labels},
            "spec": {"terminationGracePeriodSeconds": 0, "containers": [main]},
        },
    }
    if kind == "StatefulSet":
        spec["serviceName"] = name
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}
