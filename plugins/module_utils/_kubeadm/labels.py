# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels and taints of nodes: what the inventory wants against what a node has, and who owns what.

What was set from the inventory is noted in annotations of the node, so that what leaves the inventory leaves the node,
and what others set stays.
"""

from __future__ import annotations

from typing import Any, Iterable, Mapping

LABELS_NOTE = "slipway.kube/managed-labels"
TAINTS_NOTE = "slipway.kube/managed-taints"


def taint_key(taint: Mapping[str, Any]) -> str:
    """What makes a taint unique on a node: ``key:effect`` (Kubernetes API, NodeSpec.taints)."""
    return f"{taint['key']}:{taint['effect']}"


def show_taint(taint: Mapping[str, Any]) -> str:
    """The taint as kubectl writes it."""
    return f"{taint['key']}{'=' + taint['value'] if taint.get('value') else ''}:{taint['effect']}"


def _note(node: Mapping[str, Any], name: str) -> list[str]:
    return [key for key in (node["metadata"].get("annotations") or {}).get(name, "").split(",") if key]


def clean_taints(taints: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Taints with the fields that count when they are compared."""
    return [{key: str(taint[key]) for key in ("key", "value", "effect") if taint.get(key)} for taint in taints]


def change_node(
    node: Mapping[str, Any],
    labels: Mapping[str, Any],
    taints: Iterable[Mapping[str, Any]],
    owned_taints: Iterable[str] = (),
) -> tuple[dict[str, Any], list[str]]:
    """The JSON merge patch that makes a node be as wanted, and what it does in words; ({}, []) where nothing is to do.

    :param node: the Node as the API gives it, with its resourceVersion: the patch is refused if it has changed since.
    :param owned_taints: ``key:effect`` of taints that are ours without a note (kubeadm set them on our behalf).
    """
    wanted = {str(key): str(value).lower() if isinstance(value, bool) else str(value) for key, value in labels.items()}
    have = node["metadata"].get("labels") or {}
    said: list[str] = []
    patch_labels: dict[str, Any] = {}
    for key in sorted(wanted):
        if have.get(key) != wanted[key]:
            patch_labels[key] = wanted[key]
            said.append(f"label {key}={wanted[key]}" + (f" (was {have[key]})" if key in have else ""))
    for key in _note(node, LABELS_NOTE):
        if key not in wanted and key in have:
            patch_labels[key] = None
            said.append(f"label {key} removed")

    now = [dict(taint) for taint in node.get("spec", {}).get("taints") or []]
    want_taints = {taint_key(taint): taint for taint in clean_taints(taints)}
    owned = set(_note(node, TAINTS_NOTE)) | set(owned_taints)
    kept = [taint for taint in now if taint_key(taint) in want_taints or taint_key(taint) not in owned]
    said += [f"taint {show_taint(taint)} removed" for taint in now if taint not in kept]
    result = []
    for taint in kept:
        want = want_taints.pop(taint_key(taint), None)
        if want is not None and clean_taints([taint]) != [want]:
            said.append(f"taint {show_taint(want)} (was {show_taint(taint)})")
            taint = want
        result.append(taint)
    for want in want_taints.values():
        said.append(f"taint {show_taint(want)}")
        result.append(want)

    notes = {}
    noted = sorted({taint_key(taint) for taint in clean_taints(taints)} - set(owned_taints))
    for name, keys in ((LABELS_NOTE, sorted(wanted)), (TAINTS_NOTE, noted)):
        if keys != _note(node, name):
            notes[name] = ",".join(keys) or None
            said.append(f"annotation {name}={','.join(keys)}" if keys else f"annotation {name} removed")

    if not said:
        return {}, []
    patch: dict[str, Any] = {"metadata": {"resourceVersion": node["metadata"].get("resourceVersion")}}
    if patch_labels:
        patch["metadata"]["labels"] = patch_labels
    if notes:
        patch["metadata"]["annotations"] = notes
    if result != now:
        patch["spec"] = {"taints": result}
    return patch, said


def summarize(node: Mapping[str, Any]) -> dict[str, Any]:
    """What a person wants to know of a node: ready, version, roles, addresses, whether pods may be put on it."""
    conditions = {item["type"]: item["status"] for item in node.get("status", {}).get("conditions") or []}
    prefix = "node-role.kubernetes.io/"
    labels = node["metadata"].get("labels") or {}
    return {
        "ready": conditions.get("Ready") == "True",
        "version": node.get("status", {}).get("nodeInfo", {}).get("kubeletVersion", ""),
        "roles": sorted(key[len(prefix) :] for key in labels if key.startswith(prefix)),
        "addresses": [
            item["address"]
            for item in node.get("status", {}).get("addresses") or []
            if item["type"] in ("InternalIP", "ExternalIP")
        ],
        "unschedulable": bool(node.get("spec", {}).get("unschedulable")),
        "taints": [show_taint(taint) for taint in node.get("spec", {}).get("taints") or []],
    }
