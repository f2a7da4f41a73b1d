# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Package repositories and registry mirrors as files of a host, and what the roles refuse."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import jinja2
import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader, lookup_loader
from ansible.template import Templar

from ansible_collections.slipway.kube.plugins.plugin_utils.preflight.repositories import usable_entries
from harness.core import load_variables, trust_as_template

ROLES = Path(__file__).parents[3] / "roles"


def render(role, template, **variables):
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ROLES / role / "templates"), trim_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters.update({"to_json": json.dumps, "slipway.kube.usable_entries": usable_entries})
    return yaml.safe_load(environment.get_template(template).render(**variables))


def package_repository(repository, name, family, *entries, others=()):
    host = {"os": {"family": family}, "repositories": list(entries), "architecture": "amd64"}
    return render(
        "cluster", "package-repository.yml.j2", repository=repository, name=name, host=host, others=list(others)
    )


def registry_mirrors(mirrors):
    return render("containerd", "registry-mirrors.yml.j2", kube_registry_mirrors=mirrors)


def refusals(role, family="debian", **variables):
    """What the role's checks say, by the name of the task."""
    loader = DataLoader()
    known = {"kube_host": {"os": {"family": family}, "repositories": []}}
    known.update(load_variables(ROLES / role / "vars/main.yml"))
    templar = Templar(loader=loader, variables={**known, **variables})
    said = {}
    tasks = [task for path in sorted((ROLES / role / "tasks").glob("*.yml")) for task in load_variables(path)]
    for task in tasks:
        check = task.get("ansible.builtin.assert")
        if check and "URL" in task["name"]:
            that = check["that"] if isinstance(check["that"], list) else [check["that"]]
            if not all(templar.template(trust_as_template("{{ " + one + " }}")) for one in that):
                said[task["name"]] = templar.template(check["fail_msg"])
    return said


UPSTREAM = {
    "deb_url": "https://pkgs.k8s.io/core:/stable:/v1.36/deb/",
    "rpm_url": "https://pkgs.k8s.io/core:/stable:/v1.36/rpm/",
    "suite": "/",
    "components": "",
    "key_url": "https://pkgs.k8s.io/core:/stable:/v1.36/deb/Release.key",
}


def fields(text):
    return dict(line.split(": ", 1) for line in text.splitlines() if not line.startswith("#"))


def test_a_flat_deb_repository_has_no_components():
    written = package_repository(UPSTREAM, "slipway-kubernetes", "debian")
    key, listed = written["files"]
    assert key == {
        "path": "/etc/apt/keyrings/slipway-kubernetes.asc",
        "url": UPSTREAM["key_url"],
        "contains": "BEGIN PGP PUBLIC KEY BLOCK",
    }
    assert listed["path"] == "/etc/apt/sources.list.d/slipway-kubernetes.sources"
    assert written["sources"] == [listed["path"]]
    assert fields(listed["content"]) == {
        "Types": "deb",
        "URIs": UPSTREAM["deb_url"],
        "Suites": "/",
        "Signed-By": key["path"],
    }


@pytest.mark.parametrize(("components", "written"), [("stable", "stable"), ("", "main")])
def test_a_repository_with_suites_has_components(components, written):
    repository = {"deb_url": "https://a.test/debian", "suite": "bookworm", "components": components}
    (listed,) = package_repository(repository, "x", "debian")["files"]
    assert fields(listed["content"]) == {
        "Types": "deb",
        "URIs": "https://a.test/debian",
        "Suites": "bookworm",
        "Components": written,
    }


def test_an_rpm_repository_is_checked_with_its_own_key():
    repository = dict(UPSTREAM, rpm_key_url="https://a.test/rpm.key")
    (listed,) = package_repository(repository, "slipway-kubernetes", "rhel")["files"]
    assert listed["path"] == "/etc/yum.repos.d/slipway-kubernetes.repo"
    lines = listed["content"].splitlines()
    assert lines[1:] == [
        "[slipway-kubernetes]",
        "name=slipway-kubernetes",
        f"baseurl={UPSTREAM['rpm_url']}",
        "enabled=1",
        "gpgcheck=1",
        "gpgkey=https://a.test/rpm.key",
    ]
    assert f"gpgkey={UPSTREAM['key_url']}" in package_repository(UPSTREAM, "x", "rhel")["files"][0]["content"]


