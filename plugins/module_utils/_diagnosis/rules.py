# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All rules over a view of a cluster, by the names with which they can be left out. Pure functions."""

from __future__ import annotations

from typing import Callable, Collection

from .._kube.readiness import readiness
from .dns import name_resolution
from .extensions import api_services, webhooks
from .finding import Finding
from .ingresses import ingresses, policies
from .lingering import lingering
from .nodes import nodes
from .pods import is_healthy, pod_findings
from .scaling import autoscalers, budgets
from .schedules import cron_jobs, jobs
from .services import services
from .storage import claims
from .view import Object, View, controller
from .workloads import workload_findings


def workloads(view: View) -> list[Finding]:
    """Explain workloads, and pods that nothing made."""
    found: list[Finding] = []
    restless = {view.made_by(pod) for pod in view.all("Pod") if not is_healthy(pod)}
    for kind in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"):
        for content in view.all(kind):
            if _alone(view, content) and (_late(content) or view.owner(content) in restless):
                found += workload_findings(view, content)
    for pod in view.all("Pod"):
        if not is_healthy(pod) and _nobody_made(view, pod):
            found += pod_findings(view, pod)
    return found


def _alone(view: View, content: Object) -> bool:
    # A ReplicaSet of a Deployment is told with it.
    owner = controller(content)
    return owner is None or view.get(owner["kind"], content["metadata"].get("namespace") or "", owner["name"]) is None


def _late(content: Object) -> bool:
    if content.get("kind") == "ReplicaSet":
        status = content.get("status") or {}
        return bool(status.get("readyReplicas", 0) < (content.get("spec") or {}).get("replicas", 1))
    return not readiness(content)[0]


def _nobody_made(view: View, pod: Object) -> bool:
    """Whether a pod is told for itself: nothing made it, or what made it is not among what was read."""
    name = view.made_by(pod)
    return name.kind in ("Pod", "Node") or not (name.kind == "Job" or view.get(name.kind, name.namespace, name.name))


CHECKS: dict[str, Callable[[View], list[Finding]]] = {
    "nodes": nodes,
    "workloads": workloads,
    "jobs": jobs,
    "cron_jobs": cron_jobs,
    "services": services,
    "ingresses": ingresses,
    "policies": policies,
    "claims": claims,
    "autoscalers": autoscalers,
    "budgets": budgets,
    "webhooks": webhooks,
    "api_services": api_services,
    "deletions": lingering,
}


def all_findings(view: View, without: Collection[str] = ()) -> list[Finding]:
    """Apply every rule; consequences are not folded yet.

    :param without: names of checks that are left out.
    """
    found = [finding for name, rule in CHECKS.items() if name not in without for finding in rule(view)]
    return found if "dns" in without else name_resolution(view, found)
