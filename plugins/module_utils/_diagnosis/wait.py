# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for the workloads of a manifest, with the reason when it takes too long or is hopeless; the rules are those of diagnosis."""

from __future__ import annotations

import time
from typing import Any, Callable, Iterable, Mapping, Sequence

from .._kube.api import Client
from .._kube.objects import Reference, reference
from .._kube.readiness import WAITED_FOR, newest_only
from .finding import Finding, one_line
from .pods import pod_findings
from .ranking import grouped
from .view import View
from .waiting import Watch
from .workloads import creation_finding, hopeless

PAUSE = 0.5
MOST = 5


class NotReady(Exception):
    """Workloads are not ready in time, or will never be; the message says which pods and why."""


def wait_ready(
    client: Client, path: Callable[[Reference], str], contents: Sequence[Mapping[str, Any]], seconds: float
) -> list[str]:
    """Wait until the workloads among some objects are ready.

    :param path: gives the path of an object.
    :param seconds: how long it may take in all.
    :returns: the workloads waited for.
    :raises NotReady: the time is over, or a pod cannot start whatever one waits.
    """
    names = [reference(content) for content in contents if content.get("kind") in WAITED_FOR]
    watch = Watch(client, names, path, grace=0)
    started = time.monotonic()
    while names:
        outlook = watch.look()
        if not outlook.waiting:
            break
        spent = time.monotonic() - started
        if spent >= seconds or outlook.hopeless:
            begin = "Waiting is of no use:" if outlook.hopeless and spent < seconds else "Not ready after %d s:" % spent
            late = ["{}: {}.".format(*pair) for pair in outlook.waiting]
            raise NotReady("\n".join([begin, *late, *tell(outlook.findings)]))
        time.sleep(PAUSE)
    return [str(name) for name in names]


def explain_workload(
    live: Mapping[str, Any], why: str, pods: Sequence[Mapping[str, Any]], events: Sequence[Mapping[str, Any]]
) -> tuple[list[str], bool]:
    """Say why a workload is not ready, and whether that is for good.

    :param why: what :func:`ready.readiness` said.
    :param pods: its pods, of all its revisions.
    """
    newest = newest_only(pods)
    found = [finding for pod in newest for finding in pod_findings(view_of(pods, events), pod)]
    lost = hopeless(live, newest, found)
    if not found:
        refused = creation_finding(view_of(pods, events, live), live)
        found += [refused] if refused is not None else []
    return [f"{reference(live)}: {why}.", *tell(grouped(found))], lost


def explain_pods(pods: Iterable[Mapping[str, Any]], events: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """Say why pods are not ready, each for itself."""
    every = list(pods)
    view = view_of(every, events)
    return [finding for pod in every for finding in pod_findings(view, pod)]


def view_of(
    pods: Sequence[Mapping[str, Any]], events: Sequence[Mapping[str, Any]], live: Mapping[str, Any] | None = None
) -> View:
    """Make a view of what was listed."""
    objects: dict[str, Sequence[Mapping[str, Any]]] = {"Pod": pods, "Event": events}
    if live is not None:
        objects[live.get("kind") or ""] = [live]
    return View(objects, time.time())


def tell(findings: Sequence[Finding]) -> list[str]:
    """Tell each reason once, with the number of pods that have it; those that are final come first."""
    lines = []
    for finding in sorted(findings, key=lambda finding: not finding.hopeless)[:MOST]:
        lines.append(
            "  {}{}.".format(
                one_line(finding.title).rstrip("."), " (%d pods)" % len(finding.pods) if len(finding.pods) > 1 else ""
            )
        )
        lines += ["    " + one_line(text) for text in [*finding.evidence[:2], finding.advice] if text]
    return lines + ([f"  and {len(findings) - MOST} more reasons"] if len(findings) > MOST else [])
