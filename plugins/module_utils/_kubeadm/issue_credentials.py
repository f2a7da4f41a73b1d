# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Letting hosts join for some minutes: what the module kubeadm_credentials does on a control plane."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any, Mapping

from .._host.facts.cluster import parse_kubeconfig
from .._host.system import HostError
from .._kube.x509 import ca_cert_hash
from . import credentials, etcd
from .config import API
from .kubectl import Kubectl
from .run import LOG, config_folder, run_kubeadm

CA = "/etc/kubernetes/pki/ca.crt"
SYSTEM = ("--namespace", "kube-system")
TOKENS = ("secrets", "--field-selector", "type=bootstrap.kubernetes.io/token", *SYSTEM)
UPLOAD_TIMEOUT = 120


def remove_stale(kubectl: Kubectl, host: Mapping[str, Any], dry: bool) -> list[str]:
    """Remove the Node and the etcd member that a joining host left behind; what was removed, in words.

    Raises HostError where another machine is alive under its name.
    """
    removed: list[str] = []
    node = kubectl.get("node", host["name"])
    if node:
        lease = kubectl.get("lease", host["name"], "--namespace", "kube-node-lease")
        refused = credentials.stale_node(node, lease, host["machine_id"], time.time(), host.get("seen", 0.0))
        if refused:
            raise HostError(refused)
    if host["control_plane"] and etcd.has_credentials():
        removed += etcd.remove_member([f"https://127.0.0.1:{etcd.CLIENT_PORT}"], host["name"], host["addresses"], dry)
    if node:
        if not dry:
            kubectl.run("delete", "node", host["name"], "--ignore-not-found", "--wait=false")
        removed.append(f"node {host['name']}")
    return removed


def upload_certificates(kubectl: Kubectl, key: str) -> None:
    """Upload the control planes' certificates, encrypted, and mark the Secret as ours."""
    stored = kubectl.get("configmap", "kubeadm-config", *SYSTEM).get("data", {}).get("ClusterConfiguration", "")
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
    kubectl.run("annotate", "secret", credentials.CERTIFICATES, credentials.MARK + "=true", "--overwrite", *SYSTEM)


def remove_all(kubectl: Kubectl, dry: bool) -> list[str]:
    """Remove the Secrets of all runs; their names."""
    description = base64.b64encode(credentials.DESCRIPTION.encode()).decode()
    names = credentials.ours(
        kubectl.items(*TOKENS), kubectl.get("secret", credentials.CERTIFICATES, *SYSTEM), description
    )
    if names and not dry:
        kubectl.run("delete", "secret", *names, "--ignore-not-found", *SYSTEM)
    return names


def converge(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Make or remove credentials; the module's result."""
    kubeconfig = Path(params["kubeconfig"])
    if not kubeconfig.exists():
        if not check_mode:
            raise HostError(
                f"This host is no control plane: it has no {kubeconfig}. Run the role slipway.kube.control_plane on it first."
            )
        said = ["A token is made." if params["state"] == "present" else "The token is removed."]
        return {"changed": True, "changes": said, "ca_cert_hash": "", "endpoint": ""}
    kubectl = Kubectl(str(kubeconfig), params["server"])
    text = kubeconfig.read_text()
    config = parse_kubeconfig(text)
    ca_file = Path(CA)
    result = {
        "ca_cert_hash": ca_cert_hash(ca_file.read_text() if ca_file.exists() else config["ca"]),
        "endpoint": config["server"].replace("https://", ""),
    }
    changes: list[str] = []
    if params["state"] == "absent":
        changes = [f"Secret {name} removed." for name in remove_all(kubectl, check_mode)]
        if check_mode and not changes:
            changes = ["The token that this run would have made is removed."]
        return dict(result, changed=bool(changes), changes=changes)

    for host in params["joining"]:
        changes += [f"Stale {name} removed." for name in remove_stale(kubectl, host, check_mode)]
    changes.append(f"Token {credentials.token_id(params['token'])} made, valid for {params['minutes']} minutes.")
    if params["certificate_key"]:
        changes.append("Certificates of the control plane uploaded.")
    if not check_mode:
        remove_all(kubectl, False)  # what an interrupted run left, before its owner is no longer known
        secret = credentials.token_secret(params["token"], params["minutes"])
        kubectl.run("apply", "-f", "-", stdin=json.dumps(secret))
        if params["certificate_key"]:
            upload_certificates(kubectl, params["certificate_key"])
    return dict(result, changed=True, changes=changes)
