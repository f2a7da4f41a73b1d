# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens to a cluster on a bad day, one thing after the other, and how it comes back: by itself, or with one command."""

from __future__ import annotations

import base64
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from harness.backup import Administrator
from harness.clients import Writer
from harness.hosts import Host, any_host_of, hosts_of, unready
from harness.kube import Kube, workload
from harness.playbook import ROOT, Run, addresses, inventory_of, output_of, run, start

SCENARIO = f"molecule-{os.environ['MOLECULE_SCENARIO_NAME']}"
INVENTORY = inventory_of(SCENARIO)
FOLDER = output_of(SCENARIO)
LAB = ROOT / "molecule" / "lab"
CLUSTER, HEALTH, REMOVE = "slipway.kube.cluster", "slipway.kube.health", "slipway.kube.node_remove"
CERTIFICATES = "slipway.kube.certificates"
PLANES = ("cp1", "cp2", "cp3")
NAMESPACE = "kept"
LIMIT = 20  # seconds without a write after the control planes were cut apart; both sides may have the address at first
CUT = 60  # seconds


def await_that(what: str, condition: Callable[[], bool], seconds: float) -> float:
    """Return after how many seconds it was so."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds, f"after {seconds} s still not: {what}"
        time.sleep(0.5)
    return time.monotonic() - started


def vip() -> str:
    return str(
        yaml.safe_load(INVENTORY.read_text())["all"]["children"]["kube_cluster"]["vars"]["kube_control_plane_vip"]
    )


def holders() -> list[str]:
    shown = {name: any_host_of(SCENARIO, name).execute("ip", "address", "show", "to", vip())[1] for name in PLANES}
    return [name for name, text in shown.items() if vip() in text]


def is_ready() -> bool:
    try:
        return not unready(hosts_of(SCENARIO))
    except AssertionError:  # the API does not answer
        return False


def all_ready(seconds: float) -> float:
    return await_that("all is Ready", is_ready, seconds)


def pods(kube: Kube) -> dict[str, tuple[str, int]]:
    """The application's pods: their UID, and how often their containers were started again."""
    return {
        pod["metadata"]["name"]: (pod["metadata"]["uid"], pod["status"]["containerStatuses"][0]["restartCount"])
        for pod in kube.get("pods", namespace=NAMESPACE)
    }


@pytest.fixture(scope="module")
def kube() -> Kube:
    kube = Kube(SCENARIO)
    kube.make_namespace(NAMESPACE)
    kube.apply([workload(kube.agnhost, replicas=2)], NAMESPACE)
    kube.kubectl("-n", NAMESPACE, "rollout", "status", "deployment/web", "--timeout=120s")
    return kube


@pytest.fixture(scope="module")
def writer(kube: Kube) -> Iterator[Writer]:
    writer = Writer(kube.kubeconfig, NAMESPACE, timeout=2)
    writer.start()
    yield writer
    writer.ended.set()


def cut(host: Host, *others: str) -> None:
    """Let nothing pass between a host and others."""
    listed = ", ".join(others)
    rules = f"""table ip cut {{
        chain in {{ type filter hook input priority -300; ip saddr {{ {listed} }} drop; }}
        chain out {{ type filter hook output priority -300; ip daddr {{ {listed} }} drop; }}
    }}"""
    code, said = host.execute("sh", "-c", f"printf '%s\n' '{rules}' | nft -f -")
    assert code == 0, said


def test_control_planes_are_cut_apart_for_a_minute(kube: Kube, writer: Writer) -> None:
    """The one that is alone loses its quorum, and with it the address."""
    await_that("the client writes", lambda: writer.done > 20, 30)
    (name,) = holders()
    alone = any_host_of(SCENARIO, name)
    writer.longest = 0
    cut(alone, *(address for host, address in addresses(INVENTORY).items() if host in PLANES and host != name))
    await_that("another control plane alone has the address", lambda: len(holders()) == 1 and holders() != [name], 60)
    time.sleep(CUT)
    assert alone.execute("nft", "delete", "table", "ip", "cut")[0] == 0
    print(f"{name} was alone: no write for {writer.longest:.1f} s")
    assert writer.longest < LIMIT
    print(f"all is Ready {all_ready(120):.0f} s later")
    assert len(holders()) == 1
    writer.stop()
    assert writer.done > 200 and writer.lost() == []


