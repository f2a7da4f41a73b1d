# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verifying a cluster: nodes, API servers and system pods by looking, the network by pods that ask each other."""

from __future__ import annotations

import dataclasses
import time
import uuid
from typing import Any, Callable, NamedTuple, Sequence

from .._diagnosis.system import CONTROL_PLANE, api_addresses, network_of, node_problems, node_summary, system_problems
from .._kube.api import ApiError, Client, Unreachable
from .._kube.objects import Object, Resource, reference, stages
from . import probes
from .conversation import Conversation, Trial
from .probes import MANAGER, NAMESPACE, Result

NAMESPACE_PATH = "/api/v1/namespaces/" + NAMESPACE
WORKLOAD_PATHS = tuple(f"/apis/apps/v1/namespaces/{NAMESPACE}/{kind}" for kind in ("daemonsets", "deployments"))
RUN = "slipway.kube/run"
POLL = 0.5
# How long what seems hopeless must seem so: a container on a slow disk may end twice, and a registry may refuse once.
HOPELESS = 30
CLEAN_UP = 90
# How long the answers may take to become right once all pods are ready: rules and endpoints reach the nodes in this time.
SETTLE = 20


class Seen(NamedTuple):
    """What a look says. C(final): looking again seems to be of no use."""

    ok: bool
    evidence: str
    final: bool = False


class Foreign(Exception):
    """The namespace of the test is someone else's."""


