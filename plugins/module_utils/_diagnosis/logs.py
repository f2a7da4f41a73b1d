# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the last log lines of containers that terminated or are not ready, of one pod per finding."""

from __future__ import annotations

import re
from typing import Sequence

from .._kube.api import ApiError, Client, Unreachable
from .exits import EXEC_FORMAT, EXEC_FORMAT_ADVICE
from .finding import Finding

LINES = 15
BYTES = 16384
# The number of logs that are read at most, for the first findings.
MOST = 20
# Faults for which the log of the terminated container is read ...
ENDED = (
    "crash_loop",
    "oom_killed",
    "exits_at_once",
    "bad_command",
    "init_fails",
    "liveness_kills",
    "startup_kills",
    "pod_failed",
    "job_failed",
    "job_deadline",
    "dns_down",
    "control_plane_down",
)
# ... and for which that of the running container is read.
RUNNING = ("readiness_fails", "startup_fails", "init_stuck")


def add_logs(client: Client, findings: Sequence[Finding]) -> None:
    """Add log lines to the findings that a log can prove; the logs are read in parallel."""
    chosen = [one for one in findings if one.fault in ENDED + RUNNING and one.pods and one.container][:MOST]
    for finding, lines in zip(chosen, client.each(lambda finding: last_lines(client, finding), chosen)):
        finding.logs = lines
        refine(finding)


def last_lines(client: Client, finding: Finding) -> list[str]:
    """Return the last log lines of the first pod of a finding that has a log."""
    for pod in finding.pods[:2]:
        namespace, _slash, name = pod.partition("/")
        path = f"/api/v1/namespaces/{namespace}/pods/{name}/log"
        query = {"container": finding.container, "tailLines": str(LINES), "limitBytes": str(BYTES)}
        for previous in ("true", "false") if finding.fault in ENDED else ("false",):
            try:
                text = client.text(path, dict(query, previous=previous), timeout=5)
            except (ApiError, Unreachable):
                continue
            lines = [line.rstrip() for line in text.splitlines() if line.strip()]
            if lines and not re.match(r"unable to retrieve container logs", lines[0]):
                return [line[:300] for line in lines[-LINES:]]
    return []


def refine(finding: Finding) -> None:
    """Make a finding more precise with what its log contains."""
    text = "\n".join(finding.logs)
    if finding.fault == "crash_loop" and "exec format error" in text:
        finding.fault = "image_wrong_platform"
        finding.title = f"container {finding.container}: {EXEC_FORMAT}"
        finding.advice = EXEC_FORMAT_ADVICE
    elif finding.fault in ("crash_loop", "init_fails"):
        if re.search(
            r"no such host|Temporary failure in name resolution|server misbehaving|Name or service not known|bad address",
            text,
        ):
            finding.evidence.append("the log contains a name resolution error")
            finding.advice += " Check the name of the Service that the program connects to, and the cluster DNS."
        elif re.search(r"permission denied|EACCES|read-only file system", text, re.IGNORECASE):
            finding.evidence.append("the log contains a permission error")
            finding.advice += (
                " A program without root privileges or with a read-only root file system can only write to volumes that are "
                "writable for its user (emptyDir, or fsGroup for a PersistentVolumeClaim)."
            )
