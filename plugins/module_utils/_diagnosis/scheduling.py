# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why no node takes a pod, from what the scheduler says in the pod's condition PodScheduled: pure functions.

The scheduler counts the nodes by the first of its filters that refuses each:
https://kubernetes.io/docs/concepts/scheduling-eviction/kube-scheduler/
"""

from __future__ import annotations

import re
from typing import Any, Mapping, NamedTuple, Sequence

from .._kube.objects import Reference
from .._kube.quantities import Amounts, amount, name_amount, requests_of
from .finding import HOPELESS, SUSPICIOUS, Finding, one_line, shortened
from .view import View, conditions, expressions_match, has_labels, named

CONTROL_PLANE_TAINT = "node-role.kubernetes.io/control-plane"


class Refusal(NamedTuple):
    """So many nodes refuse a pod for one reason."""

    nodes: int
    reason: str
    fault: str


# What the scheduler's filters say, and the fault that it is. The first that fits counts.
REASONS = (
    (r"persistentvolumeclaim .* not found", "claim_missing"),
    (r"persistentvolumeclaim .* is being deleted", "claim_deleted"),
    (r"ReadWriteOncePod", "claim_in_use"),
    (r"unbound immediate PersistentVolumeClaims|didn't find available persistent volumes", "claim_unbound"),
    (r"Insufficient |Too many pods", "unschedulable_resources"),
    (r"untolerated taint", "unschedulable_taint"),
    (
        r"volume node affinity conflict|PersistentVolume's node affinity|exceed max volume count|no available volume zone",
        "unschedulable_volume",
    ),
    (r"topology spread constraints", "unschedulable_spread"),
    (r"affinity|node\(s\) didn't match the requested node name|selector", "unschedulable_affinity"),
    (r"free ports", "unschedulable_ports"),
    (r"were unschedulable", "unschedulable_cordoned"),
)
TITLES = {
    "unschedulable_resources": "no node has room for the pod: %s",
    "unschedulable_taint": "the pod does not tolerate the taints of the nodes: %s",
    "unschedulable_affinity": "no node fits the pod's node selector or affinity: %s",
    "unschedulable_spread": "no node fits the pod's topology spread constraints: %s",
    "unschedulable_volume": "the pod's volume and the nodes do not fit together: %s",
    "unschedulable_ports": "the host port that the pod wants is taken on every node: %s",
    "unschedulable_cordoned": "the nodes that would fit are cordoned: %s",
    "unschedulable": "no node takes the pod: %s",
    "claim_missing": "the pod's PersistentVolumeClaim is not there: %s",
    "claim_deleted": "the pod's PersistentVolumeClaim is being deleted: %s",
    "claim_in_use": "another pod has the volume that one pod at a time may use: %s",
    "claim_unbound": "the pod waits for its PersistentVolumeClaim: %s",
}
ADVICE = {
    "unschedulable_taint": "Give the pod a toleration for the taint, or take the taint off a node (kubectl taint nodes NODE KEY-).",
    "unschedulable_spread": "Relax the constraint (whenUnsatisfiable: ScheduleAnyway, a larger maxSkew), or add nodes in the missing domain.",
    "unschedulable_volume": "Run the pod where its volume is, or give it a volume of a class with volumeBindingMode WaitForFirstConsumer.",
    "unschedulable_ports": "Leave hostPort out and use a Service, or have no more pods than nodes.",
    "unschedulable_cordoned": "Make a node schedulable again: kubectl uncordon NODE.",
    "unschedulable": "See the scheduler's message.",
    "claim_missing": "Create the claim, or correct its name in the pod's volumes.",
    "claim_deleted": "Wait until it is gone and create it anew, or name another claim.",
    "claim_in_use": "Have one replica, and let the old pod go first (strategy Recreate); for more, take a claim with ReadWriteMany, or a claim for each pod.",
    "claim_unbound": "See the claim.",
}


def refusals(message: str) -> list[Refusal]:
    """Read the scheduler's message: C(0/3 nodes are available: 1 node(s) had …, 2 Insufficient cpu. preemption: …)."""
    text = re.split(r"[.,]?\s+preemption:|\. no new claims|\. not found$", one_line(message))[0]
    _head, colon, rest = text.partition("nodes are available: ")
    if not colon:
        return [Refusal(0, text, fault_of(text))]
    parts = re.split(r", (?=\d+ )", rest.rstrip("."))
    found = []
    for part in parts:
        counted = re.match(r"(\d+) (.*)", part)
        count, reason = (int(counted.group(1)), counted.group(2)) if counted else (0, part)
        found.append(Refusal(count, reason, fault_of(reason)))
    return found


