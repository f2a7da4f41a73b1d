# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kubelet's serving certificate is approved only for the node that asks, and only for its own names."""

from __future__ import annotations

import base64
import copy
import socket
import ssl
import threading

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._kube import x509
from ansible_collections.slipway.kube.plugins.module_utils._kubeadm import serving_certificates, serving_requests
from harness.certificate import CA, OTHER_CA

# Made with openssl: O=system:nodes, CN=system:node:w1, DNS:w1, IP:192.0.2.21, IP:2001:db8::21
GOOD = b"""-----BEGIN CERTIFICATE REQUEST-----
MIIBIzCBygIBADAwMRUwEwYDVQQKDAxzeXN0ZW06bm9kZXMxFzAVBgNVBAMMDnN5
c3RlbTpub2RlOncxMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEFh6kwNYBjko5
DSqpFlWR7jRuN5yYXNvJ+LSIQeHFQ2DVILnI1y62+7SpjR4Ga9xlM/fMCtsyPnTY
DLm707KoaaA4MDYGCSqGSIb3DQEJDjEpMCcwJQYDVR0RBB4wHIICdzGHBMAAAhWH
ECABDbgAAAAAAAAAAAAAACEwCgYIKoZIzj0EAwIDSAAwRQIgajHa0Gh0MJNlvpmK
YAvDshuiI4grpRCYIdLdgv/Z29QCIQC1MHf1xB+geP1MbmcwZ64Oic+tSi5i3+Qa
uqRIp5mpwA==
-----END CERTIFICATE REQUEST-----
"""
# The same with email:a@b.c instead of the IPv6 address
EMAIL = b"""-----BEGIN CERTIFICATE REQUEST-----
MIIBGDCBvwIBADAwMRUwEwYDVQQKDAxzeXN0ZW06bm9kZXMxFzAVBgNVBAMMDnN5
c3RlbTpub2RlOncxMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAErjnOOp0pHmq4
HdRgq9OW41GCdofFdqVsFB0Zwi3kg6fPPAsMCVp3wmtywRVhiaO0d7UrEAGMa55Y
GyLu7ang66AtMCsGCSqGSIb3DQEJDjEeMBwwGgYDVR0RBBMwEYICdzGHBMAAAhWB
BWFAYi5jMAoGCCqGSM49BAMCA0gAMEUCIH1l4wGJrb0d32hZtvHAfz0Wzo36R26D
dBRqYYYVvMAKAiEAn6388qYALwnDcRl8OdRuQV9DDIFeivUQCbQwo2zOhqQ=
-----END CERTIFICATE REQUEST-----
"""
# O=system:masters, CN=system:node:w2
MASTERS = b"""-----BEGIN CERTIFICATE REQUEST-----
MIIBEjCBugIBADAyMRcwFQYDVQQKDA5zeXN0ZW06bWFzdGVyczEXMBUGA1UEAwwO
c3lzdGVtOm5vZGU6dzIwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATkFNs4K8/q
drT3E8MAbuqyv9AlQXrAFPt3CDW1a96DbtoLfC3xyl5LZfwlJIpndZucGBBpmy6c
lXRaSiqvT5vUoCYwJAYJKoZIhvcNAQkOMRcwFTATBgNVHREEDDAKggJ3MYcEwAAC
FTAKBggqhkjOPQQDAgNHADBEAiAEflvQIdbPOya58qcRcnyllkZJN2kFKsMV6/zw
OTnbgQIgC+vAqlGRWmFXkjy3xz5lkFlBwrUDk+EslrjlxslVjNA=
-----END CERTIFICATE REQUEST-----
"""
NODE = {"name": "w1", "addresses": ["192.0.2.21", "2001:db8:0::21"], "host_names": ["w1.example.com"]}


@pytest.fixture
def request_of_w1():
    return {
        "metadata": {"name": "csr-1"},
        "spec": {
            "signerName": serving_requests.SIGNER,
            "username": "system:node:w1",
            "groups": ["system:nodes", "system:authenticated"],
            "usages": ["digital signature", "server auth"],
            "request": base64.b64encode(GOOD).decode(),
        },
        "status": {},
    }


def test_a_request_is_read_to_the_last_name():
    request = x509.parse_certificate_request(GOOD)
    assert request == x509.CertificateRequest(
        "system:node:w1", ["system:nodes"], ["w1"], ["192.0.2.21", "2001:db8::21"]
    )


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----",
        GOOD.replace(b"MIIBIzCB", b"MIIBIzCC"),
    ],
)
def test_what_is_no_request_is_refused_and_never_crashes(text):
    with pytest.raises(x509.RequestError):
        x509.parse_certificate_request(text)


