# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The data of the preflight checks: hosts, cluster and problems, the registry of checks, and the text of a report."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

SHOWN = 10  # different evidences of one problem in a report
SEVERITIES = ("error", "warning", "info")

# Groups of the inventory; existing groups with other names can be added to them as children.
ALL_NODES = "kube_cluster"
CONTROL_PLANE = "kube_control_plane"
WORKER = "kube_worker"
ETCD = "kube_etcd"
STANDBY = "kube_standby"


@dataclass(frozen=True)
class Problem:
    """One finding.

    :param check: name of the check, by which it can be waived.
    :param host: inventory name; empty for the cluster as a whole.
    :param what: what is wrong, a sentence.
    :param evidence: what was observed on this host.
    :param remedy: how to fix it, a sentence.
    :param severity: ``error`` fails the run, ``warning`` and ``info`` are only reported.
    """

    check: str
    host: str
    what: str
    evidence: str
    remedy: str
    severity: str = "error"


@dataclass
class Host:
    """A host of the cluster: its variables and its facts.

    :param name: inventory name.
    :param address: address of the connection (``ansible_host``).
    :param variables: values of the collection's variables on this host, by name.
    :param facts: result of module host_info; empty before the inspection and if it failed.
    :param failure: why the inspection failed; empty if it succeeded or was not attempted.
    :param control_plane: whether it is in the group of the control plane.
    :param worker: whether it is in the group of the workers.
    :param etcd: whether it is in the group of the members of an external etcd.
    """

    name: str
    address: str = ""
    variables: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    failure: str = ""
    control_plane: bool = False
    worker: bool = False
    etcd: bool = False

    @property
    def role(self) -> str:
        """What it becomes, as facts have it."""
        return "control_plane" if self.control_plane else "worker" if self.worker else "etcd"

    @property
    def member(self) -> bool:
        """Whether it is already a member of a cluster."""
        return bool(self.facts.get("cluster", {}).get("member"))

    @property
    def prepared(self) -> bool:
        """Whether an earlier, possibly interrupted run of this collection prepared it for the desired cluster."""
        record = self.facts.get("record", {})
        return bool(record.get("marked")) and record.get("cluster") == self.variables.get("kube_cluster_name")

    @property
    def settled(self) -> bool:
        """Whether it is a member of the desired cluster, so that the requirements of an installation no longer apply."""
        return self.member and self.prepared

    @property
    def installs(self) -> bool:
        """Whether this run installs software on it, so that it must reach the sources: it is new, or is upgraded."""
        running = str(self.facts.get("cluster", {}).get("kubelet_version") or "")  # the last that an upgrade changes
        upgraded = self.variables.get("preflight_upgrade") and running != str(self.variables.get("kube_version"))
        return not self.settled or bool(upgraded)

    @property
    def api_port(self) -> int:
        """The port of the API server."""
        return int(self.variables.get("kube_api_port") or 6443)

    @property
    def configured_addresses(self) -> list[str]:
        """The addresses in kube_node_ip: at most one of each address family."""
        texts = str(self.variables.get("kube_node_ip") or "").split(",")
        return [text.strip() for text in texts if text.strip()]

    @property
    def node_addresses(self) -> list[str]:
        """The node's addresses: the configured ones, or the one of the default route, or the one of the connection."""
        return self.configured_addresses or [
            str(self.facts.get("network", {}).get("default_address") or self.address),
        ]

    @property
    def node_address(self) -> str:
        """The first of the node's addresses, at which the other nodes reach it."""
        return self.node_addresses[0]


@dataclass
class Cluster:
    """The input of the checks.

    :param hosts: every host of the three groups, by inventory name and in inventory order.
    :param members: the hosts of every group of the inventory.
    :param variable_names: names of the variables of each host, to find misspelled ones.
    :param known: names of all variables of the collection's roles, and the role that each belongs to.
    :param wrong: (host, variable, error) of values that the role's specification does not allow; the checks see the default instead.
    :param waived: checks that are waived where there is no host of the cluster: the variable ``preflight_waive`` of the control node.
    :param broken: (host, variable, error) of variables that cannot be evaluated.
    :param now: the control node's time after the last inspection, in seconds since 1970.
    """

    hosts: dict[str, Host]
    members: dict[str, list[str]] = field(default_factory=dict)
    variable_names: dict[str, list[str]] = field(default_factory=dict)
    known: dict[str, str] = field(default_factory=dict)
    wrong: list[tuple[str, str, str]] = field(default_factory=list)
    waived: list[str] = field(default_factory=list)
    broken: list[tuple[str, str, str]] = field(default_factory=list)
    now: float = 0.0

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of all groups of the inventory."""
        return tuple(self.members)

    @property
    def variables(self) -> dict[str, Any]:
        """The variables of the first host, for those that have one value per cluster; empty without hosts."""
        return next((host.variables for host in self.hosts.values()), {})

    @property
    def control_planes(self) -> list[Host]:
        """Hosts of the control plane's group."""
        return [host for host in self.hosts.values() if host.control_plane]

    @property
    def workers(self) -> list[Host]:
        """Hosts of the workers' group."""
        return [host for host in self.hosts.values() if host.worker]

    @property
    def etcd(self) -> list[Host]:
        """Hosts of the group of an external etcd; none if etcd runs on the control planes."""
        return [host for host in self.hosts.values() if host.etcd]

    @property
    def inspected(self) -> list[Host]:
        """Hosts whose facts are known."""
        return [host for host in self.hosts.values() if host.facts]


