# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from ansible_collections.slipway.kube.plugins.plugin_utils.bundle import steps as bundle_steps
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.catalog import calico_images
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.index import Index
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.names import BundleError, ImageName
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.request import ArchivedImage, BundleRequest
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.staleness import fingerprints
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.steps import image_names
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.upstream import ADDRESSES, BundledManifest
from origin import golang, layout
from origin.addons import ADDONS
from origin.catalog import Component
from origin.command import arguments, main, request_of
from origin.extras import program_component
from origin.request import OriginRequest
from origin.steps import catalog_of, description_of, inherit, manifest_path, steps_of

CALICO = calico_images({"calico": "3.32.1"})
MANIFEST_PATH = "raw.githubusercontent.com/projectcalico/calico/v3.32.1/manifests/calico.yaml"
MANIFEST = BundledManifest(MANIFEST_PATH, "/site/calico.yaml", "sha256:1", tuple(CALICO))


def archives(*names: str, digest: str = "sha256:2") -> list[ArchivedImage]:
    return [
        ArchivedImage(f"docker-archive:/site/c.tar:{name}", ImageName.parse(name), "/site/c.tar", digest)
        for name in names
    ]


def test_rpms_are_part_of_an_origin_unless_they_are_not_wanted() -> None:
    assert request_of(arguments().parse_args(["build"])).rpm is True
    assert request_of(arguments().parse_args(["build", "--no-rpm"])).rpm is False


def test_packages_lie_where_upstream_has_them(want: OriginRequest) -> None:
    want.rpm = True
    paths = {step.inputs["path"] for step in steps_of(want) if step.kind == "package"}
    kubernetes, docker = "pkgs.k8s.io/core:/stable:/v1.36", "download.docker.com/linux"
    assert {
        f"{kubernetes}/deb/amd64/kubeadm_1.36.3-1.1_amd64.deb",
        f"{kubernetes}/deb/amd64/kubernetes-cni_1.9.1-1.1_amd64.deb",
        f"{kubernetes}/deb/amd64/cri-tools_1.37.0-1.1_amd64.deb",
        f"{kubernetes}/rpm/x86_64/kubelet-1.36.3-150500.1.1.x86_64.rpm",
        f"{docker}/debian/dists/bookworm/pool/stable/amd64/containerd.io_2.2.3-1~debian.12~bookworm_amd64.deb",
        f"{docker}/debian/dists/trixie/pool/stable/amd64/containerd.io_2.2.3-1~debian.13~trixie_amd64.deb",
        f"{docker}/ubuntu/dists/noble/pool/stable/amd64/containerd.io_2.2.3-1~ubuntu.24.04~noble_amd64.deb",
        f"{docker}/rhel/9/x86_64/stable/Packages/containerd.io-2.2.3-1.el9.x86_64.rpm",
        f"{docker}/centos/9/x86_64/stable/Packages/containerd.io-2.2.3-1.el9.x86_64.rpm",
    } <= paths
    want.rpm = False
    assert {step.inputs["path"] for step in steps_of(want) if step.kind == "package"} == {
        path for path in paths if path.endswith(".deb")
    }


def test_keys_lie_where_upstream_has_them(want: OriginRequest) -> None:
    want.rpm = True
    index = next(step for step in steps_of(want) if step.kind == "repositories")
    assert {one["key"] for one in index.inputs["repositories"]} == {
        "pkgs.k8s.io/core:/stable:/v1.36/deb/Release.key",
        "pkgs.k8s.io/core:/stable:/v1.36/rpm/repodata/repomd.xml.key",
        *(f"download.docker.com/linux/{system}/gpg" for system in ("debian", "ubuntu", "rhel", "centos")),
    }


def test_images_lie_in_the_tree_of_the_host_that_serves_them() -> None:
    for name, folder in (
        ("registry.k8s.io/coredns/coredns:v1", "registry.k8s.io/v2/coredns/coredns"),
        ("postgres:15", "registry-1.docker.io/v2/library/postgres"),
        ("quay.io/calico/node:v1", "quay.io/v2/calico/node"),
    ):
        assert layout.image_folder(ImageName.parse(name)) == folder