def fault_of(reason: str) -> str:
    """Name the fault of one of the scheduler's reasons."""
    return next((fault for pattern, fault in REASONS if re.search(pattern, reason)), "unschedulable")


def decisive(found: Sequence[Refusal], tainted: int = 0, chosen: bool = False) -> Refusal:
    """Choose the reason that a person can do something about.

    :param tainted: how many nodes are refused for the taint of control planes alone: that is nearly never the reason.
    :param chosen: some node has what the pod's selector and affinity ask for, so that those are not the reason.
    """

    def weight(one: Refusal) -> tuple[bool, bool, bool, int]:
        taint_only = one.fault == "unschedulable_taint" and (one.nodes <= tainted or CONTROL_PLANE_TAINT in one.reason)
        not_chosen = chosen and "node affinity/selector" in one.reason
        return (
            not one.fault.startswith("claim"),
            not_chosen or (taint_only and not chosen),
            one.fault in ("unschedulable", "unschedulable_cordoned"),
            -one.nodes,
        )

    return min(found, key=weight)


def unscheduled(view: View, pod: Mapping[str, Any]) -> list[Finding]:
    """Explain a pod that no node takes; empty for one that is scheduled or was not looked at yet."""
    told = conditions(pod).get("PodScheduled") or {}
    if told.get("status") != "False":
        return []
    owner, spec = view.made_by(pod), pod.get("spec") or {}
    if told.get("reason") == "SchedulingGated":
        gates = ", ".join(gate["name"] for gate in spec.get("schedulingGates") or [])
        return [
            Finding(
                "scheduling_gated",
                "warning" if view.age(pod) < 20 else "error",
                owner,
                f"the pod is held back by scheduling gates: {gates or 'unknown'}",
                evidence=[f"pod {named(pod)}: {told.get('message') or 'SchedulingGated'}"],
                advice="What set the gate must remove it from the pod's schedulingGates; is it running?",
                pods=[named(pod)],
            )
        ]
    message = told.get("message") or ""
    if not message:
        return []
    found = refusals(message)
    wanted = [node for node in view.all("Node") if node_fits(pod, node)]
    asks = bool(spec.get("nodeSelector") or (spec.get("affinity") or {}).get("nodeAffinity"))
    alone = [
        node for node in view.all("Node") if [taint["key"] for taint in untolerated(pod, node)] == [CONTROL_PLANE_TAINT]
    ]
    cause = decisive(found, len(alone), asks and bool(wanted))
    fit = [node for node in wanted if node not in alone]
    if fit and all((node.get("spec") or {}).get("unschedulable") for node in fit):
        cause = next((one for one in found if one.fault == "unschedulable_cordoned"), cause)
    finding = Finding(
        cause.fault,
        # A pod is often refused for a moment only, while others go or nodes come.
        "error" if view.age(pod) >= 10 else "warning",
        owner,
        TITLES[cause.fault] % cause.reason,
        evidence=[f"pod {named(pod)}: {one_line(message)}"],
        advice=ADVICE.get(cause.fault, ""),
        pods=[named(pod)],
        patience=HOPELESS if cause.fault == "claim_missing" and view.age(pod) > 10 else SUSPICIOUS,
    )
    _add_details(view, pod, finding, cause)
    return [finding]


def _add_details(view: View, pod: Mapping[str, Any], finding: Finding, cause: Refusal) -> None:
    spec, namespace = pod.get("spec") or {}, pod["metadata"].get("namespace") or ""
    if cause.fault == "unschedulable_resources":
        _add_room(view, pod, finding, cause)
    elif cause.fault == "unschedulable_cordoned":
        _add_cordoned(view, pod, finding)
    elif cause.fault == "unschedulable_affinity":
        _add_affinity(view, spec, finding, cause)
    elif cause.fault.startswith("claim") or cause.fault == "unschedulable_volume":
        claims = [
            volume["persistentVolumeClaim"]["claimName"]
            for volume in spec.get("volumes") or []
            if volume.get("persistentVolumeClaim")
        ]
        finding.blames += tuple(Reference("v1", "PersistentVolumeClaim", namespace, claim) for claim in claims)
        if cause.fault == "claim_in_use":
            _add_users(view, pod, finding, claims)
        elif cause.fault == "unschedulable_volume":
            _add_places(view, namespace, finding, claims)
        lost = [claim for claim in claims if view.missing("PersistentVolumeClaim", namespace, claim)]
        if lost and cause.fault == "claim_missing":
            there = view.names("PersistentVolumeClaim", namespace)
            finding.title = f"PersistentVolumeClaim {', '.join(lost)} is not there"
            finding.evidence.append(f"claims in namespace {namespace}: {', '.join(there) or 'none'}")
    elif cause.fault == "unschedulable_taint":
        _add_taints(view, pod, finding)


