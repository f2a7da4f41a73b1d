# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sources: the requests, and the problems that follow from the responses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ansible_collections.slipway.kube.plugins.plugin_utils.preflight import sources
from ansible_collections.slipway.kube.plugins.plugin_utils.preflight.checks import check_hosts
from ansible_collections.slipway.kube.plugins.plugin_utils.preflight.variables import OF_A_MINOR

DEB = "http://mirror/deb/kubernetes"
MIRRORS = {
    "registry.k8s.io": [
        {"url": "http://mirror/v2/registry.k8s.io", "override_path": True, "header": {"Authorization": ["Basic x"]}}
    ],
    "docker.io": [{"url": "https://hub.example.com", "ca": "/etc/ca.pem", "skip_verify": True}],
}


def kinds(variables):
    return {(request["kind"], request["url"]) for request in sources.requests_for(variables)}


@pytest.fixture
def variables(cluster):
    """Variables of a worker on Debian, and its facts."""
    host = cluster.hosts["w1"]
    return {**host.variables, "kube_host": host.facts}


def test_what_depends_on_a_minor_version_is_named_once():
    """A role evaluates the same variables with a template."""
    template = Path(__file__).resolve().parents[5] / "roles" / "preflight" / "templates" / "of_version.yml.j2"
    assert tuple(re.findall(r"^(\w+):", template.read_text(), re.MULTILINE)) == ("kube_version", *OF_A_MINOR)


def test_requests_of_a_mirror(variables):
    variables["kube_registry_mirrors"] = MIRRORS
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


DOCKER = {
    "deb_url": "https://download.docker.com/linux/debian",
    "rpm_url": "https://download.docker.com/linux/centos/9/$basearch/stable",
    "suite": "bookworm",
    "components": "stable",
    "key_url": "https://download.docker.com/linux/debian/gpg",
}
KUBERNETES = {"rpm_url": "https://pkgs.k8s.io/core:/stable:/v1.36/rpm/"}


def test_requests_of_upstream_s_sources(variables):
    variables.update(
        kube_containerd_repository=DOCKER, kube_kubernetes_repository=KUBERNETES, kube_control_plane_endpoint=""
    )
    requests = sources.requests_for(variables)
    assert requests == [
        {
            "url": DOCKER["deb_url"],
            "kind": "deb",
            "suite": "bookworm",
            "components": ["stable"],
            "packages": ["containerd.io"],
            "key_url": DOCKER["key_url"],
            "proxy": "",
        },
        {"url": DOCKER["key_url"], "kind": "http", "proxy": ""},
        {"url": "https://registry.k8s.io/v2/", "kind": "registry", "image": "pause:3.10.2", "proxy": ""},
    ]
    variables["kube_host"]["os"].update(id="rocky", family="rhel", version_id="9.4")
    assert kinds(variables) == {
        ("rpm", DOCKER["rpm_url"]),
        ("http", DOCKER["key_url"]),
        ("rpm", KUBERNETES["rpm_url"]),
        ("registry", "https://registry.k8s.io/v2/"),
    }


def entry(**fields):
    return {
        "path": "/etc/apt/sources.list.d/docker.list",
        "line": 1,
        "url": "https://download.docker.com/linux/debian",
        "suite": "bookworm",
        "components": ["stable"],
        "architectures": ["amd64"],
        "signed_by": "/etc/apt/keyrings/docker.asc",
        "key_missing": False,
        **fields,
    }


def test_an_entry_of_the_host_has_its_own_key(variables):
    variables["kube_containerd_repository"] = DOCKER
    variables["kube_host"]["repositories"] = [entry()]
    requests = {request["url"]: request for request in sources.requests_for(variables)}
    assert requests[DOCKER["deb_url"]]["key_url"] == ""
    assert DOCKER["key_url"] not in requests


