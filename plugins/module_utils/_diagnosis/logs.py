# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The last lines of containers that ended or are not ready: of suspects only, one pod for each finding."""

from __future__ import annotations

import re
from typing import Sequence

from .._kube.api import ApiError, Client, Unreachable
from .exits import NO_PROGRAM, NO_PROGRAM_ADVICE
from .finding import Finding

LINES = 15
BYTES = 16384
# At most so many logs in one call: who has more findings reads the first ones first.
MOST = 20
# Of these, the container that ended has the last word ...
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
# ... and of these the one that runs.
RUNNING = ("readiness_fails", "startup_fails", "init_stuck")


def add_logs(client: Client, findings: Sequence[Finding]) -> None:
    """Read the logs that prove what some findings say, several at once."""
    wanted = [
        finding for finding in findings if finding.fault in ENDED + RUNNING and finding.pods and finding.container
    ]
    for finding, lines in zip(wanted[:MOST], client.each(lambda finding: last_words(client, finding), wanted[:MOST])):
        finding.logs = lines
        refine(finding)


def last_words(client: Client, finding: Finding) -> list[str]:
    """Read the last lines of the first pod of a finding that has any."""
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
    """Let a log tell what an exit code cannot."""
    said = "\n".join(finding.logs)
    if finding.fault == "crash_loop" and re.search(r"exec format error", said):
        finding.fault = "image_wrong_platform"
        finding.title = f"container {finding.container}: {NO_PROGRAM}"
        finding.advice = NO_PROGRAM_ADVICE
    elif finding.fault in ("crash_loop", "init_fails") and re.search(
        r"no such host|Temporary failure in name resolution|server misbehaving|Name or service not known|bad address",
        said,
    ):
        finding.evidence.append("its log says that a name is not resolved")
        finding.advice += " See the name of the Service that it asks for, and the cluster's DNS."
    elif finding.fault in ("crash_loop", "init_fails") and re.search(
        r"permission denied|EACCES|read-only file system", said, re.I
    ):
        finding.evidence.append("its log says that it lacks a permission")
        finding.advice += " Without root or with a read-only root, what it writes must be a volume that its user may write to (fsGroup, emptyDir)."
