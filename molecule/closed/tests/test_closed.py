# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that resolve and reach nothing but a mirror become a cluster, from one file that was packed elsewhere."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.hosts import Host, any_host_of, hosts_of, unready
from harness.origin import addons
from harness.playbook import ROOT, Run, inventory_of, output_of, run

LAB = f"molecule-{os.environ['MOLECULE_SCENARIO_NAME']}"
INVENTORY = inventory_of(LAB)
FOLDER = output_of(LAB)
VARIABLES = ROOT / "molecule" / "lab" / "vars.yml"
ARCHIVE = FOLDER / "bundle.tar.zst"
REGISTRIES = ("docker.io", "ghcr.io", "quay.io", "registry.k8s.io")


def by_address(address: str) -> dict[str, Any]:
    """Return the variables with which the bundle is collected from an origin by its address, where no name leads to it."""
    kubernetes = f"https://{address}/pkgs.k8s.io/core:/stable:/v{{minor}}/deb/"
    docker = f"https://{address}/download.docker.com/linux/debian"
    servers = {"docker.io": "registry-1.docker.io"}
    return {
        "bundle_upstream": {
            "kubernetes": kubernetes,
            "kubernetes_key": f"{kubernetes}Release.key",
            "containerd": docker,
            "containerd_key": f"{docker}/gpg",
            "manifests": f"https://{address}/raw.githubusercontent.com/",
        },
        "bundle_registries": {name: f"{address}/{servers.get(name, name)}" for name in REGISTRIES},
        "bundle_ca": str(ROOT / ".lab" / LAB / "tls" / "ca.crt"),
        "bundle_network_plugins": ["flannel"],
        "bundle_addons": addons(["metrics_server", "local_path_storage", "metallb", "traefik"]),
        "kube_flannel_cni_plugin": False,
    }


def bundle(name: str, folder: Path, **variables: Any) -> Run:
    values = {"bundle_dir": str(folder), "bundle_archive": str(ARCHIVE), **variables}
    return run("slipway.kube.bundle", INVENTORY, FOLDER / name, "-e", json.dumps(values))


@pytest.fixture(scope="module")
def archive() -> Path:
    """The packed bundle, collected as the lab's hosts would collect their software."""
    services = any_host_of(LAB, "services")
    code, _output = services.execute("test", "-e", "/srv/origin/origin.json")
    address = services.container.attrs["NetworkSettings"]["Networks"][f"slipway-{LAB}"]["IPAddress"]
    sources = by_address(address) if code == 0 else {}
    collected = FOLDER / "collected"
    bundle("collect", collected, **sources).succeeded()
    assert not bundle("collect-again", collected, **sources).succeeded().changed()
    bundle("pack", collected, bundle_state="packed").succeeded()
    return ARCHIVE


@pytest.fixture(scope="module")
def cluster(archive: Path) -> list[Host]:
    """The hosts, made again without a source, after a run that made them a cluster."""
    unpacked = FOLDER / "unpacked"
    bundle("unpack", unpacked, bundle_state="unpacked").succeeded()
    bundle("verify", unpacked, bundle_state="verified").succeeded()
    closed = {"lab_state": "reset", "lab_sources": "none", "lab_mirror": True, "lab_bundle": str(unpacked)}
    run("slipway.kube.lab", INVENTORY, FOLDER / "lab", "-e", f"@{VARIABLES}", "-e", json.dumps(closed)).succeeded()
    for host in hosts_of(LAB):
        for name in ("pkgs.k8s.io", "registry.k8s.io", "download.docker.com"):
            assert host.execute("getent", "hosts", name)[0] != 0, f"{host.name} resolves {name}"
    run("slipway.kube.cluster", INVENTORY, FOLDER / "cluster").succeeded()
    return hosts_of(LAB)


def test_the_cluster_is_sound(cluster: list[Host]) -> None:
    assert not unready(cluster)


def test_everything_came_from_the_mirror(cluster: list[Host]) -> None:
    mirror = yaml.safe_load(INVENTORY.read_text())["all"]["vars"]["kube_mirror_url"]
    for host in cluster:
        hosts_toml = host.execute("cat", "/etc/containerd/certs.d/registry.k8s.io/hosts.toml")[1]
        assert f'server = "{mirror}/v2/registry.k8s.io"' in hosts_toml
        lists = host.execute("sh", "-c", "cat /etc/apt/sources.list.d/*")[1]
        assert mirror in lists and "https://" not in lists


def test_a_second_run_changes_nothing(cluster: list[Host]) -> None:
    assert run("slipway.kube.cluster", INVENTORY, FOLDER / "again").succeeded().changed() == []
