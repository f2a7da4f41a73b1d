# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sources: the requests, and the problems that follow from the responses."""

from __future__ import annotations

import pytest

from ansible_collections.slipway.kube.plugins.plugin_utils.preflight import sources
from ansible_collections.slipway.kube.plugins.plugin_utils.preflight.checks import check_hosts

DEB = "http://mirror/deb/kubernetes"
MIRRORS = {
    "registry.k8s.io": [
        {"url": "http://mirror/v2/registry.k8s.io", "override_path": True, "header": {"Authorization": ["Basic x"]}}
    ],
    "docker.io": [{"url": "https://hub.example.com", "ca": "/etc/ca.pem", "skip_verify": True}],
}


def kinds(variables):
    return {(request["kind"], request["url"]) for request in sources.requests_for(variables)}


def test_requests_of_a_mirror(cluster):
    variables = {**cluster.hosts["w1"].variables, "kube_registry_mirrors": MIRRORS}
    assert kinds(variables) == {
        ("deb", DEB),
        ("deb", "http://mirror/deb/containerd"),
        ("http", "http://mirror/deb/key.asc"),
        ("registry", "http://mirror/v2/"),
        ("registry", "https://hub.example.com/v2/"),
        ("manifest", "http://mirror/v2/registry.k8s.io/pause/manifests/3.10.2"),
        ("manifest", "http://mirror/v2/registry.k8s.io/kube-proxy/manifests/v1.36.3"),
        ("manifest", "http://mirror/v2/registry.k8s.io/coredns/coredns/manifests/v1.14.2"),
        ("tcp", "tcp://api.example.com:6443"),
    }
    by_url = {request["url"]: request for request in sources.requests_for(variables)}
    assert by_url[DEB]["packages"] == ["kubeadm", "kubelet", "kubectl"]
    assert by_url["http://mirror/v2/"]["headers"] == {"Authorization": "Basic x"}
    assert by_url["https://hub.example.com/v2/"]["ca"] == "/etc/ca.pem"
    assert by_url["https://hub.example.com/v2/"]["verify"] is False


def test_requests_of_upstream_s_sources(cluster):
    variables = {
        **cluster.hosts["w1"].variables,
        "kube_containerd_repository": {
            "deb_url": "https://download.docker.com/linux/debian",
            "rpm_url": "https://download.docker.com/linux/centos/$releasever/$basearch/stable",
            "suite": "bookworm",
            "key_url": "https://download.docker.com/linux/debian/gpg",
        },
        "kube_kubernetes_repository": {"rpm_url": "https://pkgs.k8s.io/core:/stable:/v1.36/rpm/"},
        "kube_control_plane_endpoint": "",
    }
    assert kinds(variables) == {
        ("http", "https://download.docker.com/linux/debian/gpg"),
        ("rpm", "https://pkgs.k8s.io/core:/stable:/v1.36/rpm/"),
        ("registry", "https://registry.k8s.io/v2/"),
    }


def test_a_registry_below_a_path_and_a_mirror_without_override(cluster):
    variables = {
        **cluster.hosts["w1"].variables,
        "kube_image_registry": "hub.example.com/k8s",
        "kube_registry_mirrors": {"hub.example.com": [{"url": "https://mirror"}]},
    }
    assert sources.manifest_urls(variables)[0] == "https://mirror/v2/k8s/pause/manifests/3.10.2"


def test_images_of_a_control_plane(cluster):
    images = sources.needed_images({**cluster.hosts["cp1"].variables, "control_plane": True})
    assert images == [
        "pause:3.10.2",
        "kube-proxy:v1.36.3",
        "coredns/coredns:v1.14.2",
        "kube-apiserver:v1.36.3",
        "kube-controller-manager:v1.36.3",
        "kube-scheduler:v1.36.3",
        "etcd:3.6.8-0",
    ]


def offer(host, versions):
    host.facts["reach"][DEB] = {
        "kind": "deb",
        "ok": True,
        "status": 200,
        "error": "",
        "packages": {"kubeadm": versions},
    }
    for name in ("kubelet", "kubectl"):
        host.facts["reach"][DEB]["packages"][name] = ["1.36.3-1.1", *versions]


def test_repository_with_the_version(cluster):
    offer(cluster.hosts["w1"], ["1.36.2-1.1", "1.36.3-1.1"])
    assert check_hosts(cluster) == []


