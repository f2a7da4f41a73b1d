# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The endpoint in texts that kubeadm wrote."""

from __future__ import annotations

import base64

import pytest
import yaml

from ansible_collections.slipway.kube.plugins.module_utils._kubeadm import endpoint_config
from ansible_collections.slipway.kube.plugins.module_utils._kubeadm.endpoint_config import FormError

# As `kubeadm init` 1.37 stores it.
STORED = """apiServer:
  certSANs:
  - 10.0.0.11
  extraArgs:
  - name: audit-log-maxage
    value: "30"
apiVersion: kubeadm.k8s.io/v1beta4
caCertificateValidityPeriod: 87600h0m0s
certificatesDir: /etc/kubernetes/pki
clusterName: kubernetes
controlPlaneEndpoint: 10.0.0.11:6443
controllerManager:
  extraArgs:
  - name: terminated-pod-gc-threshold
    value: "1000"
dns: {}
kind: ClusterConfiguration
"""
ADMIN = """apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: QQ==
    server: https://10.0.0.11:6443
  name: kubernetes
contexts: []
users:
- name: kubernetes-admin
  user:
    client-key-data: c2VydmVyOiB4
"""


@pytest.mark.parametrize("endpoint", ["10.0.0.100:6443", "kube.example.com:443", "[fd00::100]:6443"])
def test_only_the_endpoint_and_the_names_change(endpoint: str) -> None:
    before = yaml.safe_load(STORED)
    text = endpoint_config.set_endpoint(STORED, endpoint, ["10.0.0.11", "kube.example.com", "fd00:0::100", "fd00::100"])
    after = yaml.safe_load(text)
    assert endpoint_config.endpoint_of(text) == after.pop("controlPlaneEndpoint") == endpoint
    assert after["apiServer"].pop("certSANs") == ["10.0.0.11", "kube.example.com", "fd00::100"]
    assert before.pop("controlPlaneEndpoint") and before["apiServer"].pop("certSANs")
    assert after == before
    again = endpoint_config.set_endpoint(text, endpoint, ["fd00::100"])
    assert again == text


@pytest.mark.parametrize(
    "head",
    [
        "apiServer: {}\n",
        "apiServer:\n  certSANs: []\n",
        "apiServer:\n  timeoutForControlPlane: 4m0s\n",
        'apiServer:\n  certSANs:\n    - "10.0.0.9"\n  extraArgs: []\n',
        "",
    ],
)
def test_names_are_added_whatever_there_was(head: str) -> None:
    text = endpoint_config.set_endpoint(f"{head}kind: ClusterConfiguration\n", "10.0.0.100:6443", ["10.0.0.9", "b"])
    after = yaml.safe_load(text)
    assert after["apiServer"]["certSANs"] == ["10.0.0.9", "b"]
    before = yaml.safe_load(head or "apiServer: {}")["apiServer"] or {}
    kept = {key: value for key, value in before.items() if key != "certSANs"}
    assert {key: value for key, value in after["apiServer"].items() if key != "certSANs"} == kept
    assert after["kind"] == "ClusterConfiguration" and after["controlPlaneEndpoint"] == "10.0.0.100:6443"


def test_another_form_is_refused_and_not_guessed() -> None:
    with pytest.raises(
        FormError, match=r"certSANs is not written as kubeadm does.*'certSANs: \[a, b\]'.*kubeadm-config"
    ):
        endpoint_config.add_sans("apiServer:\n  certSANs: [a, b]\n", ["c"])
    with pytest.raises(FormError, match="has 0 servers"):
        endpoint_config.set_server("clusters: []\n", "a:6443")
    with pytest.raises(FormError, match="has 2 servers"):
        endpoint_config.set_server(ADMIN + "    server: https://10.0.0.12:6443\n", "a:6443")


def test_a_configuration_without_an_endpoint() -> None:
    assert endpoint_config.endpoint_of("kind: ClusterConfiguration\n") == ""


@pytest.mark.parametrize("endpoint", ["10.0.0.100:6443", "[fd00::100]:6443"])
def test_a_kubeconfig_gets_another_server_and_nothing_else(endpoint: str) -> None:
    before, after = yaml.safe_load(ADMIN), yaml.safe_load(endpoint_config.set_server(ADMIN, endpoint))
    assert after["clusters"][0]["cluster"].pop("server") == f"https://{endpoint}"
    assert before["clusters"][0]["cluster"].pop("server") and after == before
    assert endpoint_config.set_server('{"clusters": [{"cluster": {"server":"https://a:1"}}]}', "b:2") == (
        '{"clusters": [{"cluster": {"server":"https://b:2"}}]}'
    )


def test_a_kubeconfig_gets_other_authorities_and_nothing_else() -> None:
    text = (
        ADMIN
        if "certificate-authority-data" in ADMIN
        else ADMIN.replace("    server:", "    certificate-authority-data: QQ==\n    server:")
    )
    before, after = yaml.safe_load(text), yaml.safe_load(endpoint_config.set_authority(text, "old\nnew\n"))
    data = after["clusters"][0]["cluster"].pop("certificate-authority-data")
    assert base64.b64decode(data) == b"old\nnew\n"
    assert before["clusters"][0]["cluster"].pop("certificate-authority-data") and after == before
    with pytest.raises(FormError, match="has 0 authorities"):
        endpoint_config.set_authority("clusters: []\n", "new")


EXTERNAL = """etcd:
  external:
    caFile: /etc/kubernetes/pki/etcd/ca.crt
    certFile: /etc/kubernetes/pki/apiserver-etcd-client.crt
    endpoints:
    - https://10.0.0.31:2379
    - https://10.0.0.32:2379
    keyFile: /etc/kubernetes/pki/apiserver-etcd-client.key
imageRepository: registry.k8s.io
"""


def test_the_members_of_an_external_etcd_are_replaced_and_nothing_else() -> None:
    urls = ["https://10.0.0.31:2379", "https://[fd00::34]:2379"]
    before, after = (yaml.safe_load(text) for text in (EXTERNAL, endpoint_config.set_etcd_endpoints(EXTERNAL, urls)))
    assert after["etcd"]["external"].pop("endpoints") == urls
    del before["etcd"]["external"]["endpoints"]
    assert after == before


def test_a_cluster_without_an_external_etcd_is_refused() -> None:
    with pytest.raises(FormError, match="no endpoints of an external etcd"):
        endpoint_config.set_etcd_endpoints(STORED, ["https://10.0.0.31:2379"])
