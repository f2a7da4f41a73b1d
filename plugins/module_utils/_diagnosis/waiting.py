# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting with understanding: what is ready, what is not and why, and whether waiting makes sense.

A look costs one list for each kind and namespace; pods and their events are read only where something is not ready.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, Sequence

from .._kube.api import ApiError, Client
from .._kube.objects import Reference, reference
from .._kube.readiness import condition, is_waited_for, readiness
from .._kube.timestamps import seconds_of
from .finding import HOPELESS, SUSPICIOUS, Finding
from .ranking import ranked
from .reading import SOURCES, read_kind, read_list
from .storage import DEFAULT_CLASS, WAIT_FOR_FIRST_CONSUMER
from .view import View
from .workloads import CONTROLLERS, hopeless_workload, workload_findings

# What explains workloads of a namespace that are not ready.
DETAILS = ("Pod", "ReplicaSet", "Event", "PersistentVolumeClaim")
STEADY_DETAILS = ("Pod", "ReplicaSet")
# Without a readiness probe a container is ready the moment it runs, also one that ends in the next: for so many seconds after its start
# that means nothing yet, and longer after a start that followed an end.
STEADY, STEADY_AGAIN = 2.0, 10.0
STEADY_KINDS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Pod")
# While others are still on their way, a program that ends early may be waiting for one of them.
PATIENT_RESTARTS = 4


