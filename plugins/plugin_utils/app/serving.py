# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How clients reach an application: Service, Ingress, HTTPRoute and NetworkPolicy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...module_utils._kube.objects import Object
from .objects import NAME_LABEL, api_fields, manifest, selector
from .spec import ROUTE_RULE, Spec, ports_of

NAMESPACE_LABEL = "kubernetes.io/metadata.name"
# The default address of NodeLocal DNSCache (https://kubernetes.io/docs/tasks/administer-cluster/nodelocaldns/).
NODE_LOCAL_DNS = "169.254.20.10/32"
CERT_MANAGER = "cert-manager.io/"


def service_name(spec: Spec) -> str:
    """Return the name of an application's Service."""
    return (spec["service"] or {}).get("name") or spec["name"]


def governing_name(spec: Spec) -> str:
    """Return the name of the headless Service that governs a StatefulSet."""
    return service_name(spec) if (spec["service"] or {}).get("headless") else f"{spec['name']}-headless"


def services(spec: Spec) -> list[Object]:
    """Return the Service for the ports, and for a StatefulSet the headless one that gives each pod a DNS name."""
    found: list[Object] = []
    service = spec["service"]
    serving = {name: port for name, port in ports_of(spec) if port["service"]}
    if service is not False and (serving or service["headless"]):
        found.append(_service(spec, service, serving))
    if spec["kind"] == "StatefulSet" and not (service or {}).get("headless"):
        # Members of a cluster discover each other before they are ready.
        body: Object = {"clusterIP": "None", "publishNotReadyAddresses": True, "selector": selector(spec)}
        if serving:
            body["ports"] = [_port(name, port, False) for name, port in serving.items()]
        found.append(manifest(spec, "Service", governing_name(spec), spec=body))
    return found


def _service(spec: Spec, service: Mapping[str, Any], serving: Mapping[str, Any]) -> Object:
    kind = service["type"] or ("NodePort" if any(port["node_port"] for port in serving.values()) else "ClusterIP")
    body: Object = {"type": kind, "selector": selector(spec)}
    if serving:
        body["ports"] = [_port(name, port, kind != "ClusterIP") for name, port in serving.items()]
    if service["headless"]:
        body["clusterIP"] = "None"
    affinity, seconds = service["session_affinity"], service["session_affinity_timeout_seconds"]
    if affinity or seconds:
        body["sessionAffinity"] = affinity or "ClientIP"
    if seconds:
        body["sessionAffinityConfig"] = {"clientIP": {"timeoutSeconds": seconds}}
    ours = ("type", "name", "headless", "labels", "annotations", "session_affinity", "session_affinity_timeout_seconds")
    body |= api_fields({name: value for name, value in service.items() if name not in ours})
    result = manifest(spec, "Service", service_name(spec), spec=body)
    result["metadata"]["labels"] = {**service["labels"], **result["metadata"]["labels"]}
    if service["annotations"]:
        result["metadata"]["annotations"] = {**spec["annotations"], **service["annotations"]}
    return result


def _port(name: str, port: Mapping[str, Any], external: bool) -> Object:
    result: Object = {"name": name, "port": port["port"], "targetPort": name, "protocol": port["protocol"]}
    return result | api_fields(app_protocol=port["app_protocol"], node_port=port["node_port"] if external else None)


def ingress(spec: Spec) -> Object | None:
    """Return the Ingress."""
    given = spec["ingress"]
    if not given:
        return None
    groups = given["rules"] or [{**given, "host": host} for host in given["host"] or [None]]
    body = api_fields(ingress_class_name=given["class"])
    body["rules"] = [{**api_fields(group, "host"), "http": {"paths": _paths(spec, group)}} for group in groups]
    annotations = {**spec["annotations"], **given["annotations"]}
    tls = given["tls"]
    if tls:
        hosts = tls["hosts"] or [group["host"] for group in groups if group["host"]]
        body["tls"] = [{"hosts": list(dict.fromkeys(hosts)), "secretName": tls["secret"] or f"{spec['name']}-tls"}]
        for field in ("issuer", "cluster_issuer"):
            if tls[field]:
                annotations[CERT_MANAGER + field.replace("_", "-")] = tls[field]
    result = manifest(spec, "Ingress", spec=body)
    if annotations:
        result["metadata"]["annotations"] = annotations
    return result


def _paths(spec: Spec, group: Mapping[str, Any]) -> list[Object]:
    paths = group["paths"]
    if paths is None:
        paths = {group["path"] or "/": {"service": None, "port": group["port"], "path_type": None}}
    found: list[Object] = []
    for path, target in paths.items():
        port = target["port"]
        if port is None:
            port = next(name for name, one in ports_of(spec) if one["service"])
        reference = {"name": port} if isinstance(port, str) else {"number": port}
        found.append(
            {
                "path": path,
                "pathType": target["path_type"] or group["path_type"] or "Prefix",
                "backend": {"service": {"name": target["service"] or service_name(spec), "port": reference}},
            }
        )
    return found


