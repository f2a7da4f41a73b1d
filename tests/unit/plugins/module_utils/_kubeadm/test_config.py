# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kubeadm's configuration is what kubeadm takes, and holds what the inventory specifies."""

from __future__ import annotations

import json
import os
import shutil
import subprocess

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._kubeadm import config

TOKEN = "abcdef.0123456789abcdef"
HASH = "sha256:" + "a" * 64


@pytest.fixture
def settings():
    return {
        "cluster_name": "blue",
        "kubernetes_version": "1.36.3",
        "endpoint": "192.0.2.11",
        "api_port": 6443,
        "node_name": "cp1",
        "node_ip": "192.0.2.11",
        "pod_subnet": "192.168.0.0/16",
        "service_subnet": "10.96.0.0/12",
        "dns_domain": "cluster.local",
        "image_registry": "registry.k8s.io",
    }


def by_kind(documents):
    return {document["kind"]: document for document in documents}


def test_init_writes_the_endpoint_also_for_one_control_plane(settings):
    cluster = by_kind(config.build_init(settings))["ClusterConfiguration"]
    assert cluster["controlPlaneEndpoint"] == "192.0.2.11:6443"
    assert cluster["kubernetesVersion"] == "v1.36.3"
    assert cluster["networking"] == {
        "podSubnet": "192.168.0.0/16",
        "serviceSubnet": "10.96.0.0/12",
        "dnsDomain": "cluster.local",
    }


def test_two_address_families(settings):
    settings.update(pod_subnet="192.168.0.0/16, fd00:1::/56", service_subnet="10.96.0.0/12,fd00:2::/112")
    settings.update(node_ip="2001:db8::11", endpoint="2001:db8::11")
    documents = by_kind(config.build_init(settings))
    networking = documents["ClusterConfiguration"]["networking"]
    assert (networking["podSubnet"], networking["serviceSubnet"]) == (
        "192.168.0.0/16,fd00:1::/56",
        "10.96.0.0/12,fd00:2::/112",
    )
    assert documents["ClusterConfiguration"]["controlPlaneEndpoint"] == "[2001:db8::11]:6443"
    assert documents["InitConfiguration"]["localAPIEndpoint"]["advertiseAddress"] == "2001:db8::11"


def test_init_names_endpoint_and_extra_names_once_in_the_certificate(settings):
    settings.update(endpoint="api.example.com:8443", cert_sans=["api.example.com", "2001:0db8::0001", "192.0.2.9"])
    cluster = by_kind(config.build_init(settings))["ClusterConfiguration"]
    assert cluster["apiServer"]["certSANs"] == ["api.example.com", "2001:db8::1", "192.0.2.9"]
    assert cluster["controlPlaneEndpoint"] == "api.example.com:8443"


@pytest.mark.parametrize(
    ("nodes", "reads", "queries"), [(999, None, None), (1000, "1500", "100"), (5000, "3000", "100")]
)
def test_a_large_cluster_serves_more_requests_at_a_time(settings, nodes, reads, queries):
    settings.update(nodes=nodes, extra_args={"api_server": {"max-mutating-requests-inflight": 700}})
    cluster = by_kind(config.build_init(settings))["ClusterConfiguration"]
    flags = {
        name: {argument["name"]: argument["value"] for argument in cluster[name].get("extraArgs", [])}
        for name in ("apiServer", "controllerManager", "scheduler")
    }
    assert flags["apiServer"].get("max-requests-inflight") == reads
    assert flags["apiServer"]["max-mutating-requests-inflight"] == "700", "the inventory's value holds"
    assert [flags[name].get("kube-api-qps") for name in ("controllerManager", "scheduler")] == [queries, queries]


