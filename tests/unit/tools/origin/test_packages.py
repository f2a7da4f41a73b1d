# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages with the real tools."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.process import Runner
from origin import packages

pytestmark = pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="needs dpkg-deb")
DEB = "kubelet_1.36.3-1.1_amd64.deb"


def built(folder: Path, target: Path) -> Path:
    folder.mkdir()
    program = folder / "program"
    program.write_bytes(b"#!/bin/sh\n" * 500)
    (folder / "work").mkdir()
    packages.build_deb(
        "kubelet",
        "1.36.3-1.1",
        "amd64",
        {"/usr/bin/kubelet": program},
        "k8s.io/kubernetes@v1.36.3",
        folder / "work",
        target,
        Runner(),
    )
    return target


def test_a_package_is_the_same_whenever_it_is_built(tmp_path: Path) -> None:
    first = built(tmp_path / "one", tmp_path / "one.deb")
    second = built(tmp_path / "two", tmp_path / "two.deb")
    assert first.read_bytes() == second.read_bytes()


def test_what_is_in_the_kubelet_package(tmp_path: Path) -> None:
    deb = str(built(tmp_path / "one", tmp_path / DEB))
    listing = subprocess.run(["dpkg-deb", "--contents", deb], check=True, stdout=subprocess.PIPE, text=True).stdout
    lines = {line.split()[-1]: line.split() for line in listing.splitlines()}
    assert lines["./usr/bin/kubelet"][:2] == ["-rwxr-xr-x", "root/root"]
    assert {"./usr/lib/systemd/system/kubelet.service", "./etc/default/kubelet"} <= set(lines)
    assert subprocess.check_output(["dpkg-deb", "--info", deb, "conffiles"], text=True) == "/etc/default/kubelet\n"
    fields = subprocess.run(
        ["dpkg-deb", "--field", deb, "Package", "Version", "Depends"], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    assert fields == "Package: kubelet\nVersion: 1.36.3-1.1\nDepends: kubernetes-cni (>= 1.2.0)\n"


def test_units_and_packages_say_what_hosts_need() -> None:
    for variable in ("KUBELET_KUBECONFIG_ARGS", "KUBELET_CONFIG_ARGS", "KUBELET_KUBEADM_ARGS", "KUBELET_EXTRA_ARGS"):
        assert f"${variable}" in packages.KUBELET_DROP_IN
    assert "EnvironmentFile=-/etc/default/kubelet" in packages.KUBELET_DROP_IN
    assert {"Delegate=yes", "KillMode=process", "Type=notify"} <= set(packages.CONTAINERD_SERVICE.splitlines())
    assert "/etc/containerd/config.toml" not in dict(packages.PACKAGES["containerd.io"].files)
    depends = {name: dict(contents.fields).get("Depends", "") for name, contents in packages.PACKAGES.items()}
    assert {name for name, value in depends.items() if value} == {"kubelet"}, "a closed host has no Debian mirror"


def test_an_rpm_is_described_as_the_deb_is() -> None:
    spec = packages.spec_of(
        "kubelet", "1.36.3", "150500.1.1", "/tree", ["/usr/bin/kubelet"], "k8s.io/kubernetes@v1.36.3"
    )
    lines = spec.splitlines()
    assert {"Name: kubelet", "Version: 1.36.3", "Release: 150500.1.1", "Requires: kubernetes-cni >= 1.2.0"} <= set(
        lines
    )
    assert "cp -a '/tree/.' %{buildroot}/" in lines and "/usr/bin/kubelet" in lines
    assert '"disable", "--now", "kubelet.service"' in spec
    assert "%post" not in packages.spec_of("kubeadm", "1", "1", "/tree", [], "")
    drop_in = "/usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf"
    assert "/etc/sysconfig/kubelet" in packages.files_of("kubeadm", "rpm")[drop_in]
    assert "/etc/default/kubelet" in packages.files_of("kubeadm", "deb")[drop_in]


def test_an_rpm_owns_its_folders_and_keeps_the_settings_of_the_host() -> None:
    drop_in = "/usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf"
    lines = packages.spec_of("kubeadm", "1", "1", "/tree", ["/usr/bin/kubeadm", drop_in], "").splitlines()
    assert "%dir /usr/lib/systemd/system/kubelet.service.d" in lines and drop_in in lines
    lines = packages.spec_of("kubelet", "1", "1", "/tree", [*packages.files_of("kubelet", "rpm")], "").splitlines()
    assert "%config(noreplace) /etc/sysconfig/kubelet" in lines and "/etc/sysconfig/kubelet" not in lines
