# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CoreDNS is configured once, and the module waits for the pods that ran before."""

from __future__ import annotations

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._host.system import HostError
from ansible_collections.slipway.kube.plugins.module_utils._kubeadm import coredns

from .test_corefile import KUBEADM

WANT = {"forwarders": ["10.0.0.1"], "stub_domains": {}, "hosts": {}, "replicas": 0, "replicas_at_least": 2}


class Cluster:
    """A ConfigMap, and one pod that reads it some requests later."""

    def __init__(self, late=2):
        self.content = {"metadata": {"resourceVersion": "7"}, "data": {"Corefile": KUBEADM}}
        self.replicas = 2
        self.patches, self.late, self.served, self.failed = [], late, KUBEADM, 0
        status = {"conditions": [{"type": "Ready", "status": "True"}]}
        self.pods = [{"metadata": {"uid": "u1", "name": "coredns-a"}, "status": status}]

    def find(self, path):
        return {
            coredns.CONFIG_MAP: self.content,
            coredns.DEPLOYMENT: self.replicas and {"spec": {"replicas": self.replicas}},
        }.get(path)

    def items(self, path, query):
        assert (path, query) == (coredns.PODS, {"labelSelector": "k8s-app=kube-dns"})
        return self.pods

    def text(self, path):
        assert path.endswith("/coredns-a:9153/proxy/metrics")
        if self.served != self.content["data"]["Corefile"]:
            self.late -= 1
            if self.late < 0:
                self.served = self.content["data"]["Corefile"]
        # A server that has not read its configuration again tells no version.
        told = 'coredns_reload_version_info{hash="sha512",value="x%d"} 1\n' % len(self.served)
        return (told if self.patches and self.late < 0 else "") + "coredns_reload_failed_total %d\n" % self.failed

    def patch(self, path, patch):
        self.patches.append(path)
        if path == f"{coredns.DEPLOYMENT}/scale":
            self.replicas = patch["spec"]["replicas"]
        if path == coredns.CONFIG_MAP:
            assert patch["metadata"].pop("resourceVersion") == "7"
            found = {**self.content["metadata"].get("annotations", {}), **patch["metadata"]["annotations"]}
            self.content["metadata"]["annotations"] = {key: value for key, value in found.items() if value is not None}
            self.content["data"].update(patch["data"])


@pytest.fixture
def cluster(monkeypatch):
    made = Cluster()
    monkeypatch.setattr(coredns, "connect", lambda kubeconfig, server: made)
    monkeypatch.setattr(coredns, "has_kubeconfig", lambda kubeconfig, check: True)
    monkeypatch.setattr(coredns.time, "sleep", lambda seconds: None)
    return made


def run(check=False, timeout=60, **values):
    return coredns.converge({"kubeconfig": "", "server": "", "timeout": timeout, **WANT, **values}, check)


def test_it_is_configured_once_and_taken_back(cluster):
    assert run(check=True)["changed"] and not cluster.patches
    done = run()
    assert done["changed"] and "forward . 10.0.0.1 {" in done["diff"][0]["after"] and cluster.late < 0
    assert cluster.patches == [coredns.CONFIG_MAP, f"{coredns.PODS}/coredns-a"]
    assert not run()["changed"]
    assert run(forwarders=[])["changed"] and cluster.content["data"]["Corefile"] == KUBEADM
    assert not cluster.content["metadata"]["annotations"] and not run(forwarders=[])["changed"]


def test_a_corefile_of_any_form_is_left_alone_where_nothing_is_wanted(cluster):
    cluster.content["data"]["Corefile"] = "not { a Corefile"
    assert not run(forwarders=[])["changed"] and not cluster.patches


def test_a_pod_that_does_not_use_it_is_told(cluster):
    cluster.late = 10**6
    with pytest.raises(HostError, match=r"Evidence: coredns-a\. .*kubectl -n kube-system logs"):
        run(timeout=-1)
    assert not run()["changed"], "the ConfigMap has it"


def test_a_configuration_that_coredns_cannot_use_is_told(cluster, monkeypatch):
    monkeypatch.setattr(coredns.time, "sleep", lambda seconds: setattr(cluster, "failed", 1))
    with pytest.raises(HostError, match=r"cannot use its new configuration.*coredns-a is 1"):
        run()


def test_another_indentation_is_no_change(cluster):
    run()
    cluster.content["data"]["Corefile"] = cluster.content["data"]["Corefile"].replace("    ", "        ")
    del cluster.patches[:]
    assert not run()["changed"] and not cluster.patches


def test_pods_that_are_not_ready_yet_are_not_waited_for(cluster):
    cluster.pods[0]["status"] = {}
    assert run()["changed"] and cluster.patches == [coredns.CONFIG_MAP]


def test_a_cluster_without_coredns(cluster):
    cluster.content = None
    assert not run(forwarders=[])["changed"]
    with pytest.raises(HostError, match="no ConfigMap kube-system/coredns"):
        run()


def test_a_dry_run_before_the_cluster_exists(monkeypatch):
    monkeypatch.setattr(coredns, "has_kubeconfig", lambda kubeconfig, check: False)
    assert run(check=True)["changed"] and not run(check=True, forwarders=[])["changed"]
    assert run(check=True, forwarders=[], replicas_at_least=3)["changed"]


def test_the_number_of_pods_follows_the_hosts_and_is_taken_back(cluster):
    assert run(check=True, forwarders=[], replicas_at_least=5)["changes"] == ["CoreDNS: 5 instead of 2 pods."]
    assert not cluster.patches
    assert run(forwarders=[], replicas_at_least=5)["changed"] and cluster.replicas == 5
    assert not run(forwarders=[], replicas_at_least=5)["changed"]
    assert run(forwarders=[], replicas_at_least=3)["changed"] and cluster.replicas == 3
    assert run(forwarders=[])["changed"] and cluster.replicas == 2
    assert not cluster.content["metadata"]["annotations"] and not run(forwarders=[])["changed"]


def test_a_number_of_pods_of_somebody_else_stays_unless_one_is_asked_for(cluster):
    cluster.replicas = 7
    assert not run(forwarders=[], replicas_at_least=5)["changed"] and cluster.replicas == 7
    assert run(forwarders=[], replicas=1)["changes"] == ["CoreDNS: 1 instead of 7 pods."] and cluster.replicas == 1
    assert not run(forwarders=[], replicas=1)["changed"]
    assert run(forwarders=[])["changed"] and cluster.replicas == 2


def test_a_number_that_replaced_ours_stays(cluster):
    assert run(forwarders=[], replicas_at_least=5)["changed"] and cluster.replicas == 5
    cluster.replicas = 3  # an autoscaler wants fewer
    for least in (5, 9):
        assert not run(forwarders=[], replicas_at_least=least)["changed"] and cluster.replicas == 3
    assert run(forwarders=[])["changed"] and cluster.replicas == 3 and not run(forwarders=[])["changed"]


def test_only_the_number_of_pods_is_ours_in_a_corefile_of_any_form(cluster):
    cluster.content["data"]["Corefile"] = "not { a Corefile"
    assert run(forwarders=[], replicas_at_least=3)["changed"]
    assert not run(forwarders=[], replicas_at_least=3)["changed"]
    with pytest.raises(HostError):
        run(replicas_at_least=4)
    assert cluster.replicas == 3, "nothing is scaled where the rest cannot be done"


def test_another_cluster_dns_is_not_scaled(cluster):
    cluster.replicas = None
    assert not run(forwarders=[], replicas_at_least=3)["changed"] and not cluster.patches
