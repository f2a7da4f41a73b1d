# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One layer of a host: swap, kernel modules, sysctls, files, packages, firewall, nftables tables and units, in this order.

Packages are downloaded once their repositories are configured, before any other file is written: a file that replaces the configuration
of an installed package is only written when it is certain that the layer's own packages can be installed.

A run first plans all sections without changing anything, so that what cannot work fails early and check mode predicts the result.
Then each section is planned again, from the state in which the previous sections left the host, and applied. The original state is
written to the record before it is changed. After an interruption, the next run resumes where the last one stopped.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any, Callable

from .._kube.progress import tell
from .files import Fetch, WantedFile, plan_files, plan_renewal
from .firewall import plan_firewall
from .footprint import take_footprint
from .kernel_modules import plan_modules
from .package_modes import plan_modes
from .packages import WantedPackage, backend, plan_packages
from .record import Record, restore_file
from .step import Step
from .swap import plan_swap
from .sysctls import plan_sysctls, render_file
from .system import HostError, System
from .tables import plan_absent_tables
from .unit_health import UnhealthyUnit
from .units import WantedUnit, plan_units, start_unit

REPOSITORY_FOLDERS = ("/etc/apt/", "/etc/yum.repos.d/", "/etc/pki/rpm-gpg/")
MANAGED = "# Written by slipway.kube; changes made here are lost with the next run.\n"


@dataclass
class WantedLayer:
    """The desired state of a layer, from the module's options; an empty section is not managed."""

    name: str
    cluster: str = ""
    swap: str = "kept"
    modules_file: str = ""
    modules: list[str] = field(default_factory=list)
    sysctls_file: str = ""
    sysctls: dict[str, Any] = field(default_factory=dict)
    files: list[WantedFile] = field(default_factory=list)
    packages: list[WantedPackage] = field(default_factory=list)
    package_sources: list[str] = field(default_factory=list)
    firewall_ports: list[str] = field(default_factory=list)
    firewall_trusted: list[str] = field(default_factory=list)
    firewall_protocols: list[str] = field(default_factory=list)
    firewall_zone: str = ""
    absent_tables: list[str] = field(default_factory=list)
    units: list[WantedUnit] = field(default_factory=list)

    @property
    def all_files(self) -> list[WantedFile]:
        """Return the layer's files, with those that load modules and set sysctls at boot first."""
        rendered = []
        if self.modules_file:
            content = MANAGED + "".join(name + "\n" for name in self.modules)
            rendered.append(WantedFile(path=self.modules_file, content=content))
        if self.sysctls_file:
            rendered.append(WantedFile(path=self.sysctls_file, content=render_file(self.sysctls, MANAGED)))
        return rendered + self.files


@dataclass
class LayerResult:
    """The changes that a layer made or, in check mode, would make."""

    steps: list[Step] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, steps: list[Step]) -> None:
        """Add the steps whose subject is new."""
        known = {step.subject for step in self.steps}
        self.steps += [step for step in steps if step.subject not in known]

    def as_dict(self) -> dict[str, Any]:
        """Return the module's return values."""
        return {
            "changed": bool(self.steps),
            "changes": [step.sentence for step in self.steps],
            "diff": [step.diff for step in self.steps],
            "restarted": sorted({step.restarts for step in self.steps if step.restarts}),
            "notes": self.notes,
        }


