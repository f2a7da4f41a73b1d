# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pass objects to the module release, call it until the release is finished, and show the progress."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ..module_utils._kube.auth import AUTH_OPTIONS, credentials
from ..module_utils._kube.kubeconfig import KubeconfigError
from ..module_utils._kube.redaction import Redactor
from ..module_utils._release.settings import CANARY, SOURCE_OPTIONS, pack
from .errors import InputError
from .hooks import WHEN, in_order
from .progress.feed import watched

display = Display()

MODULE = "slipway.kube.release"
SLICE = 10  # seconds after which the module returns what has happened so far, to be called again
# Later calls find what the first one did already done.
FIRST = ("changed", "changes", "diff", "objects")
COLLECTED = ("warnings", "pruned", "deprecations")
SUMMED = ("requests",)
AUTH_NAMES = {alias for name, option in AUTH_OPTIONS.items() for alias in (name, *option.get("aliases", ()))}


def run_release(
    action: ActionBase,
    task_vars: dict[str, Any] | None,
    arguments: Mapping[str, Any],
    objects: Sequence[Mapping[str, Any]],
    hooks: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    kept: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Run the module release to its end.

    :param action: the action plugin that runs it.
    :param arguments: the options of the task; those of sources are left out, because they have been read.
    :param objects: the objects of the release.
    :param hooks: hooks by when they run, and the canary.
    :param kept: fields that keep the value that the cluster has, as entries of the option C(ignore_differences).
    :returns: the result of the module; those of several calls are merged.
    :raises InputError: hooks wait for each other.
    """
    ordered = {when: in_order((hooks or {}).get(when) or [], when) for when in WHEN}
    ordered[CANARY] = list((hooks or {}).get(CANARY) or [])
    given = _module_options(arguments)
    given.setdefault("pause_after", SLICE)
    given["_run_id"] = uuid.uuid4().hex
    # The module masks the values of Secrets itself; this also masks them in errors of the connection or of a failing module.
    redactor = Redactor([*objects, *(hook for some in ordered.values() for hook in some)])
    given["_payload"] = pack(objects, ordered, kept)
    result: dict[str, Any] = {}
    while True:
        with quiet(action), watched(action, task_vars):
            answer = action._execute_module(module_name=MODULE, module_args=dict(given), task_vars=task_vars)
        answer = redactor.clean(answer)
        shown = result.get("progress") or []
        # Each call starts with the line with which the previous one ended.
        lines = [*shown[-1:], *(answer.get("progress") or [])]
        answer["progress"] = [line for line, _same in groupby(lines)][len(shown[-1:]) :]
        for line in answer["progress"]:
            display.display("  " + line)
        result = merged(result, answer)
        if answer.get("finished", True) or answer.get("failed") or answer.get("unreachable"):
            break
    result.pop("invocation", None)
    return result


def chart_view(
    action: ActionBase, task_vars: dict[str, Any] | None, arguments: Mapping[str, Any]
) -> tuple[str, list[str], bool]:
    """Query the capabilities of the cluster for a Helm chart.

    :param arguments: the options of the task.
    :returns: the version of Kubernetes, empty where the user is not allowed to read it, the API versions that are served, and
        whether a revision of the release is deployed.
    :raises InputError: the cluster cannot be queried.
    """
    given = _module_options(arguments)
    with quiet(action):
        answer = action._execute_module(
            module_name=MODULE, module_args=dict(given, _chart_view=True), task_vars=task_vars
        )
    if answer.get("failed") or answer.get("unreachable"):
        raise InputError(f"helm: the capabilities of the cluster cannot be queried. {answer.get('msg', '')}")
    served = [str(one) for one in answer.get("api_versions") or []]
    return str(answer.get("kube_version") or ""), served, bool(answer.get("upgrade"))


def write_kubeconfig(action: ActionBase, arguments: Mapping[str, Any], folder: str) -> str:
    """Write the cluster and the credentials of the task into a kubeconfig that only this user can read.

    :param arguments: the options of the task, as values without Ansible's tags.
    :param folder: where to write it.
    :returns: the path of the file.
    :raises InputError: the module runs on another host, or the options select no cluster.
    """
    if action._connection.transport != "local":
        raise InputError(
            "helm.lookup: helm queries the cluster from the control node. Run the task there (delegate_to: localhost) "
            "with a kubeconfig of the control node."
        )
    given = {name: value for name, value in arguments.items() if name in AUTH_NAMES and value is not None}
    checked = ArgumentSpecValidator(AUTH_OPTIONS).validate(given)
    if checked.error_messages:
        raise InputError(*checked.error_messages)
    try:
        found = credentials(checked.validated_parameters, shutil.which)
    except KubeconfigError as error:
        raise InputError(f"helm.lookup: {error}") from None
    path = os.path.join(folder, "kubeconfig")
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(found.as_kubeconfig(), file)
    return path


def _module_options(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in arguments.items() if key not in SOURCE_OPTIONS and value is not None}


def merged(before: Mapping[str, Any], answer: Mapping[str, Any]) -> dict[str, Any]:
    """Merge the result of the earlier calls and that of the latest one.

    What changed comes from the call that changed it, the outcome from the latest one; warnings and the like are collected.
    """
    result = dict(answer)
    if not before:
        return result
    for key in FIRST:
        if key in before:
            result[key] = before[key]
    result["changed"] = bool(before.get("changed") or answer.get("changed"))
    if answer.get("objects") and before.get("objects"):
        result["objects"] = _merged_objects(before["objects"], answer["objects"])
    for key in COLLECTED:
        known = list(before.get(key) or [])
        known += [one for one in answer.get(key) or [] if one not in known]
        if known:
            result[key] = known
    result["progress"] = [*(before.get("progress") or []), *(answer.get("progress") or [])]
    for key in SUMMED:
        if key in before or key in answer:
            result[key] = (before.get(key) or 0) + (answer.get(key) or 0)
    spent = dict(before.get("seconds") or {})
    for phase, seconds in (answer.get("seconds") or {}).items():
        spent[phase] = round(spent.get(phase, 0) + seconds, 3)
    if spent:
        result["seconds"] = spent
    return result


def _merged_objects(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the action on each object; a later call reports none where an earlier one has acted."""

    def identity(one: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(one.get(key) for key in ("api_version", "kind", "namespace", "name"))

    known = {identity(one): dict(one) for one in before}
    for one in after:
        if one.get("action") != "none" or identity(one) not in known:
            known[identity(one)] = dict(one)
    return list(known.values())


@contextmanager
def quiet(action: ActionBase) -> Iterator[None]:
    """Hide the options and the result of a module at any verbosity, and keep them out of files.

    With pipelining, Ansible passes the options to the interpreter's standard input; without it, it writes them to a temporary
    file on the host.
    """
    connection = action._connection
    contexts = [action._play_context, getattr(connection, "_play_context", None)]
    contexts = [context for context in contexts if context is not None]
    was = [context.no_log for context in contexts]
    piped = getattr(connection, "always_pipeline_modules", False)
    for context in contexts:
        context.no_log = True
    connection.always_pipeline_modules = True
    try:
        yield
    finally:
        connection.always_pipeline_modules = piped
        for context, before in zip(contexts, was, strict=True):
            context.no_log = before
