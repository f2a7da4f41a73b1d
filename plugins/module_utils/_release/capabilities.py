# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What objects need that the API server always accepts but only some clusters provide, and whether this cluster does.

Each check is one small request, and is made only for what the objects need. What this user may not read is not checked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Iterable, Mapping, Sequence

from .._kube.api import ApiError, Client
from .._kube.objects import Object, Reference, mapping, mappings, reference
from .._kube.pod_networks import POD_NETWORKS, find_pod_network

# API groups of controllers that assign addresses (MetalLB, Cilium, kube-vip, PureLB, OpenELB).
BALANCERS = ("metallb.io", "cilium.io", "kubevip.io", "purelb.io", "network.kubesphere.io")
DEFAULT_INGRESS_CLASS = ("ingressclass.kubernetes.io/is-default-class",)
DEFAULT_STORAGE_CLASS = (
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
)
METRICS_API = {
    "Resource": "metrics.k8s.io",
    "ContainerResource": "metrics.k8s.io",
    "Pods": "custom.metrics.k8s.io",
    "Object": "custom.metrics.k8s.io",
    "External": "external.metrics.k8s.io",
}
WORKLOAD_KINDS = ("Pod", "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "ReplicaSet")


@dataclass(frozen=True)
class Need:
    """Something that an object needs from the cluster.

    :param what: ``network_policy``, ``load_balancer``, ``metrics``, ``ingress_class``, ``storage_class``, ``priority_class``,
        ``runtime_class``, ``node_labels`` or ``certificate_issuer``.
    :param name: of the class or the label selector; empty for the cluster's default.
    """

    what: str
    name: str
    object: Reference


def needs(objects: Iterable[Object]) -> list[Need]:
    """Return what some objects need from the cluster."""
    found = [Need(what, name, reference(content)) for content in objects for what, name in _needs_of(content)]
    return list(dict.fromkeys(found))


def warnings(client: Client, objects: Sequence[Object]) -> list[str]:
    """Return one sentence for each thing that some objects need and the cluster does not provide.

    :raises Unreachable: the API server does not respond.
    """
    by_capability: dict[str, list[Need]] = {}
    for need in needs(objects):
        by_capability.setdefault(need.what, []).append(need)
    lines: list[str] = []
    for what, required in by_capability.items():
        try:
            lines += CHECKS[what](client, required, objects)
        except ApiError as error:
            if error.status not in (401, 403, 404):
                raise
    return lines


def _spec(content: Any) -> dict[str, Any]:
    # Anything but a mapping is reported by the server, or was reported when the object was read.
    spec = content.get("spec") if isinstance(content, Mapping) else None
    return spec if isinstance(spec, dict) else {}


def _needs_of(content: Object) -> list[tuple[str, str]]:
    kind, spec = content.get("kind"), _spec(content)
    if kind == "NetworkPolicy":
        return [("network_policy", "")]
    if kind == "Service":
        # A loadBalancerClass names its controller; whether that is running cannot be checked here.
        needed = spec.get("type") == "LoadBalancer" and not spec.get("loadBalancerClass")
        return [("load_balancer", "")] if needed else []
    if kind == "Ingress":
        annotations = mapping(content["metadata"].get("annotations"))
        named = spec.get("ingressClassName") or annotations.get("kubernetes.io/ingress.class") or ""
        issued = any(key in annotations for key in ("cert-manager.io/issuer", "cert-manager.io/cluster-issuer"))
        return [("ingress_class", str(named))] + ([("certificate_issuer", "")] if issued else [])
    if kind == "HorizontalPodAutoscaler":
        types = [str(metric.get("type")) for metric in mappings(spec.get("metrics") or [{"type": "Resource"}])]
        return [("metrics", METRICS_API[name]) for name in dict.fromkeys(types) if name in METRICS_API]
    if kind == "PersistentVolumeClaim":
        return _claim(spec)
    return _workload(content) if kind in WORKLOAD_KINDS else []


def _claim(spec: Mapping[str, Any]) -> list[tuple[str, str]]:
    if spec.get("volumeName") or spec.get("storageClassName") == "":
        return []  # bound to an existing volume, without any class
    return [("storage_class", str(spec.get("storageClassName") or ""))]


def _workload(content: Object) -> list[tuple[str, str]]:
    spec = _spec(content)
    if content["kind"] == "CronJob":
        spec = _spec(spec.get("jobTemplate"))
    pod = spec if content["kind"] == "Pod" else _spec(spec.get("template"))
    classes = (("priority_class", "priorityClassName"), ("runtime_class", "runtimeClassName"))
    found = [(what, str(pod[field])) for what, field in classes if pod.get(field)]
    labels = mapping(pod.get("nodeSelector"))
    if labels:
        found.append(("node_labels", ",".join(f"{name}={value}" for name, value in sorted(labels.items()))))
    for claim in mappings(spec.get("volumeClaimTemplates")):
        found += _claim(_spec(claim))
    return found


def _by_name(required: Sequence[Need]) -> dict[str, str]:
    """Return, for each name, the objects that need it, in words."""
    by_name: dict[str, dict[str, None]] = {}
    for need in required:
        by_name.setdefault(need.name, {})[str(need.object)] = None
    return {
        name: next(iter(users)) + (f" and {len(users) - 1} more" if len(users) > 1 else "")
        for name, users in by_name.items()
    }


def _check_policy(client: Client, required: Sequence[Need], objects: Sequence[Object]) -> list[str]:
    sets = [content["metadata"]["name"] for content in client.items("/apis/apps/v1/daemonsets")]
    network = find_pod_network(sets)
    if network is None or network.network_policy:
        return []  # it is enforced, or the pod network is unknown: no warning without evidence
    daemon_set = next(name for name in sets if POD_NETWORKS.get(name) == network)
    return [
        f"{users}: the pod network (DaemonSet {daemon_set}) does not enforce NetworkPolicy, so it has no effect. "
        "Use a pod network that enforces it, such as Calico or Cilium, or the add-on network_policy."
        for users in _by_name(required).values()
    ]


def _check_balancer(client: Client, required: Sequence[Need], objects: Sequence[Object]) -> list[str]:
    if any(name in _groups(client) for name in BALANCERS):
        return []
    for service in client.items("/api/v1/services"):
        if ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress"):
            return []
    nodes = client.get("/api/v1/nodes", {"limit": "1"}).get("items") or []
    if any(_spec(node).get("providerID") for node in nodes):
        return []  # a cloud controller manager has initialized this node
    return [
        f"{users}: no controller in this cluster assigns addresses to Services of type LoadBalancer, so it can be reached only through "
        "its cluster IP and its node ports. Install a controller such as MetalLB, or use type NodePort or an Ingress."
        for users in _by_name(required).values()
    ]


def _check_metrics(client: Client, required: Sequence[Need], objects: Sequence[Object]) -> list[str]:
    served = _groups(client)
    lines = []
    for group, users in _by_name(required).items():
        remedy = "Install metrics-server" if group == "metrics.k8s.io" else "Install an adapter that serves it"
        if group not in served:
            lines.append(
                f"{users}: the cluster does not serve {group}, so it cannot scale. {remedy}, or set a fixed number of replicas."
            )
    return lines


def _check_ingress(client: Client, required: Sequence[Need], objects: Sequence[Object]) -> list[str]:
    existing = client.items("/apis/networking.k8s.io/v1/ingressclasses")
    names = _names(existing) | _defined(objects, "IngressClass")
    remedy = _alternatives(names, "install a controller")
    lines = []
    for name, users in _by_name(required).items():
        if name and name not in names:
            lines.append(f"{users}: the cluster has no IngressClass {name}, so no controller serves it. {remedy}.")
        elif not name and not _has_default(existing, DEFAULT_INGRESS_CLASS):
            lines.append(
                f"{users} specifies no class and the cluster has no default IngressClass, so no controller serves it. {remedy}."
            )
    return lines


def _check_storage(client: Client, required: Sequence[Need], objects: Sequence[Object]) -> list[str]:
    existing = client.items("/apis/storage.k8s.io/v1/storageclasses")
    names = _names(existing) | _defined(objects, "StorageClass")
    lines = []
    for name, users in _by_name(required).items():
        if not name and not _has_default(existing, DEFAULT_STORAGE_CLASS):
            remedy = _alternatives(names, "install a provisioner, or create a PersistentVolume and specify its class")
            lines.append(
                f"{users} specifies no class and the cluster has no default StorageClass, so no volume is provisioned for it. {remedy}."
            )
        elif name and name not in names and not _has_volume(client, name, objects):
            remedy = _alternatives(names, "create a PersistentVolume of this class")
            lines.append(
                f"{users}: the cluster has neither a StorageClass nor a PersistentVolume of class {name}. {remedy}."
            )
    return lines


def _check_class(path: str, kind: str) -> Callable[[Client, Sequence[Need], Sequence[Object]], list[str]]:
    """Return a check for a class without which the API server refuses pods."""

    def check(client: Client, required: Sequence[Need], objects: Sequence[Object]) -> list[str]:
        names = _names(client.items(path)) | _defined(objects, kind)
        return [
            f"{users}: the cluster has no {kind} {name}, so its pods are refused. {_alternatives(names, 'create it')}."
            for name, users in _by_name(required).items()
            if name not in names
        ]

    return check


def _check_nodes(client: Client, required: Sequence[Need], objects: Sequence[Object]) -> list[str]:
    return [
        f"{users}: no node has the labels {selector.replace(',', ', ')}, so its pods cannot be scheduled. "
        f"Label a node: kubectl label node NAME {selector.replace(',', ' ')}"
        for selector, users in _by_name(required).items()
        if not client.get("/api/v1/nodes", {"labelSelector": selector, "limit": "1"}).get("items")
    ]


def _check_issuer(client: Client, required: Sequence[Need], objects: Sequence[Object]) -> list[str]:
    if "cert-manager.io" in _groups(client):
        return []
    return [
        f"{users}: cert-manager is not installed in the cluster, so its certificate is not issued. Install it, or specify a Secret with a certificate."
        for users in _by_name(required).values()
    ]


CHECKS: dict[str, Callable[[Client, Sequence[Need], Sequence[Object]], list[str]]] = {
    "network_policy": _check_policy,
    "load_balancer": _check_balancer,
    "metrics": _check_metrics,
    "ingress_class": _check_ingress,
    "storage_class": _check_storage,
    "priority_class": _check_class("/apis/scheduling.k8s.io/v1/priorityclasses", "PriorityClass"),
    "runtime_class": _check_class("/apis/node.k8s.io/v1/runtimeclasses", "RuntimeClass"),
    "node_labels": _check_nodes,
    "certificate_issuer": _check_issuer,
}


def _alternatives(names: set[str], otherwise: str) -> str:
    """Name the classes that could be used instead, and what else helps."""
    if names:
        return f"Use an existing one ({', '.join(sorted(names))}), or {otherwise}"
    return f"None exists: {otherwise}"


def _groups(client: Client) -> set[str]:
    """Return the names of the API groups that the server serves (GET /apis, C(APIGroupList))."""
    return {group["name"] for group in client.get("/apis").get("groups") or []}


def _names(contents: Iterable[Mapping[str, Any]]) -> set[str]:
    return {content["metadata"]["name"] for content in contents}


def _defined(objects: Sequence[Object], kind: str) -> set[str]:
    return {reference(content).name for content in objects if content.get("kind") == kind}


def _has_default(contents: Sequence[Mapping[str, Any]], annotations: Sequence[str]) -> bool:
    return any(
        ((content.get("metadata") or {}).get("annotations") or {}).get(key) == "true"
        for content in contents
        for key in annotations
    )


def _has_volume(client: Client, name: str, objects: Sequence[Object]) -> bool:
    volumes = [content for content in objects if content.get("kind") == "PersistentVolume"]
    volumes += client.items("/api/v1/persistentvolumes")
    return any(_spec(volume).get("storageClassName") == name for volume in volumes)
