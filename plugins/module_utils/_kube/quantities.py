# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Amounts as Kubernetes writes them, what pods ask for, and what nodes have left: pure functions."""

from __future__ import annotations

import re
from typing import Any, Dict, Mapping

from .._diagnosis.view import View

# https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
SUFFIXES = {
    "n": 1e-9,
    "u": 1e-6,
    "m": 1e-3,
    "": 1.0,
    "k": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
    "P": 1e15,
    "E": 1e18,
    "Ki": 2.0**10,
    "Mi": 2.0**20,
    "Gi": 2.0**30,
    "Ti": 2.0**40,
    "Pi": 2.0**50,
    "Ei": 2.0**60,
}
Amounts = Dict[str, float]


def amount(quantity: Any) -> float:
    """Read a quantity (C(250m), C(64Mi), C(1e3)) as a number in its base unit; 0 for what is none."""
    text = str(quantity or 0)
    parts = re.fullmatch(r"([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)([A-Za-z]*)", text)
    if not parts or parts.group(2) not in SUFFIXES:
        return 0.0
    try:
        return float(parts.group(1)) * SUFFIXES[parts.group(2)]
    except ValueError:
        return 0.0


def name_amount(resource: str, value: float) -> str:
    """Write an amount of a resource for people: C(cpu 250m), C(memory 64Mi)."""
    if resource == "cpu":
        text = "%dm" % round(value * 1000) if value < 10 and value % 1 else f"{value:g}"
    elif resource in ("memory", "ephemeral-storage") or resource.startswith("hugepages"):
        unit = "Gi" if value >= 10 * SUFFIXES["Gi"] else "Mi"
        text = "%d%s" % (value // SUFFIXES[unit], unit)
    else:
        text = f"{value:g}"
    return f"{resource} {text}"


def requests_of(pod: Mapping[str, Any]) -> Amounts:
    """Sum what a pod asks for, as the scheduler does: the containers together, or the largest init container."""
    spec = pod.get("spec") or {}
    together: Amounts = {}
    largest: Amounts = {}
    for container in spec.get("containers") or []:
        _add(together, container)
    for container in spec.get("initContainers") or []:
        if container.get("restartPolicy") == "Always":
            _add(together, container)
        else:
            alone: Amounts = {}
            _add(alone, container)
            largest = {key: max(largest.get(key, 0), alone.get(key, 0)) for key in {*largest, *alone}}
    found = {key: max(together.get(key, 0), largest.get(key, 0)) for key in {*together, *largest}}
    for key, value in (spec.get("overhead") or {}).items():
        found[key] = found.get(key, 0) + amount(value)
    return found


def free_of(view: View) -> dict[str, Amounts]:
    """Say what every node that takes pods has left: what is allocatable less what its pods ask for."""
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


def _add(into: Amounts, container: Mapping[str, Any]) -> None:
    for key, value in ((container.get("resources") or {}).get("requests") or {}).items():
        into[key] = into.get(key, 0) + amount(value)
