# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the objects of a cluster page by page, and keep only the fields that the rules need."""

from __future__ import annotations

from typing import Any, Callable, Dict, Mapping
from urllib.parse import urlencode

from .._kube.api import ApiError, Client
from .._kube.objects import RELEASE_NAMESPACE
from .._kube.x509 import bundle_validity
from .ingress_nginx import INGRESS_NGINX
from .sources import SOURCES
from .view import is_healthy

Trim = Callable[[Dict[str, Any]], Dict[str, Any]]
PAGE = 500
# A list without contents: the data of Secrets and ConfigMaps is not needed and must not be read.
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
# Only annotations that a rule needs; others may contain whole manifests.
ANNOTATIONS = (
    "deployment.kubernetes.io/revision",
    "storageclass.kubernetes.io/is-default-class",
    "ingressclass.kubernetes.io/is-default-class",
    "kubernetes.io/ingress.class",
    "volume.beta.kubernetes.io/storage-class",
    RELEASE_NAMESPACE,
    "csi.volume.kubernetes.io/nodeid",
)


def read_list(
    client: Client, path: str, trim: Trim, query: Mapping[str, str] | None = None, accept: str = "application/json"
) -> list[dict[str, Any]]:
    """Read a list page by page.

    :param trim: called with each item; its result is kept.
    :raises ApiError: the server rejects the request.
    :raises Unreachable: the server does not respond.
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
            # The continue token has expired: read the list once more from the beginning, in one request.
            again, found = False, []
            wanted = dict(query or {})
            continue
        found += map(trim, answer.get("items") or [])
        more = (answer.get("metadata") or {}).get("continue")
        if not more:
            return found
        wanted = {**(query or {}), "limit": str(PAGE), "continue": more}


def read_kind(
    client: Client, kind: str, namespace: str = "", query: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """Return all objects of a kind in :data:`SOURCES`, trimmed.

    :param namespace: empty for all namespaces.
    """
    source = SOURCES[kind]
    shape = _SHAPES.get(kind, _plain)
    interned: dict[str, str] = {}

    def trim(item: dict[str, Any]) -> dict[str, Any]:
        content = shape(item)
        content["metadata"] = _metadata(item.get("metadata") or {}, interned)
        content["kind"], content["apiVersion"] = source.kind, source.api_version
        return content

    wanted = dict(query or {})
    if source.fields:
        wanted["fieldSelector"] = source.fields
    accept = NAMES_ONLY if source.names_only else "application/json"
    return read_list(client, source.path(namespace), trim, wanted, accept)


def _pick(content: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    """Return the fields of a mapping that are set."""
    return {key: content[key] for key in keys if content.get(key)}


def _metadata(metadata: Mapping[str, Any], interned: dict[str, str]) -> dict[str, Any]:
    """Return the metadata that rules need.

    :param interned: each text once, since thousands of pods have the same labels.
    """

    def intern(value: Any) -> Any:
        return interned.setdefault(value, value) if isinstance(value, str) else value

    def strings(content: Mapping[str, Any]) -> dict[str, Any]:
        return {intern(key): intern(value) for key, value in content.items()}

    kept = _pick(metadata, *METADATA)
    if "labels" in kept:
        kept["labels"] = strings(kept["labels"])
    if "namespace" in kept:
        kept["namespace"] = intern(kept["namespace"])
    annotations = metadata.get("annotations") or {}
    few = {key: annotations[key] for key in ANNOTATIONS if key in annotations}
    # The values may be whole configurations.
    few.update((key, "") for key in annotations if key.startswith(INGRESS_NGINX))
    if few:
        kept["annotations"] = few
    if "ownerReferences" in kept:
        kept["ownerReferences"] = [strings(owner) for owner in kept["ownerReferences"] if owner.get("controller")]
    return kept


def _plain(item: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in item.items() if key != "metadata"}


def _pod(item: dict[str, Any]) -> dict[str, Any]:
    """Return most of a pod that may have a fault, and little of a healthy one."""
    spec, status = item.get("spec") or {}, item.get("status") or {}
    if not is_healthy(item):
        status = {key: value for key, value in status.items() if key not in ("hostIPs", "podIPs", "qosClass")}
        kept_spec = {key: spec[key] for key in POD_SPEC if key in spec}
        kept_spec["containers"] = [_container(container) for container in spec.get("containers") or []]
        if spec.get("initContainers"):
            kept_spec["initContainers"] = [_container(container) for container in spec["initContainers"]]
        return {"spec": kept_spec, "status": status}
    containers = spec.get("containers") or []
    light: dict[str, Any] = {"containers": [_light(container) for container in containers]}
    if (item.get("metadata") or {}).get("namespace") == "kube-system":
        # The images contain the versions of the system components.
        for few_of, container in zip(light["containers"], containers):
            few_of["image"] = container.get("image") or ""
    light.update(_pick(spec, "nodeName", "hostNetwork", "overhead"))
    sidecars = [_light(one) for one in spec.get("initContainers") or [] if one.get("ports") or one.get("resources")]
    if sidecars:
        light["initContainers"] = sidecars
    light.update(_claims(spec))
    few: dict[str, Any] = {"phase": status.get("phase")}
    if status.get("phase") != "Succeeded":
        few["conditions"] = _READY
    few.update(_pick(status, "podIP"))
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
    "dnsPolicy",
    "dnsConfig",
    "affinity",
    "tolerations",
)
# Without env, which may contain passwords.
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


def _container(container: Mapping[str, Any]) -> dict[str, Any]:
    return {key: container[key] for key in CONTAINER if key in container}


def _light(container: Mapping[str, Any]) -> dict[str, Any]:
    few = _pick(container, "name", "ports", "restartPolicy")
    requests = (container.get("resources") or {}).get("requests")
    return {**few, "resources": {"requests": requests}} if requests else few


def _claims(spec: Mapping[str, Any]) -> dict[str, Any]:
    claims = [volume for volume in spec.get("volumes") or [] if volume.get("persistentVolumeClaim")]
    return {"volumes": claims} if claims else {}


def _workload(item: dict[str, Any]) -> dict[str, Any]:
    """Return a workload with a small part of its pod template."""
    spec = dict(item.get("spec") or {})
    template = spec.pop("template", None) or {}
    inner = template.get("spec") or {}
    kept = _pick(inner, "nodeSelector")
    kept["containers"] = [_pick(one, "name", "image", "ports", "resources") for one in inner.get("containers") or []]
    sidecars = [one for one in inner.get("initContainers") or [] if one.get("restartPolicy") == "Always"]
    if sidecars:
        kept["initContainers"] = [_pick(one, "name", "ports", "resources", "restartPolicy") for one in sidecars]
    kept.update(_claims(inner))
    labels = (template.get("metadata") or {}).get("labels") or {}
    spec["template"] = {"metadata": {"labels": labels}, "spec": kept}
    return {"spec": spec, "status": item.get("status") or {}}


def _replica_set(item: dict[str, Any]) -> dict[str, Any]:
    spec, status = item.get("spec") or {}, item.get("status") or {}
    return {"spec": {"replicas": spec.get("replicas", 1)}, "status": status}


def _event(item: dict[str, Any]) -> dict[str, Any]:
    kept = _pick(item, "type", "reason", "message", "count", "series", "lastTimestamp", "eventTime", "related")
    involved = item.get("involvedObject") or {}
    return {**kept, "involvedObject": _pick(involved, "kind", "namespace", "name", "uid", "fieldPath")}


def _node(item: dict[str, Any]) -> dict[str, Any]:
    status = _pick(item.get("status") or {}, "conditions", "addresses", "nodeInfo", "capacity", "allocatable")
    return {"spec": item.get("spec") or {}, "status": status}


def _endpoints(item: dict[str, Any]) -> dict[str, Any]:
    """Return the ports of an EndpointSlice and which endpoints are ready; the addresses only in namespace default, for the API servers."""
    with_addresses = (item.get("metadata") or {}).get("namespace") == "default"
    kept = []
    for one in item.get("endpoints") or []:
        few: dict[str, Any] = {"ready": (one.get("conditions") or {}).get("ready", True) is not False}
        if with_addresses:
            few["addresses"] = one.get("addresses") or []
        kept.append(few)
    return {"ports": item.get("ports") or [], "endpoints": kept}


def _webhooks(item: dict[str, Any]) -> dict[str, Any]:
    hooks = [dict(hook, clientConfig=_trust(hook.get("clientConfig") or {})) for hook in item.get("webhooks") or []]
    return {"webhooks": hooks}


def _api_service(item: dict[str, Any]) -> dict[str, Any]:
    return {"spec": _trust(item.get("spec") or {}), "status": item.get("status") or {}}


def _trust(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with the times from and until which their CA bundle is valid (C(bundleValidity), seconds since the epoch) instead of the bundle."""
    kept = {key: value for key, value in settings.items() if key != "caBundle"}
    validity = bundle_validity(settings.get("caBundle") or "")
    return kept if validity is None else {**kept, "bundleValidity": validity}


_SHAPES: dict[str, Trim] = {
    "Pod": _pod,
    "Deployment": _workload,
    "StatefulSet": _workload,
    "DaemonSet": _workload,
    "Job": _workload,
    "ReplicaSet": _replica_set,
    "Event": _event,
    "Killing": _event,
    "Skipped": _event,
    "Preempted": _event,
    "Node": _node,
    "EndpointSlice": _endpoints,
    "ValidatingWebhookConfiguration": _webhooks,
    "MutatingWebhookConfiguration": _webhooks,
    "APIService": _api_service,
}
