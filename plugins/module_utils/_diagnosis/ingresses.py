# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ingresses that lead nowhere, and policies that match nothing. Pure functions.

https://kubernetes.io/docs/concepts/services-networking/ingress/ and .../network-policies/
"""

from __future__ import annotations

from typing import Any, Iterator, Mapping

from .._kube.objects import Reference, reference
from .finding import SLOW, SUSPICIOUS, Finding, shortened
from .services import template_labels, templates
from .view import Object, View, expressions_match, has_labels

DEFAULT_CLASS = "ingressclass.kubernetes.io/is-default-class"
OLD_CLASS = "kubernetes.io/ingress.class"


def ingresses(view: View) -> list[Finding]:
    """Explain every Ingress whose class, Service, port or certificate is not there."""
    found: list[Finding] = []
    for ingress in view.all("Ingress"):
        if not ingress["metadata"].get("deletionTimestamp"):
            found += _class(view, ingress) + _backends(view, ingress) + _certificates(view, ingress)
    return found


def _class(view: View, ingress: Object) -> list[Finding]:
    if not view.known("IngressClass"):
        return []
    wanted = (ingress.get("spec") or {}).get("ingressClassName")
    old = (ingress["metadata"].get("annotations") or {}).get(OLD_CLASS)
    classes = view.all("IngressClass")
    names = sorted(one["metadata"]["name"] for one in classes)
    there = f"ingress classes in the cluster: {', '.join(names) or 'none'}"
    if wanted in names or (not wanted and old):
        return []
    if wanted:
        title, advice = f"its ingress class {wanted} is not there", "Name a class that is there in ingressClassName"
        if not names:
            advice = "Install an ingress controller, which brings its class"
    else:
        if any((one["metadata"].get("annotations") or {}).get(DEFAULT_CLASS) == "true" for one in classes):
            return []
        title, advice = (
            "it names no ingress class, and none is the default",
            "Name a class in ingressClassName, or make one the default",
        )
    return [
        Finding(
            "ingress_class_missing",
            "error",
            reference(ingress),
            title,
            evidence=[there],
            advice=advice + ". Until then no controller serves it.",
            patience=SUSPICIOUS,
            about=f"ingress class {wanted or ''}",
        )
    ]


def backends_of(ingress: Object) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Give every backend of an Ingress with the host and path that lead to it."""
    spec = ingress.get("spec") or {}
    if spec.get("defaultBackend"):
        yield "the default backend", spec["defaultBackend"]
    for rule in spec.get("rules") or []:
        for path in (rule.get("http") or {}).get("paths") or []:
            yield f"{rule.get('host') or '*'}{path.get('path') or '/'}", path.get("backend") or {}


def _backends(view: View, ingress: Object) -> list[Finding]:
    name = reference(ingress)
    found: list[Finding] = []
    told: set[tuple[str, str]] = set()
    for where, backend in backends_of(ingress):
        service = backend.get("service") or {}
        target, port = service.get("name"), service.get("port") or {}
        wanted = port.get("name") or port.get("number")
        if not target or not view.known("Service", name.namespace) or (target, str(wanted)) in told:
            continue
        told.add((target, str(wanted)))
        live = view.get("Service", name.namespace, target)
        if live is None:
            there = view.names("Service", name.namespace)
            found.append(
                Finding(
                    "ingress_service_missing",
                    "error",
                    name,
                    f"its Service {target} is not there",
                    evidence=[
                        f"{where} leads to Service {target}",
                        f"Services there: {shortened(there, 8) or 'none'}",
                    ],
                    advice="Create the Service, or correct its name in the Ingress.",
                )
            )
            continue
        ports = (live.get("spec") or {}).get("ports") or []
        fits = [one for one in ports if wanted in (one.get("name"), one.get("port"))]
        if not fits and (live.get("spec") or {}).get("type") != "ExternalName":
            has = [f"{one.get('port')}{' ({})'.format(one['name']) if one.get('name') else ''}" for one in ports]
            found.append(
                Finding(
                    "ingress_port_missing",
                    "error",
                    name,
                    f"Service {target} has no port {wanted}",
                    evidence=[
                        f"{where} leads to port {wanted} of Service {target}",
                        f"its ports: {', '.join(has)}",
                    ],
                    advice="Name the Service's port (not the container's) in the Ingress.",
                )
            )
            continue
        found.append(
            Finding(
                "ingress_unserved",
                "info",
                name,
                f"nothing answers behind {where}",
                blames=(Reference("v1", "Service", name.namespace, target),),
                link=True,
            )
        )
    return found