@dataclass
class Outlook:
    """What one look says.

    :ivar ready: what is ready.
    :ivar waiting: what is not, and what is missing.
    :ivar findings: why, root causes first, without logs (:func:`explain.explain` reads them).
    :ivar hopeless: waiting longer is of no use.
    """

    ready: list[Reference] = field(default_factory=list)
    waiting: list[tuple[Reference, str]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    hopeless: bool = False


class Watch:
    """Some objects that are to become ready."""

    def __init__(
        self, client: Client, names: Sequence[Reference], path: Callable[[Reference], str], grace: float = 60.0
    ) -> None:
        """Prepare; nothing is asked yet.

        :param names: the objects, of any kind. Those of which nothing is to be waited for are ready when they are there.
        :param path: gives the path of an object.
        :param grace: seconds for which a suspicious state may last before waiting counts as hopeless; 0 for ever.
        """
        self.client = client
        self.names = list(dict.fromkeys(names))
        self.path = path
        self.grace = grace
        self.since: dict[tuple[str, Reference, str], float] = {}
        self._settled: set[Reference] = set()
        self._steady: set[Reference] = set()
        self._lists: dict[str, Sequence[Mapping[str, Any]]] = {}

    def look(self) -> Outlook:
        """Look once.

        :raises ApiError: the server refuses a list. :raises Unreachable: it does not answer.
        """
        lives = self._read([name for name in self.names if name not in self._settled])
        outlook = Outlook()
        late: list[Mapping[str, Any]] = []
        restless = self._restless([lives[name] for name in self.names if name in lives])
        for name in self.names:
            live = lives.get(name)
            if name in self._settled:
                outlook.ready.append(name)
            elif live is None:
                outlook.waiting.append((name, "it is gone"))
            else:
                ready, why = self._readiness(live)
                if ready and name in restless:
                    outlook.waiting.append((name, restless[name]))
                elif ready:
                    outlook.ready.append(name)
                    if not is_waited_for(live) or live.get("kind") in ("Service", "Ingress"):
                        # It is there, and there is no more to it.
                        self._settled.add(name)
                else:
                    outlook.waiting.append((name, why))
                    if seen_by_controller(live):
                        # Before that, its pods are those of the version before, and say nothing of this one.
                        late.append(live)
        if late:
            self._explain(late, outlook)
        return outlook

    def _restless(self, lives: Sequence[Mapping[str, Any]]) -> dict[Reference, str]:
        """Say which workloads count as ready only because their containers have just been started."""
        asked = []
        for live in lives:
            name = reference(live)
            if name.kind not in STEADY_KINDS:
                continue
            if not readiness(live)[0]:
                self._steady.discard(name)
            elif name not in self._steady and unprobed(live) and changed_lately(live, time.time()):
                asked.append(live)
        if not asked:
            return {}
        view = self._view(asked, sorted({live["metadata"].get("namespace") or "" for live in asked}), STEADY_DETAILS)
        found: dict[Reference, str] = {}
        for live in asked:
            name = reference(live)
            young = [pod for pod in view.newest_pods(live) if just_started(pod, view.now)]
            if young:
                found[name] = f"{len(young)} of its pods have only just been started"
            else:
                self._steady.add(name)
        return found

    def _readiness(self, live: Mapping[str, Any]) -> tuple[bool, str]:
        """Judge an object, with what its neighbours say of it."""
        ready, why = readiness(live)
        kind = live.get("kind")
        if kind == "PersistentVolumeClaim" and not ready and (live.get("status") or {}).get("phase") != "Lost":
            return (True, "") if waits_for_a_pod(live, self._once("StorageClass")) else (ready, why)
        if kind in ("Service", "Ingress") and wants_address(live):
            others = [other for other in self._once(kind) if reference(other) not in self.names]
            if any(has_address(other) and same_giver(other, live) for other in others):
                return False, "nothing has given it an address yet"
        return ready, why

    def _once(self, kind: str) -> Sequence[Mapping[str, Any]]:
        """List a kind of the whole cluster once for all looks; nothing where it may not be listed."""
        if kind not in self._lists:
            try:
                self._lists[kind] = read_kind(self.client, kind)
            except ApiError:
                self._lists[kind] = []
        return self._lists[kind]

    def _read(self, names: Sequence[Reference]) -> dict[Reference, Mapping[str, Any]]:
        """Read objects as they are: one by itself, several of a kind and namespace as a list."""
        groups: dict[tuple[str, str, str], list[Reference]] = {}
        for name in names:
            groups.setdefault((name.api_version, name.kind, name.namespace), []).append(name)
        found: dict[Reference, Mapping[str, Any]] = {}
        for some in self.client.each(self._read_group, list(groups.values())):
            found.update(some)
        return found

    def _read_group(self, names: Sequence[Reference]) -> dict[Reference, Mapping[str, Any]]:
        if len(names) == 1 or names[0].kind == "Secret":
            # A list of Secrets would bring the values of all of them.
            lives = [(name, self.client.find(self.path(name))) for name in names]
            return {name: live for name, live in lives if live is not None}
        first = names[0]
        collection = self.path(first).rpartition("/")[0]
        wanted = {name.name for name in names}

        def keep(item: dict[str, Any]) -> dict[str, Any]:
            metadata = item.get("metadata") or {}
            if metadata.get("name") not in wanted:
                return {}
            metadata.pop("managedFields", None)
            return dict(item, kind=first.kind, apiVersion=first.api_version)

        try:
            items = read_list(self.client, collection, keep)
        except ApiError as error:
            if error.status != 404:
                raise
            return {}
        by_name = {item["metadata"]["name"]: item for item in items if item}
        return {name: by_name[name.name] for name in names if name.name in by_name}

    def _explain(self, late: Sequence[Mapping[str, Any]], outlook: Outlook) -> None:
        workloads = [live for live in late if live.get("kind") in (*CONTROLLERS, "Pod")]
        namespaces = sorted({live["metadata"].get("namespace") or "" for live in workloads})
        view = self._view(late, namespaces)
        found = {reference(live): workload_findings(view, live) for live in workloads}
        everything = [finding for some in found.values() for finding in some]
        now = time.monotonic()
        self._be_patient(everything, outlook, now)
        lost = [live for live in workloads if hopeless_workload(view, live, found[reference(live)])]
        outlook.hopeless = bool(lost) or any(_lost_claim(live) for live in late)
        outlook.findings = [finding for finding in ranked(everything) if finding.fault != "not_ready"]

    def _be_patient(self, findings: Sequence[Finding], outlook: Outlook, now: float) -> None:
        """Give what is suspicious its time of grace, and crashes time while others are on their way."""
        failing = {finding.object for finding in findings if finding.severity == "error"}
        on_their_way = [name for name, _why in outlook.waiting if name not in failing and name.kind in CONTROLLERS]
        seen: set[tuple[str, Reference, str]] = set()
        for finding in findings:
            key = (finding.fault, finding.object, finding.container)
            seen.add(key)
            since = self.since.setdefault(key, now)
            if finding.fault in ("crash_loop", "init_fails") and finding.hopeless and on_their_way:
                if finding.restarts < PATIENT_RESTARTS:
                    finding.patience = SUSPICIOUS
                continue
            if finding.patience == SUSPICIOUS and finding.severity == "error" and 0 < self.grace <= now - since:
                finding.patience = HOPELESS
        for key in set(self.since) - seen:
            del self.since[key]

    def _view(
        self, late: Sequence[Mapping[str, Any]], namespaces: Sequence[str], kinds: Sequence[str] = DETAILS
    ) -> View:
        wanted = [(kind, namespace) for namespace in namespaces for kind in kinds]
        lists = self.client.each(lambda pair: self._details(*pair), wanted)
        objects: dict[str, list[Any]] = {}
        unseen: dict[str, str] = {}
        for (kind, _namespace), some in zip(wanted, lists):
            if some is None:
                unseen[kind] = "forbidden"
            else:
                objects.setdefault(kind, []).extend(some)
        for live in late:
            if live.get("kind") in SOURCES and live["kind"] not in DETAILS:
                objects.setdefault(live["kind"], []).append(live)
        return View(objects, time.time(), namespaces, unseen)

    def _details(self, kind: str, namespace: str) -> list[dict[str, Any]] | None:
        try:
            return read_kind(self.client, kind, namespace)
        except ApiError as error:
            if error.status in (403, 404):
                return None
            raise


def seen_by_controller(live: Mapping[str, Any]) -> bool:
    """Whether what the status of an object says is about its newest version."""
    generation = (live.get("metadata") or {}).get("generation", 0)
    return (live.get("status") or {}).get("observedGeneration", generation) >= generation


def unprobed(live: Mapping[str, Any]) -> bool:
    """Whether a container of a workload is ready without being asked (it has no readiness probe)."""
    spec = live.get("spec") or {}
    inner = spec if live.get("kind") == "Pod" else (spec.get("template") or {}).get("spec") or {}
    wanted = spec.get("replicas", 1) != 0
    return wanted and any(not container.get("readinessProbe") for container in inner.get("containers") or [])


def changed_lately(live: Mapping[str, Any], now: float) -> bool:
    """Whether a workload may have new pods; of a Deployment its condition Progressing tells when it last had."""
    if live.get("kind") != "Deployment":
        return True
    return now - seconds_of(condition(live, "Progressing").get("lastUpdateTime")) < 2 * STEADY_AGAIN


def just_started(pod: Mapping[str, Any], now: float) -> bool:
    """Whether a pod has a container that runs for so short a time that it may still end."""
    status = pod.get("status") or {}
    if status.get("phase") == "Succeeded":
        return False
    if "startedAt" in status:
        return now - seconds_of(status["startedAt"]) < STEADY
    for container in status.get("containerStatuses") or []:
        running = (container.get("state") or {}).get("running")
        if running is None:
            return True
        again = bool(container.get("restartCount"))
        if now - seconds_of(running.get("startedAt")) < (STEADY_AGAIN if again else STEADY):
            return True
    return False


def waits_for_a_pod(claim: Mapping[str, Any], classes: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a claim gets its volume only when a pod wants it (volumeBindingMode WaitForFirstConsumer)."""
    wanted = (claim.get("spec") or {}).get("storageClassName")
    for content in classes:
        default = (content["metadata"].get("annotations") or {}).get(DEFAULT_CLASS) == "true"
        if content["metadata"]["name"] == wanted or (wanted is None and default):
            return bool(content.get("volumeBindingMode") == WAIT_FOR_FIRST_CONSUMER)
    return False


def wants_address(live: Mapping[str, Any]) -> bool:
    """Whether an object is to get an address for the world and has none."""
    if live.get("kind") == "Service" and (live.get("spec") or {}).get("type") != "LoadBalancer":
        return False
    return not has_address(live)


def has_address(live: Mapping[str, Any]) -> bool:
    """Whether a Service or an Ingress has an address for the world."""
    return bool(((live.get("status") or {}).get("loadBalancer") or {}).get("ingress"))


def same_giver(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether the same controller gives two objects their addresses, as far as their class tells."""
    fields = ("loadBalancerClass", "ingressClassName")
    return all((one.get("spec") or {}).get(key) == (other.get("spec") or {}).get(key) for key in fields)


def _lost_claim(live: Mapping[str, Any]) -> bool:
    return live.get("kind") == "PersistentVolumeClaim" and (live.get("status") or {}).get("phase") == "Lost"
