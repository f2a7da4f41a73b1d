# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for workloads, with the reason when it takes too long or is hopeless."""

from __future__ import annotations

import time
from typing import Any, Callable, Mapping, Sequence

from .api import Client
from .objects import Reference, reference
from .ready import WAITED_FOR, Problem, last_event, newest_only, pod_problems, readiness, selector_query


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
    started = time.monotonic()
    pending, looked = names, started
    while pending:
        lives = client.each(lambda name: client.find(path(name)), pending)
        late = [(name, live, why) for name, live, why in zip(pending, lives, map(_why, lives)) if why]
        pending = [name for name, _live, _reason in late]
        now = time.monotonic()
        over = now - started >= seconds
        if late and (over or now - looked >= 5):
            looked = now
            texts, hopeless = _explain(client, late)
            if over or hopeless:
                begin = "Not ready after %d s:" % (now - started) if over else "Waiting is of no use:"
                raise NotReady("\n".join([begin] + texts))
        if pending:
            time.sleep(0.5)
    return [str(name) for name in names]


def _why(live: Mapping[str, Any] | None) -> str:
    if live is None:
        return "it is gone"
    ready, why = readiness(live)
    return "" if ready else why or "it is not ready"


def _explain(client: Client, late: Sequence[tuple[Reference, Any, str]]) -> tuple[list[str], bool]:
    texts: list[str] = []
    hopeless = False
    events: dict[str, list[dict[str, Any]]] = {}
    for name, live, why in late:
        if name.namespace not in events:
            events[name.namespace] = client.items("/api/v1/namespaces/%s/events" % name.namespace)
        lines, lost = explain_workload(live or {}, why, pods_of(client, name, live), events[name.namespace])
        texts += lines
        hopeless = hopeless or lost
    return texts, hopeless


def pods_of(client: Client, name: Reference, live: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """List the pods of a workload; a pod is its own."""
    if not live:
        return []
    if name.kind == "Pod":
        return [dict(live)]
    selector = selector_query(live)
    return client.items("/api/v1/namespaces/%s/pods" % name.namespace, {"labelSelector": selector}) if selector else []


def explain_workload(
    live: Mapping[str, Any], why: str, pods: Sequence[Mapping[str, Any]], events: Sequence[Mapping[str, Any]]
) -> tuple[list[str], bool]:
    """Say why a workload is not ready, pod by pod, and whether that is for good.

    :param why: what :func:`ready.readiness` said.
    """
    newest = newest_only(pods)
    problems: list[Problem] = [problem for pod in newest for problem in pod_problems(pod, events)]
    lines = ["%s: %s." % (reference(live), why)] + ["  " + line for line in tell(problems)]
    if not problems:
        told = _creation_failure(live, events)
        if told:
            lines.append("  no pod could be made: %s" % told)
    lost = {problem.pod for problem in problems if problem.hopeless}
    whole = len(lost) == len(newest) if live.get("kind") == "Deployment" else bool(lost)
    return lines, bool(newest) and whole


def tell(problems: Sequence[Problem]) -> list[str]:
    """Tell each reason once, with the number of pods that have it; those that are final come first."""
    groups: dict[tuple[Any, ...], list[Problem]] = {}
    for problem in sorted(problems, key=lambda problem: not problem.hopeless):
        groups.setdefault((problem.container, problem.reason, problem.message), []).append(problem)
    lines = []
    for same in groups.values():
        more = {problem.pod for problem in same[1:]} - {same[0].pod}
        lines.append(str(same[0]).rstrip() + (" (and %d more pods)" % len(more) if more else ""))
    return lines[:5] + (["and %d more reasons" % (len(lines) - 5)] if len(lines) > 5 else [])


def _creation_failure(live: Mapping[str, Any], events: Sequence[Mapping[str, Any]]) -> str:
    for condition in (live.get("status") or {}).get("conditions") or []:
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
            return condition.get("message") or ""
    metadata = live.get("metadata") or {}
    return (last_event(events, metadata.get("uid") or "", metadata.get("name") or "") or {}).get("message") or ""
