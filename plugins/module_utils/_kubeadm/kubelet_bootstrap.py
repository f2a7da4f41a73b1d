# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kubelet whose client certificate has expired gets a new one, as a node that joins does.

It asks with its bootstrap kubeconfig if its own certificate has expired
(https://kubernetes.io/docs/reference/access-authn-authz/kubelet-tls-bootstrapping/). Its node, its pods and its key of the serving certificate stay.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import time
from pathlib import Path
from typing import Any

from .._host.facts.cluster import parse_kubeconfig
from .._host.system import HostError, System, write_atomic
from .._kube.x509 import certificate_end

FOLDER = "/etc/kubernetes"
BOOTSTRAP = "bootstrap-kubelet.conf"
CLIENT = "/var/lib/kubelet/pki/kubelet-client-current.pem"


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
                    f" {server}. Remedy: see 'journalctl -u kubelet' on this host and 'kubectl get csr', then run again."
                )
            time.sleep(1)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)  # it has the token
