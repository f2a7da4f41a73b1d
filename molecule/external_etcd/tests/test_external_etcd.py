# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster with an external etcd: what its members are, what the loss of one costs a client, and what becomes of the hosts at the end."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.clients import Writer
from harness.hosts import Host, any_host_of, hosts_of, unready
from harness.kube import Kube
from harness.playbook import Run, addresses, inventory_of, output_of, run
from harness.reset import left_behind, reset
from harness.snapshot import take
from harness.web import DEFAULT, NEW, OLD

SCENARIO = f"molecule-{os.environ['MOLECULE_SCENARIO_NAME']}"
LAB = inventory_of(SCENARIO)  # one control plane and workers, some of which become hosts of etcd
FOLDER = output_of(SCENARIO)
CLUSTER, NAMESPACE = "slipway.kube.cluster", "ledger"
MEMBERS = {"etcd1": "w1", "etcd2": "w2", "etcd3": "w3"}
SPARE = {"etcd4": "w4"}
# Asks the gateway of a member, with the certificate of the host or without one.
ASK = """
import http.client, ssl, sys
host, path, base, body = sys.argv[1:]
context = ssl.create_default_context(cafile="/etc/kubernetes/pki/etcd/ca.crt")
if base:
    context.load_cert_chain(base + ".crt", base + ".key")
connection = http.client.HTTPSConnection(host, 2379, timeout=10, context=context)
connection.request("POST", path, body)
print(connection.getresponse().read().decode())
"""
HEALTH_CHECK, API_SERVER = "/etc/kubernetes/pki/etcd/healthcheck-client", "/etc/kubernetes/pki/apiserver-etcd-client"


def write_inventory(name: str, members: dict[str, str], version: str = OLD) -> Path:
    """Write an inventory of the lab in which some workers are hosts of etcd, by their names there.

    :param version: of Kubernetes, "" for the default.
    """
    content = yaml.safe_load(LAB.read_text())
    content["all"]["children"]["kube_cluster"]["vars"].update({"kube_version": version} if version else {})
    children = content["all"]["children"]["kube_cluster"]["children"]
    hosts = children.pop("kube_worker")["hosts"]
    children["kube_etcd"] = {"hosts": {own: hosts[of_lab] for own, of_lab in members.items()}}
    path = LAB.with_name(f"{name}.yml")
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def host_of(name: str) -> Host:
    return any_host_of(SCENARIO, {**MEMBERS, **SPARE}.get(name, name))


def ask(name: str, path: str, base: str = HEALTH_CHECK, body: str = "{}", to: str = "127.0.0.1") -> tuple[int, str]:
    return host_of(name).execute("python3", "-c", ASK, to, path, base, body)


def members_of(name: str) -> list[dict[str, Any]]:
    code, text = ask(name, "/v3/cluster/member/list")
    assert code == 0, text
    return list(json.loads(text)["members"])


def await_that(what: str, condition: Callable[[], bool], seconds: float) -> None:
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds, f"after {seconds} s still not: {what}"
        time.sleep(0.5)


@pytest.fixture(scope="module")
def inventory() -> Path:
    return write_inventory("external", MEMBERS)


@pytest.fixture(scope="module")
def created(inventory: Path) -> Run:
    take(write_inventory("all", {**MEMBERS, **SPARE}), "whole", FOLDER / "fresh")
    predicted = run(CLUSTER, inventory, FOLDER / "predicted", "--check", "--diff").succeeded()
    assert [line for line in predicted.changed() if line.startswith("etcd3: ") and "roles/etcd" in line]
    return run(CLUSTER, inventory, FOLDER / "cluster", "-v", "--diff").succeeded()


@pytest.fixture(scope="module")
def writer(created: Run) -> Iterator[Writer]:
    kube = Kube(SCENARIO)
    kube.make_namespace(NAMESPACE)
    writer = Writer(kube.kubeconfig, NAMESPACE)
    writer.start()
    yield writer
    writer.ended.set()


