# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.index import Index
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.names import BundleError, ImageName
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.request import (
    ArchivedImage,
    BundleRequest,
    carry_over,
    describe,
)
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.staleness import BuildStep, fingerprints
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.steps import image_names, steps_of
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.upstream import ADDRESSES, BundledManifest

ROOT = Path(__file__).resolve().parents[5]
CALICO = ("quay.io/calico/cni:v3.32.1", "quay.io/calico/kube-controllers:v3.32.1", "quay.io/calico/node:v3.32.1")
MANIFEST = BundledManifest("calico/v3.32.1/calico.yaml", "/site/calico.yaml", "sha256:1", CALICO)


def archives(*names: str, digest: str = "sha256:2") -> list[ArchivedImage]:
    return [
        ArchivedImage(f"docker-archive:/site/c.tar:{name}", ImageName.parse(name), "/site/c.tar", digest)
        for name in names
    ]


def values(want: BundleRequest) -> dict:
    return next(step.inputs["values"] for step in steps_of(want) if step.kind == "vars")


def test_images_are_those_that_kubeadm_lists(want: BundleRequest) -> None:
    names = image_names(steps_of(want))
    assert {  # kubeadm config images list --kubernetes-version 1.36.3
        "registry.k8s.io/kube-apiserver:v1.36.3",
        "registry.k8s.io/kube-controller-manager:v1.36.3",
        "registry.k8s.io/kube-scheduler:v1.36.3",
        "registry.k8s.io/kube-proxy:v1.36.3",
        "registry.k8s.io/coredns/coredns:v1.14.2",
        "registry.k8s.io/pause:3.10.2",
        "registry.k8s.io/etcd:3.6.8-0",
    } <= set(names)
    assert "registry.k8s.io/e2e-test-images/agnhost:2.63.0" in names
    assert len(names) == len(set(names))


def test_the_older_version_brings_its_own_neighbours(want: BundleRequest) -> None:
    want.kubernetes_versions = ["1.36.3", "1.35.4"]
    names = image_names(steps_of(want))
    assert {
        "registry.k8s.io/pause:3.10.1",
        "registry.k8s.io/etcd:3.6.6-0",
        "registry.k8s.io/coredns/coredns:v1.13.1",
    } <= set(names)
    assert {
        "registry.k8s.io/pause:3.10.2",
        "registry.k8s.io/etcd:3.6.8-0",
        "registry.k8s.io/coredns/coredns:v1.14.2",
    } <= set(names)
    assert names.count("ghcr.io/flannel-io/flannel:v0.28.4") == 1
    assert names.count("ghcr.io/flannel-io/flannel-cni-plugin:v1.9.1-flannel1") == 1
    assert values(want)["kube_version"] == "1.36.3"
    assert list(values(want)["kube_versions"]) == ["1.36", "1.35"]


def packages(want: BundleRequest) -> set[tuple[str, str, str]]:
    fetched = [step.inputs for step in steps_of(want) if step.kind == "fetch_package"]
    return {(inputs["name"], inputs["version"], inputs["repository"]) for inputs in fetched}


def test_packages_of_one_format_or_of_both(want: BundleRequest) -> None:
    debs = {
        ("kubeadm", "1.36.3", "deb/kubernetes/v1.36"),
        ("kubectl", "1.36.3", "deb/kubernetes/v1.36"),
        ("kubelet", "1.36.3", "deb/kubernetes/v1.36"),
        ("kubernetes-cni", "1.9.1", "deb/kubernetes/v1.36"),
        ("cri-tools", "newest", "deb/kubernetes/v1.36"),
        ("containerd.io", "2.2.3", "deb/containerd"),
    }
    assert packages(want) == debs
    assert values(want)["kube_kubernetes_repository"]["rpm_url"] == ""
    want.package_formats = ["deb", "rpm"]
    assert packages(want) == debs | {(name, version, f"rpm{folder[3:]}") for name, version, folder in debs}
    repository = values(want)["kube_containerd_repository"]
    assert repository["rpm_url"] == "{{ kube_mirror_url }}/rpm/containerd/"
    assert repository["rpm_key_url"] == "{{ kube_mirror_url }}/rpm/containerd/key.asc"


def test_pod_networks_can_be_chosen(want: BundleRequest) -> None:
    assert set(CALICO) < set(image_names(steps_of(want))) and values(want)["kube_network_plugin"] == "calico"
    want.network_plugins, want.flannel_cni_plugin = ["flannel"], False
    found = steps_of(want)
    assert not [name for name in image_names(found) if "calico" in name or "flannel-cni-plugin" in name]
    assert {step.kind for step in found} == {"fetch_package", "copy_image", "repositories", "vars"}
    assert values(want)["kube_network_plugin"] == "flannel" and values(want)["kube_flannel_cni_plugin"] is False