def _certificates(view: View, ingress: Object) -> list[Finding]:
    name = reference(ingress)
    found = []
    for entry in (ingress.get("spec") or {}).get("tls") or []:
        secret = entry.get("secretName")
        if secret and view.missing("Secret", name.namespace, secret):
            found.append(
                Finding(
                    "ingress_tls_missing",
                    "error",
                    name,
                    f"Secret {secret} with its certificate is not there",
                    evidence=[f"hosts: {', '.join(entry.get('hosts') or []) or 'all'}"],
                    advice=f"Create the Secret (kubectl create secret tls {secret}), or have cert-manager or the like make it.",
                    patience=SUSPICIOUS,
                )
            )
    return found


def policies(view: View) -> list[Finding]:
    """Find policies that match no pod, and those that cut their pods off from DNS."""
    found = []
    for policy in view.all("NetworkPolicy"):
        name, spec = reference(policy), policy.get("spec") or {}
        if policy["metadata"].get("deletionTimestamp") or not view.known("Pod", name.namespace):
            continue
        selector = spec.get("podSelector") or {}
        if not view.matching(name.namespace, selector):
            meant = [one for one in templates(view, name.namespace) if _matches(template_labels(one), selector)]
            whole = not selector.get("matchLabels") and not selector.get("matchExpressions")
            if not meant and not whole:
                found.append(_matches_nothing(view, policy, selector))
        elif _cuts_dns(view, policy):
            found.append(_no_dns(policy))
    return found


def _matches(labels: Mapping[str, str], selector: Object) -> bool:
    rules = selector.get("matchExpressions") or []
    return has_labels(labels, selector.get("matchLabels") or {}) and expressions_match(labels, rules)


def _matches_nothing(view: View, policy: Object, selector: Object) -> Finding:
    name = reference(policy)
    labels = ", ".join("{}={}".format(*pair) for pair in sorted((selector.get("matchLabels") or {}).items()))
    there = sorted(
        {
            f"{key}={value}"
            for pod in view.in_namespace(name.namespace)
            for key, value in (pod["metadata"].get("labels") or {}).items()
            if key in (selector.get("matchLabels") or {})
        }
    )
    return Finding(
        "policy_matches_nothing",
        "warning",
        name,
        f"its podSelector matches no pod ({labels or 'by expressions'})",
        evidence=[f"pods there have: {shortened(there, 6)}" if there else "no pod there has such a label"],
        advice="Correct podSelector: as it is, the policy protects nothing.",
        patience=SLOW,
    )


def _cuts_dns(view: View, policy: Object) -> bool:
    """Whether a policy lets its pods talk to some, and no policy over the same pods lets them ask DNS."""
    spec = policy.get("spec") or {}
    if "Egress" not in (spec.get("policyTypes") or []) or not spec.get("egress"):
        return False
    mine = spec.get("podSelector") or {}
    for other in view.all("NetworkPolicy"):
        theirs = other.get("spec") or {}
        same = other["metadata"].get("namespace") == policy["metadata"].get("namespace")
        wide = theirs.get("podSelector") in ({}, None, mine)
        if same and wide and any(_lets_dns(rule) for rule in theirs.get("egress") or []):
            return False
    return True


def _lets_dns(rule: Mapping[str, Any]) -> bool:
    ports = rule.get("ports") or []
    if not ports:
        # All ports: to whom, an address block or pods, is not looked into.
        return True
    for port in ports:
        first = port.get("port")
        if first in (None, 53, "dns", "dns-tcp") or (
            isinstance(first, int) and first <= 53 <= (port.get("endPort") or first)
        ):
            return True
    return False


def _no_dns(policy: Object) -> Finding:
    return Finding(
        "policy_blocks_dns",
        "warning",
        reference(policy),
        "it lets its pods out to some, and not to DNS",
        evidence=["no egress rule for port 53"],
        advice="Add an egress rule for UDP and TCP port 53 to namespace kube-system: without it the pods resolve no name.",
        patience=SLOW,
    )
