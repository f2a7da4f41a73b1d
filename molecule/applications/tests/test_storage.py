# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes that somebody wrote: what a claim gets, when it gets it, and what becomes of the data when the claim is gone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.kube import Kube, call, eventually

HOSTNAME = "kubernetes.io/hostname"
Name = str


@pytest.fixture
def own(kube: Kube, namespace: str) -> Iterator[Name]:
    """The namespace, whose name is that of a class as well; the volumes and the class are deleted after the test, and the folders are left to the lab."""
    yield namespace
    kube.kubectl("--namespace", namespace, "delete", "deployment,pvc", "--all", "--timeout=120s")
    volumes = [
        one["metadata"]["name"] for one in kube.get("pv") or [] if one["spec"].get("storageClassName") == namespace
    ]
    kube.kubectl("delete", "--ignore-not-found", f"storageclass/{namespace}", *(f"pv/{name}" for name in volumes))


def volume(own: Name, name: str, node: str, policy: str = "Retain", path: str = "/mnt") -> dict[str, Any]:
    """A volume of 10Gi in a folder of a node."""
    rule = {"key": HOSTNAME, "operator": "In", "values": [node]}
    spec = {
        "storageClassName": own,
        "capacity": {"storage": "10Gi"},
        "accessModes": ["ReadWriteOnce"],
        "persistentVolumeReclaimPolicy": policy,
        "hostPath": {"path": f"{path}/{own}-{name}", "type": "DirectoryOrCreate"},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [rule]}]}},
    }
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": f"{own}-{name}"}, "spec": spec}


def storage_class(own: Name, mode: str) -> dict[str, Any]:
    provisioner = {"provisioner": "kubernetes.io/no-provisioner", "volumeBindingMode": mode}
    return {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": own}, **provisioner}


def claim(own: Name, size: str = "5Gi") -> dict[str, Any]:
    spec = {"storageClassName": own, "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"}, "spec": spec}


def store(kube: Kube, node: str = "") -> dict[str, Any]:
    """A Deployment of one pod with the claim, which may have to run on a node."""
    container = {
        "name": "store",
        "image": kube.agnhost,
        "args": ["pause"],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    spec: dict[str, Any] = {
        "terminationGracePeriodSeconds": 0,
        "containers": [container],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
    }
    if node:
        spec["nodeSelector"] = {HOSTNAME: node}
    labels = {"app": "store"}
    template = {"metadata": {"labels": labels}, "spec": spec}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "store"},
        "spec": {"strategy": {"type": "Recreate"}, "selector": {"matchLabels": labels}, "template": template},
    }


def bound(kube: Kube, own: Name, name: str) -> None:
    """Wait until the claim has the volume."""
    eventually(
        lambda: kube.get("pvc", "data", own)["spec"].get("volumeName") == f"{own}-{name}", 30, f"bound to {name}"
    )


def runs(kube: Kube, own: Name, command: str) -> str:
    """Wait for the pod, and return what a command says in it."""
    kube.kubectl("--namespace", own, "rollout", "status", "deployment/store", "--timeout=120s")
    return kube.kubectl("--namespace", own, "exec", "deployment/store", "--", "sh", "-c", command).strip()


def phase(kube: Kube, own: Name, name: str) -> str:
    return str(kube.get("pv", f"{own}-{name}")["status"]["phase"])


def told(kube: Kube, own: Name, folder: Path) -> str:
    answer = call(kube, folder, "health_info", {"namespaces": [own]}).ok().answer
    return " ".join(f"{one['title']} {one['evidence']}" for one in answer["findings"])


def test_what_is_retained_is_given_to_a_claim_again_only_by_hand(kube: Kube, own: Name, folder: Path) -> None:
    kube.apply([volume(own, "a", "w1"), claim(own), store(kube)], own)  # no StorageClass of this name is needed
    bound(kube, own, "a")
    assert runs(kube, own, "echo kept >/data/file; cat /data/file") == "kept"
    kube.kubectl("--namespace", own, "delete", "pod", "--all")
    assert runs(kube, own, "cat /data/file") == "kept"
    kube.kubectl("--namespace", own, "delete", "deployment/store", "pvc/data", "--timeout=120s")
    eventually(lambda: phase(kube, own, "a") == "Released", 30, "it is released")
    kube.apply([claim(own), store(kube)], own)
    eventually(lambda: "phase Released" in told(kube, own, folder), 60, "the reason is named")
    kube.kubectl("patch", "pv", f"{own}-a", "--type=json", '--patch=[{"op": "remove", "path": "/spec/claimRef"}]')
    bound(kube, own, "a")
    assert runs(kube, own, "cat /data/file") == "kept"


def test_files_of_a_volume_that_somebody_wrote_are_not_deleted(kube: Kube, own: Name) -> None:
    kube.apply([volume(own, "a", "w1", policy="Delete"), claim(own), store(kube)], own)
    runs(kube, own, "echo kept >/data/file")
    kube.kubectl("--namespace", own, "delete", "deployment/store", "pvc/data", "--timeout=120s")
    eventually(lambda: phase(kube, own, "a") == "Failed", 60, "it failed")
    assert "/tmp" in kube.get("pv", f"{own}-a")["status"]["message"]


def test_a_claim_that_binds_at_once_may_bind_to_the_wrong_node(kube: Kube, own: Name, folder: Path) -> None:
    kube.apply([storage_class(own, "Immediate"), volume(own, "a", "w2"), claim(own)], own)
    bound(kube, own, "a")
    kube.apply([store(kube, "w1")], own)
    eventually(lambda: "volume" in told(kube, own, folder), 60, "the reason is named")
    assert kube.get("deployment", "store", own)["status"].get("readyReplicas", 0) == 0


def test_a_claim_that_waits_for_its_pod_gets_a_volume_of_its_node(kube: Kube, own: Name, folder: Path) -> None:
    volumes = [volume(own, "a", "w2"), volume(own, "b", "w1")]
    kube.apply([storage_class(own, "WaitForFirstConsumer"), *volumes, claim(own)], own)
    eventually(lambda: phase(kube, own, "b") == "Available", 30, "the volumes are there")
    assert kube.get("pvc", "data", own)["status"]["phase"] == "Pending" and told(kube, own, folder) == ""
    kube.apply([store(kube, "w1")], own)
    bound(kube, own, "b")
    runs(kube, own, "true")
