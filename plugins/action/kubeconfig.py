# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of the module kubeconfig that runs on the control node."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ansible.plugins.action import ActionBase

from ..module_utils._host.system import HostError
from ..plugin_utils.cluster.local_kubeconfig import converge_local, resolve


@contextmanager
def no_output(*contexts: Any, when: bool) -> Iterator[None]:
    """Suppress the output of the connection at any verbosity: it contains a private key."""
    previous = [context.no_log for context in contexts]
    for context in contexts:
        context.no_log = context.no_log or when
    try:
        yield
    finally:
        for context, no_log in zip(contexts, previous, strict=True):
            context.no_log = no_log


class ActionModule(ActionBase):
    """Run the module on the host and write the kubeconfig that it returns on the control node. The result does not contain it."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the action."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        del tmp
        arguments = dict(self._task.args)
        place = str(arguments.get("control_node_path") or "")
        with no_output(self._play_context, self._connection._play_context, when=bool(place)):
            answer = self._execute_module(
                module_name="slipway.kube.kubeconfig", module_args=arguments, task_vars=task_vars
            )
        admin = answer.pop("fetched", None)
        answer.pop("invocation", None)
        result.update(answer)
        if not place or result.get("failed"):
            return result
        result["control_node_path"] = str(resolve(place))
        try:
            changed, diff = converge_local(
                place,
                admin,
                str(arguments.get("namespace", "default")),
                str(arguments.get("control_node_server") or ""),
                self._task.check_mode,
            )
        except HostError as error:
            return dict(result, failed=True, msg=str(error))
        if changed:
            result["changed"] = True
            result.setdefault("changes", []).append(f"{resolve(place)} written on the control node.")
            result.setdefault("diff", []).append(diff)
        return result
