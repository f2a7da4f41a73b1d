# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calico's published manifest as data against a real API server; with the images, a whole network."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from harness.hosts import Host, hosts_of, unready
from harness.origin import origin, versions
from harness.playbook import ROOT, Run, inventory_of, run

LAB = f"molecule-{os.environ['MOLECULE_SCENARIO_NAME']}"
HERE = ROOT / "molecule" / "calico"
FOLDER = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
PUBLISHED = sorted((ROOT.parent / "shared" / "calico").glob("calico-v*.yaml"))
IMAGES = ("quay.io/calico/cni", "quay.io/calico/node", "quay.io/calico/kube-controllers")


def brought() -> bool:
    """Whether the hosts can pull Calico's images: from upstream, or because the origin was given them."""
    found = origin()
    return not found or {image.rpartition(":")[0] for image in found["images"]} >= set(IMAGES)


def play(playbook: str, name: str, *arguments: str, **variables: Any) -> Run:
    """Run a playbook with Calico chosen, and its published manifest where the images are not to be had."""
    chosen = {"kube_network_plugin": "calico", **variables}
    if not brought():
        chosen["kube_calico_manifest"] = str(PUBLISHED[-1])
    return run(playbook, inventory_of(LAB), FOLDER / name, "-e", json.dumps(chosen), *arguments)


def control_plane() -> Host:
    """The control plane of the lab."""
    return next(host for host in hosts_of(LAB) if host.name.startswith("cp"))


@pytest.fixture(scope="module")
def applied() -> Run:
    """The control plane with Calico's objects, images or not."""
    if not PUBLISHED and not brought():
        pytest.skip(
            "left out: Calico's published manifest is neither beside this checkout (../shared/calico) nor in the origin"
        )
    return play(str(HERE / "converge.yml"), "applied").succeeded()


def test_the_manifest_is_taken_by_a_real_api_server(applied: Run) -> None:
    node = control_plane().kubectl("-n", "kube-system", "get", "daemonset", "calico-node")
    variables = {item["name"]: item.get("value") for item in node["spec"]["template"]["spec"]["containers"][0]["env"]}
    assert variables["CALICO_IPV4POOL_VXLAN"] == "Always" and variables["CALICO_IPV4POOL_CIDR"] == "192.168.0.0/16"
    assert "slipway.kube" in {
        entry["manager"]
        for entry in control_plane().kubectl("get", "crd", "ippools.crd.projectcalico.org", "--show-managed-fields")[
            "metadata"
        ]["managedFields"]
    }
    assert len(control_plane().kubectl("get", "crd")["items"]) >= 20


def test_a_second_run_changes_nothing(applied: Run) -> None:
    assert not play(str(HERE / "network.yml"), "again").succeeded().changed()


@pytest.mark.parametrize("encapsulation", ["VXLANCrossSubnet", "IPIP", "IPIPCrossSubnet", "None"])
def test_a_dry_run_of_other_settings_is_accepted_by_the_server(applied: Run, encapsulation: str) -> None:
    if brought():
        pytest.skip("Calico runs: its pool is made, so other encapsulations are refused")
    found = play(
        str(HERE / "network.yml"), encapsulation, "--check", "--diff", kube_network_calico_encapsulation=encapsulation
    ).succeeded()
    assert len(found.changed()) == 1
    assert "CALICO_IPV4POOL_" in found.output
    assert not play(str(HERE / "network.yml"), "after", "--check").succeeded().changed()


def test_another_network_is_refused(applied: Run) -> None:
    refused = play(str(HERE / "network.yml"), "flannel", kube_network_plugin="flannel")
    assert refused.process.returncode != 0
    assert (
        "DaemonSet kube-system/calico-node exists in the cluster. This cluster already has a different pod network than flannel"
        in refused.output
    )
    assert (
        control_plane().execute(
            "kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", "get", "namespace", "kube-flannel"
        )[0]
        != 0
    )


def test_missing_images_are_explained(applied: Run) -> None:
    if brought():
        pytest.skip("Calico's images can be pulled")
    seen = play("slipway.kube.verify", "verify", verify_mode="light", verify_timeout=20)
    assert seen.process.returncode != 0
    assert "node cp1 is not Ready" in seen.output and "No pod network is configured on it" in seen.output
    assert "kube-system/calico-node-" in seen.output and "quay.io/calico/" in seen.output


def reaches(source: str, target: str) -> bool:
    """Whether a pod reaches another one; agnhost says so by its exit code."""
    command = (
        "kubectl",
        "--kubeconfig=/etc/kubernetes/admin.conf",
        "-n",
        "policy",
        "exec",
        source,
        "--",
        "/agnhost",
        "connect",
    )
    return control_plane().execute(*command, "--timeout=3s", f"{target}:8080")[0] == 0


def test_with_the_images_the_whole_network_works_and_enforces_policies(applied: Run) -> None:
    if not brought():
        pytest.skip("left out: the origin has none of Calico's images; give it their archives")
    play("slipway.kube.cluster", "whole").succeeded()
    assert not unready(hosts_of(LAB))
    assert not play("slipway.kube.cluster", "second").succeeded().changed()
    source = control_plane()
    admin = ("kubectl", "--kubeconfig=/etc/kubernetes/admin.conf")
    tag = versions()["agnhost"]
    run_pod = ("--image", f"registry.k8s.io/e2e-test-images/agnhost:{tag}", "--", "/agnhost", "netexec")
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "only-friends", "namespace": "policy"},
        "spec": {
            "podSelector": {"matchLabels": {"run": "server"}},
            "ingress": [{"from": [{"podSelector": {"matchLabels": {"run": "friend"}}}]}],
        },
    }
    try:
        assert source.execute(*admin, "create", "namespace", "policy")[0] == 0
        for name in ("server", "friend", "stranger"):
            assert source.execute(*admin, "-n", "policy", "run", name, *run_pod)[0] == 0
        assert (
            source.execute(*admin, "-n", "policy", "wait", "--for=condition=Ready", "pod", "--all", "--timeout=60s")[0]
            == 0
        )
        address = source.kubectl("-n", "policy", "get", "pod", "server")["status"]["podIP"]
        assert reaches("friend", address) and reaches("stranger", address)
        command = f"echo '{json.dumps(policy)}' | {' '.join(admin)} apply -f -"
        assert source.execute("sh", "-c", command)[0] == 0
        deadline = time.time() + 30
        while reaches("stranger", address) and time.time() < deadline:
            time.sleep(1)
        assert not reaches("stranger", address), (
            "NetworkPolicy is not enforced: a pod that is not allowed reaches the server"
        )
        assert reaches("friend", address)
    finally:
        source.execute(*admin, "delete", "namespace", "policy", "--wait=false")
