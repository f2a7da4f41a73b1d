# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks that send requests of their own (certificates, DNS, ports, leaders, etcd), and the redaction of texts."""

from __future__ import annotations

import base64
import socket
import struct
import threading
from typing import Any

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._diagnosis import control_plane, coredns
from ansible_collections.slipway.kube.plugins.module_utils._diagnosis.backups import backup_findings
from ansible_collections.slipway.kube.plugins.module_utils._diagnosis.certificates import (
    DAY,
    certificate_findings,
)
from ansible_collections.slipway.kube.plugins.module_utils._diagnosis.control_plane import ControlPlane, cluster_domain
from ansible_collections.slipway.kube.plugins.module_utils._diagnosis.ports import verify_ports
from ansible_collections.slipway.kube.plugins.module_utils._kube.api import ApiError, Unreachable
from ansible_collections.slipway.kube.plugins.module_utils._kube.objects import Reference
from ansible_collections.slipway.kube.plugins.module_utils._kube.redaction import Redactor
from ansible_collections.slipway.kube.plugins.module_utils._kube.x509 import certificate_end, not_after
from harness.certificate import CERTIFICATE, END

from .conftest import NOW, Cluster, deployment, endpoints, findings_of, meta, node, pod, service, stamp, view_of


def test_the_expiration_of_a_certificate_is_read() -> None:
    assert certificate_end(b"key first\n" + CERTIFICATE.encode()) == END
    assert certificate_end(b"") is None and certificate_end(CERTIFICATE.replace("MI", "!!").encode()) is None
    whole = base64.b64decode("".join(CERTIFICATE.splitlines()[1:-1]))
    for length in (0, 1, 10, 60):
        with pytest.raises(ValueError):
            not_after(whole[:length])


@pytest.mark.parametrize(("days", "severity"), [(-1, "error"), (3, "error"), (20, "warning"), (31, None), (300, None)])
def test_certificates_that_expire_soon(days: float, severity: str | None) -> None:
    found = certificate_findings(
        Reference("v1", "Node", "", "w1"), "the kubelet of node w1", NOW + days * DAY + 60, NOW
    )
    assert [finding.severity for finding in found] == ([severity] if severity else [])
    if found:
        assert "kubelet.crt" in found[0].advice and "notAfter: 2027-" in found[0].evidence[0]


