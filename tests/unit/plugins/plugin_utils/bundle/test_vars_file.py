# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.upstream import BundledManifest
from ansible_collections.slipway.kube.plugins.plugin_utils.bundle.vars_file import (
    calico_manifest,
    network_plugin,
    registry_mirrors,
    vars_of,
)

ROOT = Path(__file__).resolve().parents[5]
CILIUM = BundledManifest("cilium/cilium-1.20.2.tgz", "/c", "", ("quay.io/cilium/cilium:v1.20.2",))
CALICO = BundledManifest("calico/v3.32.1/calico.yaml", "/m", "sha256:1", ("quay.io/calico/node:v3.32.1",))


def test_every_registry_goes_to_the_mirror() -> None:
    mirrors = registry_mirrors(["acme.example:5000/app:1", "registry.k8s.io/pause:3.10.2"])
    assert sorted(mirrors) == ["acme.example:5000", "docker.io", "ghcr.io", "quay.io", "registry.k8s.io"]
    (host,) = mirrors["acme.example:5000"]
    assert host["url"] == "{{ kube_mirror_url }}/v2/acme.example:5000"
    assert host["override_path"] is True
    assert set(host) == {"url", "override_path", "capabilities", "ca", "skip_verify", "header"}


def test_the_network_follows_the_images() -> None:
    assert network_plugin([], ["quay.io/calico/node:v3.32.1"]) == "flannel"
    assert network_plugin([CALICO], []) == "flannel"
    assert network_plugin([CALICO], ["quay.io/calico/node:v3.32.1"]) == "calico"
    assert network_plugin([BundledManifest("calico/v1/calico.yaml", "", "", ())], []) == "flannel"
    assert network_plugin([CALICO, CILIUM], CILIUM.images) == "cilium"
    assert network_plugin([CALICO, CILIUM], [*CILIUM.images, *CALICO.images]) == "calico"
    assert (
        network_plugin([CILIUM, BundledManifest("cilium/cilium-1.19.4.tgz", "", "", ("a:1",))], CILIUM.images)
        == "flannel"
    )


def test_the_chart_of_cilium_is_that_of_the_version_in_use() -> None:
    assert vars_of(["1.36.3"], {"1.36": {}}, [], [CILIUM])["kube_cilium_chart"] == (
        "{{ kube_mirror_url }}/manifests/cilium/cilium-{{ kube_component_versions.cilium }}.tgz"
    )
    assert "kube_cilium_chart" not in vars_of(["1.36.3"], {"1.36": {}}, [], [CALICO])


def test_only_the_one_name_is_calicos_manifest() -> None:
    assert calico_manifest([BundledManifest("calico/v3.32.1/crds.yaml", "", ""), CALICO]) is CALICO
    assert calico_manifest([BundledManifest("calico/calico.yaml", "", "")]) is None


def test_the_manifest_that_was_brought_says_which_calico_it_is() -> None:
    other = BundledManifest("calico/v3.31.0/calico.yaml", "/m", "sha256:1", ())
    values = vars_of(["1.36.3"], {"1.36": {"calico": "3.32.1"}}, [], [other])
    assert values["kube_versions"]["1.36"]["calico"] == "3.31.0"


@pytest.mark.parametrize("versions", [["1.36.3", "1.36.10"], ["1.36.10", "1.36.3"]])
def test_an_upgrade_goes_through_the_newest_bundled_version_of_a_minor(versions: list[str]) -> None:
    values = vars_of(["1.37.2", *versions], {"1.37": {}, "1.36": {"kubernetes": "1.36.12"}}, [], [])
    assert {minor: row["kubernetes"] for minor, row in values["kube_versions"].items()} == {
        "1.37": "1.37.2",
        "1.36": "1.36.10",
    }


def test_the_variables_of_the_roles() -> None:
    values = vars_of(
        ["1.36.3"],
        {"1.36": {"kubernetes": "1.36.2", "etcd": "3.6.8", "agnhost": "2.63.0"}},
        ["ghcr.io/flannel-io/flannel-cni-plugin:v1.9.1-flannel1"],
        [],
    )
    assert values["kube_versions"] == {"1.36": {"kubernetes": "1.36.3", "etcd": "3.6.8", "agnhost": "2.63.0"}}
    assert values["kube_kubernetes_repository"]["deb_url"] == "{{ kube_mirror_url }}/deb/kubernetes/v{{ kube_minor }}/"
    assert values["kube_containerd_repository"] == {
        "deb_url": "{{ kube_mirror_url }}/deb/containerd/",
        "rpm_url": "",
        "suite": "./",
        "components": "",
        "key_url": "{{ kube_mirror_url }}/deb/key.asc",
    }
    assert values["kube_flannel_cni_plugin"] is True
    assert values["kube_manifest_source"] == "{{ kube_mirror_url }}/manifests/"
    assert "kube_calico_manifest" not in values


@pytest.mark.parametrize(
    ("formats", "deb", "rpm"), [(["deb"], True, False), (["rpm"], False, True), (["deb", "rpm"], True, True)]
)
def test_repositories_are_those_of_the_formats(formats: list[str], deb: bool, rpm: bool) -> None:
    """The roles accept only the keys that role cluster specifies; preflight requests key_url whatever the host is."""
    spec = yaml.safe_load((ROOT / "roles/cluster/meta/argument_specs.yml").read_text(encoding="utf-8"))
    options = spec["argument_specs"]["main"]["options"]
    values = vars_of(["1.36.3"], {"1.36": {}}, [], [], formats)
    for name, folder in (
        ("kube_kubernetes_repository", "kubernetes/v{{ kube_minor }}"),
        ("kube_containerd_repository", "containerd"),
    ):
        repository = values[name]
        assert set(repository) <= set(options[name]["options"])
        assert repository["deb_url"] == (f"{{{{ kube_mirror_url }}}}/deb/{folder}/" if deb else "")
        assert repository["rpm_url"] == (f"{{{{ kube_mirror_url }}}}/rpm/{folder}/" if rpm else "")
        rpm_key = f"{{{{ kube_mirror_url }}}}/rpm/{folder}/key.asc"
        assert repository["key_url"] == ("{{ kube_mirror_url }}/deb/key.asc" if deb else rpm_key)
        assert repository.get("rpm_key_url", "") == (rpm_key if deb and rpm else "")
