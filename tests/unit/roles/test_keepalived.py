# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of keepalived, and the program with which it checks the API server."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ansible_collections.slipway.kube.plugins.plugin_utils.cluster.choose_control_plane import cluster_nodes
from harness.core import load_variables, trust_as_template

ROLE = Path(__file__).parents[3] / "roles" / "keepalived"
CHECK = ROLE / "files" / "check-api-server"


def facts(*addresses: str) -> dict[str, Any]:
    return {
        "network": {
            "default_address": addresses[0],
            "addresses": [{"interface": f"eth{number}", "address": one} for number, one in enumerate(addresses)],
        }
    }


def hostvars(**addresses: str) -> dict[str, Any]:
    return {name: {"kube_host": facts(address) if address else {}} for name, address in addresses.items()}


THREE = {"cp1": "10.0.0.11", "cp2": "10.0.0.12", "cp3": "10.0.0.13"}


def known(planes: dict[str, str] | None = None, **variables: Any) -> dict[str, Any]:
    """Return the variables of the role on the first of the control planes."""
    planes = planes or THREE
    first = next(iter(planes))
    result = {
        "inventory_hostname": first,
        "groups": {"kube_control_plane": list(planes)},
        "hostvars": hostvars(**planes),
        "kube_host": facts(planes[first], "192.0.2.1"),
    }
    for path in (ROLE.parent / "cluster" / "defaults", ROLE / "defaults", ROLE / "vars"):
        result.update(load_variables(path / "main.yml"))
    # The filter is not found by its full name outside of a play.
    result["__keepalived_others"] = cluster_nodes(result["hostvars"], list(planes)[1:])
    return {**result, "kube_control_plane_vip": "10.0.0.100", **variables}


def value(expression: str, *arguments: Any, **variables: Any) -> Any:
    templar = Templar(loader=DataLoader(), variables=known(*arguments, **variables))
    return templar.template(trust_as_template("{{ " + expression + " }}"))


def config(*arguments: Any, **variables: Any) -> str:
    templar = Templar(loader=DataLoader(), variables=known(*arguments, **variables))
    text = (ROLE / "templates" / "keepalived.conf.j2").read_text()
    return str(templar.template(trust_as_template(text)))


def test_the_endpoint_is_the_address() -> None:
    assert value("kube_control_plane_endpoint") == "10.0.0.100"
    assert value("kube_control_plane_endpoint", kube_control_plane_vip="") == ""


def test_the_peers_are_the_other_control_planes() -> None:
    text = config()
    assert "unicast_src_ip 10.0.0.11\n" in text
    peers = text.partition("unicast_peer {")[2].partition("}")[0]
    assert peers.split() == ["10.0.0.12", "10.0.0.13"]
    assert "10.0.0.100/32" in text and "interface eth0\n" in text and "vrrp_version 2\n" in text
    assert "check-api-server 10.0.0.11 6443" in text


def test_the_interface_is_that_of_the_nodes_address() -> None:
    assert "interface eth1\n" in config(kube_node_ip="192.0.2.1, fd00::1")
    assert "interface bond0\n" in config(keepalived_interface="bond0")


def test_a_single_control_plane_has_no_peers() -> None:
    assert "unicast" not in config({"cp1": "10.0.0.11"}).replace("vrrp_check_unicast_src", "")


def test_ipv6_has_no_password() -> None:
    planes = {"cp1": "fd00::11", "cp2": "fd00::12"}
    text = config(planes, kube_control_plane_vip="fd00::100", keepalived_password="topsecret")
    assert "vrrp_version 3\n" in text and "fd00::100/128" in text
    assert "auth" not in text and "topsecret" not in text


def test_all_control_planes_agree_and_clusters_differ() -> None:
    names = ("__keepalived_router_id", "__keepalived_password")
    first, second = ({name: str(value(name, planes)) for name in names} for planes in (THREE, {"cp3": "10.0.0.13"}))
    assert first == second
    assert 1 <= int(first["__keepalived_router_id"]) <= 255 and len(first["__keepalived_password"]) == 8
    for other in ({"kube_control_plane_vip": "10.0.0.101"}, {"kube_cluster_name": "other"}):
        assert value("__keepalived_password", **other) != first["__keepalived_password"]
    assert str(value("__keepalived_router_id", keepalived_router_id=7)) == "7"
    assert value("__keepalived_password", keepalived_password="mine") == "mine"


def test_an_address_that_is_not_known_is_named() -> None:
    assert value("__keepalived_unknown", {"cp1": "10.0.0.11", "cp2": "", "cp3": "10.0.0.13"}) == ["cp2"]


@pytest.mark.parametrize(("password", "key"), [("", "content"), ("mine", "secret_content")])
def test_a_password_is_not_shown(password: str, key: str) -> None:
    text = str(load_variables(ROLE / "vars" / "main.yml")["__keepalived_files"][-1])
    entry = text.replace("lookup('ansible.builtin.template', 'keepalived.conf.j2')", "'text'")
    variables = known(keepalived_password=password)
    found = Templar(loader=DataLoader(), variables=variables).template(trust_as_template(entry))
    assert found == {"path": "/etc/keepalived/keepalived.conf", "mode": "0600", key: "text"}


def certificate(folder: Path, address: str) -> tuple[Path, Path]:
    """Write a self-signed certificate for an address, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / f"{address}.crt", folder / f"{address}.key"
    paths[0].write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    paths[1].write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))
    return paths


def check(port: int, ca: Path, *manifest: Path) -> int:
    command = [sys.executable, "-ISB", str(CHECK), "127.0.0.1", str(port), str(ca), *map(str, manifest)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    assert done.stdout == done.stderr == "", done.stderr
    return done.returncode


@pytest.mark.parametrize(
    ("status", "address", "code"),
    [
        (200, "127.0.0.1", 0),
        (401, "127.0.0.1", 0),
        (403, "127.0.0.1", 0),
        (500, "127.0.0.1", 1),
        (200, "127.0.0.2", 1),  # the certificate of another host
    ],
)
def test_an_api_server_that_answers_is_told_from_one_that_does_not(
    tmp_path: Path, status: int, address: str, code: int
) -> None:
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_arguments: Any) -> None:
            """Stay silent."""

    crt, key = certificate(tmp_path, address)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(crt, key)
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.handle_error = lambda *_arguments: None  # type: ignore[method-assign]
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_address[1]
        assert check(port, crt) == code
        assert check(port, tmp_path / "missing.crt") == 1
        assert check(port, crt, crt) == code
        server.shutdown()
    assert asked == (["/readyz"] * 2 if address == "127.0.0.1" else [])
    assert check(port, crt) == 1, "nothing listens there any more"
    assert check(port, crt, crt) == 1, "a control plane without its API server"
    assert check(port, crt, tmp_path / "missing.yaml") == 0, "no control plane yet"


def test_a_control_plane_whose_api_server_does_not_work_never_has_the_address() -> None:
    """keepalived takes the failure of a script without a weight for a fault."""
    script = config().partition("vrrp_script control_plane {")[2].partition("}")[0]
    assert "/etc/kubernetes/manifests/kube-apiserver.yaml" in script and "weight" not in script
    assert config().partition("track_script {")[2].split("}")[0].split() == ["api_server", "control_plane"]
