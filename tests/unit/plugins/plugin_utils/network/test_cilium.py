# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cilium's chart: its values, what is refused, and the published chart itself where it is on this machine.

It is part of Cilium's Go module: ``go mod download github.com/cilium/cilium@vVERSION``.
"""

from __future__ import annotations

import functools
import os
import tarfile
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._kube.api import Client
from ansible_collections.slipway.kube.plugins.module_utils._kube.kubeconfig import Credentials
from ansible_collections.slipway.kube.plugins.module_utils._release import manifest
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.catalog import cilium_images
from ansible_collections.slipway.kube.plugins.plugin_utils.network.cilium import Cilium, chart_values, objects
from ansible_collections.slipway.kube.plugins.plugin_utils.network.settings import NetworkError, pod_spec
from harness.api_server import serving
from harness.origin import cache, versions

MODULES = Path(os.environ.get("GOMODCACHE") or Path.home() / "go/pkg/mod")
VERSION = str(versions()["cilium"])
PUBLISHED = MODULES / f"github.com/cilium/cilium@v{VERSION}/install/kubernetes/cilium"
SMALL = {
    "Chart.yaml": f"apiVersion: v2\nname: cilium\nversion: {VERSION}\n",
    "templates/NOTES.txt": "Cilium is there.\n",
    "templates/agent.yaml": """apiVersion: apps/v1
kind: DaemonSet
metadata: {name: cilium, namespace: {{ .Release.Namespace }}}
spec:
  selector: {matchLabels: {k8s-app: cilium}}
  template:
    metadata: {labels: {k8s-app: cilium}}
    spec:
      containers: [{name: agent, image: quay.io/cilium/cilium:v{{ .Chart.Version }}}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: cilium-config, namespace: {{ .Release.Namespace }}}
data: {ipam: {{ .Values.ipam.mode }}, kubernetes: "{{ .Capabilities.KubeVersion }}"}
{{- if eq .Values.hubble.tls.auto.method "helm" }}
---
apiVersion: v1
kind: Secret
metadata: {name: hubble-server-certs}
stringData: {key: {{ randAlphaNum 20 }}}
{{- end }}
{{- if .Values.tunnel }}{{ fail "tunnel has been removed" }}{{ end }}
""",
}


def settings(pod_subnet: str = "192.168.0.0/16", **changes: Any) -> Cilium:
    """Settings of a cluster of three nodes."""
    return Cilium(
        pod_subnet,
        **{"version": VERSION, "kubernetes": "1.37.2", "cluster_name": "kubernetes", "nodes": 3, **changes},
    )


@pytest.fixture
def helm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Helm in the path, or the test is left out."""
    folder = cache() / "programs"
    if not (folder / "helm").exists():
        pytest.skip("helm is not installed")
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


@pytest.fixture
def chart(helm: None, tmp_path: Path) -> Path:
    """A small chart with the names of Cilium's values."""
    for name, text in SMALL.items():
        path = tmp_path / "cilium" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "cilium"


