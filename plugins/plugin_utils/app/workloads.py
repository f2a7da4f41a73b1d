# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The workload itself, and what governs how many of its pods there are: autoscaler and disruption budget."""

from __future__ import annotations

from typing import Any, Mapping

from ...module_utils._kube.objects import Object
from .containers import present
from .pod import claim_name, claim_spec, metadata, selector, shared_claims
from .serving import governing_name
from .spec import Spec

SURGE = "25%"
CPU = 80  # per cent of what the pods request


def workload(spec: Spec, template: Object, timeout: int, wait: bool) -> Object:
    """Make the workload.

    :param timeout: seconds within which all of the application is to be ready.
    :param wait: whether that is waited for.
    """
    kind = spec["kind"]
    makers = {
        "Deployment": lambda: _deployment(spec, template, timeout, wait),
        "StatefulSet": lambda: _stateful_set(spec, template),
        "DaemonSet": lambda: _daemon_set(spec, template),
        "Job": lambda: job_spec(spec["job"], template),
        "CronJob": lambda: _cron_job(spec, template),
    }
    group = "batch/v1" if kind in ("Job", "CronJob") else "apps/v1"
    return {"apiVersion": group, "kind": kind, "metadata": metadata(spec), "spec": makers[kind]()}


def _counted(spec: Spec) -> Object:
    # An autoscaler and a manifest that both set the number of replicas undo each other's work.
    if spec["scaling"]:
        return {}
    return {"replicas": spec["replicas"] if spec["replicas"] is not None else 1}


def _deployment(spec: Spec, template: Object, timeout: int, wait: bool) -> Object:
    made = _counted(spec)
    made["selector"] = {"matchLabels": selector(spec)}
    made["strategy"] = _deployment_strategy(spec)
    deadline = spec["progress_deadline_seconds"]
    if deadline is None and wait and timeout > 0:
        deadline = progress_deadline(timeout, spec["min_ready_seconds"] or 0)
    made.update(
        present(
            min_ready_seconds=spec["min_ready_seconds"],
            progress_deadline_seconds=deadline,
            revision_history_limit=spec["revision_history_limit"],
            paused=spec["paused"],
        )
    )
    made["template"] = template
    return made


def progress_deadline(timeout: int, min_ready: int) -> int:
    """Give the seconds after which Kubernetes calls a rollout stuck: before the wait for it is over, at most its own ten minutes.

    :param timeout: seconds that the wait takes.
    :param min_ready: seconds that a pod must be ready; the API wants more than these.
    """
    return max(min(600, timeout * 9 // 10), min_ready + 1, 1)


def _deployment_strategy(spec: Spec) -> Object:
    wanted = spec["strategy"]
    kind = wanted["type"]
    if kind is None and wanted["max_surge"] is None and wanted["max_unavailable"] is None and shared_claims(spec):
        kind = "Recreate"  # a new pod on another node would wait for the volume until the old one is gone
    if kind == "Recreate":
        return {"type": kind}
    surge, unavailable = wanted["max_surge"], wanted["max_unavailable"]
    crowded = spec["host_network"] or any(port["host_port"] for port in spec["ports"].values())
    if surge is None:
        surge = 0 if crowded else SURGE  # two pods of one node cannot both have the node's port
    if unavailable is None:
        unavailable = 1 if surge in (0, "0%") else 0
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}


def _stateful_set(spec: Spec, template: Object) -> Object:
    made = _counted(spec)
    made["serviceName"] = governing_name(spec)
    made["selector"] = {"matchLabels": selector(spec)}
    made["updateStrategy"] = _update_strategy(spec)
    made.update(
        present(
            pod_management_policy=spec["pod_management_policy"],
            min_ready_seconds=spec["min_ready_seconds"],
            revision_history_limit=spec["revision_history_limit"],
        )
    )
    if not spec["keep_claims"]:
        made["persistentVolumeClaimRetentionPolicy"] = {"whenDeleted": "Delete", "whenScaled": "Delete"}
    made["template"] = template
    claims = [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": name, "labels": selector(spec)},
            "spec": claim_spec(volume),
        }
        for name, volume in spec["volumes"].items()
        if volume["size"] is not None
    ]
    if claims:
        made["volumeClaimTemplates"] = claims
    return made


