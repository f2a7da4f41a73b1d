# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each step of the move to another endpoint does what is missing, and nothing twice."""

from __future__ import annotations

import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from ansible_collections.slipway.kube.plugins.module_utils._host.system import HostError
from ansible_collections.slipway.kube.plugins.module_utils._kube.x509 import alternative_names
from ansible_collections.slipway.kube.plugins.module_utils._kubeadm import endpoint
from ansible_collections.slipway.kube.plugins.module_utils._kubeadm.endpoint_config import endpoint_of

from .test_endpoint_config import ADMIN, STORED

MANIFEST = "spec:\n  - --advertise-address=10.0.0.11\n  - --secure-port=6443\n"
NEW = "10.0.0.100:6443"


class Cluster:
    """The ConfigMaps of kubeadm, and kube-proxy."""

    def __init__(self):
        self.patched = []
        self.found = {
            endpoint.CONFIG: {"data": {"ClusterConfiguration": STORED}},
            endpoint.CLUSTER_INFO: {"data": {"kubeconfig": ADMIN, "jws-kubeconfig-abcdef": "x"}},
            endpoint.PROXY_CONFIG: {"data": {"config.conf": "a: b\n", "kubeconfig.conf": ADMIN}},
            endpoint.PROXY: {"spec": {"template": {"metadata": {"labels": {"k8s-app": "kube-proxy"}}}}},
        }
        for content in self.found.values():
            content.setdefault("metadata", {"resourceVersion": "7"})

    def find(self, path):
        return self.found.get(path)

    def patch(self, path, patch):
        self.patched.append(path)
        content = self.found[path]
        if path == endpoint.PROXY:
            content["spec"]["template"]["metadata"].update(patch["spec"]["template"]["metadata"])
            return
        assert patch["metadata"].pop("resourceVersion") == "7"
        content["data"].update(patch["data"])
        content["metadata"].setdefault("annotations", {}).update(patch["metadata"]["annotations"])


