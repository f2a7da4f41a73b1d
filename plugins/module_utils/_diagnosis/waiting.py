# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait for objects: which are ready, which are not and why, and whether waiting longer can help.

One look costs a list per kind and namespace; pods and their events are only read if something is not ready.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Callable, Container, Sequence

from .._kube.api import ApiError, Client, now_of
from .._kube.objects import Reference, reference
from .._kube.readiness import condition, daemon_set_readiness, generation_seen, is_tolerable, is_waited_for, readiness
from .._kube.timestamps import seconds_of
from .finding import HOPELESS, PENDING, SUSPICIOUS, Finding
from .node_scaling import add_node_scaling
from .ranking import ranked
from .reading import read_kind, read_list
from .services import has_address
from .sources import SOURCES
from .storage import DEFAULT_CLASS, WAIT_FOR_FIRST_CONSUMER
from .view import Object, View, annotations_of, is_true, name_of, namespace_of, node_name, spec_of, status_of
from .workloads import CONTROLLERS, is_hopeless, workload_findings

# What is read of a namespace to explain its workloads, and to find out whether their containers keep running.
DETAILS = ("Pod", "ReplicaSet", "Event", "PersistentVolumeClaim")
STEADY_DETAILS = ("Pod", "ReplicaSet")
# Without a readiness probe, a container is ready as soon as it runs, even if it exits a moment later. It counts as ready only after it has
# run for this many seconds, and for longer after a restart.
STEADY, STEADY_AFTER_RESTART = 2.0, 10.0
STEADY_KINDS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Pod")
# While other workloads are still starting, a container that exits may depend on one of them and is given this many restarts.
PATIENT_RESTARTS = 4
GRACE = 60.0  # seconds for which a suspicious state, such as a registry that does not respond, may last


