# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which cluster a host belongs to, and what the cluster contains: two clusters often have the same name, ``kubernetes``."""

from __future__ import annotations

import re
from typing import Any

from .._host.facts import cluster as facts
from .._host.record import Record
from .._host.system import HostError, System
from .._kube.api import Client
from .._kube.x509 import ca_cert_hash
from .._kubeadm.admin import cluster_id, connect
from .._kubeadm.config import join_endpoint
from .cluster import cluster_files

SECONDS = 10
"""How long the API server may take for one answer: a cluster is often reset because it no longer works."""


def hash_of_files(system: System) -> str:
    """Return the hash of the CA that the files of kubeadm and the kubelet trust, "" where there are none."""
    texts = [system.read(facts.CA) or ""]
    texts += [facts.parse_kubeconfig(system.read(path) or "")["ca"] for path in (facts.KUBELET, facts.ADMIN)]
    return next(filter(None, map(ca_cert_hash, texts)), "")


def belongs_to(system: System, record: Record, cluster_name: str) -> bool:
    """Return whether this host belongs to a cluster; False for a host without any cluster.

    :raises HostError: it belongs to another cluster, or to one that this collection did not create.
    """
    found = cluster_files(system)
    if not record.marked and not found:
        return False
    if not record.marked:
        raise HostError(
            f"This host is a node of a cluster that slipway.kube did not create; nothing was changed. Evidence: {', '.join(found)} exist, but"
            f" {record.path} does not mark the host. Remove the host from the inventory, or run 'kubeadm reset' on it if that cluster is"
            " no longer needed. [slipway:unmarked_member]"
        )
    if record.cluster_name != cluster_name:
        raise HostError(
            f"This host belongs to the cluster '{record.cluster_name}', not to '{cluster_name}'; nothing was changed. Evidence: {record.path}."
            f" Reset it with the inventory of '{record.cluster_name}', or correct kube_cluster_name. [slipway:other_cluster]"
        )
    trusted = hash_of_files(system)
    if record.ca_hash and trusted and trusted != record.ca_hash:
        raise HostError(
            f"This host has joined another cluster since slipway.kube prepared it for '{cluster_name}'; nothing was changed. Evidence: its"
            f" files trust the CA {trusted}, {record.path} names the CA {record.ca_hash}. Run 'kubeadm reset' on it if that cluster is"
            " no longer needed, then run again. [slipway:other_cluster]"
        )
    return True


def identity(system: System, record: Record) -> dict[str, str]:
    """Return ``name``, ``ca_hash`` and ``id`` of the cluster of this host; empty values where they are unknown."""
    return {
        "name": record.cluster_name,
        "ca_hash": record.ca_hash or hash_of_files(system),
        "id": record.cluster_id,
    }


def parse_api_server(manifest: str) -> str:
    """Return the URL of the API server that the manifest of kube-apiserver starts on this host, "" without a manifest.

    Not 127.0.0.1, which the server's certificate does not contain.
    """
    address = re.search(r"--advertise-address=(\S+)", manifest)
    return f"https://{join_endpoint(address.group(1), facts.parse_secure_port(manifest))}" if address else ""


def api_server(system: System) -> str:
    """Return the URL of the API server of this host, "" where it is not a control plane."""
    return parse_api_server(system.read(f"{facts.MANIFESTS}/kube-apiserver.yaml") or "")


def contents(system: System) -> dict[str, Any]:
    """Return ``id``, ``nodes`` (names), ``pods`` and ``claims`` (numbers) of the cluster, {} where this is not a control plane.

    :raises ApiError, KubeconfigError, Unreachable: the API server of this control plane does not answer.
    """
    if not system.exists(facts.ADMIN):
        return {}
    client = connect(system.path(facts.ADMIN), api_server(system), timeout=SECONDS, patience=0)
    return {
        "id": cluster_id(client),
        "nodes": sorted(node["metadata"]["name"] for node in client.items("/api/v1/nodes")),
        "pods": _count(client, "/api/v1/pods"),
        "claims": _count(client, "/api/v1/persistentvolumeclaims"),
    }


def _count(client: Client, path: str) -> int:
    """Return the number of objects in a collection, from the first object and the number of the remaining ones."""
    listed = client.get(path, {"limit": "1"})
    return len(listed.get("items") or []) + int((listed.get("metadata") or {}).get("remainingItemCount") or 0)
