# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The workload, and what controls the number of its pods: HorizontalPodAutoscaler and PodDisruptionBudget."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...module_utils._kube.objects import Object
from .objects import api_fields, manifest, selector
from .pod import claims, shared_claims
from .serving import governing_name
from .spec import CRON_JOB_FIELDS, JOB_FIELDS, Spec

SURGE = "25%"
CPU = 80  # percent of the requested CPU


def workload(spec: Spec, template: Object, timeout: int, wait: bool) -> Object:
    """Return the workload.

    :param timeout: seconds that the whole application may take to become ready.
    :param wait: whether the release waits for that.
    """
    match spec["kind"]:
        case "Deployment":
            body = _deployment(spec, template, timeout if wait else 0)
        case "StatefulSet":
            body = _stateful_set(spec, template)
        case "DaemonSet":
            body = {
                "selector": {"matchLabels": selector(spec)},
                "updateStrategy": _update_strategy(spec),
                **api_fields(spec, "min_ready_seconds", "revision_history_limit"),
                "template": template,
            }
        case "Job":
            body = job_spec(spec["job"], template)
        case _:
            body = _cron_job(spec, template)
    return manifest(spec, spec["kind"], spec=body)


def _replicas(spec: Spec) -> Object:
    # An autoscaler and a manifest that both set the number of replicas overwrite each other.
    if spec["scaling"]:
        return {}
    return {"replicas": spec["replicas"] if spec["replicas"] is not None else 1}


def _deployment(spec: Spec, template: Object, timeout: int) -> Object:
    deadline = spec["progress_deadline_seconds"]
    if deadline is None and timeout > 0:
        deadline = progress_deadline(timeout, spec["min_ready_seconds"] or 0)
    return {
        **_replicas(spec),
        "selector": {"matchLabels": selector(spec)},
        "strategy": _deployment_strategy(spec),
        **api_fields(spec, "min_ready_seconds", "revision_history_limit", "paused", progress_deadline_seconds=deadline),
        "template": template,
    }


def progress_deadline(timeout: int, min_ready: int) -> int:
    """Return the seconds after which a rollout has failed: before the wait times out, but at most Kubernetes' default of 600.

    :param timeout: seconds of the wait.
    :param min_ready: C(minReadySeconds), which the API requires to be less.
    """
    return max(min(600, timeout * 9 // 10), min_ready + 1, 1)


def _deployment_strategy(spec: Spec) -> Object:
    given = spec["strategy"]
    kind, surge, unavailable = given["type"], given["max_surge"], given["max_unavailable"]
    if kind is None and surge is None and unavailable is None and shared_claims(spec):
        kind = "Recreate"  # a new pod on another node would wait for the volume until the old pod has ended
    if kind == "Recreate":
        return {"type": kind}
    # With BlueGreen and Canary, changes that make no new version, such as the number of pods, are rolled out as usual.
    if surge is None:
        # Two pods on one node cannot both bind a port of the node.
        binds_node = spec["host_network"] or any(port["host_port"] for port in spec["ports"].values())
        surge = 0 if binds_node else SURGE
    if unavailable is None:
        unavailable = 1 if surge in (0, "0%") else 0
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}


def _stateful_set(spec: Spec, template: Object) -> Object:
    result: Object = {
        **_replicas(spec),
        "serviceName": governing_name(spec),
        "selector": {"matchLabels": selector(spec)},
        "updateStrategy": _update_strategy(spec),
        **api_fields(spec, "pod_management_policy", "min_ready_seconds", "revision_history_limit"),
    }
    if not spec["keep_claims"]:
        result["persistentVolumeClaimRetentionPolicy"] = {"whenDeleted": "Delete", "whenScaled": "Delete"}
    result["template"] = template
    return result | api_fields(volume_claim_templates=claims(spec, of_stateful_set=True) or None)


def _update_strategy(spec: Spec) -> Object:
    given = dict(spec["strategy"])
    kind = given.pop("type") or "RollingUpdate"
    if given["max_surge"] not in (None, 0, "0%") and given["max_unavailable"] is None:
        given["max_unavailable"] = 0  # a DaemonSet accepts one of the two only
    return {"type": kind, **api_fields(rolling_update=api_fields(given) or None)}


def job_spec(job: Mapping[str, Any], template: Object) -> Object:
    """Return the C(spec) of a Job."""
    return {**api_fields(job, *JOB_FIELDS), "template": template}


def _cron_job(spec: Spec, template: Object) -> Object:
    # A suspended CronJob creates no Jobs; the Jobs themselves are never suspended.
    return {
        "schedule": spec["schedule"],
        **api_fields(spec["job"], *CRON_JOB_FIELDS, "suspend"),
        "jobTemplate": {
            "metadata": {"labels": dict(template["metadata"]["labels"])},
            "spec": job_spec({**spec["job"], "suspend": None}, template),
        },
    }


def autoscaler(spec: Spec) -> Object | None:
    """Return the HorizontalPodAutoscaler, by default with a target of 80 % CPU and five minutes of stabilization before it scales down."""
    scaling = spec["scaling"]
    if not scaling:
        return None
    metrics: list[Object] = []
    cpu = scaling["cpu"]
    if cpu is None and scaling["memory"] is None and not scaling["metrics"]:
        cpu = CPU
    for name, percent in (("cpu", cpu), ("memory", scaling["memory"])):
        if percent is not None:
            target = {"type": "Utilization", "averageUtilization": percent}
            metrics.append({"type": "Resource", "resource": {"name": name, "target": target}})
    behavior: dict[str, Any] = {}
    for field in ("scale_down", "scale_up"):
        rules = scaling[field] or {"policies": []}
        policies = [api_fields(policy) for policy in rules["policies"]]
        behavior[field] = api_fields({**rules, "policies": policies or None}) or None
    body: Object = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": spec["kind"], "name": spec["name"]},
        "minReplicas": scaling["min"],
        "maxReplicas": scaling["max"],
        "metrics": metrics + scaling["metrics"],
        **api_fields(behavior=api_fields(behavior) or None),
    }
    return manifest(spec, "HorizontalPodAutoscaler", spec=body)


def most_replicas(spec: Spec) -> int:
    """Return the largest number of pods."""
    if spec["scaling"]:
        return int(spec["scaling"]["max"])
    return 1 if spec["replicas"] is None else int(spec["replicas"])


def budget(spec: Spec) -> Object | None:
    """Return the PodDisruptionBudget, by default one pod at a time for a workload that can have several."""
    given = spec["disruption_budget"]
    if given is False or spec["kind"] not in ("Deployment", "StatefulSet"):
        return None
    if given is None:
        if most_replicas(spec) < 2:
            return None
        given = {"max_unavailable": 1, "unhealthy_pod_eviction_policy": "AlwaysAllow"}
    body = {**api_fields(given), "selector": {"matchLabels": selector(spec)}}
    return manifest(spec, "PodDisruptionBudget", spec=body)
