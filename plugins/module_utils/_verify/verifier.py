# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verification of a cluster: nodes, API servers and system pods by their status, the network with test pods."""

from __future__ import annotations

import dataclasses
import time
import uuid
from typing import Any, Callable, NamedTuple, Sequence

from .._diagnosis.finding import Finding, redact_findings
from .._diagnosis.logs import add_logs
from .._diagnosis.system import CONTROL_PLANE, api_addresses, network_of, node_problems, node_summary, system_problems
from .._kube.api import ApiError, Client, Unreachable
from .._kube.objects import Object, Resource, reference, stages
from .._kube.progress import tell
from .._kube.redaction import Redactor
from . import agnhost, policies
from .agnhost import MANAGER, NAMESPACE, Result, shorten
from .connectivity import Connectivity, NetworkTest

NAMESPACE_PATH = "/api/v1/namespaces/" + NAMESPACE
WORKLOAD_PATHS = tuple(f"/apis/apps/v1/namespaces/{NAMESPACE}/{kind}" for kind in ("daemonsets", "deployments"))
RUN = "slipway.kube/run"
POLL = 0.5


class Times(NamedTuple):
    """Limits in seconds.

    :ivar timeout: to wait in total; with 0, everything is checked once.
    :ivar grace: for which pods must look unable to become ready before the wait ends: a container on a slow disk may crash twice, and a registry
        may fail once.
    :ivar network: for which network tests are repeated after all pods are ready: endpoints and rules take some time to reach every node.
    :ivar cleanup: to wait until the test pods have been removed.
    """

    timeout: float
    grace: float
    network: float
    cleanup: float


class Observation(NamedTuple):
    """The outcome of a check.

    :ivar hopeless: waiting is unlikely to help.
    """

    ok: bool
    evidence: str
    hopeless: bool = False


class NamespaceInUse(Exception):
    """The namespace of the test objects belongs to somebody else, or to another verification."""


