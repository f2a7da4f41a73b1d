# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each fault that is caused is the first finding, with its identifier and object, and there are no false alarms.

``cases/cases.yml`` lists the faults. Those that do not disturb others are caused at the same time, each in its own namespace.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import Environment

from harness.hosts import any_host_of, hosts_of, unready
from harness.kube import Kube, call
from harness.playbook import output_of

CASES = Path(__file__).resolve().parents[1] / "cases"
LAB = f"molecule-{os.environ['MOLECULE_SCENARIO_NAME']}"
PATIENCE = 60  # seconds until a fault must be reported, unless its case has another limit
RECOVERY = 180  # seconds until the nodes and the system pods must have recovered
QUIET = 20  # seconds to watch for late false alarms when all faults have been reported
AT_ONCE = 4  # faults that are caused at the same moment
MOST = 80  # cases that exist at the same time: their pods must fit on the nodes
CLUSTER_WIDE = (
    "validatingwebhookconfiguration",
    "mutatingwebhookconfiguration",
    "persistentvolume",
    "priorityclass",
    "storageclass",
    "ingressclass",
    "runtimeclass",
    "validatingadmissionpolicybinding",
    "validatingadmissionpolicy",
)
Finding = dict[str, Any]


@dataclass
class Case:
    """A fault that is caused, and the findings about it."""

    name: str
    fault: str
    kind: str
    object: str
    namespace: str = ""  # of the object
    severity: str = "error"
    says: str = ""  # an expression that the text of the finding must match
    needs: str = ""
    namespace_labels: dict[str, str] = field(default_factory=dict)
    then: list[str] = field(default_factory=list)
    clean_up: list[str] = field(default_factory=list)
    seconds: int = PATIENCE
    alone: str = ""  # cases of the same value run together, without any others
    hosts: dict[str, str] = field(default_factory=dict)
    hosts_after: dict[str, str] = field(default_factory=dict)
    began: float = 0.0
    told: float = 0.0  # seconds until it was first reported
    first: Finding = field(default_factory=dict)
    others: list[Finding] = field(default_factory=list)

    @property
    def home(self) -> str:
        """The namespace in which the fault is caused."""
        return "fault-" + self.name.replace("_", "-")

    def is_told_by(self, finding: Finding) -> bool:
        """Whether a finding reports this fault of this object, possibly grouped with that of other objects."""
        what = (finding["fault"], finding["severity"]) == (self.fault, self.severity)
        return what and any(text in (f"{self.kind} {self.object}", self.whole) for text in objects_of(finding))

    @property
    def text(self) -> str:
        """What the first finding says, in one line."""
        return " ".join([self.first["title"], *self.first["evidence"], self.first["advice"]])

    @property
    def whole(self) -> str:
        """The object with its namespace, as in findings."""
        return f"{self.kind} {self.namespace or self.home}/{self.object}"

    def concerns(self, finding: Finding) -> bool:
        return self.is_told_by(finding) or any(f" {self.home}/" in text for text in objects_of(finding))


def objects_of(finding: Finding) -> list[str]:
    """All objects of a finding."""
    name = finding["object"]
    return [f"{name['kind']} {'/'.join(filter(None, (name['namespace'], name['name'])))}", *finding["others"]]


def read_cases() -> list[Case]:
    return [Case(**case) for case in yaml.safe_load((CASES / "cases.yml").read_text())["fault_cases"]]


ALL = read_cases()


class Cluster(Kube):
    """The scenario's cluster, with faults."""

    def cause(self, case: Case) -> None:
        self.make_namespace(case.home, **case.namespace_labels)
        for host, command in case.hosts.items():
            code, output = any_host_of(LAB, host).execute("sh", "-c", command)
            assert code == 0, f"{case.name}: {output}"
        self.fill_in(CASES / f"{case.name}.yml.j2", case.home)
        case.began = time.monotonic()
        for line in case.then:
            self.kubectl(f"--namespace={case.home}", *line.replace("AGNHOST", self.agnhost).split())

    def fill_in(self, path: Path, namespace: str) -> None:
        """Apply a manifest of the cases."""
        text = (
            Environment(autoescape=False)
            .from_string(path.read_text())
            .render(agnhost=self.agnhost, namespace=namespace)
        )
        self.apply(text, namespace)

    def health(self, namespaces: Iterable[str]) -> list[Finding]:
        """Run the module on the control node, as an operator would."""
        answer = call(self, output_of(LAB) / "health", "health_info", {"namespaces": sorted(namespaces)}).ok().answer
        return answer["findings"]

    def clean_up(self, cases: list[Case]) -> None:
        for case in cases:
            for line in case.clean_up:
                self.kubectl(f"--namespace={case.home}", *line.split(), check=False)
            for host, command in case.hosts_after.items():
                any_host_of(LAB, host).execute("sh", "-c", command)
        for kind in CLUSTER_WIDE:
            mine = [name for name in self.kubectl("get", kind, "--output=name").split() if "/fault" in name]
            if mine:
                self.kubectl("delete", "--wait=false", *mine)
        self.remove_namespaces([case.home for case in cases])
        end = time.monotonic() + RECOVERY
        while any(case.alone for case in cases) and (wrong := unready(hosts_of(LAB))):
            assert time.monotonic() < end, wrong
            time.sleep(1)


