# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One fault of a cluster as a person needs it: the object, the evidence, what follows from it, what to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Iterable, Sequence

from .._kube.objects import Reference
from .._kube.redaction import Redactor

# From what must be seen to first, to what is merely good to know.
SEVERITIES = ("error", "warning", "info")
# How long waiting makes sense: not at all, for a time of grace, or until the deadline.
HOPELESS, SUSPICIOUS, SLOW = "hopeless", "suspicious", "slow"


@dataclass
class Finding:
    """A fault and all that is known of it.

    :ivar fault: what it is, in snake_case, for programs: the rule's own name for it.
    :ivar severity: C(error) (something does not work), C(warning) (it will not, or not always) or C(info).
    :ivar object: the object whose fault it is: for pods the workload that makes them.
    :ivar evidence: what the cluster says, as it says it.
    :ivar causes: the chain from what people notice to this fault, each the consequence of the next.
    :ivar hopeless: waiting will not help.
    :ivar count: how many objects have it (C(object) is one of them).
    :ivar others: the further objects that have it or suffer from it.
    :ivar logs: the last lines of the container that ended.
    :ivar pods: names of the pods that have it, with their namespace.
    """

    fault: str
    severity: str
    object: Reference
    title: str
    evidence: list[str] = field(default_factory=list)
    causes: list[str] = field(default_factory=list)
    advice: str = ""
    container: str = ""
    hopeless: bool = False
    count: int = 1
    others: list[str] = field(default_factory=list)
    logs: list[str] = field(default_factory=list)
    pods: list[str] = field(default_factory=list)
    # What the rules say to each other. Objects whose own fault, where they have one, explains this one:
    blames: tuple[Reference, ...] = ()
    # what makes two findings of one fault the same one (an image, a node); the object where it is empty:
    about: str = ""
    # how often the container was started anew.
    restarts: int = 0
    # How far the chain of causes leads.
    reach: int = 0
    # Said only as a consequence of something else.
    link: bool = False
    # A pod and a port of it, that something is or is not to answer on.
    target: tuple[str, int] = ("", 0)
    # How long waiting makes sense.
    patience: str = SUSPICIOUS

    def __post_init__(self) -> None:
        """Keep the two ways to say that waiting is of no use the same."""
        if self.hopeless:
            self.patience = HOPELESS
        self.hopeless = self.patience == HOPELESS

    def as_dict(self) -> dict[str, Any]:
        """Give it as modules return it."""
        return {
            "fault": self.fault,
            "severity": self.severity,
            "object": self.object.as_dict(),
            "title": self.title,
            "evidence": list(self.evidence),
            "causes": list(self.causes),
            "advice": self.advice,
            "container": self.container,
            "hopeless": self.hopeless,
            "count": self.count,
            "others": list(self.others),
            "logs": list(self.logs),
            "pods": list(self.pods),
        }

    def text(self) -> list[str]:
        """Tell it in lines: what is wrong on which object, the evidence, what follows from it, the remedy."""
        return finding_text(self.as_dict())


def finding_text(finding: dict[str, Any]) -> list[str]:
    """Tell a finding, as :meth:`Finding.as_dict` gives it, in lines; all but the first are indented."""
    name = finding["object"]
    where = f"{name['kind']} {'/'.join(filter(None, (name['namespace'], name['name'])))}"
    lines = [f"{finding['severity'].upper()} {where}: {one_line(finding['title'])}"]
    lines += ["  " + one_line(text) for text in finding["evidence"]]
    if len(finding["causes"]) > 1:
        lines.append("  chain: " + " <- ".join(one_line(text) for text in finding["causes"]))
    if finding["logs"]:
        lines.append(f"  log of container {finding['container']}:" if finding["container"] else "  log:")
        lines += ["    | " + line for line in finding["logs"]]
    if finding["others"]:
        lines.append("  also: " + shortened(finding["others"], 8))
    if finding["advice"]:
        lines.append("  advice: " + one_line(finding["advice"]))
    return lines


def redact_findings(findings: Iterable[Finding], redactor: Redactor) -> None:
    """Remove secrets from findings: in logs and evidence, which quote programs, also whatever looks like one."""
    for finding in findings:
        finding.logs = redactor.log_lines(finding.logs)
        finding.evidence = [redactor.log_line(line) for line in finding.evidence]
        finding.title = redactor.text(finding.title)
        finding.causes = [redactor.text(line) for line in finding.causes]
        finding.advice = redactor.text(finding.advice)


def one_line(text: str) -> str:
    """Fold all white space of a text, and cut what is too long to be read."""
    folded = " ".join(text.split())
    return folded if len(folded) <= 600 else folded[:597] + "..."


def shortened(texts: Sequence[str], most: int) -> str:
    """Join texts, with the number of those left out."""
    left = len(texts) - most
    return ", ".join(texts[:most]) + (", and %d more" % left if left > 0 else "")


def at_or_above(findings: Iterable[Finding], severity: str) -> list[Finding]:
    """Keep the findings that are at least so severe.

    :param severity: one of :data:`SEVERITIES`.
    """
    rank = SEVERITIES.index(severity)
    return [finding for finding in findings if SEVERITIES.index(finding.severity) <= rank]
