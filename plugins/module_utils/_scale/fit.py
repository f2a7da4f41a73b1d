# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether pods fit on nodes, as the filters of the scheduler decide it. These functions are pure.

What is not looked at (priorities, devices that a host has before it is a node) is left to the scheduler, whose word counts in the end:
https://kubernetes.io/docs/concepts/scheduling-eviction/kube-scheduler/
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Iterable, Mapping, Sequence

from .._diagnosis.host_ports import host_ports
from .._diagnosis.placement import node_fits, on_node, taint_text, untolerated
from .._diagnosis.view import (
    Object,
    claim_names,
    is_deleted,
    is_finished,
    labels_of,
    name_of,
    namespace_of,
    node_name,
    spec_of,
    status_of,
)
from .._kube.quantities import Amounts, amount, name_amount, requests_of
from .._kube.selectors import selects

HOST_NAME = "kubernetes.io/hostname"
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


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


def nominated(pod: Object) -> str:
    """Return the node on which a pod waits for the end of those that it preempts."""
    return "" if node_name(pod) else status_of(pod).get("nominatedNodeName") or ""


def place_of(node: Object, pods: Iterable[Object]) -> Place:
    """Return a node with the pods that run there, or will.

    :param pods: of all nodes.
    """
    allocatable = status_of(node).get("allocatable") or {}
    place = Place(node, {key: amount(value) for key, value in allocatable.items()})
    for pod in pods:
        if (node_name(pod) or nominated(pod)) == place.name and not is_finished(pod):
            place.take(pod)
    return place


def place_of_host(node: Object, daemon_sets: Iterable[Object]) -> Place:
    """Return a host as the node that it would become, with the pods of the DaemonSets that would run there."""
    place = place_of(node, [])
    for one in daemon_sets:
        template = spec_of(one).get("template") or {}
        metadata = {**(template.get("metadata") or {}), "name": name_of(one), "namespace": namespace_of(one)}
        pod = {"metadata": metadata, "spec": template.get("spec") or {}}
        if node_fits(pod, node) and not untolerated(pod, node):
            place.take(pod)
    return place


def misfit(pod: Object, place: Place, volumes: Volumes, rules: Rules) -> str:
    """Return why a pod does not fit on a node, "" if it does.

    :param rules: of the pod.
    """
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
    if _unwanted(pod, place):
        return "pods there must be apart from it"
    if not rules.permit(place):
        return "the rules by which its replicas are kept together, apart or spread do not permit it"
    return ""


def _terms(pod: Object, kind: str) -> list[Mapping[str, Any]]:
    """Return the required terms of C(podAffinity) or C(podAntiAffinity)."""
    return ((spec_of(pod).get("affinity") or {}).get(kind) or {}).get(REQUIRED) or []


def _means(term: Mapping[str, Any], owner: Object, other: Object) -> bool:
    """Return whether a term of the pod *owner* selects another pod. Namespaces that are chosen by labels count as all."""
    chosen = term.get("namespaces") or ([] if "namespaceSelector" in term else [namespace_of(owner)])
    if chosen and namespace_of(other) not in chosen:
        return False
    own, labels = labels_of(owner), labels_of(other)
    if any(key in own and labels.get(key) != own[key] for key in term.get("matchLabelKeys") or []):
        return False
    return term.get("labelSelector") is not None and selects(term["labelSelector"], labels)


def _unwanted(pod: Object, place: Place) -> bool:
    """Return whether a pod of the node must be apart from this one. Rules of other pods about zones are not looked at, which takes long."""
    return any(
        term.get("topologyKey") == HOST_NAME and _means(term, other, pod)
        for other in place.pods
        for term in _terms(other, "podAntiAffinity")
    )


class Rules:
    """The required rules of a pod about where it runs relative to other pods.

    :param places: all nodes, with the pods that are there now.
    """

    def __init__(self, pod: Object, places: Sequence[Place]) -> None:
        self.pod, self.places = pod, places

    def permit(self, place: Place) -> bool:
        """Return whether all rules permit a node."""
        if any(_domain(place, term) in found for term, found in self._apart):
            return False
        for term, found in self._near:
            here = _domain(place, term)
            # The first of pods that must be together may be anywhere.
            if not here or (here not in found if found else not _means(term, self.pod, self.pod)):
                return False
        for rule, counts in self._spread:
            here = _domain(place, rule)
            if not here or counts.get(here, 0) + 1 - min(counts.values(), default=0) > int(rule.get("maxSkew") or 1):
                return False
        return True

    @cached_property
    def _apart(self) -> list[tuple[Mapping[str, Any], set[str]]]:
        return [(term, self._where(term)) for term in _terms(self.pod, "podAntiAffinity")]

    @cached_property
    def _near(self) -> list[tuple[Mapping[str, Any], set[str]]]:
        return [(term, self._where(term)) for term in _terms(self.pod, "podAffinity")]

    def _where(self, term: Mapping[str, Any]) -> set[str]:
        """Return the domains with pods that a term selects."""
        found = {
            _domain(place, term) for place in self.places if any(_means(term, self.pod, other) for other in place.pods)
        }
        return found - {""}

    @cached_property
    def _spread(self) -> list[tuple[Mapping[str, Any], dict[str, int]]]:
        """Return the rules of C(topologySpreadConstraints) that the scheduler must keep, with the number of pods in each domain."""
        rules = spec_of(self.pod).get("topologySpreadConstraints") or []
        required = [rule for rule in rules if rule.get("whenUnsatisfiable", "DoNotSchedule") == "DoNotSchedule"]
        return [(rule, self._counts(rule)) for rule in required]

    def _counts(self, rule: Mapping[str, Any]) -> dict[str, int]:
        counts: dict[str, int] = {}
        for place in self.places:
            domain = _domain(place, rule)
            honored = rule.get("nodeTaintsPolicy") != "Honor" or not untolerated(self.pod, place.node)
            if domain and honored and node_fits(self.pod, place.node):
                alive = (other for other in place.pods if not is_deleted(other))
                counts[domain] = counts.get(domain, 0) + sum(_means(rule, self.pod, other) for other in alive)
        return counts


def _domain(place: Place, rule: Mapping[str, Any]) -> str:
    """Return the name of the part of the cluster (the node, the zone) that a rule is about, "" if the node is in none."""
    return labels_of(place.node).get(rule.get("topologyKey") or "", "")


def spread(
    pods: Iterable[Object], places: Sequence[Place], volumes: Volumes, besides: Sequence[Place] = ()
) -> tuple[list[Object], list[Object]]:
    """Place pods on the first node that each fits on, those that request most before the others.

    :param besides: nodes that take none of them, and matter for the rules between pods.
    :returns: the pods that were placed, and those that fit nowhere. The places are changed.
    """
    placed, left = [], []
    for pod in sorted(pods, key=lambda pod: sorted(requests_of(pod).items()), reverse=True):
        rules = Rules(pod, [*places, *besides])
        for place in places:
            if not misfit(pod, place, volumes, rules):
                place.take(pod)
                placed.append(pod)
                break
        else:
            left.append(pod)
    return placed, left
