# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One layer of a host, converged in one go: swap, modules, sysctls, files, packages, firewall, units, in this order.

First everything is planned, as in a check run: what cannot work is refused before anything is touched, and the plan is what is
reported. Then each section is planned again, from what the sections before it have left, and made; what was there is on the disk
in the record before it is changed. A layer that was ended anywhere is finished by the next run.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable

from .files import Fetch, WantedFile, plan_files
from .firewall import plan_firewall
from .footprint import look_at_footprint
from .kernel_modules import plan_modules
from .packages import WantedPackage, plan_packages
from .record import Record
from .step import Step
from .swap import plan_swap
from .sysctls import plan_sysctls, render_file
from .system import System
from .units import WantedUnit, plan_units

MANAGED = "# Written by slipway.kube; changes made here are lost with the next run.\n"


@dataclass
class WantedLayer:
    """A layer as the module's options describe it; an empty section is left alone."""

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
    units: list[WantedUnit] = field(default_factory=list)

    @property
    def all_files(self) -> list[WantedFile]:
        """The layer's files with those that make modules and sysctls last."""
        rendered = []
        if self.modules_file:
            rendered.append(
                WantedFile(path=self.modules_file, content=MANAGED + "".join(name + "\n" for name in self.modules))
            )
        if self.sysctls_file:
            rendered.append(WantedFile(path=self.sysctls_file, content=render_file(self.sysctls, MANAGED)))
        return rendered + self.files


@dataclass
class Outcome:
    """What a layer did, or would do."""

    steps: list[Step] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, steps: list[Step]) -> None:
        """Add steps that are not known yet, by their subject."""
        known = {step.subject for step in self.steps}
        self.steps += [step for step in steps if step.subject not in known]

    def as_result(self) -> dict[str, Any]:
        """The module's return values."""
        return {
            "changed": bool(self.steps),
            "changes": [step.sentence for step in self.steps],
            "diff": [step.diff for step in self.steps],
            "restarted": sorted({step.restarts for step in self.steps if step.restarts}),
            "notes": self.notes,
        }


class Layer:
    """Converges one host to a layer."""

    def __init__(
        self,
        system: System,
        record: Record,
        wanted: WantedLayer,
        fetch: Fetch,
        footprint: Callable[[], dict[str, Any]] = look_at_footprint,
    ) -> None:
        self.system = system
        self.record = record
        self.wanted = wanted
        self.fetch = fetch
        self.footprint = footprint

    def run(self, check: bool) -> Outcome:
        """Plan the layer and, unless it is a check run, make it so.

        Raises HostError where something cannot be; before the first change, unless only the change itself could show it.
        """
        outcome = Outcome()
        marked = self.record.mark(self.wanted.cluster) if self.wanted.cluster else False
        outcome.steps = self._plan(outcome.notes)
        if check or not outcome.steps:
            return outcome
        if marked:
            self.record.footprint = self.record.footprint or self.footprint()
        self._remember(outcome.steps)
        for section in self._sections(notes=[], ahead=[]):
            steps = section()
            outcome.add(steps)
            self._remember(steps)
            try:
                for step in steps:
                    step.apply()
            finally:
                self.record.save()
        return outcome

    def _plan(self, notes: list[str]) -> list[Step]:
        planned: list[Step] = []
        for section in self._sections(notes, ahead=planned):
            planned += section()
        return planned

    def _remember(self, steps: list[Step]) -> None:
        for step in steps:
            for kind, key, value in step.remember:
                self.record.remember(kind, key, value)
        self.record.save()

    def _sections(self, notes: list[str], ahead: list[Step]) -> list[Callable[[], list[Step]]]:
        """The sections in their order; ``ahead`` are steps that are planned and not made yet, on whose outcome later sections may count."""
        system, wanted = self.system, self.wanted

        def comes(beginning: str) -> bool:
            return any(step.subject.startswith(beginning) for step in ahead)

        return [
            lambda: plan_swap(system, wanted.swap, notes),
            lambda: plan_modules(system, wanted.modules),
            lambda: (
                plan_sysctls(system, wanted.sysctls_file, wanted.sysctls, comes("kernel module "))
                if wanted.sysctls
                else []
            ),
            lambda: plan_files(system, self.record, wanted.all_files, self.fetch),
            lambda: plan_packages(system, wanted.packages, wanted.package_sources),
            lambda: plan_firewall(system, wanted.firewall_ports, wanted.firewall_trusted),
            lambda: plan_units(
                system, wanted.units, {path for step in ahead for path in step.paths}, comes("package ")
            ),
        ]
