# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Letting hosts join for some minutes: what the module kubeadm_credentials does on a control plane."""

from __future__ import annotations

import base64
import time
from pathlib import Path
from typing import Any, Mapping

from .._host.facts.cluster import parse_kubeconfig
from .._host.system import HostError
from .._kube.api import Client
from .._kube.x509 import ca_cert_hash
from . import credentials, etcd
from .admin import SECRETS, connect, has_kubeconfig
from .config import API
from .run import LOG, config_folder, run_kubeadm

CA = "/etc/kubernetes/pki/ca.crt"
NODES = "/api/v1/nodes"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
CONFIGURATION = "/api/v1/namespaces/kube-system/configmaps/kubeadm-config"
TOKENS = {"fieldSelector": f"type={credentials.TOKEN_TYPE}"}
UPLOAD_TIMEOUT = 120
MANAGER = "slipway.kube"


def remove_stale(client: Client, host: Mapping[str, Any], dry: bool) -> list[str]:
    """Remove the Node and the etcd member that a joining host left behind; what was removed, in words.

    Raises HostError where another machine is alive under its name.
    """
    removed: list[str] = []
    node = client.find(f"{NODES}/{host['name']}")
    if node:
        lease = client.find(f"{LEASES}/{host['name']}") or {}
        refused = credentials.stale_node(node, lease, host["machine_id"], time.time(), host.get("seen", 0.0))
        if refused:
            raise HostError(refused)
    if host["control_plane"] and etcd.has_credentials():
        removed += etcd.remove_member([f"https://127.0.0.1:{etcd.CLIENT_PORT}"], host["name"], host["addresses"], dry)
    if node:
        if not dry:
            client.delete(f"{NODES}/{host['name']}")
        removed.append(f"node {host['name']}")
    return removed


def upload_certificates(client: Client, key: str) -> None:
    """Upload the control planes' certificates, encrypted, and mark the Secret as ours."""
    stored = (client.find(CONFIGURATION) or {}).get("data", {}).get("ClusterConfiguration", "")
    init = {"apiVersion": API, "kind": "InitConfiguration", "certificateKey": key}
    with config_folder([init], {}) as folder:
        path = Path(folder) / "config.yaml"
        # The cluster's own configuration, as text: without it kubeadm would look for a version on the internet.
        path.write_text(path.read_text() + "---\n" + stored)
        arguments = [
            "init",
            "phase",
            "upload-certs",
            "--upload-certs",
            "--skip-certificate-key-print",
            "--config",
            str(path),
        ]
        run_kubeadm(arguments, UPLOAD_TIMEOUT, None, LOG)
    client.patch(
        f"{SECRETS}/{credentials.CERTIFICATES}",
        {"metadata": {"annotations": {credentials.MARK: "true"}}},
        manager=MANAGER,
    )


def remove_all(client: Client, dry: bool) -> list[str]:
    """Remove the Secrets of all runs; their names."""
    description = base64.b64encode(credentials.DESCRIPTION.encode()).decode()
    names = credentials.ours(
        client.items(SECRETS, TOKENS), client.find(f"{SECRETS}/{credentials.CERTIFICATES}") or {}, description
    )
    for name in names if not dry else ():
        client.delete(f"{SECRETS}/{name}")
    return names


def converge(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Make or remove credentials; the module's result."""
    kubeconfig = Path(params["kubeconfig"])
    if not has_kubeconfig(params["kubeconfig"], check_mode):
        said = ["A token is made." if params["state"] == "present" else "The token is removed."]
        return {"changed": True, "changes": said, "ca_cert_hash": "", "endpoint": ""}
    client = connect(params["kubeconfig"], params["server"])
    text = kubeconfig.read_text()
    config = parse_kubeconfig(text)
    ca_file = Path(CA)
    result = {
        "ca_cert_hash": ca_cert_hash(ca_file.read_text() if ca_file.exists() else config["ca"]),
        "endpoint": config["server"].replace("https://", ""),
    }
    changes: list[str] = []
    if params["state"] == "absent":
        changes = [f"Secret {name} removed." for name in remove_all(client, check_mode)]
        if check_mode and not changes:
            changes = ["The token that this run would have made is removed."]
        return dict(result, changed=bool(changes), changes=changes)

    for host in params["joining"]:
        changes += [f"Stale {name} removed." for name in remove_stale(client, host, check_mode)]
    changes.append(f"Token {credentials.token_id(params['token'])} made, valid for {params['minutes']} minutes.")
    if params["certificate_key"]:
        changes.append("Certificates of the control plane uploaded.")
    if not check_mode:
        remove_all(client, False)  # what an interrupted run left, before its owner is no longer known
        secret = credentials.token_secret(params["token"], params["minutes"])
        client.apply(f"{SECRETS}/{secret['metadata']['name']}", secret, MANAGER, force=True, dry_run=False)
        if params["certificate_key"]:
            upload_certificates(client, params["certificate_key"])
    return dict(result, changed=True, changes=changes)
