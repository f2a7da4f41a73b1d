# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the pod network, Services and DNS: test pods send requests to each other, started through the proxy of the API server."""

from __future__ import annotations

import http.client
import time
from functools import partial
from typing import Any, Callable, Iterable, Mapping, NamedTuple, Sequence

from .._kube.api import ApiError, Client, Unreachable
from . import agnhost, policies
from .agnhost import NAMESPACE, WEB_PORT, Answer, Call

DIAL_TIMEOUT = 10
# agnhost waits 5 s for a connection that is denied.
SETTLE = 0.5
POD_NETWORK_ADVICE = (
    "Check that the packets of the pod network pass between the nodes (VXLAN: UDP 4789 for Calico, UDP 8472 for Flannel and Cilium; "
    "IP-in-IP: protocol 4; BGP: TCP 179)."
)
PROXY_ADVICE = "Check kube-proxy and its log: kubectl -n kube-system logs -l k8s-app=kube-proxy."
DNS_ADVICE = "Check CoreDNS and its log: kubectl -n kube-system logs -l k8s-app=kube-dns."


class NetworkTest(NamedTuple):
    """A test of the network.

    :ivar run: returns what failed, an empty list on success.
    :ivar success: the evidence of a successful test.
    :ivar advice: the remedy if it fails.
    """

    name: str
    run: Callable[[], list[str]]
    success: str
    advice: str


