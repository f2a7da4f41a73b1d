# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Expands the description of an application to manifests on the control node, and hands them to the engine of releases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase

from ..module_utils._kube.auth import AUTH_OPTIONS
from ..module_utils._release.settings import OPTIONS
from ..plugin_utils.app.checks import read
from ..plugin_utils.app.expand import Expansion, expand, masked
from ..plugin_utils.app.fields import BadApp, Field, Raw, Record
from ..plugin_utils.app.files import read_files
from ..plugin_utils.app.spec import ELSEWHERE, FIELDS
from ..plugin_utils.release_runner import run_release
from ..plugin_utils.sources.errors import SourceError
from ..plugin_utils.sources.plain import plain

# What the engine of releases takes, without what only its action knows and what the description says itself.
RELEASE_OPTIONS = {name: option for name, option in OPTIONS.items() if name not in ("pause_after", "name", "namespace")}
RENDER = {"render_only": {"type": "bool", "default": False}}


class ActionModule(ActionBase):
    """Reads the description, refuses what cannot be, and runs the release."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the action."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        del tmp
        arguments = {name: value for name, value in plain(self._task.args).items() if value is not None}
        try:
            description, options, auth = sort_arguments(arguments)
            if options["state"] == "absent":
                expansion = Expansion()
            else:
                spec = read(description)
                read_files(self, task_vars or {}, spec)
                expansion = expand(spec, options["timeout"], options["wait"])
            if options.pop("render_only"):
                result.update(rendered(expansion))
            else:
                wanted = {name: arguments[name] for name in ("name", "namespace")}
                wanted.update(auth, **{name: value for name, value in options.items() if name in arguments})
                result.update(run_release(self, task_vars, wanted, expansion.objects, expansion.hooks))
        except (BadApp, SourceError) as error:
            return dict(result, failed=True, msg=refusal(arguments, error.problems), problems=error.problems)
        warnings = [*expansion.warnings, *(result.get("warnings") or [])]
        if warnings:
            result["warnings"] = warnings
        return result


def sort_arguments(arguments: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Sort a task's arguments into the description, the options of the release, and who one is for the cluster.

    :returns: these three; the options are checked and complete, the description is still as it was written.
    :raises BadApp: an argument is not known, or an option has the wrong form.
    """
    names = {alias: name for name, option in AUTH_OPTIONS.items() for alias in [name, *option.get("aliases", [])]}
    known = dict(FIELDS)
    known.update({name: Field(Raw()) for name in [*RELEASE_OPTIONS, *RENDER, *names]})
    table = Record(known, elsewhere=ELSEWHERE)
    problems = [table.unknown(name, "") for name in arguments if name not in known]
    options = {name: value for name, value in arguments.items() if name in RELEASE_OPTIONS or name in RENDER}
    auth = {name: value for name, value in arguments.items() if name in names}
    host = auth.get("host")
    if isinstance(host, str) and "://" not in host:
        problems.append("host: is the URL of the API server; the name of a host that is served is ingress.host.")
    checked = ArgumentSpecValidator({**RELEASE_OPTIONS, **RENDER}).validate(options)
    problems += checked.error_messages
    description = {name: value for name, value in arguments.items() if name in FIELDS}
    complete = dict(checked.validated_parameters)
    if complete.get("state") == "absent":
        problems += [f"{name}: is required." for name in ("name", "namespace") if not description.get(name)]
    elif problems:
        # The description is judged in the same breath, so that one run tells everything.
        try:
            read(description)
        except BadApp as error:
            problems += error.problems
    if problems:
        raise BadApp(problems)
    return description, complete, auth


def rendered(expansion: Expansion) -> dict[str, Any]:
    """Give the manifests as a result that may be shown."""
    return {
        "changed": False,
        "manifests": [masked(content) for content in expansion.objects],
        "hooks": {phase: [masked(content) for content in jobs] for phase, jobs in expansion.hooks.items()},
        "needs": expansion.needs,
        "msg": f"{len(expansion.objects)} objects; nothing was sent to a cluster.",
    }


def refusal(arguments: Mapping[str, Any], problems: list[str]) -> str:
    """Say that the description is refused, and every reason."""
    name = arguments.get("name")
    lines = ["The application%s is not applied:" % (f" {name}" if isinstance(name, str) else "")]
    return "\n".join(lines + ["- " + problem for problem in problems])