class Verifier:
    """Verifies one cluster.

    :ivar results: the tests so far, in order.
    """

    def __init__(self, client: Client, expected: Sequence[str], namespaces: Sequence[str], times: Times) -> None:
        """Prepare the verification.

        :param expected: names of the nodes that must be in the cluster; other nodes are verified as well.
        :param namespaces: namespaces of the system pods.
        """
        self.client = client
        self.expected = list(expected)
        self.namespaces = list(namespaces)
        self.times = times
        self.deadline = time.monotonic() + times.timeout
        self.results: list[Result] = []
        self.nodes: list[dict[str, Any]] = []
        self._final = False
        self.network: dict[str, Any] = {"name": "", "network_policy": None}
        self.policies_enforced = False

    @property
    def ok(self) -> bool:
        """Whether all tests so far have passed."""
        return all(result.ok for result in self.results)

    def light(self) -> None:
        """Verify nodes, API servers and system pods."""
        self._wait_for("nodes", self._nodes)
        self._wait_for("API servers", self._api_servers)
        self._wait_for("system pods", self._system_pods)

    def full(
        self,
        image: str,
        domain: str,
        host_port: int,
        only_policies: bool = False,
        network_policy: str = "auto",
    ) -> None:
        """Verify what :meth:`light` verifies, and the network with test pods, which are removed in any case.

        :param image: image of agnhost.
        :param domain: DNS domain of the cluster.
        :param host_port: port that is free on all nodes.
        :param only_policies: whether of the network only the enforcement of NetworkPolicies is tested, in any pod network, on every node.
        :param network_policy: whether NetworkPolicies are tested: C(true), C(false), or C(auto), which tests what is known to enforce all of them.
        """
        self._remove_leftovers()
        self._wait_for("nodes", self._nodes)
        self._wait_for("API servers", self._api_servers)
        if not self.ok:
            return
        uid = self._create_namespace()
        try:
            # The test pods start while the system pods are still becoming ready.
            self._create_objects(image, host_port)
            self._wait_for("system pods", self._system_pods)
            self._wait_for("test pods", self._test_pods)
            if self.ok:
                self._test_network(domain, host_port, only_policies, network_policy)
        finally:
            self._remove("cleanup", self._pods_gone, uid)

    def _wait_for(self, test: str, check: Callable[[], Observation], deadline: float | None = None) -> None:
        started = hopeful = time.monotonic()
        while True:
            over = time.monotonic() >= (deadline or self.deadline)
            self._final = over or time.monotonic() - hopeful > self.times.grace
            try:
                seen = check()
            except Unreachable as error:
                seen = Observation(False, str(error))
            except ApiError as error:
                if not error.transient:
                    raise
                seen = Observation(False, str(error))
            if not seen.hopeless:
                hopeful = time.monotonic()
            if seen.ok or over or (self._final and seen.hopeless):
                break
            tell(f"waits for {test}", *Redactor().log_lines(seen.evidence.splitlines()))
            time.sleep(POLL)
        self.results.append(Result(test, seen.ok, seen.evidence, time.monotonic() - started))

    def _nodes(self) -> Observation:
        nodes = self.client.items("/api/v1/nodes")
        self.nodes = sorted((node_summary(node) for node in nodes), key=lambda node: (not node["roles"], node["name"]))
        problems = node_problems(nodes, self.expected)
        return Observation(not problems, shorten(problems) or f"{len(nodes)} of {len(nodes)} Ready")

    def _api_servers(self) -> Observation:
        query = {"labelSelector": "kubernetes.io/service-name=kubernetes"}
        addresses = api_addresses(
            self.client.items("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", query)
        )
        answers = zip(addresses, self.client.each(self._readyz, addresses))
        failed = [f"{address}: {answer}" for address, answer in answers if answer != "ok"]
        expected = sum("control-plane" in node["roles"] for node in self.nodes)
        if len(addresses) < expected:
            failed.append(
                f"Service kubernetes has {len(addresses)} endpoints for {expected} control plane nodes (label {CONTROL_PLANE})"
            )
        evidence = shorten(failed) or f"{len(addresses)} ready: {', '.join(addresses)}"
        return Observation(not failed and bool(addresses), evidence)

    def _readyz(self, address: str) -> str:
        try:
            credentials = dataclasses.replace(self.client.credentials, server=f"https://{address}", server_name="")
            return Client(credentials, timeout=5, patience=0).text("/readyz").strip()
        except (ApiError, Unreachable) as error:
            return " ".join(str(error).split())

    def _system_pods(self) -> Observation:
        workloads, pods, events = self._list(self.namespaces)
        self.network = network_of(workloads)
        self.policies_enforced = policies.enforced(
            self.network["name"], [reference(one).name for one in workloads if one.get("kind") == "DaemonSet"]
        )
        return self._pods_ready(workloads, pods, events)

    def _test_pods(self) -> Observation:
        return self._pods_ready(*self._list([NAMESPACE]))

    def _pods_ready(self, workloads: Sequence[Object], pods: Sequence[Object], events: Sequence[Object]) -> Observation:
        problems, hopeless = system_problems(workloads, pods, events, self._add_logs)
        return Observation(not problems, shorten(problems) or f"{len(pods)} of {len(pods)} Ready", hopeless)

    def _add_logs(self, findings: list[Finding]) -> None:
        """Add the end of the logs of containers that end repeatedly, in the final check."""
        if self._final:
            add_logs(self.client, findings)
            redact_findings(findings, Redactor())

    def _list(self, namespaces: Sequence[str]) -> tuple[list[Object], list[Object], list[Object]]:
        """Return workloads, pods and, in the final check, the events that may explain why they are not ready."""
        kinds = [("apps/v1", kind) for kind in ("deployments", "daemonsets", "statefulsets")] + [("v1", "pods")]
        kinds += [("v1", "events")] if self._final else []
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
            raise NamespaceInUse(
                f"Namespace {NAMESPACE} exists and was not created by this module (it has no label app.kubernetes.io/managed-by={MANAGER}). "
                "It was not changed. Delete it, or verify with mode light."
                " [slipway:verification_namespace]"
            )
        self._remove("leftovers of an interrupted run", self._namespace_gone, live["metadata"]["uid"])

    def _create_objects(self, image: str, host_port: int) -> None:
        for stage in stages(agnhost.objects(image, host_port)):
            self.client.each(self._apply, stage)

    def _apply(self, content: Object) -> None:
        kind = content["kind"].lower()
        resource = Resource(kind[:-1] + "ies" if kind.endswith("y") else kind + "s", True)
        self.client.apply(resource.path(reference(content)), content, MANAGER, force=True, dry_run=False)

    def _create_namespace(self) -> str:
        """Create the namespace of the test objects and return its UID; wait if another verification uses it.

        Two verifications in one namespace would delete each other's pods. A module continues on its host after its playbook was killed.
        """
        run = uuid.uuid4().hex
        content = agnhost.namespace({RUN: run})
        while True:
            try:
                return self.client.create("/api/v1/namespaces", content, MANAGER)["metadata"]["uid"]
            except ApiError as error:
                if error.status != 409:
                    raise
            live = self.client.find(NAMESPACE_PATH) or {"metadata": {}}
            if (live["metadata"].get("annotations") or {}).get(RUN) == run:
                return live["metadata"]["uid"]  # the first response was lost, and the request was repeated
            if time.monotonic() > self.deadline:
                raise NamespaceInUse(
                    f"Another verification is running: its namespace {NAMESPACE} still exists. It was not changed. "
                    "Run this again when the other verification has ended."
                    " [slipway:verification_namespace]"
                )
            time.sleep(POLL)

    def _test_network(self, domain: str, host_port: int, only_policies: bool, network_policy: str) -> None:
        pods, services = (self.client.items(NAMESPACE_PATH + kind) for kind in ("/pods", "/services"))
        connectivity = Connectivity(self.client, pods, services, domain, host_port)
        if only_policies:
            self._test_policies(connectivity, every_node=True)
            return
        for test in connectivity.pod_tests():
            self._run(test)
        if not self.ok:
            # The remaining tests would fail for the same reason.
            self.results.append(Result("Services and DNS", False, "skipped, because pods cannot reach each other"))
            return
        for test in connectivity.service_tests():
            self._run(test)
        if network_policy == "true" or (network_policy == "auto" and self.policies_enforced):
            self._test_policies(connectivity, every_node=False)

    def _test_policies(self, connectivity: Connectivity, every_node: bool) -> None:
        """Test NetworkPolicies; the last test, because they isolate the test pods."""
        if len(connectivity.web) < agnhost.REPLICAS:
            evidence = f"only {len(connectivity.web)} of {agnhost.REPLICAS} test pods with label app=web are left: verify the cluster again"
            self.results.append(Result("NetworkPolicy", False, evidence))
            return
        self.client.each(self._apply, policies.objects(connectivity.pods, self.network["name"]))
        started = time.monotonic()
        test = connectivity.policy_test(self.times.network, every_node)
        self._record(test, test.run(), started)

    def _run(self, test: NetworkTest) -> None:
        started = time.monotonic()
        while True:
            failed = test.run()
            if not failed or time.monotonic() - started >= self.times.network:
                break
            tell(f"tests {test.name}: {len(failed)} failed so far", *Redactor().log_lines(failed))
            time.sleep(POLL)
        self._record(test, failed, started)

    def _record(self, test: NetworkTest, failed: list[str], started: float) -> None:
        evidence = "\n".join([f"{len(failed)} failed:", shorten(failed), test.advice]) if failed else test.success
        self.results.append(Result(test.name, not failed, evidence, time.monotonic() - started))

    def _remove(self, test: str, gone: Callable[[], Observation], uid: str) -> None:
        """Delete the namespace of the test objects, unless another run has replaced it in the meantime."""
        if self.client.delete(NAMESPACE_PATH, uid):
            # Deleting a namespace takes some seconds; its pods are deleted here, so that they terminate immediately.
            for path in (*WORKLOAD_PATHS, NAMESPACE_PATH + "/pods"):
                self.client.delete(path)
        else:
            gone = self._replaced
        self._wait_for(test, gone, deadline=time.monotonic() + self.times.cleanup)

    def _replaced(self) -> Observation:
        return Observation(True, "nothing to remove: the namespace of this run no longer exists")

    def _pods_gone(self) -> Observation:
        left = [pod["metadata"]["name"] for pod in self.client.items(NAMESPACE_PATH + "/pods")]
        if not left:
            return Observation(True, f"all test pods have been removed, and namespace {NAMESPACE} is terminating")
        return Observation(False, f"pods of namespace {NAMESPACE} have not terminated: {', '.join(left)}")

    def _namespace_gone(self) -> Observation:
        if self.client.find(NAMESPACE_PATH) is None:
            return Observation(True, f"namespace {NAMESPACE} has been removed")
        command = f"kubectl get namespace {NAMESPACE} -o yaml"
        return Observation(
            False, f"namespace {NAMESPACE} has not been removed: run {command} to see what blocks its deletion"
        )