def judge(cases: list[Case], findings: list[Finding]) -> None:
    """Assign the findings to the cases, in the order of the findings."""
    for case in cases:
        mine = [one for one in findings if case.concerns(one)]
        case.first = mine[0] if mine else {}
        case.others = mine[1:]
        if mine and case.is_told_by(mine[0]) and not case.told:
            case.told = time.monotonic() - case.began


def cause_and_listen(cluster: Cluster, cases: list[Case]) -> list[Finding]:
    """Cause faults in parallel, wait until all are reported or their time is over, and return the last findings."""
    try:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(cluster.cause, cases))
        quiet = 0.0
        while True:
            # Cases with ``alone`` affect the whole cluster.
            findings = cluster.health([] if cases[0].alone else [case.home for case in cases])
            judge(cases, findings)
            now = time.monotonic()
            late = [case for case in cases if not case.told and now - case.began < case.seconds]
            quiet = 0.0 if late else quiet or now
            if quiet and now - quiet > QUIET:
                return findings
            time.sleep(1)
    finally:
        cluster.clean_up(cases)


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    return Cluster(LAB)


@pytest.fixture(scope="module")
def outcome(cluster: Cluster) -> Iterator[list[Finding]]:
    """All findings that belong to no case."""
    stray: list[Finding] = []
    for word in dict.fromkeys(case.alone for case in ALL):
        same = [case for case in ALL if case.alone == word]
        for group in (same[start : start + MOST] for start in range(0, len(same), MOST)):
            findings = cause_and_listen(cluster, group)
            stray += [one for one in findings if not any(case.concerns(one) for case in group)]
    yield stray
    seconds = sorted(case.told for case in ALL if case.told)
    rows = [f"  {case.name:32} {case.fault:26} {f'{case.told:5.1f} s' if case.told else 'not told'}" for case in ALL]
    middle = seconds[len(seconds) // 2] if seconds else 0
    print(f"\nSeconds until told (median {middle:.1f}):", *rows, sep="\n")


def test_a_healthy_and_busy_cluster_gives_no_alarm(cluster: Cluster) -> None:
    busy = Case("busy", "", "", "")
    try:
        cluster.make_namespace(busy.home)
        cluster.fill_in(CASES / "healthy.yml.j2", busy.home)
        told: dict[str, Finding] = {}
        ready = f"--namespace={busy.home}"
        for turn in range(8):
            # A continuous rollout while a node is drained, a pod that terminates slowly, and Jobs that failed once
            # and completed.
            cluster.kubectl(ready, "set", "env", "deployment/web", f"TURN={turn}")
            if turn == 1:
                cluster.kubectl(ready, "delete", "pod", "leaving", "--wait=false")
            if turn == 3:
                cluster.kubectl("drain", "w2", "--pod-selector=app=web", "--timeout=60s")
            findings = cluster.health([])
            # What is merely in progress is reported as info.
            told.update({one["fault"] + objects_of(one)[0]: one for one in findings if one["severity"] != "info"})
            time.sleep(2)
        assert not told, json.dumps(list(told.values()), indent=1)
    finally:
        cluster.kubectl("uncordon", "w2")
        cluster.clean_up([busy])


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
def test_the_fault_is_told_first(outcome: list[Finding], case: Case) -> None:
    assert case.told, f"{case.fault} of {case.kind} {case.object} was not told in {case.seconds} s, but: {case.first}"
    assert case.is_told_by(case.first), f"told first at the end: {case.first}"
    assert case.first["evidence"] and case.first["advice"], case.first
    assert re.search(case.says, case.text), f"not in it: {case.says}: {case.text}"


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
def test_nothing_else_is_called_an_error(outcome: list[Finding], case: Case) -> None:
    false = [one for one in case.others if one["severity"] == "error"]
    assert not false, json.dumps(false, indent=1)


def test_nothing_outside_of_the_cases_is_called_an_error(outcome: list[Finding]) -> None:
    false = [one for one in outcome if one["severity"] == "error"]
    assert not false, json.dumps(false, indent=1)
