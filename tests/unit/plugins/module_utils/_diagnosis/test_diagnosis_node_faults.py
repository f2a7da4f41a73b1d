# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults between a pod and its node, with the messages of Kubernetes 1.37 and containerd 2: profiles, ports, preemption, nameservers."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._diagnosis.explain import explain_faults
from ansible_collections.slipway.kube.plugins.module_utils._diagnosis.finding import PENDING
from ansible_collections.slipway.kube.plugins.module_utils._kube.objects import Reference

from .conftest import Cluster, crashed, deployment, event, findings_of, node, pod, service, waiting

WEB = Reference("apps/v1", "Deployment", "shop", "web")
CREATE = "failed to create containerd container: "


def pending(message: str, name: str = "web-1-a", **more: Any) -> dict[str, Any]:
    """A pod that the scheduler rejects."""
    made = pod(name, state={}, age=60, spec={"nodeName": "", **more.pop("spec", {})}, **more)
    made["status"].update(
        conditions=[{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}],
        containerStatuses=[],
    )
    return made


def tainted(name: str) -> dict[str, Any]:
    """A node for other pods."""
    made = node(name)
    made["spec"]["taints"] = [{"key": "dedicated", "value": "gpu", "effect": "NoSchedule"}]
    return made


@pytest.mark.parametrize(
    ("message", "title"),
    [
        (
            CREATE + 'cannot load seccomp profile "/var/lib/kubelet/seccomp/profiles/audit.json": '
            "open /var/lib/kubelet/seccomp/profiles/audit.json: no such file or directory",
            "container app: the seccomp profile /var/lib/kubelet/seccomp/profiles/audit.json is not on the node",
        ),
        (
            CREATE
            + 'decoding seccomp profile failed "/var/lib/kubelet/seccomp/bad.json": unexpected end of JSON input',
            "container app: the seccomp profile /var/lib/kubelet/seccomp/bad.json is not valid",
        ),
        (
            "failed to generate apparmor spec opts: apparmor profile not found k8s-deny-write",
            "container app: the AppArmor profile k8s-deny-write is not on the node",
        ),
    ],
)
def test_a_profile_that_the_node_lacks_is_no_bad_command(message: str, title: str) -> None:
    (finding,) = findings_of({**deployment(0), "Pod": [pod(state=waiting("CreateContainerError", message))]})
    assert (finding.fault, finding.title, finding.hopeless) == ("security_profile_missing", title, False)
    assert "/var/lib/kubelet/seccomp" in finding.advice


def logged(*lines: str, **more: Any) -> Cluster:
    """A cluster with a pod that crashed and has written these lines."""
    cluster = Cluster({**deployment(0), "Node": [node()], "Pod": [pod(state=crashed(restarts=3), **more)]})
    cluster.texts["/api/v1/namespaces/shop/pods/web-1-a/log"] = "\n".join(lines)
    return cluster


@pytest.mark.parametrize(
    ("line", "port"),
    [
        ("2026/11/29 10:20:30 [emerg] 1#1: bind() to 0.0.0.0:80 failed (13: Permission denied)", "port 80"),
        ("2026-11-29 10:20:30 listen tcp :443: bind: permission denied", "port 443"),
        ("Error: listen EACCES: permission denied 0.0.0.0:80", "port 80"),
        ("(13)Permission denied: AH00072: make_sock: could not bind to address [::]:80", "port 80"),
        ("caddy: listen tcp [::]:80: bind: permission denied", "port 80"),
        ("bind failed: Permission denied", "its port"),
    ],
)
def test_a_port_that_needs_a_capability(line: str, port: str) -> None:
    (finding,) = explain_faults(logged("starting", line), [WEB])
    assert finding.fault == "privileged_port" and "NET_BIND_SERVICE" in finding.advice
    assert finding.title == f"container app: it is not permitted to listen on {port}"


@pytest.mark.parametrize(
    "line",
    [
        "listen unix /run/app.sock: bind: permission denied",
        "bind() to /run/app.sock failed (13: Permission denied)",
        "bind mount /data: permission denied",
        "listen tcp :8080: bind: permission denied",
        "listen unix /run/app.sock: bind: address already in use",
    ],
)
def test_a_socket_file_or_a_high_port_is_no_privileged_port(line: str) -> None:
    (finding,) = explain_faults(logged(line), [WEB])
    assert finding.fault == "crash_loop"


