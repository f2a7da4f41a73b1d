# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An upgrade loses no acknowledged write and no request, says beforehand what it does, and is refused where it cannot end well.

KILLS (1) runs are ended within kubeadm before the one that finishes; KILL_SEED (199) decides when. An upgrade over several minor versions is
also ended between the last of those in between and the new one.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator

import pytest

from harness.clients import Browser, Writer
from harness.hosts import any_host_of, hosts_of, unready
from harness.kill import Kill, carry_out
from harness.kube import Kube, workload
from harness.playbook import Run, addresses, inventory_of, output_of, run, start, starts
from harness.web import DEFAULT, MINORS, NEW, OLD, THROUGH, agnhost, budget, deploy_web, versions

SCENARIO = f"molecule-{os.environ['MOLECULE_SCENARIO_NAME']}"
INVENTORY = inventory_of(SCENARIO)
FOLDER = output_of(SCENARIO)
UPGRADE = "slipway.kube.upgrade"
KILLS = int(os.environ.get("KILLS", "1"))
MOMENTS = random.Random(int(os.environ.get("KILL_SEED", "199")))
LEDGER, PORT = "ledger", 30080


@pytest.fixture(scope="module")
def kube() -> Kube:
    """The cluster of the old version, with an application on both workers."""
    kube = Kube(SCENARIO)
    kube.make_namespace(LEDGER)
    deploy_web(kube, OLD, PORT)
    kube.kubectl("cordon", "w2")
    return kube


def test_all_that_speaks_against_it_is_refused_in_one_list(kube: Kube) -> None:
    kube.apply([workload(agnhost(OLD), name="tight"), budget("tight", 1)])
    kube.kubectl("rollout", "status", "deployment/tight", "--timeout=120s")
    # Without preflight_sources: the lab's repositories end before that version, which would be told first.
    minor = f"1.{max(MINORS[0] + 2, MINORS[1] + 1)}"
    skipped = {
        "kube_version": f"{minor}.0",
        "kube_versions": {minor: DEFAULT["kube_versions"]["1.37"]},
        "preflight_sources": False,
    }
    refused = run(UPGRADE, INVENTORY, FOLDER / "refused", "-e", json.dumps(skipped))
    kube.kubectl("delete", "deployment,poddisruptionbudget", "tight")
    assert refused.process.returncode != 0
    assert (
        "would skip a minor version, which kubeadm does not support. Evidence: kube-apiserver on cp1" in refused.output
    )
    assert (
        "PodDisruptionBudget default/tight (minAvailable: 1) permits no disruption: 1 of 1 pods are healthy"
        in refused.output
    )
    assert not refused.changed() and set(versions(kube).values()) == {f"v{OLD}"}


def test_a_version_that_the_repositories_lack_is_refused(kube: Kube) -> None:
    absent = NEW.rpartition(".")[0] + ".99"
    refused = run(UPGRADE, INVENTORY, FOLDER / "absent", "-e", f"kube_version={absent}")
    assert refused.process.returncode != 0
    assert f"The package repository does not have version {absent} of kubeadm, kubelet, kubectl." in refused.output
    assert not refused.changed() and set(versions(kube).values()) == {f"v{OLD}"}


def test_the_plan_is_shown_and_changes_nothing(kube: Kube) -> None:
    planned = run(UPGRADE, INVENTORY, FOLDER / "planned", "--check").succeeded()
    lines = [
        f"Upgrade of cluster 'kubernetes' from Kubernetes {OLD} to {NEW}",
        "afterwards it stays cordoned, as an administrator left it",
    ]
    numbers, have = iter(range(1, 100)), OLD
    for version in THROUGH:
        static = "kubeadm, kube-apiserver, kube-controller-manager, kube-scheduler"
        lines.append(f"{next(numbers)}. cp1 (control plane): {static} {have} -> {version}")
        lines += [f"{next(numbers)}. {worker} (worker): kubeadm {have} -> {version}" for worker in ("w1", "w2")]
        have = version
    moves = f"kubeadm {have} -> {NEW}; kubelet {OLD} -> {NEW}" if THROUGH else f"kubeadm, kubelet {OLD} -> {NEW}"
    lines.append(
        f"{next(numbers)}. cp1 (control plane): kubeadm, kube-apiserver, kube-controller-manager, kube-scheduler"
    )
    lines += [f"{next(numbers)}. {worker} (worker): {moves}" for worker in ("w1", "w2")]
    for line in lines:
        assert line in planned.output, line
    assert set(versions(kube).values()) == {f"v{OLD}"}


@pytest.fixture(scope="module")
def clients(kube: Kube) -> Iterator[tuple[Writer, Browser]]:
    writer = Writer(kube.kubeconfig, LEDGER)
    browser = Browser(addresses(INVENTORY)["cp1"], PORT)
    for client in (writer, browser):
        client.start()
    yield writer, browser
    for client in (writer, browser):
        client.ended.set()


