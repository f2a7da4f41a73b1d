# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Workloads whose number of pods an autoscaler sets, one of the same release or another."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from .._kube.api import ApiError, Client
from .._kube.objects import Object, mapping, reference
from .ownership import MANAGER

SCALER = "HorizontalPodAutoscaler"


def scaled_by_others(
    owners: Mapping[tuple[str, str], Sequence[str]], content: Object, objects: Sequence[Mapping[str, Any]]
) -> bool:
    """Return whether the only conflict is about replicas that an autoscaler of this release has set through C(scale)."""
    if any(part != "scale" or set(fields) != {".spec.replicas"} for (_manager, part), fields in owners.items()):
        return False
    return autoscaled(content, objects)


class Autoscalers:
    """The autoscalers of the cluster, which are read only where the number of pods was set through C(scale).

    :ivar leaving: the autoscalers that this run deletes; they no longer set a number of pods.
    :ivar notices: a sentence for each workload whose number of pods is left to an autoscaler outside the release.
    """

    def __init__(self, client: Client, objects: Sequence[Mapping[str, Any]], leaving: Sequence[Object] = ()) -> None:
        self.client = client
        self.objects = objects
        self.leaving = leaving
        self.notices: list[str] = []
        self._read: dict[str, list[Object] | None] = {}

    def leave(self, content: Object, live: Mapping[str, Any]) -> Object:
        """Return a workload without its number of pods if an autoscaler has set it."""
        wanted, there = mapping(content.get("spec")).get("replicas"), mapping(live.get("spec")).get("replicas")
        if wanted is None or not scaling_managers(live):
            return content
        if not autoscaled(content, self.objects):
            why = self._outside(content, scaling_managers(live))
            if not why:
                return content
            if wanted != there:
                self.notices.append(
                    f"{reference(content)} keeps {there} replicas instead of {wanted}, because {why}. Omit replicas."
                )
        return without_replicas(content)

    def _outside(self, content: Object, managers: Sequence[str]) -> str:
        """Return why the number of pods of a workload is left to others; empty if it is not.

        :param managers: the field managers that have set it through C(scale).
        """
        namespace = reference(content).namespace
        if namespace not in self._read:
            self._read[namespace] = self._list(namespace)
        some = self._read[namespace]
        if some is None:
            others = [manager for manager in managers if not manager.startswith("kubectl")]
            return f"{others[0]} has scaled it, and this user may not list autoscalers" if others else ""
        leaving = [reference(one) for one in self.leaving]
        for scaler in some:
            if autoscaled(content, [scaler]) and reference(scaler) not in leaving:
                return f"{reference(scaler)}, which is not part of the release, scales it"
        return ""

    def _list(self, namespace: str) -> list[Object] | None:
        try:
            found = self.client.items(f"/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers")
        except ApiError as error:
            return None if error.status == 403 else []
        return [dict(one, apiVersion="autoscaling/v2", kind=SCALER) for one in found]


def scaling_managers(live: Mapping[str, Any]) -> list[str]:
    """Return the field managers that have set the number of pods through the subresource C(scale), as autoscalers do."""
    return [
        str(entry.get("manager"))
        for entry in mapping(live.get("metadata")).get("managedFields") or []
        if entry.get("subresource") == "scale" and "f:replicas" in mapping(mapping(entry.get("fieldsV1")).get("f:spec"))
    ]


def autoscaled(content: Object, objects: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether one of some autoscalers sets the number of pods of a workload.

    :param objects: objects of a release, or autoscalers.
    """
    name = reference(content)
    for other in objects:
        if other.get("kind") == SCALER and reference(other).namespace == name.namespace:
            target = mapping(mapping(other.get("spec")).get("scaleTargetRef"))
            if (target.get("kind"), target.get("name")) == (name.kind, name.name):
                return True
    return False


def with_replicas(live: Object, content: Object) -> Object:
    """Return a workload with the live number of replicas, as it is created anew with 1 otherwise."""
    return dict(content, spec=dict(mapping(content.get("spec")), replicas=mapping(live.get("spec")).get("replicas")))


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
    return with_replicas(live, content)


def without_replicas(content: Object) -> Object:
    """Leave the number of replicas to the autoscaler."""
    spec = {name: value for name, value in mapping(content.get("spec")).items() if name != "replicas"}
    return dict(content, spec=spec)


def is_left(wanted: Mapping[str, Any], sent: Mapping[str, Any]) -> bool:
    """Return whether a workload is sent without the number of replicas that is wanted."""
    return "replicas" in mapping(wanted.get("spec")) and "replicas" not in mapping(sent.get("spec"))


def overruled(contents: Sequence[Object], scalers: Sequence[Object]) -> list[Object]:
    """Return those of some autoscalers that would set another number of pods than a workload wants."""
    fixed = [content for content in contents if mapping(content.get("spec")).get("replicas") is not None]
    return [scaler for scaler in scalers if any(autoscaled(content, [scaler]) for content in fixed)]
