# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HorizontalPodAutoscalers that cannot scale, and PodDisruptionBudgets without effect or with too much of it: pure functions.

https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/ and .../configure-pdb/
"""

from __future__ import annotations

from typing import Any, Mapping

from .._kube.objects import Reference, reference
from .._kube.readiness import condition
from .._kube.selectors import expressions_match, has_labels
from .finding import HOPELESS, SLOW, SUSPICIOUS, Finding, one_line, shortened
from .services import template_labels, templates
from .view import (
    Object,
    View,
    is_finished,
    labels_text,
    message_of,
    named,
    spec_of,
    status_of,
)

METRICS = Reference("apiregistration.k8s.io/v1", "APIService", "", "v1beta1.metrics.k8s.io")
# The controller may need this many seconds for the first metrics of a new autoscaler.
YOUNG_AUTOSCALER, YOUNG_BUDGET = 90, 15


def autoscalers(view: View) -> list[Finding]:
    """Explain every HorizontalPodAutoscaler that cannot scale; reaching minReplicas or maxReplicas is not a fault."""
    return [finding for content in view.alive("HorizontalPodAutoscaler") for finding in _autoscaler(view, content)]


def _autoscaler(view: View, content: Object) -> list[Finding]:
    name = reference(content)
    target = spec_of(content).get("scaleTargetRef") or {}
    aim = Reference(target.get("apiVersion") or "", target.get("kind") or "", name.namespace, target.get("name") or "")
    able, active = condition(content, "AbleToScale"), condition(content, "ScalingActive")
    reason, message = active.get("reason") or "", one_line(message_of(active))
    if view.missing(aim.kind, name.namespace, aim.name) or able.get("reason") == "FailedGetScale":
        existing = shortened(view.names(aim.kind, name.namespace), 6) or "none"
        return [
            Finding(
                "hpa_target_missing",
                "error",
                name,
                f"its target {aim.kind} {aim.name} does not exist",
                evidence=[f"{aim.kind}s in namespace {name.namespace}: {existing}"]
                + ([one_line(message_of(able))] if able.get("status") == "False" else []),
                advice="Correct scaleTargetRef, or create the target.",
                patience=HOPELESS,
            )
        ]
    lacking = _without_requests(view, content, aim)
    if lacking or "missing request for" in message:
        resources = " and ".join(sorted(lacking)) or "cpu"
        containers = sorted({container for some in lacking.values() for container in some})
        return [
            Finding(
                "hpa_requests_missing",
                "error",
                name,
                f"its target {aim.kind} {aim.name} has no requests for {resources}, so utilization cannot be computed",
                evidence=([f"containers without the request: {', '.join(containers)}"] if containers else [])
                + ([f"{reason}: {message}"] if active.get("status") == "False" else []),
                advice="Set resources.requests in every container of the target.",
                patience=HOPELESS,
            )
        ]
    if active.get("status") != "False" or reason == "ScalingDisabled":
        return []
    # FailedGetResourceMetric and FailedGetContainerResourceMetric; other reasons are about custom and external metrics.
    if reason == "AmbiguousSelector":
        return [_overlapping(view, name, aim, message)]
    resource = "esource" in reason
    no_samples = "no metrics returned" in message or "did not receive metrics" in message
    return [
        Finding(
            "hpa_metrics_missing",
            "warning" if no_samples and view.age(content) < YOUNG_AUTOSCALER else "error",
            name,
            f"it receives no metrics ({reason})",
            evidence=[message],
            advice="Install metrics-server, or check why it does not respond: kubectl get apiservice v1beta1.metrics.k8s.io"
            if resource
            else "Check the adapter that serves these custom or external metrics, and the names of the metrics.",
            patience=SUSPICIOUS if reason.startswith("FailedGet") else HOPELESS,
            blames=(METRICS, aim) if resource else (aim,),
            about="resource metrics" if resource and not no_samples else "",
        )
    ]


def _overlapping(view: View, name: Reference, aim: Reference, message: str) -> Finding:
    """Explain an autoscaler that does nothing because another one scales the same pods."""
    others = []
    for content in view.alive("HorizontalPodAutoscaler"):
        target = spec_of(content).get("scaleTargetRef") or {}
        if reference(content).namespace == name.namespace and (target.get("kind"), target.get("name")) == (
            aim.kind,
            aim.name,
        ):
            others.append(reference(content).name)
    shown = ", ".join(sorted(others)) if len(others) > 1 else ""
    return Finding(
        "hpa_overlap",
        "error",
        name,
        f"several autoscalers scale the pods of {aim.kind} {aim.name}, so none does{f': {shown}' if shown else ''}",
        evidence=[message],
        advice="Delete all but one of them, or correct the selectors of their targets so that no pod belongs to two.",
        patience=HOPELESS,
        about=f"autoscalers of {aim}",
    )


def _without_requests(view: View, content: Object, aim: Reference) -> dict[str, list[str]]:
    """Return the containers of a target that lack a request, by the resource whose utilization is a percentage of it."""
    live = view.get(aim.kind, aim.namespace, aim.name) or {}
    containers = ((spec_of(live).get("template") or {}).get("spec") or {}).get("containers") or []
    lacking: dict[str, list[str]] = {}
    for metric in spec_of(content).get("metrics") or []:
        source = metric.get("resource") or metric.get("containerResource") or {}
        if (source.get("target") or {}).get("type") == "Utilization":
            resource, only = str(source.get("name")), source.get("container")
            for container in containers:
                if only in (None, "", container["name"]) and not _requests(container, resource):
                    lacking.setdefault(resource, []).append(container["name"])
    return lacking


def _requests(container: Mapping[str, Any], resource: str) -> bool:
    resources = container.get("resources") or {}
    # Kubernetes sets a missing request to the limit.
    return bool((resources.get("requests") or {}).get(resource) or (resources.get("limits") or {}).get(resource))


def budgets(view: View) -> list[Finding]:
    """Find PodDisruptionBudgets that match no pods, never allow an eviction, or overlap."""
    found: list[Finding] = []
    covered: dict[str, list[Object]] = {}
    for budget in view.alive("PodDisruptionBudget"):
        namespace, selector = reference(budget).namespace, spec_of(budget).get("selector") or {}
        if not view.known("Pod", namespace):
            continue
        pods = [pod for pod in view.matching(namespace, selector) if not is_finished(pod)]
        for pod in pods:
            covered.setdefault(named(pod), []).append(budget)
        found += _disruptions(view, budget, pods) if pods else _matches_nothing(view, budget, selector)
    return found + _overlaps(covered)


def _matches_nothing(view: View, budget: Object, selector: Object) -> list[Finding]:
    name, labels = reference(budget), selector.get("matchLabels") or {}
    rules = selector.get("matchExpressions") or []
    matches_template = any(
        has_labels(template_labels(content), labels) and expressions_match(template_labels(content), rules)
        for content in templates(view, name.namespace)
    )
    if matches_template or view.age(budget) < YOUNG_BUDGET:
        return []
    return [
        Finding(
            "pdb_matches_nothing",
            "warning",
            name,
            f"its selector matches no pods ({labels_text(labels) or 'matchExpressions'})",
            evidence=[f"expectedPods: {(budget.get('status') or {}).get('expectedPods', 0)}"],
            advice="Correct the selector; as it is, the budget protects no pods.",
            patience=SLOW,
        )
    ]


def _disruptions(view: View, budget: Object, pods: list[Object]) -> list[Finding]:
    """Explain a budget that allows no disruptions now: a consequence of unhealthy pods, or a setting that never allows any."""
    name, spec, status = reference(budget), spec_of(budget), status_of(budget)
    healthy, expected, desired = (
        status.get("currentHealthy", 0),
        status.get("expectedPods", 0),
        status.get("desiredHealthy"),
    )
    if status.get("disruptionsAllowed", 1) != 0 or expected <= healthy > (desired or 0):
        return []
    if healthy < expected:
        return [
            Finding(
                "pdb_allows_nothing",
                "info",
                name,
                f"it allows no evictions while {expected - healthy} of {expected} pods are not healthy",
                blames=tuple({view.made_by(pod): None for pod in pods}),
                link=True,
            )
        ]
    field = "minAvailable" if "minAvailable" in spec else "maxUnavailable"
    return [
        Finding(
            "pdb_allows_nothing",
            "warning",
            name,
            f"it never allows an eviction ({field}: {spec.get(field)} with {expected} pods), so nodes cannot be drained",
            evidence=[f"disruptionsAllowed: 0, currentHealthy: {healthy}, desiredHealthy: {desired}"],
            advice="Set maxUnavailable: 1, or run more replicas than minAvailable.",
            patience=SLOW,
        )
    ]


def _overlaps(covered: Mapping[str, list[Object]]) -> list[Finding]:
    """Find pods that several budgets match.

    :param covered: Budgets by the pod that they match.
    """
    found: dict[tuple[str, ...], Finding] = {}
    for pod, some in sorted(covered.items()):
        names = tuple(sorted(map(named, some)))
        if len(some) > 1 and names not in found:
            found[names] = Finding(
                "pdb_overlap",
                "warning",
                reference(some[0]),
                f"{len(names)} PodDisruptionBudgets match the same pods: {', '.join(names)}",
                evidence=[f"pod {pod}"],
                advice="Change the selectors so that one budget matches each pod; the API server does not evict a pod that several budgets match.",
                others=[str(reference(budget)) for budget in some[1:]],
                patience=SLOW,
            )
    return list(found.values())