KEYRING = "/etc/apt/keyrings/kubernetes-apt-keyring.gpg"
DOCUMENTED = {
    "path": "/etc/apt/sources.list.d/kubernetes.list",
    "url": "https://pkgs.k8s.io/core:/stable:/v1.36/deb",
    "suite": "/",
    "signed_by": KEYRING,
    "line": 1,
    "components": [],
    "architectures": [],
    "key_missing": False,
}


def test_an_entry_of_the_host_that_cannot_be_used_is_not_read_where_another_one_can():
    broken = dict(DOCUMENTED, path="/etc/apt/sources.list", architectures=["arm64"])
    assert package_repository(UPSTREAM, "x", "debian", broken, DOCUMENTED)["sources"] == [DOCUMENTED["path"]]
    # Preflight refuses it; a second entry with another key would make every command of apt fail.
    assert package_repository(UPSTREAM, "x", "debian", broken)["sources"] == [broken["path"]]


def test_both_roles_use_one_key_for_one_apt_repository():
    one = dict(UPSTREAM, deb_url="https://mirror.test/apt", suite="stable", components="main")
    two = dict(one, deb_url="https://mirror.test/apt/", components="containers")
    first = package_repository(one, "slipway-kubernetes", "debian", others=[one, two])["files"]
    second = package_repository(two, "slipway-containerd", "debian", others=[one, two])["files"]
    assert first[0] == second[0] and first[1]["path"] != second[1]["path"]
    assert fields(first[1]["content"])["Signed-By"] == fields(second[1]["content"])["Signed-By"] == first[0]["path"]
    apart = package_repository(two, "slipway-containerd", "debian", others=[dict(one, suite="/"), two])["files"]
    assert apart[0]["path"] == "/etc/apt/keyrings/slipway-containerd.asc"


def test_an_entry_of_the_host_for_the_same_repository_is_used():
    written = package_repository(UPSTREAM, "slipway-kubernetes", "debian", DOCUMENTED)
    assert written == {
        "sources": [DOCUMENTED["path"]],
        "files": [
            {"path": "/etc/apt/sources.list.d/slipway-kubernetes.sources", "state": "absent"},
            {"path": "/etc/apt/keyrings/slipway-kubernetes.asc", "state": "absent"},
        ],
    }


@pytest.mark.parametrize(
    "entry",
    [
        dict(DOCUMENTED, url="https://pkgs.k8s.io/core:/stable:/v1.35/deb"),
        dict(DOCUMENTED, suite="./"),
        dict(DOCUMENTED, path="/etc/apt/sources.list.d/slipway-kubernetes.sources"),
        dict(DOCUMENTED, path="/etc/apt/sources.list.d/slipway-containerd.sources"),
    ],
)
def test_another_entry_of_the_host_is_not_used(entry):
    written = package_repository(UPSTREAM, "slipway-kubernetes", "debian", entry)
    assert written == package_repository(UPSTREAM, "slipway-kubernetes", "debian")


@pytest.mark.parametrize("role", ["containerd", "kubernetes"])
def test_a_bundle_without_rpms_is_refused_on_a_rhel_host(role):
    variables = {f"kube_{role}_repository": dict(UPSTREAM, rpm_url=""), "kube_registry_mirrors": {}}
    [said] = list(refusals(role, "rhel", **variables).values())
    assert f"kube_{role}_repository has no rpm_url, which hosts of family 'rhel' need. Evidence: it has deb_url" in said
    assert refusals(role, "debian", **variables) == {}