def test_no_cut_of_a_request_crashes_the_reader():
    raw = base64.b64decode(b"".join(GOOD.splitlines()[1:-1]))
    for end in range(len(raw) - 72):  # what comes after is the signature
        text = (
            b"-----BEGIN CERTIFICATE REQUEST-----\n"
            + base64.b64encode(raw[:end])
            + b"\n-----END CERTIFICATE REQUEST-----"
        )
        with pytest.raises(x509.RequestError):
            x509.parse_certificate_request(text)


def test_a_node_s_own_request_is_approved(request_of_w1):
    assert serving_requests.is_pending(request_of_w1)
    assert serving_requests.refusal(request_of_w1, NODE) == ""


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"username": "system:node:w2"}, "common name"),
        ({"username": "admin"}, "is not a node"),
        ({"groups": ["system:authenticated"]}, "system:nodes"),
        ({"usages": ["digital signature", "client auth"]}, "usages"),
        ({"usages": []}, "usages"),
        ({"request": base64.b64encode(EMAIL).decode()}, "other than DNS names"),
        ({"request": base64.b64encode(MASTERS).decode()}, "common name"),
        ({"request": base64.b64encode(MASTERS).decode(), "username": "system:node:w2"}, "organization"),
        ({"request": "AAAA"}, "cannot be read"),
    ],
)
def test_any_other_request_is_left_undecided(request_of_w1, change, why):
    request = copy.deepcopy(request_of_w1)
    request["spec"].update(change)
    node = dict(NODE, name=serving_requests.requesting_node(request))
    assert why in serving_requests.refusal(request, node)


@pytest.mark.parametrize("addresses", [[], ["192.0.2.21"], ["192.0.2.22", "2001:db8::21"]])
def test_an_address_that_the_inventory_does_not_give_is_refused(request_of_w1, addresses):
    assert "the inventory gives" in serving_requests.refusal(request_of_w1, dict(NODE, addresses=addresses))


def test_another_node_s_name_is_refused(request_of_w1):
    request_of_w1["spec"]["username"] = "system:node:w3"
    assert serving_requests.refusal(request_of_w1, dict(NODE, name="w3"))


def test_a_node_outside_the_inventory_gets_nothing(request_of_w1):
    assert "not in the inventory" in serving_requests.refusal(request_of_w1, None)


@pytest.mark.parametrize(
    "change",
    [
        {"status": {"conditions": [{"type": "Approved"}]}},
        {"status": {"certificate": "x"}},
        {"spec": {"signerName": "x"}},
    ],
)
def test_what_is_decided_or_another_signer_s_is_not_pending(request_of_w1, change):
    assert not serving_requests.is_pending({**request_of_w1, **change})


def test_a_silent_port_and_one_without_tls_are_told_apart(tmp_path):
    (tmp_path / "ca.crt").write_text(CA)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
        assert "does not respond" in serving_certificates.kubelet_problem(
            "127.0.0.1", str(tmp_path / "ca.crt"), port, 1
        )
        server.listen()

        def speak():
            connection = server.accept()[0]
            connection.recv(1)
            connection.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")
            connection.close()

        thread = threading.Thread(target=speak)
        thread.start()
        assert "no certificate" in serving_certificates.kubelet_problem("127.0.0.1", str(tmp_path / "ca.crt"), port, 2)
        thread.join()


def test_a_certificate_of_another_ca_is_not_good(tmp_path):
    (tmp_path / "ca.crt").write_text(CA)
    (tmp_path / "server.pem").write_text(OTHER_CA + OTHER_KEY)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(str(tmp_path / "server.pem"))
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()

        def serve():
            connection = server.accept()[0]
            try:
                context.wrap_socket(connection, server_side=True).close()
            except (ssl.SSLError, OSError):
                connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        assert "not valid for 127.0.0.1" in serving_certificates.kubelet_problem(
            "127.0.0.1", str(tmp_path / "ca.crt"), server.getsockname()[1], 2
        )
        thread.join()


# Throw-away certificates, made for these tests.
OTHER_KEY = """-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgS5T0J0sd6SIUBUtY
mLq5e0la5aAiJFlLRRir9ErOU1ShRANCAAS7XDt78IALgibJNCp4fYsoThjg9M/o
w7pZC/NPR1DBbj9CHbw/Vo6ON0/V/e1LY0kSfr3doglw5LnoM33s7QHE
-----END PRIVATE KEY-----
"""


