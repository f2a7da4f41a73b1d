# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A new cluster passes the CIS benchmark, and what was hardened is in force: on the first control plane and on the one that joined."""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
from collections.abc import Iterator

import pytest

from harness import kube_bench
from harness.core import load_variables
from harness.hosts import Host, hosts_of, unready
from harness.kube import Kube
from harness.playbook import ROOT, Run, addresses, inventory_of, output_of, run

SCENARIO = f"molecule-{os.environ['MOLECULE_SCENARIO_NAME']}"
INVENTORY = inventory_of(SCENARIO)
GUIDE = ROOT / "docs" / "guides" / "hardening.md"
KEY = "/etc/kubernetes/apiserver/encryption.yaml"
WORD = "plain-text-that-nobody-should-read"
INFO = "/api/v1/namespaces/kube-public/configmaps/cluster-info"


@pytest.fixture(scope="module")
def created() -> Run:
    return run("slipway.kube.cluster", INVENTORY, output_of(SCENARIO) / "cluster", "-vvv", "--diff").succeeded()


@pytest.fixture(scope="module")
def planes(created: Run) -> list[Host]:
    hosts = hosts_of(SCENARIO)
    assert [host.name for host in hosts] == ["cp1", "cp2"] and not unready(hosts)
    return hosts


@pytest.fixture(scope="module")
def kube(planes: list[Host]) -> Kube:
    return Kube(SCENARIO)


@pytest.fixture(scope="module")
def secret(kube: Kube) -> Iterator[str]:
    kube.kubectl("create", "secret", "generic", "hidden", f"--from-literal=word={WORD}")
    yield "hidden"
    kube.kubectl("delete", "secret", "hidden")


def test_a_second_run_changes_nothing(planes: list[Host]) -> None:
    again = run("slipway.kube.cluster", INVENTORY, output_of(SCENARIO) / "again").succeeded()
    assert again.changed() == []


@pytest.mark.parametrize("name", ["cp1", "cp2"])
def test_the_benchmark_finds_no_fault_and_every_warning_is_explained(planes: list[Host], name: str) -> None:
    host = next(host for host in planes if host.name == name)
    kube_bench.install(host)
    findings = kube_bench.check(host)
    host.execute("rm", "-rf", kube_bench.PLACE)
    assert sum(one.state == "PASS" for one in findings) > 60
    assert [one for one in findings if one.state == "FAIL"] == []
    explained = re.findall(r"^\| (\d+\.\d+\.\d+) \|", GUIDE.read_text(), re.MULTILINE)
    assert sorted(one.number for one in findings if one.state == "WARN") == sorted(explained)


@pytest.mark.parametrize("name", ["cp1", "cp2"])
def test_the_audit_log_says_who_made_a_secret_and_not_what_is_in_it(kube: Kube, planes: list[Host], name: str) -> None:
    address = addresses(INVENTORY)[name]
    made = f"audited-{name}"
    kube.kubectl(f"--server=https://{address}:6443", "create", "secret", "generic", made, f"--from-literal=word={WORD}")
    host = next(host for host in planes if host.name == name)
    text = host.execute("cat", "/var/log/kubernetes/audit/audit.log")[1]
    found = [json.loads(line) for line in text.splitlines() if f'"{made}"' in line]
    assert [(one["verb"], one["level"], one["user"]["username"]) for one in found if one["verb"] == "create"] == [
        ("create", "Metadata", "kubernetes-admin")
    ]
    assert WORD not in text and '"resource":"leases"' not in text
    modes = host.execute("stat", "-c", "%a", "/var/log/kubernetes/audit/audit.log", "/var/log/kubernetes/audit", KEY)[1]
    assert modes.split() == ["600", "700", "600"]


