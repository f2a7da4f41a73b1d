# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What objects need that the API server accepts everywhere and only some clusters can do, and whether this one can.

Each look is one small request, and only for what the objects need. What this user may not read is not judged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Iterable, Mapping, Sequence

from .._kube.api import ApiError, Client
from .._kube.objects import Object, Reference, mapping, mappings, reference
from .._kube.pod_networks import POD_NETWORKS, find_pod_network

# Groups of custom resources by which controllers that give addresses are known (MetalLB, Cilium, kube-vip, PureLB, OpenELB).
BALANCERS = ("metallb.io", "cilium.io", "kubevip.io", "purelb.io", "network.kubesphere.io")
DEFAULT_INGRESS_CLASS = "ingressclass.kubernetes.io/is-default-class"
DEFAULT_STORAGE_CLASS = (
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
)
WORKLOAD_KINDS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "ReplicaSet")


@dataclass(frozen=True)
class Need:
    """Something that an object needs of the cluster.

    :param what: ``network_policy``, ``load_balancer``, ``metrics``, ``ingress_class``, ``storage_class``, ``priority_class``,
        ``runtime_class``, ``node_labels`` or ``certificate_issuer``.
    :param name: of the class or the label selector; empty for the cluster's default.
    """

    what: str
    name: str
    object: Reference


def needs(objects: Iterable[Object]) -> list[Need]:
    """Tell what some objects need of the cluster."""
    found: list[Need] = []
    for content in objects:
        kind = content.get("kind")
        look = LOOKS.get(kind) if isinstance(kind, str) else None
        if look:
            found += [Need(what, name, reference(content)) for what, name in look(content)]
    return list(dict.fromkeys(found))


def warnings(client: Client, objects: Sequence[Object]) -> list[str]:
    """Say what some objects need and the cluster cannot do; one sentence each, empty where all is well.

    :raises Unreachable: the API server does not answer.
    """
    told: dict[str, list[Need]] = {}
    for need in needs(objects):
        told.setdefault(need.what, []).append(need)
    lines: list[str] = []
    for what, those in told.items():
        try:
            lines += CHECKS[what](client, those, objects)
        except ApiError as error:
            if error.status not in (401, 403, 404):
                raise
    return lines


def _spec(content: Any) -> dict[str, Any]:
    # What is no mapping is told by the server, or was told where it was read.
    spec = content.get("spec") if isinstance(content, Mapping) else None
    return spec if isinstance(spec, dict) else {}


def _policy(content: Object) -> list[tuple[str, str]]:
    return [("network_policy", "")]


def _service(content: Object) -> list[tuple[str, str]]:
    spec = _spec(content)
    # A class of one's own names its controller; whether that runs cannot be told from here.
    return [("load_balancer", "")] if spec.get("type") == "LoadBalancer" and not spec.get("loadBalancerClass") else []


def _ingress(content: Object) -> list[tuple[str, str]]:
    annotations = mapping(content["metadata"].get("annotations"))
    named = _spec(content).get("ingressClassName") or annotations.get("kubernetes.io/ingress.class") or ""
    found = [("ingress_class", str(named))]
    if any(key in annotations for key in ("cert-manager.io/issuer", "cert-manager.io/cluster-issuer")):
        found.append(("certificate_issuer", ""))
    return found


def _autoscaler(content: Object) -> list[tuple[str, str]]:
    kinds = [str(metric.get("type")) for metric in mappings(_spec(content).get("metrics") or [{"type": "Resource"}])]
    groups = {
        "Resource": "metrics.k8s.io",
        "ContainerResource": "metrics.k8s.io",
        "Pods": "custom.metrics.k8s.io",
        "Object": "custom.metrics.k8s.io",
        "External": "external.metrics.k8s.io",
    }
    return [("metrics", groups[kind]) for kind in dict.fromkeys(kinds) if kind in groups]


def _claim(content: Object) -> list[tuple[str, str]]:
    spec = _spec(content)
    if spec.get("volumeName") or spec.get("storageClassName") == "":
        return []  # bound to a volume that is there already, without any class
    return [("storage_class", str(spec.get("storageClassName") or ""))]


