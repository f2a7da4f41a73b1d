# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of installed software: container runtimes, and packages that would conflict or be downgraded."""

from __future__ import annotations

import pytest

from ansible_collections.slipway.kube.plugins.plugin_utils.preflight import software


def test_other_runtimes(cluster, findings):
    host = cluster.hosts["w1"]
    host.facts["packages"]["docker-ce"] = "5:27.0"
    assert findings(software.check_runtimes(cluster)) == [("runtimes", "w1", "warning")]
    host.facts["units"]["k3s.service"] = {"active": True, "enabled": True, "masked": False}
    assert findings(software.check_runtimes(cluster)) == [("runtimes", "w1", "error")]


def test_other_packages_installed(cluster, findings):
    host = cluster.hosts["w1"]
    host.facts["packages"]["kubelet"] = "1.36.3-1.1"
    assert findings(software.check_installed(cluster)) == []
    host.facts["packages"]["kubelet"] = "1.34.1-1.1"
    assert findings(software.check_installed(cluster)) == [("installed", "w1", "info")]


def test_packages_of_the_distribution_that_exclude_containerd_io_are_refused_with_the_choice(cluster):
    host = cluster.hosts["w1"]
    host.facts["packages"].update({"containerd": "1.7.24~ds1-6", "runc": "1.1.15", "docker.io": "26.1.5"})
    (problem,) = software.check_runtimes(cluster)
    assert (problem.check, problem.severity) == ("runtimes", "error")
    assert "containerd 1.7.24~ds1-6, runc 1.1.15, docker.io 26.1.5" in problem.evidence
    assert "apt-get remove containerd runc docker.io" in problem.remedy
    for setting in ("containerd_package: containerd", 'containerd_version: "1.7.24"', "kube_containerd_repository: {}"):
        assert setting in problem.remedy
    host.facts["os"]["family"] = "rhel"
    (problem,) = software.check_runtimes(cluster)
    assert "dnf remove containerd runc docker.io" in problem.remedy


def test_a_containerd_that_the_role_cannot_configure_is_not_offered(cluster):
    cluster.hosts["w1"].facts["packages"].update({"containerd": "1.6.20~ds1-1+deb12u3", "runc": "1.1.5"})
    (problem,) = software.check_runtimes(cluster)
    assert "apt-get remove containerd runc" in problem.remedy
    assert "containerd_package" not in problem.remedy


def test_runc_alone_cannot_be_adopted(cluster):
    cluster.hosts["w1"].facts["packages"]["runc"] = "1.1.15"
    (problem,) = software.check_runtimes(cluster)
    assert "apt-get remove runc" in problem.remedy
    assert "containerd_package" not in problem.remedy


@pytest.mark.parametrize(
    ("package", "installed", "severities"),
    [
        ("containerd", {"containerd": "2.2.3-1", "runc": "1.1.15"}, []),
        ("containerd", {"containerd": "2.2.3-1", "docker.io": "26.1.5"}, ["warning"]),
        ("containerd", {"containerd.io": "2.2.3-1"}, ["error"]),
        ("containerd.io", {"containerd.io": "2.2.3-1"}, []),
    ],
)
def test_what_conflicts_depends_on_the_package_that_is_installed(cluster, package, installed, severities):
    host = cluster.hosts["w1"]
    host.variables["containerd_package"] = package
    host.facts["packages"].update(installed)
    assert [problem.severity for problem in software.check_runtimes(cluster)] == severities


@pytest.mark.parametrize("settled", [False, True])
@pytest.mark.parametrize(
    ("installed", "wanted", "newer"),
    [
        ("2.2.5-1~debian.12~bookworm", "2.2.3", True),
        ("3:2.3.0-3.1.el9", "2.2", True),
        ("2.2.5-1~debian.12~bookworm", "2.2", False),
        ("2.2.3-1~debian.12~bookworm", "2.2.3", False),
        ("2.2.3-1~debian.12~bookworm", "2.2.3-1~debian.12~bookworm", False),
        ("1.7.27-1", "2.2.3", False),
    ],
)
def test_a_newer_containerd_is_not_downgraded(request, settled, installed, wanted, newer):
    host = request.getfixturevalue("members" if settled else "cluster").hosts["w1"]
    host.facts["packages"]["containerd.io"] = installed
    host.variables["containerd_version"] = wanted
    problems = software.check_containerd_version(request.getfixturevalue("cluster"))
    assert [(problem.check, problem.severity) for problem in problems] == [("installed", "error")] * newer
    if newer:
        assert installed in problems[0].evidence
        assert wanted in problems[0].evidence
        assert 'containerd_version: "2.' in problems[0].remedy
        assert "preflight_waive" in problems[0].remedy


