# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which cluster a host belongs to, according to its files."""

from __future__ import annotations

import base64
import http.server
import json
import threading

import pytest
import yaml

from ansible_collections.slipway.kube.plugins.module_utils._host.facts import cluster
from ansible_collections.slipway.kube.plugins.module_utils._host.facts.files import Files
from ansible_collections.slipway.kube.plugins.module_utils._kube import x509

# openssl x509 -pubkey | openssl pkey -pubin -outform der | openssl dgst -sha256 says the hash below.
CA = """-----BEGIN CERTIFICATE-----
MIIBgTCCASegAwIBAgIUbKBDGZkArigNF/Mxi1j/3H48FkwwCgYIKoZIzj0EAwIw
FTETMBEGA1UEAwwKa3ViZXJuZXRlczAgFw0yNjExMjEwODQwNDZaGA8yMTI2MTAy
ODA4NDA0NlowFTETMBEGA1UEAwwKa3ViZXJuZXRlczBZMBMGByqGSM49AgEGCCqG
SM49AwEHA0IABESGiYqEyeN6c/r7Cjp4gwcdSpK6syzc0xRsiZomBSQ0GWuALMdv
9uxVDHT1dScPe+MvW4hCgLkmPrTlU7eH6iOjUzBRMB0GA1UdDgQWBBRRjx3RZszH
B4UA+reuzhmoBpGa8jAfBgNVHSMEGDAWgBRRjx3RZszHB4UA+reuzhmoBpGa8jAP
BgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0gAMEUCIEt1Oob17ovrl+tjZhTg
VzquHbXN37ohapY+WxDswUVwAiEAw5FkmP35YDVydE4uow62LtKV/R+9Bdgcw3uT
hb+juE4=
-----END CERTIFICATE-----
"""
CA_HASH = "sha256:a7e275ebc458ec07b0322075c5c83f0c4a2e30ad2a060a90feaa1b5e949b19a4"

ADMIN = f"""apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: {base64.b64encode(CA.encode()).decode()}
    server: https://api.example.com:6443
  name: kubernetes
contexts:
- context:
    cluster: kubernetes
    user: kubernetes-admin
  name: kubernetes-admin@kubernetes
current-context: kubernetes-admin@kubernetes
kind: Config
users:
- name: kubernetes-admin
  user:
    client-key-data: c2VjcmV0
"""

APISERVER = """apiVersion: v1
kind: Pod
spec:
  containers:
  - command:
    - kube-apiserver
    - --secure-port=7443
    image: mirror.example.com:5000/kube-apiserver:v1.36.3
    name: kube-apiserver
"""


def test_kubeconfig():
    assert cluster.parse_kubeconfig(ADMIN) == {
        "server": "https://api.example.com:6443",
        "ca": CA,
        "name": "kubernetes",
    }


def test_kubeconfig_as_json():
    data = {
        "clusters": [
            {"name": "kubernetes", "cluster": {"server": "https://10.0.0.1:6443", "certificate-authority-data": ""}}
        ]
    }
    assert cluster.parse_kubeconfig(json.dumps(data)) == {
        "server": "https://10.0.0.1:6443",
        "ca": "",
        "name": "kubernetes",
    }


def test_the_kubelet_s_own_name_for_its_cluster_says_nothing():
    assert cluster.parse_kubeconfig(ADMIN.replace("name: kubernetes", "name: default-cluster"))["name"] == ""


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "clusters:\n", "clusters: []\n", '{"clusters": [{}]}', "kind: Config\n"]
)
def test_broken_kubeconfigs(text):
    assert cluster.parse_kubeconfig(text) == {"server": "", "ca": "", "name": ""}


MINIKUBE = ADMIN.replace(
    "    server: https://api.example.com:6443\n",
    "    extensions:\n    - extension:\n        provider: someone\n      name: cluster_info\n    server: https://api.example.com:6443\n",
)
TWO = ADMIN.replace(
    "contexts:\n", "- cluster:\n    server: 'https://other.example.com:6443'\n  name: other\ncontexts:\n", 1
)


@pytest.mark.parametrize("text", [ADMIN, json.dumps(yaml.safe_load(ADMIN)), MINIKUBE])
def test_the_authorities_of_a_kubeconfig(text):
    assert cluster.parse_authorities(text)[-1:] == [{"server": "https://api.example.com:6443", "ca_hash": CA_HASH}]


def test_every_cluster_of_a_kubeconfig_is_seen():
    assert [one["server"] for one in cluster.parse_authorities(TWO)] == [
        "https://api.example.com:6443",
        "https://other.example.com:6443",
    ]


