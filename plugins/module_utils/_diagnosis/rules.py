# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All rules by the name of their check. To add a rule, write a function from a View to findings and list it in CHECKS."""

from __future__ import annotations

from typing import Callable, Collection

from .._kube.readiness import readiness
from .deletions import deletions
from .dns import name_resolution
from .extensions import api_services, webhooks
from .finding import Finding
from .ingresses import ingresses, policies
from .jobs import cron_jobs, jobs
from .nodes import nodes
from .pods import pod_findings
from .scaling import autoscalers, budgets
from .services import services
from .storage import claims
from .view import Object, View, controller, is_healthy, namespace_of, spec_of, status_of
from .workloads import left_behind, pending_update, workload_findings


def workloads(view: View) -> list[Finding]:
    """Explain workloads, and pods without a workload."""
    found: list[Finding] = []
    unhealthy = {view.made_by(pod) for pod in view.all("Pod") if not is_healthy(pod)}
    for kind in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"):
        for content in view.all(kind):
            if _is_owned(view, content):
                continue
            if _is_late(content) or view.owner(content) in unhealthy:
                found += workload_findings(view, content) + left_behind(view, content)
            else:
                found += pending_update(content)
    for pod in view.all("Pod"):
        if not is_healthy(pod) and _is_standalone(view, pod):
            found += pod_findings(view, pod)
    return found


def _is_owned(view: View, content: Object) -> bool:
    """Return whether a workload is explained with its owner, as the ReplicaSets of a Deployment are."""
    owner = controller(content)
    namespace = namespace_of(content)
    return owner is not None and view.get(owner["kind"], namespace, owner["name"]) is not None


def _is_late(content: Object) -> bool:
    if content.get("kind") == "ReplicaSet":
        status = status_of(content)
        return bool(status.get("readyReplicas", 0) < spec_of(content).get("replicas", 1))
    return not readiness(content)[0]


def _is_standalone(view: View, pod: Object) -> bool:
    """Return whether a pod has no workload, or one that was not read, and is explained by itself."""
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
    "deletions": deletions,
}


def all_findings(view: View, without: Collection[str] = ()) -> list[Finding]:
    """Return the findings of every rule; they still have to be ranked (:func:`.ranking.ranked`).

    :param without: Names of checks to skip.
    """
    found = [finding for name, rule in CHECKS.items() if name not in without for finding in rule(view)]
    return found if "dns" in without else name_resolution(view, found)
