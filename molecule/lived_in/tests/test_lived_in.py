# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts with a past: what is in the way is refused at once, the remedies that are named help, and the rest is used and kept."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.hosts import Host, any_host_of, hosts_of, unready
from harness.playbook import Run, inventory_of, output_of, run
from harness.reset import left_behind, reset
from harness.snapshot import take

LAB = f"molecule-{os.environ['MOLECULE_SCENARIO_NAME']}"
INVENTORY = inventory_of(LAB)
FOLDER = output_of(LAB)
PASSWORD = ("-e", "ansible_become_password=lived-in")
SHAPES = ("ufw", "containerd", "kubelet 1.30.1-1.1", "10-weave.conflist")
# w1 keeps the distribution's containerd, as the refusal offers.
ADOPTED = """all:
  hosts:
    w1:
      containerd_package: containerd
      containerd_version: "{version}"
      kube_containerd_repository: {{}}
"""
UPGRADES = 20  # seconds for which unattended-upgrades has dpkg's lock
LOCKED = f"import fcntl, time; lock = open('/var/lib/dpkg/lock-frontend', 'w'); fcntl.lockf(lock, fcntl.LOCK_EX); time.sleep({UPGRADES})"
# What stays of the cluster: the databases and empty folders of a containerd that was there before, and its port on the loopback, which is another
# one after each start. The purge of containerd.io also removes what enabled the containerd that had been removed from cp1.
FILLED = (
    r"content\.v1\.content/blobs/sha256/|grpc\.v1\.cri/\w+/|runtime\.v2\.task/k8s\.io/|snapshotter\.v1\.\w+/snapshots/"
)
STAYS = re.compile(
    rf"\w+: files: /var/lib/containerd/io\.containerd\.(?!{FILLED}).*"
    r"|w1: ports: tcp \d{5} is (gone|new) \(.*"
    r"|cp1: (files: .*/containerd\.service(\.dsh-also)?|units: containerd\.service) is gone \(.*"
)
LISTS = ("/etc/apt/sources.list.d/kubernetes.list", "/etc/apt/sources.list.d/docker.sources")


def cluster(name: str, *arguments: str) -> Run:
    return run("slipway.kube.cluster", INVENTORY, FOLDER / name, *PASSWORD, *arguments)


def remedies(output: str) -> Iterator[tuple[str, str]]:
    """Yield (host, command) for each command that a list of errors names as a remedy."""
    hosts: list[str] = []
    for line in output.split("\nWARNING ")[0].splitlines():
        if line.startswith("    remedy: "):
            yield from ((host, command) for host in hosts for command in re.findall(r"`([^`]+)`", line))
        elif found := re.match(r"    ([a-z0-9]+(?:, [a-z0-9]+)*): ", line):
            hosts = found.group(1).split(", ")


def installed(host: Host, package: str) -> str:
    return host.execute("dpkg-query", "--show", "--showformat=${Version}", package)[1]


@pytest.fixture(scope="module")
def refused() -> Run:
    shutil.rmtree(FOLDER, ignore_errors=True)
    done = cluster("refused")
    assert done.process.returncode != 0 and "no host was changed" in done.output
    assert not done.changed(), done.changed()
    return done


@pytest.fixture(scope="module")
def remedied(refused: Run) -> None:
    """The hosts, listed after the remedies that the refusal names, which do not include a removal of containerd from w1."""
    done = list(remedies(refused.output))
    assert {host for host, _command in done} == {"cp1", "w1"}, done
    for name, command in done:
        if name == "cp1" or not command.startswith("apt-get remove"):
            code, output = any_host_of(LAB, name).execute("sh", "-c", f"yes | {command}")
            assert code == 0, f"{name}: {command}: {output}"
    # Nobody has the old version, so that a reset would leave the new one.
    for host in hosts_of(LAB):
        assert host.execute("dpkg", "--purge", "kubelet")[0] == 0
    take(INVENTORY, "whole", FOLDER / "remedied", *PASSWORD)


@pytest.fixture(scope="module")
def overlay(remedied: None) -> Path:
    version = installed(any_host_of(LAB, "w1"), "containerd").split("~")[0].split("-")[0]
    path = FOLDER / "adopted.yml"
    path.write_text(ADOPTED.format(version=version))
    return path


@pytest.fixture(scope="module")
def nodes(overlay: Path) -> list[Host]:
    """The hosts after a run that began while unattended-upgrades was at work on them."""
    for host in hosts_of(LAB):
        host.execute("systemd-run", "--unit=upgrades", "python3", "-c", LOCKED)
    cluster("cluster", "-i", str(overlay)).succeeded()
    return hosts_of(LAB)


@pytest.mark.parametrize("shape", SHAPES)
def test_everything_in_the_way_is_refused_in_one_list(refused: Run, shape: str) -> None:
    assert shape in refused.output


def test_the_cluster_is_sound(nodes: list[Host]) -> None:
    assert not unready(nodes)


def test_the_distribution_s_containerd_was_adopted(nodes: list[Host]) -> None:
    runtimes = {
        node["metadata"]["name"]: node["status"]["nodeInfo"]["containerRuntimeVersion"]
        for node in nodes[0].kubectl("get", "nodes")["items"]
    }
    assert runtimes["cp1"].startswith("containerd://2.")
    assert runtimes["w1"].startswith("containerd://1.7")


def test_the_repositories_that_were_there_are_used_as_they_are(nodes: list[Host]) -> None:
    for host in nodes:
        code, output = host.execute("sh", "-c", "ls /etc/apt/sources.list.d && apt-get update")
        assert code == 0 and "configured multiple times" not in output, output
        ours = [line for line in output.splitlines() if line.startswith("slipway-")]
        assert not ours, f"{host.name} has {ours} beside {LISTS}"


def test_a_second_run_changes_nothing(overlay: Path, nodes: list[Host]) -> None:
    assert cluster("again", "-i", str(overlay)).succeeded().changed() == []


def test_a_reset_leaves_what_was_there_before(overlay: Path, nodes: list[Host]) -> None:
    reset(INVENTORY, FOLDER / "reset", *PASSWORD, "-i", str(overlay))
    left = left_behind(INVENTORY, FOLDER, *PASSWORD, before="remedied")
    found = [sentence for sentence in left if not STAYS.fullmatch(sentence)]
    assert not found, "\n".join(found)
