# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A control plane and its API server are lost while a client writes to the API, and a fresh host takes the place of the lost one."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from harness.clients import Writer
from harness.hosts import Host, any_host_of, hosts_of, unready
from harness.kube import Kube
from harness.playbook import ROOT, Run, addresses, inventory_of, output_of, run
from harness.snapshot import take

SCENARIO = f"molecule-{os.environ['MOLECULE_SCENARIO_NAME']}"
INVENTORY = inventory_of(SCENARIO)
FOLDER = output_of(SCENARIO)
LAB = ROOT / "molecule" / "lab"
LIMIT = 10  # seconds without the API that a loss may cost
MANIFEST, ASIDE = "/etc/kubernetes/manifests/kube-apiserver.yaml", "/root/kube-apiserver.yaml"
NAMESPACE, SPARE = "ledger", "cp4"
CLUSTER, REMOVE, REBOOT = "slipway.kube.cluster", "slipway.kube.node_remove", "slipway.kube.node_reboot"


# Containers have the boot ID of this machine, before and after. systemd must not unmount the other one as long as the host shuts down.
UNIT = "/run/systemd/system/proc-sys-kernel-random-boot_id.mount.d"
OTHER_BOOT = f"""set -e
mkdir -p {UNIT}
printf '[Unit]\\nDefaultDependencies=no\\n' > {UNIT}/keep.conf
systemctl daemon-reload
cat /proc/sys/kernel/random/uuid > /run/before
mount --bind /run/before /proc/sys/kernel/random/boot_id
"""


def vip() -> str:
    inventory = yaml.safe_load(INVENTORY.read_text())
    return str(inventory["all"]["children"]["kube_cluster"]["vars"]["kube_control_plane_vip"])


def planes() -> list[Host]:
    """Return the control planes whose hosts run."""
    return [host for host in hosts_of(SCENARIO) if host.name.startswith("cp") and host.container.status == "running"]


def holders() -> list[str]:
    """Return the control planes on which the virtual address is."""
    return [host.name for host in planes() if vip() in host.execute("ip", "address", "show", "to", vip())[1]]


def await_that(what: str, condition: Callable[[], bool], seconds: float) -> float:
    """Return after how many seconds it was so."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds, f"after {seconds} s still not: {what}"
        time.sleep(0.2)
    return time.monotonic() - started


def serves(host: Host) -> bool:
    """Return whether the host's own API server is ready."""
    server = f"--server=https://{addresses(INVENTORY)[host.name]}:6443"
    return host.execute("kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", server, "get", "--raw=/readyz")[0] == 0


@pytest.fixture(scope="module")
def writer() -> Iterator[Writer]:
    kube = Kube(SCENARIO)
    kube.make_namespace(NAMESPACE)
    writer = Writer(kube.kubeconfig, NAMESPACE, timeout=2)
    assert writer.server.hostname == vip()
    writer.start()
    yield writer
    writer.ended.set()


def outage(writer: Writer, what: str) -> float:
    """Wait for writes, and return for how many seconds there was none."""
    done = writer.done
    await_that("the client writes again", lambda: writer.done > done + 20, 60)
    print(f"{what}: no write for {writer.longest:.1f} s")
    return writer.longest


def test_one_control_plane_has_the_address(writer: Writer) -> None:
    assert len(holders()) == 1
    assert not unready(hosts_of(SCENARIO))
    await_that("the client writes", lambda: writer.done > 20, 30)


def test_the_address_leaves_a_host_whose_api_server_ends(writer: Writer) -> None:
    (name,) = holders()
    holder = any_host_of(SCENARIO, name)
    writer.longest = 0
    assert holder.execute("mv", MANIFEST, ASIDE)[0] == 0
    await_that("another control plane has the address", lambda: holders() not in ([name], []), 60)
    assert outage(writer, f"the API server of {name} ended") < LIMIT
    new = holders()
    assert holder.execute("mv", ASIDE, MANIFEST)[0] == 0
    await_that("its API server serves again", lambda: serves(holder), 120)
    time.sleep(5)
    assert holders() == new, "the address returned to a host that is merely back"


def boot_ids() -> dict[str, str]:
    return {one["metadata"]["name"]: one["status"]["nodeInfo"]["bootID"] for one in Kube(SCENARIO).get("nodes")}


def boot_again(hosts: list[Host], ended: threading.Event) -> None:
    """Start each host that has shut down: a container has no firmware that does so."""
    while not ended.wait(0.5):
        for host in hosts:
            host.container.reload()
            if host.container.status == "exited":
                host.container.start()