def test_extra_arguments_reach_their_component_only(settings):
    settings["extra_args"] = {"api_server": {"profiling": False}, "etcd": {"quota-backend-bytes": 8589934592}}
    cluster = by_kind(config.build_init(settings))["ClusterConfiguration"]
    assert cluster["apiServer"]["extraArgs"] == [{"name": "profiling", "value": "false"}]
    assert cluster["etcd"]["local"]["extraArgs"] == [{"name": "quota-backend-bytes", "value": "8589934592"}]
    assert cluster["controllerManager"] == {} and cluster["scheduler"] == {}


def test_an_argument_that_is_a_list_is_repeated():
    assert config.to_arguments({"service-account-issuer": ["a", "b"]}) == [
        {"name": "service-account-issuer", "value": "a"},
        {"name": "service-account-issuer", "value": "b"},
    ]


@pytest.mark.parametrize(
    "arguments", [{"--profiling": "false"}, {"profiling": None}, {"profiling": {"a": 1}}, {"": "x"}]
)
def test_arguments_that_no_flag_can_carry_are_refused(arguments):
    with pytest.raises(config.ConfigError):
        config.to_arguments(arguments)


def test_a_control_plane_keeps_its_taint_beside_the_inventory_s(settings):
    settings["taints"] = [{"key": "dedicated", "value": "gpu", "effect": "NoSchedule"}]
    taints = by_kind(config.build_init(settings))["InitConfiguration"]["nodeRegistration"]["taints"]
    assert taints == [config.CONTROL_PLANE_TAINT, {"key": "dedicated", "value": "gpu", "effect": "NoSchedule"}]


def test_a_single_node_has_an_empty_list_of_taints_and_not_none(settings):
    settings["schedulable"] = True
    registration = by_kind(config.build_init(settings))["InitConfiguration"]["nodeRegistration"]
    assert registration["taints"] == []


def test_a_worker_has_no_control_plane_taint_and_no_local_endpoint(settings):
    join = config.build_join({**settings, "control_plane": False})
    assert join["nodeRegistration"]["taints"] == []
    assert "controlPlane" not in join


def test_kube_proxy_leaves_conntrack_alone_only_where_it_may_not_write_it(settings):
    assert "conntrack" not in by_kind(config.build_init(settings))["KubeProxyConfiguration"]
    settings.update(conntrack_read_only=True, proxy_mode="iptables")
    proxy = by_kind(config.build_init(settings))["KubeProxyConfiguration"]
    assert proxy["conntrack"] == {"maxPerCore": 0} and proxy["mode"] == "iptables"


def test_what_the_user_configures_wins_and_leaves_the_rest(settings):
    settings["kubelet_configuration"] = {"maxPods": 50, "rotateCertificates": False}
    kubelet = by_kind(config.build_init(settings))["KubeletConfiguration"]
    assert kubelet["maxPods"] == 50 and kubelet["rotateCertificates"] is False
    assert kubelet["serverTLSBootstrap"] is True and kubelet["cgroupDriver"] == "systemd"


@pytest.mark.parametrize(
    "name",
    ["kube-apiserver.json", "kube-apiserver0+strategic.json", "etcd1+json.json", "kubeletconfiguration+merge.yaml"],
)
def test_patch_names_that_kubeadm_applies_are_taken(name):
    config.check_patches({name: {}})


@pytest.mark.parametrize(
    "name", ["apiserver.json", "kube-apiserver+strategy.json", "kube-apiserver.txt", "../etcd.json", "etcd"]
)
def test_patch_names_that_kubeadm_would_pass_over_are_refused(settings, name):
    settings["patches"] = {name: {}}
    with pytest.raises(config.ConfigError, match="would not apply"):
        config.build_init(settings)


@pytest.mark.parametrize(
    ("endpoint", "complete"),
    [
        ("api", "api:6443"),
        ("api:1", "api:1"),
        ("2001:db8::1", "[2001:db8::1]:6443"),
        ("[2001:db8::1]:1", "[2001:db8::1]:1"),
        ("192.0.2.1", "192.0.2.1:6443"),
    ],
)
def test_an_endpoint_gets_a_port(endpoint, complete):
    assert config.complete_endpoint(endpoint, 6443) == complete


