# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a cluster page by page, and keeping of every object only what the rules look at."""

from __future__ import annotations

from typing import Any, Callable, Dict, Mapping, NamedTuple
from urllib.parse import urlencode

from .._kube.api import ApiError, Client

Trim = Callable[[Dict[str, Any]], Dict[str, Any]]
PAGE = 500
# A list of names without contents: what is in Secrets and ConfigMaps is nobody's business here.
NAMES_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
# https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks
EXPIRED = 410
METADATA = (
    "name",
    "namespace",
    "uid",
    "labels",
    "ownerReferences",
    "creationTimestamp",
    "deletionTimestamp",
    "generation",
    "finalizers",
)
# Of annotations, only those that a rule reads; others can hold whole manifests.
ANNOTATIONS = (
    "deployment.kubernetes.io/revision",
    "storageclass.kubernetes.io/is-default-class",
    "ingressclass.kubernetes.io/is-default-class",
    "kubernetes.io/ingress.class",
    "volume.kubernetes.io/storage-provisioner",
    "volume.beta.kubernetes.io/storage-class",
    "kubernetes.io/config.mirror",
    "slipway.kube/release-namespace",
    "csi.volume.kubernetes.io/nodeid",
)


class Source(NamedTuple):
    """Where a kind is listed. C(group): the path before C(namespaces/…); C(fields): a field selector."""

    kind: str
    api_version: str
    plural: str
    namespaced: bool = True
    names_only: bool = False
    fields: str = ""

    def path(self, namespace: str) -> str:
        """Give the path of the list, of all namespaces where none is named."""
        root = "/apis/" + self.api_version if "/" in self.api_version else "/api/" + self.api_version
        inside = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        return f"{root}{inside}/{self.plural}"


SOURCES = {
    source.kind: source
    for source in (
        Source("Pod", "v1", "pods"),
        Source("Node", "v1", "nodes", False),
        Source("Namespace", "v1", "namespaces", False),
        Source("Event", "v1", "events", fields="type=Warning"),
        Source("Deployment", "apps/v1", "deployments"),
        Source("ReplicaSet", "apps/v1", "replicasets"),
        Source("StatefulSet", "apps/v1", "statefulsets"),
        Source("DaemonSet", "apps/v1", "daemonsets"),
        Source("Job", "batch/v1", "jobs"),
        Source("CronJob", "batch/v1", "cronjobs"),
        Source("Service", "v1", "services"),
        Source("EndpointSlice", "discovery.k8s.io/v1", "endpointslices"),
        Source("Ingress", "networking.k8s.io/v1", "ingresses"),
        Source("IngressClass", "networking.k8s.io/v1", "ingressclasses", False),
        Source("NetworkPolicy", "networking.k8s.io/v1", "networkpolicies"),
        Source("PersistentVolumeClaim", "v1", "persistentvolumeclaims"),
        Source("PersistentVolume", "v1", "persistentvolumes", False),
        Source("StorageClass", "storage.k8s.io/v1", "storageclasses", False),
        Source("HorizontalPodAutoscaler", "autoscaling/v2", "horizontalpodautoscalers"),
        Source("PodDisruptionBudget", "policy/v1", "poddisruptionbudgets"),
        Source(
            "ValidatingWebhookConfiguration",
            "admissionregistration.k8s.io/v1",
            "validatingwebhookconfigurations",
            False,
        ),
        Source(
            "MutatingWebhookConfiguration", "admissionregistration.k8s.io/v1", "mutatingwebhookconfigurations", False
        ),
        Source("APIService", "apiregistration.k8s.io/v1", "apiservices", False),
        Source("CustomResourceDefinition", "apiextensions.k8s.io/v1", "customresourcedefinitions", False, True),
        Source("ResourceQuota", "v1", "resourcequotas"),
        Source("Secret", "v1", "secrets", True, True),
        Source("ConfigMap", "v1", "configmaps", True, True),
    )
}


def read_list(
    client: Client, path: str, trim: Trim, query: Mapping[str, str] | None = None, accept: str = "application/json"
) -> list[dict[str, Any]]:
    """Read a list page by page.

    :param trim: called with every item; what it returns is kept.
    :raises ApiError: the server refuses. :raises Unreachable: it does not answer.
    """
    found: list[dict[str, Any]] = []
    wanted = dict(query or {}, limit=str(PAGE))
    again = True
    while True:
        try:
            answer = client.get(path + "?" + urlencode(wanted), accept=accept)
        except ApiError as error:
            if error.status != EXPIRED or not again:
                raise
            # The list took longer than the server keeps its state: once more, from the beginning and in one piece.
            again, found = False, []
            wanted = dict(query or {})
            continue
        found += map(trim, answer.get("items") or [])
        more = (answer.get("metadata") or {}).get("continue")
        if not more:
            return found
        wanted = dict(query or {}, limit=str(PAGE))
        wanted["continue"] = more


