# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The health of a cluster, of some namespaces or of one release: all faults, root causes first."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Collection, Mapping, Sequence

from .._kube.api import ApiError, Client
from .._kube.objects import RELEASE, RELEASE_NAMESPACE, Reference, reference
from .._kube.quantities import amount, requests_of
from .._kube.redaction import Redactor
from .backups import check_backups
from .control_plane import ControlPlane, check_dns
from .explain import OUTSIDE, concerns, read_view
from .finding import SEVERITIES, Finding, at_or_above, redact_findings
from .logs import add_logs
from .ports import verify_ports
from .ranking import ranked
from .reading import read_kind
from .rules import CHECKS, all_findings
from .sources import CLUSTER_KINDS, NAMESPACED_KINDS, SOURCES
from .system import network_of, node_summary
from .view import View, annotations_of, is_finished, namespace_of, node_name, status_of, works

# Checks that send requests of their own; the rules only use what was listed.
LIVE_CHECKS = ("control_plane", "dns", "backup", "ports")
ALL_CHECKS = (*CHECKS, *LIVE_CHECKS)
UNRELEASED_KINDS = ("Event", "Killing", "Skipped", "Preempted", "Node", "EndpointSlice", "Pod", "ReplicaSet")
COUNTED_KINDS = (
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "Job",
    "CronJob",
    "Service",
    "Ingress",
    "PersistentVolumeClaim",
)


class NotFound(Exception):
    """The namespace or release does not exist."""


@dataclass
class Health:
    """The result of an examination.

    :ivar findings: The findings of at least the requested severity, most important first.
    :ivar summary: Numbers of findings by severity, and of objects by kind.
    :ivar nodes: The nodes, control plane nodes first.
    :ivar unseen: What could not be checked, and why.
    """

    findings: list[Finding] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    nodes: list[dict[str, Any]] = field(default_factory=list)
    unseen: dict[str, str] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """The summary in one sentence."""
        counts = [(self.summary.get(severity, 0), severity) for severity in SEVERITIES]
        text = ", ".join(f"{count} {severity}{'' if count == 1 else 's'}" for count, severity in counts if count)
        healthy, pods = self.summary.get("pods_healthy", 0), self.summary.get("pods", 0)
        return f"{text or 'No faults found'}; {healthy} of {pods} pods are healthy."


def examine(
    client: Client,
    namespaces: Sequence[str] = (),
    release: tuple[str, str] | None = None,
    severity: str = "info",
    logs: bool = True,
    without: Collection[str] = (),
    etcd: Sequence[Mapping[str, Any]] = (),
) -> Health:
    """Examine a cluster.

    :param namespaces: The namespaces to examine; if empty, the whole cluster with its nodes and control plane.
    :param release: The namespace and the name of a release, to examine only its objects.
    :param severity: The lowest severity to report.
    :param without: Names of :data:`ALL_CHECKS` to skip.
    :param etcd: What the members of an external etcd say, see :func:`.._kubeadm.etcd.read_statuses`.
    :raises NotFound: The namespace or release does not exist.
    :raises ApiError: The API server rejects the credentials.
    :raises Unreachable: The API server does not respond.
    """
    names: list[Reference] = []
    if release is not None:
        names = _released_objects(client, *release)
        namespaces = sorted({name.namespace for name in names if name.namespace} | {release[0]})
    homes = _read_namespaces(client, namespaces)
    whole = not namespaces
    view = read_view(client, namespaces, NAMESPACED_KINDS, CLUSTER_KINDS if whole else OUTSIDE, homes)
    unseen = dict(view.unseen)
    found = all_findings(view, {*without, *(() if whole else ("nodes", "api_services"))})
    if whole and "control_plane" not in without:
        control_plane = ControlPlane(client, view, etcd)
        found += control_plane.findings()
        unseen.update(control_plane.unseen)
    if whole and "dns" not in without:
        failures, unchecked = check_dns(client, view)
        found += failures
        unseen.update(unchecked)
    if whole and "backup" not in without:
        failures, unchecked = check_backups(client)
        found += failures
        unseen.update(unchecked)
    if "ports" not in without:
        found = verify_ports(client, found)
    found = ranked(found)
    if names:
        found = [finding for finding in found if concerns(finding, names)]
    elif namespaces:
        found = [finding for finding in found if _affects(finding, namespaces)]
    found = at_or_above(found, severity)
    if logs:
        add_logs(client, found)
    redact_findings(found, Redactor())
    return Health(found, _summary(view, found), _nodes(view), unseen)


