# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables of all hosts as the checks see them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleError
from ansible.module_utils.common.validation import check_type_list
from ansible.template import Templar

from ...module_utils._kube.versions import versions_between
from .checks import VARIABLES
from .problem import CONTROL_PLANE, ETCD, WORKER, Cluster, Host
from .values import SCALARS, SPLIT_LISTS, value_errors

ROLES = Path(__file__).resolve().parents[3] / "roles"
# What depends on kube_minor, of what the checks of sources read; roles/preflight/templates/of_version.yml.j2 has the same.
OF_A_MINOR = ("kube_component_versions", "kube_kubernetes_repository")


class Variables:
    """The effective variables of every host of the cluster, including hosts that are not in this play.

    In ascending order of precedence: the defaults of the collection's roles, the host's inventory variables, facts and extra
    variables, and the variables of the play.

    :param loader: the DataLoader of the run.
    :param task_vars: variables of the current task, not yet evaluated.
    """

    def __init__(self, loader: Any, task_vars: dict[str, Any]) -> None:
        self.loader = loader
        self.task_vars = task_vars
        self.hostvars = task_vars["hostvars"]
        self.defaults: dict[str, Any] = {}
        self.known: dict[str, str] = {}
        self.options: dict[str, dict[str, Any]] = {}
        for role in sorted(path for path in ROLES.iterdir() if path.is_dir()):
            defaults = self.load(role / "defaults" / "main.yml")
            self.defaults.update(defaults)
            names = set(defaults)
            for entry in self.specification(role).values():
                names.update(entry.get("options") or {})
                self.options.update(entry.get("options") or {})
            self.known.update({name: self.known.get(name, role.name) for name in names})
        del self.options["preflight_waive"][
            "choices"
        ]  # the check "waived_names" names the most similar one instead of all of them
        current = self.hostvars.raw_get(task_vars["inventory_hostname"])
        self.play = {
            name: value
            for name, value in task_vars.items()
            if name in self.known
            and value != self.defaults.get(name)
            and (name not in current or current[name] != value)
        }

    @staticmethod
    def specification(role: Path) -> dict[str, Any]:
        """Return the entry points of a role. They have no templates to trust, and libyaml reads them much faster than Ansible's loader."""
        text = (role / "meta" / "argument_specs.yml").read_text()
        entries: dict[str, Any] = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))["argument_specs"]
        return entries

    def load(self, path: Path) -> dict[str, Any]:
        """Return the content of a YAML file of this collection, whose templates are trusted."""
        if not path.exists():
            return {}
        try:
            return self.loader.load_from_file(str(path), trusted_as_template=True) or {}
        except TypeError:  # ansible-core before 2.19 trusts everything
            return self.loader.load_from_file(str(path)) or {}

    def given(self) -> dict[str, Any]:
        """Return the collection's variables that this run was given for the control node, on the command line for example, evaluated.

        Variables of role inventory are about the run itself.
        """
        raw = self.hostvars.raw_get("localhost")
        templar = Templar(loader=self.loader, variables=self.of("localhost"))
        return {
            name: templar.template(raw[name])
            for name in self.options
            if name in raw and self.known[name] != "inventory"
        }

    def defaults_of(self, names: Iterable[str], given: dict[str, Any]) -> dict[str, Any]:
        """Return the defaults of variables, without those that only a host can evaluate.

        :param given: values that other defaults may depend on.
        """
        templar = Templar(loader=self.loader, variables={**self.defaults, **given})
        found = {}
        for name in set(names) & set(self.defaults):
            try:
                found[name] = templar.template(self.defaults[name])
            except AnsibleError:
                continue
        return found

    def of(self, host: str) -> dict[str, Any]:
        """Return the variables of a host, not yet evaluated."""
        return {**self.defaults, **self.hostvars.raw_get(host), **self.play, "hostvars": self.hostvars}

    def cluster(self, candidates: Iterable[str] = ()) -> Cluster:
        """Return the input of the checks.

        :param candidates: hosts that are looked at as if they were workers.
        """
        groups = self.task_vars["groups"]
        control_planes, workers, etcd = (list(groups.get(group) or []) for group in (CONTROL_PLANE, WORKER, ETCD))
        workers += [name for name in candidates if name not in workers]
        members = {group: list(hosts) for group, hosts in groups.items()}
        cluster = Cluster(hosts={}, members=members, known=self.known)
        for name in dict.fromkeys(control_planes + workers + etcd):
            host = Host(name, control_plane=name in control_planes, worker=name in workers, etcd=name in etcd)
            cluster.hosts[name] = host
            variables = self.add_names_and_values(cluster, name)
            templar = Templar(loader=self.loader, variables=variables)
            for variable in dict.fromkeys((*VARIABLES, "ansible_host")):
                try:
                    value = templar.template(variables[variable]) if variable in variables else None
                    host.variables[variable] = self.typed(variable, value)
                except (AnsibleError, TypeError, ValueError) as error:
                    host.variables[variable] = None
                    cluster.broken.append((name, variable, str(error)))
            host.address = str(host.variables["ansible_host"] or name)
            self.add_facts(host, variables.get("kube_host"))
            host.variables["external_etcd"] = bool(etcd)
            host.variables["between"] = self.between(host, variables)
        if not cluster.hosts:  # then the variables of the command line are those of localhost
            cluster.waived = self.typed(
                "preflight_waive", self.add_names_and_values(cluster, "localhost")["preflight_waive"]
            )
        return cluster

    def between(self, host: Host, variables: dict[str, Any]) -> list[dict[str, Any]]:
        """Return ``kube_version`` and the values of :data:`OF_A_MINOR` for each version that the upgrade of a host goes through.

        The role upgrade sets kube_minor only: kube_version may be an extra variable, which precedes all others.

        :param variables: of the host, not yet evaluated.
        """
        table, own = host.variables["kube_versions"], host.variables["upgrade_through"]
        if not (
            host.variables["preflight_upgrade"] and host.facts and isinstance(table, dict) and isinstance(own, list)
        ):
            return []
        running, found = host.facts["cluster"].get("kubelet_version"), []
        for minor, version in versions_between(running, host.variables["kube_version"], table, own).items():
            templar = Templar(loader=self.loader, variables={**variables, "kube_minor": minor})
            with contextlib.suppress(AnsibleError):  # what cannot be evaluated was reported above
                found.append(
                    {"kube_version": version, **{name: templar.template(variables[name]) for name in OF_A_MINOR}}
                )
        return [values for values in found if values["kube_version"]]

    def add_names_and_values(self, cluster: Cluster, host: str) -> dict[str, Any]:
        """Add the names of a host's variables, and those values that the specifications of the roles do not allow.

        :returns: the host's variables, not yet evaluated, with the default in the place of each wrong value.
        """
        variables, raw = self.of(host), self.hostvars.raw_get(host)
        cluster.variable_names[host] = sorted(raw)
        templar = Templar(loader=self.loader, variables=variables)
        for name in sorted(name for name in self.options if name in raw or name in self.play):
            try:
                value = templar.template(variables[name])
            except AnsibleError:
                continue  # it may use facts that are not known yet; if a check reads it, it is reported with its error
            errors = list(value_errors(name, value, self.options[name], split=self.known[name] in SPLIT_LISTS))
            cluster.wrong += [(host, name, error) for error in errors]
            if errors:
                variables[name] = self.defaults.get(name)
        return variables

    def typed(self, name: str, value: Any) -> Any:
        """Return the value of a variable in its type.

        :raises TypeError: a string cannot be converted.
        """
        kind = self.options.get(name, {}).get("type", "")
        if isinstance(value, str) and kind == "list" and self.known[name] in SPLIT_LISTS:
            return check_type_list(value)
        return SCALARS[kind](value) if isinstance(value, str) and kind in SCALARS else value

    def add_facts(self, host: Host, result: dict[str, Any] | None) -> None:
        """Add the facts of a host, or why they could not be gathered.

        :param result: what the role's task registered as ``kube_host``.
        """
        result = result or {}
        if "os" in result:
            host.facts = result
        elif host.name in self.task_vars.get("ansible_play_hosts_all", []):
            message = str(result.get("module_stderr") or result.get("msg") or "it failed earlier in this run")
            host.failure = message.replace("Task failed: ", "").strip().splitlines()[0]
