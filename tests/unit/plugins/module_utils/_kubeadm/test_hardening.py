# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is hardened, what the inventory replaces, and that each file has the flag and the folder that it needs."""

from __future__ import annotations

import json

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._kubeadm import config, hardening

SUITES = ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"]


def settings(extra=None, **changes):
    wanted = {
        "audit": {"policy": {}, "maxsize": 100, "maxbackup": 10, "maxage": 30},
        "anonymous_paths": ["/livez"],
        "pod_security": {"enforce": "privileged", "audit": "restricted"},
        "pod_security_exempt": ["kube-system"],
        "encryption": True,
        "verify_kubelets": True,
        "tls_min_version": "VersionTLS12",
        "tls_cipher_suites": SUITES,
        "terminated_pods": 1000,
        "etcd_quota_mib": 4096,
        "pod_pids_limit": 4096,
        **changes,
    }
    networks = {"pod_subnet": "10.244.0.0/16", "service_subnet": "10.96.0.0/12", "dns_domain": "cluster.local"}
    node = {"node_name": "cp1", "node_ip": "192.0.2.11", "endpoint": "192.0.2.11", "api_port": 6443}
    cluster = {"cluster_name": "blue", "kubernetes_version": "1.37.2", "image_registry": "registry.k8s.io"}
    return {**networks, **node, **cluster, "hardening": wanted, "extra_args": {"api_server": extra or {}}}


def cluster(wanted):
    return next(one for one in config.build_init(wanted) if one["kind"] == "ClusterConfiguration")


def flags(component):
    return {argument["name"]: argument["value"] for argument in component["extraArgs"]}


def paths(wanted):
    return {one["path"] for one in hardening.apiserver_files(wanted)}


def test_the_api_server_gets_flags_files_and_folders_that_fit_each_other():
    apiserver = cluster(settings())["apiServer"]
    have = flags(apiserver)
    files = paths(settings())
    assert {
        have[name] for name in ("audit-policy-file", "admission-control-config-file", "authentication-config")
    } == files
    assert have["encryption-provider-config"] == hardening.ENCRYPTION
    assert hardening.ENCRYPTION not in files
    assert (have["audit-log-maxsize"], have["audit-log-maxbackup"], have["audit-log-maxage"]) == ("100", "10", "30")
    assert have["profiling"] == "false" and have["kubelet-certificate-authority"] == "/etc/kubernetes/pki/ca.crt"
    mounted = {one["mountPath"]: one.get("readOnly", False) for one in apiserver["extraVolumes"]}
    assert mounted == {hardening.FOLDER: True, hardening.AUDIT_FOLDER: False}
    assert all(path.startswith(f"{hardening.FOLDER}/") for path in files | {hardening.ENCRYPTION})
    assert have["audit-log-path"].startswith(f"{hardening.AUDIT_FOLDER}/")


def test_other_components_do_without_profiling_and_old_ciphers():
    have = cluster(settings())
    manager, scheduler, etcd = have["controllerManager"], have["scheduler"], have["etcd"]["local"]
    assert flags(manager)["terminated-pod-gc-threshold"] == "1000"
    for component in (manager, scheduler):
        assert flags(component)["profiling"] == "false" and flags(component)["tls-cipher-suites"] == ",".join(SUITES)
    assert flags(etcd) == {
        "auto-compaction-mode": "periodic",
        "auto-compaction-retention": "8h",
        "cipher-suites": ",".join(SUITES),
        "quota-backend-bytes": str(4 << 30),
        "tls-min-version": "TLS1.2",
    }


def test_with_tls_1_3_no_suites_are_chosen_since_etcd_refuses_that():
    wanted = settings(tls_min_version="VersionTLS13")
    have = cluster(wanted)
    assert flags(have["etcd"]["local"])["tls-min-version"] == "TLS1.3"
    for component in (have["apiServer"], have["scheduler"], have["etcd"]["local"]):
        assert not {"tls-cipher-suites", "cipher-suites"} & set(flags(component))
    assert "tlsCipherSuites" not in config.build_kubelet(wanted)


def test_kubelets_are_limited_and_the_inventory_has_the_last_word():
    wanted = settings()
    kubelet = config.build_kubelet(wanted)
    assert (kubelet["podPidsLimit"], kubelet["tlsMinVersion"], kubelet["tlsCipherSuites"]) == (
        4096,
        "VersionTLS12",
        SUITES,
    )
    assert kubelet["enableProfilingHandler"] is False and kubelet["rotateCertificates"] is True
    wanted["kubelet_configuration"] = {"podPidsLimit": 99}
    assert config.build_kubelet(wanted)["podPidsLimit"] == 99


