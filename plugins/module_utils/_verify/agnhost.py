# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pods that verify a cluster, the requests between them and the evaluation of the responses. Pure functions.

The pods run agnhost, a test program of Kubernetes (https://pkg.go.dev/k8s.io/kubernetes/test/images/agnhost).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Dict, Iterable, Mapping, Sequence

Object = Dict[str, Any]

NAMESPACE = "slipway-verify"
MANAGER = "slipway.kube"
PORT = 8080
WEB_PORT = 80
REPLICAS = 2
# The number of pairs of nodes grows quadratically: in larger clusters, each pod contacts this many of the next ones.
NEIGHBOURS = 12
TRIES = 8


@dataclass(frozen=True)
class AgnhostPod:
    """A test pod.

    :ivar host: it runs on the host network, so it represents its node.
    """

    name: str
    node: str
    address: str
    port: int
    host: bool = False

    def __str__(self) -> str:
        return f"node {self.node}" if self.host else f"pod {self.address} on {self.node}"


@dataclass(frozen=True)
class Call:
    """A request that a test pod sends.

    :ivar request: path of the request: ``clientip`` or ``hostname``.
    :ivar tries: number of times to send it.
    :ivar target: description of the target for messages.
    """

    source: AgnhostPod
    host: str
    port: int
    request: str
    tries: int = 1
    target: str = ""

    def query(self) -> dict[str, str]:
        """Return the query parameters for the path ``/dial`` of agnhost."""
        return {
            "host": self.host,
            "port": str(self.port),
            "request": self.request,
            "protocol": "http",
            "tries": str(self.tries),
        }

    def __str__(self) -> str:
        return f"{self.source} to {self.target or f'{self.host}:{self.port}'}"


@dataclass(frozen=True)
class Answer:
    """The responses to a call, and its errors.

    :ivar sent: whether the pod has sent the request: without that, the lack of a response says nothing about its target.
    """

    call: Call
    responses: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    sent: bool = False


@dataclass(frozen=True)
class Result:
    """The result of one test, with its evidence."""

    test: str
    ok: bool
    evidence: str
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return the result as the module returns it."""
        return {"test": self.test, "ok": self.ok, "evidence": self.evidence, "seconds": round(self.seconds, 1)}


def namespace(annotations: Mapping[str, str]) -> Object:
    """Return the namespace of the test objects."""
    labels = {
        "app.kubernetes.io/managed-by": MANAGER,
        "app.kubernetes.io/part-of": NAMESPACE,
        # Pods on the node network need it (https://kubernetes.io/docs/concepts/security/pod-security-standards/).
        "pod-security.kubernetes.io/enforce": "privileged",
    }
    metadata = {"name": NAMESPACE, "labels": labels, "annotations": dict(annotations)}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def objects(image: str, host_port: int) -> list[Object]:
    """Return the test objects, without their namespace.

    :param image: image of agnhost.
    :param host_port: TCP port on which the pods on the host network listen.
    """
    return [
        # Without it, the first pods would wait for a controller to create the default one.
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "probe", "namespace": NAMESPACE}},
        _service("web", "ClusterIP"),
        _service("web-node-port", "NodePort"),
        _workload("DaemonSet", "pods", image, PORT),
        _workload("DaemonSet", "nodes", image, host_port),
        _workload("Deployment", "web", image, PORT),
    ]


def _service(name: str, kind: str) -> Object:
    port = {"name": "http", "port": WEB_PORT, "targetPort": PORT, "protocol": "TCP"}
    metadata = {"name": name, "namespace": NAMESPACE}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {"type": kind, "selector": {"app": "web"}, "ports": [port]},
    }


def _workload(kind: str, app: str, image: str, port: int) -> Object:
    container = {
        "name": "agnhost",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": ["netexec", f"--http-port={port}", "--udp-port=-1"],
        "readinessProbe": {"httpGet": {"path": "/", "port": port}, "periodSeconds": 1, "failureThreshold": 30},
    }
    spec: Object = {
        "serviceAccountName": "probe",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 1,
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"operator": "Exists"}],
        "containers": [container],
    }
    if app == "nodes":
        spec.update(hostNetwork=True, dnsPolicy="ClusterFirstWithHostNet")
    template = {"metadata": {"labels": {"app": app}}, "spec": spec}
    content: Object = {"selector": {"matchLabels": {"app": app}}, "template": template}
    if kind == "Deployment":
        term = {"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": "kubernetes.io/hostname"}
        spec["affinity"] = {
            "podAntiAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": term}]
            }
        }
        content["replicas"] = REPLICAS
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": app, "namespace": NAMESPACE}, "spec": content}


def running_pods(pods: Iterable[Mapping[str, Any]], host_port: int) -> dict[str, list[AgnhostPod]]:
    """Return the running test pods by their label app: ``pods``, ``nodes`` and ``web``."""
    found: dict[str, list[AgnhostPod]] = {"pods": [], "nodes": [], "web": []}
    for pod in pods:
        app, address = (pod["metadata"].get("labels") or {}).get("app"), (pod.get("status") or {}).get("podIP")
        if app in found and address and not pod["metadata"].get("deletionTimestamp"):
            host = app == "nodes"
            found[app].append(
                AgnhostPod(
                    pod["metadata"]["name"], pod["spec"].get("nodeName", ""), address, host_port if host else PORT, host
                )
            )
    return {app: sorted(some, key=lambda pod: pod.node) for app, some in found.items()}


def pairs_of(sources: list[AgnhostPod], targets: list[AgnhostPod]) -> list[tuple[AgnhostPod, AgnhostPod]]:
    """Pair each source with all other targets, or with the next :data:`NEIGHBOURS` ones if there are more."""
    pairs = []
    for index, source in enumerate(sources):
        others = [target for target in targets[index + 1 :] + targets[: index + 1] if target.name != source.name]
        pairs += [(source, target) for target in others[:NEIGHBOURS]]
    return pairs


def pod_calls(found: Mapping[str, list[AgnhostPod]], from_nodes: bool) -> list[Call]:
    """Return the calls from every pod (or node) to the pods of other nodes, which respond with the source address."""
    sources = found["nodes"] if from_nodes else found["pods"]
    # On a single node, the replicas of web are the only other pods.
    targets = found["pods"] if len(found["pods"]) > 1 else found["pods"] + found["web"]
    return [
        Call(source, target.address, target.port, "clientip", target=str(target))
        for source, target in pairs_of(sources, targets)
    ]


def service_calls(
    found: Mapping[str, list[AgnhostPod]], host: str, port: int, target: str, apps: Sequence[str], tries: int = 1
) -> list[Call]:
    """Return the calls from every pod of some apps to a Service, which responds with the name of a pod."""
    return [Call(source, host, port, "hostname", tries, target) for app in apps for source in found[app]]


def node_port_calls(found: Mapping[str, list[AgnhostPod]], node_port: int) -> list[Call]:
    """Return the calls from every node to the NodePort of every other node, or to its own in a cluster of one node."""
    nodes = found["nodes"]
    pairs = pairs_of(nodes, nodes) or [(node, node) for node in nodes]
    return [
        Call(source, target.address, node_port, "hostname", target=f"port {node_port} of node {target.node}")
        for source, target in pairs
    ]


def read_answer(call: Call, text: str) -> Answer:
    """Read a response of ``/dial``: JSON with responses and errors."""
    try:
        answer = json.loads(text)
        return Answer(call, tuple(answer.get("responses") or ()), tuple(answer.get("errors") or ()), sent=True)
    except (ValueError, AttributeError):
        return Answer(call, errors=(text.strip()[:200] or "no response",))


def failures(answers: Iterable[Answer], names: Sequence[str] = ()) -> list[str]:
    """Return the calls that failed.

    :param names: the pods that may respond; a response from any other pod is a failure.
    """
    found = []
    for answer in answers:
        unexpected = [response for response in answer.responses if names and response not in names]
        if answer.errors or not answer.responses:
            found.append(f"{answer.call}: {answer.errors[0] if answer.errors else 'no response'}")
        elif unexpected:
            found.append(f"{answer.call}: {unexpected[0]} responded, which is not one of {', '.join(names)}")
    return found


def translated(answers: Iterable[Answer]) -> list[str]:
    """Return the calls between pods that failed or arrived with another source address than that of the sender."""
    found = failures(answers)
    for answer in answers:
        for response in answer.responses:
            source = response.strip().rpartition(":")[0].strip("[]")
            if source != answer.call.source.address:
                found.append(f"{answer.call}: arrived with source address {source}, so the address was translated")
    return found


def shorten(lines: Sequence[str], most: int = 5) -> str:
    """Join the first lines, and add the number of the others."""
    return "\n".join(list(lines[:most]) + ([f"and {len(lines) - most} more"] if len(lines) > most else []))