def _workload(content: Object) -> list[tuple[str, str]]:
    spec = _spec(content)
    if content["kind"] == "CronJob":
        spec = _spec(spec.get("jobTemplate"))
    pod = spec if content["kind"] == "Pod" else _spec(spec.get("template"))
    found = [(what, str(pod[field])) for what, field in POD_CLASSES if pod.get(field)]
    labels = mapping(pod.get("nodeSelector"))
    if labels:
        found.append(("node_labels", ",".join("{}={}".format(*pair) for pair in sorted(labels.items()))))
    for claim in mappings(spec.get("volumeClaimTemplates")):
        found += _claim(claim)
    return found


POD_CLASSES = (("priority_class", "priorityClassName"), ("runtime_class", "runtimeClassName"))
LOOKS: dict[str, Callable[[Object], list[tuple[str, str]]]] = {
    "NetworkPolicy": _policy,
    "Service": _service,
    "Ingress": _ingress,
    "HorizontalPodAutoscaler": _autoscaler,
    "PersistentVolumeClaim": _claim,
    "Pod": _workload,
}
LOOKS.update(dict.fromkeys(WORKLOAD_KINDS, _workload))


def _who(those: Sequence[Need]) -> str:
    names = list(dict.fromkeys(str(need.object) for need in those))
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def _check_policy(client: Client, those: Sequence[Need], objects: Sequence[Object]) -> list[str]:
    sets = [content["metadata"]["name"] for content in client.items("/apis/apps/v1/daemonsets")]
    network = find_pod_network(sets)
    if network is None or network.network_policy:
        return []  # it is enforced, or by something that is not known here: no alarm without evidence
    daemon_set = next(name for name in sets if POD_NETWORKS.get(name) == network)
    return [
        f"{_who(those)}: the pod network (DaemonSet {daemon_set}) enforces no NetworkPolicy, so it has no effect. "
        "A pod network such as Calico or Cilium enforces it."
    ]


def _check_balancer(client: Client, those: Sequence[Need], objects: Sequence[Object]) -> list[str]:
    if any(name in _groups(client) for name in BALANCERS):
        return []
    for service in client.items("/api/v1/services"):
        if ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress"):
            return []
    nodes = client.get("/api/v1/nodes", {"limit": "1"}).get("items") or []
    if any(_spec(node).get("providerID") for node in nodes):
        return []  # a cloud's controller has seen this node
    return [
        f"{_who(those)}: nothing in this cluster gives addresses to Services of the type LoadBalancer, so it stays without one and is "
        "reached by its cluster address and node ports only. Install a controller such as MetalLB, or use the type NodePort "
        "or an Ingress."
    ]


def _check_metrics(client: Client, those: Sequence[Need], objects: Sequence[Object]) -> list[str]:
    served = _groups(client)
    lines = []
    for group in dict.fromkeys(need.name for need in those if need.name not in served):
        about = [need for need in those if need.name == group]
        remedy = "Install metrics-server" if group == "metrics.k8s.io" else "Install an adapter that serves it"
        lines.append(
            f"{_who(about)}: the cluster serves no {group}, so it cannot scale. {remedy}, or set a fixed number of replicas."
        )
    return lines


def _check_ingress(client: Client, those: Sequence[Need], objects: Sequence[Object]) -> list[str]:
    there = client.items("/apis/networking.k8s.io/v1/ingressclasses")
    names = {content["metadata"]["name"] for content in there} | _named(objects, "IngressClass")
    default = any(_annotated(content, DEFAULT_INGRESS_CLASS) for content in there)
    lines = []
    for name in dict.fromkeys(need.name for need in those):
        about = [need for need in those if need.name == name]
        if name and name not in names:
            lines.append(
                "{}: the cluster has no IngressClass {}, so no controller serves it. {}.".format(
                    _who(about), name, _instead(names, "install a controller")
                )
            )
        elif not name and not default:
            lines.append(
                "{} names no class and the cluster has no default IngressClass, so no controller serves it. {}.".format(
                    _who(about), _instead(names, "install a controller")
                )
            )
    return lines