def answering(code: int, count: int) -> tuple[Any, int]:
    """A DNS server on this host that answers one query."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))

    def answer() -> None:
        question, asker = server.recvfrom(512)
        server.sendto(question[:2] + struct.pack(">HHHHH", 0x8180 | code, 1, count, 0, 0) + question[12:], asker)

    threading.Thread(target=answer, daemon=True).start()
    return server, server.getsockname()[1]


def test_a_name_is_queried_over_udp(monkeypatch: pytest.MonkeyPatch) -> None:
    server, port = answering(3, 0)
    real = socket.socket.connect

    class Redirected(socket.socket):
        def connect(self, address: Any) -> None:
            real(self, ("127.0.0.1", port))

    monkeypatch.setattr(coredns.socket, "socket", Redirected)
    assert coredns.query("10.244.0.2", "kubernetes.default.svc.cluster.local") == (3, 0)
    server.close()


@pytest.mark.parametrize(
    ("answer", "domain", "wrong"),
    [((0, 1), "cluster.local", False), ((3, 0), "cluster.local", True), ((3, 0), "", False), ((2, 0), "", True)],
)
def test_dns_responses(answer: tuple[int, int], domain: str, wrong: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coredns, "is_coredns", lambda address: None)
    monkeypatch.setattr(coredns, "query", lambda address, name: answer)
    problem, dark = coredns.check_coredns(Cluster(), pod(), "10.244.0.2", domain)  # type: ignore[arg-type]
    assert bool(problem) == wrong and dark == ""


def test_an_unreachable_coredns_is_queried_through_the_api_server(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreached(address: str) -> None:
        raise OSError("timed out")

    monkeypatch.setattr(coredns, "is_coredns", unreached)
    cluster: Any = Cluster()
    problem, dark = coredns.check_coredns(cluster, pod(), "10.244.0.2", "cluster.local")
    assert not problem and "and not through the API server either" in dark
    cluster.texts["/api/v1/namespaces/shop/pods/web-1-a:8181/proxy/ready"] = "OK"
    problem, dark = coredns.check_coredns(cluster, pod(), "10.244.0.2", "cluster.local")
    assert not problem and "CoreDNS reports that it is ready" in dark
    cluster.texts["/api/v1/namespaces/shop/pods/web-1-a:9153/proxy/metrics"] = (
        'coredns_forward_healthcheck_broken_total{} 40\ncoredns_dns_responses_total{rcode="SERVFAIL",zone="."} 90\n'
        'coredns_dns_responses_total{rcode="NOERROR",zone="."} 10\n'
    )
    problem, dark = coredns.check_coredns(cluster, pod(), "10.244.0.2", "cluster.local")
    assert "upstream DNS servers" in problem[0] and "90 of 100" in problem[1]


def test_the_domain_is_read_from_the_corefile() -> None:
    class Configured(Cluster):
        def find(self, path: str) -> dict[str, Any] | None:
            return {"data": {"Corefile": ".:53 {\n    kubernetes lab.internal in-addr.arpa {\n    }\n}"}}

    assert cluster_domain(Configured()) == "lab.internal"  # type: ignore[arg-type]
    assert cluster_domain(Cluster()) == ""  # type: ignore[arg-type]


def test_an_undeclared_port_is_tested() -> None:
    declared = {"ports": [{"containerPort": 9090}]}
    lists = {**deployment(), "Pod": [pod(container=declared)], "Service": [service()], "EndpointSlice": [endpoints()]}
    path = "/api/v1/namespaces/shop/pods/web-1-a:8080/proxy/"
    cluster: Any = Cluster()
    (suspicion,) = findings_of(lists)
    assert (suspicion.fault, suspicion.severity) == ("service_port_mismatch", "warning")
    cluster.texts[path] = "hello"
    assert verify_ports(cluster, [suspicion]) == []
    cluster.texts[path] = ApiError(502, "", "malformed HTTP response")
    assert verify_ports(cluster, [suspicion]) == []
    cluster.texts[path] = Unreachable("timed out")
    assert verify_ports(cluster, [suspicion])[0].severity == "warning"
    cluster.texts[path] = ApiError(503, "", "dial tcp 10.244.1.2:8080: connect: connection refused")
    (certain,) = verify_ports(cluster, [suspicion])
    assert certain.severity == "error" and "no process listens on it" in certain.title


class Led(Cluster):
    """A cluster whose scheduler renewed its lease *ago* seconds ago."""

    def __init__(self, ago: float, **more: Any) -> None:
        super().__init__(more)
        self.ago = ago

    def find(self, path: str) -> dict[str, Any] | None:
        return {"spec": {"renewTime": stamp(self.ago)}} if path.endswith("leases/kube-scheduler") else None


@pytest.mark.parametrize(("ago", "faults"), [(3, []), (300, ["control_plane_down"])])
def test_a_scheduler_whose_lease_has_expired(ago: float, faults: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_plane.time, "time", lambda: NOW)
    part = ControlPlane(Led(ago), view_of({}))  # type: ignore[arg-type]
    assert [finding.fault for finding in part._leaders()] == faults


def test_members_of_etcd_are_counted() -> None:
    def member(name: str, ready: bool) -> dict[str, Any]:
        found = pod(name, owner="", state=None if ready else {"ready": False}, labels={"component": "etcd"})
        found["metadata"]["namespace"] = "kube-system"
        return found

    view = view_of({"Pod": [member("etcd-a", True), member("etcd-b", False), member("etcd-c", True)]})
    (finding,) = ControlPlane(Cluster(), view)._etcd()  # type: ignore[arg-type]
    assert finding.fault == "etcd_member" and "2 of 3 members are ready, 2 are required" in finding.title
    outside = ControlPlane(Cluster(), view_of({}))  # type: ignore[arg-type]
    assert outside._etcd() == [] and "etcd members" in outside.unseen


@pytest.mark.parametrize(
    ("size", "problems", "faults"),
    [
        (10, [], []),
        (10, ["no answer"], [("etcd_member", "error")]),
        (85, [], [("etcd_space", "warning")]),
        (96, ["alarm:NOSPACE"], [("etcd_member", "error"), ("etcd_space", "error")]),
    ],
)
def test_members_of_an_external_etcd_are_judged_by_what_they_say(
    size: int, problems: list[str], faults: list[tuple[str, str]]
) -> None:
    sound = {"url": "https://192.0.2.31:2379", "name": "etcd1", "size": 1, "quota": 100, "problems": []}
    member = {**sound, "url": "https://192.0.2.32:2379", "name": "", "size": size, "problems": problems}
    part = ControlPlane(Cluster(), view_of({}), [sound, member])  # type: ignore[arg-type]
    found = part._etcd()
    assert [(finding.fault, finding.severity) for finding in found] == faults and not part.unseen
    assert all(finding.object.name == member["url"] for finding in found)
    assert all("1 of 2 members are" in finding.title for finding in found if finding.fault == "etcd_member")


PAGE = '# TYPE apiserver_storage_size_bytes gauge\napiserver_storage_size_bytes{storage_cluster_id="etcd-0"} %s\n'


@pytest.mark.parametrize(
    ("size", "quota", "severity"),
    [
        ("1e+06", "", []),
        ("1.8e+09", "", ["warning"]),
        ("2.1e+09", "", ["error"]),
        ("2.1e+09", "--quota-backend-bytes=8589934592", []),
        ("96", "--quota-backend-bytes=100", ["error"]),
        ("2.1e+09", "--quota-backend-bytes=0", ["error"]),
        ("2.1e+09", "--quota-backend-bytes=-1", []),
    ],
)
def test_a_database_of_etcd_near_its_quota(size: str, quota: str, severity: list[str]) -> None:
    member = pod("etcd-a", owner="", labels={"component": "etcd"}, container={"command": ["etcd", quota]})
    member["metadata"]["namespace"] = "kube-system"
    cluster = Cluster({"Pod": [member]})
    part = ControlPlane(cluster, view_of({"Pod": [member]}))  # type: ignore[arg-type]
    cluster.texts["/metrics"] = PAGE % size
    found = part._etcd_space()
    assert [one.severity for one in found] == severity and not part.unseen
    assert all("slipway.kube.etcd_defragment" in one.advice for one in found)
    cluster.texts["/metrics"] = ApiError(403, "Forbidden", "cannot get path /metrics")
    assert part._etcd_space() == [] and "cannot get path" in part.unseen["size of etcd's database"]


def test_an_api_server_that_is_not_ready_names_the_failed_check(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "[+]ping ok\n[-]etcd failed: reason withheld\n[+]log ok\nreadyz check failed"
    monkeypatch.setattr(ControlPlane, "_readyz", lambda self, address: (said, True))
    slices = endpoints("kubernetes", 1, "default")
    slices["endpoints"][0]["addresses"] = ["10.0.0.1"]
    part = ControlPlane(Cluster(), view_of({"EndpointSlice": [slices], "Node": [node("cp1")]}))  # type: ignore[arg-type]
    (finding,) = part._api_servers()
    assert finding.fault == "etcd_member" and str(finding.object) == "Pod kube-system/kube-apiserver-cp1"
    monkeypatch.setattr(ControlPlane, "_readyz", lambda self, address: ("no route", False))
    assert part._api_servers() == [] and part.unseen == {"API server 10.0.0.1:8080": "no route"}


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("DB_PASSWORD=abc123 connecting", "DB_PASSWORD=******** connecting"),
        ('{"apiKey": "abc123", "level": "info"}', '{"apiKey": "********", "level": "info"}'),
        ("amqp://guest:abc123@mq:5672/", "amqp://guest:********@mq:5672/"),
        ("Authorization: Bearer abc123def456", "Authorization: Bearer ********"),
        ("--token abc123 --verbose", "--token ******** --verbose"),
        ("got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc", "got ********"),
        ('secret "signing-keys" not found', 'secret "signing-keys" not found'),
        ("GET /healthz 200", "GET /healthz 200"),
    ],
)
def test_what_looks_like_a_secret_is_masked(text: str, kept: str) -> None:
    assert Redactor().log_line(text) == kept


def test_known_values_and_private_keys_are_masked() -> None:
    lines = [
        "a\tcanary-1 b",
        "-----BEGIN RSA PRIVATE KEY-----",
        "MIIEpAIBAAKCAQEA",
        "-----END RSA PRIVATE KEY-----",
        "on",
    ]
    assert Redactor(values=["canary-1", "on"]).log_lines(lines) == ["a\t******** b", "********", "on"]
    assert meta("x")["name"] == "x"


HOUR = 3600
TAKEN = {"time": "2026-01-02T03:00:00Z", "node": "cp1", "archive": "/b/x.tar.age", "schedule_hours": "6"}
TAKEN_AT = 1_767_322_800.0


@pytest.mark.parametrize(
    ("data", "hours", "title"),
    [
        ({}, 0, ""),
        (TAKEN, 11, ""),
        (TAKEN, 14, "no backup was taken for 14 hours"),
        ({**TAKEN, "failed": "2026-01-02T02:00:00Z", "error": "disk"}, 1, ""),
        ({**TAKEN, "failed": "2026-01-02T04:00:00Z", "error": "disk"}, 1, "the last backup failed"),
        ({"failed": "2026-01-02T04:00:00Z", "error": "disk"}, 1, "the last backup failed"),
    ],
)
def test_a_backup_that_failed_or_is_missing_is_told(data, hours, title):
    found = backup_findings(data, TAKEN_AT + hours * HOUR)
    assert [finding.title for finding in found] == ([title] if title else [])
    assert not data.get("error") or not found or "disk" in " ".join(found[0].evidence)