@pytest.mark.parametrize(
    "line",
    [
        "curl: (7) Failed to connect to 10.96.0.7 port 5432 after 0 ms: Couldn't connect to server",
        "dial tcp 10.96.0.7:5432: connect: connection refused",
        "Error: connect ECONNREFUSED 10.96.0.7:5432",
        "psycopg2.OperationalError: could not connect to server: Connection refused. Is the server running on port 5432?",
        "pq: dial tcp 10.96.0.7:5432: i/o timeout",
    ],
)
def test_a_failed_connection_is_named(line: str) -> None:
    (finding,) = explain_faults(logged("starting", line), [WEB])
    assert finding.fault == "crash_loop" and f"failed connection: {line}" in finding.evidence[-1]
    assert "its endpoints" in finding.advice


@pytest.mark.parametrize(
    "line",
    [
        "curl: (6) Could not resolve host: database",
        "curl: (28) Resolving timed out after 5000 milliseconds",
        "getaddrinfo EAI_AGAIN database",
    ],
)
def test_a_name_that_is_not_resolved_is_named(line: str) -> None:
    (finding,) = explain_faults(logged(line), [WEB])
    assert finding.fault == "crash_loop" and "name resolution error" in finding.evidence[-1]
    (finding,) = explain_faults(logged(line, spec={"dnsConfig": {"nameservers": ["192.0.2.53"]}}), [WEB])
    assert finding.fault == "pod_dns"


TAKEN = 'ts=2026-11-29T10:20:30.123Z err="listen tcp 0.0.0.0:9100: bind: address already in use"'


@pytest.mark.parametrize(
    ("line", "port"),
    [
        (TAKEN, "port 9100"),
        ("Error: listen EADDRINUSE: address already in use :::8080", "port 8080"),
        ("nginx: [emerg] bind() to 0.0.0.0:80 failed (98: Address in use)", "port 80"),
        ("Web server failed to start. Port 8080 was already in use.", "port 8080"),
        ("java.net.BindException: Address already in use", "its port"),
    ],
)
def test_a_port_that_another_process_of_the_pod_uses(line: str, port: str) -> None:
    (finding,) = explain_faults(logged(line), [WEB])
    assert finding.fault == "port_in_use" and finding.title == f"container app: {port} is already in use"
    assert "Two containers of the pod" in finding.advice


def test_a_port_that_clashes_on_the_node_names_its_user() -> None:
    ports = {"ports": [{"containerPort": 9100, "hostPort": 9100}]}
    cluster = logged(TAKEN, spec={"hostNetwork": True}, container=ports)
    cluster.lists["Pod"][0]["spec"]["containers"][0].update(ports)
    other = pod("exporter-x", owner="", labels={})
    other["spec"].update(hostNetwork=True, containers=[{"name": "e", "image": "e", **ports}])
    cluster.lists["Pod"].append(other)
    (finding,) = explain_faults(cluster, [WEB])
    assert finding.title == "container app: port 9100 is already in use on node w1, by pod shop/exporter-x"
    assert "hostNetwork" in finding.advice


def test_a_host_port_that_is_taken_is_told_with_its_user_although_taints_outnumber_it() -> None:
    said = "0/3 nodes are available: 1 node(s) didn't have free ports for the requested pod ports, 2 node(s) had untolerated taint(s). "
    said += "preemption: 0/3 nodes are available: 1 No preemption victims found for incoming pod, 2 Preemption is not helpful for scheduling."
    ports = {"ports": [{"containerPort": 80, "hostPort": 8080}]}
    mine = pending(said, container=ports)
    other = pod("edge-x", owner="edge-1", labels={}, container=ports)
    lists = {**deployment(0), "Node": [node(), tainted("w2"), tainted("w3")], "Pod": [mine, other]}
    (finding,) = findings_of(lists)
    assert finding.fault == "unschedulable_ports"
    assert finding.title == "host port 8080 of the pod is in use on every suitable node, by other pods"
    assert "port 8080 of node w1 is used by pod shop/edge-x" in finding.evidence
    lists["Pod"][1] = pod("web-1-b", container=ports)
    (finding,) = findings_of(lists)
    assert (
        "by other pods of the same workload" in finding.title and "no more pods than there are nodes" in finding.advice
    )


