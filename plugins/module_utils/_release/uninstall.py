# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release taken away: everything that one of its revisions contains and that is still its own, then its records."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from .._kube.api import Client
from .._kube.objects import Object, Reference, content_of, reference
from .._kube.redaction import Redactor
from . import prune
from .apply import lingering
from .context import Work
from .desired import Desired, discover
from .errors import Failed, Pause
from .live_state import known, uid
from .lock import Lock
from .ownership import identity
from .plan import Plan, Planner, Want
from .record import Record
from .report import Report, summary
from .settings import Settings
from .store import Store


class Absence:
    """Takes one release away. A run that is killed is finished by the next: the records go last."""

    def __init__(self, client: Client, settings: Settings, check_mode: bool) -> None:
        """Prepare; the cluster is asked what kinds it serves."""
        self.client = client
        # Everything goes, whatever the option prune says of other runs.
        self.settings = replace(settings, prune=True, objects=[], hooks={}, create_namespace=False)
        self.check_mode = check_mode
        served = discover(client)
        self.desired = Desired([], {}, served, served)
        self.store = Store(client, settings.name, settings.namespace)
        lock = Lock(client, settings.name, settings.namespace, settings.run_id)
        self.work = Work(client, self.settings, self.store, lock, self.desired.path, Redactor())
        self.report = Report(self.settings, self.work)

    def run(self) -> dict[str, Any]:
        """Do it, or in check mode tell what would be done.

        :raises ReleaseError: a record cannot be read, or another run works on the release.
        """
        with self.work.open_when_refused():
            return self._run()

    def _run(self) -> dict[str, Any]:
        if not self.store.look():
            answer = self.report.made(Plan(), None, changed=False)
            text = f"There is no release {self.settings.name} in namespace {self.settings.namespace}."
            return self.report.done(answer, text)
        if not self.check_mode:
            self.work.take_lock()
            self.store.look()
        with self.work.phase("plan"):
            lives, plan = self._plan()
        answer = self.report.made(plan, None, changed=True)
        answer["pruned"] = [reference(live).as_dict() for live in lives]
        self.work.warnings = plan.kept
        if self.check_mode:
            return self.report.done(answer, summary(plan.actions, self.settings, 0, True))
        self.work.lock.check()
        home = any(self._is_home(live) for live in lives)
        if home:
            self.work.lock.stop()  # the lease goes with its namespace, and nobody has taken it over then
        try:
            with self.work.phase("delete"):
                prune.delete_in_order(self.client, self._path, lives)
                if self.settings.wait:
                    self._wait(lives, home)
        except Pause:
            self.work.lock.pause()
            return self.report.unfinished(answer)
        except Failed as error:
            self.work.lock.release_it()
            return self.report.failure(answer, f"Release {self.settings.name} is not gone. {error}", [])
        if not home:
            self.work.lock.check()
            self.store.forget(self.store.entries)
            self.work.lock.remove()
        self.work.lock.held = False
        return self.report.done(
            answer,
            f"Release {self.settings.name} in namespace {self.settings.namespace} is gone: {len(lives)} objects deleted.",
        )

    def _plan(self) -> tuple[list[Object], Plan]:
        """Find what is there of any revision."""
        names: dict[Any, Reference] = {}
        for entry in self.store.entries:
            record = self.store.read(entry.revision)
            self.work.scrub.learn(record.objects)
            names.update((identity(name), name) for name in record.references + record.inherited)
        everything = Record(self.settings.name, self.settings.namespace, 0, [])
        everything.state["inherited"] = [name.as_dict() for name in names.values()]
        planner = Planner(self.client, self.settings, self.desired, everything)
        gone, kept = planner.to_prune()
        ending = [
            live
            for live in planner.live.values()
            if live["metadata"].get("deletionTimestamp")
            and reference(live) in planner.old
            and known(reference(live), self.desired.served)
        ]
        steps = [Want(reference(live), "delete", {}, content_of(live), {}) for live in gone]
        return gone + ending, Plan(prunes=steps, kept=kept)

    def _path(self, name: Reference) -> str:
        return self.desired.path(name)

    def _is_home(self, live: Object) -> bool:
        """Whether this is the namespace in which the release's lease and records are."""
        return live["kind"] == "Namespace" and live["metadata"]["name"] == self.settings.namespace

    def _wait(self, lives: list[Object], home: bool) -> None:
        """Wait until the objects are gone, each under the id that it had.

        :param home: the release's own namespace is among them. The lease goes with it, and another call would find no record to go on
            with: the whole time is waited in this one.
        """
        left = lives
        while True:
            if not home:
                self.work.lock.check()
            now = self.client.each(lambda live: self.client.find(self._path(reference(live))), left)
            left = [new for old, new in zip(left, now) if new is not None and uid(new) == uid(old)]
            if not left:
                return
            self.work.say(
                f"{len(lives) - len(left)} of {len(lives)} objects are gone; waiting for {reference(left[0])}."
            )
            if time.monotonic() >= self.work.deadline:
                raise Failed("\n".join(lingering(live) for live in left))
            if not home:
                self.work.see_time()
            time.sleep(0.5)