# --- requests that another reader of DER or PEM would understand otherwise -------------------------------------------
# kube-controller-manager signs what Go reads (encoding/pem, encoding/asn1, crypto/x509), so nothing may be read in two ways.


def der(tag, *contents):
    body = b"".join(contents)
    length = bytes([len(body)]) if len(body) < 128 else bytes([0x82]) + len(body).to_bytes(2, "big")
    return bytes([tag]) + length + body


SAN_OID, EXTENSIONS_OID, CN_OID, O_OID = (
    bytes.fromhex(text) for text in ("0603551d11", "06092a864886f70d01090e", "0603550403", "060355040a")
)


def attribute(oid, text):
    return der(0x31, der(0x30, oid, der(0x0C, text.encode())))


SUBJECT = attribute(O_OID, "system:nodes") + attribute(CN_OID, "system:node:w1")
OWN, FOREIGN = (der(0x04, der(0x30, der(0x82, name))) for name in (b"w1", b"kubernetes.default.svc"))


def extension(*values):
    return der(0x30, SAN_OID, *values)


def requested(*extensions):
    return der(0x30, EXTENSIONS_OID, der(0x31, der(0x30, *extensions)))


def pem(attributes, subject=SUBJECT, tail=b""):
    info = der(0x30, der(0x02, b"\0"), der(0x30, subject), der(0x30, b""), der(0xA0, attributes), tail)
    body = base64.b64encode(der(0x30, info, der(0x30, b""), der(0x03, b"\0"))).decode()
    return f"-----BEGIN CERTIFICATE REQUEST-----\n{body}\n-----END CERTIFICATE REQUEST-----\n".encode()


PLAIN = pem(requested(extension(OWN)))


def test_a_request_that_is_made_by_hand_is_read():
    assert x509.parse_certificate_request(PLAIN).dns_names == ["w1"]
    critical = x509.parse_certificate_request(pem(requested(extension(der(0x01, b"\xff"), OWN))))
    assert (critical.dns_names, critical.common_name, critical.others) == (["w1"], "system:node:w1", 0)


@pytest.mark.parametrize(
    "request_text",
    [
        b"x " + PLAIN + pem(requested(extension(FOREIGN))),
        PLAIN + pem(requested(extension(FOREIGN))),
        b"text\n" + PLAIN,
        PLAIN.replace(b"BEGIN CERTIFICATE", b"BEGIN NEW CERTIFICATE").replace(
            b"END CERTIFICATE", b"END NEW CERTIFICATE"
        ),
        pem(requested(extension(FOREIGN, OWN))),
        pem(requested(extension(OWN, FOREIGN))),
        pem(der(0x30, EXTENSIONS_OID, der(0x31, der(0x30, extension(FOREIGN))), der(0x31, der(0x30, extension(OWN))))),
        pem(der(0x30, EXTENSIONS_OID, der(0x31, der(0x30, extension(OWN)), der(0x30, extension(FOREIGN))))),
        pem(requested(extension(OWN), extension(FOREIGN))),
        pem(requested(extension(OWN)) + requested(extension(FOREIGN))),
        pem(requested(extension(der(0x04, der(0x30, der(0x82, b"w1")), der(0x30, der(0x82, b"evil")))))),
        pem(requested(extension(OWN)), SUBJECT + attribute(CN_OID, "system:node:w2")),
        pem(requested(extension(OWN)), SUBJECT + der(0x31, der(0x30, CN_OID, der(0x0C, b"x"), der(0x0C, b"y")))),
        pem(requested(extension(OWN)), SUBJECT + der(0x31, der(0x30, CN_OID, der(0x1E, b"\0w")))),
        pem(requested(extension(OWN)), tail=der(0xA0, requested(extension(FOREIGN)))),
        pem(requested(der(0x30, bytes.fromhex("060480551d11"), FOREIGN), extension(OWN))),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(request_text):
    with pytest.raises(x509.RequestError):
        x509.parse_certificate_request(request_text)


@pytest.mark.parametrize("length", [b"\x80", b"\x81\x02", b"\x82\x00\x02", b"\x84"])
def test_lengths_that_der_does_not_allow_are_refused(length):
    with pytest.raises(ValueError):
        x509.read_der(b"\x30" + length + b"\x05\x00", 0)
