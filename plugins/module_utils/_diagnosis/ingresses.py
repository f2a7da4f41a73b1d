# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ingresses without class, backend or certificate, and NetworkPolicies that select nothing or block DNS: pure functions.

https://kubernetes.io/docs/concepts/services-networking/ingress/ and .../network-policies/
"""

from __future__ import annotations

from typing import Any, Iterator, Mapping

from .._kube.objects import Reference, reference
from .._kube.selectors import expressions_match, has_labels
from .finding import SLOW, SUSPICIOUS, Finding, shortened
from .ingress_nginx import ignored_annotations
from .services import template_labels, templates
from .view import (
    Object,
    View,
    annotations_of,
    labels_of,
    labels_text,
    namespace_of,
    spec_of,
)

DEFAULT_CLASS = "ingressclass.kubernetes.io/is-default-class"
DEPRECATED_CLASS = "kubernetes.io/ingress.class"


def ingresses(view: View) -> list[Finding]:
    """Explain every Ingress whose class, Service, port or certificate does not exist, or whose annotations are ignored."""
    found: list[Finding] = []
    for ingress in view.alive("Ingress"):
        found += _class(view, ingress) + _backends(view, ingress) + _certificates(view, ingress)
        found += ignored_annotations(view, ingress)
    return found


def _class(view: View, ingress: Object) -> list[Finding]:
    wanted = spec_of(ingress).get("ingressClassName")
    annotated = annotations_of(ingress).get(DEPRECATED_CLASS)
    names = view.names("IngressClass")
    if not view.known("IngressClass") or wanted in names or (not wanted and annotated):
        return []
    if wanted:
        title = f"its IngressClass {wanted} does not exist"
        advice = (
            "Set ingressClassName to an existing class"
            if names
            else "Install an ingress controller and its IngressClass"
        )
    elif any(annotations_of(one).get(DEFAULT_CLASS) == "true" for one in view.all("IngressClass")):
        return []
    else:
        title = "it sets no ingressClassName, and the cluster has no default IngressClass"
        advice = f"Set ingressClassName, or annotate an IngressClass with {DEFAULT_CLASS}=true"
    return [
        Finding(
            "ingress_class_missing",
            "error",
            reference(ingress),
            title,
            evidence=[f"IngressClasses in the cluster: {', '.join(names) or 'none'}"],
            advice=advice + "; until then, no ingress controller serves it.",
            patience=SUSPICIOUS,
            about=f"ingress class {wanted or ''}",
        )
    ]


def _backends_of(ingress: Object) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every backend of an Ingress with the host and path that are routed to it."""
    spec = spec_of(ingress)
    if spec.get("defaultBackend"):
        yield "the default backend", spec["defaultBackend"]
    for rule in spec.get("rules") or []:
        for path in (rule.get("http") or {}).get("paths") or []:
            yield f"{rule.get('host') or '*'}{path.get('path') or '/'}", path.get("backend") or {}


def _backends(view: View, ingress: Object) -> list[Finding]:
    """Find Services and ports of an Ingress that do not exist; the others are linked to the faults of their Services."""
    name = reference(ingress)
    found: list[Finding] = []
    checked: set[tuple[str, str]] = set()
    for route, backend in _backends_of(ingress):
        service = backend.get("service") or {}
        target, port = service.get("name"), service.get("port") or {}
        wanted = port.get("name") or port.get("number")
        if not target or not view.known("Service", name.namespace) or (target, str(wanted)) in checked:
            continue
        checked.add((target, str(wanted)))
        live = view.get("Service", name.namespace, target)
        spec = (live or {}).get("spec") or {}
        ports = spec.get("ports") or []
        fault, title, advice = "", "", ""
        if live is None:
            fault, title = "ingress_service_missing", f"its Service {target} does not exist"
            existing = f"Services in namespace {name.namespace}: {shortened(view.names('Service', name.namespace), 8) or 'none'}"
            advice = "Create the Service, or correct its name in the Ingress."
        elif spec.get("type") != "ExternalName" and not any(
            wanted in (one.get("name"), one.get("port")) for one in ports
        ):
            fault, title = "ingress_port_missing", f"its Service {target} has no port {wanted}"
            has = [f"{one.get('port')}" + (f" ({one['name']})" if one.get("name") else "") for one in ports]
            existing = f"ports of the Service: {', '.join(has)}"
            advice = "Set the backend's port to a port of the Service (not of the container)."
        if fault:
            evidence = [f"{route} is routed to port {wanted} of Service {target}", existing]
            found.append(Finding(fault, "error", name, title, evidence=evidence, advice=advice))
        else:
            blamed = Reference("v1", "Service", name.namespace, target)
            title = f"no backend responds for {route}"
            found.append(Finding("ingress_unserved", "info", name, title, blames=(blamed,), link=True))
    return found