def test_without_a_repository_containerd_comes_from_those_of_the_host():
    assert refusals("containerd", kube_containerd_repository={}, kube_registry_mirrors={}) == {}
    known = load_variables(ROLES / "containerd/vars/main.yml")
    templar = Templar(loader=DataLoader(), variables={**known, "kube_containerd_repository": {}})
    assert templar.template(trust_as_template("{{ __containerd_repository }}")) == {"sources": [], "files": []}
    [layer] = [task["slipway.kube.host_layer"] for task in containerd_tasks() if "slipway.kube.host_layer" in task]
    assert templar.template(layer["package_sources"]) == []


def test_what_containerd_reaches_without_its_proxy():
    proxy = yaml.safe_load("{http: 'http://p:3128', no_proxy: [mirror.example.com]}")
    known = {**load_variables(ROLES / "cluster/vars/main.yml"), **load_variables(ROLES / "containerd/vars/main.yml")}
    known.update(containerd_proxy=proxy, kube_no_proxy=[".lan"], inventory_hostname="w1", kube_node_name="w1")
    known.update(kube_service_subnet="10.96.0.0/12", kube_pod_subnet="10.244.0.0/16", kube_dns_domain="cluster.local")
    known.update(
        kube_control_plane_endpoint="api.example.com:6443", kube_control_plane_vip="10.0.0.100", kube_node_ip="10.0.0.5"
    )
    direct = Templar(loader=DataLoader(), variables=known).template(trust_as_template("{{ __containerd_direct }}"))
    assert direct[-6:] == ["api.example.com", "10.0.0.100", "10.0.0.5", "w1", ".lan", "mirror.example.com"]


def containerd_tasks():
    return load_variables(ROLES / "containerd/tasks/main.yml")


def parsed(files, registry):
    item = next(item for item in files if item["path"] == f"/etc/containerd/certs.d/{registry}/hosts.toml")
    return item, tomllib.loads(item.get("content") or item["secret_content"])


def test_a_mirror_is_asked_first_and_its_miss_is_the_answer():
    files = registry_mirrors({"registry.k8s.io": [{"url": "http://mirror/v2/registry.k8s.io", "override_path": True}]})
    assert files[0] == {"path": "/etc/containerd/certs.d", "state": "directory", "purge": True}
    item, data = parsed(files, "registry.k8s.io")
    assert "content" in item
    assert data == {
        "server": "http://mirror/v2/registry.k8s.io",
        "host": {"http://mirror/v2/registry.k8s.io": {"capabilities": ["pull", "resolve"], "override_path": True}},
    }


def test_mirrors_keep_their_order_and_settings():
    mirrors = [
        {
            "url": "https://b.test",
            "ca": "-----BEGIN CERTIFICATE-----\nx",
            "capabilities": ["pull"],
            "header": {"Authorization": 'Basic "x"'},
        },
        {"url": "https://a.test", "ca": "/etc/ssl/site.crt", "skip_verify": True, "header": {}},
    ]
    files = registry_mirrors({"docker.io": mirrors})
    item, data = parsed(files, "docker.io")
    assert "secret_content" in item, "a header may hold a password"
    assert data["server"] == "https://b.test"
    assert list(data["host"]) == ["https://b.test", "https://a.test"]
    assert data["host"]["https://b.test"] == {
        "capabilities": ["pull"],
        "ca": "/etc/containerd/certs.d/docker.io/ca-0.crt",
        "header": {"Authorization": 'Basic "x"'},
    }
    assert data["host"]["https://a.test"] == {
        "capabilities": ["pull", "resolve"],
        "ca": "/etc/ssl/site.crt",
        "skip_verify": True,
    }
    assert {
        "path": "/etc/containerd/certs.d/docker.io/ca-0.crt",
        "content": "-----BEGIN CERTIFICATE-----\nx\n",
    } in files


def test_no_mirrors_still_remove_what_is_left_over():
    assert registry_mirrors({}) == [{"path": "/etc/containerd/certs.d", "state": "directory", "purge": True}]


