# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fields of what is around the pods: scaling, Services, Ingress, policies, places, accounts."""

from __future__ import annotations

import re
from typing import Any

from .fields import Either, Field, Flag, Items, Named, Number, Raw, Record, Share, Text
from .spec_common import APP_NAME, FOLDER, NAME, OBJECT_NAME, PORT_REFERENCE, Off, texts, when


def _peer(value: Any) -> dict[str, Any] | None:
    if not isinstance(value, str):
        return None
    return {"cidr": value} if "/" in value else {"app": value}


POLICY = Record(
    {
        "type": Field(Text(("Percent", "Pods")), required=True),
        "value": Field(Number(1), required=True),
        "period_seconds": Field(Number(1, 1800), required=True),
    }
)


def _behavior(window: int | None) -> Record:
    return Record(
        {
            "stabilization_window_seconds": Field(Number(0, 3600), window),
            "select_policy": Field(Text(("Max", "Min", "Disabled"))),
            "policies": Field(Items(POLICY), []),
        }
    )


SCALING = Record(
    {
        "min": Field(Number(), 1),
        "max": Field(Number(1), required=True),
        "cpu": Field(Number(1, 10000)),
        "memory": Field(Number(1, 10000)),
        "metrics": Field(Items(Raw(dict)), []),
        "scale_down": Field(
            _behavior(300), {"stabilization_window_seconds": 300, "select_policy": None, "policies": []}
        ),
        "scale_up": Field(_behavior(None)),
    },
    elsewhere={
        "min_replicas": "min",
        "max_replicas": "max",
        "behavior": "scale_up and scale_down",
        "target_cpu": "cpu",
    },
)
DISRUPTION = Either(
    Off(),
    Record(
        {
            "max_unavailable": Field(Share()),
            "min_available": Field(Share()),
            "unhealthy_pod_eviction_policy": Field(Text(("AlwaysAllow", "IfHealthyBudget")), "AlwaysAllow"),
        },
        shape="false, or a mapping with max_unavailable or min_available",
    ),
)
SPREAD_ITEM = Record(
    {
        "topology_key": Field(Text(), "kubernetes.io/hostname"),
        "max_skew": Field(Number(1), 1),
        "min_domains": Field(Number(1)),
        "when_unsatisfiable": Field(Text(("ScheduleAnyway", "DoNotSchedule")), "ScheduleAnyway"),
    },
    when(str, "topology_key"),
    "a topology key, or a mapping",
)
INGRESS_PATH = Record(
    {
        "service": Field(Text(pattern=NAME)),
        "port": Field(PORT_REFERENCE),
        "path_type": Field(Text(("Prefix", "Exact", "ImplementationSpecific"))),
    },
    lambda value: {"port": value} if isinstance(value, (int, str)) and not isinstance(value, bool) else None,
    "a port of this application, or a mapping with service and port",
)
HOST = (
    re.compile(r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"),
    "the name of a host, without scheme, port or path",
)
PATH_FIELDS = {
    "path": Field(Text(pattern=FOLDER)),
    "path_type": Field(Text(("Prefix", "Exact", "ImplementationSpecific"))),
    "port": Field(PORT_REFERENCE),
    "paths": Field(Named(INGRESS_PATH, FOLDER, 2048)),
}
INGRESS = Record(
    dict(
        PATH_FIELDS,
        host=Field(Items(Text(pattern=HOST), single=True), []),
        rules=Field(Items(Record(dict(PATH_FIELDS, host=Field(Text(pattern=HOST))))), []),
        **{"class": Field(Text(pattern=OBJECT_NAME))},
        tls=Field(
            Record(
                {
                    "secret": Field(Text(pattern=OBJECT_NAME)),
                    "issuer": Field(Text(pattern=OBJECT_NAME)),
                    "cluster_issuer": Field(Text(pattern=OBJECT_NAME)),
                    "hosts": Field(Items(Text(pattern=HOST))),
                },
                when(str, "secret"),
                "the name of a Secret, or a mapping with secret, issuer or cluster_issuer",
            )
        ),
        annotations=Field(texts(), {}),
    ),
    elsewhere={"hosts": "host, which takes a list", "ingress_class_name": "class", "tls_secret": "tls"},
)
SERVICE_FIELDS = Record(
    {
        "type": Field(Text(("ClusterIP", "NodePort", "LoadBalancer"))),
        "name": Field(Text(pattern=APP_NAME)),
        "headless": Field(Flag(), False),
        "labels": Field(texts(), {}),
        "annotations": Field(texts(), {}),
        "session_affinity": Field(Text(("ClientIP", "None"))),
        "session_affinity_timeout_seconds": Field(Number(1, 86400)),
        "external_traffic_policy": Field(Text(("Cluster", "Local"))),
        "internal_traffic_policy": Field(Text(("Cluster", "Local"))),
        "traffic_distribution": Field(Text()),
        "load_balancer_class": Field(Text()),
        "load_balancer_source_ranges": Field(Items(Text())),
        "ip_family_policy": Field(Text(("SingleStack", "PreferDualStack", "RequireDualStack"))),
        "ip_families": Field(Items(Text(("IPv4", "IPv6")))),
        "publish_not_ready_addresses": Field(Flag()),
    },
    when(str, "type"),
    "false, a type, or a mapping",
    {"ports": "ports of the application", "node_port": "node_port in the application's ports"},
)
SERVICE = Either(Off(), SERVICE_FIELDS)
POLICY_PORT = Record(
    {
        "port": Field(PORT_REFERENCE, required=True),
        "end_port": Field(Number(1, 65535)),
        "protocol": Field(Text(("TCP", "UDP", "SCTP"))),
    },
    lambda value: {"port": value} if isinstance(value, (int, str)) and not isinstance(value, bool) else None,
    "a port, or a mapping with port, end_port and protocol",
)
CIDR = (re.compile(r"^[0-9a-fA-F.:]+/\d{1,3}$"), "a range of addresses such as 10.0.0.0/24")
PEER = Record(
    {
        "app": Field(Text()),
        "namespace": Field(Text()),
        "labels": Field(texts()),
        "namespace_labels": Field(texts()),
        "cidr": Field(Text(pattern=CIDR)),
        "except": Field(Items(Text(pattern=CIDR), single=True), []),
        "ports": Field(Items(POLICY_PORT, single=True), []),
    },
    _peer,
    "the name of an application, a range of addresses, or a mapping",
    {"pod_selector": "labels", "namespace_selector": "namespace or namespace_labels", "ip_block": "cidr"},
)
NETWORK = Record(
    {"allow_from": Field(Items(PEER)), "allow_to": Field(Items(PEER)), "dns": Field(Flag(), True)},
    elsewhere={"ingress": "allow_from", "egress": "allow_to"},
)
TOLERATION = Record(
    {
        "key": Field(Text()),
        "operator": Field(Text(("Equal", "Exists", "Lt", "Gt"))),
        "value": Field(Text(loose=True, empty=True)),
        "effect": Field(Text(("NoSchedule", "PreferNoSchedule", "NoExecute"))),
        "toleration_seconds": Field(Number()),
    },
    lambda value: _taint(value) if isinstance(value, str) else None,
    "a taint such as dedicated=gpu:NoSchedule, or a mapping",
)


def _taint(text: str) -> dict[str, Any]:
    """Read a taint as kubectl writes it: C(KEY[=VALUE][:EFFECT])."""
    rest, colon, effect = text.partition(":")
    key, equals, value = rest.partition("=")
    read: dict[str, Any] = {"key": key, "operator": "Equal" if equals else "Exists"}
    if equals:
        read["value"] = value
    if colon:
        read["effect"] = effect
    return read


RULE = Record(
    {
        "api_groups": Field(Items(Text(empty=True), single=True), [""]),
        "resources": Field(Items(Text(), single=True)),
        "resource_names": Field(Items(Text(), single=True)),
        "non_resource_urls": Field(Items(Text(), single=True)),
        "verbs": Field(Items(Text(), single=True, least=1), required=True),
    }
)
RBAC = Record(
    {
        "rules": Field(Items(RULE), []),
        "cluster_rules": Field(Items(RULE), []),
        "roles": Field(Items(Text(pattern=OBJECT_NAME)), []),
        "cluster_roles": Field(Items(Text(pattern=OBJECT_NAME)), []),
    },
    when(list, "rules"),
    "a list of rules, or a mapping",
)
ACCOUNT = Record(
    {
        "name": Field(Text(pattern=OBJECT_NAME)),
        "create": Field(Flag()),
        "annotations": Field(texts(), {}),
        "token": Field(Flag()),
    },
    when(str, "name"),
    "the name of an account that is there, or a mapping",
)
PULL_SECRET = Record(
    {
        "name": Field(Text(pattern=OBJECT_NAME)),
        "registry": Field(Text()),
        "username": Field(Text()),
        "password": Field(Text(loose=True)),
    },
    when(str, "name"),
    "the name of a Secret, or a mapping with registry, username and password",
)