@dataclass
class Layer:
    """Converges one host to a layer."""

    system: System
    record: Record
    wanted: WantedLayer
    fetch: Fetch
    footprint: Callable[[], dict[str, Any]] = take_footprint
    renewed: list[Step] = field(default_factory=list, init=False)

    def run(self, check: bool) -> LayerResult:
        """Plan the layer and, unless in check mode, apply it.

        :raises HostError: the layer cannot be applied. Nothing has been changed then, unless only the change itself could fail.
        """
        result = LayerResult()
        marked = self.record.mark(self.wanted.cluster) if self.wanted.cluster else False
        for section in self._sections(result.notes, ahead=result.steps):
            result.steps += section()
        if check or not result.steps:
            return result
        if marked:
            self.record.footprint = self.record.footprint or self.footprint()
        self._remember(result.steps)
        for section in self._sections(notes=[], ahead=[], download=True):
            steps = section()
            result.add(steps)
            self._remember(steps)
            try:
                for step in steps:
                    tell(step.sentence)
                    step.apply()
            except UnhealthyUnit as failure:
                raise self._put_back(failure, result.steps) from failure
            finally:
                self.record.save()
        result.add(self.renewed)
        return result

    def _renew_keys(self, repositories: list[WantedFile]) -> bool:
        """Fetch the keys of package repositories again, and return whether one has changed."""
        steps = plan_renewal(self.system, repositories, self.fetch)
        for step in steps:
            step.apply()
        self.renewed += steps
        return bool(steps)

    def _put_back(self, failure: UnhealthyUnit, steps: list[Step]) -> HostError:
        """Put back the files with which a unit does not work, and start it with them again; returns the error for the operator."""
        unit = next(unit for unit in self.wanted.units if unit.name == failure.name)
        changed = {
            path: described
            for step in steps
            for kind, path, described in step.remember
            if kind == "files" and path in step.paths and unit.reads(path)
        }
        for path, described in changed.items():
            restore_file(self.system.path(path), described)
        if not changed:
            return failure
        outcome = "It runs with the previous ones again, which were put back."
        try:
            start_unit(self.system, unit)
        except HostError as error:
            outcome = f"The previous ones were put back, but it does not run with them either: {error}"
        variables = unit.health.variables if unit.health else ""
        return HostError(
            f"{unit.name} does not run with its new settings in {', '.join(sorted(changed))}. {outcome} Evidence: {failure.evidence}\n"
            f"Correct the setting{f' ({variables})' if variables else ''} and run again. [slipway:unit_settings]"
        )

    def _remember(self, steps: list[Step]) -> None:
        for step in steps:
            for kind, key, value in step.remember:
                self.record.remember(kind, key, value)
        self.record.save()

    def _sections(self, notes: list[str], ahead: list[Step], download: bool = False) -> list[Callable[[], list[Step]]]:
        """Return the planners of all sections in their order.

        :param ahead: steps that are planned and not applied yet; later sections may rely on their result.
        :param download: whether packages are downloaded first, as a section of its own.
        """
        system, wanted = self.system, self.wanted
        manager = backend(system) if wanted.packages else None
        repositories = [item for item in wanted.all_files if item.path.startswith(REPOSITORY_FOLDERS)]
        others = [item for item in wanted.all_files if item not in repositories]

        def packages(download_only: bool = False) -> list[Step]:
            renew = partial(self._renew_keys, repositories)
            return (
                plan_packages(manager, wanted.packages, wanted.package_sources, download_only, renew) if manager else []
            )

        def planned(prefix: str) -> bool:
            return any(step.subject.startswith(prefix) for step in ahead)

        return [
            lambda: plan_swap(system, wanted.swap, notes),
            lambda: plan_modules(system, wanted.modules),
            lambda: plan_sysctls(system, wanted.sysctls_file, wanted.sysctls, planned("kernel module ")),
            lambda: plan_files(system, self.record, repositories, self.fetch),
            lambda: packages(download_only=True) if download else [],
            lambda: plan_files(system, self.record, others, self.fetch),
            packages,
            lambda: plan_modes(system, wanted.packages, planned("package ")),
            lambda: plan_firewall(
                system,
                wanted.firewall_ports,
                wanted.firewall_trusted,
                wanted.firewall_protocols,
                wanted.firewall_zone,
            ),
            lambda: plan_absent_tables(wanted.absent_tables),
            lambda: plan_units(
                system, wanted.units, {path for step in ahead for path in step.paths}, planned("package ")
            ),
        ]
