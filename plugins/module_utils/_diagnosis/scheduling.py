# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Explain why a pod is not scheduled, from the scheduler's message in the condition PodScheduled of the pod.

The scheduler counts the nodes by the first of its filters that rejects each of them:
https://kubernetes.io/docs/concepts/scheduling-eviction/kube-scheduler/
"""

from __future__ import annotations

import re
from typing import NamedTuple, Sequence

from .._kube.objects import Reference
from .._kube.quantities import name_amount, requests_of
from .finding import PENDING, SUSPICIOUS, Finding, one_line, pod_finding, shortened
from .host_ports import host_ports, users
from .placement import free_of, node_fits, not_offered, on_node, taint_text, untolerated, volume_terms
from .view import (
    Object,
    View,
    claim_names,
    conditions,
    controller,
    event_time,
    is_deleted,
    labels_of,
    labels_text,
    message_of,
    name_of,
    named,
    namespace_of,
    node_name,
    spec_of,
    status_of,
)

CONTROL_PLANE_TAINT = "node-role.kubernetes.io/control-plane"


class Refusal(NamedTuple):
    """The number of nodes that reject a pod for one reason."""

    nodes: int
    reason: str
    fault: str


# Patterns for the messages of the scheduler's filters, with the fault. The first match counts.
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
# The scheduler's reason is appended to the title.
TITLES = {
    "unschedulable_resources": "no node has enough free resources for the pod",
    "unschedulable_taint": "the pod does not tolerate the taints of the nodes",
    "unschedulable_affinity": "no node matches the pod's node selector or affinity",
    "unschedulable_spread": "no node satisfies the pod's topology spread constraints",
    "unschedulable_volume": "the pod's volume cannot be used on the nodes",
    "unschedulable_ports": "the host port of the pod is in use on every node",
    "unschedulable_cordoned": "the suitable nodes are cordoned",
    "unschedulable": "the pod cannot be scheduled",
    "claim_missing": "the pod's PersistentVolumeClaim does not exist",
    "claim_deleted": "the pod's PersistentVolumeClaim is being deleted",
    "claim_in_use": "another pod uses the ReadWriteOncePod volume of the pod",
    "claim_unbound": "the pod's PersistentVolumeClaim is not bound",
}
ADVICE = {
    "unschedulable_resources": "Lower resources.requests, remove workloads that are not needed, or add a node with enough free resources.",
    "unschedulable_taint": "Add a toleration for the taint to the pod, or remove the taint: kubectl taint nodes NODE KEY-.",
    "unschedulable_affinity": "Label a node (kubectl label nodes NODE KEY=VALUE), or correct nodeSelector or affinity of the pod.",
    "unschedulable_spread": "Relax the constraint (whenUnsatisfiable: ScheduleAnyway, or a larger maxSkew), or add nodes in the missing domain.",
    "unschedulable_volume": "Run the pod on a node where its volume is available, or use a storage class with volumeBindingMode WaitForFirstConsumer.",
    "unschedulable_ports": "Use a Service instead of hostPort, another port, or run no more pods than there are nodes.",
    "unschedulable_cordoned": "Uncordon a node: kubectl uncordon NODE.",
    "unschedulable": "Read the message of the scheduler.",
    "claim_missing": "Create the PersistentVolumeClaim, or correct its name in the volumes of the pod.",
    "claim_deleted": "Wait until the PersistentVolumeClaim is deleted and create it again, or reference another one.",
    "claim_in_use": "Run one replica with strategy Recreate. To run more, use access mode ReadWriteMany or one PersistentVolumeClaim per pod.",
    "claim_unbound": "Check the PersistentVolumeClaim: kubectl describe pvc.",
}
# Advice for a reason that is more special than its fault.
SPECIAL = (
    (
        r"Too many pods",
        "Remove pods or add a node: the nodes run as many pods as their kubelets allow (maxPods, 110 by default).",
    ),
    (
        r"cannot allocate all claims",
        "Check that nodes have the devices of the pod's ResourceClaims free, and that the driver runs: kubectl describe resourceclaim.",
    ),
    (
        r"cloudprovider\.kubernetes\.io/uninitialized",
        "Check that the cloud controller manager runs: it removes this taint when it has initialized a node.",
    ),
    (
        r"taint \{node\.kubernetes\.io/(?:unreachable|not-ready|[a-z]+-pressure|network-unavailable)",
        "Repair the nodes: their taints say what is wrong with them, and go by themselves.",
    ),
    (
        r"exceed max volume count",
        "Use fewer volumes per node, or add a node: a node can attach only so many volumes of this driver.",
    ),
)


def refusals(message: str) -> list[Refusal]:
    """Parse a message of the scheduler: C(0/3 nodes are available: 1 node(s) had …, 2 Insufficient cpu. preemption: …)."""
    text = re.split(r"[.,]?\s+preemption:|\. no new claims|\. not found$", one_line(message))[0]
    _head, colon, rest = text.partition("nodes are available: ")
    if not colon:
        return [Refusal(0, text, fault_of(text))]
    found = []
    for part in re.split(r", (?=\d+ )", rest.rstrip(".")):
        counted = re.match(r"(\d+) (.*)", part)
        count, reason = (int(counted.group(1)), counted.group(2)) if counted else (0, part)
        found.append(Refusal(count, reason, fault_of(reason)))
    return found


def fault_of(reason: str) -> str:
    """Return the fault for a reason of the scheduler."""
    return next((fault for pattern, fault in REASONS if re.search(pattern, reason)), "unschedulable")


def decisive(found: Sequence[Refusal], tainted: int = 0, chosen: bool = False) -> Refusal:
    """Return the reason that an operator can act on.

    :param tainted: the number of nodes that are rejected only for the control plane taint, which is rarely the cause.
    :param chosen: a node matches the pod's node selector and affinity, so they are not the cause.
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


