# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services that lead nowhere. Pure functions; EndpointSlices count, as Endpoints are deprecated.

https://kubernetes.io/docs/concepts/services-networking/service/
"""

from __future__ import annotations

from typing import Any, Iterable, Mapping

from .._kube.objects import Reference, reference
from .finding import SLOW, SUSPICIOUS, Finding, shortened
from .view import Object, View, controller, has_labels, named

SERVICE_LABEL = "kubernetes.io/service-name"
# For so many seconds after it was made, a Service may be there before its pods are.
YOUNG = 15


def services(view: View) -> list[Finding]:
    """Explain every Service that has no endpoints, or none on one of its ports, or no address for the world."""
    found: list[Finding] = []
    slices = _slices(view)
    for service in view.all("Service"):
        spec = service.get("spec") or {}
        if service["metadata"].get("deletionTimestamp") or spec.get("type") == "ExternalName":
            continue
        found += _endpoints(view, service, slices.get(named(service), []))
        if spec.get("type") == "LoadBalancer":
            found += _load_balancer(view, service)
    return found + _governing(view)


def _governing(view: View) -> list[Finding]:
    """Find StatefulSets whose Service is not there (https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#stable-network-id)."""
    found = []
    for content in view.all("StatefulSet"):
        name = reference(content)
        wanted = (content.get("spec") or {}).get("serviceName")
        gone = content["metadata"].get("deletionTimestamp") or view.age(content) < YOUNG
        if wanted and not gone and view.missing("Service", name.namespace, wanted):
            found.append(
                Finding(
                    "stateful_service_missing",
                    "warning",
                    name,
                    f"Service {wanted}, which gives its pods their names, is not there",
                    evidence=[
                        "serviceName: {}; Services in namespace {}: {}".format(
                            wanted, name.namespace, shortened(view.names("Service", name.namespace), 5) or "none"
                        )
                    ],
                    advice=f"Without it {name.name}-0.{wanted} is no name in DNS. Create Service {wanted} with clusterIP: None.",
                    patience=SLOW,
                )
            )
    return found


def ready_endpoints(view: View, namespace: str, name: str) -> int | None:
    """Count the ready endpoints of a Service; None where that is not known."""
    if not view.known("EndpointSlice", namespace):
        return None
    parts = _slices(view).get(f"{namespace}/{name}", [])
    return sum(bool(endpoint.get("ready")) for part in parts for endpoint in part.get("endpoints") or [])


def _slices(view: View) -> dict[str, list[Object]]:
    cached = view.cache.get("slices")
    if cached is None:
        cached = {}
        for part in view.all("EndpointSlice"):
            owner = (part["metadata"].get("labels") or {}).get(SERVICE_LABEL)
            if owner:
                cached.setdefault(f"{part['metadata'].get('namespace')}/{owner}", []).append(part)
        view.cache["slices"] = cached
    return cached


def _endpoints(view: View, service: Object, slices: list[Object]) -> list[Finding]:
    name, spec = reference(service), service.get("spec") or {}
    selector = spec.get("selector") or {}
    if not view.known("Pod", name.namespace) or not view.known("EndpointSlice", name.namespace):
        return []
    ready = sum(bool(endpoint.get("ready")) for part in slices for endpoint in part.get("endpoints") or [])
    if not selector:
        return [] if ready or not spec.get("ports") else [_by_hand(view, service)]
    pods = [pod for pod in view.selected(name.namespace, selector) if not _over(pod)]
    if not pods:
        return _no_pods(view, service, selector)
    found = _ports(view, service, pods)
    if ready or spec.get("publishNotReadyAddresses") or found:
        return found
    owners = {view.made_by(pod): pod for pod in pods}
    young = all(view.age(pod) < 30 for pod in pods)
    return [
        Finding(
            "service_no_ready_endpoints",
            "info" if young else "warning" if _still_starting(view, pods) else "error",
            name,
            f"it has no ready endpoints: none of its {len(pods)} pods is ready",
            evidence=[f"its pods: {shortened([named(pod) for pod in pods], 5)}"],
            advice="See its pods.",
            blames=tuple(owners),
            patience=SLOW,
        )
    ]


def _still_starting(view: View, pods: Iterable[Object]) -> bool:
    """Whether pods may become ready yet: a probe's own rule says when that is too late."""
    return all(view.age(pod) < 120 for pod in pods)


def _over(pod: Object) -> bool:
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def _by_hand(view: View, service: Object) -> Finding:
    return Finding(
        "service_no_endpoints",
        "warning",
        reference(service),
        "it has neither a selector nor endpoints",
        evidence=[f"no EndpointSlice with label {SERVICE_LABEL}={service['metadata']['name']}"],
        advice="Give it a selector, or an EndpointSlice with the addresses that it stands for.",
        patience=SLOW,
    )


def templates(view: View, namespace: str) -> list[Object]:
    """List the workloads of a namespace that make pods."""
    by_namespace = view.cache.get("templates")
    if by_namespace is None:
        by_namespace = {}
        for kind in ("Deployment", "StatefulSet", "DaemonSet"):
            for content in view.all(kind):
                by_namespace.setdefault(content["metadata"].get("namespace"), []).append(content)
        view.cache["templates"] = by_namespace
    found: list[Object] = by_namespace.get(namespace, [])
    return found


def template_labels(content: Object) -> Mapping[str, str]:
    """Give the labels that a workload gives its pods."""
    template = (content.get("spec") or {}).get("template") or {}
    return (template.get("metadata") or {}).get("labels") or {}


def _no_pods(view: View, service: Object, selector: Mapping[str, str]) -> list[Finding]:
    name = reference(service)
    meant = [content for content in templates(view, name.namespace) if has_labels(template_labels(content), selector)]
    if meant:
        asleep = all((content.get("spec") or {}).get("replicas") == 0 for content in meant)
        what = "is scaled to 0" if asleep else "has no pods"
        return [
            Finding(
                "service_no_ready_endpoints",
                "info" if asleep or view.age(service) < YOUNG else "error",
                name,
                f"it has no endpoints: {reference(meant[0])} {what}",
                evidence=[f"selector: {_labels(selector)}"],
                advice="Scale the workload up." if asleep else "See the workload.",
                blames=tuple(reference(content) for content in meant),
                patience=SLOW,
            )
        ]
    evidence = [f"selector: {_labels(selector)}"]
    nearest = _nearest(view, name.namespace, selector)
    advice = "Correct the selector, or deploy what it is to select."
    if nearest is not None:
        other, labels = nearest
        wrong = {key: value for key, value in selector.items() if labels.get(key) != value}
        has = ", ".join(f"{key}={labels[key]}" if key in labels else f"no label {key}" for key in sorted(wrong))
        evidence.append(f"pods of {other} differ: they have {has}")
        advice = "Change {} of the selector to fit the pods of {} ({}), or the pods' labels.".format(
            " and ".join(sorted(wrong)),
            other,
            has,
        )
    else:
        evidence.append(f"no pod in namespace {name.namespace} has any of these labels")
    return [
        Finding(
            "service_selects_nothing",
            "error" if view.age(service) >= YOUNG else "warning",
            name,
            f"its selector matches no pod ({_labels(selector)})",
            evidence=evidence,
            advice=advice,
            patience=SUSPICIOUS,
        )
    ]


def _labels(labels: Mapping[str, str]) -> str:
    return ", ".join("{}={}".format(*pair) for pair in sorted(labels.items()))


def _nearest(view: View, namespace: str, selector: Mapping[str, str]) -> tuple[Reference, Mapping[str, str]] | None:
    """Find the workload or pod whose labels come nearest to a selector."""
    best: tuple[float, Reference, Mapping[str, str]] | None = None
    candidates = [(reference(content), template_labels(content)) for content in templates(view, namespace)]
    candidates += [
        (reference(pod), pod["metadata"].get("labels") or {})
        for pod in view.in_namespace(namespace)
        if controller(pod) is None
    ]
    for other, labels in candidates:
        score = sum((labels.get(key) == value) + 0.5 * (key in labels) for key, value in selector.items())
        if not score and set(labels.values()) & set(selector.values()):
            score = 0.4
        if score and (best is None or score > best[0]):
            best = (score, other, labels)
    return None if best is None else (best[1], best[2])


def container_ports(pod: Object) -> list[Mapping[str, Any]]:
    """List the ports that the containers of a pod declare."""
    spec = pod.get("spec") or {}
    containers = list(spec.get("containers") or [])
    containers += [one for one in spec.get("initContainers") or [] if one.get("restartPolicy") == "Always"]
    return [port for container in containers for port in container.get("ports") or []]


def _ports(view: View, service: Object, pods: list[Object]) -> list[Finding]:
    """Find ports of a Service that its pods do not have: certain for names, a suspicion for numbers."""
    found = []
    declared = [port for pod in pods[:50] for port in container_ports(pod)]
    names = sorted({port["name"] for port in declared if port.get("name")})
    numbers = sorted({port["containerPort"] for port in declared})
    for port in (service.get("spec") or {}).get("ports") or []:
        target = port.get("targetPort", port.get("port"))
        if isinstance(target, str):
            if target in names:
                continue
            severity, why = "error", f"no container of its pods has a port named {target}"
        else:
            if not numbers or target in numbers:
                continue
            severity, why = "warning", f"no container of its pods declares port {target}"
        shown = shortened([f"{number}{_named_as(declared, number)}" for number in numbers], 6) or "none"
        found.append(
            Finding(
                "service_port_mismatch",
                severity,
                reference(service),
                f"its port {port.get('port')} leads to {target}, and {why}",
                evidence=[f"ports of the containers: {shown}", f"a pod of it: {named(pods[0])}"],
                advice="Correct targetPort of the Service, or the ports of the containers%s."
                % (f": {shortened(names or [str(number) for number in numbers], 4)} is there" if numbers else ""),
                patience=SLOW,
                target=(named(pods[0]), target if isinstance(target, int) else 0),
            )
        )
    return found


def _named_as(declared: Iterable[Mapping[str, Any]], number: int) -> str:
    names = {port["name"] for port in declared if port.get("containerPort") == number and port.get("name")}
    return f" ({', '.join(sorted(names))})" if names else ""


def _load_balancer(view: View, service: Object) -> list[Finding]:
    if ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress"):
        return []
    events = [event for event in view.events_of(service) if "oad" in (event.get("reason") or "")]
    others = any(
        ((other.get("status") or {}).get("loadBalancer") or {}).get("ingress") for other in view.all("Service")
    )
    if view.age(service) < YOUNG and not events:
        return []
    evidence = ["status.loadBalancer is empty"] + [
        f"{event.get('reason')}: {event.get('message')}" for event in events[-1:]
    ]
    advice = (
        "See the controller that gives the other Services their addresses: is a pool of addresses used up?"
        if others
        else "Nothing in this cluster gives out addresses: install a controller (MetalLB, or the cloud's), or use type NodePort or an Ingress."
    )
    return [
        Finding(
            "load_balancer_pending",
            "error" if events else "warning",
            reference(service),
            "nothing has given it an address for the world",
            evidence=evidence,
            advice=advice,
            patience=SLOW,
        )
    ]
