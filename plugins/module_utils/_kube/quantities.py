# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Resource quantities as Kubernetes writes them, and what pods request."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Dict, Mapping

# https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:[eE]([+-]?\d+)|([KMGTPE]i)|([numkMGTPE]))?")
BINARY = {letter + "i": 1024.0 ** (power + 1) for power, letter in enumerate("KMGTPE")}
DECIMAL = dict(zip("numkMGTPE", (-9, -6, -3, 3, 6, 9, 12, 15, 18)))
Amounts = Dict[str, float]


def parse_quantity(quantity: Any) -> float | None:
    """Return a quantity (``250m``, ``64Mi``, ``1e3``, 2) in its base unit, or None if it is not a valid one."""
    return None if isinstance(quantity, bool) else _parse(str(quantity))


@lru_cache(maxsize=4096)
def _parse(text: str) -> float | None:
    match = QUANTITY.fullmatch(text)
    if not match:
        return None
    number, exponent, binary, decimal = match.groups()
    if binary:
        return float(number) * BINARY[binary]
    return float(f"{number}e{exponent or DECIMAL.get(decimal, 0)}")


def amount(quantity: Any) -> float:
    """Return a quantity in its base unit, 0 if it is missing or not a valid one."""
    return parse_quantity(quantity) or 0.0


def name_amount(resource: str, value: float) -> str:
    """Return an amount of a resource as messages show it: ``cpu 250m``, ``memory 64Mi``."""
    if resource == "cpu":
        text = f"{round(value * 1000)}m" if value < 10 and value % 1 else f"{value:g}"
    elif resource in ("memory", "ephemeral-storage") or resource.startswith("hugepages"):
        unit = "Gi" if value >= 10 * BINARY["Gi"] else "Mi"
        text = f"{value // BINARY[unit]:.0f}{unit}"
    else:
        text = f"{value:g}"
    return f"{resource} {text}"


def requests_of(pod: Mapping[str, Any]) -> Amounts:
    """Return what a pod requests, as the scheduler counts it: the sum of its containers, or its largest init container, unless the pod says it itself.

    https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#resource-sharing-within-containers
    """
    spec = pod.get("spec") or {}
    together: Amounts = {}
    sidecars: Amounts = {}
    largest: Amounts = {}
    for container in spec.get("containers") or []:
        _add(together, container)
    for container in spec.get("initContainers") or []:
        if container.get("restartPolicy") == "Always":
            _add(together, container)
            _add(sidecars, container)
        else:
            alone = dict(sidecars)  # those before it run besides
            _add(alone, container)
            largest = {key: max(largest.get(key, 0), alone.get(key, 0)) for key in {*largest, *alone}}
    found = {key: max(together.get(key, 0), largest.get(key, 0)) for key in {*together, *largest}}
    found.update({key: amount(value) for key, value in ((spec.get("resources") or {}).get("requests") or {}).items()})
    for key, value in (spec.get("overhead") or {}).items():
        found[key] = found.get(key, 0) + amount(value)
    return found


def _add(into: Amounts, container: Mapping[str, Any]) -> None:
    for key, value in ((container.get("resources") or {}).get("requests") or {}).items():
        into[key] = into.get(key, 0) + amount(value)
