# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._kube.versions import version_key
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.names import BundleError
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.request import BundleRequest
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.steps import steps_of
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.upstream import (
    choose_package,
    read_packages,
    read_release,
    skopeo_copy,
)

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
    assert choose_package(stanzas, "kubeadm", "1.36.2-1.1", "amd64", "here")["SHA256"] == "22"
    assert choose_package(stanzas, "kubeadm", "newest", "amd64", "here")["SHA256"] == "1010"
    assert choose_package(stanzas, "kubeadm", "newest", "arm64", "here")["SHA256"] == "64"


def test_what_there_is_instead_is_told() -> None:
    with pytest.raises(
        BundleError,
        match=r"here has no kubeadm 1\.36\.3-1\.1 for amd64; it has 1\.36\.2-1\.1, 1\.36\.10-1\.1\. Correct",
    ):
        choose_package(read_packages(PACKAGES), "kubeadm", "1.36.3-1.1", "amd64", "here")
    with pytest.raises(BundleError, match="it has no version of it"):
        choose_package([], "kubeadm", "newest", "amd64", "here")
    with pytest.raises(BundleError, match="without a file name or a SHA256 digest"):
        choose_package([{"Package": "a", "Version": "1", "Architecture": "all"}], "a", "1", "amd64", "here")


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


def test_where_an_upstream_bundle_comes_from(want: BundleRequest) -> None:
    want.origin, want.kubernetes_versions = "upstream", ["1.36.3", "1.35.4"]
    steps = steps_of(want)
    packages = {step.key: step.inputs for step in steps if step.kind == "fetch_package"}
    assert len(packages) == 2 * 5 + 1
    kubeadm = packages["package:deb/kubernetes/v1.35/kubeadm_1.35.4-1.1"]["source"]
    assert kubeadm["release"] == "https://pkgs.k8s.io/core:/stable:/v1.35/deb/"
    assert kubeadm["key"] == "https://pkgs.k8s.io/core:/stable:/v1.35/deb/Release.key"
    assert packages["package:deb/kubernetes/v1.35/cri-tools_newest"]["source"] == kubeadm
    containerd = packages["package:deb/containerd/containerd.io_2.2.3-1~debian.12~bookworm"]["source"]
    assert containerd["release"] == "https://download.docker.com/linux/debian/dists/bookworm/"
    assert containerd["packages"].format(architecture="amd64") == "stable/binary-amd64/Packages"
    sources = [step.hints["source"] for step in steps if step.kind == "copy_image"]
    assert "docker://registry.k8s.io/etcd:3.6.8-0" in sources and "docker://registry.k8s.io/etcd:3.6.6-0" in sources
    urls = {step.inputs["target"]: step.inputs["url"] for step in steps if step.kind == "fetch_manifest"}
    assert (
        urls["calico/v3.32.1/calico.yaml"]
        == "https://raw.githubusercontent.com/projectcalico/calico/v3.32.1/manifests/calico.yaml"
    )