def _add_room(view: View, pod: Mapping[str, Any], finding: Finding, cause: Refusal) -> None:
    finding.evidence += _room(view, pod)
    finding.advice = (
        "Ask for less (resources.requests), take away what is not needed, or add a node that has as much free."
    )
    for resource in re.findall(r"Insufficient (\S+)", cause.reason):
        offered = [
            amount(((node.get("status") or {}).get("allocatable") or {}).get(resource)) for node in view.all("Node")
        ]
        if "/" in resource and offered and not any(offered):
            finding.title = f"no node offers {resource}"
            finding.advice = f"See that the device plugin that offers {resource} runs on the nodes that have the device, or correct the name."


def _add_cordoned(view: View, pod: Mapping[str, Any], finding: Finding) -> None:
    """Name the nodes that would take the pod if they were not cordoned."""
    names = [
        node["metadata"]["name"]
        for node in view.all("Node")
        if (node.get("spec") or {}).get("unschedulable") and node_fits(pod, node)
    ]
    if names:
        finding.title = f"every node that fits is cordoned: {shortened(names, 5)}"
        finding.advice = f"Make a node schedulable again when the work on it is done: kubectl uncordon {names[0]}."


def _add_users(view: View, pod: Mapping[str, Any], finding: Finding, claims: Sequence[str]) -> None:
    """Name the pod that has the claim that one pod at a time may use."""
    for other in view.in_namespace(pod["metadata"].get("namespace") or ""):
        spec = other.get("spec") or {}
        mine = [(volume.get("persistentVolumeClaim") or {}).get("claimName") for volume in spec.get("volumes") or []]
        shared = [claim for claim in claims if claim in mine]
        if shared and spec.get("nodeName") and not other["metadata"].get("deletionTimestamp"):
            finding.title = (
                f"claim {shared[0]} may be used by one pod at a time (ReadWriteOncePod), and pod {named(other)} has it"
            )
            return


def _add_places(view: View, namespace: str, finding: Finding, claims: Sequence[str]) -> None:
    """Tell where the volumes of some claims are."""
    for claim in claims:
        volume = (((view.get("PersistentVolumeClaim", namespace, claim) or {}).get("spec")) or {}).get("volumeName")
        content = view.get("PersistentVolume", "", volume or "") or {}
        affinity = ((content.get("spec") or {}).get("nodeAffinity") or {}).get("required") or {}
        places = [
            " and ".join(
                f"{rule.get('key')} {rule.get('operator')} {' or '.join(rule.get('values') or [])}"
                for rule in term.get("matchExpressions") or []
            )
            for term in affinity.get("nodeSelectorTerms") or []
        ]
        if places:
            finding.evidence.append(
                f"PersistentVolume {volume} of claim {claim} is only on nodes with {'; or '.join(places)}"
            )
            there = [node["metadata"]["name"] for node in view.all("Node") if on_node(content, node)]
            if view.known("Node"):
                finding.title = "volume {} of its claim {} is on {}".format(
                    volume,
                    claim,
                    f"node {shortened(there, 3)}, which does not take the pod" if there else "no node of the cluster",
                )


def on_node(volume: Mapping[str, Any], node: Mapping[str, Any]) -> bool:
    """Whether a PersistentVolume can be used on a node, by its C(nodeAffinity)."""
    terms = (((volume.get("spec") or {}).get("nodeAffinity") or {}).get("required") or {}).get("nodeSelectorTerms")
    return not terms or any(_term_fits(term, node) for term in terms)


def _term_fits(term: Mapping[str, Any], node: Mapping[str, Any]) -> bool:
    return expressions_match(node["metadata"].get("labels") or {}, term.get("matchExpressions") or ()) and (
        expressions_match({"metadata.name": node["metadata"]["name"]}, term.get("matchFields") or ())
    )


def _add_affinity(view: View, spec: Mapping[str, Any], finding: Finding, cause: Refusal) -> None:
    selector = spec.get("nodeSelector") or {}
    if "anti-affinity" in cause.reason:
        finding.title = "every node has a pod already that it must not share with (required pod anti-affinity)"
        finding.advice = (
            "Have no more replicas than nodes, add nodes, or let the rule be preferred (preferredDuringScheduling...)."
        )
    elif "pod affinity" in cause.reason:
        finding.title = "no node has a pod that it must be with (required pod affinity)"
        finding.advice = "Deploy what it wants to be near to, or correct the labels in podAffinity."
    else:
        finding.advice = "Label a node so that it fits (kubectl label nodes NODE KEY=VALUE), or correct the pod's nodeSelector or affinity."
        if selector:
            shown = ", ".join("{}={}".format(*pair) for pair in sorted(selector.items()))
            finding.title = f"no node that it may run on has the labels {shown}"
            finding.evidence += [f"nodeSelector: {shown}"] + _labels_of_nodes(view, selector)


