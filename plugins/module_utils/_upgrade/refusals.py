# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why an upgrade must not begin: pure rules over what was observed. Each refusal says what is wrong, the evidence and the remedy.

Versions: https://kubernetes.io/releases/version-skew-policy/
"""

from __future__ import annotations

from typing import Any, Iterable, Iterator, Mapping

from .._kube.versions import minor_number, oldest_kubelet, parse_version, versions_between
from .._kubeadm.budgets import is_evicted, refuse_drain, title
from .._kubeadm.removal import cordoned_by, is_ready
from .observed import Observed

REASON = "upgrade"
# Images of a control plane, its packages, and the copy of etcd's data that kubeadm makes.
DISK_MB = 2048
ETCD_COPIES = "/var/lib/etcd"

Host = Mapping[str, Any]
Table = Mapping[str, Mapping[str, Any]]


def running_version(host: Host, node: Mapping[str, Any]) -> str:
    """Return the version of a node's kubelet that runs, as the Node tells."""
    return str(node.get("status", {}).get("nodeInfo", {}).get("kubeletVersion") or host.get("kubelet") or "").lstrip(
        "v"
    )


def is_begun(host: Host, node: Mapping[str, Any]) -> bool:
    """Return whether an earlier run began to upgrade a node and was interrupted: its state is then the reason to go on."""
    return bool(host.get("interrupted")) or cordoned_by(node) == REASON


def check_versions(
    version: str,
    hosts: Iterable[Host],
    seen: Observed,
    table: Table,
    chosen: Iterable[str],
    behind: Mapping[str, list[str]],
) -> Iterator[str]:
    """A version of each minor between is known, nothing is downgraded, and no kubelet is too old for the new API server.

    :param behind: names of workers by the minor that they must go through and of which no version is known.
    """
    target = minor_number(version)
    have: dict[str, list[str]] = {}
    unknown: dict[str, str] = {}
    for host in hosts:
        for name, value in {
            **host["components"],
            "kubelet": running_version(host, seen.nodes.get(host["name"], {})),
        }.items():
            if value and name != "etcd":
                have.setdefault(value, []).append(f"{name} on {host['name']}")
    for value, where in sorted(have.items()):
        minor = minor_number(value)
        shown = f"{', '.join(where[:4])}{f' and {len(where) - 4} more' if len(where) > 4 else ''}: {value}"
        if minor is None or target is None:
            yield f"The version cannot be compared with {version}. Evidence: {shown}. Use release versions. [slipway:version_unknown]"
        elif parse_version(value) > parse_version(version):
            yield (
                f"Kubernetes does not support downgrades. Evidence: {shown}; kube_version is {version}. Set kube_version to"
                f" {value} or later. [slipway:downgrade]"
            )
        elif minor < oldest_kubelet(target):
            behind = {}
            yield (
                f"A kubelet would be too old for the new API server. Evidence: {shown}; an API server of 1.{target} supports kubelets from"
                f" 1.{oldest_kubelet(target)} on. Set kube_version to a version of 1.{minor + 3} at most and upgrade, then to {version}."
                " [slipway:kubelet_too_old]"
            )
        elif any(not name.startswith("kubelet") for name in where):
            between = versions_between(value, version, table, chosen)
            unknown = {**{name: shown for name, known in between.items() if not known}, **unknown}
    late = {minor: f"kubelets older than {minor} on {', '.join(names)}" for minor, names in behind.items() if names}
    for name, shown in {**late, **unknown}.items():
        yield (
            f"The upgrade would skip a minor version, which kubeadm does not support. Evidence: {shown}; kube_version is {version}, and no version"
            f" of {name} is known, which is between them. Set upgrade_through to a version of {name}, or add it to kube_versions as kubernetes."
            " [slipway:minor_version_skipped]"
        )


def check_members(hosts: Iterable[Host], seen: Observed) -> Iterator[str]:
    """Inventory and cluster have the same nodes, all of them Ready."""
    hosts = list(hosts)
    names = {host["name"] for host in hosts}
    for name in sorted(set(seen.nodes) - names):
        yield (
            f"Node {name} is not in the inventory, so it would keep its version. Evidence: its kubelet is"
            f" {running_version({}, seen.nodes[name])}. Add its host to the inventory, or remove the node. [slipway:node_not_in_inventory]"
        )
    for host in hosts:
        node = seen.nodes.get(host["name"])
        if node is None:
            yield (
                f"Host {host['host']} is not a node of the cluster. Evidence: the API server has no Node {host['name']}. Add it with"
                f" slipway.kube.cluster and kube_version {seen.cluster}, or remove it from the inventory until the upgrade is done. [slipway:host_not_a_node]"
            )
        elif not is_ready(node) and not is_begun(host, node):
            conditions = node.get("status", {}).get("conditions") or []
            why = next((item.get("message") for item in conditions if item["type"] == "Ready"), "")
            yield (
                f"Node {host['name']} is not Ready. Evidence: {why or 'it has no such condition'}. Repair it, or remove it from the cluster."
                " [slipway:node_not_ready]"
            )