def test_hosts_reboot_while_the_client_writes(writer: Writer) -> None:
    (name,) = holders()
    hosts = [any_host_of(SCENARIO, one) for one in (name, "w1")]
    for host in hosts:
        assert host.execute("touch", "/run/reboot-required")[0] == 0
        assert host.execute("sh", "-c", OTHER_BOOT)[0] == 0
        assert host.execute("systemctl", "restart", "kubelet")[0] == 0
    real = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    await_that("both nodes tell another boot", lambda: real not in [boot_ids()[one] for one in (name, "w1")], 60)
    await_that("all is ready again", lambda: not unready(hosts_of(SCENARIO)), 120)
    planned = run(REBOOT, INVENTORY, FOLDER / "reboot-planned", "--check").succeeded()
    assert {line.split(":")[0] for line in planned.changed() if "Reboot the host" in line} == {name, "w1"}
    assert planned.output.count("will be rebooted: /run/reboot-required exists") == 2
    assert planned.output.count("is not rebooted: no update requires it") == 3
    writer.longest = 0
    ended = threading.Event()
    switch = threading.Thread(target=boot_again, args=(hosts, ended))
    switch.start()
    try:
        done = run(REBOOT, INVENTORY, FOLDER / "reboot").succeeded()
    finally:
        ended.set()
        switch.join()
    assert {line.split(":")[0] for line in done.changed()} == {name, "w1"}
    assert outage(writer, f"{name} and w1 rebooted in {done.seconds:.0f} s") < LIMIT
    nodes = Kube(SCENARIO).get("nodes")
    assert not [node["metadata"]["name"] for node in nodes if node["spec"].get("unschedulable")]
    await_that("all is ready again", lambda: not unready(hosts_of(SCENARIO)), 180)
    assert not run(REBOOT, INVENTORY, FOLDER / "reboot-again").succeeded().changed()


@pytest.fixture(scope="module")
def lost(writer: Writer) -> str:
    """The name of the control plane that had the address and is lost."""
    (name,) = holders()
    writer.longest = 0
    any_host_of(SCENARIO, name).switch_off()
    return name


def test_the_address_leaves_a_host_that_is_lost(writer: Writer, lost: str) -> None:
    assert outage(writer, f"{lost} was lost") < LIMIT
    assert len(holders()) == 1


@pytest.fixture(scope="module")
def replaced(writer: Writer, lost: str) -> tuple[Path, Run]:
    """The inventory in which a fresh host takes the place of the lost one, and the run that made it so."""
    run(REMOVE, INVENTORY, FOLDER / "removed", "-e", f"node_remove_nodes={lost}").succeeded()
    assert lost not in {node["metadata"]["name"] for node in planes()[0].kubectl("get", "nodes")["items"]}
    any_host_of(SCENARIO, lost).container.remove(force=True, v=True)
    more = ("-e", f"@{LAB / 'vars.yml'}", "-e", "lab_control_planes=4")
    run(str(LAB / "create.yml"), INVENTORY, FOLDER / "lab", *more).succeeded()
    content = yaml.safe_load(INVENTORY.read_text())
    del content["all"]["children"]["kube_cluster"]["children"]["kube_control_plane"]["hosts"][lost]
    inventory = INVENTORY.with_name("replaced.yml")
    inventory.write_text(yaml.safe_dump(content, sort_keys=False))
    take(inventory, "whole", FOLDER / "fresh", "--limit", SPARE)
    writer.longest = 0
    return inventory, run(CLUSTER, inventory, FOLDER / "replaced").succeeded()


def test_a_fresh_host_takes_the_place_of_the_lost_one(writer: Writer, lost: str, replaced: tuple[Path, Run]) -> None:
    assert outage(writer, f"{SPARE} joined") < LIMIT
    members = [host for host in hosts_of(SCENARIO) if host.name != lost]
    source = next(host for host in members if host.name == SPARE)
    assert {node["metadata"]["name"] for node in source.kubectl("get", "nodes")["items"]} == {
        host.name for host in members
    }
    assert not unready(members)
    pods = source.kubectl("get", "pods", "--namespace=kube-system", "--selector=component=etcd")["items"]
    assert len(pods) == 3


def test_no_acknowledged_write_was_lost(writer: Writer, replaced: tuple[Path, Run]) -> None:
    writer.stop()
    print(f"{writer.done} writes acknowledged, {len(writer.failures)} refused or broken")
    assert writer.done > 200 and writer.failures
    assert writer.lost() == []


def test_a_second_run_changes_nothing(replaced: tuple[Path, Run]) -> None:
    again = run(CLUSTER, replaced[0], FOLDER / "again").succeeded()
    assert not again.changed(), "\n".join(again.changed())