def _daemon_set(spec: Spec, template: Object) -> Object:
    made: Object = {"selector": {"matchLabels": selector(spec)}, "updateStrategy": _update_strategy(spec)}
    made.update(
        present(min_ready_seconds=spec["min_ready_seconds"], revision_history_limit=spec["revision_history_limit"])
    )
    made["template"] = template
    return made


def _update_strategy(spec: Spec) -> Object:
    wanted = dict(spec["strategy"])
    kind = wanted.pop("type") or "RollingUpdate"
    if wanted["max_surge"] not in (None, 0, "0%") and wanted["max_unavailable"] is None:
        wanted["max_unavailable"] = 0  # a DaemonSet takes one or the other
    rolling = present(**wanted)
    return {"type": kind, "rollingUpdate": rolling} if rolling else {"type": kind}


def job_spec(job: Mapping[str, Any], template: Object) -> Object:
    """Give the content of a Job."""
    fields = (
        "completions",
        "parallelism",
        "completion_mode",
        "backoff_limit",
        "backoff_limit_per_index",
        "active_deadline_seconds",
        "ttl_seconds_after_finished",
        "pod_failure_policy",
        "suspend",
    )
    made = present(**{field: job.get(field) for field in fields})
    made["template"] = template
    return made


def _cron_job(spec: Spec, template: Object) -> Object:
    job = spec["job"]
    made: Object = {"schedule": spec["schedule"]}
    made.update(
        present(
            time_zone=job["time_zone"],
            concurrency_policy=job["concurrency_policy"],
            starting_deadline_seconds=job["starting_deadline_seconds"],
            successful_jobs_history_limit=job["successful_jobs_history_limit"],
            failed_jobs_history_limit=job["failed_jobs_history_limit"],
            suspend=job["suspend"],
        )
    )
    # A suspended CronJob makes no Jobs; those that it makes are not suspended themselves.
    made["jobTemplate"] = {
        "metadata": {"labels": dict(template["metadata"]["labels"])},
        "spec": job_spec(dict(job, suspend=None), template),
    }
    return made


def claims(spec: Spec) -> list[Object]:
    """Make the claims of an application that is no StatefulSet."""
    if spec["kind"] == "StatefulSet":
        return []
    return [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": metadata(spec, claim_name(spec, name)),
            "spec": claim_spec(volume),
        }
        for name, volume in spec["volumes"].items()
        if volume["size"] is not None
    ]


def autoscaler(spec: Spec) -> Object | None:
    """Make the HorizontalPodAutoscaler: CPU 80 %, and five minutes before it takes pods away, where nothing else is said."""
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
    for field, name in (("scale_down", "scaleDown"), ("scale_up", "scaleUp")):
        wanted = scaling[field]
        if wanted:
            behavior[name] = present(
                stabilization_window_seconds=wanted["stabilization_window_seconds"],
                select_policy=wanted["select_policy"],
                policies=[present(**policy) for policy in wanted["policies"]] or None,
            )
    body: Object = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": spec["kind"], "name": spec["name"]},
        "minReplicas": scaling["min"],
        "maxReplicas": scaling["max"],
        "metrics": metrics + scaling["metrics"],
    }
    behavior = {name: rules for name, rules in behavior.items() if rules}
    if behavior:
        body["behavior"] = behavior
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": metadata(spec),
        "spec": body,
    }


def most_replicas(spec: Spec) -> int:
    """Say how many pods there can be."""
    if spec["scaling"]:
        return int(spec["scaling"]["max"])
    return 1 if spec["replicas"] is None else int(spec["replicas"])


def budget(spec: Spec) -> Object | None:
    """Make the PodDisruptionBudget: one pod at a time, where there can be more than one."""
    wanted = spec["disruption_budget"]
    if wanted is False or spec["kind"] not in ("Deployment", "StatefulSet"):
        return None
    if wanted is None:
        if most_replicas(spec) < 2:
            return None
        wanted = {"max_unavailable": 1, "min_available": None, "unhealthy_pod_eviction_policy": "AlwaysAllow"}
    body = present(**wanted)
    body["selector"] = {"matchLabels": selector(spec)}
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": metadata(spec), "spec": body}