def read_kind(
    client: Client, kind: str, namespace: str = "", query: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """Read all objects of a kind that the rules know, trimmed.

    :param namespace: all where it is empty.
    """
    source = SOURCES[kind]
    shape = _SHAPES.get(kind, _plain)
    words: dict[str, str] = {}

    def trim(item: dict[str, Any]) -> dict[str, Any]:
        content = shape(item)
        content["metadata"] = _metadata(item.get("metadata") or {}, words)
        content["kind"], content["apiVersion"] = source.kind, source.api_version
        return content

    wanted = dict(query or {})
    if source.fields:
        wanted["fieldSelector"] = source.fields
    accept = NAMES_ONLY if source.names_only else "application/json"
    return read_list(client, source.path(namespace), trim, wanted, accept)


def _metadata(metadata: Mapping[str, Any], words: dict[str, str]) -> dict[str, Any]:
    """Keep what rules read. C(words) holds every word once: thousands of pods share their labels."""
    kept: dict[str, Any] = {key: metadata[key] for key in METADATA if metadata.get(key)}
    labels = kept.get("labels")
    if labels:
        kept["labels"] = {words.setdefault(key, key): words.setdefault(value, value) for key, value in labels.items()}
    if "namespace" in kept:
        kept["namespace"] = words.setdefault(kept["namespace"], kept["namespace"])
    annotations = metadata.get("annotations")
    if annotations:
        few = {key: annotations[key] for key in ANNOTATIONS if key in annotations}
        if few:
            kept["annotations"] = few
    if "ownerReferences" in kept:
        kept["ownerReferences"] = [
            {
                words.setdefault(key, key): words.setdefault(value, value) if isinstance(value, str) else value
                for key, value in owner.items()
            }
            for owner in kept["ownerReferences"]
            if owner.get("controller")
        ]
    return kept


def _plain(item: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in item.items() if key != "metadata"}


def _pod(item: dict[str, Any]) -> dict[str, Any]:
    """Keep all of a pod that something may be wrong with, and little of one that is well."""
    spec, status = item.get("spec") or {}, item.get("status") or {}
    if not _healthy(item):
        status = {key: value for key, value in status.items() if key not in ("hostIPs", "podIPs", "qosClass")}
        kept_spec = {key: spec[key] for key in POD_SPEC if key in spec}
        kept_spec["containers"] = [_container(container) for container in spec.get("containers") or []]
        if spec.get("initContainers"):
            kept_spec["initContainers"] = [_container(container) for container in spec["initContainers"]]
        return {"spec": kept_spec, "status": status}
    light: dict[str, Any] = {"containers": [_light(container) for container in spec.get("containers") or []]}
    if (item.get("metadata") or {}).get("namespace") == "kube-system":
        # The versions of the system's parts are in their images' names.
        for few_of, container in zip(light["containers"], spec.get("containers") or []):
            few_of["image"] = container.get("image") or ""
    for key in ("nodeName", "hostNetwork", "overhead"):
        if spec.get(key):
            light[key] = spec[key]
    sidecars = [_light(one) for one in spec.get("initContainers") or [] if one.get("ports") or one.get("resources")]
    if sidecars:
        light["initContainers"] = sidecars
    claims = [volume for volume in spec.get("volumes") or [] if volume.get("persistentVolumeClaim")]
    if claims:
        light["volumes"] = claims
    few: dict[str, Any] = {"phase": status.get("phase")}
    if status.get("phase") != "Succeeded":
        few["conditions"] = _READY
    if status.get("podIP"):
        few["podIP"] = status["podIP"]
    started = [(state.get("state") or {}).get("running") or {} for state in status.get("containerStatuses") or []]
    latest = max((running.get("startedAt") or "" for running in started), default="")
    if latest:
        few["startedAt"] = latest
    return {"spec": light, "status": few, "healthy": True}


_READY = [{"type": "Ready", "status": "True"}]
POD_SPEC = (
    "nodeName",
    "nodeSelector",
    "restartPolicy",
    "schedulerName",
    "schedulingGates",
    "readinessGates",
    "volumes",
    "overhead",
    "hostNetwork",
    "serviceAccountName",
    "activeDeadlineSeconds",
    "affinity",
    "tolerations",
)
CONTAINER = (
    "name",
    "image",
    "command",
    "args",
    "ports",
    "resources",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "restartPolicy",
    "volumeMounts",
)


def _healthy(item: Mapping[str, Any]) -> bool:
    metadata, status = item.get("metadata") or {}, item.get("status") or {}
    if metadata.get("deletionTimestamp"):
        return False
    if status.get("phase") == "Succeeded":
        return True
    states = (status.get("containerStatuses") or []) + (status.get("initContainerStatuses") or [])
    if any(state.get("restartCount") for state in states):
        return False
    return any(
        condition.get("type") == "Ready" and condition.get("status") == "True"
        for condition in status.get("conditions") or []
    )


def _container(container: Mapping[str, Any]) -> dict[str, Any]:
    """Keep of a container what explains it: no environment, people write passwords there."""
    return {key: container[key] for key in CONTAINER if key in container}


def _light(container: Mapping[str, Any]) -> dict[str, Any]:
    few: dict[str, Any] = {"name": container["name"]}
    if container.get("ports"):
        few["ports"] = container["ports"]
    requests = (container.get("resources") or {}).get("requests")
    if requests:
        few["resources"] = {"requests": requests}
    if container.get("restartPolicy"):
        few["restartPolicy"] = container["restartPolicy"]
    return few


def _workload(item: dict[str, Any]) -> dict[str, Any]:
    """Keep of a workload all but the most of its template."""
    spec = dict(item.get("spec") or {})
    template = spec.pop("template", None) or {}
    inner = template.get("spec") or {}
    kept = {key: inner[key] for key in ("serviceAccountName", "nodeSelector") if inner.get(key)}
    kept["containers"] = [
        {key: container[key] for key in ("name", "image", "ports", "resources") if container.get(key)}
        for container in inner.get("containers") or []
    ]
    sidecars = [one for one in inner.get("initContainers") or [] if one.get("restartPolicy") == "Always"]
    if sidecars:
        kept["initContainers"] = [
            {key: one[key] for key in ("name", "ports", "resources", "restartPolicy") if one.get(key)}
            for one in sidecars
        ]
    claims = [volume for volume in inner.get("volumes") or [] if volume.get("persistentVolumeClaim")]
    if claims:
        kept["volumes"] = claims
    labels = (template.get("metadata") or {}).get("labels") or {}
    spec["template"] = {"metadata": {"labels": labels}, "spec": kept}
    return {"spec": spec, "status": item.get("status") or {}}


def _replica_set(item: dict[str, Any]) -> dict[str, Any]:
    spec, status = item.get("spec") or {}, item.get("status") or {}
    return {"spec": {"replicas": spec.get("replicas", 1)}, "status": status}


def _event(item: dict[str, Any]) -> dict[str, Any]:
    about = item.get("involvedObject") or {}
    kept = {
        key: item[key]
        for key in ("type", "reason", "message", "count", "series", "lastTimestamp", "eventTime")
        if item.get(key)
    }
    kept["involvedObject"] = {
        key: about[key] for key in ("kind", "namespace", "name", "uid", "fieldPath") if about.get(key)
    }
    return kept


def _node(item: dict[str, Any]) -> dict[str, Any]:
    spec, status = item.get("spec") or {}, item.get("status") or {}
    few = {
        key: status[key] for key in ("conditions", "addresses", "nodeInfo", "capacity", "allocatable") if key in status
    }
    return {"spec": spec, "status": few}


def _endpoints(item: dict[str, Any]) -> dict[str, Any]:
    """Keep of an EndpointSlice how many endpoints are ready, and its ports; of the API servers' own also the addresses."""
    own = (item.get("metadata") or {}).get("namespace") == "default"
    kept = []
    for one in item.get("endpoints") or []:
        few: dict[str, Any] = {"ready": (one.get("conditions") or {}).get("ready", True) is not False}
        if own:
            few["addresses"] = one.get("addresses") or []
        kept.append(few)
    return {"ports": item.get("ports") or [], "endpoints": kept}


def _webhooks(item: dict[str, Any]) -> dict[str, Any]:
    hooks = []
    for hook in item.get("webhooks") or []:
        client = dict(hook.get("clientConfig") or {})
        client.pop("caBundle", None)
        hooks.append(dict(hook, clientConfig=client))
    return {"webhooks": hooks}


_SHAPES: dict[str, Trim] = {
    "Pod": _pod,
    "Deployment": _workload,
    "StatefulSet": _workload,
    "DaemonSet": _workload,
    "Job": _workload,
    "ReplicaSet": _replica_set,
    "Event": _event,
    "Node": _node,
    "EndpointSlice": _endpoints,
    "ValidatingWebhookConfiguration": _webhooks,
    "MutatingWebhookConfiguration": _webhooks,
}