def test_pods_run_on_while_the_services_of_a_worker_are_dead(kube: Kube) -> None:
    before, worker = pods(kube), any_host_of(SCENARIO, "w1")
    assert worker.execute("systemctl", "stop", "kubelet", "containerd")[0] == 0
    await_that("w1 is told not to be Ready", lambda: not is_ready(), 120)
    told = run(HEALTH, INVENTORY, FOLDER / "dead-services", "-e", "health_fail=error")
    assert told.process.returncode != 0 and "w1" in told.output
    assert worker.execute("pgrep", "-x", "agnhost")[0] == 0
    assert worker.execute("systemctl", "start", "containerd", "kubelet")[0] == 0
    all_ready(120)
    assert pods(kube) == before


def test_all_hosts_lose_power_and_come_back_by_themselves(kube: Kube, writer: Writer) -> None:
    hosts = hosts_of(SCENARIO)
    for host in hosts:
        host.switch_off()
    for host in hosts:
        host.switch_on()
    await_that("the API answers", lambda: kube.host.execute("kubectl", "get", "--raw=/readyz")[0] == 0, 240)
    print(f"all is Ready {all_ready(240):.0f} s after the hosts accepted commands")
    assert writer.lost() == []
    assert not run(CLUSTER, INVENTORY, FOLDER / "after-power").succeeded().changed()


def test_a_control_plane_whose_etcd_lost_its_data_is_removed_and_joins_anew(kube: Kube) -> None:
    lost = any_host_of(SCENARIO, "cp3")
    assert lost.execute("sh", "-c", "rm -rf /var/lib/etcd/member && pkill -KILL -x etcd")[0] == 0
    # Its kubelet cannot say so, because its API server is away as well.
    await_that("cp3 is told not to be Ready", lambda: not is_ready(), 300)
    told = run(HEALTH, INVENTORY, FOLDER / "lost-etcd", "-e", "health_fail=error")
    assert told.process.returncode != 0 and "etcd" in told.output and "cp3" in told.output
    run(REMOVE, INVENTORY, FOLDER / "removed", "-e", "node_remove_nodes=cp3").succeeded()
    run(CLUSTER, INVENTORY, FOLDER / "joined-anew").succeeded()
    all_ready(60)
    members = [pod for pod in kube.get("pods", namespace="kube-system") if pod["metadata"]["name"].startswith("etcd-")]
    assert len(members) == 3


