# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Determine from the objects of CoreDNS whether the cluster DNS is down.

https://kubernetes.io/docs/tasks/administer-cluster/dns-debugging-resolution/
"""

from __future__ import annotations

from typing import Sequence

from .._kube.objects import Reference
from .._kube.selectors import has_labels
from .finding import SEVERITIES, Finding
from .services import ready_endpoints, template_labels, templates
from .view import Object, View, name_of, node_name, spec_of

NAMESPACE, SERVICE = "kube-system", "kube-dns"
LABEL = {"k8s-app": "kube-dns"}


def dns_workload(view: View) -> Object | None:
    """Return the workload of the cluster DNS (kubeadm: Deployment coredns, label k8s-app=kube-dns)."""
    for content in templates(view, NAMESPACE):
        if has_labels(template_labels(content), LABEL) or name_of(content) == "coredns":
            return content
    return None


def name_resolution(view: View, findings: Sequence[Finding]) -> list[Finding]:
    """Report that DNS is down if its Service has no ready endpoint, with the cause if another rule has found it.

    :returns: all findings, with that about DNS.
    """
    found = list(findings)
    ready = ready_endpoints(view, NAMESPACE, SERVICE)
    if ready is None or ready > 0 or not view.known("Service", NAMESPACE):
        return found
    service = Reference("v1", "Service", NAMESPACE, SERVICE)
    workload = dns_workload(view)
    if view.get("Service", NAMESPACE, SERVICE) is None:
        # Without a workload the DNS of this cluster has another name, or there is none.
        if workload is not None:
            restore = "Create the Service again: kubeadm init phase addon coredns."
            found.append(_down(service, f"Service {SERVICE} does not exist", restore))
        return found
    place = service if workload is None else Reference("apps/v1", workload["kind"], NAMESPACE, name_of(workload))
    own = [one for one in found if one.object == place and not one.blames and one.fault != "not_ready"]
    if own:
        cause = min(own, key=lambda finding: SEVERITIES.index(finding.severity))
        # Findings of the same fault get the same text, so that they are grouped.
        for one in [one for one in own if (one.fault, one.container) == (cause.fault, cause.container)]:
            _explain(one)
        return found
    unselected = [one for one in found if one.object == service and one.fault == "service_selects_nothing"]
    for one in unselected:
        one.fault, one.severity = "dns_down", "error"
        one.title = f"the cluster DNS is down: {one.title}"
    if unselected or any(one.object == place for one in found):
        return found
    return [*found, _without_endpoints(view, place, workload)]


def _explain(cause: Finding) -> None:
    """Make a finding about a CoreDNS pod the cause of a DNS outage."""
    cause.causes = ["the cluster DNS does not resolve names", f"{cause.object}: {cause.title}"]
    cause.fault, cause.severity = "dns_down", "error"
    cause.title = f"the cluster DNS is down: {cause.title}"
    cause.advice += (
        " If the Corefile was changed: kubectl -n kube-system edit configmap coredns. "
        "If CoreDNS detected a loop, check the resolv.conf that the kubelets pass to pods (resolvConf)."
    )


def _without_endpoints(view: View, place: Reference, workload: Object | None) -> Finding:
    if workload is not None and spec_of(workload).get("replicas", 1) == 0:
        scale = "Scale it up: kubectl -n kube-system scale deployment coredns --replicas=2."
        return _down(place, f"{place} is scaled to 0", scale)
    see = f"Check the pods: kubectl -n {NAMESPACE} get pods -l k8s-app=kube-dns."
    down = _down(place, f"Service {SERVICE} has no ready endpoints", see)
    if workload is not None:
        # The pods may have been created just now, or may be on a node that is not ready.
        down.blames = tuple(Reference("v1", "Node", "", node_name(pod)) for pod in view.pods_of(place))
    return down


def _down(place: Reference, why: str, advice: str) -> Finding:
    return Finding(
        "dns_down",
        "error",
        place,
        f"the cluster DNS is down: {why}",
        evidence=[f"Service {NAMESPACE}/{SERVICE} has no ready endpoints"],
        advice=advice,
    )