@pytest.mark.parametrize("text", ["", "clusters: []\n", "clusters: null\n", "{}", '{"clusters": null}', "x: y"])
def test_a_kubeconfig_without_clusters(text):
    assert cluster.parse_authorities(text) == []


def test_whose_kubeconfig_leads_where(tmp_path):
    folder = tmp_path / "home" / "ops" / ".kube"
    folder.mkdir(parents=True)
    (folder / "config").write_text(ADMIN)
    seen = cluster.gather_kubeconfigs(Files(str(tmp_path)), {"ops": "/home/ops", "root": "/root"})
    assert seen == {
        "ops": {
            "path": "/home/ops/.kube/config",
            "clusters": [{"server": "https://api.example.com:6443", "ca_hash": CA_HASH}],
        }
    }


def test_hash_of_the_authority():
    assert x509.ca_cert_hash(CA) == CA_HASH
    assert x509.ca_cert_hashes(CA + "text\n" + CA) == [CA_HASH, CA_HASH] and x509.ca_cert_hashes("") == []
    assert x509.ca_cert_hash("a comment\n" + CA + CA.replace("MIIB", "AAAA")) == CA_HASH


@pytest.mark.parametrize(
    "pem",
    [
        "",
        "no certificate",
        "-----BEGIN CERTIFICATE-----\nMIIBgTCC\n-----END CERTIFICATE-----",
        "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
    ],
)
def test_no_certificate_has_no_hash(pem):
    assert x509.ca_cert_hash(pem) == ""


def test_der_that_ends_early():
    with pytest.raises(ValueError, match="truncated"):
        x509.read_der(b"\x30\x05\x00", 0)
    with pytest.raises(ValueError, match="truncated"):
        x509.read_der(b"\x30", 0)
    assert x509.read_der(b"\x30\x81\x80" + bytes(128), 0) == (0x30, 3, 131)


def test_static_pod():
    assert cluster.parse_image_version(APISERVER) == "1.36.3"
    assert cluster.parse_secure_port(APISERVER) == 7443
    assert cluster.parse_secure_port("") == 6443
    assert cluster.parse_image_version("image: registry.k8s.io/pause:3.10@sha256:ab") == ""


@pytest.mark.parametrize(
    ("package", "upstream"),
    [
        ("1.36.3-1.1", "1.36.3"),
        ("0:1.36.3-150500.1.1", "1.36.3"),
        ("2.2.3-1~debian.12~bookworm", "2.2.3"),
        ("", ""),
        ("x", ""),
    ],
)
def test_package_versions(package, upstream):
    assert cluster.package_upstream(package) == upstream


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", (False, "", "", True)),
        ('{"format": 1, "cluster": {"name": "kubernetes"}, "operation": "join"}', (True, "kubernetes", "join", True)),
        ('{"format": 1, "cluster": {"name": ""}, "operation": ""}', (False, "", "", True)),
        ('{"format": 1, "clus', (False, "", "", False)),
        ("[]", (False, "", "", False)),
    ],
)
def test_record(text, expected):
    record = cluster.parse_record(text)
    assert (record["marked"], record["cluster"], record["operation"], record["readable"]) == expected


NO_RECORD = cluster.parse_record("")


def tree(root, files):
    for path, text in files.items():
        target = root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    return Files(str(root))


def test_a_fresh_host(tmp_path):
    seen = cluster.gather_cluster(Files(str(tmp_path)), {"kubelet": "1.36.3-1.1"}, NO_RECORD)
    assert seen == {
        "member": False,
        "role": "",
        "name": "",
        "endpoint": "",
        "ca_hash": "",
        "version": "",
        "kubelet_version": "",
        "components": {},
        "healthy": False,
        "bootstrapping": False,
        "manifests": [],
        "rotating": False,
        "etcd_data": False,
        "etcd_servers": [],
        "etcd_ca_hash": "",
    }


