# Copyright (c) 2026 slipway.kube authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Issuing and revoking join credentials on a control plane: the core of the module kubeadm_credentials."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Mapping

from .._host.facts.cluster import parse_kubeconfig
from .._host.system import HostError
from .._kube.api import Client
from .._kube.x509 import ca_cert_hash
from . import apiserver_files, credentials, etcd
from .admin import SECRETS, cluster_id, connect, has_kubeconfig
from .config import API
from .run import LOG, config_folder, run_kubeadm

CA = "/etc/kubernetes/pki/ca.crt"
NODES = "/api/v1/nodes"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
CONFIGURATION = "/api/v1/namespaces/kube-system/configmaps/kubeadm-config"
UPLOADED_CERTIFICATES = f"{SECRETS}/{credentials.CERTIFICATES}"
TOKENS = {"fieldSelector": f"type={credentials.TOKEN_TYPE}"}
UPLOAD_TIMEOUT = 120
MANAGER = "slipway.kube"


def remove_stale_node(client: Client, host: Mapping[str, Any], dry: bool) -> list[str]:
    """Delete the stale Node and etcd member with the name of a joining host.

    :param host: an item of the option ``joining``.
    :param dry: delete nothing.
    :returns: descriptions of what was deleted.
    :raises HostError: another machine is running under this name.
    """
    removed: list[str] = []
    path = f"{NODES}/{host['name']}"
    node = client.find(path)
    if node:
        lease = client.find(f"{LEASES}/{host['name']}") or {}
        reason = credentials.reason_to_keep_node(node, lease, host["machine_id"], time.time(), host.get("seen", 0.0))
        if reason:
            raise HostError(reason)
    if host["control_plane"] and etcd.has_credentials():
        removed += etcd.remove_member([etcd.find_endpoint()], host["name"], host["addresses"], dry)
    if node:
        if not dry:
            client.delete(path)
        removed.append(f"node {host['name']}")
    return removed


def upload_certificates(client: Client, key: str) -> None:
    """Upload the certificates of the control plane, encrypted with a key, and annotate the Secret."""
    stored = (client.find(CONFIGURATION) or {}).get("data", {}).get("ClusterConfiguration", "")
    init = {"apiVersion": API, "kind": "InitConfiguration", "certificateKey": key}
    with config_folder([init], {}) as folder:
        path = Path(folder) / "config.yaml"
        # The configuration of the cluster: without it, kubeadm would look up a version on the internet.
        path.write_text(path.read_text() + "---\n" + stored)
        phase = ["init", "phase", "upload-certs", "--upload-certs", "--skip-certificate-key-print", "--config"]
        run_kubeadm([*phase, str(path)], UPLOAD_TIMEOUT, None, LOG)
    annotations = {credentials.UPLOADED: "true"}
    client.patch(UPLOADED_CERTIFICATES, {"metadata": {"annotations": annotations}}, manager=MANAGER)


def revoke(client: Client, dry: bool) -> list[str]:
    """Delete the credentials that this collection issued, in this run and earlier ones.

    :param dry: delete nothing.
    :returns: names of the Secrets.
    """
    names = credentials.credential_secrets(client.items(SECRETS, TOKENS), client.find(UPLOADED_CERTIFICATES) or {})
    for name in names if not dry else ():
        client.delete(f"{SECRETS}/{name}")
    return names


def converge(params: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    """Issue or revoke credentials and return the result of the module.

    :raises HostError: this host is not a control plane, or the name of a joining host is in use.
    """
    present = params["state"] == "present"
    if not has_kubeconfig(params["kubeconfig"], check_mode):
        changes = ["Bootstrap token created." if present else "Bootstrap token deleted."]
        return {"changed": True, "changes": changes, "ca_cert_hash": "", "endpoint": "", "cluster_id": "", "files": []}
    client = connect(params["kubeconfig"], params["server"])
    config = parse_kubeconfig(Path(params["kubeconfig"]).read_text())
    ca_file = Path(CA)
    result = {
        "ca_cert_hash": ca_cert_hash(ca_file.read_text() if ca_file.exists() else config["ca"]),
        "endpoint": config["server"].replace("https://", ""),
        "cluster_id": cluster_id(client) if present else "",
        # Only a control plane needs them, and one of them is the key of encryption at rest.
        "files": apiserver_files.read_files() if present and params["certificate_key"] else [],
    }
    if not present:
        changes = [f"Secret {name} deleted." for name in revoke(client, check_mode)]
        if check_mode and not changes:
            changes = ["The bootstrap token that this run would have created is deleted."]
        return dict(result, changed=bool(changes), changes=changes)

    changes = []
    for host in params["joining"]:
        changes += [f"Stale {removed} deleted." for removed in remove_stale_node(client, host, check_mode)]
    token = params["token"]
    changes.append(f"Bootstrap token {credentials.token_id(token)} created, valid for {params['minutes']} minutes.")
    if params["certificate_key"]:
        changes.append("Certificates of the control plane uploaded.")
    if not check_mode:
        revoke(client, False)  # of an interrupted run, while the Secret kubeadm-certs still names its token
        secret = credentials.token_secret(token, params["minutes"])
        client.apply(f"{SECRETS}/{secret['metadata']['name']}", secret, MANAGER, force=True, dry_run=False)
        if params["certificate_key"]:
            upload_certificates(client, params["certificate_key"])
    return dict(result, changed=True, changes=changes)