def unscheduled(view: View, pod: Object) -> list[Finding]:
    """Explain a pod that is not scheduled; empty if it is, or if the scheduler has not tried yet."""
    condition = conditions(pod).get("PodScheduled") or {}
    if condition.get("status") != "False":
        return []
    if condition.get("reason") == "SchedulingGated":
        return [_gated(view, pod, message_of(condition))]
    message = one_line(message_of(condition))
    if not message:
        return []
    cause = _cause(view, pod, refusals(message))
    # Pods are often rejected for a moment, while others terminate or nodes join.
    severity = "error" if view.age(pod) >= 10 else "warning"
    title = f"{TITLES[cause.fault]}: {cause.reason}"
    # An operator may be about to create a claim; nodes and volumes are provided by the cluster, which can take minutes.
    patience = SUSPICIOUS if cause.fault == "claim_missing" else PENDING
    advice = next((text for pattern, text in SPECIAL if re.search(pattern, cause.reason)), ADVICE[cause.fault])
    finding = pod_finding(view, pod, cause.fault, severity, title, message, advice, patience=patience)
    if cause.fault.startswith("claim") or cause.fault == "unschedulable_volume":
        _add_claims(view, pod, finding)
    elif cause.fault in DETAILS:
        DETAILS[cause.fault](view, pod, finding, cause)
    return [finding]


def _gated(view: View, pod: Object, message: str) -> Finding:
    gates = ", ".join(gate["name"] for gate in spec_of(pod).get("schedulingGates") or [])
    severity = "warning" if view.age(pod) < 20 else "error"
    title = f"the pod has scheduling gates: {gates or 'unknown'}"
    advice = "Check that the controller that removes the gate from schedulingGates of the pod is running."
    return pod_finding(
        view, pod, "scheduling_gated", severity, title, message or "SchedulingGated", advice, patience=PENDING
    )


def _cause(view: View, pod: Object, found: Sequence[Refusal]) -> Refusal:
    """Return the reason to report, with what is known of the nodes."""
    spec, nodes = spec_of(pod), view.all("Node")
    matching = [node for node in nodes if node_fits(pod, node)]
    asks = bool(spec.get("nodeSelector") or (spec.get("affinity") or {}).get("nodeAffinity"))
    alone = [node for node in nodes if [taint["key"] for taint in untolerated(pod, node)] == [CONTROL_PLANE_TAINT]]
    cause = decisive(found, len(alone), asks and bool(matching))
    chosen = [node for node in matching if not untolerated(pod, node) and not spec_of(node).get("unschedulable")]
    # What rejects the nodes that the pod may use is the cause, however many others it may not use.
    own = [one for one in found if one.fault not in ("unschedulable_taint", "unschedulable_cordoned", "unschedulable")]
    own = [one for one in own if "node affinity/selector" not in one.reason]
    if chosen and own:
        cause = decisive(own)
    if asks and nodes and not matching:
        # The scheduler looks at taints first, but no toleration would help.
        few = [one for one in found if one.fault == "unschedulable_affinity"]
        cause = (
            few[0]
            if few
            else Refusal(len(nodes), "node(s) didn't match Pod's node affinity/selector", "unschedulable_affinity")
        )
    if any(not_offered(resource, nodes) for resource in requests_of(pod)):
        cause = next((one for one in found if one.fault == "unschedulable_resources"), cause)
    fit = [node for node in matching if node not in alone]
    if fit and all(spec_of(node).get("unschedulable") for node in fit):
        cause = next((one for one in found if one.fault == "unschedulable_cordoned"), cause)
    return cause