def test_a_hold_of_somebody_else_is_not_broken(cluster):
    host = cluster.hosts["w1"]
    host.facts["packages"]["containerd.io"] = "2.2.1-1"
    assert software.check_containerd_version(cluster) == []
    host.facts["held"] = ["containerd.io"]
    (problem,) = software.check_containerd_version(cluster)
    assert "apt-mark unhold containerd.io" in problem.remedy
    host.facts["os"]["family"] = "rhel"
    (problem,) = software.check_containerd_version(cluster)
    assert "dnf versionlock delete containerd.io" in problem.remedy
    host.facts["record"].update(marked=True, cluster="kubernetes")
    assert software.check_containerd_version(cluster) == [], "the hold of an earlier run"


@pytest.mark.parametrize(("family", "command"), [("debian", "apt-mark unhold"), ("rhel", "dnf versionlock delete")])
def test_a_hold_of_kubernetes_packages_at_another_version_is_not_broken(cluster, family, command):
    host = cluster.hosts["w1"]
    host.facts["os"]["family"] = family
    host.facts["packages"].update(kubeadm="1.35.4-1.1", kubelet="1.35.4-1.1")
    assert [problem.severity for problem in software.check_installed(cluster)] == ["info", "info"]
    host.facts["held"] = ["kubeadm", "kubelet"]
    (problem,) = [problem for problem in software.check_installed(cluster) if problem.severity == "error"]
    assert "kubeadm 1.35.4-1.1, kubelet 1.35.4-1.1" in problem.evidence
    assert f"`{command} kubeadm kubelet`" in problem.remedy
    host.facts["record"].update(marked=True, cluster="kubernetes")
    assert software.check_installed(cluster) == [], "the hold of an earlier run"


def cni(name, network="k8s-pod-network", owner="Calico"):
    return {"path": f"/etc/cni/net.d/{name}", "network": network, "owner": owner}


@pytest.mark.parametrize(
    ("found", "named"),
    [
        (cni("05-cilium.conflist", "cilium", "Cilium"), "05-cilium.conflist (network cilium of Cilium)"),
        (cni("10-calico.conflist"), "10-calico.conflist (network k8s-pod-network of Calico)"),
        (cni("99-own.conf", "own", ""), "99-own.conf (network own)"),
        (cni("99-broken.conf", "", ""), "99-broken.conf (no valid configuration)"),
    ],
)
def test_the_cni_configuration_of_another_network_is_refused(cluster, found, named):
    cluster.hosts["w1"].facts["cni"] = [found]
    (problem,) = software.check_cni(cluster)
    assert (problem.check, problem.host, problem.severity) == ("cni", "w1", "error")
    assert problem.evidence == f"/etc/cni/net.d/{named}"
    assert f"rm {found['path']}" in problem.remedy


@pytest.mark.parametrize(
    ("name", "plugin", "effect"),
    [
        ("87-podman-bridge.conflist", "calico", "until 10-calico.conflist is there"),
        ("05-podman.conflist", "flannel", "before 10-flannel.conflist"),
        ("87-podman-bridge.conflist", "none", "unless the pod network's file sorts before it"),
    ],
)
def test_a_container_engines_configuration_is_no_cluster_network_but_containerd_would_use_it(
    cluster, name, plugin, effect
):
    host = cluster.hosts["w1"]
    host.variables["kube_network_plugin"] = plugin
    host.facts["cni"] = [cni(name, "podman", "Podman")]
    (problem,) = software.check_cni(cluster)
    assert problem.severity == "error"
    assert "Podman" in problem.what
    assert "leftover" not in problem.what
    assert effect in problem.evidence
    assert "rm " not in problem.remedy


def test_the_configuration_of_this_cluster_stays(cluster):
    host = cluster.hosts["w1"]
    host.facts["record"].update(marked=True, cluster="kubernetes")
    host.facts["cni"] = [cni("10-calico.conflist")]
    assert software.check_cni(cluster) == []
    host.facts["cni"] = [cni("05-cilium.conflist", "cilium", "Cilium")]
    assert len(software.check_cni(cluster)) == 1
    host.variables["kube_network_plugin"] = "none"
    assert software.check_cni(cluster) == []
