# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fields that describe an application. Names are those of the Kubernetes API in snake case."""

from __future__ import annotations

import re
from typing import Any

from .fields import (
    ABSOLUTE,
    ANY_STRING,
    APP_NAME,
    BOOLEAN,
    CIDR,
    HOST,
    INT_OR_PERCENT,
    INTEGER,
    KEY,
    LABELS,
    MAPPING,
    NAME,
    NONEMPTY_OR_NUMBER,
    OBJECT_NAME,
    PATH,
    PORT_NUMBER,
    PORT_REFERENCE,
    POSITIVE,
    PROTOCOL,
    STRING,
    STRINGS,
    SUBDOMAIN,
    AnyOf,
    Disabled,
    Field,
    Integer,
    ListOf,
    MapOf,
    String,
    Structure,
    Type,
    each,
    port_only,
    short_for,
)
from .spec_pod import CONTAINER, CONTAINER_FIELDS, FILE, HOOK, INIT, MISSPELT, POD_SECURITY, SERVING_FIELDS, VOLUME

Spec = dict[str, Any]
# https://gateway-api.sigs.k8s.io/geps/gep-2257/
DURATION = (re.compile(r"^([0-9]{1,5}(h|m|s|ms)){1,4}$"), "duration (such as 30s or 500ms)")

BLUE_GREEN, CANARY = "BlueGreen", "Canary"
SIDE_BY_SIDE = (BLUE_GREEN, CANARY)  # two versions of the pods at the same time, told apart

STRATEGY = Structure(
    {
        "type": String(("RollingUpdate", "Recreate", "OnDelete", *SIDE_BY_SIDE)),
        **each(INT_OR_PERCENT, "max_surge", "max_unavailable"),
        "partition": INTEGER,
        "percent": Integer(1, 100),
        "observe": INTEGER,
    },
    short_for("type", str),
    "RollingUpdate, Recreate, OnDelete, BlueGreen or Canary, or a mapping",
)
JOB_FIELDS: dict[str, Field | Type] = {
    "completions": POSITIVE,
    "parallelism": INTEGER,
    "completion_mode": String(("NonIndexed", "Indexed")),
    **each(INTEGER, "backoff_limit", "backoff_limit_per_index"),
    "active_deadline_seconds": POSITIVE,
    "ttl_seconds_after_finished": INTEGER,
    "pod_failure_policy": MAPPING,
    "suspend": BOOLEAN,
}
CRON_JOB_FIELDS: dict[str, Field | Type] = {
    "time_zone": STRING,
    "concurrency_policy": Field(String(("Forbid", "Allow", "Replace")), "Forbid"),
    **each(INTEGER, "starting_deadline_seconds", "successful_jobs_history_limit", "failed_jobs_history_limit"),
}
JOB = Structure(
    {**JOB_FIELDS, "restart_policy": Field(String(("Never", "OnFailure")), "Never"), **CRON_JOB_FIELDS},
    instead_of={"schedule of the application": "schedule"},
)
SCALING_POLICY = Structure(
    {
        "type": Field(String(("Percent", "Pods")), required=True),
        "value": Field(POSITIVE, required=True),
        "period_seconds": Field(Integer(1, 1800), required=True),
    }
)


def _scaling_rules(window: int | None) -> Structure:
    return Structure(
        {
            "stabilization_window_seconds": Field(Integer(0, 3600), window),
            "select_policy": String(("Max", "Min", "Disabled")),
            "policies": Field(ListOf(SCALING_POLICY), []),
        }
    )