class Verifier:
    """One verification of one cluster. C(results) grows as it goes."""

    def __init__(self, client: Client, expected: Sequence[str], namespaces: Sequence[str], timeout: float) -> None:
        """Prepare.

        :param expected: names of the nodes that must be there; further ones are looked at too.
        :param namespaces: where the system's own pods live.
        :param timeout: seconds that all waiting together may take.
        """
        self.client = client
        self.expected = list(expected)
        self.namespaces = list(namespaces)
        self.deadline = time.monotonic() + timeout
        self.results: list[Result] = []
        self.nodes: list[dict[str, Any]] = []
        self._last = False
        self.network: dict[str, Any] = {"name": "", "network_policy": None}

    @property
    def ok(self) -> bool:
        """Whether nothing has failed so far."""
        return all(result.ok for result in self.results)

    def light(self, wait: bool = True) -> None:
        """Look at nodes, API servers and the system's pods."""
        self._until("nodes", self._nodes, wait)
        self._until("API servers", self._api_servers, wait)
        self._until("system pods", self._system_pods, wait)

    def full(self, image: str, domain: str, host_port: int) -> None:
        """Look as :meth:`light` does, then let real pods ask each other; they are taken away again whatever happens.

        :param image: image of agnhost.
        :param domain: DNS domain of the cluster.
        :param host_port: port on the nodes that is free for the time of the test.
        """
        self._remove_leftovers()
        self._until("nodes", self._nodes)
        self._until("API servers", self._api_servers)
        if not self.ok:
            return
        uid = self._create_namespace()
        try:
            # The test pods start while the system's are still settling.
            self._create(image, host_port)
            self._until("system pods", self._system_pods)
            self._until("test pods", self._test_pods)
            if self.ok:
                self._ask(domain, host_port)
        finally:
            self._remove("clean-up", self._pods_gone, uid)

    def _until(self, test: str, look: Callable[[], Seen], wait: bool = True, deadline: float | None = None) -> None:
        started = hoped = time.monotonic()
        while True:
            self._last = not wait or time.monotonic() > (deadline or self.deadline)
            try:
                seen = look()
            except Unreachable as error:
                seen = Seen(False, str(error))
            except ApiError as error:
                if not error.transient:
                    raise
                seen = Seen(False, str(error))
            if not seen.final:
                hoped = time.monotonic()
            if seen.ok or self._last or time.monotonic() - hoped > HOPELESS:
                break
            time.sleep(POLL)
        self.results.append(Result(test, seen.ok, seen.evidence, time.monotonic() - started))

    def _nodes(self) -> Seen:
        nodes = self.client.items("/api/v1/nodes")
        self.nodes = sorted((node_summary(node) for node in nodes), key=lambda node: (not node["roles"], node["name"]))
        problems = node_problems(nodes, self.expected)
        return Seen(not problems, probes.shorten(problems) or f"{len(nodes)} of {len(nodes)} Ready")

    def _api_servers(self) -> Seen:
        query = {"labelSelector": "kubernetes.io/service-name=kubernetes"}
        addresses = api_addresses(
            self.client.items("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", query)
        )
        said = self.client.each(self._readyz, addresses)
        bad = ["{}: {}".format(*pair) for pair in zip(addresses, said) if pair[1] != "ok"]
        wanted = sum("control-plane" in node["roles"] for node in self.nodes)
        if len(addresses) < wanted:
            bad.append(
                "%d of %d control planes (label %s) have told their address" % (len(addresses), wanted, CONTROL_PLANE)
            )
        return Seen(
            not bad and bool(addresses), probes.shorten(bad) or f"{len(addresses)} ready: {', '.join(addresses)}"
        )

    def _readyz(self, address: str) -> str:
        try:
            one = Client(
                dataclasses.replace(self.client.credentials, server="https://" + address, server_name=""),
                timeout=5,
                patience=0,
            )
            return one.text("/readyz").strip()
        except (ApiError, Unreachable) as error:
            return " ".join(str(error).split())

    def _system_pods(self) -> Seen:
        workloads, pods, events = self._list(self.namespaces)
        self.network = network_of(workloads)
        return self._judge(workloads, pods, events)

    def _test_pods(self) -> Seen:
        return self._judge(*self._list([NAMESPACE]))

    def _judge(self, workloads: Sequence[Object], pods: Sequence[Object], events: Sequence[Object]) -> Seen:
        problems, hopeless = system_problems(workloads, pods, events)
        return Seen(not problems, probes.shorten(problems) or f"{len(pods)} of {len(pods)} Ready", hopeless)

    def _list(self, namespaces: Sequence[str]) -> tuple[list[Object], list[Object], list[Object]]:
        """List workloads, pods and, when it is the last look, the events that may explain them."""
        kinds = [("apps/v1", kind) for kind in ("deployments", "daemonsets", "statefulsets")] + [("v1", "pods")]
        kinds += [("v1", "events")] if self._last else []
        found: dict[str, list[Object]] = {}
        wanted = [
            (kind, Resource(kind, True).collection(version, namespace))
            for version, kind in kinds
            for namespace in namespaces
        ]
        for (kind, _path), items in zip(wanted, self.client.each(self.client.items, [path for _kind, path in wanted])):
            found.setdefault(kind, []).extend(items)
        workloads = found["deployments"] + found["daemonsets"] + found["statefulsets"]
        return workloads, found["pods"], found.get("events", [])

    def _remove_leftovers(self) -> None:
        live = self.client.find(NAMESPACE_PATH)
        if live is None:
            return
        if (live["metadata"].get("labels") or {}).get("app.kubernetes.io/managed-by") != MANAGER:
            raise Foreign(
                f"Namespace {NAMESPACE} is in the cluster, and this module did not make it (no label app.kubernetes.io/managed-by={MANAGER}). "
                "Nothing was touched. Rename or delete it, or verify with mode light."
            )
        self._remove("leftovers of an earlier run", self._namespace_gone, live["metadata"]["uid"])

    def _create(self, image: str, host_port: int) -> None:
        for stage in stages(probes.objects(image, host_port)):
            self.client.each(self._apply, stage)

    def _apply(self, content: Object) -> None:
        resource = Resource(content["kind"].lower() + "s", True)
        self.client.apply(resource.path(reference(content)), content, MANAGER, force=True, dry_run=False)

    def _create_namespace(self) -> str:
        """Make the test's namespace and return its uid; one that another verification works in is waited for.

        Two that shared it would take away each other's pods: the module of a playbook that was ended goes on on its host.
        """
        run = uuid.uuid4().hex
        content = probes.namespace({RUN: run})
        while True:
            try:
                return self.client.create("/api/v1/namespaces", content, MANAGER)["metadata"]["uid"]
            except ApiError as error:
                if error.status != 409:
                    raise
            live = self.client.find(NAMESPACE_PATH) or {"metadata": {}}
            if (live["metadata"].get("annotations") or {}).get(RUN) == run:
                return live["metadata"]["uid"]  # the answer to a request that was repeated
            if time.monotonic() > self.deadline:
                raise Foreign(
                    f"Another verification is at work: it made namespace {NAMESPACE} after this one had looked, and it is still there. Nothing of it was "
                    "touched. Run again when it has ended."
                )
            time.sleep(POLL)

    def _ask(self, domain: str, host_port: int) -> None:
        pods, services = (self.client.items(NAMESPACE_PATH + kind) for kind in ("/pods", "/services"))
        conversation = Conversation(self.client, pods, services, domain, host_port)
        for trial in conversation.between_pods():
            self._try(trial)
        if not self.ok:
            # All that follows would fail for the same reason.
            self.results.append(Result("Services and DNS", False, "not tried, as pods do not reach each other"))
            return
        for trial in conversation.services():
            self._try(trial)

    def _try(self, trial: Trial) -> None:
        started = time.monotonic()
        while True:
            bad = trial.attempt()
            if not bad or time.monotonic() - started > SETTLE:
                break
            time.sleep(POLL)
        evidence = "\n".join([f"{len(bad)} failed:", probes.shorten(bad), trial.hint]) if bad else trial.fine
        self.results.append(Result(trial.test, not bad, evidence, time.monotonic() - started))

    def _remove(self, test: str, gone: Callable[[], Seen], uid: str) -> None:
        """Take the test's namespace away, unless another run has made it anew in the meantime."""
        if self.client.delete(NAMESPACE_PATH, uid):
            # The namespace goes some seconds after it is told to; the pods are told here, so that they go at once.
            for path in (*WORKLOAD_PATHS, NAMESPACE_PATH + "/pods"):
                self.client.delete(path)
        else:
            gone = self._not_mine
        self._until(test, gone, deadline=time.monotonic() + CLEAN_UP)

    def _not_mine(self) -> Seen:
        return Seen(True, "there was nothing left of this run")

    def _pods_gone(self) -> Seen:
        left = [pod["metadata"]["name"] for pod in self.client.items(NAMESPACE_PATH + "/pods")]
        if not left:
            return Seen(True, f"all test pods are gone, and namespace {NAMESPACE} goes")
        return Seen(False, f"pods of namespace {NAMESPACE} are still there: {', '.join(left)}")

    def _namespace_gone(self) -> Seen:
        if self.client.find(NAMESPACE_PATH) is None:
            return Seen(True, f"namespace {NAMESPACE} is gone")
        look = f"kubectl get namespace {NAMESPACE} -o yaml"
        return Seen(False, f"namespace {NAMESPACE} is still there: see {look} for what keeps it")