def _certificates(view: View, ingress: Object) -> list[Finding]:
    name = reference(ingress)
    return [
        Finding(
            "ingress_tls_missing",
            "error",
            name,
            f"its TLS Secret {entry['secretName']} does not exist",
            evidence=[f"hosts: {', '.join(entry.get('hosts') or []) or 'all'}"],
            advice=f"Create the Secret (kubectl create secret tls {entry['secretName']} -n {name.namespace} --cert=FILE --key=FILE), "
            "or let cert-manager issue the certificate.",
            patience=SUSPICIOUS,
        )
        for entry in spec_of(ingress).get("tls") or []
        if entry.get("secretName") and view.missing("Secret", name.namespace, entry["secretName"])
    ]


def policies(view: View) -> list[Finding]:
    """Find NetworkPolicies that select no pods, and those that block DNS for their pods."""
    found = []
    for policy in view.alive("NetworkPolicy"):
        namespace = reference(policy).namespace
        selector = spec_of(policy).get("podSelector") or {}
        if not view.known("Pod", namespace):
            continue
        if not view.matching(namespace, selector):
            selective = selector.get("matchLabels") or selector.get("matchExpressions")
            if selective and not any(_matches(template_labels(one), selector) for one in templates(view, namespace)):
                found.append(_selects_nothing(view, policy, selector))
        elif _blocks_dns(view, policy):
            found.append(
                Finding(
                    "policy_blocks_dns",
                    "warning",
                    reference(policy),
                    "it restricts egress traffic and does not allow DNS",
                    evidence=["no egress rule allows port 53"],
                    advice="Add an egress rule for UDP and TCP port 53 to namespace kube-system; without it, the pods cannot resolve names.",
                    patience=SLOW,
                )
            )
    return found


def _matches(labels: Mapping[str, str], selector: Object) -> bool:
    rules = selector.get("matchExpressions") or []
    return has_labels(labels, selector.get("matchLabels") or {}) and expressions_match(labels, rules)


def _selects_nothing(view: View, policy: Object, selector: Object) -> Finding:
    name, wanted = reference(policy), selector.get("matchLabels") or {}
    existing = sorted(
        {
            f"{key}={value}"
            for pod in view.in_namespace(name.namespace)
            for key, value in labels_of(pod).items()
            if key in wanted
        }
    )
    return Finding(
        "policy_matches_nothing",
        "warning",
        name,
        f"its podSelector matches no pods ({labels_text(wanted) or 'matchExpressions'})",
        evidence=[
            f"labels of the pods in namespace {name.namespace}: {shortened(existing, 6)}"
            if existing
            else f"no pod in namespace {name.namespace} has such a label"
        ],
        advice="Correct podSelector; as it is, the policy has no effect.",
        patience=SLOW,
    )


def _blocks_dns(view: View, policy: Object) -> bool:
    """Return whether a policy restricts the egress traffic of its pods and no policy for the same pods allows DNS."""
    spec = spec_of(policy)
    if "Egress" not in (spec.get("policyTypes") or []) or not spec.get("egress"):
        return False
    selector = spec.get("podSelector") or {}
    for other in view.all("NetworkPolicy"):
        theirs = spec_of(other)
        same = namespace_of(other) == namespace_of(policy)
        covers = theirs.get("podSelector") in ({}, None, selector)
        if same and covers and any(map(_allows_dns, theirs.get("egress") or [])):
            return False
    return True


def _allows_dns(rule: Mapping[str, Any]) -> bool:
    # A rule without ports allows all of them. Its destinations are not checked.
    for port in rule.get("ports") or [{}]:
        first = port.get("port")
        if first in (None, 53, "dns", "dns-tcp"):
            return True
        if isinstance(first, int) and first <= 53 <= (port.get("endPort") or first):
            return True
    return False
