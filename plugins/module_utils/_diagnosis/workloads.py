# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a workload makes no pods, does not get on, or does not end: pure functions."""

from __future__ import annotations

import re
from typing import Sequence

from .._kube.objects import Reference, reference
from .._kube.readiness import readiness
from .._kube.timestamps import seconds_of
from .finding import HOPELESS, SLOW, SUSPICIOUS, Finding, one_line
from .pods import is_healthy, pod_findings
from .view import Object, View, conditions, event_time, named

CONTROLLERS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job")


def workload_findings(view: View, content: Object) -> list[Finding]:
    """Explain one workload: its newest pods, why it makes none, and what its own status says."""
    name = reference(content)
    if content["metadata"].get("deletionTimestamp"):
        return []
    if name.kind == "Pod":
        return pod_findings(view, content)
    if name.kind == "Job":
        return job_findings(view, content)
    found: list[Finding] = []
    pods = view.newest_pods(content)
    for pod in pods:
        if not is_healthy(pod):
            found += pod_findings(view, pod)
    refused = creation_finding(view, content)
    if refused is not None:
        found.append(refused)
    stuck = _stuck(view, content, bool(found))
    return found + ([stuck] if stuck is not None else [])


def hopeless_workload(view: View, content: Object, found: list[Finding]) -> bool:
    """Whether waiting for a workload is of no use, see :func:`hopeless`."""
    return hopeless(content, view.newest_pods(content), found)


def hopeless(content: Object, newest: Sequence[Object], found: Sequence[Finding]) -> bool:
    """Whether waiting for a workload is of no use.

    All pods of a Deployment's newest revision must be hopeless, any of the others': a Deployment may make up for one.

    :param newest: the pods of its newest revision.
    :param found: what is wrong with them and with the workload.
    """
    mine = [finding for finding in found if finding.patience == HOPELESS]
    if not mine:
        return False
    if content.get("kind") not in ("Deployment", "ReplicaSet") or any(not finding.pods for finding in mine):
        return True
    lost = {pod for finding in mine for pod in finding.pods}
    return all(named(pod) in lost for pod in newest if not _over(pod))


def _over(pod: Object) -> bool:
    return (pod.get("status") or {}).get("phase") in ("Failed", "Succeeded")


# What the API server says where it lets a controller make no pod, the fault, and what to do. The first that fits counts.
DENIALS = (
    (
        r"fail(ed|ing) (calling|to call) webhook.*(x509|tls:)",
        "webhook_untrusted",
        "a webhook that must agree to its pods has a certificate that the API server does not trust",
        "Put the authority that signed the webhook's certificate into clientConfig.caBundle, or let its certificate name its Service.",
    ),
    (
        r"failed calling webhook|failed to call webhook",
        "webhook_down",
        "a webhook that must agree to its pods does not answer",
        "Make the webhook's Service answer, or delete its configuration; failurePolicy: Ignore lets pods pass without it.",
    ),
    (
        r"exceeded quota|failed quota",
        "quota_exceeded",
        "the namespace's quota allows no more pods like this",
        "Raise the ResourceQuota, ask for less, or take away what is not needed. With a quota, each container must say what it asks for.",
    ),
    (
        r"error looking up service account|serviceaccount .* not found",
        "service_account_missing",
        "its ServiceAccount is not there",
        "Create the ServiceAccount, or correct serviceAccountName.",
    ),
    (
        r"violates PodSecurity",
        "admission_denied",
        "Pod Security of the namespace forbids its pods",
        "Change the pod's securityContext as the message says, or the namespace's label pod-security.kubernetes.io/enforce.",
    ),
    (
        r"PriorityClass",
        "priority_class_missing",
        "its PriorityClass is not there",
        "Create the PriorityClass, or correct priorityClassName.",
    ),
    (
        r"RuntimeClass",
        "runtime_class_missing",
        "its RuntimeClass is not there",
        "Create the RuntimeClass, or correct runtimeClassName.",
    ),
    (
        r"maximum .* usage per|minimum .* usage per|LimitRange|limit to request ratio",
        "limit_range_denied",
        "the namespace's LimitRange forbids its pods",
        "Ask for what the LimitRange allows, or change it.",
    ),
    (
        r"denied the request|admission webhook|ValidatingAdmissionPolicy|is forbidden",
        "admission_denied",
        "admission control forbids its pods",
        "Change the pod as the message says, or the policy that forbids it.",
    ),
    (
        r"is invalid|Invalid value",
        "pod_invalid",
        "the API server finds its pods invalid",
        "Correct the pod template as the message says.",
    ),
)


