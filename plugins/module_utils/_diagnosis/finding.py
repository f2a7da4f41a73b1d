# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One fault of a cluster as it is reported: the object, the evidence, the chain of causes and the advice."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Iterable, NamedTuple, Sequence

from .._kube.objects import Reference
from .._kube.redaction import Redactor
from .view import Object, View, located, named

# The most severe first.
SEVERITIES = ("error", "warning", "info")
# Whether waiting can help: not at all, for a grace period, until the cluster provides what is missing (a node, a volume, a webhook), or
# until the deadline.
HOPELESS, SUSPICIOUS, PENDING, SLOW = PATIENCE = ("hopeless", "suspicious", "pending", "slow")
HALF = 300  # characters of the beginning and of the end of a long line of a log
RETURNED = (
    *("fault", "severity", "object", "title", "evidence", "causes", "advice"),
    *("container", "hopeless", "count", "others", "logs", "pods"),
)


class Network(NamedTuple):
    """What a pod has to do with the network of its node: C(host) is its node if it uses that, C(rivals) are pods there with the same port.

    C(nameservers): what it resolves names with instead of the cluster DNS.
    """

    host: str = ""
    rivals: str = ""
    nameservers: str = ""


@dataclass
class Finding:
    """A fault with everything that is known about it.

    :ivar fault: the identifier of the fault in snake_case.
    :ivar severity: C(error) (something does not work), C(warning) (it may stop working) or C(info).
    :ivar object: the object at fault; for a fault of pods the workload that owns them.
    :ivar evidence: what the cluster reports, verbatim.
    :ivar causes: the chain from the visible symptom to this fault, each entry a consequence of the next one.
    :ivar count: the number of objects with this fault, including C(object).
    :ivar others: further objects that have this fault or are affected by it.
    :ivar logs: the last lines of the container's log.
    :ivar pods: the pods with this fault, as NAMESPACE/NAME.
    """

    fault: str
    severity: str
    object: Reference
    title: str
    evidence: list[str] = field(default_factory=list)
    causes: list[str] = field(default_factory=list)
    advice: str = ""
    container: str = ""
    count: int = 1
    others: list[str] = field(default_factory=list)
    logs: list[str] = field(default_factory=list)
    pods: list[str] = field(default_factory=list)
    # The remaining fields are for ranking and are not returned.
    # Objects whose fault, if they have one, is the cause of this finding.
    blames: tuple[Reference, ...] = ()
    # Findings of the same fault with the same value (an image, a node) are grouped; the object if it is empty.
    about: str = ""
    # The restart count of the container.
    restarts: int = 0
    # The length of the chain of causes.
    reach: int = 0
    # Only reported as part of a chain of causes.
    link: bool = False
    # What the log of a container means depends on the network of its pod.
    network: Network = field(default_factory=Network)
    # A pod and a port that is tested through the API server.
    target: tuple[str, int] = ("", 0)
    # One of PATIENCE.
    patience: str = SUSPICIOUS

    @property
    def hopeless(self) -> bool:
        """Return whether waiting cannot help."""
        return self.patience == HOPELESS

    def as_dict(self) -> dict[str, Any]:
        """Return the finding as modules return it."""
        values = {key: getattr(self, key) for key in RETURNED}
        lists = {key: list(value) for key, value in values.items() if isinstance(value, list)}
        return {**values, **lists, "object": self.object.as_dict()}

    def text(self) -> list[str]:
        """Return the finding as lines of text."""
        return finding_text(self.as_dict())


def pod_finding(
    view: View, pod: Object, fault: str, severity: str, title: str, evidence: str, advice: str, **more: Any
) -> Finding:
    """Return a finding about a pod, reported on the workload that owns it.

    :param evidence: what is reported about the pod; its name and node are prepended.
    :param more: further fields of :class:`Finding`.
    """
    return Finding(
        fault,
        severity,
        view.made_by(pod),
        title,
        evidence=[f"{located(pod)}: {evidence}"],
        advice=advice,
        pods=[named(pod)],
        **more,
    )


def finding_text(finding: dict[str, Any]) -> list[str]:
    """Return a finding, given as :meth:`Finding.as_dict` returns it, as lines of text; all but the first are indented."""
    name = finding["object"]
    where = f"{name['kind']} {'/'.join(filter(None, (name['namespace'], name['name'])))}"
    lines = [f"{finding['severity'].upper()} {where}: {one_line(finding['title'])} [slipway:{finding['fault']}]"]
    lines += ["  " + one_line(text) for text in finding["evidence"]]
    if len(finding["causes"]) > 1:
        lines.append("  chain: " + " <- ".join(one_line(text) for text in finding["causes"]))
    if finding["logs"]:
        lines.append(f"  log of container {finding['container']}:" if finding["container"] else "  log:")
        lines += ["    | " + line for line in finding["logs"]]
    if finding["others"]:
        lines.append("  also affected: " + shortened(finding["others"], 8))
    if finding["advice"]:
        lines.append("  advice: " + one_line(finding["advice"]))
    return lines


def redact_findings(findings: Iterable[Finding], redactor: Redactor) -> None:
    """Remove secrets from findings: in logs and evidence, which quote programs, also whatever looks like one. Then shorten the logs."""
    for finding in findings:
        finding.logs = [without_middle(line) for line in redactor.log_lines(finding.logs)]
        finding.evidence = [redactor.log_line(line) for line in finding.evidence]
        finding.title = redactor.text(finding.title)
        finding.causes = [redactor.text(line) for line in finding.causes]
        finding.advice = redactor.text(finding.advice)


def without_middle(line: str) -> str:
    """Return a line without its middle if it is long: a line of a log often ends with the cause."""
    return line if len(line) <= 2 * HALF else f"{line[:HALF]} ... {line[-HALF:]}"


def one_line(text: str) -> str:
    """Return a text with all white space collapsed, truncated to 600 characters."""
    folded = " ".join(text.split())
    return folded if len(folded) <= 600 else folded[:597] + "..."


def shortened(texts: Sequence[str], most: int) -> str:
    """Join the first texts, followed by the number of those that are left out."""
    left = len(texts) - most
    return ", ".join(texts[:most]) + (f", and {left} more" if left > 0 else "")


def at_or_above(findings: Iterable[Finding], severity: str) -> list[Finding]:
    """Return the findings of at least a given severity.

    :param severity: one of :data:`SEVERITIES`.
    """
    rank = SEVERITIES.index(severity)
    return [finding for finding in findings if SEVERITIES.index(finding.severity) <= rank]
