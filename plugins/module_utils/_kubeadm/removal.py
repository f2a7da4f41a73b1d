# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Draining a node and removing it from the cluster: the core of the module node.

Which pods are evicted follows ``kubectl drain --ignore-daemonsets --delete-emptydir-data --force``
(https://kubernetes.io/docs/tasks/administer-cluster/safely-drain-node/).
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Iterable, Mapping

from .._host.system import HostError
from .._kube.api import ApiError, Client, Unreachable
from .._kube.x509 import ca_cert_hash
from . import credentials
from .admin import connect, has_kubeconfig
from .issue_credentials import LEASES, NODES

MIRROR = "kubernetes.io/config.mirror"


def is_evicted(pod: Mapping[str, Any]) -> bool:
    """Return whether draining evicts a pod: neither a static pod nor one of a DaemonSet, and not finished."""
    metadata = pod["metadata"]
    owners = [owner["kind"] for owner in metadata.get("ownerReferences") or [] if owner.get("controller")]
    finished = pod.get("status", {}).get("phase") in ("Succeeded", "Failed")
    return MIRROR not in (metadata.get("annotations") or {}) and "DaemonSet" not in owners and not finished


def is_ready(node: Mapping[str, Any]) -> bool:
    """Return whether the kubelet of a node works, so that its pods can end."""
    conditions = node.get("status", {}).get("conditions") or []
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)


def title(pod: Mapping[str, Any]) -> str:
    """Return NAMESPACE/NAME of a pod."""
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"


def evict(client: Client, pods: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Request the eviction of pods that are not being deleted yet.

    :returns: for each pod that must not be evicted now, why: a PodDisruptionBudget allows no disruption (429), or several select it (500).
    """
    blocked = {}
    for pod in pods:
        metadata = pod["metadata"]
        if metadata.get("deletionTimestamp"):
            continue
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": metadata["name"], "namespace": metadata["namespace"]},
            "deleteOptions": {"preconditions": {"uid": metadata["uid"]}},
        }
        try:
            client.create(f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}/eviction", body)
        except ApiError as error:
            if error.status not in (404, 409, 429, 500):
                raise
            if error.status in (429, 500):
                blocked[title(pod)] = " ".join([error.message, *(cause.get("message", "") for cause in error.causes)])
    return blocked


def drain(client: Client, name: str, timeout: int, dry: bool) -> list[str]:
    """Cordon a node and evict its pods, and wait until they have ended. The pods of a node that is not Ready cannot end.

    :param timeout: seconds.
    :returns: what was changed, as sentences.
    :raises HostError: pods are left on the node after the timeout.
    """
    node = client.find(f"{NODES}/{name}")
    if node is None:
        return []
    changes = [] if node["spec"].get("unschedulable") else [f"node {name} cordoned"]
    if changes and not dry:
        client.patch(f"{NODES}/{name}", {"spec": {"unschedulable": True}})
    client.patience = 0  # the loop repeats all requests
    evicted: list[str] = []
    end = time.monotonic() + timeout
    while True:
        blocked, problem, pods = {}, "", None
        try:
            pods = list(filter(is_evicted, client.items("/api/v1/pods", {"fieldSelector": f"spec.nodeName={name}"})))
            evicted += [title(pod) for pod in pods if title(pod) not in evicted]
            blocked = {} if dry else evict(client, pods)
        except (ApiError, Unreachable) as error:
            if isinstance(error, ApiError) and not error.transient:
                raise
            problem = str(error)
        waiting = pods is None or blocked or pods and is_ready(node)
        if dry or not waiting:
            return [*changes, *(f"pod {pod} evicted from node {name}" for pod in evicted)]
        if time.monotonic() > end:
            raise HostError(_not_drained(name, timeout, pods or [], blocked, problem))
        time.sleep(2)


def _not_drained(name: str, timeout: int, pods: list[Any], blocked: Mapping[str, str], problem: str) -> str:
    reasons = [f"{pod}: {blocked.get(pod, 'it has not ended yet')}" for pod in map(title, pods)]
    return (
        f"Node '{name}' was not drained within {timeout} seconds; it stays cordoned and was not removed. Evidence:"
        f" {'; '.join(reasons[:8]) or problem}. Remedy: give the applications room on other nodes, or relax their PodDisruptionBudgets, and"
        f" run again; or run without draining. 'kubectl uncordon {name}' lets pods run on it again."
    )


def remove(client: Client, name: str, machine_id: str, dry: bool) -> list[str]:
    """Delete the Node of a host that no longer runs a kubelet, and return what was changed, as sentences.

    :param machine_id: /etc/machine-id of the host, "" if unknown.
    :raises HostError: another machine is running under this name.
    """
    node = client.find(f"{NODES}/{name}")
    if node is None:
        return []
    lease = client.find(f"{LEASES}/{name}") or {}
    reason = credentials.reason_to_keep_node(node, lease, machine_id, time.time())
    if reason:
        raise HostError(f"Node '{name}' was not deleted: {reason}")
    if not dry:
        client.delete(f"{NODES}/{name}", uid=node["metadata"].get("uid"))
    return [f"node {name} deleted"]


def converge(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Drain or remove a node and return the result of the module.

    :raises HostError: this host is not a control plane of the expected cluster, or the node cannot be drained or removed.
    """
    has_kubeconfig(params["kubeconfig"], False)
    ca_file = Path(params["ca_file"])
    here = ca_cert_hash(ca_file.read_text()) if ca_file.exists() else ""
    if params["ca_cert_hash"] and here != params["ca_cert_hash"]:
        raise HostError(
            f"Node '{params['name']}' does not belong to the cluster of this control plane; nothing was changed. Evidence: the CA of its"
            f" cluster is {params['ca_cert_hash']}, the CA of this control plane is {here or 'unknown'}. Correct the inventory."
        )
    client = connect(params["kubeconfig"], params["server"])
    if params["state"] == "drained":
        changes = drain(client, params["name"], params["timeout"], check_mode)
    else:
        changes = remove(client, params["name"], params["machine_id"], check_mode)
    return {
        "changed": bool(changes),
        "changes": changes,
        "diff": {
            "before": "",
            "after": "".join(f"{change}\n" for change in changes),
            "after_header": "changes of nodes",
        },
    }
