# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether pods fit on nodes, as the filters of the scheduler decide it. These functions are pure.

What is not looked at (priorities, zones, devices that a host has before it is a node) is left to the scheduler, whose word counts in the end:
https://kubernetes.io/docs/concepts/scheduling-eviction/kube-scheduler/
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Iterable, Mapping, Sequence

from .._diagnosis.host_ports import host_ports
from .._diagnosis.placement import node_fits, on_node, taint_text, untolerated
from .._diagnosis.view import Object, claim_names, is_finished, labels_of, name_of, namespace_of, node_name, spec_of
from .._kube.quantities import Amounts, amount, name_amount, requests_of
from .._kube.selectors import selects

HOST_NAME = "kubernetes.io/hostname"


@dataclass
class Place:
    """A node, or a host as the node that it would become, with what is left of it while pods are placed on it."""

    node: Object
    free: Amounts
    pods: list[Object] = field(default_factory=list)

    @property
    def name(self) -> str:
        return name_of(self.node)

    def take(self, pod: Object) -> None:
        """Place a pod."""
        self.pods.append(pod)
        for key, value in {**requests_of(pod), "pods": 1.0}.items():
            self.free[key] = self.free.get(key, 0.0) - value

    def copy(self) -> Place:
        return Place(self.node, dict(self.free), list(self.pods))


@dataclass
class Volumes:
    """The PersistentVolumes by name, and the name of the one that each claim has by (namespace, name)."""

    volumes: Mapping[str, Object] = field(default_factory=dict)
    bound: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def of(self, pod: Object) -> list[Object]:
        """Return the volumes of a pod."""
        names = [self.bound.get((namespace_of(pod), claim), "") for claim in claim_names(pod)]
        return [self.volumes[name] for name in names if name in self.volumes]


def place_of(node: Object, pods: Iterable[Object]) -> Place:
    """Return a node with the pods that run there.

    :param pods: of all nodes.
    """
    allocatable = (node.get("status") or {}).get("allocatable") or {}
    place = Place(node, {key: amount(value) for key, value in allocatable.items()})
    for pod in pods:
        if node_name(pod) == place.name and not is_finished(pod):
            place.take(pod)
    return place


def place_of_host(node: Object, daemon_sets: Iterable[Object]) -> Place:
    """Return a host as the node that it would become, with the pods of the DaemonSets that would run there."""
    place = place_of(node, [])
    for one in daemon_sets:
        template = (spec_of(one).get("template") or {}) if spec_of(one) else {}
        metadata = {**(template.get("metadata") or {}), "name": name_of(one), "namespace": namespace_of(one)}
        pod = {"metadata": metadata, "spec": template.get("spec") or {}}
        if node_fits(pod, node) and not untolerated(pod, node):
            place.take(pod)
    return place


def misfit(pod: Object, place: Place, volumes: Volumes) -> str:
    """Return why a pod does not fit on a node, "" if it does."""
    taints = untolerated(pod, place.node)
    if taints:
        return f"it does not tolerate the taint {taint_text(taints[0])}"
    if not node_fits(pod, place.node):
        return "the labels do not match its node selector or affinity"
    elsewhere = [name_of(volume) for volume in volumes.of(pod) if not on_node(volume, place.node)]
    if elsewhere:
        return f"its volume {elsewhere[0]} is on another node"
    for key, value in sorted({**requests_of(pod), "pods": 1.0}.items()):
        if value > place.free.get(key, 0.0) + 1e-9:
            return f"it requests {name_amount(key, value)}, of which {name_amount(key, max(place.free.get(key, 0.0), 0.0)).split(' ', 1)[1]} is free"
    taken = {port for other in place.pods for port in host_ports(other)} & host_ports(pod)
    if taken:
        return f"port {min(taken)} of the node is in use"
    return "its affinity to other pods forbids it" if _repelled(pod, place) else ""


def _terms(pod: Object, kind: str) -> list[Mapping[str, Any]]:
    """Return the required terms of C(podAffinity) or C(podAntiAffinity) that are about single nodes."""
    rules = ((spec_of(pod).get("affinity") or {}).get(kind) or {}).get("requiredDuringSchedulingIgnoredDuringExecution")
    return [term for term in rules or [] if term.get("topologyKey") == HOST_NAME]


def _means(term: Mapping[str, Any], owner: Object, other: Object) -> bool:
    """Return whether a term of the pod *owner* selects another pod. Namespaces that are chosen by labels count as all."""
    chosen = term.get("namespaces") or ([] if "namespaceSelector" in term else [namespace_of(owner)])
    if chosen and namespace_of(other) not in chosen:
        return False
    return term.get("labelSelector") is not None and selects(term["labelSelector"], labels_of(other))


def _repelled(pod: Object, place: Place) -> bool:
    for other in place.pods:
        if any(_means(term, pod, other) for term in _terms(pod, "podAntiAffinity")):
            return True
        if any(_means(term, other, pod) for term in _terms(other, "podAntiAffinity")):
            return True
    return any(
        not any(_means(term, pod, other) for other in place.pods) and not _means(term, pod, pod)
        for term in _terms(pod, "podAffinity")
    )


def uneven(pod: Object, place: Place, places: Sequence[Place]) -> bool:
    """Return whether a pod on this node would violate its required spread over nodes (C(topologySpreadConstraints)).

    :param places: all nodes, this one included.
    """
    for rule in spec_of(pod).get("topologySpreadConstraints") or []:
        if rule.get("topologyKey") != HOST_NAME or rule.get("whenUnsatisfiable", "DoNotSchedule") != "DoNotSchedule":
            continue
        counts = {
            one.name: sum(_means({**rule, "namespaces": None}, pod, other) for other in one.pods)
            for one in places
            if node_fits(pod, one.node)
        }
        if counts.get(place.name, 0) + 1 - min(counts.values(), default=0) > int(rule.get("maxSkew") or 1):
            return True
    return False


def spread(
    pods: Iterable[Object], places: Sequence[Place], volumes: Volumes, besides: Sequence[Place] = ()
) -> tuple[list[Object], list[Object]]:
    """Place pods on the first node that each fits on, those that request most before the others.

    :param besides: the other nodes, over which pods are spread as well.
    :returns: the pods that were placed, and those that fit nowhere. The places are changed.
    """
    placed, left = [], []
    for pod in sorted(pods, key=lambda pod: sorted(requests_of(pod).items()), reverse=True):
        for place in places:
            if not misfit(pod, place, volumes) and not uneven(pod, place, [*places, *besides]):
                place.take(pod)
                placed.append(pod)
                break
        else:
            left.append(pod)
    return placed, left