@pytest.mark.parametrize(
    ("entries", "evidence"),
    [
        ([], None),
        ([entry()], None),
        ([entry(path="/etc/apt/sources.list.d/slipway-containerd.sources", signed_by="/x"), entry()], None),
        ([entry(suite="trixie", components=[]), entry(url="https://other.test")], None),
        ([entry(components=["stable", "test"], architectures=[])], None),
        (
            [entry(key_missing=True)],
            "docker.list line 1 names the key /etc/apt/keyrings/docker.asc, which does not exist",
        ),
        ([entry(components=["test"])], "/etc/apt/sources.list.d/docker.list line 1 lacks the component stable"),
        ([entry(architectures=["arm64"])], "/etc/apt/sources.list.d/docker.list line 1 is for arm64 only"),
        (
            [entry(), entry(path="/etc/apt/sources.list", line=7, signed_by="")],
            "docker.list line 1 has Signed-By /etc/apt/keyrings/docker.asc; /etc/apt/sources.list line 7 has none",
        ),
    ],
)
def test_entries_of_the_host_for_our_repository(cluster, findings, entries, evidence):
    host = cluster.hosts["w1"]
    host.variables["kube_containerd_repository"] = DOCKER
    host.facts["repositories"] = entries
    problems = check_hosts(cluster)
    assert findings(problems) == ([("repository_entry", "w1", "error")] if evidence else [])
    if evidence:
        assert evidence in problems[0].evidence
        assert "sources.list" in problems[0].evidence


@pytest.mark.parametrize(
    ("key_url", "components", "evidence"),
    [
        (DOCKER["key_url"], "stable", ""),
        ("http://other.test/key", "stable", "http://other.test/key"),
    ],
)
def test_one_apt_repository_for_both_roles_has_one_key(cluster, findings, key_url, components, evidence):
    host = cluster.hosts["w1"]
    host.variables["kube_containerd_repository"] = DOCKER
    host.variables["kube_kubernetes_repository"] = dict(DOCKER, key_url=key_url, components=components)
    problems = check_hosts(cluster)
    assert findings(problems) == ([("repository_entry", "w1", "error")] if evidence else [])
    assert not evidence or evidence in problems[0].evidence


def test_a_repository_without_a_url_for_the_family(cluster, findings):
    host = cluster.hosts["w1"]
    host.facts["os"].update(id="rocky", family="rhel", version_id="9.4", codename="")
    host.variables["kube_kubernetes_repository"] = dict(DOCKER)
    problems = check_hosts(cluster)
    assert findings(problems) == [("repository_url", "w1", "error")]
    assert problems[0].what == "kube_containerd_repository has no rpm_url, which hosts of family 'rhel' need."


def test_an_empty_repository_stands_for_those_of_the_host(cluster, findings):
    cluster.hosts["w1"].variables["kube_containerd_repository"] = {}
    assert findings(check_hosts(cluster)) == []


def test_a_repository_signed_by_another_key(cluster, findings):
    reach = cluster.hosts["w1"].facts["reach"]
    reach[DEB] = {
        "kind": "deb",
        "ok": True,
        "status": 200,
        "error": "",
        "signature": "InRelease is signed with the key X",
    }
    problems = check_hosts(cluster)
    assert findings(problems) == [("repository", "w1", "error")]
    assert problems[0].what == "The signature of a package repository is not valid."
    assert "kube_kubernetes_repository" in problems[0].remedy


@pytest.mark.parametrize("kind", ["deb", "registry", "manifest"])
def test_a_proxy_that_requires_a_login_is_reported_once(cluster, findings, kind):
    answer = {"kind": kind, "ok": False, "status": 407, "error": "the proxy requires a login (HTTP status 407)"}
    cluster.hosts["w1"].facts["reach"][DEB if kind == "deb" else "http://hub/v2/"] = answer
    problems = check_hosts(cluster)
    assert findings(problems) == [("proxy", "w1", "error")]
    assert "user and password" in problems[0].remedy


@pytest.mark.parametrize("kind", ["registry", "manifest"])
def test_a_registry_that_requires_credentials(cluster, findings, kind):
    answer = {"kind": kind, "ok": False, "status": 401, "error": 'it requires credentials (Basic realm="x")'}
    cluster.hosts["w1"].facts["reach"]["https://hub/v2/"] = answer
    problems = check_hosts(cluster)
    assert findings(problems) == [("registry", "w1", "error")]
    assert problems[0].what == "An image registry requires credentials."
    assert "header" in problems[0].remedy


