# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a workload creates no pods, makes no progress or does not complete: pure functions."""

from __future__ import annotations

import re
from typing import NamedTuple, Sequence

from .._kube.objects import Reference, reference
from .._kube.readiness import condition, readiness
from .._kube.timestamps import seconds_of
from .finding import HOPELESS, PENDING, SLOW, SUSPICIOUS, Finding, one_line
from .pods import pod_findings
from .view import (
    Object,
    View,
    event_time,
    is_deleted,
    is_finished,
    is_true,
    labels_of,
    message_of,
    name_of,
    named,
    spec_of,
    status_of,
)

CONTROLLERS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job")
WEBHOOK_FAULTS = ("webhook_down", "webhook_untrusted")
WEBHOOK_CONFIGURATIONS = ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration")
# How the API server names the admission webhook that it failed to call.
FAILED_WEBHOOK = re.compile(r'fail(?:ed|ing) (?:calling|to call) webhook "([^"]+)"')
RESTORE_WEBHOOK = "Restore the webhook's Service, or delete the webhook configuration; with failurePolicy: Ignore, requests are admitted without it."
TRUST_WEBHOOK = (
    "Set clientConfig.caBundle to the CA that signed the webhook's certificate (its installer or cert-manager normally does this), "
    "and make sure the certificate names the Service and has not expired."
)


def workload_findings(view: View, content: Object) -> list[Finding]:
    """Explain one workload: the pods of its newest revision, why it creates none, and its own status."""
    name = reference(content)
    if content["metadata"].get("deletionTimestamp"):
        return []
    if name.kind == "Pod":
        return pod_findings(view, content)
    if name.kind == "Job":
        return job_findings(view, content)
    found = [finding for pod in view.newest_pods(content) for finding in pod_findings(view, pod)]
    found += _creation_findings(view, content)
    return found + _rollout_findings(content, found)


def left_behind(view: View, content: Object) -> list[Finding]:
    """Explain a StatefulSet that waits for a broken pod of an earlier revision, and does not replace it.

    A release and a rollout delete such a pod, so they do not ask.
    https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback
    """
    name, newest = reference(content), status_of(content).get("updateRevision")
    if name.kind != "StatefulSet" or spec_of(content).get("podManagementPolicy", "OrderedReady") != "OrderedReady":
        return []
    label, _value = view.newest_revision(content)
    kept = ((spec_of(content).get("updateStrategy") or {}).get("rollingUpdate") or {}).get("partition") or 0
    old = [pod for pod in view.pods_of(name) if not is_deleted(pod) and labels_of(pod).get(label) != newest]
    for pod in sorted(old, key=name_of) if label else []:
        causes = [one for one in pod_findings(view, pod) if one.severity == "error"]
        if causes:
            cause, number = causes[0], name_of(pod).rpartition("-")[2]
            if number.isdigit() and int(number) < kept:
                return [cause]  # it would be created again from the earlier revision
            remove = f"kubectl -n {name.namespace} delete pod {name_of(pod)}"
            cause.fault = "rollout_stuck"
            cause.title = f"it waits for pod {name_of(pod)} of an earlier revision, which does not become ready, and does not replace it ({cause.title})"
            cause.advice = (
                f"If the newest revision is correct, delete the pod, which is then created from it: {remove}."
            )
            return [cause]
    return []


def is_hopeless(view: View, content: Object, found: Sequence[Finding]) -> bool:
    """Return whether a workload will never become ready without intervention.

    Of a Deployment, all pods of the newest revision must be hopeless; of the other kinds, one is enough.

    :param found: What is wrong with the workload and with its pods.
    """
    final = [finding for finding in found if finding.patience == HOPELESS]
    if not final or content.get("kind") not in ("Deployment", "ReplicaSet") or any(not one.pods for one in final):
        return bool(final)
    lost = {pod for finding in final for pod in finding.pods}
    return all(named(pod) in lost for pod in view.newest_pods(content) if not is_finished(pod))