@pytest.fixture
def served(chart: Path) -> Iterator[str]:
    """The address of a repository with that chart."""
    with tarfile.open(chart.parent / f"cilium-{VERSION}.tgz", "w:gz") as archive:
        archive.add(chart, "cilium")
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(chart.parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_values_follow_from_the_cluster() -> None:
    values = chart_values(settings(api_server="10.0.0.1", api_port=7443, mtu=1400))
    assert values["ipam"] == {"mode": "kubernetes"} and values["cluster"] == {"name": "kubernetes"}
    assert (values["ipv4"], values["ipv6"]) == ({"enabled": True}, {"enabled": False})
    assert (values["k8sServiceHost"], values["k8sServicePort"]) == ("10.0.0.1", 7443)
    assert (values["routingMode"], values["tunnelProtocol"], values["MTU"]) == ("tunnel", "vxlan", 1450)
    assert values["kubeProxyReplacement"] == "false" and values["hubble"]["enabled"] is False
    assert values["cni"] == {"exclusive": False} and values["operator"]["replicas"] == 2


def test_without_a_tunnel_the_nodes_route_the_networks_of_pods() -> None:
    values = chart_values(settings("192.168.0.0/16,fd00:10::/56", encapsulation="none", mtu=1400))
    assert (
        values["routingMode"] == "native" and values["autoDirectNodeRoutes"] is True and "tunnelProtocol" not in values
    )
    assert (values["ipv4NativeRoutingCIDR"], values["ipv6NativeRoutingCIDR"]) == ("192.168.0.0/16", "fd00:10::/56")
    assert values["MTU"] == 1400
    assert "ipv6NativeRoutingCIDR" not in chart_values(settings(encapsulation="none"))


def test_what_is_not_set_is_left_to_the_chart() -> None:
    values = chart_values(settings(nodes=1))
    assert not {"MTU", "k8sServiceHost", "k8sServicePort"} & set(values)
    assert values["operator"]["replicas"] == 1
    assert chart_values(settings("fd00:10::/56", mtu=1400))["MTU"] == 1470


def test_the_user_s_values_take_precedence() -> None:
    values = chart_values(settings(values={"hubble": {"enabled": True}, "operator": {"replicas": 3}}))
    assert values["hubble"] == {"enabled": True, "tls": {"auto": {"method": "cronJob"}}}
    assert values["operator"]["replicas"] == 3 and values["operator"]["rollOutPods"] is True


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"encapsulation": "ipip"}, "no encapsulation 'ipip'"),
        ({"version": ""}, "version is not set"),
        ({"cluster_name": "Shop_1"}, "cannot use the name of the cluster 'Shop_1'"),
        ({"cluster_name": "a" * 33}, "at most 32"),
        ({"cluster_name": "a-"}, "cannot use the name"),
        ({"pod_subnet": "192.168.0.0/25"}, "too small"),
    ],
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(NetworkError, match=problem):
        objects("/nowhere", settings(**changes))


def test_the_name_of_the_cluster_can_be_another_one_for_cilium() -> None:
    assert not settings(cluster_name="Shop_1", values={"cluster": {"name": "shop-1"}}).problems()


def test_helm_is_required(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NetworkError, match=r"helm is not installed on the control node.*program_missing"):
        objects("/nowhere", settings())


def test_a_chart_is_rendered_for_the_cluster(chart: Path) -> None:
    config, agent = objects(str(chart), settings(image_registry="mirror.example.com:5000/"))
    assert pod_spec(agent)["containers"][0]["image"] == f"mirror.example.com:5000/cilium/cilium:v{VERSION}"
    assert config["data"] == {"ipam": "kubernetes", "kubernetes": "v1.37.2"}
    assert {one["metadata"]["namespace"] for one in (agent, config)} == {"kube-system"}


def test_a_chart_is_downloaded_or_the_address_is_named(served: str) -> None:
    assert len(objects(f"{served}/cilium-{VERSION}.tgz", settings())) == 2
    with pytest.raises(
        NetworkError, match=r"Cilium 9.9.9 cannot be read from http://127.*404.*network_chart\]$"
    ) as found:
        objects(f"{served}/cilium-9.9.9.tgz", settings(version="9.9.9"))
    assert "program_failed" not in str(found.value) and "\n" not in str(found.value)
    with pytest.raises(NetworkError, match=f"chart of cilium {VERSION}, but kube_versions has Cilium 9.9.9"):
        objects(f"{served}/cilium-{VERSION}.tgz", settings(version="9.9.9"))


@pytest.mark.parametrize("address", ["http://127.0.0.1:1/cilium-1.tgz", "oci://127.0.0.1:1/cilium"])
def test_a_server_that_does_not_answer_is_named(helm: None, address: str) -> None:
    with pytest.raises(NetworkError, match=rf"cannot be read from {address}.*connection refused.*kube_cilium_chart"):
        objects(address, settings())


