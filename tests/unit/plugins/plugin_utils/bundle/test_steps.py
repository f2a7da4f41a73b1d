# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from ansible_collections.slipway.kube.plugins.plugin_utils.bundle import golang
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.catalog import Component
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.extras import program_component
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.index import Index
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.names import BundleError, ImageName
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.request import (
    ArchivedImage,
    BundleRequest,
    carry_over,
    describe,
)
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.staleness import BuildStep, fingerprints
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.steps import catalog_of, image_names, steps_of
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.upstream import BundledManifest

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
    assert values(want)["kube_version"] == "1.36.3"
    assert list(values(want)["kube_versions"]) == ["1.36", "1.35"]


def test_packages_carry_upstream_names_and_revisions(want: BundleRequest) -> None:
    packages = {
        (step.inputs["name"], step.inputs["version"], step.inputs["repository"])
        for step in steps_of(want)
        if step.kind == "package"
    }
    assert packages == {
        ("kubeadm", "1.36.3-1.1", "deb/kubernetes/v1.36"),
        ("kubectl", "1.36.3-1.1", "deb/kubernetes/v1.36"),
        ("kubelet", "1.36.3-1.1", "deb/kubernetes/v1.36"),
        ("kubernetes-cni", "1.9.1-1.1", "deb/kubernetes/v1.36"),
        ("containerd.io", "2.2.3-1~debian.12~bookworm", "deb/containerd"),
    }


def components_of(want: BundleRequest, defaults: dict) -> dict[str, Component]:
    """Everything that can be built from Go modules, by its key."""
    want.kubernetes_versions = ["1.36.3", "1.35.4"]
    extra = [program_component(name, version) for name, version in defaults["bundle_program_versions"].items()]
    return {**catalog_of(want).components, **{component.key: component for component in extra}}


def test_every_component_has_lock_files(want: BundleRequest, defaults: dict) -> None:
    assert set(components_of(want, defaults)) == set(want.locks)


def test_lock_files_name_the_programs_that_are_expected(want: BundleRequest, files: Path, defaults: dict) -> None:
    for component in components_of(want, defaults).values():
        text = (files / "go" / component.key / "go.mod").read_text(encoding="utf-8")
        tools = re.findall(r"^(?:tool )?\s*([\w.-]+\.[a-z]+/[\w./-]+)$", text, re.MULTILINE)
        built = {re.sub(r"/v\d+$", "", tool).rsplit("/", 1)[-1] for tool in tools}
        renamed = dict(component.renamed)
        assert {renamed.get(name, name) for name in built} == set(component.programs), component.key
        assert component.version in golang.origin_of(text)
        assert f"\nmodule slipway.kube/bundle/{component.name}\n" in f"\n{text}"
        assert "toolchain" not in text


def test_steps_are_the_same_for_the_same_wish_and_other_for_another(want: BundleRequest) -> None:
    first = fingerprints(steps_of(want))
    assert fingerprints(steps_of(want)) == first
    want.locks["etcd-3.6.8"] = "sha256:other"
    second = fingerprints(steps_of(want))
    assert {key for key in first if first[key] != second[key]} == {
        "build:etcd-3.6.8",
        "image:registry.k8s.io/etcd:3.6.8-0",
    }
    want.architecture = "arm64"
    third = fingerprints(steps_of(want))
    assert [key for key in first if first[key] == third[key]] == ["vars"]


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
        ({"kubernetes_versions": ["1.36.9"]}, "kubernetes-1.36.9 cannot be built from Go modules"),
        ({"origin": "thin_air"}, "bundle_origin"),
        ({"architecture": "s390x"}, "bundle_architecture"),
        ({"table": {"1.36": {"etcd": "3.6.8"}}}, "has no version of coredns, pause"),
    ],
)
def test_bad_wishes_are_refused(want: BundleRequest, change: dict, told: str) -> None:
    for name, value in change.items():
        setattr(want, name, value)
    with pytest.raises(BundleError, match=told):
        steps_of(want)


def test_calico_is_used_once_its_images_are_there(want: BundleRequest) -> None:
    want.manifests = [MANIFEST]
    assert values(want)["kube_network_plugin"] == "flannel"
    want.archives = archives(*CALICO)
    assert values(want)["kube_network_plugin"] == "calico"
    assert values(want)["kube_calico_manifest"] == "{{ kube_mirror_url }}/manifests/calico/v3.32.1/calico.yaml"


def test_a_needed_image_that_is_missing_is_named(want: BundleRequest) -> None:
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


def test_an_archive_may_not_stand_in_for_what_is_made(want: BundleRequest) -> None:
    want.archives = archives("registry.k8s.io/pause:3.10.2")
    with pytest.raises(BundleError, match="builds itself"):
        steps_of(want)


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


def test_upstream_has_the_same_names_and_more(want: BundleRequest) -> None:
    made = set(image_names(steps_of(want)))
    want.origin = "upstream"
    steps = steps_of(want)
    assert made | set(CALICO) | {"ghcr.io/flannel-io/flannel-cni-plugin:v1.9.1-flannel1"} == set(image_names(steps))
    assert {step.kind for step in steps} == {"fetch_package", "copy_image", "fetch_manifest", "repositories", "vars"}
    assert values(want)["kube_network_plugin"] == "calico"
    assert values(want)["kube_flannel_cni_plugin"] is True


def test_repositories_are_signed_again_when_a_package_changes(want: BundleRequest) -> None:
    def repositories() -> BuildStep:
        return next(step for step in steps_of(want) if step.kind == "repositories")

    assert sorted(repositories().inputs["repositories"]) == ["deb/containerd", "deb/kubernetes/v1.36"]
    assert len(repositories().after) == 5
