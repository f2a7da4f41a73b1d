# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which stand-by hosts join and leave a cluster: a pure function of what it needs and has.

The rules for a node that leaves are those of the Cluster Autoscaler, whose annotation of pods is respected as well:
https://github.com/kubernetes/autoscaler/blob/master/cluster-autoscaler/FAQ.md#what-types-of-pods-can-prevent-ca-from-removing-a-node
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Iterable, Mapping, Sequence

from .._diagnosis.finding import one_line, shortened
from .._diagnosis.scheduling import refusals
from .._diagnosis.view import Object, annotations_of, conditions, is_deleted, message_of, node_name, spec_of
from .._kube.timestamps import seconds_of, to_time
from .._kubeadm.budgets import controller_kind, has_local_data, is_bare, is_evicted, obstacles, title
from .._kubeadm.removal import cordoned_by, is_ready
from .fit import Place, Rules, Volumes, misfit, nominated, place_of, place_of_host, spread

REASON = "scale"
"""Recorded on nodes that a run cordons before they leave."""
IDLE_SINCE = "slipway.kube/idle-since"
SAFE_TO_EVICT = "cluster-autoscaler.kubernetes.io/safe-to-evict"
NAMES_SHOWN = 4
ARRIVAL = 300  # seconds in which a node becomes Ready after its host has joined
STATES = ("free", "prepared", "joining", "node", "resetting")
"""Of a host. An interrupted run leaves one that is prepared, joining or resetting."""
INTERRUPTED = "an earlier run was interrupted"
PASSING = tuple(f"node.kubernetes.io/{one}" for one in ("unschedulable", "not-ready", "network-unavailable"))
"""Taints of a node that is cordoned, or has just joined."""


@dataclass
class Seen:
    """What was read of the cluster."""

    nodes: Mapping[str, Object] = field(default_factory=dict)
    pods: Sequence[Object] = ()
    budgets: Sequence[Object] = ()
    daemon_sets: Sequence[Object] = ()
    volumes: Volumes = field(default_factory=Volumes)


@dataclass
class Settings:
    """Limits of the pool; times are in seconds, and a negative maximum is none."""

    minimum: int = 0
    maximum: int = -1
    pending_after: int = 30
    idle_after: int = 600


@dataclass
class Decision:
    """What one run does.

    :ivar joins: hosts that become nodes, with the reason.
    :ivar returns: nodes that leave no longer, with the reason.
    :ivar leaves: hosts that leave, with the reason.
    :ivar idle: for each node whose annotation changes, since when it is idle, None if it is not.
    :ivar notes: what an operator should know.
    """

    joins: dict[str, str] = field(default_factory=dict)
    returns: dict[str, str] = field(default_factory=dict)
    leaves: dict[str, str] = field(default_factory=dict)
    idle: dict[str, str | None] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


