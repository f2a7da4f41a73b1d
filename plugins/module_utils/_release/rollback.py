# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rollback: applies the last deployed revision again, with its configuration and its Secrets."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any, Callable, Sequence

from .._kube.api import Client
from .._kube.objects import Kinds, Object, content_of, reference
from . import ignored, waves
from .apply import Sender
from .context import Context
from .deletion import delete_in_order, delete_in_waves
from .desired import Desired, with_defined
from .errors import OperationFailed, ReleaseError
from .history import read_revision
from .hooks import run_hooks
from .ignored import Ignored
from .live_state import served_as
from .ownership import key
from .plan import Planner
from .planned import Digests, Plan, PlannedObject
from .replicas import overruled
from .revision import DEPLOYED, SUPERSEDED, Revision, UnreadableRevision
from .settings import Settings

Wait = Callable[..., None]


def roll_back(context: Context, revision: Revision, desired: Desired, wait: Wait) -> int:
    """Apply the last deployed revision again, wait for it, and delete what only the failed one created.

    The rollback may take the whole time of the option C(timeout) once more.

    :param revision: the revision that failed; the progress of the rollback is stored in it.
    :param desired: its objects, and how their kinds are served.
    :param wait: waits for objects.
    :returns: the number of the revision that is deployed again.
    :raises OperationFailed: it could not be applied, or does not become ready. :raises Pause: the time slice of this call is used up.
    """
    state = revision.state["back"]
    try:
        good = context.store.read(state["to"])
    except UnreadableRevision as error:
        raise OperationFailed(str(error)) from error
    context.scrub.learn(good.all)
    kinds = with_defined(desired.served, desired.objects + good.objects)
    objects, notes = served_objects(good.objects, kinds)
    context.warnings = list(dict.fromkeys([*context.warnings, *notes]))
    hooks = {when: served_objects(part, kinds)[0] for when, part in good.hooks.items()}
    before = Desired(objects, hooks, kinds, desired.served, [*desired.ignored, *generated(good)])
    context.path = before.path
    context.expect(objects)
    deadline = time.monotonic() + state["started"] + context.settings.timeout - time.time()

    def run(when: str, until: float) -> None:
        sender = Sender(context.client, before.path, until, check=context.lock.check)
        with context.phase("back"):
            run_hooks(context, sender, hooks.get(when) or [], when, state, lambda: context.store.update(revision))

    settings = replace(context.settings, take_over=[], waves=good.state.get("waves") or [])
    planner = Planner(context.client, settings, before, revision)
    if not state["applied"]:
        if _was_begun(revision):
            try:
                run("pre-rollback", time.monotonic() + (deadline - time.monotonic()) / 2)
            except OperationFailed as error:
                why = str(error).partition("\n")[0]
                context.warnings.append(f"The rollback went on although a pre-rollback hook failed: {why}")
        with context.phase("back"):
            plan = _plan(planner, before)
            first = _created(revision, overruled(before.objects, planner.autoscalers.leaving))
            delete_in_order(context.client, planner.path, first, deadline)
            sender = Sender(context.client, before.path, deadline, check=context.lock.check, early=before.early)
        sent = _send(context, plan, sender, state, wait, deadline)
        if sender.forced:
            context.warnings.append(
                f"The rollback took over fields that other field managers had set: {'; '.join(sender.forced)}."
            )
        revision.state["digests"] = dict(plan.digests, **sent)
        state["applied"] = True
        context.store.update(revision)
    if context.settings.wait:
        with context.phase("back"):
            wait(objects, state, True, deadline)
    run("post-rollback", deadline)
    if context.settings.prune:
        _delete_created(context, revision, planner, deadline)
    return good.number


def restored(client: Client, settings: Settings, served: Kinds) -> tuple[Desired, list[str], waves.Entries]:
    """Return the objects of the stored revision that the user has chosen, sentences about those that are translated or left out, and its waves.

    :param served: the kinds that the cluster serves.
    :raises ReleaseError: there is no such revision, or it was never deployed.
    """
    number = settings.revision or 0
    good = read_revision(client, settings.namespace, settings.name, number)
    if good.status not in (DEPLOYED, SUPERSEDED):
        raise ReleaseError(
            f"Revision {number} of release {settings.name} in namespace {settings.namespace} has the status {good.status}: it never became "
            "ready. Choose one that was deployed; slipway.kube.release_info lists them."
            " [slipway:revision_missing]"
        )
    kinds = with_defined(served, good.objects)
    objects, notes = served_objects(good.objects, kinds)
    hooks = {when: served_objects(part, kinds)[0] for when, part in good.hooks.items()}
    desired = Desired(objects, hooks, kinds, served, [*settings.ignored, *generated(good)])
    return desired, notes, good.state.get("waves") or []