@pytest.fixture
def cluster(monkeypatch, tmp_path):
    made = Cluster()
    monkeypatch.setattr(endpoint, "connect", lambda kubeconfig, server: made)
    monkeypatch.setattr(endpoint, "probe", lambda asked, authority: "" if asked == NEW else "connection refused")
    monkeypatch.setattr(endpoint, "wait_for_add_ons", lambda client, seconds, paths, consequence: None)
    monkeypatch.setattr(endpoint.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(endpoint, "FOLDER", str(tmp_path))
    return made


def announce(check=False, asked=NEW, timeout=60):
    params = {"endpoint": asked, "names": ["kube.lab"], "kubeconfig": "", "server": "", "timeout": timeout}
    return endpoint.announce(params, check)


def test_it_is_announced_once_and_to_everyone(cluster):
    predicted = announce(check=True)
    assert not cluster.patched
    done = announce()
    assert predicted == done
    assert cluster.patched == [endpoint.PROXY_CONFIG, endpoint.PROXY, endpoint.CLUSTER_INFO, endpoint.CONFIG]
    stored = cluster.found[endpoint.CONFIG]["data"]["ClusterConfiguration"]
    assert endpoint_of(stored) == NEW
    assert "  - 10.0.0.11\n  - 10.0.0.100\n  - kube.lab\n" in stored
    assert cluster.found[endpoint.CLUSTER_INFO]["data"]["jws-kubeconfig-abcdef"] == "x"
    assert announce() == []


@pytest.mark.parametrize("step", range(1, 4))
def test_an_interrupted_run_is_completed(cluster, step):
    done, patch = [], cluster.patch

    def dies(path, content):
        if len(done) == step:
            raise KeyboardInterrupt
        done.append(path)
        patch(path, content)

    cluster.patch = dies
    with pytest.raises(KeyboardInterrupt):
        announce()
    cluster.patch = patch
    assert announce()
    assert done + cluster.patched[step:] == [
        endpoint.PROXY_CONFIG,
        endpoint.PROXY,
        endpoint.CLUSTER_INFO,
        endpoint.CONFIG,
    ]
    assert announce() == []


def test_nothing_is_announced_that_does_not_lead_to_the_cluster(cluster):
    with pytest.raises(HostError, match=r"10\.0\.0\.99:6443 does not reach the cluster.*connection refused"):
        announce(asked="10.0.0.99:6443", timeout=-1)
    assert not cluster.patched


def test_a_cluster_without_kube_proxy(cluster):
    del cluster.found[endpoint.PROXY], cluster.found[endpoint.PROXY_CONFIG]
    assert announce() and announce() == []


def test_a_cluster_that_kubeadm_did_not_configure_is_refused(cluster):
    cluster.found[endpoint.CONFIG]["data"] = {}
    with pytest.raises(HostError, match="no ConfigMap kube-system/kubeadm-config"):
        announce()
    assert not cluster.patched


def write(folder: Path, **servers: str) -> None:
    for name, server in servers.items():
        text = ADMIN.replace("10.0.0.11:6443", server)
        (folder / f"{name.replace('_', '-')}.conf").write_text(text)


def test_administrators_and_kubelets_use_it(tmp_path):
    write(tmp_path, admin="10.0.0.11:6443", super_admin="10.0.0.11:6443", kubelet="10.0.0.11:6443", scheduler="x:1")
    assert set(endpoint.outdated_files(NEW, "", str(tmp_path))) == {"admin.conf", "super-admin.conf", "kubelet.conf"}
    # The kubelet of a control plane uses its own API server.
    found = endpoint.outdated_files(NEW, MANIFEST, str(tmp_path))
    assert set(found) == {"admin.conf", "super-admin.conf"} and f"server: https://{NEW}\n" in found["admin.conf"]
    write(tmp_path, admin=NEW, super_admin=NEW, kubelet=NEW)
    assert endpoint.outdated_files(NEW, MANIFEST, str(tmp_path)) == {}


def test_the_kubelet_is_restarted_once_also_after_an_interruption(cluster, monkeypatch, tmp_path):
    restarted = []

    class System:
        def systemctl(self, verb, unit):
            restarted.append((verb, unit))
            if len(restarted) == 1:
                raise KeyboardInterrupt

    monkeypatch.setattr(endpoint, "System", System)
    monkeypatch.setattr(endpoint, "RESTART", str(tmp_path / "restart"))
    monkeypatch.setattr(endpoint, "answers", lambda port, path: True)
    write(tmp_path, kubelet="10.0.0.11:6443")
    params = {"endpoint": NEW, "timeout": 60}
    assert endpoint.use(params, True) == [
        f"{tmp_path}/kubelet.conf has the server https://{NEW}.",
        "The kubelet is restarted.",
    ]
    with pytest.raises(KeyboardInterrupt):
        endpoint.use(params, False)
    assert endpoint.use(params, False) == ["The kubelet is restarted."]
    assert endpoint.use(params, False) == [] and restarted == [("restart", "kubelet.service")] * 2


def test_the_names_of_a_certificate(tmp_path):
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj"]
    names = "subjectAltName=DNS:kubernetes,IP:10.0.0.11,DNS:cp1,IP:fd00::1"
    made = ["-keyout", "/dev/null", "-out", str(tmp_path / "crt")]
    subprocess.run([*command, "/CN=kube-apiserver", "-addext", names, *made], check=True, capture_output=True)
    assert alternative_names((tmp_path / "crt").read_text()) == ["kubernetes", "cp1", "10.0.0.11", "fd00::1"]
    assert alternative_names("no certificate") == []


def test_the_names_that_the_api_server_presents(tmp_path):
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj"]
    made = ["-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "crt")]
    names = "subjectAltName=DNS:kubernetes,IP:10.0.0.11"
    subprocess.run([*command, "/CN=kube-apiserver", "-addext", names, *made], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "crt", tmp_path / "key")
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        server.handle_error = lambda *_arguments: None
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_address[1]
        assert endpoint.served_names(port) == {"kubernetes", "10.0.0.11"}
        server.shutdown()
    assert endpoint.served_names(port) == set(), "nobody listens there any more"