def test_all_authorities_are_rotated_while_clients_use_the_api(kube: Kube) -> None:
    """The run is killed when the first control plane has certificates of the new authorities, and the next one goes on."""
    poll = workload(kube.agnhost, name="poll", args=["inclusterclient", "--poll-interval=1"], readinessProbe=None)
    kube.apply([poll], NAMESPACE)
    kube.kubectl("-n", NAMESPACE, "rollout", "status", "deployment/poll", "--timeout=60s")
    token = kube.kubectl("-n", NAMESPACE, "create", "token", "default", "--duration=24h").strip()
    old = kube.host.execute("cat", "/etc/kubernetes/admin.conf")[1]
    kube.make_namespace("rotation")
    writer = Writer(kube.kubeconfig, "rotation", timeout=2)
    writer.start()
    rotate = ("-e", "certificates_rotate_authorities=all")
    planned = run(CERTIFICATES, INVENTORY, FOLDER / "rotate-planned", *rotate, "--check").succeeded()
    assert any("Create the new authorities" in line for line in planned.changed())
    killed = start(CERTIFICATES, INVENTORY, FOLDER / "rotate-killed", *rotate)
    await_that(
        "one control plane has new certificates", lambda: any("issued" in line for line in killed.changed()), 900
    )
    killed.kill()
    assert "slipway:rotation]" in run(CLUSTER, INVENTORY, FOLDER / "rotate-refused").output
    done = run(CERTIFICATES, INVENTORY, FOLDER / "rotated", *rotate).succeeded()
    print(f"rotated in {done.seconds:.0f} s after the kill; no write for {writer.longest:.1f} s at most")
    all_ready(60)
    writer.stop()
    assert writer.done > 200 and writer.lost() == [] and writer.longest < LIMIT
    # What the old authorities have issued is refused.
    server = (f"--server=https://{vip()}:6443", "--insecure-skip-tls-verify", "--kubeconfig=/dev/null")
    assert "Unauthorized" in kube.kubectl(*server, f"--token={token}", "get", "nodes", check=False)
    written = kube.host.execute(
        "sh", "-c", f"echo {base64.b64encode(old.encode()).decode()} | base64 -d > /run/old.conf"
    )
    assert written[0] == 0
    assert "unknown authority" in kube.host.execute("kubectl", "--kubeconfig=/run/old.conf", "get", "nodes")[1]
    for name in PLANES:
        assert any_host_of(SCENARIO, name).execute("test", "-e", "/etc/kubernetes/pki/rotation")[0] != 0
    # Pods went on using the API with what they have.
    logs = kube.kubectl("-n", NAMESPACE, "logs", "deployment/poll", "--since=60s")
    assert "calling /healthz" in logs and "status=failed" not in logs, logs
    kube.kubectl("-n", NAMESPACE, "delete", "deployment", "poll")
    assert not run(CERTIFICATES, INVENTORY, FOLDER / "certificates-again").succeeded().changed()
    assert not run(CLUSTER, INVENTORY, FOLDER / "after-rotation").succeeded().changed()


def expire_everything() -> None:
    """Let all certificates of all nodes expire, and start all hosts anew, so that nothing has an older one in memory."""
    first = any_host_of(SCENARIO, "cp1")
    pki = {name: first.execute("cat", f"/etc/kubernetes/pki/{name}")[1] for name in ("ca.crt", "ca.key")}
    script = (ROOT / "tests" / "harness" / "expire.py").read_text()
    for host in hosts_of(SCENARIO):
        assert host.execute("mkdir", "-p", "/run/expire")[0] == 0
        for name, text in {**pki, "expire.py": script}.items():
            packed = base64.b64encode(text.encode()).decode()
            assert host.execute("sh", "-c", f"echo {packed} | base64 -d > /run/expire/{name}")[0] == 0
        code, said = host.execute("python3", "/run/expire/expire.py", "/run/expire")
        assert code == 0, said
        assert host.execute("rm", "-r", "/run/expire")[0] == 0
    for host in hosts_of(SCENARIO):
        host.switch_off()
    for host in hosts_of(SCENARIO):
        host.switch_on()


@pytest.fixture(scope="module")
def renewed(kube: Kube) -> Run:
    expire_everything()
    time.sleep(30)  # in which nothing comes back
    assert kube.host.execute("kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", "get", "nodes")[0] != 0
    shown = run(CERTIFICATES, INVENTORY, FOLDER / "expired").succeeded()
    assert shown.output.count("kubelet-client") >= 4 and not shown.changed()
    planned = run(
        CERTIFICATES, INVENTORY, FOLDER / "renew-planned", "-e", "certificates_renew=true", "--check"
    ).succeeded()
    assert any("Renew the certificates that have expired" in line for line in planned.changed())
    done = run(CERTIFICATES, INVENTORY, FOLDER / "renewed", "-e", "certificates_renew=true")
    print(f"all certificates renewed in {done.seconds:.0f} s")
    return done.succeeded()


def test_a_cluster_whose_certificates_have_all_expired_is_recovered(kube: Kube, renewed: Run) -> None:
    print(f"all is Ready {all_ready(240):.0f} s later")
    assert not re.search(r"\b[a-z0-9]{6}\.[a-z0-9]{16}\b", renewed.output), "a bootstrap token is shown"
    for host in hosts_of(SCENARIO):
        assert host.execute("test", "-e", "/etc/kubernetes/bootstrap-kubelet.conf")[0] != 0
    again = run(CERTIFICATES, INVENTORY, FOLDER / "renewed-again", "-e", "certificates_renew=true").succeeded()
    assert not again.changed(), "\n".join(again.changed())
    # The kubelets serve with certificates of the cluster again: logs go through them.
    assert not run(CLUSTER, INVENTORY, FOLDER / "after-expiry").succeeded().changed()
    kube.kubectl("-n", NAMESPACE, "logs", "deployment/web", "--tail=1")


