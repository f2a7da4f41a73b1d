# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The health of a cluster, of some namespaces or of one release: everything that is wrong, root causes first."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Collection, Mapping, Sequence

from .._kube.api import ApiError, Client
from .._kube.objects import Reference, reference
from .._kube.quantities import amount, requests_of
from .._kube.redaction import Redactor
from .control_plane import ControlPlane, names_resolved
from .explain import OUTSIDE, concerns, read_view
from .finding import SEVERITIES, Finding, at_or_above, redact_findings
from .logs import add_logs
from .pods import is_healthy
from .ports import verify_ports
from .ranking import ranked
from .reading import SOURCES, read_kind
from .rules import CHECKS, all_findings
from .system import network_of, node_summary
from .view import View

RELEASE, RELEASE_NAMESPACE = "slipway.kube/release", "slipway.kube/release-namespace"
# Names with which parts of the examination can be left out, beside those of the rules.
LOOKS = ("control_plane", "dns", "ports")
EVERYTHING = tuple(kind for kind, source in SOURCES.items() if source.namespaced)
WHOLE = tuple(kind for kind, source in SOURCES.items() if not source.namespaced)
ALL_CHECKS = (*CHECKS, *LOOKS)


class NoSuch(Exception):
    """What is to be looked at is not there; the message says what, and what is."""


@dataclass
class Health:
    """What an examination found.

    :ivar findings: those of the wanted severity and above, the first to be read first.
    :ivar summary: numbers: of findings by severity, and of objects by kind.
    :ivar nodes: the nodes, control planes first.
    :ivar unseen: what could not be looked at, and why.
    """

    findings: list[Finding] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    nodes: list[dict[str, Any]] = field(default_factory=list)
    unseen: dict[str, str] = field(default_factory=dict)


def examine(
    client: Client,
    namespaces: Sequence[str] = (),
    release: tuple[str, str] | None = None,
    severity: str = "info",
    logs: bool = True,
    without: Collection[str] = (),
) -> Health:
    """Examine a cluster.

    :param namespaces: look at these only; at the whole cluster, nodes and control plane too, where none is named.
    :param release: look at the objects of one release only: its namespace and its name.
    :param severity: leave out what is less severe.
    :param without: names out of :data:`ALL_CHECKS` of what is left out.
    :raises NoSuch: there is no such namespace or release. :raises ApiError: the server refuses to say who one is.
    :raises Unreachable: the server does not answer.
    """
    names: list[Reference] = []
    if release is not None:
        names = objects_of(client, *release)
        namespaces = sorted({name.namespace for name in names if name.namespace} | {release[0]})
    homes = _must_exist(client, namespaces)
    whole = not namespaces
    view = read_view(client, namespaces, EVERYTHING, WHOLE if whole else OUTSIDE, homes)
    unseen = dict(view.unseen)
    leave = set(without) | (set() if whole else {"nodes", "api_services"})
    found = all_findings(view, leave)
    if whole:
        found += _look_deeper(client, view, without, unseen)
    if "ports" not in without:
        found = verify_ports(client, found)
    found = ranked(found)
    if names:
        found = [finding for finding in found if concerns(finding, names)]
    elif namespaces:
        found = [finding for finding in found if _inside(finding, namespaces)]
    found = at_or_above(found, severity)
    if logs:
        add_logs(client, found)
    redact_findings(found, Redactor())
    return Health(found, summary_of(view, found), nodes_of(view), unseen)


def _look_deeper(client: Client, view: View, without: Collection[str], unseen: dict[str, str]) -> list[Finding]:
    found: list[Finding] = []
    if "control_plane" not in without:
        control_plane = ControlPlane(client, view)
        found += control_plane.findings()
        unseen.update(control_plane.unseen)
    if "dns" not in without:
        more, dark = names_resolved(client, view)
        found += more
        unseen.update(dark)
    return found


def _must_exist(client: Client, namespaces: Sequence[str]) -> list[dict[str, Any]]:
    """Give the namespaces, those that may be read."""
    found = client.each(lambda name: _look_up(client, name), namespaces)
    missing = [namespace for namespace, live in zip(namespaces, found) if live is None]
    if missing:
        raise NoSuch(f"There is no namespace {' and no '.join(missing)} in the cluster. See: kubectl get namespaces.")
    return [content for content in found if content]


def _look_up(client: Client, namespace: str) -> dict[str, Any] | None:
    try:
        return client.find("/api/v1/namespaces/" + namespace)
    except ApiError as error:
        if error.status == 403:
            # Who may not read namespaces may still read what is in one.
            return {}
        raise


