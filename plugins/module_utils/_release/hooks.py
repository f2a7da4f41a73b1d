# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hooks: Jobs that run before or after a release, each at most once for its content."""

from __future__ import annotations

from typing import Any, Callable, Sequence

from .._kube.api import ApiError
from .._kube.objects import Object, reference
from .api_errors import told
from .apply import Sender
from .context import Work
from .errors import Failed
from .ownership import MANAGER, key
from .plan import Want, failed

# What a hook's pod can refer to. Only what is new is made before a hook: a change could reach the pods that run.
REFERRED_TO = (
    "Namespace",
    "ServiceAccount",
    "Role",
    "RoleBinding",
    "ClusterRole",
    "ClusterRoleBinding",
    "ConfigMap",
    "Secret",
    "PersistentVolume",
    "PersistentVolumeClaim",
)
WHEN = {"pre": "Before the objects", "post": "After the objects"}


def run_hooks(
    work: Work, sender: Sender, contents: Sequence[Object], when: str, state: dict[str, Any], note: Callable[[], None]
) -> list[str]:
    """Run hooks one after the other.

    :param when: C(pre) or C(post).
    :param state: of the record; C(hooks_done) are the keys of the Jobs that ran to their end, those that do so now are added.
    :param note: writes the state down, so that a killed run does not run a hook twice.
    :returns: the names of the Jobs that were run or awaited now.
    :raises Failed: one failed, with the diagnosis. :raises Pause: this call's time is over.
    """
    ran = []
    done = state.setdefault("hooks_done", [])
    for content in contents:
        name = reference(content)
        if key(name) in done:
            continue
        work.lock.check()
        if name.kind == "Job":
            clear_failed(work, sender, content)
        try:
            work.client.apply(work.path(name), content, MANAGER, work.settings.force_conflicts, dry_run=False)
        except ApiError as error:
            raise Failed(f"{when} hook: {told(error, name, None, content, 'never')}") from error
        if name.kind == "Job":
            work.say(f"{WHEN[when]}: hook {name.name} runs.")
            try:
                work.wait_for([name], work.deadline, memory=state)
            except Failed as error:
                raise Failed(f"The {when} hook {name} failed. {error}", error.findings) from error
            done.append(key(name))
            note()
            ran.append(str(name))
    return ran


def needed_by_hooks(steps: Sequence[Want]) -> list[Want]:
    """Give the objects that are made before the hooks before a release, because these can refer to them."""
    return [step for step in steps if step.action == "create" and step.name.kind in REFERRED_TO]


def clear_failed(work: Work, sender: Sender, content: Object) -> None:
    """Delete a hook's Job of an earlier run that failed: a Job cannot be started again."""
    name = reference(content)
    live = work.client.find(work.path(name))
    if live is not None and (failed(live) or live["metadata"].get("deletionTimestamp")):
        sender.remove(name, work.deadline)
