# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a preflight check finds, what it judges by, and how a list of findings reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

SEVERITIES = ("error", "warning", "info")

# Groups of the inventory; groups of other names become their children there.
CONTROL_PLANE = "kube_control_plane"
WORKER = "kube_worker"


@dataclass(frozen=True)
class Problem:
    """One finding.

    :param check: name of the check, by which it can be waived.
    :param host: inventory name; "" for the cluster as a whole.
    :param what: what is wrong, a sentence.
    :param evidence: what was seen on this host.
    :param remedy: what to do, a sentence.
    :param severity: ``error`` refuses the run, ``warning`` and ``info`` are told.
    """

    check: str
    host: str
    what: str
    evidence: str
    remedy: str
    severity: str = "error"


@dataclass
class Host:
    """A host of the cluster: what is wanted of it and what was seen on it.

    :param name: inventory name.
    :param address: where it is reached (``ansible_host``).
    :param want: values of the collection's variables on this host, by name.
    :param look: result of host_info; {} before the look and where it failed.
    :param failure: why there is no look, "" where there is one or none was tried.
    :param control_plane: whether it is in that group.
    """

    name: str
    address: str = ""
    want: dict[str, Any] = field(default_factory=dict)
    look: dict[str, Any] = field(default_factory=dict)
    failure: str = ""
    control_plane: bool = False
    worker: bool = False

    @property
    def member(self) -> bool:
        """Whether it is in a cluster already."""
        return bool(self.look.get("cluster", {}).get("member"))

    @property
    def ours(self) -> bool:
        """Whether this collection made it ready for the cluster that is wanted, in an earlier (perhaps unfinished) run."""
        record = self.look.get("record", {})
        return bool(record.get("marked")) and record.get("cluster") == self.want.get("kube_cluster_name")

    @property
    def settled(self) -> bool:
        """Whether it is a member of the wanted cluster: what matters before an installation matters no more."""
        return self.member and self.ours

    @property
    def node_address(self) -> str:
        """Address of the node as far as it is known: as set, else the default route's, else where it is reached."""
        return str(self.want.get("kube_node_ip") or self.look.get("network", {}).get("default_address") or self.address)


@dataclass
class Cluster:
    """All that preflight judges.

    :param hosts: every host of both groups, by inventory name and in inventory order.
    :param groups: names of all groups of the inventory.
    :param variables: names of the variables that each host has, for the search of misspelt ones.
    :param known: names of all variables of the collection's roles, and the role each belongs to.
    :param broken: (host, variable, error) of variables that cannot be evaluated.
    :param now: the control node's time when the last look was back, in seconds since 1970.
    """

    hosts: dict[str, Host]
    groups: tuple[str, ...] = ()
    variables: dict[str, list[str]] = field(default_factory=dict)
    known: dict[str, str] = field(default_factory=dict)
    broken: list[tuple[str, str, str]] = field(default_factory=list)
    now: float = 0.0

    @property
    def want(self) -> dict[str, Any]:
        """Values of variables of which a cluster has one, as its first host has them; {} without hosts."""
        for host in self.hosts.values():
            return host.want
        return {}

    @property
    def control_planes(self) -> list[Host]:
        """Hosts of the control plane's group."""
        return [host for host in self.hosts.values() if host.control_plane]

    @property
    def workers(self) -> list[Host]:
        """Hosts of the workers' group."""
        return [host for host in self.hosts.values() if host.worker]

    @property
    def seen(self) -> list[Host]:
        """Hosts that were looked at."""
        return [host for host in self.hosts.values() if host.look]


def sort_out(cluster: Cluster, problems: list[Problem], waived: list[str]) -> list[Problem]:
    """The problems that are waived neither by name nor by ``preflight_waive`` of their host, each once, errors first.

    What concerns the cluster as a whole is waived by any host's variable.
    """
    by_host = {host.name: list(host.want.get("preflight_waive") or []) for host in cluster.hosts.values()}
    by_host[""] = [check for checks in by_host.values() for check in checks]
    kept = dict.fromkeys(p for p in problems if p.check not in waived and p.check not in by_host.get(p.host, []))
    return sorted(kept, key=lambda problem: SEVERITIES.index(problem.severity))


def count(problems: list[Problem], severity: str) -> int:
    """How many entries of a severity the list has: the same problem of several hosts is one."""
    return len({(problem.check, problem.what, problem.remedy) for problem in problems if problem.severity == severity})


def render(problems: list[Problem]) -> str:
    """The list as a person reads it: the same problem of several hosts once, with the evidence of each."""
    grouped: dict[tuple[str, str, str, str], list[Problem]] = {}
    for problem in problems:
        grouped.setdefault((problem.severity, problem.check, problem.what, problem.remedy), []).append(problem)
    lines = []
    for (severity, check, what, remedy), members in grouped.items():
        lines.append(f"{severity.upper()} [{check}] {what}")
        for evidence in dict.fromkeys(problem.evidence for problem in members):
            names = ", ".join(problem.host for problem in members if problem.evidence == evidence and problem.host)
            lines.append(f"    {names or 'seen'}: {evidence}")
        lines.append("    remedy: " + remedy)
    return "\n".join(lines)