def test_the_hosts_of_etcd_are_its_members_and_no_nodes(created: Run) -> None:
    assert sorted(one["name"] for one in members_of("etcd1")) == sorted(MEMBERS)
    plane = host_of("cp1")
    assert [node["metadata"]["name"] for node in plane.kubectl("get", "nodes")["items"]] == ["cp1"]
    assert not unready([plane]) and not plane.runs("etcd")
    expected = {f"https://{addresses(write_inventory('external', MEMBERS))[name]}:2379" for name in MEMBERS}
    manifest = plane.execute("cat", "/etc/kubernetes/manifests/kube-apiserver.yaml")[1]
    assert all(url in manifest for url in expected)


def test_a_second_run_changes_nothing(created: Run, inventory: Path) -> None:
    again = run(CLUSTER, inventory, FOLDER / "again", "-vvv").succeeded()
    assert again.changed() == []


def test_keys_are_where_they_are_used_and_in_no_output(created: Run) -> None:
    keys = {host_of(name).execute("cat", f"{HEALTH_CHECK}.key")[1] for name in MEMBERS}
    assert len(keys) == len(MEMBERS)
    for name in MEMBERS:
        code, modes = host_of(name).execute("find", "/etc/kubernetes/pki", "-name", "*.key", "!", "-perm", "600")
        assert code == 0 and modes == "", modes
    plane = host_of("cp1")
    assert plane.execute("test", "-e", "/etc/kubernetes/pki/etcd/ca.key")[0] != 0
    assert plane.execute("find", "/run", "/tmp", "-name", "ca.key")[1] == ""
    authority = host_of("etcd1").execute("cat", "/etc/kubernetes/pki/etcd/ca.key")[1]
    line = authority.splitlines()[1]
    assert len(line) > 40
    for folder in ("predicted", "cluster", "again"):
        text = (FOLDER / folder / "output").read_text()
        assert line not in text and "PRIVATE KEY" not in text
    assert line not in plane.execute("cat", "/var/log/slipway-kubeadm.log")[1]


def test_etcd_answers_only_with_a_certificate(created: Run, inventory: Path) -> None:
    target = addresses(inventory)["etcd1"]
    assert ask("cp1", "/v3/cluster/member/list", API_SERVER, to=target)[0] == 0
    code, text = ask("cp1", "/v3/cluster/member/list", "", to=target)
    assert code != 0 and "members" not in text, text  # the member ends the connection, with or without a reason


def test_the_health_of_the_members_is_told(created: Run, inventory: Path) -> None:
    done = run("slipway.kube.health", inventory, FOLDER / "healthy").succeeded()
    assert "etcd members" not in done.output


def test_a_member_stops_while_a_client_writes(writer: Writer, inventory: Path) -> None:
    await_that("the client writes", lambda: writer.done > 20, 60)
    stopped = host_of("etcd1")
    done, writer.longest = writer.done, 0
    stopped.switch_off()
    await_that("the client goes on writing", lambda: writer.done > done + 50, 90)
    print(f"etcd1 stopped: no write for {writer.longest:.1f} s, {len(writer.failures)} failed")
    unhealthy = run("slipway.kube.health", inventory, FOLDER / "unhealthy")
    assert unhealthy.process.returncode != 0 and "etcd1" in unhealthy.output
    assert "2 of 3 members are, 2 are required" in unhealthy.output
    stopped.switch_on()

    def answers() -> bool:
        return ask("etcd1", "/v3/maintenance/status")[0] == 0

    await_that("the member is back", answers, 120)


def test_a_backup_is_taken_and_rehearsed(created: Run, inventory: Path) -> None:
    options = ("-e", json.dumps({"backup_encrypt": False, "backup_rehearse": True}))
    done = run("slipway.kube.backup", inventory, FOLDER / "backup", *options).succeeded()
    archives = host_of("cp1").execute("sh", "-c", "ls /var/lib/slipway-backups/*.tar /var/backups/*/*.tar 2>/dev/null")[
        1
    ]
    assert ".tar" in archives + done.output
    assert "keys; NOT encrypted" in done.output


def test_a_cluster_keeps_its_kind_of_etcd(created: Run, inventory: Path) -> None:
    stacked = yaml.safe_load(inventory.read_text())
    del stacked["all"]["children"]["kube_cluster"]["children"]["kube_etcd"]
    path = inventory.with_name("stacked.yml")
    path.write_text(yaml.safe_dump(stacked, sort_keys=False))
    refused = run(CLUSTER, path, FOLDER / "refused")
    assert refused.process.returncode != 0 and "[slipway:etcd_change]" in refused.output


