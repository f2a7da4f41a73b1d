# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The execution of a stored revision: run hooks, apply, wait, run hooks, prune, finish, or roll back.

The stored revision always shows how far the run is, and names every object before it is created. So a run that is killed at any
point leaves what the next run needs to finish it, and a run can continue in another call.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any, Callable, Sequence

from .._kube.api import ApiError, Unreachable
from .._kube.objects import Object, is_custom, reference
from . import canary, waves
from .apply import Sender
from .chart_hooks import LASTING
from .context import Context
from .deletion import delete_in_order, delete_in_waves
from .desired import Desired
from .errors import OperationFailed, Pause, ReleaseError
from .fingerprint import digest, live_digest
from .hooks import needed_by_hooks, run_hooks
from .jobs import done_jobs, restore_ttl
from .ownership import identity, is_applied_last, key
from .plan import Planner
from .planned import Digests, Plan, PlannedObject
from .replicas import SCALER
from .report import ResultBuilder, plural, summary
from .revision import DEPLOYED, FAILED, ROLLED_BACK, Revision
from .rollback import roll_back
from .settings import CANARY
from .stateful_set import blocks, delete_blocking_pods, find_blocking_pods

SETTLE = 5.0  # seconds in which nodes learn to which pods a Service sends connections, before other pods are deleted
UNBLOCK_EVERY = 2.0  # seconds between searches for pods that block a StatefulSet