class Pool:
    """The hosts of the pool by their state, and the decision about them.

    :param hosts: of each in inventory order ``host``, ``node`` (its name), ``problem`` (why nothing can be done with it now), ``state`` (one of
        :data:`STATES`), and ``labels``, ``taints`` and ``allocatable`` of the node that it would become.
    """

    def __init__(self, seen: Seen, hosts: Sequence[Mapping[str, Any]], settings: Settings, now: float) -> None:
        self.seen, self.hosts, self.settings, self.now = seen, hosts, settings, now
        self.nodes = {
            host["node"]: host
            for host in hosts
            if host["node"] in seen.nodes and (host["problem"] or host["state"] in ("joining", "node"))
        }
        self.decision = Decision()
        self.used: set[str] = set()  # nodes on which pods that wait have room
        self.places = {name: place_of(node, seen.pods) for name, node in seen.nodes.items()}

    def decide(self) -> Decision:
        """Return the decision."""
        for host in self.hosts:
            problem = host["problem"] or self._contradiction(host)
            if problem:
                self.decision.notes.append(f"{host['host']} is left out: {problem}")
        self._grow()
        self._shrink()
        return self.decision

    def _contradiction(self, host: Mapping[str, Any]) -> str:
        """Return what speaks against the state of a host in the cluster, "" if nothing does."""
        node = self.seen.nodes.get(host["node"])
        if host["state"] in ("free", "prepared") and node and is_ready(node):
            return f"node {host['node']} is Ready, and the host is not a node; another machine has this name, or the host was reset a moment ago"
        if host["state"] == "node" and not node:
            return f"it was joined to the cluster, which has no node {host['node']}; start its kubelet again, or reset the host"
        return ""

    # --- more nodes ---

    def waiting(self) -> list[Object]:
        """Return the pods that no node has room for, and a further node may help."""
        found = []
        for pod in self.seen.pods:
            condition = conditions(pod).get("PodScheduled") or {}
            if node_name(pod) or is_deleted(pod) or condition.get("reason") != "Unschedulable":
                continue
            if controller_kind(pod) == "DaemonSet":
                continue  # it is for one node
            if nominated(pod):
                self.used.add(nominated(pod))
                continue
            claims = [one.reason for one in refusals(message_of(condition)) if one.fault.startswith("claim")]
            if claims:
                self.decision.notes.append(f"a further node does not help pod {title(pod)}: {claims[0]}")
            elif self.now - seconds_of(condition.get("lastTransitionTime")) < self.settings.pending_after:
                self.decision.notes.append(
                    f"pod {title(pod)} is unschedulable for less than {self.settings.pending_after} seconds, and is left to a later run"
                )
            else:
                found.append(pod)
        return found

    def _grow(self) -> None:
        pods, volumes = self.waiting(), self.seen.volumes
        # The scheduler has refused the other nodes. Those of the pool may have joined since, or have room for a reason that is not known here.
        places = [self._place(name) for name in self.nodes if not self._is_silent(name)]
        open_ = [place for place in places if not spec_of(place.node).get("unschedulable")]
        placed, left = spread(pods, open_, volumes, self._all_but(open_))
        self.places.update({place.name: place for place in open_})
        self.used |= {place.name for place in open_ for pod in place.pods if pod in placed}
        for pod in placed:
            message = one_line(message_of(conditions(pod).get("PodScheduled") or {}))
            self.decision.notes.append(
                f"pod {title(pod)} should have room on a node of the pool; message of the scheduler: {message}"
            )
        back = [place for place in places if cordoned_by(place.node) == REASON]
        joining = [host["node"] for host in self.hosts if host["state"] == "joining" and not host["problem"]]
        self.decision.joins.update(dict.fromkeys(joining, INTERRUPTED))
        hosts = [host for host in self.hosts if self._can_join(host)]
        hosts.sort(key=lambda host: host["state"] == "prepared")  # its preparation may fail again and again
        new = [place_of_host(as_node(host), self.seen.daemon_sets) for host in hosts]
        left = self._take(back, left, self.decision.returns, len(back))
        left = self._take(new, left, self.decision.joins, self._room())
        self._explain(left, [*back, *new])
        for place in new:
            if place.name not in self.decision.joins and self._number() < self.settings.minimum:
                self.decision.joins[place.name] = f"the pool has at least {self.settings.minimum} nodes"

    def _arrives(self, name: str) -> bool:
        """Return whether a node has just joined, so that it is not Ready, has taints and perhaps no resources yet."""
        created = seconds_of(self.seen.nodes[name]["metadata"].get("creationTimestamp"))
        return not is_ready(self.seen.nodes[name]) and self.now - created < ARRIVAL

    def _is_silent(self, name: str) -> bool:
        return not is_ready(self.seen.nodes[name]) and not self._arrives(name)

    def _place(self, name: str) -> Place:
        """Return a node as it will be when it is not cordoned any more, or is Ready."""
        if self._arrives(name) and self.nodes[name]["allocatable"]:
            return place_of_host(as_node(self.nodes[name]), self.seen.daemon_sets)
        place, node = self.places[name].copy(), self.seen.nodes[name]
        lasting = [taint for taint in spec_of(node).get("taints") or [] if taint.get("key") not in PASSING]
        place.node = {**node, "spec": {**spec_of(node), "taints": lasting}}
        return place

    def _can_join(self, host: Mapping[str, Any]) -> bool:
        return not host["problem"] and host["state"] in ("free", "prepared") and host["node"] not in self.seen.nodes

    def _number(self) -> int:
        """Return how many hosts of the pool are nodes after this run."""
        return len({*self.nodes, *self.decision.joins} - {*self.decision.leaves})

    def _room(self) -> int:
        maximum = len(self.hosts) if self.settings.maximum < 0 else self.settings.maximum
        return max(maximum - self._number(), 0)

    def _take(self, places: Sequence[Place], pods: list[Object], into: dict[str, str], room: int) -> list[Object]:
        """Take the place that most pods fit on, again and again, and return the pods that are left."""
        free = list(places)
        while pods and free and room:
            copies = [place.copy() for place in free]
            trials = [spread(pods, [place], self.seen.volumes, self._all_but([place])) for place in copies]
            best = max(range(len(free)), key=lambda at: (len(trials[at][0]), -at))
            placed, left = trials[best]
            if not placed:
                break
            place = free.pop(best)
            self.places[place.name] = copies[best]
            into[place.name] = (
                f"{pod_names(placed)} {'fits' if len(placed) == 1 else 'fit'} there, and on no other node"
            )
            self.used.add(place.name)
            pods, room = left, room - 1
        return pods

    def _explain(self, pods: Iterable[Object], places: Sequence[Place]) -> None:
        """Note why pods are not helped."""
        free = [place for place in places if place.name not in {**self.decision.joins, **self.decision.returns}]
        for pod in pods:
            reasons = [
                f"{place.name}: {misfit(pod, place, self.seen.volumes, Rules(pod, [place, *self._all_but([place])])) or 'the pool has its largest size'}"
                for place in free
            ]
            self.decision.notes.append(
                f"pod {title(pod)} stays unschedulable: {shortened(reasons, NAMES_SHOWN) if reasons else 'no host of the pool is left'}"
            )

    # --- fewer nodes ---

    def _shrink(self) -> None:
        for host in self.hosts:  # what an interrupted run has left
            name, registered = host["node"], host["node"] in self.seen.nodes
            begun = host["state"] == "resetting" or host["state"] == "free" and registered
            begun = begun or host["state"] == "prepared" and not self.decision.joins
            if begun and not host["problem"] and not self._contradiction(host):
                self.decision.leaves[name] = INTERRUPTED
        for name in self.decision.returns:
            if IDLE_SINCE in annotations_of(self.seen.nodes[name]):
                self.decision.idle[name] = None
        candidates = [name for name in self.nodes if name not in {**self.decision.joins, **self.decision.returns}]
        candidates.sort(key=lambda name: (len(self._movable(name)), -list(self.nodes).index(name)))
        for name in candidates:
            self._judge(name)

    def _judge(self, name: str) -> None:
        node = self.seen.nodes[name]
        obstacle, places = self._not_idle(name)
        before = annotations_of(node).get(IDLE_SINCE)
        cordoned = cordoned_by(node) == REASON
        if obstacle:
            if before:
                self.decision.idle[name] = None
            if cordoned:
                self.decision.returns[name] = obstacle
            return
        since = seconds_of(before) or self.now
        if not seconds_of(before):
            self.decision.idle[name] = to_time(self.now)
        kept = self._kept(since)
        if not kept:
            if self.nodes[name]["problem"]:
                return
            self.decision.leaves[name] = f"it is idle since {to_time(since)}, and its pods fit on other nodes"
            self.decision.idle.pop(name, None)
            self.places.update({place.name: place for place in places})
        elif cordoned:
            self.decision.returns[name] = kept

    def _kept(self, since: float) -> str:
        """Return why a node that is idle does not leave now, "" if it does."""
        if self._number() <= self.settings.minimum:
            return f"the pool has at least {self.settings.minimum} nodes"
        if self.decision.joins or self.decision.returns:
            return "nothing leaves while hosts join"
        if self.now - since < self.settings.idle_after:
            return f"it is idle for less than {self.settings.idle_after} seconds"
        return ""

    def _movable(self, name: str) -> list[Object]:
        """Return the pods of a node that would have to move, with those that this run moves there."""
        return list(filter(is_evicted, self.places[name].pods))

    def _not_idle(self, name: str) -> tuple[str, list[Place]]:
        """Return why a node cannot leave, "" if it can, and the other nodes with its pods."""
        node, pods = self.seen.nodes[name], self._movable(name)
        if name in self.used:
            return "pods wait that fit there", []
        if spec_of(node).get("unschedulable") and cordoned_by(node) != REASON:
            self.decision.notes.append(f"node {name} was cordoned by others, and is not changed")
            return "it was cordoned by others", []
        if not is_ready(node):
            self.decision.notes.append(
                f"node {name} is not Ready, and is left alone; if its host is lost, remove it with slipway.kube.node_remove"
            )
            return "it is not Ready", []
        held = next(filter(None, map(self._held, pods)), "") or next(iter(obstacles(pods, self.seen.budgets)), "")
        if held:
            self.decision.notes.append(f"node {name} does not leave: {held}")
            return held, []
        rest = self._rest(name)
        others = [place.copy() for place in rest if takes_pods(place)]
        _placed, left = spread(pods, others, self.seen.volumes, [place for place in rest if not takes_pods(place)])
        return (
            f"{pod_names(left)} {'has' if len(left) == 1 else 'have'} no room on other nodes" if left else ""
        ), others

    def _held(self, pod: Object) -> str:
        """Return why a pod must stay on its node, "" if it may be evicted."""
        asked = annotations_of(pod).get(SAFE_TO_EVICT)
        if asked == "false":
            return f"pod {title(pod)} has the annotation {SAFE_TO_EVICT}=false"
        if is_bare(pod):
            return f"pod {title(pod)} has no controller, and nothing would start it again"
        if has_local_data(pod) and asked != "true":
            return f"pod {title(pod)} has an emptyDir volume, whose data would be lost"
        if asked != "true" and any("hostPath" in volume for volume in spec_of(pod).get("volumes") or []):
            return f"pod {title(pod)} has a hostPath volume, whose data would stay on the host"
        return ""

    def _rest(self, *besides: str) -> list[Place]:
        """Return the nodes that stay, with the pods that this run moves there."""
        leaving = {*self.decision.leaves, *besides}
        return [place for name, place in self.places.items() if name not in leaving]

    def _all_but(self, places: Iterable[Place]) -> list[Place]:
        return self._rest(*(place.name for place in places))


def takes_pods(place: Place) -> bool:
    """Return whether new pods may run on a node."""
    return is_ready(place.node) and not spec_of(place.node).get("unschedulable")


def as_node(host: Mapping[str, Any]) -> dict[str, Any]:
    """Return the Node that a host would become."""
    return {
        "metadata": {"name": host["node"], "labels": {"kubernetes.io/hostname": host["node"], **host["labels"]}},
        "spec": {"taints": host["taints"]},
        "status": {"allocatable": {"pods": 110, **host["allocatable"]}},
    }


def pod_names(pods: Sequence[Object]) -> str:
    """Return the names of pods for a sentence."""
    names = shortened(sorted(map(title, pods)), NAMES_SHOWN)
    return f"pod {names}" if len(pods) == 1 else f"{len(pods)} pods ({names})"


def decide(seen: Seen, hosts: Sequence[Mapping[str, Any]], settings: Settings, now: float) -> Decision:
    """Return which hosts join and leave in this run.

    :param now: seconds since the epoch.
    """
    return Pool(seen, hosts, settings, now).decide()
