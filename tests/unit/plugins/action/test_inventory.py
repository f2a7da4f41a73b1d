# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action of the module inventory: files are written once, never over what somebody wrote, and a running cluster is only read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader

from ansible_collections.slipway.kube.plugins.action import inventory
from ansible_collections.slipway.kube.plugins.plugin_utils.inventory.adopt import SLICE
from harness.api_server import Server, serving

CONFIGURATION = """\
apiServer:
  certSANs:
  - kube.example.com
apiVersion: kubeadm.k8s.io/v1beta4
caCertificateValidityPeriod: 87600h0m0s
certificateValidityPeriod: 8760h0m0s
certificatesDir: /etc/kubernetes/pki
clusterName: office
controlPlaneEndpoint: kube.example.com:6443
controllerManager: {}
dns: {}
encryptionAlgorithm: RSA-2048
etcd:
  local:
    dataDir: /var/lib/etcd
imageRepository: registry.k8s.io
kind: ClusterConfiguration
kubernetesVersion: v1.36.3
networking:
  dnsDomain: cluster.local
  podSubnet: 10.244.0.0/16
  serviceSubnet: 10.96.0.0/12
proxy: {}
scheduler: {}
"""
PROXY = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nmode: nftables\n"


class HostVars(dict):
    """Stands for the object of this name in Ansible."""

    def raw_get(self, host: str) -> dict[str, Any]:
        return self.get(host, {})


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what runs the action in a folder of its own; C(given) are variables of the command line."""
    monkeypatch.setattr(inventory.ActionBase, "run", lambda self, tmp=None, task_vars=None: {})
    shown: list[str] = []

    def act(check: bool = False, given: dict[str, Any] | None = None, **arguments: Any) -> dict[str, Any]:
        action = inventory.ActionModule.__new__(inventory.ActionModule)
        action._task = SimpleNamespace(args={"path": str(tmp_path / "mine"), **arguments}, check_mode=check)
        action._loader = DataLoader()
        action._display = SimpleNamespace(display=lambda text, color=None: shown.append(text))
        hostvars = HostVars(localhost=given or {})
        result = action.run(task_vars={"hostvars": hostvars, "groups": {}, "inventory_hostname": "localhost"})
        return {**result, "shown": "\n".join(shown), "folder": tmp_path / "mine"}

    return act


def test_files_are_written_once(run: Any) -> None:
    hosts = {"control_planes": ["192.0.2.11"], "workers": ["192.0.2.21"], "user": "admin"}
    predicted = run(check=True, **hosts)
    assert predicted["changed"] and not predicted["folder"].exists()
    first = run(**hosts)
    assert first["diff"] == predicted["diff"] and first["changed"]
    assert sorted(str(path.relative_to(first["folder"])) for path in first["folder"].rglob("*.yml")) == [
        "group_vars/kube_cluster.yml",
        "hosts.yml",
    ]
    assert yaml.safe_load((first["folder"] / "group_vars/kube_cluster.yml").read_text())["ansible_user"] == "admin"
    assert not run(**hosts)["changed"]
    (first["folder"] / "hosts.yml").unlink()  # as if the first run had been killed
    assert [entry["after_header"] for entry in run(**hosts)["diff"]] == [str(first["folder"] / "hosts.yml")]


def test_what_somebody_wrote_is_replaced_only_when_told_and_kept(run: Any) -> None:
    folder = run(control_planes=["192.0.2.11"])["folder"]
    (folder / "hosts.yml").write_text("mine\n")
    refused = run(control_planes=["192.0.2.12"])
    assert refused["failed"] and str(folder / "hosts.yml") in refused["msg"] and "inventory_overwrite" in refused["msg"]
    assert (folder / "hosts.yml").read_text() == "mine\n"
    assert run(control_planes=["192.0.2.12"], overwrite=True)["changed"]
    assert "192.0.2.12" in (folder / "hosts.yml").read_text()
    assert [path.read_text() for path in folder.glob("hosts.yml.*~")] == ["mine\n"]


def test_variables_of_the_command_line_are_written_and_secrets_are_not(run: Any) -> None:
    given = {"kube_control_plane_vip": "192.0.2.100", "keepalived_password": "correcthorse", "inventory_user": "x"}
    result = run(control_planes=["192.0.2.11", "192.0.2.12", "192.0.2.13"], given=given)
    text = (result["folder"] / "group_vars/kube_cluster.yml").read_text()
    assert yaml.safe_load(text)["kube_control_plane_vip"] == "192.0.2.100"
    assert "correcthorse" not in text + str(result) and "keepalived_password" in result["notes"][0]


def test_what_cluster_would_refuse_is_not_written(run: Any) -> None:
    result = run(control_planes=["192.0.2.11"], given={"kube_pod_subnet": "10.96.0.0/16"})
    assert result["failed"] and "[slipway:networks]" in result["shown"] and not result["folder"].exists()


def node(name: str, address: str, *, labels: Any = None, taints: Any = (), **info: str) -> dict[str, Any]:
    """Return a Node as the kubelet registers it."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", **(labels or {})},
        },
        "spec": {"podCIDR": "10.244.0.0/24", "taints": list(taints)},
        "status": {
            "addresses": [
                *({"type": "InternalIP", "address": one} for one in address.split(",")),
                {"type": "Hostname", "address": name},
            ],
            "nodeInfo": {"kubeletVersion": "v1.36.3", "containerRuntimeVersion": "containerd://2.2.3", **info},
        },
    }


