# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cluster has of some add-ons: their releases, installations of somebody else, default StorageClasses, volumes in use, and its pod network."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from .._kube.api import Client
from .._kube.objects import Kinds, Reference, Resource
from .._kube.pod_networks import PodNetwork, own_pod_network
from .._kube.readiness import condition
from .desired import discover
from .ownership import owner
from .store import list_entries

# https://kubernetes.io/docs/concepts/storage/storage-classes/#default-storageclass
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
# Set by the external provisioners' library (https://github.com/kubernetes-sigs/sig-storage-lib-external-provisioner).
PROVISIONER = "pv.kubernetes.io/provisioned-by"


def survey(
    client: Client,
    namespace: str,
    addons: Sequence[Mapping[str, Any]],
    groups: Sequence[str] = (),
    daemon_sets: Sequence[str] = (),
) -> dict[str, Any]:
    """Look at a cluster. Reads only.

    :param namespace: the namespace of the add-ons' releases.
    :param addons: each with C(name), C(release) and C(signs), objects by which an installation is recognized.
    :param groups: API groups whose objects are listed.
    :param daemon_sets: DaemonSets in the namespace whose pods are listed.
    :returns: the keys of the module C(addons_info).
    """
    entries = list_entries(client, namespace)
    served = discover(client) if groups or any(addon["signs"] for addon in addons) else {}
    classes = client.items("/apis/storage.k8s.io/v1/storageclasses")
    return {
        "releases": sorted({entry.release for entry in entries if not entry.part}),
        "foreign": foreign(client, served, namespace, addons),
        "default_classes": [
            {"name": one["metadata"]["name"], "release": owner(one)[0]} for one in classes if is_default(one)
        ],
        "volumes": volumes(client),
        "resources": {group: resources(client, served, namespace, group) for group in groups},
        "nodes": nodes(client),
        "pods": pods(client, namespace, daemon_sets) if daemon_sets else [],
        "network": network(client),
        "dns": dns(client),
    }


def network(client: Client) -> dict[str, Any]:
    """Return the pod network, and whether it enforces NetworkPolicy by itself."""
    names = {one["metadata"]["name"] for one in client.items("/apis/apps/v1/daemonsets")}
    return (own_pod_network(names) or PodNetwork("", False))._asdict()


def dns(client: Client) -> list[str]:
    """Return the addresses of the cluster DNS."""
    service = client.find("/api/v1/namespaces/kube-system/services/kube-dns") or {}
    return list((service.get("spec") or {}).get("clusterIPs") or [])


def nodes(client: Client) -> list[dict[str, Any]]:
    """Return the nodes, those that run any pod first, each with its first internal address."""
    found = []
    for node in client.items("/api/v1/nodes"):
        addresses = (node.get("status") or {}).get("addresses") or []
        internal = [one["address"] for one in addresses if one.get("type") == "InternalIP"]
        taints = (node.get("spec") or {}).get("taints") or []
        open_to_all = not any(taint.get("effect") in ("NoSchedule", "NoExecute") for taint in taints)
        found.append({"name": node["metadata"]["name"], "address": (internal or [""])[0], "schedulable": open_to_all})
    return sorted(found, key=lambda node: (not node["schedulable"], node["name"]))


def pods(client: Client, namespace: str, daemon_sets: Sequence[str]) -> list[dict[str, Any]]:
    """Return the pods that some DaemonSets have made, also if these are deleted: each with its node, and whether that is ready."""
    ready = {
        node["metadata"]["name"]
        for node in client.items("/api/v1/nodes")
        if condition(node, "Ready").get("status") == "True"
    }
    found = []
    for pod in client.items(f"/api/v1/namespaces/{namespace}/pods"):
        owners = pod["metadata"].get("ownerReferences") or []
        if any(one.get("kind") == "DaemonSet" and one.get("name") in daemon_sets for one in owners):
            node = (pod.get("spec") or {}).get("nodeName") or ""
            found.append({"name": pod["metadata"]["name"], "node": node, "ready": node in ready})
    return found