def check_control_planes(hosts: Iterable[Host], seen: Observed) -> Iterator[str]:
    """Every API server and etcd are healthy, and no certificate has expired: kubeadm renews only those that still work."""
    begun = {host["name"] for host in hosts if is_begun(host, seen.nodes.get(host["name"], {}))}
    for name, problem in seen.api_servers.items():
        if name not in begun:
            yield (
                f"The API server on {name} is not healthy. Evidence: {problem} Repair it before the upgrade. [slipway:api_server_unhealthy]"
            )
    if seen.etcd and not begun:
        yield f"etcd is not healthy. Evidence: {'; '.join(seen.etcd)}. Repair it before the upgrade. [slipway:etcd_member]"
    for name, seconds in seen.certificates.items():
        if seconds <= 0:
            yield (
                f"A certificate has expired. Evidence: {name} ended {-seconds / 86400:.0f} days ago. Renew it with the playbook"
                " slipway.kube.certificates (-e certificates_renew=true). [slipway:certificate_expires]"
            )


def check_apis(version: str, seen: Observed) -> Iterator[str]:
    """No client uses an API that the new version does not serve."""
    target = parse_version(version)[:2]
    for labels in seen.deprecated:
        removed = parse_version(labels.get("removed_release", ""))
        if removed and removed <= target:
            name = "/".join(filter(None, (labels.get("group"), labels.get("version"), labels.get("resource"))))
            yield (
                f"Clients use the API {name}, which Kubernetes {labels['removed_release']} no longer serves. Evidence: metric"
                " apiserver_requested_deprecated_apis of the API server. Find the client in the audit log, or by the user agents of requests"
                " with a warning, and change it to a newer version of the API. [slipway:removed_api]"
            )


def check_webhooks(seen: Observed) -> Iterator[str]:
    """No webhook that must answer lacks a pod: the API server would reject what kubeadm and evictions need."""
    for configuration in seen.webhooks:
        for hook in configuration.get("webhooks") or []:
            service = (hook.get("clientConfig") or {}).get("service")
            if not service or (hook.get("failurePolicy") or "Fail") != "Fail":
                continue
            if not seen.endpoints.get((service["namespace"], service["name"])):
                yield (
                    f"Webhook {hook['name']} rejects every request that it reviews. Evidence: {configuration['kind']}"
                    f" {configuration['metadata']['name']} has failurePolicy Fail, and its Service {service['namespace']}/{service['name']} has"
                    " no ready endpoints. Start its pods, or delete the configuration. [slipway:webhook_down]"
                )


def check_drain(hosts: Iterable[Host], seen: Observed, force: bool) -> Iterator[str]:
    """The pods of each node that is upgraded can be evicted."""
    names = {host["name"] for host in hosts}
    pods = [pod for pod in seen.pods if pod["spec"].get("nodeName") in names]
    yield from refuse_drain(pods, seen.budgets, force, "set upgrade_force to evict them")


def check_disks(hosts: Iterable[Host]) -> Iterator[str]:
    """There is room for packages, images and the copy of etcd's data that kubeadm makes."""
    for host in hosts:
        for disk in host["disks"]:
            if disk["available_mb"] < DISK_MB and (host["control_plane"] or disk["path"] != ETCD_COPIES):
                yield (
                    f"Host {host['host']} has too little free disk. Evidence: {disk['available_mb']} MiB are available in {disk['path']}, and an"
                    f" upgrade needs {DISK_MB}. Free some space. [slipway:disk]"
                )
                break


def check_order(version: str, hosts: Iterable[Host], moving: Iterable[Host], seen: Observed) -> Iterator[str]:
    """Workers follow all control planes, also in a run with --limit."""
    names = {host["name"] for host in moving}
    late = [
        host["name"]
        for host in hosts
        if host["control_plane"]
        and host["name"] not in names
        and running_version(host, seen.nodes.get(host["name"], {})) != version
    ]
    if late and any(not host["control_plane"] for host in moving):
        yield (
            f"Control planes are upgraded before workers. Evidence: {', '.join(late)} would keep an older version in this run. Run without"
            " --limit, or include them. [slipway:workers_before_control_planes]"
        )


def check_left_out(left_out: Mapping[str, Iterable[str]]) -> Iterator[str]:
    """A run that goes through other minor versions has all nodes that must go through them.

    :param left_out: names of nodes by version that they must go through.
    """
    for version, names in left_out.items():
        yield (
            f"The upgrade goes through {version}, and would leave nodes behind. Evidence: {', '.join(names)} would not be upgraded in this run."
            " API servers may differ by one minor version, and kubeadm migrates the files of a node from one minor version to the next."
            " Run without --limit, or include them. [slipway:nodes_left_out]"
        )


def evictable(seen: Observed, name: str) -> list[str]:
    """Return the pods that move when a node is drained."""
    return [title(pod) for pod in seen.pods if pod["spec"].get("nodeName") == name and is_evicted(pod)]
