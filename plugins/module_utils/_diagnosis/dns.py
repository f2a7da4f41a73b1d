# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the cluster resolves names, from what is known of CoreDNS. Pure functions.

https://kubernetes.io/docs/tasks/administer-cluster/dns-debugging-resolution/
"""

from __future__ import annotations

from typing import Sequence

from .._kube.objects import Reference
from .finding import SEVERITIES, Finding
from .services import ready_endpoints, template_labels, templates
from .view import Object, View, has_labels

NAMESPACE, SERVICE = "kube-system", "kube-dns"
LABEL = {"k8s-app": "kube-dns"}


def dns_workload(view: View) -> Object | None:
    """Find the workload of the cluster's DNS (kubeadm: Deployment coredns, label k8s-app=kube-dns)."""
    for content in templates(view, NAMESPACE):
        if has_labels(template_labels(content), LABEL) or content["metadata"]["name"] == "coredns":
            return content
    return None


def name_resolution(view: View, findings: Sequence[Finding]) -> list[Finding]:
    """Say that DNS is down where its Service has no endpoint, with the reason where another rule has found it.

    :returns: all findings, that of DNS among them.
    """
    found = list(findings)
    ready = ready_endpoints(view, NAMESPACE, SERVICE)
    if ready is None or ready > 0 or not view.known("Service", NAMESPACE):
        return found
    service = Reference("v1", "Service", NAMESPACE, SERVICE)
    workload = dns_workload(view)
    if view.get("Service", NAMESPACE, SERVICE) is None:
        if workload is None:
            # A cluster whose DNS has another name, or none of its own.
            return found
        return [
            *found,
            _down(
                service,
                f"its Service {SERVICE} is not there",
                "Create the Service again: kubeadm init phase addon coredns.",
            ),
        ]
    place = (
        service if workload is None else Reference("apps/v1", workload["kind"], NAMESPACE, workload["metadata"]["name"])
    )
    own = sorted(
        (
            finding
            for finding in found
            if finding.object == place and not finding.blames and finding.fault != "not_ready"
        ),
        key=lambda finding: SEVERITIES.index(finding.severity),
    )
    if own:
        same = (own[0].fault, own[0].container)
        # The same of all its pods, so that it is told once.
        for cause in [one for one in own if (one.fault, one.container) == same]:
            cause.causes = ["the cluster resolves no names", f"{cause.object}: {cause.title}"]
            cause.fault, cause.severity = "dns_down", "error"
            cause.title = f"the cluster's DNS is down: {cause.title}"
            cause.advice += (
                " For a Corefile that was changed: kubectl -n kube-system edit configmap coredns. "
                "For a loop, see the resolv.conf that the kubelets hand on (resolvConf)."
            )
        return found
    if any(
        finding.object == place or finding.object == service and finding.fault == "service_selects_nothing"
        for finding in found
    ):
        for finding in found:
            if finding.object == service and finding.fault == "service_selects_nothing":
                finding.fault, finding.severity = "dns_down", "error"
                finding.title = f"the cluster's DNS is down: {finding.title}"
        return found
    replicas = ((workload or {}).get("spec") or {}).get("replicas", 1)
    why = (
        f"{place} is scaled to 0"
        if workload is not None and replicas == 0
        else f"its Service {SERVICE} has no ready endpoints"
    )
    advice = (
        "Scale it up: kubectl -n kube-system scale deployment coredns --replicas=2."
        if replicas == 0
        else "See its pods."
    )
    down = _down(place, why, advice)
    if workload is not None and replicas != 0:
        # Its pods may only just have begun, or are on a node that is lost.
        down.blames = tuple(
            Reference("v1", "Node", "", (pod.get("spec") or {}).get("nodeName") or "") for pod in view.pods_of(place)
        )
    return [*found, down]


def _down(place: Reference, why: str, advice: str) -> Finding:
    return Finding(
        "dns_down",
        "error",
        place,
        f"the cluster's DNS is down: {why}",
        evidence=[f"Service {NAMESPACE}/{SERVICE} has no ready endpoint"],
        advice=advice,
    )
