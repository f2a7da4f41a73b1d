# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster with one control plane and its address as the endpoint grows to three with a virtual IP address, while a client uses the old address."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from harness.clients import Writer
from harness.hosts import any_host_of, hosts_of, unready
from harness.kube import Kube
from harness.playbook import Run, addresses, inventory_of, output_of, run
from harness.web import OLD, versions

SCENARIO = f"molecule-{os.environ['MOLECULE_SCENARIO_NAME']}"
INVENTORY = inventory_of(SCENARIO)
FOLDER = output_of(SCENARIO)
CLUSTER, NAMESPACE, LIMIT = "slipway.kube.cluster", "growth", 10
VERSION = ("-e", f"kube_version={OLD}")
MOVE = ("-e", "kube_move_endpoint=true")
PLANES = ("cp1", "cp2", "cp3")


@pytest.fixture(scope="module")
def single() -> Path:
    """The inventory of the cluster as it begins: one control plane and one worker, without a virtual address."""
    content = yaml.safe_load(INVENTORY.read_text())
    cluster = content["all"]["children"]["kube_cluster"]
    del cluster["vars"]["kube_control_plane_vip"]
    for group, kept in (("kube_control_plane", "cp1"), ("kube_worker", "w1")):
        hosts = cluster["children"][group]["hosts"]
        cluster["children"][group]["hosts"] = {kept: hosts[kept]}
    path = INVENTORY.with_name("single.yml")
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    run(CLUSTER, path, FOLDER / "single", *VERSION).succeeded()
    return path


@pytest.fixture(scope="module")
def writer(single: Path) -> Iterator[Writer]:
    kube = Kube(SCENARIO)
    kube.make_namespace(NAMESPACE)
    writer = Writer(kube.kubeconfig, NAMESPACE)
    assert writer.server.hostname == addresses(INVENTORY)["cp1"]
    writer.start()
    yield writer
    writer.ended.set()


def vip() -> str:
    return str(
        yaml.safe_load(INVENTORY.read_text())["all"]["children"]["kube_cluster"]["vars"]["kube_control_plane_vip"]
    )


def server(host: str, file: str) -> str:
    """Return the server in a kubeconfig of a host."""
    code, text = any_host_of(SCENARIO, host).execute("grep", "server:", f"/etc/kubernetes/{file}")
    assert code == 0, text
    return text.split()[-1]


def test_another_endpoint_is_refused_with_the_word_that_moves_it(single: Path) -> None:
    refused = run(CLUSTER, INVENTORY, FOLDER / "unmoved", *VERSION)
    assert refused.process.returncode != 0 and not refused.changed()
    assert "run with -e kube_move_endpoint=true" in refused.output
    limited = run(CLUSTER, INVENTORY, FOLDER / "limited", *VERSION, *MOVE, "--limit", "cp1,w1,localhost")
    assert limited.process.returncode != 0 and not limited.changed()
    assert "this run does not include cp2, cp3" in limited.output


def test_the_plan_of_the_move_changes_nothing(single: Path, writer: Writer) -> None:
    planned = run(CLUSTER, INVENTORY, FOLDER / "planned", *VERSION, *MOVE, "--check").succeeded()
    told = "\n".join(planned.changed())
    for task in (
        "Add the endpoint to the certificate of every API server",
        "Announce the endpoint",
        "Configure the kubelet and the administrators",
    ):
        assert task in told, task
    assert server("cp1", "admin.conf") == server("w1", "kubelet.conf") == f"https://{writer.server.hostname}:6443"


@pytest.fixture(scope="module")
def grown(writer: Writer) -> Run:
    writer.longest = 0
    done = run(CLUSTER, INVENTORY, FOLDER / "grown", *VERSION, *MOVE)
    writer.stop()
    print(f"grown in {done.seconds:.0f} s; {writer.done} writes, none for {writer.longest:.1f} s")
    return done.succeeded()


def test_it_has_three_control_planes(grown: Run) -> None:
    kube = Kube(SCENARIO)
    assert versions(kube) == dict.fromkeys((*PLANES, "w1", "w2"), f"v{OLD}")
    assert not unready(hosts_of(SCENARIO))
    etcd = [pod for pod in kube.get("pods", namespace="kube-system") if pod["metadata"]["name"].startswith("etcd-")]
    assert len(etcd) == 3


def test_everyone_uses_the_new_endpoint(grown: Run) -> None:
    wanted = f"https://{vip()}:6443"
    assert {server(host, "kubelet.conf") for host in ("w1", "w2")} == {wanted}
    assert {server(host, "admin.conf") for host in PLANES} == {wanted}
    kube = Kube(SCENARIO)
    assert f"server: {wanted}" in kube.get("configmap", "kube-proxy", "kube-system")["data"]["kubeconfig.conf"]
    assert f"server: {wanted}" in kube.get("configmap", "cluster-info", "kube-public")["data"]["kubeconfig"]
    assert f"server: {wanted}" in kube.kubeconfig.read_text() or f'"server": "{wanted}"' in kube.kubeconfig.read_text()


def test_every_api_server_has_both_names(grown: Run, writer: Writer) -> None:
    for name in PLANES:
        show = "openssl x509 -noout -ext subjectAltName < /etc/kubernetes/pki/apiserver.crt"
        names = any_host_of(SCENARIO, name).execute("sh", "-c", show)[1]
        assert f"IP Address:{vip()}" in names and f"IP Address:{writer.server.hostname}" in names, (name, names)


def test_the_old_endpoint_served_all_along(grown: Run, writer: Writer) -> None:
    assert writer.done > 100 and writer.longest < LIMIT
    assert writer.lost() == []


def test_a_second_run_changes_nothing(grown: Run) -> None:
    for arguments in ((), MOVE):
        again = run(CLUSTER, INVENTORY, FOLDER / f"grown-again-{len(arguments)}", *VERSION, *arguments).succeeded()
        assert not again.changed(), "\n".join(again.changed())
