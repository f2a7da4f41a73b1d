# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.slipway.kube.plugins.module_utils._kube.versions import version_key
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.names import BundleError
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.request import BundleRequest
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.steps import steps_of
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.upstream import (
    ADDRESSES,
    check_addresses,
    choose_package,
    read_packages,
    read_release,
    skopeo_copy,
    upstream_version,
)
from harness.core import trust_as_template

RELEASE = """\
Origin: obs://build.opensuse.org
MD5Sum:
 d41d8cd98f00b204e9800998ecf8427e 12 Packages
SHA256:
 aaaa 12 Packages
 bbbb 7 Packages.gz
Description: x
"""
PACKAGES = """\
Package: kubeadm
Version: 1.36.2-1.1
Architecture: amd64
Filename: amd64/kubeadm_1.36.2-1.1_amd64.deb
SHA256: 22
Description: one
 Version: 9.9.9

Package: kubeadm
Version: 1.36.10-1.1
Architecture: amd64
Filename: amd64/kubeadm_1.36.10-1.1_amd64.deb
SHA256: 1010

Package: kubeadm
Version: 1.36.10-1.1
Architecture: arm64
Filename: arm64/kubeadm_1.36.10-1.1_arm64.deb
SHA256: 64
"""


def test_a_release_file() -> None:
    assert read_release(RELEASE) == {"Packages": ("sha256:aaaa", 12), "Packages.gz": ("sha256:bbbb", 7)}
    with pytest.raises(BundleError, match="no SHA256 digests"):
        read_release("Origin: x\nMD5Sum:\n d4 12 Packages\n")


def test_a_package_is_chosen_by_version_and_architecture() -> None:
    stanzas = read_packages(PACKAGES)
    assert stanzas[0]["Version"] == "1.36.2-1.1"
    assert choose_package(stanzas, "kubeadm", "1.36.2", "amd64", "here")["SHA256"] == "22"
    assert choose_package(stanzas, "kubeadm", "newest", "amd64", "here")["SHA256"] == "1010"
    assert choose_package(stanzas, "kubeadm", "newest", "arm64", "here")["SHA256"] == "64"


def test_what_there_is_instead_is_told() -> None:
    with pytest.raises(
        BundleError,
        match=r"here has no kubeadm 1\.36\.3 for amd64; it has 1\.36\.2-1\.1, 1\.36\.10-1\.1\. Correct",
    ):
        choose_package(read_packages(PACKAGES), "kubeadm", "1.36.3", "amd64", "here")
    with pytest.raises(BundleError, match="it has no version of it"):
        choose_package([], "kubeadm", "newest", "amd64", "here")
    with pytest.raises(BundleError, match="without a file name or a SHA256 digest"):
        choose_package([{"Package": "a", "Version": "1-1", "Architecture": "all"}], "a", "1", "amd64", "here")


def test_versions_are_ordered_by_their_numbers() -> None:
    assert sorted(["1.36.10-1.1", "1.36.9-1.1", "1.36.9-2.1"], key=version_key) == [
        "1.36.9-1.1",
        "1.36.9-2.1",
        "1.36.10-1.1",
    ]


def test_images_are_copied_as_oci_for_one_architecture() -> None:
    command = skopeo_copy("docker://registry.k8s.io/pause:3.10.2", "/somewhere/layout", "arm64")
    assert command[-2:] == ["docker://registry.k8s.io/pause:3.10.2", "oci:/somewhere/layout:image"]
    assert command[command.index("--override-arch") + 1] == "arm64"
    assert command[command.index("--format") + 1] == "oci"
    assert "--src-cert-dir" not in command
    trusting = skopeo_copy("docker://registry.k8s.io/pause:3.10.2", "/layout", "amd64", "/certificates")
    assert trusting[trusting.index("--src-cert-dir") + 1] == "/certificates"


def test_where_packages_come_from(want: BundleRequest) -> None:
    want.kubernetes_versions, want.package_formats = ["1.36.3", "1.35.4"], ["deb", "rpm"]
    steps = steps_of(want)
    packages = {step.key: step.inputs for step in steps if step.kind == "fetch_package"}
    assert len(packages) == 2 * (2 * 5 + 1)
    kubeadm = packages["package:deb/kubernetes/v1.35/kubeadm_1.35.4"]["source"]
    assert kubeadm["release"] == "https://pkgs.k8s.io/core:/stable:/v1.35/deb/"
    assert kubeadm["key"] == "https://pkgs.k8s.io/core:/stable:/v1.35/deb/Release.key"
    assert packages["package:deb/kubernetes/v1.35/cri-tools_newest"]["source"] == kubeadm
    containerd = packages["package:deb/containerd/containerd.io_2.2.3"]["source"]
    assert containerd["release"] == "https://download.docker.com/linux/debian/dists/bookworm/"
    assert containerd["packages"] == "stable/binary-amd64/Packages"
    kubelet = packages["package:rpm/kubernetes/v1.36/kubelet_1.36.3"]["source"]
    assert kubelet["base"] == "https://pkgs.k8s.io/core:/stable:/v1.36/rpm/"
    assert kubelet["key"] == "https://pkgs.k8s.io/core:/stable:/v1.36/rpm/repodata/repomd.xml.key"
    containerd = packages["package:rpm/containerd/containerd.io_2.2.3"]["source"]
    assert containerd["base"] == "https://download.docker.com/linux/centos/9/x86_64/stable/"
    assert containerd["key"] == "https://download.docker.com/linux/centos/gpg"
    urls = {step.inputs["target"]: step.inputs["url"] for step in steps if step.kind == "fetch_manifest"}
    assert (
        urls["calico/v3.32.1/calico.yaml"]
        == "https://raw.githubusercontent.com/projectcalico/calico/v3.32.1/manifests/calico.yaml"
    )


def test_addresses_that_differ_are_added_to_the_others() -> None:
    found = check_addresses({"helm": "https://example.com/helm", "kwok": ""})
    assert found["helm"] == "https://example.com/helm" and found["kwok"] == ADDRESSES["kwok"]
    with pytest.raises(BundleError, match=r"contains 'kubernets', which is unknown\. Did you mean kubernetes\?"):
        check_addresses({"kubernets": "https://example.com"})


def test_the_addresses_of_packages_are_those_of_the_roles(defaults: dict) -> None:
    repository = defaults["kube_kubernetes_repository"]
    for name in ("kubernetes", "kubernetes_rpm", "kubernetes_key"):
        key = {"kubernetes": "deb_url", "kubernetes_rpm": "rpm_url", "kubernetes_key": "key_url"}[name]
        assert ADDRESSES[name] == repository[key].replace("{{ kube_minor }}", "{minor}")
    host = {"os": {"id": "rocky", "family": "rhel", "version_id": "9.6"}}
    templar = Templar(loader=DataLoader(), variables={"kube_host": host})
    rpm = templar.template(trust_as_template(defaults["kube_containerd_repository"]["rpm_url"]))
    assert ADDRESSES["containerd_rpm"] == rpm.replace("$basearch", "{machine}") + "/"


@pytest.mark.parametrize(
    ("version", "upstream"),
    [("1.37.2-1.1", "1.37.2"), ("2.2.3-1~debian.12~bookworm", "2.2.3"), ("5:29.0-1", "29.0"), ("2.2.3-1.el9", "2.2.3")],
)
def test_the_upstream_version_of_a_package(version: str, upstream: str) -> None:
    assert upstream_version(version) == upstream