# (what, evidence, remedy[, severity]) of a host; a check of the whole cluster yields the host's name before them.
Finding = tuple[str, ...]
Check = Callable[[Cluster], list[Problem]]


class Checks:
    """A registry of checks. Each check is a function that returns the problems of a cluster."""

    def __init__(self) -> None:
        self.registered: list[tuple[str, Check]] = []

    def cluster(self, name: str) -> Callable[[Callable[[Cluster], Iterator[Finding]]], Check]:
        """Register a check of the whole cluster.

        :param name: name of the check. Several functions may share one.
        """

        def register(function: Callable[[Cluster], Iterator[Finding]]) -> Check:
            @functools.wraps(function)
            def check(cluster: Cluster) -> list[Problem]:
                return [Problem(name, *finding) for finding in function(cluster)]

            self.registered.append((name, check))
            return check

        return register

    def host(
        self, name: str, *, facts: bool = True, settled: bool = True, sources: bool = False
    ) -> Callable[[Callable[[Host], Iterator[Finding]]], Check]:
        """Register a check of each host.

        :param name: name of the check.
        :param facts: whether the check needs the facts of the host, so that other hosts are skipped.
        :param settled: whether the check also applies to members of the desired cluster.
        :param sources: whether the check is about what a host downloads, so that it applies to hosts on which this run installs software.
        """

        def register(function: Callable[[Host], Iterator[Finding]]) -> Check:
            @functools.wraps(function)
            def check(cluster: Cluster) -> Iterator[Finding]:
                for host in cluster.inspected if facts else cluster.hosts.values():
                    if host.installs if sources else settled or not host.settled:
                        yield from ((host.name, *finding) for finding in function(host))

            return self.cluster(name)(check)

        return register

    def run(self, cluster: Cluster) -> list[Problem]:
        """Run all checks."""
        return [problem for _name, check in self.registered for problem in check(cluster)]


def drop_waived(cluster: Cluster, problems: list[Problem], waived: list[str]) -> list[Problem]:
    """Return the problems that are not waived, each once, errors first.

    :param waived: names of checks that are waived for all hosts. The variable ``preflight_waive`` of a host waives for this host
        and for problems of the cluster as a whole.
    """
    by_host: dict[str, list[str]] = {}
    for host in cluster.hosts.values():
        own = host.variables.get("preflight_waive")
        by_host[host.name] = own if isinstance(own, list) else []
    by_host[""] = [check for checks in by_host.values() for check in checks]
    kept = dict.fromkeys(
        p for p in problems if p.check not in waived and p.check not in by_host.get(p.host, cluster.waived)
    )
    return sorted(kept, key=lambda problem: SEVERITIES.index(problem.severity))


def count(problems: list[Problem], severity: str) -> str:
    """Return how many problems of a severity there are, as "2 errors". The same problem of several hosts counts once."""
    found = {(problem.check, problem.what, problem.remedy) for problem in problems if problem.severity == severity}
    return f"{len(found)} {severity}{'' if len(found) == 1 else 's'}"


def render(problems: list[Problem]) -> str:
    """Return the report: the same problem of several hosts once, with the evidence of each."""
    grouped: dict[tuple[str, str, str, str], list[Problem]] = {}
    for problem in problems:
        grouped.setdefault((problem.severity, problem.check, problem.what, problem.remedy), []).append(problem)
    lines = []
    for (severity, check, what, remedy), members in grouped.items():
        lines.append(f"{severity.upper()} [slipway:{check}] {what}")
        different = list(dict.fromkeys(problem.evidence for problem in members))
        for evidence in different[:SHOWN]:
            names = ", ".join(problem.host for problem in members if problem.evidence == evidence and problem.host)
            lines.append(f"    {names or 'evidence'}: {evidence}")
        more = list(dict.fromkeys(problem.host for problem in members if problem.evidence in different[SHOWN:]))
        if more:
            lines.append(f"    and {len(more)} more hosts: {', '.join(more)}")
        lines.append(f"    remedy: {remedy}")
    return "\n".join(lines)
