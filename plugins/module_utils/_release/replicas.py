# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Workloads whose number of pods an autoscaler of the same release sets."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from .._kube.objects import Object, mapping, reference
from .ownership import MANAGER


def scaled_by_others(
    owners: Mapping[tuple[str, str], Sequence[str]], content: Object, objects: Sequence[Mapping[str, Any]]
) -> bool:
    """Return whether the only conflict is about replicas that an autoscaler of this release has set through C(scale)."""
    if any(part != "scale" or set(fields) != {".spec.replicas"} for (_manager, part), fields in owners.items()):
        return False
    return autoscaled(content, objects)


def autoscaled(content: Object, objects: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether an autoscaler of this release sets the number of pods of a workload."""
    name = reference(content)
    for other in objects:
        if other.get("kind") == "HorizontalPodAutoscaler" and reference(other).namespace == name.namespace:
            target = mapping(mapping(other.get("spec")).get("scaleTargetRef"))
            if (target.get("kind"), target.get("name")) == (name.kind, name.name):
                return True
    return False


def with_replicas_of(live: Object, content: Object) -> Object:
    """Keep the live number of replicas if this field manager is its only owner: a field that its only owner omits is reset to 1.

    When the autoscaler sets another number, it becomes the owner
    (https://kubernetes.io/docs/reference/using-api/server-side-apply/#transferring-ownership).
    """
    owners = {
        (entry.get("manager"), entry.get("subresource") or "")
        for entry in (live.get("metadata") or {}).get("managedFields") or []
        if "f:replicas" in ((entry.get("fieldsV1") or {}).get("f:spec") or {})
    }
    replicas, spec = mapping(live.get("spec")).get("replicas"), content.get("spec") or {}
    if not isinstance(spec, dict) or "replicas" in spec or replicas is None or owners != {(MANAGER, "")}:
        return content
    return dict(content, spec=dict(spec, replicas=replicas))


def without_replicas(content: Object) -> Object:
    """Leave the number of replicas to the autoscaler."""
    spec = {name: value for name, value in mapping(content.get("spec")).items() if name != "replicas"}
    return dict(content, spec=spec)
