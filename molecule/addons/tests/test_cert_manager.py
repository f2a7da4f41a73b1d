# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""cert-manager: an Ingress gets its certificate of a private CA, certificates are renewed, and nothing of it stays."""

from __future__ import annotations

import base64
import json
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest

from harness.authority import Authority
from harness.kube import Kube, eventually, workload
from harness.origin import addons
from harness.playbook import Run, addresses, run

pytestmark = pytest.mark.skipif(not addons(["cert_manager"]), reason="the origin has no cert-manager: make test-all")

PARTS = [*addons(["traefik"]), "cert_manager"]
SHOP = "shop"
HOST = "shop.example.com"
OFF = {"kube_addons_set": "none"}


def play(kube: Kube, folder: Path, *arguments: str, **variables: Any) -> Run:
    return run("slipway.kube.addons", kube.inventory, folder, "-e", json.dumps(variables), *arguments)


def certificate(name: str, **spec: Any) -> dict[str, Any]:
    issuer = {"kind": "ClusterIssuer", "name": "private-ca"}
    spec = {"secretName": name, "dnsNames": [HOST], "issuerRef": issuer, **spec}
    return {"apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": {"name": name}, "spec": spec}


def issued(kube: Kube, secret: str) -> dict[str, bytes]:
    """Return the content of a Secret; empty while it is not there."""
    found = kube.get("secret", secret, SHOP)
    return {key: base64.b64decode(value) for key, value in found["data"].items()} if found else {}


@pytest.fixture(scope="module")
def before(kube: Kube) -> set[str]:
    kube.remove_namespaces([SHOP])
    return kube.objects()


@pytest.fixture(scope="module")
def deployed(kube: Kube, before: set[str]) -> Run:
    done = play(kube, kube.inventory.parent / "output-cert-manager", kube_addons=PARTS).succeeded()
    print(f"\n{' and '.join(PARTS)} deployed and verified in {done.seconds:.0f} s")
    return done


def test_it_is_deployed_and_a_client_verifies_a_chain(kube: Kube, deployed: Run) -> None:
    done = {event.task.split(" : ")[-1] for event in deployed.events if event.status == "ok"}
    assert "Wait until a client has verified its chain" in done
    used = kube.memory("cert-manager")
    print(f"\nmemory in MB: {used}")
    assert len(used) == 3 and sum(used.values()) < 250


def test_a_second_run_changes_nothing(kube: Kube, deployed: Run, folder: Path) -> None:
    again = play(kube, folder / "again", "--diff", kube_addons=PARTS).succeeded()
    assert not again.changed(), again.changed()
    print(f"\nnothing to do in {again.seconds:.1f} s")
    assert not play(kube, folder / "dry", "--check", kube_addons=PARTS).succeeded().changed()


@pytest.mark.skipif("traefik" not in PARTS, reason="the origin has no Traefik")
def test_an_ingress_gets_its_certificate(kube: Kube, deployed: Run) -> None:
    kube.make_namespace(SHOP)
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    rule = {"host": HOST, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    ingress = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "web", "annotations": {"kubernetes.io/tls-acme": "true"}},
        "spec": {"rules": [rule], "tls": [{"hosts": [HOST], "secretName": "web-tls"}]},
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]},
    }
    kube.apply([workload(kube.agnhost), service, ingress], SHOP)
    secret = eventually(lambda: issued(kube, "web-tls"), 60, "the certificate of the Ingress")
    # Without MetalLB, Traefik uses the ports of every node.
    address = addresses(kube.inventory)["w1"]
    trust = ssl.create_default_context(cadata=secret["ca.crt"].decode())

    def answer() -> str:
        request = f"GET /hostname HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n"
        try:
            with (
                socket.create_connection((address, 443), timeout=5) as plain,
                trust.wrap_socket(plain, server_hostname=HOST) as safe,
            ):
                safe.sendall(request.encode())
                return b"".join(iter(lambda: safe.recv(4096), b"")).decode()
        except OSError:  # also a chain that does not verify
            return ""

    assert "web-" in eventually(lambda: "web-" in answer() and answer(), 60, "an answer with a chain of the private CA")


def test_a_certificate_is_renewed_before_it_ends(kube: Kube, deployed: Run) -> None:
    kube.make_namespace(SHOP)
    kube.apply([certificate("short", duration="1h", renewBefore="59m40s")], SHOP)
    first = eventually(lambda: issued(kube, "short"), 60, "the certificate")

    def renewed() -> bool:
        return bool(issued(kube, "short")["tls.crt"] != first["tls.crt"])

    eventually(renewed, 120, "the certificate was renewed")
    assert kube.get("certificate", "short", SHOP)["status"]["revision"] >= 2


def test_what_cannot_work_is_refused_by_its_webhook(kube: Kube, deployed: Run) -> None:
    kube.make_namespace(SHOP)
    text = json.dumps(certificate("bad", dnsNames=[]))
    said = kube.kubectl(f"--namespace={SHOP}", "apply", "--filename=-", stdin=text, check=False)
    assert 'admission webhook "webhook.cert-manager.io" denied the request' in said, said


def test_a_ca_of_ones_own_is_used_and_not_shown(kube: Kube, deployed: Run, folder: Path) -> None:
    office = Authority("CA of the office")
    made, key = office.certificate, office.key
    settings = {"cert_manager": {"ca": {"certificate": made, "key": key}}}
    done = play(kube, folder, "-vvv", "--diff", kube_addons=PARTS, kube_addons_settings=settings).succeeded()
    secret = "".join(key.splitlines()[1:-1])
    assert secret[:40] not in done.output.replace("\\n", "") and done.changed()
    kube.make_namespace(SHOP)
    kube.apply([certificate("office")], SHOP)
    found = eventually(lambda: issued(kube, "office"), 60, "a certificate of the office")
    assert found["ca.crt"].decode().strip() == made.strip()
    play(kube, folder / "back", kube_addons=PARTS).succeeded()


def test_certificates_forbid_that_it_goes_and_then_nothing_stays(
    kube: Kube, before: set[str], deployed: Run, folder: Path
) -> None:
    kube.make_namespace(SHOP)
    kube.apply([certificate("kept")], SHOP)
    refused = play(kube, folder / "refused", **OFF)
    assert refused.process.returncode != 0 and not refused.changed()
    assert f"Certificate {SHOP}/kept" in refused.output and "CertificateRequest" not in refused.output
    kube.remove_namespaces([SHOP])
    gone = play(kube, folder / "gone", **OFF).succeeded()
    print(f"\nremoved in {gone.seconds:.0f} s")
    eventually(lambda: kube.objects() == before, 60, f"as before: {kube.objects() ^ before}")
    assert "cert-manager" not in kube.kubectl("get", "leases", "--all-namespaces", "--output=name")
    assert not play(kube, folder / "again", **OFF).succeeded().changed()