def test_repository_without_the_version(cluster, findings):
    offer(cluster.hosts["w1"], ["1.36.10-1.1", "1.36.2-1.1", "1.36.2-1.2"])
    problems = check_hosts(cluster)
    assert findings(problems) == [("source_version", "w1", "error")]
    assert "version 1.36.3 of kubeadm." in problems[0].what
    assert problems[0].evidence == f"{DEB} has 1.36.2, 1.36.10"


@pytest.mark.parametrize("url", [DEB, "http://mirror/deb/key.asc"])
def test_repository_out_of_reach(cluster, url):
    cluster.hosts["w1"].facts["reach"][url] = {"kind": "deb", "ok": False, "status": 0, "error": "connection refused"}
    problems = check_hosts(cluster)
    assert {problem.check for problem in problems} == {"repository"}
    assert "connection refused" in problems[0].evidence


@pytest.mark.parametrize(
    ("kind", "status", "check"),
    [
        ("registry", 0, "registry"),
        ("manifest", 404, "mirror_image"),
        ("manifest", 200, "mirror_image"),
        ("manifest", 0, None),
    ],
)
def test_registries(cluster, findings, kind, status, check):
    # Without a response, the registry is reported, not its manifests.
    cluster.hosts["w1"].facts["reach"]["http://mirror/x"] = {
        "kind": kind,
        "ok": False,
        "status": status,
        "error": "wrong media type",
    }
    assert findings(check_hosts(cluster)) == ([(check, "w1", "error")] if check else [])


def test_endpoint_before_there_is_a_control_plane(cluster, findings):
    reach = cluster.hosts["w1"].facts["reach"]
    reach["tcp://api.example.com:6443"] = {"kind": "tcp", "ok": False, "status": 0, "error": "connection refused"}
    assert findings(check_hosts(cluster)) == []
    reach["tcp://api.example.com:6443"]["error"] = "the name cannot be resolved (Name or service not known)"
    assert findings(check_hosts(cluster)) == [("endpoint_reach", "w1", "error")]


def test_endpoint_of_a_cluster_that_runs(members, cluster, findings):
    reach = members.hosts["w2"].facts["reach"]
    reach["tcp://api.example.com:6443"] = {"kind": "tcp", "ok": False, "status": 0, "error": "no answer in time"}
    assert findings(check_hosts(members)) == []
    members.hosts["w2"].facts["cluster"].update(member=False, role="", ca_hash="", version="")
    assert findings(check_hosts(members)) == [("endpoint_reach", "w2", "error")]


@pytest.mark.parametrize(
    ("desired", "offered", "fires"),
    [
        ("2.2.3", ["2.2.3-1~debian.12~bookworm"], False),
        ("2.2", ["2.1.9-1", "2.2.3-1"], False),
        ("2.2", ["2.21.0-1"], True),
        ("2.2.3-1~debian.12~bookworm", ["5:2.2.3-1~debian.12~bookworm"], False),
        ("2.2.3", [], True),
    ],
)
def test_containerd_by_its_version_or_a_prefix_of_it(cluster, findings, desired, offered, fires):
    host = cluster.hosts["w1"]
    host.variables["containerd_version"] = desired
    url = "http://mirror/deb/containerd"
    host.facts["reach"][url] = {
        "kind": "deb",
        "ok": True,
        "status": 200,
        "error": "",
        "packages": {"containerd.io": offered},
    }
    assert findings(check_hosts(cluster)) == ([("source_version", "w1", "error")] if fires else [])


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://registry.k8s.io/v2/", "http://proxy:3129"),
        ("http://docker.io/v2/", "http://proxy:3128"),
        ("http://mirror/v2/", ""),
        ("http://hub.example.com/v2/", ""),
        ("http://notexample.com/v2/", "http://proxy:3128"),
        ("http://10.0.0.5/v2/", ""),
        ("http://10.1.0.5/v2/", "http://proxy:3128"),
    ],
)
def test_containerd_s_proxy(url, expected):
    proxy = {
        "http": "http://proxy:3128",
        "https": "http://proxy:3129",
        "no_proxy": ["mirror", ".example.com", "10.0.0.0/24"],
    }
    assert sources.proxy_for(url, proxy) == expected
    assert sources.proxy_for(url, {}) == ""