class Denial(NamedTuple):
    """Why the API server rejects the pods of a controller: the pattern of its message, and the fault that it means."""

    pattern: str
    fault: str
    title: str
    advice: str


# The first pattern that matches counts.
DENIALS = (
    Denial(
        r"fail(ed|ing) (calling|to call) webhook.*(x509|tls:)",
        "webhook_untrusted",
        "its pods are rejected because the API server does not trust the certificate of an admission webhook",
        TRUST_WEBHOOK,
    ),
    Denial(
        r"failed calling webhook|failed to call webhook",
        "webhook_down",
        "its pods are rejected because an admission webhook does not respond",
        RESTORE_WEBHOOK,
    ),
    Denial(
        r"exceeded quota|failed quota",
        "quota_exceeded",
        "its pods exceed a ResourceQuota of the namespace",
        "Raise the ResourceQuota, lower the requests of the pods, or delete objects that are no longer needed. "
        "With a quota for CPU or memory, every container must set requests and limits.",
    ),
    Denial(
        r"error looking up service account|serviceaccount .* not found",
        "service_account_missing",
        "its ServiceAccount does not exist",
        "Create the ServiceAccount, or correct serviceAccountName in the pod template.",
    ),
    Denial(
        r"violates PodSecurity",
        "admission_denied",
        "its pods violate the Pod Security Standard of the namespace",
        "Change the securityContext of the pod template as described in the message, or the namespace's label pod-security.kubernetes.io/enforce.",
    ),
    Denial(
        r"PriorityClass",
        "priority_class_missing",
        "its PriorityClass does not exist",
        "Create the PriorityClass, or correct priorityClassName in the pod template.",
    ),
    Denial(
        r"RuntimeClass",
        "runtime_class_missing",
        "its RuntimeClass does not exist",
        "Create the RuntimeClass, or correct runtimeClassName in the pod template.",
    ),
    Denial(
        r"maximum .* usage per|minimum .* usage per|LimitRange|limit to request ratio",
        "limit_range_denied",
        "its pods violate the LimitRange of the namespace",
        "Set requests and limits that the LimitRange allows, or change the LimitRange.",
    ),
    Denial(
        r"denied the request|admission webhook|ValidatingAdmissionPolicy|is forbidden",
        "admission_denied",
        "its pods are rejected by admission control",
        "Change the pod template as described in the message, or the policy that rejects it.",
    ),
    Denial(
        r"is invalid|Invalid value",
        "pod_invalid",
        "its pods are rejected as invalid",
        "Correct the pod template as described in the message.",
    ),
)
UNKNOWN_DENIAL = Denial(
    "", "creation_fails", "its pods cannot be created", "Resolve the error that the event FailedCreate reports."
)


def _creation_findings(view: View, content: Object) -> list[Finding]:
    """Explain why a controller creates no pods, from its condition ReplicaFailure or its latest event FailedCreate."""
    creator = view.newest_replica_set(content) if content.get("kind") == "Deployment" else content
    if creator is None:
        return []
    failure = condition(creator, "ReplicaFailure")
    message = (message_of(failure)) if failure.get("status") == "True" else ""
    events = [event for event in view.events_of(creator) if event.get("reason") == "FailedCreate"]
    if not message and events and _lacks_pods(creator) and _is_latest(view, events[-1], creator):
        message = message_of(events[-1])
    if not message:
        return []
    name, text = reference(content), one_line(message)
    denial = denial_of(text) or UNKNOWN_DENIAL
    account = re.search(r'serviceaccount "([^"]+)" not found', text)
    retried = denial.fault in (*WEBHOOK_FAULTS, "creation_fails")
    # The deletion of old pods frees quota, and a new namespace gets its default ServiceAccount after a moment.
    retried = retried or (denial.fault == "quota_exceeded" and bool(view.pods_of(name)))
    retried = retried or bool(account and account.group(1) == "default")
    finding = Finding(
        denial.fault,
        "error",
        name,
        denial.title,
        evidence=[f"FailedCreate: {text}"],
        advice=denial.advice,
        patience=SUSPICIOUS if retried else HOPELESS,
    )
    if denial.fault in WEBHOOK_FAULTS:
        finding.patience = PENDING  # its pods may be starting, in this release or in another
    if account:
        finding.title = f"its ServiceAccount {account.group(1)} does not exist"
    if denial.fault in WEBHOOK_FAULTS:
        _blame_webhook(view, finding, text)
    if denial.fault == "quota_exceeded" and quota_in(text):
        what = "claims" if re.search(r"create [Cc]laim|persistentvolumeclaims", text) else "pods"
        finding.title = f"its {what} exceed ResourceQuota {quota_in(text)} of the namespace"
        if "must specify" in text:
            finding.title = (
                f"ResourceQuota {quota_in(text)} of the namespace demands requests or limits that its pods do not have"
            )
    return [finding]


