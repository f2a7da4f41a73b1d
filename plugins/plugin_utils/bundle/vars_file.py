# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""vars.yml: the variables with which the roles use a bundle. Pure functions.

URLs are templates over ``kube_mirror_url``, so the same folder can be served from any address.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...module_utils._kube.versions import minor_of, parse_version
from .names import ImageName
from .upstream import BundledManifest

MIRROR = "{{ kube_mirror_url }}"
USUAL_REGISTRIES = ("docker.io", "ghcr.io", "quay.io", "registry.k8s.io")


def calico_manifest(manifests: Iterable[BundledManifest]) -> BundledManifest | None:
    """Return the manifest named ``calico/vVERSION/calico.yaml``, if there is one."""
    return next(
        (manifest for manifest in manifests if re.match(r"^calico/v[^/]+/calico\.yaml$", manifest.target)), None
    )


def cilium_charts(manifests: Iterable[BundledManifest]) -> list[BundledManifest]:
    """Return the charts named ``cilium/cilium-VERSION.tgz``."""
    return [manifest for manifest in manifests if re.match(r"^cilium/cilium-[^/]+\.tgz$", manifest.target)]


def network_plugin(manifests: Sequence[BundledManifest], images: Iterable[str]) -> str:
    """Return the first of ``calico`` and ``cilium`` of which the bundle has the manifest or chart and every image that it uses, else ``flannel``."""
    calico, available = calico_manifest(manifests), set(images)
    for name, found in (("calico", [calico] if calico else []), ("cilium", cilium_charts(manifests))):
        if found and all(one.images and set(one.images) <= available for one in found):
            return name
    return "flannel"


def registry_mirrors(images: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    """Return containerd's hosts for every registry of *images*, and for the usual registries.

    For an image that the mirror does not have, a host then gets "not found" instead of a name that it cannot resolve.
    """
    registries = sorted({ImageName.parse(image).registry for image in images} | set(USUAL_REGISTRIES))
    return {
        registry: [
            {
                "url": f"{MIRROR}/v2/{registry}",
                "override_path": True,
                "capabilities": ["pull", "resolve"],
                "ca": "",
                "skip_verify": False,
                "header": {},
            }
        ]
        for registry in registries
    }


def vars_of(
    versions: Sequence[str],
    rows: Mapping[str, Mapping[str, str]],
    images: Sequence[str],
    manifests: Sequence[BundledManifest],
    formats: Sequence[str] = ("deb",),
) -> dict[str, Any]:
    """Return the content of vars.yml.

    :param versions: bundled Kubernetes versions; the first is the default for clusters.
    :param rows: versions of the other components by Kubernetes minor version.
    :param formats: of the packages, ``deb`` and ``rpm``.
    """
    values: dict[str, Any] = {
        "kube_version": versions[0],
        "kube_versions": {minor: dict(rows[minor]) for minor in sorted(rows, reverse=True)},
        "kube_kubernetes_repository": _repository("kubernetes/v{{ kube_minor }}", formats),
        "kube_containerd_repository": _repository("containerd", formats),
        "kube_registry_mirrors": registry_mirrors(images),
        "kube_network_plugin": network_plugin(manifests, images),
        "kube_manifest_source": f"{MIRROR}/manifests/",
        "kube_flannel_cni_plugin": any("/flannel-cni-plugin:" in image for image in images),
    }
    # An upgrade goes through the newest of each minor that the bundle has.
    for version in sorted(versions, key=parse_version):
        values["kube_versions"][minor_of(version)]["kubernetes"] = version
    calico = calico_manifest(manifests)
    if calico:
        for row in values["kube_versions"].values():
            row["calico"] = calico.target.split("/")[1][1:]
        values["kube_calico_manifest"] = f"{MIRROR}/manifests/{calico.target}"
    if cilium_charts(manifests):
        version = "{{ kube_component_versions.cilium }}"
        values["kube_cilium_chart"] = f"{MIRROR}/manifests/cilium/cilium-{version}.tgz"
    return values


def _repository(folder: str, formats: Sequence[str]) -> dict[str, str]:
    """Return the variable of a repository. Its rpms have upstream's signatures, its debs are signed by their index."""
    deb, rpm = ("deb" in formats), ("rpm" in formats)
    key = f"{MIRROR}/rpm/{folder}/key.asc"
    return {
        "deb_url": f"{MIRROR}/deb/{folder}/" if deb else "",
        "rpm_url": f"{MIRROR}/rpm/{folder}/" if rpm else "",
        "suite": "./",
        "components": "",
        "key_url": f"{MIRROR}/deb/key.asc" if deb else key,
        **({"rpm_key_url": key} if deb and rpm else {}),
    }
