# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way back: the last good revision, with its configuration and its Secrets, is put in place again."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Callable

from .._kube.objects import content_of, defined_kinds, reference
from . import prune
from .apply import Sender
from .context import Work
from .desired import Desired
from .errors import Failed, ReleaseError
from .ownership import key
from .plan import Plan, Planner, Want
from .record import Record, RecordError

Wait = Callable[..., None]


def go_back(work: Work, record: Record, desired: Desired, wait: Wait) -> int:
    """Put the last good revision in place again, wait for it, and take away what only the failed one brought.

    The way back has the whole time of the option C(timeout) for itself.

    :param record: the revision that failed; what is done of the way back is noted in it.
    :param desired: how kinds are served.
    :param wait: waits for objects.
    :returns: the revision that is in place.
    :raises Failed: it could not be put in place, or does not become ready. :raises Pause: this call's time is over.
    """
    state = record.state["back"]
    try:
        good = work.store.read(state["to"])
    except RecordError as error:
        raise Failed(str(error)) from error
    work.scrub.learn(good.objects)
    kinds = dict(desired.served)
    for content in (desired.objects, good.objects):
        for kind, resource in defined_kinds(content).items():
            kinds.setdefault(kind, resource)
    before = Desired(good.objects, good.hooks, kinds, desired.served)
    work.path = before.path
    deadline = time.monotonic() + state["started"] + work.settings.timeout - time.time()
    planner = Planner(work.client, replace(work.settings, take_over=[]), before, record)
    if not state["applied"]:
        with work.phase("back"):
            plan = _plan(planner, before)
            sender = Sender(work.client, before.path, [], deadline, work.lock.check)
            sent = sender.send(plan.steps, insist=True)
        if sender.forced:
            work.warnings.append(f"The way back took over fields that others had set: {'; '.join(sender.forced)}.")
        record.state["digests"] = dict(plan.digests, **sent)
        state["applied"] = True
        work.store.update(record)
    if work.settings.wait:
        with work.phase("back"):
            wait(good.objects, state, True, deadline)
    if work.settings.prune:
        _take_away(work, record, planner)
    return good.revision


def _plan(planner: Planner, before: Desired) -> Plan:
    """Plan only what differs; where the server refuses to say, everything is sent, and what others changed meanwhile is taken back."""
    try:
        return planner.plan()
    except ReleaseError:
        wants = [Want(reference(content), "change", content, {}, content_of(content)) for content in before.objects]
        return Plan(wants)


def _take_away(work: Work, record: Record, planner: Planner) -> None:
    """Delete what the failed revision brought, and nothing that was there before it, also where that had become part of it."""
    brought = set(record.state.get("created") or [])
    brought.update(key(reference(hook)) for part in record.hooks.values() for hook in part)
    going, _kept = planner.to_prune()
    work.lock.check()
    prune.delete_in_order(work.client, planner.path, [live for live in going if key(reference(live)) in brought])
