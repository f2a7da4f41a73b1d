# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which nodes suit a pod or a volume: labels, affinity, taints, and free resources."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from .._kube.quantities import Amounts, amount, requests_of
from .._kube.selectors import expressions_match, has_labels
from .view import Object, View, is_finished, labels_of, name_of, node_name, spec_of, status_of


def taint_text(taint: Mapping[str, Any]) -> str:
    """Return a taint in the syntax of kubectl."""
    value = f"={taint['value']}" if taint.get("value") else ""
    return f"{taint.get('key')}{value}:{taint.get('effect')}"


def untolerated(pod: Object, node: Object) -> list[Mapping[str, Any]]:
    """Return the taints of a node that a pod does not tolerate (https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/)."""
    tolerations = spec_of(pod).get("tolerations") or []
    return [
        taint
        for taint in spec_of(node).get("taints") or []
        if taint.get("effect") in ("NoSchedule", "NoExecute") and not any(_tolerates(one, taint) for one in tolerations)
    ]


def _tolerates(toleration: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    if toleration.get("effect") not in (None, "", taint.get("effect")):
        return False
    if toleration.get("operator") == "Exists":
        return toleration.get("key") in (None, "", taint.get("key"))
    return toleration.get("key") == taint.get("key") and (toleration.get("value") or "") == (taint.get("value") or "")


def node_fits(pod: Object, node: Object) -> bool:
    """Return whether a node matches the node selector and the required node affinity of a pod."""
    spec = spec_of(pod)
    if not has_labels(labels_of(node), spec.get("nodeSelector") or {}):
        return False
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    terms = (affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}).get("nodeSelectorTerms")
    return not terms or any(_term_fits(term, node) for term in terms)


def free_of(view: View) -> dict[str, Amounts]:
    """Return the free resources of every schedulable node: its allocatable resources minus the requests of its pods."""
    free: dict[str, Amounts] = {}
    for node in view.all("Node"):
        if not spec_of(node).get("unschedulable"):
            allocatable = status_of(node).get("allocatable") or {}
            free[name_of(node)] = {key: amount(value) for key, value in allocatable.items()}
    for pod in view.all("Pod"):
        left = free.get(node_name(pod))
        if left is not None and not is_finished(pod):
            for key, value in requests_of(pod).items():
                if key in left:
                    left[key] -= value
    return free


def volume_terms(volume: Object) -> Sequence[Mapping[str, Any]]:
    """Return the node selector terms of a PersistentVolume; a node must match one of them."""
    affinity = (spec_of(volume).get("nodeAffinity") or {}).get("required") or {}
    return affinity.get("nodeSelectorTerms") or []


def on_node(volume: Object, node: Object) -> bool:
    """Return whether a PersistentVolume can be used on a node, by its C(nodeAffinity)."""
    terms = volume_terms(volume)
    return not terms or any(_term_fits(term, node) for term in terms)


def _term_fits(term: Mapping[str, Any], node: Object) -> bool:
    return expressions_match(labels_of(node), term.get("matchExpressions") or ()) and (
        expressions_match({"metadata.name": name_of(node)}, term.get("matchFields") or ())
    )


def not_offered(resource: str, nodes: Sequence[Object]) -> bool:
    """Return whether a resource that only some nodes have, a device or huge pages, is allocatable on none of these nodes."""
    if "/" not in resource and not resource.startswith("hugepages-"):
        return False
    return bool(nodes) and not any(amount((status_of(node).get("allocatable") or {}).get(resource)) for node in nodes)
