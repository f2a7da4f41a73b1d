# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects that are being deleted and stay: what keeps them. Pure functions.

https://kubernetes.io/docs/concepts/overview/working-with-objects/finalizers/
"""

from __future__ import annotations

import re

from .._kube.objects import Reference, reference
from .._kube.timestamps import seconds_of
from .finding import SLOW, Finding, one_line, shortened
from .view import Object, View, conditions, named

# So many seconds after its deletion (a pod's own grace comes before that) an object should be gone.
PATIENCE = 20
CERTAIN = 60
CLAIM_IN_USE = "kubernetes.io/pvc-protection"
# Conditions of a namespace that say what keeps it (https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/namespace-v1/).
KEEPS = (
    "NamespaceDeletionDiscoveryFailure",
    "NamespaceDeletionGroupVersionParsingFailure",
    "NamespaceDeletionContentFailure",
    "NamespaceFinalizersRemaining",
    "NamespaceContentRemaining",
)


def lingering(view: View) -> list[Finding]:
    """Explain everything that should be gone."""
    found = []
    for kind in view.objects:
        if kind == "Event":
            continue
        for content in view.all(kind):
            gone_at = content["metadata"].get("deletionTimestamp")
            if gone_at:
                late = view.now - seconds_of(gone_at)
                finding = _explain(view, content, late) if late > PATIENCE else None
                if finding is not None:
                    found.append(finding)
    return found


def _explain(view: View, content: Object, late: float) -> Finding | None:
    name = reference(content)
    finalizers = content["metadata"].get("finalizers") or []
    finding = Finding(
        "deletion_stuck",
        "error" if late > CERTAIN else "warning",
        name,
        "it is being deleted for %d s and does not go" % late,
        patience=SLOW,
    )
    if name.kind == "Namespace":
        return _namespace(view, content, finding)
    if name.kind == "Pod":
        return _pod(view, content, finding, finalizers)
    if name.kind == "PersistentVolumeClaim" and finalizers == [CLAIM_IN_USE]:
        users = [
            pod
            for pod in view.in_namespace(name.namespace)
            for volume in (pod.get("spec") or {}).get("volumes") or []
            if (volume.get("persistentVolumeClaim") or {}).get("claimName") == name.name
        ]
        finding.title = "it is being deleted, and pods still use it"
        finding.evidence = [f"used by {shortened([named(pod) for pod in users], 5) or 'a pod'}"]
        finding.advice = "Delete the pods, or what makes them."
        finding.severity = "warning"
        return finding
    if not finalizers:
        return None
    finding.title = f"it is being deleted, and its finalizers keep it: {', '.join(finalizers)}"
    finding.evidence = ["metadata.finalizers for %d s after the deletion: %s" % (late, ", ".join(finalizers))]
    if finalizers == ["foregroundDeletion"]:
        finding.advice = "What it owns goes first: see what is left of it."
    else:
        finding.advice = (
            "What set a finalizer must do its work and remove it: see that its controller runs. Only where that is gone for good, "
            'remove it by hand: kubectl patch {} {}{} --type=merge -p \'{{"metadata":{{"finalizers":null}}}}\'.'.format(
                name.kind.lower(), name.name, " -n " + name.namespace if name.namespace else ""
            )
        )
    return finding


def _namespace(view: View, content: Object, finding: Finding) -> Finding:
    said = conditions(content)
    evidence = [
        f"{kind}: {one_line(said[kind].get('message') or '')}"
        for kind in KEEPS
        if (said.get(kind) or {}).get("status") == "True"
    ]
    finding.evidence = evidence or ["phase Terminating"]
    name = finding.object.name
    finding.title = "it is being deleted, and something in it does not go"
    left = " ".join(evidence)
    if "DiscoveryFailure" in left:
        finding.title = "it is being deleted, and the API server cannot say what is in it"
        finding.advice = "See the APIServices that are not available: kubectl get apiservices."
        finding.blames = tuple(
            reference(service)
            for service in view.all("APIService")
            if (conditions(service).get("Available") or {}).get("status") == "False"
        )
        return finding
    kept = re.search(r"finalizers remaining: ([^ ]+)", left)
    finding.advice = (
        "See what is left in it%s; the controller of a finalizer must run, or the finalizer be removed."
        % (f" (finalizer {kept.group(1)})" if kept else "")
    )
    finding.blames = tuple(
        reference(other)
        for kind in view.objects
        if kind not in ("Event", "Namespace")
        for other in view.all(kind)
        if other["metadata"].get("namespace") == name and other["metadata"].get("deletionTimestamp")
    )
    return finding


def _pod(view: View, pod: Object, finding: Finding, finalizers: list[str]) -> Finding:
    node = (pod.get("spec") or {}).get("nodeName") or ""
    live = view.get("Node", "", node)
    finding.pods = [named(pod)]
    if finalizers and (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed") or not node:
        finding.title = f"it is being deleted, and its finalizers keep it: {', '.join(finalizers)}"
        finding.evidence = [f"metadata.finalizers: {', '.join(finalizers)}"]
        finding.advice = "What set the finalizer must remove it: see that its controller runs."
    elif live is None or (conditions(live).get("Ready") or {}).get("status") != "True":
        finding.title = f"it is being deleted, and its node {node} does not confirm it"
        finding.evidence = [f"node {node} is {'not Ready' if live else 'not in the cluster'}"]
        finding.advice = "Bring the node back, or delete it; then the pod goes."
        finding.blames = (Reference("v1", "Node", "", node),)
    else:
        finding.evidence = [f"on node {node}{'; finalizers: ' + ', '.join(finalizers) if finalizers else ''}"]
        finding.advice = f"A program that ignores SIGTERM or a volume that cannot be unmounted holds it: see journalctl -u kubelet on node {node}."
    return finding