@dataclass
class Before:
    """What must be there after the restore."""

    archive: Path
    token: str
    pods: dict[str, tuple[str, int]]


@pytest.fixture(scope="module")
def admin(kube: Kube, renewed: Run) -> Administrator:
    return Administrator(kube, FOLDER)


@pytest.fixture(scope="module")
def before(kube: Kube, admin: Administrator) -> Before:
    all_ready(120)
    kube.kubectl("-n", NAMESPACE, "create", "secret", "generic", "proof", "--from-literal=word=before")
    token = kube.kubectl("-n", NAMESPACE, "create", "token", "default", "--duration=24h").strip()
    admin.back_up("backup").succeeded()
    (archive,) = sorted(admin.fetched.glob("kubernetes-*.tar.age"))[-1:]
    kube.kubectl("-n", NAMESPACE, "create", "configmap", "after")
    return Before(archive, token, pods(kube))


@pytest.fixture(scope="module")
def restored(before: Before, admin: Administrator) -> Kube:
    """The cluster after the hosts of all its control planes were lost and made anew."""
    for name in PLANES:
        any_host_of(SCENARIO, name).container.remove(force=True, v=True)
    run(str(LAB / "create.yml"), INVENTORY, FOLDER / "lab", "-e", f"@{LAB / 'vars.yml'}").succeeded()
    confirmed = ("-e", "restore_confirm=kubernetes")
    done = admin.restore("restore", before.archive, admin.keys.private, *confirmed).succeeded()
    print(f"three control planes restored in {done.seconds:.0f} s")
    return Kube(SCENARIO)


def test_three_control_planes_are_restored_from_nothing_but_the_archive_and_the_key(
    restored: Kube, before: Before
) -> None:
    all_ready(120)
    assert {node["metadata"]["name"] for node in restored.get("nodes")} == {*PLANES, "w1"}
    assert restored.get("secret", "proof", NAMESPACE)["data"]["word"] == base64.b64encode(b"before").decode()
    assert restored.get("configmap", "after", NAMESPACE) is None
    assert len(holders()) == 1
    server = (f"--server=https://{vip()}:6443", "--certificate-authority=/etc/kubernetes/pki/ca.crt")
    arguments = (*server, "--kubeconfig=/dev/null", f"--token={before.token}", "auth", "whoami")
    code, said = restored.host.execute("kubectl", *arguments)
    assert code == 0 and f"system:serviceaccount:{NAMESPACE}:default" in said, said


def test_the_application_ran_on(restored: Kube, before: Before) -> None:
    assert pods(restored) == before.pods
    restored.kubectl("-n", NAMESPACE, "scale", "deployment/web", "--replicas=3")
    restored.kubectl("-n", NAMESPACE, "rollout", "status", "deployment/web", "--timeout=120s")


def test_a_second_run_changes_nothing(restored: Kube) -> None:
    again = run(CLUSTER, INVENTORY, FOLDER / "again").succeeded()
    assert not again.changed(), "\n".join(again.changed())


def test_the_lab_is_reset_ten_times_in_a_row(restored: Kube) -> None:
    """Each within a minute, as a course needs it; the first one ends a cluster, and the last hosts are fresh."""
    lab = (str(LAB / "create.yml"), INVENTORY)
    seconds = [
        run(*lab, FOLDER / f"reset-{number}", "-e", f"@{LAB / 'vars.yml'}", "-e", "lab_state=reset").succeeded().seconds
        for number in range(10)
    ]
    print("resets of the lab:", *(f"{second:.0f} s" for second in seconds))
    assert max(seconds) < 60
    assert all(host.execute("test", "-e", "/usr/bin/kubelet")[0] != 0 for host in hosts_of(SCENARIO))