def generated(revision: Revision) -> list[Ignored]:
    """Return the fields of a revision that its chart makes anew with each rendering."""
    return ignored.read(revision.state.get("generated") or [])


def served_objects(contents: Sequence[Object], kinds: Kinds) -> tuple[list[Object], list[str]]:
    """Return objects in API versions that the cluster serves, with a sentence for each that is translated or left out.

    :param kinds: the kinds that are served, including those that the objects define.
    """
    objects: list[Object] = []
    notes: list[str] = []
    for content in contents:
        name = reference(content)
        served = served_as(name, kinds)
        why = f"because the cluster no longer serves {name.api_version}."
        if served is None:
            notes.append(f"The rollback left out {name}, {why}")
            continue
        if served != name:
            notes.append(f"The rollback applied {name} as {served.api_version}, {why}")
            content = dict(content, apiVersion=served.api_version)
        objects.append(content)
    return objects, notes


def _plan(planner: Planner, before: Desired) -> Plan:
    """Plan only what differs; if the server refuses the dry run, apply everything and override concurrent changes."""
    try:
        return planner.plan()
    except ReleaseError:
        return Plan(
            [
                PlannedObject(
                    reference(content),
                    "change",
                    content,
                    {},
                    content_of(content),
                    wave=waves.wave_of(content, planner.settings.waves),
                )
                for content in before.objects
            ]
        )


def _send(context: Context, plan: Plan, sender: Sender, state: dict[str, Any], wait: Wait, deadline: float) -> Digests:
    """Apply the objects of the deployed revision in its waves, each when those before it are ready.

    :param state: of the rollback, which knows what an earlier call of it has applied.
    :returns: the digests of what was applied.
    """
    mine = state.get("sent") or []
    # A Job that was applied and has failed since is not run again.
    objects = [
        replace(one, action="none") if one.name.kind == "Job" and key(one.name) in mine else one for one in plan.objects
    ]
    sent: Digests = {}
    parts = waves.split(objects) or [[]]
    for number, part in enumerate(parts, 1):
        with context.phase("back"):
            sent.update(sender.send(part, insist=True, release=objects))
            state["sent"] = sorted({*mine, *sent})
            if number < len(parts) and context.settings.wait:
                context.log(f"Waiting for wave {number} of {len(parts)}.")
                wait([one.content for one in part], state, True, deadline)
    return sent


def _delete_created(context: Context, revision: Revision, planner: Planner, deadline: float) -> None:
    """Delete what the failed revision created, and nothing that existed before it, even if it had become part of the revision.

    What cannot be deleted is a warning: the objects of the deployed revision are applied and ready.
    """
    unneeded, _kept = planner.to_prune()
    context.lock.check()
    created = _created(revision, unneeded)
    parts = waves.split_live(created, planner.waves)
    try:
        delete_in_waves(context.client, planner.path, parts, deadline, wait=context.settings.wait)
    except OperationFailed as error:
        names = [reference(live) for live in created]
        left = [str(name) for name in names if context.client.find(planner.path(name)) is not None]
        context.warnings.append(
            f"The rollback left {', '.join(left)}, which only the failed revision has: {error} The next run tries again to delete them."
        )


def _was_begun(revision: Revision) -> bool:
    """Return whether the objects of a failed revision may have been applied, and not only the hooks before it were run."""
    before = "pre-rollback" if revision.state.get("restores") else "pre"
    return "pre" in (revision.state.get("done") or []) or not revision.hooks.get(before)


def _created(revision: Revision, lives: Sequence[Object]) -> list[Object]:
    created = set(revision.state.get("created") or [])
    created.update(key(reference(hook)) for part in revision.hooks.values() for hook in part)
    return [live for live in lives if key(reference(live)) in created]
