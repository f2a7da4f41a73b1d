# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A canary: a small Deployment that tries a changed pod template behind the same Service, before the main Deployment is changed.

It belongs to a run and not to the state of the release: the run that creates it deletes it, when the main Deployment has followed or when
the canary has failed. A revision contains its manifest, as it does for hooks, so that later runs find a canary that a killed run has left.
"""

from __future__ import annotations

import math
import time
from typing import Any, Mapping, Sequence

from .._diagnosis.waiting import Outlook, Watch
from .._kube.api import ApiError, Client
from .._kube.objects import Object, Reference, content_of, mapping, reference
from .._kube.readiness import selector_query
from .chart_hooks import ENDING
from .context import Context, recall, remember
from .deletion import wait_until_gone
from .errors import OperationFailed, Pause, ReleaseError
from .live_state import Live, uid
from .ownership import identity, owner
from .planned import Plan, PlannedObject
from .waiting import not_ready

# Annotations of a canary: the Deployment that it goes before, its share of the pods, and for how many seconds it is observed.
OF = "slipway.kube/canary-of"
PERCENT = "slipway.kube/canary-percent"
OBSERVE = "slipway.kube/canary-observe"
EVERY = 2.0  # seconds between two looks at an observed canary
TELL_EVERY = 10.0  # seconds between two lines of progress about it

Restarts = Mapping[str, int]


def main_of(canary: Object) -> Reference:
    """Return the name of the Deployment that a canary goes before."""
    name = reference(canary)
    return Reference(name.api_version, name.kind, name.namespace, _annotations(canary)[OF])


def tries(canary: Object, plan: Plan, live: Live, upgrade: bool) -> Object | None:
    """Return a canary with its number of pods if a run needs it: if it changes the pods of a Deployment that serves.

    :param live: the live objects.
    :param upgrade: whether a revision is deployed; a first one, or one that corrects a failed first one, has nothing to protect.
    """
    who = identity(main_of(canary))
    main = next((one for one in plan.objects if identity(one.name) == who), None)
    pods = mapping(mapping(live.get(who)).get("spec")).get("replicas", 1)
    if not upgrade or not pods or main is None or main.action != "change":
        return None
    if _template(main.before) == _template(main.after):
        return None
    share = max(1, math.ceil(pods * int(_annotations(canary)[PERCENT]) / 100))
    return dict(canary, spec=dict(canary["spec"], replicas=share))


def add_to(plan: Plan, canary: Object, tried: PlannedObject | ReleaseError | None, live: Object | None) -> None:
    """Add a canary to a plan: one that runs, or one that an earlier run has left and this one deletes.

    :param tried: the canary as it would be applied; None if the run needs none.
    :raises ReleaseError: the cluster would refuse it, or somebody else has a Deployment of its name.
    """
    name = reference(canary)
    mine = live is not None and owner(live) == owner(canary)
    if tried is not None and live is not None and not mine:
        raise ReleaseError(
            f"{name} exists and does not belong to the release, which would run and delete a canary of this name. "
            "Delete or rename it, or choose another strategy. [slipway:canary_name_taken]"
        )
    if isinstance(tried, ReleaseError):
        raise tried
    if tried is not None:
        after = content_of(tried.content)
        plan.hooks.append(PlannedObject(name, "run", tried.content, {}, after, force=tried.force))
    elif live is not None and mine:
        plan.prunes.append(PlannedObject(name, "delete", {}, content_of(live)))


def check_again(plan: Plan, checks: Sequence[Object]) -> None:
    """Plan to run the hooks again that check a canary: the version may have passed them in a run that failed later.

    :param checks: the hooks behind the release that belong to this run.
    """
    jobs = {identity(reference(one)) for one in checks if one["kind"] in ENDING}
    plan.hooks = [
        PlannedObject(one.name, "run", one.content, {}, content_of(one.content))
        if one.action == "none" and identity(one.name) in jobs
        else one
        for one in plan.hooks
    ]


def planned(plan: Plan, canaries: Sequence[Object]) -> list[PlannedObject]:
    """Return the canaries that a plan runs."""
    names = [identity(reference(one)) for one in canaries]
    return [one for one in plan.hooks if one.action == "run" and identity(one.name) in names]


def delete(
    context: Context, canaries: Sequence[Object], inherited: Sequence[Reference] = (), until: float | None = None
) -> tuple[list[Reference], bool]:
    """Delete the canaries that exist; their pods end in the background. One that cannot be deleted is a warning: the next run tries again.

    :param inherited: Deployments of earlier revisions, of which those are deleted that are canaries.
    :param until: time.monotonic() until which to wait that they are gone; None does not wait.
    :returns: those that were deleted, and whether one is left.
    """
    names = {identity(reference(one)): reference(one) for one in canaries}
    others = {identity(name): name for name in inherited}
    found, left = [], False
    for who, name in {**others, **names}.items():
        try:
            live = context.client.find(context.path(name)) or {}
            mine = owner(live) == (context.settings.name, context.settings.namespace)
            if not mine or (who not in names and OF not in _annotations(live)):
                continue
            if context.client.delete(context.path(name), uid(live)):
                found.append(name)
            if until is not None:
                wait_until_gone(context.client, context.path, [live], until)
        except ApiError as error:
            context.warnings.append(f"The canary was not deleted: {error}")
            left = True
    return found, left


def observe(context: Context, canaries: Sequence[Object], state: dict[str, Any]) -> None:
    """Look at ready canaries until each was ready, and restarted no container, for as long as its annotation says.

    :param state: the state of the revision; it keeps since when they are observed, from one call to the next.
    :raises OperationFailed: one is not ready any more, or a container has restarted; with the diagnosis. Or the time is too short.
    :raises Pause: the time slice of this call is used up.
    """
    names = [reference(canary) for canary in canaries]
    seconds = max([int(_annotations(canary)[OBSERVE]) for canary in canaries], default=0)
    watch = context.watch(names)
    recall(watch, state)
    begun = state.setdefault("observed", {"since": time.time(), "restarts": _restarts(context.client, canaries)})
    while True:
        outlook = watch.look()
        spent = time.time() - begun["since"]
        _judge(context, watch, outlook, _restarted(context.client, canaries, begun["restarts"]), spent)
        left = seconds - spent
        if left <= 0:
            return
        if time.monotonic() + left >= context.deadline:
            raise OperationFailed(
                f"The canary is ready, but its {seconds} s of observation do not fit into the rest of timeout "
                f"({context.settings.timeout} s). Raise timeout, or shorten the observation. [slipway:canary_time]"
            )
        if time.time() - begun.get("told", 0.0) >= TELL_EVERY:
            begun["told"] = time.time()
            context.log(
                f"Observing {', '.join(map(str, names))}: ready and without restarts, {math.ceil(left)} s left."
            )
        try:
            context.pause_if_due()
        except Pause:
            remember(watch, state)
            raise
        time.sleep(min(EVERY, left))
        context.lock.check()


def check_time(context: Context, canaries: Sequence[Object]) -> None:
    """Refuse to begin with a main Deployment when there is no time to wait for it: a good version would be rolled back.

    :raises OperationFailed: the time of the run is used up.
    """
    if canaries and time.monotonic() >= context.deadline:
        raise OperationFailed(
            f"The canary is good, but no time is left for {', '.join(str(main_of(one)) for one in canaries)}. "
            f"Raise timeout ({context.settings.timeout} s), of which the canary, its observation and the hooks are a part. [slipway:canary_time]"
        )


def _judge(context: Context, watch: Watch, outlook: Outlook, restarted: Mapping[Reference, str], spent: float) -> None:
    waiting = [*outlook.waiting, *((name, why) for name, why in restarted.items())]
    if waiting:
        outlook.waiting = waiting
        verdict = f"The canary failed after {int(spent)} s of observation"
        raise not_ready(watch, outlook, context.scrub.values, in_release=True, verdict=verdict)


def _restarted(client: Client, canaries: Sequence[Object], before: Restarts) -> dict[Reference, str]:
    """Return the canaries of which a container has restarted since the observation began."""
    found = {}
    for canary in canaries:
        for pod in _pods(client, canary):
            for status in _containers(pod):
                more = int(status.get("restartCount") or 0) - before.get(_key(pod, status), 0)
                if more > 0:
                    end = mapping(mapping(status.get("lastState")).get("terminated"))
                    why = f" (exit code {end.get('exitCode')}, {end.get('reason')})" if end else ""
                    text = f"container {status.get('name')} of pod {pod['metadata']['name']} restarted{why}"
                    found[reference(canary)] = text
    return found


def _restarts(client: Client, canaries: Sequence[Object]) -> dict[str, int]:
    return {
        _key(pod, status): int(status.get("restartCount") or 0)
        for canary in canaries
        for pod in _pods(client, canary)
        for status in _containers(pod)
    }


def _pods(client: Client, canary: Object) -> list[Object]:
    collection = f"/api/v1/namespaces/{reference(canary).namespace}/pods"
    try:
        found = client.items(collection, {"labelSelector": selector_query(canary) or ""})
    except ApiError as error:
        if error.status != 403:
            raise
        return []  # this user may not list pods; the Deployment still tells whether they are ready
    return [pod for pod in found if not pod["metadata"].get("deletionTimestamp")]


def _containers(pod: Object) -> list[dict[str, Any]]:
    status = mapping(pod.get("status"))
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]


def _key(pod: Object, status: Mapping[str, Any]) -> str:
    return f"{uid(pod)}/{status.get('name')}"


def _template(content: Mapping[str, Any]) -> Any:
    return mapping(content.get("spec")).get("template")


def _annotations(content: Mapping[str, Any]) -> Mapping[str, Any]:
    return mapping(mapping(content.get("metadata")).get("annotations"))