def denial_of(text: str) -> Denial | None:
    """Return the entry of :data:`DENIALS` that matches a message of the API server."""
    return next((denial for denial in DENIALS if re.search(denial.pattern, text)), None)


def quota_in(text: str) -> str:
    """Return the name of the ResourceQuota that a message of the API server reports as exceeded, empty for other messages."""
    quota = re.search(r"(?:exceeded quota: ([^,]+))|(?:failed quota: ([^:]+))", text)
    return (quota.group(1) or quota.group(2)) if quota else ""


def _blame_webhook(view: View, finding: Finding, text: str) -> None:
    """Make the configuration of the webhook that failed the cause of a finding."""
    called = FAILED_WEBHOOK.search(text)
    if not called:
        return
    finding.title = finding.title.replace("an admission webhook", f"admission webhook {called.group(1)}")
    for kind in WEBHOOK_CONFIGURATIONS:
        for content in view.all(kind):
            if any(hook.get("name") == called.group(1) for hook in content.get("webhooks") or []):
                finding.blames += (Reference("admissionregistration.k8s.io/v1", kind, "", name_of(content)),)


def _lacks_pods(content: Object) -> bool:
    spec, status = spec_of(content), status_of(content)
    if content.get("kind") == "DaemonSet":
        return status.get("currentNumberScheduled", 0) < status.get("desiredNumberScheduled", 0)
    if content.get("kind") == "Job":
        return not (status.get("active") or status.get("succeeded"))
    return status.get("replicas", 0) < spec.get("replicas", 1)


def _is_latest(view: View, event: Object, content: Object) -> bool:
    """Return whether an event is newer than the newest pod: a failure before that pod has been resolved."""
    name = reference(content)
    pods = view.pods_of(name) or [
        pod
        for pod in view.in_namespace(name.namespace)
        if any(owner.get("name") == name.name for owner in pod["metadata"].get("ownerReferences") or [])
    ]
    newest = max((seconds_of(pod["metadata"].get("creationTimestamp")) for pod in pods), default=0.0)
    return event_time(event) >= newest


def _rollout_findings(content: Object, causes: Sequence[Finding]) -> list[Finding]:
    """Explain a rollout that makes no progress.

    :param causes: Why its pods are not ready.
    """
    ready, why = readiness(content)
    if ready:
        return []
    name, progressing = reference(content), condition(content, "Progressing")
    advice = f"Run kubectl describe {name.kind.lower()} {name.name} -n {name.namespace} and check its pods."
    if causes:
        advice = "Resolve what keeps its pods from becoming ready."
    if progressing.get("reason") == "ProgressDeadlineExceeded":
        return [
            Finding(
                "rollout_stuck",
                "error",
                name,
                f"its rollout exceeded its progress deadline: {why}",
                evidence=[one_line(message_of(progressing))],
                advice=advice,
                # The Deployment continues when the cluster provides what its pods wait for.
                patience=PENDING if any(one.patience == PENDING for one in causes) else HOPELESS,
                blames=(name,),
            )
        ]
    if spec_of(content).get("paused"):
        return [
            Finding(
                "rollout_paused",
                "warning",
                name,
                f"its rollout is paused: {why}",
                evidence=["spec.paused is true"],
                advice=f"Resume it: kubectl rollout resume {name.kind.lower()}/{name.name} -n {name.namespace}, or module rollout with action resume.",
                patience=HOPELESS,
            )
        ]
    # Nothing is wrong with its pods: it may only be slow.
    return [Finding("not_ready", "info", name, why, advice=advice, patience=SLOW, blames=(name,))]