@pytest.mark.parametrize(
    ("clocks", "severity", "evidence"),
    [
        ({"a.test/x": None, "b.test/x": 2.0}, None, ""),
        ({"a.test/x": 3700, "b.test/x": 0.3}, None, ""),
        ({"a.test/x": -3600.4, "b.test/x": -3599.8}, "error", "3600 seconds behind a.test and b.test"),
        ({"a.test/x": 7200}, "warning", "7200 seconds ahead of a.test"),
        ({"a.test/x": 7200, "a.test/y": 7201}, "warning", "7200 seconds ahead of a.test"),
        ({"a.test bookworm": 7200, "a.test trixie": 7201}, "warning", "7200 seconds ahead of a.test"),
        ({"a.test/x": 7200, "b.test/x": -7200}, "warning", "7200 seconds ahead of a.test, 7200 seconds behind b.test"),
        ({"a.test/x": 9000, "b.test/x": 500, "c.test/x": 510}, "error", "500 seconds ahead of b.test and c.test"),
    ],
)
def test_two_servers_that_agree_prove_that_the_clock_of_the_host_is_wrong(
    cluster, findings, clocks, severity, evidence
):
    for place, clock in clocks.items():
        answer = {"kind": "http", "ok": True, "status": 200, "error": "", "clock": clock}
        cluster.hosts["w1"].facts["reach"][f"http://{place}"] = answer
    problems = check_hosts(cluster)
    assert findings(problems) == ([("clock", "w1", severity)] if severity else [])
    assert not evidence or problems[0].evidence == f"it is {evidence}, according to the header Date of their responses"


def test_a_registry_below_a_path_and_a_mirror_without_override(cluster):
    variables = {
        **cluster.hosts["w1"].variables,
        "kube_image_registry": "hub.example.com/k8s",
        "kube_registry_mirrors": {"hub.example.com": [{"url": "https://mirror"}]},
    }
    assert next(iter(sources.manifest_urls(variables))) == "https://mirror/v2/k8s/pause/manifests/3.10.2"


def test_images_of_addons_are_asked_of_the_mirrors_of_their_registries(variables):
    quay = {"url": "http://mirror/v2/quay.io", "override_path": True}
    variables["kube_registry_mirrors"] = {"quay.io": [quay]}
    variables["addon_images"] = ["quay.io/metallb/speaker:v0.15.3", "docker.io/library/traefik:v3.6.12"]
    url = "http://mirror/v2/quay.io/metallb/speaker/manifests/v0.15.3"
    assert sources.manifest_urls(variables) == {url: quay}
    (request,) = [one for one in sources.requests_for(variables) if one["kind"] == "manifest"]
    assert request["url"] == url


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


def test_sources_of_members_matter_only_where_they_are_upgraded(members, findings):
    for host in members.hosts.values():
        host.facts["cluster"]["kubelet_version"] = "1.36.3"
    answer = {"kind": "registry", "ok": False, "status": 0, "error": "No route to host"}
    members.hosts["w1"].facts["reach"] = {"https://registry.k8s.io/v2/": answer}
    assert findings(check_hosts(members)) == []
    for host in members.hosts.values():
        host.variables["preflight_upgrade"] = True
    assert findings(check_hosts(members)) == []  # nothing is upgraded
    for host in members.hosts.values():
        host.variables["kube_version"] = "1.37.2"
    assert ("registry", "w1", "error") in findings(check_hosts(members))


BETWEEN = {
    "kube_version": "1.36.3",
    "kube_component_versions": {"pause": "3.10.2", "etcd": "3.6.8", "coredns": "1.14.2"},
    "kube_kubernetes_repository": {"deb_url": "http://mirror/deb/kubernetes/v1.36", "suite": "/"},
}