def _add_claims(view: View, pod: Object, finding: Finding) -> None:
    """Add what is known of the PersistentVolumeClaims of a pod."""
    namespace, claims = namespace_of(pod), claim_names(pod)
    finding.blames += tuple(Reference("v1", "PersistentVolumeClaim", namespace, claim) for claim in claims)
    if finding.fault == "claim_in_use":
        _add_user(view, pod, finding)
    elif finding.fault == "unschedulable_volume":
        for claim in claims:
            _add_place(view, namespace, finding, claim)
    elif finding.fault == "claim_missing":
        missing = [claim for claim in claims if view.missing("PersistentVolumeClaim", namespace, claim)]
        if missing:
            existing = ", ".join(view.names("PersistentVolumeClaim", namespace))
            finding.title = f"PersistentVolumeClaim {', '.join(missing)} does not exist"
            finding.evidence.append(f"PersistentVolumeClaims in namespace {namespace}: {existing or 'none'}")


def _add_room(view: View, pod: Object, finding: Finding, cause: Refusal) -> None:
    """Add what the pod requests, and the node with the most free resources."""
    requested, free = requests_of(pod), free_of(view)
    shown = ", ".join(name_amount(*pair) for pair in sorted(requested.items()))
    finding.evidence.append(f"the pod requests {shown or 'nothing'}")
    for resource in sorted(requested):
        if free and resource != "pods":
            most, node = max(((left.get(resource, 0), name) for name, left in free.items()), key=lambda pair: pair[0])
            finding.evidence.append(f"largest free amount on a node: {name_amount(resource, most)} ({node})")
    nominated = status_of(pod).get("nominatedNodeName")
    if nominated:
        finding.title = f"waits until the pods that it preempts on node {nominated} have ended"
        finding.severity = "warning"
        finding.advice = "Wait. Pods with a long terminationGracePeriodSeconds delay it."
        return
    _add_preemption(view, pod, finding)
    for resource in re.findall(r"Insufficient (\S+)", cause.reason):
        if not_offered(resource, view.all("Node")):
            finding.title = f"no node provides the resource {resource}"
            finding.advice = f"Check that the device plugin for {resource} runs on the nodes that have the device, or correct the resource name."
            if resource.startswith("hugepages-"):
                finding.advice = "Reserve huge pages of this size on a node (sysctl vm.nr_hugepages) and restart its kubelet, or omit the request."


def _add_cordoned(view: View, pod: Object, finding: Finding, cause: Refusal) -> None:
    names = [name_of(node) for node in view.all("Node") if spec_of(node).get("unschedulable") and node_fits(pod, node)]
    if names:
        finding.title = f"all suitable nodes are cordoned: {shortened(names, 5)}"
        finding.advice = f"Uncordon a node when its maintenance is finished: kubectl uncordon {names[0]}."


def _add_user(view: View, pod: Object, finding: Finding) -> None:
    """Add the pod that uses the ReadWriteOncePod volume."""
    for other in view.in_namespace(namespace_of(pod)):
        shared = [claim for claim in claim_names(pod) if claim in claim_names(other)]
        if shared and node_name(other) and not is_deleted(other):
            finding.title = f"PersistentVolumeClaim {shared[0]} is ReadWriteOncePod and in use by pod {named(other)}"
            return


def _add_place(view: View, namespace: str, finding: Finding, claim: str) -> None:
    """Add the nodes on which the volume of a claim can be used."""
    volume = spec_of(view.get("PersistentVolumeClaim", namespace, claim) or {}).get("volumeName")
    content = view.get("PersistentVolume", "", volume or "") or {}
    places = [
        " and ".join(
            f"{rule.get('key')} {rule.get('operator')} {' or '.join(rule.get('values') or [])}"
            for rule in term.get("matchExpressions") or []
        )
        for term in volume_terms(content)
    ]
    if not places:
        return
    finding.evidence.append(
        f"PersistentVolume {volume} of claim {claim} requires a node with {'; or '.join(places)} (nodeAffinity)"
    )
    if view.known("Node"):
        nodes = [name_of(node) for node in view.all("Node") if on_node(content, node)]
        where = f"node {shortened(nodes, 3)}, which rejects the pod" if nodes else "no node of the cluster"
        finding.title = f"volume {volume} of claim {claim} is available on {where}"


