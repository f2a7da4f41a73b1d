# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deleting a release: everything that one of its revisions contains and that it still owns, then its stored revisions."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, Callable, Collection, Sequence

from .._kube.api import Client
from .._kube.objects import RELEASE, RELEASE_NAMESPACE, Object, Reference, content_of, reference
from .._kube.redaction import Redactor
from .apply import Sender
from .chart_hooks import ENDING
from .context import Context
from .deletion import delete_in_order, delete_in_waves, wait_until_gone
from .desired import Desired, discover
from .errors import OperationFailed, Pause
from .hooks import run_hooks
from .ownership import identity, owner
from .plan import Planner
from .planned import Plan, PlannedObject
from .report import ResultBuilder, plural, summary
from .revision import Revision
from .settings import Settings
from .waves import Entries, recorded, split_live, wave_of


class Uninstall:
    """Deletes one release. The next run finishes a run that was killed, as the stored revisions are deleted last."""

    def __init__(self, client: Client, settings: Settings, check_mode: bool) -> None:
        """Query which kinds the cluster serves."""
        self.client = client
        # Everything is deleted, regardless of the option prune.
        self.settings = replace(settings, prune=True, objects=[], hooks={}, create_namespace=False)
        self.check_mode = check_mode
        served = discover(client)
        self.desired = Desired([], {}, served, served)
        self.context = Context(client, self.settings, self.desired.path, Redactor())
        self.store = self.context.store
        self.results = ResultBuilder(self.context)
        # The deployed revision, or the newest one if none is: its hooks run.
        self.last: Revision | None = None
        self.live: list[Object] = []
        # The entries of the option waves with which its objects were applied, those of the newest revision first.
        self.waves: Entries = []

    def run(self) -> dict[str, Any]:
        """Delete the release, or in check mode predict what would be deleted.

        :raises ReleaseError: a stored revision cannot be read, or another run works on the release.
        """
        with self.context.unlocked_on_refusal():
            return self._run()

    def _run(self) -> dict[str, Any]:
        name = f"release {self.settings.name} in namespace {self.settings.namespace}"
        if not self.store.refresh():
            return self.results.success(self.results.begin(Plan(), None, changed=False), f"There is no {name}.")
        if not self.check_mode:
            self.context.acquire_lock()
            self.store.refresh()
        with self.context.phase("plan"):
            lives, plan = self._plan()
        if self.settings.orphan:
            return self._orphan(name)
        answer = self.results.begin(plan, None, changed=True)
        answer["pruned"] = [reference(live).as_dict() for live in lives]
        self.context.warnings = plan.kept
        if self.check_mode:
            return self.results.success(answer, summary(plan.actions, self.settings, 0, True))
        self.context.lock.check()
        total = self._total(lives)
        home = any(self._is_home(live) for live in lives)
        try:
            before = self._run_hooks("pre-delete")
            lives = list({identity(reference(live)): live for live in lives + before}.values())
            if home:
                self.context.lock.stop_renewing()  # the lease is deleted with its namespace, not taken over by another run
            with self.context.phase("delete"):
                report = self._reporter(total, home)
                deadline = self.context.deadline
                parts = split_live(lives, self.waves)
                delete_in_waves(self.client, self.desired.path, parts, deadline, report, self.settings.wait)
                if self.settings.wait:
                    if not home:
                        self.context.lock.check()
                    wait_until_gone(self.client, self.desired.path, lives, deadline, report)
            spaces = {live["metadata"]["name"] for live in lives if live["kind"] == "Namespace"}
            after = self._run_hooks("post-delete", spaces)
            delete_in_order(self.client, self.desired.path, after, self.context.deadline)
        except Pause:
            if self.last is not None:
                self.store.update(self.last)  # with the number of objects that the first call has found
            self.context.lock.pause()
            return self.results.unfinished(answer)
        except OperationFailed as error:
            self.context.lock.release()
            return self.results.failure(
                answer, f"Release {self.settings.name} was not deleted completely. {error}", error.findings
            )
        if not home:
            self.context.lock.check()
            self.store.forget(self.store.entries)
            self.context.lock.remove()
        self.context.lock.held = False
        return self.results.success(answer, f"Deleted {name}: {plural(total, 'object')}.")

    def _orphan(self, name: str) -> dict[str, Any]:
        """Leave all objects as they are, without the mark of the release, and delete what is stored of it."""
        mark = (self.settings.name, self.settings.namespace)
        lives = [live for live in self.live if owner(live) == mark]
        plan = Plan([PlannedObject(reference(live), "none", {}) for live in lives])
        answer = self.results.begin(plan, None, changed=True)
        stay = f"{plural(len(lives), 'object')} {'stays' if len(lives) == 1 else 'stay'} and {'belongs' if len(lives) == 1 else 'belong'} to no release"
        if self.check_mode:
            return self.results.success(answer, f"Check mode: {stay} when {name} is deleted.")
        unmarked = {"metadata": {"labels": {RELEASE: None}, "annotations": {RELEASE_NAMESPACE: None}}}
        with self.context.phase("orphan"):
            self.context.lock.check()
            self.client.each(lambda live: self.client.patch(self.desired.path(reference(live)), unmarked), lives)
        self.context.lock.check()
        self.store.forget(self.store.entries)
        self.context.lock.remove()
        self.context.lock.held = False
        return self.results.success(answer, f"Deleted {name} without its objects: {stay}.")

    def _run_hooks(self, when: str, gone: Collection[str] = ()) -> list[Object]:
        """Run hooks of the last revision.

        :param when: C(pre-delete) or C(post-delete).
        :param gone: namespaces that were deleted.
        :returns: what exists of these hooks, which is deleted as well.
        :raises OperationFailed: a hook failed. :raises Pause: the time slice of this call is used up.
        """
        contents: list[Object] = []
        lost: list[Object] = []
        for content in self._hooks(when):
            (lost if {reference(content).namespace, self.settings.namespace} & set(gone) else contents).append(content)
        if lost:
            names = ", ".join(str(reference(content)) for content in lost)
            self.context.warnings.append(
                f"Hooks of the release did not run, because its namespace is deleted: {names}."
            )
        if not contents or self.last is None:
            return []
        sender = Sender(self.client, self.desired.path, self.context.deadline, check=self.context.lock.check)
        state = self.last.state
        with self.context.phase("hooks"):
            try:
                run_hooks(self.context, sender, contents, when, state, partial(self.store.update, self.last))
            except OperationFailed as error:
                advice = "To delete the release without its hooks, set delete_hooks: false."
                raise OperationFailed(f"{error}\n{advice}", error.findings) from error
        found = self.client.each(lambda one: self.client.find(self.desired.path(reference(one))), contents)
        mark = (self.settings.name, self.settings.namespace)
        return [live for live in found if live is not None and owner(live) == mark]

    def _hooks(self, when: str) -> list[Object]:
        """Return the hooks of the last revision that can run: those of kinds that are served."""
        if self.last is None or not self.settings.delete_hooks:
            return []
        hooks = self.last.hooks.get(when) or []
        return [one for one in hooks if (one["apiVersion"], one["kind"]) in self.desired.served]

    def _plan(self) -> tuple[list[Object], Plan]:
        """Find the existing objects of any revision."""
        names: dict[Any, Reference] = {}
        for entry in self.store.entries:
            revision = self.store.read(entry.number)
            if entry.number == (self.store.last_deployed() or self.store.entries[-1].number):
                self.last = revision
            self.context.scrub.learn(revision.all)
            names.update((identity(name), name) for name in revision.references + revision.inherited)
            self.waves = [*recorded(revision.state), *self.waves]
        everything = Revision(self.settings.name, self.settings.namespace, 0, [])
        everything.state["inherited"] = [name.as_dict() for name in names.values()]
        planner = Planner(self.client, self.settings, self.desired, everything)
        self.live = list(planner.live.values())
        unneeded, kept = planner.to_prune()
        prunes = [
            PlannedObject(reference(live), "delete", {}, content_of(live), wave=wave_of(live, self.waves))
            for live in unneeded
        ]
        hooks = [one for when in ("pre-delete", "post-delete") for one in self._hooks(when)]
        runs = [PlannedObject(reference(one), "run", one, {}, one) for one in hooks if one["kind"] in ENDING]
        return unneeded + planner.leaving(), Plan(hooks=runs, prunes=prunes, kept=kept)

    def _is_home(self, live: Object) -> bool:
        """Return whether this is the namespace that holds the release's lease and stored revisions."""
        return live["kind"] == "Namespace" and live["metadata"]["name"] == self.settings.namespace

    def _total(self, lives: Sequence[Object]) -> int:
        """Return how many objects this run deletes: earlier calls of it may have deleted some."""
        state = self.last.state if self.last else {}
        before = state.get("deleting") or {}
        if before.get("run") != self.settings.run_id:
            before = state["deleting"] = {"run": self.settings.run_id, "total": len(lives)}
        return int(before["total"])

    def _reporter(self, total: int, home: bool) -> Callable[[Sequence[Object]], None]:
        """Return a function that reports which objects still exist.

        :param home: whether the release's own namespace is among them. Its lease and revisions are deleted with it, so another call could
            not resume; the whole wait happens in this one.
        """

        def report(left: Sequence[Object]) -> None:
            self.context.log(
                f"{total - len(left)} of {plural(total, 'object')} deleted; waiting for {reference(left[0])}."
            )
            if not home:
                self.context.lock.check()
                self.context.pause_if_due()

        return report