def _add_taints(view: View, pod: Mapping[str, Any], finding: Finding) -> None:
    """Name the taints: the scheduler only counts the nodes that have some."""
    taints: dict[str, list[str]] = {}
    for node in view.all("Node"):
        for taint in untolerated(pod, node) if node_fits(pod, node) else []:
            taints.setdefault(taint_text(taint), []).append(node["metadata"]["name"])
            if taint["key"].startswith("node.kubernetes.io/"):
                finding.blames += (Reference("v1", "Node", "", node["metadata"]["name"]),)
    if taints:
        finding.title = f"it does not tolerate the taints of the nodes: {', '.join(sorted(taints))}"
        finding.evidence += [f"{taint} on {shortened(names, 5)}" for taint, names in sorted(taints.items())]


def taint_text(taint: Mapping[str, Any]) -> str:
    """Write a taint as kubectl takes it."""
    return f"{taint.get('key')}{'={}'.format(taint['value']) if taint.get('value') else ''}:{taint.get('effect')}"


def untolerated(pod: Mapping[str, Any], node: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """List the taints of a node that keep a pod away (https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/)."""
    tolerations = (pod.get("spec") or {}).get("tolerations") or []
    return [
        taint
        for taint in (node.get("spec") or {}).get("taints") or []
        if taint.get("effect") in ("NoSchedule", "NoExecute") and not any(_tolerates(one, taint) for one in tolerations)
    ]


def _tolerates(toleration: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    if toleration.get("effect") not in (None, "", taint.get("effect")):
        return False
    if toleration.get("operator") == "Exists":
        return toleration.get("key") in (None, "", taint.get("key"))
    return toleration.get("key") == taint.get("key") and (toleration.get("value") or "") == (taint.get("value") or "")


def node_fits(pod: Mapping[str, Any], node: Mapping[str, Any]) -> bool:
    """Whether a node has what a pod's nodeSelector and required node affinity ask for."""
    spec = pod.get("spec") or {}
    labels = node["metadata"].get("labels") or {}
    if not has_labels(labels, spec.get("nodeSelector") or {}):
        return False
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    terms = (affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}).get("nodeSelectorTerms")
    if not terms:
        return True
    return any(_term_fits(term, node) for term in terms)


def free_of(view: View) -> dict[str, Amounts]:
    """Return what every schedulable node has left: its allocatable resources minus the requests of its pods."""
    free: dict[str, Amounts] = {}
    for node in view.all("Node"):
        if not (node.get("spec") or {}).get("unschedulable"):
            allocatable = (node.get("status") or {}).get("allocatable") or {}
            free[node["metadata"]["name"]] = {key: amount(value) for key, value in allocatable.items()}
    for pod in view.all("Pod"):
        left = free.get((pod.get("spec") or {}).get("nodeName") or "")
        if left is not None and (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed"):
            for key, value in requests_of(pod).items():
                if key in left:
                    left[key] -= value
    return free


def _room(view: View, pod: Mapping[str, Any]) -> list[str]:
    """Tell what the pod asks for, and what the node with the most room has free."""
    wanted = requests_of(pod)
    free = free_of(view)
    lines = [f"the pod asks for {', '.join(name_amount(*pair) for pair in sorted(wanted.items())) or 'nothing'}"]
    for resource in sorted(wanted):
        if free and resource != "pods":
            node, most = max(((name, left.get(resource, 0)) for name, left in free.items()), key=lambda pair: pair[1])
            lines.append(f"most {resource} free: {name_amount(resource, most)} on node {node}")
    return lines


def _labels_of_nodes(view: View, selector: Mapping[str, str]) -> list[str]:
    """Tell how near the nodes come to a selector."""
    lines = []
    for key, value in sorted(selector.items()):
        every = [node["metadata"].get("labels") or {} for node in view.all("Node")]
        there = sorted({labels[key] for labels in every if key in labels})
        if there and value not in there:
            lines.append(f"nodes have {key}={' or '.join(there[:5])}")
        elif view.known("Node") and not there:
            lines.append(f"no node has a label {key}")
    return lines
