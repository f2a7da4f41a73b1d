# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one loop that waits until objects are ready, and the failure that explains why they are not."""

from __future__ import annotations

import time
from typing import Callable, Sequence

from .._diagnosis.explain import explain_faults
from .._diagnosis.waiting import Outlook, Watch
from .._kube.api import ApiError, Unreachable
from .errors import OperationFailed

FIRST_PAUSE, LONGEST_PAUSE = (
    0.25,
    2.0,
)  # seconds between two polls in the first minute; then they grow with the time that has passed
VERY_LONG_PAUSE, SHARE = 5.0, 30.0
# A release creates a failed Job again.
DELETE_JOB, RUN_AGAIN = "delete the Job and apply it again", "run this again, which creates the Job again"
SHOWN = 5  # objects that a failure lists


def wait_until_ready(
    watch: Watch,
    deadline: float,
    on_poll: Callable[[Outlook], bool] | None = None,
    confirm: float = 0.0,
    sleep: Callable[[float], None] | None = None,
    waited: float = 0.0,
) -> Outlook:
    """Poll until everything is ready, can no longer become ready, or the deadline has passed.

    :param deadline: time.monotonic() at which to give up.
    :param on_poll: called after each poll while something is not ready; returns whether it intervened, so that the outlook may improve before the deadline.
    :param confirm: seconds for which the outlook must stay hopeless before waiting ends.
    :param sleep: called instead of time.sleep() between two polls.
    :param waited: seconds for which the run has waited before, in other calls.
    :returns: the last outlook; C(waiting) is empty when everything is ready, or when at the end only DaemonSets lack no more pods than
        their maxUnavailable allows, which are C(tolerated).
    """
    began = time.monotonic() - waited
    pause, hopeless_since = max(FIRST_PAUSE, min(waited / SHARE, VERY_LONG_PAUSE)), 0.0
    while True:
        outlook = watch.look()
        if not outlook.waiting:
            return outlook
        now = time.monotonic()
        intervened = on_poll is not None and on_poll(outlook)
        hopeless_since = (hopeless_since or now) if outlook.hopeless and not intervened else 0.0
        hopeless = hopeless_since > 0 and now - hopeless_since >= confirm
        if hopeless or now >= deadline:
            return tolerate(outlook)
        (sleep or time.sleep)(min(pause, max(0.05, deadline - now)))
        pause = min(pause * 1.4, max(LONGEST_PAUSE, min((now - began) / SHARE, VERY_LONG_PAUSE)))


def lines_of(outlook: Outlook) -> list[str]:
    """Return, for those who watch, how many objects are ready, and for each of the others what it lacks and the first reason."""
    reasons = {finding.object: finding.title for finding in reversed(outlook.findings)}
    lines = [f"{name}: {why}{f' ({reasons[name]})' if name in reasons else ''}" for name, why in outlook.waiting]
    return [f"{len(outlook.ready)} of {len(outlook.ready) + len(outlook.waiting)} ready", *lines]


def tolerate(outlook: Outlook) -> Outlook:
    """Accept what DaemonSets lack if nothing else is waited for."""
    if outlook.waiting and len(outlook.tolerable) == len(outlook.waiting):
        outlook.tolerated, outlook.waiting = outlook.waiting, []
    return outlook


def tolerated(outlook: Outlook) -> list[str]:
    """Return a sentence for each DaemonSet that counts as ready although it lacks pods, and each object that waits for a person."""
    lines = [f"{name} counts as ready, because its maxUnavailable allows it: {why}." for name, why in outlook.tolerated]
    return lines + [
        f"{name} counts as ready, although it waits for a manual action: {why}." for name, why in outlook.noted
    ]


def not_ready(
    watch: Watch, outlook: Outlook, secrets: Sequence[str], in_release: bool = False, verdict: str = ""
) -> OperationFailed:
    """Build the failure for objects that are not ready, with the diagnosis and the log lines that support it.

    The logs are read immediately, because a rollback deletes the pods.

    :param secrets: values that must not appear in log lines.
    :param in_release: the next run creates failed Jobs again.
    :param verdict: how the message begins, if the objects were ready before.
    """
    late = [name for name, _why in outlook.waiting]
    try:
        findings = explain_faults(watch.client, late, secrets)
    except (ApiError, Unreachable):
        findings = []
    # A container that was ready and ended once is only a warning elsewhere.
    errors = [finding for finding in findings if finding.severity == "error"]
    findings = errors or (findings if verdict else []) or outlook.findings
    if verdict:
        code = "[slipway:was_ready]"
    elif outlook.hopeless:
        verdict, code = "Cannot become ready", "[slipway:wait_hopeless]"
    else:
        verdict, code = "Not ready within the timeout", "[slipway:wait_timeout]"
    first = "; ".join(f"{name}: {why}" for name, why in outlook.waiting[:SHOWN])
    more = f"; and {len(late) - SHOWN} more" if len(late) > SHOWN else ""
    lines = [f"{verdict}: {first}{more}. {code}"]
    explained = {finding.object for finding in findings}
    running = [str(name) for name in late if name.kind == "Job" and name not in explained]
    if running and not outlook.hopeless:
        lines.append(
            f"{', '.join(running[:SHOWN])} may still be running: raise timeout, or do not wait for a long batch Job (annotation "
            "slipway.kube/wait=false)."
        )
    for finding in findings:
        if in_release:
            finding.advice = finding.advice.replace(DELETE_JOB, RUN_AGAIN)
        lines += finding.text()
    return OperationFailed("\n".join(lines), [finding.as_dict() for finding in findings])
