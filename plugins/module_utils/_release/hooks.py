# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hooks: Jobs and Pods that run before or after a release, each at most once for its content, and those of a rollback or a deletion."""

from __future__ import annotations

from typing import Any, Callable, Container, Sequence

from .._kube.api import ApiError
from .._kube.objects import Object, Reference, is_custom, reference
from .api_errors import explain_refusal
from .apply import Sender
from .chart_hooks import ENDING, LASTING, applies, deleted_after
from .context import Context
from .errors import OperationFailed
from .jobs import restore_ttl, without_ttl
from .ownership import MANAGER, foreign, key
from .planned import PlannedObject, has_failed

# Kinds that a hook's pod can refer to. Only new objects are created before a hook: a change could affect the running pods.
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


def run_hooks(
    context: Context,
    sender: Sender,
    contents: Sequence[Object],
    when: str,
    state: dict[str, Any],
    save: Callable[[], None],
) -> None:
    """Run hooks one after the other.

    :param when: one of C(PHASES).
    :param state: state of the revision; the keys of Jobs that complete are added to its C(hooks_done).
    :param save: stores the state, so that a hook does not run twice after the run was killed.
    :raises OperationFailed: a hook failed, with the diagnosis. :raises Pause: the time slice of this call is used up.
    """
    done = state.setdefault("hooks_done", [])
    # Those that check a canary run for each canary, those of a rollback or a deletion each time.
    anew = when not in LASTING or (when == "post" and bool(state.get("canary")))
    begun = state.setdefault("hooks_begun", []) if anew else []
    for content in contents:
        name = reference(content)
        if key(name) in done or not applies(content, when, bool(state.get("upgrade"))):
            continue
        context.lock.check()
        live = context.client.find(context.path(name))
        problem = foreign(name, live or {}, context.settings.name, context.settings.namespace)
        if problem and not context.settings.force_conflicts:
            raise OperationFailed(f"{when} hook: {problem}")
        if name.kind in ENDING:
            _delete_old(sender, name, live, anew and key(name) not in begun)
            if anew and key(name) not in begun:
                begun.append(key(name))
                save()
        try:
            force = context.settings.force_conflicts
            context.client.apply(context.path(name), without_ttl(content), MANAGER, force, dry_run=False)
        except ApiError as error:
            raise OperationFailed(f"{when} hook: {explain_refusal(error, name, None, content)}") from error
        if name.kind in ENDING:
            told = state.setdefault("hooks_told", [])
            if key(name) not in told:
                told.append(key(name))
                context.log(f"Running {when} hook {name.name}.")
            try:
                context.wait_for([name], sender.deadline, memory=state, ended=True)
            except OperationFailed as error:
                _delete_after(context, content, "failed")
                raise OperationFailed(
                    f"The {when} hook {name} failed. {error} [slipway:hook_failed]", error.findings
                ) from error
            done.append(key(name))
            save()
            restore_ttl(context.client, context.path, [content], force)
            _delete_after(context, content, "succeeded")


def _delete_after(context: Context, content: Object, outcome: str) -> None:
    """Delete a hook's Job as its chart wants it, unless this user may not."""
    if deleted_after(content, outcome):
        try:
            context.client.delete(context.path(reference(content)))
        except ApiError as error:
            context.warnings.append(f"{reference(content)} was not deleted after it {outcome}: {error.message}")


def needed_by_hooks(planned: Sequence[PlannedObject], early: Container[tuple[str, str]]) -> list[PlannedObject]:
    """Return the objects that are created before the hooks before a release, because the hooks can refer to them.

    :param early: kinds whose controllers are there already: they may create the Secrets that hooks refer to.
    """
    return [
        one
        for one in planned
        if one.action == "create"
        and (
            one.name.kind in REFERRED_TO or (is_custom(one.content) and (one.name.api_version, one.name.kind) in early)
        )
    ]


def _delete_old(sender: Sender, name: Reference, live: Object | None, always: bool) -> None:
    """Delete a hook's Job of an earlier run that failed, as a Job cannot be restarted.

    :param always: delete it however it ended, because the hook runs again.
    """
    if live is not None and (always or has_failed(live) or live["metadata"].get("deletionTimestamp")):
        sender.remove(name, sender.deadline)
