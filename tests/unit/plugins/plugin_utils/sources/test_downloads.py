# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Charts from a repository and a registry that want a password, over TLS with a certificate authority of their own. Helm is the real one."""

from __future__ import annotations

import base64
import datetime
import hashlib
import io
import ipaddress
import json
import ssl
import tarfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ansible.constants import DEFAULT_VAULT_ID_MATCH
from ansible.parsing.vault import VaultLib, VaultSecret
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ansible_collections.slipway.kube.plugins.module_utils._release.settings import unpack
from harness.origin import cache

HELM = str(cache() / "programs" / "helm")
pytestmark = pytest.mark.skipif(not Path(HELM).exists(), reason="helm is not installed")
USER, PASSWORD = "robot$ci", "c4n4ry-of-registries"
BASIC = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
CHART = {
    "shop/Chart.yaml": "apiVersion: v2\nname: shop\nversion: 1.0.0\n",
    "shop/templates/c.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n",
}


def archive() -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        for name, text in CHART.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    return made.getvalue()


def digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def tree(chart: bytes) -> dict[str, tuple[str, bytes]]:
    """What the server has: path, media type and content."""
    config = json.dumps({"name": "shop", "version": "1.0.0", "apiVersion": "v2"}).encode()
    config_type, layer_type = (
        f"application/vnd.cncf.helm.{part}" for part in ("config.v1+json", "chart.content.v1.tar+gzip")
    )
    manifest_type = "application/vnd.oci.image.manifest.v1+json"
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": manifest_type,
            "config": {"mediaType": config_type, "digest": digest(config), "size": len(config)},
            "layers": [{"mediaType": layer_type, "digest": digest(chart), "size": len(chart)}],
        }
    ).encode()
    entry = {"name": "shop", "version": "1.0.0", "apiVersion": "v2", "urls": ["shop-1.0.0.tgz"]}
    return {
        "/charts/index.yaml": ("text/yaml", json.dumps({"apiVersion": "v1", "entries": {"shop": [entry]}}).encode()),
        "/charts/shop-1.0.0.tgz": ("application/gzip", chart),
        "/v2/": ("application/json", b"{}"),
        "/v2/team/shop/manifests/1.0.0": (manifest_type, manifest),
        f"/v2/team/shop/manifests/{digest(manifest)}": (manifest_type, manifest),
        f"/v2/team/shop/blobs/{digest(config)}": ("application/octet-stream", config),
        f"/v2/team/shop/blobs/{digest(chart)}": ("application/octet-stream", chart),
    }


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        found = self.server.tree.get(self.path)  # type: ignore[attr-defined]
        if self.headers.get("Authorization") != f"Basic {BASIC}":
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="registry"')
            found = ("text/plain", b"no")
        else:
            self.send_response(200 if found else 404)
        kind, content = found or ("text/plain", b"")
        self.send_header("Content-Type", kind)
        self.send_header("Docker-Content-Digest", digest(content))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    do_HEAD = do_GET

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""


