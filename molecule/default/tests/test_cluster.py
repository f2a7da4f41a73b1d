# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the cluster must be and do, asked from outside with the kubeconfig that the run left on the control node."""

from __future__ import annotations

import base64
import http.client
import ssl
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client, config
from kubernetes.stream import stream

from harness.playbook import run
from harness.targets import components, group, inventory, variables

NAMESPACE = "molecule-default"
PATIENCE = 120  # seconds for pods whose image is on its way
NODES = group("kube_cluster")
KUBECONFIG = inventory().with_name("kubeconfig")


def addresses() -> dict[str, str]:
    return {name: variables(name)["ansible_host"] for name in NODES}


def wait_for(what: str, answer: Callable[[], Any]) -> Any:
    """Return the first answer that is not empty.

    :raises AssertionError: when there is none after PATIENCE seconds.
    """
    deadline = time.time() + PATIENCE
    while True:
        found = answer()
        if found:
            return found
        assert time.time() < deadline, f"waited {PATIENCE} s in vain for {what}"
        time.sleep(1)


def fetch(url: str) -> str:
    """Return what a URL answers; nothing while nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=3) as answer:
            return str(answer.read().decode())
    except (OSError, http.client.HTTPException):
        return ""


def test_the_health_report_of_a_sound_cluster_is_clean(tmp_path: Path) -> None:
    page = tmp_path / "health.html"
    done = run("slipway.kube.health", inventory(), tmp_path, "-e", f"health_page={page}").succeeded()
    text = page.read_text()
    assert "No faults found" in done.output and "No faults found" in text
    assert "http://" not in text.replace("http://www.w3.org", "")


@pytest.fixture(scope="module")
def core() -> client.CoreV1Api:
    assert KUBECONFIG.stat().st_mode & 0o777 == 0o600
    return client.CoreV1Api(config.new_client_from_config(str(KUBECONFIG)))


@pytest.fixture(scope="module")
def web(core: client.CoreV1Api) -> Iterator[list[client.V1Pod]]:
    """Two replicas behind a NodePort and one pod on every node to ask from; gone again after the tests."""
    image = f"registry.k8s.io/e2e-test-images/agnhost:{components(NODES[0])['agnhost']}"
    container = {"name": "agnhost", "image": image, "args": ["netexec", "--http-port=8080"]}
    container["readinessProbe"] = {"httpGet": {"path": "/hostname", "port": 8080}, "periodSeconds": 1}
    probe = {"name": "agnhost", "image": image, "args": ["pause"]}
    everywhere = [{"operator": "Exists"}]
    apps = client.AppsV1Api(core.api_client)
    core.create_namespace({"metadata": {"name": NAMESPACE}})
    try:
        apps.create_namespaced_deployment(NAMESPACE, workload("web", [container], {"replicas": 2}, everywhere))
        apps.create_namespaced_daemon_set(NAMESPACE, workload("probe", [probe], {}, everywhere))
        ports = [{"port": 80, "targetPort": 8080}]
        core.create_namespaced_service(
            NAMESPACE,
            {"metadata": {"name": "web"}, "spec": {"type": "NodePort", "selector": {"app": "web"}, "ports": ports}},
        )
        yield wait_for("two ready replicas and a probe on every node", lambda: ready_pods(core))
    finally:
        core.delete_namespace(NAMESPACE, grace_period_seconds=0)
        wait_for(
            "the namespace to go", lambda: NAMESPACE not in [item.metadata.name for item in core.list_namespace().items]
        )


def workload(name: str, containers: list[Any], extra: dict[str, Any], tolerations: list[Any]) -> dict[str, Any]:
    labels = {"app": name}
    pod = {"containers": containers, "tolerations": tolerations, "terminationGracePeriodSeconds": 0}
    template = {"metadata": {"labels": labels}, "spec": pod}
    return {"metadata": {"name": name}, "spec": {"selector": {"matchLabels": labels}, "template": template, **extra}}


def is_ready(item: Any) -> bool:
    return any(condition.type == "Ready" and condition.status == "True" for condition in item.status.conditions or [])


def ready_pods(core: client.CoreV1Api) -> list[client.V1Pod]:
    pods = core.list_namespaced_pod(NAMESPACE).items
    return list(pods) if len(pods) == 2 + len(NODES) and all(is_ready(pod) for pod in pods) else []


def execute(core: client.CoreV1Api, pod: client.V1Pod, *command: str) -> str:
    connect = core.connect_get_namespaced_pod_exec
    return str(
        stream(
            connect,
            pod.metadata.name,
            NAMESPACE,
            command=list(command),
            stdout=True,
            stderr=True,
            stdin=False,
            tty=False,
        )
    )


def probes(pods: list[client.V1Pod]) -> list[client.V1Pod]:
    return [pod for pod in pods if pod.metadata.labels["app"] == "probe"]


def test_every_host_is_a_ready_node_at_its_version(core: client.CoreV1Api) -> None:
    nodes = {node.metadata.name: node for node in core.list_node().items}
    assert set(nodes) == set(NODES)
    for name, node in nodes.items():
        wanted = components(name)
        assert is_ready(node), f"{name}: {node.status.conditions}"
        assert node.status.node_info.kubelet_version == f"v{wanted['kubernetes']}"
        assert node.status.node_info.container_runtime_version == f"containerd://{wanted['containerd']}"
        assert {address.type: address.address for address in node.status.addresses}["InternalIP"] == addresses()[name]
        assert not node.spec.unschedulable


def test_control_planes_are_told_apart(core: client.CoreV1Api) -> None:
    label = "node-role.kubernetes.io/control-plane"
    found = {node.metadata.name for node in core.list_node(label_selector=label).items}
    assert found == set(group("kube_control_plane"))


def test_the_api_server_has_the_version(core: client.CoreV1Api) -> None:
    assert client.VersionApi(core.api_client).get_code().git_version == f"v{components(NODES[0])['kubernetes']}"


def test_all_system_pods_are_ready(core: client.CoreV1Api) -> None:
    pods = [pod for pod in core.list_pod_for_all_namespaces().items if pod.metadata.namespace != NAMESPACE]
    per_node = Counter(pod.spec.node_name for pod in pods if pod.metadata.name.startswith("kube-proxy-"))
    assert set(per_node) == set(NODES)
    assert any(pod.metadata.name.startswith("coredns-") for pod in pods)
    unready = [
        f"{pod.metadata.namespace}/{pod.metadata.name} is {pod.status.phase}" for pod in pods if not is_ready(pod)
    ]
    assert not unready


def test_nobody_else_can_join_any_more(core: client.CoreV1Api) -> None:
    tokens = core.list_namespaced_secret("kube-system", field_selector="type=bootstrap.kubernetes.io/token").items
    assert not [token.metadata.name for token in tokens]


@pytest.mark.parametrize("node", NODES)
def test_kubelets_serve_with_certificates_of_the_cluster(node: str) -> None:
    context = ssl.create_default_context(cadata=authority())
    context.check_hostname = True
    connection = http.client.HTTPSConnection(addresses()[node], 10250, context=context, timeout=10)
    connection.request("GET", "/healthz")
    assert (
        connection.getresponse().status == 401
    )  # who asks without a certificate is refused, over a connection that holds


def authority() -> str:
    cluster = yaml.safe_load(KUBECONFIG.read_text())["clusters"][0]["cluster"]
    return base64.b64decode(cluster["certificate-authority-data"]).decode()


@pytest.mark.parametrize("name", ["kubernetes.default", "kubernetes.default.svc.cluster.local", "web"])
def test_names_resolve_in_pods_on_every_node(core: client.CoreV1Api, web: list[client.V1Pod], name: str) -> None:
    service, namespace = (name.split(".")[0], "default" if "." in name else NAMESPACE)
    wanted = core.read_namespaced_service(service, namespace).spec.cluster_ip
    for pod in probes(web):
        answer = execute(core, pod, "nslookup", name)
        assert wanted in answer, f"from {pod.spec.node_name}: {answer}"


def test_pods_reach_each_other_across_nodes_with_their_own_addresses(
    core: client.CoreV1Api, web: list[client.V1Pod]
) -> None:
    servers = [pod for pod in web if pod.metadata.labels["app"] == "web"]
    for asking in probes(web):
        for server in servers:
            answer = execute(core, asking, "curl", "-s", "-m", "5", f"http://{server.status.pod_ip}:8080/clientip")
            assert answer.rsplit(":", 1)[0] == asking.status.pod_ip, (
                f"{asking.spec.node_name} to {server.spec.node_name}: {answer}"
            )


@pytest.mark.parametrize("node", NODES)
def test_the_workload_answers_at_the_port_of_every_node(
    core: client.CoreV1Api, web: list[client.V1Pod], node: str
) -> None:
    port = core.read_namespaced_service("web", NAMESPACE).spec.ports[0].node_port
    url = f"http://{addresses()[node]}:{port}/hostname"
    replicas = {pod.metadata.name for pod in web if pod.metadata.labels["app"] == "web"}
    seen = {wait_for(f"an answer at {url}", lambda: fetch(url)) for _attempt in range(40)}
    assert seen == replicas


def test_a_third_replica_comes_when_asked_for(core: client.CoreV1Api, web: list[client.V1Pod]) -> None:
    apps = client.AppsV1Api(core.api_client)
    apps.patch_namespaced_deployment_scale("web", NAMESPACE, {"spec": {"replicas": 3}})
    wait_for(
        "three ready replicas", lambda: apps.read_namespaced_deployment("web", NAMESPACE).status.ready_replicas == 3
    )
