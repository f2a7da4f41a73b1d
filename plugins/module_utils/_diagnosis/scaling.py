# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Autoscalers that cannot scale, and disruption budgets that forbid everything or nothing. Pure functions.

https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/ and .../configure-pdb/
"""

from __future__ import annotations

from typing import Mapping

from .._kube.objects import Reference, reference
from .finding import HOPELESS, SLOW, SUSPICIOUS, Finding, one_line, shortened
from .services import template_labels, templates
from .view import Object, View, conditions, expressions_match, has_labels, named

METRICS = Reference("apiregistration.k8s.io/v1", "APIService", "", "v1beta1.metrics.k8s.io")


def autoscalers(view: View) -> list[Finding]:
    """Explain every HorizontalPodAutoscaler that cannot do its work; one at its limits is well."""
    found: list[Finding] = []
    for content in view.all("HorizontalPodAutoscaler"):
        if not content["metadata"].get("deletionTimestamp"):
            found += _autoscaler(view, content)
    return found


def _autoscaler(view: View, content: Object) -> list[Finding]:
    name, spec, said = reference(content), content.get("spec") or {}, conditions(content)
    target = spec.get("scaleTargetRef") or {}
    aim = Reference(target.get("apiVersion") or "", target.get("kind") or "", name.namespace, target.get("name") or "")
    able, active = said.get("AbleToScale") or {}, said.get("ScalingActive") or {}
    message = one_line(active.get("message") or "")
    if view.missing(aim.kind, name.namespace, aim.name) or able.get("reason") == "FailedGetScale":
        there = view.names(aim.kind, name.namespace)
        return [
            Finding(
                "hpa_target_missing",
                "error",
                name,
                f"{aim.kind} {aim.name}, which it is to scale, is not there",
                evidence=[f"{aim.kind}s there: {shortened(there, 6) or 'none'}"]
                + ([one_line(able.get("message") or "")] if able.get("status") == "False" else []),
                advice="Correct scaleTargetRef, or create the target.",
                patience=HOPELESS,
            )
        ]
    lacking = _without_requests(view, content, aim)
    if lacking or "missing request for" in message:
        resources = sorted({resource for resource, _containers in lacking}) or ["cpu"]
        containers = sorted({one for _resource, some in lacking for one in some})
        return [
            Finding(
                "hpa_requests_missing",
                "error",
                name,
                "its target {} {} requests no {}, so there is no utilization to scale by".format(
                    aim.kind, aim.name, " and no ".join(resources)
                ),
                evidence=([f"containers without the request: {', '.join(containers)}"] if containers else [])
                + ([f"{active.get('reason')}: {message}"] if active.get("status") == "False" else []),
                advice="Set resources.requests of every container of the target.",
                patience=HOPELESS,
            )
        ]
    if active.get("status") != "False" or active.get("reason") == "ScalingDisabled":
        return []
    reason = active.get("reason") or ""
    young = view.age(content) < 90
    resource = "esource" in reason
    no_pods = "no metrics returned" in message or "did not receive metrics" in message
    return [
        Finding(
            "hpa_metrics_missing",
            "warning" if young and no_pods else "error",
            name,
            f"it gets no metrics ({reason})",
            evidence=[message],
            advice="Install metrics-server, or see why it does not answer (kubectl get apiservice v1beta1.metrics.k8s.io)."
            if resource
            else "See what serves these metrics (an adapter for custom or external metrics), and their names.",
            patience=SUSPICIOUS if reason.startswith("FailedGet") else HOPELESS,
            blames=(METRICS, aim) if resource else (aim,),
            about="resource metrics" if resource and not no_pods else "",
        )
    ]


def _without_requests(view: View, content: Object, aim: Reference) -> list[tuple[str, list[str]]]:
    """Name the containers of a target that lack a request which a utilization is a share of."""
    live = view.get(aim.kind, aim.namespace, aim.name)
    if live is None:
        return []
    containers = (((live.get("spec") or {}).get("template") or {}).get("spec") or {}).get("containers") or []
    lacking = []
    for metric in (content.get("spec") or {}).get("metrics") or []:
        source = metric.get("resource") or metric.get("containerResource") or {}
        if (source.get("target") or {}).get("type") != "Utilization":
            continue
        resource, only = str(source.get("name")), source.get("container")
        without = [
            container["name"]
            for container in containers
            if not _asks(container, resource) and (not only or container["name"] == only)
        ]
        if without:
            lacking.append((resource, without))
    return lacking


def _asks(container: Mapping[str, Mapping[str, Mapping[str, str]]], resource: str) -> bool:
    resources = container.get("resources") or {}
    # A limit without a request is a request of the same size.
    return bool((resources.get("requests") or {}).get(resource) or (resources.get("limits") or {}).get(resource))


def budgets(view: View) -> list[Finding]:
    """Find disruption budgets that match nothing, forbid every eviction, or overlap."""
    found: list[Finding] = []
    covered: dict[str, list[Object]] = {}
    for budget in view.all("PodDisruptionBudget"):
        name, spec = reference(budget), budget.get("spec") or {}
        if budget["metadata"].get("deletionTimestamp") or not view.known("Pod", name.namespace):
            continue
        selector = spec.get("selector") or {}
        pods = [pod for pod in view.matching(name.namespace, selector) if not _over(pod)]
        for pod in pods:
            covered.setdefault(named(pod), []).append(budget)
        found += _budget(view, budget, pods, selector)
    return found + _overlaps(covered)


def _over(pod: Object) -> bool:
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def _budget(view: View, budget: Object, pods: list[Object], selector: Object) -> list[Finding]:
    name, spec, status = reference(budget), budget.get("spec") or {}, budget.get("status") or {}
    labels = selector.get("matchLabels") or {}
    rules = selector.get("matchExpressions") or []
    if not pods:
        for content in templates(view, name.namespace):
            if has_labels(template_labels(content), labels) and expressions_match(template_labels(content), rules):
                return []
        if view.age(budget) < 15:
            return []
        return [
            Finding(
                "pdb_matches_nothing",
                "warning",
                name,
                "its selector matches no pod (%s)"
                % (", ".join("{}={}".format(*pair) for pair in sorted(labels.items())) or "by expressions"),
                evidence=[f"expectedPods: {status.get('expectedPods', 0)}"],
                advice="Correct the selector: as it is, the budget protects nothing.",
                patience=SLOW,
            )
        ]
    if status.get("disruptionsAllowed", 1) != 0 or "disruptionsAllowed" not in status:
        return []
    limit = (
        f"minAvailable {spec['minAvailable']}"
        if "minAvailable" in spec
        else f"maxUnavailable {spec.get('maxUnavailable')}"
    )
    healthy, expected = status.get("currentHealthy", 0), status.get("expectedPods", 0)
    owners = tuple({view.made_by(pod): None for pod in pods})
    if healthy < expected:
        return [
            Finding(
                "pdb_allows_nothing",
                "info",
                name,
                "it allows no eviction while %d of %d pods are not healthy" % (expected - healthy, expected),
                blames=owners,
                link=True,
            )
        ]
    if healthy > status.get("desiredHealthy", 0):
        return []
    return [
        Finding(
            "pdb_allows_nothing",
            "warning",
            name,
            "it never allows a pod to be evicted (%s with %d pods), so nodes cannot be drained" % (limit, expected),
            evidence=[
                "disruptionsAllowed 0, currentHealthy %d, desiredHealthy %s" % (healthy, status.get("desiredHealthy"))
            ],
            advice="Use maxUnavailable: 1, or more replicas than minAvailable.",
            patience=SLOW,
        )
    ]


def _overlaps(covered: Mapping[str, list[Object]]) -> list[Finding]:
    found: dict[tuple[str, ...], Finding] = {}
    for pod, some in sorted(covered.items()):
        if len(some) < 2:
            continue
        names = sorted(named(budget) for budget in some)
        if tuple(names) not in found:
            found[tuple(names)] = Finding(
                "pdb_overlap",
                "warning",
                reference(some[0]),
                f"{len(names)} disruption budgets match the same pods: {', '.join(names)}",
                evidence=[f"pod {pod}"],
                advice="Let one budget match each pod: the API server refuses to evict a pod with several.",
                others=[str(reference(budget)) for budget in some[1:]],
                patience=SLOW,
            )
    return list(found.values())
