# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module answers: what was done or would be, how far it is, and why it failed."""

from __future__ import annotations

import time
from typing import Any, Mapping, Sequence

from .context import Work
from .plan import Plan, Want
from .record import Record
from .settings import Settings

VERBS = (("create", "created"), ("change", "changed"), ("replace", "replaced"), ("run", "run"), ("delete", "deleted"))


class Report:
    """Builds the answers of one call. Texts are without values of Secrets."""

    def __init__(self, settings: Settings, work: Work) -> None:
        """Prepare."""
        self.settings = settings
        self.work = work
        self.began = time.monotonic()

    def made(self, plan: Plan | None, record: Record | None, changed: bool) -> dict[str, Any]:
        """Begin an answer.

        :param plan: what is done; without one, this call only goes on with what an earlier one planned.
        """
        answer: dict[str, Any] = {"changed": changed}
        if record is not None:
            answer.update(revision=record.revision, status=record.status)
        if plan is not None:
            moved = [step for step in plan.all if step.action != "none"]
            answer.update(
                objects=[step.as_dict() for step in plan.all],
                diff=[_diff(step) for step in moved],
                pruned=[],
                waited_for=[],
            )
        return answer

    def predicted(self, plan: Plan, current: Record | None, same: bool) -> dict[str, Any]:
        """Answer in check mode."""
        answer = self.made(plan, current, changed=not same)
        answer["pruned"] = [step.name.as_dict() for step in plan.prunes]
        answer["schema_only"] = [str(name) for name in plan.unasked]
        text = summary(plan.actions, self.settings, current.revision if current else 0, True)
        if plan.unasked:
            text += (
                " %d of them could only be held against the schema, because their namespace or their kind comes with this release."
                % len(plan.unasked)
            )
        return self.done(answer, text)

    def done(self, answer: dict[str, Any], text: str) -> dict[str, Any]:
        """End an answer well."""
        if answer.get("status") == "pending":
            answer["status"] = "deployed"
        return self._end(answer, finished=True, msg=self.work.scrub.text(text))

    def unfinished(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Answer when this call's time is over and the work is not."""
        return self._end(answer, finished=False, msg=f"Release {self.settings.name} is on its way.")

    def failure(self, answer: dict[str, Any], text: str, findings: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """End an answer with what went wrong."""
        clean = self.work.scrub.clean(list(findings))
        return self._end(answer, finished=True, failed=True, msg=self.work.scrub.text(text), findings=clean)

    def _end(self, answer: dict[str, Any], **more: Any) -> dict[str, Any]:
        answer.setdefault("findings", [])
        answer.update(
            progress=self.work.progress,
            warnings=self.work.scrub.clean(self.work.warnings),
            seconds=dict(self.work.seconds, all=round(time.monotonic() - self.began, 3)),
            requests=self.work.client.requests,
        )
        answer.update(more)
        return answer


def _diff(step: Want) -> dict[str, Any]:
    diff = step.diff
    if step.action == "run":
        diff["after_header"] += " (hook)"
    return diff


def summary(actions: Sequence[str], settings: Settings, revision: int, check_mode: bool) -> str:
    """Say in one sentence what was done, or would be.

    :param actions: what became of each object.
    """
    counts = [(sum(action == one for one in actions), word) for action, word in VERBS]
    done = ", ".join(f"{count} {word}" for count, word in counts if count)
    who = f"Release {settings.name} in namespace {settings.namespace}"
    many = f"{len(actions)} object{'' if len(actions) == 1 else 's'}"
    if check_mode:
        return f"{who}: {many}, {'would be: ' + done if done else 'nothing to do'}."
    return f"{who} is at revision {revision}: {many}, {done or 'none changed'}."