def test_certificates_are_listed_and_renewed(writer: Writer, inventory: Path) -> None:
    before = host_of("etcd2").execute("cat", "/etc/kubernetes/pki/etcd/server.crt")[1]
    client = host_of("cp1").execute("cat", f"{API_SERVER}.crt")[1]
    done = run(
        "slipway.kube.certificates",
        inventory,
        FOLDER / "renewed",
        "-e",
        "certificates_renew=true",
        "-e",
        "certificates_days=400",
    ).succeeded()
    assert "etcd-peer" in done.output and "apiserver-etcd-client" in done.output
    assert host_of("etcd2").execute("cat", "/etc/kubernetes/pki/etcd/server.crt")[1] != before
    assert host_of("cp1").execute("cat", f"{API_SERVER}.crt")[1] != client
    assert host_of("cp1").execute("test", "-e", "/etc/kubernetes/pki/etcd/ca.key")[0] != 0
    count = writer.done
    await_that("the client writes", lambda: writer.done > count + 20, 60)


def test_the_authority_of_etcd_is_replaced_while_a_client_writes(writer: Writer, inventory: Path) -> None:
    path = "/etc/kubernetes/pki/etcd/ca.crt"
    hosts = ["cp1", *MEMBERS]
    (before,) = {host_of(name).execute("cat", path)[1] for name in hosts}
    writer.longest = 0
    option = ("-e", "certificates_rotate_authorities=etcd-ca")
    done = run("slipway.kube.certificates", inventory, FOLDER / "rotated", *option).succeeded()
    print(f"etcd's authority replaced in {done.seconds:.0f} s: no write for {writer.longest:.1f} s")
    (after,) = {host_of(name).execute("cat", path)[1] for name in hosts}
    assert after != before and after.count("BEGIN CERTIFICATE") == 1
    for name in hosts:
        assert host_of(name).execute("test", "-e", "/etc/kubernetes/pki/rotation")[0] != 0
    assert host_of("cp1").execute("test", "-e", "/etc/kubernetes/pki/etcd/ca.key")[0] != 0
    assert "PRIVATE KEY" not in done.output
    count = writer.done
    await_that("the client writes", lambda: writer.done > count + 20, 60)
    assert run(CLUSTER, inventory, FOLDER / "rotated-again").succeeded().changed() == []


def test_defragmentation_asks_all_members(created: Run, inventory: Path) -> None:
    options = ("-e", "etcd_defragment_free_percent=0", "-e", "etcd_defragment_minimum_size=0")
    done = run("slipway.kube.etcd_defragment", inventory, FOLDER / "defragmented", *options).succeeded()
    assert all(f"etcd member {name} defragmented" in done.output for name in MEMBERS)


def test_members_are_upgraded_one_at_a_time_before_the_control_plane(writer: Writer) -> None:
    current = write_inventory("current", MEMBERS, "")
    planned = run("slipway.kube.upgrade", current, FOLDER / "planned", "--check").succeeded()
    assert planned.output.count("kubelet " + OLD + " -> " + NEW) >= len(MEMBERS)
    writer.longest = 0
    run("slipway.kube.upgrade", current, FOLDER / "upgraded").succeeded()
    print(f"upgrade: no write for {writer.longest:.1f} s")
    versions = {json.loads(ask(name, "/v3/maintenance/status")[1])["version"] for name in MEMBERS}
    assert versions == {DEFAULT["kube_versions"][".".join(NEW.split(".")[:2])]["etcd"]}
    again = run("slipway.kube.upgrade", current, FOLDER / "upgraded-again").succeeded()
    assert again.changed() == []