def pending_update(content: Object) -> list[Finding]:
    """Explain a workload of which some pods are of an earlier revision, because its update strategy is OnDelete."""
    spec, status, name = spec_of(content), status_of(content), reference(content)
    if (spec.get("updateStrategy") or {}).get("type") != "OnDelete":
        return []
    if name.kind == "DaemonSet":
        old = status.get("desiredNumberScheduled", 0) - status.get("updatedNumberScheduled", 0)
    else:
        same = status.get("currentRevision") == status.get("updateRevision")
        old = 0 if same else status.get("replicas", 0) - status.get("updatedReplicas", 0)
    if old <= 0:
        return []
    return [
        Finding(
            "update_pending",
            "warning",
            name,
            f"{old} of its pods are of an earlier revision: they are replaced only when they are deleted",
            evidence=["spec.updateStrategy.type is OnDelete"],
            advice="Delete these pods one after the other, or set the update strategy to RollingUpdate.",
            patience=SLOW,
        )
    ]


def job_findings(view: View, content: Object) -> list[Finding]:
    """Explain a Job; empty for one that is complete, however many attempts it took."""
    if is_true(content, "Complete") or is_true(content, "SuccessCriteriaMet"):
        return []
    causes = [finding for pod in view.pods_of(reference(content)) for finding in pod_findings(view, pod)]
    failed = condition(content, "Failed") or condition(content, "FailureTarget")
    if failed.get("status") == "True":
        return [_failed_job(content, failed, causes)]
    for finding in causes:
        # The Job retries: only what no retry resolves is an error.
        if finding.patience != HOPELESS and finding.severity == "error" and finding.fault in RETRIED:
            finding.severity = "warning"
    return causes + _creation_findings(view, content)


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
# Reasons of condition Failed (https://kubernetes.io/docs/concepts/workloads/controllers/job/#job-termination-and-cleanup).
JOB_REASONS = {
    "BackoffLimitExceeded": "its pods failed more often than backoffLimit allows",
    "DeadlineExceeded": "it ran longer than activeDeadlineSeconds allows",
    "PodFailurePolicy": "its podFailurePolicy terminated it",
    "FailedIndexes": "some of its indexes failed",
    "MaxFailedIndexesExceeded": "more of its indexes failed than maxFailedIndexes allows",
}


def _failed_job(content: Object, failed: Object, causes: list[Finding]) -> Finding:
    name, reason = reference(content), failed.get("reason") or ""
    finding = Finding(
        "job_deadline" if reason == "DeadlineExceeded" else "job_failed",
        "error",
        name,
        JOB_REASONS.get(reason, f"it failed ({reason})"),
        evidence=[f"{reason}: {one_line(failed.get('message') or '')}"],
        advice="Check the log of its last pod and resolve the error, then delete the Job and apply it again.",
        patience=HOPELESS,
    )
    if reason == "DeadlineExceeded":
        finding.advice = "Raise activeDeadlineSeconds, or check in its log what takes so long; then delete the Job and apply it again."
    if causes:
        cause = causes[-1]
        finding.title += f"; {cause.title}"
        finding.evidence += cause.evidence
        finding.container, finding.pods = cause.container, [pod for one in causes for pod in one.pods]
        finding.causes = [f"{name}: {JOB_REASONS.get(reason, reason)}", cause.title]
        if cause.fault in ("oom_killed", "bad_command", "config_missing"):
            finding.advice = f"{cause.advice} Then delete the Job and apply it again."
    return finding
