# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs that do not complete and CronJobs that create none: pure functions.

https://kubernetes.io/docs/concepts/workloads/controllers/job/ and .../cron-jobs/
"""

from __future__ import annotations

from typing import Any

from .._kube.objects import Reference, reference
from .._kube.timestamps import seconds_of
from .finding import SLOW, SUSPICIOUS, Finding, one_line
from .view import (
    Object,
    View,
    controller,
    event_time,
    is_true,
    message_of,
    namespace_of,
    spec_of,
    status_of,
)
from .workloads import denial_of, job_findings, quota_in

MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
LONGEST_MONTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
CORRECT_SCHEDULE = "Correct spec.schedule (minute hour day-of-month month day-of-week)."
# Warning events of the CronJob controller that mean that it creates no Jobs, and the remedy.
CRON_JOB_EVENTS = {
    "UnknownTimeZone": "Set spec.timeZone to a name of the IANA time zone database, for example Europe/Berlin.",
    "UnparseableSchedule": CORRECT_SCHEDULE,
    "UnparseableCronJobSchedule": CORRECT_SCHEDULE,
    "InvalidSchedule": CORRECT_SCHEDULE,
    "TooManyMissedTimes": "Set startingDeadlineSeconds: after more than 100 missed runs, the controller does not start the Job without it.",
    "MissSchedule": "Raise startingDeadlineSeconds: runs are missed because they cannot start in time.",
    "FailedCreate": "",
}


def jobs(view: View) -> list[Finding]:
    """Explain Jobs that failed or make no progress, except those whose CronJob has succeeded since."""
    found: list[Finding] = []
    succeeded: dict[Reference, float] = {}
    for job in view.all("Job"):
        cron = _cron_job_of(job)
        if cron is not None and is_true(job, "Complete"):
            succeeded[cron] = max(succeeded.get(cron, 0.0), seconds_of(job["metadata"].get("creationTimestamp")))
    for job in view.alive("Job"):
        cron = _cron_job_of(job)
        if cron is not None and succeeded.get(cron, 0.0) > seconds_of(job["metadata"].get("creationTimestamp")):
            continue
        if spec_of(job).get("suspend"):
            found.append(_suspended("job_suspended", job, "it is suspended", "spec.suspend is true"))
            continue
        for finding in job_findings(view, job):
            if cron is not None:
                finding.causes = finding.causes or [f"{finding.object}: {finding.title}"]
                finding.causes.insert(0, f"{cron}: its Job does not succeed")
                finding.others.append(str(cron))
                finding.about = str(cron)
            found.append(finding)
    return found


def _cron_job_of(job: Object) -> Reference | None:
    owner = controller(job)
    if owner is None or owner["kind"] != "CronJob":
        return None
    return Reference("batch/v1", "CronJob", namespace_of(job), owner["name"])


def _suspended(fault: str, content: Object, title: str, evidence: str) -> Finding:
    advice = "Set spec.suspend to false to resume it."
    return Finding(fault, "warning", reference(content), title, evidence=[evidence], advice=advice, patience=SLOW)


def cron_jobs(view: View) -> list[Finding]:
    """Find CronJobs that are suspended, never run, or cannot create their Jobs."""
    found = []
    for cron in view.alive("CronJob"):
        if spec_of(cron).get("suspend"):
            last = status_of(cron).get("lastScheduleTime") or "never"
            evidence = f"spec.suspend is true; last run: {last}"
            found.append(_suspended("cron_job_suspended", cron, "it is suspended and creates no Jobs", evidence))
        else:
            found += _cron_job(view, cron)
    return found


def _cron_job(view: View, cron: Object) -> list[Finding]:
    name, spec = reference(cron), spec_of(cron)

    def bad(title: str, evidence: str, advice: str, severity: str = "error", **more: Any) -> list[Finding]:
        more.setdefault("patience", SLOW)
        return [Finding("cron_job_bad", severity, name, title, evidence=[evidence], advice=advice, **more)]

    schedule = spec.get("schedule") or ""
    if never_matches(schedule):
        return bad(
            f"its schedule {schedule} never matches a date", "no month in it has such a day of month", CORRECT_SCHEDULE
        )
    last = seconds_of(status_of(cron).get("lastScheduleTime"))
    events = [event for event in view.events_of(cron) if event.get("reason") in CRON_JOB_EVENTS]
    if events and event_time(events[-1]) > last:
        reason, message = events[-1]["reason"], one_line(message_of(events[-1]))
        if reason == "FailedCreate":
            return [_rejected(name, message)]
        return bad(f"it creates no Jobs ({reason})", message, CRON_JOB_EVENTS[reason], patience=SUSPICIOUS)
    skipped = view.events_of(cron, "Skipped")
    if skipped and event_time(skipped[-1]) > last:
        return [_blocked(view, cron, skipped[-1])]
    deadline = spec.get("startingDeadlineSeconds")
    if deadline is not None and deadline < 10:
        return bad(
            f"its startingDeadlineSeconds of {deadline} is shorter than the controller's interval of 10 s",
            f"startingDeadlineSeconds: {deadline}",
            "Raise startingDeadlineSeconds to at least 10; otherwise runs may be missed.",
            "warning",
        )
    return []


def _blocked(view: View, cron: Object, event: Object) -> Finding:
    """Explain a CronJob whose previous run does not end, so that no other is started (concurrencyPolicy Forbid)."""
    name = reference(cron)
    active = [one.get("name") or "?" for one in status_of(cron).get("active") or []]
    since = status_of(cron).get("lastScheduleTime") or "an unknown time"
    return Finding(
        "cron_job_blocked",
        "warning",
        name,
        f"its run {', '.join(active) or 'of the last time'} has not ended, so that further runs are skipped",
        evidence=[f"JobAlreadyActive: {one_line(message_of(event))}", f"active since {since}"],
        advice="Read the log of that Job. Set activeDeadlineSeconds in jobTemplate so that a run is terminated automatically, or concurrencyPolicy: Replace.",
        patience=SLOW,
        blames=tuple(Reference("batch/v1", "Job", name.namespace, one) for one in active),
    )


def _rejected(name: Reference, message: str) -> Finding:
    """Explain a CronJob whose Jobs the API server rejects.

    :param message: The message of event FailedCreate.
    """
    quota, denial = quota_in(message), denial_of(message)
    finding = Finding(
        "quota_exceeded" if quota else "cron_job_bad",
        "error",
        name,
        f"its Jobs exceed ResourceQuota {quota} of the namespace" if quota else "the API server rejects its Jobs",
        evidence=[f"FailedCreate: {message}"],
        advice=denial.advice if denial else "Correct jobTemplate as described in the message.",
        patience=SUSPICIOUS,
    )
    if quota:
        finding.advice = "Raise the ResourceQuota, or keep fewer finished Jobs (successfulJobsHistoryLimit, ttlSecondsAfterFinished)."
    return finding


def never_matches(schedule: str) -> bool:
    """Return whether a schedule names only days that its months do not have (C(0 0 31 2 *)); False if it cannot be parsed."""
    parts = schedule.split()
    if len(parts) != 5 or parts[4] not in ("*", "?"):
        return False
    days, months = _values(parts[2], 1, 31), _values(parts[3].lower(), 1, 12)
    return bool(days and months) and all(day > LONGEST_MONTHS[month - 1] for day in days for month in months)


def _values(field: str, first: int, last: int) -> list[int]:
    """Return the numbers that one field of a schedule matches, none if it cannot be parsed."""
    found: list[int] = []
    for part in field.split(","):
        part, _slash, step = part.partition("/")
        begin, dash, end = part.partition("-")
        try:
            if part in ("*", "?"):
                low, high = first, last
            else:
                low = _number(begin)
                high = _number(end) if dash else (last if step else low)
            found += range(low, high + 1, int(step or 1))
        except ValueError:
            return []
    return [value for value in found if first <= value <= last]


def _number(text: str) -> int:
    return MONTH_NAMES.index(text) + 1 if text in MONTH_NAMES else int(text)