def test_a_control_plane(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(cluster, "answers", lambda *arguments: asked.append(arguments) or True)
    files = tree(
        tmp_path,
        {
            cluster.ADMIN: ADMIN,
            cluster.KUBELET: ADMIN.replace("api.example.com", "10.0.0.1"),
            cluster.KUBELET_CONFIG: "{}",
            cluster.CA: CA,
            cluster.MANIFESTS + "/kube-apiserver.yaml": APISERVER,
            cluster.MANIFESTS + "/etcd.yaml": "",
            cluster.MANIFESTS + "/.kubelet-keep": "",
            "/var/lib/etcd/member/x": "",
        },
    )
    seen = cluster.gather_cluster(files, {"kubelet": "1.36.4-1.1"}, NO_RECORD)
    assert seen == {
        "member": True,
        "role": "control_plane",
        "name": "kubernetes",
        "endpoint": "api.example.com:6443",
        "ca_hash": CA_HASH,
        "version": "1.36.3",
        "kubelet_version": "1.36.4",
        "components": {"kube-apiserver": "1.36.3"},
        "healthy": True,
        "bootstrapping": False,
        "manifests": ["etcd.yaml", "kube-apiserver.yaml"],
        "rotating": False,
        "etcd_data": True,
        "etcd_servers": [],
        "etcd_ca_hash": "",
    }
    assert asked == [(7443, "/livez", CA)]


def test_a_worker(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "answers", lambda port, path: (port, path) == (10248, "/healthz"))
    kubelet = ADMIN.replace("name: kubernetes", "name: default-cluster")
    files = tree(tmp_path, {cluster.KUBELET: kubelet, cluster.KUBELET_CONFIG: "{}"})
    seen = cluster.gather_cluster(files, {"kubelet": "1.36.3-1.1"}, dict(NO_RECORD, marked=True, cluster="production"))
    assert (seen["member"], seen["role"], seen["healthy"], seen["version"]) == (True, "worker", True, "1.36.3")
    assert (seen["name"], seen["ca_hash"]) == ("production", CA_HASH)


def test_a_member_of_an_external_etcd(tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "answers", lambda port, path: (port, path) == (2381, "/health"))
    etcd = "    image: registry.k8s.io/etcd:3.6.8-0\n"
    files = tree(tmp_path, {cluster.MANIFESTS + "/etcd.yaml": etcd, cluster.KUBELET_CONFIG: "{}"})
    assert cluster.gather_cluster(files, {}, NO_RECORD)["role"] == ""  # it has lost its data
    files = tree(tmp_path, {cluster.ETCD_LOG + "/0.wal": ""})
    seen = cluster.gather_cluster(files, {"kubelet": "1.36.3-1.1"}, dict(NO_RECORD, marked=True, cluster="production"))
    assert (seen["member"], seen["role"], seen["healthy"], seen["version"]) == (True, "etcd", True, "1.36.3")
    assert (seen["ca_hash"], seen["endpoint"], seen["components"]) == ("", "", {"etcd": "3.6.8"})


def test_a_control_plane_of_an_external_etcd_names_its_members(tmp_path):
    manifest = APISERVER + "    - --etcd-servers=https://10.0.0.31:2379,https://10.0.0.32:2379\n"
    files = tree(tmp_path, {cluster.ADMIN: ADMIN, cluster.MANIFESTS + "/kube-apiserver.yaml": manifest})
    seen = cluster.gather_cluster(files, {}, NO_RECORD)
    assert seen["etcd_servers"] == ["https://10.0.0.31:2379", "https://10.0.0.32:2379"]


def test_a_join_that_was_interrupted(tmp_path):
    files = tree(tmp_path, {cluster.BOOTSTRAP: ADMIN, cluster.KUBELET_CONFIG: "{}"})
    seen = cluster.gather_cluster(files, {"kubelet": "1.36.3-1.1"}, NO_RECORD)
    assert (seen["member"], seen["role"], seen["bootstrapping"]) == (False, "", True)


class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/healthz" else 401)
        self.end_headers()

    def log_message(self, *_arguments):
        """Quiet."""


def test_answers():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Health) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_address[1]
        assert cluster.answers(port, "/healthz")
        assert not cluster.answers(port, "/elsewhere")
        # This server speaks no TLS, so it cannot be the API server of the CA.
        assert not cluster.answers(port, "/healthz", CA)
        server.shutdown()
    assert not cluster.answers(port, "/healthz")


def test_the_versions_of_static_pods_and_an_interrupted_upgrade(tmp_path):
    manifest = "spec:\n  containers:\n  - command: []\n    image: registry.example.com:5000/{}:{}\n"
    folder = cluster.MANIFESTS
    files = tree(
        tmp_path,
        {
            folder + "/kube-apiserver.yaml": manifest.format("kube-apiserver", "v1.37.2"),
            folder + "/etcd.yaml": manifest.format("etcd", "3.7.0-0"),
            folder + "/other.yaml": manifest.format("other", "9.9.9"),
        },
    )
    assert cluster.read_components(files) == {"kube-apiserver": "1.37.2", "etcd": "3.7.0"}
    assert cluster.parse_record('{"upgrade": "apply 1.37.2"}')["upgrade"] == "apply 1.37.2"