def keep_figures(done: Run, clients: tuple[Writer, Browser]) -> None:
    """Write when each write and request was answered, and when the upgrade was doing what: tests/benchmarks draws it."""
    writer, browser = clients
    figures = {
        "from": OLD,
        "to": NEW,
        "seconds": done.seconds,
        "plays": {play: start - done.started for play, start in starts(done.lines).items()},
        "writes": [moment - done.started for moment in writer.times],
        "requests": [moment - done.started for moment in browser.times],
        "failed": [moment - done.started for client in clients for moment, _reason in client.failures],
    }
    (FOLDER / "figures.json").write_text(json.dumps(figures))


@pytest.fixture(scope="module")
def upgraded(kube: Kube, clients: tuple[Writer, Browser]) -> Run:
    services = any_host_of(SCENARIO, "services")
    for number in range(1, KILLS + 1):
        kill = Kill(number, "upgrade", MOMENTS.uniform(0.05, 0.95))
        ended = start(UPGRADE, INVENTORY, FOLDER / f"ended-{kill}")
        print(carry_out(kill, ended, hosts_of(SCENARIO), services, length=0))
    if THROUGH:
        ended = start(UPGRADE, INVENTORY, FOLDER / "ended-between")
        ended.kill_in("Upgrade the control planes")
        assert set(versions(kube).values()) == {f"v{OLD}"}, "kubelets keep their version until the last step"
    done = run(UPGRADE, INVENTORY, FOLDER / "upgraded")
    for client in clients:
        client.stop()
    keep_figures(done, clients)
    print(f"upgraded in {done.seconds:.0f} s")
    return done.succeeded()


def test_every_node_and_add_on_has_the_new_version(kube: Kube, upgraded: Run) -> None:
    assert versions(kube) == dict.fromkeys(("cp1", "w1", "w2"), f"v{NEW}")
    assert not unready(hosts_of(SCENARIO))
    images = {
        container["image"]
        for pod in kube.get("pods", namespace="kube-system")
        for container in pod["spec"]["containers"]
        if "flannel" not in container["image"]
    }
    row = DEFAULT["kube_versions"][".".join(NEW.split(".")[:2])]
    tags = {image.rpartition(":")[2] for image in images}
    assert tags == {f"v{NEW}", f"{row['etcd']}-0", f"v{row['coredns']}"}


def test_each_node_was_drained_once(upgraded: Run) -> None:
    drained = [event.host for event in upgraded.events if event.task == "Drain the node" and event.status != "skipped"]
    assert drained == ["cp1", "w1", "w2"]


def test_the_cluster_dns_keeps_what_the_inventory_says(kube: Kube, upgraded: Run) -> None:
    """CoreDNS has another version, for which kubeadm may write the Corefile anew."""
    content = kube.get("configmap", "coredns", "kube-system")
    assert content["data"]["Corefile"].count("192.0.2.80 registry.lab.example") == 1
    assert "registry.lab.example" in content["metadata"]["annotations"]["slipway.kube/dns"]


def test_no_acknowledged_write_was_lost(clients: tuple[Writer, Browser], upgraded: Run) -> None:
    writer = clients[0]
    print(f"{writer.done} writes acknowledged, {len(writer.failures)} refused or broken")
    assert writer.done > 100
    assert writer.lost() == []


def test_no_request_failed(clients: tuple[Writer, Browser], upgraded: Run) -> None:
    browser = clients[1]
    print(f"{browser.done} requests answered")
    assert browser.done > 300
    assert browser.failures == []


def test_what_an_administrator_cordoned_stays_cordoned(kube: Kube, upgraded: Run) -> None:
    cordoned = {node["metadata"]["name"] for node in kube.get("nodes") if node["spec"].get("unschedulable")}
    assert cordoned == {"w2"}


def test_the_snapshot_is_of_the_old_cluster_and_for_root_only(kube: Kube, upgraded: Run) -> None:
    code, listing = kube.host.execute("sh", "-c", "cd /var/backups/slipway && stat --format='%a %U %s %n' . *")
    assert code == 0, listing
    folder, snapshot = listing.splitlines()
    assert folder.startswith("700 root") and snapshot.startswith("600 root")
    assert snapshot.endswith(f"-before-{NEW}.db") and int(snapshot.split()[2]) > 1 << 20


def test_a_second_run_changes_nothing(kube: Kube, upgraded: Run) -> None:
    planned = run(UPGRADE, INVENTORY, FOLDER / "again_planned", "--check").succeeded()
    again = run(UPGRADE, INVENTORY, FOLDER / "again").succeeded()
    assert not planned.changed() + again.changed(), "\n".join(planned.changed() + again.changed())
    assert f"runs Kubernetes {NEW} on all nodes of this run. Nothing is to be done." in again.output
