# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The packages and images of a Kubernetes version, as data, under their upstream names.

Versions come from the caller's table (role ``cluster``, one row per Kubernetes minor version); none are defined here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ...module_utils._kube.versions import minor_of
from .names import BundleError, check_kubernetes_version

NEWEST = "newest"
NETWORK_PLUGINS = ("calico", "flannel", "cilium")
DEFAULT_NETWORK_PLUGINS = ("calico", "flannel")
# fmt: off
NEEDED_VERSIONS = (
    "etcd", "coredns", "pause", "containerd", "runc", "cni_plugins", "flannel", "metrics_server", "agnhost",
)
# fmt: on


@dataclass(frozen=True)
class Package:
    """A package and its upstream version; *repository* is the folder of its repository in the bundle, below deb or rpm."""

    name: str
    version: str
    repository: str


def component_versions(version: str, table: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Return the row of *table* for a Kubernetes version such as ``1.36.3``, with all values as strings.

    :raises BundleError: the row does not exist or lacks a component.
    """
    minor = minor_of(version)
    row = {name: str(value) for name, value in table.get(minor, {}).items()}
    missing = [name for name in NEEDED_VERSIONS if not row.get(name)]
    if not row:
        raise BundleError(
            f"Kubernetes {version} cannot be bundled: kube_versions has no row {minor!r} (it has {', '.join(sorted(table)) or 'none'}). "
            "Add a row with the versions that its kubeadm requires. [slipway:bundle_variables]"
        )
    if missing:
        raise BundleError(
            f"kube_versions[{minor!r}] has no version of {', '.join(missing)}. Add {'it' if len(missing) == 1 else 'them'}. [slipway:bundle_variables]"
        )
    return row


def rows_of(
    versions: Iterable[str], table: Mapping[str, Mapping[str, str]], variable: str
) -> dict[str, dict[str, str]]:
    """Return the row of the table for every Kubernetes version, by minor version.

    :param variable: the setting that lists the versions, for error messages.
    :raises BundleError: there is no version, two of one minor version, or one that the table does not have.
    """
    rows: dict[str, dict[str, str]] = {}
    seen: dict[str, str] = {}
    for version in versions:
        check_kubernetes_version(version)
        minor = minor_of(version)
        if minor in seen:
            raise BundleError(
                f"{variable} lists {seen[minor]} and {version}: there can be one release of each minor version. Remove one of them. [slipway:bundle_variables]"
            )
        seen[minor] = version
        rows[minor] = component_versions(version, table)
    if not rows:
        raise BundleError(
            f"{variable} is empty: list at least one Kubernetes version, such as 1.37.2. [slipway:bundle_variables]"
        )
    return rows


def packages(version: str, row: Mapping[str, str]) -> list[Package]:
    """Return the packages of one Kubernetes version. cri-tools has a version of its own: the newest of the repository."""
    kubernetes = f"kubernetes/v{minor_of(version)}"
    return [
        *(Package(name, version, kubernetes) for name in ("kubeadm", "kubectl", "kubelet")),
        Package("kubernetes-cni", row["cni_plugins"], kubernetes),
        Package("cri-tools", NEWEST, kubernetes),
        Package("containerd.io", row["containerd"], "containerd"),
    ]


def images(version: str, row: Mapping[str, str]) -> dict[str, str]:
    """Return the name and version of the images that every cluster uses (``kubeadm config images list``) or may use."""
    upstream = "registry.k8s.io"
    control_plane = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy")
    return {
        **{f"{upstream}/{name}:v{version}": version for name in control_plane},
        f"{upstream}/etcd:{row['etcd']}-0": row["etcd"],
        f"{upstream}/coredns/coredns:v{row['coredns']}": row["coredns"],
        f"{upstream}/pause:{row['pause']}": row["pause"],
        f"{upstream}/metrics-server/metrics-server:v{row['metrics_server']}": row["metrics_server"],
        f"{upstream}/e2e-test-images/agnhost:{row['agnhost']}": row["agnhost"],
    }


def network_images(row: Mapping[str, str], plugins: Iterable[str], flannel_cni_plugin: bool) -> dict[str, str]:
    """Return the name and version of the images of the pod networks *plugins*."""
    found: dict[str, str] = {}
    if "calico" in plugins:
        found.update(dict.fromkeys(calico_images(row), row.get("calico", "")))
    if "flannel" in plugins:
        found[f"ghcr.io/flannel-io/flannel:v{row['flannel']}"] = row["flannel"]
        if flannel_cni_plugin and (version := row.get("flannel_cni_plugin")):
            found[f"ghcr.io/flannel-io/flannel-cni-plugin:v{version}-flannel1"] = version
    if "cilium" in plugins:
        found.update(dict.fromkeys(cilium_images(row), row.get("cilium", "")))
    return found


def calico_images(row: Mapping[str, str]) -> list[str]:
    """Return the images that Calico's manifest uses; none if the table has no version of Calico."""
    version = row.get("calico", "")
    return [f"quay.io/calico/{part}:v{version}" for part in ("cni", "kube-controllers", "node")] if version else []


def cilium_images(row: Mapping[str, str]) -> list[str]:
    """Return the images that Cilium's chart uses with the values of role network; none if the table has no version of Cilium."""
    version = row.get("cilium", "")
    return [f"quay.io/cilium/{part}:v{version}" for part in ("cilium", "operator-generic")] if version else []
