# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pods with which a cluster is verified, who asks whom, and what the answers mean: pure functions."""

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
# Asking every pod from every node grows with the square of the nodes: above this, each asks so many of the next ones.
NEIGHBOURS = 12
TRIES = 8


@dataclass(frozen=True)
class Probe:
    """A pod that answers and asks. C(host): it uses its node's own network, so it stands for the node."""

    name: str
    node: str
    address: str
    port: int
    host: bool = False

    def __str__(self) -> str:
        return f"node {self.node}" if self.host else f"pod {self.address} on {self.node}"


@dataclass(frozen=True)
class Call:
    """One question: who asks which address for what, and how often."""

    source: Probe
    host: str
    port: int
    request: str
    tries: int = 1
    target: str = ""

    def query(self) -> dict[str, str]:
        """Give the query of agnhost's C(/dial)."""
        return {
            "host": self.host,
            "port": str(self.port),
            "request": self.request,
            "protocol": "http",
            "tries": str(self.tries),
        }

    def __str__(self) -> str:
        return f"{self.source} to {self.target or '%s:%d' % (self.host, self.port)}"


@dataclass(frozen=True)
class Answer:
    """What came of a call: what the target said, and what went wrong."""

    call: Call
    responses: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()


@dataclass(frozen=True)
class Result:
    """One thing that was verified, and the evidence."""

    test: str
    ok: bool
    evidence: str
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Give it as the module returns it."""
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
    """Make what is put into the cluster for the time of the test.

    :param image: image of agnhost, Kubernetes' own test program (https://pkg.go.dev/k8s.io/kubernetes/test/images/agnhost).
    :param host_port: TCP port on which the pods of the nodes' network answer.
    """
    return [
        # Made here so that the first pods need not wait for the one that a controller makes.
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


def probes(pods: Iterable[Mapping[str, Any]], host_port: int) -> dict[str, list[Probe]]:
    """Sort the running test pods by what they are for: C(pods), C(nodes) and C(web)."""
    found: dict[str, list[Probe]] = {"pods": [], "nodes": [], "web": []}
    for pod in pods:
        app, address = (pod["metadata"].get("labels") or {}).get("app"), (pod.get("status") or {}).get("podIP")
        if app in found and address and not pod["metadata"].get("deletionTimestamp"):
            host = app == "nodes"
            found[app].append(
                Probe(
                    pod["metadata"]["name"], pod["spec"].get("nodeName", ""), address, host_port if host else PORT, host
                )
            )
    return {app: sorted(some, key=lambda probe: probe.node) for app, some in found.items()}


def neighbours(sources: list[Probe], targets: list[Probe]) -> list[tuple[Probe, Probe]]:
    """Pair each source with all targets but itself, or with the next ones where there are many."""
    pairs = []
    for index, source in enumerate(sources):
        others = [target for target in targets[index + 1 :] + targets[: index + 1] if target.name != source.name]
        pairs += [(source, target) for target in others[:NEIGHBOURS]]
    return pairs


def pod_calls(found: Mapping[str, list[Probe]], from_nodes: bool) -> list[Call]:
    """Ask from every pod (or node) the pods of the others who is asking them."""
    sources = found["nodes"] if from_nodes else found["pods"]
    # On a single node, pods of another kind are the others.
    targets = found["pods"] if len(found["pods"]) > 1 else found["pods"] + found["web"]
    return [
        Call(source, target.address, target.port, "clientip", target=str(target))
        for source, target in neighbours(sources, targets)
    ]


def service_calls(
    found: Mapping[str, list[Probe]], host: str, port: int, target: str, apps: Sequence[str], tries: int = 1
) -> list[Call]:
    """Ask a Service from every pod and node for the name of the pod that answers."""
    return [Call(source, host, port, "hostname", tries, target) for app in apps for source in found[app]]


def node_port_calls(found: Mapping[str, list[Probe]], node_port: int) -> list[Call]:
    """Ask from nodes the NodePort of every other node, or its own where there is one."""
    nodes = found["nodes"]
    pairs = neighbours(nodes, nodes) or [(node, node) for node in nodes]
    return [
        Call(source, target.address, node_port, "hostname", target="port %d of node %s" % (node_port, target.node))
        for source, target in pairs
    ]


def read_answer(call: Call, text: str) -> Answer:
    """Read what agnhost's C(/dial) says: JSON with responses and errors."""
    try:
        said = json.loads(text)
        return Answer(call, tuple(said.get("responses") or ()), tuple(said.get("errors") or ()))
    except (ValueError, AttributeError):
        return Answer(call, errors=(text.strip()[:200] or "no answer",))


def failures(answers: Iterable[Answer], names: Sequence[str] = ()) -> list[str]:
    """Say which calls failed. C(names): who may answer; an answer from someone else is a failure."""
    found = []
    for answer in answers:
        strangers = [said for said in answer.responses if names and said not in names]
        if answer.errors or not answer.responses:
            found.append(f"{answer.call}: {answer.errors[0] if answer.errors else 'no answer'}")
        elif strangers:
            found.append(f"{answer.call}: answered by {strangers[0]}, which is none of {', '.join(names)}")
    return found


def translated(answers: Iterable[Answer]) -> list[str]:
    """Say which calls between pods arrived with another address than the sender's own."""
    found = failures(answers)
    for answer in answers:
        for said in answer.responses:
            seen = said.strip().rpartition(":")[0].strip("[]")
            if seen != answer.call.source.address:
                found.append(f"{answer.call}: arrived with the source address {seen}, so it was translated")
    return found


def distinct(answers: Iterable[Answer]) -> list[str]:
    """List who answered, each once."""
    return sorted({said for answer in answers for said in answer.responses})


def shorten(lines: Sequence[str], most: int = 5) -> str:
    """Join some lines, with a count of those left out."""
    return "\n".join(list(lines[:most]) + ([f"and {len(lines) - most} more"] if len(lines) > most else []))
