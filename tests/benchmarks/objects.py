# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects to measure with: an application of a given size, and nodes and pods that only the API knows."""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]
NODE = "kwok.x-k8s.io/node"


def application(count: int, namespace: str, image: str) -> list[Object]:
    """Give *count* objects: of ten, six ConfigMaps, two Services and two Deployments with a pod each."""
    found = []
    for number in range(count):
        name = f"part-{number:03d}"
        metadata = {"name": name, "namespace": namespace}
        if number % 10 < 6:
            data = {"setting": f"value {number}", "file.conf": "\n".join(f"key{line} = {line}" for line in range(20))}
            found.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})
        elif number % 10 < 8:
            spec: Object = {"selector": {"app": f"part-{number + 2:03d}"}, "ports": [{"port": 80, "targetPort": 8080}]}
            found.append({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})
        else:
            container = {"name": "pause", "image": image, "resources": {"requests": {"cpu": "1m", "memory": "4Mi"}}}
            spec = {
                "replicas": 1,
                "selector": {"matchLabels": {"app": name}},
                "template": {
                    "metadata": {"labels": {"app": name}},
                    "spec": {"containers": [container], "terminationGracePeriodSeconds": 0},
                },
            }
            found.append({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec})
    return found


def nodes(count: int) -> list[Object]:
    """Give nodes for kwok to keep alive."""
    sizes = {"cpu": "32", "memory": "256Gi", "pods": "110"}
    return [
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": f"kwok-{number:04d}",
                "annotations": {NODE: "fake"},
                "labels": {"type": "kwok", "kubernetes.io/hostname": f"kwok-{number:04d}", "kubernetes.io/os": "linux"},
            },
            "spec": {"taints": [{"key": NODE, "value": "fake", "effect": "NoSchedule"}]},
            "status": {"allocatable": sizes, "capacity": sizes},
        }
        for number in range(count)
    ]


def fleet(pods: int, namespace: str) -> list[Object]:
    """Give Deployments of 100 pods each that run on kwok's nodes alone."""
    found = []
    for number in range(pods // 100):
        name = f"fleet-{number:03d}"
        container = {"name": "main", "image": "registry.example.com/main:1", "resources": {"requests": {"cpu": "10m"}}}
        spec = {
            "replicas": 100,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {
                    "containers": [container],
                    "nodeSelector": {"type": "kwok"},
                    "tolerations": [{"key": NODE, "operator": "Exists", "effect": "NoSchedule"}],
                },
            },
        }
        metadata = {"name": name, "namespace": namespace}
        found.append({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec})
    return found
