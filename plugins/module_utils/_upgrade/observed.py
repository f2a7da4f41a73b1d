# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the plan of an upgrade reads of a cluster, from a control plane."""

from __future__ import annotations

import re
import ssl
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Iterable, Mapping

from .._kube.api import ApiError, Client, Unreachable
from .._kube.x509 import certificate_end
from .._kubeadm import etcd
from .._kubeadm.admin import connect
from .._kubeadm.budgets import BUDGETS
from .._kubeadm.config import join_endpoint
from .._kubeadm.upgrade import cluster_version

PKI = "/etc/kubernetes/pki"
WEBHOOKS = ("mutatingwebhookconfigurations", "validatingwebhookconfigurations")
SNAPSHOT_AGE = 86400
DEPRECATED = re.compile(r"^apiserver_requested_deprecated_apis\{([^}]*)\} [^0]", re.M)


@dataclass
class Observed:
    """The state of a cluster.

    :ivar cluster: version in kubeadm's ClusterConfiguration.
    :ivar addons: version of ``kube-proxy`` and ``CoreDNS``, where they exist.
    :ivar deprecated: APIs that were requested since the start of an API server, as labels of the metric apiserver_requested_deprecated_apis.
    :ivar endpoints: number of ready endpoints by (namespace, Service).
    :ivar etcd: what is wrong with etcd.
    :ivar api_servers: what is wrong with an API server, by the name of its node.
    :ivar certificates: seconds until a certificate ends, by its name.
    :ivar snapshots: names of the snapshots of etcd on this control plane that are younger than a day.
    """

    cluster: str = ""
    nodes: dict[str, Any] = field(default_factory=dict)
    pods: list[dict[str, Any]] = field(default_factory=list)
    budgets: list[dict[str, Any]] = field(default_factory=list)
    webhooks: list[dict[str, Any]] = field(default_factory=list)
    endpoints: dict[tuple[str, str], int] = field(default_factory=dict)
    addons: dict[str, str] = field(default_factory=dict)
    deprecated: list[dict[str, str]] = field(default_factory=list)
    etcd: list[str] = field(default_factory=list)
    api_servers: dict[str, str] = field(default_factory=dict)
    certificates: dict[str, float] = field(default_factory=dict)
    snapshots: list[str] = field(default_factory=list)


def parse_deprecated(metrics: str) -> list[dict[str, str]]:
    """Return the labels of each deprecated API that was requested, from an API server's metrics."""
    return [dict(re.findall(r'(\w+)="([^"]*)"', labels)) for labels in DEPRECATED.findall(metrics)]


def count_endpoints(slices: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], int]:
    """Return the number of ready endpoints by (namespace, Service)."""
    found: dict[tuple[str, str], int] = {}
    for one in slices:
        metadata = one["metadata"]
        service = (metadata["namespace"], (metadata.get("labels") or {}).get("kubernetes.io/service-name", ""))
        ready = [
            item for item in one.get("endpoints") or [] if (item.get("conditions") or {}).get("ready") is not False
        ]
        found[service] = found.get(service, 0) + len(ready)
    return found


def trim_pod(pod: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the plan needs of a pod."""
    metadata, spec = pod["metadata"], pod.get("spec") or {}
    kept = ("name", "namespace", "labels", "annotations", "ownerReferences")
    return {
        "metadata": {key: metadata[key] for key in kept if key in metadata},
        "spec": {"nodeName": spec.get("nodeName"), "volumes": spec.get("volumes") or []},
        "status": {"phase": (pod.get("status") or {}).get("phase")},
    }


def read_addons(client: Client) -> dict[str, str]:
    """Return the version of each add-on that kubeadm upgrades, from the tag of its image."""
    found = {}
    for name, path in (("kube-proxy", "daemonsets/kube-proxy"), ("CoreDNS", "deployments/coredns")):
        workload = client.find(f"/apis/apps/v1/namespaces/kube-system/{path}")
        containers = workload["spec"]["template"]["spec"]["containers"] if workload else []
        match = re.search(r":v?(\d+\.\d+\.\d+)", containers[0]["image"]) if containers else None
        if match:
            found[name] = match.group(1)
    return found


def read_certificates(hosts: Iterable[Mapping[str, Any]], folder: str = PKI) -> dict[str, float]:
    """Return the seconds until each certificate of this host, and that of each API server, ends."""
    now, ends = time.time(), {}
    for path in sorted(Path(folder).glob("**/*.crt")):
        ends[str(path)] = certificate_end(path.read_bytes())
    for host in hosts:
        try:
            pem = ssl.get_server_certificate((host["address"], host["api_port"]))
            ends[f"the certificate of the API server on {host['name']}"] = certificate_end(pem)
        except (OSError, ValueError):
            continue  # reported as an API server that does not answer
    return {name: end - now for name, end in ends.items() if end is not None}


def read_snapshots(folder: str, now: float) -> list[str]:
    """Return the names of the snapshots that are recent enough for a run that goes on: a cluster may work for days where one stopped."""
    paths = Path(folder).glob("*.db") if folder else ()
    return sorted(path.name for path in paths if now - path.stat().st_mtime < SNAPSHOT_AGE)


def observe(params: Mapping[str, Any]) -> Observed:
    """Return the state of the cluster.

    :param params: of the module upgrade_plan.
    :raises ApiError: the API server rejects a request.
    :raises Unreachable: it does not answer.
    """
    client = connect(params["kubeconfig"], params["server"])
    planes = [host for host in params["hosts"] if host["control_plane"]]
    seen = Observed(
        cluster=cluster_version(client),
        nodes={node["metadata"]["name"]: node for node in client.items("/api/v1/nodes")},
        pods=client.items("/api/v1/pods", trim=trim_pod),
        budgets=client.items(BUDGETS),
        webhooks=[hook for kind in WEBHOOKS for hook in client.items(f"/apis/admissionregistration.k8s.io/v1/{kind}")],
        endpoints=count_endpoints(client.items("/apis/discovery.k8s.io/v1/endpointslices")),
        addons=read_addons(client),
        certificates=read_certificates(planes),
        snapshots=read_snapshots(params["snapshot_dir"], time.time()),
    )
    for host in planes:
        try:
            server = f"https://{join_endpoint(host['address'], host['api_port'])}"
            own = connect(params["kubeconfig"], server, timeout=20, patience=5)
            own.text("/readyz")
            seen.deprecated += [one for one in parse_deprecated(own.text("/metrics")) if one not in seen.deprecated]
        except (ApiError, Unreachable) as error:
            seen.api_servers[host["name"]] = str(error)
    if etcd.has_credentials():
        try:
            seen.etcd = etcd.find_problems(etcd.find_endpoint())
        except etcd.EtcdError as error:
            seen.etcd = [str(error)]
    return seen
