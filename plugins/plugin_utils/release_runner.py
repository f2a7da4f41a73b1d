# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hand objects to the module release, call it until the release is finished, and show how far it is."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ..module_utils._kube.redaction import Redactor
from ..module_utils._release.settings import pack
from ..module_utils._release.source_options import SOURCE_OPTIONS
from .sources.errors import SourceError
from .sources.hooks import in_order

display = Display()

MODULE = "slipway.kube.release"
SLICE = 10  # seconds after which the module answers what it has seen, and is called again
# What only the first call knows: the later ones find done what it did.
FIRST = ("changed", "diff", "objects")
COLLECTED = ("warnings", "pruned", "deprecations")
SUMMED = ("requests",)


def run_release(
    action: ActionBase,
    task_vars: dict[str, Any] | None,
    arguments: Mapping[str, Any],
    objects: Sequence[Mapping[str, Any]],
    hooks: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
) -> dict[str, Any]:
    """Run the module release to its end.

    :param action: the action plugin on whose behalf.
    :param arguments: options of the module; those of sources are left out, as they are read already.
    :param objects: the objects of the release.
    :param hooks: Jobs before (C(pre)) and after it (C(post)).
    :returns: the module's result; what several calls told is one.
    :raises SourceError: hooks wait for each other.
    """
    ordered = {when: in_order((hooks or {}).get(when) or [], when) for when in ("pre", "post")}
    given = {key: value for key, value in arguments.items() if key not in SOURCE_OPTIONS and value is not None}
    given.setdefault("pause_after", SLICE)
    given["run_id"] = given.get("run_id") or uuid.uuid4().hex
    # The module hides values of Secrets itself; here what the connection or a broken module may say is hidden too.
    scrub = Redactor([*objects, *ordered["pre"], *ordered["post"]])
    given["payload"] = pack(objects, ordered)
    result: dict[str, Any] = {}
    while True:
        with quiet(action):
            answer = action._execute_module(module_name=MODULE, module_args=dict(given), task_vars=task_vars)
        answer = scrub.clean(answer)
        said = result.get("progress") or []
        answer["progress"] = news(answer.get("progress") or [], said[-1] if said else "")
        for line in answer["progress"]:
            display.display("  " + line)
        result = merged(result, answer)
        if answer.get("finished", True) or answer.get("failed") or answer.get("unreachable"):
            break
    for private in ("invocation", "run_id"):
        result.pop(private, None)
    return result


def chart_view(
    action: ActionBase, task_vars: dict[str, Any] | None, arguments: Mapping[str, Any]
) -> tuple[str, list[str]]:
    """Ask the cluster of a release what a chart may want to know.

    :param arguments: options of the module.
    :returns: the version of Kubernetes, empty where this user may not ask for it, and the API versions that are served.
    :raises SourceError: the cluster cannot be asked.
    """
    given = {key: value for key, value in arguments.items() if key not in SOURCE_OPTIONS and value is not None}
    with quiet(action):
        answer = action._execute_module(
            module_name=MODULE, module_args=dict(given, chart_view=True), task_vars=task_vars
        )
    if answer.get("failed") or answer.get("unreachable"):
        raise SourceError([f"helm: the cluster cannot be asked what it serves. {answer.get('msg', '')}"])
    return str(answer.get("kube_version") or ""), [str(one) for one in answer.get("api_versions") or []]


def news(lines: Sequence[str], last: str) -> list[str]:
    """Leave out what was just said: each call begins with where the one before it ended.

    :param last: the last line that was shown.
    """
    found: list[str] = []
    for line in lines:
        if line != last:
            found.append(line)
        last = line
    return found


def merged(before: Mapping[str, Any], answer: Mapping[str, Any]) -> dict[str, Any]:
    """Make one result of that of the earlier calls and of the latest one.

    What was changed is known by the call that changed it; how it ended, by the last one; what was seen on the way is collected.
    """
    result = dict(answer)
    if not before:
        return result
    for key in FIRST:
        if key in before:
            result[key] = before[key]
    result["changed"] = bool(before.get("changed") or answer.get("changed"))
    if answer.get("objects") and before.get("objects"):
        result["objects"] = _last_word(before["objects"], answer["objects"])
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


def _last_word(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What became of each object: a later call finds nothing to do where an earlier one did it."""

    def identity(one: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(one.get(key) for key in ("api_version", "kind", "namespace", "name"))

    known = {identity(one): dict(one) for one in before}
    for one in after:
        if one.get("action") != "none" or identity(one) not in known:
            known[identity(one)] = dict(one)
    return list(known.values())


@contextmanager
def quiet(action: ActionBase) -> Iterator[None]:
    """Keep what goes out and comes back from being shown, however verbose, and from being written to a file on the way.

    With pipelining, a module's arguments go through the connection to the interpreter's standard input; without it, Ansible writes them
    to a temporary file on the host first.
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
        for context, before in zip(contexts, was):
            context.no_log = before
