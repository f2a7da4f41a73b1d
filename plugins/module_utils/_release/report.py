# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module's result: what was done or would be done, how far the run is, and why it failed."""

from __future__ import annotations

import time
from typing import Any, Mapping, Sequence

from .changes import sentences
from .chart_hooks import ENDING
from .context import Context
from .planned import Plan, PlannedObject
from .revision import Revision
from .settings import Settings

VERBS = (("create", "created"), ("change", "changed"), ("replace", "replaced"), ("run", "run"), ("delete", "deleted"))


class ResultBuilder:
    """Builds the result of one call. Its texts contain no values of Secrets."""

    def __init__(self, context: Context) -> None:
        self.settings = context.settings
        self.context = context
        self.began = time.monotonic()

    def begin(self, plan: Plan | None, revision: Revision | None, changed: bool) -> dict[str, Any]:
        """Begin a result.

        :param plan: what is done; None if this call only continues what an earlier one planned.
        """
        answer: dict[str, Any] = {"changed": changed}
        if revision is not None:
            answer.update(revision=revision.number, status=revision.status)
        if plan is not None:
            answer.update(
                objects=[planned.as_dict() for planned in plan.all],
                changes=self.context.scrub.clean(sentences(plan.all)),
                diff=[_diff(planned) for planned in plan.all if planned.action != "none"],
                pruned=[],
                waited_for=[],
            )
        return answer

    def predicted(
        self,
        plan: Plan,
        current: Revision | None,
        same: bool,
        unfinished: int = 0,
        drift: Sequence[Mapping[str, Any]] = (),
    ) -> dict[str, Any]:
        """Build the result of check mode.

        :param unfinished: the revision that the run would finish without a change, 0 for none.
        :param drift: what somebody has changed in the cluster.
        """
        answer = self.begin(plan, current, changed=not same)
        answer["pruned"] = [planned.name.as_dict() for planned in plan.prunes]
        answer["drift"] = list(drift)
        if drift and current is not None:
            answer["changes"] += self.context.scrub.clean(sentences([], drift, current.number))
        answer["schema_only"] = [str(name) for name in plan.schema_only]
        text = summary(plan.actions, self.settings, current.number if current else 0, True)
        if unfinished:
            text += f" Revision {unfinished}, which was interrupted or failed, would be finished."
        if plan.schema_only:
            needs = "it needs" if len(plan.schema_only) == 1 else "they need"
            text += (
                f" {len(plan.schema_only)} of them could only be validated against the schema, "
                f"because what {needs} comes with this release."
            )
        return self.success(answer, text)

    def success(self, answer: dict[str, Any], text: str) -> dict[str, Any]:
        """Complete a successful result."""
        if answer.get("status") == "pending":
            answer["status"] = "deployed"
        return self._end(answer, finished=True, msg=self.context.scrub.text(text))

    def unfinished(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Complete the result of a call whose time slice is used up."""
        return self._end(answer, finished=False, msg=f"Release {self.settings.name} is in progress.")

    def failure(self, answer: dict[str, Any], text: str, findings: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Complete a failed result."""
        scrub = self.context.scrub
        return self._end(answer, finished=True, failed=True, msg=scrub.text(text), findings=scrub.clean(list(findings)))

    def _end(self, answer: dict[str, Any], **more: Any) -> dict[str, Any]:
        answer.setdefault("findings", [])
        answer.update(name=self.settings.name, namespace=self.settings.namespace)
        answer.update(
            progress=self.context.progress,
            warnings=self.context.scrub.clean(self.context.warnings),
            seconds=dict(self.context.seconds, all=round(time.monotonic() - self.began, 3)),
            requests=self.context.client.requests,
        )
        answer.update(more)
        return answer


def _diff(planned: PlannedObject) -> dict[str, Any]:
    diff = planned.diff
    if planned.action == "run":
        diff["after_header"] += " (hook)" if planned.name.kind in ENDING else " (canary)"
    return diff


def plural(count: int, noun: str) -> str:
    """Return a number with its noun: C(1 object), C(2 objects)."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def count_actions(actions: Sequence[str]) -> str:
    """Return how often each action occurs, in words; empty if nothing was or would be done."""
    counts = [(actions.count(action), word) for action, word in VERBS]
    return ", ".join(f"{count} {word}" for count, word in counts if count)


def summary(actions: Sequence[str], settings: Settings, revision: int, check_mode: bool) -> str:
    """Summarize in one sentence what was done, or would be done.

    :param actions: the action for each object.
    """
    done = count_actions(actions)
    release = f"Release {settings.name} in namespace {settings.namespace}"
    objects = plural(len(actions), "object")
    if check_mode:
        return f"{release}: {objects}, {'would be: ' + done if done else 'nothing to do'}."
    return f"{release} is at revision {revision}: {objects}, {done or 'none changed'}."
