# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels and taints of nodes: the difference between the inventory and a Node.

Annotations of the Node list the labels and taints that were set from the inventory. Those that are removed from the inventory are removed from
the Node; those that other tools set are not changed.
"""

from __future__ import annotations

from typing import Any, Iterable, Mapping

from .config import clean_taints

MANAGED_LABELS = "slipway.kube/managed-labels"
MANAGED_TAINTS = "slipway.kube/managed-taints"
ROLE_PREFIX = "node-role.kubernetes.io/"


def taint_key(taint: Mapping[str, Any]) -> str:
    """Return what identifies a taint on a node: ``key:effect`` (NodeSpec.taints)."""
    return f"{taint['key']}:{taint['effect']}"


def show_taint(taint: Mapping[str, Any]) -> str:
    """Return a taint as kubectl writes it."""
    return f"{taint['key']}{'=' + taint['value'] if taint.get('value') else ''}:{taint['effect']}"


def _managed(node: Mapping[str, Any], annotation: str) -> list[str]:
    return [key for key in (node["metadata"].get("annotations") or {}).get(annotation, "").split(",") if key]


def node_patch(
    node: Mapping[str, Any],
    labels: Mapping[str, Any],
    taints: Iterable[Mapping[str, Any]],
    owned_taints: Iterable[str] = (),
) -> tuple[dict[str, Any], list[str]]:
    """Return the JSON merge patch that gives a node the desired labels and taints, and its changes in words.

    :param node: the Node with its resourceVersion. The API server rejects the patch if the Node has been modified since.
    :param owned_taints: ``key:effect`` of taints that are managed without an annotation, because kubeadm sets them.
    :returns: ({}, []) if nothing changes.
    """
    taints = clean_taints(taints)
    text = {str(key): str(value).lower() if isinstance(value, bool) else str(value) for key, value in labels.items()}
    label_patch, changes = _label_changes(node, text)
    now = [dict(taint) for taint in node.get("spec", {}).get("taints") or []]
    result, taint_changes = _taint_changes(now, taints, {*_managed(node, MANAGED_TAINTS), *owned_taints})
    changes += taint_changes

    annotations = {}
    managed = sorted({taint_key(taint) for taint in taints} - set(owned_taints))
    for name, keys in ((MANAGED_LABELS, sorted(text)), (MANAGED_TAINTS, managed)):
        if keys != _managed(node, name):
            annotations[name] = ",".join(keys) or None
            changes.append(f"annotation {name}={','.join(keys)}" if keys else f"annotation {name} removed")

    if not changes:
        return {}, []
    patch: dict[str, Any] = {"metadata": {"resourceVersion": node["metadata"].get("resourceVersion")}}
    if label_patch:
        patch["metadata"]["labels"] = label_patch
    if annotations:
        patch["metadata"]["annotations"] = annotations
    if result != now:
        patch["spec"] = {"taints": result}
    return patch, changes


def _label_changes(node: Mapping[str, Any], labels: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    have = node["metadata"].get("labels") or {}
    patch: dict[str, Any] = {}
    changes = []
    for key, value in sorted(labels.items()):
        if have.get(key) != value:
            patch[key] = value
            changes.append(f"label {key}={value}" + (f" (was {have[key]})" if key in have else ""))
    for key in _managed(node, MANAGED_LABELS):
        if key not in labels and key in have:
            patch[key] = None
            changes.append(f"label {key} removed")
    return patch, changes


def _taint_changes(
    now: list[dict[str, Any]], taints: list[dict[str, str]], managed: set[str]
) -> tuple[list[dict[str, Any]], list[str]]:
    missing = {taint_key(taint): taint for taint in taints}
    kept = [taint for taint in now if taint_key(taint) in missing or taint_key(taint) not in managed]
    changes = [f"taint {show_taint(taint)} removed" for taint in now if taint not in kept]
    result = []
    for taint in kept:
        desired = missing.pop(taint_key(taint), None)
        if desired is not None and clean_taints([taint]) != [desired]:
            changes.append(f"taint {show_taint(desired)} (was {show_taint(taint)})")
            taint = desired
        result.append(taint)
    for desired in missing.values():
        changes.append(f"taint {show_taint(desired)}")
        result.append(desired)
    return result, changes


def summarize(node: Mapping[str, Any]) -> dict[str, Any]:
    """Return the readiness, version, roles, addresses, schedulability and taints of a node."""
    status, spec = node.get("status", {}), node.get("spec", {})
    conditions = {item["type"]: item["status"] for item in status.get("conditions") or []}
    labels = node["metadata"].get("labels") or {}
    addresses = [one["address"] for one in status.get("addresses") or [] if one["type"] in ("InternalIP", "ExternalIP")]
    return {
        "ready": conditions.get("Ready") == "True",
        "version": status.get("nodeInfo", {}).get("kubeletVersion", ""),
        "roles": sorted(key[len(ROLE_PREFIX) :] for key in labels if key.startswith(ROLE_PREFIX)),
        "addresses": addresses,
        "unschedulable": bool(spec.get("unschedulable")),
        "taints": [show_taint(taint) for taint in spec.get("taints") or []],
    }