def test_a_lost_member_is_replaced_by_a_fresh_host(writer: Writer, inventory: Path) -> None:
    host_of("etcd3").switch_off()
    removed = run(
        "slipway.kube.node_remove", LAB.with_name("current.yml"), FOLDER / "removed", "-e", "node_remove_nodes=etcd3"
    ).succeeded()
    assert removed.changed()
    assert sorted(one["name"] for one in members_of("etcd1")) == ["etcd1", "etcd2"]
    members = {name: of_lab for name, of_lab in MEMBERS.items() if name != "etcd3"}
    grown = write_inventory("grown", {**members, **SPARE}, "")
    run(CLUSTER, grown, FOLDER / "grown").succeeded()
    found = members_of("etcd1")
    assert sorted(one["name"] for one in found) == ["etcd1", "etcd2", "etcd4"]
    assert not [one for one in found if one.get("isLearner")]
    manifest = host_of("cp1").execute("cat", "/etc/kubernetes/manifests/kube-apiserver.yaml")[1]
    wanted, lost = addresses(grown), addresses(inventory)["etcd3"]
    assert f"https://{wanted['etcd4']}:2379" in manifest and f"https://{lost}:2379" not in manifest
    stored = host_of("cp1").kubectl("get", "configmap", "kubeadm-config", "--namespace=kube-system")["data"]
    assert wanted["etcd4"] in stored["ClusterConfiguration"] and lost not in stored["ClusterConfiguration"]
    again = run(CLUSTER, grown, FOLDER / "grown-again").succeeded()
    assert again.changed() == []


def test_a_member_without_its_data_gets_them_from_the_others(writer: Writer) -> None:
    grown = LAB.with_name("grown.yml")
    host = host_of("etcd2")
    assert host.execute("rm", "-r", "/var/lib/etcd/member")[0] == 0 and host.end("etcd")
    run(CLUSTER, grown, FOLDER / "emptied").succeeded()
    found = members_of("etcd2")
    assert sorted(one["name"] for one in found) == ["etcd1", "etcd2", "etcd4"]
    assert not [one for one in found if one.get("isLearner")]


def test_no_acknowledged_write_is_lost(writer: Writer) -> None:
    writer.stop()
    assert writer.done > 100
    assert writer.lost() == []


def test_a_backup_brings_the_state_back_that_all_members_have_lost(writer: Writer) -> None:
    grown, kube, fetched = LAB.with_name("grown.yml"), Kube(SCENARIO), FOLDER / "fetched"
    for old in fetched.glob("*"):
        old.unlink()
    options = ("-e", json.dumps({"backup_encrypt": False, "backup_fetch_dir": str(fetched)}))
    run("slipway.kube.backup", grown, FOLDER / "backup-before", *options).succeeded()
    (archive,) = fetched.glob("*.tar")
    before = {one["metadata"]["name"] for one in kube.get("configmap", namespace=NAMESPACE)}
    kube.kubectl(f"--namespace={NAMESPACE}", "create", "configmap", "after")
    members = ["etcd1", "etcd2", "etcd4"]
    for name in members:
        assert host_of(name).execute("rm", "-r", "/var/lib/etcd/member")[0] == 0
    for name in members:
        host_of(name).end("etcd")
    given = ("-e", f"restore_archive={archive}")
    refused = run("slipway.kube.restore", grown, FOLDER / "unconfirmed", *given)
    assert refused.process.returncode != 0 and not refused.changed()
    assert "[slipway:restore_unconfirmed]" in refused.output
    given += ("-e", "restore_confirm=kubernetes")
    done = run("slipway.kube.restore", grown, FOLDER / "restored", *given).succeeded()
    print(f"etcd restored in {done.seconds:.0f} s")
    found = members_of("etcd1")
    assert sorted(one["name"] for one in found) == members and not [one for one in found if one.get("isLearner")]
    assert {one["metadata"]["name"] for one in kube.get("configmap", namespace=NAMESPACE)} == before
    assert not unready([host_of("cp1")])
    assert run("slipway.kube.restore", grown, FOLDER / "restored-again", *given).succeeded().changed() == []
    assert run(CLUSTER, grown, FOLDER / "restored-kept").succeeded().changed() == []


def test_a_reset_leaves_nothing(created: Run) -> None:
    grown = LAB.with_name("grown.yml")
    reset(grown, FOLDER / "reset")
    assert left_behind(grown, FOLDER) == []
    assert len(hosts_of(SCENARIO)) == 5
