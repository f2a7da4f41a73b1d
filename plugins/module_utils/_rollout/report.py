# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module rollout answers: pure functions."""

from __future__ import annotations

from typing import Any, Mapping

from .changes import LOOKING, Wanted, paused
from .history import current, images_of
from .run import Answer


def result(wanted: Wanted, answer: Answer, waited: bool, check_mode: bool) -> dict[str, Any]:
    """Build the module's answer.

    :param waited: whether the workload was waited for.
    """
    workload = answer.workload or {}
    now = current(answer.revisions)
    return {
        "changed": answer.changed,
        "msg": sentence(wanted, answer, check_mode),
        "diff": answer.diff,
        "warnings": answer.warnings,
        "revision": now.number if now else 0,
        "revisions": [one.as_dict() for one in answer.revisions],
        "images": images_of((workload.get("spec") or {}).get("template") or {}),
        "replicas": counts(workload),
        "paused": paused(workload),
        "ready": answer.ready,
        "waited_for": [str(wanted.name)] if waited else [],
        "replaced_pods": answer.replaced,
        "findings": [finding.as_dict() for finding in answer.findings],
    }


def counts(workload: Mapping[str, Any]) -> dict[str, int]:
    """Give how many pods a workload wants, has of its newest revision, has ready, and has available."""
    spec, status = workload.get("spec") or {}, workload.get("status") or {}
    if workload.get("kind") == "DaemonSet":
        wanted = status.get("desiredNumberScheduled") or 0
        names = ("updatedNumberScheduled", "numberReady", "numberAvailable")
    else:
        wanted = spec.get("replicas", 1) if spec else 0
        names = ("updatedReplicas", "readyReplicas", "availableReplicas")
    updated, ready, available = (int(status.get(name) or 0) for name in names)
    return {"wanted": wanted, "updated": updated, "ready": ready, "available": available}


def sentence(wanted: Wanted, answer: Answer, check_mode: bool) -> str:
    """Say in one sentence what was done and how the workload is."""
    if answer.workload is None:
        return f"{wanted.name} {answer.what}."
    now = current(answer.revisions)
    if wanted.action == "history":
        return "%s has %d revision%s, the current one is %s." % (
            wanted.name,
            len(answer.revisions),
            "" if len(answer.revisions) == 1 else "s",
            now.number if now else "not kept yet",
        )
    if answer.changed and check_mode:
        return f"In a real run: {wanted.name} {answer.what}."
    if answer.changed and not answer.ready:
        return f"{wanted.name} {answer.what}."
    number = counts(answer.workload)
    state = "%d of %d pods ready" % (number["ready"], number["wanted"])
    state = "it is ready: " + state if answer.ready else f"{answer.why or 'it is not ready'}: {state}"
    if wanted.action in LOOKING:
        return f"{wanted.name}, revision {now.number if now else 'not kept yet'}; {state}."
    return f"{wanted.name} {answer.what}; {state}."
