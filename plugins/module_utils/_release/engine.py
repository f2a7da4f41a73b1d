# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of a release: look, plan, and if there is something to do: lock, record, hooks, apply, wait, prune, hooks, done.

The record says at every moment how far the run is, and names what may be in the cluster before it is there. So a run that is
killed anywhere leaves what the next one needs to finish it, and the same run may go on in another call.
"""

from __future__ import annotations

import time
from typing import Any, Callable, Sequence

from .._kube.api import ApiError, Client, Unreachable
from .._kube.objects import Object, reference
from .._kube.redaction import Redactor
from . import prune
from .apply import Sender
from .capabilities import warnings as capability_warnings
from .context import Work, shown, waited_for
from .desired import Desired, desire, discover
from .errors import Failed, LockLost, Pause, ReleaseError
from .hooks import needed_by_hooks, run_hooks
from .lock import Lock
from .ownership import MANAGER, identity, key, references
from .plan import Plan, Planner, candidates
from .record import DEPLOYED, FAILED, PENDING, ROLLED_BACK, Record
from .report import Report, summary
from .rollback import go_back
from .settings import Settings
from .stateful_set import free
from .store import Store

NUDGE = 2.0  # seconds between looks for pods that are in the way


class Engine:
    """Brings one release to what is wanted."""

    def __init__(self, client: Client, settings: Settings, check_mode: bool) -> None:
        """Read what is wanted and what the cluster serves.

        :raises ReleaseError: the objects cannot be what a release contains.
        """
        self.client = client
        self.settings = settings
        self.check_mode = check_mode
        self.desired: Desired = desire(settings, discover(client))
        self.store = Store(client, settings.name, settings.namespace)
        lock = Lock(client, settings.name, settings.namespace, settings.run_id)
        scrub = Redactor(self.desired.all)
        self.work = Work(client, settings, self.store, lock, self.desired.path, scrub)
        self.report = Report(settings, self.work)

    def run(self) -> dict[str, Any]:
        """Do it, or in check mode tell what would be done.

        :returns: the module's answer; C(failed) is in it where the release did not become ready.
        :raises ReleaseError: it is refused, nothing was changed. :raises LockLost: another run took over.
        """
        with self.work.open_when_refused():
            return self._run()

    def _run(self) -> dict[str, Any]:
        latest = self._latest()
        if (
            latest
            and not self.check_mode
            and latest.status == PENDING
            and latest.state.get("run") == self.settings.run_id
        ):
            self.work.take_lock()
            return self._go(latest, None)
        plan = self._plan(latest)
        current = self._current(latest)
        same = self._same(current, plan)
        if self.check_mode:
            return self.report.predicted(plan, current, same)
        if same and latest is not None and current is not None:
            return self._nothing(latest, current, plan)
        plan = self._make_namespace(plan, latest)
        self.work.take_lock()
        seen = latest.version if latest else ""
        latest = self._latest()
        if seen != (latest.version if latest else ""):
            plan = self._plan(latest)
            current = self._current(latest)
            if latest is not None and self._same(current, plan) and current is not None:
                # Another run has done meanwhile what this one came for.
                return self._nothing(latest, current, plan, locked=True)
        return self._go(self._record(latest, plan), plan)

    def _same(self, current: Record | None, plan: Plan) -> bool:
        """Whether the cluster is what is wanted already."""
        return current is not None and current.digest == self.desired.digest and not plan.work

    def _latest(self) -> Record | None:
        entries = self.store.look()
        latest = self.store.read(entries[-1].revision) if entries else None
        if latest is not None:
            self.work.scrub.learn(latest.objects)
        return latest

    def _current(self, latest: Record | None) -> Record | None:
        """Give the record of what the cluster is: the newest, or the one to which a failed one went back."""
        if latest is None or latest.status == DEPLOYED:
            return latest
        good = self.store.good()
        return self.store.read(good) if latest.status == ROLLED_BACK and good else None

    def _plan(self, latest: Record | None) -> Plan:
        with self.work.phase("plan"):
            plan = Planner(self.client, self.settings, self.desired, latest).plan()
            lines = plan.warnings + plan.kept + capability_warnings(self.client, self.desired.all)
            self.work.warnings = list(dict.fromkeys(lines))
        return plan

    def _nothing(self, latest: Record, current: Record, plan: Plan, locked: bool = False) -> dict[str, Any]:
        """Nothing is to be sent. The answer still says whether it is ready, where that was asked.

        :param locked: the lock is held already.
        """
        self.work.warnings = [line for line in self.work.warnings if line not in plan.kept]  # told when they were kept
        if plan.digests != latest.state.get("digests"):
            latest.state["digests"] = plan.digests
            try:
                self.store.update(latest)
            except (ApiError, LockLost):
                pass  # the next run asks the server again, that is all
        answer = self.report.made(plan, current, changed=False)
        if self.settings.wait:
            try:
                with self.work.phase("wait"):
                    if not self.work.ready_now(references(waited_for(self.desired.objects))):
                        if not locked:
                            self.work.take_lock()
                        self._wait(self.desired.objects, None, False)
            except Pause:
                self.work.lock.pause()
                return self.report.unfinished(answer)
            except Failed as error:
                self.work.lock.release_it()
                text = f"Release {self.settings.name}: nothing was to be changed, and it is not ready. {error}"
                return self.report.failure(answer, text, error.findings)
        if self.settings.wait or locked:
            self.work.lock.release_it()
        return self.report.done(answer, summary(plan.actions, self.settings, current.revision, False))

    def _make_namespace(self, plan: Plan, latest: Record | None) -> Plan:
        """Make the namespace in which the record lives, where it comes with this release, and ask for the dry runs that need it.

        :returns: the plan with what the server now says.
        :raises ReleaseError: it refuses some of the objects. The namespace stays: somebody else may use it by now.
        """
        made = [
            want
            for want in plan.namespaces + plan.steps
            if (want.name.kind, want.name.name, want.action) == ("Namespace", self.settings.namespace, "create")
        ]
        if not made:
            return plan
        path = self.desired.path(made[0].name)
        self.client.apply(path, made[0].content, MANAGER, made[0].force, dry_run=False)
        try:
            asked = self._plan(latest)
        except ReleaseError as error:
            left = f"Namespace {made[0].name.name} was made to ask the server, and stays; nothing else was changed."
            raise ReleaseError(f"{error}\n{left}") from error
        asked.namespaces = plan.namespaces
        asked.steps = [made[0] if want.name == made[0].name else want for want in asked.steps]
        return asked

    def _record(self, latest: Record | None, plan: Plan) -> Record:
        """Write down what is to come, before anything of it is there; a killed run for the same is taken up again."""
        created = {key(step.name) for step in plan.steps if step.action == "create"}
        if latest is not None and latest.status in (PENDING, FAILED):
            created.update(
                latest.state.get("created") or []
            )  # what an unfinished revision has made was not there before
        run = {"run": self.settings.run_id, "done": [], "started": time.time(), "created": sorted(created)}
        if latest is not None and latest.status == PENDING:
            if latest.digest == self.desired.digest:
                latest.state.update(run)
                latest.state.pop("back", None)
                self.store.update(latest)
                return latest
            latest.status = FAILED
            self.store.update(latest, "It was interrupted, and another revision followed.")
        state = dict(
            run,
            inherited=[name.as_dict() for name in candidates(self.desired, latest)],
            digests=(latest.state.get("digests") or {}) if latest else {},
            hooks_done=(latest.state.get("hooks_done") or []) if latest else [],
        )
        record = Record(
            self.settings.name,
            self.settings.namespace,
            latest.revision + 1 if latest else 1,
            self.desired.objects,
            self.desired.hooks,
            PENDING,
            state,
        )
        self.store.create(record)
        return record

    def _go(self, record: Record, plan: Plan | None) -> dict[str, Any]:
        answer = self.report.made(plan, record, changed=True)
        if plan is not None:
            record.state["actions"] = plan.actions
        try:
            if not record.state.get("back"):
                try:
                    self._phases(record, plan, answer)
                    return self._finish(record, answer)
                except Failed as error:
                    if not self._turn_round(record, error):
                        return self._failed(record, answer, FAILED, self._left_text(record))
            good = self._go_back(record)
            answer["rolled_back_to"] = good
            return self._failed(record, answer, ROLLED_BACK, "Revision %d is back in place." % good)
        except Pause:
            self.store.update(record)
            self.work.lock.pause()
            return self.report.unfinished(answer)
        except Failed as error:
            text = f"Going back to revision {record.state['back']['to']} failed as well: {error}"
            return self._failed(record, answer, FAILED, text)
        except Unreachable as error:
            text = "%s Revision %d of release %s is unfinished; the next run finishes it."
            raise Unreachable(text % (error, record.revision, record.release)) from error

    def _go_back(self, record: Record) -> int:
        try:
            return go_back(self.work, record, self.desired, self._wait)
        except ApiError as error:
            raise Failed(str(error)) from error

    def _phases(self, record: Record, plan: Plan | None, answer: dict[str, Any]) -> None:
        """Do what this revision has not done yet.

        :raises Failed: a phase failed. :raises Pause: this call's time is over.
        """
        done: list[str] = record.state["done"]

        def note() -> None:
            self.store.update(record)

        sender = self._sender()
        if "pre" not in done and record.hooks.get("pre"):
            with self.work.phase("hooks"):
                # A new account or configuration that these Jobs use; what is there already still serves the old pods.
                sender.send(needed_by_hooks(plan.steps if plan else []))
                run_hooks(self.work, sender, record.hooks["pre"], "pre", record.state, note)
            done.append("pre")
        if "apply" not in done:
            if plan is None:
                try:
                    plan = self._plan(record)
                except ReleaseError as error:
                    raise Failed(str(error)) from error
                answer.update(self.report.made(plan, record, changed=True))
            with self.work.phase("apply"):
                sent = sender.send(plan.steps)
            record.state["digests"] = dict(plan.digests, **sent)
            record.state.setdefault("actions", plan.actions)
            done.append("apply")
            note()
            self.work.say(f"{len(plan.steps)} object{'' if len(plan.steps) == 1 else 's'} applied.")
        if "wait" not in done:
            if self.settings.wait:
                with self.work.phase("wait"):
                    self._wait(record.objects, record.state, False)
                answer["waited_for"] = shown(record.objects)
            done.append("wait")
        if "prune" not in done and self.settings.prune:
            with self.work.phase("prune"):
                try:
                    answer["pruned"] = self._prune(record)
                except Failed as error:
                    # What is new is there and ready: no reason to go back. The next run tries again.
                    self.work.warnings.append(f"What the release no longer contains is not all gone: {error}")
            done.append("prune")
        if "post" not in done and record.hooks.get("post"):
            with self.work.phase("hooks"):
                run_hooks(self.work, sender, record.hooks["post"], "post", record.state, note)
            done.append("post")

    def _sender(self) -> Sender:
        return Sender(self.client, self.desired.path, self.settings.take_over, self.work.deadline, self.work.lock.check)

    def _wait(
        self, objects: Sequence[Object], memory: dict[str, Any] | None, back: bool, deadline: float = 0.0
    ) -> None:
        """Wait until objects are ready, and free StatefulSets that cannot go on by themselves."""
        sets = [reference(content) for content in objects if content.get("kind") == "StatefulSet"]
        self.work.wait_for(
            references(waited_for(objects)), deadline or self.work.deadline, self._nudge(sets, back), memory
        )

    def _nudge(self, sets: Sequence[Any], back: bool) -> Callable[[bool], bool] | None:
        last = [0.0]

        def nudge(hopeless: bool) -> bool:
            if not hopeless and time.monotonic() - last[0] < NUDGE:
                return False
            last[0] = time.monotonic()
            pods = free(self.client, sets, self.work.path, back)
            for pod in pods:
                self.work.say(f"Pod {pod} of another revision was deleted: it kept its StatefulSet from going on.")
            return bool(pods)

        return nudge if sets else None

    def _prune(self, record: Record) -> list[dict[str, str]]:
        """Delete what earlier revisions contain and this one does not; looked at again, now that all else has succeeded."""
        planner = Planner(self.client, self.settings, self.desired, record)
        going, kept = planner.to_prune()
        self.work.warnings = list(dict.fromkeys(self.work.warnings + kept))
        self.work.lock.check()
        gone = prune.delete_in_order(self.client, planner.path, going)
        left = set(planner.live) - {identity(name) for name in gone}
        record.state["inherited"] = [name.as_dict() for name in record.inherited if identity(name) in left]
        return [name.as_dict() for name in gone]

    def _finish(self, record: Record, answer: dict[str, Any]) -> dict[str, Any]:
        record.status = DEPLOYED
        record.state.pop("suspicious", None)
        hooks = {key(reference(content)) for part in record.hooks.values() for content in part}
        record.state["hooks_done"] = [one for one in record.state.get("hooks_done") or [] if one in hooks]
        text = summary(record.state.get("actions") or [], self.settings, record.revision, False)
        self.store.update(record, self.work.scrub.text(text))
        self.store.supersede(record.revision)
        self.store.trim(self.settings.history)
        self.work.lock.release_it()
        return self.report.done(answer, text)

    def _turn_round(self, record: Record, error: Failed) -> bool:
        """Note the failure, and whether to go back."""
        text = self.work.scrub.text(str(error))
        record.state["failure"] = {"text": text, "findings": self.work.scrub.clean(error.findings)}
        self.store.look()
        good = self.store.good()
        if self.settings.on_failure != "rollback" or not good:
            return False
        record.state["back"] = {"to": good, "started": time.time(), "applied": False}
        record.state.pop("suspicious", None)
        self.store.update(record)
        self.work.say("Revision %d failed; going back to revision %d." % (record.revision, good))
        return True

    def _left_text(self, record: Record) -> str:
        if self.settings.on_failure == "keep":
            return "What was applied is left as it is (on_failure: keep)."
        return (
            "There is no earlier revision to go back to, so what was applied is left as it is. "
            "Correct it and run this again, or take it away with state: absent."
        )

    def _failed(self, record: Record, answer: dict[str, Any], status: str, end: str) -> dict[str, Any]:
        failure = record.state["failure"]
        record.status = status
        first = failure["text"].split("\n")[0]
        self.store.update(record, self.work.scrub.text("{} {}".format(first, end.split("\n")[0])))
        self.store.trim(self.settings.history)
        self.work.lock.release_it()
        text = "Release %s in namespace %s: revision %d failed. %s\n%s" % (
            self.settings.name,
            self.settings.namespace,
            record.revision,
            failure["text"],
            end,
        )
        answer["status"] = status
        return self.report.failure(answer, text, failure["findings"])
