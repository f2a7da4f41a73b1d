# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A failure of kubeadm tells what is wrong, what shows it, and what to do, and no secret."""

from __future__ import annotations

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._kubeadm.failures import (
    CAUSES,
    Evidence,
    check_remedy,
    explain_failure,
    hide_credentials,
    relevant_lines,
)

PREFLIGHT = """[preflight] Running pre-flight checks
\t[WARNING Swap]: swap is supported for cgroup v2 only
[preflight] Some fatal errors occurred:
\t[ERROR Port-6443]: Port 6443 is in use
\t[ERROR FileAvailable--etc-kubernetes-manifests-etcd.yaml]: /etc/kubernetes/manifests/etcd.yaml already exists
[preflight] If you know what you are doing, you can make a check non-fatal with `--ignore-preflight-errors=...`
"""
# Lines that kubeadm 1.36 wrote, cut to what tells.
IDENTITY = "error execution phase preflight: couldn't validate the identity of the API Server: "
WRONG_CA = (
    IDENTITY
    + f'cluster CA found in cluster-info ConfigMap is invalid: none of the public keys "sha256:{"c" * 64}" are pinned'
)
EXPIRED = IDENTITY + 'token id "abcdef" is invalid for this cluster or it has expired. Use "kubeadm token create"'
SAME_NAME = (
    'error execution phase kubelet-start: a Node with name "w1" and status "Ready" already exists in the cluster.'
)
NO_ROUTE = IDENTITY + (
    "failed to request the cluster-info ConfigMap: "
    'Get "https://192.0.2.1:6443/api": dial tcp 192.0.2.1:6443: connect: connection refused'
)
KUBELET = "[kubelet-check] The kubelet is not healthy after 4m0s"
SLOW = (
    "error: error execution phase wait-control-plane: cannot obtain client without bootstrap: could not bootstrap the admin user in "
    'file admin.conf: unable to create ClusterRoleBinding: Post "https://192.0.2.1:6443/apis/rbac": context deadline exceeded'
)
# Written by kubeadm 1.37 on a machine with little processor time, after the phase in which it had waited for this API server.
SLOW_LATER = (
    "error: error execution phase addon/coredns: couldn't retrieve DNS addon deployments: "
    'Get "https://192.0.2.1:6443/apis/apps/v1/namespaces/kube-system/deployments?labelSelector=k8s-app": context deadline exceeded'
)
APISERVER = "[control-plane-check] kube-apiserver is not healthy after 4m0s\nerror: kube-apiserver check failed at https://192.0.2.1:6443/livez: timed out"


def test_every_failed_check_is_named_with_its_own_remedy():
    text = explain_failure("kubeadm init", Evidence(PREFLIGHT), "/log")
    assert "- Port-6443: Port 6443 is in use. Stop the process that listens" in text
    assert "Reset it with the playbook" in text
    assert "WARNING" not in text and "If you know" not in text


@pytest.mark.parametrize(
    ("output", "says"),
    [
        (WRONG_CA, "is not the one that was pinned"),
        (EXPIRED, "or it has expired"),
        (SAME_NAME, "already has a Ready node with this name"),
        (NO_ROUTE, "could not reach the control plane endpoint"),
        (SLOW, "responds too slowly for kubeadm"),
        (SLOW_LATER, "responds too slowly for kubeadm"),
        (KUBELET, "the kubelet does not keep running"),
        (APISERVER, "did not start in time"),
    ],
    ids=["wrong CA", "expired token", "same name", "unreachable", "slow", "slow later", "kubelet", "control plane"],
)
def test_known_causes_are_told_with_evidence_and_remedy(output, says):
    text = explain_failure("kubeadm join", Evidence(output, "E1 kubelet broke", "etcd: no space"), "/log")
    assert says in text.splitlines()[0]
    order = [
        text.index(part)
        for part in (says, "Output of kubeadm", "Log of the kubelet", "Logs of the static pods", "Remedy: ", "/log")
    ]
    assert order == sorted(order)
    assert output.splitlines()[-1][:60] in text
    assert "kubelet broke" in text and "etcd: no space" in text and "/log" in text


def test_an_unknown_cause_shows_the_lines_all_the_same():
    text = explain_failure("kubeadm init", Evidence("something odd\nunable to fly"), "/log")
    assert "unable to fly" in text and "Remedy" in text


def test_a_run_that_was_ended_says_after_how_long():
    assert "was terminated after 600 seconds" in explain_failure(
        "kubeadm init", Evidence("[certs] Generating"), "/log", 600
    )


def test_secrets_are_not_shown_and_ca_hashes_are():
    text = hide_credentials(f"token abcdef.0123456789abcdef key {'b' * 64} hash sha256:{'c' * 64}")
    assert text == "token abcdef.*** key *** hash sha256:" + "c" * 64


def test_errors_are_preferred_to_chatter_and_told_once():
    assert relevant_lines("a\nerror x\nb\nerror x\nc") == ["error x"]
    assert relevant_lines("a\nb\n\nc", 2) == ["b", "c"]


def test_each_cause_has_a_remedy_that_is_a_sentence():
    assert all(remedy.endswith(".") and what and not what.endswith(".") for _pattern, what, remedy in CAUSES)


@pytest.mark.parametrize(
    "check", ["Port-10250", "Mem", "ImagePull", "FileContent--proc-sys-net-ipv4-ip_forward", "Anything"]
)
def test_each_check_has_a_remedy(check):
    assert check_remedy(check).endswith(".")