def _add_ports(view: View, pod: Object, finding: Finding, cause: Refusal) -> None:
    """Add who uses the ports of the nodes."""
    wanted = host_ports(pod)
    lines, own = [], True
    for node in view.all("Node"):
        for other in users(view, wanted, name_of(node), pod) if node_fits(pod, node) else []:
            taken = ", ".join(map(str, sorted(wanted & host_ports(other))))
            lines.append(f"port {taken} of node {name_of(node)} is used by pod {named(other)}")
            own = own and view.made_by(other) == view.made_by(pod)
    if lines:
        ports = ", ".join(map(str, sorted(wanted)))
        who = "other pods of the same workload" if own else "other pods"
        finding.title = f"host port {ports} of the pod is in use on every suitable node, by {who}"
        finding.evidence += lines[:5]
        if not own:
            finding.advice = (
                "Use another hostPort, a Service instead of hostPort, or keep such pods on different nodes."
            )


def _add_preemption(view: View, pod: Object, finding: Finding) -> None:
    """Add that the scheduler has deleted pods of the same workload in favour of pods of a higher priority."""
    made_by = controller(pod)
    events = [
        event
        for event in view.all("Preempted")
        if made_by is not None
        and event["involvedObject"].get("namespace") == namespace_of(pod)
        and (event["involvedObject"].get("name") or "").startswith(made_by["name"] + "-")
    ]
    if not events:
        return
    last = max(events, key=event_time)
    winner = last.get("related") or {}
    by = (
        f"pod {'/'.join(filter(None, (winner.get('namespace'), winner.get('name'))))}"
        if winner.get("name")
        else "a pod"
    )
    finding.fault = "preempted"
    finding.title = (
        f"{by} of a higher priority has preempted a pod of this workload, and no node has room for it any more"
    )
    finding.evidence.append(f"Preempted: pod {last['involvedObject'].get('name')}: {one_line(message_of(last))}")
    finding.advice = "Give the workload a PriorityClass that is not lower, add a node, or lower the requests of both."


def _add_affinity(view: View, pod: Object, finding: Finding, cause: Refusal) -> None:
    selector = spec_of(pod).get("nodeSelector") or {}
    if "anti-affinity" in cause.reason:
        finding.title = "every node already runs a pod that the required pod anti-affinity excludes"
        finding.advice = "Run no more replicas than there are nodes, add nodes, or make the rule preferred (preferredDuringScheduling...)."
    elif "pod affinity" in cause.reason:
        finding.title = "no node runs a pod that matches the required pod affinity"
        finding.advice = "Deploy the pods that the pod must run next to, or correct the labels in podAffinity."
    elif selector:
        finding.title = f"no node has the labels of the pod's node selector: {labels_text(selector)}"
        finding.evidence.append(f"nodeSelector: {labels_text(selector)}")
        for key, value in sorted(selector.items()):
            values = sorted({labels_of(node)[key] for node in view.all("Node") if key in labels_of(node)})
            if values and value not in values:
                finding.evidence.append(f"nodes have {key}={' or '.join(values[:5])}")
            elif view.known("Node") and not values:
                finding.evidence.append(f"no node has a label {key}")
    elif _affinity_text(pod):
        finding.title = f"no node matches the required node affinity of the pod: {_affinity_text(pod)}"


def _affinity_text(pod: Object) -> str:
    """Return the required node affinity of a pod as text, empty if it has none."""
    affinity = (spec_of(pod).get("affinity") or {}).get("nodeAffinity") or {}
    terms = (affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}).get("nodeSelectorTerms") or []
    return "; or ".join(
        " and ".join(
            f"{rule.get('key')} {rule.get('operator')} {' or '.join(rule.get('values') or [])}".rstrip()
            for rule in [*(term.get("matchExpressions") or []), *(term.get("matchFields") or [])]
        )
        for term in terms
    )


def _add_taints(view: View, pod: Object, finding: Finding, cause: Refusal) -> None:
    """Add the taints, which the message of the scheduler does not name."""
    taints: dict[str, list[str]] = {}
    for node in view.all("Node"):
        for taint in untolerated(pod, node) if node_fits(pod, node) else []:
            taints.setdefault(taint_text(taint), []).append(name_of(node))
            if taint["key"].startswith("node.kubernetes.io/"):
                finding.blames += (Reference("v1", "Node", "", name_of(node)),)
    if taints:
        finding.title = f"the pod does not tolerate the taints of the nodes: {', '.join(sorted(taints))}"
        finding.evidence += [f"{taint} on {shortened(names, 5)}" for taint, names in sorted(taints.items())]


DETAILS = {
    "unschedulable_resources": _add_room,
    "unschedulable_cordoned": _add_cordoned,
    "unschedulable_affinity": _add_affinity,
    "unschedulable_ports": _add_ports,
    "unschedulable_taint": _add_taints,
}
