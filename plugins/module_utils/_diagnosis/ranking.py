# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rank findings: root causes first, consequences folded into their cause, and one finding for the same fault of several objects."""

from __future__ import annotations

from typing import Sequence

from .._kube.objects import Reference
from .finding import PATIENCE, SEVERITIES, Finding

# Faults on which much else depends come first among the findings of a severity.
FOUNDATIONS = (
    "node_not_ready",
    "etcd_member",
    "etcd_space",
    "api_server_unhealthy",
    "control_plane_down",
    "dns_down",
    "dns_fails",
    "kube_proxy_missing",
    "webhook_down",
    "webhook_untrusted",
    "node_pressure",
)


def ranked(findings: Sequence[Finding]) -> list[Finding]:
    """Return findings in the order in which they should be read, with consequences folded into their causes."""
    return sorted(grouped(rooted(findings)), key=_rank)


def _rank(finding: Finding) -> tuple[int, int, int, int, str, str]:
    return (
        SEVERITIES.index(finding.severity),
        finding.fault not in FOUNDATIONS,
        PATIENCE.index(finding.patience),
        -(finding.count + len(finding.others)),
        finding.object.namespace,
        finding.object.name,
    )


def rooted(findings: Sequence[Finding]) -> list[Finding]:
    """Fold each finding that blames an object with a fault into the root cause at the end of that chain.

    An info is never the cause of an error or a warning.
    """
    at: dict[Reference, list[int]] = {}
    for index, finding in enumerate(findings):
        at.setdefault(finding.object, []).append(index)
    known: dict[int, list[int]] = {}

    def climb(index: int, seen: set[int]) -> list[int]:
        """Return the chain from a finding to its root cause, starting with the finding."""
        if index in known:
            return known[index]
        best: list[int] = [index]
        finding = findings[index]
        for blamed in finding.blames:
            for other in at.get(blamed, ()):
                above = findings[other]
                if other == index or other in seen or not _explains(above, finding):
                    continue
                chain = [index, *climb(other, seen | {index})]
                if len(best) == 1 or _rank(findings[chain[-1]]) < _rank(findings[best[-1]]):
                    best = chain
        known[index] = best
        return best

    chains = [climb(index, {index}) for index in range(len(findings))]
    roots = [finding for index, finding in enumerate(findings) if len(chains[index]) == 1 and not finding.link]
    for chain in chains:
        if len(chain) > 1:
            _fold(findings[chain[-1]], [findings[step] for step in chain])
    return roots


def _explains(above: Finding, below: Finding) -> bool:
    # A finding that blames its own object is a consequence of another finding on that object.
    if above.object == below.object and above.object in above.blames:
        return False
    return above.severity != "info" or below.severity == "info"


def _fold(root: Finding, chain: Sequence[Finding]) -> None:
    """Add a consequence to its root cause, which gets the highest severity of its consequences."""
    reach = len({finding.object for finding in chain}) * 10 + len(chain)
    if reach > root.reach:
        # The longest chain starts at what users notice.
        root.causes, root.reach = chain_of(chain), reach
    symptom = chain[0]
    if symptom.object != root.object and str(symptom.object) not in root.others:
        root.others.append(str(symptom.object))
    if SEVERITIES.index(symptom.severity) < SEVERITIES.index(root.severity):
        root.severity = symptom.severity


def chain_of(chain: Sequence[Finding]) -> list[str]:
    """Return a chain from the symptom to the root cause as text; an object is named once if it repeats."""
    texts: list[str] = []
    before: Reference | None = None
    for finding in chain:
        texts.append(finding.title if finding.object == before else f"{finding.object}: {finding.title}")
        before = finding.object
    return texts


def grouped(findings: Sequence[Finding]) -> list[Finding]:
    """Merge findings about the same fault of several pods or objects."""
    groups: dict[tuple[str, ...], Finding] = {}
    for finding in findings:
        about = finding.about or str(finding.object)
        # The same fault in two namespaces needs two remedies.
        where = "" if finding.about else finding.object.namespace
        key = (finding.fault, about, finding.container if not finding.about else "", where)
        first = groups.get(key)
        if first is None:
            groups[key] = finding
        elif _rank(finding) < _rank(first) and finding.severity != first.severity:
            _merge(finding, first)
            groups[key] = finding
        else:
            _merge(first, finding)
    return list(groups.values())


def _merge(first: Finding, more: Finding) -> None:
    first.pods += [pod for pod in more.pods if pod not in first.pods]
    if more.object != first.object and str(more.object) not in first.others:
        first.others.append(str(more.object))
        first.count += more.count
    first.others += [other for other in more.others if other not in first.others and other != str(first.object)]
    if more.reach > first.reach:
        first.causes, first.reach = more.causes, more.reach
    first.logs = first.logs or more.logs