def certificate(folder: Path) -> tuple[Path, Path]:
    """Return the files of a certificate for the loopback, which is its own authority, and of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "registry of a test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    paths = folder / "ca.crt", folder / "tls.key"
    paths[0].write_bytes(made.public_bytes(encoding))
    paths[1].write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))
    return paths


@pytest.fixture
def host(tmp_path: Path) -> Iterator[str]:
    """A server with a chart, as host and port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.tree = tree(archive())  # type: ignore[attr-defined]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate(tmp_path))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def deploy(make_action: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Return what runs the action with a chart; it returns the result and the kinds of the objects."""
    monkeypatch.chdir(tmp_path)
    for name in ("HELM_CONFIG_HOME", "HELM_CACHE_HOME", "HELM_DATA_HOME", "TMPDIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
        (tmp_path / name.lower()).mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmpdir"))
    spy = tmp_path / "helm"
    # Notes the arguments of helm, and what others could read of the folder in which its files are.
    spy.write_text(
        f'#!/bin/sh\necho "$*" >> {tmp_path}/arguments\nls -lR {tmp_path}/tmpdir >> {tmp_path}/modes\nexec {HELM} "$@"\n'
    )
    spy.chmod(0o755)

    def go(vault: Any = None, **helm: Any) -> Any:
        action = make_action(
            name="shop", namespace="web", helm={"binary_path": str(spy), "kube_version": "1.37.0", **helm}
        )
        if vault:
            action._loader.set_vault_secrets(vault)
        kinds: list[str] = []

        def execute(module_name: str, module_args: dict[str, Any], task_vars: Any) -> dict[str, Any]:
            assert "helm" not in module_args
            if module_args.get("_chart_view"):
                return {"finished": True}
            kinds.extend(one["kind"] for one in unpack(module_args["_payload"])["objects"])
            return {"changed": True, "finished": True}

        action._execute_module = execute
        result = action.run(task_vars={})
        said = (tmp_path / "arguments").read_text() if (tmp_path / "arguments").exists() else ""
        for secret in (PASSWORD, BASIC):
            assert secret not in said and secret not in str(result)
        left = [path for path in tmp_path.rglob("*") if path.is_file() and path.parent != tmp_path]
        assert not [
            path for path in left if PASSWORD.encode() in path.read_bytes() or BASIC.encode() in path.read_bytes()
        ]
        return result, kinds

    return go


LOGIN = {"username": USER, "password": PASSWORD}


@pytest.mark.parametrize("source", ["repository", "registry"])
def test_a_chart_is_pulled_with_a_password_and_an_authority(
    deploy: Any, host: str, tmp_path: Path, source: str
) -> None:
    where: dict[str, str] = {"chart": f"oci://{host}/team/shop", "version": "1.0.0"}
    if source == "repository":
        where = {"chart": "shop", "repository": f"https://{host}/charts"}
    result, kinds = deploy(**where, **LOGIN, ca_file="ca.crt")
    assert kinds == ["ConfigMap"], result
    assert "drwx------" in (tmp_path / "modes").read_text()
    private = ("registry.json", "repositories.yaml")
    shown = [line for line in (tmp_path / "modes").read_text().splitlines() if line.endswith(private)]
    assert shown and all(line.startswith("-rw-------") for line in shown), shown
    result, kinds = deploy(**where, username=USER, password="wrong-" + PASSWORD[::-1], ca_file="ca.crt")
    assert result["failed"] and "401" in result["msg"] and PASSWORD[::-1] not in str(result), result["msg"]
    assert "[slipway:program_failed]" in result["msg"]
    result, _kinds = deploy(**where, **LOGIN)
    assert result["failed"] and "certificate" in result["msg"], result["msg"]


@pytest.mark.parametrize("vault", [False, True])
def test_a_configuration_of_registries_has_the_credentials(deploy: Any, host: str, write: Any, vault: bool) -> None:
    text = json.dumps({"auths": {host: {"auth": BASIC}}})
    secrets = [(DEFAULT_VAULT_ID_MATCH, VaultSecret(b"open sesame"))] if vault else None
    write("config.json", VaultLib(secrets).encrypt(text).decode() if secrets else text)
    where = {"chart": f"oci://{host}/team/shop", "version": "1.0.0", "ca_file": "ca.crt"}
    result, kinds = deploy(secrets, **where, registry_config="config.json")
    assert kinds == ["ConfigMap"], result
    write("broken.json", f"auths: {BASIC}")
    result, _kinds = deploy(**where, registry_config="broken.json")
    assert result["failed"] and "is not the configuration of a registry client" in result["msg"]


@pytest.mark.parametrize(
    ("helm", "problem"),
    [
        (
            {"chart": "shop", "repository": f"https://{USER}:{PASSWORD}@example.com/charts"},
            "helm.repository: contains credentials",
        ),
        ({"chart": f"oci://{USER}:{PASSWORD}@example.com/shop"}, "helm.chart: contains credentials"),
        ({"chart": "shop", **LOGIN}, "helm.username: is for a chart that is downloaded."),
        ({"chart": "shop", "ca_file": "ca.crt"}, "helm.ca_file: is for a chart that is downloaded."),
        ({"chart": "oci://example.com/shop", "username": USER}, "helm.username and helm.password belong together."),
        (
            {"chart": "oci://example.com/shop", "registry_config": "c.json", **LOGIN},
            "Omit helm.username and helm.password",
        ),
        (
            {"chart": "shop", "repository": "https://example.com", "registry_config": "c.json"},
            "helm.registry_config: is for a chart that begins with oci://.",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused(deploy: Any, tmp_path: Path, helm: dict[str, str], problem: str) -> None:
    result, kinds = deploy(**helm)
    assert result["failed"] and not kinds and problem in result["msg"] and not (tmp_path / "arguments").exists()