def config_map(name: str, **data: str) -> tuple[str, dict[str, Any]]:
    path = f"/api/v1/namespaces/kube-system/configmaps/{name}"
    metadata = {"name": name, "namespace": "kube-system"}
    return path, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        taint = {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}
        plane = node("cp1", "192.0.2.11", labels={"node-role.kubernetes.io/control-plane": ""}, taints=[taint])
        taints = [
            {"key": "dedicated", "value": "gpu", "effect": "NoSchedule"},
            {"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"},
        ]
        gpu = node("gpu1", "192.0.2.31", labels={"accelerator": "gpu"}, taints=taints, kubeletVersion="v1.35.4")
        for one in (gpu, plane):
            running.put(f"/api/v1/nodes/{one['metadata']['name']}", one)
        path, content = config_map("kubeadm-config", ClusterConfiguration=CONFIGURATION)
        running.put(path, content)
        running.put(*config_map("kube-proxy", **{"config.conf": PROXY}))
        metadata = {"name": "calico-node", "namespace": "kube-system"}
        daemon_set = {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": metadata, "spec": {}}
        running.put("/apis/apps/v1/namespaces/kube-system/daemonsets/calico-node", daemon_set)
        slices = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": {"name": "kubernetes"}}
        running.put(SLICE, {**slices, "ports": [{"name": "https", "port": 6443, "protocol": "TCP"}]})
        yield running


@pytest.fixture
def kubeconfig(tmp_path: Path, server: Server) -> str:
    path = tmp_path / "config"
    cluster = {"name": "office", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}
    context = {"name": "admin", "context": {"cluster": "office", "user": "admin"}}
    users = [{"name": "admin", "user": {"token": "secret"}}]
    path.write_text(
        json.dumps({"clusters": [cluster], "contexts": [context], "users": users, "current-context": "admin"})
    )
    return str(path)


def test_a_running_cluster_is_adopted_and_only_read(run: Any, server: Server, kubeconfig: str) -> None:
    result = run(kubeconfig=kubeconfig, user="ops")
    assert result.get("msg") is None and result["changed"] and server.writes == []
    assert {request.split()[0] for request in server.asked} == {"GET"}
    children = yaml.safe_load((result["folder"] / "hosts.yml").read_text())["kube_cluster"]["children"]
    assert children == {
        "kube_control_plane": {"hosts": {"cp1": {"ansible_host": "192.0.2.11"}}},
        "kube_worker": {
            "hosts": {
                "gpu1": {
                    "ansible_host": "192.0.2.31",
                    "kube_node_labels": {"accelerator": "gpu"},
                    "kube_node_taints": [{"key": "dedicated", "value": "gpu", "effect": "NoSchedule"}],
                }
            }
        },
    }
    text = (result["folder"] / "group_vars/kube_cluster.yml").read_text()
    assert yaml.safe_load(text) == {
        "ansible_user": "ops",
        "control_plane_cert_sans": ["kube.example.com"],
        "kube_api_port": 6443,
        "kube_cluster_name": "office",
        "kube_control_plane_endpoint": "kube.example.com:6443",
        "kube_dns_domain": "cluster.local",
        "kube_image_registry": "registry.k8s.io",
        "kube_network_plugin": "calico",
        "kube_pod_subnet": "10.244.0.0/16",
        "kube_proxy_mode": "nftables",
        "kube_service_subnet": "10.96.0.0/12",
        "kube_version": "1.36.3",
    }
    assert "1.35.4 on gpu1" in text and "secret" not in str(result) + text
    assert not run(kubeconfig=kubeconfig, user="ops")["changed"]


def test_cilium_is_taken_over_with_the_values_that_it_has(run: Any, server: Server, kubeconfig: str) -> None:
    path = "/apis/apps/v1/namespaces/kube-system/daemonsets/"
    daemon_set = server.objects.pop(f"{path}calico-node")
    daemon_set["metadata"]["name"] = "cilium"
    server.put(f"{path}cilium", daemon_set)
    result = run(kubeconfig=kubeconfig)
    values = yaml.safe_load((result["folder"] / "group_vars/kube_cluster.yml").read_text())
    assert values["kube_network_plugin"] == "cilium" and "helm get values cilium" in "\n".join(result["notes"])


def test_what_cannot_be_found_out_is_marked_and_problems_are_only_reported(
    run: Any, server: Server, kubeconfig: str
) -> None:
    for name in ("kubeadm-config", "kube-proxy"):
        del server.objects[f"/api/v1/namespaces/kube-system/configmaps/{name}"]
    del server.objects[SLICE], server.objects["/apis/apps/v1/namespaces/kube-system/daemonsets/calico-node"]
    server.put("/api/v1/nodes/w1", node("w1", "192.0.2.41,fd00::41", containerRuntimeVersion="cri-o://1.36.0"))
    for number in (2, 3):
        labels = {"node-role.kubernetes.io/control-plane": ""}
        server.put(f"/api/v1/nodes/cp{number}", node(f"cp{number}", f"192.0.2.1{number}", labels=labels))
    result = run(kubeconfig=kubeconfig)
    assert result["changed"] and "[slipway:endpoint]" in result["shown"]
    notes = "\n".join(result["notes"])
    for part in ("kubeadm-config", "mode of kube-proxy", "port", "pod network", "w1 runs cri-o", "ansible_user"):
        assert part in notes, part
    text = (result["folder"] / "group_vars/kube_cluster.yml").read_text()
    assert text.count("# TO DO: ") == len(result["notes"]) and "# ansible_user: admin" in text
    hosts = yaml.safe_load((result["folder"] / "hosts.yml").read_text())["kube_cluster"]["children"]
    assert hosts["kube_worker"]["hosts"]["w1"]["kube_node_ip"] == "192.0.2.41,fd00::41"
    assert [*hosts["kube_control_plane"]["hosts"]] == ["cp1", "cp2", "cp3"]


def test_what_may_not_be_read_is_marked_and_a_cluster_that_does_not_answer_fails(
    run: Any, server: Server, kubeconfig: str, tmp_path: Path
) -> None:
    server.forbidden.add("/api/v1/namespaces/kube-system/configmaps/kubeadm-config")
    assert "forbidden" in "\n".join(run(kubeconfig=kubeconfig)["notes"])
    server.forbidden.add("/api/v1/nodes")
    refused = run(kubeconfig=kubeconfig, overwrite=True)
    assert refused["failed"] and "forbidden" in refused["msg"]
    missing = run(kubeconfig=str(tmp_path / "none"))
    assert missing["failed"] and "none" in missing["msg"]