@pytest.mark.parametrize(
    ("mirrors", "evidence"),
    [
        ({"docker.io": []}, "docker.io []"),
        ({"docker.io": None}, "docker.io []"),
        ({"docker.io": [{"header": {"Authorization": "hunter2"}}]}, "docker.io [['header']]"),
        ({"docker.io": [{"url": "https://a.test"}, {"url": ""}]}, "docker.io [['url'], ['url']]"),
    ],
)
def test_what_is_incomplete_is_refused_without_showing_secrets(mirrors, evidence):
    [said] = list(refusals("containerd", kube_containerd_repository=UPSTREAM, kube_registry_mirrors=mirrors).values())
    assert "kube_registry_mirrors has a registry without mirrors, or a mirror without a url" in said
    assert evidence in said and "hunter2" not in said


def test_what_is_complete_is_not_refused():
    mirrors = {"docker.io": [{"url": "https://a.test"}], "ghcr.io": [{"url": "https://b.test", "header": {"a": "b"}}]}
    assert refusals("containerd", kube_containerd_repository=UPSTREAM, kube_registry_mirrors=mirrors) == {}


@pytest.mark.parametrize(
    ("identifier", "version", "path"),
    [("rhel", "9.4", "rhel/9"), ("rocky", "9.4", "centos/9"), ("centos", "10", "centos/10"), ("ol", "9.6", "centos/9")],
)
def test_docker_s_repository_for_rhel_and_its_rebuilds(identifier, version, path):
    # $releasever of a host that is pinned to a minor release is 9.4, for which Docker has no repository.
    host = {"os": {"id": identifier, "family": "rhel", "version_id": version, "codename": ""}}
    defaults = load_variables(ROLES / "cluster/defaults/main.yml")
    templar = Templar(loader=DataLoader(), variables={**defaults, "kube_host": host})
    repository = templar.template(defaults["kube_containerd_repository"])
    assert repository["rpm_url"] == f"https://download.docker.com/linux/{path}/$basearch/stable"
    assert repository["key_url"] == f"https://download.docker.com/linux/{path.split('/')[0]}/gpg"


@pytest.mark.parametrize(
    ("running", "expected"), [("1.36.3", []), ("1.35.4", ["1.36.3"]), ("1.34.1", ["1.35.4", "1.36.3"])]
)
def test_the_sources_of_each_version_that_an_upgrade_goes_through(running, expected):
    if not lookup_loader.get("ansible.builtin.template"):
        init_plugin_loader([])
    variables = {
        **load_variables(ROLES / "cluster/defaults/main.yml"),
        **load_variables(ROLES / "preflight/vars/main.yml"),
    }
    variables.update(ansible_search_path=[str(ROLES / "preflight")], preflight_upgrade=True)
    variables["kube_host"] = {"cluster": {"kubelet_version": running}}
    variables["kube_kubernetes_repository"]["rpm_url"] = trust_as_template(
        "http://m/{{ kube_version }}/{{ kube_minor }}"
    )
    templar = Templar(loader=DataLoader(), variables=variables)
    found = templar.template(variables["__preflight_source_variables"]["between"])
    assert [one["kube_version"] for one in found] == expected
    for one in found:
        minor = one["kube_version"].rpartition(".")[0]
        assert one["kube_kubernetes_repository"]["deb_url"] == f"https://pkgs.k8s.io/core:/stable:/v{minor}/deb/"
        # The role that installs kubeadm sets kube_minor only.
        assert one["kube_kubernetes_repository"]["rpm_url"] == f"http://m/1.37.2/{minor}"
        assert one["kube_component_versions"]["kubernetes"] == one["kube_version"]


def test_the_table_has_a_version_of_each_minor_and_that_of_kube_version():
    defaults = load_variables(ROLES / "cluster/defaults/main.yml")
    for minor, row in defaults["kube_versions"].items():
        assert str(row["kubernetes"]).rpartition(".")[0] == minor
    assert defaults["kube_version"] in [row["kubernetes"] for row in defaults["kube_versions"].values()]