def test_secrets_are_added_to_a_copy(settings):
    join = config.build_join({**settings, "control_plane": True})
    before = json.dumps(join)
    whole = config.add_credentials(join, TOKEN, [HASH], "b" * 64)
    assert json.dumps(join) == before and TOKEN not in before
    assert whole["discovery"]["bootstrapToken"] == {
        "apiServerEndpoint": "192.0.2.11:6443",
        "token": TOKEN,
        "caCertHashes": [HASH],
    }
    assert whole["controlPlane"]["certificateKey"] == "b" * 64


def test_a_worker_gets_no_certificate_key(settings):
    assert "b" * 64 not in json.dumps(config.add_credentials(config.build_join(settings), TOKEN, [HASH], "b" * 64))


def test_every_ignored_check_is_reported(settings):
    settings["ignore_preflight_errors"] = ["Swap", "SystemVerification", "Mem"]
    told = config.ignored_checks(config.build_join(settings))
    assert [words.split("'")[0] for words in told] and len(told) == 3
    assert any("cgroup v1" in words for words in told)


def test_each_document_is_json_behind_a_yaml_separator(settings):
    text = config.render(config.build_init(settings))
    assert [json.loads(part)["kind"] for part in text.split("---\n")[1:]] == [
        "InitConfiguration",
        "ClusterConfiguration",
        "KubeletConfiguration",
        "KubeProxyConfiguration",
    ]


@pytest.mark.skipif(
    not (os.environ.get("KUBEADM") or shutil.which("kubeadm")), reason="no kubeadm here (set KUBEADM to its path)"
)
def test_the_real_kubeadm_takes_it(settings, tmp_path):
    kubeadm = os.environ.get("KUBEADM") or "kubeadm"
    settings.update(
        cert_sans=["api.example.com"],
        conntrack_read_only=True,
        extra_args={"api_server": {"profiling": False, "audit-log-maxage": 30}, "etcd": {"quota-backend-bytes": 1}},
        extra_volumes={"api_server": [{"name": "audit", "hostPath": "/a", "mountPath": "/a", "readOnly": True}]},
        ignore_preflight_errors=["SystemVerification"],
        control_plane=True,
    )
    join = config.add_credentials(config.build_join(settings), TOKEN, [HASH], "b" * 64)
    for name, documents in (("init", config.build_init(settings)), ("join", [join])):
        path = tmp_path / name
        path.write_text(config.render(documents))
        done = subprocess.run(
            [kubeadm, "config", "validate", "--config", str(path)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("seconds", [None, 60, 600])
def test_kubeadms_own_waits_are_left_alone_on_usual_hosts(settings, seconds):
    settings["timeout"] = seconds
    assert "timeouts" not in by_kind(config.build_init(settings))["InitConfiguration"]
    assert config.build_join(settings)["timeouts"] == {"discovery": "1m0s"}


def test_a_slow_host_is_given_longer_waits_by_kubeadm_too(settings):
    settings["timeout"] = 1800
    waits = by_kind(config.build_init(settings))["InitConfiguration"]["timeouts"]
    assert waits["kubernetesAPICall"] == "180s"
    assert waits["kubeletHealthCheck"] == "720s"
    assert config.build_join(settings)["timeouts"] == waits


def test_an_external_etcd_is_known_by_its_members_and_a_client_certificate(settings):
    settings["etcd_endpoints"] = ["https://192.0.2.31:2379", "https://192.0.2.32:2379"]
    etcd = by_kind(config.build_init(settings))["ClusterConfiguration"]["etcd"]
    assert etcd == {"external": {"endpoints": settings["etcd_endpoints"], **config.ETCD_CLIENT}}
    (_init, member) = config.build_etcd({**settings, "hardening": {"etcd_quota_mib": 4096}})
    assert list(member["etcd"]) == ["local"] and member["kubernetesVersion"].startswith("v1.")
    assert {"name": "quota-backend-bytes", "value": str(4096 << 20)} in member["etcd"]["local"]["extraArgs"]
