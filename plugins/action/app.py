# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Expand the description of an application on the control node, and deploy the objects as a release."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase

from ..module_utils._kube.auth import AUTH_OPTIONS
from ..module_utils._release.settings import OPTIONS
from ..plugin_utils.app.checks import read
from ..plugin_utils.app.expand import Expansion, expand, masked
from ..plugin_utils.app.fields import Raw, Structure, each
from ..plugin_utils.app.files import read_files
from ..plugin_utils.app.spec import APPLICATION, FIELDS
from ..plugin_utils.app.words import translate
from ..plugin_utils.errors import InputError
from ..plugin_utils.release_runner import run_release
from ..plugin_utils.sources.yaml_reader import plain

# The options of a release, without those that only its action plugin sets and those that the description contains.
RELEASE_OPTIONS = {
    name: option
    for name, option in OPTIONS.items()
    if name not in ("pause_after", "name", "namespace", "revision", "delete_hooks", "orphan")
}
RENDER = {"render_only": {"type": "bool", "default": False}}


class ActionModule(ActionBase):
    """Validates the description and runs the release."""

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
                result.update(translate(run_release(self, task_vars, wanted, expansion.objects, expansion.hooks)))
        except InputError as error:
            return dict(result, failed=True, msg=refusal(arguments, error.problems), problems=error.problems)
        warnings = [*expansion.warnings, *(result.get("warnings") or [])]
        if warnings:
            result["warnings"] = warnings
        return result


def sort_arguments(arguments: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Separate a task's arguments into the description, the options of the release, and the connection options.

    :returns: these three; the options of the release are validated and complete, the description is not validated yet.
    :raises InputError: an argument is unknown or an option is invalid; problems of the description are listed too.
    """
    names = {alias: name for name, option in AUTH_OPTIONS.items() for alias in [name, *option.get("aliases", [])]}
    known = {**FIELDS, **each(Raw(), *RELEASE_OPTIONS, *RENDER, *names)}
    table = Structure(known)
    table.instead = APPLICATION.instead
    problems = [table.unknown(name, "") for name in arguments if name not in known]
    options = {name: value for name, value in arguments.items() if name in RELEASE_OPTIONS or name in RENDER}
    auth = {name: value for name, value in arguments.items() if name in names}
    host = auth.get("host")
    if isinstance(host, str) and "://" not in host:
        problems.append(
            "host: must be the URL of the API server. Use ingress.host for the host name of the application."
        )
    checked = ArgumentSpecValidator({**RELEASE_OPTIONS, **RENDER}).validate(options)
    problems += checked.error_messages
    description = {name: value for name, value in arguments.items() if name in FIELDS}
    complete = dict(checked.validated_parameters)
    if complete.get("state") == "absent":
        problems += [f"{name}: is required." for name in ("name", "namespace") if not description.get(name)]
    elif problems:
        # One run reports all problems, including those of the description.
        try:
            read(description)
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(*problems)
    return description, complete, auth


def rendered(expansion: Expansion) -> dict[str, Any]:
    """Return the manifests as the result of the task, without the values of Secrets."""
    return {
        "changed": False,
        "manifests": [masked(content) for content in expansion.objects],
        "hooks": {phase: [masked(content) for content in jobs] for phase, jobs in expansion.hooks.items()},
        "needs": expansion.needs,
        "msg": f"Rendered {len(expansion.objects)} objects. Nothing was sent to a cluster.",
    }


def refusal(arguments: Mapping[str, Any], problems: list[str]) -> str:
    """Return the message of a failed task with every problem."""
    name = arguments.get("name")
    title = f"The description of the application{f' {name}' if isinstance(name, str) else ''} is invalid [slipway:app_description]:"
    return "\n".join([title, *(f"- {problem}" for problem in problems)])
