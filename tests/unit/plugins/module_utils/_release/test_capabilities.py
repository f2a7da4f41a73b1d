# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cluster cannot do for the objects of a release."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._kube.api import ApiError, Unreachable
from ansible_collections.slipway.kube.plugins.module_utils._release.capabilities import needs, warnings

DAEMONSETS = "/apis/apps/v1/daemonsets"
CLASSES = "/apis/storage.k8s.io/v1/storageclasses"
INGRESS_CLASSES = "/apis/networking.k8s.io/v1/ingressclasses"
DEFAULT_STORAGE = {"storageclass.kubernetes.io/is-default-class": "true"}
DEFAULT_INGRESS = {"ingressclass.kubernetes.io/is-default-class": "true"}


def named(name: str, annotations: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    return dict(more, metadata={"name": name, "annotations": annotations or {}})


class Cluster:
    """Outcomes as an API server does whose lists these are; what is not here is empty, or not there."""

    def __init__(self, lists: dict[str, list[dict[str, Any]]] | None = None, groups: tuple[str, ...] = ()) -> None:
        self.lists = lists or {}
        self.groups = groups
        self.asked: list[str] = []
        self.error: Exception | None = None

    def items(self, path: str, query: Any = None) -> list[dict[str, Any]]:
        self.asked.append(path)
        if self.error:
            raise self.error
        return self.lists.get(path, [])

    def get(self, path: str, query: dict[str, str] | None = None) -> dict[str, Any]:
        self.asked.append(path)
        if self.error:
            raise self.error
        if path == "/apis":
            return {"groups": [{"name": group} for group in self.groups]}
        wanted = dict(part.split("=") for part in (query or {}).get("labelSelector", "").split(",") if part)
        found = [
            item
            for item in self.lists.get(path, [])
            if wanted.items() <= (item["metadata"].get("labels") or {}).items()
        ]
        return {"items": found[: int((query or {}).get("limit", 1000))]}


def content(kind: str, spec: dict[str, Any] | None = None, annotations: dict[str, str] | None = None) -> dict[str, Any]:
    metadata = {"name": "web", "namespace": "shop", "annotations": annotations or {}}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": spec or {}}


POLICY = content("NetworkPolicy")
BALANCED = content("Service", {"type": "LoadBalancer"})
SCALER = content("HorizontalPodAutoscaler", {"metrics": [{"type": "Resource"}]})
INGRESS = content("Ingress", {"ingressClassName": "traefik"})
PLAIN_INGRESS = content("Ingress")
ISSUED = content("Ingress", {"ingressClassName": "traefik"}, {"cert-manager.io/issuer": "le"})
CLAIM = content("PersistentVolumeClaim", {"storageClassName": "manual"})
PLAIN_CLAIM = content("PersistentVolumeClaim")
POD = {"priorityClassName": "high", "nodeSelector": {"disktype": "ssd"}}
DEPLOYMENT = content("Deployment", {"template": {"spec": POD}})
CRON = content("CronJob", {"jobTemplate": {"spec": {"template": {"spec": {"runtimeClassName": "gvisor"}}}}})
STATEFUL = content("StatefulSet", {"template": {"spec": {}}, "volumeClaimTemplates": [{"spec": {}}]})

LACKING = [
    (
        POLICY,
        Cluster({DAEMONSETS: [named("kube-flannel-ds"), named("kube-proxy")]}),
        "NetworkPolicy shop/web: the pod network (DaemonSet kube-flannel-ds) does not enforce NetworkPolicy",
    ),
    (
        BALANCED,
        Cluster({"/api/v1/nodes": [named("w1")]}),
        "Service shop/web: no controller in this cluster assigns addresses to Services of type LoadBalancer",
    ),
    (
        SCALER,
        Cluster(),
        "HorizontalPodAutoscaler shop/web: the cluster does not serve metrics.k8s.io, so it cannot scale. Install metrics-server",
    ),
    (
        INGRESS,
        Cluster({INGRESS_CLASSES: [named("nginx")]}),
        "Ingress shop/web: the cluster has no IngressClass traefik, so no controller serves it. Use an existing one (nginx), or install a controller.",
    ),
    (
        PLAIN_INGRESS,
        Cluster({INGRESS_CLASSES: [named("nginx")]}),
        "Ingress shop/web specifies no class and the cluster has no default IngressClass",
    ),
    (
        ISSUED,
        Cluster({INGRESS_CLASSES: [named("traefik")]}),
        "Ingress shop/web: cert-manager is not installed in the cluster",
    ),
    (
        CLAIM,
        Cluster({CLASSES: [named("local-path")]}),
        "PersistentVolumeClaim shop/web: the cluster has neither a StorageClass nor a PersistentVolume of class manual.",
    ),
    (
        PLAIN_CLAIM,
        Cluster(),
        "PersistentVolumeClaim shop/web specifies no class and the cluster has no default StorageClass",
    ),
    (STATEFUL, Cluster(), "StatefulSet shop/web specifies no class"),
    (CRON, Cluster(), "CronJob shop/web: the cluster has no RuntimeClass gvisor"),
]

ABLE = [
    (POLICY, Cluster({DAEMONSETS: [named("calico-node"), named("kube-flannel-ds")]})),
    (POLICY, Cluster({DAEMONSETS: [named("some-network")]})),
    (BALANCED, Cluster(groups=("metallb.io",))),
    (BALANCED, Cluster({"/api/v1/nodes": [named("w1", spec={"providerID": "aws:///x"})]})),
    (BALANCED, Cluster({"/api/v1/services": [named("x", status={"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}})]})),
    (content("Service", {"type": "LoadBalancer", "loadBalancerClass": "own"}), Cluster()),
    (content("Service", {"type": "ClusterIP"}), Cluster()),
    (SCALER, Cluster(groups=("metrics.k8s.io",))),
    (INGRESS, Cluster({INGRESS_CLASSES: [named("traefik")]})),
    (PLAIN_INGRESS, Cluster({INGRESS_CLASSES: [named("nginx", DEFAULT_INGRESS)]})),
    (ISSUED, Cluster({INGRESS_CLASSES: [named("traefik")]}, ("cert-manager.io",))),
    (CLAIM, Cluster({CLASSES: [named("manual")]})),
    (CLAIM, Cluster({"/api/v1/persistentvolumes": [named("pv", spec={"storageClassName": "manual"})]})),
    (PLAIN_CLAIM, Cluster({CLASSES: [named("local-path", DEFAULT_STORAGE)]})),
    (content("PersistentVolumeClaim", {"storageClassName": ""}), Cluster()),
    (content("PersistentVolumeClaim", {"volumeName": "pv"}), Cluster()),
]


@pytest.mark.parametrize(("wanted", "cluster", "beginning"), LACKING)
def test_what_is_lacking_is_said_once_with_the_object_first(wanted, cluster, beginning) -> None:
    told = warnings(cluster, [wanted])
    assert len(told) == 1 and told[0].startswith(beginning)


@pytest.mark.parametrize(("wanted", "cluster"), ABLE)
def test_nothing_is_said_where_the_cluster_can_or_nobody_knows(wanted, cluster) -> None:
    assert warnings(cluster, [wanted]) == []


def test_pods_that_find_no_node_and_no_class() -> None:
    told = warnings(Cluster({"/api/v1/nodes": [named("w1")]}), [DEPLOYMENT])
    assert told == [
        "Deployment shop/web: the cluster has no PriorityClass high, so its pods are refused. None exists: create it.",
        "Deployment shop/web: no node has the labels disktype=ssd, so its pods cannot be scheduled. Label a node: kubectl label node NAME disktype=ssd",
    ]
    node = {"metadata": {"name": "w1", "labels": {"disktype": "ssd"}}}
    able = Cluster({"/api/v1/nodes": [node], "/apis/scheduling.k8s.io/v1/priorityclasses": [named("high")]})
    assert warnings(able, [DEPLOYMENT]) == []


def test_what_comes_with_the_objects_counts() -> None:
    volume = {"kind": "PersistentVolume", "metadata": {"name": "pv"}, "spec": {"storageClassName": "manual"}}
    own = {"kind": "IngressClass", "metadata": {"name": "traefik"}}
    assert warnings(Cluster(), [CLAIM, volume, INGRESS, own]) == []


def test_several_objects_are_one_warning() -> None:
    other = dict(POLICY, metadata={"name": "db", "namespace": "shop"})
    told = warnings(Cluster({DAEMONSETS: [named("kube-flannel-ds")]}), [POLICY, other])
    assert len(told) == 1 and told[0].startswith("NetworkPolicy shop/web and 1 more:")


def test_nothing_is_asked_for_objects_that_need_nothing() -> None:
    cluster = Cluster()
    plain = [
        content("ConfigMap"),
        content("Deployment", {"template": {"spec": {}}}),
        {"kind": "Role", "metadata": {"name": "x"}},
    ]
    assert (warnings(cluster, plain), needs(plain), cluster.asked) == ([], [], [])


def test_what_one_may_not_read_is_not_judged() -> None:
    cluster = Cluster()
    cluster.error = ApiError(403, "Forbidden", "no")
    assert warnings(cluster, [POLICY, BALANCED, SCALER, INGRESS, CLAIM, DEPLOYMENT]) == []
    cluster.error = ApiError(500, "InternalError", "no")
    with pytest.raises(ApiError):
        warnings(cluster, [POLICY])
    cluster.error = Unreachable("gone")
    with pytest.raises(Unreachable):
        warnings(cluster, [POLICY])


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("Deployment", ["x"]),
        ("Deployment", {"template": "x"}),
        ("Deployment", {"template": {"spec": "x"}}),
        ("CronJob", {"jobTemplate": "x"}),
        ("Pod", "x"),
        ("Service", "x"),
        ("Ingress", 3),
        ("PersistentVolumeClaim", "x"),
    ],
)
def test_a_spec_of_another_shape_is_not_looked_into(kind: str, spec: Any) -> None:
    shaped = content(kind, {})
    assert needs([dict(shaped, spec=spec)]) == needs([shaped])
