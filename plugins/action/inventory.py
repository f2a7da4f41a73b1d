# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write the inventory of a cluster on the control node, from addresses or from a running cluster. Contacts no host."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from ansible import constants as C
from ansible.module_utils.common.process import get_bin_path
from ansible.plugins.action import ActionBase

from ..module_utils._host.system import HostError, write_atomic
from ..module_utils._kube.api import ApiError, Unreachable
from ..module_utils._kube.auth import connect
from ..module_utils._kube.kubeconfig import KubeconfigError
from ..plugin_utils.errors import InputError
from ..plugin_utils.inventory.adopt import read_cluster
from ..plugin_utils.inventory.check import problems_of
from ..plugin_utils.inventory.description import Description, describe_addresses
from ..plugin_utils.inventory.render import SETTINGS, render
from ..plugin_utils.preflight.problem import count
from ..plugin_utils.preflight.problem import render as report
from ..plugin_utils.preflight.variables import Variables

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = ROOT / "docs" / "group_vars.schema.json"
OPTIONS: dict[str, dict[str, Any]] = {
    "path": {"type": "path", "required": True},
    "control_planes": {"type": "list", "elements": "str", "default": []},
    "workers": {"type": "list", "elements": "str", "default": []},
    "user": {"type": "str", "default": ""},
    "kubeconfig": {"type": "path", "default": ""},
    "context": {"type": "str", "default": ""},
    "overwrite": {"type": "bool", "default": False},
}


class ActionModule(ActionBase):
    """Describe the inventory, check it as the playbook cluster would, and write its files."""

    BYPASS_HOST_LOOP = True
    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the action."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        del tmp
        _validation, options = self.validate_argument_spec(argument_spec=OPTIONS)
        variables = Variables(self._loader, task_vars or {})
        folder = Path(options["path"]).expanduser().absolute()
        try:
            description = self.describe(options, variables)
            files = render(description, variables.defaults_of(SETTINGS, description.variables), schema_for(folder))
            problems = problems_of(files)
            errors = [problem for problem in problems if problem.severity == "error"]
            if problems:
                color = C.COLOR_ERROR if errors else C.COLOR_WARN
                self._display.display(f"\n{report(problems)}", color=color)
            if errors and not options["kubeconfig"]:
                refused = "Nothing was written: slipway.kube.cluster would refuse this inventory"
                raise InputError(f"{refused} ({count(problems, 'error')}, listed above).")
            changes = differences(folder, files, options["overwrite"])
            result.update(changed=bool(changes), path=str(folder), notes=description.notes, diff=list(changes.values()))
            for path in changes if not self._task.check_mode else ():
                write(path, files[str(path.relative_to(folder))])
        except (ApiError, HostError, InputError, KubeconfigError, OSError, Unreachable) as error:
            return dict(result, failed=True, msg=str(error))
        return result

    def describe(self, options: dict[str, Any], variables: Variables) -> Description:
        """Return what the inventory says: the hosts, and the collection's variables that were given to this run."""
        if options["kubeconfig"]:
            places = {"kubeconfig": options["kubeconfig"], "context": options["context"] or None}
            description = read_cluster(connect(places, find_program))
        else:
            description = describe_addresses(options["control_planes"], options["workers"])
            for name in ("kube_cluster_name", "kube_version"):
                description.variables[name] = variables.defaults[name]
        if options["user"]:
            description.variables["ansible_user"] = options["user"]
        elif options["kubeconfig"]:
            description.notes.append("ansible_user: the API does not know the user for SSH, nor ports and keys.")
        for name, value in variables.given().items():
            if variables.options[name].get("no_log"):
                description.notes.append(
                    f"{name} was given and is not written, since it may be secret: keep it in a vault."
                )
            else:
                description.variables[name] = value
        return description


def find_program(name: str, *_more: Any, **_options: Any) -> str | None:
    """Return the path of a program, as AnsibleModule.get_bin_path does; None if there is none."""
    try:
        return str(get_bin_path(name))
    except ValueError:
        return None


def schema_for(folder: Path) -> str:
    """Return the path of the schema from the folder of the variables; empty if it would lead out of this checkout."""
    inside = ROOT in folder.parents and SCHEMA.exists()
    return os.path.relpath(SCHEMA, folder / "group_vars") if inside else ""


def differences(folder: Path, files: dict[str, str], overwrite: bool) -> dict[Path, dict[str, str]]:
    """Return the diff of each file that differs, by its path.

    :raises InputError: a file exists and differs, and may not be overwritten.
    """
    changes, kept = {}, []
    for name, text in files.items():
        path = folder / name
        before = path.read_text() if path.exists() else ""
        if before != text:
            changes[path] = {"before": before, "after": text, "before_header": str(path), "after_header": str(path)}
            kept += [path] if path.exists() and not overwrite else []
    if kept:
        raise InputError(
            f"Nothing was written. These files exist and would change: {', '.join(map(str, kept))}. Edit them, choose another folder "
            "(inventory_path), or replace them with -e inventory_overwrite=true, which keeps a copy; "
            "--check --diff shows the difference then. [slipway:inventory_exists]"
        )
    return changes


def write(path: Path, text: str) -> None:
    """Write a file, and keep what was there under a name that Ansible does not read (it ends in ``~``).

    :raises HostError: the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    owner = path.parent.stat()
    if path.exists():
        path.rename(path.with_name(f"{path.name}.{time.strftime('%Y-%m-%d@%H:%M:%S')}~"))
    write_atomic(str(path), text.encode(), 0o644, owner.st_uid, owner.st_gid)
