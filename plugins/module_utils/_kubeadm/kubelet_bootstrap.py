# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kubelet whose client certificate has expired gets a new one, as a node that joins does.

A worker's asks with its bootstrap kubeconfig if its own certificate has expired
(https://kubernetes.io/docs/reference/access-authn-authz/kubelet-tls-bootstrapping/). A control plane issues its own, since the API
server that it would ask is one of its pods. Node, pods and the key of the serving certificate stay.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import tempfile
import time
from pathlib import Path
from typing import Any, Callable

from .._host.facts.cluster import parse_image_version, parse_kubeconfig
from .._host.system import HostError, System, write_atomic
from .._kube.x509 import certificate_end

FOLDER = "/etc/kubernetes"
BOOTSTRAP = "bootstrap-kubelet.conf"
PKI = "/var/lib/kubelet/pki"
CLIENT = PKI + "/kubelet-client-current.pem"


def bootstrap_kubeconfig(server: str, authority: str, token: str) -> dict[str, Any]:
    """Return the kubeconfig with which a kubelet asks for its first certificate.

    :param authority: the cluster's CA in PEM.
    """
    cluster = {"server": server, "certificate-authority-data": base64.b64encode(authority.encode()).decode()}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "kubernetes", "cluster": cluster}],
        "users": [{"name": "tls-bootstrap-token-user", "user": {"token": token}}],
        "contexts": [{"name": "bootstrap", "context": {"cluster": "kubernetes", "user": "tls-bootstrap-token-user"}}],
        "current-context": "bootstrap",
    }


def _end(path: str) -> float:
    try:
        return certificate_end(Path(path).read_text()) or 0.0
    except OSError:
        return 0.0


def issue(
    node_name: str, run_kubeadm: Callable[[list[str]], Any], now: float, folder: str = FOLDER, pki: str = PKI
) -> None:
    """Issue a client certificate for the kubelet of this control plane, and start it again.

    The kubelet keeps certificate and key in one file, to which a link leads.

    :param run_kubeadm: runs kubeadm with these arguments.
    :param now: seconds since the epoch.
    """
    version = parse_image_version(Path(folder, "manifests", "kube-apiserver.yaml").read_text())
    with tempfile.TemporaryDirectory(dir="/run" if os.access("/run", os.W_OK) else None) as made:
        # Without a version, kubeadm would ask the internet for one.
        given = [f"--kubeconfig-dir={made}", f"--node-name={node_name}", f"--kubernetes-version=v{version}"]
        run_kubeadm(["init", "phase", "kubeconfig", "kubelet", *given])
        text = Path(made, "kubelet.conf").read_text()
    parts = dict(re.findall(r"client-(certificate|key)-data: (\S+)", text))
    content = b"".join(base64.b64decode(parts[name]) for name in ("certificate", "key"))
    path = os.path.join(pki, time.strftime("kubelet-client-%Y-%m-%d-%H-%M-%S.pem", time.gmtime(now)))
    write_atomic(path, content, 0o600)
    link = os.path.join(pki, ".kubelet-client-current.slipway")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(link)
    os.symlink(path, link)
    os.replace(link, os.path.join(pki, "kubelet-client-current.pem"))
    System().systemctl("restart", "kubelet.service")


def recover(token: str, seconds: int, folder: str = FOLDER, client: str = CLIENT) -> None:
    """Let the kubelet ask for a new client certificate, and wait until it has it.

    :param token: a bootstrap token, which must be valid.
    :raises HostError: it does not get one in time.
    """
    server = parse_kubeconfig(Path(folder, "kubelet.conf").read_text())["server"]
    authority = Path(folder, "pki", "ca.crt").read_text()
    path = os.path.join(folder, BOOTSTRAP)
    write_atomic(path, json.dumps(bootstrap_kubeconfig(server, authority, token)).encode(), 0o600)
    try:
        System().systemctl("restart", "kubelet.service")
        end = time.monotonic() + seconds
        while _end(client) <= time.time():
            if time.monotonic() > end:
                raise HostError(
                    f"The kubelet did not get a new client certificate within {seconds} seconds. Evidence: {client} has expired, and the API server is"
                    f" {server}. Remedy: see 'journalctl -u kubelet' on this host and 'kubectl get csr', then run again. [slipway:kubelet_certificate]"
                )
            time.sleep(1)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)  # it has the token