def test_what_is_no_chart_is_refused(helm: None, tmp_path: Path) -> None:
    (tmp_path / "cilium.tgz").write_text("no archive")
    tarfile.open(tmp_path / "empty.tgz", "w:gz").close()
    for place, reason in (
        ("cilium.tgz", "cannot be unpacked"),
        ("gone.tgz", "does not exist"),
        ("empty.tgz", "one folder"),
        ("", "chart of None"),
    ):
        with pytest.raises(NetworkError, match=reason):
            objects(str(tmp_path / place), settings())


def test_values_that_the_chart_refuses_or_makes_anew_are_refused(chart: Path) -> None:
    with pytest.raises(
        NetworkError, match=rf"{chart}: helm failed:.*tunnel has been removed.*kube_network_cilium_values"
    ):
        objects(str(chart), settings(values={"tunnel": "vxlan"}))
    with pytest.raises(NetworkError, match=r"parts of Secret hubble-server-certs anew"):
        objects(str(chart), settings(values={"hubble": {"tls": {"auto": {"method": "helm"}}}}))


# --- the published chart ------------------------------------------------------------------------------------------
published = pytest.mark.skipif(
    not PUBLISHED.is_dir(), reason=f"left out: the Go module github.com/cilium/cilium v{VERSION} is not downloaded"
)


def images(found: list[dict[str, Any]]) -> set[str]:
    """The images of all containers."""
    specs = [pod_spec(one) for one in found]
    return {
        one["image"] for spec in specs for one in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]
    }


@published
def test_the_bundle_has_the_images_of_the_published_chart(helm: None) -> None:
    found = objects(str(PUBLISHED), settings(api_server="cp.example.com:6443"))
    assert images(found) == set(cilium_images({"cilium": VERSION}))
    data = next(one for one in found if one["metadata"]["name"] == "cilium-config")["data"]
    assert {name: data[name] for name in ("ipam", "tunnel-protocol", "kube-proxy-replacement", "cluster-name")} == {
        "ipam": "kubernetes",
        "tunnel-protocol": "vxlan",
        "kube-proxy-replacement": "false",
        "cluster-name": "kubernetes",
    }
    assert data["cni-exclusive"] == "false" and data["enable-hubble"] == "false"
    agent = next(one for one in found if one["kind"] == "DaemonSet")
    env = {one["name"]: one.get("value") for one in pod_spec(agent)["containers"][0]["env"]}
    assert (env["KUBERNETES_SERVICE_HOST"], env["KUBERNETES_SERVICE_PORT"]) == ("cp.example.com", "6443")


@published
@pytest.mark.parametrize(
    ("subnet", "changes"),
    [
        ("192.168.0.0/16", {}),
        ("fd00:10::/56", {"mtu": 1300, "nodes": 1}),
        ("192.168.0.0/16,fd00:10::/56", {"encapsulation": "none"}),
        ("192.168.0.0/16", {"encapsulation": "geneve", "image_registry": "mirror.example.com"}),
        (
            "192.168.0.0/16",
            {"values": {"hubble": {"enabled": True, "relay": {"enabled": True}, "ui": {"enabled": True}}}},
        ),
        ("192.168.0.0/16", {"values": {"cluster": {"id": 1}, "clustermesh": {"useAPIServer": True}}}),
    ],
)
def test_a_second_run_with_the_published_chart_changes_nothing(
    helm: None, subnet: str, changes: dict[str, Any]
) -> None:
    with serving() as server:
        space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system"}}
        server.put("/api/v1/namespaces/kube-system", space)
        client = Client(Credentials(f"http://127.0.0.1:{server.server_port}"), timeout=5, patience=2, threads=2)
        for run in range(2):
            found = objects(str(PUBLISHED), settings(subnet, **changes))
            desired = manifest.read_desired(client, found, "default")
            planned = manifest.plan_apply(client, desired, "default", "slipway.kube", force=True)
            assert {one.action for one in planned} == ({"none"} if run else {"create"})
            manifest.apply(client, desired, planned, "slipway.kube", float("inf"))
        assert server.find("DaemonSet", "cilium")["metadata"]["namespace"] == "kube-system"
