# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services without endpoints, ports or load balancer: pure functions.

https://kubernetes.io/docs/concepts/services-networking/service/
"""

from __future__ import annotations

from typing import Any, Iterable, Mapping

from .._kube.objects import Reference, reference
from .._kube.selectors import has_labels
from .finding import SLOW, SUSPICIOUS, Finding, shortened
from .view import (
    Object,
    View,
    controller,
    is_finished,
    labels_of,
    labels_text,
    named,
    namespace_of,
    spec_of,
    status_of,
)

SERVICE_LABEL = "kubernetes.io/service-name"
# For this many seconds after its creation, a Service may have no pods and no address yet.
YOUNG = 15
COMPONENTS = (
    "kube-scheduler",
    "kube-controller-manager",
    "kube-apiserver",
    "etcd",
    "kube-proxy",
    "kube-dns",
    "coredns",
)


def services(view: View) -> list[Finding]:
    """Explain every Service that has no endpoints, no endpoints on one of its ports, or no load balancer address."""
    found: list[Finding] = []
    slices = _slices(view)
    for service in view.alive("Service"):
        kind = spec_of(service).get("type")
        if kind != "ExternalName":
            found += _endpoints(view, service, slices.get(named(service), []))
        if kind == "LoadBalancer":
            found += _load_balancer(view, service)
    return found + _governing_services(view)


def _governing_services(view: View) -> list[Finding]:
    """Find StatefulSets whose Service does not exist.

    https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#stable-network-id
    """
    found = []
    for content in view.alive("StatefulSet"):
        name = reference(content)
        wanted = spec_of(content).get("serviceName")
        if wanted and view.age(content) >= YOUNG and view.missing("Service", name.namespace, wanted):
            existing = shortened(view.names("Service", name.namespace), 5) or "none"
            found.append(
                Finding(
                    "stateful_service_missing",
                    "warning",
                    name,
                    f"its governing Service {wanted} does not exist",
                    evidence=[f"serviceName: {wanted}; Services in namespace {name.namespace}: {existing}"],
                    advice=f"Create {wanted} as a headless Service; without it, DNS has no records such as {name.name}-0.{wanted}.",
                    patience=SLOW,
                )
            )
    return found


def ready_endpoints(view: View, namespace: str, name: str) -> int | None:
    """Return the number of ready endpoints of a Service, None if its EndpointSlices were not read."""
    return (
        _count_ready(_slices(view).get(f"{namespace}/{name}", [])) if view.known("EndpointSlice", namespace) else None
    )


def _count_ready(slices: Iterable[Object]) -> int:
    return sum(bool(endpoint.get("ready")) for part in slices for endpoint in part.get("endpoints") or [])


def _slices(view: View) -> dict[str, list[Object]]:
    """Return the EndpointSlices by C(NAMESPACE/SERVICE)."""
    cached = view.cache.get("slices")
    if cached is None:
        cached = view.cache["slices"] = {}
        for part in view.all("EndpointSlice"):
            owner = labels_of(part).get(SERVICE_LABEL)
            if owner:
                cached.setdefault(f"{part['metadata'].get('namespace')}/{owner}", []).append(part)
    return cached


def _endpoints(view: View, service: Object, slices: list[Object]) -> list[Finding]:
    name, spec = reference(service), spec_of(service)
    selector = spec.get("selector") or {}
    if not view.known("Pod", name.namespace) or not view.known("EndpointSlice", name.namespace):
        return []
    ready = _count_ready(slices)
    if not selector:
        return [] if ready or not spec.get("ports") else [_no_selector(service)]
    pods = [pod for pod in view.selected(name.namespace, selector) if not is_finished(pod)]
    if not pods:
        return [_no_pods(view, service, selector)]
    found = _ports(service, pods)
    if ready or spec.get("publishNotReadyAddresses") or found:
        return found
    oldest = max(view.age(pod) for pod in pods)
    return [
        Finding(
            "service_no_ready_endpoints",
            # How long a pod may take to become ready is judged by the rules about its probes.
            "info" if oldest < 30 else "warning" if oldest < 120 else "error",
            name,
            f"it has no ready endpoints: none of its {len(pods)} pods is ready",
            evidence=[f"its pods: {shortened([named(pod) for pod in pods], 5)}"],
            advice="Resolve what keeps its pods from becoming ready.",
            blames=tuple({view.made_by(pod): None for pod in pods}),
            patience=SLOW,
        )
    ]


def _no_selector(service: Object) -> Finding:
    return Finding(
        "service_no_endpoints",
        "warning",
        reference(service),
        "it has neither a selector nor endpoints",
        evidence=[f"no EndpointSlice has the label {SERVICE_LABEL}={service['metadata']['name']}"],
        advice="Add a selector, or create an EndpointSlice with the addresses of the backends.",
        patience=SLOW,
    )


def templates(view: View, namespace: str) -> list[Object]:
    """Return the workloads of a namespace that have a pod template."""
    by_namespace = view.cache.get("templates")
    if by_namespace is None:
        by_namespace = view.cache["templates"] = {}
        for kind in ("Deployment", "StatefulSet", "DaemonSet"):
            for content in view.all(kind):
                by_namespace.setdefault(namespace_of(content), []).append(content)
    found: list[Object] = by_namespace.get(namespace, [])
    return found


def template_labels(content: Object) -> Mapping[str, str]:
    """Return the labels in the pod template of a workload."""
    template = spec_of(content).get("template") or {}
    return (template.get("metadata") or {}).get("labels") or {}


def _no_pods(view: View, service: Object, selector: Mapping[str, str]) -> Finding:
    """Explain a Service whose selector matches no pod, by the workloads whose pods it selects or by similar labels."""
    name, text = reference(service), labels_text(selector)
    selected = [
        content for content in templates(view, name.namespace) if has_labels(template_labels(content), selector)
    ]
    if selected:
        scaled_down = all(spec_of(content).get("replicas") == 0 for content in selected)
        workload = reference(selected[0])
        return Finding(
            "service_no_ready_endpoints",
            "info" if scaled_down or view.age(service) < YOUNG else "error",
            name,
            f"it has no endpoints: {workload} {'is scaled to 0' if scaled_down else 'has no pods'}",
            evidence=[f"selector: {text}"],
            advice=f"Scale {workload} up." if scaled_down else f"Check why {workload} has no pods.",
            blames=tuple(map(reference, selected)),
            patience=SLOW,
        )
    evidence = f"no pod in namespace {name.namespace} has any of these labels"
    advice = "Correct the selector, or deploy the workload that it selects."
    nearest = _nearest(view, name.namespace, selector)
    elsewhere = _runs_elsewhere(view, service, selector)
    if elsewhere:
        evidence = "no node of this cluster is a control plane, so its provider runs this component"
        advice = "Nothing, or switch it off in the chart that made it, such as kubeScheduler.enabled of kube-prometheus-stack."
    elif nearest is not None:
        other, labels = nearest
        wrong = sorted(key for key, value in selector.items() if labels.get(key) != value)
        has = ", ".join(f"{key}={labels[key]}" if key in labels else f"no label {key}" for key in wrong)
        evidence = f"the pods of {other} differ: they have {has}"
        advice = f"Change {' and '.join(wrong)} of the selector to match the pods of {other} ({has}), or change the labels of the pods."
    return Finding(
        "service_selects_nothing",
        "info" if elsewhere else "error" if view.age(service) >= YOUNG else "warning",
        name,
        f"its selector matches no pods ({text})",
        evidence=[f"selector: {text}", evidence],
        advice=advice,
        patience=SUSPICIOUS,
    )


def _runs_elsewhere(view: View, service: Object, selector: Mapping[str, str]) -> bool:
    """Return whether a headless Service in kube-system selects a component of a control plane that the cluster does not run itself.

    Charts for monitoring make such Services in every cluster.
    """
    if namespace_of(service) != "kube-system" or spec_of(service).get("clusterIP") != "None":
        return False
    if not any(part in value for value in selector.values() for part in COMPONENTS):
        return False
    nodes = view.all("Node")
    return bool(nodes) and not any("node-role.kubernetes.io/control-plane" in labels_of(node) for node in nodes)


def _nearest(view: View, namespace: str, selector: Mapping[str, str]) -> tuple[Reference, Mapping[str, str]] | None:
    """Find the workload or pod whose labels are most similar to a selector."""
    best: tuple[float, Reference, Mapping[str, str]] | None = None
    candidates = [(reference(content), template_labels(content)) for content in templates(view, namespace)]
    candidates += [(reference(pod), labels_of(pod)) for pod in view.in_namespace(namespace) if controller(pod) is None]
    for other, labels in candidates:
        score = sum((labels.get(key) == value) + 0.5 * (key in labels) for key, value in selector.items())
        if not score and set(labels.values()) & set(selector.values()):
            score = 0.4
        if score and (best is None or score > best[0]):
            best = (score, other, labels)
    return None if best is None else best[1:]


def _container_ports(pod: Object) -> list[Mapping[str, Any]]:
    """Return the ports that the containers and sidecars of a pod declare."""
    spec = spec_of(pod)
    sidecars = [one for one in spec.get("initContainers") or [] if one.get("restartPolicy") == "Always"]
    return [port for one in [*(spec.get("containers") or []), *sidecars] for port in one.get("ports") or []]


def _ports(service: Object, pods: list[Object]) -> list[Finding]:
    """Find ports of a Service that its pods do not declare: an error for names, only a suspicion for numbers."""
    found = []
    declared = [port for pod in pods[:50] for port in _container_ports(pod)]
    names = sorted({port["name"] for port in declared if port.get("name")})
    protocols = {(port.get("name"), port.get("protocol") or "TCP") for port in declared}
    numbers = sorted({port["containerPort"] for port in declared})
    shown = shortened([f"{number}{_names_of(declared, number)}" for number in numbers], 6) or "none"
    advice = "Correct targetPort of the Service, or declare the port in the pod template"
    if numbers:
        advice += f"; declared: {shortened(names or list(map(str, numbers)), 4)}"
    for port in spec_of(service).get("ports") or []:
        target = port.get("targetPort", port.get("port"))
        named_port = isinstance(target, str)
        wanted = port.get("protocol") or "TCP"
        if target in names and (target, wanted) not in protocols:
            found.append(
                _other_protocol(service, port, pods[0], sorted(has for name, has in protocols if name == target))
            )
        if target in names or target in numbers or not (named_port or numbers):
            continue
        found.append(
            Finding(
                "service_port_mismatch",
                "error" if named_port else "warning",
                reference(service),
                f"its port {port.get('port')} has targetPort {target}, but none of its pods declares a port "
                f"{'named ' if named_port else ''}{target}",
                evidence=[f"ports of the containers: {shown}", f"one of its pods: {named(pods[0])}"],
                advice=advice + ".",
                patience=SLOW,
                target=(named(pods[0]), 0 if named_port else target),
            )
        )
    return found


def _other_protocol(service: Object, port: Mapping[str, Any], pod: Object, has: list[str]) -> Finding:
    wanted, target = port.get("protocol") or "TCP", port.get("targetPort")
    return Finding(
        "service_port_mismatch",
        "error",
        reference(service),
        f"its port {port.get('port')} uses {wanted}, but port {target} of its pods {' and '.join(has)}",
        evidence=[f"one of its pods: {named(pod)}"],
        advice=f"Set the same protocol for the port of the Service and for port {target} of the container.",
        patience=SLOW,
        target=(named(pod), 0),
    )


def _names_of(declared: Iterable[Mapping[str, Any]], number: int) -> str:
    names = {port["name"] for port in declared if port.get("containerPort") == number and port.get("name")}
    return f" ({', '.join(sorted(names))})" if names else ""


def has_address(content: Object) -> bool:
    """Return whether the status of a Service or an Ingress has a load balancer address."""
    return bool((status_of(content).get("loadBalancer") or {}).get("ingress"))


def _load_balancer(view: View, service: Object) -> list[Finding]:
    # Reasons such as SyncLoadBalancerFailed.
    events = [event for event in view.events_of(service) if "oad" in (event.get("reason") or "")]
    if has_address(service) or (view.age(service) < YOUNG and not events):
        return []
    advice = "Install a load balancer controller (MetalLB or that of the cloud provider), or use type NodePort or an Ingress: no Service has an address."
    if any(map(has_address, view.all("Service"))):
        advice = "Check the load balancer controller that serves the other Services; its address pool may be exhausted."
    return [
        Finding(
            "load_balancer_pending",
            "error" if events else "warning",
            reference(service),
            "it has no load balancer address",
            evidence=["status.loadBalancer is empty"]
            + [f"{event.get('reason')}: {event.get('message')}" for event in events[-1:]],
            advice=advice,
            patience=SLOW,
        )
    ]
