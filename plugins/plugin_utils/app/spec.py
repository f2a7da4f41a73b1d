# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fields that describe an application. Names are those of the Kubernetes API, spelt as Ansible spells them."""

from __future__ import annotations

from typing import Any, Dict, Mapping

from .fields import Either, Field, Flag, Items, Named, Number, Raw, Record, Share, Text
from .spec_around import (
    ACCOUNT,
    DISRUPTION,
    INGRESS,
    NETWORK,
    PULL_SECRET,
    RBAC,
    SCALING,
    SERVICE,
    SERVICE_FIELDS,
    SPREAD_ITEM,
    TOLERATION,
)
from .spec_common import APP_NAME, KEY, NAME, OBJECT_NAME, Off, texts, when
from .spec_pod import CONTAINER, CONTAINER_FIELDS, FILE, HOOKS, INIT, MISSPELT, POD_SECURITY, SERVING_FIELDS, VOLUME

Spec = Dict[str, Any]

KINDS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob")
STRATEGY = Record(
    {
        "type": Field(Text(("RollingUpdate", "Recreate", "OnDelete"))),
        "max_surge": Field(Share()),
        "max_unavailable": Field(Share()),
        "partition": Field(Number()),
    },
    when(str, "type"),
    "RollingUpdate, Recreate or OnDelete, or a mapping",
)
JOB = Record(
    {
        "completions": Field(Number(1)),
        "parallelism": Field(Number()),
        "completion_mode": Field(Text(("NonIndexed", "Indexed"))),
        "backoff_limit": Field(Number()),
        "backoff_limit_per_index": Field(Number()),
        "active_deadline_seconds": Field(Number(1)),
        "ttl_seconds_after_finished": Field(Number()),
        "pod_failure_policy": Field(Raw(dict)),
        "suspend": Field(Flag()),
        "restart_policy": Field(Text(("Never", "OnFailure")), "Never"),
        "time_zone": Field(Text()),
        "concurrency_policy": Field(Text(("Forbid", "Allow", "Replace")), "Forbid"),
        "starting_deadline_seconds": Field(Number()),
        "successful_jobs_history_limit": Field(Number()),
        "failed_jobs_history_limit": Field(Number()),
    },
    elsewhere={"schedule": "schedule of the application"},
)
DATA = Named(Named(FILE, KEY), OBJECT_NAME, 52)

FIELDS: dict[str, Field] = {
    "name": Field(Text(pattern=APP_NAME), required=True),
    "namespace": Field(Text(pattern=NAME), required=True),
    "kind": Field(Text(KINDS), "Deployment"),
    "labels": Field(texts(), {}),
    "annotations": Field(texts(), {}),
    "pod_labels": Field(texts(), {}),
    "pod_annotations": Field(texts(), {}),
    **CONTAINER_FIELDS,
    **SERVING_FIELDS,
    "init": Field(Named(INIT, NAME, 63), {}),
    "sidecars": Field(Named(CONTAINER, NAME, 63), {}),
    "containers": Field(Named(CONTAINER, NAME, 63), {}),
    "config_maps": Field(DATA, {}),
    "secrets": Field(DATA, {}),
    "volumes": Field(Named(VOLUME, NAME, 63), {}),
    "security": Field(POD_SECURITY, POD_SECURITY.empty()),
    "replicas": Field(Number()),
    "scaling": Field(SCALING),
    "strategy": Field(STRATEGY, STRATEGY.empty()),
    "min_ready_seconds": Field(Number()),
    "progress_deadline_seconds": Field(Number(1)),
    "revision_history_limit": Field(Number()),
    "paused": Field(Flag()),
    "pod_management_policy": Field(Text(("OrderedReady", "Parallel"))),
    "keep_claims": Field(Flag(), True),
    "termination_grace_period_seconds": Field(Number()),
    "disruption_budget": Field(DISRUPTION),
    "schedule": Field(Text()),
    "job": Field(JOB, JOB.empty()),
    "service": Field(SERVICE, SERVICE_FIELDS.empty()),
    "ingress": Field(INGRESS),
    "network": Field(NETWORK),
    "spread": Field(Either(Off(), Items(SPREAD_ITEM, single=True))),
    "node_selector": Field(texts(), {}),
    "tolerations": Field(Items(TOLERATION, single=True), []),
    "affinity": Field(Raw(dict)),
    "anti_affinity": Field(Text(("preferred", "required"))),
    "priority_class": Field(Text(pattern=OBJECT_NAME)),
    "runtime_class": Field(Text(pattern=OBJECT_NAME)),
    "scheduler": Field(Text()),
    "host_network": Field(Flag()),
    "host_aliases": Field(Named(Items(Text(), single=True))),
    "dns_policy": Field(Text(("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"))),
    "dns_config": Field(Raw(dict)),
    "service_account": Field(ACCOUNT),
    "rbac": Field(RBAC),
    "pull_secrets": Field(Items(PULL_SECRET, single=True), []),
    "hooks": Field(HOOKS, {"pre": {}, "post": {}}),
    "overrides": Field(Items(Raw(dict), single=True), []),
    "manifests": Field(Items(Raw(dict), single=True), []),
}
ELSEWHERE: Mapping[str, str] = dict(
    MISSPELT,
    autoscaling="scaling",
    hpa="scaling",
    min_replicas="scaling.min",
    max_replicas="scaling.max",
    pdb="disruption_budget",
    disruption="disruption_budget",
    storage="volumes",
    persistence="volumes",
    pvc="volumes",
    host="ingress.host",
    hosts="ingress.host",
    tls="ingress.tls",
    node_port="ports.NAME.node_port",
    session_affinity="service.session_affinity",
    max_surge="strategy.max_surge",
    max_unavailable="strategy.max_unavailable",
    cron="schedule",
    backoff_limit="job.backoff_limit",
    init_containers="init",
    image_pull_secrets="pull_secrets",
    network_policy="network",
    priority_class_name="priority_class",
    topology_spread_constraints="spread",
    allow_from="network.allow_from",
    allow_to="network.allow_to",
)