SCALING = Structure(
    {
        "min": Field(INTEGER, 1),
        "max": Field(POSITIVE, required=True),
        **each(Integer(1, 10000), "cpu", "memory"),
        "metrics": Field(ListOf(MAPPING), []),
        "scale_down": Field(_scaling_rules(300), _scaling_rules(300).empty()),
        "scale_up": _scaling_rules(None),
    },
    instead_of={
        "min": "min_replicas",
        "max": "max_replicas",
        "scale_up and scale_down": "behavior",
        "cpu": "target_cpu",
    },
)
DISRUPTION_BUDGET = Structure(
    {
        **each(INT_OR_PERCENT, "max_unavailable", "min_available"),
        "unhealthy_pod_eviction_policy": Field(String(("AlwaysAllow", "IfHealthyBudget")), "AlwaysAllow"),
    },
    shape="false, or a mapping with max_unavailable or min_available",
)
SPREAD = Structure(
    {
        "topology_key": Field(STRING, "kubernetes.io/hostname"),
        "max_skew": Field(POSITIVE, 1),
        "min_domains": POSITIVE,
        "when_unsatisfiable": Field(String(("ScheduleAnyway", "DoNotSchedule")), "ScheduleAnyway"),
    },
    short_for("topology_key", str),
    "a topology key, or a mapping",
)
PATH_TYPE = String(("Prefix", "Exact", "ImplementationSpecific"))
INGRESS_PATH = Structure(
    {"service": String(pattern=NAME), "port": PORT_REFERENCE, "path_type": PATH_TYPE},
    port_only,
    "a port of this application, or a mapping with service and port",
)
HOST_NAME = String(pattern=HOST)
PATH_FIELDS: dict[str, Field | Type] = {
    "path": PATH,
    "path_type": PATH_TYPE,
    "port": PORT_REFERENCE,
    "paths": MapOf(INGRESS_PATH, ABSOLUTE, 2048),
}
TLS = Structure(
    {**each(OBJECT_NAME, "secret", "issuer", "cluster_issuer"), "hosts": ListOf(HOST_NAME)},
    short_for("secret", str),
    "the name of a Secret, or a mapping with secret, issuer or cluster_issuer",
)
INGRESS = Structure(
    {
        **PATH_FIELDS,
        "host": Field(ListOf(HOST_NAME, single=True), []),
        "rules": Field(ListOf(Structure({**PATH_FIELDS, "host": HOST_NAME})), []),
        "class": OBJECT_NAME,
        "tls": TLS,
        "annotations": Field(LABELS, {}),
    },
    instead_of={"host, which accepts a list": "hosts", "class": "ingress_class_name", "tls": "tls_secret"},
)
GATEWAY = Structure(
    {"name": Field(OBJECT_NAME, required=True), "namespace": String(pattern=NAME), "section": OBJECT_NAME},
    short_for("name", str),
    "the name of a Gateway, or a mapping with name, namespace and section",
    {"section": "section_name"},
)
ROUTE_RULE = Structure(
    {
        **each(PATH, "path", "rewrite"),
        "path_type": String(("Prefix", "Exact")),
        "headers": Field(LABELS, {}),
        "method": String(("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH")),
        "service": String(pattern=NAME),
        "port": PORT_REFERENCE,
        "timeout": String(pattern=DURATION),
    }
)
ROUTE = Structure(
    {
        "gateway": Field(ListOf(GATEWAY, single=True, least=1), required=True),
        "host": Field(ListOf(HOST_NAME, single=True), []),
        "rules": Field(ListOf(ROUTE_RULE), []),
        "annotations": Field(LABELS, {}),
    },
    instead_of={"host, which accepts a list": "hosts hostnames", "gateway": "parent_refs gateways"},
)
SERVICE = Structure(
    {
        "type": String(("ClusterIP", "NodePort", "LoadBalancer")),
        "name": String(pattern=APP_NAME),
        "headless": Field(BOOLEAN, False),
        "labels": Field(LABELS, {}),
        "annotations": Field(LABELS, {}),
        "session_affinity": String(("ClientIP", "None")),
        "session_affinity_timeout_seconds": Integer(1, 86400),
        **each(String(("Cluster", "Local")), "external_traffic_policy", "internal_traffic_policy"),
        **each(STRING, "traffic_distribution", "load_balancer_class"),
        "load_balancer_source_ranges": ListOf(STRING),
        "ip_family_policy": String(("SingleStack", "PreferDualStack", "RequireDualStack")),
        "ip_families": ListOf(String(("IPv4", "IPv6"))),
        "publish_not_ready_addresses": BOOLEAN,
    },
    short_for("type", str),
    "false, a type, or a mapping",
    {"ports of the application": "ports", "node_port of a port of the application": "node_port"},
)
POLICY_PORT = Structure(
    {"port": Field(PORT_REFERENCE, required=True), "end_port": PORT_NUMBER, "protocol": PROTOCOL},
    port_only,
    "a port, or a mapping with port, end_port and protocol",
)


