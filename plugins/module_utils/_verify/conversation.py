# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The test pods ask each other, each through the API server's proxy, and this host asks them too."""

from __future__ import annotations

import http.client
from typing import Any, Callable, Iterable, Mapping, NamedTuple, Sequence

from .._kube.api import ApiError, Client, Unreachable
from . import probes
from .probes import NAMESPACE, WEB_PORT, Answer, Call

DIAL = 10
OVERLAY = (
    "See that the network's packets pass between the nodes (VXLAN: UDP 4789 for Calico, UDP 8472 for Flannel; "
    "IP-in-IP: protocol 4; BGP: TCP 179)."
)
PROXY = "See kube-proxy and its log: kubectl -n kube-system logs -l k8s-app=kube-proxy."
DNS = "See CoreDNS and its log: kubectl -n kube-system logs -l k8s-app=kube-dns."


class Trial(NamedTuple):
    """Something to try: C(attempt) gives what failed; C(fine) is the evidence where nothing does, C(hint) the remedy."""

    test: str
    attempt: Callable[[], list[str]]
    fine: str
    hint: str


class Conversation:
    """Pods, nodes and Services of one verification."""

    def __init__(
        self,
        client: Client,
        pods: Iterable[Mapping[str, Any]],
        services: Iterable[Mapping[str, Any]],
        domain: str,
        host_port: int,
    ) -> None:
        """Take what the API server lists of the test's pods and Services.

        :param domain: DNS domain of the cluster.
        :param host_port: port of the pods on the nodes' network.
        """
        self.client = client
        self.found = probes.probes(pods, host_port)
        self.web = [probe.name for probe in self.found["web"]]
        specs = {service["metadata"]["name"]: service["spec"] for service in services}
        self.address: str = specs["web"]["clusterIP"]
        self.node_port: int = specs["web-node-port"]["ports"][0]["nodePort"]
        self.full_name = f"web.{NAMESPACE}.svc.{domain}"

    def between_pods(self) -> list[Trial]:
        """What all else rests on: pods reach each other, and nodes reach pods."""
        pairs = probes.pod_calls(self.found, from_nodes=False)
        from_nodes = probes.pod_calls(self.found, from_nodes=True)
        addresses = [(probe.address, probe.port) for probe in self.found["pods"]]

        def pods() -> list[str]:
            return probes.translated(self._dial(pairs))

        def nodes() -> list[str]:
            return probes.failures(self._dial(from_nodes)) + self._ask_here(addresses, "/clientip")

        return [
            Trial("pod to pod", pods, f"{len(pairs)} pairs, each seen with its own address", OVERLAY),
            Trial("node to pod", nodes, f"{len(from_nodes)} pairs, and from this control plane", OVERLAY),
        ]

    def services(self) -> list[Trial]:
        """Services by address, by name and by the nodes' ports, and all their replicas."""
        everyone = ("pods", "nodes")
        return [
            self._reach("ClusterIP", self.address, "Service web", everyone, PROXY),
            # A node's own resolver does not know the short name.
            self._reach("short DNS name", "web", "name web", ("pods",), DNS),
            self._reach("full DNS name", self.full_name, "name " + self.full_name, everyone, DNS),
            Trial(
                "NodePort", self._node_ports, "port %d on %d nodes" % (self.node_port, len(self.found["nodes"])), PROXY
            ),
            Trial("load spread", self._spread, f"all of {len(self.web)} replicas answer", PROXY),
        ]

    def _reach(self, test: str, host: str, target: str, apps: Sequence[str], hint: str) -> Trial:
        calls = probes.service_calls(self.found, host, WEB_PORT, target, apps)
        fine = f"{host}, asked {len(calls)} times"
        return Trial(test, lambda: probes.failures(self._dial(calls), self.web), fine, hint)

    def _node_ports(self) -> list[str]:
        answers = self._dial(probes.node_port_calls(self.found, self.node_port))
        nodes = [(probe.address, self.node_port) for probe in self.found["nodes"]]
        return probes.failures(answers, self.web) + self._ask_here(nodes, "/hostname")

    def _spread(self) -> list[str]:
        calls = probes.service_calls(self.found, self.address, WEB_PORT, "Service web", ("pods",), probes.TRIES)
        answers = self._dial(calls)
        who = probes.distinct(answers)
        bad = probes.failures(answers, self.web)
        if len(who) < len(self.web):
            bad.append(f"only {', '.join(who) or 'nobody'} answered of {', '.join(self.web)}")
        return bad

    def _dial(self, calls: Sequence[Call]) -> list[Answer]:
        return self.client.each(self._dial_one, calls)

    def _dial_one(self, call: Call) -> Answer:
        path = f"/api/v1/namespaces/{NAMESPACE}/pods/{call.source.name}:{call.source.port}/proxy/dial"
        try:
            return probes.read_answer(call, self.client.text(path, call.query(), timeout=DIAL))
        except Unreachable:
            return Answer(call, errors=("no answer within %d s, asked through the API server" % DIAL,))
        except ApiError as error:
            said = " ".join(error.message.split())
            return Answer(call, errors=(f"the API server does not reach {call.source}: {said}",))

    def _ask_here(self, targets: Sequence[tuple[str, int]], path: str) -> list[str]:
        """Ask from the host on which this runs, without any pod in between, and say what failed."""

        def ask(target: tuple[str, int]) -> str:
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

        said = zip(targets, self.client.each(ask, targets))
        return ["this control plane to %s:%d: %s" % (*target, error) for target, error in said if error]