def test_the_sources_of_the_versions_that_an_upgrade_goes_through_are_asked_as_well(variables):
    variables.update(kube_registry_mirrors=MIRRORS, kube_version="1.37.2", between=[BETWEEN], control_plane=True)
    by_url = {request["url"]: request for request in sources.requests_for(variables)}
    assert by_url[DEB]["packages"] == ["kubeadm", "kubelet", "kubectl"]
    assert by_url["http://mirror/deb/kubernetes/v1.36"]["packages"] == ["kubeadm"]
    for tag in ("v1.36.3", "v1.37.2"):
        assert f"http://mirror/v2/registry.k8s.io/kube-apiserver/manifests/{tag}" in by_url


def test_one_repository_with_everything_is_asked_for_all_packages(variables):
    variables["kube_containerd_repository"] = variables["kube_kubernetes_repository"]
    variables["between"] = [{**BETWEEN, "kube_kubernetes_repository": variables["kube_kubernetes_repository"]}]
    (request,) = [one for one in sources.requests_for(variables) if one["kind"] == "deb"]
    assert request["packages"] == ["kubeadm", "kubelet", "kubectl", "containerd.io"]


def test_a_version_in_between_that_the_repository_lacks(cluster):
    host = cluster.hosts["w1"]
    host.variables["between"] = [BETWEEN]
    answer = {"kind": "deb", "ok": True, "status": 200, "error": "", "packages": {"kubeadm": ["1.36.1-1.1"]}}
    host.facts["reach"] = {"http://mirror/deb/kubernetes/v1.36": answer}
    (problem,) = check_hosts(cluster)
    assert problem.what == "The package repository does not have version 1.36.3 of kubeadm."
    assert "http://mirror/deb/kubernetes/v1.36 has 1.36.1" in problem.evidence
    answer["packages"]["kubeadm"].append("1.36.3-1.1")
    assert check_hosts(cluster) == []


def test_a_repository_that_cannot_be_reached_is_told_once(cluster):
    host = cluster.hosts["w1"]
    host.variables["between"] = [
        {**BETWEEN, "kube_kubernetes_repository": host.variables["kube_kubernetes_repository"]}
    ]
    host.facts["reach"] = {DEB: {"kind": "deb", "ok": False, "status": 0, "error": "No route to host"}}
    assert [problem.check for problem in check_hosts(cluster)] == ["repository"]


SUITES = {"deb_url": "http://mirror/k8s", "components": "main"}


def with_suites(variables):
    """Set repositories of two versions that differ only in their suites."""
    variables["kube_version"] = "1.37.2"
    variables["kube_kubernetes_repository"] = {**SUITES, "suite": "v1.37"}
    variables["between"] = [{**BETWEEN, "kube_kubernetes_repository": {**SUITES, "suite": "v1.36"}}]


def test_suites_of_one_url_are_asked_apart(variables):
    with_suites(variables)
    asked = [one for one in sources.requests_for(variables) if one["url"] == SUITES["deb_url"]]
    assert [(one["suite"], one["packages"]) for one in asked] == [
        ("v1.37", ["kubeadm", "kubelet", "kubectl"]),
        ("v1.36", ["kubeadm"]),
    ]


def test_the_version_of_each_suite_is_found_in_its_own_answer(cluster):
    host = cluster.hosts["w1"]
    with_suites(host.variables)
    answer = {"kind": "deb", "ok": True, "status": 200, "error": ""}
    new = {name: ["1.37.2-1.1"] for name in ("kubeadm", "kubelet", "kubectl")}
    host.facts["reach"] = {
        "http://mirror/k8s v1.37": {**answer, "packages": new},
        "http://mirror/k8s v1.36": {**answer, "packages": {"kubeadm": ["1.36.3-1.1"]}},
    }
    assert check_hosts(cluster) == []
    host.facts["reach"]["http://mirror/k8s v1.36"]["packages"]["kubeadm"] = ["1.36.1-1.1"]
    (problem,) = check_hosts(cluster)
    assert problem.evidence == "http://mirror/k8s v1.36 has 1.36.1"


def test_components_of_one_suite_are_asked_together(variables):
    with_suites(variables)
    variables["kube_containerd_repository"] = {**SUITES, "suite": "v1.37", "components": "containers"}
    request = next(one for one in sources.requests_for(variables) if one.get("suite") == "v1.37")
    assert request["components"] == ["main", "containers"] and request["packages"][-1] == "containerd.io"