@dataclass
class Outlook:
    """The state of the watched objects.

    :ivar ready: The objects that are ready.
    :ivar waiting: The objects that are not ready, and what is missing.
    :ivar findings: Why, root causes first, without logs (:func:`explain.explain_faults` reads them).
    :ivar hopeless: Waiting longer cannot help.
    :ivar tolerable: Those of the waiting DaemonSets that lack no more pods than their maxUnavailable allows.
    :ivar tolerated: What is missing of those when waiting has ended with nothing else to wait for.
    :ivar noted: Objects that are ready and wait for a person.
    """

    ready: list[Reference] = field(default_factory=list)
    waiting: list[tuple[Reference, str]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    hopeless: bool = False
    tolerable: list[Reference] = field(default_factory=list)
    tolerated: list[tuple[Reference, str]] = field(default_factory=list)
    noted: list[tuple[Reference, str]] = field(default_factory=list)


class Watch:
    """Objects that are expected to become ready."""

    def __init__(
        self,
        client: Client,
        names: Sequence[Reference],
        path: Callable[[Reference], str],
        grace: float = GRACE,
        pending_grace: float = 0.0,
    ) -> None:
        """Prepare; no request is sent yet.

        :param names: The objects, of any kind. Those of a kind without readiness are ready as soon as they exist.
        :param path: Returns the path of an object in the API.
        :param grace: Seconds after which a suspicious state counts as hopeless; 0 for never.
        :param pending_grace: The same for pods that wait for what the cluster provides: a node, a volume, a webhook.
        """
        self.client = client
        self.names = list(dict.fromkeys(names))
        self.path = path
        # Objects that are deleted by the cluster when they have ended.
        self.vanish: Container[Reference] = ()
        # Returns whether an object is ready and what is missing, None to judge it by the rule of its kind.
        self.judge: Callable[[Object], tuple[bool, str] | None] = lambda live: None
        self.grace = {SUSPICIOUS: grace, PENDING: pending_grace}
        self.since: dict[tuple[str, Reference, str], float] = {}
        self._settled: set[Reference] = set()
        self._notes: dict[Reference, str] = {}
        self._lost: dict[Reference, tuple[int, int]] = {}
        self._steady: set[Reference] = set()
        self._lists: dict[str, Sequence[Object]] = {}

    def look(self) -> Outlook:
        """Read the objects once.

        :raises ApiError: The API server rejects a request.
        :raises Unreachable: The API server does not respond.
        """
        lives = self._read([name for name in self.names if name not in self._settled])
        outlook = Outlook()
        late: list[Object] = []
        unsteady = self._unsteady(list(lives.values()))
        for name in self.names:
            live = lives.get(name)
            if name in self._settled:
                outlook.ready.append(name)
                continue
            if live is None and name in self.vanish:
                outlook.ready.append(name)
                continue
            if live is None:
                outlook.waiting.append((name, "it no longer exists"))
                continue
            ready, why = self._readiness(live)
            if not ready:
                outlook.waiting.append((name, why))
                if name.kind == "DaemonSet" and is_tolerable(live, *self._lost.get(name, (0, 0))):
                    outlook.tolerable.append(name)
                if observed(live):
                    # Before that, its pods belong to the previous version and do not explain this one.
                    late.append(live)
            elif name in unsteady:
                outlook.waiting.append((name, unsteady[name]))
            else:
                outlook.ready.append(name)
                self._notes[name] = why
                if not is_waited_for(live) or name.kind in ("Service", "Ingress"):
                    # It stays ready: it need not be read again.
                    self._settled.add(name)
        outlook.noted = [(name, self._notes[name]) for name in outlook.ready if self._notes.get(name)]
        if late:
            self._explain(late, outlook)
        return outlook

    def _unsteady(self, lives: Sequence[Object]) -> dict[Reference, str]:
        """Return the workloads that count as ready only because their containers have just started."""
        candidates = []
        for live in lives:
            name = reference(live)
            if name.kind not in STEADY_KINDS:
                continue
            if not readiness(live)[0]:
                self._steady.discard(name)
            elif name not in self._steady and unprobed(live) and changed_recently(live, now_of(self.client)):
                candidates.append(live)
        if not candidates:
            return {}
        view = self._view(candidates, STEADY_DETAILS)
        found: dict[Reference, str] = {}
        for live in candidates:
            name = reference(live)
            young = [pod for pod in view.newest_pods(live) if just_started(pod, view.now)]
            if young:
                found[name] = f"{len(young)} of its pods have only just started"
            else:
                self._steady.add(name)
        return found

    def _readiness(self, live: Object) -> tuple[bool, str]:
        """Return whether an object is ready and what is missing, also judged by other objects."""
        judged = self.judge(live)
        if judged is not None:
            return judged
        ready, why = readiness(live)
        kind = live.get("kind") or ""
        if kind == "DaemonSet" and not ready and observed(live) and "observedGeneration" in status_of(live):
            lost = self._lost[reference(live)] = self._pods_on_lost_nodes(live)
            return daemon_set_readiness(live, *lost) if lost[0] else (ready, why)
        if kind == "PersistentVolumeClaim" and not ready and not _is_lost_claim(live):
            return (True, "") if waits_for_first_consumer(live, self._cached_list("StorageClass")) else (ready, why)
        if kind in ("Service", "Ingress") and lacks_address(live):
            others = [other for other in self._cached_list(kind) if reference(other) not in self.names]
            if any(has_address(other) and same_class(other, live) for other in others):
                return False, "no address has been assigned to it yet"
        return ready, why

    def _pods_on_lost_nodes(self, live: Object) -> tuple[int, int]:
        """Count the pods of a workload on nodes that are not Ready, where neither an update nor a restart takes place.

        :returns: all of them, and those of the newest revision.
        """
        nodes = self._details("Node", "") or []
        lost = {name_of(node) for node in nodes if not is_true(node, "Ready")}
        if not lost:
            return 0, 0
        view = self._view([live], ("Pod",))
        everything, newest = view.pods_of(reference(live)), view.newest_pods(live)
        return sum(node_name(pod) in lost for pod in everything), sum(node_name(pod) in lost for pod in newest)

    def _cached_list(self, kind: str) -> Sequence[Object]:
        """Return the objects of a kind in the whole cluster, read once; empty if they may not be listed."""
        if kind not in self._lists:
            try:
                self._lists[kind] = read_kind(self.client, kind)
            except ApiError:
                self._lists[kind] = []
        return self._lists[kind]

    def _read(self, names: Sequence[Reference]) -> dict[Reference, Object]:
        """Read objects completely: a single one by its name, several of a kind and namespace as a list."""
        groups: dict[tuple[str, str, str], list[Reference]] = {}
        for name in names:
            groups.setdefault((name.api_version, name.kind, name.namespace), []).append(name)
        found: dict[Reference, Object] = {}
        for some in self.client.each(self._read_group, list(groups.values())):
            found.update(some)
        return found

    def _read_group(self, names: Sequence[Reference]) -> dict[Reference, Object]:
        if len(names) == 1 or names[0].kind == "Secret":
            # A list of Secrets would contain the values of all of them.
            lives = [(name, self.client.find(self.path(name))) for name in names]
            return {name: live for name, live in lives if live is not None}
        first = names[0]
        wanted = {name.name for name in names}

        def keep(item: dict[str, Any]) -> dict[str, Any]:
            metadata = item.get("metadata") or {}
            if metadata.get("name") not in wanted:
                return {}
            metadata.pop("managedFields", None)
            return dict(item, kind=first.kind, apiVersion=first.api_version)

        try:
            items = read_list(self.client, self.path(first).rpartition("/")[0], keep)
        except ApiError as error:
            if error.status == 403:  # this user may read objects, and not list them
                lives = [(name, self.client.find(self.path(name))) for name in names]
                return {name: live for name, live in lives if live is not None}
            if error.status != 404:
                raise
            return {}
        by_name = {name_of(item): item for item in items if item}
        return {name: by_name[name.name] for name in names if name.name in by_name}

    def _explain(self, late: Sequence[Object], outlook: Outlook) -> None:
        workloads = [live for live in late if live.get("kind") in (*CONTROLLERS, "Pod")]
        view = self._view(workloads, DETAILS)
        found = {reference(live): workload_findings(view, live) for live in workloads}
        everything = [finding for some in found.values() for finding in some]
        add_node_scaling(self.client, everything)
        self._apply_grace(everything, outlook, time.monotonic())
        # What may be missing at the end is no reason to stop waiting for others.
        spared = [] if len(outlook.tolerable) == len(outlook.waiting) else outlook.tolerable
        outlook.hopeless = any(_is_lost_claim(live) for live in late) or any(
            is_hopeless(view, live, found[reference(live)]) for live in workloads if reference(live) not in spared
        )
        outlook.findings = [finding for finding in ranked(everything) if finding.fault != "not_ready"]

    def _apply_grace(self, findings: Sequence[Finding], outlook: Outlook, now: float) -> None:
        """Make suspicious findings hopeless after the grace period, and give crashes time while other workloads are starting."""
        failing = {finding.object for finding in findings if finding.severity == "error"}
        starting = any(name not in failing and name.kind in CONTROLLERS for name, _why in outlook.waiting)
        current: set[tuple[str, Reference, str]] = set()
        for finding in findings:
            key = (finding.fault, finding.object, finding.container)
            current.add(key)
            since = self.since.setdefault(key, now)
            crashes = finding.fault in ("crash_loop", "init_fails")
            if crashes and starting and finding.restarts < PATIENT_RESTARTS:
                if finding.hopeless:
                    finding.patience = SUSPICIOUS
            elif finding.severity == "error" and 0 < self.grace.get(finding.patience, 0) <= now - since:
                finding.patience = HOPELESS
        for key in set(self.since) - current:
            del self.since[key]

    def _view(self, workloads: Sequence[Object], kinds: Sequence[str]) -> View:
        """Read the objects of some kinds in the namespaces of some workloads."""
        namespaces = sorted({namespace_of(live) for live in workloads})
        wanted = [(kind, namespace) for namespace in namespaces for kind in kinds]
        objects: dict[str, list[Any]] = {}
        for (kind, _namespace), some in zip(wanted, self.client.each(lambda pair: self._details(*pair), wanted)):
            if some is not None:
                objects.setdefault(kind, []).extend(some)
        for live in workloads:
            if live.get("kind") in SOURCES and live["kind"] not in DETAILS:
                objects.setdefault(live["kind"], []).append(live)
        return View(objects, now_of(self.client), namespaces)

    def _details(self, kind: str, namespace: str) -> list[dict[str, Any]] | None:
        """Return the objects of a kind in a namespace, None if they may not be listed."""
        try:
            return read_kind(self.client, kind, namespace)
        except ApiError as error:
            if error.status in (403, 404):
                return None
            raise


def observed(live: Object) -> bool:
    """Return whether the status of an object is about its latest generation."""
    generation = (live.get("metadata") or {}).get("generation", 0)
    return generation_seen(status_of(live), generation) >= generation


def unprobed(live: Object) -> bool:
    """Return whether a workload has a container without a readiness probe."""
    spec = spec_of(live)
    inner = spec if live.get("kind") == "Pod" else (spec.get("template") or {}).get("spec") or {}
    scaled = spec.get("replicas", 1) != 0
    return scaled and any(not container.get("readinessProbe") for container in inner.get("containers") or [])


def changed_recently(live: Object, now: float) -> bool:
    """Return whether a workload may have new pods; the condition Progressing of a Deployment says when it last had."""
    if live.get("kind") != "Deployment":
        return True
    return now - seconds_of(condition(live, "Progressing").get("lastUpdateTime")) < 2 * STEADY_AFTER_RESTART


def just_started(pod: Object, now: float) -> bool:
    """Return whether a container of a pod has run for such a short time that it may still exit."""
    status = status_of(pod)
    if status.get("phase") == "Succeeded":
        return False
    if "startedAt" in status:
        return now - seconds_of(status["startedAt"]) < STEADY
    for container in status.get("containerStatuses") or []:
        running = (container.get("state") or {}).get("running")
        steady = STEADY_AFTER_RESTART if container.get("restartCount") else STEADY
        if running is None or now - seconds_of(running.get("startedAt")) < steady:
            return True
    return False


def waits_for_first_consumer(claim: Object, classes: Sequence[Object]) -> bool:
    """Return whether a claim is bound only when a pod uses it (volumeBindingMode WaitForFirstConsumer)."""
    wanted = spec_of(claim).get("storageClassName")
    for content in classes:
        default = annotations_of(content).get(DEFAULT_CLASS) == "true"
        if name_of(content) == wanted or (wanted is None and default):
            return bool(content.get("volumeBindingMode") == WAIT_FOR_FIRST_CONSUMER)
    return False


def lacks_address(live: Object) -> bool:
    """Return whether an Ingress, or a Service of type LoadBalancer, has no address."""
    if live.get("kind") == "Service" and spec_of(live).get("type") != "LoadBalancer":
        return False
    return not has_address(live)


def same_class(one: Object, other: Object) -> bool:
    """Return whether two Services or Ingresses have the same class, so that the same controller assigns their addresses."""
    fields = ("loadBalancerClass", "ingressClassName")
    return all(spec_of(one).get(key) == spec_of(other).get(key) for key in fields)


def _is_lost_claim(live: Object) -> bool:
    return live.get("kind") == "PersistentVolumeClaim" and status_of(live).get("phase") == "Lost"