def _peer(value: Any) -> dict[str, Any] | None:
    return {"cidr" if "/" in value else "app": value} if isinstance(value, str) else None


CIDR_BLOCK = String(pattern=CIDR)
PEER = Structure(
    {
        **each(STRING, "app", "namespace"),
        **each(LABELS, "labels", "namespace_labels"),
        "cidr": CIDR_BLOCK,
        "except": Field(ListOf(CIDR_BLOCK, single=True), []),
        "ports": Field(ListOf(POLICY_PORT, single=True), []),
    },
    _peer,
    "the name of an application, a CIDR block, or a mapping",
    {"labels": "pod_selector", "namespace or namespace_labels": "namespace_selector", "cidr": "ip_block"},
)
NETWORK = Structure(
    {
        **each(ListOf(PEER), "allow_from", "allow_to"),
        "dns": Field(BOOLEAN, True),
        "dns_ports": Field(ListOf(PORT_NUMBER), [53]),
    },
    instead_of={"allow_from": "ingress", "allow_to": "egress"},
)


def _taint(text: Any) -> dict[str, Any] | None:
    """Parse a taint as kubectl writes it: C(KEY[=VALUE][:EFFECT])."""
    if not isinstance(text, str):
        return None
    rest, colon, effect = text.partition(":")
    key, equals, value = rest.partition("=")
    return {
        "key": key,
        "operator": "Equal" if equals else "Exists",
        "value": value if equals else None,
        "effect": effect if colon else None,
    }


TOLERATION = Structure(
    {
        "key": STRING,
        "operator": String(("Equal", "Exists", "Lt", "Gt")),
        "value": ANY_STRING,
        "effect": String(("NoSchedule", "PreferNoSchedule", "NoExecute")),
        "toleration_seconds": INTEGER,
    },
    _taint,
    "a taint such as dedicated=gpu:NoSchedule, or a mapping",
)
RULE = Structure(
    {
        "api_groups": Field(ListOf(String(empty=True), single=True), [""]),
        **each(STRINGS, "resources", "resource_names", "non_resource_urls"),
        "verbs": Field(ListOf(STRING, single=True, least=1), required=True),
    }
)
RBAC = Structure(
    {
        "rules": Field(ListOf(RULE), []),
        "cluster_rules": Field(ListOf(RULE), []),
        "roles": Field(ListOf(OBJECT_NAME), []),
        "cluster_roles": Field(ListOf(OBJECT_NAME), []),
    },
    short_for("rules", list),
    "a list of rules, or a mapping",
)
SERVICE_ACCOUNT = Structure(
    {"name": OBJECT_NAME, "create": BOOLEAN, "annotations": Field(LABELS, {}), "token": BOOLEAN},
    short_for("name", str),
    "the name of an existing ServiceAccount, or a mapping",
)
PULL_SECRET = Structure(
    {"name": OBJECT_NAME, **each(STRING, "registry", "username"), "password": NONEMPTY_OR_NUMBER},
    short_for("name", str),
    "the name of a Secret, or a mapping with registry, username and password",
)
DATA = Field(MapOf(MapOf(FILE, KEY), SUBDOMAIN, 52), {})
CONTAINERS = Field(MapOf(CONTAINER, NAME, 63), {})
HOOKS = Field(MapOf(HOOK, NAME, 40), {})
OBJECTS = Field(ListOf(MAPPING, single=True), [])