def objects_of(client: Client, namespace: str, name: str) -> list[Reference]:
    """Name the objects that bear a release's label, in whatever namespace.

    :raises NoSuch: there are none.
    """

    def read(kind: str) -> list[dict[str, Any]]:
        try:
            return read_kind(client, kind, "", {"labelSelector": f"{RELEASE}={name}"})
        except ApiError:
            return read_kind(client, kind, namespace, {"labelSelector": f"{RELEASE}={name}"})

    kinds = [
        kind for kind in (*EVERYTHING, *WHOLE) if kind not in ("Event", "Node", "EndpointSlice", "Pod", "ReplicaSet")
    ]
    found = []
    for items in client.each(read, kinds):
        for content in items:
            home = (content["metadata"].get("annotations") or {}).get(RELEASE_NAMESPACE)
            if home in (None, namespace):
                found.append(reference(content))
    if not found:
        raise NoSuch(
            f"There is no release {name} in namespace {namespace}: no object has the label {RELEASE}={name}. See the module release_info."
        )
    return found


def _inside(finding: Finding, namespaces: Sequence[str]) -> bool:
    """Whether a finding is of one of some namespaces, or something in them suffers from it."""
    if finding.object.namespace in namespaces:
        return True
    if finding.object.namespace:
        return False
    if finding.object.kind == "Namespace" and finding.object.name in namespaces:
        return True
    return any(other.partition(" ")[2].partition("/")[0] in namespaces for other in finding.others)


def nodes_of(view: View) -> list[dict[str, Any]]:
    """Tell of every node what people ask first, and how full it is."""
    asked: dict[str, dict[str, float]] = {}
    counts: dict[str, int] = {}
    for pod in view.all("Pod"):
        node = (pod.get("spec") or {}).get("nodeName") or ""
        if not node or (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
            continue
        counts[node] = counts.get(node, 0) + 1
        into = asked.setdefault(node, {})
        for key, value in requests_of(pod).items():
            into[key] = into.get(key, 0.0) + value
    told = []
    for node in view.all("Node"):
        one = node_summary(node)
        room = (node.get("status") or {}).get("allocatable") or {}
        mine = asked.get(one["name"], {})
        one["pods"] = counts.get(one["name"], 0)
        for resource in ("cpu", "memory"):
            whole = amount(room.get(resource))
            one[resource + "_requested_percent"] = round(100 * mine.get(resource, 0.0) / whole) if whole else 0
        told.append(one)
    return sorted(told, key=lambda one: (not one["roles"], one["name"]))


def summary_of(view: View, findings: Sequence[Finding]) -> dict[str, Any]:
    """Count what there is."""
    pods = view.all("Pod")
    counted: dict[str, Any] = {
        severity: sum(finding.severity == severity for finding in findings) for severity in SEVERITIES
    }
    phases: dict[str, int] = {}
    for pod in pods:
        phase = (pod.get("status") or {}).get("phase") or "Unknown"
        phases[phase] = phases.get(phase, 0) + 1
    counted["pods"] = len(pods)
    counted["pods_well"] = sum(map(is_healthy, pods))
    counted["pods_by_phase"] = phases
    counted["nodes"] = len(view.all("Node"))
    counted["namespaces"] = by_namespace(view, findings)
    for kind in (
        "Deployment",
        "StatefulSet",
        "DaemonSet",
        "Job",
        "CronJob",
        "Service",
        "Ingress",
        "PersistentVolumeClaim",
    ):
        counted[SOURCES[kind].plural] = len(view.all(kind))
    counted["network"] = network_of(list(view.all("DaemonSet")))
    counted["read"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return counted


def by_namespace(view: View, findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """Count pods and findings of every namespace that has some."""
    found: dict[str, dict[str, Any]] = {}

    def at(namespace: str) -> dict[str, Any]:
        return found.setdefault(
            namespace, {"name": namespace, "pods": 0, "pods_well": 0, **dict.fromkeys(SEVERITIES, 0)}
        )

    for pod in view.all("Pod"):
        one = at(pod["metadata"].get("namespace") or "")
        one["pods"] += 1
        one["pods_well"] += is_healthy(pod)
    for finding in findings:
        if finding.object.namespace:
            at(finding.object.namespace)[finding.severity] += 1
    return [found[name] for name in sorted(found)]


def verdict(health: Mapping[str, Any], severity: str = "error") -> bool:
    """Whether there is no finding of a severity or above it, in what the module returned."""
    rank = SEVERITIES.index(severity)
    return not any(SEVERITIES.index(finding["severity"]) <= rank for finding in health.get("findings") or [])
