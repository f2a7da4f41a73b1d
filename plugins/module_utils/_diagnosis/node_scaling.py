# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node autoscaler says about a pod that no node has room for: whether a node is on its way.

The events are those of the Cluster Autoscaler and of Karpenter:
https://github.com/kubernetes/autoscaler/blob/master/cluster-autoscaler/FAQ.md#what-events-are-emitted-by-ca
"""

from __future__ import annotations

from typing import Any, Sequence
from urllib.parse import urlencode

from .._kube.api import ApiError, Client, now_of
from .finding import SLOW, Finding, one_line
from .view import event_time, message_of

COMING = ("TriggeredScaleUp", "Nominated")
REFUSED = "NotTriggerScaleUp"
# Seconds after which a node that was announced no longer comes: the default of the Cluster Autoscaler's max-node-provision-time.
PROVISIONED_WITHIN = 900
MOST = 5  # workloads of which the events are read at a time


def add_node_scaling(client: Client, findings: Sequence[Finding]) -> None:
    """Add to findings about pods without a node what an autoscaler reports of them; nothing if events may not be read.

    While a node is on its way, such a pod waits without a limit.

    :raises Unreachable: the API server does not respond.
    """
    groups: dict[Any, list[Finding]] = {}
    for finding in findings:
        if finding.fault.startswith("unschedulable") and finding.severity == "error" and finding.pods:
            groups.setdefault(finding.object, []).append(finding)
    some = list(groups.values())[:MOST]
    for group, event in zip(some, client.each(lambda group: _latest(client, group[0].pods[0]), some)):
        for finding in group if event else []:
            _add(finding, event, now_of(client))


def _latest(client: Client, pod: str) -> dict[str, Any]:
    """Return the latest event of an autoscaler about a pod, empty if there is none."""
    namespace, _slash, name = pod.partition("/")
    query = {"fieldSelector": f"type=Normal,involvedObject.kind=Pod,involvedObject.name={name}"}
    try:
        answer = client.get(f"/api/v1/namespaces/{namespace}/events?{urlencode(query)}")
    except ApiError as error:
        if error.status in (403, 404):
            return {}
        raise
    found = [event for event in answer.get("items") or [] if (event.get("involvedObject") or {}).get("name") == name]
    found = [event for event in found if event.get("reason") in (*COMING, REFUSED)]
    return max(found, key=event_time, default={})


def _add(finding: Finding, event: dict[str, Any], now: float) -> None:
    text = f"{event['reason']}: {one_line(message_of(event))}"
    if event["reason"] == REFUSED:
        finding.evidence.append(f"the autoscaler adds no node: {text}")
        finding.advice = (
            f"Let a node group or node pool of the autoscaler fit the pod, or raise its maximum. {finding.advice}"
        )
    elif now - event_time(event) < PROVISIONED_WITHIN:
        finding.title = f"waiting for a node, which the autoscaler is adding; {finding.title}"
        finding.evidence.append(text)
        finding.patience = SLOW
    else:
        finding.evidence.append(f"the node that the autoscaler announced has not come: {text}")