def _read_namespaces(client: Client, namespaces: Sequence[str]) -> list[dict[str, Any]]:
    """Return the namespaces, without those that may not be read.

    :raises NotFound: A namespace does not exist.
    """

    def find(namespace: str) -> dict[str, Any] | None:
        try:
            return client.find("/api/v1/namespaces/" + namespace)
        except ApiError as error:
            if error.status != 403:
                raise
            # Reading the objects of a namespace may be allowed even if reading the namespace is not.
            return {}

    found = client.each(find, namespaces)
    missing = [namespace for namespace, live in zip(namespaces, found) if live is None]
    if missing:
        one = len(missing) == 1
        raise NotFound(
            f"Namespace{'' if one else 's'} {', '.join(missing)} do{'es' if one else ''} not exist. Run kubectl get namespaces to list them."
            " [slipway:namespace_missing]"
        )
    return [content for content in found if content]


def _released_objects(client: Client, namespace: str, name: str) -> list[Reference]:
    """Return the objects of a release, in any namespace.

    :raises NotFound: There are none.
    """
    query = {"labelSelector": f"{RELEASE}={name}"}

    def read(kind: str) -> list[dict[str, Any]]:
        try:
            return read_kind(client, kind, "", query)
        except ApiError:
            return read_kind(client, kind, namespace, query)

    kinds = [kind for kind in (*NAMESPACED_KINDS, *CLUSTER_KINDS) if kind not in UNRELEASED_KINDS]
    found = [
        reference(content)
        for items in client.each(read, kinds)
        for content in items
        if annotations_of(content).get(RELEASE_NAMESPACE) in (None, namespace)
    ]
    if not found:
        raise NotFound(
            f"Release {name} does not exist in namespace {namespace}: no object has the label {RELEASE}={name}. "
            "List the releases with module release_info."
            " [slipway:revision_missing]"
        )
    return found


def _affects(finding: Finding, namespaces: Sequence[str]) -> bool:
    """Return whether a finding is about some namespaces or their objects, or affects an object in them."""
    if finding.object.namespace:
        return finding.object.namespace in namespaces
    if finding.object.kind == "Namespace" and finding.object.name in namespaces:
        return True
    return any(other.partition(" ")[2].partition("/")[0] in namespaces for other in finding.others)


def _nodes(view: View) -> list[dict[str, Any]]:
    """Return a summary of every node with its number of pods and the percentages of CPU and memory that they request."""
    requested: dict[str, dict[str, float]] = {}
    counts: dict[str, int] = {}
    for pod in view.all("Pod"):
        name = node_name(pod)
        if name and not is_finished(pod):
            counts[name] = counts.get(name, 0) + 1
            total = requested.setdefault(name, {})
            for key, value in requests_of(pod).items():
                total[key] = total.get(key, 0.0) + value
    found = []
    for node in view.all("Node"):
        one = node_summary(node)
        one["pods"] = counts.get(one["name"], 0)
        for resource in ("cpu", "memory"):
            allocatable = amount((status_of(node).get("allocatable") or {}).get(resource))
            used = requested.get(one["name"], {}).get(resource, 0.0)
            one[resource + "_requested_percent"] = round(100 * used / allocatable) if allocatable else 0
        found.append(one)
    return sorted(found, key=lambda one: (not one["roles"], one["name"]))


def _summary(view: View, findings: Sequence[Finding]) -> dict[str, Any]:
    pods = view.all("Pod")
    phases: dict[str, int] = {}
    for pod in pods:
        phase = status_of(pod).get("phase") or "Unknown"
        phases[phase] = phases.get(phase, 0) + 1
    return {
        **{severity: sum(finding.severity == severity for finding in findings) for severity in SEVERITIES},
        "pods": len(pods),
        "pods_healthy": sum(map(works, pods)),
        "pods_by_phase": phases,
        "nodes": len(view.all("Node")),
        "namespaces": _by_namespace(view, findings),
        **{SOURCES[kind].plural: len(view.all(kind)) for kind in COUNTED_KINDS},
        "network": network_of(view.all("DaemonSet")),
        "read": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def _by_namespace(view: View, findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """Return the numbers of pods and findings of every namespace that has any."""
    found: dict[str, dict[str, Any]] = {}

    def at(namespace: str) -> dict[str, Any]:
        counts = {"pods": 0, "pods_healthy": 0, **dict.fromkeys(SEVERITIES, 0)}
        return found.setdefault(namespace, {"name": namespace, **counts})

    for pod in view.all("Pod"):
        one = at(namespace_of(pod))
        one["pods"] += 1
        one["pods_healthy"] += works(pod)
    for finding in findings:
        if finding.object.namespace:
            at(finding.object.namespace)[finding.severity] += 1
    return [found[name] for name in sorted(found)]