def test_a_kubelet_that_finds_the_host_port_taken() -> None:
    rejected = pod(state={}, age=20)
    rejected["status"].update(
        phase="Failed", reason="NodePorts", message="Predicate NodePorts failed", containerStatuses=[]
    )
    (finding,) = findings_of({**deployment(0), "Node": [node()], "Pod": [rejected]})
    assert finding.fault == "node_refuses_pod" and "uses the host port" in finding.advice


def preempted(**more: Any) -> dict[str, Any]:
    """The event of the scheduler about a pod that it has deleted."""
    message = "Preempted by pod 0b1d6f7e on node w1"
    related = {"kind": "Pod", "namespace": "batch", "name": "report-0", "uid": "0b1d6f7e"}
    return event("Pod", "web-1-z", "Preempted", message, ago=50, related=related, **{"type": "Normal", **more})


def test_preemption_is_the_cause_of_a_pod_without_room() -> None:
    said = "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod."
    lists = {**deployment(0), "Node": [node()], "Pod": [pending(said)], "Event": [preempted()]}
    (finding,) = findings_of(lists)
    assert finding.fault == "preempted" and finding.patience == PENDING and "PriorityClass" in finding.advice
    assert finding.title.startswith("pod batch/report-0 of a higher priority has preempted a pod of this workload")
    assert "Preempted: pod web-1-z: Preempted by pod 0b1d6f7e on node w1" in finding.evidence
    lists["Event"][0]["involvedObject"]["name"] = "web-10-z"
    (finding,) = findings_of(lists)
    assert finding.fault == "unschedulable_resources"


def test_a_pod_that_preempts_others_waits_for_them() -> None:
    mine = pending(
        "0/1 nodes are available: 1 Insufficient cpu. preemption: not eligible due to a terminating pod on the nominated node."
    )
    mine["status"]["nominatedNodeName"] = "w1"
    (finding,) = findings_of({**deployment(0), "Node": [node()], "Pod": [mine]})
    assert (
        finding.title == "waits until the pods that it preempts on node w1 have ended" and finding.severity == "warning"
    )


@pytest.mark.parametrize(
    "line",
    [
        "dial tcp: lookup db.shop.svc on 10.9.9.9:53: read udp 10.244.1.2:5353->10.9.9.9:53: i/o timeout",
        "Error: getaddrinfo EAI_AGAIN db",
        'psql: could not translate host name "db" to address: Name does not resolve',
        "java.net.UnknownHostException: db",
        "dial tcp: lookup db on 10.9.9.9:53: no such host",
    ],
)
def test_a_nameserver_of_the_pod_that_does_not_answer(line: str) -> None:
    own = {"dnsPolicy": "None", "dnsConfig": {"nameservers": ["10.9.9.9"]}}
    (finding,) = explain_faults(logged(line, spec=own), [WEB])
    assert finding.fault == "pod_dns" and "with the nameservers of its dnsConfig (10.9.9.9)" in finding.title
    assert "dnsPolicy: None" in finding.advice
    (finding,) = explain_faults(logged(line), [WEB])
    assert finding.fault == "crash_loop" and "the cluster DNS" in finding.advice


@pytest.mark.parametrize(
    "reason", ["0/3 nodes are available: 1 Insufficient memory, 2 node(s) had untolerated taint(s)."]
)
def test_what_rejects_the_nodes_that_the_pod_may_use_is_the_cause(reason: str) -> None:
    lists = {**deployment(0), "Node": [node(), tainted("w2"), tainted("w3")], "Pod": [pending(reason)]}
    (finding,) = findings_of(lists)
    assert finding.fault == "unschedulable_resources"


def test_a_privilege_that_an_image_needs_at_its_start_is_told() -> None:
    (finding,) = explain_faults(logged("chown: /var/lib/postgresql/data: Operation not permitted"), [WEB])
    assert finding.fault == "crash_loop" and "CHOWN, SETUID" in finding.advice and "emptyDir" not in finding.advice


def test_a_permission_error_is_not_taken_for_a_port() -> None:
    (finding,) = explain_faults(logged("open /data/x: permission denied", "listening on :80"), [WEB])
    assert finding.fault == "crash_loop" and "emptyDir" in finding.advice


PULL = 'failed to pull and unpack image "r/app:1": '
SETUP = 'Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox "8f": '


