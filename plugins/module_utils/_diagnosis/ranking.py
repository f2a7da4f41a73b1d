# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Root causes before all else: consequences are told with their cause, the same fault of several objects once. Pure functions."""

from __future__ import annotations

from typing import Sequence

from .._kube.objects import Reference
from .finding import HOPELESS, SEVERITIES, SLOW, SUSPICIOUS, Finding

# What much else rests on comes first among findings of one severity.
FOUNDATIONS = (
    "node_not_ready",
    "etcd_member",
    "api_server_unwell",
    "control_plane_down",
    "dns_down",
    "dns_fails",
    "kube_proxy_missing",
    "webhook_down",
    "webhook_untrusted",
    "node_pressure",
)


def ranked(findings: Sequence[Finding]) -> list[Finding]:
    """Bring findings into the order in which a person should read them, consequences folded into their causes."""
    return sorted(grouped(rooted(findings)), key=_rank)


def _rank(finding: Finding) -> tuple[int, int, int, int, str, str]:
    patience = (HOPELESS, SUSPICIOUS, SLOW).index(finding.patience)
    return (
        SEVERITIES.index(finding.severity),
        0 if finding.fault in FOUNDATIONS else 1,
        patience,
        -(finding.count + len(finding.others)),
        finding.object.namespace,
        finding.object.name,
    )


def rooted(findings: Sequence[Finding]) -> list[Finding]:
    """Fold every finding that blames an object with a fault of its own into the root of that chain.

    Infos explain nothing: what would blame one stands for itself.
    """
    at: dict[Reference, list[int]] = {}
    for index, finding in enumerate(findings):
        at.setdefault(finding.object, []).append(index)
    root_of: dict[int, tuple[int, list[int]]] = {}

    def climb(index: int, seen: set[int]) -> list[int]:
        """Give the way from a finding to its root, itself first."""
        if index in root_of:
            return root_of[index][1]
        best: list[int] = [index]
        finding = findings[index]
        for blamed in finding.blames:
            for other in at.get(blamed, ()):
                above = findings[other]
                if other == index or other in seen or not _explains(above, finding):
                    continue
                way = [index] + climb(other, seen | {index})
                if len(best) == 1 or _rank(findings[way[-1]]) < _rank(findings[best[-1]]):
                    best = way
        root_of[index] = (best[-1], best)
        return best

    ways = [climb(index, {index}) for index in range(len(findings))]
    roots = [finding for index, finding in enumerate(findings) if len(ways[index]) == 1 and not finding.link]
    for way in ways:
        if len(way) > 1:
            _fold(findings[way[-1]], [findings[step] for step in way])
    return roots


def _explains(above: Finding, below: Finding) -> bool:
    # One object's findings explain each other only as the rules say: what blames its own object is a consequence.
    if above.object == below.object and above.object in above.blames:
        return False
    return above.severity != "info" or below.severity == "info"


def _fold(root: Finding, way: Sequence[Finding]) -> None:
    """Tell a consequence with its root, and let it be as severe as the worst that follows from it."""
    said = chain_of(way)
    reach = len({finding.object for finding in way}) * 10 + len(way)
    if reach > root.reach:
        # The chain that leads farthest begins with what people notice.
        root.causes, root.reach = said, reach
    symptom = way[0]
    if symptom.object != root.object and str(symptom.object) not in root.others:
        root.others.append(str(symptom.object))
    if SEVERITIES.index(symptom.severity) < SEVERITIES.index(root.severity):
        root.severity = symptom.severity


def chain_of(way: Sequence[Finding]) -> list[str]:
    """Tell a chain from its symptom to its root; an object that comes twice in a row is named once."""
    said: list[str] = []
    before: Reference | None = None
    for finding in way:
        said.append(finding.title if finding.object == before else sentence(finding))
        before = finding.object
    return said


def sentence(finding: Finding) -> str:
    """Name the object and what is wrong with it."""
    return f"{finding.object}: {finding.title}"


def grouped(findings: Sequence[Finding]) -> list[Finding]:
    """Tell the same fault of several pods or objects once, with their number."""
    groups: dict[tuple[str, ...], Finding] = {}
    for finding in findings:
        about = finding.about or str(finding.object)
        # The same missing thing of two namespaces is two things to do.
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