@pytest.mark.parametrize(
    ("given", "left_out"),
    [
        ({"audit-policy-file": "/etc/mine.yaml"}, hardening.AUDIT_POLICY),
        ({"audit-log-path": "-"}, hardening.AUDIT_POLICY),
        ({"admission-control-config-file": "/etc/mine.yaml"}, hardening.ADMISSION),
        ({"authentication-config": "/etc/mine.yaml"}, hardening.AUTHENTICATION),
        ({"anonymous-auth": False}, hardening.AUTHENTICATION),
        ({"oidc-issuer-url": "https://id.example.com"}, hardening.AUTHENTICATION),
    ],
)
def test_a_flag_of_the_inventory_replaces_what_belongs_to_it(given, left_out):
    wanted = settings(given)
    assert left_out not in paths(wanted) and len(paths(wanted)) == 2
    have = flags(cluster(wanted)["apiServer"])
    assert left_out not in have.values()
    assert {name: have[name] for name in given} == {
        name: str(value).replace("False", "false") for name, value in given.items()
    }
    if left_out == hardening.AUDIT_POLICY:
        assert "audit-log-maxsize" not in have


def test_a_path_of_encryption_in_the_inventory_is_kept():
    have = flags(cluster(settings({"encryption-provider-config": "/etc/mine.yaml"}))["apiServer"])
    assert have["encryption-provider-config"] == "/etc/mine.yaml"
    assert "encryption-provider-config-automatic-reload" not in have


def test_everything_can_be_turned_off():
    wanted = settings(audit={}, anonymous_paths=[], pod_security={}, encryption=False, verify_kubelets=False)
    apiserver = cluster(wanted)["apiServer"]
    assert paths(wanted) == set() and "extraVolumes" not in apiserver
    assert set(flags(apiserver)) == {"profiling", "tls-min-version", "tls-cipher-suites"}


def test_hosts_that_join_can_read_the_cluster_info_without_credentials():
    documents = {one["path"]: json.loads(one["content"]) for one in hardening.apiserver_files(settings())}
    anonymous = documents[hardening.AUTHENTICATION]["anonymous"]
    assert anonymous["enabled"] is True
    assert [one["path"] for one in anonymous["conditions"]] == ["/livez", hardening.CLUSTER_INFO]


def test_pod_security_fills_in_the_modes_that_are_not_given():
    documents = {one["path"]: json.loads(one["content"]) for one in hardening.apiserver_files(settings())}
    (plugin,) = documents[hardening.ADMISSION]["plugins"]
    assert plugin["configuration"]["defaults"] == {
        "enforce": "privileged",
        "enforce-version": "latest",
        "audit": "restricted",
        "audit-version": "latest",
        "warn": "privileged",
        "warn-version": "latest",
    }
    assert plugin["configuration"]["exemptions"]["namespaces"] == ["kube-system"]


def level_of(policy, user="", groups=(), verb="create", group="", resource="", path=""):
    """The level by the first rule that matches, as the API server decides (audit/policy/checker.go)."""
    for rule in policy["rules"]:
        if rule.get("nonResourceURLs") and not any(
            path == url or url.endswith("*") and path.startswith(url[:-1]) and path for url in rule["nonResourceURLs"]
        ):
            continue
        kinds = rule.get("resources")
        if kinds and not any(kind["group"] == group and resource in kind["resources"] for kind in kinds):
            continue
        if rule.get("verbs") and verb not in rule["verbs"]:
            continue
        named = rule.get("users", []) + rule.get("userGroups", [])
        if named and not {user, *groups} & set(named):
            continue
        return rule["level"]
    return ""


@pytest.mark.parametrize(
    ("request_", "level"),
    [
        ({"path": "/readyz/etcd", "verb": "get"}, "None"),
        ({"user": "jane", "resource": "secrets", "verb": "get"}, "Metadata"),
        ({"user": "system:node:w1", "groups": ["system:nodes"], "resource": "secrets", "verb": "get"}, "Metadata"),
        ({"user": "system:node:w1", "groups": ["system:nodes"], "resource": "pods", "verb": "watch"}, "None"),
        ({"user": "system:node:w1", "groups": ["system:nodes"], "resource": "pods", "verb": "delete"}, "Metadata"),
        (
            {"user": "system:kube-scheduler", "resource": "leases", "group": "coordination.k8s.io", "verb": "update"},
            "None",
        ),
        ({"user": "jane", "resource": "events", "verb": "create"}, "None"),
        ({"user": "jane", "resource": "pods", "verb": "list"}, "Metadata"),
        ({"user": "jane", "resource": "pods/exec", "verb": "create"}, "Metadata"),
    ],
)
def test_the_audit_policy_logs_people_and_secrets_and_not_the_noise(request_, level):
    assert level_of(hardening.audit_policy(), **request_) == level


def test_no_content_of_a_request_is_logged():
    assert {rule["level"] for rule in hardening.audit_policy()["rules"]} == {"None", "Metadata"}