@pytest.mark.parametrize(
    ("message", "fault", "title"),
    [
        (
            PULL
            + 'failed to do request: Head "https://r/v2/": tls: failed to verify certificate: x509: certificate signed by unknown authority',
            "image_unreachable",
            "the node does not trust the certificate of the registry",
        ),
        (
            PULL + 'failed to do request: Head "https://r/v2/": http: server gave HTTP response to HTTPS client',
            "image_unreachable",
            "the registry answers without TLS",
        ),
        (
            PULL + "unexpected media type text/html for sha256:ab: not found",
            "image_unreachable",
            "the server is not a registry",
        ),
        (
            PULL
            + 'media type "application/vnd.docker.distribution.manifest.v1+prettyjws" is no longer supported since containerd v2.1',
            "image_pull_fails",
            "its manifest has a format that containerd no longer supports",
        ),
        (
            "image pull failed for r/app:1 because the signature validation failed: A signature was required, but no signature exists",
            "image_pull_fails",
            "its signature is refused",
        ),
    ],
)
def test_what_a_registry_or_its_certificate_is_to_blame_for(message: str, fault: str, title: str) -> None:
    (finding,) = findings_of({**deployment(0), "Pod": [pod(state=waiting("ErrImagePull", message))]})
    assert (finding.fault, finding.severity) == (fault, "error") and finding.title.endswith(title)


@pytest.mark.parametrize(
    ("message", "title"),
    [
        (
            SETUP + "failed to allocate for range 0: no IP addresses available in range set: 10.244.1.1-10.244.1.254",
            "node w1 has no address left for pods",
        ),
        (
            SETUP + 'failed to find plugin "bridge" in path [/opt/cni/bin]',
            "a program of the network plugin is missing on node w1",
        ),
        (
            SETUP + "error getting ClusterInformation: connection is unauthorized: Unauthorized",
            "the credentials of the network plugin on node w1 are not valid",
        ),
        (
            'failed to get sandbox image "registry.k8s.io/pause:3.10": failed to pull image: dial tcp: i/o timeout',
            "node w1 cannot pull the image of sandboxes (pause)",
        ),
        (
            'expected cgroupsPath to be of format "slice:prefix:name" for systemd cgroups, got "/kubepods/besteffort/pod1/2" instead',
            "the kubelet and containerd on node w1 use different cgroup drivers",
        ),
        (
            'failed to reserve sandbox name "web": name "web" is reserved for "abc"',
            "containerd on node w1 is still creating or deleting an earlier sandbox of the pod",
        ),
        (
            SETUP + "open /run/flannel/subnet.env: no such file or directory",
            "the pod network could not be set up on node w1",
        ),
    ],
)
def test_why_a_sandbox_cannot_be_created(message: str, title: str) -> None:
    lists = {**deployment(0), "Pod": [pod(state=waiting("ContainerCreating"))], "Node": [node()]}
    (finding,) = findings_of({**lists, "Event": [event("Pod", "web-1-a", "FailedCreatePodSandBox", message)]})
    assert (finding.fault, finding.title) == ("sandbox_fails", title) and finding.advice


@pytest.mark.parametrize(
    ("reason", "advice"),
    [
        ("1 Too many pods.", "maxPods, 110 by default"),
        (
            "1 node(s) had untolerated taint {node.cloudprovider.kubernetes.io/uninitialized: true}.",
            "cloud controller manager",
        ),
        ("1 node(s) had untolerated taint {node.kubernetes.io/unreachable: }.", "Repair the nodes"),
        ("1 node(s) had untolerated taint {dedicated: gpu}.", "Add a toleration"),
        ("1 cannot allocate all claims.", "kubectl describe resourceclaim"),
    ],
)
def test_advice_that_is_more_special_than_the_fault(reason: str, advice: str) -> None:
    lists = {**deployment(0), "Pod": [pending(f"0/1 nodes are available: {reason}")], "Node": [node()]}
    assert advice in findings_of(lists)[0].advice


@pytest.mark.parametrize(
    ("labels", "severity"), [({}, "info"), ({"node-role.kubernetes.io/control-plane": ""}, "error")]
)
def test_a_component_that_a_provider_runs_has_no_pods(labels: dict[str, str], severity: str) -> None:
    """kube-prometheus-stack makes such Services in every cluster."""
    made = service("kube-prometheus-kube-scheduler", {"component": "kube-scheduler"}, clusterIP="None")
    made["metadata"]["namespace"] = "kube-system"
    one = node()
    one["metadata"]["labels"].update(labels)
    (finding,) = findings_of({"Service": [made], "EndpointSlice": [], "Node": [one], "Pod": []})
    assert (finding.fault, finding.severity) == ("service_selects_nothing", severity)
