# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the checks of preflight on the control node, once for all hosts, and tells what they found in one list."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ansible import constants as C
from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.template import Templar

from ..plugin_utils.preflight.checks import VARIABLES, judge_hosts, judge_inventory
from ..plugin_utils.preflight.problem import (
    CONTROL_PLANE,
    SEVERITIES,
    WORKER,
    Cluster,
    Host,
    Problem,
    count,
    render,
    sort_out,
)

ROLES = Path(__file__).resolve().parents[2] / "roles"
COLORS = {"error": C.COLOR_ERROR, "warning": C.COLOR_WARN, "info": C.COLOR_OK}


class ActionModule(ActionBase):
    """Reads the variables of all hosts of the cluster; opens no connection."""

    BYPASS_HOST_LOOP = True
    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(
            argument_spec={
                "stage": {"type": "str", "choices": ["inventory", "hosts"], "required": True},
                "waive": {"type": "list", "elements": "str", "default": []},
            }
        )
        variables = Variables(self._loader, task_vars or {})
        cluster = variables.cluster()
        cluster.now = time.time()
        problems = judge_inventory(cluster) if options["stage"] == "inventory" else judge_hosts(cluster)
        problems = sort_out(cluster, problems, options["waive"])
        self.tell(problems)
        if count(problems, "error"):
            # The list was printed: a dump of the same below it would only bury it.
            result.update(failed=True, msg=summary(problems))
        else:
            result.update(problems=[asdict(problem) for problem in problems])
        return result

    def tell(self, problems: list[Problem]) -> None:
        """Prints the list, a part for each severity."""
        for severity in SEVERITIES:
            part = [problem for problem in problems if problem.severity == severity]
            if part:
                self._display.display("\n" + render(part), color=COLORS[severity])


def summary(problems: list[Problem]) -> str:
    """The closing line of a refusal."""
    names = sorted({problem.check for problem in problems if problem.severity == "error"})
    return (
        "preflight refuses to go on, no host was changed: %d error(s) and %d warning(s), listed above. "
        "A check that is wrong for you is waived by its name: preflight_waive: [%s]"
        % (count(problems, "error"), count(problems, "warning"), ", ".join(names))
    )


class Variables:
    """The effective variables of every host of the cluster, also of hosts that are not in this play.

    Those are, from the weakest on: the defaults of the collection's roles, the host's inventory variables, facts and extra variables,
    and what the play itself sets.

    :param loader: the DataLoader of the run.
    :param task_vars: variables of the current task, not evaluated.
    """

    def __init__(self, loader: Any, task_vars: dict[str, Any]) -> None:
        self.loader = loader
        self.task_vars = task_vars
        self.hostvars = task_vars["hostvars"]
        self.defaults: dict[str, Any] = {}
        self.known: dict[str, str] = {}
        for role in sorted(path for path in ROLES.iterdir() if path.is_dir()):
            defaults = self.load(role / "defaults" / "main.yml")
            self.defaults.update(defaults)
            names = set(defaults)
            for entry in self.load(role / "meta" / "argument_specs.yml").get("argument_specs", {}).values():
                names.update(entry.get("options") or {})
            self.known.update({name: self.known.get(name, role.name) for name in names})
        current = self.hostvars.raw_get(task_vars["inventory_hostname"])
        self.play = {
            name: value
            for name, value in task_vars.items()
            if name in self.known
            and value != self.defaults.get(name)
            and (name not in current or current[name] != value)
        }

    def load(self, path: Path) -> dict[str, Any]:
        """A file of this collection; its templates are to be evaluated."""
        if not path.exists():
            return {}
        try:
            return self.loader.load_from_file(str(path), trusted_as_template=True) or {}
        except TypeError:  # ansible-core before 2.19 trusts everything
            return self.loader.load_from_file(str(path)) or {}

    def of(self, host: str) -> dict[str, Any]:
        """Variables of a host, not evaluated."""
        return {**self.defaults, **self.hostvars.raw_get(host), **self.play, "hostvars": self.hostvars}

    def cluster(self) -> Cluster:
        """What preflight judges."""
        groups = self.task_vars["groups"]
        control_planes, workers = (list(groups.get(group) or []) for group in (CONTROL_PLANE, WORKER))
        cluster = Cluster(
            hosts={},
            groups=tuple(groups),
            known=self.known,
        )
        for name in dict.fromkeys(control_planes + workers):
            variables = self.of(name)
            host = Host(name, control_plane=name in control_planes, worker=name in workers)
            cluster.hosts[name] = host
            cluster.variables[name] = sorted(self.hostvars.raw_get(name))
            templar = Templar(loader=self.loader, variables=variables)
            for variable in (*VARIABLES, "ansible_host"):
                try:
                    host.want[variable] = templar.template(variables[variable]) if variable in variables else None
                except AnsibleError as error:
                    host.want[variable] = None
                    cluster.broken.append((name, variable, str(error)))
            host.address = str(host.want["ansible_host"] or name)
            self.add_look(host, variables.get("kube_host"))
        return cluster

    def add_look(self, host: Host, look: dict[str, Any] | None) -> None:
        """Takes what look_at_host registered: a look, or why there is none."""
        if look and "os" in look:
            host.look = look
        elif host.name in self.task_vars.get("ansible_play_hosts_all", []):
            look = look or {}
            message = str(look.get("module_stderr") or look.get("msg") or "it dropped out of this run before the look")
            host.failure = message.replace("Task failed: ", "").strip().splitlines()[0]