def test_cilium_is_collected_where_it_is_chosen(want: BundleRequest) -> None:
    assert not [name for name in image_names(steps_of(want)) if "cilium" in name]
    want.network_plugins, want.table["1.36"]["cilium"] = ["cilium"], "1.20.2"
    found = steps_of(want)
    assert [name for name in image_names(found) if "cilium" in name] == [
        "quay.io/cilium/cilium:v1.20.2",
        "quay.io/cilium/operator-generic:v1.20.2",
    ]
    (chart,) = [step for step in found if step.kind == "fetch_manifest"]
    assert chart.inputs["url"] == "https://helm.cilium.io/cilium-1.20.2.tgz"
    assert values(want)["kube_network_plugin"] == "cilium"


def test_inputs_are_plain_values(want: BundleRequest) -> None:
    for step in steps_of(want):
        assert yaml.safe_load(yaml.safe_dump(dict(step.inputs))) is not None


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"kubernetes_versions": []}, "is empty"),
        ({"kubernetes_versions": ["1.36.3", "1.36.1"]}, "one release of each minor"),
        ({"kubernetes_versions": ["1.30.1"]}, "no row '1.30'"),
        ({"kubernetes_versions": ["v1.36.3"]}, "three numbers"),
        ({"architecture": "s390x"}, "bundle_architecture"),
        ({"package_formats": ["apk"]}, "bundle_package_formats contains 'apk': it must be deb or rpm"),
        ({"package_formats": []}, "bundle_package_formats is empty"),
        ({"network_plugins": ["weave"]}, "bundle_network_plugins contains 'weave'"),
        (
            {"registries": {"docker.io": "https://10.0.0.2"}},
            "bundle_registries has the address 'https://10.0.0.2' for docker.io",
        ),
        ({"programs": {"hlem": "1"}}, r"lists 'hlem', which is not available\. Did you mean helm\?"),
        ({"programs": {"helm": ""}}, "no version of helm"),
        ({"images": ["Post gres"]}, "is not a valid image name"),
        ({"table": {"1.36": {"etcd": "3.6.8"}}}, "has no version of coredns, pause"),
    ],
)
def test_bad_requests_are_refused(want: BundleRequest, change: dict, told: str) -> None:
    for name, value in change.items():
        setattr(want, name, value)
    with pytest.raises(BundleError, match=told):
        steps_of(want)


def test_calico_is_used_once_its_images_are_there(want: BundleRequest) -> None:
    want.network_plugins = ["flannel"]
    want.manifests = [MANIFEST]
    assert values(want)["kube_network_plugin"] == "flannel"
    want.archives = archives(*CALICO)
    assert values(want)["kube_network_plugin"] == "calico"
    assert values(want)["kube_calico_manifest"] == "{{ kube_mirror_url }}/manifests/calico/v3.32.1/calico.yaml"


def test_a_needed_image_that_is_missing_is_named(want: BundleRequest) -> None:
    want.network_plugins = ["flannel"]
    want.manifests = [MANIFEST]
    want.archives = archives(CALICO[0], CALICO[2])
    with pytest.raises(BundleError, match=r"lacks quay\.io/calico/kube-controllers:v3\.32\.1"):
        steps_of(want)


def test_two_archives_with_one_name(want: BundleRequest) -> None:
    want.archives = archives("quay.io/a/b:1") + archives("quay.io/a/b:1")
    assert image_names(steps_of(want)).count("quay.io/a/b:1") == 1
    want.archives = archives("quay.io/a/b:1") + archives("quay.io/a/b:1", digest="sha256:3")
    with pytest.raises(BundleError, match="both contain"):
        steps_of(want)


def test_an_archive_replaces_the_image_of_the_registry(want: BundleRequest) -> None:
    want.archives = archives("registry.k8s.io/pause:3.10.2")
    (step,) = [step for step in steps_of(want) if step.inputs.get("name") == "registry.k8s.io/pause:3.10.2"]
    assert step.hints["source"].startswith("docker-archive:")


@pytest.mark.parametrize("target", ["/etc/passwd", "../x.yaml", "a/../../x", "", "a//b", "a/"])
def test_a_manifest_stays_in_its_folder(want: BundleRequest, target: str) -> None:
    want.manifests = [BundledManifest(target, "/site/m.yaml", "sha256:1")]
    with pytest.raises(BundleError, match="relative path"):
        steps_of(want)


def test_what_was_brought_or_built_before_stays(want: BundleRequest) -> None:
    earlier = BundleRequest(
        **{
            **vars(want),
            "kubernetes_versions": ["1.36.3", "1.35.4"],
            "archives": archives("quay.io/a/b:1"),
            "manifests": [MANIFEST],
            "programs": {"helm": "4.3.1"},
            "images": ["docker.io/library/postgres:15"],
        }
    )
    index = Index.from_text(describe(earlier).to_text(), "here")
    carry_over(want, index)
    assert want.kubernetes_versions == ["1.36.3", "1.35.4"]
    assert fingerprints(steps_of(want)) == fingerprints(steps_of(earlier))