def test_a_secret_is_encrypted_in_etcd_and_both_api_servers_read_it(kube: Kube, secret: str) -> None:
    pki = "/etc/kubernetes/pki/etcd"
    etcdctl = ["etcdctl", f"--cacert={pki}/ca.crt", f"--cert={pki}/server.crt", f"--key={pki}/server.key"]
    stored = kube.kubectl(
        "-n", "kube-system", "exec", "etcd-cp1", "--", *etcdctl, "get", f"/registry/secrets/default/{secret}"
    )
    assert "k8s:enc:secretbox:v1:key1:" in stored and WORD not in stored
    for address in addresses(INVENTORY).values():
        if address in {addresses(INVENTORY)[name] for name in ("cp1", "cp2")}:
            read = kube.kubectl(
                f"--server=https://{address}:6443", "get", "secret", secret, "--template={{.data.word | base64decode}}"
            )
            assert read == WORD


def test_the_key_reached_the_second_control_plane_and_no_output(planes: list[Host], created: Run) -> None:
    files = [host.execute("cat", KEY)[1] for host in planes]
    assert files[0] == files[1]
    (key,) = re.findall(r"secret: (\S+)", files[0])
    assert len(key) == 44 and key not in created.output
    assert all(key not in json.dumps(line) for line in created.lines)
    for host in planes:
        assert host.execute("grep", "-rslF", key, "/var/log", "/var/lib/slipway", "/root/.ansible", "/tmp")[1] == ""


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/livez", "200"),
        ("/readyz", "200"),
        ("/healthz", "200"),
        (INFO, "200"),
        ("/api", "401"),
        ("/version", "401"),
        ("/api/v1/namespaces/kube-public/configmaps", "401"),
    ],
)
def test_requests_without_credentials_reach_health_checks_only(planes: list[Host], path: str, code: str) -> None:
    request = ["curl", "--insecure", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}"]
    assert [host.execute(*request, f"https://127.0.0.1:6443{path}")[1] for host in planes] == [code, code]


def handshake(address: str, port: int, version: ssl.TLSVersion, ciphers: str) -> str:
    """Return the negotiated version and cipher suite, or why there is no connection. This side allows everything."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    context.set_ciphers(f"{ciphers}:@SECLEVEL=0")
    try:
        with socket.create_connection((address, port), 10) as plain, context.wrap_socket(plain) as secure:
            return f"{secure.version()} {(secure.cipher() or ('none',))[0]}"
    except ssl.SSLError as error:
        return error.reason or str(error)


@pytest.mark.parametrize("port", [6443, 10250])
@pytest.mark.parametrize("name", ["cp1", "cp2"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_versions_of_tls_and_old_ciphers_are_refused(planes: list[Host], name: str, port: int) -> None:
    address = addresses(INVENTORY)[name]
    assert "PROTOCOL_VERSION" in handshake(address, port, ssl.TLSVersion.TLSv1_1, "ALL")
    assert "HANDSHAKE_FAILURE" in handshake(
        address, port, ssl.TLSVersion.TLSv1_2, "ECDHE-RSA-AES128-SHA:ECDHE-ECDSA-AES128-SHA"
    )
    good = handshake(address, port, ssl.TLSVersion.TLSv1_2, "ECDHE+AESGCM")
    assert good.startswith("TLSv1.2 ECDHE-") and "GCM" in good


def test_a_node_keeps_a_part_of_its_host_for_the_system(kube: Kube) -> None:
    for node in kube.get("nodes"):
        status = node["status"]
        cores = int(status["capacity"]["cpu"])
        assert int(status["allocatable"]["cpu"].rstrip("m")) < cores * 1000 - 50
        kib = {kind: int(status[kind]["memory"].rstrip("Ki")) for kind in ("capacity", "allocatable")}
        assert kib["capacity"] - kib["allocatable"] > 0.05 * kib["capacity"]


def test_the_kubelets_limit_the_processes_of_a_pod(kube: Kube) -> None:
    wanted = load_variables(ROOT / "roles/control_plane/defaults/main.yml")["control_plane_pod_pids_limit"]
    for name in ("cp1", "cp2"):
        config = json.loads(kube.kubectl("get", "--raw", f"/api/v1/nodes/{name}/proxy/configz"))["kubeletconfig"]
        assert config["podPidsLimit"] == wanted and config["enableProfilingHandler"] is False