def is_default(storage_class: Mapping[str, Any]) -> bool:
    """Return whether claims that name no class get this one."""
    annotations = storage_class["metadata"].get("annotations") or {}
    return annotations.get(DEFAULT_CLASS) == "true"


def volumes(client: Client) -> list[dict[str, str]]:
    """Return the persistent volumes that have a provisioner: that, the claim, and the release to which the namespace of the claim belongs."""

    def trim(volume: dict[str, Any]) -> Any:
        annotations = volume["metadata"].get("annotations") or {}
        claim = (volume.get("spec") or {}).get("claimRef") or {}
        stays = (volume.get("spec") or {}).get("persistentVolumeReclaimPolicy") == "Retain"
        return annotations.get(PROVISIONER), claim.get("namespace") or "", claim.get("name") or "", stays

    trimmed: list[Any] = client.items("/api/v1/persistentvolumes", trim=trim)
    found = [one for one in trimmed if one[0]]
    releases = {
        one: owner(one_of(client, one))[0] for one in {space for _name, space, _claim, _stays in found if space}
    }
    return [
        # A volume that is retained does not go with the release of its claim.
        {
            "provisioner": name,
            "claim": f"{space}/{claim}" if space else "",
            "release": "" if stays else releases.get(space, ""),
        }
        for name, space, claim, stays in sorted(found)
    ]


def one_of(client: Client, namespace: str) -> Mapping[str, Any]:
    """Return a namespace; empty where it no longer exists."""
    return client.find(f"/api/v1/namespaces/{namespace}") or {}


def resources(client: Client, served: Kinds, namespace: str, group: str) -> list[str]:
    """Return the objects of an API group that belong to no release in a namespace, by kind and name.

    Those that another one of the group has made go with it, and are left out.
    """
    found = set()
    for (version, kind), resource in served.items():
        if version.partition("/")[0] == group:
            for one in client.items(Resource(resource.plural, namespaced=False).collection(version, "")):
                owners = one["metadata"].get("ownerReferences") or []
                made = any(str(made_by.get("apiVersion")).partition("/")[0] == group for made_by in owners)
                if not made and owner(one)[1] != namespace:
                    metadata = one["metadata"]
                    found.add(f"{kind} {'/'.join(filter(None, (metadata.get('namespace'), metadata['name'])))}")
    return sorted(found)


def foreign(client: Client, served: Kinds, namespace: str, addons: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Find the installations that do not belong to the releases of add-ons.

    :returns: of each the add-on, the object by which it is recognized, who made it, and the field managers of its content.
    """
    pairs = [(addon, sign) for addon in addons for sign in addon["signs"]]

    def look(pair: tuple[Mapping[str, Any], Mapping[str, Any]]) -> dict[str, Any] | None:
        addon, sign = pair
        name = Reference(sign["api_version"], sign["kind"], sign.get("namespace") or "", sign["name"])
        kind = served.get((name.api_version, name.kind))
        live = client.find(kind.path(name)) if kind else None
        if live is None or owner(live) == (addon["release"], namespace):
            return None
        return {"addon": addon["name"], "object": str(name), "owner": maker(live), "managers": managers(live)}

    return [one for one in client.each(look, pairs) if one]


def managers(live: Mapping[str, Any]) -> list[str]:
    """Return the field managers that have set an object's content, without its status."""
    entries = (live.get("metadata") or {}).get("managedFields") or []
    return sorted({str(one.get("manager")) for one in entries if not one.get("subresource")})


def maker(live: Mapping[str, Any]) -> str:
    """Return who installed an object, as far as its metadata shows it."""
    metadata = live.get("metadata") or {}
    annotations = metadata.get("annotations") or {}
    release, where = owner(live)
    if release:
        return f"release {release} in namespace {where or '(unknown)'}"
    chart = annotations.get("meta.helm.sh/release-name")
    if chart:
        return f"Helm release {chart} in namespace {annotations.get('meta.helm.sh/release-namespace') or '(unknown)'}"
    return f"field manager {', '.join(managers(live)) or '(unknown)'}"
