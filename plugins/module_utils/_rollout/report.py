# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The result of the module rollout: pure functions."""

from __future__ import annotations

from typing import Any, Mapping

from .changes import READ_ONLY, Request, is_paused
from .history import current, images_of
from .run import Outcome


def result(request: Request, outcome: Outcome, waited: bool, check_mode: bool) -> dict[str, Any]:
    """Build the module's result.

    :param waited: whether the module waited for the workload.
    """
    workload = outcome.workload or {}
    now = current(outcome.revisions)
    return {
        "changed": outcome.changed,
        "msg": summary(request, outcome, check_mode),
        "diff": outcome.diff,
        "warnings": outcome.warnings,
        "revision": now.number if now else 0,
        "revisions": [one.as_dict() for one in outcome.revisions],
        "images": images_of((workload.get("spec") or {}).get("template") or {}),
        "replicas": counts(workload),
        "paused": is_paused(workload),
        "ready": outcome.ready,
        "waited_for": [str(request.name)] if waited else [],
        "replaced_pods": outcome.replaced,
        "findings": [finding.as_dict() for finding in outcome.findings],
    }


def counts(workload: Mapping[str, Any]) -> dict[str, int]:
    """Return how many pods of a workload are desired, updated, ready, and available."""
    spec, status = workload.get("spec") or {}, workload.get("status") or {}
    if workload.get("kind") == "DaemonSet":
        desired = status.get("desiredNumberScheduled") or 0
        names = ("updatedNumberScheduled", "numberReady", "numberAvailable")
    else:
        desired = spec.get("replicas", 1) if spec else 0
        names = ("updatedReplicas", "readyReplicas", "availableReplicas")
    updated, ready, available = (int(status.get(name) or 0) for name in names)
    return {"wanted": desired, "updated": updated, "ready": ready, "available": available}


def summary(request: Request, outcome: Outcome, check_mode: bool) -> str:
    """Summarize in one sentence what was done and the state of the workload."""
    if outcome.workload is None:
        return f"{request.name} {outcome.what}."
    now = current(outcome.revisions)
    number = now.number if now else "not stored yet"
    if request.action == "history":
        many = len(outcome.revisions)
        return f"{request.name} has {many} revision{'' if many == 1 else 's'}; current revision: {number}."
    if outcome.changed and check_mode:
        return f"{request.name} would change: {outcome.what}."
    if outcome.changed and not outcome.ready:
        return f"{request.name} {outcome.what}."
    pods = counts(outcome.workload)
    state = "it is ready" if outcome.ready else outcome.why or "it is not ready"
    state = f"{state}: {pods['ready']} of {pods['wanted']} pods ready"
    if request.action in READ_ONLY:
        return f"{request.name}, revision {number}; {state}."
    return f"{request.name} {outcome.what}; {state}."
