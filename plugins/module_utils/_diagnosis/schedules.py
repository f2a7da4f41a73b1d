# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs and CronJobs. Pure functions.

https://kubernetes.io/docs/concepts/workloads/controllers/job/ and .../cron-jobs/
"""

from __future__ import annotations

from .._kube.objects import Reference, reference
from .._kube.timestamps import seconds_of
from .finding import SLOW, SUSPICIOUS, Finding, one_line
from .view import Object, View, conditions, controller, event_time
from .workloads import denial_of, job_findings, quota_in

MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
LONGEST_MONTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def jobs(view: View) -> list[Finding]:
    """Explain Jobs that failed or cannot go on; one whose CronJob has succeeded since is history."""
    found: list[Finding] = []
    succeeded = _last_successes(view)
    for job in view.all("Job"):
        if job["metadata"].get("deletionTimestamp"):
            continue
        made_by = controller(job)
        cron = None
        if made_by is not None and made_by["kind"] == "CronJob":
            cron = Reference("batch/v1", "CronJob", job["metadata"].get("namespace") or "", made_by["name"])
            if succeeded.get(cron, 0.0) > seconds_of(job["metadata"].get("creationTimestamp")):
                continue
        if (job.get("spec") or {}).get("suspend"):
            found.append(_suspended(job))
            continue
        for finding in job_findings(view, job):
            if cron is not None:
                finding.causes = finding.causes or [f"{finding.object}: {finding.title}"]
                finding.causes.insert(0, f"{cron}: its Job does not succeed")
                finding.others.append(str(cron))
                finding.about = str(cron)
            found.append(finding)
    return found


def _last_successes(view: View) -> dict[Reference, float]:
    found: dict[Reference, float] = {}
    for job in view.all("Job"):
        made_by = controller(job)
        if made_by is None or made_by["kind"] != "CronJob":
            continue
        if (conditions(job).get("Complete") or {}).get("status") == "True":
            cron = Reference("batch/v1", "CronJob", job["metadata"].get("namespace") or "", made_by["name"])
            when = seconds_of(job["metadata"].get("creationTimestamp"))
            found[cron] = max(found.get(cron, 0.0), when)
    return found


def _suspended(job: Object) -> Finding:
    return Finding(
        "job_suspended",
        "warning",
        reference(job),
        "it is suspended",
        evidence=["spec.suspend is true"],
        advice="Set spec.suspend to false to let it run.",
        patience=SLOW,
    )


def cron_jobs(view: View) -> list[Finding]:
    """Find CronJobs that are suspended, never run, or cannot make their Jobs."""
    found = []
    for cron in view.all("CronJob"):
        if cron["metadata"].get("deletionTimestamp"):
            continue
        name, spec = reference(cron), cron.get("spec") or {}
        if spec.get("suspend"):
            last = (cron.get("status") or {}).get("lastScheduleTime")
            found.append(
                Finding(
                    "cron_job_suspended",
                    "warning",
                    name,
                    "it is suspended, so it makes no Jobs",
                    evidence=[f"spec.suspend is true; last run: {last or 'never'}"],
                    advice="Set spec.suspend to false to let it run.",
                    patience=SLOW,
                )
            )
            continue
        bad = _bad(view, cron)
        if bad is not None:
            found.append(bad)
    return found


# Warnings of the CronJob controller that mean that it does not run, and what to do.
EVENTS = {
    "UnknownTimeZone": "Correct spec.timeZone: a name of the time zone database, such as Europe/Berlin.",
    "UnparseableSchedule": "Correct spec.schedule: minute hour day-of-month month day-of-week.",
    "UnparseableCronJobSchedule": "Correct spec.schedule: minute hour day-of-month month day-of-week.",
    "InvalidSchedule": "Correct spec.schedule.",
    "TooManyMissedTimes": "Set startingDeadlineSeconds: it missed more than 100 runs and does not know where to begin.",
    "MissSchedule": "Raise startingDeadlineSeconds: its runs are missed before they begin.",
    "FailedCreate": "",
}


def _bad(view: View, cron: Object) -> Finding | None:
    name, spec = reference(cron), cron.get("spec") or {}
    schedule = spec.get("schedule") or ""
    if never(schedule):
        return Finding(
            "cron_job_bad",
            "error",
            name,
            f"its schedule {schedule} never comes",
            evidence=["no month has such a day"],
            advice="Correct spec.schedule: minute hour day-of-month month day-of-week.",
            patience=SLOW,
        )
    last = seconds_of((cron.get("status") or {}).get("lastScheduleTime"))
    events = [event for event in view.events_of(cron) if event.get("reason") in EVENTS]
    if events and event_time(events[-1]) > last:
        event = events[-1]
        if event.get("reason") == "FailedCreate":
            return _refused(name, one_line(event.get("message") or ""))
        return Finding(
            "cron_job_bad",
            "error",
            name,
            f"it makes no Jobs ({event.get('reason')})",
            evidence=[one_line(event.get("message") or "")],
            advice=EVENTS[event.get("reason") or ""],
            patience=SUSPICIOUS,
        )
    deadline = spec.get("startingDeadlineSeconds")
    if deadline is not None and deadline < 10:
        return Finding(
            "cron_job_bad",
            "warning",
            name,
            "its startingDeadlineSeconds of %d is shorter than the controller's own step of 10 s" % deadline,
            advice="Raise startingDeadlineSeconds above 10, or its runs may all be missed.",
            patience=SLOW,
        )
    return None


def _refused(name: Reference, text: str) -> Finding:
    """Explain a CronJob whose Jobs the API server does not take."""
    quota, denial = quota_in(text), denial_of(text)
    return Finding(
        "quota_exceeded" if quota else "cron_job_bad",
        "error",
        name,
        f"quota {quota} of the namespace allows it no more Jobs" if quota else "the API server refuses its Jobs",
        evidence=[f"FailedCreate: {text}"],
        advice="Raise the ResourceQuota, or let fewer Jobs stay (successfulJobsHistoryLimit, ttlSecondsAfterFinished)."
        if quota
        else denial[3]
        if denial
        else "Correct jobTemplate as the message says.",
        patience=SUSPICIOUS,
    )


def never(schedule: str) -> bool:
    """Whether a schedule names only days that its months do not have (C(0 0 31 2 *)); what cannot be read is not judged."""
    parts = schedule.split()
    if len(parts) != 5 or parts[4] not in ("*", "?"):
        return False
    days, months = _values(parts[2], 1, 31), _values(parts[3].lower(), 1, 12)
    if not days or not months:
        return False
    return all(day > LONGEST_MONTHS[month - 1] for day in days for month in months)


def _values(field: str, first: int, last: int) -> list[int]:
    """Read one field of a schedule as the numbers it means; none where it cannot be read."""
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