def route(spec: Spec) -> Object | None:
    """Return the HTTPRoute of a Gateway (https://gateway-api.sigs.k8s.io/api-types/httproute/)."""
    given = spec["route"]
    if not given:
        return None
    gateways = [api_fields(one, "name", "namespace", section_name=one["section"]) for one in given["gateway"]]
    rules = given["rules"] or [ROUTE_RULE.empty()]
    body: Object = {"parentRefs": gateways, **api_fields(hostnames=given["host"] or None)}
    body["rules"] = [_route_rule(spec, rule) for rule in rules]
    result = manifest(spec, "HTTPRoute", spec=body)
    if given["annotations"]:
        result["metadata"]["annotations"] = {**spec["annotations"], **given["annotations"]}
    return result


def _route_rule(spec: Spec, rule: Mapping[str, Any]) -> Object:
    exact = rule["path_type"] == "Exact"
    match: Object = {"path": {"type": "Exact" if exact else "PathPrefix", "value": rule["path"] or "/"}}
    if rule["headers"]:
        match["headers"] = [{"type": "Exact", "name": name, "value": value} for name, value in rule["headers"].items()]
    result: Object = {"matches": [match | api_fields(rule, "method")]}
    if rule["rewrite"]:
        kind = "ReplaceFullPath" if exact else "ReplacePrefixMatch"
        path = {"type": kind, kind[0].lower() + kind[1:]: rule["rewrite"]}
        result["filters"] = [{"type": "URLRewrite", "urlRewrite": {"path": path}}]
    served = {name: port["port"] for name, port in ports_of(spec) if port["service"]}
    port = rule["port"] if rule["port"] is not None else next(iter(served.values()))
    # Other than an Ingress, a route refers to a port by its number only.
    result["backendRefs"] = [{"name": rule["service"] or service_name(spec), "port": served.get(port, port)}]
    return result | api_fields(timeouts=api_fields(request=rule["timeout"]) or None)


def policy(spec: Spec) -> Object | None:
    """Return the NetworkPolicy. DNS stays allowed unless that is disabled.

    A direction that the description does not mention is not restricted
    (https://kubernetes.io/docs/concepts/services-networking/network-policies/).
    """
    network = spec["network"]
    if not network:
        return None
    # The policy applies to the pods of hooks too.
    body: Object = {"podSelector": {"matchLabels": {NAME_LABEL: spec["name"]}}, "policyTypes": []}
    ports = dict(ports_of(spec))
    if network["allow_from"] is not None:
        body["policyTypes"].append("Ingress")
        body["ingress"] = [_rule("from", peer, ports) for peer in network["allow_from"]]
    if network["allow_to"] is not None:
        body["policyTypes"].append("Egress")
        dns = [_dns(network["dns_ports"])] if network["dns"] else []
        body["egress"] = dns + [_rule("to", peer, {}) for peer in network["allow_to"]]
    return manifest(spec, "NetworkPolicy", spec=body)


def _dns(ports: Sequence[int]) -> Object:
    return {
        "to": [
            {"namespaceSelector": {"matchLabels": {NAMESPACE_LABEL: "kube-system"}}},
            {"ipBlock": {"cidr": NODE_LOCAL_DNS}},
        ],
        "ports": [{"protocol": protocol, "port": port} for port in ports for protocol in ("UDP", "TCP")],
    }


def _rule(direction: str, peer: Mapping[str, Any], ports: Mapping[str, Any]) -> Object:
    result: Object = {direction: [_peer(peer)]}
    if peer["ports"]:
        result["ports"] = [_policy_port(port, ports) for port in peer["ports"]]
    return result


def _policy_port(port: Mapping[str, Any], ports: Mapping[str, Any]) -> Object:
    named: dict[str, Any] = ports.get(port["port"]) or {}
    # A policy applies to the port of the pod, not to that of the Service.
    number = named["target_port"] or named["port"] if named else port["port"]
    result: Object = {"protocol": port["protocol"] or named.get("protocol") or "TCP", "port": number}
    return result | api_fields(port, "end_port")


def _peer(peer: Mapping[str, Any]) -> Object:
    if peer["cidr"]:
        return {"ipBlock": {"cidr": peer["cidr"], **({"except": peer["except"]} if peer["except"] else {})}}
    result: Object = {}
    namespace, labels = peer["namespace"], peer["namespace_labels"]
    if namespace is not None or labels is not None:
        selected = labels if labels is not None else {} if namespace == "*" else {NAMESPACE_LABEL: namespace}
        result["namespaceSelector"] = {"matchLabels": selected} if selected else {}
    if peer["labels"] is not None:
        result["podSelector"] = {"matchLabels": peer["labels"]} if peer["labels"] else {}
    elif peer["app"] not in (None, "*"):
        result["podSelector"] = {"matchLabels": {NAME_LABEL: peer["app"]}}
    elif peer["app"] == "*" and not result:
        result["podSelector"] = {}
    return result