def test_what_is_named_again_replaces_what_was_there(want: BundleRequest) -> None:
    earlier = BundleRequest(**{**vars(want), "kubernetes_versions": ["1.36.1"], "archives": archives("quay.io/a/b:1")})
    want.archives = archives("quay.io/a/b:1", digest="sha256:new")
    carry_over(want, describe(earlier))
    assert want.kubernetes_versions == ["1.36.3"]
    assert [archive.digest for archive in want.archives] == ["sha256:new"]


def test_nothing_is_taken_over_from_another_architecture(want: BundleRequest) -> None:
    earlier = BundleRequest(**{**vars(want), "architecture": "arm64", "archives": archives("quay.io/a/b:1")})
    carry_over(want, describe(earlier))
    assert want.archives == []


def test_images_are_copied_from_another_address(want: BundleRequest) -> None:
    want.images = ["postgres:15-bookworm"]
    want.registries = {"registry.k8s.io": "10.0.0.2:5000/registry.k8s.io/", "docker.io": "10.0.0.2"}
    want.ca = "/etc/ca.crt"
    hints = {step.inputs["name"]: step.hints for step in steps_of(want) if step.kind == "copy_image"}
    assert hints["registry.k8s.io/pause:3.10.2"] == {
        "source": "docker://10.0.0.2:5000/registry.k8s.io/pause:3.10.2",
        "ca": "/etc/ca.crt",
    }
    assert hints["docker.io/library/postgres:15-bookworm"]["source"] == "docker://10.0.0.2/library/postgres:15-bookworm"
    assert hints["quay.io/calico/node:v3.32.1"]["source"] == "docker://quay.io/calico/node:v3.32.1"


def test_programs_come_from_their_publishers(want: BundleRequest) -> None:
    want.programs = {"helm": "4.3.1", "kubectl": "", "kwok": "0.8.0"}
    found = {step.inputs["name"]: step.inputs for step in steps_of(want) if step.kind == "fetch_program"}
    assert found["kubectl"]["url"] == "https://dl.k8s.io/release/v1.36.3/bin/linux/amd64/kubectl"
    assert found["kubectl"]["digest_url"] == found["kubectl"]["url"] + ".sha256"
    assert found["helm"]["url"] == "https://get.helm.sh/helm-v4.3.1-linux-amd64.tar.gz"
    assert (found["helm"]["digest_url"], found["helm"]["member"]) == (
        found["helm"]["url"] + ".sha256sum",
        "linux-amd64/helm",
    )
    assert found["kwok"]["digest_url"] == ""


def test_the_role_documents_upstreams_addresses() -> None:
    spec = yaml.safe_load((ROOT / "roles/bundle/meta/argument_specs.yml").read_text(encoding="utf-8"))
    options = spec["argument_specs"]["main"]["options"]["bundle_upstream"]["options"]
    assert {name: option["default"] for name, option in options.items()} == ADDRESSES


def test_repositories_are_indexed_again_when_a_package_changes(want: BundleRequest) -> None:
    def repositories() -> BuildStep:
        return next(step for step in steps_of(want) if step.kind == "repositories")

    assert sorted(repositories().inputs["repositories"]) == ["deb/containerd", "deb/kubernetes/v1.36"]
    assert len(repositories().after) == 6


def test_addons_bring_their_images_and_published_manifests(want: BundleRequest) -> None:
    want.addons = ["metrics_server", "local_path_storage", "metallb", "traefik"]
    steps = steps_of(want)
    assert {
        "docker.io/library/traefik:v3.6.12",
        "docker.io/rancher/local-path-provisioner:v0.0.30",
        "quay.io/metallb/controller:v0.15.3",
        "quay.io/metallb/speaker:v0.15.3",
        "registry.k8s.io/metrics-server/metrics-server:v0.9.0",
    } <= set(image_names(steps))
    target = "raw.githubusercontent.com/metallb/metallb/v0.15.3/config/manifests/metallb-native.yaml"
    (step,) = [step for step in steps if step.inputs.get("target") == target]
    assert step.inputs["url"] == f"https://{target}"
    assert step.inputs["digest"].startswith("sha256:84b4e102")
    want.upstream = {**ADDRESSES, "manifests": "https://10.0.0.2/raw.githubusercontent.com"}
    (step,) = [step for step in steps_of(want) if step.inputs.get("target") == target]
    assert step.inputs["url"] == f"https://10.0.0.2/{target}"


def test_an_unknown_addon_is_refused(want: BundleRequest) -> None:
    want.addons = ["metalb"]
    with pytest.raises(BundleError, match="bundle_addons: there is no add-on metalb; did you mean metallb"):
        steps_of(want)