def creation_finding(view: View, content: Object) -> Finding | None:
    """Explain why a controller makes no pods: its condition ReplicaFailure, or its latest event FailedCreate."""
    made_from = [content]
    if content.get("kind") == "Deployment":
        newest = view.newest_replica_set(content)
        made_from = [newest] if newest is not None else []
    message = ""
    for one in made_from:
        failure = conditions(one).get("ReplicaFailure") or {}
        if failure.get("status") == "True":
            message = failure.get("message") or ""
        events = [event for event in view.events_of(one) if event.get("reason") == "FailedCreate"]
        if not message and events and _short_of_pods(one) and _after_success(view, events[-1], one):
            message = events[-1].get("message") or ""
    if not message:
        return None
    text = one_line(message)
    name = reference(content)
    fault, title, advice = "creation_fails", "its pods cannot be made", "See the message."
    denial = denial_of(text)
    if denial is not None:
        _pattern, fault, title, advice = denial
    account = re.search(r'serviceaccount "([^"]+)" not found', text)
    if account:
        title = f"ServiceAccount {account.group(1)}, which its pods run as, is not there"
    finding = Finding(
        fault,
        "error",
        name,
        title,
        evidence=[f"FailedCreate: {text}"],
        advice=advice,
        patience=SUSPICIOUS if fault in ("webhook_down", "webhook_untrusted", "creation_fails") else HOPELESS,
    )
    if (fault == "quota_exceeded" and view.pods_of(name)) or (account and account.group(1) == "default"):
        # Old pods that go make room, and a new namespace gets its default account in a moment.
        finding.patience = SUSPICIOUS
    if fault in ("webhook_down", "webhook_untrusted"):
        blame_webhook(view, finding, text)
    if fault == "quota_exceeded":
        quota = quota_in(text)
        if quota:
            finding.title = f"quota {quota} of the namespace allows no more pods like this"
    return finding


def denial_of(text: str) -> tuple[str, str, str, str] | None:
    """Give the entry of :data:`DENIALS` that fits what the API server says."""
    return next((one for one in DENIALS if re.search(one[0], text)), None)


def quota_in(text: str) -> str:
    """Give the name of the quota by which the API server refuses something, empty where it is another reason."""
    quota = re.search(r"exceeded quota: ([^,]+)|failed quota: ([^:]+)", text)
    return (quota.group(1) or quota.group(2)) if quota else ""


def blame_webhook(view: View, finding: Finding, text: str) -> None:
    """Name the configuration of a webhook that does not answer, as the place where the fault is."""
    called = re.search(r'fail(?:ed|ing) (?:calling|to call) webhook "([^"]+)"', text)
    if not called:
        return
    if finding.fault == "webhook_down":
        finding.title = f"webhook {called.group(1)}, which must agree to its pods, does not answer"
    for kind in ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"):
        for content in view.all(kind):
            if any(hook.get("name") == called.group(1) for hook in content.get("webhooks") or []):
                finding.blames += (Reference("admissionregistration.k8s.io/v1", kind, "", content["metadata"]["name"]),)


def _short_of_pods(content: Object) -> bool:
    spec, status = content.get("spec") or {}, content.get("status") or {}
    if content.get("kind") == "DaemonSet":
        return status.get("currentNumberScheduled", 0) < status.get("desiredNumberScheduled", 0)
    if content.get("kind") == "Job":
        return not (status.get("active") or status.get("succeeded"))
    return status.get("replicas", 0) < spec.get("replicas", 1)


def _after_success(view: View, event: Object, content: Object) -> bool:
    """Whether an event is newer than the newest pod: a failure before that one is over."""
    name = reference(content)
    pods = view.pods_of(name) or [
        pod
        for pod in view.in_namespace(name.namespace)
        if any(owner.get("name") == name.name for owner in pod["metadata"].get("ownerReferences") or [])
    ]
    newest = max((seconds_of(pod["metadata"].get("creationTimestamp")) for pod in pods), default=0.0)
    return event_time(event) >= newest


