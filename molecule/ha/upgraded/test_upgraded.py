# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Three control planes and two workers are upgraded, while one client writes through the virtual address and another asks an application."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from harness.clients import Browser, Writer
from harness.hosts import hosts_of, unready
from harness.kube import Kube
from harness.playbook import Run, addresses, inventory_of, output_of, run
from harness.web import NEW, OLD, deploy_web, versions

SCENARIO = f"molecule-{os.environ['MOLECULE_SCENARIO_NAME']}"
INVENTORY = inventory_of(SCENARIO)
FOLDER = output_of(SCENARIO)
UPGRADE, NAMESPACE, PORT = "slipway.kube.upgrade", "upgrade", 30080
NODES = ("cp1", "cp2", "cp3", "w1", "w2")
LIMIT = 10  # seconds without a write, whichever API server is replaced


@pytest.fixture(scope="module")
def kube() -> Kube:
    kube = Kube(SCENARIO)
    kube.make_namespace(NAMESPACE)
    deploy_web(kube, OLD, PORT)
    return kube


@pytest.fixture(scope="module")
def clients(kube: Kube) -> Iterator[tuple[Writer, Browser]]:
    writer, browser = Writer(kube.kubeconfig, NAMESPACE, timeout=2), Browser(addresses(INVENTORY)["cp1"], PORT)
    for client in (writer, browser):
        client.start()
    yield writer, browser
    for client in (writer, browser):
        client.ended.set()


@pytest.fixture(scope="module")
def upgraded(clients: tuple[Writer, Browser]) -> Run:
    done = run(UPGRADE, INVENTORY, FOLDER / "upgraded")
    for client in clients:
        client.stop()
    print(f"upgraded in {done.seconds:.0f} s; no write for {clients[0].longest:.1f} s")
    return done.succeeded()


def test_every_node_has_the_new_version(kube: Kube, upgraded: Run) -> None:
    assert versions(kube) == dict.fromkeys(NODES, f"v{NEW}")
    assert not unready(hosts_of(SCENARIO))


def test_nodes_were_upgraded_one_after_another(upgraded: Run) -> None:
    drained = [event.host for event in upgraded.events if event.task == "Drain the node" and event.status != "skipped"]
    order = list(dict.fromkeys(host for host in drained if host in NODES))
    assert order == list(NODES)


def test_no_write_was_lost_and_none_had_to_wait_long(clients: tuple[Writer, Browser], upgraded: Run) -> None:
    writer = clients[0]
    print(f"{writer.done} writes acknowledged, {len(writer.failures)} refused or broken")
    assert writer.done > 300 and writer.longest < LIMIT
    assert writer.lost() == []


def test_no_request_failed(clients: tuple[Writer, Browser], upgraded: Run) -> None:
    print(f"{clients[1].done} requests answered")
    assert clients[1].done > 300
    assert clients[1].failures == []


def test_a_second_run_changes_nothing(kube: Kube, upgraded: Run) -> None:
    again = run(UPGRADE, INVENTORY, FOLDER / "upgraded-again").succeeded()
    assert not again.changed(), "\n".join(again.changed())
    kube.kubectl("delete", "deployment/web", "service/web", "poddisruptionbudget/web")
