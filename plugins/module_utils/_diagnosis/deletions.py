# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects whose deletion does not complete: pure functions.

https://kubernetes.io/docs/concepts/overview/working-with-objects/finalizers/
"""

from __future__ import annotations

import re

from .._kube.objects import Reference, reference
from .._kube.timestamps import seconds_of
from .finding import SLOW, Finding, one_line, shortened
from .view import Object, View, conditions, is_finished, is_true, named, namespace_of, node_name, spec_of

# Seconds after the deletionTimestamp (which includes the grace period of a pod) at which an object is reported, and reported as an error.
REPORTED, CERTAIN = 20, 60
CLAIM_IN_USE = "kubernetes.io/pvc-protection"
VOLUME_IN_USE = "kubernetes.io/pv-protection"
# Conditions of a namespace that say what blocks its deletion
# (https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/namespace-v1/).
BLOCKING = (
    "NamespaceDeletionDiscoveryFailure",
    "NamespaceDeletionGroupVersionParsingFailure",
    "NamespaceDeletionContentFailure",
    "NamespaceFinalizersRemaining",
    "NamespaceContentRemaining",
)
RUN_CONTROLLER = "The controller that set the finalizer must remove it: check that this controller is running."


def deletions(view: View) -> list[Finding]:
    """Explain every object that should have been deleted by now."""
    found = []
    for kind in view.objects:
        for content in view.all(kind) if kind != "Event" else ():
            deleted_at = content["metadata"].get("deletionTimestamp")
            late = view.now - seconds_of(deleted_at) if deleted_at else 0
            finding = _explain(view, content, late) if late > REPORTED else None
            if finding is not None:
                found.append(finding)
    return found


def _explain(view: View, content: Object, late: float) -> Finding | None:
    """Explain one object; None if it will be deleted without intervention.

    :param late: Seconds since its deletionTimestamp.
    """
    name = reference(content)
    finalizers = content["metadata"].get("finalizers") or []
    finding = Finding(
        "deletion_stuck",
        "error" if late > CERTAIN else "warning",
        name,
        f"its deletion has not completed for {late:.0f} s",
        patience=SLOW,
    )
    if name.kind == "Namespace":
        _explain_namespace(view, content, finding)
    elif name.kind == "Pod":
        _explain_pod(view, content, finding, finalizers)
    elif name.kind == "PersistentVolumeClaim" and finalizers == [CLAIM_IN_USE]:
        users = [
            named(pod)
            for pod in view.in_namespace(name.namespace)
            for volume in spec_of(pod).get("volumes") or []
            if (volume.get("persistentVolumeClaim") or {}).get("claimName") == name.name
        ]
        finding.title = "its deletion waits for the pods that use it"
        finding.evidence = [f"used by {shortened(users, 5) or 'a pod'}"]
        finding.advice = "Delete the pods, or the workload that creates them."
        finding.severity = "warning"
    elif name.kind == "PersistentVolume" and finalizers == [VOLUME_IN_USE]:
        claim = spec_of(content).get("claimRef") or {}
        place = f"{claim.get('namespace')}/{claim.get('name')}"
        finding.title = f"its deletion waits for PersistentVolumeClaim {place}, which is bound to it"
        finding.evidence = [f"claimRef: {place}"]
        finding.advice = f"Delete the claim if its data is no longer needed: kubectl delete pvc {claim.get('name')} -n {claim.get('namespace')}."
        finding.severity = "warning"
    elif not finalizers:
        return None
    else:
        _explain_finalizers(finding, finalizers)
        finding.evidence = [f"metadata.finalizers {late:.0f} s after the deletion: {', '.join(finalizers)}"]
        namespace = f" -n {name.namespace}" if name.namespace else ""
        patch = f'kubectl patch {name.kind.lower()} {name.name}{namespace} --type=merge -p \'{{"metadata":{{"finalizers":null}}}}\''
        finding.advice += f" Only if that controller is permanently gone, remove the finalizer manually: {patch}"
        if finalizers == ["foregroundDeletion"]:
            finding.advice = "Its dependents are deleted first: check which of them remain and why."
    return finding


def _explain_finalizers(finding: Finding, finalizers: list[str]) -> None:
    finding.title = f"its deletion is blocked by finalizers: {', '.join(finalizers)}"
    finding.evidence = [f"metadata.finalizers: {', '.join(finalizers)}"]
    finding.advice = RUN_CONTROLLER


def _explain_namespace(view: View, content: Object, finding: Finding) -> None:
    blocking = [kind for kind in BLOCKING if is_true(content, kind)]
    said = conditions(content)
    evidence = [f"{kind}: {one_line(said[kind].get('message') or '')}" for kind in blocking]
    finding.evidence = evidence or ["phase Terminating"]
    if "NamespaceDeletionDiscoveryFailure" in blocking:
        finding.title = "its deletion is blocked because the API server cannot list its contents"
        finding.advice = "Restore or delete the APIServices that are not available: kubectl get apiservices"
        finding.blames = tuple(
            reference(service)
            for service in view.all("APIService")
            if (conditions(service).get("Available") or {}).get("status") == "False"
        )
        return
    finding.title = "its deletion is blocked by objects that remain in it"
    kept = re.search(r"finalizers remaining: ([^ ]+)", " ".join(evidence))
    finding.advice = (
        f"Check which objects remain in it{f' (finalizer {kept.group(1)})' if kept else ''}. {RUN_CONTROLLER}"
    )
    finding.blames = tuple(
        reference(other)
        for kind in view.objects
        if kind not in ("Event", "Namespace")
        for other in view.all(kind)
        if namespace_of(other) == finding.object.name and other["metadata"].get("deletionTimestamp")
    )


def _explain_pod(view: View, pod: Object, finding: Finding, finalizers: list[str]) -> None:
    node = node_name(pod)
    live = view.get("Node", "", node)
    finding.pods = [named(pod)]
    if finalizers and is_finished(pod) or not node:
        _explain_finalizers(finding, finalizers)
    elif live is None or not is_true(live, "Ready"):
        finding.title = f"its deletion is not confirmed by the kubelet of node {node}"
        finding.evidence = [f"node {node} is {'not Ready' if live else 'not in the cluster'}"]
        finding.advice = f"Restore the node, or delete it (kubectl delete node {node}); then the pod is deleted."
        finding.blames = (Reference("v1", "Node", "", node),)
    else:
        finding.evidence = [f"on node {node}{'; finalizers: ' + ', '.join(finalizers) if finalizers else ''}"]
        finding.advice = f"Check journalctl -u kubelet on node {node}: a process may ignore SIGTERM, or a volume cannot be unmounted."