APPLICATION = Structure(
    {
        "name": Field(String(pattern=APP_NAME), required=True),
        "namespace": Field(String(pattern=NAME), required=True),
        "kind": Field(String(("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob")), "Deployment"),
        **dict.fromkeys(("labels", "annotations", "pod_labels", "pod_annotations"), Field(LABELS, {})),
        **CONTAINER_FIELDS,
        **SERVING_FIELDS,
        "init": Field(MapOf(INIT, NAME, 63), {}),
        "sidecars": CONTAINERS,
        "containers": CONTAINERS,
        "config_maps": DATA,
        "secrets": DATA,
        "volumes": Field(MapOf(VOLUME, NAME, 63), {}),
        "security": Field(POD_SECURITY, POD_SECURITY.empty()),
        "replicas": INTEGER,
        "scaling": SCALING,
        "strategy": Field(STRATEGY, STRATEGY.empty()),
        "min_ready_seconds": INTEGER,
        "progress_deadline_seconds": POSITIVE,
        "revision_history_limit": INTEGER,
        "paused": BOOLEAN,
        "pod_management_policy": String(("OrderedReady", "Parallel")),
        "keep_claims": Field(BOOLEAN, True),
        "termination_grace_period_seconds": INTEGER,
        "disruption_budget": AnyOf(Disabled(), DISRUPTION_BUDGET),
        "schedule": STRING,
        "job": Field(JOB, JOB.empty()),
        "service": Field(AnyOf(Disabled(), SERVICE), SERVICE.empty()),
        "ingress": INGRESS,
        "route": ROUTE,
        "network": NETWORK,
        "spread": AnyOf(Disabled(), ListOf(SPREAD, single=True)),
        "node_selector": Field(LABELS, {}),
        "tolerations": Field(ListOf(TOLERATION, single=True), []),
        "affinity": MAPPING,
        "anti_affinity": String(("preferred", "required")),
        **each(OBJECT_NAME, "priority_class", "runtime_class"),
        "scheduler": STRING,
        "host_network": BOOLEAN,
        "host_aliases": MapOf(STRINGS),
        "dns_policy": String(("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None")),
        "dns_config": MAPPING,
        "service_account": SERVICE_ACCOUNT,
        "rbac": RBAC,
        "pull_secrets": Field(ListOf(PULL_SECRET, single=True), []),
        "hooks": Field(Structure({"pre": HOOKS, "post": HOOKS}), {"pre": {}, "post": {}}),
        "overrides": OBJECTS,
        "manifests": OBJECTS,
    },
    instead_of={
        **MISSPELT,
        "scaling": "autoscaling hpa",
        "scaling.min": "min_replicas",
        "scaling.max": "max_replicas",
        "disruption_budget": "pdb disruption",
        "volumes": "storage persistence pvc",
        "ingress.host": "host hosts",
        "ingress.tls": "tls",
        "ports.NAME.node_port": "node_port",
        "service.session_affinity": "session_affinity",
        "strategy.max_surge": "max_surge",
        "strategy.max_unavailable": "max_unavailable",
        "schedule": "cron",
        "job.backoff_limit": "backoff_limit",
        "init": "init_containers",
        "pull_secrets": "image_pull_secrets",
        "network": "network_policy",
        "network.allow_from": "allow_from",
        "network.allow_to": "allow_to",
        "priority_class": "priority_class_name",
        "spread": "topology_spread_constraints",
    },
)
FIELDS = APPLICATION.fields


def ports_of(spec: Spec) -> list[tuple[str, dict[str, Any]]]:
    """List the ports of all containers by name, those of the main container first."""
    found = list(spec["ports"].items())
    for place in ("sidecars", "containers"):
        for container in spec[place].values():
            found += container["ports"].items()
    return found


def containers_of(spec: Spec) -> list[tuple[str, dict[str, Any]]]:
    """List every container with its path in the description, the main container first with an empty path."""
    found: list[tuple[str, dict[str, Any]]] = [("", spec)]
    for place in ("init", "sidecars", "containers"):
        found += [(f"{place}.{name}", container) for name, container in spec[place].items()]
    for phase in ("pre", "post"):
        found += [(f"hooks.{phase}.{name}", hook) for name, hook in spec["hooks"][phase].items()]
    return found
