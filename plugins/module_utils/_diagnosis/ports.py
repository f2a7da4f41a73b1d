# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test through the API server whether a pod listens on a port; the ports that a container declares are informational only."""

from __future__ import annotations

import re
from typing import Sequence

from .._kube.api import ApiError, Client, Unreachable
from .finding import Finding, one_line

MOST = 20


def verify_ports(client: Client, findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings without those about a port that the pod listens on; confirmed ones become errors."""
    suspects = [finding for finding in findings if finding.target[1]][:MOST]
    refused = dict(zip(map(id, suspects), client.each(lambda finding: refusal(client, *finding.target), suspects)))
    kept = []
    for finding in findings:
        answer = refused.get(id(finding), "")
        if answer is None:
            continue
        if answer:
            finding.severity = "error"
            finding.title = f"the target port {finding.target[1]} refuses connections: no process listens on it"
            finding.evidence.append(f"connection through the API server: {answer}")
        kept.append(finding)
    return kept


def refusal(client: Client, pod: str, port: int) -> str | None:
    """Connect to a port of a pod through the API server's proxy.

    :param pod: the pod as NAMESPACE/NAME.
    :returns: the error if no process listens, None if one does, an empty text if this could not be determined.
    """
    namespace, _slash, name = pod.partition("/")
    try:
        client.text(f"/api/v1/namespaces/{namespace}/pods/{name}:{port}/proxy/", timeout=4)
    except ApiError as error:
        if re.search(r"connection refused", error.message):
            return one_line(error.message)
        if error.status == 403 and "proxy" in error.message or re.search(r"timeout|no route|deadline", error.message):
            return ""
    except Unreachable:
        return ""
    return None