class Connectivity:
    """The network tests between the pods, nodes and Services of one verification."""

    def __init__(
        self,
        client: Client,
        pods: Iterable[Mapping[str, Any]],
        services: Iterable[Mapping[str, Any]],
        domain: str,
        host_port: int,
    ) -> None:
        """Take the test pods and Services, as the API server lists them.

        :param domain: DNS domain of the cluster.
        :param host_port: port of the pods on the host network.
        """
        self.client = client
        self.domain = domain
        self.pods = agnhost.running_pods(pods, host_port)
        self.web = [pod.name for pod in self.pods["web"]]
        specs = {service["metadata"]["name"]: service["spec"] for service in services}
        self.address: str = specs["web"]["clusterIP"]
        self.node_port: int = specs["web-node-port"]["ports"][0]["nodePort"]
        self.full_name = f"web.{NAMESPACE}.svc.{domain}"

    def pod_tests(self) -> list[NetworkTest]:
        """Return the tests on which all others depend: between pods, and from nodes to pods."""
        from_pods = agnhost.pod_calls(self.pods, from_nodes=False)
        from_nodes = agnhost.pod_calls(self.pods, from_nodes=True)
        addresses = [(pod.address, pod.port) for pod in self.pods["pods"]]

        def pods() -> list[str]:
            return agnhost.translated(self._dial(from_pods))

        def nodes() -> list[str]:
            return agnhost.failures(self._dial(from_nodes)) + self._request_from_here(addresses, "/clientip")

        return [
            NetworkTest("pod to pod", pods, f"{len(from_pods)} pairs, without address translation", POD_NETWORK_ADVICE),
            NetworkTest(
                "node to pod", nodes, f"{len(from_nodes)} pairs, and from this control plane", POD_NETWORK_ADVICE
            ),
        ]

    def service_tests(self) -> list[NetworkTest]:
        """Return the tests of Services: by cluster IP, DNS name and node port, and that all replicas receive requests."""
        all_pods = ("pods", "nodes")
        ports = f"port {self.node_port} on {len(self.pods['nodes'])} nodes"
        return [
            self._service_test("ClusterIP", self.address, "Service web", all_pods, PROXY_ADVICE),
            # The resolver of a node does not know the short name.
            self._service_test("short DNS name", "web", "name web", ("pods",), DNS_ADVICE),
            self._service_test("full DNS name", self.full_name, f"name {self.full_name}", all_pods, DNS_ADVICE),
            NetworkTest("NodePort", self._node_ports, ports, PROXY_ADVICE),
            NetworkTest("load balancing", self._replicas, f"all {len(self.web)} replicas respond", PROXY_ADVICE),
        ]

    def policy_test(self, seconds: float, every_node: bool) -> NetworkTest:
        """Return the test of the NetworkPolicies of :func:`policies.objects`: what they allow passes, and everything else is denied.

        Each call is repeated by itself, at least once, because it takes a moment until a policy is in force: one that is not denied yet returns at
        once, and one that is denied takes seconds.

        :param seconds: for which calls are repeated.
        :param every_node: whether the pods of all nodes are called, and not a sample.
        """
        everywhere = self.pods["pods"]
        targets = everywhere if every_node else policies.sample(everywhere)
        passing = policies.passing(self.pods, targets, self.domain)
        refused = policies.refused(self.pods, targets)

        def run() -> list[str]:
            deadline = time.monotonic() + seconds

            def settle(judge: Callable[[Iterable[Answer]], list[str]], call: Call) -> list[str]:
                attempts = 0
                while True:
                    failed = judge([self._dial_one(call)])
                    attempts += 1
                    if not failed or (attempts > 1 and time.monotonic() >= deadline):
                        return failed
                    time.sleep(SETTLE)

            # Before the policies are in force, everything passes: what they must let pass is tested when they deny the rest.
            settled = self.client.each(partial(settle, policies.not_refused), refused)
            settled += self.client.each(partial(settle, agnhost.failures), passing)
            return [problem for failed in settled for problem in failed]

        nodes = (
            f"{len(targets)} nodes" if len(targets) == len(everywhere) else f"{len(targets)} of {len(everywhere)} nodes"
        )
        success = f"{len(passing)} connections passed and {len(refused)} were denied, on {nodes}"
        return NetworkTest("NetworkPolicy", run, success, policies.ADVICE)

    def _service_test(self, name: str, host: str, target: str, apps: Sequence[str], advice: str) -> NetworkTest:
        calls = agnhost.service_calls(self.pods, host, WEB_PORT, target, apps)
        return NetworkTest(
            name, lambda: agnhost.failures(self._dial(calls), self.web), f"{host}, {len(calls)} requests", advice
        )

    def _node_ports(self) -> list[str]:
        answers = self._dial(agnhost.node_port_calls(self.pods, self.node_port))
        nodes = [(pod.address, self.node_port) for pod in self.pods["nodes"]]
        return agnhost.failures(answers, self.web) + self._request_from_here(nodes, "/hostname")

    def _replicas(self) -> list[str]:
        calls = agnhost.service_calls(self.pods, self.address, WEB_PORT, "Service web", ("pods",), agnhost.TRIES)
        answers = self._dial(calls)
        responding = sorted({response for answer in answers for response in answer.responses})
        failed = agnhost.failures(answers, self.web)
        if len(responding) < len(self.web):
            failed.append(f"only {', '.join(responding) or 'none'} of {', '.join(self.web)} responded")
        return failed

    def _dial(self, calls: Sequence[Call]) -> list[Answer]:
        return self.client.each(self._dial_one, calls)

    def _dial_one(self, call: Call) -> Answer:
        path = f"/api/v1/namespaces/{NAMESPACE}/pods/{call.source.name}:{call.source.port}/proxy/dial"
        try:
            return agnhost.read_answer(call, self.client.text(path, call.query(), timeout=DIAL_TIMEOUT))
        except Unreachable:
            return Answer(call, errors=(f"no response through the API server within {DIAL_TIMEOUT} s",))
        except ApiError as error:
            return Answer(
                call, errors=(f"the API server cannot reach {call.source}: {' '.join(error.message.split())}",)
            )

    def _request_from_here(self, targets: Sequence[tuple[str, int]], path: str) -> list[str]:
        """Send a request to each target from the host on which the module runs, and return what failed."""

        def request(target: tuple[str, int]) -> str:
            connection = http.client.HTTPConnection(target[0], target[1], timeout=5)
            try:
                connection.request("GET", path)
                response = connection.getresponse()
                response.read()
                return "" if response.status == 200 else f"HTTP {response.status}"
            except (OSError, http.client.HTTPException) as error:
                return str(error) or type(error).__name__
            finally:
                connection.close()

        errors = zip(targets, self.client.each(request, targets))
        return [f"this control plane to {host}:{port}: {error}" for (host, port), error in errors if error]
