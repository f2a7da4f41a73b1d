# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of a release: plan, and if there are changes: lock, store the revision, and execute it."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from .._kube.api import ApiError, Client
from .._kube.redaction import Redactor
from .capabilities import warnings as capability_warnings
from .claims import growth
from .context import Context
from .desired import Desired, build_desired, discover
from .drift import Drift, describe, find_drift
from .errors import LockLost, OperationFailed, Pause, ReleaseError
from .execution import Execution
from .ownership import MANAGER, key
from .plan import Planner
from .planned import Plan
from .report import ResultBuilder, summary
from .revision import DEPLOYED, FAILED, PENDING, ROLLED_BACK, Revision
from .rollback import restored
from .settings import Settings
from .successor import successor
from .waves import records


class Engine:
    """Reconciles one release."""

    def __init__(self, client: Client, settings: Settings, check_mode: bool) -> None:
        """Build the desired objects, and query what the cluster serves.

        :raises ReleaseError: the objects are not valid.
        """
        self.client = client
        self.settings = settings
        self.check_mode = check_mode
        self.notes: list[str] = []
        served = discover(client)
        if settings.revision is None:
            self.desired: Desired = build_desired(settings, served)
        else:
            self.desired, self.notes, entries = restored(client, settings, served)
            settings = self.settings = replace(settings, waves=settings.waves or entries)
        self.context = Context(client, settings, self.desired.path, Redactor(self.desired.all))
        self.context.expect(self.desired.objects)
        self.store = self.context.store
        self.results = ResultBuilder(self.context)
        self.execution = Execution(self.context, self.desired, self.results, self._plan)

    def run(self) -> dict[str, Any]:
        """Reconcile the release, or in check mode predict the changes.

        :returns: the module's result, which has C(failed) if the release did not become ready.
        :raises ReleaseError: the run is refused; nothing was changed.
        :raises LockLost: another run took over.
        """
        with self.context.unlocked_on_refusal():
            return self._run()

    def _run(self) -> dict[str, Any]:
        latest = self._latest()
        resumes = latest is not None and latest.status == PENDING and latest.state.get("run") == self.settings.run_id
        if latest and resumes and not self.check_mode:
            self.context.acquire_lock()
            return self.execution.run(latest, None)
        current = self._current(latest)
        try:
            plan = self._plan(latest)
        except ReleaseError as error:
            error.drift = self._drift(current) if self.check_mode else ()
            raise
        same = self._is_current(current, plan)
        finishes = self._resumes(latest, plan) and not plan.has_changes
        if self.check_mode:
            unfinished = latest.number if latest and finishes else 0
            drift = [] if same else self._drift(current)
            made = [one for one in plan.objects if one.makes_set and self.settings.replace == "immutable"]
            self.context.warnings += [line for one in made for line in growth(self.client, one.content)]
            return self.results.predicted(plan, current, same or finishes, unfinished, drift)
        if same and latest is not None and current is not None:
            return self._unchanged(latest, current, plan)
        plan = self._create_namespace(plan, latest)
        self.context.acquire_lock()
        seen = latest.version if latest else ""
        latest = self._latest()
        if seen != (latest.version if latest else ""):
            plan = self._plan(latest)
            current = self._current(latest)
            if latest is not None and self._is_current(current, plan) and current is not None:
                # Another run has made the same changes in the meantime.
                return self._unchanged(latest, current, plan, locked=True)
        return self.execution.run(self._store_revision(latest, plan), plan)

    def _drift(self, current: Revision | None) -> Drift:
        """Return what somebody has changed since a revision was deployed, and warn of it. The prediction does not depend on it."""
        if current is None:
            return []
        try:
            with self.context.phase("drift"):
                found = find_drift(self.client, self.settings, self.desired.served, current)
        except (ApiError, ReleaseError) as error:
            why = str(error).partition("\n")[0]
            self.context.warnings.append(
                f"What was changed in the cluster since revision {current.number} cannot be told: {why}"
            )
            return []
        drift: Drift = self.context.scrub.clean(found)
        if drift:
            self.context.warnings.append(describe(drift, current.number))
        return drift

    def _is_current(self, current: Revision | None, plan: Plan) -> bool:
        """Return whether the cluster is in the desired state."""
        return current is not None and self.desired.is_intent_of(current) and not plan.has_changes

    def _resumes(self, latest: Revision | None, plan: Plan) -> bool:
        """Return whether all objects are as an unfinished or failed revision wants them, so that only its end or a hook is missing."""
        if latest is None or latest.status not in (PENDING, FAILED) or not self.desired.is_intent_of(latest):
            return False
        return not any(one.action != "none" or one.takes_over for one in plan.namespaces + plan.objects + plan.prunes)

    def _latest(self) -> Revision | None:
        entries = self.store.refresh()
        latest = self.store.read(entries[-1].number) if entries else None
        if latest is not None:
            self.context.scrub.learn(latest.all)
        return latest

    def _current(self, latest: Revision | None) -> Revision | None:
        """Return the revision that is in the cluster: the newest, or the one to which a failed one was rolled back."""
        if latest is None or latest.status == DEPLOYED:
            return latest
        good = self.store.last_deployed()
        return self.store.read(good) if latest.status == ROLLED_BACK and good else None

    def _plan(self, latest: Revision | None) -> Plan:
        with self.context.phase("plan"):
            planner = Planner(self.client, self.settings, self.desired, latest, bool(self.store.last_deployed()))
            self.context.scrub.learn(self.desired.all)  # ignored fields have the values of the cluster now
            plan = planner.plan()
            lines = plan.warnings + plan.kept + capability_warnings(self.client, self.desired.all)
            lines += self.notes
            lines += self.context.rules.notices(self.desired.objects, self.settings.wait)
            self.context.warnings = list(dict.fromkeys(lines))
        return plan

    def _unchanged(self, latest: Revision, current: Revision, plan: Plan, locked: bool = False) -> dict[str, Any]:
        """Finish a run without changes. With C(wait), the result still depends on whether everything is ready.

        :param locked: whether the lock is already held.
        """
        # The objects that are kept were reported when that was decided.
        self.context.warnings = [line for line in self.context.warnings if line not in plan.kept]
        seen = dict(latest.state)
        latest.state.update(digests=plan.digests, **records(self.settings.waves, seen))
        if latest.state != seen:
            try:
                self.store.update(latest)
            except (ApiError, LockLost):
                pass  # the next run needs dry runs again, nothing more
        answer = self.results.begin(plan, current, changed=False)
        if self.settings.wait:
            try:
                with self.context.phase("wait"):
                    if not self.context.ready_now(self.context.waited_for(self.desired.objects)):
                        if not locked:
                            self.context.acquire_lock()
                        self.execution.wait(self.desired.objects, None, False)
            except Pause:
                self.context.lock.pause()
                return self.results.unfinished(answer)
            except OperationFailed as error:
                self.context.lock.release()
                text = f"Release {self.settings.name} needs no changes, but it is not ready. {error}"
                return self.results.failure(answer, text, error.findings)
        if self.settings.wait or locked:
            self.context.lock.release()
        return self.results.success(answer, summary(plan.actions, self.settings, current.number, False))

    def _create_namespace(self, plan: Plan, latest: Revision | None) -> Plan:
        """Create the namespace of the release if the run creates it, and repeat the dry runs that need it.

        :returns: the plan with the server's answers.
        :raises ReleaseError: the server refuses some objects. The namespace stays, as somebody else may already use it.
        """
        created = [
            planned
            for planned in plan.namespaces + plan.objects
            if (planned.name.kind, planned.name.name, planned.action)
            == ("Namespace", self.settings.namespace, "create")
        ]
        if not created:
            return plan
        space = created[0]
        self.client.apply(self.desired.path(space.name), space.content, MANAGER, space.force, dry_run=False)
        try:
            again = self._plan(latest)
        except ReleaseError as error:
            left = f"Namespace {space.name.name} was created for the dry run and is kept; nothing else was changed."
            raise ReleaseError(f"{error}\n{left}") from error
        again.namespaces = plan.namespaces
        again.objects = [space if planned.name == space.name else planned for planned in again.objects]
        return again

    def _store_revision(self, latest: Revision | None, plan: Plan) -> Revision:
        """Store the revision before any of its objects is applied; an interrupted run for the same objects is resumed."""
        created = {key(planned.name) for planned in plan.objects if planned.action == "create"}
        if latest is not None and latest.status in (PENDING, FAILED):
            # What an unfinished revision has created did not exist before.
            created.update(latest.state.get("created") or [])
        run = {"run": self.settings.run_id, "done": [], "started": time.time(), "created": sorted(created)}
        if latest is not None and (latest.status == PENDING or self._resumes(latest, plan)):
            if self.desired.is_intent_of(latest):
                latest.state.update(run, **records(self.settings.waves, latest.state))
                for name in (
                    "back",
                    "suspicious",
                    "hooks_begun",
                    "hooks_told",
                    "new",
                    "canary",
                    "observed",
                    "promoted",
                    "sent",
                ):
                    latest.state.pop(name, None)
                latest.status = PENDING
                self.store.update(latest)
                return latest
            latest.status = FAILED
            self.store.update(latest, "It was interrupted, and another revision followed.")
        upgrade = bool(self.store.last_deployed())
        revision = successor(self.settings, self.desired, latest, run, upgrade)
        self.store.create(revision)
        return revision
