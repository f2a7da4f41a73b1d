# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run the preflight checks on the control node, once for all hosts, and report all problems in one list."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

from ansible import constants as C
from ansible.plugins.action import ActionBase

from ..plugin_utils.preflight.checks import check_hosts, check_inventory, check_variables
from ..plugin_utils.preflight.problem import SEVERITIES, Problem, count, drop_waived, render
from ..plugin_utils.preflight.variables import Variables

COLORS = {"error": C.COLOR_ERROR, "warning": C.COLOR_WARN, "info": C.COLOR_OK}


class ActionModule(ActionBase):
    """Read the variables and facts of all hosts of the cluster. Opens no connection."""

    BYPASS_HOST_LOOP = True
    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(
            argument_spec={
                "stage": {"type": "str", "choices": ["variables", "inventory", "hosts"], "required": True},
                "waive": {"type": "list", "elements": "str", "default": []},
                "candidates": {"type": "list", "elements": "str"},
            }
        )
        candidates = options["candidates"]
        cluster = Variables(self._loader, task_vars or {}).cluster(candidates or ())
        cluster.now = time.time()
        if candidates is not None:
            problems = drop_waived(cluster, [*check_inventory(cluster), *check_hosts(cluster)], options["waive"])
            result.update(refused=refused(problems, candidates))
            return result
        stages = {"variables": check_variables, "inventory": check_inventory, "hosts": check_hosts}
        problems = stages[options["stage"]](cluster)
        problems = drop_waived(cluster, problems, options["waive"])
        for severity in SEVERITIES:
            part = [problem for problem in problems if problem.severity == severity]
            if part:
                self._display.display(f"\n{render(part)}", color=COLORS[severity])
        if any(problem.severity == "error" for problem in problems):
            # The report was printed; returning the problems would print them a second time below it.
            result.update(failed=True, msg=summary(problems))
        else:
            result.update(problems=[asdict(problem) for problem in problems])
        return result


def refused(problems: list[Problem], candidates: list[str]) -> dict[str, str]:
    """Return why candidates cannot become nodes, by host. What other hosts have does not concern them."""
    found: dict[str, list[str]] = {}
    for problem in problems:
        if problem.host in candidates and problem.severity == "error":
            found.setdefault(problem.host, []).append(
                f"{problem.what.rstrip('.')} ({problem.evidence}). {problem.remedy} [slipway:{problem.check}]"
            )
    return {host: " ".join(texts) for host, texts in found.items()}


def summary(problems: list[Problem]) -> str:
    """Return the message of a failed run."""
    names = sorted({problem.check for problem in problems if problem.severity == "error"})
    return (
        f"Preflight checks failed and no host was changed: {count(problems, 'error')} and {count(problems, 'warning')}, listed above;"
        " docs/errors.md explains their codes."
        f" To waive checks that do not apply to your hosts, list their names: preflight_waive: [{', '.join(names)}]"
    )