def _stuck(view: View, content: Object, explained: bool) -> Finding | None:
    """Explain a rollout that does not get on. Where its pods have a fault, that is the reason."""
    ready, why = readiness(content)
    if ready:
        return None
    name, found = reference(content), conditions(content)
    progressing = found.get("Progressing") or {}
    advice = "See its pods: %s." % (
        "what fails there stops it" if explained else f"kubectl describe {name.kind.lower()}"
    )
    if progressing.get("reason") == "ProgressDeadlineExceeded":
        return Finding(
            "rollout_stuck",
            "error",
            name,
            f"its rollout has not got on within its progress deadline: {why}",
            evidence=[one_line(progressing.get("message") or "")],
            advice=advice,
            patience=HOPELESS,
            blames=(name,),
        )
    if (content.get("spec") or {}).get("paused"):
        return Finding(
            "rollout_paused",
            "warning",
            name,
            f"its rollout is paused: {why}",
            evidence=["spec.paused is true"],
            advice="Go on with: kubectl rollout resume, or the module rollout.",
            patience=HOPELESS,
        )
    # Without a word from its pods, a workload that is only slow is nothing to tell of yet.
    return Finding("not_ready", "info", name, why, advice=advice, patience=SLOW, blames=(name,))


def job_findings(view: View, content: Object) -> list[Finding]:
    """Explain a Job; empty for one that is complete, however often it was tried."""
    name, found = reference(content), conditions(content)
    if (found.get("Complete") or {}).get("status") == "True" or (found.get("SuccessCriteriaMet") or {}).get(
        "status"
    ) == "True":
        return []
    pods = view.pods_of(name)
    failed = found.get("Failed") or found.get("FailureTarget") or {}
    causes = [finding for pod in pods if not is_healthy(pod) for finding in pod_findings(view, pod)]
    if failed.get("status") == "True":
        return [_failed_job(view, content, failed, causes)]
    refused = creation_finding(view, content)
    for finding in causes:
        # It is tried again: only what no retry changes is an error.
        if finding.patience != HOPELESS and finding.severity == "error" and finding.fault in RETRIED:
            finding.severity = "warning"
    return causes + ([refused] if refused is not None else [])


RETRIED = (
    "crash_loop",
    "pod_failed",
    "oom_killed",
    "exits_at_once",
    "init_fails",
    "bad_command",
    "start_fails",
    "pod_deadline",
)
JOB_REASONS: dict[str, str] = {
    "BackoffLimitExceeded": "it failed more often than its backoffLimit allows",
    "DeadlineExceeded": "it took longer than its activeDeadlineSeconds",
    "PodFailurePolicy": "its podFailurePolicy ended it",
    "FailedIndexes": "some of its indexes failed",
    "MaxFailedIndexesExceeded": "more of its indexes failed than maxFailedIndexes allows",
}


def _failed_job(view: View, content: Object, failed: Object, causes: list[Finding]) -> Finding:
    name, reason = reference(content), failed.get("reason") or ""
    finding = Finding(
        "job_deadline" if reason == "DeadlineExceeded" else "job_failed",
        "error",
        name,
        JOB_REASONS.get(reason, f"it failed ({reason})"),
        evidence=[f"{reason}: {one_line(failed.get('message') or '')}"],
        advice="Read the log of its last pod, correct what it says, then delete the Job and apply it again.",
        patience=HOPELESS,
    )
    if reason == "DeadlineExceeded":
        finding.advice = (
            "Raise activeDeadlineSeconds, or see in its log what takes so long; delete the Job and apply it again."
        )
    if causes:
        cause = causes[-1]
        finding.title += f"; {cause.title}"
        finding.evidence += cause.evidence
        finding.container, finding.pods = cause.container, [pod for one in causes for pod in one.pods]
        finding.causes = [f"{name}: {JOB_REASONS.get(reason, reason)}", cause.title]
        if cause.fault in ("oom_killed", "bad_command", "config_missing"):
            finding.advice = f"{cause.advice} Then delete the Job and apply it again."
    return finding