def test_the_origin_has_what_a_bundle_fetches(want: OriginRequest) -> None:
    """Except Calico and Flannel's CNI plugin, which are not Go modules."""
    bundle = BundleRequest("amd64", ["1.36.3"], want.table, network_plugins=["flannel"], flannel_cni_plugin=False)
    bundle.programs = {"kubectl": ""}
    bundle.addons = list(ADDONS)
    fetched = bundle_steps.steps_of(bundle)
    built = steps_of(want)
    assert set(image_names(fetched)) == set(image_names(built))
    names = {step.inputs["name"] for step in built if step.kind == "package"}
    assert {step.inputs["name"] for step in fetched if step.kind == "fetch_package"} == names
    (program,) = [step for step in fetched if step.kind == "fetch_program"]
    published = next(step for step in built if step.kind == "program")
    assert program.inputs["url"] == f"https://{published.inputs['path']}"
    assert program.inputs["digest_url"] == f"https://{published.inputs['digest']}"


def components_of(want: OriginRequest) -> dict[str, Component]:
    """Everything that can be built from Go modules, by its key."""
    found: dict[str, Component] = {}
    for version in ("1.37.2", "1.37.1", "1.36.3", "1.35.4"):
        want.kubernetes_versions = [version]
        found.update(catalog_of(want).components)
    options = arguments().parse_args(["build", "--program", "helm", "--program", "kwok", "--program", "cosign"])
    extra = [program_component(name, version) for name, version in request_of(options).programs.items()]
    return {**found, **{component.key: component for component in extra}}


def test_every_component_has_lock_files(want: OriginRequest) -> None:
    want.kubernetes_versions = ["1.37.2"]
    manifests = {manifest.component for manifest in catalog_of(want).manifests.values()}
    assert set(components_of(want)) | manifests == set(want.locks)


def test_lock_files_name_the_programs_that_are_expected(want: OriginRequest, files: Path) -> None:
    for component in components_of(want).values():
        text = (files / "go" / component.key / "go.mod").read_text(encoding="utf-8")
        tools = re.findall(r"^(?:tool )?\s*([\w.-]+\.[a-z]+/[\w./-]+)$", text, re.MULTILINE)
        built = {re.sub(r"/v\d+$", "", tool).rsplit("/", 1)[-1] for tool in tools}
        renamed = dict(component.renamed)
        assert {renamed.get(name, name) for name in built} == set(component.programs), component.key
        # The module of Prometheus has versions of its own: https://github.com/prometheus/prometheus#prometheus-code-base
        version = (
            re.sub(r"^3\.(\d+)\.", r"0.3\1.", component.version)
            if component.name == "prometheus"
            else component.version
        )
        assert golang.origin_of(text).endswith(f"@v{version}")
        assert f"\nmodule slipway.kube/origin/{component.name}\n" in f"\n{text}"
        assert "toolchain" not in text


def test_steps_are_the_same_for_the_same_wish_and_other_for_another(want: OriginRequest) -> None:
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
    same = [key for key in first if first[key] == third.get(key)]
    assert same == [step.key for step in steps_of(want) if step.kind == "module_manifest"]


def test_inputs_are_plain_values(want: OriginRequest) -> None:
    for step in steps_of(want):
        assert yaml.safe_load(yaml.safe_dump(dict(step.inputs))) is not None


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"kubernetes_versions": ["1.36.9"]}, "kubernetes-1.36.9 cannot be built from Go modules"),
        ({"programs": {"helm": "3.0.0"}}, r"helm 3\.0\.0 cannot be built.*there is helm-4\.3\.1"),
        ({"images": ["mysql:8"]}, "there is no recipe"),
        ({"images": ["postgres:15.3"]}, "such as 15-bookworm"),
        ({"images": ["postgres"]}, "such as 15-bookworm"),
        ({"images": ["postgres:17-trixie"]}, "such as 15-bookworm"),
        ({"archives": archives("registry.k8s.io/pause:3.10.2")}, "is built here, so it cannot be supplied"),
    ],
)
def test_bad_requests_are_refused(want: OriginRequest, change: dict, told: str) -> None:
    for name, value in change.items():
        setattr(want, name, value)
    with pytest.raises(BundleError, match=told):
        steps_of(want)


def test_what_a_cluster_must_set(want: OriginRequest) -> None:
    def variables() -> dict:
        return description_of(want, steps_of(want)).more["cluster_variables"]

    assert variables() == {"kube_network_plugin": "flannel", "kube_flannel_cni_plugin": False}
    want.archives = archives("ghcr.io/flannel-io/flannel-cni-plugin:v1.9.1-flannel1")
    assert variables() == {"kube_network_plugin": "flannel"}
    want.manifests = [MANIFEST]
    assert variables() == {"kube_network_plugin": "flannel"}
    want.archives = archives(*CALICO)
    assert variables() == {}
    want.addons.remove("monitoring")
    want.addons.remove("logs")
    assert variables() == {}  # they are not part of the basic set
    want.addons.remove("traefik")
    assert list(variables()) == ["kube_addons_set"]