class Execution:
    """Executes one revision, perhaps over several calls."""

    def __init__(
        self,
        context: Context,
        desired: Desired,
        results: ResultBuilder,
        plan: Callable[[Revision], Plan],
    ) -> None:
        """Initialize.

        :param plan: plans again, for a call that continues another one.
        """
        self.client = context.client
        self.settings = context.settings
        self.context = context
        self.store = context.store
        self.desired = desired
        self.results = results
        self.plan = plan

    def run(self, revision: Revision, plan: Plan | None) -> dict[str, Any]:
        """Run the phases that the revision has not completed; roll back if one fails.

        :param plan: what has to be done; None if another call has begun.
        :returns: the module's result.
        """
        if plan is not None:
            revision.state["actions"] = plan.actions
            # A revision that is stored for the first time is a change by itself.
            new = revision.state.pop("new", False)
            revision.state["changes"] = plan.has_changes or new
        answer = self.results.begin(plan, revision, changed=revision.state.get("changes", True))
        try:
            if not revision.state.get("back"):
                try:
                    self._run_phases(revision, plan, answer)
                    return self._finish(revision, answer)
                except OperationFailed as error:
                    if not self._start_rollback(revision, error):
                        return self._failed(revision, answer, FAILED, self._why_no_rollback())
            good = self._roll_back(revision)
            answer["rolled_back_to"] = good
            return self._failed(
                revision, answer, ROLLED_BACK, f"Rolled back to revision {good}.{self._why_untouched(revision)}"
            )
        except Pause:
            self.store.update(revision)
            self.context.lock.pause()
            return self.results.unfinished(answer)
        except OperationFailed as error:
            text = f"The rollback to revision {revision.state['back']['to']} failed as well: {error} [slipway:rollback_failed]"
            return self._failed(revision, answer, FAILED, text)
        except Unreachable as error:
            text = f"{error} Revision {revision.number} of release {revision.release} is unfinished; the next run finishes it."
            raise Unreachable(text) from error

    def _roll_back(self, revision: Revision) -> int:
        back = revision.state["back"]
        try:
            if not back.get("withdrawn"):
                # Its pods may be answering requests.
                kind = ("apps/v1", "Deployment")
                old = [name for name in revision.inherited if (name.api_version, name.kind) == kind]
                _deleted, back["canary_left"] = canary.delete(self.context, revision.hooks.get(CANARY) or [], old)
                back["withdrawn"] = True
            return roll_back(self.context, revision, self.desired, self.wait)
        except ApiError as error:
            raise OperationFailed(str(error)) from error

    def _run_phases(self, revision: Revision, plan: Plan | None, answer: dict[str, Any]) -> None:
        """Run the phases that this revision has not completed.

        :raises OperationFailed: a phase failed. :raises Pause: the time slice of this call is used up.
        """
        done: list[str] = revision.state["done"]
        settings, context = self.settings, self.context
        path, early = self.desired.path, self.desired.early
        sender = Sender(self.client, path, context.deadline, settings.take_over, context.lock.check, early=early)
        sender.keep_jobs = settings.wait
        sender.grow = settings.replace == "immutable"

        def save() -> None:
            self.store.update(revision)

        before, after = ("pre-rollback", "post-rollback") if revision.state.get("restores") else LASTING
        if "pre" not in done and revision.hooks.get(before):
            with context.phase("hooks"):
                # A new service account or configuration that these Jobs use; existing ones still serve the old pods.
                sender.send(needed_by_hooks(plan.objects if plan else [], early), complete=False)
                run_hooks(context, sender, revision.hooks[before], before, revision.state, save)
            done.append("pre")
        if "apply" not in done:
            self._apply(revision, plan, sender, answer)
            done.append("apply")
            save()
        tried = [one for one in revision.hooks.get(CANARY) or [] if revision.state.get("canary")]
        if "wait" not in done:
            if settings.wait:
                with context.phase("wait"):
                    late = revision.state.get("last") or []
                    now = [content for content in revision.objects if key(reference(content)) not in late]
                    self.wait([*now, *tried], revision.state, False)
                    self._end_jobs(revision, now)
                answer["waited_for"] = context.workloads(revision.objects)
            done.append("wait")
        if tried and "observe" not in done:
            with context.phase("observe"):
                canary.observe(context, tried, revision.state)
            done.append("observe")
        if "post" not in done and revision.hooks.get(after):
            with context.phase("hooks"):
                run_hooks(context, sender, revision.hooks[after], after, revision.state, save)
            done.append("post")
        if "last" not in done:
            self._apply_last(revision, plan, sender, tried)
            self._delete_canary(revision, answer)
            done.append("last")
        if "prune" not in done and settings.prune:
            with context.phase("prune"):
                try:
                    answer["pruned"] = [*answer.get("pruned", []), *self._prune(revision)]
                except OperationFailed as error:
                    # The new objects are ready and their hooks have run, so this is no reason for a rollback. The next run tries again.
                    context.warnings.append(
                        f"Some objects that the release no longer contains were not deleted: {error}"
                    )
            done.append("prune")

    def _apply(self, revision: Revision, plan: Plan | None, sender: Sender, answer: dict[str, Any]) -> None:
        if plan is None:
            plan = self._plan_again(revision)
            answer.update(self.results.begin(plan, revision, changed=revision.state.get("changes", True)))
        with self.context.phase("apply"):
            first = delete_in_order(self.client, self.context.path, plan.overruled, self.context.deadline)
            answer["pruned"] = [name.as_dict() for name in first]
            tries = canary.planned(plan, revision.hooks.get(CANARY) or [])
            # The Deployment that a canary goes before is changed when the canary is ready.
            mains = [identity(canary.main_of(one.content)) for one in tries]
            late = [one for one in plan.objects if _waits(one) or identity(one.name) in mains]
            now = [one for one in plan.objects if one not in late]
            *earlier, final = waves.split(now) or [[]]
        sent: Digests = {}
        for number, wave in enumerate(earlier, 1):
            with self.context.phase("apply"):
                sent.update(self._send(sender, wave, now))
            revision.state["sent"] = sorted({*(revision.state.get("sent") or []), *sent})
            if self.settings.wait:
                self.context.log(f"Waiting for wave {number} of {len(earlier) + 1}.")
                with self.context.phase("wait"):
                    self.wait([one.content for one in wave], revision.state, False)
        with self.context.phase("apply"):
            sent.update(self._send(sender, final, now))
            # What an earlier run has left may have failed for a reason that is gone, and would not be judged anew.
            canary.delete(self.context, [one.content for one in tries], until=self.context.deadline)
            sender.send([replace(one, action="create") for one in tries])
        revision.state["digests"] = dict(plan.digests, **sent)
        revision.state.pop("sent", None)
        revision.state["last"] = [key(one.name) for one in late]
        revision.state["canary"] = [key(one.name) for one in tries]
        if tries:
            checks = {key(reference(content)) for content in revision.hooks.get("post") or []}
            revision.state["hooks_done"] = [one for one in revision.state.get("hooks_done") or [] if one not in checks]
        revision.state.setdefault("actions", plan.actions)
        self.context.log(f"Applied {plural(len(now), 'object')}.")
        for one in tries:
            self.context.log(f"Trying {one.name} with {plural(one.content['spec']['replicas'], 'pod')}.")

    def _send(self, sender: Sender, wave: Sequence[PlannedObject], release: Sequence[PlannedObject]) -> Digests:
        try:
            return sender.send(wave, release=release)
        finally:
            self.context.warnings += sender.notes
            sender.notes = []

    def _apply_last(self, revision: Revision, plan: Plan | None, sender: Sender, tried: Sequence[Object]) -> None:
        """Apply the changes that wait until everything else is ready.

        :param tried: the canaries that have tried them.
        """
        names = revision.state.get("last") or []
        waiting = [content for content in revision.objects if key(reference(content)) in names]
        if not waiting:
            return
        if not revision.state.get("promoted"):
            canary.check_time(self.context, tried)
        revision.state["promoted"] = True
        with self.context.phase("apply"):
            objects = plan.objects if plan else self._plan_last(revision, names)
            sent = sender.send([one for one in objects if key(one.name) in names])
        if sent:
            revision.state["digests"].update(sent)
            self.context.log(f"Applied {plural(len(sent), 'object')} last.")
            if any(is_applied_last(content) for content in waiting):
                time.sleep(SETTLE)
        if self.settings.wait:
            with self.context.phase("wait"):
                self.wait(waiting, revision.state, False)
                self._end_jobs(revision, waiting)

    def _delete_canary(self, revision: Revision, answer: dict[str, Any]) -> None:
        """Delete the canary that the main Deployment has followed, or one that an earlier run has left."""
        deleted, _left = canary.delete(self.context, revision.hooks.get(CANARY) or [])
        if deleted and not revision.state.get("canary"):
            answer["pruned"] = [*answer.get("pruned", []), *(name.as_dict() for name in deleted)]

    def _plan_last(self, revision: Revision, names: Sequence[str]) -> list[PlannedObject]:
        """Plan what waits in a call that continues another one; what was applied before is not judged again."""
        some = [one for one in revision.objects if key(reference(one)) in names or one["kind"] == SCALER]
        desired = replace(self.desired, objects=some, hooks={})
        try:
            return Planner(self.client, replace(self.settings, prune=False), desired, revision).plan().objects
        except ReleaseError as error:
            raise OperationFailed(str(error)) from error

    def _plan_again(self, revision: Revision) -> Plan:
        """Plan in a call that continues another one. A Job that this run has applied and that has failed since is not run again."""
        try:
            plan = self.plan(revision)
        except ReleaseError as error:
            raise OperationFailed(str(error)) from error
        mine = revision.state.get("sent") or []
        plan.objects = [
            replace(one, action="none") if one.name.kind == "Job" and key(one.name) in mine else one
            for one in plan.objects
        ]
        return plan

    def _end_jobs(self, revision: Revision, objects: Sequence[Object]) -> None:
        """Give the Jobs that were awaited their TTL back."""
        force = self.settings.force_conflicts
        wanted = {key(reference(content)): digest(content) for content in objects}
        for name, live in restore_ttl(self.client, self.context.path, objects, force).items():
            revision.state["digests"][name] = [wanted[name], live_digest(live)]

    def wait(self, objects: Sequence[Object], memory: dict[str, Any] | None, back: bool, deadline: float = 0.0) -> None:
        """Wait until objects are ready, and unblock StatefulSets that cannot continue by themselves."""
        sets = [reference(content) for content in objects if content.get("kind") == "StatefulSet"]
        deadline = deadline or self.context.deadline
        self.context.wait_for(self.context.waited_for(objects), deadline, self._unblocker(sets, back), memory)

    def _unblocker(self, sets: Sequence[Any], back: bool) -> Callable[[bool], bool] | None:
        last = [0.0]

        def unblock(hopeless: bool) -> bool:
            if not hopeless and time.monotonic() - last[0] < UNBLOCK_EVERY:
                return False
            last[0] = time.monotonic()
            if not self.settings.delete_blocking_pods:
                self._name_blocking_pods(sets, back)
                return False
            pods = delete_blocking_pods(self.client, sets, self.context.path, back)
            for pod in pods:
                self.context.log(
                    f"Deleted pod {pod} of another revision, which blocked the rollout of its StatefulSet."
                )
            return bool(pods)

        return unblock if sets else None

    def _name_blocking_pods(self, sets: Sequence[Any], back: bool) -> None:
        for namespace, pod in find_blocking_pods(self.client, sets, self.context.path, back):
            line = blocks(f"{namespace}/{pod['metadata']['name']}")
            if line not in self.context.warnings:
                self.context.warnings.append(line)

    def _prune(self, revision: Revision) -> list[dict[str, str]]:
        """Delete what earlier revisions contain and this one does not; read again, now that everything else has succeeded."""
        planner = Planner(self.client, self.settings, self.desired, revision)
        unneeded, kept = planner.to_prune()
        self.context.warnings = list(dict.fromkeys(self.context.warnings + kept))
        self.context.lock.check()
        # A custom resource whose deletion an earlier run requested may still be waiting for its operator.
        held = [live for live in planner.leaving() if is_custom(live)]
        parts = waves.split_live(unneeded + held, planner.waves)
        deadline, report = self.context.deadline, self._report_deletion
        deleted = delete_in_waves(self.client, planner.path, parts, deadline, report, self.settings.wait)
        left = set(planner.live) - {identity(name) for name in deleted}
        revision.state["inherited"] = [name.as_dict() for name in revision.inherited if identity(name) in left]
        return [name.as_dict() for name in deleted]

    def _report_deletion(self, left: Sequence[Object]) -> None:
        # Only custom resources are waited for if there are no waves.
        what = "object is" if len(left) == 1 else "objects are"
        if all(map(is_custom, left)):
            what = "custom resource is" if len(left) == 1 else "custom resources are"
        end = "finalized" if is_custom(left[0]) else "gone"
        self.context.log(f"Waiting until {len(left)} {what} {end}, first {reference(left[0])}.")
        self.context.lock.check()

    def _finish(self, revision: Revision, answer: dict[str, Any]) -> dict[str, Any]:
        revision.status = DEPLOYED
        revision.state.pop("suspicious", None)
        revision.state["jobs_done"] = done_jobs(revision.objects, self.desired.ignored)
        hooks = {key(reference(content)) for when in LASTING for content in revision.hooks.get(when) or []}
        restores = revision.state.get("restores")
        # The hooks of a revision that is restored have run when it was deployed first.
        done = revision.state.get("hooks_done") or []
        revision.state["hooks_done"] = sorted(hooks) if restores else [one for one in done if one in hooks]
        text = summary(revision.state.get("actions") or [], self.settings, revision.number, False)
        text += f" It has the objects of revision {restores}." if restores else ""
        self.store.update(revision, self.context.scrub.text(text))
        self.store.supersede(revision.number)
        self.store.trim(self.settings.history)
        self.context.lock.release()
        return self.results.success(answer, text)

    def _start_rollback(self, revision: Revision, error: OperationFailed) -> bool:
        """Store the failure, and return whether to roll back."""
        scrub = self.context.scrub
        revision.state["failure"] = {"text": scrub.text(str(error)), "findings": scrub.clean(error.findings)}
        self.store.refresh()
        good = self.store.last_deployed()
        if self.settings.on_failure != "rollback" or not good:
            return False
        revision.state["back"] = {"to": good, "started": time.time(), "applied": False}
        revision.state.pop("suspicious", None)
        self.store.update(revision)
        self.context.log(f"Revision {revision.number} failed; rolling back to revision {good}.")
        return True

    def _why_untouched(self, revision: Revision) -> str:
        """Return what a canary has saved, with a leading space; empty if there was none."""
        if not revision.state.get("canary") or revision.state.get("promoted"):
            return ""
        back = revision.state["back"]
        mains = [canary.main_of(one) for one in revision.hooks[CANARY]]
        end = "not deleted (see the warnings)" if back.get("canary_left") else "deleted"
        # The run before this one may have changed it, which only the rollback has taken back.
        sent = any(key(main) in (back.get("sent") or []) for main in mains)
        never = "" if sent else f", and {', '.join(map(str, mains))} was never changed"
        return f" The canary was {end}{never}."

    def _why_no_rollback(self) -> str:
        if self.settings.on_failure == "keep":
            return "The applied objects are kept (on_failure: keep)."
        return (
            "There is no earlier revision to roll back to, so the applied objects are kept. "
            "Correct the objects and run this again, or delete the release with state: absent."
        )

    def _failed(self, revision: Revision, answer: dict[str, Any], status: str, end: str) -> dict[str, Any]:
        failure = revision.state["failure"]
        revision.status = status
        first = failure["text"].split("\n")[0]
        end_line = end.split("\n")[0]
        self.store.update(revision, self.context.scrub.text(f"{first} {end_line}"))
        self.store.trim(self.settings.history)
        self.context.lock.release()
        text = (
            f"Release {self.settings.name} in namespace {self.settings.namespace}: revision {revision.number} failed. "
            f"{failure['text']}\n{end}"
        )
        answer["status"] = status
        return self.results.failure(answer, text, failure["findings"])


def _waits(one: PlannedObject) -> bool:
    """Return whether an object is applied last; one that does not exist yet may be needed by the others."""
    return one.action != "create" and is_applied_last(one.content)
