# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether something listens on a port of a pod, asked through the API server: what a container declares is only a word."""

from __future__ import annotations

import re
from typing import Sequence

from .._kube.api import ApiError, Client, Unreachable
from .finding import Finding, one_line

MOST = 20


def verify_ports(client: Client, findings: Sequence[Finding]) -> list[Finding]:
    """Make suspicions about ports certain, or drop them: a container may listen on a port that it does not declare."""
    suspects = [finding for finding in findings if finding.target[1]][:MOST]
    refused = dict(zip(map(id, suspects), client.each(lambda finding: refusal(client, *finding.target), suspects)))
    kept = []
    for finding in findings:
        answer = refused.get(id(finding), "")
        if answer is None:
            continue
        if answer:
            finding.severity = "error"
            finding.title = "its port leads to port %d, on which nothing listens" % finding.target[1]
            finding.evidence.append(f"asked through the API server: {answer}")
        kept.append(finding)
    return kept


def refusal(client: Client, pod: str, port: int) -> str | None:
    """Ask a port of a pod.

    :returns: why nothing listens, None where something does, an empty text where that is not known.
    """
    namespace, _slash, name = pod.partition("/")
    try:
        client.text(f"/api/v1/namespaces/{namespace}/pods/{name}:{port}/proxy/", timeout=4)
    except ApiError as error:
        if re.search(r"connection refused", error.message):
            return one_line(error.message)
        if error.status == 403 and "proxy" in error.message or re.search(r"timeout|no route|deadline", error.message):
            return ""
        return None
    except Unreachable:
        return ""
    return None