def test_the_names_are_those_that_hosts_ask_for_whatever_was_built(want: OriginRequest) -> None:
    names = [
        "dl.k8s.io",
        "download.docker.com",
        "get.helm.sh",
        "ghcr.io",
        "github.com",
        "pkgs.k8s.io",
        "quay.io",
        "raw.githubusercontent.com",
        "registry-1.docker.io",
        "registry.k8s.io",
    ]
    assert description_of(want, steps_of(want)).more["names"] == names
    want.manifests, want.archives, want.images = [MANIFEST], archives(*CALICO), ["postgres:15-bookworm"]
    more = description_of(want, steps_of(want)).more
    assert more["names"] == names
    assert "docker.io/library/postgres:15-bookworm" in more["images"]


def test_what_was_built_before_stays(want: OriginRequest) -> None:
    earlier = OriginRequest(
        **{
            **vars(want),
            "kubernetes_versions": ["1.36.3", "1.35.4"],
            "programs": {"helm": "4.3.1"},
            "images": ["postgres:15-bookworm"],
            "archives": archives(*CALICO),
            "manifests": [MANIFEST],
            "rpm": True,
        }
    )
    index = Index.from_text(description_of(earlier, steps_of(earlier)).to_text(), "origin.json")
    inherit(want, index)
    assert fingerprints(steps_of(want)) == fingerprints(steps_of(earlier))


def test_releases_of_one_minor_version_are_in_one_repository(want: OriginRequest) -> None:
    """A patch upgrade is from one to the other, and upstream's repository has both."""
    want.kubernetes_versions = ["1.37.2"]
    index = Index.from_text(description_of(want, steps_of(want)).to_text(), "origin.json")
    want.kubernetes_versions = ["1.37.1"]
    inherit(want, index)
    assert want.kubernetes_versions == ["1.37.1", "1.37.2"]
    (repositories,) = (step for step in steps_of(want) if step.kind == "repositories")
    kubelets = [
        path.rpartition("/")[2]
        for one in repositories.inputs["repositories"]
        for path in one["packages"]
        if "/kubelet" in path
    ]
    assert kubelets == ["kubelet_1.37.1-1.1_amd64.deb", "kubelet_1.37.2-1.1_amd64.deb"]
    index.kubernetes_versions.append("1.37.0")
    inherit(want, index)
    assert "1.37.0" not in want.kubernetes_versions, "there are no lock files for it"


def test_a_new_signing_key_replaces_every_signature(want: OriginRequest) -> None:
    want.rpm = True
    before = fingerprints(steps_of(want))
    want.key = "sha256:other"
    after = fingerprints(steps_of(want))
    assert {key for key in before if before[key] != after[key]} == {
        key for key in before if key.endswith(".rpm") or key == "repositories"
    }


@pytest.mark.parametrize("name", ["calico", MANIFEST_PATH, f"https://{MANIFEST_PATH}"])
def test_a_manifest_is_published_at_its_address(want: OriginRequest, name: str) -> None:
    assert manifest_path(name, want.table, "1.36.3") == MANIFEST_PATH
    assert f"https://{MANIFEST_PATH}" == ADDRESSES["calico"].format(version="3.32.1")


@pytest.mark.parametrize("name", ["flannel", "../x.example/a", "a.example/../b", "/etc/passwd", "a.example"])
def test_a_manifest_stays_below_the_root(want: OriginRequest, name: str) -> None:
    with pytest.raises(BundleError, match="must be calico, or an address"):
        manifest_path(name, want.table, "1.36.3")


def test_the_command_line_refuses_what_it_cannot_read(capsys: pytest.CaptureFixture, tmp_path: Path) -> None:
    common = ["--cache", str(tmp_path)]
    assert main([*common, "build", "--image-archive", str(tmp_path / "gone.tar")]) == 1
    assert "gone.tar cannot be read" in capsys.readouterr().err
    assert main([*common, "build", "--manifest", "calico"]) == 1
    assert "write NAME=FILE" in capsys.readouterr().err
    assert main([*common, "verify"]) == 1
    assert (
        "contains no origin: origin.json does not exist. Build one with `python tools/origin build`."
        in capsys.readouterr().err
    )
    assert not list(tmp_path.iterdir())


def test_an_addon_that_only_another_checkout_knows_is_not_carried_over(want: OriginRequest) -> None:
    want.addons = ["metallb"]
    inherit(want, Index(more={"addons": ["of_tomorrow", "traefik"]}))
    assert want.addons == ["metallb", "traefik"]
