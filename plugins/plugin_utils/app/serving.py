# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How others reach an application: Service, Ingress and NetworkPolicy."""

from __future__ import annotations

from typing import Any, Mapping

from ...module_utils._kube.objects import Object
from .checks_pod import ports_of
from .containers import present
from .pod import NAME_LABEL, metadata, selector
from .spec import Spec

NAMESPACE_LABEL = "kubernetes.io/metadata.name"
# Where NodeLocal DNSCache listens (https://kubernetes.io/docs/tasks/administer-cluster/nodelocaldns/).
NODE_LOCAL_DNS = "169.254.20.10/32"
CERT_MANAGER = "cert-manager.io/"


def service_name(spec: Spec) -> str:
    """Name the Service of an application."""
    return (spec["service"] or {}).get("name") or spec["name"]


def governing_name(spec: Spec) -> str:
    """Name the headless Service that gives the pods of a StatefulSet their names."""
    service = spec["service"] or {}
    return service_name(spec) if service.get("headless") else f"{spec['name']}-headless"


def services(spec: Spec) -> list[Object]:
    """Make the Services: one for the ports, and for a StatefulSet one that gives each pod a name."""
    found: list[Object] = []
    service = spec["service"]
    serving = {name: port for name, port in ports_of(spec) if port["service"]}
    if service is not False and (serving or service["headless"]):
        found.append(_service(spec, service, serving))
    if spec["kind"] == "StatefulSet" and not (service or {}).get("headless"):
        # Members of a cluster find each other before they are ready.
        body: Object = {"clusterIP": "None", "publishNotReadyAddresses": True, "selector": selector(spec)}
        if serving:
            body["ports"] = [_port(name, port, False) for name, port in serving.items()]
        found.append(
            {"apiVersion": "v1", "kind": "Service", "metadata": metadata(spec, governing_name(spec)), "spec": body}
        )
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
    body.update(
        present(
            external_traffic_policy=service["external_traffic_policy"],
            internal_traffic_policy=service["internal_traffic_policy"],
            traffic_distribution=service["traffic_distribution"],
            load_balancer_class=service["load_balancer_class"],
            load_balancer_source_ranges=service["load_balancer_source_ranges"],
            ip_family_policy=service["ip_family_policy"],
            ip_families=service["ip_families"],
            publish_not_ready_addresses=service["publish_not_ready_addresses"],
        )
    )
    about = metadata(spec, service_name(spec))
    about["labels"] = dict(service["labels"], **about["labels"])
    if service["annotations"]:
        about["annotations"] = dict(spec["annotations"], **service["annotations"])
    return {"apiVersion": "v1", "kind": "Service", "metadata": about, "spec": body}


def _port(name: str, port: Mapping[str, Any], outside: bool) -> Object:
    made: Object = {"name": name, "port": port["port"], "targetPort": name, "protocol": port["protocol"]}
    made.update(present(app_protocol=port["app_protocol"], node_port=port["node_port"] if outside else None))
    return made


def ingress(spec: Spec) -> Object | None:
    """Make the Ingress."""
    wanted = spec["ingress"]
    if not wanted:
        return None
    groups = wanted["rules"] or [dict(wanted, host=host) for host in wanted["host"] or [None]]
    rules: list[Object] = []
    for group in groups:
        rule: Object = {"http": {"paths": _paths(spec, group)}}
        rules.append(dict({"host": group["host"]}, **rule) if group["host"] else rule)
    body: Object = {"rules": rules}
    if wanted["class"]:
        body = {"ingressClassName": wanted["class"], "rules": rules}
    about = metadata(spec)
    annotations = dict(spec["annotations"], **wanted["annotations"])
    tls = wanted["tls"]
    if tls:
        hosts = tls["hosts"] or [group["host"] for group in groups if group["host"]]
        body["tls"] = [{"hosts": list(dict.fromkeys(hosts)), "secretName": tls["secret"] or f"{spec['name']}-tls"}]
        for field in ("issuer", "cluster_issuer"):
            if tls[field]:
                annotations[CERT_MANAGER + field.replace("_", "-")] = tls[field]
    if annotations:
        about["annotations"] = annotations
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": about, "spec": body}


def _paths(spec: Spec, group: Mapping[str, Any]) -> list[Object]:
    paths = group["paths"]
    if paths is None:
        paths = {group["path"] or "/": {"service": None, "port": group["port"], "path_type": None}}
    found: list[Object] = []
    for path, target in paths.items():
        port = target["port"]
        if port is None:
            port = next(name for name, own in ports_of(spec) if own["service"])
        reference = {"name": port} if isinstance(port, str) else {"number": port}
        found.append(
            {
                "path": path,
                "pathType": target["path_type"] or group["path_type"] or "Prefix",
                "backend": {"service": {"name": target["service"] or service_name(spec), "port": reference}},
            }
        )
    return found


def policy(spec: Spec) -> Object | None:
    """Make the NetworkPolicy: who may reach the pods, whom they may reach, and always the cluster's DNS.

    A direction that is not described stays open (https://kubernetes.io/docs/concepts/services-networking/network-policies/).
    """
    network = spec["network"]
    if not network:
        return None
    body: Object = {"podSelector": {"matchLabels": {NAME_LABEL: spec["name"]}}, "policyTypes": []}
    ports = dict(ports_of(spec))
    if network["allow_from"] is not None:
        body["policyTypes"].append("Ingress")
        body["ingress"] = [_rule("from", peer, ports) for peer in network["allow_from"]]
    if network["allow_to"] is not None:
        body["policyTypes"].append("Egress")
        dns = [_dns()] if network["dns"] else []
        body["egress"] = dns + [_rule("to", peer, {}) for peer in network["allow_to"]]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(spec),
        "spec": body,
    }


def _dns() -> Object:
    return {
        "to": [
            {"namespaceSelector": {"matchLabels": {NAMESPACE_LABEL: "kube-system"}}},
            {"ipBlock": {"cidr": NODE_LOCAL_DNS}},
        ],
        "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}],
    }


def _rule(direction: str, peer: Mapping[str, Any], ports: Mapping[str, Any]) -> Object:
    made: Object = {direction: [_peer(peer)]}
    if peer["ports"]:
        made["ports"] = [_policy_port(port, ports) for port in peer["ports"]]
    return made


def _policy_port(wanted: Mapping[str, Any], ports: Mapping[str, Any]) -> Object:
    own: dict[str, Any] = ports.get(wanted["port"]) or {}
    # Policies see the port of the pod, never that of the Service.
    number = own["target_port"] or own["port"] if own else wanted["port"]
    made: Object = {"protocol": wanted["protocol"] or own.get("protocol") or "TCP", "port": number}
    made.update(present(end_port=wanted["end_port"]))
    return made


def _peer(peer: Mapping[str, Any]) -> Object:
    if peer["cidr"]:
        return {"ipBlock": dict({"cidr": peer["cidr"]}, **({"except": peer["except"]} if peer["except"] else {}))}
    made: Object = {}
    namespace, labels = peer["namespace"], peer["namespace_labels"]
    if namespace is not None or labels is not None:
        matched = labels if labels is not None else {} if namespace == "*" else {NAMESPACE_LABEL: namespace}
        made["namespaceSelector"] = {"matchLabels": matched} if matched else {}
    if peer["labels"] is not None:
        made["podSelector"] = {"matchLabels": peer["labels"]} if peer["labels"] else {}
    elif peer["app"] not in (None, "*"):
        made["podSelector"] = {"matchLabels": {NAME_LABEL: peer["app"]}}
    elif peer["app"] == "*" and not made:
        made["podSelector"] = {}
    return made
