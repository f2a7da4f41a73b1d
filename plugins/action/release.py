# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the sources of a release on the control node, and run the module of the same name with the objects."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ..module_utils._kube.auth import AUTH_OPTIONS
from ..module_utils._kube.redaction import Redactor
from ..module_utils._release.settings import OPTIONS, SOURCE_OPTIONS
from ..plugin_utils.errors import InputError
from ..plugin_utils.release_runner import chart_view, run_release, write_kubeconfig
from ..plugin_utils.sources.reader import Reader, Sources
from ..plugin_utils.sources.yaml_reader import plain


class ActionModule(ActionBase):
    """Reads objects from their sources and passes them to the module."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the action."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        del tmp
        arguments = dict(self._task.args)
        try:
            refuse_unknown(arguments)
            given = source_arguments(arguments)
            release = str(arguments.get("name") or "")
            namespace = str(arguments.get("namespace") or "default")
            reader = Reader(
                self,
                task_vars or {},
                release,
                namespace,
                lambda: chart_view(self, task_vars, arguments),
                lambda folder: write_kubeconfig(self, plain(arguments), folder),
            )
            sources = reader.read(given)
            if given and not sources.objects and not any(sources.hooks.values()):
                raise InputError("The sources contain no objects. To delete a release, set state: absent.")
            result.update(run_release(self, task_vars, arguments, sources.objects, sources.hooks, sources.kept))
            if sources.kept:
                result["generated"] = sources.kept
            if sources.notes:
                show_notes(sources, result)
        except InputError as error:
            return dict(result, failed=True, msg=coded(str(error)), problems=error.problems)
        if sources.warnings:
            result["warnings"] = [*sources.warnings, *(result.get("warnings") or [])]
        return result


def show_notes(sources: Sources, result: dict[str, Any]) -> None:
    """Return the notes of a chart without values of Secrets, and show their first line where something has changed."""
    hooks = (hook for some in sources.hooks.values() for hook in some)
    notes = result["notes"] = Redactor([*sources.objects, *hooks]).text(sources.notes)
    if result.get("changed") and not result.get("failed"):
        first, _end, more = notes.partition("\n")
        Display().display(f"  Notes of the chart: {first}{' (… see the return value notes)' if more else ''}")


def refuse_unknown(arguments: Mapping[str, Any]) -> None:
    """Check the names of the options before anything is read.

    :raises InputError: an option is unknown; the message names the most similar one.
    """
    known = {*SOURCE_OPTIONS, *OPTIONS, *AUTH_OPTIONS}
    known.update(alias for option in AUTH_OPTIONS.values() for alias in option.get("aliases", ()))
    problems = unknown(arguments, known)
    helm = arguments.get("helm")
    if isinstance(helm, Mapping):
        problems += unknown(helm, SOURCE_OPTIONS["helm"]["options"], "helm.")
    if problems:
        raise InputError(*problems)


def coded(text: str) -> str:
    """Return a message with a code: that of what failed, or that of wrong options."""
    return text if "[slipway:" in text else f"{text} [slipway:release_options]"


def unknown(given: Mapping[str, Any], known: Collection[str], path: str = "") -> list[str]:
    """Return a sentence for each option that does not exist, with the most similar one.

    :param path: where the options are, as C(helm.).
    """
    problems = []
    for name in given:
        if name not in known:
            near = get_close_matches(str(name), sorted(known), 1)
            problems.append(f"{path}{name}: unknown option{f'; did you mean {near[0]}?' if near else '.'}")
    return problems


def source_arguments(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the validated options that name the sources of objects.

    :raises InputError: an option is invalid, or a release with C(state=present) has no source.
    """
    given = {key: value for key, value in arguments.items() if key in SOURCE_OPTIONS and value is not None}
    for key, option in SOURCE_OPTIONS.items():
        # A string is one entry: YAML text must not be split at its commas.
        if key in given and option["type"] == "list" and not isinstance(given[key], (list, tuple)):
            given[key] = [given[key]]
    checked = ArgumentSpecValidator(SOURCE_OPTIONS).validate(given)
    if checked.error_messages:
        raise InputError(*checked.error_messages)
    found: dict[str, Any] = {key: value for key, value in checked.validated_parameters.items() if value}
    if arguments.get("revision") is not None:
        if found or arguments.get("state", "present") != "present":
            raise InputError(
                f"revision: restores the objects of a stored revision, so omit {', '.join(found) or 'state'}, or omit revision."
            )
        return found
    if not found and arguments.get("state", "present") == "present":
        raise InputError(
            f"The release has no objects. Set at least one of {', '.join(SOURCE_OPTIONS)}, or state: absent."
        )
    return found