def _check_storage(client: Client, those: Sequence[Need], objects: Sequence[Object]) -> list[str]:
    there = client.items("/apis/storage.k8s.io/v1/storageclasses")
    names = {content["metadata"]["name"] for content in there} | _named(objects, "StorageClass")
    default = any(_annotated(content, key) for content in there for key in DEFAULT_STORAGE_CLASS)
    lines = []
    for name in dict.fromkeys(need.name for need in those):
        about = [need for need in those if need.name == name]
        if not name and not default:
            lines.append(
                "{} names no class and the cluster has no default StorageClass, so no volume is made for it. {}.".format(
                    _who(about), _instead(names, "install a provisioner, or make a PersistentVolume and name its class")
                )
            )
        elif name and name not in names and not _has_volume(client, name, objects):
            lines.append(
                "{}: the cluster has neither a StorageClass nor a PersistentVolume of the class {}. {}.".format(
                    _who(about), name, _instead(names, "make a PersistentVolume of this class")
                )
            )
    return lines


def _check_priority(client: Client, those: Sequence[Need], objects: Sequence[Object]) -> list[str]:
    return _missing(client, those, objects, "/apis/scheduling.k8s.io/v1/priorityclasses", "PriorityClass")


def _check_runtime(client: Client, those: Sequence[Need], objects: Sequence[Object]) -> list[str]:
    return _missing(client, those, objects, "/apis/node.k8s.io/v1/runtimeclasses", "RuntimeClass")


def _check_nodes(client: Client, those: Sequence[Need], objects: Sequence[Object]) -> list[str]:
    lines = []
    for selector in dict.fromkeys(need.name for need in those):
        query = {"labelSelector": selector, "limit": "1"}
        if not client.get("/api/v1/nodes", query).get("items"):
            about = [need for need in those if need.name == selector]
            lines.append(
                "{}: no node has the labels {}, so its pods find no place. Label one: kubectl label node NAME {}".format(
                    _who(about), selector.replace(",", ", "), selector.replace(",", " ")
                )
            )
    return lines


def _check_issuer(client: Client, those: Sequence[Need], objects: Sequence[Object]) -> list[str]:
    if "cert-manager.io" in _groups(client):
        return []
    return [
        f"{_who(those)}: the cluster has no cert-manager, so nobody makes its certificate. Install it, or name a Secret with a certificate."
    ]


CHECKS: dict[str, Callable[[Client, Sequence[Need], Sequence[Object]], list[str]]] = {
    "network_policy": _check_policy,
    "load_balancer": _check_balancer,
    "metrics": _check_metrics,
    "ingress_class": _check_ingress,
    "storage_class": _check_storage,
    "priority_class": _check_priority,
    "runtime_class": _check_runtime,
    "node_labels": _check_nodes,
    "certificate_issuer": _check_issuer,
}


def _instead(names: set[str], otherwise: str) -> str:
    """Say which classes could be named instead, and what else helps."""
    if names:
        return f"Name one that is there ({', '.join(sorted(names))}), or {otherwise}"
    return f"There is none: {otherwise}"


def _missing(client: Client, those: Sequence[Need], objects: Sequence[Object], path: str, kind: str) -> list[str]:
    names = {content["metadata"]["name"] for content in client.items(path)} | _named(objects, kind)
    return [
        "{}: the cluster has no {} {}, so its pods are refused. {}.".format(
            _who([need for need in those if need.name == name]), kind, name, _instead(names, "make it")
        )
        for name in dict.fromkeys(need.name for need in those if need.name not in names)
    ]


def _groups(client: Client) -> set[str]:
    """Name the API groups that the server serves (GET /apis, C(APIGroupList))."""
    return {group["name"] for group in client.get("/apis").get("groups") or []}


def _named(objects: Sequence[Object], kind: str) -> set[str]:
    return {reference(content).name for content in objects if content.get("kind") == kind}


def _annotated(content: Mapping[str, Any], key: str) -> bool:
    return ((content.get("metadata") or {}).get("annotations") or {}).get(key) == "true"


def _has_volume(client: Client, name: str, objects: Sequence[Object]) -> bool:
    volumes = [content for content in objects if content.get("kind") == "PersistentVolume"]
    volumes += client.items("/api/v1/persistentvolumes")
    return any(_spec(volume).get("storageClassName") == name for volume in volumes)
